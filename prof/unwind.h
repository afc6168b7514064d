/*
 * unwind.h - the calling thread's stack, and the gate that fork closes.
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

/*
 * The gate: false while a fork is under way (the sample is dropped). thread's
 * guard is set; no lock is held. Nests.
 */
bool unwind_enter(struct prof_thread *thread);
void unwind_leave(struct prof_thread *thread);

/*
 * Innermost first, without our own frames; STACK_SIGNAL (stack.h) marks the
 * frames that a signal interrupted. Between enter and leave.
 */
size_t unwind_collect(struct prof_thread *thread, uintptr_t *frames,
    size_t max);

void unwind_thread_exit(struct prof_thread *thread);

/* prepare waits until no other thread unwinds; self may be NULL. */
void unwind_fork_prepare(struct prof_thread *self);
void unwind_fork_parent(void);
void unwind_fork_child(struct prof_thread *self);

#endif
