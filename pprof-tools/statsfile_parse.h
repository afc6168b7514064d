/*
 * statsfile_parse.h - one JSON object of statistics to a struct statsfile.
 */
#ifndef STRATA_STATSFILE_PARSE_H
#define STRATA_STATSFILE_PARSE_H

#include <jansson.h>

#include "statsfile.h"

/*
 * Fills *out, or returns EINVAL with the reason in why (size bytes): the key
 * path of what is wrong and what it should be.
 */
int statsfile_parse(const json_t *root, struct statsfile **out, char *why,
    size_t size);

void statsfile_free(struct statsfile *file);

#endif
