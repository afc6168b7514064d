/*
 * stats_pools.c - the pools in the statistics' text; jemalloc has none.
 *
 *   pools[0]: generation 7, begun 1200000000 ns ago, ...
 *   retired arena 9 (generation 6): 1258291 bytes alive in 6710886 of pages
 *
 * What is alive in a retired arena has outlived its generation: those lines
 * say where the strays are, and what they cost. Figures are bytes but for
 * those that say otherwise.
 */
#include "pool.h"
#include "stats_out.h"
#include "names.h"

static unsigned long long
of_pool(unsigned index, const char *name)
{
	return (unsigned long long)stats_get("pool.%u.stats.%s", index, name);
}

static unsigned long long
of_arena(unsigned index, unsigned arena, const char *name)
{
	return (unsigned long long)stats_get("pool.%u.stats.arenas.%u.%s",
	    index, arena, name);
}

static void
text_pool_arena(struct stats_out *out, unsigned index, unsigned arena)
{
	stats_printf(out, "%s arena %llu (generation %llu): %llu bytes alive "
	    "in %llu of pages, resident: %llu, releases: %llu, "
	    "released: %llu\n", of_arena(index, arena, "current") != 0 ?
	    "current" : "retired", of_arena(index, arena, "index"),
	    of_arena(index, arena, "generation"),
	    of_arena(index, arena, "allocated"),
	    of_arena(index, arena, "active"),
	    of_arena(index, arena, "resident"),
	    of_arena(index, arena, "releases"),
	    of_arena(index, arena, "released"));
}

static void
text_pool(struct stats_out *out, unsigned index)
{
	unsigned narenas = (unsigned)of_pool(index, "narenas");

	stats_printf(out, "pools[%u]: generation %llu, begun %llu ns ago, "
	    "rotations: %llu, arenas: %u of %llu, generations live: %llu, "
	    "retired: %llu\n", index, of_pool(index, "generation"),
	    of_pool(index, "rotation_age_ns"), of_pool(index, "rotations"),
	    narenas, of_pool(index, "narenas_max"),
	    of_pool(index, "generations_live"),
	    of_pool(index, "generations_retired"));
	stats_printf(out, "allocated: %llu, active: %llu, resident: %llu, "
	    "survivors: %llu, releases: %llu, released: %llu\n",
	    of_pool(index, "allocated"), of_pool(index, "active"),
	    of_pool(index, "resident"), of_pool(index, "survivors"),
	    of_pool(index, "releases"), of_pool(index, "released"));
	for (unsigned i = 0; stats_shows(out, 'a') && i < narenas; i++)
		text_pool_arena(out, index, i);
}

void
stats_text_pools(struct stats_out *out)
{
	/* One that the snapshot does not have reads as generation 0. */
	for (unsigned i = 0; i < pools_count(); i++)
		if (of_pool(i, "generation") != 0)
			text_pool(out, i);
}
