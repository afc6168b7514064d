/*
 * pages.c - an arena's supply of pages; see pages.h. What becomes of those that
 * are unused: pages_purge.c.
 */
#include "pages.h"

#include <errno.h>

#include "options.h"
#include "os.h"
#include "pages_hooked.h"
#include "pages_map.h"
#include "pages_purge.h"
#include "pages_resize.h"

enum {
	GROW_MIN = PAGES_MAP_ALIGN,
	GROW_MAX = 64 << 20,		/* caps idle address space an arena */
};

void
pages_init(struct pages *pages, unsigned arena, bool own_window)
{
	static const char *const names[] = { "extents_dirty",
	    "extents_muzzy", "extents_retained" };
	static const char *const decay_names[PAGES_NDECAYS] = {
	    "decay_dirty", "decay_muzzy" };
	uint64_t now = os_now_ns();

	extent_store_init(&pages->store, &base_meta);
	for (unsigned i = 0; i < EXTENT_NCACHES; i++)
		ecache_init(&pages->caches[i], arena, (enum extent_state)i,
		    &pages->store, names[i]);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		ssize_t ms = pages_decay_ms_default((enum extent_state)i);

		decay_init(&pages->decays[i], ms, now, decay_names[i]);
		pages->own_ms[i] = ms;
	}
	lock_init(&pages->grow_lock, RANK_GROW, "grow");
	pages->grow_next = GROW_MIN;
	pages->unwatched = true;
	atomic_store_explicit(&pages->grow_limit, SC_LARGE_MAX,
	    memory_order_relaxed);
	/* What the profiler takes must not move the program's blocks. */
	atomic_store_explicit(&pages->dss, own_window ? pages_dss_default() :
	    DSS_DISABLED, memory_order_relaxed);
	pages->arena = arena;
	pages->own_window = own_window;
}

bool
pages_retain(void)
{
	return opt.retain && os_overcommits;
}

/* An extent in limbo for fresh pages; NULL if there is no memory. */
static struct extent *
extent_of(struct pages *pages, char *addr, size_t size)
{
	struct extent *extent = pagemap_reserve(addr, size) != 0 ? NULL :
	    extent_new(&pages->store, pages->arena, addr, size,
	    pages_next_serial(pages), true);

	if (extent == NULL)
		return NULL;
	extent->fixed = dss_contains(addr);
	atomic_fetch_add_explicit(&pages->address_space, size,
	    memory_order_relaxed);
	return extent;
}

/*
 * The window gives no address twice: it is for what stays mapped. Where pages
 * are unmapped, or hooks may do it, the kernel gives the same ones again, and
 * the table of pages does not grow.
 */
static struct pages_source
source_of(const struct pages *pages)
{
	bool stays = pages_retain() && pages_hooks(pages) == NULL;

	return (struct pages_source){ pages->own_window && stays,
	    pages_dss(pages) };
}

char *
pages_map_for(struct pages *pages, size_t size, size_t align)
{
	struct pages_source source = source_of(pages);
	struct extent *extra;
	struct dss_gap gap;
	char *addr = pages_map(&source, size, align, &gap);

	if (gap.size > 0) {
		extra = extent_of(pages, gap.addr, gap.size);
		if (extra != NULL)	/* else it is lost */
			ecache_put(&pages->caches[EXTENT_RETAINED], extra);
	}
	return addr;
}

struct extent *
pages_map_behind(struct pages *pages, char *end, size_t size)
{
	struct pages_source source = source_of(pages);
	char *addr = pages_map_next(&source, end, size);
	struct extent *extent;

	if (addr == NULL)
		return NULL;
	extent = extent_of(pages, addr, size);
	if (extent == NULL)
		os_unmap(addr, size);
	return extent;
}

