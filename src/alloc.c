/*
 * alloc.c - the slow paths; see alloc.h.
 */
#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot.h"
#include "event.h"
#include "foreign.h"
#include "message.h"
#include "misuse.h"
#include "options.h"
#include "os.h"
#include "thread.h"

enum { JUNK_ALLOC = 0xa5, JUNK_FREE = 0x5a };

/* What one allocation has found out so far. */
struct making {
	struct thread *thread;		/* NULL: before or after its life */
	struct arena *arena;
	struct tcache *cache;		/* NULL: none */
	unsigned sizeclass;
	size_t align;			/* 0, or more than the class gives */
	bool zero;			/* it shall read as zero */
	bool zeroed;			/* it does */
};

static struct tcache *
cache_of(struct thread *thread, const struct alloc_place *place)
{
	if (place == NULL)
		return thread->cache;
	return place->no_cache ? NULL : place->cache;
}

/* Whose memory: the internal arena's while the guard is set. */
static void
choose_source(struct making *making, const struct alloc_place *place)
{
	struct thread *thread = making->thread;

	making->cache = NULL;
	if (thread == NULL && thread_tls.hooks > 0) {
		making->arena = arena_internal();
	} else if (thread == NULL) {
		making->arena = place != NULL && place->arena != NULL ?
		    place->arena :
		    arena_for(arena_get(0, true), making->sizeclass);
	} else if (thread->prof.guard > 0) {
		making->arena = arena_internal();
	} else {
		thread_follow(thread);
		making->arena = place != NULL && place->arena != NULL ?
		    place->arena :
		    arena_for(thread->arena, making->sizeclass);
		making->cache = cache_of(thread, place);
		if (place != NULL && making->cache != NULL)
			tcache_serve(making->cache, place->arena != NULL ?
			    place->arena : thread->arena);
	}
}

static void *
take_cached(struct making *making)
{
	struct tcache *cache = making->cache;
	unsigned sizeclass = making->sizeclass;
	void *ptr;

	if (cache == NULL || sizeclass >= cache->nbins ||
	    cache->cold[sizeclass].slots == 0 || making->align != 0)
		return NULL;
	ptr = cache_bin_pop(&cache->bins[sizeclass]);
	if (ptr == NULL) {
		ptr = tcache_refill(cache, sizeclass);
		event_tick(making->thread, EVENT_FILL);
	}
	return ptr;
}

/* From the thread's shard of the class, whichever arena's it is. */
static void *
take_small(const struct making *making)
{
	unsigned shard = making->thread == NULL ? 0 :
	    making->thread->own_cache.shard;
	void *ptr;

	return arena_small_fill(making->arena, arena_bin(making->arena,
	    making->sizeclass, shard), &ptr, 1, 1) == 1 ? ptr : NULL;
}

static void *
take_from(struct making *making, struct arena *arena)
{
	return arena_alloc(arena, making->sizeclass, making->align,
	    making->zero ? &making->zeroed : NULL);
}

static void *
take(struct making *making)
{
	void *ptr;

	making->zeroed = false;
	if (making->arena == NULL)
		return NULL;
	ptr = take_cached(making);
	if (ptr != NULL)
		return ptr;
	if (making->sizeclass < SC_NSMALL)
		return take_small(making);
	return take_from(making, making->arena);
}

/* Slabs may have a region; unused pages can be counted. */
static bool
may_have(struct arena *arena, unsigned sizeclass)
{
	size_t unused = 0;

	for (unsigned i = 0; i < EXTENT_NCACHES; i++)
		unused += ecache_bytes(&arena->pages.caches[i]);
	return sizeclass < SC_NSMALL || unused >= sc_size(sizeclass);
}

/*
 * The system's limits are the process's, what is unused is an arena's: with
 * percpu_arena perhaps what this thread itself has freed, on another CPU. So
 * the other automatic ones are asked before there is no memory.
 */
static void *
take_elsewhere(struct making *making)
{
	void *ptr = NULL;

	if (making->arena == NULL || !making->arena->automatic)
		return NULL;
	for (unsigned i = 0; i < arenas_nauto && ptr == NULL; i++) {
		struct arena *arena = arena_get(i, false);

		if (arena != NULL && arena != making->arena &&
		    may_have(arena, making->sizeclass))
			ptr = take_from(making, arena);
	}
	return ptr;
}

