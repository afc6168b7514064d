/*
 * estimate.c - our own log, log1p and expm1, and what is made of them.
 *
 *   log      x = 2^k m, m in [sqrt 1/2, sqrt 2); s = (m-1)/(m+1);
 *            log x = k ln2 + 2 atanh s,  2 atanh s = 2 (s + s^3/3 + ...)
 *   log1p    the same series with s = x/(2+x), so that nothing is lost for
 *            small x; for others log(1+x) with the rounding of 1+x put back
 *   expm1    x = k ln2 + r, |r| <= ln2/2; Taylor for expm1 r, scaled back
 *
 * |s| <= 0.1716, so the k-th term of the series is below 0.0295^k / (2k + 1):
 * eleven terms leave less than 2e-17 of the result.
 */
#include "estimate.h"

#include "util.h"

/* ln 2 = high + low; high has 21 trailing zeros, so that k * high is exact. */
static const double ln2_high = 0x1.62e42fee00000p-1;
static const double ln2_low = 0x1.a39ef35793c76p-33;

static double
from_bits(uint64_t bits)
{
	union { uint64_t bits; double value; } u = { .bits = bits };

	return u.value;
}

static uint64_t
to_bits(double value)
{
	union { uint64_t bits; double value; } u = { .value = value };

	return u.bits;
}

/* x * 2^k for results that are normal numbers or 0. */
static double
scale(double x, int k)
{
	if (k > 1023)
		return x * from_bits(0x7feull << 52) *
		    from_bits((uint64_t)(k - 1023 + 1023) << 52);
	if (k < -1022)
		return x * from_bits(1ull << 52) *
		    from_bits((uint64_t)(k + 1022 + 1023) << 52);
	return x * from_bits((uint64_t)(k + 1023) << 52);
}

/* 2 atanh s - 2 s, for |s| <= 0.1716. */
static double
atanh_tail(double s)
{
	double z = s * s, sum = 0;

	for (int k = 23; k >= 3; k -= 2)
		sum = (sum + 2.0 / k) * z;
	return s * sum;
}

/* log of m in [sqrt 1/2, sqrt 2) where f = m - 1 is exact or nearly so. */
static double
log_near_one(double f)
{
	double s = f / (2 + f), half = 0.5 * f * f;

	/* 2s = f - s f = f - (f^2/2 - s f^2/2): f carries the leading digits */
	return f - (half - s * half - atanh_tail(s));
}

double
estimate_log(double x)
{
	int k = 0;
	uint64_t bits;
	double m;

	assert(x > 0);
	if (x < 0x1p-1022) {		/* subnormal */
		x *= 0x1p54;
		k = -54;
	}
	bits = to_bits(x);
	k += (int)(bits >> 52) - 1023;
	m = from_bits((bits & 0xfffffffffffffull) | 1023ull << 52);
	if (m > 0x1.6a09e667f3bcdp0) {
		m *= 0.5;
		k++;
	}
	return k * ln2_high + (log_near_one(m - 1) + k * ln2_low);
}

double
estimate_log1p(double x)
{
	double u = 1 + x;

	assert(x > -1);
	if (x > -0.29 && x < 0.41)
		return log_near_one(x);
	/* u = 1 + x rounded; what was lost is (x - (u - 1)), as dx/u */
	return estimate_log(u) + (x >= 1 ? 1 - (u - x) : x - (u - 1)) / u;
}

/* expm1 for |r| <= 0.35: 15 terms leave less than 1e-19 of the result. */
static double
expm1_near_zero(double r)
{
	double sum = 0;

	for (int n = 15; n >= 2; n--)
		sum = (sum + 1) * r / n;
	return r + r * sum;
}

double
estimate_expm1(double x)
{
	double k, r, low, em;

	if (x > 709.7)
		return __builtin_inf();
	if (x < -60)
		return -1;
	if (x > -0.35 && x < 0.35)
		return expm1_near_zero(x);
	k = (double)(int)(x * 0x1.71547652b82fep0 + (x < 0 ? -0.5 : 0.5));
	r = x - k * ln2_high;
	low = k * ln2_low;
	em = expm1_near_zero(r - low);
	if (k >= 64)
		return scale(1 + em, (int)k - 1) * 2;
	/* 2^k (1 + em) - 1 = (2^k - 1) + 2^k em */
	return (scale(1, (int)k) - 1) + scale(em, (int)k);
}

double
estimate_probability(uint64_t usable, uint64_t rate)
{
	assert(rate >= 1);
	if (rate == 1)
		return 1;
	return -estimate_expm1((double)usable *
	    estimate_log1p(-1 / (double)rate));
}

double
estimate_objects(double p)
{
	return 1 / p;
}

double
estimate_bytes(double p, uint64_t usable)
{
	return (double)usable / p;
}

double
estimate_objects_variance(double p)
{
	return (1 - p) / (p * p);
}

double
estimate_bytes_variance(double p, uint64_t usable)
{
	return (double)usable * (double)usable * (1 - p) / (p * p);
}

uint64_t
estimate_seed_mix(uint64_t seed)
{
	seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9ull;
	seed = (seed ^ seed >> 27) * 0x94d049bb133111ebull;
	return seed ^ seed >> 31;
}

uint64_t
estimate_random(uint64_t *state)
{
	*state += 0x9e3779b97f4a7c15ull;
	return estimate_seed_mix(*state);
}

uint64_t
estimate_gap(uint64_t *state, uint64_t rate)
{
	double u, gap;

	assert(rate >= 1);
	if (rate == 1)
		return 1;
	/* u in (0, 1], on a grid of 2^-53; floor(ln u / ln(1 - 1/R)) + 1 */
	u = (double)((estimate_random(state) >> 11) + 1) * 0x1p-53;
	gap = estimate_log(u) / estimate_log1p(-1 / (double)rate);
	if (gap >= 0x1p62)
		return (uint64_t)1 << 62;
	return (uint64_t)gap + 1;
}