static struct extent *
map_extent_locked(struct pages *pages, size_t size, size_t align)
{
	char *addr = pages_map_for(pages, size, align);
	struct extent *extent;

	if (addr == NULL)
		return NULL;
	extent = extent_of(pages, addr, size);
	if (extent == NULL && !dss_contains(addr))
		os_unmap(addr, size);
	return extent;
}

/*
 * The bytes of the next mapping, if the request is not larger. Not just a
 * slab even if nothing is retained later: the kernel limits the number of
 * mappings.
 */
static size_t
grow_step_locked(struct pages *pages)
{
	size_t step = pages_retain() ? pages->grow_next : GROW_MIN;
	size_t limit = pages_grow_limit(pages);

	if (pages->grow_next < GROW_MAX)
		pages->grow_next += pages->grow_next / 2 / GROW_MIN *
		    GROW_MIN + GROW_MIN;
	return step > limit ? align_down(limit, os_page) : step;
}

/* Maps at least size bytes; what is not asked for becomes retained. */
static struct extent *
grow_locked(struct pages *pages, size_t size, size_t align)
{
	size_t step = grow_step_locked(pages);
	struct extent *extent = NULL, *rest;

	if (step > size)
		extent = map_extent_locked(pages, step, align);
	if (extent == NULL)
		extent = map_extent_locked(pages, size, align);
	if (extent == NULL)
		return NULL;
	if (extent->size == size)
		return extent;
	rest = extent_split(&pages->store, extent, size);
	if (rest != NULL)
		ecache_put(&pages->caches[EXTENT_RETAINED], rest);
	return extent;	/* if it could not be cut: larger than asked for */
}

void
pages_put(struct pages *pages, struct extent *extent, enum extent_state state)
{
	extent_hooks_t *hooks = pages_hooks(pages);

	if (unlikely(hooks != NULL))
		pages_hooked_put(pages, hooks, extent, state);
	else
		ecache_put(&pages->caches[state], extent);
}

static unsigned
lg_max_fit(enum extent_state state)
{
	return state == EXTENT_RETAINED ? ECACHE_ANY_FIT :
	    (unsigned)opt.lg_extent_max_active_fit;
}

void
pages_forget(struct pages *pages, struct extent *extent)
{
	atomic_fetch_sub_explicit(&pages->address_space, extent->size,
	    memory_order_relaxed);
	extent_store_put(&pages->store, extent);
}

/*
 * Without hooks. One that had begun to decommit when they were taken away may
 * leave behind what nobody can commit.
 */
static struct extent *
take_own(struct pages *pages, enum extent_state state, size_t size,
    size_t align)
{
	struct extent *extent;

	while ((extent = ecache_take(&pages->caches[state], size, align,
	    lg_max_fit(state))) != NULL && unlikely(extent->decommitted)) {
		pagemap_clear(extent->addr, extent->size);
		pages_forget(pages, extent);
	}
	return extent;
}

static struct extent *
take(struct pages *pages, enum extent_state state, size_t size, size_t align)
{
	extent_hooks_t *hooks = pages_hooks(pages);

	if (unlikely(hooks != NULL))
		return pages_hooked_take(pages, hooks, state, size, align);
	return take_own(pages, state, size, align);
}

/* By the program's hook, without the lock. */
static struct extent *
grow_hooked(struct pages *pages, extent_hooks_t *hooks, size_t size,
    size_t align)
{
	size_t step = size;

	if (pages_retain()) {
		lock_acquire(&pages->grow_lock);
		step = grow_step_locked(pages);
		lock_release(&pages->grow_lock);
	}
	return pages_hooked_grow(pages, hooks, size, align, step);
}

static struct extent *
grow(struct pages *pages, size_t size, size_t align)
{
	extent_hooks_t *hooks = pages_hooks(pages);
	struct extent *extent;

	if (unlikely(hooks != NULL))
		return grow_hooked(pages, hooks, size, align);
	lock_acquire(&pages->grow_lock);
	/* Another thread may have grown while this one waited. */
	extent = take_own(pages, EXTENT_RETAINED, size, align);
	if (extent == NULL)
		extent = grow_locked(pages, size, align);
	lock_release(&pages->grow_lock);
	return extent;
}

