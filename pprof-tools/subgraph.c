/*
 * subgraph.c - cuts a call graph down to what a person can look at.
 *
 * Every pass goes over the paths of the call tree: a tree node whose own
 * value is not 0 is a path, its ancestors are the frames. An edge gets a
 * path's value once, however often the path contains it (recursion).
 */
#include "subgraph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "callgraph.h"
#include "calltree.h"
#include "table.h"
#include "xalloc.h"

struct edges {
	struct subgraph_edge *items;	/* from, to: indices of sites */
	uint32_t *last_path;		/* that added to it; grows alike */
	uint32_t n;
	size_t capacity, capacity_paths;
	struct table table;		/* (from, to) -> item */
};

struct cut {
	const struct subgraph_options *options;
	struct calltree *tree;
	bool *kept;			/* of each site */
	struct edges edges;
};

static double
whole(const struct cut *cut)
{
	return cut->options->whole > 0 ? cut->options->whole :
	    fabs(cut->tree->sites->total.value);
}

/* --- edges ----------------------------------------------------------------*/

static bool
edge_equal(const void *context, uint32_t index, const void *key)
{
	const struct edges *edges = context;
	const uint32_t *ends = key;

	return edges->items[index].from == ends[0] &&
	    edges->items[index].to == ends[1];
}

static uint32_t
edge_of(struct edges *edges, uint32_t from, uint32_t to)
{
	uint32_t ends[2] = { from, to };
	uint64_t hash = table_hash(ends, sizeof ends, 0);
	uint32_t index = table_find(&edges->table, hash, edge_equal, edges,
	    ends);

	if (index != TABLE_NONE)
		return index;
	index = edges->n;
	edges->items = xgrow(edges->items, index, &edges->capacity,
	    sizeof *edges->items);
	edges->last_path = xgrow(edges->last_path, index,
	    &edges->capacity_paths, sizeof *edges->last_path);
	edges->items[index] = (struct subgraph_edge){ .from = from, .to = to,
	    .residual = true };
	edges->last_path[index] = MODEL_NONE;
	table_insert(&edges->table, hash, index);
	edges->n++;
	return index;
}

/* residual stays only if every path leaves frames out. */
static void
edge_add(struct edges *edges, uint32_t from, uint32_t to, uint32_t path,
    double value, bool residual)
{
	uint32_t index = edge_of(edges, from, to);

	if (edges->last_path[index] != path)
		edges->items[index].weight += value;
	edges->last_path[index] = path;
	edges->items[index].residual &= residual;
}

static void
edges_clear(struct edges *edges)
{
	free(edges->items);
	free(edges->last_path);
	table_free(&edges->table);
	memset(edges, 0, sizeof *edges);
}

/* --- passes over the paths ------------------------------------------------*/

static void
add_path(struct cut *cut, uint32_t path)
{
	const struct tree_node *nodes = cut->tree->nodes;
	double value = nodes[path].self.value;
	uint32_t callee = MODEL_NONE;
	bool gap = false;

	for (uint32_t n = path; n != 0; n = nodes[n].parent) {
		uint32_t site = nodes[n].site;

		if (!cut->kept[site]) {
			gap = true;
			continue;
		}
		/* A call of itself through left-out frames says nothing. */
		if (callee != MODEL_NONE && !(gap && site == callee))
			edge_add(&cut->edges, site, callee, path, value, gap);
		callee = site;
		gap = false;
	}
}

static void
add_paths(struct cut *cut)
{
	edges_clear(&cut->edges);
	for (uint32_t n = 1; n < cut->tree->nnodes; n++) {
		if (cut->tree->nodes[n].self.value != 0)
			add_path(cut, n);
	}
}

/* --- which nodes stay -----------------------------------------------------*/

/* Callers and callees of a site as shares of a whole: sum and sum w lg w. */
struct variety {
	double sum, weighted_logs;
};

static void
variety_add(struct variety *variety, double weight)
{
	if (weight <= 0)
		return;
	variety->sum += weight;
	variety->weighted_logs += weight * log2(weight);
}

/* The entropy of the shares, in bits; 1 where there are none at all. */
static double
variety_bits(const struct variety *variety)
{
	if (variety->sum <= 0)
		return 1;
	return log2(variety->sum) - variety->weighted_logs / variety->sum;
}

struct ranked {
	uint32_t site;
	double score;
};

static int
by_score(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;

	if (a->score != b->score)
		return a->score < b->score ? 1 : -1;
	return a->site < b->site ? -1 : a->site > b->site;
}

