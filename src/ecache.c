/*
 * ecache.c - caches of unused extents; see ecache.h.
 */
#include "ecache.h"

#include <string.h>

#include "bitmap.h"
#include "os.h"

void
ecache_init(struct ecache *ecache, unsigned arena, enum extent_state state,
    struct extent_store *store, const char *name)
{
	memset(ecache, 0, sizeof *ecache);
	lock_init(&ecache->lock, RANK_ECACHE, name);
	list_init(&ecache->lru);
	ecache->arena = arena;
	ecache->state = state;
	ecache->store = store;
}

static void
add_bytes(struct ecache *ecache, size_t delta)
{
	atomic_store_explicit(&ecache->bytes, ecache_bytes(ecache) + delta,
	    memory_order_relaxed);
}

/* Where a run of size bytes is. */
static unsigned
heap_of(size_t size)
{
	unsigned class = sc_index_floor(size);

	return 2 * class + (size - sc_sizes[class] >= os_page);
}

/* The first whose runs are all of size bytes or more. */
static unsigned
heap_for(size_t size)
{
	unsigned class = sc_index_floor(size);
	size_t excess = size - sc_sizes[class];

	return 2 * class + (excess == 0 ? 0 : excess <= os_page ? 1 : 2);
}

static void
insert_locked(struct ecache *ecache, struct extent *extent)
{
	unsigned heap = heap_of(extent->size);
	struct ecache_class *c = &ecache->classes[heap / 2];

	heap_insert(&ecache->heaps[heap], &extent->heap, extent_less);
	c->count++;
	c->bytes += extent->size;
	bitmap_set(ecache->nonempty, heap);
	list_push_back(&ecache->lru, &extent->link);
	add_bytes(ecache, extent->size);
	extent_map_inactive(extent);
	extent_set_state(extent, ecache->state);
}

static void
remove_locked(struct ecache *ecache, struct extent *extent)
{
	unsigned heap = heap_of(extent->size);
	struct ecache_class *c = &ecache->classes[heap / 2];

	assert(extent_state(extent) == ecache->state);
	heap_remove(&ecache->heaps[heap], &extent->heap, extent_less);
	c->count--;
	c->bytes -= extent->size;
	if (ecache->heaps[heap].root == NULL)
		bitmap_clear(ecache->nonempty, heap);
	list_remove(&extent->link);
	add_bytes(ecache, 0 - extent->size);
	extent_set_state(extent, EXTENT_LIMBO);
}

/*
 * The extent that page's entry leads to, if it is in this cache: then the
 * lock that we hold keeps it there. The entry may be stale; the caller
 * compares the bounds.
 */
static struct extent *
member_at_locked(const struct ecache *ecache, const char *page)
{
	uint64_t entry = pagemap_get(page);
	struct extent *extent = pagemap_extent(entry);

	if (pagemap_domain(entry) != PM_INACTIVE || extent == NULL ||
	    atomic_load_explicit(&extent->tag, memory_order_relaxed) !=
	    extent_tag(ecache->arena, ecache->state))
		return NULL;
	return extent;
}

static struct extent *
coalesce_locked(struct ecache *ecache, struct extent *extent)
{
	struct extent *other;

	other = member_at_locked(ecache, extent_end(extent));
	if (other != NULL && other->addr == extent_end(extent) &&
	    extent_joinable(extent, other)) {
		remove_locked(ecache, other);
		extent_merge(ecache->store, extent, other);
	}
	other = member_at_locked(ecache, extent->addr - PM_GRANULE);
	if (other != NULL && extent_end(other) == extent->addr &&
	    extent_joinable(other, extent)) {
		remove_locked(ecache, other);
		extent_merge(ecache->store, other, extent);
		extent = other;
	}
	return extent;
}

void
ecache_put(struct ecache *ecache, struct extent *extent)
{
	assert(extent_arena(extent) == ecache->arena);
	assert(extent_state(extent) == EXTENT_LIMBO);
	lock_acquire(&ecache->lock);
	insert_locked(ecache, coalesce_locked(ecache, extent));
	lock_release(&ecache->lock);
}

