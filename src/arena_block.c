/*
 * arena_block.c - blocks of an arena: small, large, sampled, dropped.
 */
#include "arena.h"

#include <errno.h>
#include <string.h>

#include "options.h"
#include "os.h"

unsigned
arena_small_fill(struct arena *arena, struct bin *bin, void **out,
    unsigned n, uint64_t nrequests)
{
	unsigned got = bin_fill(bin, &arena->pages, out + n, n, nrequests);

	if (got < n)
		memmove(out, out + n - got, got * sizeof *out);
	return got;
}

static void
count(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static struct arena_large_stats *
large_stats(struct arena *arena, unsigned sizeclass)
{
	return &arena->large_stats[sizeclass - SC_NSMALL];
}

/* No thread cache may keep what the oversize arena is to give back. */
static uint32_t
large_key(const struct arena *arena, unsigned sizeclass)
{
	return pagemap_key_of(arena->domain) | (sizeclass >= SC_NCACHEABLE ||
	    arena->index == arenas_oversize ? (uint32_t)PM_UNCACHED : 0);
}

static void
large_track(struct arena *arena, struct extent *extent)
{
	if (arena->automatic)
		return;
	lock_acquire(&arena->large_lock);
	list_push_back(&arena->large, &extent->link);
	extent->tracked = true;
	lock_release(&arena->large_lock);
}

static void
large_untrack(struct arena *arena, struct extent *extent)
{
	if (!extent->tracked)
		return;
	lock_acquire(&arena->large_lock);
	list_remove(&extent->link);
	extent->tracked = false;
	lock_release(&arena->large_lock);
}

/*
 * With cache_oblivious an extent has a granule more than its block needs, and
 * the block begins at some cache line of the first one:
 *
 *   addr .. offset .. | block: sc_sizes[class] bytes .............. | rest
 *   ^ a page            ^ the pagemap's first entry is still its own
 *
 * Else the first lines of all large blocks would fall into the same few sets
 * of a cache. Blocks that must be aligned to a granule have no offset; their
 * extents are as long, so that a class is one length.
 */
static size_t
large_size(unsigned sizeclass)
{
	size_t pad = opt.cache_oblivious ? PM_GRANULE : 0;

	return align_up(sc_sizes[sizeclass] + pad, os_page);
}

size_t
arena_class_align(unsigned sizeclass)
{
	return opt.cache_oblivious && sizeclass >= SC_NSMALL ? CACHELINE :
	    os_page;
}

/*
 * Multiples of the golden ratio: any run of them is spread evenly, and they
 * follow from the arena's own blocks alone, so that a run can be repeated.
 */
static uint16_t
choose_offset(struct arena *arena, size_t align)
{
	size_t step = align > CACHELINE ? align : CACHELINE;
	uint64_t n;

	if (!opt.cache_oblivious || step >= PM_GRANULE)
		return 0;
	n = atomic_fetch_add_explicit(&arena->next_offset, 1,
	    memory_order_relaxed);
	n = n * 0x9e3779b97f4a7c15u >> (64 - PM_LG_GRANULE);
	return (uint16_t)align_down((size_t)n, step);
}

static void *
large_alloc(struct arena *arena, unsigned sizeclass, size_t align,
    bool *zeroed)
{
	size_t size = large_size(sizeclass);
	size_t start = align > os_page ? align : os_page;
	struct extent *extent = zeroed == NULL ?
	    pages_alloc_any(&arena->pages, size, start) :
	    pages_alloc(&arena->pages, size, start);

	if (extent == NULL)
		return NULL;
	if (zeroed != NULL)
		*zeroed = extent->zeroed;
	extent->slab = false;
	extent->offset = choose_offset(arena, align);
	extent->sizeclass = (uint8_t)sizeclass;
	atomic_store_explicit(&extent->record, NULL, memory_order_relaxed);
	large_track(arena, extent);
	extent_map_large(extent, large_key(arena, sizeclass));
	count(&large_stats(arena, sizeclass)->nmalloc, 1);
	return extent_block(extent);
}

void *
arena_alloc(struct arena *arena, unsigned sizeclass, size_t align,
    bool *zeroed)
{
	void *ptr;

	if (sizeclass >= SC_NSMALL)
		return large_alloc(arena, sizeclass, align, zeroed);
	if (zeroed != NULL)
		*zeroed = false;
	return arena_small_fill(arena, arena_bin(arena, sizeclass, 0), &ptr,
	    1, 1) == 1 ? ptr : NULL;
}

static void
large_free(struct extent *extent)
{
	struct arena *arena = arena_get(extent_arena(extent), false);

	large_untrack(arena, extent);
	count(&large_stats(arena, extent->sizeclass)->ndalloc, 1);
	if (unlikely(sc_sizes[extent->sizeclass] >= atomic_load_explicit(
	    &arena->oversize, memory_order_relaxed)))
		pages_free_purged(&arena->pages, extent);
	else
		pages_free(&arena->pages, extent);
}

static void
flush_large(struct arena *arena, unsigned sizeclass, void **ptrs,
    unsigned n, uint64_t nrequests)
{
	struct arena_large_stats *stats = large_stats(arena, sizeclass);

	if (nrequests > 0)
		count(&stats->nrequests, nrequests);
	count(&stats->nflushes, 1);
	for (unsigned i = 0; i < n; i++)
		large_free(pagemap_extent(pagemap_get(ptrs[i])));
}

/* Each round gives those of the first one's bin back. */
void
arena_flush_small(unsigned sizeclass, void **ptrs, unsigned n)
{
	while (n > 0) {
		struct extent *slab = pagemap_extent(pagemap_get(ptrs[0]));
		struct arena *arena = arena_get(extent_arena(slab), false);

		n = bin_flush(arena_bin(arena, sizeclass, slab->shard),
		    &arena->pages, ptrs, n, 0);
	}
}

/* Where arena begins to take blocks: the first one's bin if it is its own. */
static struct bin *
first_bin(struct arena *arena, unsigned sizeclass, const void *ptr)
{
	struct extent *slab = pagemap_extent(pagemap_get(ptr));

	return arena_bin(arena, sizeclass,
	    extent_arena(slab) == arena->index ? slab->shard : 0);
}

void
arena_flush(struct arena *arena, unsigned sizeclass, void **ptrs, unsigned n,
    uint64_t nrequests)
{
	if (sizeclass >= SC_NSMALL) {
		flush_large(arena, sizeclass, ptrs, n, nrequests);
		return;
	}
	n = bin_flush(first_bin(arena, sizeclass, ptrs[0]), &arena->pages,
	    ptrs, n, nrequests);
	arena_flush_small(sizeclass, ptrs, n);
}

void
arena_free(void *ptr, uint64_t entry)
{
	struct extent *extent = pagemap_extent(entry);
	unsigned sizeclass = pagemap_sizeclass(entry);

	if (sizeclass < SC_NSMALL)
		arena_flush_small(sizeclass, &ptr, 1);
	else
		large_free(extent);
}

/* The old bytes stay; those behind them are made zero if zero. */
static int
large_expand(struct arena *arena, struct extent *extent, size_t size,
    bool zero)
{
	size_t old = extent->offset + sc_sizes[extent->sizeclass];
	size_t begin = extent->size;
	bool zeroed = true;

	if (size > extent->size) {
		int error = pages_expand(&arena->pages, extent, size,
		    &zeroed);

		if (error != 0)
			return error;
	}
	if (!zero)
		return 0;
	if (begin > old)		/* of a page that was begun */
		memset(extent->addr + old, 0, begin - old);
	if (!zeroed)
		memset(extent->addr + begin, 0, extent->size - begin);
	return 0;
}

int
arena_resize_large(void *ptr, uint64_t entry, unsigned sizeclass, bool zero)
{
	struct extent *extent = pagemap_extent(entry);
	struct arena *arena = arena_get(extent_arena(extent), false);
	size_t size = large_size(sizeclass);
	int error = 0;

	assert(ptr == extent_block(extent) && sizeclass >= SC_NSMALL);
	if (sizeclass > extent->sizeclass)
		error = large_expand(arena, extent, size, zero);
	else if (size < extent->size)
		error = pages_shrink(&arena->pages, extent, size);
	if (error != 0)
		return error;
	count(&large_stats(arena, extent->sizeclass)->ndalloc, 1);
	count(&large_stats(arena, sizeclass)->nmalloc, 1);
	extent->sizeclass = (uint8_t)sizeclass;
	extent_map_large(extent, large_key(arena, sizeclass) |
	    (uint32_t)(entry & PM_SAMPLED));
	return 0;
}

int
arena_sample_reserve(const void *ptr)
{
	uint64_t entry = pagemap_get(ptr);

	return pagemap_sizeclass(entry) < SC_NSMALL ?
	    slab_sample_reserve(pagemap_extent(entry)) : 0;
}

void
arena_sample_set(void *ptr, void *record)
{
	uint64_t entry = pagemap_get(ptr);
	struct extent *extent = pagemap_extent(entry);

	if (pagemap_sizeclass(entry) < SC_NSMALL) {
		slab_sample_set(extent, ptr);
		return;
	}
	atomic_store_explicit(&extent->record, record, memory_order_relaxed);
	pagemap_set(ptr, entry | PM_SAMPLED);
}

bool
arena_sample_test(const void *ptr, uint64_t entry, void **record)
{
	struct extent *extent = pagemap_extent(entry);

	*record = NULL;
	if ((entry & PM_SAMPLED) == 0)
		return false;
	if (pagemap_sizeclass(entry) < SC_NSMALL)
		return slab_sample_test(extent, ptr);
	*record = atomic_load_explicit(&extent->record,
	    memory_order_relaxed);
	return true;
}

void
arena_sample_clear(void *ptr, uint64_t entry)
{
	struct extent *extent = pagemap_extent(entry);

	if (pagemap_sizeclass(entry) < SC_NSMALL) {
		slab_sample_clear(extent, ptr);
		return;
	}
	/* entry may be from before a resize: the map knows the class. */
	atomic_store_explicit(&extent->record, NULL, memory_order_relaxed);
	pagemap_set(ptr, pagemap_get(ptr) & ~(uint64_t)PM_SAMPLED);
}

bool
arena_slab_info(const void *ptr, struct arena_slab *out)
{
	uint64_t entry = pagemap_get(ptr);
	unsigned sizeclass = pagemap_sizeclass(entry), nfree;
	const struct sc_slab *geometry;

	if (!pagemap_is_active(entry) || sizeclass >= SC_NSMALL)
		return false;
	geometry = &sc_slabs[sizeclass];
	nfree = slab_nfree(pagemap_extent(entry));
	out->nregs = geometry->nregs;
	out->nregs_used = nfree < geometry->nregs ? geometry->nregs - nfree :
	    1;				/* ptr itself is in use */
	out->free_bytes = geometry->slab_size -
	    (size_t)out->nregs_used * geometry->size;
	return true;
}

static void
drop_samples(struct extent *slab, arena_sample_end *end)
{
	const struct sc_slab *geometry = &sc_slabs[slab->sizeclass];

	if (atomic_load_explicit(&slab->samples, memory_order_relaxed) == NULL)
		return;
	for (unsigned i = 0; i < geometry->nregs; i++) {
		const void *ptr = slab->addr + (size_t)i * geometry->size;

		if (slab_sample_test(slab, ptr))
			end(ptr, NULL);
	}
}

/* atomic: */
static _Atomic uint64_t dropped;	/* bytes */

uint64_t
arena_dropped_bytes(void)
{
	return atomic_load_explicit(&dropped, memory_order_relaxed);
}

static void
reset_bin(struct arena *arena, struct bin *bin, arena_sample_end *end)
{
	struct list slabs = LIST_INITIALIZER(slabs), *node, *after;

	count(&dropped, bin_drain(bin, &slabs) * sc_sizes[bin->sizeclass]);
	list_for_each_safe(node, after, &slabs) {
		struct extent *slab = list_entry(node, struct extent, link);

		drop_samples(slab, end);
		slab_fini(slab);
		extent_unmap_slab(slab);
		pages_free(&arena->pages, slab);
	}
}

static struct extent *
first_large(struct arena *arena)
{
	struct extent *extent = NULL;

	lock_acquire(&arena->large_lock);
	if (!list_empty(&arena->large))
		extent = list_first(&arena->large, struct extent, link);
	lock_release(&arena->large_lock);
	return extent;
}

RACY uint64_t
arena_bins_use(const struct arena *arena)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < bin_first[SC_NSMALL]; i++)
		sum += arena->bins[i].stats.nfills +
		    arena->bins[i].stats.nflushes;
	return sum;
}

