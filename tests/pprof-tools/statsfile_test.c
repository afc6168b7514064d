/*
 * statsfile_test.c - the statistics' reader: what Strata and jemalloc write,
 * in logs and in series; damaged files are named and never a crash.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "mutate.h"
#include "stats_fixture.h"
#include "statsfile.h"

static char *
fixture_text(uint64_t step, bool jemalloc)
{
	enum { SIZE = 1 << 14 };	/* twice what it takes */
	char *text = malloc(SIZE);
	struct stats_fixture f = { fmemopen(text, SIZE, "w"), step,
	    jemalloc };

	assert_non_null(f.out);
	stats_fixture_write(&f);
	assert_true(ftell(f.out) < SIZE - 1);
	fclose(f.out);
	return text;
}

static int
read_text(const char *text, struct statsfile_series *series,
    struct model_error *error)
{
	*series = (struct statsfile_series){ NULL, 0, 0 };
	return statsfile_read_buffer("x.json", text, strlen(text), series,
	    error);
}

/* Text with the first `old` replaced; both strings are freed by the caller. */
static char *
replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	char *out = malloc(strlen(text) + strlen(new) + 1);

	assert_non_null(at);
	memcpy(out, text, (size_t)(at - text));
	strcpy(out + (at - text), new);
	strcat(out, at + strlen(old));
	return out;
}

static struct statsfile *
read_one(const char *text, struct statsfile_series *series)
{
	struct model_error error = { "", 0, "" };

	if (read_text(text, series, &error) != 0)
		fail_msg("%s", error.reason);
	assert_int_equal(series->n, 1);
	return series->items[0];
}

static void
assert_refused(const char *text, uint64_t offset, const char *reason)
{
	struct model_error error = { "", 0, "" };
	struct statsfile_series series;

	assert_int_equal(read_text(text, &series, &error), EINVAL);
	assert_string_equal(error.file, "x.json");
	if (strstr(error.reason, reason) == NULL)
		fail_msg("'%s' is not in '%s'", reason, error.reason);
	assert_int_equal(error.offset, offset);
	statsfile_series_free(&series);
}

/* --- what is read -------------------------------------------------------- */

static void
test_figures_of_strata(void **state)
{
	char *text = fixture_text(0, false);
	struct statsfile_series series;
	struct statsfile *f = read_one(text, &series);
	const struct statsfile_lock *lock;

	assert_string_equal(f->version, "0.1.0");
	assert_string_equal(f->source, "x.json");
	assert_true(f->is_strata && f->has_general && f->has_merged &&
	    f->has_mutexes && f->has_bins && f->has_lextents &&
	    f->has_extents && !f->merged_is_sum && !f->locks_unknown);
	assert_int_equal(f->allocated, 3 * 1187840);
	assert_int_equal(f->live + f->tcache_bytes, f->allocated);
	assert_int_equal(f->page, 4096);
	assert_int_equal(f->muzzy_decay_ms, -1);
	assert_int_equal(f->nbins, 3);
	assert_int_equal(f->bins[2].nshards, 2);
	assert_int_equal(f->lextents[2], INT64_C(8070450532247928832));
	assert_int_equal(f->uptime_ns, UINT64_C(10000000000));
	assert_int_equal(f->background_threads, 1);
	assert_int_equal(f->pid, 4711);
	assert_int_equal(f->ncpus, 2);
	assert_int_equal(f->prof.dropped_bytes, 512);
	assert_int_equal(f->merged.nthreads, 6);
	assert_string_equal(f->merged.dss, "secondary");
	assert_int_equal(f->merged.dirty.npages, 90);
	assert_int_equal(f->merged.muzzy.decay_ms, -1);
	assert_int_equal(f->merged.large.allocated, 3145728);
	assert_int_equal(statsfile_pages(f, f->merged.muzzy.npages), 61440);
	lock = statsfile_lock(&f->merged.mutexes, "extents_dirty");
	assert_non_null(lock);
	assert_int_equal(lock->num_wait, 12);
	assert_int_equal(lock->total_wait_time_ns, 600000);
	assert_int_equal(f->merged.bins[1].lock.num_ops, 1500);
	assert_int_equal(f->merged.bins[1].nslabs, 7);
	assert_null(statsfile_lock(&f->merged.mutexes, "ctl"));
	statsfile_series_free(&series);
	free(text);
}

