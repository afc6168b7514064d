/*
 * ctl_arena.c - mallctl arena.<i>.* and arenas.*.
 *
 * Locks: those of the functions called; thread caches are the caller's duty
 *   before a reset (strata.conf(5)).
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "boot.h"
#include "conf.h"
#include "mallctl.h"
#include "options.h"
#include "os.h"
#include "pool.h"
#include "prof.h"
#include "thread.h"
#include "names.h"

enum { CTL_HUGEPAGE = 2 << 20 };

/* --- arena.<i> ------------------------------------------------------------ */

static bool
ctl_arena_valid(const size_t *mib, size_t index)
{
	return index == MALLCTL_ARENAS_ALL ||
	    index == MALLCTL_ARENAS_DESTROYED ||
	    (boot() == 0 && index <= arenas_count());
}

/*
 * The index as layer 3a counts: ARENA_NONE is all of them. So is the number
 * of arenas, an older name of MALLCTL_ARENAS_ALL that programs use: redis
 * purges by it. Of the destroyed ones no arena is left: actions find none.
 */
static unsigned
ctl_arena_index(const struct ctl_call *call)
{
	if (call->mib[1] == MALLCTL_ARENAS_DESTROYED)
		return MALLCTL_ARENAS_DESTROYED;
	return call->mib[1] >= arenas_count() ? ARENA_NONE :
	    (unsigned)call->mib[1];
}

static int
ctl_initialized(const struct ctl_call *call, union ctl_value *out)
{
	unsigned index = ctl_arena_index(call);

	if (index == MALLCTL_ARENAS_DESTROYED)
		out->flag = arena_stats_destroyed(NULL);
	else
		out->flag = index == ARENA_NONE ||
		    arena_get(index, false) != NULL;
	return 0;
}

static int
ctl_purge(const struct ctl_call *call, const union ctl_value *in)
{
	arena_purge(ctl_arena_index(call));
	return 0;
}

static int
ctl_decay(const struct ctl_call *call, const union ctl_value *in)
{
	arena_decay(ctl_arena_index(call));
	return 0;
}

/* What a dropped block was sampled as ends with it. */
static void
ctl_sample_end(const void *ptr, void *record)
{
	if (CONFIG_PROF)
		prof_sample_end(NULL, ptr, record);
}

/* A pool's goes with the pool: caches of threads that enter are bound to it. */
static bool
ctl_may_drop(unsigned index)
{
	struct arena *arena = index == ARENA_NONE ? NULL :
	    arena_get(index, false);

	return arena != NULL && !arena_of_pool(arena);
}

static int
ctl_reset(const struct ctl_call *call, const union ctl_value *in)
{
	unsigned index = ctl_arena_index(call);

	if (!ctl_may_drop(index))
		return EFAULT;
	thread_batch_settle();
	return arena_reset(index, ctl_sample_end) == 0 ? 0 : EFAULT;
}

static int
ctl_destroy(const struct ctl_call *call, const union ctl_value *in)
{
	unsigned index = ctl_arena_index(call);

	if (!ctl_may_drop(index))
		return EFAULT;
	thread_batch_settle();
	return arena_destroy(index, ctl_sample_end) == 0 ? 0 : EFAULT;
}

/* arg: which decay. */
static int
ctl_decay_ms_read(const struct ctl_call *call, union ctl_value *out)
{
	unsigned index = ctl_arena_index(call);

	if (index == ARENA_NONE || arena_get(index, false) == NULL)
		return EFAULT;
	out->ssize = arena_decay_ms_get(index,
	    (enum extent_state)call->node->arg);
	return 0;
}

static int
ctl_decay_ms_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (in->ssize < -1)
		return EFAULT;
	return arena_decay_ms_set(ctl_arena_index(call),
	    (enum extent_state)call->node->arg, in->ssize) == 0 ? 0 : EFAULT;
}

/*
 * Both directions are char *: to read, *oldp points to at least
 * ARENA_NAME_MAX bytes of the caller's.
 */
