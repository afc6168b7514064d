/*
 * pool.c - pools, their rotation and their end; see pool.h.
 */
#include "pool.h"

#include <errno.h>

#include "base.h"
#include "fmt.h"
#include "generation.h"
#include "message.h"
#include "os.h"
#include "pages_ahead.h"
#include "pool_rest.h"
#include "pool_scope.h"
#include "prof.h"
#include "thread.h"

struct lock pools_lock = LOCK_INITIALIZER(RANK_ROTATION, "pools");
/* written under pools_lock, read without; release and acquire */
static _Atomic(struct pool *) pools[POOL_MAX];
static _Atomic unsigned count;
/* pools_lock: */
static unsigned left[ARENA_MAX];	/* arenas of destroyed pools */
static unsigned nleft;
/* constant after pool_boot; POOL_MAX: none */
static unsigned default_index = POOL_MAX;

/* --- the table ------------------------------------------------------------ */

struct pool *
pool_get(unsigned index)
{
	/* Acquire: pairs with the release in make_locked. */
	struct pool *pool = index < POOL_MAX ? atomic_load_explicit(
	    &pools[index], memory_order_acquire) : NULL;

	return pool != NULL && pool_current(pool) != NULL ? pool : NULL;
}

bool
pool_exists(unsigned index)
{
	return pool_get(index) != NULL;
}

unsigned
pools_count(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}

/* --- arenas --------------------------------------------------------------- */

/* By the bytes of its blocks, cached ones too. */
static struct arena *
emptiest_locked(const struct pool *pool, size_t *held)
{
	struct arena *current = pool_current(pool), *best = NULL;

	*held = SIZE_MAX;
	for (unsigned i = 0; i < pool->narenas; i++) {
		struct arena *arena = arena_get(pool->arenas[i], false);
		size_t bytes;

		if (arena == NULL || arena == current)
			continue;
		bytes = arena_allocated(arena);
		if (bytes < *held) {
			*held = bytes;
			best = arena;
		}
	}
	return best;
}

/* On errors *out stays as it was. */
static int
open_locked(struct pool *pool, struct arena **out)
{
	char name[ARENA_NAME_MAX];
	unsigned index;
	int error = arena_create(&index);

	if (error != 0)
		return error;
	*out = arena_get(index, false);
	fmt_buf(name, sizeof name, "pool %u, arena %u", pool->index,
	    pool->narenas);
	arena_name_set(*out, name);
	extent_store_sort(&(*out)->pages.store, true);
	pool->arenas[pool->narenas++] = index;
	return 0;
}

/*
 * The emptiest of those that are open. Another is opened only while that one
 * holds much, for the strays of old generations lie best together: each
 * retired arena has slabs that they keep, and a new generation fills them.
 */
static int
choose_locked(struct pool *pool, struct arena **out)
{
	struct arena *current = pool_current(pool);
	size_t held;
	int error;

	*out = emptiest_locked(pool, &held);
	if (*out != NULL && (held <= arena_allocated(current) / 2 ||
	    pool->narenas == pool->narenas_max))
		return 0;
	error = open_locked(pool, out);
	/* A fuller one will do as well. */
	return *out != NULL ? 0 : error;
}

/* Those of destroyed pools whose last block has been freed. */
static void
drop_empty_locked(void)
{
	for (unsigned i = 0; i < nleft; ) {
		struct arena *arena = arena_get(left[i], false);

		if (arena != NULL && pages_active(&arena->pages) != 0) {
			i++;
			continue;
		}
		if (arena != NULL)
			(void)arena_destroy(left[i], NULL);
		left[i] = left[--nleft];
	}
}

/* --- rotation ------------------------------------------------------------- */

/* The next generation begins in arena. */
static void
begin_locked(struct pool *pool, struct arena *arena, uint32_t generation)
{
	struct arena *old = pool_current(pool);

	lock_assert_held(&pools_lock);
	atomic_store_explicit(&arena->generation, generation,
	    memory_order_relaxed);
	pages_retire(&arena->pages, false);
	atomic_store_explicit(&pool->generation, generation,
	    memory_order_relaxed);
	pool->rotated_ns = os_now_ns();
	atomic_store(&pool->current, arena);
	if (old != NULL && old != arena) {
		pages_expect(&arena->pages, pages_active(&old->pages));
		pages_retire(&old->pages, true);
	}
}

static int
rotate(unsigned index, uint64_t *generation)
{
	struct arena *arena;
	struct pool *pool;
	int error = ENOENT;

	lock_acquire(&pools_lock);
	pool = pool_get(index);
	if (pool != NULL)
		error = choose_locked(pool, &arena);
	if (error == 0) {
		begin_locked(pool, arena, generation_advance());
		pool->rotations++;
		if (generation != NULL)
			*generation = pool->generation;
	}
	drop_empty_locked();
	lock_release(&pools_lock);
	if (error != 0)
		return error;
	pool_empty_caches(pool);
	prof_generation_begun();
	return 0;
}

