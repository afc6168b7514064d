/*
 * tcache.c - blocks that a thread keeps to itself; see tcache.h.
 */
#include "tcache.h"

#include <errno.h>

#include "base.h"
#include "options.h"

/* Key first: a free compares it before anything else. */
const struct tcache tcache_none = { .key = (uint32_t)TCACHE_KEY_NONE };

/* constant after tcache_boot: */
static unsigned slots[TCACHE_NBINS];
static unsigned nbins;
static size_t total_slots;

static unsigned
clamp(unsigned n, unsigned low, unsigned high)
{
	return n < low ? low : n > high ? high : n;
}

/* jemalloc's rule: more slots where a slab has more regions. */
static unsigned
slots_small(unsigned sizeclass)
{
	unsigned nregs = sc_slabs[sizeclass].nregs;
	ssize_t lg = opt.lg_tcache_nslots_mul;
	unsigned n = lg < 0 ? nregs >> -lg : nregs << lg;

	n = clamp(n, opt.tcache_nslots_small_min, opt.tcache_nslots_small_max);
	/* Even, so that half of it can be flushed. */
	return clamp((n + 1) & ~1u, 2, 1u << 15);
}

static unsigned
slots_default(unsigned sizeclass)
{
	if (sc_size(sizeclass) > opt.tcache_max)
		return 0;
	return sizeclass < SC_NSMALL ? slots_small(sizeclass) :
	    clamp(opt.tcache_nslots_large, 2, 1u << 15);
}

/* tcache_ncached_max: the last range that has the class's size wins. */
static unsigned
slots_of(unsigned sizeclass)
{
	const struct option_ranges *ranges = &opt.tcache_ncached_max;
	size_t size = sc_size(sizeclass);
	unsigned n = slots_default(sizeclass);

	for (unsigned i = 0; i < ranges->count; i++)
		if (size >= ranges->range[i].lo && size <= ranges->range[i].hi)
			n = clamp((unsigned)ranges->range[i].value, 0,
			    1u << 15);
	return n;
}

void
tcache_boot(void)
{
	nbins = 0;
	total_slots = 0;
	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		slots[i] = slots_of(i);
		total_slots += slots[i];
		if (slots[i] > 0)
			nbins = i + 1;
	}
}

unsigned
tcache_slots(unsigned sizeclass)
{
	return sizeclass < TCACHE_NBINS ? slots[sizeclass] : 0;
}

size_t
tcache_max(void)
{
	return nbins == 0 ? 0 : sc_size(nbins - 1);
}

/* Half: room is left for what the program then frees. */
static uint32_t
fill_most(unsigned sizeclass)
{
	return sizeclass < SC_NSMALL ? (slots[sizeclass] + 1) / 2 : 1;
}

/* What the bin served since the arena was last told. */
static uint64_t
take_requests(struct tcache *cache, unsigned sizeclass)
{
	uint64_t all = cache->bins[sizeclass].nrequests;
	uint64_t n = all - cache->cold[sizeclass].merged;

	cache->cold[sizeclass].merged = all;
	return n;
}

int
tcache_init(struct tcache *cache, struct arena *arena)
{
	void **at;

	if (cache->stacks == NULL && total_slots > 0) {
		cache->stacks = base_alloc(&base_meta,
		    total_slots * sizeof *cache->stacks, CACHELINE);
		if (cache->stacks == NULL)
			return ENOMEM;
	}
	at = cache->stacks;
	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		struct cache_bin *bin = &cache->bins[i];

		bin->head = bin->base = at;
		bin->limit = at += slots[i];
		bin->nrequests = 0;
		cache->cold[i] = (struct cache_bin_cold){
			.fill = fill_most(i) };
	}
	cache->nbins = nbins;
	cache->gc_next = 0;
	cache->nticks = 0;
	cache->arena = arena;
	cache->key = PM_OURS | arena_domain(arena);
	return 0;
}

