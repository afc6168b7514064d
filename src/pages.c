/*
 * pages.c - an arena's supply of pages; see pages.h.
 */
#include "pages.h"

#include <errno.h>

#include "options.h"
#include "os.h"
#include "pages_hooked.h"
#include "pages_map.h"
#include "pages_resize.h"

enum {
	GROW_MIN = PAGES_MAP_ALIGN,
	GROW_MAX = 64 << 20,		/* caps idle address space an arena */
	WATCH_STEPS = 4,		/* 2 % of the decay's time */
	/*
	 * A retired arena purges in strides: of 256 pages, so that the system
	 * call costs little a page, or of a share of what is still active, so
	 * that a large generation takes few of them.
	 */
	RETIRED_STRIDE = 1 << 20,
	RETIRED_SHARE = 8,
	/* What is less than a stride must have gone within a second. */
	RETIRED_DECAY_MS = 100,
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

/* Takes in an extent that is in limbo. */
static void
put(struct pages *pages, struct extent *extent, enum extent_state state)
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

/*
 * False if the kernel refuses, since a hole may need one mapping too many; or
 * if the pages are sbrk's.
 */
static bool
unmap(struct pages *pages, struct extent *extent)
{
	if (extent->fixed)
		return false;
	/* The entries first: the addresses may be another's at once. */
	pagemap_clear(extent->addr, extent->size);
	if (os_unmap(extent->addr, extent->size) != 0)
		return false;
	pages_forget(pages, extent);
	return true;
}

/* Without hooks: what a hook did with the pages it does not tell. */
static void
count_released(struct pages *pages, size_t size)
{
	if (unlikely(pages_retired(pages)))
		atomic_fetch_add_explicit(&pages->released, size,
		    memory_order_relaxed);
}

/*
 * Purged for good: the bytes cost nothing and read as zero. Where the system
 * does not overcommit, or retain:false says so, the addresses go as well.
 */
static void
retire(struct pages *pages, struct extent *extent, enum extent_state state)
{
	extent_hooks_t *hooks = pages_hooks(pages);
	size_t size = extent->size;

	if (unlikely(hooks != NULL)) {
		pages_hooked_retire(pages, hooks, extent,
		    state == EXTENT_MUZZY);
		return;
	}
	if (!pages_retain() && unmap(pages, extent)) {
		count_released(pages, size);
		return;
	}
	extent->zeroed = os_purge(extent->addr, size) == 0;
	if (extent->zeroed)
		count_released(pages, size);
	extent = extent_rehouse(&pages->store, extent);
	ecache_put(&pages->caches[EXTENT_RETAINED], extent);
}

static bool
purge_lazy(struct pages *pages, const struct extent *extent)
{
	extent_hooks_t *hooks = pages_hooks(pages);

	if (unlikely(hooks != NULL))
		return pages_hooks_purge_lazy(hooks, extent);
	return os_purge_lazy(extent->addr, extent->size) == 0;
}

static void
purge_one(struct pages *pages, struct extent *extent,
    enum extent_state state)
{
	if (state == EXTENT_DIRTY &&
	    decay_ms(&pages->decays[EXTENT_MUZZY]) != DECAY_NOW &&
	    purge_lazy(pages, extent))
		put(pages, extent, EXTENT_MUZZY);
	else
		retire(pages, extent, state);
}

static void
count_purge(struct decay *decay, uint64_t calls, uint64_t bytes)
{
	atomic_fetch_add_explicit(&decay->npurge, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&decay->nmadvise, calls,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&decay->purged, bytes,
	    memory_order_relaxed);
}

/*
 * What is to be purged next, of due bytes. With hooks it stays in one piece,
 * as it does with jemalloc. A stride takes what is worth a call: the rest may
 * yet be joined with what is freed next. Of 100 MiB in blocks of 16 bytes to
 * 512 KiB three quarters of the runs were smaller, with a fifth of the bytes.
 */
static struct extent *
take_due(struct pages *pages, enum extent_state state, size_t due, bool stride)
{
	if (due < os_page)
		return NULL;
	if (unlikely(pages_hooks(pages) != NULL))
		return ecache_take_oldest_whole(&pages->caches[state]);
	if (stride)
		return ecache_take_whole(&pages->caches[state],
		    ECACHE_PURGE_UNIT, os_page);
	return ecache_take_oldest(&pages->caches[state], due);
}

/*
 * Purges bytes, or somewhat more, of what has been unused the longest. Not
 * down to a number of bytes: others free meanwhile, and theirs is not due.
 * With hooks the lock is dropped meanwhile.
 */
static void
purge_due_locked(struct pages *pages, enum extent_state state, size_t due,
    bool stride)
{
	struct ecache *cache = &pages->caches[state];
	struct decay *decay = &pages->decays[state];
	bool unlock = pages_hooks(pages) != NULL;
	struct extent *extent;
	uint64_t bytes = 0, calls = 0;

	lock_assert_held(&decay->lock);
	if (unlock) {
		atomic_fetch_add_explicit(&pages->busy, 1,
		    memory_order_relaxed);
		lock_release(&decay->lock);
	}
	while (bytes < due &&
	    (extent = take_due(pages, state, due - bytes, stride)) != NULL) {
		bytes += extent->size;
		calls++;
		purge_one(pages, extent, state);
	}
	if (unlock) {
		lock_acquire(&decay->lock);
		/* Release: pairs with the acquire in pages_settle. */
		atomic_fetch_sub_explicit(&pages->busy, 1,
		    memory_order_release);
	}
	decay_purged_locked(decay, bytes, ecache_bytes(cache));
	if (calls > 0)
		count_purge(decay, calls, bytes);
	if (state == EXTENT_DIRTY)
		atomic_store_explicit(&pages->passed_over,
		    stride ? ecache_bytes(cache) : 0, memory_order_relaxed);
}

static void
purge_all(struct pages *pages, enum extent_state state)
{
	struct decay *decay = &pages->decays[state];

	if (ecache_bytes(&pages->caches[state]) == 0)
		return;
	lock_acquire(&decay->lock);
	purge_due_locked(pages, state, SIZE_MAX, false);
	lock_release(&decay->lock);
}

void
pages_purge(struct pages *pages)
{
	purge_all(pages, EXTENT_DIRTY);
	purge_all(pages, EXTENT_MUZZY);
}

static bool
may_be_unmapped(const struct extent *extent)
{
	return !extent->fixed;
}

static void
unmap_retained(struct pages *pages)
{
	struct ecache *retained = &pages->caches[EXTENT_RETAINED];
	struct list list = LIST_INITIALIZER(list);

	ecache_take_those(retained, may_be_unmapped, &list);
	if (!list_empty(&list))
		pages_map_leave_window();
	while (!list_empty(&list)) {
		struct extent *extent = list_first(&list, struct extent, link);

		list_remove(&extent->link);
		if (!unmap(pages, extent))
			ecache_put(retained, extent);
	}
}

/*
 * Under the lock no arena gets hooks, and whoever has no memory either waits
 * here till what is in hand has gone.
 */
void
pages_unmap_unused(struct pages *pages)
{
	struct lock *lock = &pages->decays[EXTENT_DIRTY].lock;

	if (pages_hooks(pages) != NULL)
		return;
	pages_purge(pages);
	lock_acquire(lock);
	if (pages_hooks(pages) == NULL)
		unmap_retained(pages);
	lock_release(lock);
}

_Atomic bool pages_followed;

/* Retired, and another thread sees to what is unused. */
static bool
left_aside(const struct pages *pages)
{
	return pages_retired(pages) &&
	    atomic_load_explicit(&pages_followed, memory_order_relaxed);
}

static bool
stride_due(const struct pages *pages)
{
	size_t dirty = ecache_bytes(&pages->caches[EXTENT_DIRTY]);
	size_t passed_over = atomic_load_explicit(&pages->passed_over,
	    memory_order_relaxed);

	return dirty >= passed_over + RETIRED_STRIDE &&
	    dirty >= passed_over + pages_active(pages) / RETIRED_SHARE;
}

bool
pages_torn_down(struct pages *pages)
{
	if (atomic_load_explicit(&pages->passed_over,
	    memory_order_relaxed) != 0 && !stride_due(pages))
		return false;
	atomic_store_explicit(&pages->passed_over,
	    ecache_bytes(&pages->caches[EXTENT_DIRTY]), memory_order_relaxed);
	return true;
}

/*
 * After a free, or the retirement itself. Who frees has counted its pages as
 * inactive and put them into the cache before it comes here: of several that
 * free the last pages, each sees 0 or is followed by one that does, so the
 * last to put purges. A stride does not wait for one that is under way.
 */
static void
retired_freed(struct pages *pages)
{
	struct decay *decay = &pages->decays[EXTENT_DIRTY];

	if (pages_active(pages) == 0) {
		if (atomic_exchange_explicit(&pages->unreleased, false,
		    memory_order_relaxed))
			atomic_fetch_add_explicit(&pages->releases, 1,
			    memory_order_relaxed);
		pages_purge(pages);
	} else if (!left_aside(pages) && stride_due(pages) &&
	    lock_try(&decay->lock)) {
		purge_due_locked(pages, EXTENT_DIRTY,
		    ecache_bytes(&pages->caches[EXTENT_DIRTY]), true);
		lock_release(&decay->lock);
	}
}

void (*_Atomic pages_awake)(void);

static void
tell_watcher(struct pages *pages)
{
	void (*awake)(void) = atomic_load_explicit(&pages_awake,
	    memory_order_relaxed);

	if (awake == NULL)
		return;
	atomic_store_explicit(&pages->unwatched, false,
	    memory_order_relaxed);
	awake();
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
	count_purge(&pages->decays[EXTENT_DIRTY], 1, extent->size);
	retire(pages, extent, EXTENT_DIRTY);
	count_freed(pages, size);
	if (unlikely(pages_retired(pages)))
		retired_freed(pages);
}

void
pages_free(struct pages *pages, struct extent *extent)
{
	size_t size = extent->size;

	deactivate(pages, extent);
	put(pages, extent, EXTENT_DIRTY);
	count_freed(pages, size);
	if (unlikely(atomic_load_explicit(&pages->unwatched,
	    memory_order_relaxed)))
		tell_watcher(pages);
	if (unlikely(decay_ms(&pages->decays[EXTENT_DIRTY]) == DECAY_NOW))
		purge_all(pages, EXTENT_DIRTY);
	if (unlikely(pages_retired(pages)))
		retired_freed(pages);
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

static void
advance_locked(struct pages *pages, enum extent_state state, uint64_t now)
{
	size_t cached = ecache_bytes(&pages->caches[state]);
	size_t keep = decay_advance_locked(&pages->decays[state], now,
	    cached);

	if (cached > keep)
		purge_due_locked(pages, state, cached - keep, false);
}

void
pages_tick(struct pages *pages, uint64_t now)
{
	if (left_aside(pages))
		return;
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		struct decay *decay = &pages->decays[i];

		if (!decay_due(decay, now) || !lock_try(&decay->lock))
			continue;
		advance_locked(pages, (enum extent_state)i, now);
		lock_release(&decay->lock);
	}
}

void
pages_decay(struct pages *pages, uint64_t now)
{
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		struct decay *decay = &pages->decays[i];

		if (decay_ms(decay) == DECAY_NOW)
			purge_all(pages, (enum extent_state)i);
		if (!decay_due(decay, now))
			continue;
		lock_acquire(&decay->lock);
		advance_locked(pages, (enum extent_state)i, now);
		lock_release(&decay->lock);
	}
}

