/*
 * lifetimes_test.c - lifetimes of the dead and ages of the living, apart.
 */
#include "command.h"

#include <jansson.h>
#include <locale.h>
#include <math.h>

#include "commands.h"
#include "fixture.h"
#include "lifestat.h"
#include "read.h"

static void
test_buckets_and_edges_agree(void **state)
{
	assert_true(life_lower(0) == 0 && life_upper(0) == 1000);
	assert_true(isinf(life_upper(LIFE_BUCKETS - 1)));
	assert_int_equal(life_bucket_of(0), 0);
	assert_int_equal(life_bucket_of(999), 0);
	assert_int_equal(life_bucket_of(1000), 1);
	assert_int_equal(life_bucket_of(2000), 5);
	assert_int_equal(life_bucket_of(1e30), LIFE_BUCKETS - 1);
	for (uint32_t i = 1; i < LIFE_BUCKETS; i++) {
		/* Profiles hold the edge in whole ns, rounded up. */
		assert_int_equal(life_bucket_of(ceil(life_lower(i))), i);
		assert_true(life_upper(i - 1) == life_lower(i));
	}
}

static struct life_group *
group_new(void)
{
	struct life_group *group = calloc(1, sizeof *group);

	assert_non_null(group);
	return group;
}

static void
put(struct life_group *group, uint32_t bucket, bool live, double objects)
{
	struct life_bucket *b = &group->buckets[bucket];

	(live ? &b->live : &b->freed)->objects += objects;
	(live ? &group->live : &group->freed)->objects += objects;
}

static void
test_quantiles_lie_in_their_bucket(void **state)
{
	struct life_group *group = group_new();

	put(group, 40, false, 10);
	put(group, 60, false, 80);
	put(group, 80, false, 10);
	for (double q = 0.11; q < 0.9; q += 0.02) {
		double t = life_quantile(group, false, q, LIFE_OBJECTS);

		assert_true(t >= life_lower(60) && t <= life_upper(60));
	}
	assert_true(life_quantile(group, false, 0.05, LIFE_OBJECTS) <
	    life_upper(40));
	assert_true(life_quantile(group, false, 0.95, LIFE_OBJECTS) >
	    life_lower(80));
	assert_true(isnan(life_quantile(group, true, 0.5, LIFE_OBJECTS)));
	free(group);
}

static void
test_the_living_do_not_count_as_dead(void **state)
{
	struct life_group *group = group_new();
	double survival[LIFE_BUCKETS];

	put(group, 50, false, 1);	/* one died */
	put(group, 100, true, 99);	/* 99 are alive and much older */
	assert_true(life_quantile(group, false, 0.5, LIFE_OBJECTS) <
	    life_upper(50));
	life_survival(group, LIFE_OBJECTS, survival);
	assert_true(survival[49] == 1);
	assert_true(fabs(survival[50] - 0.99) < 1e-9);
	assert_true(fabs(survival[LIFE_BUCKETS - 1] - 0.99) < 1e-9);
	assert_true(isinf(life_survival_quantile(group, 0.5, LIFE_OBJECTS)));
	free(group);
}

static void
test_without_survivors_it_is_the_plain_distribution(void **state)
{
	struct life_group *group = group_new();
	double survival[LIFE_BUCKETS], left = 100;

	for (uint32_t i = 20; i < 30; i++)
		put(group, i, false, 10);
	life_survival(group, LIFE_OBJECTS, survival);
	for (uint32_t i = 20; i < 30; i++) {
		left -= 10;
		assert_true(fabs(survival[i] - left / 100) < 1e-9);
	}
	assert_true(fabs(life_survival_quantile(group, 0.5, LIFE_OBJECTS) -
	    life_quantile(group, false, 0.5, LIFE_OBJECTS)) < 1);
	free(group);
}

/*
 * Exponential lifetimes of mean 1 s, watched for random times of the same
 * order: the naive median of the freed is far too short, the estimate with
 * the living as survivors finds ln 2.
 */