static void
test_arenas_are_found_by_index(void **state)
{
	char *text = fixture_text(0, false);
	struct statsfile_series series;
	struct statsfile *f = read_one(text, &series);

	assert_int_equal(f->n, 2);
	assert_int_equal(statsfile_arena(f, 2)->nthreads, 4);
	assert_null(statsfile_arena(f, 1));
	statsfile_series_free(&series);
	free(text);
}

static void
test_arrays_end_with_the_last_that_is_used(void **state)
{
	char *text = fixture_text(0, false);
	struct statsfile_series series;
	struct statsfile *f = read_one(text, &series);

	assert_int_equal(f->nlextents, 3);
	assert_int_equal(f->merged.nlextents, 2);
	assert_int_equal(f->merged.lextents[1].curlextents, 24);
	statsfile_series_free(&series);
	free(text);
}

static void
test_options_are_texts_and_the_last_of_two_counts(void **state)
{
	char *text = fixture_text(0, true);
	struct statsfile_series series;
	struct statsfile *f = read_one(text, &series);

	assert_string_equal(statsfile_option(f, "narenas"), "8");
	assert_string_equal(statsfile_option(f, "stats_print"), "true");
	assert_string_equal(statsfile_option(f, "muzzy_decay_ms"), "-1");
	assert_string_equal(statsfile_option(f, "dss"), "secondary");
	assert_null(statsfile_option(f, "nothing"));
	statsfile_series_free(&series);
	free(text);
}

/* jemalloc leaves "merged" out; the sum is what Strata's fixture writes. */
static void
test_without_merged_the_arenas_add_up(void **state)
{
	char *text = fixture_text(0, false), *other = fixture_text(0, true);
	struct statsfile_series series, sums;
	struct statsfile *f = read_one(text, &series);
	struct statsfile *s = read_one(other, &sums);
	const struct statsfile_arena *a = &f->merged, *b = &s->merged;

	assert_true(s->merged_is_sum && s->has_merged && !s->is_strata);
	assert_int_equal(a->nthreads, b->nthreads);
	assert_int_equal(a->uptime_ns, b->uptime_ns);
	assert_int_equal(a->pactive, b->pactive);
	assert_int_equal(a->dirty.purged, b->dirty.purged);
	assert_int_equal(b->muzzy.decay_ms, -1);
	assert_memory_equal(&a->small, &b->small, sizeof a->small);
	assert_int_equal(a->resident, b->resident);
	assert_int_equal(a->nbins, b->nbins);
	assert_int_equal(a->bins[1].nrequests, b->bins[1].nrequests);
	assert_int_equal(a->extents[1].dirty_bytes,
	    b->extents[1].dirty_bytes);
	assert_int_equal(statsfile_lock(&a->mutexes,
	    "extents_retained")->num_ops, statsfile_lock(&b->mutexes,
	    "extents_retained")->num_ops);
	statsfile_series_free(&series);
	statsfile_series_free(&sums);
	free(text);
	free(other);
}

static void
test_lock_counters_that_cannot_be_are_cleared(void **state)
{
	char *text = fixture_text(0, true);
	struct statsfile_series series;
	struct statsfile *f = read_one(text, &series);

	assert_true(f->locks_unknown);
	assert_int_equal(f->mutexes.items[0].lock.num_ops, 1000);
	assert_int_equal(f->mutexes.items[0].lock.num_wait, 0);
	assert_int_equal(f->merged.bins[1].lock.num_wait, 0);
	assert_true(f->merged.bins[1].lock.num_ops > 0);
	statsfile_series_free(&series);
	free(text);
}

static void
test_sections_may_be_left_out(void **state)
{
	struct statsfile_series series;
	struct statsfile *f = read_one("{\"jemalloc\":{\"version\":\"5\","
	    "\"stats\":{\"allocated\":7}}}", &series);

	assert_int_equal(f->allocated, 7);
	assert_false(f->has_general || f->has_merged || f->has_bins ||
	    f->has_mutexes || f->has_lextents || f->has_extents);
	assert_int_equal(f->uptime_ns, 0);
	statsfile_series_free(&series);
}

