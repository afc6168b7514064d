/*
 * ctl_pool_stats.c - mallctl pool.<i>.stats.*: nodes for the fields of the
 * snapshot, as ctl_stats.c has them for stats.*.
 *
 * A node's arg is the offset of its field in struct ctl_pool_figures or,
 * below pool.<i>.stats.arenas.<j>, in struct pool_arena_stats. The printed
 * statistics have the same nodes (stats_json.c, stats_pools.c).
 *
 * Locks: the snapshot's while a field is copied.
 */
#include <stddef.h>

#include "ctl_snapshot.h"
#include "mallctl.h"
#include "names.h"

/* pool.<i>.stats: mib[1] */
static int
ctl_pool_figure_at(const struct ctl_call *call, size_t offset,
    union ctl_value *out)
{
	int error;
	const struct ctl_pool_figures *figures =
	    ctl_pool_acquire(call->mib[1], &error);

	return figures == NULL ? error : ctl_snapshot_load(call, figures,
	    offset, out);
}

static int
ctl_pool_figure_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_pool_figure_at(call, call->node->arg, out);
}

/* pool.<i>.stats.arenas.<j>: mib[4] */
static int
ctl_pool_arena_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_pool_figure_at(call, call->node->arg +
	    offsetof(struct ctl_pool_figures, stats.arenas) +
	    call->mib[4] * sizeof(struct pool_arena_stats), out);
}

/* Of the arenas that the snapshot has. */
static bool
ctl_pool_arena_valid(const size_t *mib, size_t index)
{
	int error;
	const struct ctl_pool_figures *figures = ctl_pool_acquire(mib[1],
	    &error);
	bool valid = figures != NULL && index < figures->stats.narenas;

	if (figures != NULL)
		ctl_snapshot_release();
	return valid;
}

#define ARENA(name, kind, field) \
	{ name, .type = kind, .read = ctl_pool_arena_read, \
	    .arg = offsetof(struct pool_arena_stats, field) }

static const struct ctl_node ctl_pool_arena[] = {
	ARENA("index", CTL_UNSIGNED, index),
	ARENA("generation", CTL_U32, generation),
	ARENA("current", CTL_BOOL, current),
	ARENA("allocated", CTL_SIZE, allocated),
	ARENA("active", CTL_SIZE, active),
	ARENA("resident", CTL_SIZE, resident),
	ARENA("releases", CTL_U64, releases),
	ARENA("released", CTL_U64, released),
	{ 0 }
};

static const struct ctl_node ctl_pool_arenas[] = {
	{ .valid = ctl_pool_arena_valid, .children = ctl_pool_arena },
	{ 0 }
};

#define FIGURE(name, kind, field) \
	{ name, .type = kind, .read = ctl_pool_figure_read, \
	    .arg = offsetof(struct ctl_pool_figures, field) }

const struct ctl_node ctl_pool_stats[] = {
	FIGURE("generation", CTL_U64, stats.generation),
	FIGURE("generations_live", CTL_UNSIGNED, stats.live),
	FIGURE("generations_retired", CTL_UNSIGNED, stats.retired),
	FIGURE("rotations", CTL_U64, stats.rotations),
	FIGURE("rotation_age_ns", CTL_U64, rotation_age_ns),
	FIGURE("narenas", CTL_UNSIGNED, stats.narenas),
	FIGURE("narenas_max", CTL_UNSIGNED, stats.narenas_max),
	FIGURE("allocated", CTL_SIZE, stats.allocated),
	FIGURE("active", CTL_SIZE, stats.active),
	FIGURE("resident", CTL_SIZE, stats.resident),
	FIGURE("survivors", CTL_SIZE, stats.survivors),
	FIGURE("releases", CTL_U64, stats.releases),
	FIGURE("released", CTL_U64, stats.released),
	{ "arenas", .children = ctl_pool_arenas, .letter = 'a' },
	{ 0 }
};