/*
 * The oldest, then lowest, of those between size and the limit; if there is
 * none, one of the next larger class: runs are joined at once, so that what a
 * program freed piece by piece may well be one large run now.
 */
static struct extent *
find_locked(const struct ecache *ecache, size_t size, unsigned lg_max_fit)
{
	size_t limit = lg_max_fit < 63 && size <= SIZE_MAX >> (lg_max_fit + 1)
	    ? size << lg_max_fit : SIZE_MAX;
	struct heap_node *best = NULL;

	for (size_t i = bitmap_next(ecache->nonempty, ECACHE_NHEAPS,
	    heap_for(size)); i < ECACHE_NHEAPS &&
	    (best == NULL || sc_sizes[i / 2] <= limit);
	    i = bitmap_next(ecache->nonempty, ECACHE_NHEAPS, i + 1)) {
		struct heap_node *first = heap_first(&ecache->heaps[i]);

		if (best == NULL || extent_less(first, best))
			best = first;
	}
	return best == NULL ? NULL :
	    container_of(best, struct extent, heap);
}

/*
 * Cuts up to n runs of size bytes from the front of extent, in limbo, onto
 * out, and gives the rest back. How many; fewer if there is no memory.
 */
static unsigned
cut_slabs_locked(struct ecache *ecache, struct extent *extent, size_t size,
    unsigned kind, unsigned n, struct list *out)
{
	bool keep = extent_store_kind_of(ecache->store, extent) == kind;
	unsigned got = 0;

	for (; got < n && extent->size >= size; got++) {
		bool last = extent->size == size;
		struct extent *slab = last && keep ? extent :
		    extent_cut(ecache->store, extent, size, kind);

		if (slab == NULL)
			break;
		list_push_back(out, &slab->link);
		if (last)
			return got + 1;
	}
	insert_locked(ecache, extent);
	return got;
}

/*
 * Cuts extent, in limbo, to exactly size bytes at addr within it and gives
 * the rest back. NULL (all given back) if there is no memory for structs.
 */
static struct extent *
cut_locked(struct ecache *ecache, struct extent *extent, char *addr,
    size_t size)
{
	struct extent *rest;

	if (addr > extent->addr) {
		rest = extent_split(ecache->store, extent,
		    (size_t)(addr - extent->addr));
		insert_locked(ecache, extent);
		if (rest == NULL)
			return NULL;
		extent = rest;
	}
	if (extent->size > size) {
		rest = extent_split(ecache->store, extent, size);
		if (rest == NULL) {
			insert_locked(ecache,
			    coalesce_locked(ecache, extent));
			return NULL;
		}
		insert_locked(ecache, rest);
	}
	return extent;
}

/*
 * What a cut leaves of the first extent is the first again, with the same
 * serial and the next address: nothing is looked up until it is used up.
 */
unsigned
ecache_take_slabs(struct ecache *ecache, size_t size, unsigned lg_max_fit,
    unsigned kind, unsigned n, struct list *out)
{
	unsigned got = 0, more = 1;

	assert(size <= SC_LARGE_MAX);
	if (ecache_bytes(ecache) < size)
		return 0;
	lock_acquire(&ecache->lock);
	while (got < n && more > 0) {
		struct extent *extent = find_locked(ecache, size, lg_max_fit);

		if (extent == NULL || unlikely(extent->decommitted))
			break;
		remove_locked(ecache, extent);
		more = cut_slabs_locked(ecache, extent, size, kind, n - got,
		    out);
		got += more;
	}
	lock_release(&ecache->lock);
	return got;
}

struct extent *
ecache_take(struct ecache *ecache, size_t size, size_t align,
    unsigned lg_max_fit)
{
	size_t room = align > os_page ? size + align - os_page : size;
	struct extent *extent = NULL;

	if (room < size || room > SC_LARGE_MAX || ecache_bytes(ecache) < size)
		return NULL;
	lock_acquire(&ecache->lock);
	extent = find_locked(ecache, room, lg_max_fit);
	if (extent != NULL) {
		char *addr = (char *)align_up((uintptr_t)extent->addr, align);

		remove_locked(ecache, extent);
		extent = cut_locked(ecache, extent, addr, size);
	}
	lock_release(&ecache->lock);
	return extent;
}

