/*
 * pagemap.h - from an address to what lies there.
 *
 *   address   47            30 29            12 11       0
 *             [ root: leaf   ] [ leaf: entry  ] [ ignored ]
 *   entry     63 .. 23 extent's address >> 7
 *             22       ours: set in every entry but a foreign one
 *             21       uncached: no thread cache has room for this class
 *             20       sampled: a slot of this slab, or this block, is
 *             19 ..  8 cache domain
 *              7 ..  0 size class: a byte of a register by itself
 *
 * An entry of 0 is foreign: nobody's memory, or not ours. An extent in a
 * cache has the domain PM_INACTIVE in its first and last entry, so that no
 * free takes it for a block; what lies between is 0 or as inactive. All
 * entries of a slab are the same; of a large block the first is its entry,
 * the last is inactive.
 *
 * Reads take no lock. Who owns the pages writes; the sampled bit is written
 * under the slab's sample lock. Stores release, pairing with the program's own
 * hand-over of pointers; loads are relaxed.
 */
#ifndef STRATA_PAGEMAP_H
#define STRATA_PAGEMAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util.h"

enum {
	PM_LG_GRANULE = 12,
	PM_GRANULE = 1 << PM_LG_GRANULE,
	PM_LG_LEAF = 18,		/* entries a leaf: 1 GiB, 2 MiB */
	PM_LEAF = 1 << PM_LG_LEAF,
	PM_ROOT = 1 << (48 - 12 - 18),
	PM_SHIFT_DOMAIN = 8,
	PM_SHIFT_EXTENT = 23,
	PM_CLASS = 0xff,
	PM_DOMAIN = 0xfff << PM_SHIFT_DOMAIN,
	PM_SAMPLED = 1 << 20,
	PM_UNCACHED = 1 << 21,
	PM_OURS = 1 << 22,		/* domain 0 differs from foreign */
	PM_KEY = PM_DOMAIN | PM_SAMPLED | PM_UNCACHED | PM_OURS,
	PM_INACTIVE = 0xfff,		/* a domain that no cache has */
	PM_INTERNAL = 0xffe,		/* the internal arena's domain */
	EXTENT_ALIGN = 128,		/* of struct extent */
};

struct extent;

typedef _Atomic uint64_t pagemap_leaf[PM_LEAF];

/* pagemap.c's; leaves are written once, with release. */
extern _Atomic(_Atomic uint64_t *) pagemap_root[PM_ROOT];

static inline uint64_t
pagemap_get(const void *address)
{
	uintptr_t a = (uintptr_t)address;
	/* Consume would do: the leaf is reached through the pointer. */
	_Atomic uint64_t *leaf = atomic_load_explicit(
	    &pagemap_root[(a >> (PM_LG_GRANULE + PM_LG_LEAF)) &
	    (PM_ROOT - 1)], memory_order_relaxed);

	if (unlikely(leaf == NULL))
		return 0;
	return atomic_load_explicit(&leaf[(a >> PM_LG_GRANULE) &
	    (PM_LEAF - 1)], memory_order_relaxed);
}

/* Makes the leaves of a range. 0 or ENOMEM. */
int pagemap_reserve(const void *address, size_t size);

/* The leaf must exist. */
void pagemap_set(const void *address, uint64_t entry);
/* Every granule of the range. */
void pagemap_set_range(const void *address, size_t size, uint64_t entry);
/*
 * The range is nobody's now: its entries are 0, and where there are many they
 * cost no memory either, since the addresses may never come back.
 */
void pagemap_clear(const void *address, size_t size);

/* What the entries of a domain's blocks read under PM_KEY. */
static inline uint32_t
pagemap_key_of(unsigned domain)
{
	return PM_OURS | (uint32_t)domain << PM_SHIFT_DOMAIN;
}

static inline uint32_t
pagemap_key(uint64_t entry)
{
	return (uint32_t)entry & PM_KEY;
}

static inline uint64_t
pagemap_entry(const struct extent *extent, unsigned sizeclass, uint32_t key)
{
	return (uint64_t)(uintptr_t)extent >> 7 << PM_SHIFT_EXTENT | key |
	    sizeclass;
}

static inline struct extent *
pagemap_extent(uint64_t entry)
{
	return (struct extent *)(uintptr_t)(entry >> PM_SHIFT_EXTENT << 7);
}

static inline unsigned
pagemap_sizeclass(uint64_t entry)
{
	return entry & PM_CLASS;
}

static inline unsigned
pagemap_domain(uint64_t entry)
{
	return (unsigned)(entry & PM_DOMAIN) >> PM_SHIFT_DOMAIN;
}

/* A block in use, or a slab; not foreign, not a cached extent. */
static inline bool
pagemap_is_active(uint64_t entry)
{
	return entry != 0 && pagemap_domain(entry) != PM_INACTIVE;
}

size_t pagemap_bytes(void);	/* of all leaves; for metadata_rtree */

struct lock;
void pagemap_each_lock(void (*op)(struct lock *lock));

#endif
