/*
 * tcache.h - blocks that a thread keeps to itself, a stack per size class.
 *
 *   bottom ....... base ......... head ......... limit ....... capacity
 *     [ idle blocks ][ cached blocks ][ room       ][ room to grow ]
 *
 *   head == base: empty, for the fast path; what lies below base is taken
 *     into use by tcache_refill, so that an untouched base tells tcache_gc,
 *     at no cost to anybody, how much was not needed since the last round
 *   head == limit: full, for the fast path; tcache_make_room raises limit as
 *     long as the class's slots and the cache's byte budget allow, and beyond
 *     what a flush needs only if blocks are asked for, not just freed
 *
 * All blocks of a cache are of its domain: key is what the pagemap entry of
 * such a block reads under PM_KEY. The cache of a thread before its start and
 * after its end is the const tcache_none: no key matches, every stack is both
 * empty and full, so that the fast paths give up before they write.
 *
 * Bounds: a class has (regions of a slab) << lg_tcache_nslots_mul slots,
 *   between tcache_nslots_small_min and _max; large classes up to tcache_max
 *   have tcache_nslots_large. tcache_ncached_max overrides both, and a thread
 *   may choose its own. The bytes of all bins have a budget: a part that every
 *   cache may use, and more of it, up to 5 MiB, lent from what all threads
 *   share, 8 MiB a CPU but at most 64, and given back by gc, as their thread
 *   goes on without; so one busy thread has much and a thousand have little.
 * Locks: none; the owner's thread only, but for what another may take of an
 *   open cache (tcache_rest.h): the idle blocks, which no fast path touches.
 *   The slow paths of such a cache and who takes claim it meanwhile. Filling
 *   and flushing take the locks of arena.c. The shared budget is an atomic
 *   counter.
 * Memory: the stacks come from pools of powers of two in base_meta; a thread
 *   that ends leaves them to the next.
 */
#ifndef STRATA_TCACHE_H
#define STRATA_TCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "pagemap.h"
#include "sizeclass.h"

enum {
	TCACHE_NBINS = SC_NCACHEABLE,	/* what tcache_max may ask for */
	TCACHE_KEY_NONE = ~0,		/* no entry reads so */
};

struct cache_bin {
	void **head;			/* one above the last block */
	void **base;
	void **limit;
	uint64_t nrequests;		/* blocks ever popped */
	uint64_t size;			/* of the class: sc_sizes is far */
};

/* What only the slow paths of a bin look at. */
struct cache_bin_cold {
	void **bottom;
	uint64_t merged;		/* nrequests told to the arena */
	uint64_t gc_requests;		/* nrequests at the last gc */
	uint64_t spent;			/* nrequests, less the bin's credit */
	uint32_t capacity;		/* slots; a power of two, or 0 */
	uint32_t fill;			/* blocks that the next fill takes */
	uint32_t slots;			/* blocks it may hold; 0: uncached */
	uint32_t low;			/* least idle since the last gc, or ~0 */
	uint32_t taken;			/* vacant at the bottom; by the claim */
};

enum tcache_claim {
	TCACHE_UNCLAIMED,
	TCACHE_MARKED,			/* for a taker; the owner comes first */
	TCACHE_OWNERS,
	TCACHE_TAKERS,
	TCACHE_WANTED			/* a taker's, and the owner waits */
};

struct tcache {
	uint32_t key;
	uint32_t nbins;			/* classes with slots */
	struct arena *arena;		/* fills come from here */
	size_t room;			/* bytes: sum of limits * sizes */
	size_t lent;			/* bytes of the shared budget */
	unsigned gc_next;		/* bin that the next gc looks at */
	unsigned shard;			/* of arena's bins: arena_bin */
	struct cache_bin bins[TCACHE_NBINS];
	struct cache_bin_cold cold[TCACHE_NBINS];
	/* atomic: */
	_Atomic bool open;		/* its owner claims it on slow paths */
	_Atomic uint32_t claim;		/* enum tcache_claim; a futex */
	/* by the claim: */
	bool robbed;			/* of some bin something was taken */
	/* tcache_rest: */
	uint64_t seen;			/* changes when it is used */
	uint64_t seen_ns;		/* monotonic; when it changed last */
};

/* Measured: from 48 on gcc 12 spends three instructions more on each free. */
static_assert(offsetof(struct tcache, bins) <= 40, "what the fast paths add");

extern const struct tcache tcache_none;

/* From the options; before the first tcache_init. */
void tcache_boot(void);

/* Slots that caches begin with, 0 if a class is not cached; constant. */
unsigned tcache_slots(unsigned sizeclass);