static struct ranked *
rank_sites(const struct cut *cut)
{
	const struct sites *sites = cut->tree->sites;
	struct variety *in = xcalloc(sites->n + 1, sizeof *in);
	struct variety *out = xcalloc(sites->n + 1, sizeof *out);
	struct ranked *ranked = xcalloc(sites->n + 1, sizeof *ranked);

	for (uint32_t i = 0; i < cut->edges.n; i++) {
		const struct subgraph_edge *edge = &cut->edges.items[i];

		if (edge->from == edge->to)
			continue;
		variety_add(&in[edge->to], fabs(edge->weight));
		variety_add(&out[edge->from], fabs(edge->weight));
	}
	for (uint32_t i = 0; i < sites->n; i++) {
		const struct site *site = &sites->items[i];
		double flat = fabs(site->flat.value);

		variety_add(&out[i], out[i].sum > 0 ? flat : 0);
		ranked[i].site = i;
		ranked[i].score = flat + fabs(site->cum.value) *
		    (variety_bits(&in[i]) + variety_bits(&out[i]));
		if (!cut->kept[i])
			ranked[i].score = -1;
	}
	free(in);
	free(out);
	qsort(ranked, sites->n, sizeof *ranked, by_score);
	return ranked;
}

static void
choose_nodes(struct cut *cut)
{
	const struct sites *sites = cut->tree->sites;
	double least = cut->options->node_fraction * whole(cut);
	uint32_t max = cut->options->max_nodes;
	uint32_t n = 0;
	struct ranked *ranked;

	for (uint32_t i = 0; i < sites->n; i++) {
		double cum = fabs(sites->items[i].cum.value);

		cut->kept[i] = cum > 0 && cum >= least;
		n += cut->kept[i];
	}
	add_paths(cut);
	if (max == 0 || n <= max)
		return;
	ranked = rank_sites(cut);
	for (uint32_t i = max; i < sites->n; i++)
		cut->kept[ranked[i].site] = false;
	free(ranked);
	add_paths(cut);
}

/* --- which edges stay -----------------------------------------------------*/

/* Is to reached from `from` by other edges than the one named? */
static bool
reached_otherwise(const struct edges *edges, uint32_t but, bool *seen,
    uint32_t nsites)
{
	uint32_t from = edges->items[but].from, to = edges->items[but].to;
	bool grown = true;

	memset(seen, 0, nsites * sizeof *seen);
	seen[from] = true;
	while (grown && !seen[to]) {
		grown = false;
		for (uint32_t i = 0; i < edges->n; i++) {
			const struct subgraph_edge *edge = &edges->items[i];

			if (i == but || edge->weight == 0 ||
			    !seen[edge->from] || seen[edge->to])
				continue;
			seen[edge->to] = true;
			grown = true;
		}
	}
	return seen[to];
}

static int
by_weight(const void *left, const void *right)
{
	const struct subgraph_edge *a = left, *b = right;
	double wa = fabs(a->weight), wb = fabs(b->weight);

	if (wa != wb)
		return wa < wb ? 1 : -1;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->to < b->to ? -1 : a->to > b->to;
}

/* Sets the weight of those that go to 0, then moves them to the end. */
static void
choose_edges(struct cut *cut, struct subgraph *graph)
{
	struct edges *edges = &cut->edges;
	uint32_t nsites = cut->tree->sites->n;
	double least = cut->options->edge_fraction * whole(cut);
	bool *seen = xcalloc(nsites + 1, sizeof *seen);
	uint32_t n = 0;

	for (uint32_t i = 0; i < edges->n; i++) {
		if (edges->items[i].weight != 0 &&
		    fabs(edges->items[i].weight) < least) {
			edges->items[i].weight = 0;
			graph->dropped_edges++;
		}
	}
	for (uint32_t i = 0; i < edges->n; i++) {
		if (edges->items[i].residual && edges->items[i].weight != 0 &&
		    reached_otherwise(edges, i, seen, nsites))
			edges->items[i].weight = 0;
	}
	free(seen);
	if (edges->n > 0)
		qsort(edges->items, edges->n, sizeof *edges->items,
		    by_weight);
	while (n < edges->n && edges->items[n].weight != 0)
		n++;
	graph->nedges = n;
}

/* Marks the edges whose calls were always inlined. */
static void
mark_inlined(const struct model *model, uint32_t type, struct cut *cut,
    uint32_t nedges)
{
	struct callgraph *whole = callgraph_build(model, cut->options->by,
	    type);
	const struct site *theirs = whole->sites->items;
	const struct site *ours = cut->tree->sites->items;

	for (uint32_t i = 0; i < whole->nedges; i++) {
		const struct site_edge *edge = &whole->edges[i];

		if (!edge->inlined)
			continue;
		for (uint32_t k = 0; k < nedges; k++) {
			struct subgraph_edge *e = &cut->edges.items[k];

			if (strcmp(ours[e->from].name,
			    theirs[edge->caller].name) == 0 &&
			    strcmp(ours[e->to].name,
			    theirs[edge->callee].name) == 0)
				e->inlined = !e->residual;
		}
	}
	callgraph_free(whole);
}

/* --- the result -----------------------------------------------------------*/

static int
by_cum(const void *left, const void *right)
{
	const struct subgraph_node *a = left, *b = right;
	double ca = fabs(a->site->cum.value), cb = fabs(b->site->cum.value);

	if (ca != cb)
		return ca < cb ? 1 : -1;
	return strcmp(a->site->name, b->site->name);
}

