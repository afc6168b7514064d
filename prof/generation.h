/*
 * generation.h - the process's generation counter (mallctl prof.generation).
 *
 * Starts at 1. A sample carries its arena's generation, or this one if the
 * arena belongs to no pool.
 */
#ifndef STRATA_GENERATION_H
#define STRATA_GENERATION_H

#include <stdint.h>

enum { GENERATION_KEPT = 16 };	/* younger ones are never folded together */

uint32_t generation_current(void);
uint32_t generation_advance(void);	/* the new one */

#endif
