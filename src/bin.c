/*
 * bin.c - slabs of one size class; see bin.h.
 */
#include "bin.h"

#include <string.h>

#include "options.h"
#include "os.h"

enum {
	TRIM_SLABS = 8,			/* at once: 10 to 20 us of the lock */
	TRIM_SEEN = 64,			/* the same, if they miss the cache */
};

unsigned bin_first[SC_NSMALL + 1];
unsigned bin_nshards[SC_NSMALL];

/* A range means the classes of its ends and all between, as jemalloc's. */
static void
set_shards(const struct option_range *range)
{
	size_t hi = range->hi < SC_SMALL_MAX ? range->hi : SC_SMALL_MAX;

	if (range->lo > SC_SMALL_MAX)
		return;
	for (unsigned i = sc_index(range->lo); i <= sc_index(hi); i++)
		bin_nshards[i] = (unsigned)range->value;
}

void
bin_boot(void)
{
	for (unsigned i = 0; i < SC_NSMALL; i++)
		bin_nshards[i] = 1;
	for (unsigned i = 0; i < opt.bin_shards.count; i++)
		set_shards(&opt.bin_shards.range[i]);
	for (unsigned i = 0; i < SC_NSMALL; i++)
		bin_first[i + 1] = bin_first[i] + bin_nshards[i];
}

static void
bin_init(struct bin *bin, unsigned sizeclass, unsigned shard, unsigned domain)
{
	memset(bin, 0, sizeof *bin);
	lock_init(&bin->lock, RANK_BIN, "bin");
	list_init(&bin->full);
	bin->sizeclass = sizeclass;
	bin->shard = shard;
	bin->domain = domain;
}

void
bin_init_all(struct bin *bins, unsigned domain)
{
	for (unsigned i = 0; i < SC_NSMALL; i++)
		for (unsigned shard = 0; shard < bin_nshards[i]; shard++)
			bin_init(&bins[bin_first[i] + shard], i, shard,
			    domain);
}

static void
slab_new(struct bin *bin, struct pages *pages, struct extent *extent,
    struct list *out)
{
	if (slab_init(extent, bin->sizeclass) != 0) {
		pages_free(pages, extent);
		return;
	}
	extent->shard = (uint8_t)bin->shard;
	extent_map_slab(extent, pagemap_key_of(bin->domain));
	list_push_back(out, &extent->link);
}

/* As many as it takes for nregs regions, or fewer; none: no memory. */
static void
slabs_new(struct bin *bin, struct pages *pages, unsigned nregs,
    struct list *out)
{
	unsigned each = sc_slabs[bin->sizeclass].nregs;
	struct list extents = LIST_INITIALIZER(extents);

	(void)pages_alloc_slabs(pages, bin->sizeclass,
	    (nregs + each - 1) / each, &extents);
	while (!list_empty(&extents)) {
		struct extent *extent = list_first(&extents, struct extent,
		    link);

		list_remove(&extent->link);
		slab_new(bin, pages, extent, out);
	}
}

static void
slabs_free(struct pages *pages, struct list *slabs)
{
	struct list *node;

	list_for_each(node, slabs) {
		struct extent *slab = list_entry(node, struct extent, link);

		slab_fini(slab);
		extent_unmap_slab(slab);
	}
	pages_free_list(pages, slabs);
}

static struct extent *
pop_nonfull_locked(struct bin *bin)
{
	struct heap_node *node = heap_pop(&bin->nonfull, extent_less);

	if (node == NULL)
		return NULL;
	bin->stats.nonfull_slabs--;
	bin->stats.nreslabs++;
	return container_of(node, struct extent, heap);
}

static void
push_nonfull_locked(struct bin *bin, struct extent *slab)
{
	heap_insert(&bin->nonfull, &slab->heap, extent_less);
	bin->stats.nonfull_slabs++;
}

/* cur, with or without free regions, becomes one of the others. */
static void
retire_cur_locked(struct bin *bin)
{
	if (bin->cur == NULL)
		return;
	if (slab_nfree(bin->cur) == 0)
		list_push_back(&bin->full, &bin->cur->link);
	else
		push_nonfull_locked(bin, bin->cur);
	bin->cur = NULL;
}

static struct extent *
pop_fresh_locked(struct bin *bin, struct list *fresh)
{
	struct list *node = fresh->next;

	if (list_empty(fresh))
		return NULL;
	list_remove(node);
	bin->stats.nslabs++;
	bin->stats.curslabs++;
	return list_entry(node, struct extent, link);
}

