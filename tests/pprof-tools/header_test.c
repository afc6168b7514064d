/*
 * header_test.c - the block of facts says what the profile says, no more.
 */
#include "command.h"

#include <locale.h>
#include <math.h>

#include "fields.h"
#include "fixture.h"
#include "header.h"
#include "read.h"

static struct model *
load(const char *path)
{
	struct model_error error;
	struct model *model;

	if (read_profile(path, &model, &error) != 0)
		fail_msg("%s", error.reason);
	unlink(path);
	return model;
}

static char *
printed(struct model *model, const char *prefix)
{
	struct header header = header_of(model);
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	setlocale(LC_ALL, "C.UTF-8");
	header_print(&header, file, false, prefix);
	text = file_text(file);
	fclose(file);
	return text;
}

/* Of what the fixture has. */
static char *
printed_of(struct fixture *f, const char *prefix)
{
	struct model *model;
	char *text;

	fixture_write(f, "header_test.pb");
	model = load("header_test.pb");
	text = printed(model, prefix);
	model_free(model);
	return text;
}

static void
test_all_facts(void **state)
{
	struct model *model;
	char *text;

	fixture_server("header_test.pb");
	model = load("header_test.pb");
	text = printed(model, "");
	golden_compare("header", text);
	free(text);
	model_free(model);
}

static void
test_what_is_not_known_is_left_out(void **state)
{
	struct fixture f;
	char *text;

	fixture_init(&f, 1);
	fixture_row(&f, &(struct fixture_row){ .path = "main;f", .bytes = 64,
	    .samples = 2, .live = true });
	text = printed_of(&f, "# ");
	assert_string_equal(text,
	    "# sampling  every allocation\n"
	    "# live      128 B \u00b1 0 B estimated\n");
	free(text);
}

/* The start is known to the second: no digits behind it. */
static void
test_a_short_run_has_whole_seconds(void **state)
{
	struct model *model;
	char *text;

	fixture_server("header_test.pb");
	model = load("header_test.pb");
	model->exact.start_time_unix = model->time_ns / 1000000000 - 4;
	text = printed(model, "");
	assert_non_null(strstr(text, " UTC, 4 s after start, by signal\n"));
	free(text);
	model_free(model);
}

static struct model *
dump_of(const char *command, const char *trigger, int64_t seconds,
    int64_t period)
{
	struct fixture f;

	fixture_init(&f, period);
	fixture_time(&f, seconds * 1000000000);
	fixture_comment(&f, "start_time_unix: 1782000000");
	fixture_comment(&f, "pid: 7");
	fixture_comment(&f, command);
	fixture_comment(&f, trigger);
	fixture_row(&f, &(struct fixture_row){ .path = "main;f", .bytes = 64,
	    .samples = 2, .live = true });
	fixture_write(&f, "header_test.pb");
	return load("header_test.pb");
}

static void
test_a_sum_says_what_its_files_agree_on(void **state)
{
	struct model *all, *more;
	struct model_error error;
	char *text;

	all = dump_of("command: a", "trigger: s", 1782000000, 1);
	more = dump_of("command: a", "trigger: s", 1782000009, 1);
	assert_int_equal(model_merge(all, more, &error), 0);
	model_free(more);
	text = printed(all, "");
	assert_non_null(strstr(text, "program   a (pid 7)\n"
	    "taken     2026-06-21 00:00:00 to 2026-06-21 00:00:09 UTC, by "
	    "signal (2 files merged)\n"
	    "sampling  every allocation\n"));
	free(text);
	/* What differs once does not come back with a third. */
	for (int i = 0; i < 2; i++) {
		more = dump_of("command: b", "trigger: f", 1782000004, 4096);
		assert_int_equal(model_merge(all, more, &error), 0);
		model_free(more);
	}
	text = printed(all, "");
	assert_non_null(strstr(text, "program   (several programs) (pid 7)\n"
	    "taken     2026-06-21 00:00:00 to 2026-06-21 00:00:09 UTC "
	    "(4 files merged)\n"
	    "sampling  every allocation to every 4.00 KiB\n"));
	free(text);
	model_free(all);
}

