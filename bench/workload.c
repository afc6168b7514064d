/*
 * workload.c - small programs that do nothing but allocate, by name:
 *
 *   pairs SIZE COUNT         malloc, free
 *   batch SIZE N COUNT       N mallocs, N frees in the same order
 *   fifo SIZE N COUNT        N live blocks; the oldest is freed
 *   mixed COUNT              16 B to 32 KiB at random, 1000 live blocks
 *   lifetimes COUNT          sizes and lifetimes at random, over decades
 *   larson THREADS COUNT     each thread replaces the blocks of the thread
 *                            that it was started by, and starts the next
 *   sharing THREADS COUNT    threads replace blocks others have allocated
 *   prodcons SIZE COUNT      one thread allocates, another frees
 *   handover COUNT           threads live for 1000 blocks; the next frees them
 *   crowd THREADS COUNT      each thread has blocks of its own
 *   grow COUNT               realloc by half, from 64 B to 1 MiB
 *   step COUNT               realloc by 64 B, to 64 KiB
 *   large MIN MAX COUNT      blocks of MIN to MAX MiB, each page touched
 *   wave COUNT               64 MiB grow, shrink to a tenth, grow otherwise
 *   tree COUNT               parses, derives and simplifies expressions
 *
 * COUNT is the number of operations, so that times can be compared at two
 * counts to take out the start of the program.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

enum { NUMBERS_MAX = 3 };

static const struct load {
	const char *name;
	int numbers;	/* none may be 0, but COUNT, which is the last */
	void (*run)(const size_t *n);
} loads[] = {
	{ "pairs", 2, pairs },
	{ "batch", 3, batch },
	{ "fifo", 3, fifo },
	{ "mixed", 1, mixed },
	{ "lifetimes", 1, lifetimes },
	{ "larson", 2, larson },
	{ "sharing", 2, sharing },
	{ "prodcons", 2, prodcons },
	{ "handover", 1, handover },
	{ "crowd", 2, crowd },
	{ "grow", 1, grow },
	{ "step", 1, step },
	{ "large", 3, large },
	{ "wave", 1, wave },
	{ "tree", 1, tree },
};

static bool
load_run(const struct load *load, char **argv)
{
	size_t n[NUMBERS_MAX] = { 0 };

	for (int i = 0; i < load->numbers; i++) {
		n[i] = strtoull(argv[i], NULL, 10);
		if (n[i] == 0 && i < load->numbers - 1)
			return false;
	}
	load->run(n);
	return true;
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < sizeof loads / sizeof *loads; i++) {
		if (strcmp(loads[i].name, name) == 0 &&
		    argc == loads[i].numbers + 2 &&
		    load_run(&loads[i], argv + 2))
			return 0;
	}
	fprintf(stderr, "Usage: workload NAME NUMBERS...: "
	    "see the head of workload.c\n");
	return 2;
}
