/*
 * generation.c - the process's generation counter (generation.h).
 */
#include "generation.h"

#include <strata/strata.h>

#include "names.h"
#include "util.h"

/*
 * Atomic; relaxed: a sample taken meanwhile may carry either number. As wide
 * as samples carry it.
 */
static uint32_t current = 1;

uint32_t
generation_current(void)
{
	return __atomic_load_n(&current, __ATOMIC_RELAXED);
}

uint32_t
generation_advance(void)
{
	return __atomic_add_fetch(&current, 1, __ATOMIC_RELAXED);
}

EXPORT uint64_t
strata_generation(void)
{
	return generation_current();
}