void *
tcache_refill(struct tcache *cache, unsigned sizeclass)
{
	struct cache_bin *bin = &cache->bins[sizeclass];
	unsigned n;

	assert(bin->head == bin->base && sizeclass < SC_NSMALL);
	/* The last of the array is popped first: the lowest address. */
	n = arena_small_fill(cache->arena, sizeclass, bin->base,
	    cache->cold[sizeclass].fill, take_requests(cache, sizeclass));
	bin->head = bin->base + n;
	cache->cold[sizeclass].gc_count = 0;
	return cache_bin_pop(bin);
}

void
tcache_flush_bin(struct tcache *cache, unsigned sizeclass, unsigned keep)
{
	struct cache_bin *bin = &cache->bins[sizeclass];
	unsigned count = cache_bin_count(bin);
	unsigned n;

	if (count <= keep)
		return;
	n = count - keep;
	/* arena_flush may reorder what it gives back, not what we keep. */
	arena_flush(cache->arena, sizeclass, bin->base, n,
	    take_requests(cache, sizeclass));
	for (unsigned i = 0; i < keep; i++)
		bin->base[i] = bin->base[n + i];
	bin->head = bin->base + keep;
	if (cache->cold[sizeclass].gc_count > keep)
		cache->cold[sizeclass].gc_count = keep;
}

void
tcache_flush_all(struct tcache *cache)
{
	for (unsigned i = 0; i < cache->nbins; i++)
		tcache_flush_bin(cache, i, 0);
}

void
tcache_rebind(struct tcache *cache, struct arena *arena)
{
	tcache_flush_all(cache);
	cache->arena = arena;
	cache->key = PM_OURS | arena_domain(arena);
}

/*
 * Blocks of this bin that no pop since the last gc can have reached: the
 * count never fell below the count then less the pops since.
 */
static unsigned
unused_since_gc(const struct tcache *cache, unsigned sizeclass)
{
	const struct cache_bin_cold *cold = &cache->cold[sizeclass];
	uint64_t pops = cache->bins[sizeclass].nrequests - cold->gc_requests;

	return pops >= cold->gc_count ? 0 : cold->gc_count - (unsigned)pops;
}

static void
gc_bin(struct tcache *cache, unsigned i)
{
	struct cache_bin *bin = &cache->bins[i];
	struct cache_bin_cold *cold = &cache->cold[i];
	unsigned unused = unused_since_gc(cache, i);

	if (unused > 0) {
		tcache_flush_bin(cache, i,
		    cache_bin_count(bin) - unused + (unused >> 2));
		if (cold->fill > 1)
			cold->fill /= 2;
	} else if (bin->nrequests != cold->gc_requests) {
		uint32_t most = fill_most(i);

		cold->fill = cold->fill * 2 < most ? cold->fill * 2 : most;
	}
	cold->gc_count = cache_bin_count(bin);
	cold->gc_requests = bin->nrequests;
}

/*
 * What lay unused in a whole round is more than the thread needs: three
 * quarters of it go. Fills shrink with it, and grow again when a round uses
 * all; jemalloc's rule.
 */
void
tcache_gc(struct tcache *cache)
{
	if (cache->nbins == 0)
		return;
	gc_bin(cache, cache->gc_next);
	if (++cache->gc_next >= cache->nbins)
		cache->gc_next = 0;
}

size_t
tcache_bytes(const struct tcache *cache)
{
	size_t sum = 0;

	for (unsigned i = 0; i < cache->nbins; i++)
		sum += cache_bin_count(&cache->bins[i]) * sc_size(i);
	return sum;
}

void
tcache_check(const struct tcache *cache)
{
	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		const struct cache_bin *bin = &cache->bins[i];

		must(bin->base <= bin->head && bin->head <= bin->limit);
		for (void **at = bin->base; at < bin->head; at++) {
			uint64_t entry = pagemap_get(*at);

			must(pagemap_sizeclass(entry) == i);
			must((pagemap_domain(entry) | PM_OURS) == cache->key);
		}
	}
}
