/*
 * stats_json.c - the statistics as JSON: the tree of controls, walked.
 *
 *   { "jemalloc": { version config opt prof arenas stats "stats.arenas" },
 *     "strata": { what only Strata has } }
 *
 * A branch is an object, a branch of indices an array, a leaf a value. Which
 * nodes are shown, and under which key, stands with them (mallctl.h); here is
 * only the frame. The key paths below "jemalloc" are jemalloc's, so that what
 * reads its statistics reads these. Unlike there no key comes twice, "merged"
 * is there however many arenas are, and a mutex's counters are its own.
 */
#include <string.h>

#include "arena.h"
#include "os.h"
#include "pool.h"
#include "prof.h"
#include "stats_out.h"
#include "names.h"

/* Where the walk is: mib has an element for each branch it is below. */
struct json_walk {
	struct stats_out *out;
	bool merged;			/* below the sum of all arenas */
	size_t mib[CTL_MAX_DEPTH];
};

static void json_children(struct json_walk *walk, size_t depth,
    const struct ctl_node *children);

/* Zero of its type if it has no value, as without the profiler. */
static void
json_leaf(struct json_walk *walk, size_t depth, const char *key,
    const struct ctl_node *node)
{
	struct ctl_call call = { .node = node, .mib = walk->mib,
	    .miblen = depth };
	union ctl_value value;
	enum ctl_type type;

	(void)ctl_read(&call, &type, &value);
	json_value(walk->out, key, type, &value);
}

/* prof_stats: what was sampled of a class, of all arenas together. */
static void
json_samples(struct stats_out *out, unsigned sizeclass)
{
	struct prof_class live, accum;

	if (!CONFIG_PROF || prof_class_get(sizeclass, false, &live) != 0 ||
	    prof_class_get(sizeclass, true, &accum) != 0)
		return;
	json_u64(out, "prof_live_requested", live.req_sum);
	json_u64(out, "prof_live_count", live.count);
	json_u64(out, "prof_accum_requested", accum.req_sum);
	json_u64(out, "prof_accum_count", accum.count);
}

/* Element i of an array of "merged" may be that of a size class. */
static void
json_merged(struct json_walk *walk, const char *key, size_t i)
{
	if (!walk->merged)
		return;
	if (strcmp(key, "bins") == 0)
		json_samples(walk->out, (unsigned)i);
	else if (strcmp(key, "lextents") == 0)
		json_samples(walk->out, (unsigned)i + SC_NSMALL);
}

static void
json_array(struct json_walk *walk, size_t depth, const char *key,
    const struct ctl_node *element)
{
	json_open(walk->out, key, '[');
	for (size_t i = 0; (element->marks & CTL_HIDDEN) == 0 &&
	    element->valid(walk->mib, i); i++) {
		walk->mib[depth] = i;
		json_open(walk->out, NULL, '{');
		json_children(walk, depth + 1, element->children);
		json_merged(walk, key, i);
		json_close(walk->out, '}');
	}
	json_close(walk->out, ']');
}

/* A child of a branch at depth. */
static void
json_node(struct json_walk *walk, size_t depth, const struct ctl_child *child)
{
	const struct ctl_node *node = child->node;
	const char *key = node->json != NULL ? node->json : child->name;

	if (!stats_shows(walk->out, node->letter) ||
	    (node->marks & (CTL_HIDDEN | CTL_APART)) != 0)
		return;
	walk->mib[depth++] = child->element;
	if (node->children == NULL) {
		if (node->read != NULL)
			json_leaf(walk, depth, key, node);
	} else if (node->children->valid != NULL) {
		json_array(walk, depth, key, node->children);
	} else if ((node->marks & CTL_FLAT) != 0) {
		json_children(walk, depth, node->children);
	} else {
		json_open(walk->out, key, '{');
		json_children(walk, depth, node->children);
		json_close(walk->out, '}');
	}
}

