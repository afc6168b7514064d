/*
 * arena_stats.c - figures of arenas.
 *
 * Counters under a lock are read under it, the others relaxed: the figures of
 * one moment agree when nobody allocates. What destroyed arenas have counted
 * is kept as one sum.
 *
 * Locks: destroyed_lock (RANK_ARENAS) around that sum; those of an arena are
 *   taken under it.
 */
#include "arena.h"

#include <string.h>

#include "os.h"

static uint64_t
load(const _Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

static void
merge_bin(struct bin_stats *sum, const struct bin_stats *part)
{
	sum->nmalloc += part->nmalloc;
	sum->ndalloc += part->ndalloc;
	sum->nrequests += part->nrequests;
	sum->nfills += part->nfills;
	sum->nflushes += part->nflushes;
	sum->nslabs += part->nslabs;
	sum->nreslabs += part->nreslabs;
	sum->curregs += part->curregs;
	sum->curslabs += part->curslabs;
	sum->nonfull_slabs += part->nonfull_slabs;
}

/* A class's bins, one or more; the locks' counters are added up too. */
static void
read_class(struct arena *arena, unsigned sizeclass, struct bin_stats *out,
    struct lock_stats *locks)
{
	memset(out, 0, sizeof *out);
	memset(locks, 0, sizeof *locks);
	for (unsigned i = 0; i < bin_nshards[sizeclass]; i++) {
		struct bin_stats bin;
		struct lock_stats lock;

		bin_stats_read(arena_bin(arena, sizeclass, i), &bin, &lock);
		merge_bin(out, &bin);
		lock_stats_merge(locks, &lock);
	}
}

static void
read_bins(struct arena *arena, struct arena_stats *out)
{
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		const struct bin_stats *bin = &out->bins[i];

		read_class(arena, i, &out->bins[i], &out->bin_locks[i]);
		out->small_allocated += bin->curregs * sc_sizes[i];
		out->small_nmalloc += bin->nmalloc;
		out->small_ndalloc += bin->ndalloc;
		out->small_nrequests += bin->nrequests;
		out->small_nfills += bin->nfills;
		out->small_nflushes += bin->nflushes;
	}
}

static void
read_large(struct arena *arena, struct arena_stats *out)
{
	for (unsigned i = 0; i < ARENA_NLARGE; i++) {
		struct arena_large_stats *stats = &arena->large_stats[i];
		struct arena_large_values *large = &out->large[i];

		/* ndalloc first, so that the difference is not negative. */
		large->ndalloc = load(&stats->ndalloc);
		large->nmalloc = load(&stats->nmalloc);
		large->nrequests = load(&stats->nrequests) + large->nmalloc;
		large->curlextents = (size_t)(large->nmalloc -
		    large->ndalloc);
		out->large_allocated += large->curlextents *
		    sc_sizes[SC_NSMALL + i];
		out->large_nmalloc += large->nmalloc;
		out->large_ndalloc += large->ndalloc;
		out->large_nrequests += large->nrequests;
		/* as in jemalloc: caches of large blocks fill by one */
		out->large_nfills += large->nmalloc;
		out->large_nflushes += load(&stats->nflushes);
	}
}

static void
read_extents(struct arena *arena, struct arena_stats *out)
{
	struct ecache *caches = arena->pages.caches;
	struct arena_extent_stats *extents = out->extents;

	for (unsigned c = 0; c < EXTENT_NCACHES; c++)
		lock_acquire(&caches[c].lock);
	for (unsigned i = 0; i < SC_COUNT; i++) {
		if ((sc_sizes[i] & (os_page - 1)) != 0)
			continue;
		extents->ndirty = caches[EXTENT_DIRTY].classes[i].count;
		extents->dirty_bytes = caches[EXTENT_DIRTY].classes[i].bytes;
		extents->nmuzzy = caches[EXTENT_MUZZY].classes[i].count;
		extents->muzzy_bytes = caches[EXTENT_MUZZY].classes[i].bytes;
		extents->nretained =
		    caches[EXTENT_RETAINED].classes[i].count;
		extents->retained_bytes =
		    caches[EXTENT_RETAINED].classes[i].bytes;
		extents++;
	}
	for (unsigned c = 0; c < EXTENT_NCACHES; c++)
		lock_release(&caches[c].lock);
}

static void
read_pages(struct arena *arena, struct arena_stats *out)
{
	struct pages *pages = &arena->pages;

	out->active = pages_active(pages);
	out->dirty = ecache_bytes(&pages->caches[EXTENT_DIRTY]);
	out->muzzy = ecache_bytes(&pages->caches[EXTENT_MUZZY]);
	out->retained = ecache_bytes(&pages->caches[EXTENT_RETAINED]);
	out->mapped = out->active + out->dirty + out->muzzy;
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		struct decay *decay = &pages->decays[i];

		out->decay[i].npurge = load(&decay->npurge);
		out->decay[i].nmadvise = load(&decay->nmadvise);
		out->decay[i].purged = load(&decay->purged);
	}
	lock_acquire(&pages->store.lock);
	out->extent_avail = pages->store.nfree;
	out->extent_bytes = (pages->store.nfree + pages->store.nused) *
	    EXTENT_ALIGN;
	lock_release(&pages->store.lock);
}

