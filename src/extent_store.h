/*
 * extent_store.h - the structs of an arena's extents, by what dies together.
 *
 *   unit:  [ head | extent | extent | ... ]      a page of the system's
 *
 * In an arena of a pool a unit has the structs of one kind: of the slabs of one
 * size class, or of all else. When a generation ends the slabs of most classes
 * go, and those of the strays' classes stay: so most units are all free then,
 * and extent_store_trim gives their pages back. In other arenas nothing dies
 * at once, and forty units for a few structs each would cost more than that.
 *
 * What is given back keeps its addresses and reads as zero, as what was never
 * used: extents without an address, which no stale pagemap entry is fooled by.
 * Their addresses wait in the heads of units that are empty, where no entry
 * leads.
 *
 * Locks: store.lock (RANK_POOL); fork walks it by pages_each_lock.
 * Invariants (extent_store_check): a unit is on the list of its kind if it has
 *   both used and free structs, on empty if none is used; sums agree.
 */
#ifndef STRATA_EXTENT_STORE_H
#define STRATA_EXTENT_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base.h"
#include "list.h"
#include "sizeclass.h"

/* Whose slab; or of none. */
enum { EXTENT_KIND_ANY = SC_NSMALL, EXTENT_NKINDS };

struct extent_store {
	struct lock lock;
	/* lock: */
	struct list room[EXTENT_NKINDS];	/* units with used and free */
	struct list empty;
	size_t nused, nfree;		/* structs in units that are there */
	/* atomic: */
	_Atomic bool sorted;		/* by kind */
	_Atomic bool idle;		/* trim may find something */
	/* constant after init: */
	struct base *base;
	size_t unit;			/* bytes */
};

void extent_store_init(struct extent_store *store, struct base *base);
/* From now on by kind, or no longer. */
static inline void
extent_store_sort(struct extent_store *store, bool sorted)
{
	atomic_store_explicit(&store->sorted, sorted, memory_order_relaxed);
}
/* For a slab of a size class. */
static inline unsigned
extent_store_kind(const struct extent_store *store, unsigned sizeclass)
{
	return atomic_load_explicit(&store->sorted, memory_order_relaxed) ?
	    sizeclass : EXTENT_KIND_ANY;
}

/* EXTENT_ALIGN bytes, contents undefined. NULL if the system has none. */
void *extent_store_get(struct extent_store *store, unsigned kind);
/* The kind of one in use, whose own it is: constant till it is put. */
unsigned extent_store_kind_of(const struct extent_store *store,
    const void *extent);
void extent_store_put(struct extent_store *store, void *extent);

/* Whether units have become empty since the last trim. */
static inline bool
extent_store_idle(const struct extent_store *store)
{
	return atomic_load_explicit(&store->idle, memory_order_relaxed);
}
/* Gives the pages of empty units back, but for a few that remember them. */
void extent_store_trim(struct extent_store *store);

/* Aborts if an invariant is broken. */
void extent_store_check(struct extent_store *store);

#endif
