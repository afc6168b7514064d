/*
 * xalloc.c - allocation that does not return NULL.
 */
#define _GNU_SOURCE			/* vasprintf */
#include "xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
check(void *ptr)
{
	if (ptr == NULL) {
		fputs("strata: out of memory\n", stderr);
		exit(3);
	}
	return ptr;
}

void *
xmalloc(size_t size)
{
	return check(malloc(size > 0 ? size : 1));
}

void *
xcalloc(size_t n, size_t size)
{
	return check(calloc(n > 0 ? n : 1, size > 0 ? size : 1));
}

void *
xreallocarray(void *ptr, size_t n, size_t size)
{
	return check(reallocarray(ptr, n > 0 ? n : 1, size > 0 ? size : 1));
}

char *
xstrdup(const char *string)
{
	return check(strdup(string));
}

char *
xstrndup(const char *string, size_t length)
{
	return check(strndup(string, length));
}

char *
xasprintf(const char *format, ...)
{
	va_list args;
	char *out;
	int length;

	va_start(args, format);
	length = vasprintf(&out, format, args);
	va_end(args);
	return check(length < 0 ? NULL : out);
}

void *
xgrow(void *array, size_t n, size_t *capacity, size_t size)
{
	if (n < *capacity)
		return array;
	*capacity = *capacity == 0 ? 16 : *capacity * 2;
	return xreallocarray(array, *capacity, size);
}