struct extent *
pages_fresh(struct pages *pages, size_t size)
{
	return grow(pages, size, os_page);
}

static void
count_active(struct pages *pages, size_t size)
{
	atomic_fetch_add_explicit(&pages->npages, size / os_page,
	    memory_order_relaxed);
	atomic_store_explicit(&pages->used, true, memory_order_relaxed);
}

static struct extent *
activate(struct pages *pages, struct extent *extent)
{
	if (extent == NULL)
		return NULL;
	extent_set_state(extent, EXTENT_ACTIVE);
	count_active(pages, extent->size);
	return extent;
}

/* In limbo. joined: dirty and fresh pages in one will do. */
static struct extent *
find(struct pages *pages, size_t size, size_t align, bool joined)
{
	struct extent *extent;

	assert(size > 0 && size % os_page == 0 && align >= os_page);
	extent = take(pages, EXTENT_DIRTY, size, align);
	if (extent == NULL && joined && size >= PAGES_JOIN_MIN &&
	    align <= os_page)
		extent = pages_join(pages, size);
	for (unsigned i = EXTENT_MUZZY; i < EXTENT_NCACHES && extent == NULL;
	    i++)
		extent = take(pages, (enum extent_state)i, size, align);
	return extent != NULL ? extent : grow(pages, size, align);
}

struct extent *
pages_alloc(struct pages *pages, size_t size, size_t align)
{
	return activate(pages, find(pages, size, align, false));
}

struct extent *
pages_alloc_any(struct pages *pages, size_t size, size_t align)
{
	return activate(pages, find(pages, size, align, true));
}

/* Those that are cached; in limbo still. */
static unsigned
take_slabs(struct pages *pages, unsigned sizeclass, unsigned n,
    struct list *out)
{
	unsigned kind = extent_store_kind(&pages->store, sizeclass);
	unsigned got = 0;

	if (unlikely(pages_hooks(pages) != NULL))
		return 0;
	for (unsigned i = 0; i < EXTENT_NCACHES && got < n; i++)
		got += ecache_take_slabs(&pages->caches[i],
		    sc_slabs[sizeclass].slab_size,
		    lg_max_fit((enum extent_state)i), kind, n - got, out);
	return got;
}

unsigned
pages_alloc_slabs(struct pages *pages, unsigned sizeclass, unsigned n,
    struct list *out)
{
	size_t size = sc_slabs[sizeclass].slab_size;
	unsigned got = take_slabs(pages, sizeclass, n, out);
	struct extent *extent;
	struct list *node;

	if (got == 0) {
		extent = pages_alloc(pages, size, os_page);
		if (extent == NULL)
			return 0;
		list_push_back(out, &extent->link);
		return 1;
	}
	list_for_each(node, out)
		extent_set_state(list_entry(node, struct extent, link),
		    EXTENT_ACTIVE);
	count_active(pages, got * size);
	return got;
}

static void
deactivate(struct pages *pages, struct extent *extent)
{
	assert(extent_state(extent) == EXTENT_ACTIVE);
	atomic_store_explicit(&pages->used, true, memory_order_relaxed);
	extent->zeroed = false;
	extent->slab = false;
	extent_set_state(extent, EXTENT_LIMBO);
}

/* Only when its pages are where others find them: see pages_active. */
static void
count_freed(struct pages *pages, size_t size)
{
	/* Ordered before the look at retired; see pages_retire. */
	atomic_fetch_sub(&pages->npages, size / os_page);
}

void
pages_free_purged(struct pages *pages, struct extent *extent)
{
	size_t size = extent->size;

	deactivate(pages, extent);
	pages_purge_freed(pages, extent);
	count_freed(pages, size);
	if (unlikely(pages_retired(pages)))
		pages_retired_freed(pages);
}

