/*
 * ctl_snapshot.h - the figures behind stats.*, all of one moment.
 *
 *   epoch (written) --> ctl_refresh --> total, merged, destroyed, arenas[i],
 *                                       pools[i]
 *
 * A snapshot makes figures of several calls agree: allocated <= active <=
 * resident <= mapped, and the parts sum up to the whole.
 *
 * Locks: one (RANK_CTL) around all of it.
 * Memory: base_meta, about 30 KiB for each arena there is, 4 KiB for each
 *   pool, kept.
 */
#ifndef STRATA_CTL_SNAPSHOT_H
#define STRATA_CTL_SNAPSHOT_H

#include "arena.h"
#include "background.h"
#include "pool.h"
#include "prof.h"

struct ctl_call;
union ctl_value;

/* An arena's own figures, and what they lack. */
struct ctl_arena_figures {
	struct arena_stats stats;
	size_t base, internal, resident, tcache_bytes;
	size_t metadata_thp;		/* huge pages */
	size_t metadata_rtree;
	char name[ARENA_NAME_MAX];
	struct lock_stats base_lock;
	struct lock_stats zero;		/* of what Strata has no lock for */
	bool initialized;
};

/* Of the whole process; bytes. */
struct ctl_total {
	size_t allocated, active, metadata, metadata_edata, metadata_rtree,
	    resident, mapped, retained;
	size_t metadata_thp;		/* huge pages */
	size_t live, tcache_bytes;
	size_t zero_reallocs;
	size_t foreign_handed, foreign_leaked;
	struct background_stats background;
	struct lock_stats ctl, background_thread, prof[PROF_NMUTEXES];
	struct lock_stats zero;		/* of what Strata has no lock for */
};

struct ctl_pool_figures {
	struct pool_stats stats;
	uint64_t rotation_age_ns;	/* of the current generation */
	bool is_there;
};

/*
 * The process's figures; those of an arena, MALLCTL_ARENAS_ALL or
 * MALLCTL_ARENAS_DESTROYED. The snapshot's lock is held if the result is not
 * NULL; a process that never wrote epoch gets its first one here. *error:
 * EAGAIN no memory, ENOENT no such arena.
 */
const struct ctl_total *ctl_total_acquire(int *error);
const struct ctl_arena_figures *ctl_figures_acquire(size_t index,
    int *error);
/* The same for a pool. */
const struct ctl_pool_figures *ctl_pool_acquire(size_t index, int *error);
void ctl_snapshot_release(void);
/* Copies the field of call's node at offset of these, and releases; 0. */
int ctl_snapshot_load(const struct ctl_call *call, const void *figures,
    size_t offset, union ctl_value *out);

/* Zeroes the counters of the snapshot's own lock. */
void ctl_snapshot_reset_lock(void);

#endif
