/*
 * demangle.h - C++ and Rust names as a person writes them.
 */
#ifndef STRATA_DEMANGLE_H
#define STRATA_DEMANGLE_H

/*
 * The name without parameters, malloc'ed; NULL if it is not a mangled name.
 */
char *demangle(const char *linkage);

#endif
