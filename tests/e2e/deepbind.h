/* deepbind.h - what the plugin of deepbind.c exports. */
#ifndef STRATA_TESTS_DEEPBIND_H
#define STRATA_TESTS_DEEPBIND_H

#include <stddef.h>

enum { DEEPBIND_MALLOC, DEEPBIND_CALLOC, DEEPBIND_ALIGNED, DEEPBIND_REALLOC,
    DEEPBIND_STRDUP, DEEPBIND_ASPRINTF, DEEPBIND_GETLINE, DEEPBIND_KINDS };

struct deepbind_plugin {
	void *(*allocate)(int kind, size_t size);
	void *(*resize)(void *block, size_t size);
	void (*release)(void *block);
};

#endif
