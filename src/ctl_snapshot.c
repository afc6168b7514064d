/*
 * ctl_snapshot.c - takes the figures of all parts and makes them agree.
 */
#include "ctl_snapshot.h"

#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "base.h"
#include "boot.h"
#include "foreign.h"
#include "mallctl.h"
#include "os.h"
#include "thread.h"
#include "names.h"

static struct lock snapshot_lock = LOCK_INITIALIZER(RANK_CTL, "ctl");
/* snapshot_lock: */
static uint64_t snapshot_epoch;
static struct ctl_total total;
static struct ctl_arena_figures *merged, *destroyed;
static struct ctl_arena_figures *arenas[ARENA_MAX];
static struct ctl_pool_figures *pools[POOL_MAX];

/* --- taking a snapshot ---------------------------------------------------- */

static struct ctl_arena_figures *
ctl_figures_new(void)
{
	return base_alloc(&base_meta, sizeof *merged, CACHELINE);
}

static void
ctl_read_arena(struct arena *arena, struct ctl_arena_figures *out)
{
	arena_stats_read(arena, &out->stats);
	out->initialized = true;
	out->tcache_bytes = thread_tcache_bytes_of(arena);
	arena_name_get(arena, out->name);
	out->base = out->internal = out->metadata_thp = 0;
	out->metadata_rtree = 0;
	/* What belongs to no arena is shown as the first one's. */
	if (arena->index == 0) {
		struct base_stats base;

		base_stats(&base_meta, &base);
		out->base = base.allocated - pagemap_bytes();
		out->metadata_thp = base.nhuge;
		out->metadata_rtree = pagemap_bytes();
		out->internal = pages_active(&arena_internal()->pages);
		lock_stats_read(&base_meta.lock, &out->base_lock);
	}
	out->resident = out->stats.active + out->stats.dirty +
	    out->stats.muzzy + out->base + out->internal;
}

/* What destroyed arenas have counted; no memory is theirs any more. */
static int
ctl_read_destroyed(void)
{
	if (!arena_stats_destroyed(NULL))
		return 0;
	if (destroyed == NULL && (destroyed = ctl_figures_new()) == NULL)
		return EAGAIN;
	destroyed->initialized = arena_stats_destroyed(&destroyed->stats);
	return 0;
}

static void
ctl_merge_arena(const struct ctl_arena_figures *part)
{
	arena_stats_merge(&merged->stats, &part->stats);
	merged->base += part->base;
	merged->internal += part->internal;
	merged->metadata_thp += part->metadata_thp;
	merged->metadata_rtree += part->metadata_rtree;
	merged->resident += part->resident;
	lock_stats_merge(&merged->base_lock, &part->base_lock);
}

static int
ctl_read_arenas(void)
{
	unsigned n = arenas_count();

	memset(merged, 0, sizeof *merged);
	merged->initialized = true;
	for (unsigned i = 0; i < n; i++) {
		struct arena *arena = arena_get(i, false);

		if (arena == NULL) {
			if (arenas[i] != NULL)
				arenas[i]->initialized = false;
			continue;
		}
		if (arenas[i] == NULL && (arenas[i] = ctl_figures_new()) ==
		    NULL)
			return EAGAIN;
		ctl_read_arena(arena, arenas[i]);
		ctl_merge_arena(arenas[i]);
	}
	return 0;
}

static void
ctl_read_pool(unsigned index, struct ctl_pool_figures *out)
{
	uint64_t now;

	out->is_there = pool_stats_read(index, &out->stats) == 0;
	now = os_now_ns();
	out->rotation_age_ns = now - out->stats.rotated_ns;
}

static int
ctl_read_pools(void)
{
	unsigned n = pools_count();

	for (unsigned i = 0; i < n; i++) {
		if (pools[i] == NULL)
			pools[i] = base_alloc(&base_meta, sizeof *pools[i],
			    CACHELINE);
		if (pools[i] == NULL)
			return EAGAIN;
		ctl_read_pool(i, pools[i]);
	}
	return 0;
}

/*
 * The arenas are read one after the other while threads go on: what cannot
 * be of one moment is made consistent, so that no reader sees a negative
 * difference.
 */
