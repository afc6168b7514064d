/*
 * statsview_pools.c - pools: as text and as metrics.
 *
 * What is allocated in a retired arena has outlived its generation; what it
 * keeps from the system are the arena's active pages.
 */
#include <inttypes.h>

#include "grid.h"
#include "statsview.h"
#include "term.h"
#include "units.h"

struct column {
	const char *name;		/* of the member */
	size_t offset;
	const char *metric, *unit, *help;
	bool is_counter, is_ns;
};

#define POOL(member) #member, offsetof(struct statsfile_pool, member)
#define ARENA(member) #member, offsetof(struct statsfile_pool_arena, member)

static const struct column pool_columns[] = {
	{ POOL(generation), "pool_generation", NULL,
	    "Number of the current generation.", false, false },
	{ POOL(generations_live), "pool_generations_live", NULL,
	    "Generations that hold pages, by arena.", false, false },
	{ POOL(generations_retired), "pool_generations_retired", NULL,
	    "Of these, all but the current one.", false, false },
	{ POOL(rotations), "pool_rotations", NULL,
	    "Rotations since the pool was created.", true, false },
	{ POOL(rotation_age_ns), "pool_rotation_age_seconds", "seconds",
	    "Time since the last rotation.", false, true },
	{ POOL(survivors), "pool_survivors_bytes", "bytes",
	    "Allocated in retired arenas.", false, false },
	{ NULL, 0, NULL, NULL, NULL, false, false }
};

static const struct column arena_columns[] = {
	{ ARENA(generation), "pool_arena_generation", NULL,
	    "The generation that began in the arena last.", false, false },
	{ ARENA(allocated), "pool_arena_allocated_bytes", "bytes",
	    "Handed out, with what the threads' caches hold.", false, false },
	{ ARENA(active), "pool_arena_active_bytes", "bytes",
	    "Pages that hold some of it.", false, false },
	{ ARENA(resident), "pool_arena_resident_bytes", "bytes",
	    "In memory, by the allocator's count.", false, false },
	{ ARENA(releases), "pool_arena_releases", NULL,
	    "Times it came to hold nothing while retired.", true, false },
	{ ARENA(released), "pool_arena_released_bytes", "bytes",
	    "Given back while retired.", true, false },
	{ NULL, 0, NULL, NULL, NULL, false, false }
};

static uint64_t
value_of(const struct column *column, const void *of)
{
	return *(const uint64_t *)((const char *)of + column->offset);
}

/* --- text ----------------------------------------------------------------- */

static void
print_arena(const struct statsview *view,
    const struct statsfile_pool_arena *arena)
{
	struct unit allocated, active;

	fprintf(view->out, "  %s arena %" PRIu64 " (generation %" PRIu64
	    "): %s alive in %s of pages\n",
	    arena->current ? "current" : "retired", arena->index,
	    arena->generation, unit_bytes(&allocated,
	    (double)arena->allocated), unit_bytes(&active,
	    (double)arena->active));
}

static void
print_pool(const struct statsview *view, const struct statsfile_pool *pool)
{
	struct unit age, survivors, resident, released;

	fprintf(view->out, "pool %u: generation %" PRIu64 ", begun %s ago; "
	    "%" PRIu64 " rotations, %" PRIu64 " arenas\n", pool->number,
	    pool->generation, unit_duration(&age,
	    (double)pool->rotation_age_ns), pool->rotations, pool->narenas);
	fprintf(view->out, "  resident %s, survivors %s, released %s, "
	    "arenas emptied %" PRIu64 " times\n", unit_bytes(&resident,
	    (double)pool->resident), unit_bytes(&survivors,
	    (double)pool->survivors), unit_bytes(&released,
	    (double)pool->released), pool->releases);
	for (size_t i = 0; i < pool->narenas_read; i++)
		print_arena(view, &pool->arenas[i]);
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

/* --- metrics -------------------------------------------------------------- */

static void
each_arena(const struct statsfile *file, const struct column *column,
    statsview_pool_visit *visit, void *arg)
{
	char labels[64];

	for (size_t i = 0; i < file->npools; i++)
		for (size_t k = 0; k < file->pools[i].narenas_read; k++) {
			const struct statsfile_pool_arena *arena =
			    &file->pools[i].arenas[k];

			snprintf(labels, sizeof labels, "pool=\"%u\","
			    "arena=\"%" PRIu64 "\"", file->pools[i].number,
			    arena->index);
			visit(arg, labels, value_of(column, arena), false);
	}
}

static void
each_pool(const struct statsfile *file, const struct column *column,
    statsview_pool_visit *visit, void *arg)
{
	char labels[32];

	for (size_t i = 0; i < file->npools; i++) {
		snprintf(labels, sizeof labels, "pool=\"%u\"",
		    file->pools[i].number);
		visit(arg, labels, value_of(column, &file->pools[i]),
		    column->is_ns);
	}
}

void
statsview_pools_metrics(const struct statsfile *file,
    statsview_pool_family *family, statsview_pool_visit *visit, void *arg)
{
	if (file->npools == 0)
		return;
	for (const struct column *c = pool_columns; c->name != NULL; c++) {
		family(arg, c->metric, c->is_counter, c->unit, c->help);
		each_pool(file, c, visit, arg);
	}
	for (const struct column *c = arena_columns; c->name != NULL; c++) {
		family(arg, c->metric, c->is_counter, c->unit, c->help);
		each_arena(file, c, visit, arg);
	}
}
