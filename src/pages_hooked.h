/*
 * pages_hooked.h - what pages.c does where an arena has extent hooks.
 *
 *   put:   in limbo ── merge? with each neighbour ──> the cache
 *   take:  the cache ── split? lead, rest ──> in limbo   (they go back)
 *   retire: dalloc? else decommit? else purge_forced? else purge_lazy?
 *
 * Whoever cuts or joins asks a hook, and a hook is called without locks. So
 * the caches give and take these extents whole: what is asked about is in
 * limbo, seen by nobody else. Two neighbours that are freed at one moment do
 * not find each other; the next that is freed beside them joins them.
 *
 * Locks: none on entry; those of the caches and of growth, one at a time.
 */
#ifndef STRATA_PAGES_HOOKED_H
#define STRATA_PAGES_HOOKED_H

#include "pages.h"
#include "pages_hooks.h"

/* As ecache_put. */
void pages_hooked_put(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, enum extent_state state);

/*
 * As ecache_take, of the nearest fit. Where a hook will not cut, the extent
 * may be up to a quarter larger than asked for.
 */
struct extent *pages_hooked_take(struct pages *pages, extent_hooks_t *hooks,
    enum extent_state state, size_t size, size_t align);

/* What lies behind extent, exactly size bytes, in limbo; or NULL. */
struct extent *pages_hooked_take_after(struct pages *pages,
    extent_hooks_t *hooks, enum extent_state state,
    const struct extent *extent, size_t size);

/* From the alloc hook; step: what to ask for if the request is smaller. */
struct extent *pages_hooked_grow(struct pages *pages, extent_hooks_t *hooks,
    size_t size, size_t align, size_t step);

/* As extent_split and extent_merge, if the hook agrees. */
struct extent *pages_hooked_split(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, size_t size);
bool pages_hooked_merge(struct pages *pages, extent_hooks_t *hooks,
    struct extent *front, struct extent *back);

/* Back to the program, or purged and retained. */
void pages_hooked_retire(struct pages *pages, extent_hooks_t *hooks,
    struct extent *extent, bool was_muzzy);

/* All that is retained goes to the destroy hook. */
void pages_hooked_destroy(struct pages *pages, extent_hooks_t *hooks);

#endif
