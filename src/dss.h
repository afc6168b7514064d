/*
 * dss.h - memory from the end of the data segment, by libc's sbrk.
 *
 * The program may move the break too: it is read anew each time, and what
 * others took in between is left alone. Nothing is ever given back: only the
 * last piece could be, and others would have to keep still.
 *
 * Locks: one (RANK_DSS).
 */
#ifndef STRATA_DSS_H
#define STRATA_DSS_H

#include <stdbool.h>
#include <stddef.h>

#include "lock.h"

/* Pages that alignment left over; size 0: none. */
struct dss_gap {
	char *addr;
	size_t size;
};

/*
 * size bytes at a multiple of align, zeroed, or NULL; *gap is the caller's as
 * well, zeroed too, even with NULL. Sizes are multiples of os_page, align a
 * power of two.
 */
char *dss_alloc(size_t size, size_t align, struct dss_gap *gap);

/* Whether dss_alloc gave it: such pages are never unmapped. */
bool dss_contains(const void *addr);

void dss_each_lock(enum lock_rank rank, void (*op)(struct lock *lock));

#endif
