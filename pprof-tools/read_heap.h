/*
 * read_heap.h - heap profiles as text: heap_v2 and "heap profile:".
 */
#ifndef STRATA_READ_HEAP_H
#define STRATA_READ_HEAP_H

#include <stdbool.h>
#include <stddef.h>

#include "model.h"

/* True if the bytes begin as one of the two formats does. */
bool read_heap_match(const char *bytes, size_t length);

/*
 * bytes[length] must be NUL. 0, or EINVAL with offset and reason in *error.
 * *out only on success.
 */
int read_heap(const char *bytes, size_t length, struct model **out,
    struct model_error *error);

#endif
