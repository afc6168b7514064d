/*
 * sizeclass.h - the sizes that blocks have.
 *
 *   index  0   1   2   3   4 |  5   6   7   8 |   9 ...  35 |    36 ... 231
 *   size   8  16  32  48  64 | 80  96 112 128 | 160 ... 14K |   16K ... 7<<60
 *                                                    small | large
 *
 * From 64 on there are four classes a doubling. A small block is a region of
 * a slab; a large one has an extent of its own. The table does not depend on
 * the system's page.
 */
#ifndef STRATA_SIZECLASS_H
#define STRATA_SIZECLASS_H

#include <stddef.h>
#include <stdint.h>

#include "util.h"

enum {
	SC_NSMALL = 36,			/* classes 0 .. 35 */
	SC_COUNT = 232,
	SC_NCACHEABLE = 73,		/* thread caches may hold these */
	SC_CACHEABLE_MAX = 8 << 20,
	SC_LOOKUP_MAX = 4096,		/* sizes that have a table entry */
	SC_LOOKUP_KIB_MAX = 256 << 10,	/* in the second; tcache_max's default */
	SC_SMALL_MAX = 14 << 10,
	SC_LARGE_MIN = 16 << 10,
	SC_QUANTUM = 16,
	SC_SLAB_MAX = 1 << 20,		/* what slab_sizes can ask for */
	/* offset * size < 2^40, and offset * inverse < 2^64, for all slabs */
	SC_LG_INVERSE = 40,
};
#define SC_LARGE_MAX	((size_t)7 << 60)	/* 2^63 is no object's size */

/* What a slab of a small class looks like. */
struct sc_slab {
	uint32_t size;			/* of a region, bytes */
	uint32_t slab_size;		/* bytes; a multiple of os_page */
	uint32_t nregs;
	uint64_t inverse;		/* ceil(2^SC_LG_INVERSE / size) */
};

extern const size_t sc_sizes[SC_COUNT];
/* [(size + 7) / 8] -> class, for sizes up to SC_LOOKUP_MAX. */
extern const uint8_t sc_lookup[SC_LOOKUP_MAX / 8 + 1];
/* [(size + 1023) / 1024] -> class, for sizes above, to SC_LOOKUP_KIB_MAX. */
extern const uint8_t sc_lookup_kib[SC_LOOKUP_KIB_MAX / 1024 + 1];
/* constant after sc_boot */
extern struct sc_slab sc_slabs[SC_NSMALL];

/* Needs os_page and opt.slab_sizes. */
void sc_boot(void);

static inline size_t
sc_size(unsigned sizeclass)
{
	return sc_sizes[sizeclass];
}

/* The class of sizes above the tables'; any above 64 would do. */
static inline unsigned
sc_index_large(size_t size)
{
	unsigned lg = lg_floor(size - 1);

	return 5 + (lg - 6) * 4 + ((size - 1) >> (lg - 2) & 3);
}

/* The least class that holds size bytes; size <= SC_LARGE_MAX. */
static inline unsigned
sc_index(size_t size)
{
	if (size <= SC_LOOKUP_MAX)
		return sc_lookup[(size + 7) / 8];
	if (size <= SC_LOOKUP_KIB_MAX)
		return sc_lookup_kib[(size + 1023) / 1024];
	return sc_index_large(size);
}

/* The largest class that is no larger than size; size >= 8. */
static inline unsigned
sc_index_floor(size_t size)
{
	unsigned sizeclass = sc_index(size);

	return sc_sizes[sizeclass] > size ? sizeclass - 1 : sizeclass;
}

/*
 * The class of a block of size bytes aligned to align (a power of two):
 * slabs are laid out so that a region is aligned to the largest power of two
 * that divides its size, at most a page; large blocks can begin anywhere.
 * SC_COUNT if there is none.
 */
unsigned sc_index_aligned(size_t size, size_t align);

/* The j-th of the classes that are whole pages; SC_COUNT past the last. */
unsigned sc_whole_pages(unsigned j);

#endif
