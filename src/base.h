/*
 * base.h - memory for metadata: it grows, is never given back to the system,
 * and never comes from malloc.
 *
 *   struct base:  chunk -> chunk -> ...   bump allocation, any alignment
 *   base_pool:    fixed-size pieces of a base, recycled by a free list
 *
 * Several bases keep several accounts: one for the allocator, one for the
 * profiler. What base_alloc returns is zero; what a pool recycles is not.
 *
 * Locks: one per base (RANK_BASE), one per pool (RANK_POOL); fork.c takes
 *   them by base_prefork and base_pool_prefork.
 */
#ifndef STRATA_BASE_H
#define STRATA_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "lock.h"

struct base {
	struct lock lock;
	/* lock: */
	char *at;			/* free part of the newest chunk */
	char *end;
	size_t chunk_size;		/* of the next chunk */
	size_t allocated;		/* bytes handed out, with padding */
	size_t mapped;			/* bytes of all chunks */
	/* constant after init: */
	const char *name;		/* for /proc/PID/maps */
};

struct base_pool {
	struct lock lock;
	/* lock: */
	void *free;			/* first word links to the next */
	size_t nfree;
	size_t nused;
	/* constant after init: */
	struct base *base;
	size_t size;
	size_t align;
};

/* The allocator's own metadata; ready for use from the start. */
extern struct base base_meta;

/* No memory is taken yet. Static storage of zero bytes needs it too. */
void base_init(struct base *base, const char *name);

/* Zeroed, aligned (a power of two); NULL if the system has none. */
void *base_alloc(struct base *base, size_t size, size_t align);

struct base_stats { size_t allocated, mapped; };
void base_stats(struct base *base, struct base_stats *out);

/* size >= sizeof(void *). */
void base_pool_init(struct base_pool *pool, struct base *base, size_t size,
    size_t align);
/* Contents undefined. NULL if the system has no memory. */
void *base_pool_get(struct base_pool *pool);
void base_pool_put(struct base_pool *pool, void *piece);

void base_prefork(struct base *base);
void base_postfork_parent(struct base *base);
void base_postfork_child(struct base *base);
void base_pool_prefork(struct base_pool *pool);
void base_pool_postfork_parent(struct base_pool *pool);
void base_pool_postfork_child(struct base_pool *pool);

#endif
