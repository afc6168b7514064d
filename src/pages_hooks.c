/*
 * pages_hooks.c - calls of extent hooks, and the hooks of one's own; see
 * pages_hooks.h.
 */
#include "pages_hooks.h"

#include <errno.h>

#include "arena.h"
#include "dss.h"
#include "options.h"
#include "os.h"
#include "pages_map.h"

/* --- calls ---------------------------------------------------------------- */

static bool
no_guard(void)
{
	return false;
}

static void
leave_nothing(bool entered)
{
}

/* constant after start: */
static bool (*guard_enter)(void) = no_guard;
static void (*guard_leave)(bool entered) = leave_nothing;

void
pages_hooks_guard(bool (*enter)(void), void (*leave)(bool entered))
{
	guard_enter = enter;
	guard_leave = leave;
}

/* What a call must put back afterwards. */
struct outside {
	bool guarded;
	int error;
};

static struct outside
go_outside(void)
{
	struct outside outside = { .error = errno };

	lock_assert_none_held();
	outside.guarded = guard_enter();
	return outside;
}

static void
come_back(struct outside outside)
{
	guard_leave(outside.guarded);
	errno = outside.error;
}

char *
pages_hooks_alloc(extent_hooks_t *hooks, size_t size, size_t align,
    bool *zeroed, bool *committed, unsigned arena)
{
	struct outside outside = go_outside();
	char *addr;

	*zeroed = false;		/* nice to have */
	*committed = true;		/* a must */
	addr = hooks->alloc(hooks, NULL, size, align, zeroed, committed,
	    arena);
	if (addr != NULL && (uintptr_t)addr % align != 0) {
		/* Nothing can be done with it. */
		if (hooks->dalloc != NULL)
			(void)hooks->dalloc(hooks, addr, size, *committed,
			    arena);
		addr = NULL;
	}
	come_back(outside);
	return addr;
}

bool
pages_hooks_dalloc(extent_hooks_t *hooks, const struct extent *extent)
{
	struct outside outside;
	bool out;

	if (hooks->dalloc == NULL)
		return false;
	outside = go_outside();
	out = hooks->dalloc(hooks, extent->addr, extent->size,
	    !extent->decommitted, extent_arena(extent));
	come_back(outside);
	return !out;
}

void
pages_hooks_destroy(extent_hooks_t *hooks, const struct extent *extent)
{
	struct outside outside;

	if (hooks->destroy == NULL)
		return;
	outside = go_outside();
	hooks->destroy(hooks, extent->addr, extent->size,
	    !extent->decommitted, extent_arena(extent));
	come_back(outside);
}

/* commit, decommit and the two purges are of one type; all of an extent. */
static bool
call_on_range(extent_hooks_t *hooks, extent_purge_t *hook,
    const struct extent *extent)
{
	struct outside outside;
	bool out;

	if (hook == NULL)
		return false;
	outside = go_outside();
	out = hook(hooks, extent->addr, extent->size, 0, extent->size,
	    extent_arena(extent));
	come_back(outside);
	return !out;
}

bool
pages_hooks_commit(extent_hooks_t *hooks, const struct extent *extent)
{
	return call_on_range(hooks, hooks->commit, extent);
}

bool
pages_hooks_decommit(extent_hooks_t *hooks, const struct extent *extent)
{
	return call_on_range(hooks, hooks->decommit, extent);
}

bool
pages_hooks_purge_lazy(extent_hooks_t *hooks, const struct extent *extent)
{
	return call_on_range(hooks, hooks->purge_lazy, extent);
}

bool
pages_hooks_purge_forced(extent_hooks_t *hooks, const struct extent *extent)
{
	return call_on_range(hooks, hooks->purge_forced, extent);
}

bool
pages_hooks_split(extent_hooks_t *hooks, const struct extent *front,
    const struct extent *back)
{
	struct outside outside;
	bool out;

	if (hooks->split == NULL)
		return false;
	outside = go_outside();
	out = hooks->split(hooks, front->addr, front->size + back->size,
	    front->size, back->size, !front->decommitted,
	    extent_arena(front));
	come_back(outside);
	return !out;
}

bool
pages_hooks_merge(extent_hooks_t *hooks, const struct extent *front,
    const struct extent *back)
{
	struct outside outside;
	bool out;

	if (hooks->merge == NULL)
		return false;
	outside = go_outside();
	out = hooks->merge(hooks, front->addr, front->size, back->addr,
	    back->size, !front->decommitted, extent_arena(front));
	come_back(outside);
	return !out;
}

/* --- what an arena does by itself ----------------------------------------- */

static void *
own_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t align,
    bool *zero, bool *commit, unsigned index)
{
	struct arena *arena = arena_get(index, true);
	char *addr;

	if (at != NULL)
		addr = pages_map_at(at, size);
	else if (arena != NULL)
		addr = pages_map_for(&arena->pages, size, align);
	else
		addr = NULL;
	if (addr == NULL)
		return NULL;
	*zero = *commit = true;
	return addr;
}

/* What is to be kept, and what cannot be unmapped, stays with the arena. */
static bool
own_dalloc(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned index)
{
	return pages_retain() || dss_contains(addr) ||
	    os_unmap(addr, size) != 0;
}

static void
own_destroy(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned index)
{
	if (dss_contains(addr) || os_unmap(addr, size) != 0)
		(void)os_purge(addr, size);
}

/* Our pages are always committed: nothing to do, nothing to fail. */
static bool
own_commit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned index)
{
	return false;
}

static bool
own_decommit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned index)
{
	return true;
}

static bool
own_purge_lazy(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned index)
{
	return os_purge_lazy((char *)addr + offset, length) != 0;
}

static bool
own_purge_forced(extent_hooks_t *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned index)
{
	return os_purge((char *)addr + offset, length) != 0;
}

static bool
own_split(extent_hooks_t *hooks, void *addr, size_t size, size_t size_a,
    size_t size_b, bool committed, unsigned index)
{
	return false;
}

/* One of the two may be unmapped, the other not. */
static bool
own_merge(extent_hooks_t *hooks, void *addr_a, size_t size_a, void *addr_b,
    size_t size_b, bool committed, unsigned index)
{
	return dss_contains(addr_a) != dss_contains(addr_b);
}

const extent_hooks_t pages_hooks_own = {
	.alloc = own_alloc,
	.dalloc = own_dalloc,
	.destroy = own_destroy,
	.commit = own_commit,
	.decommit = own_decommit,
	.purge_lazy = own_purge_lazy,
	.purge_forced = own_purge_forced,
	.split = own_split,
	.merge = own_merge,
};
