/*
 * strpool.h - strings that are kept once and freed together.
 */
#ifndef STRATA_STRPOOL_H
#define STRATA_STRPOOL_H

#include <stddef.h>
#include <stdint.h>

#include "table.h"

struct strpool {
	char **strings;
	size_t n, capacity;
	struct table table;
};

/* The pool's copy of a string; NULL becomes "". */
const char *strpool_add(struct strpool *pool, const char *string);
/* Its index in strings. */
uint32_t strpool_number(struct strpool *pool, const char *string);
void strpool_free(struct strpool *pool);

#endif
