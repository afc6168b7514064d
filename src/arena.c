/*
 * arena.c - the table of arenas, and how a thread gets one.
 *
 * Blocks are arena_block.c's business, figures arena_stats.c's.
 */
#include "arena.h"

#include <errno.h>
#include <string.h>

#include "dss.h"
#include "options.h"
#include "os.h"
#include "tcache.h"

unsigned arenas_nauto = 1;
unsigned arenas_oversize = ARENA_NONE;
size_t arenas_oversize_min = SIZE_MAX;

/* [index]; the last two are the internal one and a hole. */
static _Atomic(struct arena *) table[ARENA_MAX + 2];
static _Atomic unsigned count;		/* see arenas_count */
static struct lock table_lock = LOCK_INITIALIZER(RANK_ARENAS, "arenas");

unsigned
arenas_count(void)
{
	return atomic_load_explicit(&count, memory_order_acquire);
}

static struct arena *
table_get(unsigned index)
{
	/* Acquire: pairs with the release in make. */
	return atomic_load_explicit(&table[index], memory_order_acquire);
}

static struct arena *
get(unsigned index)
{
	struct arena *arena = index < ARENA_NONE ? table_get(index) : NULL;

	/* Acquire: one made anew has its new settings. */
	if (arena == NULL || !atomic_load_explicit(&arena->initialized,
	    memory_order_acquire))
		return NULL;
	return arena;
}

struct arena *
arena_internal(void)
{
	return table_get(ARENA_INTERNAL);
}

/*
 * Decay is driven by what an arena's threads allocate, and few blocks are so
 * large: what they leave would wait for too long. Never is left as it is.
 */
static void
purge_at_once(struct arena *arena)
{
	for (unsigned i = 0; i < PAGES_NDECAYS; i++)
		if (pages_decay_ms_get(&arena->pages, i) > 0)
			pages_decay_ms_set(&arena->pages, i, DECAY_NOW,
			    os_now_ns());
}

/* What a program may have set otherwise in an arena of this index before. */
static void
reset_settings(struct arena *arena)
{
	pages_decay_ms_reset(&arena->pages, os_now_ns());
	pages_grow_limit_set(&arena->pages, SC_LARGE_MAX);
	arena_oversize_set(arena, opt.oversize_threshold != 0 ?
	    opt.oversize_threshold : SC_LARGE_MAX + os_page);
	arena->name[0] = '\0';
	atomic_store_explicit(&arena->generation, 0, memory_order_relaxed);
}

static void
init(struct arena *arena, unsigned index)
{
	arena->index = index;
	arena->automatic = index < arenas_nauto || index == arenas_oversize;
	arena->domain = arena->automatic ? 0 : index;
	arena->created_ns = os_now_ns();
	lock_init(&arena->large_lock, RANK_LARGE, "large");
	list_init(&arena->large);
	pages_init(&arena->pages, index, index != ARENA_INTERNAL);
	bin_init_all(arena->bins, arena->domain);
	reset_settings(arena);
	if (index == arenas_oversize)
		purge_at_once(arena);
}

static struct arena *
make_locked(unsigned index)
{
	struct arena *arena = table_get(index);

	lock_assert_held(&table_lock);
	if (arena == NULL) {
		arena = base_alloc(&base_meta, sizeof *arena +
		    bin_first[SC_NSMALL] * sizeof arena->bins[0], CACHELINE);
		if (arena == NULL)
			return NULL;
		init(arena, index);
		atomic_store_explicit(&table[index], arena,
		    memory_order_release);
	} else if (get(index) == NULL) {
		arena->created_ns = os_now_ns();	/* anew */
		reset_settings(arena);
	}
	/* Release: pairs with the acquire in get. */
	atomic_store_explicit(&arena->initialized, true,
	    memory_order_release);
	if (index < ARENA_MAX && index >= arenas_count())
		atomic_store_explicit(&count, index + 1,
		    memory_order_release);
	return arena;
}

struct arena *
arena_get(unsigned index, bool make)
{
	struct arena *arena = get(index);

	if (arena != NULL || !make || index == ARENA_NONE ||
	    (index >= arenas_nauto && index != arenas_oversize))
		return arena;
	lock_acquire(&table_lock);
	arena = make_locked(index);
	lock_release(&table_lock);
	return arena;
}

struct arena *
arena_program(unsigned index)
{
	return index < ARENA_MAX ? arena_get(index, true) : NULL;
}

