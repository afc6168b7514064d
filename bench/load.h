/*
 * load.h - what the small programs of workload.c share.
 *
 * A load takes its numbers, does so many operations and frees all it has. Its
 * random numbers begin with a constant: every allocator meets the same calls,
 * but for how the threads of a load happen to interleave.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* The first byte is written, as any user of a block does. */
static inline char *
touched(char *block)
{
	if (block == NULL)
		abort();
	*(volatile char *)block = 1;
	return block;
}

/* 16 bytes << 0 to doublings - 1, and up to as much again. */
static inline size_t
random_size(uint64_t r, unsigned doublings)
{
	size_t size = (size_t)16 << (r >> 32) % doublings;

	return size + r % size;
}

/* load_single.c */
void pairs(const size_t *n);
void batch(const size_t *n);
void fifo(const size_t *n);
void mixed(const size_t *n);
void lifetimes(const size_t *n);
/* load_threads.c */
void larson(const size_t *n);
void sharing(const size_t *n);
void prodcons(const size_t *n);
void handover(const size_t *n);
void crowd(const size_t *n);
/* load_large.c */
void grow(const size_t *n);
void step(const size_t *n);
void large(const size_t *n);
void wave(const size_t *n);
/* load_tree.c */
void tree(const size_t *n);

#endif