/* Of one cache. What no longer fits goes back. */
unsigned tcache_slots_get(const struct tcache *cache, unsigned sizeclass);
void tcache_slots_set(struct tcache *cache, unsigned sizeclass, unsigned n);

/*
 * Largest size that a cache holds, bytes; 0: none. Setting it takes the slots
 * of larger classes away, and gives the smaller ones those of the options.
 */
size_t tcache_max_get(const struct tcache *cache);
void tcache_max_set(struct tcache *cache, size_t max);
/* Largest size that is cached, bytes. */
size_t tcache_max(void);

/*
 * Makes an empty cache for blocks of arena. Stacks from an earlier life are
 * used again; the first life begins with zero bytes.
 */
void tcache_init(struct tcache *cache, struct arena *arena);

/* Gives every block, all room and what was lent back; it stays usable. */
void tcache_flush_all(struct tcache *cache);

/*
 * In a fork's child, of a thread that is gone: what was lent goes back, the
 * blocks are lost. Where the thread was just borrowing, that loan is too.
 */
void tcache_abandon(struct tcache *cache);

/* From now on fills come from arena, of the same domain as before. */
void tcache_use_arena(struct tcache *cache, struct arena *arena);
/* Empties the cache, then binds it to arena and to its domain. */
void tcache_rebind(struct tcache *cache, struct arena *arena);
/* What it takes for blocks of arena to come out: one of these or nothing. */
void tcache_serve(struct tcache *cache, struct arena *arena);

/*
 * A block of a cached class whose bin is empty for the fast path: an idle one
 * or, of a small class, the first of a fill. NULL if there is none.
 */
void *tcache_refill(struct tcache *cache, unsigned sizeclass);

/*
 * Makes room in a full bin: more slots, or its older part goes back. False if
 * the class is not cached.
 */
bool tcache_make_room(struct tcache *cache, unsigned sizeclass);

/* Gives the oldest blocks of a bin back until keep are left. */
void tcache_flush_bin(struct tcache *cache, unsigned sizeclass,
    unsigned keep);

/*
 * Shrinks some bins, each in its turn, by what they did not use since the
 * last round.
 */
void tcache_gc(struct tcache *cache);

/*
 * The room that it does not fill goes back, and with it what was lent for
 * that.
 */
void tcache_shrink_room(struct tcache *cache);

/*
 * From now on another thread may take what is idle, and most of what there is
 * counts as idle till it is used: by the owner, at its gc.
 */
void tcache_open(struct tcache *cache);

/* Bytes that lie in the cache. Exact in the owner's thread, else a racy sum. */
size_t tcache_bytes(const struct tcache *cache);

/* The bytes that cached regions keep from the system: their slabs' f/n. */
size_t tcache_pinned(const struct tcache *cache);

/*
 * The blocks of a bin, the oldest first; their number is returned. Exact in
 * the owner's thread, else a guess that is safe to read.
 */
unsigned tcache_peek(const struct tcache *cache, unsigned sizeclass,
    void *const **blocks);

/* The block freed last, or NULL if the bin is empty or all are idle. */
static inline void *
cache_bin_pop(struct cache_bin *bin)
{
	void **head = bin->head;

	if (unlikely(head == bin->base))
		return NULL;
	bin->head = --head;
	bin->nrequests++;
	return *head;
}

/* False if the bin is full. */
static inline bool
cache_bin_push(struct cache_bin *bin, void *ptr)
{
	void **head = bin->head;

	if (unlikely(head == bin->limit))
		return false;
	*head = ptr;
	bin->head = head + 1;
	return true;
}

/*
 * Explicit caches (mallctl tcache.*, MALLOCX_TCACHE): numbered, of automatic
 * arenas, used by one thread at a time; that is the program's business.
 */
int tcaches_create(unsigned *index);	/* 0, ENOMEM or EAGAIN */
struct tcache *tcaches_get(unsigned index);	/* NULL: none */
/*
 * Adds what they hold, of an arena or (NULL) of all; pinned may be NULL. They
 * may be in use: approximate, as tcache_bytes and tcache_pinned are.
 */
void tcaches_sum(const struct arena *arena, uint64_t *bytes, uint64_t *pinned);
int tcaches_flush(unsigned index);	/* 0 or EFAULT */
int tcaches_destroy(unsigned index);
void tcaches_fork_prepare(void);
void tcaches_fork_parent(void);
void tcaches_fork_child(void);

/* The pools of stacks; arena.c walks them. */
void tcache_each_lock(enum lock_rank rank, void (*op)(struct lock *lock));

void tcache_check(const struct tcache *cache);	/* debug: walks every stack */

#endif