/*
 * The addresses that arenas keep unused count, too: those of an idle pool, for
 * instance, where nobody else may take. They go, and the system is asked once
 * more. Not for what they could never make room for: a program may ask for too
 * much on purpose, and often. Nor if it is a hook that has no memory: it would
 * have no more then.
 */
static void *
take_after_unmapping(struct making *making)
{
	if (making->arena == NULL ||
	    pages_hooks(&making->arena->pages) != NULL)
		return NULL;
	if (sc_size(making->sizeclass) <= arenas_address_space())
		arenas_unmap_unused();
	/* In any case: another thread may just have been here. */
	return take(making);
}

static void
charge(struct thread *thread, void *ptr, size_t requested, unsigned sizeclass)
{
	size_t usable = sc_size(sizeclass);
	int64_t left;

	if (thread == NULL) {
		if (thread_tls.hooks == 0)	/* else it is internal */
			thread_orphan_alloc(usable);
		return;
	}
	if (thread->prof.guard > 0)
		return;
	left = atomic_load_explicit(&thread->countdown,
	    memory_order_relaxed) - (int64_t)usable;
	atomic_store_explicit(&thread->countdown, left, memory_order_relaxed);
	if (left < 0) {
		struct event_alloc block = { ptr, requested, sizeclass };

		event_run(thread, &block);
	}
}

static void
fill_contents(const struct making *making, void *ptr)
{
	size_t usable = sc_size(making->sizeclass);

	if (making->zero) {
		if (!making->zeroed)
			memset(ptr, 0, usable);
	} else if (opt.junk_alloc) {
		memset(ptr, JUNK_ALLOC, usable);
	}
}

/* The class, or SC_COUNT if no block can be so large. */
static unsigned
class_for(size_t size, size_t align)
{
	if (size > PTRDIFF_MAX || align > PTRDIFF_MAX)
		return SC_COUNT;
	return align == 0 ? sc_index(size) : sc_index_aligned(size, align);
}

static void *
out_of_memory(void)
{
	if (opt.xmalloc) {
		message("Error in malloc(): out of memory");
		abort();
	}
	errno = ENOMEM;
	return NULL;
}

void *
alloc_new(const struct alloc_request *request)
{
	struct making making = { 0 };
	void *ptr;

	if (unlikely(!boot_done()) && boot() != 0)
		return out_of_memory();
	making.sizeclass = class_for(request->size, request->align);
	if (making.sizeclass >= SC_COUNT ||
	    (request->place != NULL && request->place->missing))
		return out_of_memory();
	/* Others need the right class and no more. */
	if (request->align > CACHELINE &&
	    request->align > arena_class_align(making.sizeclass))
		making.align = request->align;
	making.zero = request->zero || opt.zero;
	making.thread = thread_get();
	choose_source(&making, request->place);
	ptr = take(&making);
	if (ptr == NULL && (request->place == NULL ||
	    request->place->arena == NULL))
		ptr = take_elsewhere(&making);
	if (ptr == NULL)
		ptr = take_after_unmapping(&making);
	if (ptr == NULL)
		return out_of_memory();
	fill_contents(&making, ptr);
	charge(making.thread, ptr, request->size, making.sizeclass);
	return ptr;
}

/* --- free ----------------------------------------------------------------- */

static void
end_sample(struct thread *thread, void *ptr, uint64_t entry)
{
	void *record;

	if (!arena_sample_test(ptr, entry, &record))
		return;
	/* The record goes first: until then the region must stay ours. */
	prof_sample_end(thread != NULL ? &thread->prof : NULL, ptr, record);
	arena_sample_clear(ptr, entry);
}

static void
credit_live(struct thread *thread, size_t usable)
{
	atomic_store_explicit(&thread->deallocated,
	    atomic_load_explicit(&thread->deallocated, memory_order_relaxed) +
	    usable, memory_order_relaxed);
}

static void
credit(struct thread *thread, size_t usable)
{
	if (thread == NULL)
		thread_orphan_free(usable);
	else
		credit_live(thread, usable);
}