/* All but those that stand below "strata". */
static void
json_children(struct json_walk *walk, size_t depth,
    const struct ctl_node *children)
{
	struct ctl_child child = { 0 };

	while (ctl_child_next(children, &child))
		if ((child.node->marks & CTL_STRATA) == 0)
			json_node(walk, depth, &child);
}

/* Only those, of the branch that name says. */
static void
json_own(struct stats_out *out, const char *name)
{
	struct json_walk walk = { .out = out };
	size_t depth = CTL_MAX_DEPTH;
	struct ctl_child child = { 0 };
	const struct ctl_node *branch;

	if (ctl_find(name, walk.mib, &depth, &branch) != 0)
		return;
	while (ctl_child_next(branch->children, &child))
		if ((child.node->marks & CTL_STRATA) != 0)
			json_node(&walk, depth, &child);
}

/* --- the frame ------------------------------------------------------------ */

static void
json_arena(struct stats_out *out, const char *key, unsigned index)
{
	struct json_walk walk = { .out = out,
	    .merged = index == MALLCTL_ARENAS_ALL };
	size_t depth = CTL_MAX_DEPTH;
	const struct ctl_node *branch;
	char name[32];

	fmt_buf(name, sizeof name, "stats.arenas.%u", index);
	if (ctl_find(name, walk.mib, &depth, &branch) != 0)
		return;
	json_open(out, key, '{');
	json_children(&walk, depth, branch->children);
	json_close(out, '}');
}

/* Each that there is, under its index. */
static void
json_each_arena(struct stats_out *out)
{
	char key[16];

	for (unsigned i = 0; i < arenas_count(); i++)
		if (arena_get(i, false) != NULL) {
			fmt_buf(key, sizeof key, "%u", i);
			json_arena(out, key, i);
		}
}

static void
json_all_arenas(struct stats_out *out)
{
	if (!stats_shows(out, 'm') && !stats_shows(out, 'd') &&
	    !stats_shows(out, 'a'))
		return;
	json_open(out, "stats.arenas", '{');
	if (stats_shows(out, 'm'))
		json_arena(out, "merged", MALLCTL_ARENAS_ALL);
	if (stats_shows(out, 'd') && arena_stats_destroyed(NULL))
		json_arena(out, "destroyed", MALLCTL_ARENAS_DESTROYED);
	if (stats_shows(out, 'a'))
		json_each_arena(out);
	json_close(out, '}');
}

/* Each that there is, under its index. */
static void
json_pools(struct stats_out *out)
{
	char name[32];

	json_open(out, "pools", '{');
	for (unsigned i = 0; i < pools_count(); i++) {
		struct json_walk walk = { .out = out };
		size_t depth = CTL_MAX_DEPTH;
		const struct ctl_node *branch;

		/* One that is newer than the snapshot has no figures yet. */
		fmt_buf(name, sizeof name, "pool.%u.stats", i);
		if (stats_get("%s.generation", name) == 0 ||
		    ctl_find(name, walk.mib, &depth, &branch) != 0)
			continue;
		fmt_buf(name, sizeof name, "%u", i);
		json_open(out, name, '{');
		json_children(&walk, depth, branch->children);
		json_close(out, '}');
	}
	json_close(out, '}');
}

static void
json_strata(struct stats_out *out)
{
	json_open(out, "strata", '{');
	json_string(out, "version", stats_get_text("version"));
	/* Of files from many processes, whose and when. */
	json_u64(out, "pid", (uint64_t)os_pid());
	json_u64(out, "time_unix_ns", os_time_ns());
	json_u64(out, "ncpus", os_ncpus());
	json_own(out, "stats");
	json_open(out, "prof", '{');
	json_own(out, "prof");
	json_close(out, '}');
	json_pools(out);
	json_close(out, '}');
}

void
stats_print_json(struct stats_out *out)
{
	struct json_walk walk = { .out = out };

	json_open(out, NULL, '{');
	json_open(out, "jemalloc", '{');
	json_children(&walk, 0, ctl_root);
	json_all_arenas(out);
	json_close(out, '}');
	json_strata(out);
	json_close(out, '}');
	stats_printf(out, "\n");
}