struct extent *
ecache_take_at(struct ecache *ecache, const char *addr, size_t size)
{
	struct extent *extent;

	if (ecache_bytes(ecache) < size)
		return NULL;
	lock_acquire(&ecache->lock);
	extent = member_at_locked(ecache, addr);
	if (extent != NULL && extent->addr == addr && extent->size >= size) {
		remove_locked(ecache, extent);
		extent = cut_locked(ecache, extent, extent->addr, size);
	} else {
		extent = NULL;
	}
	lock_release(&ecache->lock);
	return extent;
}

static struct extent *
find_largest_locked(const struct ecache *ecache, size_t least, size_t limit)
{
	struct extent *largest = NULL;

	for (size_t i = bitmap_next(ecache->nonempty, ECACHE_NHEAPS,
	    heap_for(least)); i < ECACHE_NHEAPS && sc_sizes[i / 2] < limit;
	    i = bitmap_next(ecache->nonempty, ECACHE_NHEAPS, i + 1)) {
		struct extent *extent = container_of(heap_first(
		    &ecache->heaps[i]), struct extent, heap);

		if (extent->size < limit)
			largest = extent;
	}
	return largest;
}

struct extent *
ecache_take_largest(struct ecache *ecache, size_t least, size_t limit)
{
	struct extent *extent;

	if (ecache_bytes(ecache) < least)
		return NULL;
	lock_acquire(&ecache->lock);
	extent = find_largest_locked(ecache, least, limit);
	if (extent != NULL)
		remove_locked(ecache, extent);
	lock_release(&ecache->lock);
	return extent;
}

/* The tail goes: what is reused next lies at the front. */
static struct extent *
cut_tail_locked(struct ecache *ecache, struct extent *extent, size_t size)
{
	struct extent *tail = extent_split(ecache->store, extent,
	    extent->size - size);

	if (tail == NULL)
		return extent;
	insert_locked(ecache, extent);
	/* It has been unused as long as before. */
	list_remove(&extent->link);
	list_push_front(&ecache->lru, &extent->link);
	return tail;
}

static struct extent *
take_oldest_locked(struct ecache *ecache, size_t size)
{
	size_t unit = os_page > ECACHE_PURGE_UNIT ? os_page :
	    ECACHE_PURGE_UNIT;
	struct extent *extent;

	if (list_empty(&ecache->lru))
		return NULL;
	extent = list_first(&ecache->lru, struct extent, link);
	remove_locked(ecache, extent);
	if (extent->size <= size || extent->size <= align_up(size, unit))
		return extent;
	return cut_tail_locked(ecache, extent, align_up(size, unit));
}

struct extent *
ecache_take_oldest(struct ecache *ecache, size_t size)
{
	struct extent *extent;

	if (ecache_bytes(ecache) == 0)
		return NULL;
	lock_acquire(&ecache->lock);
	extent = take_oldest_locked(ecache, size);
	lock_release(&ecache->lock);
	return extent;
}

/* --- extents as they are -------------------------------------------------- */

void
ecache_put_whole(struct ecache *ecache, struct extent *extent, bool oldest)
{
	assert(extent_arena(extent) == ecache->arena);
	assert(extent_state(extent) == EXTENT_LIMBO);
	lock_acquire(&ecache->lock);
	ecache->whole = true;
	insert_locked(ecache, extent);
	if (oldest) {
		list_remove(&extent->link);
		list_push_front(&ecache->lru, &extent->link);
	}
	lock_release(&ecache->lock);
}

/* Of the nearest class; with a beginning that suits, if there is one. */
static struct extent *
find_whole_locked(const struct ecache *ecache, size_t size, size_t align)
{
	struct extent *extent = find_locked(ecache, size, 0);

	if (extent == NULL || (uintptr_t)extent->addr % align == 0)
		return extent;
	return find_locked(ecache, size + align - os_page, 0);
}