/* Read while others wrote, a counter may be a little below zero. */
static void
test_counts_beyond_63_bits(void **state)
{
	struct statsfile_series series;
	struct statsfile *f = read_one("{\"jemalloc\":{\"stats\":"
	    "{\"retained\":18446744073709551615,\"active\":4096,"
	    "\"mapped\":9223372036854775808}}}", &series);

	assert_true(f->retained == UINT64_MAX);
	assert_true(f->mapped == UINT64_C(1) << 63);
	assert_int_equal(f->active, 4096);
	statsfile_series_free(&series);
}

static void
test_a_log_is_a_series(void **state)
{
	char *one = fixture_text(0, false), *two = fixture_text(1, false);
	char *log = malloc(strlen(one) + strlen(two) + 200);
	struct model_error error;
	struct statsfile_series series;

	sprintf(log, "starting { \"jemalloc\" is linked \xff\n%s\nerror: {\n"
	    "\"jemalloc\", not this\n\n%s}}} the end", one, two);
	assert_int_equal(read_text(log, &series, &error), 0);
	assert_int_equal(series.n, 2);
	assert_int_equal(series.items[0]->offset, strstr(log, one) - log);
	assert_int_equal(series.items[1]->offset, strstr(log, two) - log);
	assert_int_equal(series.items[1]->allocated, 2 * 3 * 1187840);
	statsfile_series_free(&series);
	free(log);
	free(one);
	free(two);
}

static void
test_a_series_is_sorted_by_uptime(void **state)
{
	struct statsfile_series series = { NULL, 0, 0 };
	struct model_error error;

	for (int step = 3; step-- > 0;) {
		char *text = fixture_text((uint64_t)step, false);

		assert_int_equal(statsfile_read_buffer("x", text,
		    strlen(text), &series, &error), 0);
		free(text);
	}
	statsfile_series_sort(&series);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(series.items[i]->uptime_ns,
		    (i + 1) * UINT64_C(10000000000));
	statsfile_series_free(&series);
}

/* A process that began later has a smaller uptime at the same time. */
static void
test_the_time_of_day_goes_before_uptime(void **state)
{
	static const char text[] = "{\"jemalloc\":{\"stats\":{},"
	    "\"stats.arenas\":{\"0\":{\"uptime_ns\":9}}},"
	    "\"strata\":{\"pid\":1,\"time_unix_ns\":100}}"
	    "{\"jemalloc\":{\"stats\":{},"
	    "\"stats.arenas\":{\"0\":{\"uptime_ns\":5}}},"
	    "\"strata\":{\"pid\":2,\"time_unix_ns\":200}}";
	struct statsfile_series series;
	struct model_error error;

	assert_int_equal(read_text(text, &series, &error), 0);
	statsfile_series_sort(&series);
	assert_int_equal(series.items[0]->pid, 1);
	assert_false(statsfile_same_process(series.items[0],
	    series.items[1]));
	statsfile_series_free(&series);
}

static void
test_gzipped_files_are_read(void **state)
{
	struct statsfile_series series = { NULL, 0, 0 };
	struct model_error error;

	stats_fixture_file("statsfile_test.json", 2, false);
	assert_int_equal(system("gzip -f statsfile_test.json"), 0);
	assert_int_equal(statsfile_read("statsfile_test.json.gz", &series,
	    &error), 0);
	unlink("statsfile_test.json.gz");
	assert_int_equal(series.n, 2);
	statsfile_series_free(&series);
}

/* --- what is refused ----------------------------------------------------- */

static void
test_other_files_are_refused(void **state)
{
	struct statsfile_series series = { NULL, 0, 0 };
	struct model_error error;

	assert_refused("", 0, "empty file");
	assert_refused("heap_v2/524288\n", 0, "no statistics");
	assert_refused("{\"a\": [\"jemalloc\", 3]}", 0, "no statistics");
	assert_refused("___ Begin jemalloc statistics ___\n", 0,
	    "stats_print_opts:J");
	assert_int_equal(statsfile_read("/nonexistent", &series, &error),
	    ENOENT);
	assert_string_equal(error.file, "/nonexistent");
}

