/*
 * flame_test.c - the call tree as SVG, folded text and for speedscope.
 */
#include "command.h"

#include <jansson.h>
#include <locale.h>

#include "commands.h"
#include "fixture.h"

static void
test_golden(void **state)
{
	setlocale(LC_ALL, "C.UTF-8");
	golden_run(&cmd_flame, "", "flame_test.pb");
	golden_run(&cmd_flame, "--inverted --width=400", "flame_test.pb");
	golden_run(&cmd_flame, "--format=folded", "flame_test.pb");
	golden_run(&cmd_flame, "--format=folded --sample-type=freed_objects "
	    "--by=line", "flame_test.pb");
}

static void
test_svg_is_well_formed_and_alone(void **state)
{
	struct output output = command_run(&cmd_flame, "flame_test.pb");

	assert_int_equal(output.status, EXIT_FINE);
	assert_well_formed(output.out);
	assert_null(strstr(output.out, "href"));
	assert_null(strstr(output.out, "src="));
	assert_non_null(strstr(output.out, "std::string(&quot;a &amp; b"));
	output_free(&output);
}

/* The numbers behind a key of each frame's rect, in order of drawing. */
static size_t
rects(const char *svg, double x[], double width[], double y[], size_t max)
{
	const char *p = svg;
	size_t n = 0;

	while (n < max && (p = strstr(p, "<g class=\"f\">\n<rect")) != NULL) {
		p += strlen("<g class=\"f\">\n");
		assert_int_equal(sscanf(p, "<rect x=\"%lf\" y=\"%lf\" "
		    "width=\"%lf\"", &x[n], &y[n], &width[n]), 3);
		n++;
	}
	return n;
}

/* Every frame lies within one of the row below it. */
static void
test_frames_stand_on_their_callers(void **state)
{
	double x[64], width[64], y[64];
	struct output output = command_run(&cmd_flame, "flame_test.pb");
	size_t n = rects(output.out, x, width, y, 64);

	assert_int_equal(n, 14);
	for (size_t i = 1; i < n; i++) {
		bool stands = false;

		for (size_t k = 0; k < n; k++)
			stands |= y[k] == y[i] + 17 && x[k] <= x[i] + 0.01 &&
			    x[k] + width[k] >= x[i] + width[i] - 0.01;
		assert_true(stands);
	}
	output_free(&output);
}

static void
test_folded_sums_to_the_total(void **state)
{
	struct output output = command_run(&cmd_flame,
	    "--format=folded --sample-type=alloc_space flame_test.pb");
	long long sum = 0;
	char *rest = output.out, *line;

	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line != '\0')
			sum += atoll(strrchr(line, ' '));
	}
	/* inuse_space + freed_space of the golden lifetimes */
	assert_int_equal(sum, 1883132 + 4251995);
	output_free(&output);
}

static void
test_names_cannot_tear_a_folded_line(void **state)
{
	struct fixture f;
	struct output output;

	fixture_init(&f, 1);
	fixture_row(&f, &(struct fixture_row){ .path = "main;a\nb",
	    .bytes = 8, .samples = 1, .live = true });
	fixture_write(&f, "flame_odd.pb");
	output = command_run(&cmd_flame, "--format=folded flame_odd.pb");
	unlink("flame_odd.pb");
	assert_string_equal(output.out, "main;a b 8\n");
	output_free(&output);
}

static void
test_speedscope_names_a_type_that_is_not_utf_8(void **state)
{
	struct output output;
	struct fixture f;
	json_error_t error;
	json_t *root, *profile;

	fixture_init(&f, 1);
	fixture_row(&f, &(struct fixture_row){ .path = "main", .bytes = 8,
	    .samples = 1, .live = true });
	f.strings[fixture_string(&f, "inuse_space")][5] = '\xff';
	fixture_write(&f, "flame_odd.pb");
	output = command_run(&cmd_flame, "--format=speedscope flame_odd.pb");
	unlink("flame_odd.pb");
	root = json_loads(output.out, 0, &error);
	assert_non_null(root);
	profile = json_array_get(json_object_get(root, "profiles"), 0);
	assert_string_equal(json_string_value(json_object_get(profile,
	    "name")), "inuse?space");
	json_decref(root);
	output_free(&output);
}

static void
test_speedscope_has_matching_samples_and_weights(void **state)
{
	struct output output = command_run(&cmd_flame,
	    "--format=speedscope flame_test.pb");
	json_error_t error;
	json_t *root = json_loads(output.out, 0, &error), *profile, *path;
	size_t nframes, i, k;
	double sum = 0;
	json_t *step;

	assert_non_null(root);
	nframes = json_array_size(json_object_get(
	    json_object_get(root, "shared"), "frames"));
	profile = json_array_get(json_object_get(root, "profiles"), 0);
	assert_int_equal(json_array_size(json_object_get(profile, "samples")),
	    json_array_size(json_object_get(profile, "weights")));
	json_array_foreach(json_object_get(profile, "samples"), i, path) {
		sum += json_real_value(json_array_get(
		    json_object_get(profile, "weights"), i));
		json_array_foreach(path, k, step)
			assert_in_range(json_integer_value(step), 0,
			    nframes - 1);
	}
	assert_true(sum == json_real_value(json_object_get(profile,
	    "endValue")));
	json_decref(root);
	output_free(&output);
}

static void
test_an_empty_profile_is_drawn(void **state)
{
	struct fixture f;
	struct output output;

	fixture_init(&f, 4096);
	fixture_write(&f, "flame_empty.pb");
	output = command_run(&cmd_flame, "flame_empty.pb");
	unlink("flame_empty.pb");
	assert_int_equal(output.status, EXIT_FINE);
	assert_well_formed(output.out);
	output_free(&output);
}

static int
setup(void **state)
{
	fixture_server("flame_test.pb");
	return 0;
}

static int
teardown(void **state)
{
	return unlink("flame_test.pb");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_svg_is_well_formed_and_alone),
		cmocka_unit_test(test_frames_stand_on_their_callers),
		cmocka_unit_test(test_folded_sums_to_the_total),
		cmocka_unit_test(test_names_cannot_tear_a_folded_line),
		cmocka_unit_test(
		    test_speedscope_names_a_type_that_is_not_utf_8),
		cmocka_unit_test(
		    test_speedscope_has_matching_samples_and_weights),
		cmocka_unit_test(test_an_empty_profile_is_drawn),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
