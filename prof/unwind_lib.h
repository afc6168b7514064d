/*
 * unwind_lib.h - libunwind, opened when profiling starts and asked for.
 */
#ifndef STRATA_UNWIND_LIB_H
#define STRATA_UNWIND_LIB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Opens it (dlopen: may call malloc, takes the loader's lock). 0 or ENOENT.
 * reason gets a text for a failure; it may be NULL.
 */
int unwind_lib_open(const char **reason);

/*
 * The caller's stack, innermost first, each frame as stack.h has it. Takes
 * libunwind's own mutex: only inside the gate.
 */
size_t unwind_lib_collect(uintptr_t *frames, size_t max);

#endif
