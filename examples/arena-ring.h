/*
 * arena-ring.h - rotation: each generation of a program's data in the next of
 * a ring of arenas, so that what dies together lies together.
 *
 *   arena_ring_create(4)         once
 *   arena_ring_enter(number)     this thread's malloc uses arena number % 4
 *     ... build the new generation ...
 *   arena_ring_leave()           back to the thread's own arena
 *     ... free the old generation ...
 *   arena_ring_purge(number)     its empty pages go back to the system
 *
 * It needs jemalloc's mallctl, found when the program runs: under an allocator
 * without it every function does nothing. For one thread, the one that builds.
 */
#ifndef ARENA_RING_H
#define ARENA_RING_H

#include <stdbool.h>

enum { ARENAS_MAX = 64 };

/* False if this malloc has no arenas; narenas = 0: no rotation. */
bool arena_ring_create(unsigned narenas);

/* Generations are numbered by the caller: 1, 2, ... */
void arena_ring_enter(unsigned number);
void arena_ring_leave(void);

/* Purges every arena of the ring except that of generation number. */
void arena_ring_purge(unsigned number);

#endif