/*
 * Makes cur a slab with a free region, for a fill that needs nregs; what else
 * it needs is on fresh then. The lock is dropped in between.
 */
static bool
refill_cur_locked(struct bin *bin, struct pages *pages, unsigned nregs,
    struct list *fresh)
{
	struct extent *slab = pop_fresh_locked(bin, fresh);

	if (slab == NULL)
		slab = pop_nonfull_locked(bin);
	if (slab == NULL) {
		lock_release(&bin->lock);
		slabs_new(bin, pages, nregs, fresh);
		lock_acquire(&bin->lock);
		slab = pop_fresh_locked(bin, fresh);
		if (slab == NULL)	/* meanwhile others may have freed */
			return bin->cur != NULL && slab_nfree(bin->cur) > 0;
	}
	retire_cur_locked(bin);
	bin->cur = slab;
	return true;
}

unsigned
bin_fill(struct bin *bin, struct pages *pages, void **end, unsigned n,
    uint64_t nrequests)
{
	/* All of them will be used: there are no more than n asks for. */
	struct list fresh = LIST_INITIALIZER(fresh);
	unsigned got = 0;

	lock_acquire(&bin->lock);
	while (got < n) {
		unsigned took;

		if ((bin->cur == NULL || slab_nfree(bin->cur) == 0) &&
		    !refill_cur_locked(bin, pages, n - got, &fresh))
			break;
		took = slab_take(bin->cur, end - got, n - got);
		/* At once: a fork may come while refill has let go. */
		bin->stats.curregs += took;
		bin->stats.nmalloc += took;
		got += took;
	}
	bin->stats.nrequests += nrequests;
	bin->stats.nfills++;
	lock_release(&bin->lock);
	return got;
}

static void
slab_emptied_locked(struct bin *bin, struct extent *slab, bool was_full,
    struct list *empty)
{
	if (slab == bin->cur) {
		bin->cur = NULL;
	} else if (was_full) {
		list_remove(&slab->link);
	} else {
		heap_remove(&bin->nonfull, &slab->heap, extent_less);
		bin->stats.nonfull_slabs--;
	}
	bin->stats.curslabs--;
	list_push_back(empty, &slab->link);
}

static void
slab_no_longer_full_locked(struct bin *bin, struct extent *slab)
{
	list_remove(&slab->link);
	if (bin->cur != NULL && extent_less(&slab->heap, &bin->cur->heap)) {
		retire_cur_locked(bin);
		bin->cur = slab;
		bin->stats.nreslabs++;
	} else {
		push_nonfull_locked(bin, slab);
	}
}

/* What all regions of a bin have in common, out of the loop's way. */
struct giving {
	uint64_t inverse;
	unsigned nregs, arena, shard;
};

static struct giving
giving_of(const struct bin *bin, const struct pages *pages)
{
	const struct sc_slab *geometry = &sc_slabs[bin->sizeclass];

	return (struct giving){ geometry->inverse, geometry->nregs,
	    pages->arena, bin->shard };
}

/* A slab that is empty now goes onto the list. */
static inline void
give_locked(struct bin *bin, const struct giving *giving,
    struct extent *slab, const char *ptr, struct list *empty)
{
	unsigned nfree = slab_give(slab, (unsigned)((uint64_t)(ptr -
	    slab->addr) * giving->inverse >> SC_LG_INVERSE));

	if (unlikely(nfree == giving->nregs))
		slab_emptied_locked(bin, slab, nfree == 1, empty);
	else if (unlikely(nfree == 1) && slab != bin->cur)
		slab_no_longer_full_locked(bin, slab);
}

unsigned
bin_flush(struct bin *bin, struct pages *pages, void **ptrs, unsigned n,
    uint64_t nrequests)
{
	struct list empty = LIST_INITIALIZER(empty);
	const struct giving giving = giving_of(bin, pages);
	unsigned others = 0;

	lock_acquire(&bin->lock);
	for (unsigned i = 0; i < n; i++) {
		struct extent *slab = pagemap_extent(pagemap_get(ptrs[i]));

		if (unlikely(extent_arena(slab) != giving.arena ||
		    slab->shard != giving.shard))
			ptrs[others++] = ptrs[i];
		else
			give_locked(bin, &giving, slab, ptrs[i], &empty);
	}
	bin->stats.ndalloc += n - others;
	bin->stats.curregs -= n - others;
	bin->stats.nrequests += nrequests;
	bin->stats.nflushes++;
	lock_release(&bin->lock);
	slabs_free(pages, &empty);
	return others;
}

