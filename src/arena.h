/*
 * arena.h - arenas: independent heaps that threads are spread over.
 *
 *   index 0 .. narenas_auto - 1   automatic; made when first needed
 *   then, if oversize_threshold   the oversize arena, made when first needed:
 *                                 what is so large that it would only wait
 *                                 among the unused pages of the others
 *   then up to 4093               manual: arenas.create; each a cache domain
 *   ARENA_INTERNAL                what the profiler and unwinder allocate
 *
 * An arena has a bin per small class, or several (bin_shards), a supply of
 * pages, and its large blocks. Blocks are found by address (pagemap.h);
 * arenas are never unmade, a destroyed manual one keeps its index for the
 * next that is created.
 *
 * Locks: RANK_ARENAS for the table; large.lock for the list of large blocks
 *   that manual arenas keep, for reset; else those of bin.h and pages.h.
 */
#ifndef STRATA_ARENA_H
#define STRATA_ARENA_H

#include "bin.h"

enum {
	ARENA_MAX = 4094,		/* indices 0 .. 4093 */
	ARENA_INTERNAL = 4094,
	ARENA_NONE = 4095,
	ARENA_NLARGE = SC_COUNT - SC_NSMALL,
	ARENA_NAME_MAX = 32,
};

/* atomic: */
struct arena_large_stats {
	_Atomic uint64_t nmalloc, ndalloc;	/* blocks */
	_Atomic uint64_t nrequests;	/* that a thread cache served */
	_Atomic uint64_t nfills, nflushes;
};

struct arena {
	/* constant after init: */
	unsigned index;
	unsigned domain;		/* of its entries in the pagemap */
	bool automatic;			/* the oversize arena is, too */
	uint64_t created_ns;		/* monotonic; when initialized */
	/* atomic: */
	_Atomic unsigned nthreads;
	_Atomic unsigned next_shard;	/* of arena_shard_next */
	_Atomic uint64_t next_offset;	/* of large blocks */
	_Atomic bool initialized;	/* false: destroyed, index free */
	_Atomic size_t internal;	/* bytes; of the internal arena */
	_Atomic size_t oversize;	/* bytes: see arena_oversize_set */
	_Atomic uint32_t generation;	/* that began last; 0: of no pool */
	/* large_lock: */
	struct lock large_lock;
	struct list large;		/* of manual arenas */
	char name[ARENA_NAME_MAX];
	/* the thread of pool_rest.c: */
	uint64_t bins_use;		/* arena_bins_use when last seen */
	uint64_t bins_used_ns;		/* monotonic; when it changed last */
	bool untrimmed;			/* since then */
	/* their own locks: */
	struct pages pages;
	struct arena_large_stats large_stats[ARENA_NLARGE];
	struct bin bins[];		/* see bin.h */
};

/* After os_init and conf; makes arena 0 and the internal one. 0 or ENOMEM. */
int arenas_boot(void);

/* constant after arenas_boot: automatic arenas, whether made or not */
extern unsigned arenas_nauto;
extern unsigned arenas_oversize;	/* its index, or ARENA_NONE */
extern size_t arenas_oversize_min;	/* bytes; SIZE_MAX: there is none */

static inline unsigned
arena_domain(const struct arena *arena)
{
	return arena->domain;
}

/* One more than the highest index that was ever in use; >= arenas_nauto. */
unsigned arenas_count(void);

/*
 * NULL if there is none; an automatic one is made first if make. Without
 * make it takes no lock.
 */
struct arena *arena_get(unsigned index, bool make);
/* One that a program may name: any but the internal one. */
struct arena *arena_program(unsigned index);
struct arena *arena_internal(void);

/* The automatic arena with the fewest threads, or the one of this CPU,
 * joined. Never NULL. */
struct arena *arena_choose(void);
/*
 * Where a request of a thread that uses arena goes: to the oversize arena if
 * it is that large, unless arena is a manual one.
 */
struct arena *arena_for(struct arena *arena, unsigned sizeclass);
void arena_join(struct arena *arena);
void arena_leave(struct arena *arena);
/* In a fork child: nobody uses any arena. */
void arenas_forget_threads(void);

/* A manual arena. 0, ENOMEM, or EAGAIN: all indices are in use. */
int arena_create(unsigned *index);
/* With extent hooks from the start; NULL: without. */
int arena_create_hooked(unsigned *index, struct extent_hooks_s *hooks);

/* --- arenas of CPUs (percpu_arena) ---------------------------------------- */