static void
read_locks(struct arena *arena, struct arena_stats *out)
{
	struct pages *pages = &arena->pages;

	lock_stats_read(&arena->large_lock, &out->locks.large);
	lock_stats_read(&pages->store.lock, &out->locks.extent_avail);
	lock_stats_read(&pages->caches[EXTENT_DIRTY].lock,
	    &out->locks.extents_dirty);
	lock_stats_read(&pages->caches[EXTENT_MUZZY].lock,
	    &out->locks.extents_muzzy);
	lock_stats_read(&pages->caches[EXTENT_RETAINED].lock,
	    &out->locks.extents_retained);
	lock_stats_read(&pages->decays[EXTENT_DIRTY].lock,
	    &out->locks.decay_dirty);
	lock_stats_read(&pages->decays[EXTENT_MUZZY].lock,
	    &out->locks.decay_muzzy);
	lock_stats_read(&pages->grow_lock, &out->locks.grow);
}

void
arena_stats_read(struct arena *arena, struct arena_stats *out)
{
	memset(out, 0, sizeof *out);
	out->nthreads = atomic_load_explicit(&arena->nthreads,
	    memory_order_relaxed);
	out->uptime_ns = os_now_ns() - arena->created_ns;
	read_bins(arena, out);
	read_large(arena, out);
	read_extents(arena, out);
	read_pages(arena, out);
	read_locks(arena, out);
}

static void
merge_extents(struct arena_extent_stats *sum,
    const struct arena_extent_stats *part)
{
	sum->ndirty += part->ndirty;
	sum->nmuzzy += part->nmuzzy;
	sum->nretained += part->nretained;
	sum->dirty_bytes += part->dirty_bytes;
	sum->muzzy_bytes += part->muzzy_bytes;
	sum->retained_bytes += part->retained_bytes;
}

static void
merge_scalars(struct arena_stats *sum, const struct arena_stats *part)
{
	sum->nthreads += part->nthreads;
	if (part->uptime_ns > sum->uptime_ns)
		sum->uptime_ns = part->uptime_ns;
	sum->active += part->active;
	sum->dirty += part->dirty;
	sum->muzzy += part->muzzy;
	sum->retained += part->retained;
	sum->mapped += part->mapped;
	sum->extent_avail += part->extent_avail;
	sum->extent_bytes += part->extent_bytes;
	sum->small_allocated += part->small_allocated;
	sum->large_allocated += part->large_allocated;
	sum->small_nmalloc += part->small_nmalloc;
	sum->small_ndalloc += part->small_ndalloc;
	sum->small_nrequests += part->small_nrequests;
	sum->small_nfills += part->small_nfills;
	sum->small_nflushes += part->small_nflushes;
	sum->large_nmalloc += part->large_nmalloc;
	sum->large_ndalloc += part->large_ndalloc;
	sum->large_nrequests += part->large_nrequests;
	sum->large_nfills += part->large_nfills;
	sum->large_nflushes += part->large_nflushes;
}

static void
merge_locks(struct arena_stats *sum, const struct arena_stats *part)
{
	struct lock_stats *to = (struct lock_stats *)&sum->locks;
	const struct lock_stats *from =
	    (const struct lock_stats *)&part->locks;

	for (size_t i = 0; i < sizeof sum->locks / sizeof *to; i++)
		lock_stats_merge(&to[i], &from[i]);
}

void
arena_stats_merge(struct arena_stats *sum, const struct arena_stats *part)
{
	merge_scalars(sum, part);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		sum->decay[i].npurge += part->decay[i].npurge;
		sum->decay[i].nmadvise += part->decay[i].nmadvise;
		sum->decay[i].purged += part->decay[i].purged;
	}
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		merge_bin(&sum->bins[i], &part->bins[i]);
		lock_stats_merge(&sum->bin_locks[i], &part->bin_locks[i]);
	}
	for (unsigned i = 0; i < ARENA_NLARGE; i++) {
		sum->large[i].nmalloc += part->large[i].nmalloc;
		sum->large[i].ndalloc += part->large[i].ndalloc;
		sum->large[i].nrequests += part->large[i].nrequests;
		sum->large[i].curlextents += part->large[i].curlextents;
	}
	for (unsigned i = 0; i < SC_COUNT; i++)
		merge_extents(&sum->extents[i], &part->extents[i]);
	merge_locks(sum, part);
}

