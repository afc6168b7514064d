/*
 * locks.c - the counters of the profiler's locks, under jemalloc's names.
 *
 *   prof               stacks, groups, modules, the profiler's memory
 *   prof_thds_data     the records of sampled blocks; threads' names
 *   prof_dump          the prefix of dumps; opening and closing a cut
 *   prof_recent_alloc  the newest samples, the log, freed addresses
 *
 * prof_recent_dump and prof_stats have no lock here: a dump of the newest
 * samples copies them piece by piece, the sums by class are atomic.
 *
 * Locks: each is taken by itself, to read or to zero its counters.
 */
#include <string.h>

#include "cut.h"
#include "dump.h"
#include "freed.h"
#include "group.h"
#include "history.h"
#include "live.h"
#include "lock.h"
#include "modules.h"
#include "prof.h"
#include "profmem.h"
#include "recent.h"
#include "samplelog.h"
#include "stack.h"

static void
each_lock_of(enum prof_mutex mutex, lock_visit *visit, void *arg)
{
	switch (mutex) {
	case PROF_MUTEX_PROF:
		modules_each_lock(visit, arg);
		group_each_lock(visit, arg);
		stack_each_lock(visit, arg);
		profmem_each_lock(visit, arg);
		break;
	case PROF_MUTEX_THDS_DATA:
		live_each_lock(visit, arg);
		history_each_lock(visit, arg);
		break;
	case PROF_MUTEX_DUMP:
		dump_each_lock(visit, arg);
		cut_each_lock(visit, arg);
		break;
	case PROF_MUTEX_RECENT_ALLOC:
		recent_each_lock(visit, arg);
		samplelog_each_lock(visit, arg);
		freed_each_lock(visit, arg);
		break;
	case PROF_NMUTEXES:
		break;
	}
}

static void
add_counters(struct lock *lock, void *arg)
{
	struct lock_stats stats;

	lock_stats_read(lock, &stats);
	lock_stats_merge(arg, &stats);
}

void
prof_mutex_read(enum prof_mutex mutex, struct lock_stats *out)
{
	memset(out, 0, sizeof *out);
	each_lock_of(mutex, add_counters, out);
}

static void
zero_counters(struct lock *lock, void *arg)
{
	(void)arg;
	lock_stats_reset(lock);
}

void
prof_mutexes_reset(void)
{
	for (int mutex = 0; mutex < PROF_NMUTEXES; mutex++)
		each_lock_of((enum prof_mutex)mutex, zero_counters, NULL);
}
