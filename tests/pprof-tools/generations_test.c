/*
 * generations_test.c - strays are named, and told from growth.
 */
#include "command.h"

#include <jansson.h>
#include <locale.h>
#include <math.h>

#include "commands.h"
#include "fixture.h"
#include "genstat.h"

#define FILE_A "generations_test.a.pb"
#define FILE_B "generations_test.b.pb"

enum { PERIOD = 4096, SAMPLES = 12 };

/* What a site has alive of a generation born `age` generations ago. */
struct plant {
	const char *path;
	int oldest;			/* freed when older; INT_MAX: never */
	int64_t samples, bytes;		/* alive of each, in a generation */
	bool start_up;			/* of generation 1 only */
};

static void
plant_one(struct fixture *f, const struct plant *plant, int current)
{
	for (int g = 1; g <= current; g++) {
		char label[32];

		if (current - g > plant->oldest || (plant->start_up && g > 1))
			continue;
		snprintf(label, sizeof label, "generation %d", g);
		fixture_row(f, &(struct fixture_row){ .path = plant->path,
		    .bytes = plant->bytes, .samples = plant->samples,
		    .live = true, .age_ns = 1000000000,
		    .generation = label });
	}
}

static const char *pools;		/* a comment, or NULL */

/* The first dump of a process is at generation `current`. */
static void
write_plants(const char *path, const struct plant *plants, size_t n,
    int current, int pid)
{
	struct fixture f;
	char comment[64];

	fixture_init(&f, PERIOD);
	fixture_time(&f, INT64_C(1782000000000000000) + current *
	    INT64_C(1000000000));
	snprintf(comment, sizeof comment, "generation: %d", current);
	fixture_comment(&f, comment);
	snprintf(comment, sizeof comment, "pid: %d", pid);
	fixture_comment(&f, comment);
	snprintf(comment, sizeof comment, "sequence: %d", current);
	fixture_comment(&f, comment);
	fixture_comment(&f, "start_time_unix: 1781999000");
	fixture_comment(&f, "strata_version: 0.1.0");
	if (pools != NULL)
		fixture_comment(&f, pools);
	for (size_t i = 0; i < n; i++)
		plant_one(&f, &plants[i], current);
	fixture_write(&f, path);
}

static const struct plant leak = { "main;leak", 1 << 30, SAMPLES, 64, false };
static const struct plant stray = { "main;stray", 8, 60, 64, false };
static const struct plant table = { "main;table", 1 << 30, 9000, 64, true };
static const struct plant config = { "main;config", 1, 2000, 64, false };

static int
growth(const char *files)
{
	char line[256];
	struct output output;
	int status;

	snprintf(line, sizeof line, "--no-symbols --assert-no-growth %s",
	    files);
	output = command_run(&cmd_generations, line);
	status = output.status;
	print_message("%s%s", output.out, output.err);
	output_free(&output);
	return status;
}

/* said: what stderr has among the rest, or "", when it has nothing. */
static json_t *
json_saying(const char *flags, const char *said)
{
	char line[256];
	struct output output;
	json_t *root;

	snprintf(line, sizeof line, "--no-symbols -f json %s", flags);
	output = command_run(&cmd_generations, line);
	if (*said == '\0')
		assert_string_equal(output.err, "");
	else
		assert_non_null(strstr(output.err, said));
	assert_int_equal(output.status, EXIT_FINE);
	root = json_loads(output.out, 0, NULL);
	assert_non_null(root);
	output_free(&output);
	return root;
}

static json_t *
json_of(const char *flags)
{
	return json_saying(flags, "");
}

static const char *
site_text(json_t *root, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(
	    json_object_get(root, "sites"), i), key));
}

static void
test_what_to_move_comes_first(void **state)
{
	const struct plant plants[] = { config, table, stray, leak };
	json_t *root;

	write_plants(FILE_A, plants, 4, 40, 1);
	root = json_of(FILE_A);
	assert_string_equal(site_text(root, 0, "site"), "leak");
	assert_string_equal(site_text(root, 0, "kind"), "kept");
	assert_string_equal(site_text(root, 1, "site"), "stray");
	assert_string_equal(site_text(root, 1, "kind"), "stray");
	assert_string_equal(site_text(root, 2, "site"), "table");
	assert_string_equal(site_text(root, 2, "kind"), "once");
	assert_string_equal(site_text(root, 3, "site"), "config");
	assert_string_equal(site_text(root, 3, "kind"), "");
	json_decref(root);
}

