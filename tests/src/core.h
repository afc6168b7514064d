/*
 * core.h - what the suites of the allocator's lower layers share: cmocka, a
 * repeatable random sequence, and the boot of layers 0 to 3a.
 */
#ifndef TESTS_SRC_CORE_H
#define TESTS_SRC_CORE_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arena.h"
#include "options.h"
#include "os.h"

/* util.h's assertion aborts; in a test cmocka's macros do the checking. */

static uint64_t core_seed_state;

/* Seeds from SEED in the environment, or by chance; prints the seed. */
static inline void
core_seed(void)
{
	const char *text = getenv("SEED");

	if (text != NULL)
		core_seed_state = strtoull(text, NULL, 0);
	else
		os_random(&core_seed_state, sizeof core_seed_state);
	printf("SEED=0x%llx\n", (unsigned long long)core_seed_state);
}

/* Threads may take from one sequence. */
static inline uint64_t
core_random(void)
{
	uint64_t x = __atomic_add_fetch(&core_seed_state,
	    0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline size_t
core_below(size_t n)
{
	return (size_t)(core_random() % n);
}

/* Once a process; what the library does at its first allocation. */
static inline void
core_boot(void)
{
	os_init();
	sc_boot();
	slab_boot();
	decay_boot();
	if (arenas_boot() != 0)
		abort();
}

#endif