static void
test_survival_corrects_for_watching_too_short(void **state)
{
	struct life_group *group = group_new();
	unsigned seed = 42;
	double naive, median;

	print_message("seed %u\n", seed);
	for (int i = 0; i < 200000; i++) {
		double life = -log((1 + rand_r(&seed)) / (2.0 + RAND_MAX));
		double watched = 1.5 * (1 + rand_r(&seed)) / (2.0 + RAND_MAX);
		bool live = life > watched;

		put(group, life_bucket_of(1e9 * (live ? watched : life)),
		    live, 1);
	}
	naive = life_quantile(group, false, 0.5, LIFE_OBJECTS) / 1e9;
	median = life_survival_quantile(group, 0.5, LIFE_OBJECTS) / 1e9;
	print_message("naive %.3f, estimate %.3f, truth %.3f\n", naive,
	    median, log(2));
	assert_true(naive < 0.45);
	assert_true(fabs(median - log(2)) < 0.03);
	free(group);
}

static struct model *
load(const char *path)
{
	struct model_error error;
	struct model *model;

	if (read_profile(path, &model, &error) != 0)
		fail_msg("%s", error.reason);
	return model;
}

static void
test_groups_add_up(void **state)
{
	static const int ways[] = { -1, SITES_FUNCTION, SITES_LINE,
	    SITES_SIZE, SITES_ARENA, SITES_GENERATION, SITES_THREAD };
	struct model *model = load("lifetimes_test.pb");
	double freed = (double)model_total(model, model_find_type(model,
	    "freed_space"));
	double live = (double)model_total(model, model_find_type(model,
	    "inuse_space"));

	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct life *life = life_build(model, ways[i]);
		double sum_freed = 0, sum_live = 0;

		for (uint32_t g = 0; g < life->n; g++) {
			sum_freed += life->groups[g].freed.bytes;
			sum_live += life->groups[g].live.bytes;
		}
		assert_true(sum_freed == freed && sum_live == live);
		life_free(life);
	}
	model_free(model);
}

/* --- the command ----------------------------------------------------------*/

static void
test_golden(void **state)
{
	setlocale(LC_ALL, "C.UTF-8");
	golden_run(&cmd_lifetimes, "", "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--unit=objects --color",
	    "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--by=site --no-color",
	    "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--by=size", "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--by=arena --top=2 --unit=samples",
	    "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--by=generation --format=csv",
	    "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--format=json", "lifetimes_test.pb");
	golden_run(&cmd_lifetimes, "--format=svg --focus=session",
	    "lifetimes_test.pb");
}

static void
test_plain_ascii_where_the_locale_has_no_more(void **state)
{
	struct output output;

	setlocale(LC_ALL, "C");
	output = command_run(&cmd_lifetimes, "--by=site lifetimes_test.pb");
	assert_int_equal(output.status, EXIT_FINE);
	for (const char *p = output.out; *p != '\0'; p++)
		assert_true((unsigned char)*p < 0x80);
	output_free(&output);
	output = command_run(&cmd_lifetimes, "lifetimes_test.pb");
	assert_non_null(strstr(output.out, "####"));
	output_free(&output);
}

static void
test_pictures_are_well_formed(void **state)
{
	struct output output = command_run(&cmd_lifetimes,
	    "--format svg --by site lifetimes_test.pb");

	assert_int_equal(output.status, EXIT_FINE);
	assert_well_formed(output.out);
	output_free(&output);
}

static void
test_json_is_json(void **state)
{
	struct output output = command_run(&cmd_lifetimes,
	    "--format json --by site lifetimes_test.pb");
	json_t *root = json_loads(output.out, 0, NULL), *group;

	assert_non_null(root);
	group = json_array_get(json_object_get(root, "groups"), 0);
	assert_string_equal(json_string_value(json_object_get(group,
	    "name")), "session_new");
	json_decref(root);
	output_free(&output);
}

