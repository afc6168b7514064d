/*
 * cut.h - a consistent view of all samples, taken while the program runs on.
 *
 *   cut_begin -- cut_live* -- cut_freed* -- (write) -- cut_end
 *
 * The cut is one moment S: of the records, those born before it and not dead
 * by then; of the freed totals, what had died by then. All shard locks are
 * held for the moment itself (microseconds), and one for a few records at a
 * time afterwards. Objects that die while the cut is open stay in it.
 * Nothing here allocates; the rows point at groups and stacks, which stay as
 * they are until cut_end.
 *
 * One cut at a time: cut_begin says EBUSY to a second.
 */
#ifndef STRATA_CUT_H
#define STRATA_CUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group.h"
#include "live.h"
#include "prof.h"
#include "lock.h"

enum {
	CUT_BATCH = 256,
	CUT_SINCE_KEPT = 16,
	CUT_GENERATIONS_KEPT = 16,
	/*
	 * In sixteenths of the bound. A quarter: at two history does without,
	 * at three new stacks do. One between two folds: a fold goes over the
	 * bound at most, and over that once in so much that has come.
	 */
	CUT_FOLD_SHARE = 4,
	CUT_FOLD_STEP = 1,
};

struct cut {
	/* constant after cut_begin: */
	uint32_t number;		/* 1, 2, ... */
	uint64_t time_ns;		/* monotonic clock at S */
	uint64_t rate;			/* the current R */
	uint32_t generation;		/* the current one */
	uint64_t samples_live;		/* records in the cut */
	uint64_t samples_freed;		/* since the last reset */
	uint64_t dropped_samples;
	uint64_t dropped_bytes;		/* weighted */
	uint64_t before_profiling;	/* bytes */
	uint64_t unsampled;		/* bytes, while it was off; sampler.h */
	uint64_t profiler_bytes;
	struct prof_totals totals;
	struct prof_pool pools[PROF_POOLS_MAX];
	size_t npools;
	/* cut.c's: */
	struct live_cursor live;
	struct group_cursor freed;
};

/*
 * One live sample. since: the number of cuts taken before its birth, so that
 * it is also in cut k, if since < k (and it was not freed); births before the
 * last CUT_SINCE_KEPT cuts share one value.
 */
struct cut_live {
	const struct group *group;
	uint64_t requested;		/* bytes */
	uint64_t age_ns;
	double pinned;			/* bytes this region pins; 0: large */
	uint32_t since;
	uint32_t thread;		/* uid */
};

/* Freed samples of one group and lifetime. */
struct cut_freed {
	const struct group *group;
	uint32_t bucket;		/* lifetime.h */
	uint64_t samples;
	uint64_t requested;		/* bytes, summed */
};

int cut_begin(struct cut *out);		/* 0 or EBUSY */
/* Fills at most max rows (max >= CUT_BATCH); 0 = the end. */
size_t cut_live(struct cut *cut, struct cut_live *rows, size_t max);
size_t cut_freed(struct cut *cut, struct cut_freed *rows, size_t max);
void cut_end(struct cut *cut);

/* Drops all totals and records (mallctl prof.reset); safe during a cut. */
void cut_reset(void);

/*
 * Folds the freed totals of all but the newest CUT_GENERATIONS_KEPT
 * generations (group.h), unless a cut is open: by arena, or where one by arena
 * has not been enough, of all arenas. It goes over all groups, a few under one
 * lock hold: not for a thread that allocates. It is due when the profiler's
 * memory in use is beyond CUT_FOLD_SHARE of its bound, and by CUT_FOLD_STEP
 * beyond what the last one left.
 */
bool cut_fold_due(void);
void cut_fold_generations(void);

void cut_boot(const struct prof_host *host);
void cut_each_lock(lock_visit *visit, void *arg);
void cut_fork_prepare(void);
void cut_fork_parent(void);
void cut_fork_child(void);
/*
 * A fork child has no dump under way: ends the cut that its parent had open.
 * After all locks of prof/ are free again.
 */
void cut_fork_child_end(void);

#endif