/* Current and previous do not count: ages 2 to 8 are strays. */
static void
test_strays_are_of_retired_generations(void **state)
{
	double p = site_probability(64, PERIOD);
	json_t *root, *site;

	write_plants(FILE_A, &stray, 1, 40, 1);
	root = json_of(FILE_A);
	site = json_array_get(json_object_get(root, "sites"), 0);
	assert_int_equal(json_integer_value(json_object_get(site,
	    "retired_in")), 7);
	assert_int_equal(json_integer_value(json_object_get(site, "oldest")),
	    32);
	assert_true(fabs(json_number_value(json_object_get(site,
	    "stray_bytes")) - 7 * 60 * 64 / p) < 7 * 64);
	/* Horvitz and Thompson: u sqrt(n (1 - p)) / p */
	assert_true(fabs(json_number_value(json_object_get(site,
	    "stray_bytes_error")) / (64 * sqrt(7 * 60 * (1 - p)) / p) - 1) <
	    0.01);
	json_decref(root);
}

/*
 * A pool that is rotated seldom: generation 4 is current in its arena, 9. What
 * was born then in another arena, or before in the same, is a stray.
 */
static void
test_a_pools_current_generation_is_no_stray(void **state)
{
	struct fixture_row row = { .path = "main;index", .bytes = 64,
	    .samples = 9000, .live = true, .age_ns = 1000000000,
	    .arena = "arena 9", .generation = "generation 4" };
	struct fixture f;
	json_t *root, *site;

	fixture_init(&f, PERIOD);
	fixture_comment(&f, "generation: 40");
	fixture_comment(&f, "pools: 7:40 9:4");
	fixture_row(&f, &row);
	row.path = "main;other";
	row.samples = 60;
	row.arena = "arena 1";
	fixture_row(&f, &row);
	row.path = "main;before";
	row.samples = 30;
	row.arena = "arena 9";
	row.generation = "generation 3";
	fixture_row(&f, &row);
	fixture_write(&f, FILE_A);
	root = json_of(FILE_A);
	assert_string_equal(site_text(root, 0, "site"), "other");
	assert_string_equal(site_text(root, 1, "site"), "before");
	assert_string_equal(site_text(root, 2, "site"), "index");
	site = json_array_get(json_object_get(root, "sites"), 2);
	assert_true(json_real_value(json_object_get(site, "bytes")) > 1e5);
	assert_true(json_is_number(json_object_get(site, "stray_bytes")));
	assert_true(json_number_value(json_object_get(site,
	    "stray_bytes")) == 0);
	json_decref(root);
}

static void
test_damaged_pools_are_none(void **state)
{
	static const char *const texts[] = { "pools: ", "pools: 9",
	    "pools: 9:", "pools: x:4", "pools: 9:4x", "pools: 9 4" };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct fixture f;
		json_t *root;

		fixture_init(&f, PERIOD);
		fixture_comment(&f, "generation: 40");
		fixture_comment(&f, texts[i]);
		fixture_row(&f, &(struct fixture_row){ .path = "main;index",
		    .bytes = 64, .samples = 9000, .live = true,
		    .age_ns = 1000000000, .arena = "arena 9",
		    .generation = "generation 4" });
		fixture_write(&f, FILE_A);
		root = json_of(FILE_A);
		assert_string_equal(site_text(root, 0, "kind"), "once");
		json_decref(root);
	}
}

static void
test_a_leak_is_growth(void **state)
{
	const struct plant plants[] = { config, table, stray, leak };

	write_plants(FILE_A, plants, 4, 40, 1);
	assert_int_equal(growth(FILE_A), EXIT_FINDINGS);
	assert_int_equal(growth("--focus leak " FILE_A), EXIT_FINDINGS);
	assert_int_equal(growth("--ignore leak " FILE_A), EXIT_FINE);
}

static void
assert_says(const char *flags, int status, const char *said)
{
	char line[256];
	struct output output;

	snprintf(line, sizeof line, "--no-symbols %s " FILE_A, flags);
	output = command_run(&cmd_generations, line);
	if (strstr(output.err, said) == NULL)
		fail_msg("not \"%s\" but \"%s\"", said, output.err);
	assert_int_equal(output.status, status);
	output_free(&output);
}