static void
ctl_read_total(void)
{
	const struct arena_stats *sum = &merged->stats;
	struct thread_totals threads;
	struct base_stats base;

	thread_totals(&threads);
	base_stats(&base_meta, &base);
	total.allocated = sum->small_allocated + sum->large_allocated;
	total.active = sum->active > total.allocated ? sum->active :
	    total.allocated;
	total.metadata_edata = sum->extent_bytes;
	total.metadata_rtree = merged->metadata_rtree;
	total.metadata = merged->base + merged->internal;
	total.resident = total.active + sum->dirty + sum->muzzy +
	    total.metadata;
	total.mapped = total.active + sum->dirty + sum->muzzy + base.mapped +
	    merged->internal;
	total.metadata_thp = base.nhuge;
	total.retained = sum->retained;
	total.live = threads.allocated - threads.deallocated;
	/* With what waits to go back to other arenas than the cache's. */
	total.tcache_bytes = merged->tcache_bytes = threads.tcache_bytes;
	total.zero_reallocs = alloc_zero_reallocs();
	total.foreign_handed = foreign_handed();
	total.foreign_leaked = foreign_leaked();
	background_stats_get(&total.background);
	background_lock_stats(&total.background_thread);
	lock_stats_read_locked(&snapshot_lock, &total.ctl);
	for (int i = 0; CONFIG_PROF && i < PROF_NMUTEXES; i++)
		prof_mutex_read((enum prof_mutex)i, &total.prof[i]);
}

static int
ctl_refresh_locked(void)
{
	int error;

	if (merged == NULL && (merged = ctl_figures_new()) == NULL)
		return EAGAIN;
	error = ctl_read_arenas();
	if (error == 0)
		error = ctl_read_destroyed();
	if (error == 0)
		error = ctl_read_pools();
	if (error == 0) {
		ctl_read_total();
		snapshot_epoch++;
	}
	return error;
}

int
ctl_refresh(void)
{
	int error;

	if (boot() != 0)
		return EAGAIN;
	lock_acquire(&snapshot_lock);
	error = ctl_refresh_locked();
	lock_release(&snapshot_lock);
	return error;
}

/* The first reader of a process that never wrote epoch gets a snapshot too. */
static int
ctl_snapshot_acquire(void)
{
	int error = 0;

	if (boot() != 0)
		return EAGAIN;
	lock_acquire(&snapshot_lock);
	if (snapshot_epoch == 0)
		error = ctl_refresh_locked();
	if (error != 0)
		lock_release(&snapshot_lock);
	return error;
}

/* Writing anything renews the snapshot; reading gives its number. */
int
ctl_epoch(const struct ctl_call *call)
{
	uint64_t epoch;
	int error = 0;

	if (call->newp != NULL || call->newlen != 0) {
		error = ctl_copy_in(call, &epoch, sizeof epoch);
		if (error == 0)
			error = ctl_refresh();
	}
	if (error == 0)
		error = ctl_snapshot_acquire();
	if (error != 0)
		return error;
	epoch = snapshot_epoch;
	lock_release(&snapshot_lock);
	return ctl_copy_out(call, &epoch, sizeof epoch);
}

void
ctl_fork_prepare(void)
{
	lock_acquire(&snapshot_lock);
}

void
ctl_fork_parent(void)
{
	lock_release(&snapshot_lock);
}

void
ctl_fork_child(void)
{
	lock_reinit_child(&snapshot_lock);
}

/* --- for readers ---------------------------------------------------------- */

const struct ctl_total *
ctl_total_acquire(int *error)
{
	*error = ctl_snapshot_acquire();
	return *error == 0 ? &total : NULL;
}

static const struct ctl_arena_figures *
ctl_figures_at(size_t index)
{
	if (index == MALLCTL_ARENAS_ALL)
		return merged;
	if (index == MALLCTL_ARENAS_DESTROYED)
		return destroyed;
	return arenas[index];
}

const struct ctl_arena_figures *
ctl_figures_acquire(size_t index, int *error)
{
	const struct ctl_arena_figures *figures;

	*error = ctl_snapshot_acquire();
	if (*error != 0)
		return NULL;
	figures = ctl_figures_at(index);
	if (figures != NULL && figures->initialized)
		return figures;
	lock_release(&snapshot_lock);
	*error = ENOENT;
	return NULL;
}

const struct ctl_pool_figures *
ctl_pool_acquire(size_t index, int *error)
{
	*error = ctl_snapshot_acquire();
	if (*error != 0)
		return NULL;
	if (index < POOL_MAX && pools[index] != NULL &&
	    pools[index]->is_there)
		return pools[index];
	lock_release(&snapshot_lock);
	*error = ENOENT;
	return NULL;
}

void
ctl_snapshot_release(void)
{
	lock_release(&snapshot_lock);
}

int
ctl_snapshot_load(const struct ctl_call *call, const void *figures,
    size_t offset, union ctl_value *out)
{
	memcpy(out, (const char *)figures + offset,
	    ctl_type_size(call->node->type));
	ctl_snapshot_release();
	return 0;
}

void
ctl_snapshot_reset_lock(void)
{
	lock_stats_reset(&snapshot_lock);
}