static bool
free_into_cache(struct thread *thread, struct tcache *cache, void *ptr,
    unsigned sizeclass)
{
	struct cache_bin *bin;

	if (sizeclass >= cache->nbins)
		return false;
	bin = &cache->bins[sizeclass];
	if (cache_bin_push(bin, ptr))
		return true;
	event_tick(thread, EVENT_FLUSH);
	return tcache_make_room(cache, sizeclass) &&
	    cache_bin_push(bin, ptr);
}

/* In a scope of a pool: a block from outside of it. */
static bool
is_from_home(const struct thread *thread, const struct tcache *cache,
    uint64_t entry)
{
	return cache != NULL && thread->pool.depth > 0 &&
	    thread->tcache_enabled &&
	    thread->own_cache.key == pagemap_key(entry);
}

static __attribute__((noinline)) void
batch_is_full(struct thread *thread, unsigned sizeclass)
{
	batch_flush_class(&thread->batch, sizeclass);
	/* A thread that frees nothing else comes by no other tick. */
	event_tick(thread, EVENT_FLUSH);
}

static inline void
free_into_batch(struct thread *thread, void *ptr, unsigned sizeclass)
{
	if (batch_push(&thread->batch, sizeclass, ptr))
		batch_is_full(thread, sizeclass);
}

/* To the cache of its domain, to the batch of others, or to its arena. */
static void
give_back(struct thread *thread, void *ptr, uint64_t entry,
    const struct alloc_place *place)
{
	unsigned sizeclass = pagemap_sizeclass(entry);
	struct tcache *cache = NULL;

	if (thread != NULL && thread->prof.guard == 0) {
		thread_follow(thread);
		cache = cache_of(thread, place);
	}
	if (cache != NULL && cache->key == pagemap_key(entry)) {
		if (free_into_cache(thread, cache, ptr, sizeclass))
			return;
	} else if (is_from_home(thread, cache, entry) && place == NULL) {
		if (free_into_cache(thread, &thread->own_cache, ptr,
		    sizeclass))
			return;
	} else if (cache != NULL && sizeclass < SC_NSMALL && place == NULL) {
		free_into_batch(thread, ptr, sizeclass);
		return;
	}
	arena_free(ptr, entry);
	/* Pages came free; that costs more than a look at the clock. */
	if (thread != NULL && thread->prof.guard == 0)
		event_tick(thread, sizeclass < SC_NSMALL ? EVENT_FLUSH :
		    EVENT_PAGES);
}

void
alloc_free(void *ptr, const struct alloc_place *place)
{
	uint64_t entry = pagemap_get(ptr);
	struct thread *thread;
	size_t usable;

	if (ptr == NULL)
		return;
	if (unlikely(!pagemap_is_active(entry))) {
		foreign_free(ptr);
		return;
	}
	if (misuse_wanted())
		misuse_check_free(ptr, MISUSE_UNSIZED, 0);
	usable = sc_size(pagemap_sizeclass(entry));
	thread = thread_get();
	if (CONFIG_PROF && (entry & PM_SAMPLED) != 0) {
		end_sample(thread, ptr, entry);
		entry &= ~(uint64_t)PM_SAMPLED;
	}
	if (pagemap_domain(entry) == PM_INTERNAL) {
		arena_free(ptr, entry);
		return;
	}
	if (opt.junk_free)
		memset(ptr, JUNK_FREE, usable);
	credit(thread, usable);
	give_back(thread, ptr, entry, place);
}

/*
 * A small block of a program's arena, not sampled, and a thread with a cache
 * of another domain: then the two keys differ in the domain alone. With a
 * guard, checks, or no thread the cache is the const one, whose key differs
 * in more. In a pool's scope the block may be of the thread's own cache.
 */
static bool
is_of_other_domain(const struct thread *thread, uint64_t entry)
{
	uint32_t key = pagemap_key(entry);
	uint32_t differ = key ^ thread_tls.cache->key;

	return differ - 1 < PM_DOMAIN && key != thread->own_cache.key &&
	    pagemap_domain(entry) < PM_INTERNAL &&
	    pagemap_sizeclass(entry) < SC_NSMALL;
}

void
alloc_free_plain(void *ptr)
{
	uint64_t entry = pagemap_get(ptr);
	unsigned sizeclass = pagemap_sizeclass(entry);
	struct thread *thread = thread_self();

	if (!is_of_other_domain(thread, entry)) {
		alloc_free(ptr, NULL);
		return;
	}
	/* When the batch is flushed the slab is there. */
	extent_prefetch(pagemap_extent(entry));
	credit_live(thread, sc_size(sizeclass));
	free_into_batch(thread, ptr, sizeclass);
}