/* A misspelt filter must not let a leak through a test that runs nightly. */
static void
test_what_is_filtered_away_is_not_judged(void **state)
{
	write_plants(FILE_A, &leak, 1, 40, 1);
	assert_says("--assert-no-growth --focus leek", EXIT_INPUT,
	    "no site is left to judge");
	assert_says("--assert-no-growth --generation 1-5", EXIT_USAGE,
	    "--generation leaves out");
	assert_says("--assert-no-growth --age 1h-", EXIT_USAGE,
	    "--age leaves out");
	/* A pool's arenas have the generations by turns. */
	assert_says("--assert-no-growth --arena 8", EXIT_USAGE,
	    "--arena leaves out");
}

/* The generations are those of all pools: one's growth is thinned out. */
static void
test_with_several_pools_nothing_is_promised(void **state)
{
	struct output output;

	write_plants(FILE_A, &table, 1, 40, 1);
	output = command_run(&cmd_generations, "--no-symbols "
	    "--assert-no-growth " FILE_A);
	assert_non_null(strstr(output.out, "is found in 95% of cases\n"));
	output_free(&output);
	pools = "pools: 8:39 9:40";
	write_plants(FILE_A, &table, 1, 40, 1);
	pools = NULL;
	output = command_run(&cmd_generations, "--no-symbols "
	    "--assert-no-growth " FILE_A);
	assert_null(strstr(output.out, "is found in 95%"));
	assert_non_null(strstr(output.out, "with 2 pools"));
	output_free(&output);
}

/* The view is what was asked for, the verdict beside it. */
static void
test_the_verdict_leaves_the_format_alone(void **state)
{
	struct output output;
	json_t *root;
	char *text;

	write_plants(FILE_A, &leak, 1, 40, 1);
	output = command_run(&cmd_generations, "--no-symbols "
	    "--assert-no-growth -f json " FILE_A);
	assert_int_equal(output.status, EXIT_FINDINGS);
	root = json_loads(output.out, 0, NULL);
	assert_non_null(root);
	assert_string_equal(site_text(root, 0, "site"), "leak");
	assert_non_null(strstr(output.err, "leak grows by "));
	json_decref(root);
	output_free(&output);
	output = command_run(&cmd_generations, "--no-symbols "
	    "--assert-no-growth -o generations_test.svg " FILE_A);
	assert_int_equal(output.status, EXIT_FINDINGS);
	assert_non_null(strstr(output.err, "leak grows by "));
	text = file_read("generations_test.svg");
	assert_well_formed(text);
	free(text);
	output_free(&output);
	unlink("generations_test.svg");
}

static void
test_strays_freed_later_are_no_growth(void **state)
{
	const struct plant plants[] = { config, table, stray };

	for (int current = 12; current <= 100; current += 11) {
		write_plants(FILE_A, plants, 3, current, 1);
		assert_int_equal(growth(FILE_A), EXIT_FINE);
	}
}

/* In one profile it looks like a leak; the series knows better. */
static void
test_a_series_tells_long_lived_from_growing(void **state)
{
	struct plant slow = { "main;slow", 30, 200, 64, false };

	write_plants(FILE_A, &slow, 1, 40, 1);
	write_plants(FILE_B, &slow, 1, 70, 1);
	assert_int_equal(growth("--reloads 20 " FILE_B), EXIT_FINDINGS);
	assert_int_equal(growth("--reloads 20 " FILE_B " " FILE_A),
	    EXIT_FINE);
	slow.oldest = 1 << 30;
	write_plants(FILE_A, &slow, 1, 40, 1);
	write_plants(FILE_B, &slow, 1, 70, 1);
	assert_int_equal(growth("--reloads 20 " FILE_A " " FILE_B),
	    EXIT_FINDINGS);
}

/* A single mountain in an old generation is no trend. */
static void
test_an_outlier_is_no_growth(void **state)
{
	struct fixture f;

	fixture_init(&f, PERIOD);
	fixture_comment(&f, "generation: 40");
	fixture_row(&f, &(struct fixture_row){ .path = "main;burst",
	    .bytes = 64, .samples = 100000, .live = true,
	    .generation = "generation 7" });
	fixture_write(&f, FILE_A);
	assert_int_equal(growth(FILE_A), EXIT_FINE);
}

