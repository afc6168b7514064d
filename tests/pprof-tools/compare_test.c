/*
 * compare_test.c - differences between profiles: what matches, and that the
 * printed error is the true one.
 *
 * The truth is known because the tests draw the samples themselves: a heap of
 * objects lives on from one dump to the next, some die, some are born. Over
 * many seeded runs the difference must be right on average, and its spread
 * must be what the error says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "mutate.h"
#include "xalloc.h"

enum { RATE = 4096, RUNS = 1500 };

/* --- models made by code ------------------------------------------------ */

static struct model *
new_model(int64_t pid, int64_t sequence)
{
	struct model *model = model_new();

	model_add_type(model, "inuse_objects", "count");
	model_add_type(model, "inuse_space", "bytes");
	model_add_type(model, "alloc_objects", "count");
	model_add_type(model, "alloc_space", "bytes");
	model->default_type = 1;
	model->nfiles = 1;
	model->exact.version = model_string(model, "0.1.0");
	model->exact.pid = pid;
	model->exact.start_time_unix = 1000;
	model->exact.sequence = sequence;
	return model;
}

/* n samples of objects of a size, at a function, live since a dump. */
static void
add(struct model *model, const char *function, int64_t bytes, double n,
    int64_t since)
{
	struct model_labels labels = model_labels_none();
	struct model_line line = { function, function, "x.c", 1, 1 };
	struct model_location place = { .mapping = MODEL_NONE, .nlines = 1,
	    .lines = &line };
	double p = -expm1((double)bytes * log1p(-1.0 / RATE));
	int64_t values[4] = { llround(n / p), llround(n * (double)bytes / p),
	    llround(n / p), llround(n * (double)bytes / p) };
	uint32_t location = model_add_location(model, &place);

	labels.bytes = bytes;
	labels.rate = RATE;
	labels.since = since;
	model_add_row(model, model_add_stack(model, &location, 1), &labels,
	    values);
}

static const struct compare_row *
row(const struct comparison *diff, const char *name)
{
	for (uint32_t i = 0; i < diff->n; i++)
		if (strcmp(diff->rows[i].name, name) == 0)
			return &diff->rows[i];
	fail_msg("no row %s", name);
	return NULL;
}

static struct comparison *
compare(const struct model *old, const struct model *new)
{
	struct comparison *diff = compare_build(old, new, SITES_FUNCTION,
	    "inuse_space", false);

	assert_non_null(diff);
	return diff;
}

/* --- what matches ------------------------------------------------------- */

static void
test_new_gone_and_changed_sites(void **state)
{
	struct model *old = new_model(1, 1), *new = new_model(2, 1);
	struct comparison *diff;

	add(old, "grows", 1 << 20, 10, -1);
	add(new, "grows", 1 << 20, 30, -1);
	add(old, "gone", 1 << 20, 5, -1);
	add(new, "new", 1 << 20, 7, -1);
	diff = compare(old, new);
	assert_int_equal(diff->n, 3);
	assert_int_equal(diff->errors, COMPARE_INDEPENDENT);
	assert_string_equal(diff->rows[0].name, "grows");
	assert_true(row(diff, "grows")->delta.value == 20 << 20);
	assert_int_equal(row(diff, "grows")->state, COMPARE_BOTH);
	assert_int_equal(row(diff, "gone")->state, COMPARE_GONE);
	assert_true(row(diff, "gone")->delta.value == -(5 << 20));
	assert_int_equal(row(diff, "new")->state, COMPARE_NEW);
	assert_true(diff->total.delta.value == 22 << 20);
	assert_true(row(diff, "grows")->old_objects == 10);
	compare_free(diff);
	model_free(old);
	model_free(new);
}

/* A site without a symbol is an offset in a build. */
static struct model *
nameless(const char *build_id, uint64_t base)
{
	struct model *model = new_model(1, 1);
	struct model_labels labels = model_labels_none();
	struct model_location place = { .address = base + 0x123 };
	int64_t values[4] = { 1, 100, 1, 100 };
	uint32_t location;

	model_add_mapping(model, &(struct model_mapping){ .start = base,
	    .limit = base + 0x1000, .file = "/bin/x",
	    .build_id = build_id });
	location = model_add_location(model, &place);
	model_add_row(model, model_add_stack(model, &location, 1), &labels,
	    values);
	return model;
}

