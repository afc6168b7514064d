/*
 * pages_ahead.h - the pages of a new generation, faulted in ahead of it.
 *
 * What is built in a pool finds no dirty pages: those of the generation before
 * last have left RSS. So each page is a fault, and a build takes three times
 * as long as one that reuses pages. But how much it will need is known, about
 * as much as the generation that ends. While it is built another thread faults
 * pages in, a little ahead, and puts them with the dirty ones:
 *
 *   [ active ][ dirty: at most AHEAD_MOST, not yet touched ][ retained ]
 *
 * There the next allocations find them, and decay and rest what is too much.
 *
 * Locks: the caches', one at a time; none while pages are faulted in.
 */
#ifndef STRATA_PAGES_AHEAD_H
#define STRATA_PAGES_AHEAD_H

#include "pages.h"

enum pages_ahead {
	AHEAD_NONE,			/* nothing is expected */
	AHEAD_WAIT,			/* what is there is not used up */
	AHEAD_DONE			/* there may be more to do */
};

/* The arena will have about so many active bytes; 0: it is not known. */
void pages_expect(struct pages *pages, size_t active);

static inline bool
pages_expects(const struct pages *pages)
{
	return atomic_load_explicit(&pages->expected,
	    memory_order_relaxed) != 0;
}

/* Faults the next pages in; by one thread at a time. Not with hooks. */
enum pages_ahead pages_ahead(struct pages *pages);

#endif