/* A Poisson number; in halves, as exp(-mean) must not be 0. */
static int
poisson(double mean)
{
	double product = 1, end = exp(-mean);
	int n = -1;

	if (mean > 100)
		return poisson(mean / 2) + poisson(mean / 2);
	do {
		product *= rand() / (RAND_MAX + 1.);
		n++;
	} while (product > end);
	return n;
}

/* Of 1000 leaks of that many samples in the older half, how many are seen? */
static int
leaks_found(uint32_t half, double samples, uint32_t nsites)
{
	int found = 0;

	for (int trial = 0; trial < 1000; trial++) {
		double sum = 0, squares = 0, error;

		for (uint32_t i = 0; i < half; i++) {
			double n = poisson(samples / half);

			sum += n;
			squares += n * n;
		}
		error = sqrt((squares - sum * sum / half) / (half - 1) /
		    half);
		error = fmax(error, sqrt(sum) / half);
		found += sum > 0 && gen_chance(sum / half / error,
		    half - 1) * nsites < GEN_FALSE_ALARM;
	}
	return found;
}

/* What the command says it finds it does find, and one sample it does not. */
static void
test_the_least_growth_is_found(void **state)
{
	static const uint32_t halves[] = { 4, 10, 20, 49 };
	unsigned seed = 7;

	print_message("seed %u\n", seed);
	srand(seed);
	for (int i = 0; i < 4; i++) {
		for (uint32_t sites = 1; sites <= 50; sites += 49) {
			double need = gen_samples_needed(2 * halves[i],
			    sites);
			int found = leaks_found(halves[i], need, sites);

			print_message("half %u, %u sites: %.0f samples, "
			    "%d of 1000\n", halves[i], sites, need, found);
			assert_true(found >= 930);
			assert_true(leaks_found(halves[i], 1, sites) == 0);
		}
	}
}

/* Student's tables. */
static void
test_chance_is_students(void **state)
{
	assert_true(fabs(gen_chance(4.541, 3) / 0.01 - 1) < 0.1);
	assert_true(fabs(gen_chance(4.297, 9) / 0.001 - 1) < 0.05);
	assert_true(fabs(gen_chance(3.0902, 1e6) / 0.001 - 1) < 0.01);
	assert_true(gen_chance(INFINITY, 3) == 0);
}

