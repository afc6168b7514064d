/*
 * mallocx.c - jemalloc's *allocx family: blocks with an alignment, an arena
 * or a cache of their own.
 *
 *   flags  31..20 arena + 1 | 19..8 cache + 2 | 6 zero | 5..0 lg(align)
 *          30..20 pool      | 7 set: MALLOCX_POOL
 */
#include <errno.h>

#include "alloc.h"
#include "misuse.h"
#include "names.h"
#include "pool.h"
#include "thread.h"

enum {
	FLAG_LG_ALIGN = 0x3f,
	FLAG_POOL = 0x80,
	FLAGS_BESIDE_POOL = 0xfff7f,
	FLAG_TCACHE_SHIFT = 8,
	FLAG_TCACHE = 0xfff,
	FLAG_ARENA_SHIFT = 20,
	TCACHE_FIELD_NONE = 1,		/* MALLOCX_TCACHE(-1) */
};

static size_t
flags_align(int flags)
{
	unsigned lg = (unsigned)flags & FLAG_LG_ALIGN;

	return lg == 0 ? 0 : (size_t)1 << lg;
}

/*
 * NULL if the flags name no place. An arena without a cache means none, as
 * with jemalloc; what the arena has is then the source. A cache without an
 * arena serves the thread's.
 */
static const struct alloc_place *
flags_place(int flags, struct alloc_place *place)
{
	unsigned cache = (unsigned)flags >> FLAG_TCACHE_SHIFT & FLAG_TCACHE;
	unsigned arena = (flags & FLAG_POOL) != 0 ? 0 :
	    (unsigned)flags >> FLAG_ARENA_SHIFT;

	if (cache == 0 && arena == 0)
		return NULL;
	*place = (struct alloc_place){ .no_cache = true };
	if (arena != 0) {
		place->arena = arena_program(arena - 1);
		place->missing = place->arena == NULL;
	}
	if (cache > TCACHE_FIELD_NONE) {
		place->cache = tcaches_get(cache - 2);
		place->missing |= place->cache == NULL;
		place->no_cache = false;
	}
	return place;
}

static struct alloc_request
flags_request(size_t size, int flags, struct alloc_place *place)
{
	return (struct alloc_request){
		.size = size,
		.align = flags_align(flags),
		.zero = (flags & MALLOCX_ZERO) != 0,
		.place = flags_place(flags, place),
	};
}

/*
 * MALLOCX_POOL is a scope around one call; the bits of an arena say which
 * pool.
 */
static bool
pool_begin(int flags)
{
	if ((flags & FLAG_POOL) == 0 ||
	    pool_enter((unsigned)flags >> FLAG_ARENA_SHIFT) == 0)
		return true;
	errno = ENOMEM;
	return false;
}

static void
pool_end(int flags)
{
	if ((flags & FLAG_POOL) != 0)
		(void)pool_leave((unsigned)flags >> FLAG_ARENA_SHIFT);
}

EXPORT void *
mallocx(size_t size, int flags)
{
	struct alloc_place place;
	struct alloc_request request;
	void *ptr;

	if (flags == 0)
		return malloc(size);
	if ((flags & FLAG_POOL) != 0) {
		if (!pool_begin(flags))
			return NULL;
		/* By malloc's fast path, if nothing else is asked for. */
		ptr = mallocx(size, flags & FLAGS_BESIDE_POOL);
		pool_end(flags);
		return ptr;
	}
	request = flags_request(size, flags, &place);
	return alloc_new(&request);
}

EXPORT void *
rallocx(void *ptr, size_t size, int flags)
{
	struct alloc_place place;
	struct alloc_request request;
	void *moved;

	if (!pool_begin(flags))
		return NULL;
	request = flags_request(size, flags, &place);
	moved = alloc_resize(ptr, &request);
	pool_end(flags);
	return moved;
}

EXPORT size_t
xallocx(void *ptr, size_t size, size_t extra, int flags)
{
	size_t usable = alloc_usable(ptr);
	size_t align = flags_align(flags);

	if (align != 0 && ((uintptr_t)ptr & (align - 1)) != 0)
		return usable;
	if (extra > SIZE_MAX - size)
		extra = SIZE_MAX - size;
	return alloc_resize_in_place(ptr, size, size + extra,
	    (flags & MALLOCX_ZERO) != 0);
}

EXPORT size_t
sallocx(const void *ptr, int flags)
{
	(void)flags;
	return alloc_usable(ptr);
}

EXPORT void
dallocx(void *ptr, int flags)
{
	struct alloc_place place;

	alloc_free(ptr, flags_place(flags, &place));
}

EXPORT void
sdallocx(void *ptr, size_t size, int flags)
{
	struct alloc_place place;

	if (unlikely(misuse_wanted()) && ptr != NULL)
		misuse_check_free(ptr, size, flags_align(flags));
	alloc_free(ptr, flags_place(flags, &place));
}

EXPORT size_t
nallocx(size_t size, int flags)
{
	return alloc_size_for(size, flags_align(flags));
}
