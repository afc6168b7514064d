/*
 * generation.c - the process's generation counter (generation.h).
 */
#include "generation.h"

/* atomic; relaxed: a sample taken meanwhile may carry either number */
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