static int
ctl_name(const struct ctl_call *call)
{
	unsigned index = ctl_arena_index(call);
	struct arena *arena = index == ARENA_NONE ? NULL :
	    arena_get(index, false);
	char *out, *name;
	int error;

	if (arena == NULL)
		return EFAULT;
	if (call->oldp != NULL && call->oldlenp != NULL) {
		error = ctl_need_old(call, sizeof out);
		if (error != 0)
			return error;
		memcpy(&out, call->oldp, sizeof out);
		arena_name_get(arena, out);
	}
	if (call->newp != NULL || call->newlen != 0) {
		error = ctl_copy_in(call, &name, sizeof name);
		if (error != 0 || name == NULL)
			return EINVAL;
		arena_name_set(arena, name);
	}
	return 0;
}

/* Of all arenas: what those get that are made from now on. */
static int
ctl_dss_read(const struct ctl_call *call, union ctl_value *out)
{
	unsigned index = ctl_arena_index(call);
	struct arena *arena = arena_get(index, false);

	if (index != ARENA_NONE && arena == NULL)
		return EFAULT;
	out->text = conf_words_dss[arena == NULL ? pages_dss_default() :
	    pages_dss(&arena->pages)];
	return 0;
}

static void
ctl_dss_set_all(enum option_dss dss)
{
	pages_dss_default_set(dss);
	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = arena_get(i, false);

		if (arena != NULL)
			pages_dss_set(&arena->pages, dss);
	}
}

static int
ctl_dss_write(const struct ctl_call *call, const union ctl_value *in)
{
	unsigned index = ctl_arena_index(call), dss = 0;
	struct arena *arena = arena_get(index, false);

	if (in->text == NULL)
		return EINVAL;
	while (conf_words_dss[dss] != NULL &&
	    strcmp(in->text, conf_words_dss[dss]) != 0)
		dss++;
	if (conf_words_dss[dss] == NULL)
		return EINVAL;
	if (index != ARENA_NONE && arena == NULL)
		return EFAULT;
	if (arena == NULL)
		ctl_dss_set_all((enum option_dss)dss);
	else
		pages_dss_set(&arena->pages, (enum option_dss)dss);
	return 0;
}

/* Of an automatic arena that nobody has used yet too: then it is made. */
static int
ctl_hooks_read(const struct ctl_call *call, union ctl_value *out)
{
	struct arena *arena = arena_get(ctl_arena_index(call), true);

	if (arena == NULL)
		return EFAULT;
	out->pointer = pages_hooks_get(&arena->pages);
	return 0;
}

/* All but alloc may be NULL. */
static bool
ctl_hooks_usable(const extent_hooks_t *hooks)
{
	return hooks != NULL && hooks->alloc != NULL;
}

static int
ctl_hooks_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct arena *arena = arena_get(ctl_arena_index(call), true);

	if (arena == NULL)
		return EFAULT;
	if (!ctl_hooks_usable(in->pointer))
		return EINVAL;
	/* Pools rotate and end under a lock, the default one by a worker. */
	if (arena_of_pool(arena))
		return EPERM;
	pages_hooks_set(&arena->pages, in->pointer);
	return 0;
}

static int
ctl_grow_limit_read(const struct ctl_call *call, union ctl_value *out)
{
	struct arena *arena = arena_get(ctl_arena_index(call), false);

	if (!opt.retain)
		return ENOENT;
	if (arena == NULL)
		return EFAULT;
	out->size = pages_grow_limit(&arena->pages);
	return 0;
}

static int
ctl_grow_limit_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct arena *arena = arena_get(ctl_arena_index(call), false);

	if (!opt.retain)
		return ENOENT;
	return arena != NULL && pages_grow_limit_set(&arena->pages,
	    in->size) == 0 ? 0 : EFAULT;
}

static struct arena *
ctl_arena_of(const struct ctl_call *call)
{
	unsigned index = ctl_arena_index(call);

	return index == ARENA_NONE ? NULL : arena_get(index, false);
}

static int
ctl_oversize_read(const struct ctl_call *call, union ctl_value *out)
{
	struct arena *arena = ctl_arena_of(call);

	if (arena == NULL)
		return EFAULT;
	out->size = atomic_load_explicit(&arena->oversize,
	    memory_order_relaxed);
	return 0;
}

static int
ctl_oversize_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct arena *arena = ctl_arena_of(call);

	if (arena == NULL)
		return EFAULT;
	arena_oversize_set(arena, in->size);
	return 0;
}

