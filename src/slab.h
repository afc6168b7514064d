/*
 * slab.h - an extent cut into regions of one size.
 *
 *   | region 0 | region 1 | ... | region nregs - 1 | (waste, with slab_sizes) |
 *   words:    bit i set = region i is free (neither in use nor cached)
 *   samples:  bit i set = the profiler has a record of region i
 *
 * Locks: words and nfree by the bin's lock (nfree is also read relaxed);
 *   samples by the slab's sample lock (RANK_SAMPLE, striped by address),
 *   except that a region's owner may test its own bit without.
 */
#ifndef STRATA_SLAB_H
#define STRATA_SLAB_H

#include "extent.h"
#include "sizeclass.h"

/* After sc_boot, before the first slab. */
void slab_boot(void);

/* All regions free. 0, or ENOMEM; extent->sizeclass is set. */
int slab_init(struct extent *extent, unsigned sizeclass);
/* No region is in use. Frees the bitmaps, not the extent. */
void slab_fini(struct extent *extent);

/*
 * Takes up to n free regions, lowest first, and writes them before end, so
 * that end[-1] is the lowest. Returns how many.
 */
unsigned slab_take(struct extent *extent, void **end, unsigned n);

static inline unsigned
slab_nfree(const struct extent *extent)
{
	return atomic_load_explicit(&extent->nfree, memory_order_relaxed);
}

/* The number of the region that holds ptr (an interior address too). */
static inline unsigned
slab_index(const struct extent *extent, const void *ptr)
{
	uint64_t offset = (uint64_t)((const char *)ptr - extent->addr);

	/* Exact, for interior addresses too: sizeclass_test. */
	return (unsigned)(offset * sc_slabs[extent->sizeclass].inverse >>
	    SC_LG_INVERSE);
}

/* Without the lock it is a guess, for misuse reports. */
static inline bool
slab_region_is_free(const struct extent *extent, unsigned index)
{
	uint64_t word = __atomic_load_n(&extent->words[index / 64],
	    __ATOMIC_RELAXED);

	return (word >> (index % 64) & 1) != 0;
}

/* Gives one region back, which must be in use. How many are free now. */
static inline unsigned
slab_give(struct extent *extent, unsigned index)
{
	uint64_t *word = &extent->words[index / 64];
	unsigned nfree = slab_nfree(extent) + 1;

	assert(!slab_region_is_free(extent, index));
	__atomic_store_n(word, *word | (uint64_t)1 << (index % 64),
	    __ATOMIC_RELAXED);
	atomic_store_explicit(&extent->nfree, nfree, memory_order_relaxed);
	return nfree;
}

/*
 * Gives the pages back that hold only free regions. False: as many were free
 * the last time, so that there is hardly anything.
 */
bool slab_trim(struct extent *extent);

/* Memory for the bitmap, while a region is in use. 0 or ENOMEM. */
int slab_sample_reserve(struct extent *extent);
/*
 * Marks the region at ptr, in use since the bitmap was reserved, as sampled,
 * there and in the pagemap.
 */
void slab_sample_set(struct extent *extent, const void *ptr);
/* By the region's owner, without a lock. */
bool slab_sample_test(const struct extent *extent, const void *ptr);
/* The last one also takes the pagemap's bit away. */
void slab_sample_clear(struct extent *extent, const void *ptr);

/* Aborts if the counters and the bitmap disagree. */
void slab_check(const struct extent *extent);

void slab_each_lock(enum lock_rank rank, void (*op)(struct lock *lock));

#endif