static double
number_of(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

/* What was freed of generations 1 to 14 is one sum. */
static void
write_folded(const char *alive_of)
{
	struct fixture f;

	fixture_init(&f, PERIOD);
	fixture_comment(&f, "generation: 30");
	fixture_row(&f, &(struct fixture_row){ .path = "main;leak",
	    .bytes = 64, .samples = 10, .live = true, .age_ns = 4000,
	    .arena = "arena 3", .generation = alive_of });
	fixture_row(&f, &(struct fixture_row){ .path = "main;leak",
	    .bytes = 64, .samples = 100, .lifetime_ns = 2000,
	    .generation = "generation <= 14" });
	fixture_write(&f, FILE_A);
}

static void
test_folded_generations_have_one_share(void **state)
{
	json_t *root, *site, *generation;

	write_folded("generation 5");
	root = json_of(FILE_A);
	site = json_array_get(json_object_get(root, "sites"), 0);
	assert_int_equal(json_integer_value(json_object_get(root,
	    "folded_up_to")), 14);
	/* 10 of 110 are alive */
	assert_true(fabs(number_of(site, "stray_bytes") * 11 /
	    number_of(site, "retired_allocated") - 1) < 0.001);
	assert_true(number_of(site, "half_life_ns") > 0);
	generation = json_array_get(json_object_get(site, "generations"), 0);
	assert_true(json_is_null(json_object_get(generation, "allocated")));
	json_decref(root);
	/* the sum is of no arena: of one nothing is known */
	root = json_saying("--arena 3 " FILE_A, "a sum of all arenas");
	site = json_array_get(json_object_get(root, "sites"), 0);
	assert_true(number_of(site, "stray_bytes") > 0);
	assert_true(json_is_null(json_object_get(site,
	    "retired_allocated")));
	assert_true(json_is_null(json_object_get(site, "half_life_ns")));
	json_decref(root);
	/* nor is it of some generations */
	root = json_saying("--generation 5-14 " FILE_A, "generations up to 14");
	site = json_array_get(json_object_get(root, "sites"), 0);
	assert_true(number_of(site, "stray_bytes") > 0);
	assert_true(json_is_null(json_object_get(site,
	    "retired_allocated")));
	json_decref(root);
	json_decref(json_of("--generation 1-14 " FILE_A));
	/* but what is behind it is known as before */
	write_folded("generation 20");
	root = json_saying("--generation 5-20 " FILE_A,
	    "generations up to 14");
	site = json_array_get(json_object_get(root, "sites"), 0);
	generation = json_array_get(json_object_get(site, "generations"), 0);
	assert_true(number_of(generation, "allocated") > 0);
	json_decref(root);
}

static void
test_refusals(void **state)
{
	write_plants(FILE_A, &leak, 1, 40, 1);
	write_plants(FILE_B, &leak, 1, 41, 2);
	assert_int_equal(growth(FILE_A " " FILE_B), EXIT_INPUT);
	write_plants(FILE_A, &leak, 1, 9, 1);
	assert_int_equal(growth(FILE_A), EXIT_INPUT);
	assert_int_equal(growth("--reloads 3 " FILE_A), EXIT_USAGE);
	assert_int_equal(growth("--by size " FILE_A), EXIT_USAGE);
}

/* A sum counts what is alive once for each of its dumps. */
static void
test_a_sum_has_no_generations(void **state)
{
	struct output output;

	write_plants(FILE_A, &leak, 1, 40, 1);
	write_plants(FILE_B, &leak, 1, 50, 1);
	output = command_run(&cmd_merge, "-o generations_test.m.pb " FILE_A
	    " " FILE_B);
	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
	output = command_run(&cmd_generations, "--no-symbols "
	    "generations_test.m.pb");
	assert_int_equal(output.status, EXIT_INPUT);
	assert_non_null(strstr(output.err, "generations_test.m.pb: the sum "
	    "of 2 profiles"));
	output_free(&output);
	unlink("generations_test.m.pb");
}

static void
test_diff_of_two_generations(void **state)
{
	struct output output;
	struct fixture f;

	fixture_init(&f, 1);
	fixture_row(&f, &(struct fixture_row){ .path = "main;grow",
	    .bytes = 64, .samples = 10, .live = true,
	    .generation = "generation 6" });
	fixture_row(&f, &(struct fixture_row){ .path = "main;grow",
	    .bytes = 64, .samples = 25, .live = true,
	    .generation = "generation 7" });
	fixture_write(&f, FILE_A);
	output = command_run(&cmd_diff, "--no-symbols -f csv "
	    "--generation 6 7 " FILE_A);
	assert_int_equal(output.status, EXIT_FINE);
	assert_non_null(strstr(output.out, ",640,1600,960,0,***,both,10,25"));
	output_free(&output);
	output = command_run(&cmd_diff, "--no-symbols -f csv "
	    "--generation 7 6 " FILE_A " " FILE_A);
	assert_non_null(strstr(output.out, ",1600,640,-960,0,***,"));
	output_free(&output);
	output = command_run(&cmd_diff, FILE_A " " FILE_A " " FILE_A);
	assert_int_equal(output.status, EXIT_USAGE);
	output_free(&output);
}

/* A damaged figure must not make a view count for ever. */
static void
test_help_has_no_stray_line_breaks(void **state)
{
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	cli_help(&cmd_generations, file);
	text = file_text(file);
	assert_non_null(strstr(text, "must be of one process; the last is "));
	free(text);
	fclose(file);
}

static void
assert_diff(const char *line, int status, const char *out, const char *err)
{
	struct output output = command_run(&cmd_diff, line);

	if (strstr(output.out, out) == NULL || strstr(output.err, err) == NULL)
		fail_msg("%s: %s%s", line, output.out, output.err);
	assert_int_equal(output.status, status);
	output_free(&output);
}

/* Only two generations that differ share no sample. */
static void
test_diff_takes_generations_for_what_they_are(void **state)
{
	static const char none[] = "two generations are compared by their "
	    "numbers, and '%s' is none";
	const struct { const char *first, *second, *wrong; } refused[] = {
		{ "7-", "8", "7-" }, { "-1", "3", "-1" },
		{ "1-20", "10-30", "1-20" }, { "5", "6,7", "6,7" } };
	char line[256], err[128];

	write_plants(FILE_A, &leak, 1, 40, 1);
	write_plants(FILE_B, &leak, 1, 50, 1);
	assert_diff("--no-symbols --generation 5 5 " FILE_A " " FILE_B,
	    EXIT_FINE, "errors within one process", "");
	assert_diff("--no-symbols --generation 5 6 " FILE_A " " FILE_B,
	    EXIT_FINE, "errors of two generations", "");
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		snprintf(line, sizeof line, "--generation %s %s " FILE_A,
		    refused[i].first, refused[i].second);
		snprintf(err, sizeof err, none, refused[i].wrong);
		assert_diff(line, EXIT_USAGE, "", err);
	}
}

