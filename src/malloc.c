/*
 * malloc.c - the libc family: the fast paths of fast.h, then alloc.c.
 *
 * Signals/fork: not async-signal-safe, as any malloc.
 */
#include <errno.h>
#include <string.h>

#include "alloc.h"
#include "fast.h"
#include "message.h"
#include "misuse.h"
#include "names.h"
#include "options.h"
#include "os.h"
#include "thread.h"

static __attribute__((noinline)) void *
malloc_slow(size_t size)
{
	struct alloc_request request = { .size = size };

	return alloc_new(&request);
}

EXPORT void *
malloc(size_t size)
{
	void *ptr;

	return likely(fast_malloc(size, &ptr)) ? ptr : malloc_slow(size);
}

static __attribute__((noinline)) void
free_slow(void *ptr)
{
	alloc_free_plain(ptr);
}

static inline void
free_inline(void *ptr)
{
	if (unlikely(!fast_free(ptr)))
		free_slow(ptr);
}

EXPORT void
free(void *ptr)
{
	free_inline(ptr);
}

EXPORT void *
calloc(size_t count, size_t size)
{
	struct alloc_request request = { .zero = true };
	void *ptr;

	if (__builtin_mul_overflow(count, size, &request.size)) {
		errno = ENOMEM;
		return NULL;
	}
	if (likely(fast_malloc(request.size, &ptr)))
		return memset(ptr, 0, sc_size(sc_index(request.size)));
	return alloc_new(&request);
}

/* realloc(ptr, 0), as zero_realloc says. */
static void *
realloc_to_nothing(void *ptr)
{
	struct alloc_request request = { .size = 1 };

	alloc_zero_realloc_count();
	switch (opt.zero_realloc) {
	case ZERO_REALLOC_ABORT:
		message("Called realloc(non-null-ptr, 0) with "
		    "\"zero_realloc:abort\" set");
		abort();
	case ZERO_REALLOC_ALLOC:
		return alloc_resize(ptr, &request);
	default:
		free(ptr);
		return NULL;
	}
}

static __attribute__((noinline)) void *
realloc_slow(void *ptr, size_t size)
{
	struct alloc_request request = { .size = size };

	if (ptr == NULL)
		return malloc(size);
	if (size == 0)
		return realloc_to_nothing(ptr);
	return alloc_resize(ptr, &request);
}

/* From one small class to another; usable: the bytes that ptr has. */
static __attribute__((noinline)) void *
realloc_small(void *ptr, size_t size, size_t usable)
{
	void *copy;

	if (!fast_malloc(size, &copy))
		return realloc_slow(ptr, size);
	memcpy(copy, ptr, usable < size ? usable : size);
	if (!fast_free(ptr))
		free_slow(ptr);
	return copy;
}

EXPORT void *
realloc(void *ptr, size_t size)
{
	unsigned sizeclass;

	if (!fast_is_own(ptr, size, &sizeclass))
		return realloc_slow(ptr, size);
	if (sc_index(size) == sizeclass)
		return ptr;
	/* A large one may grow or shrink where it is. */
	if (unlikely(size > SC_SMALL_MAX) || unlikely(sizeclass >= SC_NSMALL))
		return realloc_slow(ptr, size);
	return realloc_small(ptr, size, sc_sizes[sizeclass]);
}

EXPORT void *
reallocarray(void *ptr, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(ptr, bytes);
}

static void *
aligned(size_t align, size_t size)
{
	struct alloc_request request = { .size = size, .align = align };

	return alloc_new(&request);
}

EXPORT void *
aligned_alloc(size_t align, size_t size)
{
	if (!is_pow2(align)) {
		errno = EINVAL;
		return NULL;
	}
	return aligned(align, size);
}

EXPORT int
posix_memalign(void **out, size_t align, size_t size)
{
	int saved_errno = errno;
	void *ptr;

	if (!is_pow2(align) || align < sizeof(void *))
		return EINVAL;
	ptr = aligned(align, size);
	errno = saved_errno;
	if (ptr == NULL)
		return ENOMEM;
	*out = ptr;
	return 0;
}

/* As glibc: an alignment that is no power of two is rounded up to one. */
EXPORT void *
memalign(size_t align, size_t size)
{
	if (align > PTRDIFF_MAX) {
		errno = EINVAL;
		return NULL;
	}
	return aligned(align == 0 ? 1 : (size_t)1 << lg_ceil(align), size);
}

EXPORT void *
valloc(size_t size)
{
	return aligned(os_page, size);
}

EXPORT void *
pvalloc(size_t size)
{
	if (size > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return aligned(os_page, align_up(size, os_page));
}

EXPORT void
cfree(void *ptr)
{
	free_inline(ptr);
}

/* Where sizes are checked the fast path is off. */
static __attribute__((noinline)) void
free_sized_slow(void *ptr, size_t size, size_t align)
{
	if (misuse_wanted() && ptr != NULL)
		misuse_check_free(ptr, size, align);
	alloc_free_plain(ptr);
}

EXPORT void
free_sized(void *ptr, size_t size)
{
	if (unlikely(!fast_free(ptr)))
		free_sized_slow(ptr, size, 0);
}

EXPORT void
free_aligned_sized(void *ptr, size_t align, size_t size)
{
	if (unlikely(!fast_free(ptr)))
		free_sized_slow(ptr, size, align);
}

EXPORT size_t
malloc_usable_size(void *ptr)
{
	return alloc_usable(ptr);
}

/* Programs and libraries that call glibc's by these names get ours. */
#define ALIAS_NAME(of) #of
#define ALIAS_OF(of) __attribute__((alias(ALIAS_NAME(of)), copy(of), \
    visibility("default")))

void *__libc_malloc(size_t size) ALIAS_OF(malloc);
void *__libc_calloc(size_t count, size_t size) ALIAS_OF(calloc);
void *__libc_realloc(void *ptr, size_t size) ALIAS_OF(realloc);
void __libc_free(void *ptr) ALIAS_OF(free);
void *__libc_memalign(size_t align, size_t size) ALIAS_OF(memalign);
void *__libc_valloc(size_t size) ALIAS_OF(valloc);
void *__libc_pvalloc(size_t size) ALIAS_OF(pvalloc);
int __posix_memalign(void **out, size_t align, size_t size)
    ALIAS_OF(posix_memalign);
