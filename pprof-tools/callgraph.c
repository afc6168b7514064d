/*
 * callgraph.c - which site calls which.
 */
#include "callgraph.h"

#include <assert.h>
#include <stdlib.h>

#include "table.h"
#include "xalloc.h"

struct edge_builder {
	struct callgraph *graph;
	struct table table;		/* caller, callee -> edge */
	size_t capacity;
};

static bool
edge_equal(const void *context, uint32_t index, const void *key)
{
	const struct callgraph *graph = context;
	const uint32_t *pair = key;

	return graph->edges[index].caller == pair[0] &&
	    graph->edges[index].callee == pair[1];
}

static struct site_edge *
edge_of(struct edge_builder *e, uint32_t caller, uint32_t callee)
{
	struct callgraph *graph = e->graph;
	uint32_t pair[2] = { caller, callee };
	uint64_t hash = table_hash(pair, sizeof pair, 0);
	uint32_t found = table_find(&e->table, hash, edge_equal, graph, pair);

	if (found != TABLE_NONE)
		return &graph->edges[found];
	graph->edges = xgrow(graph->edges, graph->nedges, &e->capacity,
	    sizeof *graph->edges);
	graph->edges[graph->nedges] = (struct site_edge){ .caller = caller,
	    .callee = callee, .inlined = true };
	table_insert(&e->table, hash, graph->nedges);
	return &graph->edges[graph->nedges++];
}

static void
add_edges(void *context, const struct site_calls *calls)
{
	const uint32_t *sites = calls->sites;

	for (uint32_t i = 0; i + 1 < calls->n; i++) {
		struct site_edge *edge;

		if (sites[i] == sites[i + 1])
			continue;
		edge = edge_of(context, sites[i + 1], sites[i]);
		edge->inlined = edge->inlined && calls->inlined[i];
		if (edge->last_row == calls->row + 1)
			continue;
		edge->last_row = calls->row + 1;
		estimate_add(&edge->weight, &calls->value);
	}
}

static int
compare_edges(const void *a, const void *b)
{
	const struct site_edge *x = a, *y = b;
	int order = estimate_compare(&x->weight, &y->weight);

	if (order != 0)
		return order;
	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return (x->callee > y->callee) - (x->callee < y->callee);
}

struct callgraph *
callgraph_build(const struct model *model, enum sites_by by, uint32_t type)
{
	struct callgraph *graph = xcalloc(1, sizeof *graph);
	struct edge_builder e = { .graph = graph };

	assert(!sites_by_label(by));
	graph->sites = sites_build_calls(model, by, type, add_edges, &e);
	table_free(&e.table);
	if (graph->nedges > 0)
		qsort(graph->edges, graph->nedges, sizeof *graph->edges,
		    compare_edges);
	return graph;
}

void
callgraph_free(struct callgraph *graph)
{
	if (graph == NULL)
		return;
	sites_free(graph->sites);
	free(graph->edges);
	free(graph);
}
