/*
 * deepbind_plugin.c - opened with RTLD_DEEPBIND its malloc and free are the C
 * library's, whatever is preloaded.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deepbind.h"

static void *
allocate(int kind, size_t size)
{
	char *text = NULL;
	size_t capacity = 0;
	void *p = NULL;
	FILE *f;

	switch (kind) {
	case DEEPBIND_MALLOC:
		return malloc(size);
	case DEEPBIND_CALLOC:
		return calloc(1, size);
	case DEEPBIND_ALIGNED:
		return posix_memalign(&p, 64, size) == 0 ? p : NULL;
	case DEEPBIND_STRDUP:
		return strdup("a string that the C library duplicates");
	case DEEPBIND_ASPRINTF:
		return asprintf(&text, "%zu bytes", size) > 0 ? text : NULL;
	case DEEPBIND_GETLINE:
		if ((f = fopen("/proc/self/maps", "r")) == NULL)
			return NULL;
		if (getline(&text, &capacity, f) < 0)
			text = NULL;
		fclose(f);
		return text;
	default:
		return realloc(malloc(size / 2 + 1), size);
	}
}

const struct deepbind_plugin deepbind_plugin = { allocate, realloc, free };
