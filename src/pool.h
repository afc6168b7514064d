/*
 * pool.h - pools: objects that die together live together.
 *
 *   pool    ring of manual arenas:  [ a7 ] [ a8 ] [ a9 ]
 *                                  retired current retired
 *   rotate  the emptiest one becomes current, a generation is numbered
 *   enter   this thread's malloc goes to the current arena; nests
 *
 * A retired arena gives back what it has unused (pages_retire), so a
 * generation that is freed leaves RSS; what survives it keeps its slabs, and
 * the next generation in that arena takes the room between.
 *
 * Caches: a thread inside a scope uses a cache of the pool's current arena, as
 * fast as its own. Outside it is *parked* in a slot of the thread: who wants
 * it, the thread that enters or a rotation that empties it, takes it out by an
 * atomic exchange. So a generation that is over has no caches but those of
 * threads that are inside; they follow at their next fill or event.
 *
 *   slot --exchange--> in use by a scope --leave--> slot
 *     \--exchange--> emptied by a rotation --> spare --> any thread, any pool
 *
 * Locks: pools_lock (RANK_ROTATION) guards pools, rings and spare caches; no
 *   block is freed under it. enter and leave take it only without a parked
 *   cache.
 * Memory: base_meta; pools and caches are used again, never unmapped.
 * Fork: the child's thread keeps its scopes, the others' are over.
 */
#ifndef STRATA_POOL_H
#define STRATA_POOL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "tcache.h"

enum {
	POOL_MAX = 256,			/* indices; a flag has 11 bits */
	POOL_ARENAS_MAX = 64,
	/* One a generation that is being freed and one that is built. */
	POOL_ARENAS_DEFAULT = 4,
	POOL_DEPTH = 16,		/* scopes of a thread */
	POOL_PARKED = 4,		/* pools that a thread goes in and out of */
};

struct thread;
struct pool;
struct pool_cache;

struct pool_scope {
	struct pool *pool;
	struct pool_cache *cache;	/* NULL: none could be had */
	unsigned entered;		/* times, less those left */
	bool borrowed;			/* the cache is an outer scope's */
	uint64_t since;			/* the thread's allocated bytes */
};

/* What a thread has of pools. */
struct pool_thread {
	/* owner thread: */
	unsigned depth;
	unsigned next_slot;		/* the next to be vacated */
	struct pool_scope scopes[POOL_DEPTH];
	struct pool *parked_of[POOL_PARKED];
	/* atomic: */
	_Atomic(struct pool_cache *) parked[POOL_PARKED];
};

/* 0, EINVAL (narenas: 0 or 2 to POOL_ARENAS_MAX), EAGAIN, ENOMEM */
int pool_create(unsigned narenas, unsigned *index);
/* generation may be NULL. 0, ENOENT, EAGAIN no arena, ENOMEM */
int pool_rotate(unsigned index, uint64_t *generation);
/* 0, ENOENT, or EAGAIN: a thread is inside */
int pool_destroy(unsigned index);

/* Of the calling thread. 0, ENOENT, or EAGAIN: too deep, or it is ending. */
int pool_enter(unsigned index);
/* 0, ENOENT, or EINVAL: not the innermost scope */
int pool_leave(unsigned index);
/* Of the innermost scope; 0 or ENOENT. */
int pool_innermost(unsigned *index);

/* Highest index that was ever in use, plus one. */
unsigned pools_count(void);
bool pool_exists(unsigned index);

/*
 * The default pool (option default_pool): threads that are in no scope and
 * bound to no arena have its current arena for their home.
 */
void pool_boot(unsigned narenas);	/* once, with the init lock; 0: none */
int pool_default(unsigned *index);	/* 0 or ENOENT */
struct arena *pool_default_arena(void);	/* the current one, or NULL */
bool pool_default_has(const struct arena *arena);
/*
 * The process's next generation, and with it the default pool's. Without that
 * from anywhere, signal handlers too. The new number.
 */
uint32_t pool_advance(void);
/* By the profiler's worker: no thread follows it, see pool_rest.h. */
uint32_t pool_advance_worker(void);

/* What the thread's malloc uses follows from its innermost scope. */
void pool_settle(struct thread *thread);
/* In a scope, on slow paths: the thread follows a rotation. */
void pool_follow(struct thread *thread);
/* The scopes' caches, in use and parked, shrink by what was idle. */
void pool_gc(struct thread *thread);
/* A thread flushes its caches (mallctl thread.tcache.flush), or ends. */
void pool_flush(struct thread *thread);
void pool_thread_end(struct thread *thread);

/*
 * Adds what all pools' caches hold, a racy sum. arena NULL: of all arenas;
 * pinned may be NULL.
 */
void pool_caches_sum(const struct arena *arena, uint64_t *bytes,
    uint64_t *pinned);

/*
 * Without a lock, at some moment: the arena that is current and the generation
 * that began in it last. false: there is no such pool.
 */
bool pool_glance(unsigned index, unsigned *arena, uint32_t *generation);

struct pool_facts {
	uint64_t generation;
	unsigned narenas, narenas_max;
	unsigned arena;			/* index of the current one */
};
/* 0 or ENOENT */
int pool_facts_read(unsigned index, struct pool_facts *out);

/* All bytes; of one reading, each exact at some moment of it. */
struct pool_arena_stats {
	unsigned index;
	uint32_t generation;		/* that began in it last */
	bool current;
	size_t allocated, active, resident;
	uint64_t releases, released;
};

struct pool_stats {
	unsigned narenas, narenas_max;
	uint64_t generation;		/* the current one */
	uint64_t rotations;
	uint64_t rotated_ns;		/* monotonic; of creation at first */
	unsigned live;			/* generations' arenas with blocks */
	unsigned retired;		/* of these, not current */
	size_t allocated, active, resident;
	size_t survivors;		/* allocated in retired arenas */
	uint64_t releases;		/* arenas that came to no blocks */
	uint64_t released;		/* bytes purged from retired ones */
	struct pool_arena_stats arenas[POOL_ARENAS_MAX];
};

/* 0 or ENOENT. About 4 KiB: mind the stack. */
int pool_stats_read(unsigned index, struct pool_stats *out);

void pool_fork_prepare(void);
void pool_fork_parent(void);
/* After the threads that are gone were forgotten. */
void pool_fork_child(struct thread *self);
/* A thread that is gone: what it had parked can be used again. */
void pool_thread_forget(struct thread *thread);

#endif
