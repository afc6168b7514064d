/*
 * estimate_test.c - the functions that replace libm, the gaps, and the
 * estimates: unbiased over thousands of seeded runs, also where 16-byte and
 * 1-MiB blocks are mixed; a weight that is 3 % wrong is caught.
 */
#include "estimate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

static const double tolerance = 4 * DBL_EPSILON;	/* as the header says */

static double
relative(double got, double want)
{
	return want == 0 ? fabs(got) : fabs(got - want) / fabs(want);
}

static double
uniform(uint64_t *state, double low, double high)
{
	return low + (high - low) *
	    ((double)(estimate_random(state) >> 11) * 0x1p-53);
}

static void
test_log_as_libm(void **state)
{
	uint64_t prng = 1;
	double worst = 0;

	for (int i = 0; i < 1000000; i++) {
		double x = exp2(uniform(&prng, -1070, 1020));
		double near = uniform(&prng, 0.5, 2);

		worst = fmax(worst, relative(estimate_log(x), log(x)));
		worst = fmax(worst, relative(estimate_log(near), log(near)));
	}
	print_message("log: worst relative error %.2g\n", worst);
	assert_true(worst <= tolerance);
	assert_true(estimate_log(1) == 0);
}

static void
test_log1p_as_libm(void **state)
{
	uint64_t prng = 2;
	double worst = 0;

	for (int i = 0; i < 1000000; i++) {
		double tiny = -exp2(uniform(&prng, -1000, -0.01));
		double x = uniform(&prng, -0.999999, 3);

		worst = fmax(worst, relative(estimate_log1p(tiny),
		    log1p(tiny)));
		worst = fmax(worst, relative(estimate_log1p(x), log1p(x)));
	}
	print_message("log1p: worst relative error %.2g\n", worst);
	assert_true(worst <= tolerance);
	assert_true(estimate_log1p(0) == 0);
}

static void
test_expm1_as_libm(void **state)
{
	uint64_t prng = 3;
	double worst = 0;

	for (int i = 0; i < 1000000; i++) {
		double tiny = -exp2(uniform(&prng, -1000, 0));
		double x = uniform(&prng, -70, 700);

		worst = fmax(worst, relative(estimate_expm1(tiny),
		    expm1(tiny)));
		worst = fmax(worst, relative(estimate_expm1(x), expm1(x)));
		x = uniform(&prng, -1, 1);
		worst = fmax(worst, relative(estimate_expm1(x), expm1(x)));
	}
	print_message("expm1: worst relative error %.2g\n", worst);
	assert_true(worst <= tolerance);
	assert_true(estimate_expm1(0) == 0);
	assert_true(estimate_expm1(-1000) == -1);
	assert_true(isinf(estimate_expm1(1000)));
}

static void
test_probability_over_all_sizes_and_rates(void **state)
{
	for (unsigned lg = 1; lg < 64; lg++) {
		for (double u = 1; u < 0x1p60; u *= 1.7) {
			uint64_t usable = (uint64_t)u;
			double want = -expm1((double)usable *
			    log1p(-exp2(-(double)lg)));
			double p = estimate_probability(usable, 1ull << lg);

			assert_true(relative(p, want) <= 2 * tolerance);
			assert_true(p > 0 && p <= 1);
		}
	}
}

