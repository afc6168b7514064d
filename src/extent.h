/*
 * extent.h - a run of pages: a slab, a large block, or cached for reuse.
 *
 *   active --free--> dirty --decay--> muzzy --decay--> retained
 *      ^               |                |                 |
 *      +---------------+----------------+-----------------+-- grow
 *
 * Addresses and sizes are multiples of os_page; two extents never overlap.
 * An extent belongs to one arena for life; runs of different arenas or
 * states never merge. The structs are recycled, never unmapped: a stale
 * pagemap entry leads to some extent, or to zeros, whose tag and bounds tell
 * whether it is the one that was looked for.
 */
#ifndef STRATA_EXTENT_H
#define STRATA_EXTENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent_store.h"
#include "heap.h"
#include "list.h"
#include "pagemap.h"

/* The first three name the cache that holds the extent. */
enum extent_state {
	EXTENT_DIRTY, EXTENT_MUZZY, EXTENT_RETAINED, EXTENT_NCACHES,
	EXTENT_ACTIVE = EXTENT_NCACHES,
	EXTENT_LIMBO,			/* between owners */
};

enum { EXTENT_INLINE_WORDS = 4 };	/* 256 regions: all but 8-byte slabs */

struct extent {
	/* owner; of a cached extent: the cache's lock */
	char *addr;
	size_t size;
	uint64_t serial;		/* of the mapping; lower is older */
	/* atomic: written by the owner; with the cache's lock if cached */
	_Atomic uint32_t tag;		/* arena << 8 | state */
	uint8_t sizeclass;		/* active: of slab regions or block */
	bool slab;
	bool zeroed;			/* not active: reads as zero */
	bool tracked;			/* large: on its arena's list */
	struct heap_node heap;		/* cache's, or the bin's non-full */
	struct list link;		/* cache's by age, bin's full, large */
	/* slab: the bin's lock; nfree is also read relaxed */
	_Atomic uint32_t nfree;
	uint8_t shard;			/* slab: of its bin; constant */
	/* owner, as above */
	bool fixed : 1;			/* from sbrk: never to be unmapped */
	bool decommitted : 1;		/* retained: by a hook */
	union {
		uint16_t offset;	/* large: of the block, bytes */
		uint16_t trimmed;	/* slab: free when slab_trim was here */
	};
	uint64_t *words;		/* set bit = free region */
	uint64_t inline_words[EXTENT_INLINE_WORDS];
	union {
		/* slab: sampled slots, or NULL; sample lock, read relaxed */
		_Atomic(_Atomic uint64_t *) samples;
		/* large: the profiler's record of the block, or NULL */
		_Atomic(void *) record;
	};
};

static_assert(sizeof(struct extent) == EXTENT_ALIGN, "pagemap entries");

static inline uint32_t
extent_tag(unsigned arena, enum extent_state state)
{
	return arena << 8 | (uint32_t)state;
}

static inline unsigned
extent_arena(const struct extent *extent)
{
	return atomic_load_explicit(&extent->tag, memory_order_relaxed) >> 8;
}

static inline enum extent_state
extent_state(const struct extent *extent)
{
	return (enum extent_state)(atomic_load_explicit(&extent->tag,
	    memory_order_relaxed) & 0xff);
}

static inline void
extent_set_state(struct extent *extent, enum extent_state state)
{
	atomic_store_explicit(&extent->tag,
	    extent_tag(extent_arena(extent), state), memory_order_relaxed);
}

static inline char *
extent_end(const struct extent *extent)
{
	return extent->addr + extent->size;
}

/* Both its lines, to be written soon. */
static inline void
extent_prefetch(const struct extent *extent)
{
	__builtin_prefetch(extent, 1);
	__builtin_prefetch((const char *)extent + CACHELINE, 1);
}

/* Where a large block begins: within the first granule, see arena_block.c. */
static inline char *
extent_block(const struct extent *extent)
{
	return extent->addr + extent->offset;
}

/* One may be unmapped or used without the other's leave: they stay apart. */
static inline bool
extent_joinable(const struct extent *a, const struct extent *b)
{
	return a->fixed == b->fixed && a->decommitted == b->decommitted;
}

/* Oldest mapping first, then the lowest address: a total order. */
bool extent_less(const struct heap_node *a, const struct heap_node *b);

/* A struct in limbo for a run of arena; NULL if there is no memory. */
struct extent *extent_new(struct extent_store *store, unsigned arena, char *addr,
    size_t size, uint64_t serial, bool zeroed);

/*
 * Cuts extent (in limbo) at size bytes: it keeps the front, the result, in
 * limbo too, is the rest. NULL if there is no memory; nothing has changed.
 */
struct extent *extent_split(struct extent_store *store, struct extent *extent,
    size_t size);

/*
 * Cuts off the front, size bytes or all of extent, whose struct then goes, in
 * a struct of kind, the result; extent keeps the rest. As extent_split else.
 */
struct extent *extent_cut(struct extent_store *store, struct extent *extent,
    size_t size, unsigned kind);

/*
 * The same run, in limbo, in a struct that no slab's kind is pinned by, if it
 * is not in such a one and there is memory.
 */
struct extent *extent_rehouse(struct extent_store *store,
    struct extent *extent);

/* Joins back, which begins where front ends, into front; back's struct goes. */
void extent_merge(struct extent_store *store, struct extent *front,
    struct extent *back);

/* Writes the first and last entry, as inactive. */
void extent_map_inactive(const struct extent *extent);
/* Writes the entries of a large block, or of a slab, in use. */
void extent_map_large(const struct extent *extent, uint32_t key);
void extent_map_slab(const struct extent *extent, uint32_t key);
/* A slab ends: no inner page may look like a block any longer. */
void extent_unmap_slab(const struct extent *extent);

#endif
