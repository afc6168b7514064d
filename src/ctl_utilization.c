/*
 * ctl_utilization.c - mallctl experimental.utilization.*: how full the memory
 * around a block is, for programs that move their blocks together.
 *
 *   query        void *  -->  struct utilization
 *   batch_query  void *[n]  -->  struct slab_utilization[n]
 *
 * Layouts and results are jemalloc's. An address that is not in a block gives
 * zeros; any value may be asked for. The figures are of one moment only if no
 * thread allocates of the class meanwhile.
 *
 * Locks: a bin's while its counters are read.
 * Memory: none; extents looked at are metadata, which is never unmapped.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "mallctl.h"
#include "util.h"
#include "names.h"

struct slab_utilization {
	size_t nfree;			/* regions; a large block: 0 */
	size_t nregs;			/* a large block: 1 */
	size_t size;			/* bytes of the slab or the block */
};

struct utilization {
	void *cur;			/* slab the bin takes from next */
	struct slab_utilization slab;
	size_t bin_nfree, bin_nregs;	/* of all the bin's slabs */
};

/*
 * The extent of a block, or NULL. Only a few bits of an address choose its
 * entry: an impossible one may find that of another.
 */
static struct extent *
utilized_extent(const void *ptr, unsigned *sizeclass)
{
	uint64_t entry = pagemap_get(ptr);
	struct extent *extent;

	if (!pagemap_is_active(entry))
		return NULL;
	extent = pagemap_extent(entry);
	*sizeclass = pagemap_sizeclass(entry);
	return (uintptr_t)ptr - (uintptr_t)extent->addr < extent->size ?
	    extent : NULL;
}

/* out is all zeros. */
static void
utilization_of_slab(const void *ptr, struct slab_utilization *out)
{
	unsigned sizeclass = 0;
	const struct extent *extent = utilized_extent(ptr, &sizeclass);

	if (extent == NULL)
		return;
	out->size = extent->size;
	out->nregs = 1;
	if (sizeclass >= SC_NSMALL)
		return;
	out->size = sc_slabs[sizeclass].slab_size;
	out->nregs = sc_slabs[sizeclass].nregs;
	out->nfree = slab_nfree(extent);
}

static void
utilization_of_bin(const void *ptr, struct utilization *out)
{
	unsigned sizeclass = 0;
	const struct extent *extent = utilized_extent(ptr, &sizeclass);
	struct arena *arena = extent == NULL || sizeclass >= SC_NSMALL ?
	    NULL : arena_get(extent_arena(extent), false);
	struct lock_stats ignored;
	struct bin_stats stats;
	struct bin *bin;

	if (arena == NULL)
		return;
	bin = arena_bin(arena, sizeclass, extent->shard);
	out->cur = bin_cur(bin);
	bin_stats_read(bin, &stats, &ignored);
	out->bin_nregs = stats.curslabs * sc_slabs[sizeclass].nregs;
	out->bin_nfree = out->bin_nregs > stats.curregs ?
	    out->bin_nregs - stats.curregs : 0;
}

static int
ctl_query(const struct ctl_call *call)
{
	struct utilization out = { .cur = NULL };
	const void *ptr;

	if (call->oldp == NULL || call->oldlenp == NULL ||
	    *call->oldlenp != sizeof out ||
	    ctl_copy_in(call, &ptr, sizeof ptr) != 0)
		return EINVAL;
	utilization_of_slab(ptr, &out.slab);
	utilization_of_bin(ptr, &out);
	return ctl_copy_out(call, &out, sizeof out);
}

static int
ctl_batch_query(const struct ctl_call *call)
{
	size_t n = call->newlen / sizeof(void *);
	const char *from = call->newp;
	char *to = call->oldp;

	if (to == NULL || call->oldlenp == NULL || from == NULL || n == 0 ||
	    call->newlen % sizeof(void *) != 0 ||
	    *call->oldlenp / sizeof(struct slab_utilization) != n ||
	    *call->oldlenp % sizeof(struct slab_utilization) != 0)
		return EINVAL;
	for (size_t i = 0; i < n; i++) {
		struct slab_utilization out = { 0 };
		const void *ptr;

		memcpy(&ptr, from + i * sizeof ptr, sizeof ptr);
		utilization_of_slab(ptr, &out);
		memcpy(to + i * sizeof out, &out, sizeof out);
	}
	return 0;
}

const struct ctl_node ctl_utilization[] = {
	{ "query", .type = CTL_STRUCT, .handler = ctl_query },
	{ "batch_query", .type = CTL_STRUCT, .handler = ctl_batch_query },
	{ 0 }
};

/* --- experimental.arenas.<i> ---------------------------------------------- */

static bool
ctl_experimental_arena_valid(const size_t *mib, size_t index)
{
	return index == MALLCTL_ARENAS_ALL ||
	    (index < ARENA_MAX && arena_get((unsigned)index, false) != NULL);
}

/* Where the arena's pages in use are counted: a reader needs no mallctl. */
static int
ctl_pactivep(const struct ctl_call *call, union ctl_value *out)
{
	struct arena *arena = arena_get((unsigned)call->mib[2], false);

	if (arena == NULL)
		return EFAULT;		/* there is no such sum */
	out->pointer = &arena->pages.npages;
	return 0;
}

static const struct ctl_node ctl_experimental_arena[] = {
	{ "pactivep", .type = CTL_POINTER, .read = ctl_pactivep },
	{ 0 }
};

const struct ctl_node ctl_experimental_arenas[] = {
	{ .valid = ctl_experimental_arena_valid,
	    .children = ctl_experimental_arena },
	{ 0 }
};
