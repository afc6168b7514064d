/*
 * lifetime.c - the log-spaced scale of lifetimes (lifetime.h).
 */
#include "lifetime.h"

#include "util.h"

/* 2^(r/4) as a fixed-point number with 62 fraction bits, rounded up. */
static const uint64_t quarter[LIFETIME_PER_DOUBLING] = {
	0x4000000000000000ull, 0x4c1bf828c6dc54b8ull,
	0x5a827999fcef3243ull, 0x6ba27e656b4eb57bull,
};

/* Edge i in whole ns, rounded up: 1000 * 2^(i/4). */
static uint64_t
edge(unsigned i)
{
	unsigned __int128 ns = (unsigned __int128)(1000ull <<
	    i / LIFETIME_PER_DOUBLING) * quarter[i % LIFETIME_PER_DOUBLING];
	unsigned __int128 ones = ((unsigned __int128)1 << 62) - 1;

	return (uint64_t)((ns + ones) >> 62);
}

unsigned
lifetime_bucket(uint64_t ns)
{
	unsigned i;

	if (ns < 1000)
		return LIFETIME_UNDER;
	if (ns >= edge(LIFETIME_EDGES - 1))
		return LIFETIME_OVER;
	i = lg_floor(ns / 1000) * LIFETIME_PER_DOUBLING;
	while (ns >= edge(i))
		i++;
	return i;
}

uint64_t
lifetime_lower(unsigned bucket)
{
	assert(bucket < LIFETIME_BUCKETS);
	return bucket == LIFETIME_UNDER ? 0 : edge(bucket - 1);
}

uint64_t
lifetime_upper(unsigned bucket)
{
	assert(bucket < LIFETIME_BUCKETS);
	return bucket == LIFETIME_OVER ? UINT64_MAX : edge(bucket);
}
