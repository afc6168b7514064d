/*
 * decay.h - how many unused pages may stay, given when they became unused.
 *
 *   share that stays
 *   1 |--__                        h(x) = 1 - smoothstep(x)
 *     |     \                      x = age / decay time, in 200 steps
 *   0 |______\__--___ age
 *
 * backlog[i] counts the bytes that became unused in the i-th last step; the
 * limit is the sum of backlog[i] * h(i). The clock is the caller's.
 * Locks: decay.lock guards the curve; ms is read without it.
 */
#ifndef STRATA_DECAY_H
#define STRATA_DECAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lock.h"

enum { DECAY_STEPS = 200, DECAY_NOW = 0, DECAY_NEVER = -1 };

/* Of a decay time, in ms: as many whole seconds as 64 bits of ns hold. */
#define DECAY_MS_MAX	INT64_C(18446744072000)

struct decay {
	struct lock lock;
	/* atomic: */
	_Atomic ssize_t ms;		/* DECAY_NOW, DECAY_NEVER, or a time */
	_Atomic uint64_t deadline;	/* ns: of the step that is running */
	_Atomic uint64_t npurge;	/* sweeps that purged something */
	_Atomic uint64_t nmadvise;	/* system calls */
	_Atomic uint64_t purged;	/* bytes */
	/* lock: */
	uint64_t step_ns;
	size_t unpurged;		/* bytes at the end of the last step */
	size_t backlog[DECAY_STEPS];	/* [0] is the newest */
};

/* Fills the table of the curve. Before any other call. */
void decay_boot(void);

void decay_init(struct decay *decay, ssize_t ms, uint64_t now,
    const char *name);

/* Forgets the past: all that is cached counts as newly unused. */
void decay_set_locked(struct decay *decay, ssize_t ms, uint64_t now,
    size_t cached);

static inline ssize_t
decay_ms(const struct decay *decay)
{
	return atomic_load_explicit(&decay->ms, memory_order_relaxed);
}

/* How long a step of a decay of ms is, ns; 0 for DECAY_NOW and _NEVER. */
static inline uint64_t
decay_step_ns(ssize_t ms)
{
	return ms > 0 ? (uint64_t)ms * 1000000 / DECAY_STEPS : 0;
}

/* A cheap test whether decay_advance would have anything to do. */
static inline bool
decay_due(const struct decay *decay, uint64_t now)
{
	return decay_ms(decay) > 0 && now >= atomic_load_explicit(
	    &decay->deadline, memory_order_relaxed);
}

/*
 * Lets the time pass up to now, when cached bytes are unused; returns how
 * many of them may stay. Requires decay_due.
 */
size_t decay_advance_locked(struct decay *decay, uint64_t now, size_t cached);

/*
 * So many bytes of those that decay knew of were purged; cached are unused
 * now, those included that were freed meanwhile.
 */
void decay_purged_locked(struct decay *decay, size_t purged, size_t cached);

#endif