void
arena_trim(struct arena *arena)
{
	for (unsigned i = 0; i < bin_first[SC_NSMALL]; i++)
		bin_trim(&arena->bins[i]);
}

int
arena_reset(unsigned index, arena_sample_end *end)
{
	struct arena *arena = arena_get(index, false);
	struct extent *extent;

	if (arena == NULL || arena->automatic || index >= ARENA_MAX)
		return EFAULT;
	while ((extent = first_large(arena)) != NULL) {
		void *record = atomic_load_explicit(&extent->record,
		    memory_order_relaxed);

		if (record != NULL)
			end(extent_block(extent), record);
		count(&dropped, sc_sizes[extent->sizeclass]);
		large_free(extent);
	}
	for (unsigned i = 0; i < bin_first[SC_NSMALL]; i++)
		reset_bin(arena, &arena->bins[i], end);
	return 0;
}

int
arena_destroy(unsigned index, arena_sample_end *end)
{
	struct arena *arena = arena_get(index, false);
	int error;

	if (arena == NULL || atomic_load_explicit(&arena->nthreads,
	    memory_order_relaxed) != 0)
		return EFAULT;
	error = arena_reset(index, end);
	if (error != 0)
		return error;
	pages_destroy(&arena->pages);
	arena_stats_retire(arena);
	atomic_store_explicit(&arena->initialized, false,
	    memory_order_release);
	return 0;
}
