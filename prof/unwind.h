/*
 * unwind.h - the calling thread's stack.
 */
#ifndef STRATA_UNWIND_H
#define STRATA_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof.h"
#include "shadow.h"
#include "stack.h"

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

/*
 * The same, with what the last walk left in shadow; the frames stay where
 * they are until the next walk. Not for frame pointers.
 */
void unwind_collect_again(struct prof_thread *thread, struct shadow *shadow,
    size_t max, struct stack_frames *out);

/* A return address as it was before the processor signed it. */
static inline uintptr_t
unwind_strip(uintptr_t pc)
{
#if defined(__aarch64__)
	/* a signed address: xpaclri, which older processors take as a hint */
	register uintptr_t x30 __asm__("x30") = pc;

	__asm__("hint #7" : "+r"(x30));
	return x30;
#else
	return pc;
#endif
}

#endif