int
pool_rotate(unsigned index, uint64_t *generation)
{
	int error = rotate(index, generation);

	if (error == 0)
		pool_rest_start();
	return error;
}

/* --- creation ------------------------------------------------------------- */

static struct pool *
make_locked(unsigned index)
{
	struct pool *pool = atomic_load_explicit(&pools[index],
	    memory_order_relaxed);

	if (pool != NULL)
		return pool;
	pool = base_alloc(&base_meta, sizeof *pool, CACHELINE);
	if (pool == NULL)
		return NULL;
	pool->index = index;
	atomic_init(&pool->nscopes, POOL_DESTROYED);
	/* Release: pairs with the acquire in pool_get. */
	atomic_store_explicit(&pools[index], pool, memory_order_release);
	if (index >= pools_count())
		atomic_store_explicit(&count, index + 1,
		    memory_order_relaxed);
	return pool;
}

static int
create_locked(unsigned narenas, uint32_t (*number)(void), unsigned *index)
{
	struct arena *arena;
	struct pool *pool;
	unsigned i = 0;
	int error;

	while (i < POOL_MAX && pool_get(i) != NULL)
		i++;
	if (i == POOL_MAX)
		return EAGAIN;
	pool = make_locked(i);
	if (pool == NULL)
		return ENOMEM;
	pool->narenas = 0;
	pool->narenas_max = narenas;
	pool->rotations = 0;
	error = open_locked(pool, &arena);
	if (error != 0)
		return error;
	begin_locked(pool, arena, number());
	/* Release: pairs with the acquire in begin_use. */
	atomic_fetch_and_explicit(&pool->nscopes, ~POOL_DESTROYED,
	    memory_order_release);
	*index = i;
	return 0;
}

int
pool_create(unsigned narenas, unsigned *index)
{
	int error;

	if (narenas == 0)
		narenas = POOL_ARENAS_DEFAULT;
	if (narenas < 2 || narenas > POOL_ARENAS_MAX)
		return EINVAL;
	lock_acquire(&pools_lock);
	drop_empty_locked();
	error = create_locked(narenas, generation_advance, index);
	lock_release(&pools_lock);
	return error;
}

/* --- the default pool ----------------------------------------------------- */

/* Every thread is inside: that one scope is never left. */
void
pool_boot(unsigned narenas)
{
	int error;

	if (narenas == 0)
		return;
	lock_acquire(&pools_lock);
	error = create_locked(narenas < 2 ? 2 : narenas, generation_current,
	    &default_index);
	if (error == 0)
		atomic_fetch_add(&pool_get(default_index)->nscopes, 1);
	lock_release(&pools_lock);
	if (error != 0)
		message("No memory for the default pool");
}

int
pool_default(unsigned *index)
{
	if (default_index == POOL_MAX)
		return ENOENT;
	*index = default_index;
	return 0;
}

struct arena *
pool_default_arena(void)
{
	struct pool *pool = pool_get(default_index);

	return pool == NULL ? NULL : pool_current(pool);
}

bool
pool_default_has(const struct arena *arena)
{
	struct pool *pool = pool_get(default_index);
	bool found = false;

	if (pool == NULL)
		return false;
	lock_acquire(&pools_lock);
	for (unsigned i = 0; i < pool->narenas && !found; i++)
		found = pool->arenas[i] == arena->index;
	lock_release(&pools_lock);
	return found;
}

uint32_t
pool_advance_worker(void)
{
	uint64_t generation;

	if (default_index != POOL_MAX &&
	    rotate(default_index, &generation) == 0)
		return (uint32_t)generation;
	generation = generation_advance();
	prof_generation_begun();
	return (uint32_t)generation;
}

uint32_t
pool_advance(void)
{
	uint32_t generation = pool_advance_worker();

	if (default_index != POOL_MAX)
		pool_rest_start();
	return generation;
}

/* --- the end -------------------------------------------------------------- */

static void
leave_arenas_locked(struct pool *pool)
{
	for (unsigned i = 0; i < pool->narenas; i++) {
		struct arena *arena = arena_get(pool->arenas[i], false);

		if (arena == NULL)
			continue;
		pages_retire(&arena->pages, true);
		left[nleft++] = pool->arenas[i];
	}
}

