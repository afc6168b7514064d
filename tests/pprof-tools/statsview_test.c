/*
 * statsview_test.c - `strata stats`: its tables, figures and pictures.
 */
#include "command.h"

#include <inttypes.h>
#include <jansson.h>
#include <sys/stat.h>

#include "commands.h"
#include "stats_fixture.h"
#include "term.h"

#define SERIES "statsview_test.json"	/* three points */
#define JEMALLOC "statsview_test.jemalloc"

static struct output
stats(const char *line)
{
	struct output output = command_run(&cmd_stats, line);

	if (output.status != EXIT_FINE)
		fail_msg("%s: %s", line, output.err);
	return output;
}

static void
assert_shows(const char *line, const char *text)
{
	struct output output = stats(line);

	if (strstr(output.out, text) == NULL)
		fail_msg("'%s' is not in\n%s", text, output.out);
	output_free(&output);
}

static void
assert_refused(const char *line, int status, const char *reason)
{
	struct output output = command_run(&cmd_stats, line);

	assert_int_equal(output.status, status);
	assert_string_equal(output.out, "");
	if (strstr(output.err, reason) == NULL)
		fail_msg("'%s' is not in '%s'", reason, output.err);
	output_free(&output);
}

/* --- tables --------------------------------------------------------------- */

static void
test_golden(void **state)
{
	golden_run(&cmd_stats, "--bins --large --mutexes", SERIES);
	golden_run(&cmd_stats, "--bins --large --mutexes --arena=2 "
	    "--no-color", JEMALLOC);
	golden_run(&cmd_stats, "--top=1 --color", JEMALLOC);
	term_color_set(TERM_COLOR_AUTO);
	golden_run(&cmd_stats, "--format=csv", SERIES);
	golden_run(&cmd_stats, "--format=csv --arenas", SERIES);
	golden_run(&cmd_stats, "--format=csv --bins", SERIES);
	golden_run(&cmd_stats, "--format=csv --large", SERIES);
	golden_run(&cmd_stats, "--format=csv --mutexes", SERIES);
	golden_run(&cmd_stats, "--format=svg", SERIES);
	golden_run(&cmd_stats, "--format=openmetrics", SERIES);
	golden_run(&cmd_stats, "--format=prom --arena=0 --label=service=web",
	    SERIES);
	golden_run(&cmd_stats, "--format=prom", JEMALLOC);
}

static void
test_rates_are_growth_over_time(void **state)
{
	struct output output = stats("-f json " SERIES);
	json_t *root = json_loads(output.out, 0, NULL), *rates;

	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root,
	    "statistics")), 3);
	/* 20 s; merged grows by 2 * 3 * (51500 + 9) requests. */
	assert_true(json_real_value(json_object_get(root, "seconds")) == 20);
	rates = json_object_get(root, "per_second");
	assert_true(json_real_value(json_object_get(rates, "nrequests")) ==
	    6 * 51509 / 20.);
	json_decref(root);
	output_free(&output);
}

static void
test_json_is_exact(void **state)
{
	struct output output = stats("-f json -b -l -m " SERIES);
	json_t *root = json_loads(output.out, 0, NULL), *point, *arena, *bin;

	assert_non_null(root);
	point = json_array_get(json_object_get(root, "statistics"), 1);
	assert_int_equal(json_integer_value(json_object_get(point,
	    "allocated")), 7127040);
	arena = json_object_get(json_object_get(point, "arenas"), "2");
	assert_int_equal(json_integer_value(json_object_get(arena,
	    "dirty_purged")), 360);
	bin = json_array_get(json_object_get(arena, "bins"), 2);
	assert_int_equal(json_integer_value(json_object_get(bin, "size")),
	    4096);
	assert_int_equal(json_integer_value(json_object_get(bin,
	    "nrequests")), 6000);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(
	    json_object_get(arena, "mutexes"), "extents_dirty"),
	    "total_wait_time_ns")), 800000);
	json_decref(root);
	output_free(&output);
}

static void
test_of_two_files_the_older_comes_first(void **state)
{
	struct stats_fixture f = { fopen("statsview_test.1", "w"), 4, false };

	assert_non_null(f.out);
	stats_fixture_write(&f);
	fclose(f.out);
	assert_shows("statsview_test.1 " SERIES, "4 statistics over 40.0 s");
	assert_shows("statsview_test.1 " SERIES, "allocated  3.40 MiB  "
	    "17.0 MiB  +13.6 MiB");
	unlink("statsview_test.1");
}

