/*
 * alloc.h - making, freeing and resizing blocks: the slow paths behind the
 * public functions of malloc.c and mallocx.c.
 *
 * Every block is charged to its thread's countdown and every free to its
 * thread's deallocated bytes, except those of the internal arena.
 *
 * Locks: none is held on entry or across a call into the profiler.
 */
#ifndef STRATA_ALLOC_H
#define STRATA_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "tcache.h"

/* Where a block comes from, if not from where the thread's blocks do. */
struct alloc_place {
	struct arena *arena;		/* NULL: the thread's */
	struct tcache *cache;		/* used if no_cache is false */
	bool no_cache;
	bool missing;			/* asked for by a number nobody has */
};

struct alloc_request {
	size_t size;			/* bytes; 0 counts as 1 */
	size_t align;			/* a power of two, or 0 */
	bool zero;
	const struct alloc_place *place;	/* NULL: the thread's */
};

/* A block, or NULL with errno = ENOMEM. */
void *alloc_new(const struct alloc_request *request);

/* place may be NULL; its cache takes the block if the domains agree. */
void alloc_free(void *ptr, const struct alloc_place *place);
/*
 * The same without a place, for what a fast path would not take: a shorter way
 * to the batch of other domains.
 */
void alloc_free_plain(void *ptr);

/*
 * realloc: request->size > 0. The contents are kept up to the lesser size.
 * NULL with errno = ENOMEM leaves the block as it was.
 */
void *alloc_resize(void *ptr, const struct alloc_request *request);

/*
 * Resizes in place to a usable size between min and max bytes that is as near
 * to max as can be. The usable size afterwards, changed or not.
 */
size_t alloc_resize_in_place(void *ptr, size_t min, size_t max, bool zero);

/* Usable bytes of a block; 0 if ptr is NULL or foreign. */
size_t alloc_usable(const void *ptr);

/* Usable bytes that a request would get; 0 if it cannot be met. */
size_t alloc_size_for(size_t size, size_t align);

/* Calls of realloc(ptr, 0), for stats.zero_reallocs. */
void alloc_zero_realloc_count(void);
uint64_t alloc_zero_reallocs(void);

#endif
