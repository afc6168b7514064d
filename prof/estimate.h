/*
 * estimate.h - what one sample stands for, and how far away the next one is.
 *
 * Every byte is a sample point with probability 1/R, so an object of usable
 * size u is sampled with
 *
 *     p(u) = 1 - (1 - 1/R)^u = -expm1(u * log1p(-1/R)),   p = 1 if R = 1
 *
 * and a sampled one stands for 1/p objects and u/p bytes (Horvitz-Thompson).
 * These are applied per sample, never to a total of unlike samples.
 *
 * The library links no libm; the functions below replace it. Their relative
 * error is below 4 units of the last place of a double (9e-16) over the whole
 * range (tests/prof/estimate_test.c holds them against libm).
 */
#ifndef STRATA_ESTIMATE_H
#define STRATA_ESTIMATE_H

#include <stdint.h>

double estimate_log(double x);		/* x > 0, finite */
double estimate_log1p(double x);	/* x > -1 */
double estimate_expm1(double x);

/* p(u) for period R >= 1 bytes; 0 < p <= 1 for u >= 1. */
double estimate_probability(uint64_t usable, uint64_t rate);

/* What a sample stands for, and the variance it brings. */
double estimate_objects(double p);			/* 1/p */
double estimate_bytes(double p, uint64_t usable);	/* u/p */
double estimate_objects_variance(double p);		/* (1-p)/p^2 */
double estimate_bytes_variance(double p, uint64_t usable);

/*
 * A generator per thread: splitmix64, whose whole state is one word. Any
 * state is good; neighbouring seeds give unrelated streams.
 */
uint64_t estimate_seed_mix(uint64_t seed);
uint64_t estimate_random(uint64_t *state);

/*
 * Bytes to the next sample point, counted from 1: P(gap > g) = (1 - 1/R)^g.
 * Exactly 1 at R = 1.
 */
uint64_t estimate_gap(uint64_t *state, uint64_t rate);

#endif
