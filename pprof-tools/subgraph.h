/*
 * subgraph.h - the part of a call graph that is worth drawing.
 *
 *   call tree (every path) --cut--> nodes: the sites with most to tell
 *                                   edges: calls among them; where frames
 *                                   between were left out, `residual`
 *                                   tags:  the object sizes of a node
 *
 * Nodes below node_fraction of the total (by cumulative value) go first; of
 * more than max_nodes those stay whose value times the variety of their
 * callers and callees is largest, so that long chains of single calls give
 * way to branching points. Edges below edge_fraction go, and residual edges
 * that another path already shows.
 */
#ifndef STRATA_SUBGRAPH_H
#define STRATA_SUBGRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "sites.h"

struct subgraph_options {
	enum sites_by by;
	double node_fraction;		/* of the total, 0..1 */
	double edge_fraction;
	uint32_t max_nodes;		/* 0: no limit */
	double whole;			/* what the fractions are of; 0: the
					   total. For differences, whose total
					   may be nothing. */
};

struct subgraph_tag {
	int64_t bytes;			/* object size; -1: "other sizes" */
	double value;
};

enum { SUBGRAPH_TAGS = 5 };		/* more boxes than these tire */

struct subgraph_node {
	const struct site *site;
	struct subgraph_tag tags[SUBGRAPH_TAGS];
	uint32_t ntags;			/* largest value first */
};

struct subgraph_edge {
	uint32_t from, to;		/* indices of nodes; caller, callee */
	double weight;
	bool residual;			/* frames between were left out */
	bool inlined;			/* the call was always inlined */
};

struct subgraph {
	struct subgraph_node *nodes;	/* largest cumulative value first */
	uint32_t nnodes;
	struct subgraph_edge *edges;
	uint32_t nedges;
	double total;			/* of the whole profile */
	double shown;			/* flat, in the nodes that stay */
	uint32_t dropped_nodes, dropped_edges;
	struct calltree *tree;		/* private: owns the sites */
};

struct subgraph *subgraph_build(const struct model *model, uint32_t type,
    const struct subgraph_options *options);
void subgraph_free(struct subgraph *graph);

#endif
