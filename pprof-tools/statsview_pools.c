/*
 * statsview_pools.c - the part of the text that shows pools.
 *
 * What is allocated in a retired arena has outlived its generation; what it
 * keeps from the system are the arena's active pages.
 */
#include <inttypes.h>

#include "grid.h"
#include "statsview.h"
#include "term.h"
#include "units.h"

static void
print_arena(const struct statsview *view, const struct statsfile_pool *pool,
    const struct statsfile_pool_arena *arena)
{
	struct unit allocated, active;

	fprintf(view->out, "  %s arena %" PRIu64 " (generation %" PRIu64
	    "): %s alive in %s of pages\n",
	    arena->generation == pool->generation ? "current" : "retired",
	    arena->index, arena->generation, unit_bytes(&allocated,
	    (double)arena->allocated), unit_bytes(&active,
	    (double)arena->active));
}

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void
print_pool(const struct statsview *view, const struct statsfile_pool *pool)
{
	struct unit age, survivors, resident, released;

	fprintf(view->out, "pool %u: generation %" PRIu64 ", begun %s ago; "
	    "%" PRIu64 " rotation%s, %" PRIu64 " arena%s\n", pool->number,
	    pool->generation, unit_duration(&age,
	    (double)pool->rotation_age_ns), pool->rotations,
	    plural(pool->rotations), pool->narenas, plural(pool->narenas));
	fprintf(view->out, "  resident %s, survivors %s, released %s, "
	    "arenas emptied %" PRIu64 " time%s\n", unit_bytes(&resident,
	    (double)pool->resident), unit_bytes(&survivors,
	    (double)pool->survivors), unit_bytes(&released,
	    (double)pool->released), pool->releases, plural(pool->releases));
	for (size_t i = 0; i < pool->narenas_read; i++)
		print_arena(view, pool, &pool->arenas[i]);
}

void
statsview_pools_text(const struct statsview *view)
{
	if (view->last->npools == 0)
		return;
	fprintf(view->out, "\n%sPools%s\n", grid_style_on(GRID_BOLD,
	    view->color), grid_style_off(GRID_BOLD, view->color));
	for (size_t i = 0; i < view->last->npools; i++)
		print_pool(view, &view->last->pools[i]);
}
