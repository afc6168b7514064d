/*
 * reload-pool.h - one of Strata's pools, for a program that may run under any
 * malloc: what is allocated in a scope dies with its generation.
 *
 *   reload_pool_create(4)        once; its first generation is there
 *   reload_pool_rotate()         at each reload
 *   reload_pool_enter()          this thread's malloc uses the pool
 *     ... build the new generation ...
 *   reload_pool_leave()
 *     ... free the old generation: its pages go back by themselves ...
 *
 * strata_pool_* are found when the program runs: under an allocator without
 * them create says so, and the others do nothing. Any thread may enter.
 */
#ifndef RELOAD_POOL_H
#define RELOAD_POOL_H

#include <stdbool.h>

enum { POOL_ARENAS_MAX = 64 };

/*
 * The pool opens at most narenas arenas, 2 to 64. False, with a message why,
 * if this malloc has no pools or no more of them.
 */
bool reload_pool_create(unsigned narenas);

/* False if there is no pool. */
bool reload_pool_rotate(void);
void reload_pool_enter(void);
void reload_pool_leave(void);

/* Prints a line of the pool's figures, if there is one. */
void reload_pool_print(void);

#endif
