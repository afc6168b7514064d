/*
 * batch.h - a thread's frees of blocks that are not of its cache's domain.
 *
 * They wait here for company: what is given back together takes each bin's
 * lock once. Whoever empties another's batch takes the blocks out first and
 * gives them back afterwards, since that may be the business of hooks.
 *
 * Locks: batch.lock (RANK_THREAD_BATCH), for what lies in it.
 * Memory: embedded in struct thread.
 * Fork: thread.c takes the lock of every thread; the child drops what the
 *   others held.
 */
#ifndef STRATA_BATCH_H
#define STRATA_BATCH_H

#include <stdbool.h>

#include "lock.h"

enum { BATCH_MAX = 64 };

struct batch {
	struct lock lock;
	/* lock; the owner alone adds: */
	unsigned count;
	void *blocks[BATCH_MAX];
};

/* Once; the batch is zero bytes. */
void batch_init(struct batch *batch);

/* By the owner. */
void batch_free(struct batch *batch, void *ptr);
void batch_flush(struct batch *batch);
/* Whether ptr waits in it. */
bool batch_holds(const struct batch *batch, const void *ptr);

/* By any thread: moves what is in it to out; returns how many. */
unsigned batch_take(struct batch *batch, void *out[BATCH_MAX]);

#endif