static void
test_damage_is_named(void **state)
{
	static const struct {
		const char *old, *new, *reason;
	} cases[] = {
		{ "\"retained\":", "\"retained\":-", ": stats.retained: is "
		    "not a count" },
		{ "\"nreslabs\":0", "\"nreslabs\":1.5", "stats.arenas."
		    "merged.bins[0].nreslabs: is not a count" },
		{ "\"nfills\":0", "\"nfills\":\"x\"", "nfills: is not" },
		{ "\"dirty_decay_ms\":10000", "\"dirty_decay_ms\":[]",
		    "arenas.dirty_decay_ms: is not a time" },
		{ "\"small\":{", "\"small\":3,\"z\":{", "merged.small: is "
		    "not an object" },
		{ "\"2\":{", "\"-2\":{", "stats.arenas.-2: is no arena" },
		{ "\"2\":{", "\"66000\":{", "is no arena" },
		{ "\"extents_dirty\":{", "\"a_name_that_is_too_long_for_a_"
		    "lock\":{", "is no lock" },
		{ "\"bin\":[", "\"bin\":3,\"z\":[", "arenas.bin: is not a "
		    "table" },
		{ "\"size\":4096,\"nregs\":1,\"slab_size\":4096,"
		    "\"nshards\":2", "", "more classes than there are" },
		{ "\"stats\":{\"all", "\"z\":{\"all", "stats: is missing" },
		{ "\"jemalloc\":{", "\"jemalloc\":[],\"z\":{", "jemalloc: "
		    "is missing" },
	};
	char *text = fixture_text(0, false);

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *bad = replaced(text, cases[i].old, cases[i].new);

		assert_refused(bad, 0, cases[i].reason);
		free(bad);
	}
	free(text);
}

static void
test_broken_json_is_named_with_line_and_offset(void **state)
{
	assert_refused("one\ntwo\n{\"jemalloc\":{\"version\":\"x\"\n,,", 37,
	    "line 4: damaged statistics: ");
}

/* Each prefix of the file is an error, and none crashes. */
static void
test_truncated_at_every_byte(void **state)
{
	char *text = fixture_text(0, false);
	size_t length = strlen(text);

	for (size_t n = 0; n < length; n++) {
		struct statsfile_series series = { NULL, 0, 0 };
		struct model_error error = { "", 0, "" };
		char *cut = strndup(text, n);

		assert_int_equal(statsfile_read_buffer("x", cut, n, &series,
		    &error), EINVAL);
		assert_true(error.offset <= n);
		assert_true(error.reason[0] != '\0');
		statsfile_series_free(&series);
		free(cut);
	}
	free(text);
}

static void
test_mutated_files_never_crash(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);
	char *texts[] = { fixture_text(0, false), fixture_text(0, true) };

	print_message("seed %llu\n", (unsigned long long)seed);
	for (uint64_t i = 0; i < 6000; i++) {
		const char *text = texts[i % 2];
		struct statsfile_series series = { NULL, 0, 0 };
		struct model_error error = { "", 0, "" };
		size_t length;
		char *bad = (char *)mutate(text, strlen(text), seed + i,
		    &length);
		int status;

		bad[length] = '\0';
		status = statsfile_read_buffer("x", bad, length, &series,
		    &error);
		assert_true(status == 0 || status == EINVAL);
		assert_true(status == 0 || error.reason[0] != '\0');
		statsfile_series_free(&series);
		free(bad);
	}
	free(texts[0]);
	free(texts[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures_of_strata),
		cmocka_unit_test(test_arenas_are_found_by_index),
		cmocka_unit_test(test_arrays_end_with_the_last_that_is_used),
		cmocka_unit_test(
		    test_options_are_texts_and_the_last_of_two_counts),
		cmocka_unit_test(test_without_merged_the_arenas_add_up),
		cmocka_unit_test(
		    test_lock_counters_that_cannot_be_are_cleared),
		cmocka_unit_test(test_sections_may_be_left_out),
		cmocka_unit_test(test_counts_beyond_63_bits),
		cmocka_unit_test(test_a_log_is_a_series),
		cmocka_unit_test(test_a_series_is_sorted_by_uptime),
		cmocka_unit_test(test_the_time_of_day_goes_before_uptime),
		cmocka_unit_test(test_gzipped_files_are_read),
		cmocka_unit_test(test_other_files_are_refused),
		cmocka_unit_test(test_damage_is_named),
		cmocka_unit_test(
		    test_broken_json_is_named_with_line_and_offset),
		cmocka_unit_test(test_truncated_at_every_byte),
		cmocka_unit_test(test_mutated_files_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
