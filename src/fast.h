/*
 * fast.h - the fast paths, inline in every function that allocates or frees.
 *
 *   malloc  class by table -> bin of the thread's cache -> countdown -> pop
 *   free    entry by pagemap -> the cache's domain, not sampled -> push
 *   realloc nothing if the class stays, else both
 *
 * Neither takes a lock, divides, or writes memory that another thread reads
 * but for its own counters. Both fail, before they write, in the const
 * sentinels of a thread that has not begun or has ended. Whatever else there
 * is to do (no cache, an event, a sample, another domain, a foreign address)
 * is alloc.c's.
 */
#ifndef STRATA_FAST_H
#define STRATA_FAST_H

#include "thread.h"

/* True, and a block in *out, if the thread's cache has one and no event is
 * due; else nothing has happened. */
static inline bool
fast_malloc(size_t size, void **out)
{
	struct thread *thread = thread_tls.self;
	unsigned sizeclass;
	struct cache_bin *bin;
	void **head;
	int64_t left;

	if (likely(size <= SC_LOOKUP_MAX))
		sizeclass = sc_lookup[(size + 7) / 8];
	else if (size <= SC_LOOKUP_KIB_MAX)
		sizeclass = sc_lookup_kib[(size + 1023) / 1024];
	else
		return false;
	bin = &thread_tls.cache->bins[sizeclass];
	head = bin->head;
	left = atomic_load_explicit(&thread->countdown,
	    memory_order_relaxed) - (int64_t)bin->size;
	if (unlikely(left < 0) || unlikely(head == bin->base))
		return false;
	atomic_store_explicit(&thread->countdown, left, memory_order_relaxed);
	bin->head = --head;
	bin->nrequests++;
	*out = *head;
	return true;
}

/* False if nothing has happened: NULL and foreign addresses among them. */
static inline bool
fast_free(void *ptr)
{
	struct thread *thread = thread_tls.self;
	struct tcache *cache = thread_tls.cache;
	uint64_t entry = pagemap_get(ptr);
	struct cache_bin *bin = &cache->bins[entry & PM_CLASS];
	void **head;

	/* Not sampled, of our domain, of a cached class: one compare. */
	if (unlikely(pagemap_key(entry) != cache->key))
		return false;
	head = bin->head;
	if (unlikely(head == bin->limit))
		return false;
	*head = ptr;
	bin->head = head + 1;
	atomic_store_explicit(&thread->deallocated,
	    atomic_load_explicit(&thread->deallocated, memory_order_relaxed) +
	    bin->size, memory_order_relaxed);
	return true;
}

/*
 * Whether ptr is a block of a class that our own cache holds, not sampled, and
 * the tables know the class of size bytes. *sizeclass is ptr's.
 */
static inline bool
fast_is_own(const void *ptr, size_t size, unsigned *sizeclass)
{
	uint64_t entry = pagemap_get(ptr);

	*sizeclass = pagemap_sizeclass(entry);
	return likely(size - 1 < SC_LOOKUP_KIB_MAX) &&
	    likely(pagemap_key(entry) == thread_tls.cache->key);
}

#endif
