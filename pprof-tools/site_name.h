/*
 * site_name.h - what a site is: the frames of a stack and their names.
 */
#ifndef STRATA_SITE_NAME_H
#define STRATA_SITE_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

enum sites_by {
	SITES_FUNCTION, SITES_LINE, SITES_FILE, SITES_ADDRESS, SITES_MODULE,
	SITES_ARENA, SITES_SIZE, SITES_GENERATION, SITES_THREAD, SITES_AGE,
	SITES_LIFETIME,
};

/* "function", "line", ...; -1 if there is no such way. */
int sites_by_parse(const char *name);
const char *sites_by_name(enum sites_by by);

/* Sums by a label of the row, not by its frames. */
bool sites_by_label(enum sites_by by);
/* Has the row the label that by is? */
bool site_has_label(const struct model_labels *labels, enum sites_by by);

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

/* The file of a location's mapping, or words for an unknown one. */
const char *site_module_file(const struct model *model,
    const struct model_location *location);

#endif
