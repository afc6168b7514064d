/*
 * pages_purge.h - what becomes of an arena's unused pages.
 *
 *   dirty --decay, purge--> muzzy --> retained, or unmapped
 *
 * Pages go when their decay says so, when the program asks for it, and in
 * strides while the arena is retired. pages.h has what others call; here is
 * what pages.c and this have of each other.
 *
 * Locks: as in pages.h.
 */
#ifndef STRATA_PAGES_PURGE_H
#define STRATA_PAGES_PURGE_H

#include "pages.h"

/* pages.c: takes in an extent that is in limbo. */
void pages_put(struct pages *pages, struct extent *extent,
    enum extent_state state);

/* Gives an extent's pages back at once; in limbo, and no longer the caller's. */
void pages_purge_freed(struct pages *pages, struct extent *extent);
/* After a free, when its pages are counted as inactive: what is due by it. */
void pages_freed(struct pages *pages);
/* The same of a retired arena alone, or at its retirement. */
void pages_retired_freed(struct pages *pages);

#endif
