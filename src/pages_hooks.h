/*
 * pages_hooks.h - extent hooks: functions of the program by which an arena
 * gets, changes and gives back its memory; and the ones that do what an arena
 * without hooks does, for hooks that pass on to them.
 *
 * Every call into the program is made here, without any lock, with the
 * thread's guard set: what a hook allocates comes from the internal arena, so
 * that it neither waits for itself nor calls itself. errno is kept.
 * A hook that is NULL, or that returns true, has opted out.
 */
#ifndef STRATA_PAGES_HOOKS_H
#define STRATA_PAGES_HOOKS_H

#include "extent.h"
#include "names.h"

/*
 * The guard is layer 4's: enter returns what leave is to be given. Set once,
 * before there is a second thread.
 */
void pages_hooks_guard(bool (*enter)(void), void (*leave)(bool entered));

/* What arena.<i>.extent_hooks reads where there are none. */
extern const extent_hooks_t pages_hooks_own;

/* NULL, or the address, a multiple of align. */
char *pages_hooks_alloc(extent_hooks_t *hooks, size_t size, size_t align,
    bool *zeroed, bool *committed, unsigned arena);

/* True: done. False: the hook opted out, and nothing has changed. */
bool pages_hooks_dalloc(extent_hooks_t *hooks, const struct extent *extent);
bool pages_hooks_commit(extent_hooks_t *hooks, const struct extent *extent);
bool pages_hooks_decommit(extent_hooks_t *hooks, const struct extent *extent);
bool pages_hooks_purge_lazy(extent_hooks_t *hooks,
    const struct extent *extent);
bool pages_hooks_purge_forced(extent_hooks_t *hooks,
    const struct extent *extent);
bool pages_hooks_split(extent_hooks_t *hooks, const struct extent *front,
    const struct extent *back);
bool pages_hooks_merge(extent_hooks_t *hooks, const struct extent *front,
    const struct extent *back);
/* Nobody will use the extent again. */
void pages_hooks_destroy(extent_hooks_t *hooks, const struct extent *extent);

#endif
