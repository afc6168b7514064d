/*
 * pages_hooked.c - pages of an arena with extent hooks; see pages_hooked.h.
 */
#include "pages_hooked.h"

#include "dss.h"
#include "os.h"

/* A purge is some hundred microseconds; an arena's end is seldom. */
enum { SETTLE_NS = 50 * 1000 };

/* A struct for the rest first: a hook's yes cannot be taken back. */
struct extent *
pages_hooked_split(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, size_t size)
{
	struct extent *rest = extent_split(&pages->store, extent, size);

	if (rest == NULL || pages_hooks_split(hooks, extent, rest))
		return rest;
	extent_merge(&pages->store, extent, rest);
	return NULL;
}

bool
pages_hooked_merge(struct pages *pages, extent_hooks_t *hooks,
    struct extent *front, struct extent *back)
{
	if (!pages_hooks_merge(hooks, front, back))
		return false;
	extent_merge(&pages->store, front, back);
	return true;
}

/* extent with what lies behind it; true if it has grown. */
static bool
join_after(struct pages *pages, extent_hooks_t *hooks, struct extent *extent,
    struct ecache *cache)
{
	struct extent *other = ecache_take_after(cache, extent, os_page);

	if (other == NULL)
		return false;
	if (pages_hooked_merge(pages, hooks, extent, other))
		return true;
	/* As long unused as before, more or less. */
	ecache_put_whole(cache, other, true);
	return false;
}

/* The same with what lies before it: the struct is then the other's. */
static struct extent *
join_before(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, struct ecache *cache)
{
	struct extent *other = ecache_take_before(cache, extent);

	if (other == NULL)
		return NULL;
	if (pages_hooked_merge(pages, hooks, other, extent))
		return other;
	ecache_put_whole(cache, other, true);
	return NULL;
}

void
pages_hooked_put(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, enum extent_state state)
{
	struct ecache *cache = &pages->caches[state];
	struct extent *joined;

	if (hooks->merge != NULL) {
		while (join_after(pages, hooks, extent, cache))
			;
		while ((joined = join_before(pages, hooks, extent, cache)) !=
		    NULL)
			extent = joined;
	}
	ecache_put_whole(cache, extent, false);
}

struct request {
	size_t size, align;
};

/* Makes what was decommitted usable; false if the program cannot. */
static bool
commit(extent_hooks_t *hooks, struct extent *extent)
{
	if (extent->decommitted && !pages_hooks_commit(hooks, extent))
		return false;
	extent->decommitted = false;
	return true;
}

/*
 * Cuts a whole extent down to a request, the rest goes back to its cache.
 * NULL if it cannot be used: all of it is back.
 */
static struct extent *
cut(struct pages *pages, extent_hooks_t *hooks, struct ecache *cache,
    struct extent *extent, const struct request *request)
{
	size_t lead = align_up((uintptr_t)extent->addr, request->align) -
	    (uintptr_t)extent->addr;
	struct extent *rest;

	if (lead > 0) {
		rest = pages_hooked_split(pages, hooks, extent, lead);
		ecache_put_whole(cache, extent, true);
		if (rest == NULL)
			return NULL;
		extent = rest;
	}
	rest = extent->size == request->size ? NULL :
	    pages_hooked_split(pages, hooks, extent, request->size);
	if (rest != NULL)
		ecache_put_whole(cache, rest, true);
	/* A class is up to a quarter larger than the one before. */
	if (extent->size - request->size > request->size / 4 ||
	    !commit(hooks, extent)) {
		ecache_put_whole(cache, extent, true);
		return NULL;
	}
	return extent;
}

struct extent *
pages_hooked_take(struct pages *pages, extent_hooks_t *hooks,
    enum extent_state state, size_t size, size_t align)
{
	struct request request = { size, align };
	struct ecache *cache = &pages->caches[state];
	struct extent *extent = ecache_take_whole(cache, size, align);

	return extent == NULL ? NULL :
	    cut(pages, hooks, cache, extent, &request);
}

struct extent *
pages_hooked_take_after(struct pages *pages, extent_hooks_t *hooks,
    enum extent_state state, const struct extent *extent, size_t size)
{
	struct ecache *cache = &pages->caches[state];
	struct extent *tail = ecache_take_after(cache, extent, size), *rest;

	if (tail == NULL || tail->size == size)
		return tail;
	rest = pages_hooked_split(pages, hooks, tail, size);
	ecache_put_whole(cache, rest != NULL ? rest : tail, true);
	return rest != NULL ? tail : NULL;
}

/* Exactly size bytes by the alloc hook, in limbo and committed; or NULL. */
static struct extent *
map_extent(struct pages *pages, extent_hooks_t *hooks, size_t size,
    size_t align)
{
	struct extent in_hand = { .size = size }, *extent = NULL;
	bool zeroed, committed;
	char *addr = pages_hooks_alloc(hooks, size, align, &zeroed,
	    &committed, pages->arena);

	if (addr == NULL)
		return NULL;
	in_hand.addr = addr;
	in_hand.decommitted = !committed;
	atomic_init(&in_hand.tag, extent_tag(pages->arena, EXTENT_LIMBO));
	if (pagemap_reserve(addr, size) == 0 && commit(hooks, &in_hand))
		extent = extent_new(&pages->store, pages->arena, addr, size,
		    pages_next_serial(pages), zeroed);
	if (extent == NULL) {
		(void)pages_hooks_dalloc(hooks, &in_hand);
		return NULL;
	}
	extent->fixed = dss_contains(addr);
	atomic_fetch_add_explicit(&pages->address_space, size,
	    memory_order_relaxed);
	return extent;
}