static void
test_profiles_without_lifetimes_say_so(void **state)
{
	struct output output;
	FILE *file = fopen("lifetimes_test.heap", "w");

	assert_non_null(file);
	fputs("heap_v2/1\n  t*: 1: 64 [1: 64]\n  t0: 1: 64 [1: 64]\n"
	    "@ 0x401000 0x402000\n  t*: 1: 64 [1: 64]\n  t0: 1: 64 [1: 64]\n"
	    "\nMAPPED_LIBRARIES:\n", file);
	fclose(file);
	output = command_run(&cmd_lifetimes, "lifetimes_test.heap");
	unlink("lifetimes_test.heap");
	assert_int_equal(output.status, EXIT_INPUT);
	assert_non_null(strstr(output.err,
	    "lifetimes_test.heap: no lifetimes"));
	assert_string_equal(output.out, "");
	output_free(&output);
}

/* As of what was diffed: less than nothing has no bar. */
static void
test_negative_values_have_no_bar(void **state)
{
	struct output output;
	struct fixture f;

	setlocale(LC_ALL, "C.UTF-8");
	fixture_init(&f, 4096);
	for (int i = 0; i < 24; i++)
		fixture_row(&f, &(struct fixture_row){ .path = "main;a",
		    .bytes = 64, .samples = i == 0 ? 50 : -10 - i,
		    .lifetime_ns = 1000 << i });
	fixture_row(&f, &(struct fixture_row){ .path = "main;a",
	    .bytes = 64, .samples = -30, .live = true, .age_ns = 5000 });
	fixture_write(&f, "lifetimes_test.1");
	output = command_run(&cmd_lifetimes, "lifetimes_test.1");
	assert_int_equal(output.status, EXIT_FINE);
	assert_non_null(strstr(output.out, "\u2588"));
	for (char *line = output.out; (line = strchr(line, '\n')) != NULL;)
		assert_true(strcspn(++line, "\n") < 200);
	output_free(&output);
	output = command_run(&cmd_lifetimes, "--by=site lifetimes_test.1");
	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
	setlocale(LC_ALL, "C");
	output = command_run(&cmd_lifetimes, "lifetimes_test.1");
	assert_int_equal(output.status, EXIT_FINE);
	assert_non_null(strstr(output.out, "####"));
	output_free(&output);
	unlink("lifetimes_test.1");
}

static void
test_nonsense_is_refused(void **state)
{
	static const char *const lines[] = { "--by age x", "--by nothing x",
	    "--unit stones x", "--top -1 x", "--format png x" };

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct output output = command_run(&cmd_lifetimes, lines[i]);

		assert_int_equal(output.status, EXIT_USAGE);
		assert_non_null(strstr(output.err, "strata lifetimes --help"));
		output_free(&output);
	}
}

static int
setup(void **state)
{
	fixture_server("lifetimes_test.pb");
	return 0;
}

static int
teardown(void **state)
{
	return unlink("lifetimes_test.pb");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets_and_edges_agree),
		cmocka_unit_test(test_quantiles_lie_in_their_bucket),
		cmocka_unit_test(test_the_living_do_not_count_as_dead),
		cmocka_unit_test(
		    test_without_survivors_it_is_the_plain_distribution),
		cmocka_unit_test(
		    test_survival_corrects_for_watching_too_short),
		cmocka_unit_test(test_groups_add_up),
		cmocka_unit_test(test_golden),
		cmocka_unit_test(
		    test_plain_ascii_where_the_locale_has_no_more),
		cmocka_unit_test(test_pictures_are_well_formed),
		cmocka_unit_test(test_json_is_json),
		cmocka_unit_test(test_profiles_without_lifetimes_say_so),
		cmocka_unit_test(test_negative_values_have_no_bar),
		cmocka_unit_test(test_nonsense_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
