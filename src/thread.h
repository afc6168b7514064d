/*
 * thread.h - what the allocator keeps of a thread.
 *
 * TLS holds two pointers: to this struct, in base memory, and to the cache in
 * use. Neither is ever NULL: before a thread's first allocation and after its
 * last destructor they point to const sentinels that are never written.
 *
 *   thread_before --first slow path--> struct thread --4th TSD round-->
 *   thread_after (no cache, no samples; arena 0 serves it)
 *
 * The countdown: every allocation takes its usable bytes off; below zero an
 * event is due (event.h). What the thread has allocated follows from it:
 *
 *   allocated = target - 1 - countdown
 *
 * Locks: threads_lock (RANK_THREADS) guards the list; a thread's own part is
 *   written by its owner only. batch: see batch.h.
 * Memory: base_meta; recycled when a thread ends, never unmapped.
 * Fork: the child keeps its only thread; what the others counted is kept.
 */
#ifndef STRATA_THREAD_H
#define STRATA_THREAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "batch.h"
#include "list.h"
#include "lock.h"
#include "pool.h"
#include "prof.h"
#include "tcache.h"

struct thread {
	/* owner thread; read by thread_totals: */
	_Atomic int64_t countdown;	/* bytes to the next event, less one */
	_Atomic uint64_t deallocated;	/* bytes, ever */
	_Atomic uint64_t target;	/* allocated bytes at the next event */
	_Atomic uint32_t event_seq;	/* odd while target changes */
	/* owner thread: */
	uint64_t sample_at;		/* allocated bytes, as the next nine */
	uint64_t gc_at;
	uint64_t decay_at;
	uint64_t peak_at;		/* never, until somebody asks */
	uint64_t stats_at;		/* never without stats_interval */
	uint64_t stats_last;		/* allocated when last counted for it */
	uint64_t prof_at;
	uint64_t prof_last;		/* allocated when prof was last told */
	uint64_t decay_last;		/* and when decay was last looked at */
	uint64_t decay_distance;	/* bytes between two such looks */
	uint64_t decay_ns;		/* monotonic, of the last */
	uint32_t calls_a_byte;		/* in the mean, times 2^CALLS_SHIFT */
	unsigned decay_cursor;		/* arena that is looked at next */
	unsigned ticks_left;		/* slow calls until the clock is read */
	uint32_t redraw_seen;
	bool live;			/* false in the const sentinels */
	bool tcache_enabled;
	unsigned destructor_rounds;
	struct arena *arena;		/* in use: a pool's in its scopes */
	struct arena *home;		/* in use outside of all scopes */
	struct tcache *cache;		/* in use when the guard is not set */
	struct tcache own_cache;	/* home's */
	struct pool_thread pool;
	struct prof_thread prof;
	/* mallctl thread.allocatedp: true while exact is set */
	uint64_t allocated_copy;
	bool exact;			/* every allocation is an event */
	/* mallctl thread.peak: bytes held, as of the events */
	int64_t peak, peak_base;
	struct batch batch;		/* see batch.h */
	/* threads_lock: */
	struct list link;
};

struct thread_tls {
	struct thread *self;
	struct tcache *cache;
	/* depth of hooks called by a task that has no struct thread */
	unsigned hooks;
};

extern __thread struct thread_tls thread_tls
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The state of this thread, made if it is its first call; NULL if it cannot
 * be had (no memory, or the thread has ended). */
struct thread *thread_get(void);

static inline struct thread *
thread_self(void)
{
	return thread_tls.self;
}

/* Once, with the init lock held. */
void thread_boot(void);

/* Between the two this thread's allocations come from the internal arena. */
struct prof_thread *thread_guard_enter(void);
void thread_guard_leave(void);
struct prof_thread *thread_prof_self(void);

/*
 * The same at any time of a thread's life, around what may allocate and so
 * begin it: extent hooks, making a thread. What enter returns is leave's.
 */
bool thread_hook_enter(void);
void thread_hook_leave(bool entered);

/* The thread's arena becomes that of the CPU it runs on. */
void thread_move(struct thread *thread);
/* ... of the default pool's generation. */
void thread_rotate(struct thread *thread);

/*
 * On slow paths, before the thread's arena is used: it follows its pool, the
 * default one as well, to the current generation, or its CPU (percpu_arena).
 * One that was bound elsewhere stays there.
 */
static inline void
thread_follow(struct thread *thread)
{
	if (unlikely(thread->pool.depth > 0))
		pool_follow(thread);
	else if (unlikely(arena_is_cpus(thread->arena)))
		thread_move(thread);
	else if (unlikely(arena_of_pool(thread->arena)))
		thread_rotate(thread);
}

/* pool.c: what the thread's malloc uses from now on; cache NULL: none. */
void thread_use(struct thread *thread, struct arena *arena,
    struct tcache *cache);
/* Calls visit for each thread, with RANK_THREADS held. */
void threads_visit(void (*visit)(struct thread *thread, void *arg),
    void *arg);

/*
 * mallctl thread.arena: binds the thread outside of its pools' scopes; the
 * cache is emptied if the domain differs. 0, EFAULT no such arena, EPERM: only
 * the CPU decides who has that one, or the pool that it belongs to. Any arena
 * of the default pool stands for that pool.
 */
int thread_arena_set(struct thread *thread, unsigned index);
void thread_tcache_enable(struct thread *thread, bool enable);
void thread_tcache_flush(struct thread *thread);

/* Every thread's batch is given back, by this thread or by another. */
void thread_batch_flush_all(void);
/* The same, and all of it is; before an arena is reset. Without locks. */
void thread_batch_settle(void);

static inline uint64_t
thread_allocated(const struct thread *thread)
{
	return atomic_load_explicit(&thread->target, memory_order_relaxed) -
	    1 - (uint64_t)atomic_load_explicit(&thread->countdown,
	    memory_order_relaxed);
}

/* The sums over all threads, dead ones included; bytes. */
struct thread_totals {
	uint64_t allocated, deallocated;
	uint64_t tcache_bytes;		/* racy while threads run */
	uint64_t tcache_pinned;
	size_t nthreads;
};
void thread_totals(struct thread_totals *out);

/* Allocations and frees of tasks without a struct thread. */
void thread_orphan_alloc(size_t usable);
void thread_orphan_free(size_t usable);

/* The bytes cached of blocks of one arena, for its statistics. */
size_t thread_tcache_bytes_of(const struct arena *arena);

void thread_fork_prepare(void);
void thread_fork_parent(void);
void thread_fork_child(void);

#endif