struct arena *
arena_for(struct arena *arena, unsigned sizeclass)
{
	struct arena *oversize;

	if (likely(sc_sizes[sizeclass] < arenas_oversize_min) ||
	    arena == NULL || !arena->automatic)
		return arena;
	oversize = arena_get(arenas_oversize, true);
	return oversize != NULL ? oversize : arena;
}

/* narenas_boot has settled both options. */
static void
choose_indices(void)
{
	arenas_nauto = opt.narenas == 0 ? 1 : opt.narenas;
	if (opt.oversize_threshold == 0)
		return;
	arenas_oversize = arenas_nauto;
	arenas_oversize_min = opt.oversize_threshold;
}

static unsigned
first_manual(void)
{
	return arenas_nauto + (arenas_oversize != ARENA_NONE);
}

int
arenas_boot(void)
{
	struct arena *first, *internal;

	bin_boot();
	choose_indices();
	lock_acquire(&table_lock);
	first = make_locked(0);
	internal = make_locked(ARENA_INTERNAL);
	atomic_store(&count, first_manual());
	lock_release(&table_lock);
	return first != NULL && internal != NULL ? 0 : ENOMEM;
}

/* The arena with the fewest threads; one not yet made counts as empty. */
static unsigned
least_loaded_locked(void)
{
	unsigned best = 0, fewest = UINT32_MAX, unmade = ARENA_NONE;

	for (unsigned i = 0; i < arenas_nauto; i++) {
		struct arena *arena = table_get(i);
		unsigned n;

		if (arena == NULL) {
			if (unmade == ARENA_NONE)
				unmade = i;
			continue;
		}
		n = atomic_load_explicit(&arena->nthreads,
		    memory_order_relaxed);
		if (n < fewest) {
			fewest = n;
			best = i;
		}
	}
	return fewest > 0 && unmade != ARENA_NONE ? unmade : best;
}

struct arena *
arena_choose(void)
{
	struct arena *arena = arena_cpus.count > 0 ? arena_here() : NULL;

	if (arena != NULL) {
		arena_join(arena);
		return arena;
	}
	lock_acquire(&table_lock);
	arena = make_locked(least_loaded_locked());
	if (arena == NULL)
		arena = table_get(0);
	arena_join(arena);
	lock_release(&table_lock);
	return arena;
}

void
arena_join(struct arena *arena)
{
	atomic_fetch_add_explicit(&arena->nthreads, 1, memory_order_relaxed);
}

void
arena_leave(struct arena *arena)
{
	atomic_fetch_sub_explicit(&arena->nthreads, 1, memory_order_relaxed);
}

void
arenas_forget_threads(void)
{
	for (unsigned i = 0; i <= ARENA_INTERNAL; i++) {
		struct arena *arena = table_get(i);

		if (arena == NULL)
			continue;
		atomic_store_explicit(&arena->nthreads, 0,
		    memory_order_relaxed);
		atomic_store_explicit(&arena->pages.busy, 0,
		    memory_order_relaxed);
	}
	pages_hookless_fork_child();
}

unsigned
arena_shard_next(struct arena *arena)
{
	return atomic_fetch_add_explicit(&arena->next_shard, 1,
	    memory_order_relaxed);
}

/* The lowest index that no manual arena has; a destroyed one's is free. */
static unsigned
free_index_locked(void)
{
	unsigned index = first_manual();

	while (index < ARENA_MAX && get(index) != NULL)
		index++;
	return index;
}

int
arena_create(unsigned *index)
{
	return arena_create_hooked(index, NULL);
}

int
arena_create_hooked(unsigned *index, struct extent_hooks_s *hooks)
{
	struct arena *arena;
	unsigned at;

	lock_acquire(&table_lock);
	at = free_index_locked();
	arena = at < ARENA_MAX ? make_locked(at) : NULL;
	lock_release(&table_lock);
	if (at == ARENA_MAX)
		return EAGAIN;
	if (arena == NULL)
		return ENOMEM;
	pages_renew(&arena->pages, hooks);
	*index = at;
	return 0;
}

static void
for_arenas(unsigned index, void (*op)(struct arena *arena))
{
	unsigned from = index == ARENA_NONE ? 0 : index;
	unsigned to = index == ARENA_NONE ? arenas_count() : index + 1;

	for (unsigned i = from; i < to; i++) {
		struct arena *arena = get(i);

		if (arena != NULL)
			op(arena);
	}
}