static void
test_addresses_match_within_a_build_only(void **state)
{
	struct model *a = nameless("aa", 0x400000);
	struct model *moved = nameless("aa", 0x7f0000000000);
	struct model *rebuilt = nameless("bb", 0x400000);
	struct comparison *same = compare(a, moved);
	struct comparison *other = compare(a, rebuilt);

	assert_int_equal(same->n, 1);
	assert_int_equal(same->rows[0].state, COMPARE_BOTH);
	assert_int_equal(other->n, 2);
	compare_free(same);
	compare_free(other);
	same = compare_build(a, moved, SITES_ADDRESS, "inuse_space", false);
	assert_int_equal(same->n, 1);
	compare_free(same);
	model_free(a);
	model_free(moved);
	model_free(rebuilt);
}

static void
test_types_must_be_there(void **state)
{
	struct model *a = new_model(1, 1), *b = new_model(1, 2);

	assert_null(compare_build(a, b, SITES_FUNCTION, "cpu", false));
	model_free(a);
	model_free(b);
}

/* --- errors ------------------------------------------------------------- */

static double
variance_of(double n, double bytes)
{
	double p = -expm1(bytes * log1p(-1.0 / RATE));

	return n * bytes * bytes * (1 - p) / (p * p);
}

static void
assert_near(double a, double b)
{
	if (fabs(a - b) > 1e-3 * fabs(b))
		fail_msg("%g is not near %g", a, b);
}

static void
test_shared_samples_cancel(void **state)
{
	struct model *old = new_model(1, 3), *new = new_model(1, 7);
	struct comparison *diff;

	add(old, "f", 64, 100, 0);	/* 60 of them survive */
	add(new, "f", 64, 60, 2);
	add(new, "f", 64, 25, 3);	/* born after dump 3 was taken */
	diff = compare(old, new);
	assert_int_equal(diff->errors, COMPARE_SHARED);
	assert_near(row(diff, "f")->delta.variance, variance_of(40 + 25,
	    64));
	compare_free(diff);
	/* The other way round it is the same. */
	diff = compare(new, old);
	assert_near(row(diff, "f")->delta.variance, variance_of(40 + 25,
	    64));
	compare_free(diff);
	model_free(old);
	model_free(new);
}

/* One dump, given twice, has nothing that is not shared. */
static void
test_a_dump_is_its_own(void **state)
{
	struct model *old = new_model(1, 3), *new = new_model(1, 3);
	struct comparison *diff;

	add(old, "f", 64, 100, 0);
	add(new, "f", 64, 100, 0);
	diff = compare(old, new);
	assert_int_equal(diff->errors, COMPARE_SHARED);
	assert_true(row(diff, "f")->delta.variance == 0);
	assert_true(diff->total.delta.variance == 0);
	compare_free(diff);
	/* What is exec'd counts its dumps from 1 again. */
	new->time_ns = 1;
	diff = compare(old, new);
	assert_int_equal(diff->errors, COMPARE_INDEPENDENT);
	compare_free(diff);
	model_free(old);
	model_free(new);
}

static void
test_runs_are_independent(void **state)
{
	struct model *old = new_model(1, 3), *new = new_model(2, 7);
	struct comparison *diff;

	add(old, "f", 64, 100, 0);
	add(new, "f", 64, 60, 2);
	diff = compare(old, new);
	assert_int_equal(diff->errors, COMPARE_INDEPENDENT);
	assert_near(row(diff, "f")->delta.variance, variance_of(160, 64));
	compare_free(diff);
	model_free(old);
	model_free(new);
}

static void
test_totals_only_grow(void **state)
{
	struct model *old = new_model(1, 3), *new = new_model(1, 4);
	struct comparison *diff;

	add(old, "f", 64, 100, 0);
	add(new, "f", 64, 130, 0);
	diff = compare_build(old, new, SITES_FUNCTION, "alloc_space", false);
	assert_int_equal(diff->errors, COMPARE_SHARED);
	assert_near(row(diff, "f")->delta.variance, variance_of(30, 64));
	compare_free(diff);
	model_free(old);
	model_free(new);
}

static void
test_far_apart_is_an_upper_bound(void **state)
{
	struct model *old = new_model(1, 1), *new = new_model(1, 40);
	struct comparison *diff;

	add(old, "f", 64, 100, 0);
	add(new, "f", 64, 100, 24);	/* older births are merged here */
	diff = compare(old, new);
	assert_int_equal(diff->errors, COMPARE_UPPER_BOUND);
	assert_near(row(diff, "f")->delta.variance, variance_of(200, 64));
	compare_free(diff);
	model_free(old);
	model_free(new);
}

