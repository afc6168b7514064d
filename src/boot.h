/*
 * boot.h - the library's start and end.
 *
 *   first malloc  boot(): options, tables, arenas; needs nothing of libc
 *   constructor   what may allocate: fork handlers, foreign, the profiler
 *   destructor    final dump, leak summary, statistics
 *
 * Locks: boot_lock (RANK_INIT) around the first; nothing allocates under it.
 */
#ifndef STRATA_BOOT_H
#define STRATA_BOOT_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic bool boot_is_done;

static inline bool
boot_done(void)
{
	/* Acquire: pairs with the release in boot(). */
	return atomic_load_explicit(&boot_is_done, memory_order_acquire);
}

/* Makes the allocator usable. 0 or ENOMEM. May be called by anyone. */
int boot(void);

#endif
