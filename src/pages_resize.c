/*
 * pages_resize.c - extents joined with what lies next to them, and cut.
 */
#include "pages_resize.h"

#include <errno.h>

#include "ecache.h"
#include "pages_hooked.h"
#include "pages_hooks.h"
#include "pages_map.h"

/*
 * A dirty run joins a request that it is at least this share of: a lesser one
 * saves little, and smaller requests will want it.
 */
enum { JOIN_SHARE = 4 };

/* --- in place ------------------------------------------------------------- */

/* What lies behind extent, from whichever cache, to be joined with it. */
static struct extent *
take_tail(struct pages *pages, struct extent *extent, size_t size)
{
	struct extent *tail = NULL;
	enum extent_state state = 0;

	for (; state < EXTENT_NCACHES && tail == NULL; state++)
		tail = ecache_take_at(&pages->caches[state],
		    extent_end(extent), size);
	if (tail != NULL && !extent_joinable(extent, tail)) {
		ecache_put(&pages->caches[state - 1], tail);
		return NULL;
	}
	return tail;
}

/* The hook may refuse; then the tail is in its cache again. */
static struct extent *
take_tail_hooked(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, size_t size)
{
	struct extent *tail = NULL;
	enum extent_state state = 0;

	for (; state < EXTENT_NCACHES && tail == NULL; state++)
		tail = pages_hooked_take_after(pages, hooks, state, extent,
		    size);
	if (tail == NULL || pages_hooks_merge(hooks, extent, tail))
		return tail;
	ecache_put_whole(&pages->caches[state - 1], tail, true);
	return NULL;
}

int
pages_expand(struct pages *pages, struct extent *extent, size_t size,
    bool *zeroed)
{
	extent_hooks_t *hooks = pages_hooks(pages);
	size_t more = size - extent->size;
	struct extent *tail;

	assert(size > extent->size && size % os_page == 0);
	tail = likely(hooks == NULL) ? take_tail(pages, extent, more) :
	    take_tail_hooked(pages, hooks, extent, more);
	if (tail == NULL)
		return ENOMEM;
	*zeroed = tail->zeroed;
	extent_merge(&pages->store, extent, tail);
	atomic_fetch_add_explicit(&pages->npages, more / os_page,
	    memory_order_relaxed);
	return 0;
}

int
pages_shrink(struct pages *pages, struct extent *extent, size_t size)
{
	extent_hooks_t *hooks = pages_hooks(pages);
	struct extent *tail = likely(hooks == NULL) ?
	    extent_split(&pages->store, extent, size) :
	    pages_hooked_split(pages, hooks, extent, size);

	if (tail == NULL)
		return ENOMEM;
	extent_set_state(tail, EXTENT_ACTIVE);
	pages_free(pages, tail);
	return 0;
}

/* --- a large request and a dirty run that is too short -------------------- */

/* The end of the unused pages before extent; NULL: there are too few. */
static struct extent *
take_front(struct pages *pages, struct extent *extent, size_t size)
{
	struct ecache *retained = &pages->caches[EXTENT_RETAINED];
	struct extent *before = ecache_take_before(retained, extent);
	struct extent *front = NULL;

	if (before == NULL || before->size == size)
		return before;
	if (before->size > size)
		front = extent_split(&pages->store, before, before->size -
		    size);
	ecache_put(retained, before);
	return front;
}

static bool
join_front(struct pages *pages, struct extent **run, size_t size)
{
	struct extent *front = take_front(pages, *run, size - (*run)->size);

	if (front == NULL)
		return false;
	extent_merge(&pages->store, front, *run);
	*run = front;
	return true;
}

static bool
join_tail(struct pages *pages, struct extent *run, size_t size)
{
	struct extent *tail = take_tail(pages, run, size - run->size);

	if (tail == NULL)
		return false;
	extent_merge(&pages->store, run, tail);
	return true;
}

/* Bytes retained behind the run; another thread may take them. */
static size_t
retained_behind(struct pages *pages, const struct extent *run)
{
	struct ecache *retained = &pages->caches[EXTENT_RETAINED];
	struct extent *rest = ecache_take_after(retained, run, os_page);
	size_t size = 0;

	if (rest != NULL) {
		size = rest->size;
		ecache_put(retained, rest);
	}
	return size;
}

/* Nothing but retained pages behind the run: what is missing is mapped. */
static bool
join_fresh(struct pages *pages, struct extent *run, size_t size)
{
	size_t has = run->size + retained_behind(pages, run);
	struct extent *fresh;

	if (has >= size)
		return false;
	fresh = pages_map_behind(pages, run->addr + has,
	    align_up(size - has, PAGES_MAP_ALIGN));
	if (fresh == NULL)
		return false;
	ecache_put(&pages->caches[EXTENT_RETAINED], fresh);
	return join_tail(pages, run, size);
}

struct extent *
pages_join(struct pages *pages, size_t size)
{
	struct ecache *dirty = &pages->caches[EXTENT_DIRTY];
	struct extent *run;

	if (pages_hooks(pages) != NULL)
		return NULL;
	run = ecache_take_largest(dirty, size / JOIN_SHARE, size);
	if (run == NULL || join_tail(pages, run, size) ||
	    join_front(pages, &run, size) || join_fresh(pages, run, size))
		return run;
	ecache_put(dirty, run);
	return NULL;
}
