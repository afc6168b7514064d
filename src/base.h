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

/* Whether chunks ask the kernel for huge pages. */
enum base_thp { BASE_THP_DISABLED, BASE_THP_AUTO, BASE_THP_ALWAYS };

struct base {
	struct lock lock;
	/* lock: */
	char *at;			/* free part of the newest chunk: small */
	char *end;			/* pieces from at, pages from end */
	size_t chunk_size;		/* of the next chunk */
	size_t allocated;		/* bytes handed out, with padding */
	size_t mapped;			/* bytes of all chunks */
	size_t nhuge;			/* huge pages asked for */
	enum base_thp thp;
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

/* More, or fewer, of what base_alloc gave have pages: for the accounts. */
void base_count(struct base *base, ptrdiff_t bytes);

/*
 * From here on. auto: for chunks of 2 MiB, which a base makes once it has
 * filled the smaller ones, about 2 MiB in all; not for pieces with a mapping
 * of their own, such as the pagemap's leaves, of which few pages are touched.
 * always: for all, and no chunk is smaller.
 */
void base_thp_set(struct base *base, enum base_thp thp);

struct base_stats {
	size_t allocated, mapped;	/* bytes */
	size_t nhuge;			/* huge pages asked for */
};
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