/* More than asked for, cut; NULL if the program has less or will not cut. */
static struct extent *
grow_step(struct pages *pages, extent_hooks_t *hooks, size_t size,
    size_t align, size_t step)
{
	struct extent *extent, *rest;

	if (step <= size || hooks->split == NULL ||
	    atomic_load_explicit(&pages->uncut, memory_order_relaxed))
		return NULL;
	extent = map_extent(pages, hooks, step, align);
	if (extent == NULL)
		return NULL;
	rest = pages_hooked_split(pages, hooks, extent, size);
	if (rest != NULL) {
		ecache_put_whole(&pages->caches[EXTENT_RETAINED], rest,
		    false);
		return extent;
	}
	/* From here on no more than is asked for. */
	atomic_store_explicit(&pages->uncut, true, memory_order_relaxed);
	ecache_put_whole(&pages->caches[EXTENT_RETAINED], extent, false);
	return NULL;
}

struct extent *
pages_hooked_grow(struct pages *pages, extent_hooks_t *hooks, size_t size,
    size_t align, size_t step)
{
	struct extent *extent = grow_step(pages, hooks, size, align, step);

	return extent != NULL ? extent :
	    map_extent(pages, hooks, size, align);
}

void
pages_hooked_retire(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, bool was_muzzy)
{
	/* The entries first: the addresses may be another's at once. */
	pagemap_clear(extent->addr, extent->size);
	if (pages_hooks_dalloc(hooks, extent)) {
		pages_forget(pages, extent);
		return;
	}
	if (pages_hooks_decommit(hooks, extent))
		extent->decommitted = extent->zeroed = true;
	else if (pages_hooks_purge_forced(hooks, extent))
		extent->zeroed = true;
	else if (!was_muzzy)
		(void)pages_hooks_purge_lazy(hooks, extent);
	pages_hooked_put(pages, hooks, extent, EXTENT_RETAINED);
}

/*
 * A purge of another thread has in hand what no cache has. Without hooks it
 * keeps its decay's lock; with hooks it is counted under it. What it gave back
 * as muzzy goes by the second purge.
 */
void
pages_settle(struct pages *pages)
{
	pages_purge(pages);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++) {
		lock_acquire(&pages->decays[i].lock);
		lock_release(&pages->decays[i].lock);
	}
	/* Pairs with the release in purge_due_locked, and with pages_ahead. */
	while (atomic_load(&pages->busy) > 0)
		os_sleep_ns(SETTLE_NS);
	pages_purge(pages);
}

/* The program's, for good. */
static void
destroy(struct pages *pages, extent_hooks_t *hooks, struct extent *extent)
{
	pagemap_clear(extent->addr, extent->size);
	pages_hooks_destroy(hooks, extent);
	pages_forget(pages, extent);
}

void
pages_hooked_destroy(struct pages *pages, extent_hooks_t *hooks)
{
	struct extent *extent;

	while ((extent = ecache_take_oldest_whole(
	    &pages->caches[EXTENT_RETAINED])) != NULL)
		destroy(pages, hooks, extent);
}

static bool
is_decommitted(const struct extent *extent)
{
	return extent->decommitted;
}

/*
 * Before the arena has none: who decommitted knows how to commit. What it
 * refuses to is gone, as at an arena's end.
 */
static void
commit_all(struct pages *pages, extent_hooks_t *hooks)
{
	struct list list = LIST_INITIALIZER(list);

	ecache_take_those(&pages->caches[EXTENT_RETAINED], is_decommitted,
	    &list);
	while (!list_empty(&list)) {
		struct extent *extent = list_first(&list, struct extent, link);

		list_remove(&extent->link);
		if (commit(hooks, extent))
			pages_hooked_put(pages, hooks, extent,
			    EXTENT_RETAINED);
		else
			destroy(pages, hooks, extent);
	}
}

extent_hooks_t *
pages_hooks_get(const struct pages *pages)
{
	extent_hooks_t *hooks = pages_hooks(pages);

	return hooks != NULL ? hooks :
	    (extent_hooks_t *)(uintptr_t)&pages_hooks_own;
}

/* atomic: who counts on it that no arena gets hooks */
static _Atomic unsigned hookless;

/*
 * Counted here, then hooks are looked for; set there, then the count is looked
 * at. One of the two sees the other, by the fences.
 */
void
pages_hookless_begin(void)
{
	atomic_fetch_add_explicit(&hookless, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

void
pages_hookless_end(void)
{
	/* Release: pairs with the acquire in wait_for_hookless. */
	atomic_fetch_sub_explicit(&hookless, 1, memory_order_release);
}

void
pages_hookless_fork_child(void)
{
	atomic_store_explicit(&hookless, 0, memory_order_relaxed);
}

static void
wait_for_hookless(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	/* Acquire: pairs with the release in pages_hookless_end. */
	while (atomic_load_explicit(&hookless, memory_order_acquire) > 0)
		os_sleep_ns(SETTLE_NS);
}

void
pages_hooks_set(struct pages *pages, extent_hooks_t *hooks)
{
	extent_hooks_t *before = pages_hooks(pages);

	if (hooks == &pages_hooks_own)
		hooks = NULL;
	if (hooks == NULL && before != NULL)
		commit_all(pages, before);
	/* A purge without hooks keeps its lock: it must not meet them. */
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		lock_acquire(&pages->decays[i].lock);
	atomic_store_explicit(&pages->uncut, false, memory_order_relaxed);
	/* Release: pairs with the acquire in pages_hooks. */
	atomic_store_explicit(&pages->hooks, hooks, memory_order_release);
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		lock_release(&pages->decays[i].lock);
	if (hooks != NULL)
		wait_for_hookless();
}