/* Another process, or one that began anew: no rate is made up. */
static void
test_counters_that_fall_have_no_rate(void **state)
{
	FILE *file = fopen("statsview_test.1", "w");

	assert_non_null(file);
	fputs("{\"jemalloc\":{\"stats\":{},\"stats.arenas\":{\"merged\":{"
	    "\"uptime_ns\":1000000000,\"small\":{\"nrequests\":9}}}}}\n"
	    "{\"jemalloc\":{\"stats\":{},\"stats.arenas\":{\"merged\":{"
	    "\"uptime_ns\":2000000000,\"small\":{\"nrequests\":7}}}}}\n",
	    file);
	fclose(file);
	assert_shows("statsview_test.1", "requests          7         ?");
	unlink("statsview_test.1");
}

static void
test_several_processes_have_no_rates(void **state)
{
	FILE *file = fopen("statsview_test.1", "w");

	assert_non_null(file);
	fputs("{\"jemalloc\":{\"stats\":{},\"stats.arenas\":{\"merged\":{"
	    "\"uptime_ns\":1000,\"small\":{\"nrequests\":1}}}},"
	    "\"strata\":{\"pid\":1}}\n"
	    "{\"jemalloc\":{\"stats\":{},\"stats.arenas\":{\"merged\":{"
	    "\"uptime_ns\":2000,\"small\":{\"nrequests\":2}}}},"
	    "\"strata\":{\"pid\":2}}\n", file);
	fclose(file);
	assert_shows("statsview_test.1", "2 statistics of several processes: "
	    "no rates");
	assert_shows("statsview_test.1", "requests          2         ?");
	assert_shows("-f svg statsview_test.1", "one after the other");
	unlink("statsview_test.1");
}

static void
test_sections_that_were_left_out_are_named(void **state)
{
	FILE *file = fopen("statsview_test.1", "w");

	assert_non_null(file);
	fputs("{\"jemalloc\":{\"stats\":{\"allocated\":5}}}", file);
	fclose(file);
	assert_shows("-b statsview_test.1", "not in these statistics");
	assert_shows("-f csv statsview_test.1", "\"statsview_test.1\",,,0,5,");
	assert_shows("-f svg statsview_test.1", "</svg>");
	assert_shows("-f openmetrics statsview_test.1",
	    "strata_allocated_bytes 5\n");
	unlink("statsview_test.1");
}

/* jemalloc 5.3.0 has neither; a 0 would be a figure. */
static void
test_what_jemalloc_leaves_out_is_no_zero(void **state)
{
	struct output output = stats("-f openmetrics " JEMALLOC);
	json_t *root, *totals, *arena, *bin, *lock, *large;

	assert_null(strstr(output.out, "bin_lock_waits"));
	assert_null(strstr(output.out, "mutex_waits"));
	output_free(&output);
	assert_shows("-f csv -b " JEMALLOC, ",300,271,,30,120,9,1500,,\n");
	assert_shows("-f csv -l " JEMALLOC, "131072,24,,,\n");
	assert_shows("-f csv -m " JEMALLOC, "\"ctl\",process,1000,,,,,,\n");
	output = stats("-f json -b -l -m " JEMALLOC);
	root = json_loads(output.out, 0, NULL);
	totals = json_array_get(json_object_get(root, "statistics"), 0);
	assert_true(json_is_null(json_object_get(totals, "pid")));
	assert_true(json_is_null(json_object_get(totals, "metadata_edata")));
	arena = json_object_get(json_object_get(totals, "arenas"), "merged");
	bin = json_array_get(json_object_get(arena, "bins"), 1);
	assert_true(json_is_integer(json_object_get(bin, "lock_num_ops")));
	assert_true(json_is_null(json_object_get(bin, "lock_num_wait")));
	assert_true(json_is_null(json_object_get(bin, "nslabs")));
	large = json_array_get(json_object_get(arena, "large"), 1);
	assert_true(json_is_null(json_object_get(large, "nmalloc")));
	lock = json_object_get(json_object_get(arena, "mutexes"),
	    "extents_dirty");
	assert_true(json_is_integer(json_object_get(lock, "num_ops")));
	assert_true(json_is_null(json_object_get(lock, "max_num_thds")));
	json_decref(root);
	output_free(&output);
}