/* false: a thread is inside. Acquire: pairs with the release in end_use. */
static bool
end_pool_locked(struct pool *pool)
{
	unsigned none = 0;

	if (!atomic_compare_exchange_strong_explicit(&pool->nscopes, &none,
	    POOL_DESTROYED, memory_order_acquire, memory_order_relaxed))
		return false;
	/* Sequentially consistent: see park. */
	atomic_store(&pool->current, NULL);
	leave_arenas_locked(pool);
	return true;
}

int
pool_destroy(unsigned index)
{
	struct pool *pool;
	int error = ENOENT;

	lock_acquire(&pools_lock);
	pool = pool_get(index);
	if (pool != NULL)
		error = end_pool_locked(pool) ? 0 : EAGAIN;
	lock_release(&pools_lock);
	if (error != 0)
		return error;
	pool_empty_caches(pool);
	lock_acquire(&pools_lock);
	drop_empty_locked();
	lock_release(&pools_lock);
	return 0;
}

/* --- statistics ----------------------------------------------------------- */

bool
pool_glance(unsigned index, unsigned *arena, uint32_t *generation)
{
	struct pool *pool = pool_get(index);
	struct arena *current = pool == NULL ? NULL : pool_current(pool);

	if (current == NULL)
		return false;
	*arena = current->index;
	*generation = atomic_load_explicit(&current->generation,
	    memory_order_relaxed);
	return true;
}

int
pool_facts_read(unsigned index, struct pool_facts *out)
{
	struct pool *pool;

	lock_acquire(&pools_lock);
	pool = pool_get(index);
	if (pool != NULL)
		*out = (struct pool_facts){ pool->generation, pool->narenas,
		    pool->narenas_max, pool_current(pool)->index };
	lock_release(&pools_lock);
	return pool != NULL ? 0 : ENOENT;
}

static void
arena_stats_of(struct arena *arena, struct pool_arena_stats *out)
{
	struct pages_released released;

	pages_released_get(&arena->pages, &released);
	*out = (struct pool_arena_stats){
		.index = arena->index,
		.generation = atomic_load_explicit(&arena->generation,
		    memory_order_relaxed),
		.allocated = arena_allocated(arena),
		.active = pages_active(&arena->pages),
		.releases = released.releases,
		.released = released.bytes,
	};
	/* Read one after the other, but what is in pages needs them. */
	if (out->active < out->allocated)
		out->active = out->allocated;
	out->resident = out->active +
	    ecache_bytes(&arena->pages.caches[EXTENT_DIRTY]) +
	    ecache_bytes(&arena->pages.caches[EXTENT_MUZZY]);
}

static void
add_arena(struct pool_stats *sum, const struct pool_arena_stats *part)
{
	sum->allocated += part->allocated;
	sum->active += part->active;
	sum->resident += part->resident;
	sum->releases += part->releases;
	sum->released += part->released;
	if (part->current || part->active > 0)
		sum->live++;
	if (!part->current && part->active > 0)
		sum->retired++;
	if (!part->current)
		sum->survivors += part->allocated;
}

static void
stats_locked(const struct pool *pool, struct pool_stats *out)
{
	struct arena *current = pool_current(pool);

	*out = (struct pool_stats){
		.narenas = pool->narenas,
		.narenas_max = pool->narenas_max,
		.generation = pool->generation,
		.rotations = pool->rotations,
		.rotated_ns = pool->rotated_ns,
	};
	for (unsigned i = 0; i < pool->narenas; i++) {
		struct arena *arena = arena_get(pool->arenas[i], false);

		if (arena == NULL)
			continue;
		arena_stats_of(arena, &out->arenas[i]);
		out->arenas[i].current = arena == current;
		add_arena(out, &out->arenas[i]);
	}
}

int
pool_stats_read(unsigned index, struct pool_stats *out)
{
	struct pool *pool;

	lock_acquire(&pools_lock);
	pool = pool_get(index);
	if (pool != NULL)
		stats_locked(pool, out);
	lock_release(&pools_lock);
	return pool != NULL ? 0 : ENOENT;
}

/* --- fork ----------------------------------------------------------------- */

void
pool_fork_prepare(void)
{
	lock_acquire(&pools_lock);
}

void
pool_fork_parent(void)
{
	lock_release(&pools_lock);
}

void
pool_fork_child(struct thread *self)
{
	for (unsigned i = 0; i < pools_count(); i++) {
		struct pool *pool = atomic_load_explicit(&pools[i],
		    memory_order_relaxed);

		/* Threads that are gone were on their way in, or out again. */
		if (pool != NULL)
			atomic_store(&pool->nscopes, pool_current(pool) ==
			    NULL ? POOL_DESTROYED : i == default_index);
	}
	for (unsigned i = 0; self->live && i < self->pool.depth; i++)
		atomic_fetch_add(&self->pool.scopes[i].pool->nscopes, 1);
	lock_reinit_child(&pools_lock);
}