#define DECAY_MS(name, state, get, set) \
	{ name, .type = CTL_SSIZE, .read = get, .write = set, .arg = state }

static const struct ctl_node ctl_arena[] = {
	{ "initialized", .type = CTL_BOOL, .read = ctl_initialized },
	{ "decay", .type = CTL_ACTION, .write = ctl_decay },
	{ "purge", .type = CTL_ACTION, .write = ctl_purge },
	{ "reset", .type = CTL_ACTION, .write = ctl_reset },
	{ "destroy", .type = CTL_ACTION, .write = ctl_destroy },
	{ "dss", .type = CTL_STRING, .read = ctl_dss_read,
	    .write = ctl_dss_write },
	DECAY_MS("dirty_decay_ms", EXTENT_DIRTY, ctl_decay_ms_read,
	    ctl_decay_ms_write),
	DECAY_MS("muzzy_decay_ms", EXTENT_MUZZY, ctl_decay_ms_read,
	    ctl_decay_ms_write),
	{ "extent_hooks", .type = CTL_POINTER, .read = ctl_hooks_read,
	    .write = ctl_hooks_write },
	{ "retain_grow_limit", .type = CTL_SIZE,
	    .read = ctl_grow_limit_read, .write = ctl_grow_limit_write },
	{ "oversize_threshold", .type = CTL_SIZE, .read = ctl_oversize_read,
	    .write = ctl_oversize_write },
	{ "name", .type = CTL_STRING, .handler = ctl_name },
	{ 0 }
};

const struct ctl_node ctl_arena_indices[] = {
	{ .valid = ctl_arena_valid, .children = ctl_arena },
	{ 0 }
};

/* --- arenas --------------------------------------------------------------- */

static int
ctl_narenas(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->number = arenas_count();
	return 0;
}

/* Of arenas that are made from now on. */
static int
ctl_default_ms_read(const struct ctl_call *call, union ctl_value *out)
{
	out->ssize = arena_decay_ms_get(ARENA_NONE,
	    (enum extent_state)call->node->arg);
	return 0;
}

static int
ctl_default_ms_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (in->ssize < -1)
		return EFAULT;
	return arena_decay_ms_set(ARENA_NONE,
	    (enum extent_state)call->node->arg, in->ssize) == 0 ? 0 : EFAULT;
}

static int
ctl_arenas_size(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->size = *(const size_t *)call->node->arg;
	return 0;
}

static int
ctl_constant(const struct ctl_call *call, union ctl_value *out)
{
	if (call->node->type == CTL_SIZE)
		out->size = call->node->arg;
	else
		out->number = (unsigned)call->node->arg;
	return 0;
}

static int
ctl_tcache_max(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->size = tcache_max();
	return 0;
}

/* Classes that have a place in thread caches. */
static int
ctl_nhbins(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->number = sc_index_floor(tcache_max() < 8 ? 8 : tcache_max()) + 1;
	return 0;
}

static bool
ctl_bin_valid(const size_t *mib, size_t index)
{
	return index < SC_NSMALL;
}

static bool
ctl_lextent_valid(const size_t *mib, size_t index)
{
	return index < ARENA_NLARGE;
}

/* mib: arenas.bin.<j>.size */
static int
ctl_bin_size(const struct ctl_call *call, union ctl_value *out)
{
	out->size = sc_size((unsigned)call->mib[2]);
	return 0;
}

static int
ctl_bin_nregs(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->u32 = sc_slabs[call->mib[2]].nregs;
	return 0;
}

static int
ctl_bin_slab_size(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->size = sc_slabs[call->mib[2]].slab_size;
	return 0;
}

static int
ctl_bin_nshards(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	out->u32 = bin_nshards[call->mib[2]];
	return 0;
}

static int
ctl_lextent_size(const struct ctl_call *call, union ctl_value *out)
{
	out->size = sc_size(SC_NSMALL + (unsigned)call->mib[2]);
	return 0;
}

static int
ctl_make_arena(const struct ctl_call *call, extent_hooks_t *hooks)
{
	unsigned index;

	if (boot() != 0 || arena_create_hooked(&index, hooks) != 0)
		return EAGAIN;
	return ctl_copy_out(call, &index, sizeof index);
}