/* --- pools ---------------------------------------------------------------- */

static json_int_t
number(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void
write_pools(const char *pools)
{
	FILE *file = fopen("statsview_test.1", "w");

	assert_non_null(file);
	fprintf(file, "{\"jemalloc\":{\"stats\":{}},\"strata\":{\"pools\":"
	    "%s}}", pools);
	fclose(file);
}

static void
test_pools_name_their_survivors(void **state)
{
	write_pools("{\"3\":{\"generation\":7,\"rotations\":5,"
	    "\"rotation_age_ns\":2500000000,\"survivors\":1048576,"
	    "\"narenas\":2,\"arenas\":[{\"index\":9,\"generation\":6,"
	    "\"current\":false,\"allocated\":1048576,\"active\":5242880,"
	    "\"releases\":4},{\"index\":10,\"generation\":7,"
	    "\"current\":true,\"allocated\":0,\"active\":0}]}}");
	assert_shows("statsview_test.1", "pool 3: generation 7, begun 2.50 s "
	    "ago; 5 rotations, 2 arenas\n");
	assert_shows("statsview_test.1", "  retired arena 9 (generation 6): "
	    "1.00 MiB alive in 5.00 MiB of pages\n");
	assert_shows("statsview_test.1", "  current arena 10 (generation 7)");
	assert_shows("-f openmetrics statsview_test.1",
	    "strata_pool_survivors_bytes{pool=\"3\"} 1048576\n");
	assert_shows("-f openmetrics statsview_test.1",
	    "strata_pool_rotation_age_seconds{pool=\"3\"} 2.500000000\n");
	assert_shows("-f prom statsview_test.1",
	    "strata_pool_arena_releases_total{pool=\"3\",arena=\"9\"} 4\n");
	write_pools("{\"0\":{\"generation\":2,\"rotations\":1,"
	    "\"narenas\":1,\"releases\":1,\"arenas\":[]}}");
	assert_shows("statsview_test.1", "; 1 rotation, 1 arena\n");
	assert_shows("statsview_test.1", "arenas emptied 1 time\n");
	unlink("statsview_test.1");
}

/* As of the pool above, with all that json and csv show. */
static void
test_pools_are_data(void **state)
{
	struct output output;
	json_t *root, *pool, *arena;

	write_pools("{\"3\":{\"generation\":7,\"allocated\":5000,"
	    "\"active\":8192,\"resident\":9216,\"releases\":4,"
	    "\"released\":4096,\"survivors\":1000,\"rotations\":5,"
	    "\"rotation_age_ns\":25,\"generations_live\":2,"
	    "\"generations_retired\":1,\"narenas\":2,\"narenas_max\":4,"
	    "\"arenas\":[{\"index\":9,\"generation\":6,\"allocated\":1000,"
	    "\"active\":4096,\"resident\":4096,\"releases\":4,"
	    "\"released\":4096},{\"index\":10,\"generation\":7,"
	    "\"allocated\":4000,\"active\":4096,\"resident\":5120}]}}");
	assert_shows("-f csv --pools statsview_test.1",
	    "pool,arena,generation,allocated,active,resident,releases,"
	    "released,survivors,rotations,rotation_age_ns,generations_live,"
	    "generations_retired,narenas,narenas_max\n"
	    "3,all,7,5000,8192,9216,4,4096,1000,5,25,2,1,2,4\n"
	    "3,9,6,1000,4096,4096,4,4096,1000,,,,,,\n"
	    "3,10,7,4000,4096,5120,0,0,0,,,,,,\n");
	output = stats("-f json statsview_test.1");
	root = json_loads(output.out, 0, NULL);
	pool = json_object_get(json_object_get(json_array_get(
	    json_object_get(root, "statistics"), 0), "pools"), "3");
	assert_int_equal(number(pool, "survivors"), 1000);
	assert_int_equal(number(pool, "rotation_age_ns"), 25);
	arena = json_array_get(json_object_get(pool, "arenas"), 0);
	assert_int_equal(number(arena, "index"), 9);
	assert_int_equal(number(arena, "survivors"), 1000);
	arena = json_array_get(json_object_get(pool, "arenas"), 1);
	assert_int_equal(number(arena, "allocated"), 4000);
	assert_int_equal(number(arena, "survivors"), 0);
	json_decref(root);
	output_free(&output);
	unlink("statsview_test.1");
}

static void
test_damaged_pools_are_refused(void **state)
{
	write_pools("{\"x\":{}}");
	assert_refused("statsview_test.1", EXIT_INPUT, "is no pool");
	write_pools("{\"1\":{\"arenas\":[{\"index\":\"a\"}]}}");
	assert_refused("statsview_test.1", EXIT_INPUT, "is not a count");
	write_pools("[]");
	assert_refused("statsview_test.1", EXIT_INPUT, "is not an object");
	unlink("statsview_test.1");
}

/* --- pictures and metrics ------------------------------------------------- */

static void
test_pictures_are_well_formed(void **state)
{
	struct output output = stats("-f svg " SERIES);

	assert_well_formed(output.out);
	output_free(&output);
}

/*
 * What OpenMetrics asks for: a family's lines together, TYPE first, counters
 * with _total, units at the end of names, "# EOF" and nothing behind it.
 */
static void
test_openmetrics_keeps_its_rules(void **state)
{
	struct output output = stats("-f openmetrics " SERIES);
	char *rest = output.out, *line, family[128] = "", type[32] = "";
	char seen[8192] = " ", word[160];
	bool ended = false;

	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0') {
		size_t n;

		assert_false(ended);
		if (strcmp(line, "# EOF") == 0) {
			ended = true;
		} else if (sscanf(line, "# TYPE %127s %31s", family, type) ==
		    2) {
			snprintf(word, sizeof word, " %s ", family);
			assert_null(strstr(seen, word));
			strcat(seen, word);
		} else if (sscanf(line, "# UNIT %*s %31s", word) == 1) {
			n = strlen(family) - strlen(word);
			assert_string_equal(family + n, word);
		} else if (strncmp(line, "# HELP ", 7) != 0) {
			n = strcspn(line, "{ ");
			snprintf(word, sizeof word, "%s%s", family,
			    strcmp(type, "counter") == 0 ? "_total" :
			    strcmp(type, "info") == 0 ? "_info" : "");
			assert_int_equal(n, strlen(word));
			assert_memory_equal(line, word, n);
		}
	}
	assert_true(ended);
	output_free(&output);
}

