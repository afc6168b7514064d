/*
 * load.h - what every view does first: read, merge, symbolize, filter.
 */
#ifndef STRATA_LOAD_H
#define STRATA_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter.h"
#include "model.h"
#include "symbolize.h"

struct load_options {
	struct filter filter;
	struct symbolize_options symbols;
	bool no_symbols;		/* leave addresses as they are */
	const char *sample;		/* sample type's name; NULL: default */
};

/*
 * Reads n >= 1 files into one model, says on stderr which modules have no
 * symbols, and filters. *type is the index of the sample type asked for.
 * Returns EXIT_FINE and writes *out and *type, or EXIT_INPUT (damaged file)
 * or EXIT_USAGE (malformed filter, no such sample type) after a message.
 */
int load_model(const struct load_options *options, char *const paths[],
    size_t n, struct model **out, uint32_t *type);

/* The sample type of that name in a model; NULL is the default one. */
int load_sample_type(const struct model *model, const char *name,
    uint32_t *type);

#endif