static void
test_significance(void **state)
{
	struct compare_row r = { .delta = { .value = 30, .variance = 100 } };

	assert_true(compare_significance(&r) == 3);
	r.delta.variance = 0;
	assert_true(compare_significance(&r) == HUGE_VAL);
	r.delta.unknown = true;
	assert_true(compare_significance(&r) == 0);
}

/* --- the error against the truth ---------------------------------------- */

/* Objects of a size: so many before, of which some live on, and new ones. */
struct population {
	const char *function;
	int64_t bytes;
	int before, surviving, born;
};

static const struct population populations[] = {
	{ "f", 48, 3000, 1000, 2500 },
	{ "f", 5000, 200, 150, 90 },
	{ "g", 512, 800, 0, 800 },
};

static int
draw(uint64_t *seed, int n, double p)
{
	int hits = 0;

	for (int i = 0; i < n; i++)
		hits += (double)(mutate_random(seed) >> 11) * 0x1p-53 < p;
	return hits;
}

/* Two dumps of one process: survivors are sampled once, in both or neither. */
static void
simulate(uint64_t *seed, struct model *old, struct model *new)
{
	for (size_t i = 0; i < sizeof populations / sizeof *populations;
	    i++) {
		const struct population *x = &populations[i];
		double p = -expm1((double)x->bytes * log1p(-1.0 / RATE));
		int kept = draw(seed, x->surviving, p);
		int dead = draw(seed, x->before - x->surviving, p);
		int born = draw(seed, x->born, p);

		add(old, x->function, x->bytes, kept + dead, 0);
		add(new, x->function, x->bytes, kept, 0);
		add(new, x->function, x->bytes, born, 1);
	}
}

/* Sums over runs of (delta - truth), its square, and the variance printed. */
struct spread {
	double truth, sum, squares, variance;
};

static void
note(struct spread *s, const struct compare_row *r)
{
	double off = r->delta.value - s->truth;

	s->sum += off;
	s->squares += off * off;
	s->variance += r->delta.variance;
}

static void
check_spread(const char *name, const struct spread *s)
{
	double mean = s->sum / RUNS, spread = s->squares / RUNS;
	double printed = s->variance / RUNS;

	print_message("%s: mean %.0f off %.0f, spread %.0f, printed %.0f\n",
	    name, mean, s->truth, sqrt(spread), sqrt(printed));
	/* Four standard errors of the mean. */
	assert_true(fabs(mean) < 4 * sqrt(printed / RUNS) + 2);
	/* A variance from RUNS samples is good to sqrt(2/RUNS), 3.7 %. */
	assert_true(fabs(spread / printed - 1) < 4 * sqrt(2.0 / RUNS));
}

static void
test_error_is_the_true_spread(void **state)
{
	struct spread f = { .truth = 48.0 * 500 + 5000.0 * 40 };
	struct spread g = { .truth = 0 };
	struct spread total = { .truth = f.truth };
	uint64_t seed = 20260101;

	print_message("seed %llu\n", (unsigned long long)seed);
	for (int i = 0; i < RUNS; i++) {
		struct model *old = new_model(1, 1), *new = new_model(1, 2);
		struct comparison *diff;

		simulate(&seed, old, new);
		diff = compare(old, new);
		assert_int_equal(diff->errors, COMPARE_SHARED);
		note(&f, row(diff, "f"));
		note(&g, row(diff, "g"));
		note(&total, &diff->total);
		compare_free(diff);
		model_free(old);
		model_free(new);
	}
	check_spread("f", &f);
	check_spread("g", &g);
	check_spread("total", &total);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_gone_and_changed_sites),
		cmocka_unit_test(test_addresses_match_within_a_build_only),
		cmocka_unit_test(test_types_must_be_there),
		cmocka_unit_test(test_shared_samples_cancel),
		cmocka_unit_test(test_a_dump_is_its_own),
		cmocka_unit_test(test_runs_are_independent),
		cmocka_unit_test(test_totals_only_grow),
		cmocka_unit_test(test_far_apart_is_an_upper_bound),
		cmocka_unit_test(test_significance),
		cmocka_unit_test(test_error_is_the_true_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
