/*
 * lifetime.h - the log-spaced scale of lifetimes and ages.
 *
 *   bucket 0            1        2  ...  4 a doubling ...   184      185
 *          | below 1 us | 1 us.. | 1.19 us.. |         ..2^46 us | above |
 *
 * Bucket b in 1..184 is [edge(b - 1), edge(b)), edge(i) = 2^(i/4) us in whole
 * nanoseconds, rounded up.
 */
#ifndef STRATA_LIFETIME_H
#define STRATA_LIFETIME_H

#include <stdint.h>

enum {
	LIFETIME_DOUBLINGS = 46,
	LIFETIME_PER_DOUBLING = 4,
	LIFETIME_EDGES = LIFETIME_DOUBLINGS * LIFETIME_PER_DOUBLING + 1,
	LIFETIME_UNDER = 0,
	LIFETIME_OVER = LIFETIME_EDGES,
	LIFETIME_BUCKETS = LIFETIME_EDGES + 1,
};

/* The bucket of a duration in nanoseconds. */
unsigned lifetime_bucket(uint64_t ns);
/* Lower edge of a bucket in ns (0 for UNDER); bucket < LIFETIME_BUCKETS. */
uint64_t lifetime_lower(unsigned bucket);
/* Upper edge in ns; UINT64_MAX for OVER. */
uint64_t lifetime_upper(unsigned bucket);

#endif
