/*
 * pages_purge.c - purging, decay and retirement; see pages_purge.h, pages.h.
 */
#include "pages_purge.h"

#include "options.h"
#include "os.h"
#include "pages_hooked.h"
#include "pages_map.h"

enum {
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

/* --- giving pages back ---------------------------------------------------- */

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
		pages_put(pages, extent, EXTENT_MUZZY);
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

/* --- retired arenas ------------------------------------------------------- */

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
void
pages_retired_freed(struct pages *pages)
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

/* --- after a free --------------------------------------------------------- */

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

void
pages_purge_freed(struct pages *pages, struct extent *extent)
{
	count_purge(&pages->decays[EXTENT_DIRTY], 1, extent->size);
	retire(pages, extent, EXTENT_DIRTY);
}

void
pages_freed(struct pages *pages)
{
	if (unlikely(atomic_load_explicit(&pages->unwatched,
	    memory_order_relaxed)))
		tell_watcher(pages);
	if (unlikely(decay_ms(&pages->decays[EXTENT_DIRTY]) == DECAY_NOW))
		purge_all(pages, EXTENT_DIRTY);
	if (unlikely(pages_retired(pages)))
		pages_retired_freed(pages);
}

/* --- decay ---------------------------------------------------------------- */

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
		pages_retired_freed(pages);
	}
	tell_new_deadline(pages);
}

void
pages_decay_ms_reset(struct pages *pages, uint64_t now)
{
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		pages_decay_ms_set(pages, (enum extent_state)i,
		    pages_decay_ms_default((enum extent_state)i), now);
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
