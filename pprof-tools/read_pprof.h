/*
 * read_pprof.h - pprof's profile.proto, from any producer, uncompressed.
 */
#ifndef STRATA_READ_PPROF_H
#define STRATA_READ_PPROF_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

/* True if the bytes may be a profile.proto: the first field is one of its. */
bool read_pprof_match(const unsigned char *bytes, size_t length);

/* 0, or EINVAL with offset and reason in *error. *out only on success. */
int read_pprof(const unsigned char *bytes, size_t length, struct model **out,
    struct model_error *error);

#endif
