/*
 * pages.h - an arena's supply of pages.
 *
 *   pages_alloc: dirty -> muzzy -> retained -> new address space
 *   pages_free:  into dirty; decay moves it on, see extent.h
 *
 * New address space comes in growing steps, see pages_map.h.
 *
 * An arena may have hooks of the program's instead of the system:
 * pages_hooked.h.
 *
 * Locks: decay (dirty before muzzy) > grow > the caches', one at a time.
 */
#ifndef STRATA_PAGES_H
#define STRATA_PAGES_H

#include "decay.h"
#include "ecache.h"
#include "options.h"
#include "os.h"

struct extent_hooks_s;		/* <strata/strata.h>: extent_hooks_t */

enum { PAGES_NDECAYS = 2 };		/* EXTENT_DIRTY, EXTENT_MUZZY */

struct pages {
	struct ecache caches[EXTENT_NCACHES];
	struct decay decays[PAGES_NDECAYS];
	struct extent_store store;
	struct lock grow_lock;
	/* grow_lock: */
	size_t grow_next;		/* bytes of the next mapping */
	/* atomic: */
	_Atomic size_t npages;		/* of active extents */
	_Atomic size_t address_space;	/* bytes mapped from the system */
	_Atomic bool unwatched;		/* no purging thread comes by */
	_Atomic bool used;		/* since pool_rest_look was here */
	_Atomic size_t expected;	/* active bytes to come, or 0 */
	_Atomic(struct extent_hooks_s *) hooks;	/* NULL: none */
	_Atomic bool retired;		/* pages_retire */
	_Atomic bool unreleased;	/* retired, and not yet empty since */
	_Atomic size_t passed_over;	/* bytes that no stride is due for */
	_Atomic ssize_t own_ms[PAGES_NDECAYS];	/* settings, if not retired */
	_Atomic uint64_t releases;	/* retirements that it got empty in */
	_Atomic uint64_t released;	/* bytes purged while retired */
	/* purges with hooks, pages_ahead; may be < 0 in a hook's forked child */
	_Atomic int busy;
	_Atomic bool uncut;		/* a hook would not cut what it gave */
	_Atomic uint64_t serial;	/* of the next mapping */
	_Atomic int dss;		/* enum option_dss */
	_Atomic size_t grow_limit;	/* bytes of a mapping, beyond need */
	/* the thread of pool_rest_look: */
	uint64_t used_ns;		/* monotonic; when used was seen last */
	/* constant after init: */
	unsigned arena;
	bool own_window;
};

/*
 * own_window: addresses that stay mapped come from the window, not from where
 * the kernel likes.
 */
void pages_init(struct pages *pages, unsigned arena, bool own_window);

/*
 * size and align are multiples of os_page, align a power of two. The
 * extent is active, without entries in the pagemap; extent->zeroed says
 * whether it reads as zero. NULL if there is no memory.
 */
struct extent *pages_alloc(struct pages *pages, size_t size, size_t align);
/*
 * The same for contents that need not be zero: a large extent may be a dirty
 * run joined with the fresh pages next to it, see pages_resize.h.
 */
struct extent *pages_alloc_any(struct pages *pages, size_t size, size_t align);

/*
 * The same for up to n slabs of a size class, at any page each: they are added
 * to out, a list by link. How many; 0: there is no memory.
 */
unsigned pages_alloc_slabs(struct pages *pages, unsigned sizeclass,
    unsigned n, struct list *out);

/* The entries that made it a block or slab are gone or overwritten. */
void pages_free(struct pages *pages, struct extent *extent);
/* All of a list by link; those that adjoin the one before go with it. */
void pages_free_list(struct pages *pages, struct list *list);

/* The same, and its pages go back at once, whatever the decay says. */
void pages_free_purged(struct pages *pages, struct extent *extent);

/*
 * Makes an active extent larger or smaller where it is; 0 or ENOMEM. The
 * caller renews the entries. *zeroed: whether the new bytes read as zero.
 */
int pages_expand(struct pages *pages, struct extent *extent, size_t size,
    bool *zeroed);
int pages_shrink(struct pages *pages, struct extent *extent, size_t size);

/*
 * Retired: the program is about to free what there is, and little more will
 * be allocated. What is unused goes back at once, and what is freed from then
 * on in large strides, the rest a tenth of a second later; the decay times
 * rest meanwhile. When nothing is active any more all of it goes: a release,
 * at most one each time it is retired. With hooks, by these.
 */
void pages_retire(struct pages *pages, bool retired);
/*
 * Somebody follows who gives back what retired arenas have when the program
 * rests. Till then only the retirement and a release purge: who frees does not
 * wait for the system, and the next generation finds pages that need no fault.
 */
extern _Atomic bool pages_followed;
/*
 * Of a retired arena, to whoever follows: whether since the last time it was
 * retired, or purged, or as much was freed as is worth a stride. Few strays
 * at a time are not.
 */
bool pages_torn_down(struct pages *pages);
static inline bool
pages_retired(const struct pages *pages)
{
	return atomic_load(&pages->retired);
}
struct pages_released {
	uint64_t releases;
	uint64_t bytes;			/* without what hooks purged */
};
static inline void
pages_released_get(const struct pages *pages, struct pages_released *out)
{
	out->releases = atomic_load_explicit(&pages->releases,
	    memory_order_relaxed);
	out->bytes = atomic_load_explicit(&pages->released,
	    memory_order_relaxed);
}

