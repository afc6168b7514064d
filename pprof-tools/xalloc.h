/*
 * xalloc.h - memory of the command: allocation that does not return NULL.
 *
 * The command is a short-lived program that cannot go on without memory: it
 * says so on stderr and exits with status 3. Sizes are products checked for
 * overflow.
 */
#ifndef STRATA_XALLOC_H
#define STRATA_XALLOC_H

#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xreallocarray(void *ptr, size_t n, size_t size);
char *xstrdup(const char *string);
char *xstrndup(const char *string, size_t length);
char *xasprintf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/*
 * Makes room for one more item in an array that doubles: returns the array,
 * possibly moved, with *capacity > n.
 */
void *xgrow(void *array, size_t n, size_t *capacity, size_t size);

#endif
