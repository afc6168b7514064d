/*
 * sizeclass.c - the table of sizes, and the geometry of slabs.
 */
#include "sizeclass.h"

#include "options.h"
#include "os.h"

#define GROUP(lg) \
	((size_t)5 << ((lg) - 2)), ((size_t)6 << ((lg) - 2)), \
	((size_t)7 << ((lg) - 2)), ((size_t)8 << ((lg) - 2))
#define GROUPS4(lg) \
	GROUP(lg), GROUP((lg) + 1), GROUP((lg) + 2), GROUP((lg) + 3)

const size_t sc_sizes[SC_COUNT] = {
	8, 16, 32, 48, 64,
	GROUPS4(6), GROUPS4(10), GROUPS4(14), GROUPS4(18), GROUPS4(22),
	GROUPS4(26), GROUPS4(30), GROUPS4(34), GROUPS4(38), GROUPS4(42),
	GROUPS4(46), GROUPS4(50), GROUPS4(54), GROUPS4(58),
	(size_t)5 << 60, (size_t)6 << 60, (size_t)7 << 60,
};

/* Four classes a doubling, of u entries each, behind 4 * u. */
#define LOOKUP4(u, class)						\
	[4 * (u) + 1 ... 5 * (u)] = (class),				\
	[5 * (u) + 1 ... 6 * (u)] = (class) + 1,			\
	[6 * (u) + 1 ... 7 * (u)] = (class) + 2,			\
	[7 * (u) + 1 ... 8 * (u)] = (class) + 3

const uint8_t sc_lookup[SC_LOOKUP_MAX / 8 + 1] = {
	[0 ... 1] = 0, [2] = 1, [3 ... 4] = 2, [5 ... 6] = 3, [7 ... 8] = 4,
	LOOKUP4(2, 5), LOOKUP4(4, 9), LOOKUP4(8, 13), LOOKUP4(16, 17),
	LOOKUP4(32, 21), LOOKUP4(64, 25),
};

const uint8_t sc_lookup_kib[SC_LOOKUP_KIB_MAX / 1024 + 1] = {
	LOOKUP4(1, 29), LOOKUP4(2, 33), LOOKUP4(4, 37), LOOKUP4(8, 41),
	LOOKUP4(16, 45), LOOKUP4(32, 49),
};

struct sc_slab sc_slabs[SC_NSMALL];

/* The least common multiple of the page and the region. */
static size_t
slab_size_default(size_t size)
{
	size_t odd = size >> __builtin_ctzll(size);
	size_t pow2 = size / odd;

	return (pow2 > os_page ? pow2 : os_page) * odd;
}

/* slab_sizes counts pages of 4 KiB; a slab holds one region at least. */
static size_t
slab_size_chosen(size_t size)
{
	size_t chosen = 0;
	bool found = false;

	for (unsigned i = 0; i < opt.slab_sizes.count; i++) {
		const struct option_range *range = &opt.slab_sizes.range[i];

		if (size < range->lo || size > range->hi)
			continue;
		found = true;
		chosen = range->value < SC_SLAB_MAX >> 12 ?
		    range->value << 12 : SC_SLAB_MAX;
	}
	if (!found)
		return slab_size_default(size);
	return align_up(chosen > size ? chosen : size, os_page);
}

void
sc_boot(void)
{
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		struct sc_slab *slab = &sc_slabs[i];

		slab->size = (uint32_t)sc_sizes[i];
		slab->slab_size = (uint32_t)slab_size_chosen(slab->size);
		slab->nregs = slab->slab_size / slab->size;
		slab->inverse = (((uint64_t)1 << SC_LG_INVERSE) +
		    slab->size - 1) / slab->size;
	}
}

unsigned
sc_index_aligned(size_t size, size_t align)
{
	unsigned sizeclass;

	if (size > SC_LARGE_MAX)
		return SC_COUNT;
	sizeclass = sc_index(size);
	if (align <= 8)
		return sizeclass;
	/* At most three steps: every fourth class is a power of two. */
	if (align <= SC_SMALL_MAX / 2 && size <= SC_SMALL_MAX) {
		if (size < align)
			sizeclass = sc_index(align);
		while (sizeclass < SC_NSMALL && align <= os_page &&
		    (sc_sizes[sizeclass] & (align - 1)) != 0)
			sizeclass++;
		if (sizeclass < SC_NSMALL && align <= os_page)
			return sizeclass;
	}
	return sc_index(size > SC_LARGE_MIN ? size : SC_LARGE_MIN);
}

unsigned
sc_whole_pages(unsigned j)
{
	unsigned i = 0;

	while (i < SC_COUNT && ((sc_sizes[i] & (os_page - 1)) != 0 ||
	    j-- > 0))
		i++;
	return i;
}