static void
test_empty_classes_and_locks_are_no_series(void **state)
{
	struct output output = stats("-f prom " SERIES);

	assert_null(strstr(output.out, "size=\"16\""));
	assert_null(strstr(output.out, "size=\"16384\""));
	assert_non_null(strstr(output.out,
	    "strata_bin_fills_total{size=\"128\"} 900\n"));
	assert_non_null(strstr(output.out,
	    "strata_large_extents{size=\"131072\"} 72\n"));
	assert_non_null(strstr(output.out,
	    "strata_mutex_wait_seconds_total{mutex=\"extents_dirty\"} "
	    "0.001800000\n"));
	output_free(&output);
}

static void
test_labels_are_escaped(void **state)
{
	assert_shows("-f prom --label a=x\"y\\z " SERIES,
	    "strata_allocated_bytes{a=\"x\\\"y\\\\z\"} ");
	assert_refused("--label novalue " SERIES, EXIT_USAGE, "NAME=VALUE");
	assert_refused("--label 1a=b " SERIES, EXIT_USAGE, "NAME=VALUE");
	assert_refused("--label __a=b " SERIES, EXIT_USAGE, "NAME=VALUE");
	assert_refused("--label arena=b " SERIES, EXIT_USAGE, "NAME=VALUE");
}

/* --- files ---------------------------------------------------------------- */

