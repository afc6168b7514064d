/*
 * strata.h - the public interface of Strata, a malloc whose heap profiler and
 * leak detector are part of the allocator.
 *
 * What only Strata has is called strata_*; the other functions are jemalloc's,
 * with jemalloc's meaning: a program compiled against its header runs
 * unchanged. strata(3) is the manual of all of them; strata.conf(5) that of
 * MALLOC_CONF and of the mallctl names.
 *
 * Unless said otherwise every function is thread-safe, none is
 * async-signal-safe, sizes are in bytes, and a call that cannot get memory
 * returns NULL with errno = ENOMEM.
 */
#ifndef STRATA_STRATA_H
#define STRATA_STRATA_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#ifdef __cplusplus
extern "C" {
#endif

#define STRATA_VERSION_MAJOR 0
#define STRATA_VERSION_MINOR 1
#define STRATA_VERSION_PATCH 0
#define STRATA_VERSION "0.1.0"

/*
 * Flags of the *allocx functions, or-ed together.
 *   MALLOCX_LG_ALIGN(la)  align to 1 << la
 *   MALLOCX_ALIGN(a)      align to a, a power of two
 *   MALLOCX_ZERO          the new bytes are zero
 *   MALLOCX_TCACHE(tc)    use the explicit cache tc (mallctl tcache.create)
 *   MALLOCX_TCACHE_NONE   use no thread cache
 *   MALLOCX_ARENA(a)      use arena a (and no automatic cache)
 *   MALLOCX_POOL(p)       use the current generation of pool p, with its cache;
 *                         not together with MALLOCX_ARENA
 */
#define MALLOCX_LG_ALIGN(la)	((int)(la))
#if INT_MAX == SIZE_MAX
#define MALLOCX_ALIGN(a)	((int)(ffs((int)(a)) - 1))
#else
#define MALLOCX_ALIGN(a)						\
	((int)(((size_t)(a) < (size_t)INT_MAX) ? ffs((int)(a)) - 1 :	\
	    ffs((int)(((size_t)(a)) >> 32)) + 31))
#endif
#define MALLOCX_ZERO		((int)0x40)
#define MALLOCX_TCACHE(tc)	((int)(((tc) + 2) << 8))
#define MALLOCX_TCACHE_NONE	MALLOCX_TCACHE(-1)
#define MALLOCX_ARENA(a)	((((int)(a)) + 1) << 20)
#define MALLOCX_POOL(p)		((int)(0x80u | ((unsigned)(p) & 0x7ff) << 20))

/* Arena indices with a meaning of their own in mallctl names. */
#define MALLCTL_ARENAS_ALL	4096
#define MALLCTL_ARENAS_DESTROYED 4097

/*
 * At least size bytes (size 0 is undefined), as the flags say.
 */
void *mallocx(size_t size, int flags);

/* Resizes ptr's block, moving it if it must; NULL leaves ptr as it was. */
void *rallocx(void *ptr, size_t size, int flags);

/*
 * Resizes in place to at least size, to size + extra if possible. Returns
 * the usable size the block then has, in bytes; below size if it could not.
 */
size_t xallocx(void *ptr, size_t size, size_t extra, int flags);

/* The usable size of ptr's block, in bytes. */
size_t sallocx(const void *ptr, int flags);

void dallocx(void *ptr, int flags);

/* As dallocx; size lies between what was asked for and what sallocx says. */
void sdallocx(void *ptr, size_t size, int flags);

/* What sallocx would say of mallocx(size, flags); 0 if it cannot be had. */
size_t nallocx(size_t size, int flags);

/*
 * Reads or writes one control, by name or by index vector (MIB).
 * Results: 0; EINVAL size of old or new is wrong (what fits was copied);
 * ENOENT no such name; EPERM not readable or not writable; EAGAIN no memory;
 * EFAULT the action failed.
 */
int mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen);
int mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp);
int mallctlbymib(const size_t *mib, size_t miblen, void *oldp,
    size_t *oldlenp, void *newp, size_t newlen);

/*
 * Writes the statistics by write_cb (NULL: malloc_message, else stderr).
 * Letters in opts: J JSON; g m d a b l x e h leave a section out.
 */
void malloc_stats_print(void (*write_cb)(void *, const char *),
    void *cbopaque, const char *opts);

/* Usable bytes of ptr's block; 0 for NULL and for foreign addresses. */
size_t malloc_usable_size(void *ptr);

/*
 * Replaceable: where the allocator's own messages go. The profiler's always go
 * to standard error.
 */
extern void (*malloc_message)(void *, const char *);

/* A program may define it: options as in MALLOC_CONF. */
extern const char *malloc_conf;

/* The same, with the last word: it overrides even MALLOC_CONF. */
extern const char *malloc_conf_2_conf_harder;