struct extent *
ecache_take_whole(struct ecache *ecache, size_t size, size_t align)
{
	struct extent *extent;

	if (size > SC_LARGE_MAX - align || ecache_bytes(ecache) < size)
		return NULL;
	lock_acquire(&ecache->lock);
	extent = find_whole_locked(ecache, size, align);
	if (extent != NULL)
		remove_locked(ecache, extent);
	lock_release(&ecache->lock);
	return extent;
}

struct extent *
ecache_take_after(struct ecache *ecache, const struct extent *extent,
    size_t size)
{
	struct extent *other;

	if (ecache_bytes(ecache) < size)
		return NULL;
	lock_acquire(&ecache->lock);
	other = member_at_locked(ecache, extent_end(extent));
	if (other != NULL && other->addr == extent_end(extent) &&
	    other->size >= size && extent_joinable(extent, other))
		remove_locked(ecache, other);
	else
		other = NULL;
	lock_release(&ecache->lock);
	return other;
}

struct extent *
ecache_take_before(struct ecache *ecache, const struct extent *extent)
{
	struct extent *other;

	if (ecache_bytes(ecache) == 0)
		return NULL;
	lock_acquire(&ecache->lock);
	other = member_at_locked(ecache, extent->addr - PM_GRANULE);
	if (other != NULL && extent_end(other) == extent->addr &&
	    extent_joinable(other, extent))
		remove_locked(ecache, other);
	else
		other = NULL;
	lock_release(&ecache->lock);
	return other;
}

struct extent *
ecache_take_oldest_whole(struct ecache *ecache)
{
	struct extent *extent = NULL;

	if (ecache_bytes(ecache) == 0)
		return NULL;
	lock_acquire(&ecache->lock);
	if (!list_empty(&ecache->lru)) {
		extent = list_first(&ecache->lru, struct extent, link);
		remove_locked(ecache, extent);
	}
	lock_release(&ecache->lock);
	return extent;
}

void
ecache_take_those(struct ecache *ecache,
    bool (*wanted)(const struct extent *extent), struct list *out)
{
	struct list *node, *after;

	lock_acquire(&ecache->lock);
	list_for_each_safe(node, after, &ecache->lru) {
		struct extent *extent = list_entry(node, struct extent, link);

		if (!wanted(extent))
			continue;
		remove_locked(ecache, extent);
		list_push_back(out, &extent->link);
	}
	lock_release(&ecache->lock);
}

/* --- checking ------------------------------------------------------------- */

static void
check_extent_locked(const struct ecache *ecache, const struct extent *extent)
{
	const struct extent *other;

	must(extent->size >= os_page && extent->size % os_page == 0);
	must((uintptr_t)extent->addr % os_page == 0);
	must(extent_state(extent) == ecache->state);
	must(extent_arena(extent) == ecache->arena);
	must(member_at_locked(ecache, extent->addr) == extent);
	must(member_at_locked(ecache, extent_end(extent) - PM_GRANULE) ==
	    extent);
	other = member_at_locked(ecache, extent_end(extent));
	must(ecache->whole || other == NULL ||
	    other->addr != extent_end(extent) ||
	    !extent_joinable(extent, other));
}

void
ecache_check(struct ecache *ecache)
{
	size_t bytes = 0, count = 0, sum = 0, heaped = 0;
	struct list *node;

	lock_acquire(&ecache->lock);
	list_for_each(node, &ecache->lru) {
		struct extent *extent = list_entry(node, struct extent, link);

		check_extent_locked(ecache, extent);
		bytes += extent->size;
		count++;
	}
	for (unsigned i = 0; i < ECACHE_NHEAPS; i++) {
		size_t n = heap_check(&ecache->heaps[i], extent_less);

		must(bitmap_get(ecache->nonempty, i) == (n != 0));
		heaped += n;
		if (i % 2 == 0)
			continue;
		sum += ecache->classes[i / 2].count;
		must(sum == heaped);
	}
	must(sum == count);
	must(bytes == ecache_bytes(ecache));
	lock_release(&ecache->lock);
}