static void
test_output_is_replaced(void **state)
{
	struct stat before, after;
	struct output output;
	char *text;

	output = stats("-o statsview_test.prom " SERIES);
	assert_string_equal(output.out, "");
	output_free(&output);
	assert_int_equal(chmod("statsview_test.prom", 0640), 0);
	assert_int_equal(stat("statsview_test.prom", &before), 0);
	output = stats("-o statsview_test.prom " JEMALLOC);
	output_free(&output);
	assert_int_equal(stat("statsview_test.prom", &after), 0);
	assert_true(before.st_ino != after.st_ino);
	assert_int_equal(after.st_mode & 07777, 0640);
	text = file_read("statsview_test.prom");
	assert_non_null(strstr(text, "allocator=\"jemalloc\""));
	free(text);
	/* Nothing is left beside it, and a refusal leaves it alone. */
	output = command_run(&cmd_stats, "-f csv --bins --large -o "
	    "statsview_test.prom " SERIES);
	assert_int_equal(output.status, EXIT_USAGE);
	output_free(&output);
	text = file_read("statsview_test.prom");
	assert_non_null(strstr(text, "allocator=\"jemalloc\""));
	free(text);
	assert_int_not_equal(system("ls statsview_test.prom.* 2>/dev/null"),
	    0);
	unlink("statsview_test.prom");
}

static void
test_output_that_cannot_be_written(void **state)
{
	assert_refused("-o /dev/full " SERIES, EXIT_INPUT, "/dev/full: ");
	assert_refused("-o /nonexistent/x.prom " SERIES, EXIT_INPUT,
	    "/nonexistent/x.prom: No such file");
}

static void
test_bad_input_is_named(void **state)
{
	FILE *file = fopen("statsview_test.1", "w");

	assert_non_null(file);
	fputs("hello\n{\"jemalloc\":{\"stats\":{\"allocated\":", file);
	fclose(file);
	assert_refused("statsview_test.1", EXIT_INPUT,
	    "strata: statsview_test.1: offset 40: line 2: damaged");
	unlink("statsview_test.1");
	assert_refused("/nonexistent", EXIT_INPUT, "cannot be opened");
	assert_refused("999999999", EXIT_INPUT, "no process 999999999");
	assert_refused("--arena 7 " SERIES, EXIT_INPUT, "no arena '7'");
	assert_refused("--arena destroyed " SERIES, EXIT_INPUT,
	    "no arena was destroyed");
	assert_refused("--arena 00 " SERIES, EXIT_INPUT, "no arena '00'");
	assert_refused("--arena 18446744073709551616 " SERIES, EXIT_INPUT,
	    "no arena");
}

static void
test_nonsense_is_refused(void **state)
{
	assert_refused("--watch 1 " SERIES, EXIT_USAGE, "one process");
	assert_refused("--count 3 " SERIES, EXIT_USAGE, "needs --watch");
	assert_refused("--watch x 1", EXIT_USAGE, "not a time");
	assert_refused("--top -1 " SERIES, EXIT_USAGE, "between");
	assert_refused("--format png " SERIES, EXIT_USAGE, "unknown format");
	assert_refused("-f csv --bins --large " SERIES, EXIT_USAGE,
	    "one table");
	assert_refused("", EXIT_USAGE, "missing operand");
}

static int
setup(void **state)
{
	stats_fixture_file(SERIES, 3, false);
	stats_fixture_file(JEMALLOC, 1, true);
	return 0;
}

static int
teardown(void **state)
{
	return unlink(SERIES) != 0 || unlink(JEMALLOC) != 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_rates_are_growth_over_time),
		cmocka_unit_test(test_json_is_exact),
		cmocka_unit_test(test_of_two_files_the_older_comes_first),
		cmocka_unit_test(test_counters_that_fall_have_no_rate),
		cmocka_unit_test(test_several_processes_have_no_rates),
		cmocka_unit_test(test_sections_that_were_left_out_are_named),
		cmocka_unit_test(test_what_jemalloc_leaves_out_is_no_zero),
		cmocka_unit_test(test_pools_name_their_survivors),
		cmocka_unit_test(test_pools_are_data),
		cmocka_unit_test(test_damaged_pools_are_refused),
		cmocka_unit_test(test_pictures_are_well_formed),
		cmocka_unit_test(test_openmetrics_keeps_its_rules),
		cmocka_unit_test(test_empty_classes_and_locks_are_no_series),
		cmocka_unit_test(test_labels_are_escaped),
		cmocka_unit_test(test_output_is_replaced),
		cmocka_unit_test(test_output_that_cannot_be_written),
		cmocka_unit_test(test_bad_input_is_named),
		cmocka_unit_test(test_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
