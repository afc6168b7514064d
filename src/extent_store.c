/*
 * extent_store.c - the structs of an arena's extents; see extent_store.h.
 */
#include "extent_store.h"

#include "os.h"
#include "pagemap.h"
#include "util.h"

enum { BARE_MAX = 12 };			/* what is left of a head */

/* A unit's head, in place of its first struct. */
struct extent_unit {
	struct list link;
	void *free;			/* first word links to the next */
	uint16_t nused;
	uint16_t nfresh;		/* at the end, not handed out yet */
	uint8_t kind;			/* of those in use */
	uint8_t nbare;			/* none while there are any in use */
	void *bare[BARE_MAX];		/* units whose pages were given back */
};

static_assert(sizeof(struct extent_unit) == EXTENT_ALIGN,
    "the structs behind it are aligned");

void
extent_store_init(struct extent_store *store, struct base *base)
{
	*store = (struct extent_store){ .base = base,
	    .unit = os_page_system };
	lock_init(&store->lock, RANK_POOL, "extent_avail");
	for (unsigned i = 0; i < EXTENT_NKINDS; i++)
		list_init(&store->room[i]);
	list_init(&store->empty);
}

static unsigned
per_unit(const struct extent_store *store)
{
	return (unsigned)(store->unit / EXTENT_ALIGN) - 1;
}

static struct extent_unit *
unit_of(const struct extent_store *store, const void *extent)
{
	return (struct extent_unit *)((uintptr_t)extent & ~(store->unit - 1));
}

unsigned
extent_store_kind_of(const struct extent_store *store, const void *extent)
{
	return unit_of(store, extent)->kind;
}

/* memory: a unit's bytes that hold nothing. */
static struct extent_unit *
begin_unit_locked(struct extent_store *store, void *memory)
{
	struct extent_unit *unit = memory;

	if (unit == NULL)
		return NULL;
	*unit = (struct extent_unit){ .nfresh = (uint16_t)per_unit(store) };
	store->nfree += per_unit(store);
	return unit;
}

/* On no list. Those that remember others come last. */
static struct extent_unit *
take_unit_locked(struct extent_store *store)
{
	struct extent_unit *unit;

	if (list_empty(&store->empty))
		return begin_unit_locked(store, base_alloc(store->base,
		    store->unit, store->unit));
	unit = list_first(&store->empty, struct extent_unit, link);
	if (unit->nbare > 0) {
		base_count(store->base, (ptrdiff_t)store->unit);
		return begin_unit_locked(store, unit->bare[--unit->nbare]);
	}
	list_remove(&unit->link);
	return unit;
}

static void *
take_struct_locked(struct extent_store *store, struct extent_unit *unit)
{
	void *extent = unit->free;

	if (extent != NULL)
		unit->free = *(void **)extent;
	else
		extent = (char *)unit + store->unit -
		    (size_t)unit->nfresh-- * EXTENT_ALIGN;
	unit->nused++;
	store->nused++;
	store->nfree--;
	if (unit->nused == per_unit(store))
		list_remove(&unit->link);
	return extent;
}

void *
extent_store_get(struct extent_store *store, unsigned kind)
{
	struct extent_unit *unit;
	void *extent = NULL;

	assert(kind < EXTENT_NKINDS);
	lock_acquire(&store->lock);
	if (!list_empty(&store->room[kind])) {
		unit = list_first(&store->room[kind], struct extent_unit,
		    link);
	} else {
		unit = take_unit_locked(store);
		if (unit != NULL) {
			unit->kind = (uint8_t)kind;
			list_push_front(&store->room[kind], &unit->link);
		}
	}
	if (unit != NULL)
		extent = take_struct_locked(store, unit);
	lock_release(&store->lock);
	return extent;
}

void
extent_store_put(struct extent_store *store, void *extent)
{
	struct extent_unit *unit = unit_of(store, extent);

	lock_acquire(&store->lock);
	*(void **)extent = unit->free;
	unit->free = extent;
	if (unit->nused == per_unit(store))
		list_push_front(&store->room[unit->kind], &unit->link);
	unit->nused--;
	store->nused--;
	store->nfree++;
	if (unit->nused == 0) {
		list_remove(&unit->link);
		if (!list_empty(&store->empty))
			atomic_store_explicit(&store->idle, true,
			    memory_order_relaxed);
		list_push_front(&store->empty, &unit->link);
	}
	lock_release(&store->lock);
}

/*
 * The first of the empty units loses its pages and is remembered by the last;
 * or comes last itself, to remember others. False: the first is one of those.
 */
static bool
trim_one_locked(struct extent_store *store)
{
	struct extent_unit *unit, *last;

	if (list_empty(&store->empty))
		return false;
	unit = list_first(&store->empty, struct extent_unit, link);
	last = list_entry(store->empty.prev, struct extent_unit, link);
	if (unit == last || unit->nbare > 0)
		return false;
	list_remove(&unit->link);
	if (last->nbare == BARE_MAX) {
		list_push_back(&store->empty, &unit->link);
		return true;
	}
	(void)os_purge(unit, store->unit);
	last->bare[last->nbare++] = unit;
	store->nfree -= per_unit(store);
	base_count(store->base, -(ptrdiff_t)store->unit);
	return true;
}

/* A fork may come between two units, so that it finds each somewhere. */
void
extent_store_trim(struct extent_store *store)
{
	bool more = true;

	atomic_store_explicit(&store->idle, false, memory_order_relaxed);
	while (more) {
		lock_acquire(&store->lock);
		more = trim_one_locked(store);
		lock_release(&store->lock);
	}
}

/* --- checking ------------------------------------------------------------- */

static size_t
nfree_of(const struct extent_store *store, const struct extent_unit *unit)
{
	size_t n = unit->nfresh;

	for (void *p = unit->free; p != NULL; p = *(void **)p) {
		must(unit_of(store, p) == unit && p != (void *)unit);
		n++;
	}
	must(n + unit->nused == per_unit(store));
	return n;
}

void
extent_store_check(struct extent_store *store)
{
	size_t nfree = 0;
	struct list *node;

	lock_acquire(&store->lock);
	for (unsigned i = 0; i < EXTENT_NKINDS; i++)
		list_for_each(node, &store->room[i]) {
			struct extent_unit *unit = list_entry(node,
			    struct extent_unit, link);

			must(unit->kind == i && unit->nbare == 0);
			must(unit->nused > 0);
			must(unit->nused < per_unit(store));
			nfree += nfree_of(store, unit);
		}
	list_for_each(node, &store->empty) {
		struct extent_unit *unit = list_entry(node, struct extent_unit,
		    link);

		must(unit->nused == 0 && unit->nbare <= BARE_MAX);
		nfree += nfree_of(store, unit);
	}
	must(nfree == store->nfree);
	lock_release(&store->lock);
}