/* --- realloc -------------------------------------------------------------- */

/* The block that was ends, another begins where it was. */
static void
rename_block(void *ptr, uint64_t entry, size_t requested, unsigned sizeclass)
{
	struct thread *thread = thread_get();

	if (CONFIG_PROF && (entry & PM_SAMPLED) != 0)
		end_sample(thread, ptr, entry);
	if (pagemap_domain(entry) == PM_INTERNAL)
		return;
	credit(thread, sc_size(pagemap_sizeclass(entry)));
	charge(thread, ptr, requested, sizeclass);
}

/* True if the block now has exactly that class; new bytes are filled. */
static bool
resize_here(void *ptr, uint64_t entry, size_t size, unsigned sizeclass,
    bool zero)
{
	size_t old = sc_size(pagemap_sizeclass(entry));

	zero = zero || opt.zero;
	if (sizeclass < SC_NSMALL || pagemap_sizeclass(entry) < SC_NSMALL ||
	    arena_resize_large(ptr, entry, sizeclass, zero) != 0)
		return false;
	if (unlikely(opt.junk_alloc) && !zero && sc_size(sizeclass) > old)
		memset((char *)ptr + old, JUNK_ALLOC, sc_size(sizeclass) -
		    old);
	rename_block(ptr, entry, size, sizeclass);
	return true;
}

static void *
resize_by_copy(void *ptr, size_t usable, const struct alloc_request *request)
{
	void *copy = alloc_new(request);

	if (copy == NULL)
		return NULL;
	memcpy(copy, ptr, usable < request->size ? usable : request->size);
	alloc_free(ptr, request->place);
	return copy;
}

static bool
is_aligned(const void *ptr, size_t align)
{
	return align == 0 || ((uintptr_t)ptr & (align - 1)) == 0;
}

void *
alloc_resize(void *ptr, const struct alloc_request *request)
{
	uint64_t entry = pagemap_get(ptr);
	unsigned sizeclass = class_for(request->size, request->align);
	size_t usable;

	if (unlikely(!pagemap_is_active(entry)))
		return foreign_realloc(ptr, request->size);
	if (misuse_wanted())
		misuse_check_use(ptr);
	if (sizeclass >= SC_COUNT)
		return out_of_memory();
	usable = sc_size(pagemap_sizeclass(entry));
	if (!is_aligned(ptr, request->align) ||
	    (sizeclass != pagemap_sizeclass(entry) &&
	    !resize_here(ptr, entry, request->size, sizeclass,
	    request->zero)))
		return resize_by_copy(ptr, usable, request);
	return ptr;
}

size_t
alloc_resize_in_place(void *ptr, size_t min, size_t max, bool zero)
{
	uint64_t entry = pagemap_get(ptr);
	unsigned least = class_for(min, 0), most = class_for(max, 0);

	if (!pagemap_is_active(entry) || least >= SC_COUNT)
		return alloc_usable(ptr);
	if (most >= SC_COUNT)
		most = SC_COUNT - 1;
	/* From the most wanted down; the class it has may be as good. */
	for (unsigned i = most + 1; i-- > least; )
		if (i == pagemap_sizeclass(entry) ||
		    resize_here(ptr, entry, max, i, zero))
			break;
	return alloc_usable(ptr);
}

static _Atomic uint64_t zero_reallocs;

void
alloc_zero_realloc_count(void)
{
	atomic_fetch_add_explicit(&zero_reallocs, 1, memory_order_relaxed);
}

uint64_t
alloc_zero_reallocs(void)
{
	return atomic_load_explicit(&zero_reallocs, memory_order_relaxed);
}

size_t
alloc_usable(const void *ptr)
{
	uint64_t entry = pagemap_get(ptr);

	if (!pagemap_is_active(entry))
		return 0;
	return sc_size(pagemap_sizeclass(entry));
}

size_t
alloc_size_for(size_t size, size_t align)
{
	unsigned sizeclass = class_for(size, align);

	return sizeclass < SC_COUNT ? sc_size(sizeclass) : 0;
}