ssize_t
pages_decay_ms_get(struct pages *pages, enum extent_state state)
{
	return atomic_load_explicit(&pages->own_ms[state],
	    memory_order_relaxed);
}

/*
 * The arena's own time, unless it is retired: then dirty pages stay a moment,
 * even where they should stay for ever, since giving them back was asked for;
 * and none become muzzy, since those would still be resident.
 */
static ssize_t
ms_in_force(const struct pages *pages, enum extent_state state)
{
	ssize_t ms = atomic_load_explicit(&pages->own_ms[state],
	    memory_order_relaxed);

	if (!pages_retired(pages))
		return ms;
	if (state == EXTENT_MUZZY)
		return DECAY_NOW;
	return ms == DECAY_NEVER || ms > RETIRED_DECAY_MS ?
	    RETIRED_DECAY_MS : ms;
}

/*
 * Whether it is retired is read under the lock, which each who changes that
 * takes afterwards: what is in force in the end fits the last change.
 */
static void
decay_reset_locked(struct pages *pages, enum extent_state state, uint64_t now)
{
	ssize_t ms = ms_in_force(pages, state);

	decay_set_locked(&pages->decays[state], ms, now,
	    ecache_bytes(&pages->caches[state]));
	if (ms == DECAY_NOW)
		purge_due_locked(pages, state, SIZE_MAX, false);
}

