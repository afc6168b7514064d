/*
 * generation.h - the process's generation counter: strata_generation(),
 * mallctl prof.generation.
 *
 * Starts at 1 and only grows. Below both halves of the library, because both
 * number by it: an arena's generation and a sample's are one period of time.
 * A sample carries its arena's generation, or this one if the arena belongs
 * to no pool.
 *
 * Locks: none. Memory: none.
 * Signals/fork: any function from anywhere; a child goes on from its parent's
 *   number.
 */
#ifndef STRATA_GENERATION_H
#define STRATA_GENERATION_H

#include <stdint.h>

uint32_t generation_current(void);
uint32_t generation_advance(void);	/* the new one */

#endif
