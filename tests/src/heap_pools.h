/*
 * heap_pools.h - the pools of heap_model_test: which there are, what scopes a
 * player is in, and which arenas are whose.
 *
 *   players  enter, leave and rotate at any time
 *   leader   destroys and creates pools, while nobody runs
 *
 * Locks: none; scopes are one player's, the tables atomic.
 */
#ifndef TESTS_SRC_HEAP_POOLS_H
#define TESTS_SRC_HEAP_POOLS_H

#include "core.h"

#include <stdatomic.h>

#include "names.h"
#include "pool.h"
#include "refheap.h"

#include <strata/strata.h>

enum {
	NPOOLS = 3,
	NO_POOL = UINT32_MAX,
};

/* Of one player, the innermost last; a pool may be in it several times. */
struct scopes {
	unsigned depth;
	unsigned pools[POOL_DEPTH];
	unsigned entered[POOL_DEPTH];
	uint64_t generation;		/* the last that it began */
};

static _Atomic unsigned model_pools[NPOOLS];
/* By arena: its pool + 1, once known; cleared when a pool is destroyed. */
static _Atomic unsigned arena_owners[ARENA_MAX];
/* By arena: has it ever been a pool's? */
static _Atomic bool arena_was_pools[ARENA_MAX];

static void
learn_owners(unsigned pool)
{
	struct pool_stats stats;

	if (pool_stats_read(pool, &stats) != 0)
		ref_die("there is no pool %u", pool);
	for (unsigned i = 0; i < stats.narenas; i++) {
		arena_owners[stats.arenas[i].index] = pool + 1;
		arena_was_pools[stats.arenas[i].index] = true;
	}
}

static bool
pool_holds(unsigned pool, unsigned arena)
{
	if (arena_owners[arena] != pool + 1)
		learn_owners(pool);
	return arena_owners[arena] == pool + 1;
}

/* --- scopes --------------------------------------------------------------- */

static unsigned
scopes_innermost(const struct scopes *scopes)
{
	return scopes->depth == 0 ? NO_POOL : scopes->pools[scopes->depth - 1];
}

/* May the pool be entered, or is that too deep? */
static bool
scopes_have_room(const struct scopes *scopes, unsigned pool)
{
	return scopes->depth < POOL_DEPTH || scopes_innermost(scopes) == pool;
}

/* Whether it could: not if it would be too deep. */
static bool
scopes_enter(struct scopes *scopes, unsigned pool)
{
	bool room = scopes_have_room(scopes, pool);
	int error = strata_pool_enter(pool);

	if (error != (room ? 0 : EAGAIN))
		ref_die("enter %u, %u deep: %s", pool, scopes->depth,
		    strerror(error));
	if (!room)
		return false;
	if (scopes_innermost(scopes) != pool) {
		scopes->pools[scopes->depth] = pool;
		scopes->entered[scopes->depth++] = 0;
	}
	scopes->entered[scopes->depth - 1]++;
	return true;
}

static void
scopes_leave(struct scopes *scopes, unsigned pool)
{
	bool inside = scopes->depth > 0 && scopes_innermost(scopes) == pool;
	int error = strata_pool_leave(pool);

	if (error != (inside ? 0 : EINVAL))
		ref_die("leave %u, %u deep: %s", pool, scopes->depth,
		    strerror(error));
	if (inside && --scopes->entered[scopes->depth - 1] == 0)
		scopes->depth--;
}

/* Returns whether it could; fails only for want of memory. */
static bool
scopes_rotate(struct scopes *scopes, unsigned pool, bool may_fail)
{
	uint64_t generation;
	int error = strata_pool_rotate(pool, &generation);

	if (error == ENOMEM && may_fail)
		return false;
	if (error != 0)
		ref_die("rotate %u: %s", pool, strerror(error));
	if (generation <= scopes->generation)
		ref_die("generation %llu comes after %llu",
		    (unsigned long long)generation,
		    (unsigned long long)scopes->generation);
	scopes->generation = generation;
	return true;
}

/* The player runs alone: what it gets now is of the current generation. */
static void
scopes_check_current(const struct scopes *scopes)
{
	struct pool_facts facts;
	void *ptr;

	if (scopes->depth == 0)
		return;
	if (pool_facts_read(scopes_innermost(scopes), &facts) != 0)
		ref_die("no facts of pool %u", scopes_innermost(scopes));
	ptr = malloc(100);
	if (arena_of(pagemap_get(ptr))->index != facts.arena)
		ref_die("a block of arena %u, %u is current",
		    arena_of(pagemap_get(ptr))->index, facts.arena);
	free(ptr);
}

/* --- while nobody runs ---------------------------------------------------- */

static unsigned
pools_new(unsigned narenas)
{
	unsigned pool;

	if (strata_pool_create(narenas, &pool) != 0)
		ref_die("no pool of %u arenas", narenas);
	return pool;
}

/* Its figures are the reference's: bytes, by arena. */
static void
pools_check(const uint64_t *bytes)
{
	for (unsigned i = 0; i < NPOOLS; i++) {
		struct pool_stats stats;
		uint64_t sum = 0, current = 0;
		unsigned ncurrent = 0;

		learn_owners(model_pools[i]);
		if (pool_stats_read(model_pools[i], &stats) != 0)
			ref_die("no figures of pool %u", model_pools[i]);
		for (unsigned k = 0; k < stats.narenas; k++) {
			const struct pool_arena_stats *of = &stats.arenas[k];
			struct arena *arena = arena_get(of->index, false);

			sum += bytes[of->index];
			current += of->current ? bytes[of->index] : 0;
			ncurrent += of->current;
			if (pages_retired(&arena->pages) == of->current)
				ref_die("arena %u of pool %u: retired %d",
				    of->index, model_pools[i], of->current);
		}
		if (ncurrent != 1 || stats.allocated != sum ||
		    stats.survivors != sum - current)
			ref_die("pool %u: %u current, %zu bytes, %zu "
			    "survive", model_pools[i], ncurrent,
			    stats.allocated, stats.survivors);
	}
}

/* Refused while somebody is inside. Blocks of it live on. */
static void
pools_renew(unsigned which, bool inside, unsigned narenas)
{
	int error = strata_pool_destroy(model_pools[which]);

	if (error != (inside ? EAGAIN : 0))
		ref_die("destroy %u: %s", model_pools[which],
		    strerror(error));
	if (error != 0)
		return;
	for (unsigned i = 0; i < ARENA_MAX; i++)
		arena_owners[i] = 0;
	model_pools[which] = pools_new(narenas);
}

/* All blocks are freed: no arena of a pool is left but those in keep. */
static void
pools_end(const unsigned *keep, unsigned nkeep)
{
	for (unsigned i = 0; i < NPOOLS; i++)
		if (strata_pool_destroy(model_pools[i]) != 0)
			ref_die("pool %u cannot be destroyed", model_pools[i]);
	for (unsigned i = 0; i < ARENA_MAX; i++) {
		bool kept = false;

		for (unsigned k = 0; k < nkeep; k++)
			kept |= keep[k] == i;
		if (arena_was_pools[i] && !kept &&
		    arena_get(i, false) != NULL)
			ref_die("arena %u is left of a pool", i);
	}
}

#endif
