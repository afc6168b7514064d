/*
 * demangle.c - C++ and Rust names as a person writes them, by libiberty.
 */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <stddef.h>
#include <string.h>

/* Longer names cost the demangler exponential time; nobody reads them. */
enum { DEMANGLE_MAX = 16 << 10 };

char *
demangle(const char *linkage)
{
	/* No DMGL_PARAMS: parameters are in the way in a table of sites. */
	char *name;

	if (linkage[0] != '_' || strlen(linkage) > DEMANGLE_MAX)
		return NULL;
	name = rust_demangle(linkage, 0);
	if (name == NULL)
		name = cplus_demangle_v3(linkage, 0);
	return name;
}
