/*
 * lock.h - ranked, counted futex mutexes.
 *
 *   state 0 free, 1 held, 2 held and somebody may sleep
 *
 * They need no thread structure: a signal-blocked task made by raw clone may
 * take them, and a fork child repairs them. A holder neither unwinds nor
 * does I/O nor calls out.
 *
 * Ranks: locks are taken in the order of enum lock_rank; several locks of
 * one rank may be held together, in the order that their owner documents.
 * Debug builds abort on an inversion. fork.c takes them in this order too.
 */
#ifndef STRATA_LOCK_H
#define STRATA_LOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "util.h"

/* Outermost first. The file that owns the locks is named. */
enum lock_rank {
	RANK_NONE,		/* unchecked */
	RANK_INIT,		/* boot.c: first use */
	RANK_CTL,		/* ctl_snapshot.c: the snapshot */
	RANK_BACKGROUND,	/* background.c */
	RANK_PROF_DUMP,		/* dump.c: the prefix */
	RANK_PROF_MODULES,	/* modules.c: the list */
	RANK_PROF_CUT,		/* cut.c */
	RANK_PROF_HISTORY,	/* history.c, recent.c, samplelog.c, freed.c */
	RANK_PROF_LIVE,		/* live.c: shards, in index order */
	RANK_PROF_GROUP,	/* group.c: shards, in index order */
	RANK_PROF_STACK,	/* stack.c: shards, in index order */
	RANK_PROF_LEAF,		/* prof/: innermost of the profiler's own */
	RANK_ROTATION,		/* pool.c: pools, spare caches */
	RANK_THREADS,		/* thread.c: the list of threads */
	RANK_TCACHES,		/* tcaches.c: explicit caches */
	RANK_ARENAS,		/* arena.c: the table; arena_stats.c */
	RANK_DECAY,		/* pages.c: decay of dirty, then muzzy */
	RANK_BIN,		/* bin.c: one of an arena and class */
	RANK_LARGE,		/* arena.c: blocks of manual arenas */
	RANK_GROW,		/* pages.c: new address space */
	RANK_DSS,		/* dss.c: the end of the data segment */
	RANK_ECACHE,		/* ecache.c: dirty, muzzy, retained */
	RANK_SAMPLE,		/* slab.c: sample bitmaps, striped */
	RANK_PAGEMAP,		/* pagemap.c: new leaves */
	RANK_POOL,		/* base.c: fixed-size pieces; extent_store.c */
	RANK_BASE,		/* base.c */
	RANK_COUNT
};

/* What jemalloc calls a mutex's counters. */
struct lock_stats {
	uint64_t num_ops;
	uint64_t num_wait;
	uint64_t num_spin_acq;
	uint64_t num_owner_switch;
	uint64_t total_wait_time;	/* ns */
	uint64_t max_wait_time;		/* ns */
	uint32_t max_num_thds;
};

struct lock {
	/* atomic: */
	_Atomic uint32_t state;
	_Atomic uint32_t waiters;
	/* this lock: */
	struct lock_stats stats;
	const void *owner;		/* thread pointer of the last holder */
	/* constant after init: */
	const char *name;
	enum lock_rank rank;
#if STRATA_DEBUG
	struct lock *below;		/* taken before, by this task */
#endif
};

#define LOCK_INITIALIZER(r, n) { .rank = (r), .name = (n) }

/* Rounds of spinning before a lock sleeps; set before threads start. */
extern unsigned lock_max_spin;

void lock_init(struct lock *lock, enum lock_rank rank, const char *name);
void lock_acquire(struct lock *lock);
bool lock_try(struct lock *lock);
void lock_release(struct lock *lock);
/*
 * For who takes the lock again and again, and does not have it now: waits until
 * one of those who sleep on it has had it, but not for ever. Without this they
 * wake up to find it taken, to the end of the work.
 */
void lock_give_way(const struct lock *lock);

/*
 * In a fork child, by its only thread: makes the lock free, whoever held it
 * in the parent. Every lock held across the fork is given this once.
 */
void lock_reinit_child(struct lock *lock);

/* What an owner of many calls for each of its locks. */
typedef void lock_visit(struct lock *lock, void *arg);

/* A copy of the counters; the lock is taken for it. */
void lock_stats_read(struct lock *lock, struct lock_stats *out);
/* The same by a caller that holds the lock. */
void lock_stats_read_locked(const struct lock *lock, struct lock_stats *out);
void lock_stats_reset(struct lock *lock);
void lock_stats_merge(struct lock_stats *sum, const struct lock_stats *part);

/* Debug builds: aborts unless the caller holds it / holds nothing. */
#if STRATA_DEBUG
void lock_assert_held(const struct lock *lock);
void lock_assert_none_held(void);
#else
static inline void
lock_assert_held(const struct lock *lock)
{
	(void)lock;
}
static inline void
lock_assert_none_held(void)
{
}
#endif

#endif