void
pages_free(struct pages *pages, struct extent *extent)
{
	size_t size = extent->size;

	deactivate(pages, extent);
	pages_put(pages, extent, EXTENT_DIRTY);
	count_freed(pages, size);
	pages_freed(pages);
}

/* Where b adjoins a it becomes a part of a, or a of b; else NULL. */
static struct extent *
join(struct pages *pages, struct extent *a, struct extent *b)
{
	struct extent *front = a->addr < b->addr ? a : b;
	struct extent *back = front == a ? b : a;

	if (extent_end(front) != back->addr || !extent_joinable(front, back))
		return NULL;
	extent_merge(&pages->store, front, back);
	return front;
}

void
pages_free_list(struct pages *pages, struct list *list)
{
	bool apart = pages_hooks(pages) != NULL;
	struct extent *run = NULL;

	while (!list_empty(list)) {
		struct extent *extent = list_first(list, struct extent, link);
		struct extent *both = NULL;

		list_remove(&extent->link);
		if (run != NULL && !apart)
			both = join(pages, run, extent);
		if (run != NULL && both == NULL)
			pages_free(pages, run);
		run = both != NULL ? both : extent;
	}
	if (run != NULL)
		pages_free(pages, run);
}

void
pages_destroy(struct pages *pages)
{
	extent_hooks_t *hooks = pages_hooks(pages);

	pages_settle(pages);
	if (hooks == NULL)
		return;
	pages_hooked_destroy(pages, hooks);
	pages_hooks_set(pages, NULL);
}

int
pages_grow_limit_set(struct pages *pages, size_t limit)
{
	if (limit < os_page || limit == SIZE_MAX)
		return EINVAL;
	if (limit > SC_LARGE_MAX)
		limit = SC_LARGE_MAX;
	/* A size class of whole pages, as jemalloc rounds. */
	limit = align_down(sc_sizes[sc_index_floor(limit)], os_page);
	atomic_store_explicit(&pages->grow_limit, limit,
	    memory_order_relaxed);
	return 0;
}

void
pages_renew(struct pages *pages, extent_hooks_t *hooks)
{
	uint64_t now = os_now_ns();

	/* Hooks from the start never see what they have not given. */
	if (hooks != NULL) {
		pages_settle(pages);
		pages_hooked_destroy(pages, pages_hooks_get(pages));
	}
	pages_hooks_set(pages, hooks);
	extent_store_sort(&pages->store, false);
	pages_retire(pages, false);
	atomic_store_explicit(&pages->releases, 0, memory_order_relaxed);
	atomic_store_explicit(&pages->released, 0, memory_order_relaxed);
	pages_dss_set(pages, pages_dss_default());
	atomic_store_explicit(&pages->grow_limit, SC_LARGE_MAX,
	    memory_order_relaxed);
	lock_acquire(&pages->grow_lock);
	pages->grow_next = GROW_MIN;
	lock_release(&pages->grow_lock);
	pages_decay_ms_reset(pages, now);
}

void
pages_check(struct pages *pages)
{
	for (unsigned i = 0; i < EXTENT_NCACHES; i++)
		ecache_check(&pages->caches[i]);
	extent_store_check(&pages->store);
}

void
pages_each_lock(struct pages *pages, enum lock_rank rank,
    void (*op)(struct lock *lock))
{
	switch (rank) {
	case RANK_DECAY:
		for (unsigned i = 0; i < PAGES_NDECAYS; i++)
			op(&pages->decays[i].lock);
		break;
	case RANK_GROW:
		op(&pages->grow_lock);
		break;
	case RANK_ECACHE:
		for (unsigned i = 0; i < EXTENT_NCACHES; i++)
			op(&pages->caches[i].lock);
		break;
	case RANK_POOL:
		op(&pages->store.lock);
		break;
	default:
		break;
	}
}