/* Where a trim goes on, as long as nobody has used the bin. */
struct trim {
	struct heap_node *at;
	uint64_t use;
};

/* Changes with each hold that takes a slab out of nonfull. */
static uint64_t
use_locked(const struct bin *bin)
{
	return bin->stats.nfills + bin->stats.nflushes + bin->stats.nreslabs;
}

/* Each slab once: there may be more of them than one pass can look at. */
static void
trim_some_locked(struct bin *bin, struct trim *trim)
{
	unsigned trimmed = 0, seen = 0;

	while (trim->at != NULL && trimmed < TRIM_SLABS && seen++ < TRIM_SEEN) {
		trimmed += slab_trim(container_of(trim->at, struct extent,
		    heap));
		trim->at = heap_next(&bin->nonfull, trim->at);
	}
	trim->use = use_locked(bin);
}

void
bin_trim(struct bin *bin)
{
	struct trim trim;

	if (sc_slabs[bin->sizeclass].slab_size <= os_page_system)
		return;
	lock_acquire(&bin->lock);
	if (bin->cur != NULL)
		(void)slab_trim(bin->cur);
	trim.at = heap_first(&bin->nonfull);
	trim_some_locked(bin, &trim);
	lock_release(&bin->lock);
	while (trim.at != NULL) {
		lock_acquire(&bin->lock);
		if (use_locked(bin) == trim.use)
			trim_some_locked(bin, &trim);
		else
			trim.at = NULL;		/* it rests no longer */
		lock_release(&bin->lock);
	}
}

void
bin_stats_read(struct bin *bin, struct bin_stats *out,
    struct lock_stats *lock)
{
	lock_acquire(&bin->lock);
	*out = bin->stats;
	lock_stats_read_locked(&bin->lock, lock);
	lock_release(&bin->lock);
}

void *
bin_cur(struct bin *bin)
{
	void *addr;

	lock_acquire(&bin->lock);
	addr = bin->cur == NULL ? NULL : bin->cur->addr;
	lock_release(&bin->lock);
	return addr;
}

void
bin_stats_reset(struct bin *bin)
{
	lock_acquire(&bin->lock);
	assert(bin->stats.curregs == 0 && bin->stats.curslabs == 0);
	memset(&bin->stats, 0, sizeof bin->stats);
	lock_release(&bin->lock);
}

size_t
bin_drain(struct bin *bin, struct list *out)
{
	struct extent *slab;
	size_t dropped;

	lock_acquire(&bin->lock);
	retire_cur_locked(bin);
	while ((slab = pop_nonfull_locked(bin)) != NULL)
		list_push_back(out, &slab->link);
	while (!list_empty(&bin->full)) {
		struct list *node = bin->full.next;

		list_remove(node);
		list_push_back(out, node);
	}
	dropped = bin->stats.curregs;
	bin->stats.ndalloc += dropped;
	bin->stats.curregs = 0;
	bin->stats.curslabs = 0;
	lock_release(&bin->lock);
	return dropped;
}

void
bin_each_slab(struct bin *bin, void (*visit)(struct extent *slab, void *arg),
    void *arg)
{
	struct heap_node *at;
	struct list *node;

	lock_acquire(&bin->lock);
	if (bin->cur != NULL)
		visit(bin->cur, arg);
	for (at = heap_first(&bin->nonfull); at != NULL;
	    at = heap_next(&bin->nonfull, at))
		visit(container_of(at, struct extent, heap), arg);
	list_for_each(node, &bin->full)
		visit(list_entry(node, struct extent, link), arg);
	lock_release(&bin->lock);
}

struct check {
	size_t slabs, used;
	unsigned shard;
};

static void
check_slab(struct extent *slab, void *arg)
{
	struct check *check = arg;

	slab_check(slab);
	must(slab->shard == check->shard);
	check->slabs++;
	check->used += sc_slabs[slab->sizeclass].nregs - slab_nfree(slab);
}

/* Threads must not use the bin meanwhile. */
void
bin_check(struct bin *bin)
{
	struct check check = { .shard = bin->shard };
	struct list *node;

	bin_each_slab(bin, check_slab, &check);
	must(check.slabs == bin->stats.curslabs);
	must(check.used == bin->stats.curregs);
	must(heap_check(&bin->nonfull, extent_less) ==
	    bin->stats.nonfull_slabs);
	list_for_each(node, &bin->full)
		must(slab_nfree(list_entry(node, struct extent, link)) == 0);
}
