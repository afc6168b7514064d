/*
 * unwind.h - the calling thread's stack.
 */
#ifndef STRATA_UNWIND_H
#define STRATA_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof.h"

/*
 * Reads the list of modules; opens and primes libunwind if that is asked for.
 * No lock held, outside of initialisation; the caller has the thread's guard.
 * 0, or ENOENT (no libunwind) after one line on stderr.
 */
int unwind_start(enum prof_unwind how);
bool unwind_uses_libunwind(void);	/* for some frames, or for all */

/*
 * Innermost first, without our own frames; STACK_SIGNAL (stack.h) marks the
 * frames that a signal interrupted. Inside the gate (gate.h).
 */
size_t unwind_collect(struct prof_thread *thread, uintptr_t *frames,
    size_t max);

#endif
