/*
 * view.h - what every view does first: reads its operands, gives them names,
 * applies the common options.
 */
#ifndef STRATA_VIEW_H
#define STRATA_VIEW_H

#include <stdbool.h>

#include "cli.h"
#include "header.h"
#include "model.h"
#include "units.h"

struct view {
	struct model *model;		/* read, symbolized, filtered */
	struct header header;		/* of everything, before the filter */
	bool filtered;			/* the model is not all there was */
	uint32_t type;			/* the sample type asked for */
};

/*
 * Reads and merges the operands (all of them), symbolizes unless
 * --no-symbols, filters, finds --sample-type. Returns EXIT_FINE and fills
 * out (view_free), or another status after saying why on stderr.
 */
int view_load(const struct cli_args *args, struct view *out);

/* The same of the given files; of a command that loads several models. */
int view_load_files(const struct cli_args *args, char *const paths[],
    size_t n, struct view *out);

void view_free(struct view *view);

/*
 * --by, one of enum sites_by up to last; *by keeps what it is if it was not
 * given. Returns EXIT_FINE, or EXIT_USAGE after naming the choices.
 */
int view_by(const struct cli_args *args, enum sites_by last, int *by);

/*
 * Says on stderr why by that label everything is one site "(none)": no row
 * has it that has a value of the type (MODEL_NONE: no row at all). True if so.
 */
bool view_miss_label(const struct model *model, uint32_t type, int by);

/* A site's name for people: with --by=size, a number of bytes. */
const char *view_site_text(const struct cli_args *args, const char *name,
    struct unit *unit);

/* The sample type's name and unit. */
const struct model_type *view_type(const struct view *view);

#endif
