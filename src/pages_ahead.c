/*
 * pages_ahead.c - faults pages in ahead of a build; see pages_ahead.h.
 */
#include "pages_ahead.h"

#include "pages_hooks.h"

enum {
	AHEAD_CHUNK = 512 << 10,	/* 0.2 ms of faults at once */
	/*
	 * What a thread builds meanwhile, and while this one wakes up. It may
	 * stay unused till the program rests: with 8 MiB a build was 6 %
	 * faster.
	 */
	AHEAD_MOST = 2 << 20
};

void
pages_expect(struct pages *pages, size_t active)
{
	/* On the CPU of who builds another thread would be in the way. */
	if (os_ncpus() == 1)
		active = 0;
	/* A rest begins to count now, and one that has begun goes on. */
	if (active != 0)
		atomic_store_explicit(&pages->used, true,
		    memory_order_relaxed);
	atomic_store_explicit(&pages->expected, active, memory_order_relaxed);
}

static enum pages_ahead
give_up(struct pages *pages)
{
	atomic_store_explicit(&pages->expected, 0, memory_order_relaxed);
	return AHEAD_NONE;
}

static enum pages_ahead
fault_in(struct pages *pages, size_t expected)
{
	size_t dirty = ecache_bytes(&pages->caches[EXTENT_DIRTY]);
	struct extent *extent;

	if (expected == 0)
		return AHEAD_NONE;
	if (pages_hooks(pages) != NULL ||
	    pages_active(pages) + dirty + AHEAD_CHUNK > expected)
		return give_up(pages);
	if (dirty + AHEAD_CHUNK > AHEAD_MOST)
		return AHEAD_WAIT;
	extent = pages_fresh(pages, AHEAD_CHUNK);
	if (extent == NULL)
		return give_up(pages);
	if (os_populate(extent->addr, extent->size) != 0) {
		ecache_put(&pages->caches[EXTENT_RETAINED], extent);
		return give_up(pages);
	}
	ecache_put(&pages->caches[EXTENT_DIRTY], extent);
	return AHEAD_DONE;
}

/*
 * The extent in hand is in no cache. The end of an arena, which has expected
 * nothing since it was retired, waits for who is here: one of the two sees the
 * other, all being sequentially consistent (pages_retire, pages_settle).
 */
enum pages_ahead
pages_ahead(struct pages *pages)
{
	enum pages_ahead ahead;

	if (!pages_expects(pages))
		return AHEAD_NONE;
	atomic_fetch_add(&pages->busy, 1);
	ahead = fault_in(pages, atomic_load(&pages->expected));
	atomic_fetch_sub(&pages->busy, 1);
	return ahead;
}