static void
purge(struct arena *arena)
{
	pages_purge(&arena->pages);
}

static void
decay_now(struct arena *arena)
{
	pages_decay(&arena->pages, os_now_ns());
}

void
arena_purge(unsigned index)
{
	for_arenas(index, purge);
}

void
arena_decay(unsigned index)
{
	for_arenas(index, decay_now);
}

size_t
arenas_address_space(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = table_get(i);

		if (arena != NULL)
			sum += atomic_load_explicit(
			    &arena->pages.address_space,
			    memory_order_relaxed);
	}
	return sum;
}

void
arenas_unmap_unused(void)
{
	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = table_get(i);

		if (arena != NULL)
			pages_unmap_unused(&arena->pages);
	}
}

void
arena_decay_tick(struct arena *arena, uint64_t now)
{
	pages_tick(&arena->pages, now);
}

ssize_t
arena_decay_ms_get(unsigned index, enum extent_state state)
{
	struct arena *arena = get(index);

	if (arena != NULL)
		return pages_decay_ms_get(&arena->pages, state);
	return pages_decay_ms_default(state);
}

int
arena_decay_ms_set(unsigned index, enum extent_state state, ssize_t ms)
{
	struct arena *arena = get(index);

	if (ms < DECAY_NEVER || ms > DECAY_MS_MAX)
		return EINVAL;
	if (arena != NULL) {
		pages_decay_ms_set(&arena->pages, state, ms, os_now_ns());
		return 0;
	}
	if (index != ARENA_NONE)
		return EFAULT;
	pages_decay_ms_default_set(state, ms);
	return 0;
}

void
arena_oversize_set(struct arena *arena, size_t bytes)
{
	atomic_store_explicit(&arena->oversize, bytes, memory_order_relaxed);
}

uint64_t
arena_decay_watch(struct arena *arena)
{
	return pages_watch(&arena->pages);
}

void
arena_name_get(struct arena *arena, char out[ARENA_NAME_MAX])
{
	lock_acquire(&arena->large_lock);
	memcpy(out, arena->name, ARENA_NAME_MAX);
	lock_release(&arena->large_lock);
}

void
arena_name_set(struct arena *arena, const char *name)
{
	lock_acquire(&arena->large_lock);
	memset(arena->name, 0, ARENA_NAME_MAX);
	memcpy(arena->name, name, strnlen(name, ARENA_NAME_MAX - 1));
	lock_release(&arena->large_lock);
}

static void
each_lock_of_rank(enum lock_rank rank, void (*op)(struct lock *lock))
{
	for (unsigned i = 0; i <= ARENA_INTERNAL; i++) {
		struct arena *arena = table_get(i);

		if (arena == NULL)
			continue;
		if (rank == RANK_LARGE)
			op(&arena->large_lock);
		if (rank == RANK_BIN)
			for (unsigned j = 0; j < bin_first[SC_NSMALL]; j++)
				op(&arena->bins[j].lock);
		pages_each_lock(&arena->pages, rank, op);
	}
	dss_each_lock(rank, op);
	slab_each_lock(rank, op);
	tcache_each_lock(rank, op);
	if (rank == RANK_PAGEMAP)
		pagemap_each_lock(op);
	if (rank == RANK_ARENAS)
		op(&table_lock);
	arena_stats_each_lock(rank, op);
	if (rank == RANK_BASE)
		op(&base_meta.lock);
}

void
arenas_fork_prepare(void)
{
	for (int rank = RANK_ARENAS; rank < RANK_COUNT; rank++)
		each_lock_of_rank((enum lock_rank)rank, lock_acquire);
}

void
arenas_fork_parent(void)
{
	for (int rank = RANK_COUNT - 1; rank >= RANK_ARENAS; rank--)
		each_lock_of_rank((enum lock_rank)rank, lock_release);
}

void
arenas_fork_child(void)
{
	for (int rank = RANK_COUNT - 1; rank >= RANK_ARENAS; rank--)
		each_lock_of_rank((enum lock_rank)rank, lock_reinit_child);
}

void
arena_check(struct arena *arena)
{
	for (unsigned i = 0; i < bin_first[SC_NSMALL]; i++)
		bin_check(&arena->bins[i]);
	pages_check(&arena->pages);
}
