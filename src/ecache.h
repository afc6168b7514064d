/*
 * ecache.h - a cache of unused extents of one arena and one state.
 *
 *   heaps[floor size class][is a page larger, or more] by (serial, address):
 *     reuse wants old, low runs; with cache_oblivious a large block's is its
 *     class and a page, and is to be found for the next of that class
 *   lru: the order in which they came: purging wants the longest unused
 *
 * What comes in is joined with its neighbours in the same cache, unless a
 * program's hooks decide that (pages_hooked.h).
 * Locks: ecache.lock (RANK_ECACHE); no two are held at once but by fork.
 * Invariants (ecache_check): every extent is in the heap of its size and on
 *   the lru; no two that could be joined adjoin, but for hooks; sums agree;
 *   first and last entry point to it.
 */
#ifndef STRATA_ECACHE_H
#define STRATA_ECACHE_H

#include "extent.h"
#include "sizeclass.h"

/* Extents whose size has this floor class. */
struct ecache_class {
	size_t count;
	size_t bytes;
};

enum { ECACHE_NHEAPS = 2 * SC_COUNT };

struct ecache {
	struct lock lock;
	/* lock: */
	struct list lru;
	uint64_t nonempty[(ECACHE_NHEAPS + 63) / 64];
	struct heap heaps[ECACHE_NHEAPS];
	struct ecache_class classes[SC_COUNT];
	bool whole;			/* has had extents as hooks left them */
	/* lock for writing, atomic for reading: */
	_Atomic size_t bytes;
	/* constant after init: */
	struct extent_store *store;
	unsigned arena;
	enum extent_state state;
};

enum { ECACHE_ANY_FIT = 64 };

void ecache_init(struct ecache *ecache, unsigned arena,
    enum extent_state state, struct extent_store *store, const char *name);

/* Takes in an extent that is in limbo. */
void ecache_put(struct ecache *ecache, struct extent *extent);

/*
 * A run of exactly size bytes at a multiple of align, in limbo, cut from the
 * oldest extent of at most size << lg_max_fit bytes, or else from the next
 * larger one. NULL if there is none.
 */
struct extent *ecache_take(struct ecache *ecache, size_t size, size_t align,
    unsigned lg_max_fit);

/*
 * The same for up to n slabs, in structs of kind (extent_store.h): they are
 * added to out, in the order in which single calls would return them, up to
 * one that is decommitted. How many there were.
 */
unsigned ecache_take_slabs(struct ecache *ecache, size_t size,
    unsigned lg_max_fit, unsigned kind, unsigned n, struct list *out);

/* Exactly size bytes that begin at addr, in limbo, or NULL. */
struct extent *ecache_take_at(struct ecache *ecache, const char *addr,
    size_t size);

/*
 * Of the largest class, whole and in limbo: at least least bytes and less
 * than limit. NULL if there is none.
 */
struct extent *ecache_take_largest(struct ecache *ecache, size_t least,
    size_t limit);

/*
 * From what is unused the longest, a run of at most size bytes (rounded up to
 * ECACHE_PURGE_UNIT or pages); NULL if there is nothing. A large extent is thus
 * purged bit by bit, as its decay says, and what may stay of it is there for
 * reuse.
 */
enum { ECACHE_PURGE_UNIT = 64 << 10 };	/* a call costs as much as it saves */
struct extent *ecache_take_oldest(struct ecache *ecache, size_t size);

/*
 * For arenas with hooks: nothing is cut or joined, and what is returned, in
 * limbo, may be larger than asked for.
 */
/* oldest: as if unused the longest. */
void ecache_put_whole(struct ecache *ecache, struct extent *extent,
    bool oldest);
/* Of the nearest class with room for size bytes at a multiple of align. */
struct extent *ecache_take_whole(struct ecache *ecache, size_t size,
    size_t align);
/* What lies next to extent and could be joined; at least size bytes. */
struct extent *ecache_take_after(struct ecache *ecache,
    const struct extent *extent, size_t size);
struct extent *ecache_take_before(struct ecache *ecache,
    const struct extent *extent);
/* What is unused the longest. */
struct extent *ecache_take_oldest_whole(struct ecache *ecache);

/* All that wanted says yes to, whole and in limbo: added to out, by link. */
void ecache_take_those(struct ecache *ecache,
    bool (*wanted)(const struct extent *extent), struct list *out);

static inline size_t
ecache_bytes(const struct ecache *ecache)
{
	return atomic_load_explicit(&ecache->bytes, memory_order_relaxed);
}

/* Aborts if an invariant is broken. */
void ecache_check(struct ecache *ecache);

#endif