static void
test_a_missing_part_leaves_no_other(void **state)
{
	struct model_exact exact = { .rss = 1000, .live = 600, .tcache = 50,
	    .active = -1, .allocated = 650, .dirty = 100, .metadata = 50,
	    .profiler = -1 };
	struct header_part parts[HEADER_PARTS];

	assert_int_equal(header_parts(&exact, parts), 4);
	for (int i = 0; i < 4; i++) {
		assert_string_not_equal(parts[i].name, "other");
		assert_string_not_equal(parts[i].name, "fragmentation");
	}
	exact.rss = -1;
	assert_int_equal(header_parts(&exact, parts), 0);
}

static void
test_the_parts_add_up_to_rss(void **state)
{
	struct model_exact exact = { .rss = 1000, .live = 600, .tcache = 50,
	    .active = 800, .allocated = 650, .dirty = 100, .metadata = 50,
	    .profiler = 20 };
	struct header_part parts[HEADER_PARTS];
	size_t n = header_parts(&exact, parts);
	double sum = 0;

	assert_int_equal(n, HEADER_PARTS);
	for (size_t i = 0; i < n; i++)
		sum += parts[i].bytes;
	assert_true(sum == 1000);
	assert_string_equal(parts[n - 1].name, "other");
	assert_true(parts[n - 1].bytes == 30);
}

static void
test_untouched_pages_are_named_not_negative(void **state)
{
	struct fixture f;
	char *text;

	fixture_init(&f, 1);
	fixture_comment(&f, "live_bytes: 3145728");
	fixture_comment(&f, "tcache_bytes: 0");
	fixture_comment(&f, "allocated_bytes: 3145728");
	fixture_comment(&f, "active_bytes: 3145728");
	fixture_comment(&f, "dirty_bytes: 0");
	fixture_comment(&f, "metadata_bytes: 0");
	fixture_comment(&f, "rss_bytes: 2097152");
	fixture_row(&f, &(struct fixture_row){ .path = "main",
	    .bytes = 3145728, .samples = 1, .live = true });
	text = printed_of(&f, "");
	assert_non_null(strstr(text, "RSS       2.00 MiB = live 3.00 MiB"));
	assert_non_null(strstr(text, "- untouched 1.00 MiB\n"));
	assert_non_null(strstr(text, "3.00 MiB \u00b1 0 B estimated, 3.00 MiB "
	    "exact\n"));
	free(text);
}

static void
test_long_command_lines_are_cut(void **state)
{
	char comment[4100] = "command: ";
	struct fixture f;
	char *text;

	for (int i = 0; i < 1000; i++)
		strcat(comment, "\u00e9t ");
	fixture_init(&f, 1);
	fixture_comment(&f, comment);
	text = printed_of(&f, "");
	assert_true(strcspn(text, "\n") < 120);
	assert_non_null(strstr(text, "...\n"));
	assert_int_equal(mbstowcs(NULL, text, 0) == (size_t)-1, 0);
	free(text);
}

/* A version or a trigger that no library writes: in damaged files. */
static void
test_no_line_is_longer_than_a_terminal(void **state)
{
	static const char *const names[] = { "strata_version", "trigger" };

	for (size_t i = 0; i < 2; i++) {
		char comment[8200];
		struct fixture f;
		char *text, *rest, *line;

		snprintf(comment, sizeof comment, "%s: %08000d", names[i], 0);
		fixture_init(&f, 1);
		fixture_time(&f, 1700000000000000000);
		fixture_comment(&f, "pid: 7");
		fixture_comment(&f, comment);
		rest = text = printed_of(&f, "");
		while ((line = strsep(&rest, "\n")) != NULL)
			assert_true(strlen(line) < 180);
		free(text);
	}
}

