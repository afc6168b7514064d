/*
 * pool_scope.h - what a pool is inside, and the caches of its scopes.
 *
 * Whether a pool can be entered and whether it can be destroyed is decided by
 * one word: who enters adds one, and takes it off again if the pool turns out
 * to be destroyed; who destroys turns 0 into POOL_DESTROYED, and nothing else.
 *
 * Locks: pools_lock; see pool.h. pool_scope.c takes it for spare caches only.
 */
#ifndef STRATA_POOL_SCOPE_H
#define STRATA_POOL_SCOPE_H

#include "lock.h"
#include "pool.h"

struct thread;

#define POOL_DESTROYED	(1u << 31)

struct pool {
	/* On a line of its own: threads that enter and leave write it. */
	_Alignas(CACHELINE) _Atomic unsigned nscopes;
	/* atomic; NULL: destroyed */
	_Alignas(CACHELINE) _Atomic(struct arena *) current;
	_Atomic uint64_t generation;
	/* constant after creation: */
	unsigned index;
	/* pools_lock: */
	unsigned narenas, narenas_max;
	unsigned arenas[POOL_ARENAS_MAX];
	uint64_t rotations, rotated_ns;
};

extern struct lock pools_lock;

/* NULL: there is none. It is never unmapped, but may be destroyed. */
struct pool *pool_get(unsigned index);

/* NULL: destroyed. Sequentially consistent: see park. */
static inline struct arena *
pool_current(const struct pool *pool)
{
	return atomic_load(&pool->current);
}

/* What threads outside hold of the pool's old generations goes back. */
void pool_empty_caches(const struct pool *pool);

/*
 * Of a thread, with the list of threads locked: its parked caches that have
 * not been used for rest_ns go to the list. Whether it has any.
 */
bool pool_caches_rest(struct thread *thread, uint64_t now, uint64_t rest_ns,
    struct list *out);
/* They become spare. No arena has hooks. */
void pool_caches_empty(struct list *at_rest);

#endif
