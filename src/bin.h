/*
 * bin.h - an arena's slabs of one size class, or a shard of them.
 *
 *   cur      the slab that regions are taken from, or NULL; may be full
 *   nonfull  heap of the others with a free region: oldest, lowest first
 *   full     list of the others without one
 *
 * A slab whose last region comes back is given up at once; a slab that is
 * lower than cur takes its place when it gets a free region, so that live
 * regions gather at low addresses.
 *
 * With bin_shards an arena has several bins of a class: a slab stays in the
 * shard that made it, a thread fills from one and flushes to where each
 * region came from. The bins of an arena lie in one array:
 *
 *   | class 0 | class 1, shard 0 | class 1, shard 1 | class 2 | ...
 *               ^ bin_first[1]     bin_nshards[1] = 2
 *
 * Locks: bin.lock (RANK_BIN). No other lock is taken under it; new slabs are
 *   made, empty ones freed, outside.
 * Invariants: bin_check.
 */
#ifndef STRATA_BIN_H
#define STRATA_BIN_H

#include "pages.h"
#include "slab.h"

struct bin_stats {
	uint64_t nmalloc;		/* regions that left the bin */
	uint64_t ndalloc;		/* regions that came back */
	uint64_t nrequests;		/* what programs asked for */
	uint64_t nfills;
	uint64_t nflushes;
	uint64_t nslabs;		/* ever made */
	uint64_t nreslabs;		/* taken from nonfull as cur */
	size_t curregs;
	size_t curslabs;
	size_t nonfull_slabs;
};

enum { BIN_SHARDS_MAX = 64 };		/* jemalloc's; fits extent.shard */

/* Each on lines of its own: shards are there for threads not to meet. */
struct bin {
	_Alignas(CACHELINE) struct lock lock;
	/* lock: */
	struct extent *cur;
	struct heap nonfull;
	struct list full;
	struct bin_stats stats;
	/* constant after init: */
	unsigned sizeclass;
	unsigned shard;
	unsigned domain;
};

/* constant after bin_boot; the last is the length of an arena's array */
extern unsigned bin_first[SC_NSMALL + 1];
extern unsigned bin_nshards[SC_NSMALL];

/* From opt.bin_shards; before the first arena. */
void bin_boot(void);

/* All bins of an arena: bin_first[SC_NSMALL] of them. */
void bin_init_all(struct bin *bins, unsigned domain);

/*
 * Takes up to n regions and writes them before end, so that end[-1] is the
 * one to use first. Fewer than n only if there is no memory. nrequests is
 * added to the statistics.
 */
unsigned bin_fill(struct bin *bin, struct pages *pages, void **end,
    unsigned n, uint64_t nrequests);

/*
 * Gives regions back. Those of other arenas or shards than that of bin are
 * moved to the front of ptrs; their number is returned.
 */
unsigned bin_flush(struct bin *bin, struct pages *pages, void **ptrs,
    unsigned n, uint64_t nrequests);

/*
 * Gives the pages of slabs back that hold only free regions, of a few slabs
 * at a time with the lock held, till the bin is used. The arena has no hooks.
 */
void bin_trim(struct bin *bin);

void bin_stats_read(struct bin *bin, struct bin_stats *out,
    struct lock_stats *lock);

/* The address of the slab that regions are taken from, or NULL. */
void *bin_cur(struct bin *bin);

/* Counters to zero: of a bin without slabs. */
void bin_stats_reset(struct bin *bin);

/*
 * Takes all slabs out, in use or not, for a reset: a list by extent.link.
 * Returns how many regions were in use.
 */
size_t bin_drain(struct bin *bin, struct list *out);

/* Calls visit for each slab, with the lock held. */
void bin_each_slab(struct bin *bin, void (*visit)(struct extent *slab,
    void *arg), void *arg);

/* Aborts if an invariant is broken. */
void bin_check(struct bin *bin);

#endif
