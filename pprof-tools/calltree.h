/*
 * calltree.h - every path of calls, from the root.
 */
#ifndef STRATA_CALLTREE_H
#define STRATA_CALLTREE_H

#include <stdint.h>

#include "model.h"
#include "sites.h"

/* A node of the call tree; the root is node 0 and stands for everything. */
struct tree_node {
	const char *name;
	uint32_t site;			/* index into sites, MODEL_NONE: root */
	uint32_t parent, first_child, next_sibling;	/* or MODEL_NONE */
	struct estimate self, total;
};

struct calltree {
	struct sites *sites;
	struct tree_node *nodes;	/* children by total, largest first */
	uint32_t nnodes;
};

struct calltree *calltree_build(const struct model *model, enum sites_by by,
    uint32_t type);
void calltree_free(struct calltree *tree);

#endif