void
arena_stats_reset_locks(struct arena *arena)
{
	struct pages *pages = &arena->pages;

	for (unsigned i = 0; i < bin_first[SC_NSMALL]; i++)
		lock_stats_reset(&arena->bins[i].lock);
	lock_stats_reset(&arena->large_lock);
	lock_stats_reset(&pages->store.lock);
	lock_stats_reset(&pages->grow_lock);
	for (unsigned i = 0; i < EXTENT_NCACHES; i++)
		lock_stats_reset(&pages->caches[i].lock);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		lock_stats_reset(&pages->decays[i].lock);
}

/* --- destroyed arenas ----------------------------------------------------- */

static struct lock destroyed_lock = LOCK_INITIALIZER(RANK_ARENAS, "destroyed");
/* destroyed_lock: */
static struct arena_stats destroyed, dying;
static bool any_destroyed;

/* Sizes are of now, and now there is nothing. */
static void
clear_sizes(struct arena_stats *stats)
{
	stats->nthreads = 0;
	stats->uptime_ns = 0;
	stats->active = stats->dirty = stats->muzzy = 0;
	stats->retained = stats->mapped = 0;
	stats->extent_avail = stats->extent_bytes = 0;
	stats->small_allocated = stats->large_allocated = 0;
	for (unsigned i = 0; i < SC_NSMALL; i++)
		stats->bins[i].curregs = stats->bins[i].curslabs =
		    stats->bins[i].nonfull_slabs = 0;
	for (unsigned i = 0; i < ARENA_NLARGE; i++)
		stats->large[i].curlextents = 0;
	memset(stats->extents, 0, sizeof stats->extents);
}

static void
clear(_Atomic uint64_t *counter)
{
	atomic_store_explicit(counter, 0, memory_order_relaxed);
}

/* What the next arena of this index counts from. */
static void
reset_counters(struct arena *arena)
{
	for (unsigned i = 0; i < bin_first[SC_NSMALL]; i++)
		bin_stats_reset(&arena->bins[i]);
	for (unsigned i = 0; i < ARENA_NLARGE; i++) {
		struct arena_large_stats *large = &arena->large_stats[i];

		clear(&large->nmalloc);
		clear(&large->ndalloc);
		clear(&large->nrequests);
		clear(&large->nfills);
		clear(&large->nflushes);
	}
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		clear(&arena->pages.decays[i].npurge);
		clear(&arena->pages.decays[i].nmadvise);
		clear(&arena->pages.decays[i].purged);
	}
	arena_stats_reset_locks(arena);
}

void
arena_stats_retire(struct arena *arena)
{
	lock_acquire(&destroyed_lock);
	arena_stats_read(arena, &dying);
	clear_sizes(&dying);
	arena_stats_merge(&destroyed, &dying);
	reset_counters(arena);
	any_destroyed = true;
	lock_release(&destroyed_lock);
}

bool
arena_stats_destroyed(struct arena_stats *out)
{
	bool any;

	lock_acquire(&destroyed_lock);
	any = any_destroyed;
	if (any && out != NULL)
		*out = destroyed;
	lock_release(&destroyed_lock);
	return any;
}

void
arena_stats_each_lock(enum lock_rank rank, void (*op)(struct lock *lock))
{
	if (rank == RANK_ARENAS)
		op(&destroyed_lock);
}

/* --- all of them ---------------------------------------------------------- */

size_t
arena_allocated(struct arena *arena)
{
	struct lock_stats ignored;
	size_t sum = 0;

	for (unsigned i = 0; i < SC_NSMALL; i++) {
		struct bin_stats bin;

		read_class(arena, i, &bin, &ignored);
		sum += bin.curregs * sc_sizes[i];
	}
	for (unsigned i = 0; i < ARENA_NLARGE; i++) {
		uint64_t ndalloc = load(&arena->large_stats[i].ndalloc);

		sum += (size_t)(load(&arena->large_stats[i].nmalloc) -
		    ndalloc) * sc_sizes[SC_NSMALL + i];
	}
	return sum;
}

void
arena_totals(struct arena_totals *out)
{
	unsigned n = arenas_count();
	struct base_stats base;

	memset(out, 0, sizeof *out);
	for (unsigned i = 0; i < n; i++) {
		struct arena *arena = arena_get(i, false);

		if (arena == NULL)
			continue;
		out->allocated += arena_allocated(arena);
		out->active += pages_active(&arena->pages);
		out->dirty += ecache_bytes(
		    &arena->pages.caches[EXTENT_DIRTY]);
		out->muzzy += ecache_bytes(
		    &arena->pages.caches[EXTENT_MUZZY]);
		out->retained += ecache_bytes(
		    &arena->pages.caches[EXTENT_RETAINED]);
	}
	base_stats(&base_meta, &base);
	/* Leaves of the pagemap are mostly untouched: they do not count. */
	out->metadata = base.allocated - pagemap_bytes() +
	    pages_active(&arena_internal()->pages);
	out->mapped = out->active + out->dirty + out->muzzy +
	    base.mapped;
	out->resident = out->active + out->dirty + out->muzzy +
	    out->metadata;
}
