/*
 * extent.c - runs of pages; see extent.h.
 */
#include "extent.h"

#include <string.h>

#include "os.h"

static struct extent *
of_node(const struct heap_node *node)
{
	return container_of(node, struct extent, heap);
}

bool
extent_less(const struct heap_node *a, const struct heap_node *b)
{
	const struct extent *x = of_node(a), *y = of_node(b);

	if (x->serial != y->serial)
		return x->serial < y->serial;
	return x->addr < y->addr;
}

/* A run of memory, less the struct. */
struct run {
	char *addr;
	size_t size;
	uint64_t serial;
	bool zeroed;
};

static struct extent *
new_of_kind(struct extent_store *store, unsigned arena, struct run run,
    unsigned kind)
{
	struct extent *extent = extent_store_get(store, kind);

	if (extent == NULL)
		return NULL;
	assert(((uintptr_t)extent & (EXTENT_ALIGN - 1)) == 0);
	/*
	 * The tag is written as an atomic and first of all: a thread with a
	 * stale entry may be looking at this very struct.
	 */
	atomic_store_explicit(&extent->tag, extent_tag(arena, EXTENT_LIMBO),
	    memory_order_relaxed);
	extent->addr = run.addr;
	extent->size = run.size;
	extent->serial = run.serial;
	extent->sizeclass = 0;
	extent->slab = false;
	extent->zeroed = run.zeroed;
	extent->tracked = false;
	extent->fixed = false;
	extent->decommitted = false;
	list_init(&extent->link);
	atomic_store_explicit(&extent->nfree, 0, memory_order_relaxed);
	atomic_store_explicit(&extent->record, NULL, memory_order_relaxed);
	return extent;
}

struct extent *
extent_new(struct extent_store *store, unsigned arena, char *addr, size_t size,
    uint64_t serial, bool zeroed)
{
	struct run run = { addr, size, serial, zeroed };

	return new_of_kind(store, arena, run, EXTENT_KIND_ANY);
}

struct extent *
extent_split(struct extent_store *store, struct extent *extent, size_t size)
{
	struct extent *rest;

	assert(size > 0 && size < extent->size);
	assert(size % os_page == 0);
	rest = extent_new(store, extent_arena(extent), extent->addr + size,
	    extent->size - size, extent->serial, extent->zeroed);
	if (rest == NULL)
		return NULL;
	rest->fixed = extent->fixed;
	rest->decommitted = extent->decommitted;
	extent->size = size;
	return rest;
}

struct extent *
extent_cut(struct extent_store *store, struct extent *extent, size_t size,
    unsigned kind)
{
	struct run run = { extent->addr, size, extent->serial,
	    extent->zeroed };
	struct extent *front;

	assert(size > 0 && size <= extent->size);
	assert(size % os_page == 0);
	front = new_of_kind(store, extent_arena(extent), run, kind);
	if (front == NULL)
		return NULL;
	front->fixed = extent->fixed;
	front->decommitted = extent->decommitted;
	extent->addr += size;
	extent->size -= size;
	if (extent->size == 0)
		extent_store_put(store, extent);
	return front;
}

struct extent *
extent_rehouse(struct extent_store *store, struct extent *extent)
{
	struct extent *other = extent_store_kind_of(store, extent) ==
	    EXTENT_KIND_ANY ? NULL : extent_cut(store, extent, extent->size,
	    EXTENT_KIND_ANY);

	return other != NULL ? other : extent;
}

static uint64_t
inactive(const struct extent *extent)
{
	return pagemap_entry(extent, 0, pagemap_key_of(PM_INACTIVE));
}

void
extent_merge(struct extent_store *store, struct extent *front,
    struct extent *back)
{
	assert(extent_end(front) == back->addr);
	assert(extent_arena(front) == extent_arena(back));
	front->size += back->size;
	if (back->serial < front->serial)
		front->serial = back->serial;
	front->zeroed = front->zeroed && back->zeroed;
	/* Inside a run nothing may look like the block that back was. */
	pagemap_set(back->addr, inactive(front));
	extent_store_put(store, back);
}

static void
map_last(const struct extent *extent, uint64_t entry)
{
	if (extent->size > PM_GRANULE)
		pagemap_set(extent_end(extent) - PM_GRANULE, entry);
}

void
extent_map_inactive(const struct extent *extent)
{
	uint64_t entry = inactive(extent);

	pagemap_set(extent->addr, entry);
	map_last(extent, entry);
}

void
extent_map_large(const struct extent *extent, uint32_t key)
{
	pagemap_set(extent->addr,
	    pagemap_entry(extent, extent->sizeclass, key));
	map_last(extent, inactive(extent));
}

void
extent_map_slab(const struct extent *extent, uint32_t key)
{
	pagemap_set_range(extent->addr, extent->size,
	    pagemap_entry(extent, extent->sizeclass, key));
}

void
extent_unmap_slab(const struct extent *extent)
{
	pagemap_set_range(extent->addr, extent->size, inactive(extent));
}