/* Fills nodes; index[site] is the node's number, or MODEL_NONE. */
static void
fill_nodes(struct subgraph *graph, const struct cut *cut, uint32_t *index)
{
	const struct sites *sites = cut->tree->sites;

	graph->nodes = xcalloc(sites->n + 1, sizeof *graph->nodes);
	for (uint32_t i = 0; i < sites->n; i++) {
		index[i] = MODEL_NONE;
		if (cut->kept[i])
			graph->nodes[graph->nnodes++].site =
			    &sites->items[i];
		else if (sites->items[i].cum.value != 0)
			graph->dropped_nodes++;
	}
	if (graph->nnodes > 0)
		qsort(graph->nodes, graph->nnodes, sizeof *graph->nodes,
		    by_cum);
	for (uint32_t i = 0; i < graph->nnodes; i++) {
		index[graph->nodes[i].site - sites->items] = i;
		graph->shown += graph->nodes[i].site->flat.value;
	}
}

/* What a node has in objects of one size. */
struct size_sum {
	uint32_t node;
	int64_t bytes;
	double value;
};

static int
by_node_and_size(const void *left, const void *right)
{
	const struct size_sum *a = left, *b = right;

	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

static int
by_node_and_value(const void *left, const void *right)
{
	const struct size_sum *a = left, *b = right;

	if (a->node != b->node)
		return a->node < b->node ? -1 : 1;
	if (fabs(a->value) != fabs(b->value))
		return fabs(a->value) < fabs(b->value) ? 1 : -1;
	return a->bytes < b->bytes ? -1 : a->bytes > b->bytes;
}

/* Sums equal (node, size) pairs; returns how many are left. */
static uint32_t
merge_sizes(struct size_sum *sums, uint32_t n)
{
	uint32_t out = 0;

	if (n == 0)
		return 0;
	qsort(sums, n, sizeof *sums, by_node_and_size);
	for (uint32_t i = 1; i < n; i++) {
		if (sums[i].node == sums[out].node &&
		    sums[i].bytes == sums[out].bytes)
			sums[out].value += sums[i].value;
		else
			sums[++out] = sums[i];
	}
	return out + 1;
}

/* The last tag collects what has no room. */
static void
add_tag(struct subgraph_node *node, const struct size_sum *sum)
{
	struct subgraph_tag *last = &node->tags[SUBGRAPH_TAGS - 1];

	if (node->ntags < SUBGRAPH_TAGS) {
		node->tags[node->ntags].bytes = sum->bytes;
		node->tags[node->ntags++].value = sum->value;
		return;
	}
	last->bytes = -1;
	last->value += sum->value;
}

static void
fill_tags(struct subgraph *graph, const struct model *model, uint32_t type,
    const uint32_t *index)
{
	const uint32_t *row_site = graph->tree->sites->row_site;
	struct size_sum *sums = xcalloc(model->nrows + 1, sizeof *sums);
	uint32_t n = 0;

	for (uint32_t i = 0; i < model->nrows; i++) {
		const struct model_row *row = &model->rows[i];

		if (row->labels->bytes < 0 || row->values[type] == 0 ||
		    row_site[i] == MODEL_NONE ||
		    index[row_site[i]] == MODEL_NONE)
			continue;
		sums[n++] = (struct size_sum){ index[row_site[i]],
		    row->labels->bytes, (double)row->values[type] };
	}
	n = merge_sizes(sums, n);
	if (n > 0)
		qsort(sums, n, sizeof *sums, by_node_and_value);
	for (uint32_t i = 0; i < n; i++)
		add_tag(&graph->nodes[sums[i].node], &sums[i]);
	free(sums);
}

struct subgraph *
subgraph_build(const struct model *model, uint32_t type,
    const struct subgraph_options *options)
{
	struct subgraph *graph = xcalloc(1, sizeof *graph);
	struct cut cut = { .options = options };
	uint32_t *index;

	cut.tree = calltree_build(model, options->by, type);
	cut.kept = xcalloc(cut.tree->sites->n + 1, sizeof *cut.kept);
	index = xcalloc(cut.tree->sites->n + 1, sizeof *index);
	graph->tree = cut.tree;
	graph->total = cut.tree->sites->total.value;
	choose_nodes(&cut);
	choose_edges(&cut, graph);
	mark_inlined(model, type, &cut, graph->nedges);
	fill_nodes(graph, &cut, index);
	fill_tags(graph, model, type, index);
	graph->edges = cut.edges.items;
	for (uint32_t i = 0; i < graph->nedges; i++) {
		graph->edges[i].from = index[graph->edges[i].from];
		graph->edges[i].to = index[graph->edges[i].to];
	}
	cut.edges.items = NULL;
	edges_clear(&cut.edges);
	free(cut.kept);
	free(index);
	return graph;
}

void
subgraph_free(struct subgraph *graph)
{
	calltree_free(graph->tree);
	free(graph->nodes);
	free(graph->edges);
	free(graph);
}
