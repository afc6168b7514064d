/*
 * pages_resize.h - a run that a dirty one and its neighbour make together.
 *
 * A program that makes one large block after another, each of its own size,
 * finds no dirty run that is long enough, so that the dirty ones lie about
 * until they decay while each block faults its pages anew. But the pages next
 * to such a run are often unused, too:
 *
 *   [ dirty: resident ][ retained: no pages yet ]   one block: fewer faults,
 *                                                   and less is resident
 *
 * pages_expand and pages_shrink (pages.h) are here as well.
 *
 * Locks: the caches', one at a time.
 */
#ifndef STRATA_PAGES_RESIZE_H
#define STRATA_PAGES_RESIZE_H

#include "pages.h"

/* A smaller one is a fault or a few, and goes where it leaves no gaps. */
enum { PAGES_JOIN_MIN = 1 << 20 };

/*
 * An extent in limbo of size bytes, a page's multiple, at a page; NULL if no
 * run suits, or the arena has hooks.
 */
struct extent *pages_join(struct pages *pages, size_t size);

#endif