/* Set by narenas_boot, then constant. */
extern struct arena_cpus {
	unsigned count;			/* arenas 0 .. count - 1; 0: off */
	unsigned half;			/* phycpu: half of the CPUs; or 0 */
	bool neighbours;		/* a core's threads are 2i, 2i + 1 */
} arena_cpus;

unsigned arena_cpu_index(unsigned cpu);
/* Of the CPU that this thread runs on; NULL if that cannot be had. */
struct arena *arena_here(void);

/* Who uses such an arena goes to another with the CPU. */
static inline bool
arena_is_cpus(const struct arena *arena)
{
	return arena->index < arena_cpus.count;
}

static inline bool
arena_of_pool(const struct arena *arena)
{
	return atomic_load_explicit(&arena->generation,
	    memory_order_relaxed) != 0;
}

/* --- blocks --------------------------------------------------------------- */

/*
 * The number by which a thread finds its shard of each class: each thread
 * that comes to the arena gets the next.
 */
unsigned arena_shard_next(struct arena *arena);

static inline struct bin *
arena_bin(struct arena *arena, unsigned sizeclass, unsigned shard)
{
	unsigned n = bin_nshards[sizeclass];

	return &arena->bins[bin_first[sizeclass] + (n == 1 ? 0 : shard % n)];
}

/*
 * Fills out with up to n regions of a bin of arena; the lowest address comes
 * last, where a stack has its top. Fewer only if there is no memory.
 * nrequests: allocations that the caller's cache has served meanwhile, for
 * the statistics.
 */
unsigned arena_small_fill(struct arena *arena, struct bin *bin, void **out,
    unsigned n, uint64_t nrequests);

/*
 * One block of any class, straight from the arena, a small one from the first
 * shard. align: a power of two, or 0 for what every block of the class has;
 * of a small class it must be one that the class meets. *zeroed: whether
 * it reads as zero; NULL if the contents do not matter, so that fresh pages
 * need not be looked for. NULL if there is no memory.
 */
void *arena_alloc(struct arena *arena, unsigned sizeclass, size_t align,
    bool *zeroed);

/*
 * The largest alignment that any block of a class has which sc_index_aligned
 * chose for it.
 */
size_t arena_class_align(unsigned sizeclass);

/*
 * Gives back n blocks of one class, of any arenas; reorders ptrs. nrequests
 * counts for arena, which most of them should belong to.
 */
void arena_flush(struct arena *arena, unsigned sizeclass, void **ptrs,
    unsigned n, uint64_t nrequests);
/* The same of a small class, with no arena that they should belong to. */
void arena_flush_small(unsigned sizeclass, void **ptrs, unsigned n);

/* Gives back one block, to the arena it came from. */
void arena_free(void *ptr, uint64_t entry);

/*
 * Makes a large block one of another large class where it is. 0 or ENOMEM.
 * zero: new bytes are zeroed.
 */
int arena_resize_large(void *ptr, uint64_t entry, unsigned sizeclass,
    bool zero);

static inline struct arena *
arena_of(uint64_t entry)
{
	return arena_get(extent_arena(pagemap_extent(entry)), false);
}

/* --- samples -------------------------------------------------------------- */

/* Memory for the mark of an allocated block. 0 or ENOMEM. */
int arena_sample_reserve(const void *ptr);
/* Marks a block as sampled; it was allocated when that was reserved. */
void arena_sample_set(void *ptr, void *record);
/* The block's own mark; *record is NULL for slab regions. */
bool arena_sample_test(const void *ptr, uint64_t entry, void **record);
void arena_sample_clear(void *ptr, uint64_t entry);

/* What a slab region shares its pages with. False: not in a slab. */
struct arena_slab {
	unsigned nregs, nregs_used;	/* cached regions count as used */
	size_t free_bytes;		/* slab size - used regions */
};
bool arena_slab_info(const void *ptr, struct arena_slab *out);

/* --- purging, reset ------------------------------------------------------- */

/* Changes when slabs are used; racy. */
uint64_t arena_bins_use(const struct arena *arena);
/* Gives the pages of slabs back that hold only free regions; without hooks. */
void arena_trim(struct arena *arena);

/* One arena, or all of them (ARENA_NONE). */
void arena_purge(unsigned index);
void arena_decay(unsigned index);
/*
 * Of all arenas but the internal one, destroyed ones included: what is mapped,
 * bytes; and, when the process may map no more, unmaps what is unused.
 */