/* Hooks by which an arena gets its memory from the program. */
typedef struct extent_hooks_s extent_hooks_t;
typedef void *(extent_alloc_t)(extent_hooks_t *, void *, size_t, size_t,
    bool *, bool *, unsigned);
typedef bool (extent_dalloc_t)(extent_hooks_t *, void *, size_t, bool,
    unsigned);
typedef void (extent_destroy_t)(extent_hooks_t *, void *, size_t, bool,
    unsigned);
typedef bool (extent_commit_t)(extent_hooks_t *, void *, size_t, size_t,
    size_t, unsigned);
typedef bool (extent_decommit_t)(extent_hooks_t *, void *, size_t, size_t,
    size_t, unsigned);
typedef bool (extent_purge_t)(extent_hooks_t *, void *, size_t, size_t,
    size_t, unsigned);
typedef bool (extent_split_t)(extent_hooks_t *, void *, size_t, size_t,
    size_t, bool, unsigned);
typedef bool (extent_merge_t)(extent_hooks_t *, void *, size_t, void *,
    size_t, bool, unsigned);
struct extent_hooks_s {
	extent_alloc_t *alloc;
	extent_dalloc_t *dalloc;
	extent_destroy_t *destroy;
	extent_commit_t *commit;
	extent_decommit_t *decommit;
	extent_purge_t *purge_lazy;
	extent_purge_t *purge_forced;
	extent_split_t *split;
	extent_merge_t *merge;
};

/*
 * The version of the library that is loaded, as STRATA_VERSION. Thread-safe
 * and async-signal-safe.
 */
const char *strata_version(void);

/*
 * The process's current generation, 1 at the start. Every sample carries the
 * generation it was born in, so that profiles of before and after a reload
 * can be told apart. Thread-safe and async-signal-safe.
 */
uint64_t strata_generation(void);

/*
 * Begins the next generation and returns its number, which no other call
 * returns. With a default pool (option default_pool) that rotates, too.
 * Thread-safe; async-signal-safe only without a default pool.
 */
uint64_t strata_generation_advance(void);

/*
 * Pools: objects that die together live together. A pool is a ring of arenas,
 * one of which is current: it holds the current generation. Inside a scope
 * (enter .. leave) this thread's malloc, calloc, realloc and new take memory
 * from there. Free whenever and in whichever thread you like, inside or
 * outside: a block goes back to where it came from.
 *
 * The functions return 0 or an error number and leave errno alone. They are
 * thread-safe; none is async-signal-safe. A pool is a small number, the same in
 * all threads, and the <i> of mallctl pool.<i>.*; a destroyed pool's number is
 * used again.
 */

/*
 * narenas: the most arenas it may open, 2 to 64; 0: 4. It opens one when the
 * emptiest of the others still holds more than half of what the ending
 * generation does. Its first generation is a new one of the process: after the
 * first pool strata_generation() is 2, and what is built before a rotation
 * belongs to that.
 * EINVAL narenas, or pool is NULL; EAGAIN no pool or arena number is free;
 * ENOMEM.
 */
int strata_pool_create(unsigned narenas, unsigned *pool);

/*
 * Begins the pool's next generation, in the emptiest arena that is not
 * current; *generation (if not NULL) is its number, which the process counts:
 * see strata_generation. What the arena that was current has unused goes back
 * to the system when the program rests (pool_rest_ms), and at once when its
 * last block is freed. Threads inside a scope go on in the new generation at
 * their next fill of a cache, or within eight times tcache_gc_incr_bytes.
 * ENOENT no such pool; EAGAIN no arena number is free; ENOMEM.
 */
int strata_pool_rotate(unsigned pool, uint64_t *generation);

/*
 * Scopes nest, 16 different ones deep, and belong to the calling thread; any
 * number of threads may be inside. They end with the thread, and in a fork's
 * child go on for the thread that forked.
 * enter: ENOENT no such pool; EAGAIN too deep, or the thread is ending.
 * leave: ENOENT; EINVAL the innermost scope is not of this pool.
 */
int strata_pool_enter(unsigned pool);
int strata_pool_leave(unsigned pool);

/*
 * The pool of the innermost scope, for a job that another thread goes on with.
 * ENOENT: the thread is in none; EINVAL pool is NULL.
 */
int strata_pool_current(unsigned *pool);

/*
 * The pool is gone. Blocks that live stay as they are; their pages go back as
 * they are freed, and the numbers of its arenas with the next call that makes,
 * rotates or destroys a pool.
 * ENOENT no such pool; EAGAIN a thread is inside.
 */
int strata_pool_destroy(unsigned pool);

#ifdef __cplusplus
}
#endif

#endif
