/*
 * calltree.c - every path of calls, from the root.
 */
#define _GNU_SOURCE			/* qsort_r */
#include "calltree.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "xalloc.h"

struct tree_builder {
	struct calltree *tree;
	struct table table;		/* parent, site -> node */
	size_t capacity;
	/* The nodes of the last path, from below the root: each the parent of
	   the next. Rows of one stack follow each other in most profiles. */
	uint32_t *path;
	uint32_t depth;
	size_t path_capacity;
};

static bool
node_equal(const void *context, uint32_t index, const void *key)
{
	const struct calltree *tree = context;
	const uint32_t *pair = key;

	return tree->nodes[index].parent == pair[0] &&
	    tree->nodes[index].site == pair[1];
}

static uint32_t
node_new(struct tree_builder *t, uint32_t parent, uint32_t site)
{
	struct calltree *tree = t->tree;

	tree->nodes = xgrow(tree->nodes, tree->nnodes, &t->capacity,
	    sizeof *tree->nodes);
	tree->nodes[tree->nnodes] = (struct tree_node){ .site = site,
	    .parent = parent, .first_child = MODEL_NONE,
	    .next_sibling = MODEL_NONE };
	return tree->nnodes++;
}

static uint32_t
node_of(struct tree_builder *t, uint32_t parent, uint32_t site)
{
	uint32_t pair[2] = { parent, site };
	uint64_t hash = table_hash(pair, sizeof pair, 0);
	uint32_t found = table_find(&t->table, hash, node_equal, t->tree,
	    pair);

	if (found != TABLE_NONE)
		return found;
	table_insert(&t->table, hash, t->tree->nnodes);
	return node_new(t, parent, site);
}

/* The node at this depth of the path, below parent. */
static uint32_t
step(struct tree_builder *t, uint32_t depth, uint32_t parent, uint32_t site)
{
	if (depth < t->depth && t->tree->nodes[t->path[depth]].site == site)
		return t->path[depth];
	t->path = xgrow(t->path, depth, &t->path_capacity, sizeof *t->path);
	t->path[depth] = node_of(t, parent, site);
	t->depth = depth + 1;
	return t->path[depth];
}

static void
add_path(void *context, const struct site_calls *calls)
{
	struct tree_builder *t = context;
	uint32_t node = 0;

	estimate_add(&t->tree->nodes[0].total, &calls->value);
	for (uint32_t i = calls->n; i-- > 0;) {
		node = step(t, calls->n - 1 - i, node, calls->sites[i]);
		estimate_add(&t->tree->nodes[node].total, &calls->value);
	}
	estimate_add(&t->tree->nodes[node].self, &calls->value);
}

static int
compare_nodes(const void *a, const void *b, void *context)
{
	const struct tree_node *nodes = context;
	const struct tree_node *x = &nodes[*(const uint32_t *)a];
	const struct tree_node *y = &nodes[*(const uint32_t *)b];
	int order;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	order = estimate_compare(&x->total, &y->total);
	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Links every node's children, largest first. */
static void
link_children(struct calltree *tree)
{
	uint32_t n = tree->nnodes - 1;
	uint32_t *order = xcalloc(n, sizeof *order);

	tree->nodes[0].name = "(all)";
	for (uint32_t i = 0; i < n; i++) {
		order[i] = i + 1;
		tree->nodes[i + 1].name =
		    tree->sites->items[tree->nodes[i + 1].site].name;
	}
	qsort_r(order, n, sizeof *order, compare_nodes, tree->nodes);
	for (uint32_t i = n; i-- > 0;) {
		struct tree_node *node = &tree->nodes[order[i]];
		struct tree_node *parent = &tree->nodes[node->parent];

		node->next_sibling = parent->first_child;
		parent->first_child = order[i];
	}
	free(order);
}

struct calltree *
calltree_build(const struct model *model, enum sites_by by, uint32_t type)
{
	struct calltree *tree = xcalloc(1, sizeof *tree);
	struct tree_builder t = { .tree = tree };

	node_new(&t, MODEL_NONE, MODEL_NONE);
	tree->sites = sites_build_calls(model, by, type, add_path, &t);
	table_free(&t.table);
	free(t.path);
	link_children(tree);
	return tree;
}

void
calltree_free(struct calltree *tree)
{
	if (tree == NULL)
		return;
	sites_free(tree->sites);
	free(tree->nodes);
	free(tree);
}
