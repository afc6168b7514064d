/*
 * misuse.c - double frees, frees of what is no block, wrong sizes.
 *
 * What is seen of a block that is freed again: its region is free in the
 * slab's bitmap, or lies in this thread's cache or batch (the newest
 * debug_double_free_max_scan of its class are looked at), or its pages are no
 * longer in use. One that lies in another thread's cache is not noticed until
 * the two meet in the slab.
 *
 * Locks: none; the caller owns the block, or is about to be told otherwise.
 */
#include <stdlib.h>

#include "arena.h"
#include "fmt.h"
#include "message.h"
#include "misuse.h"
#include "options.h"
#include "prof.h"
#include "slab.h"
#include "thread.h"

enum { MISUSE_FRAMES = 16 };	/* of an allocation's stack; one line */

/* What the pagemap says of an address. */
struct misuse_place {
	uint64_t entry;
	const struct extent *extent;	/* NULL: not in use */
	unsigned sizeclass;
	unsigned index;			/* of the region, in a slab */
	bool is_block;			/* where a block begins */
};

static bool
misuse_is_slab(const struct misuse_place *place)
{
	return place->sizeclass < SC_NSMALL;
}

static void
misuse_look(const void *ptr, struct misuse_place *out)
{
	const struct extent *extent;

	*out = (struct misuse_place){ .entry = pagemap_get(ptr) };
	if (!pagemap_is_active(out->entry))
		return;
	extent = out->extent = pagemap_extent(out->entry);
	out->sizeclass = pagemap_sizeclass(out->entry);
	if (misuse_is_slab(out)) {
		out->index = slab_index(extent, ptr);
		out->is_block = out->index < sc_slabs[out->sizeclass].nregs &&
		    extent->addr + out->index * sc_size(out->sizeclass) ==
		    (const char *)ptr;
	} else {
		out->is_block = extent_block(extent) == (const char *)ptr;
	}
}

static size_t
misuse_add_frames(const char *what, const uintptr_t *frames, size_t n,
    char *text, size_t size)
{
	size_t len = n == 0 ? 0 : fmt_buf(text, size, "%s", what);

	for (size_t i = 0; i < n && len < size; i++)
		len += fmt_buf(text + len, size - len, " %p",
		    (void *)frames[i]);
	return len;
}

/* 0 if the block is no sample. */
static size_t
misuse_add_stack(const void *ptr, uint64_t entry, char *text, size_t size)
{
	uintptr_t frames[MISUSE_FRAMES];
	void *record;
	size_t n;

	if (!CONFIG_PROF || !arena_sample_test(ptr, entry, &record))
		return 0;
	n = prof_sample_stack(ptr, frames, MISUSE_FRAMES);
	return misuse_add_frames(", allocated at", frames, n, text, size);
}

/* What became of the last block there that was sampled. */
static void
misuse_add_freed(const void *ptr, char *text, size_t size)
{
	struct prof_freed freed;
	size_t len;

	if (!CONFIG_PROF || !prof_sample_freed(ptr, &freed))
		return;
	len = misuse_add_frames(", last sampled there allocated at",
	    freed.allocated, freed.nallocated, text, size);
	if (len < size)
		misuse_add_frames(", freed at", freed.freed, freed.nfreed,
		    text + len, size - len);
}

/* "64-byte region of arena 3, allocated at 0x... 0x..." */
static void
misuse_describe(const void *ptr, char *text, size_t size)
{
	struct misuse_place place;
	size_t len;

	misuse_look(ptr, &place);
	if (place.entry == 0) {
		fmt_buf(text, size, "not memory of this allocator");
		return;
	}
	if (place.extent == NULL) {
		len = fmt_buf(text, size, "pages that are not in use");
		misuse_add_freed(ptr, text + len, size - len);
		return;
	}
	len = fmt_buf(text, size, "%s%zu-byte %s of arena %u",
	    place.is_block ? "" : "inside a ", sc_size(place.sizeclass),
	    misuse_is_slab(&place) ? "region" : "block",
	    extent_arena(place.extent));
	if (place.is_block && len < size &&
	    misuse_add_stack(ptr, place.entry, text + len, size - len) == 0)
		misuse_add_freed(ptr, text + len, size - len);
}

static _Noreturn void
misuse_report(const char *what, const void *ptr)
{
	char place[MESSAGE_MAX];

	misuse_describe(ptr, place, sizeof place);
	message("%s: %p (%s)", what, ptr, place);
	abort();
}

void
misuse_invalid_free(const void *ptr)
{
	misuse_report("Invalid deallocation detected", ptr);
}

void
misuse_double_free(const void *ptr)
{
	misuse_report("Double free detected", ptr);
}

void
misuse_sized_free(const void *ptr, size_t given)
{
	char what[128];
	struct misuse_place place;

	misuse_look(ptr, &place);
	fmt_buf(what, sizeof what, "size mismatch detected (true size %zu vs "
	    "input size %zu)", sc_size(place.sizeclass), given);
	misuse_report(what, ptr);
}

static bool
misuse_is_in_cache(const struct tcache *cache, const void *ptr,
    unsigned sizeclass)
{
	void *const *blocks;
	unsigned n;

	if (cache == NULL || sizeclass >= cache->nbins)
		return false;
	n = tcache_peek(cache, sizeclass, &blocks);
	for (unsigned i = 0; i < n && i < opt.debug_double_free_max_scan; i++)
		if (blocks[n - 1 - i] == ptr)
			return true;
	return false;
}

/*
 * Among the newest of the class in this thread's cache, its own or that of
 * its innermost scope, or in its batch.
 */
static bool
misuse_is_cached(const void *ptr, unsigned sizeclass)
{
	const struct thread *thread = thread_self();

	if (sizeclass < SC_NSMALL &&
	    batch_holds(&thread->batch, sizeclass, ptr))
		return true;
	return misuse_is_in_cache(thread->cache, ptr, sizeclass) ||
	    (thread->pool.depth > 0 &&
	    misuse_is_in_cache(&thread->own_cache, ptr, sizeclass));
}

static void
misuse_check_size(const void *ptr, const struct misuse_place *place,
    size_t size, size_t align)
{
	unsigned sizeclass;

	if (size > SC_LARGE_MAX)
		misuse_sized_free(ptr, size);
	sizeclass = align == 0 ? sc_index(size) :
	    sc_index_aligned(size, align);
	if (sizeclass != place->sizeclass)
		misuse_sized_free(ptr, size);
}

void
misuse_check_use(const void *ptr)
{
	struct misuse_place place;

	misuse_look(ptr, &place);
	if (place.entry == 0)
		return;			/* foreign.c decides */
	if (opt.check_double_free && (place.extent == NULL ||
	    (place.is_block && misuse_is_slab(&place) &&
	    slab_region_is_free(place.extent, place.index)) ||
	    (place.is_block && misuse_is_cached(ptr, place.sizeclass))))
		misuse_double_free(ptr);
	if (opt.check_invalid_free && !place.is_block)
		misuse_invalid_free(ptr);
}

void
misuse_check_free(const void *ptr, size_t size, size_t align)
{
	struct misuse_place place;

	misuse_check_use(ptr);
	if (size == MISUSE_UNSIZED || !opt.check_sized_free)
		return;
	misuse_look(ptr, &place);
	if (place.is_block)
		misuse_check_size(ptr, &place, size, align);
}
