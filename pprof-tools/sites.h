/*
 * sites.h - rows summed by site: flat and cumulative estimates with their
 * standard errors, the call graph, and the call tree.
 *
 * A site is whatever `by` says: a function, a source line, an address, or a
 * label (arena, size, ...), in which case flat and cumulative are the same.
 * flat counts rows whose innermost frame is the site, cum rows that have it
 * anywhere, each row once however often the site recurs. Inlined frames are
 * frames.
 *
 * Error: an object of u bytes is sampled with probability p; a sample that
 * stands for 1/p objects adds (1 - p)/p^2 to the variance of the count and
 * u^2 times that to the variance of the bytes. Summed over the samples of a
 * row of value V that is V (1 - p)/p, or V u (1 - p)/p for bytes. A row whose
 * size or rate is not known makes its sums' error unknown, except for
 * Strata's own rows without a size, which are counts and not estimates.
 */
#ifndef STRATA_SITES_H
#define STRATA_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

enum sites_by {
	SITES_FUNCTION, SITES_LINE, SITES_FILE, SITES_ADDRESS, SITES_MODULE,
	SITES_ARENA, SITES_SIZE, SITES_GENERATION, SITES_THREAD, SITES_AGE,
	SITES_LIFETIME,
};

enum sites_order { SITES_BY_FLAT, SITES_BY_CUM, SITES_BY_NAME };

struct estimate {
	double value;
	double variance;		/* of value; valid if known */
	bool unknown;			/* the error is not known */
};

struct site {
	const char *name;		/* to print; unique among the sites */
	const char *function;		/* "" where by has none */
	const char *file;		/* source file, or the module's */
	int64_t line;			/* 0 none */
	uint64_t address;		/* offset in the module, if the site is
					   an address or has no symbol; else 0 */
	uint32_t mapping;		/* of the model, or MODEL_NONE */
	struct estimate flat, cum;	/* of the chosen type */
	struct estimate flat_objects, cum_objects;	/* 0 if no such type */
	uint32_t last_row;		/* private: row last counted in cum */
};

struct sites {
	struct site *items;
	uint32_t n;
	struct estimate total, total_objects;
	enum sites_by by;
	uint32_t type;			/* index of the model's sample type */
	uint32_t objects_type;		/* MODEL_NONE if there is none */
	uint32_t *row_site;		/* of each row of the model: the site
					   its flat counts for, or MODEL_NONE */
	uint32_t nrows;
};

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

/* A node of the call tree; the root is node 0 and stands for everything. */
struct tree_node {
	const char *name;
	uint32_t site;			/* index into sites, MODEL_NONE: root */
	uint32_t parent, first_child, next_sibling;	/* or MODEL_NONE */
	struct estimate self, total;
};

struct calltree {
	struct sites *sites;
	struct tree_node *nodes;	/* children sorted by total, largest first */
	uint32_t nnodes;
};

/* Standard error of an estimate; NAN if it is not known. */
double estimate_error(const struct estimate *estimate);
void estimate_add(struct estimate *to, const struct estimate *from);

/* One row's estimate of a type, with the variance described above. */
struct estimate site_row_estimate(const struct model *model,
    const struct model_row *row, uint32_t type);

/* Probability that an object of these bytes is sampled; 1 if rate <= 1. */
double site_probability(double bytes, double rate);

/* "function", "line", ...; -1 if there is no such way. */
int sites_by_parse(const char *name);

/* Sorted by flat, largest first. The model must outlive the result. */
struct sites *sites_build(const struct model *model, enum sites_by by,
    uint32_t type);
/* The same of the rows for which keep() says so. */
struct sites *sites_build_some(const struct model *model, enum sites_by by,
    uint32_t type, bool (*keep)(const void *context,
    const struct model_row *row), const void *context);
void sites_sort(struct sites *sites, enum sites_order order);
void sites_free(struct sites *sites);

/* by is one of function, line, file, address, module. */
struct callgraph *callgraph_build(const struct model *model,
    enum sites_by by, uint32_t type);
void callgraph_free(struct callgraph *graph);

struct calltree *calltree_build(const struct model *model, enum sites_by by,
    uint32_t type);
void calltree_free(struct calltree *tree);

/*
 * The frames of a stack as sites are: calls frame() for each, innermost
 * first, inlined ones apart.
 */
struct site_frame {
	uint32_t location;
	const struct model_line *line;	/* NULL: not symbolized */
	bool inlined;			/* into the next one */
};
void sites_walk(const struct model *model, uint32_t stack,
    void (*frame)(void *context, const struct site_frame *frame),
    void *context);

/* The name of a frame's site, malloc'ed. */
char *site_frame_name(const struct model *model, enum sites_by by,
    const struct site_frame *frame);

#endif