/* Lets decay take what is due. Cheap when nothing is. */
void pages_tick(struct pages *pages, uint64_t now);
/* The same now, waiting for locks (mallctl arena.i.decay). */
void pages_decay(struct pages *pages, uint64_t now);
/* Gives back all unused pages (mallctl arena.i.purge). */
void pages_purge(struct pages *pages);
/*
 * The same, and unmaps what is retained, since the process has no more
 * addresses. Of an arena with hooks nothing goes.
 */
void pages_unmap_unused(struct pages *pages);
/*
 * state: EXTENT_DIRTY or EXTENT_MUZZY. The arena's setting, also while it is
 * retired and another time is in force.
 */
ssize_t pages_decay_ms_get(struct pages *pages, enum extent_state state);
void pages_decay_ms_set(struct pages *pages, enum extent_state state,
    ssize_t ms, uint64_t now);
/* Both: to what new arenas have. */
void pages_decay_ms_reset(struct pages *pages, uint64_t now);
/*
 * The most bytes that are mapped at once when fewer are needed; rounded down
 * to whole pages of a size class. EINVAL: less than a page, or SIZE_MAX.
 */
static inline size_t
pages_grow_limit(const struct pages *pages)
{
	return atomic_load_explicit(&pages->grow_limit, memory_order_relaxed);
}
int pages_grow_limit_set(struct pages *pages, size_t limit);
/* How sbrk stands to mmap; the default is that of arenas made later. */
static inline enum option_dss
pages_dss(const struct pages *pages)
{
	return (enum option_dss)atomic_load_explicit(&pages->dss,
	    memory_order_relaxed);
}
static inline void
pages_dss_set(struct pages *pages, enum option_dss dss)
{
	atomic_store_explicit(&pages->dss, (int)dss, memory_order_relaxed);
}
ssize_t pages_decay_ms_default(enum extent_state state);
void pages_decay_ms_default_set(enum extent_state state, ssize_t ms);
enum option_dss pages_dss_default(void);
void pages_dss_default_set(enum option_dss dss);

/* Address space as the arena would map it; what is left over it keeps. */
char *pages_map_for(struct pages *pages, size_t size, size_t align);
/* An extent in limbo for fresh pages, retained or mapped now; without hooks. */
struct extent *pages_fresh(struct pages *pages, size_t size);
/*
 * An extent in limbo for fresh pages at exactly end; NULL if they are not the
 * next to be had. size is a page's multiple.
 */
struct extent *pages_map_behind(struct pages *pages, char *end, size_t size);
/* An extent in limbo whose addresses are no longer the arena's. */
void pages_forget(struct pages *pages, struct extent *extent);
static inline uint64_t
pages_next_serial(struct pages *pages)
{
	return atomic_fetch_add_explicit(&pages->serial, 1,
	    memory_order_relaxed);
}
/*
 * The program's extent hooks (pages_hooked.h), valid as long as the arena is;
 * without any, functions that do the same as the arena. Who sets them gets
 * what there was before by pages_hooks_get.
 */
static inline struct extent_hooks_s *
pages_hooks(const struct pages *pages)
{
	/* Acquire: pairs with the release in pages_hooks_set. */
	return atomic_load_explicit(&pages->hooks, memory_order_acquire);
}
struct extent_hooks_s *pages_hooks_get(const struct pages *pages);
void pages_hooks_set(struct pages *pages, struct extent_hooks_s *hooks);
/*
 * Between the two an arena that has none gets no hooks: who sets some waits,
 * for some milliseconds.
 */
void pages_hookless_begin(void);
void pages_hookless_end(void);
void pages_hookless_fork_child(void);

/* Purges, and waits for purges of other threads: not in the arena's hooks. */
void pages_settle(struct pages *pages);
/* The same; with hooks nothing stays and they are forgotten. */
void pages_destroy(struct pages *pages);
/* For a new owner, who may be of an arena that was destroyed: the defaults. */
void pages_renew(struct pages *pages, struct extent_hooks_s *hooks);

/* Keeps address space that decay gives up, instead of unmapping it. */
bool pages_retain(void);

/* When pages_tick has something to do next; UINT64_MAX: never. */
uint64_t pages_deadline(const struct pages *pages);

/*
 * For threads that purge: when to come again, ns, a few steps later so that
 * several are done at once; UINT64_MAX: pages_awake will be called when there
 * is something, without locks, by whoever frees it. NULL: nobody wants it.
 */
uint64_t pages_watch(struct pages *pages);
extern void (*_Atomic pages_awake)(void);

/* Bytes. 0: all that was freed has been put back, nobody is still at it. */
static inline size_t
pages_active(const struct pages *pages)
{
	return atomic_load(&pages->npages) * os_page;
}

void pages_check(struct pages *pages);

/* Applies op to the locks of one rank; fork walks rank by rank. */
void pages_each_lock(struct pages *pages, enum lock_rank rank,
    void (*op)(struct lock *lock));

#endif
