/*
 * poolcost.c - what a pool costs a build and a teardown, with the page faults
 * and without.
 *
 *     MALLOC_CONF=pool_rest_ms:-1 LD_PRELOAD=libstrata.so.1 \
 *         poolcost [MIB [ROUNDS]]
 *
 *   pages stay    outside: built over what the last one left
 *                 inside:  the same, in a pool that is never rotated
 *   pages go      outside: purged by arena.<i>.purge when freed
 *                 inside:  in a pool, rotated, freed after the next rotation
 *
 * The first pair is the allocator's own work. In the second both give MIB
 * (100) back to the system and fault them in again; the purge is a part of
 * the teardown. The four take turns in each of ROUNDS (15), so that a drift
 * of the machine meets them alike; the first round is not counted. While it is
 * another's turn the pages that stay must not go: hence pool_rest_ms. All is
 * freed from outside of any scope. Printed: median ms, and of inside / outside
 * within a round the median, lowest and highest.
 */
#include <dlfcn.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

enum { ROUNDS_MAX = 200 };
enum where { STAY_OUT, STAY_IN, GO_OUT, GO_IN, NWHERE };

struct block {
	struct block *next;
};

static struct {
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	int (*create)(unsigned, unsigned *);
	int (*rotate)(unsigned, uint64_t *);
	int (*enter)(unsigned);
	int (*leave)(unsigned);
} heap;

static size_t wanted = 100u << 20;
static unsigned nrounds = 15;
static unsigned pools[NWHERE];
static double built[NWHERE][ROUNDS_MAX], freed[NWHERE][ROUNDS_MAX];

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "poolcost: %s\n", what);
	exit(2);
}

/* 16 B to 4 KiB, evenly by magnitude; the same in each round. */
static size_t
next_size(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return (size_t)16 << (*random >> 32) % 8 | (*random >> 40) % 16;
}

static struct block *
build(void)
{
	struct block *first = NULL;
	uint64_t random = 7;
	size_t bytes = 0;

	while (bytes < wanted) {
		size_t size = next_size(&random);
		struct block *block = malloc(size);

		must(block != NULL, "no memory");
		memset(block, 1, size);
		block->next = first;
		first = block;
		bytes += size;
	}
	return first;
}

static void
destroy(struct block *block)
{
	while (block != NULL) {
		struct block *next = block->next;

		free(block);
		block = next;
	}
}

static void
purge_own(void)
{
	unsigned arena;
	size_t len = sizeof arena;
	char name[40];

	must(heap.mallctl("thread.arena", &arena, &len, NULL, 0) == 0,
	    "no arena");
	heap.mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	snprintf(name, sizeof name, "arena.%u.purge", arena);
	must(heap.mallctl(name, NULL, NULL, NULL, 0) == 0, "no purge");
}

/* Both outside share an arena: each makes it what it is to find. */
static void
prepare(enum where where)
{
	if (where == STAY_OUT)
		destroy(build());
	else if (where == GO_OUT)
		purge_own();
}

static void
once(enum where where, unsigned round)
{
	bool inside = where == STAY_IN || where == GO_IN;
	struct block *first;
	double start;

	prepare(where);
	start = now_ms();
	if (inside)
		must(heap.enter(pools[where]) == 0, "cannot enter");
	first = build();
	if (inside)
		heap.leave(pools[where]);
	built[where][round] = now_ms() - start;
	if (where == GO_IN)
		must(heap.rotate(pools[where], NULL) == 0, "cannot rotate");
	start = now_ms();
	destroy(first);
	if (where == GO_OUT)
		purge_own();
	freed[where][round] = now_ms() - start;
}

static double
middle(const double *values)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, values, nrounds * sizeof *sorted);
	return median(sorted, nrounds);
}

static void
row(const char *name, const double *outside, const double *inside)
{
	double ratios[ROUNDS_MAX], low = INFINITY, high = 0;

	for (unsigned i = 0; i < nrounds; i++) {
		ratios[i] = inside[i] / outside[i];
		low = fmin(low, ratios[i]);
		high = fmax(high, ratios[i]);
	}
	printf("%-22s %7.1f ms %7.1f ms  %5.2f  %.2f-%.2f\n", name,
	    middle(outside), middle(inside), middle(ratios), low, high);
}

static void
find_heap(void)
{
	*(void **)&heap.mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&heap.create = dlsym(RTLD_DEFAULT, "strata_pool_create");
	*(void **)&heap.rotate = dlsym(RTLD_DEFAULT, "strata_pool_rotate");
	*(void **)&heap.enter = dlsym(RTLD_DEFAULT, "strata_pool_enter");
	*(void **)&heap.leave = dlsym(RTLD_DEFAULT, "strata_pool_leave");
	must(heap.create != NULL, "no pools here");
}

int
main(int argc, char **argv)
{
	if (argc > 1)
		wanted = strtoul(argv[1], NULL, 10) << 20;
	if (argc > 2)
		nrounds = (unsigned)strtoul(argv[2], NULL, 10);
	must(argc <= 3 && wanted > 0 && nrounds > 0 && nrounds < ROUNDS_MAX,
	    "Usage: poolcost [MIB [ROUNDS]]");
	find_heap();
	for (enum where where = 0; where < NWHERE; where++)
		must(heap.create(0, &pools[where]) == 0, "no pool");
	/* The first is the warm-up: the next one writes over it. */
	for (unsigned round = 0; round <= nrounds; round++)
		for (enum where where = 0; where < NWHERE; where++)
			once(where, round == 0 ? 0 : round - 1);
	printf("%-22s %10s %10s  %5s  %s\n", "", "outside", "inside", "ratio",
	    "range");
	row("pages stay, build", built[STAY_OUT], built[STAY_IN]);
	row("pages stay, teardown", freed[STAY_OUT], freed[STAY_IN]);
	row("pages go, build", built[GO_OUT], built[GO_IN]);
	row("pages go, teardown", freed[GO_OUT], freed[GO_IN]);
	return 0;
}