static void
test_rate_one_is_exact(void **state)
{
	uint64_t prng = 4;

	assert_true(estimate_probability(1, 1) == 1);
	assert_true(estimate_probability(UINT64_MAX, 1) == 1);
	assert_true(estimate_objects(1) == 1);
	assert_true(estimate_bytes(1, 48) == 48);
	assert_true(estimate_objects_variance(1) == 0);
	assert_true(estimate_bytes_variance(1, 48) == 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(estimate_gap(&prng, 1), 1);
}

/* Chi-square of gaps against the geometric distribution, 64 equal parts. */
static double
chi_square(uint64_t rate, uint64_t seed, int n)
{
	enum { PARTS = 64 };
	uint64_t prng = estimate_seed_mix(seed), gap;
	double seen[PARTS] = { 0 }, want[PARTS], chi = 0, last = 0;
	uint64_t edge[PARTS];

	for (int i = 0; i < PARTS; i++) {
		/* the largest g with P(gap <= g) <= (i + 1)/PARTS */
		edge[i] = i == PARTS - 1 ? UINT64_MAX : (uint64_t)
		    (log1p(-(i + 1.0) / PARTS) / log1p(-1.0 / (double)rate));
		double upto = i == PARTS - 1 ? 1 :
		    -expm1((double)edge[i] * log1p(-1.0 / (double)rate));
		want[i] = (upto - last) * n;
		last = upto;
	}
	for (int i = 0; i < n; i++) {
		int part = 0;

		gap = estimate_gap(&prng, rate);
		assert_true(gap >= 1);
		while (gap > edge[part])
			part++;
		seen[part]++;
	}
	for (int i = 0; i < PARTS; i++)
		if (want[i] > 0)
			chi += (seen[i] - want[i]) * (seen[i] - want[i]) /
			    want[i];
	return chi;
}

static void
test_gaps_are_geometric(void **state)
{
	/* 63 degrees of freedom: above 116 once in 50,000 */
	for (unsigned lg = 8; lg <= 40; lg += 4) {
		double chi = chi_square(1ull << lg, 100 + lg, 200000);

		print_message("R = 2^%u: chi-square %.1f\n", lg, chi);
		assert_true(chi < 116);
	}
}

static void
test_mean_gap_is_the_rate(void **state)
{
	enum { N = 400000 };

	for (unsigned lg = 1; lg <= 32; lg += 3) {
		uint64_t prng = estimate_seed_mix(200 + lg);
		double rate = exp2(lg), sum = 0, error;

		for (int i = 0; i < N; i++)
			sum += (double)estimate_gap(&prng, 1ull << lg);
		error = (sum / N - rate) / (rate / sqrt(N));
		assert_true(fabs(error) < 4.5);
	}
}

/* --- ensembles ------------------------------------------------------------ */

struct sums {
	double n, mean, squares;
};

static void
sums_add(struct sums *s, double x)
{
	double d = x - s->mean;

	s->n++;
	s->mean += d / s->n;
	s->squares += d * (x - s->mean);
}

/* The distance of the mean from the truth, in standard errors. */
static double
sums_off(const struct sums *s, double truth)
{
	return (s->mean - truth) / sqrt(s->squares / (s->n - 1) / s->n);
}

enum { NSMALL = 200000, NLARGE = 64, EACH = NSMALL / NLARGE, RUNS = 2000 };
static const uint64_t small_size = 16, large_size = 1 << 20;

struct result {
	double objects, bytes;		/* all; sums over samples of weights */
	double small_objects, large_objects;
	double variance;		/* of objects, as estimated */
};

/* Allocates as a program would, one stack mixing both sizes. */
static struct result
run(uint64_t seed, uint64_t rate, double error)
{
	uint64_t prng = estimate_seed_mix(seed);
	uint64_t gap = estimate_gap(&prng, rate);
	double small_p = estimate_probability(small_size, rate);
	double large_p = estimate_probability(large_size, rate);
	struct result r = { 0 };

	for (int i = 0; i < NSMALL + NLARGE; i++) {
		bool large = i % (EACH + 1) == EACH;
		uint64_t u = large ? large_size : small_size;
		double p = large ? large_p : small_p;

		if (gap > u) {
			gap -= u;
			continue;
		}
		gap = estimate_gap(&prng, rate);
		r.objects += estimate_objects(p) * error;
		r.bytes += estimate_bytes(p, u) * error;
		r.variance += estimate_objects_variance(p);
		if (large)
			r.large_objects += estimate_objects(p) * error;
		else
			r.small_objects += estimate_objects(p) * error;
	}
	return r;
}

/* The worst distance of any of the four means. */
static double
ensemble(uint64_t rate, double error, double *variance_ratio)
{
	struct sums objects = { 0 }, bytes = { 0 }, small = { 0 };
	struct sums large = { 0 }, variance = { 0 };
	double worst;

	for (int i = 0; i < RUNS; i++) {
		struct result r = run(rate * 1000000 + (uint64_t)i, rate,
		    error);

		sums_add(&objects, r.objects);
		sums_add(&bytes, r.bytes);
		sums_add(&small, r.small_objects);
		sums_add(&large, r.large_objects);
		sums_add(&variance, r.variance);
	}
	worst = fabs(sums_off(&objects, NSMALL + NLARGE));
	worst = fmax(worst, fabs(sums_off(&bytes, (double)NSMALL * 16 +
	    NLARGE * 0x1p20)));
	worst = fmax(worst, fabs(sums_off(&small, NSMALL)));
	/* none was missed in any run: then there is no spread to go by */
	if (large.squares > 0)
		worst = fmax(worst, fabs(sums_off(&large, NLARGE)));
	else if (error == 1)
		assert_true(fabs(large.mean - NLARGE) < 1e-4);
	*variance_ratio = variance.mean / (objects.squares / (RUNS - 1));
	return worst;
}

static void
test_estimates_are_unbiased(void **state)
{
	for (unsigned lg = 10; lg <= 19; lg += 3) {
		double ratio, off = ensemble(1ull << lg, 1, &ratio);

		print_message("R = 2^%u: %d runs, worst %.2f standard errors, "
		    "variance said/seen %.3f\n", lg, RUNS, off, ratio);
		assert_true(off < 4);
		/* the spread of a variance over 2,000 runs is about 3 % */
		assert_true(ratio > 0.85 && ratio < 1.15);
	}
}

static void
test_a_wrong_weight_is_caught(void **state)
{
	for (unsigned lg = 10; lg <= 16; lg += 3) {
		double ratio;

		assert_true(ensemble(1ull << lg, 1.03, &ratio) > 4);
		assert_true(ensemble(1ull << lg, 0.97, &ratio) > 4);
	}
}

static void
test_neighbouring_seeds_are_unrelated(void **state)
{
	double sum = 0;

	for (uint64_t seed = 1; seed <= 100000; seed++) {
		uint64_t a = estimate_seed_mix(seed);
		uint64_t b = estimate_seed_mix(seed + 1);

		sum += __builtin_popcountll(estimate_random(&a) ^
		    estimate_random(&b));
	}
	/* 64 fair bits: mean 32, deviation 4 / sqrt(100000) */
	assert_true(fabs(sum / 100000 - 32) < 4.5 * 4 / sqrt(100000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_as_libm),
		cmocka_unit_test(test_log1p_as_libm),
		cmocka_unit_test(test_expm1_as_libm),
		cmocka_unit_test(test_probability_over_all_sizes_and_rates),
		cmocka_unit_test(test_rate_one_is_exact),
		cmocka_unit_test(test_gaps_are_geometric),
		cmocka_unit_test(test_mean_gap_is_the_rate),
		cmocka_unit_test(test_estimates_are_unbiased),
		cmocka_unit_test(test_a_wrong_weight_is_caught),
		cmocka_unit_test(test_neighbouring_seeds_are_unrelated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