size_t arenas_address_space(void);
void arenas_unmap_unused(void);
/* By a thread that uses arena, now and then; cheap when nothing is due. */
void arena_decay_tick(struct arena *arena, uint64_t now);
/* Of one arena, or of new ones (ARENA_NONE); EXTENT_DIRTY or EXTENT_MUZZY. */
ssize_t arena_decay_ms_get(unsigned index, enum extent_state state);
int arena_decay_ms_set(unsigned index, enum extent_state state, ssize_t ms);
/*
 * Large blocks of at least so many bytes are purged as they are freed,
 * whatever the decay times are.
 */
void arena_oversize_set(struct arena *arena, size_t bytes);
/* pages_watch: when a purging thread should come again. */
uint64_t arena_decay_watch(struct arena *arena);

/* Called for every sampled block that a reset drops, without locks. */
typedef void arena_sample_end(const void *ptr, void *record);

/*
 * Drops all blocks of a manual arena; nobody uses them, no thread cache holds
 * any. destroy also frees the index. 0, or EFAULT: threads are bound to it,
 * or it is automatic.
 */
int arena_reset(unsigned index, arena_sample_end *end);
int arena_destroy(unsigned index, arena_sample_end *end);
/* What resets have ever dropped: no thread has counted it as freed. */
uint64_t arena_dropped_bytes(void);

/* Copies with the final NUL. */
void arena_name_get(struct arena *arena, char out[ARENA_NAME_MAX]);
void arena_name_set(struct arena *arena, const char *name);

/* --- statistics ----------------------------------------------------------- */

struct arena_extent_stats {	/* by floor size class of the extent */
	size_t ndirty, nmuzzy, nretained;
	size_t dirty_bytes, muzzy_bytes, retained_bytes;
};

struct arena_decay_stats {
	uint64_t npurge, nmadvise, purged;	/* purged in bytes */
};

struct arena_stats {
	unsigned nthreads;
	uint64_t uptime_ns;
	size_t active, dirty, muzzy, retained, mapped;	/* bytes */
	size_t extent_avail;		/* unused extent structs */
	size_t extent_bytes;		/* of all extent structs */
	size_t small_allocated, large_allocated;	/* caches count */
	uint64_t small_nmalloc, small_ndalloc, small_nrequests;
	uint64_t small_nfills, small_nflushes;
	uint64_t large_nmalloc, large_ndalloc, large_nrequests;
	uint64_t large_nfills, large_nflushes;
	struct arena_decay_stats decay[PAGES_NDECAYS];
	struct bin_stats bins[SC_NSMALL];
	struct lock_stats bin_locks[SC_NSMALL];
	struct arena_large_values {
		uint64_t nmalloc, ndalloc, nrequests;
		size_t curlextents;
	} large[ARENA_NLARGE];
	struct arena_extent_stats extents[SC_COUNT];	/* sc_whole_pages */
	struct {
		struct lock_stats large, extent_avail, extents_dirty,
		    extents_muzzy, extents_retained, decay_dirty,
		    decay_muzzy, grow;
	} locks;
};

/* Fills *out (about 30 KiB: not on a stack). */
void arena_stats_read(struct arena *arena, struct arena_stats *out);
/* Adds part to sum; for merged figures. */
void arena_stats_merge(struct arena_stats *sum,
    const struct arena_stats *part);
void arena_stats_reset_locks(struct arena *arena);
/* A dying arena's counters go to the sum of the destroyed ones. */
void arena_stats_retire(struct arena *arena);
/* That sum, if there ever was one; out may be NULL. */
bool arena_stats_destroyed(struct arena_stats *out);
/* For arena.c's fork handlers: after the table's. */
void arena_stats_each_lock(enum lock_rank rank,
    void (*op)(struct lock *lock));

/* Bytes of an arena's blocks, cached ones included; locks its bins. */
size_t arena_allocated(struct arena *arena);

/* The main figures of all arenas but the internal one, without locks but
 * the bins'. Bytes. */
struct arena_totals {
	size_t allocated;		/* blocks, cached ones included */
	size_t active, dirty, muzzy, retained, mapped;
	size_t metadata, resident;
};
void arena_totals(struct arena_totals *out);

/* --- fork, checking --------------------------------------------------------*/

/* All locks of layers 1 to 3a from RANK_ARENAS on, in rank order. */
void arenas_fork_prepare(void);
void arenas_fork_parent(void);
void arenas_fork_child(void);

/* Aborts if the arena's metadata is damaged; no thread may use it. */
void arena_check(struct arena *arena);

#endif