/* A purging thread sleeps as long as the old time said. */
static void
tell_new_deadline(struct pages *pages)
{
	if (pages_deadline(pages) != UINT64_MAX)
		tell_watcher(pages);
	else
		atomic_store(&pages->unwatched, true);
}

void
pages_decay_ms_set(struct pages *pages, enum extent_state state, ssize_t ms,
    uint64_t now)
{
	struct decay *decay = &pages->decays[state];

	lock_acquire(&decay->lock);
	atomic_store_explicit(&pages->own_ms[state], ms,
	    memory_order_relaxed);
	decay_reset_locked(pages, state, now);
	lock_release(&decay->lock);
	tell_new_deadline(pages);
}

void
pages_retire(struct pages *pages, bool retired)
{
	uint64_t now = os_now_ns();

	if (atomic_exchange(&pages->retired, retired) == retired)
		return;
	atomic_store_explicit(&pages->unreleased, retired,
	    memory_order_relaxed);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		lock_acquire(&pages->decays[i].lock);
		decay_reset_locked(pages, (enum extent_state)i, now);
		lock_release(&pages->decays[i].lock);
	}
	if (retired) {
		atomic_store(&pages->expected, 0);
		atomic_store_explicit(&pages->passed_over, 0,
		    memory_order_relaxed);
		/*
		 * A whole generation has not needed it. The flag and the count
		 * are in one order for all threads: a free that came first is
		 * seen here as inactive pages, any other sees the flag.
		 */
		pages_purge(pages);
		retired_freed(pages);
	}
	tell_new_deadline(pages);
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
pages_decay_ms_reset(struct pages *pages, uint64_t now)
{
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		pages_decay_ms_set(pages, (enum extent_state)i,
		    pages_decay_ms_default((enum extent_state)i), now);
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

uint64_t
pages_deadline(const struct pages *pages)
{
	uint64_t first = UINT64_MAX;

	if (left_aside(pages))
		return first;
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		uint64_t deadline = atomic_load_explicit(
		    &pages->decays[i].deadline, memory_order_relaxed);

		if (decay_ms(&pages->decays[i]) > 0 && deadline < first &&
		    ecache_bytes(&pages->caches[i]) > 0)
			first = deadline;
	}
	return first;
}

/*
 * The flag is set before the bytes are looked at, and read after they have
 * been added (pages_free, behind the cache's lock): one of the two sees the
 * other. Where the machine lets the reader's load pass the lock's release the
 * thread comes by SLEEP_MAX_NS later (background.c).
 */
uint64_t
pages_watch(struct pages *pages)
{
	uint64_t deadline;
	ssize_t ms = 0;

	atomic_store(&pages->unwatched, true);
	deadline = pages_deadline(pages);
	if (deadline == UINT64_MAX)
		return deadline;
	atomic_store_explicit(&pages->unwatched, false,
	    memory_order_relaxed);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		if (ecache_bytes(&pages->caches[i]) > 0 &&
		    (ms == 0 || decay_ms(&pages->decays[i]) < ms))
			ms = decay_ms(&pages->decays[i]);
	return deadline + decay_step_ns(ms) * (WATCH_STEPS - 1);
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
