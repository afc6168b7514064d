/*
 * util.h - the few macros and inline helpers that every layer uses.
 */
#ifndef STRATA_UTIL_H
#define STRATA_UTIL_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"

/*
 * assert: a programmer's contract, in debug builds. must: damaged metadata,
 * always on. User input is neither: it gets an error code.
 */
#undef assert
#if CONFIG_DEBUG || defined(UNIT_TEST)
#define STRATA_DEBUG 1
#define assert(e) ((e) ? (void)0 : util_die(#e, __FILE__, __LINE__))
#else
#define STRATA_DEBUG 0
#define assert(e) ((void)sizeof(!(e)))
#endif
#define must(e) \
	(likely(e) ? (void)0 : util_die(#e, __FILE__, __LINE__))

#define likely(e)	__builtin_expect(!!(e), 1)
#define unlikely(e)	__builtin_expect(!!(e), 0)
#define ARRAY_LEN(a)	(sizeof(a) / sizeof *(a))
#define container_of(p, type, member) \
	((type *)((char *)(p) - offsetof(type, member)))
#define CACHELINE	64

/*
 * The function reads on purpose what another thread may be writing, without
 * an order: a guess, which its caller can live with. ThreadSanitizer is told.
 */
#define RACY		__attribute__((no_sanitize("thread")))

/* One line on stderr, then abort(). Defined in fmt.c. */
_Noreturn void util_die(const char *what, const char *file, int line);

static inline uint64_t
min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline size_t
align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static inline size_t
align_down(size_t n, size_t align)
{
	return n & ~(align - 1);
}

static inline bool
is_pow2(size_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}

/* floor(log2(n)); n > 0. */
static inline unsigned
lg_floor(uint64_t n)
{
	return 63u - (unsigned)__builtin_clzll(n);
}

/* ceil(log2(n)); n > 0. */
static inline unsigned
lg_ceil(uint64_t n)
{
	return n == 1 ? 0 : lg_floor(n - 1) + 1;
}

#endif