/* Some of them are dead by now, so that the error says nothing. */
static void
test_dropped_samples_could_be_alive(void **state)
{
	struct fixture f;
	char *text;

	fixture_init(&f, 4096);
	fixture_comment(&f, "live_bytes: 3145728");
	fixture_comment(&f, "dropped_samples: 16");
	fixture_comment(&f, "dropped_bytes: 1048576");
	fixture_row(&f, &(struct fixture_row){ .path = "main",
	    .bytes = 1048576, .samples = 2, .live = true });
	text = printed_of(&f, "");
	assert_non_null(strstr(text, "estimated + up to 1.00 MiB dropped, "
	    "3.00 MiB exact\n"));
	free(text);
}

static void
test_what_was_not_sampled_could_be_alive(void **state)
{
	struct fixture f;
	char *text;

	fixture_init(&f, 4096);
	fixture_comment(&f, "live_bytes: 3145728");
	fixture_comment(&f, "unsampled_bytes: 2097152");
	fixture_row(&f, &(struct fixture_row){ .path = "main",
	    .bytes = 1048576, .samples = 2, .live = true });
	text = printed_of(&f, "");
	assert_non_null(strstr(text, "estimated + up to 2.00 MiB while "
	    "sampling was off, 3.00 MiB exact\n"));
	free(text);
}

static void
test_json_holds_the_same_figures(void **state)
{
	struct header header;
	struct model *model;
	json_t *json, *rss;

	fixture_server("header_test.pb");
	model = load("header_test.pb");
	header = header_of(model);
	json = header_json(&header);
	assert_int_equal(json_integer_value(json_object_get(json, "pid")),
	    4711);
	assert_int_equal(json_integer_value(json_object_get(json,
	    "live_exact")), 1850000);
	assert_true(json_real_value(json_object_get(json, "live_error")) > 0);
	rss = json_object_get(json, "rss");
	assert_int_equal(json_integer_value(json_object_get(rss, "total")),
	    2800000);
	assert_int_equal(json_integer_value(json_object_get(rss, "caches")),
	    50000);
	assert_null(json_object_get(json, "before_profiling"));
	json_decref(json);
	model_free(model);
}

static void
test_names_that_are_no_utf8_become_json(void **state)
{
	json_t *json = field_text("a\xff" "b");

	assert_string_equal(json_string_value(json), "a?b");
	json_decref(json);
}

/*
 * Beside small objects that met no sample, the error of 0 of the one large
 * block is not that of the sum.
 */
static void
test_the_unseen_have_an_error_too(void **state)
{
	struct model model = { .period = 524288 };
	struct estimate sum = { .value = 56 << 20 };

	assert_true(header_sum_error(&model, &sum) == 524288);
	sum.variance = 524288. * 524288 * 3;
	assert_true(fabs(header_sum_error(&model, &sum) - 2 * 524288) < 1e-6);
	model.period = 1;
	assert_true(header_sum_error(&model, &(struct estimate){ .value =
	    4096 }) == 0);
	sum.unknown = true;
	assert_true(isnan(header_sum_error(&model, &sum)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_facts),
		cmocka_unit_test(test_what_is_not_known_is_left_out),
		cmocka_unit_test(test_the_unseen_have_an_error_too),
		cmocka_unit_test(test_a_short_run_has_whole_seconds),
		cmocka_unit_test(test_a_sum_says_what_its_files_agree_on),
		cmocka_unit_test(test_a_missing_part_leaves_no_other),
		cmocka_unit_test(test_the_parts_add_up_to_rss),
		cmocka_unit_test(test_untouched_pages_are_named_not_negative),
		cmocka_unit_test(test_long_command_lines_are_cut),
		cmocka_unit_test(test_no_line_is_longer_than_a_terminal),
		cmocka_unit_test(test_dropped_samples_could_be_alive),
		cmocka_unit_test(test_what_was_not_sampled_could_be_alive),
		cmocka_unit_test(test_json_holds_the_same_figures),
		cmocka_unit_test(test_names_that_are_no_utf8_become_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