static void
test_the_last_number_there_is(void **state)
{
	static const char *const formats[] = { "text", "svg", "csv", "json" };
	struct fixture f;

	fixture_init(&f, 1);
	fixture_comment(&f, "generation: 9223372036854775807");
	fixture_row(&f, &(struct fixture_row){ .path = "main;f",
	    .bytes = 64, .samples = 1, .live = true,
	    .generation = "generation 9223372036854775807" });
	fixture_write(&f, FILE_A);
	for (size_t i = 0; i < 4; i++) {
		char line[128];
		struct output output;

		snprintf(line, sizeof line, "--no-symbols -f %s " FILE_A,
		    formats[i]);
		output = command_run(&cmd_generations, line);
		assert_int_equal(output.status, EXIT_FINE);
		output_free(&output);
	}
}

static void
test_the_picture_and_csv(void **state)
{
	const struct plant plants[] = { config, leak };
	struct output output;

	write_plants(FILE_A, plants, 2, 20, 1);
	write_plants(FILE_B, plants, 2, 40, 1);
	output = command_run(&cmd_generations, "--no-symbols -f svg "
	    FILE_A " " FILE_B);
	assert_int_equal(output.status, EXIT_FINE);
	assert_well_formed(output.out);
	assert_non_null(strstr(output.out, "generation 39"));
	/* How they were taken, as every view says. */
	assert_non_null(strstr(output.out, ">program    (pid 1, strata 0.1.0"
	    ")<"));
	assert_non_null(strstr(output.out, ">sampling  every 4.00 KiB<"));
	output_free(&output);
	output = command_run(&cmd_generations, "--no-symbols -f csv "
	    FILE_B " " FILE_A);
	assert_int_equal(output.status, EXIT_FINE);
	assert_non_null(strstr(output.out, "\n5,\"leak\","));
	assert_non_null(strstr(output.out, ",kept,20,1782000020000000000,40,"
	    "1782000040000000000\n"));
	output_free(&output);
	unlink(FILE_A);
	unlink(FILE_B);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_to_move_comes_first),
		cmocka_unit_test(test_strays_are_of_retired_generations),
		cmocka_unit_test(test_a_pools_current_generation_is_no_stray),
		cmocka_unit_test(test_damaged_pools_are_none),
		cmocka_unit_test(test_a_leak_is_growth),
		cmocka_unit_test(test_what_is_filtered_away_is_not_judged),
		cmocka_unit_test(test_with_several_pools_nothing_is_promised),
		cmocka_unit_test(test_the_verdict_leaves_the_format_alone),
		cmocka_unit_test(test_strays_freed_later_are_no_growth),
		cmocka_unit_test(test_a_series_tells_long_lived_from_growing),
		cmocka_unit_test(test_an_outlier_is_no_growth),
		cmocka_unit_test(test_the_least_growth_is_found),
		cmocka_unit_test(test_chance_is_students),
		cmocka_unit_test(test_folded_generations_have_one_share),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_a_sum_has_no_generations),
		cmocka_unit_test(test_diff_of_two_generations),
		cmocka_unit_test(
		    test_diff_takes_generations_for_what_they_are),
		cmocka_unit_test(test_the_last_number_there_is),
		cmocka_unit_test(test_the_picture_and_csv),
		cmocka_unit_test(test_help_has_no_stray_line_breaks),
	};

	setlocale(LC_ALL, "C");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