/* The index of a new arena; the new value is its extent hooks, if any. */
static int
ctl_create(const struct ctl_call *call)
{
	extent_hooks_t *hooks = NULL;
	int error = ctl_need_old(call, sizeof(unsigned));

	if (error != 0)
		return error;
	if (call->newp != NULL || call->newlen != 0) {
		error = ctl_copy_in(call, &hooks, sizeof hooks);
		if (error != 0)
			return error;
		if (!ctl_hooks_usable(hooks))
			return EINVAL;
	}
	return ctl_make_arena(call, hooks);
}

/*
 * What jemalloc's header does not show: hooks, and whether metadata is to
 * come from them too. Strata's never does.
 */
struct ctl_arena_config {
	extent_hooks_t *hooks;
	bool metadata_use_hooks;
};

int
ctl_create_ext(const struct ctl_call *call)
{
	struct ctl_arena_config config = { NULL, false };
	int error = ctl_need_old(call, sizeof(unsigned));

	if (error != 0)
		return error;
	if (call->newp != NULL || call->newlen != 0) {
		error = ctl_copy_in(call, &config, sizeof config);
		if (error != 0)
			return error;
		if (!ctl_hooks_usable(config.hooks))
			return EINVAL;
	}
	return ctl_make_arena(call, config.hooks);
}

/* The arena of the block that the new value points to. */
static int
ctl_arena_lookup(const struct ctl_call *call)
{
	const void *ptr;
	uint64_t entry;
	unsigned index;
	int error = ctl_copy_in(call, &ptr, sizeof ptr);

	if (error != 0)
		return error;
	entry = pagemap_get(ptr);
	if (!pagemap_is_active(entry))
		return EINVAL;
	index = extent_arena(pagemap_extent(entry));
	return ctl_copy_out(call, &index, sizeof index);
}

#define CONSTANT(name, kind, value) \
	{ name, .type = kind, .read = ctl_constant, .arg = value }

static const struct ctl_node ctl_bin[] = {
	{ "size", .type = CTL_SIZE, .read = ctl_bin_size },
	{ "nregs", .type = CTL_U32, .read = ctl_bin_nregs },
	{ "slab_size", .type = CTL_SIZE, .read = ctl_bin_slab_size },
	{ "nshards", .type = CTL_U32, .read = ctl_bin_nshards },
	{ 0 }
};

static const struct ctl_node ctl_bins[] = {
	{ .valid = ctl_bin_valid, .children = ctl_bin },
	{ 0 }
};

static const struct ctl_node ctl_lextent[] = {
	{ "size", .type = CTL_SIZE, .read = ctl_lextent_size },
	{ 0 }
};

static const struct ctl_node ctl_lextents[] = {
	{ .valid = ctl_lextent_valid, .children = ctl_lextent },
	{ 0 }
};

const struct ctl_node ctl_arenas[] = {
	{ "narenas", .type = CTL_UNSIGNED, .read = ctl_narenas },
	DECAY_MS("dirty_decay_ms", EXTENT_DIRTY, ctl_default_ms_read,
	    ctl_default_ms_write),
	DECAY_MS("muzzy_decay_ms", EXTENT_MUZZY, ctl_default_ms_read,
	    ctl_default_ms_write),
	CONSTANT("quantum", CTL_SIZE, SC_QUANTUM),
	{ "page", .type = CTL_SIZE, .read = ctl_arenas_size,
	    .arg = (uintptr_t)&os_page },
	CONSTANT("hugepage", CTL_SIZE, CTL_HUGEPAGE),
	{ "tcache_max", .type = CTL_SIZE, .read = ctl_tcache_max },
	CONSTANT("nbins", CTL_UNSIGNED, SC_NSMALL),
	{ "nhbins", .type = CTL_UNSIGNED, .read = ctl_nhbins },
	{ "bin", .children = ctl_bins },
	CONSTANT("nlextents", CTL_UNSIGNED, ARENA_NLARGE),
	{ "lextent", .children = ctl_lextents },
	{ "create", .type = CTL_UNSIGNED, .handler = ctl_create },
	{ "lookup", .type = CTL_UNSIGNED, .handler = ctl_arena_lookup },
	{ 0 }
};
