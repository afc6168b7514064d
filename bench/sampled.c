/*
 * sampled.c - what one allocation and its free cost, at a depth of calls.
 *
 *   sampled DEPTH COUNT
 *
 *   main -> step_down -> ... DEPTH frames ... -> COUNT times malloc, free
 *
 * Prints the nanoseconds of CPU time that a pair takes: the median of SLICES
 * parts of the COUNT, so that a part in which the processor was lent to a
 * neighbour does not count. The stack is the same each time; what it costs
 * to meet it first is in a part that the median passes over.
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum {
	SLICES = 15,
	SIZE = 64,
};

static double slices[SLICES];

static __attribute__((noinline)) void
pairs(size_t count)
{
	for (size_t i = 0; i < count; i++) {
		void *volatile block = malloc(SIZE);

		free(block);
	}
}

static __attribute__((noinline)) void
slices_run(size_t count)
{
	for (int i = 0; i < SLICES; i++) {
		uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

		pairs(count);
		slices[i] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) -
		    start) / (double)count;
	}
}

/* The barrier keeps the call from becoming a jump. */
static __attribute__((noinline)) void
step_down(unsigned depth, size_t count)
{
	if (depth == 0)
		slices_run(count);
	else
		step_down(depth - 1, count);
	__asm__ volatile("" ::: "memory");
}

int
main(int argc, char **argv)
{
	enum { ROUND = 4 };	/* main, slices_run, pairs; _start and its like */
	unsigned depth = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	size_t count = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;

	if (count < SLICES) {
		fprintf(stderr, "Usage: sampled DEPTH COUNT\n");
		return 2;
	}
	step_down(depth > ROUND ? depth - ROUND : 0, count / SLICES);
	printf("%.1f\n", median(slices, SLICES));
	return 0;
}
