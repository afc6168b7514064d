/*
 * callgraph.h - which site calls which, and for how much.
 */
#ifndef STRATA_CALLGRAPH_H
#define STRATA_CALLGRAPH_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "sites.h"

/* An edge caller -> callee between two sites, each row counted once. */
struct site_edge {
	uint32_t caller, callee;	/* indices into sites->items */
	struct estimate weight;
	bool inlined;			/* in every row the call was inlined */
	uint32_t last_row;		/* private */
};

struct callgraph {
	struct sites *sites;
	struct site_edge *edges;
	uint32_t nedges;
};

/* by is one of function, line, file, address, module. */
struct callgraph *callgraph_build(const struct model *model,
    enum sites_by by, uint32_t type);
void callgraph_free(struct callgraph *graph);

#endif
