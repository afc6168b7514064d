/*
 * sites.h - rows summed by site: flat and cumulative estimates with their
 * standard errors. callgraph.h and calltree.h have how sites call each other.
 *
 * A site is whatever `by` says: a function, a source line, an address, or a
 * label (arena, size, ...), in which case flat and cumulative are the same.
 * flat counts rows whose innermost frame is the site, cum rows that have it
 * anywhere, each row once however often the site recurs. Inlined frames are
 * frames.
 *
 * What an estimate's error is: site_estimate.h.
 */
#ifndef STRATA_SITES_H
#define STRATA_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"
#include "site_estimate.h"
#include "site_name.h"

enum sites_order { SITES_BY_FLAT, SITES_BY_CUM, SITES_BY_NAME };

struct site {
	const char *name;		/* to print; unique among the sites */
	const char *function;		/* "" where by has none */
	const char *file;		/* source file, or the module's */
	int64_t line;			/* 0 none */
	uint64_t address;		/* offset in the module, if the site
					   is an address or has no symbol;
					   else 0 */
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

/* Sorted by flat, largest first. The model must outlive the result. */
struct sites *sites_build(const struct model *model, enum sites_by by,
    uint32_t type);
/* The same of the rows for which keep() says so. */
struct sites *sites_build_some(const struct model *model, enum sites_by by,
    uint32_t type, bool (*keep)(const void *context,
    const struct model_row *row), const void *context);

/* The calls of one row, as sites; one site where it has no frames. */
struct site_calls {
	uint32_t row;
	const uint32_t *sites;		/* innermost first */
	const bool *inlined;		/* into the next one */
	uint32_t n;
	struct estimate value;		/* of the row */
};
typedef void site_each_calls(void *context, const struct site_calls *calls);

/* As sites_build, not sorted, and each() is told of every row that counts. */
struct sites *sites_build_calls(const struct model *model, enum sites_by by,
    uint32_t type, site_each_calls *each, void *context);

void sites_sort(struct sites *sites, enum sites_order order);
void sites_free(struct sites *sites);

#endif
