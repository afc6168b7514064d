/*
 * foreign.c - tells glibc's chunks from the rest, without touching them.
 *
 *        chunk             p - 8          p
 *   ----+------------------+--------------+---------------- - - - +------
 *       | size of the one  | size | A M P | what malloc returned  | size|P
 *   ----+------------------+--------------+---------------- - - - +------
 *
 *   P  the chunk before is in use     M  mapped by itself
 *   A  of another arena: its heap begins at p & -64 MiB with the arena's
 *      address
 *
 * A chunk in use: p is 16-aligned, the size a multiple of 16 and at least
 * 32; if mapped, the chunk begins on a page and is whole pages long; else
 * the chunk behind it says that this one is in use. The last is what frees
 * of wild pointers fail on.
 *
 * Pages of ours that are not in use, where a block was freed before, have an
 * entry and are not foreign: a double free.
 *
 * Memory is read by process_vm_readv on ourselves, which cannot fault. Where
 * that is forbidden (a sandbox) nothing is known, and the address is left
 * alone: a leak is better than a crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/uio.h>

#include "foreign.h"
#include "message.h"
#include "misuse.h"
#include "options.h"
#include "os.h"
#include "pagemap.h"
#include "util.h"
#include "names.h"

enum {
	CHUNK_PREV_INUSE = 1, CHUNK_MAPPED = 2, CHUNK_ARENA = 4,
	CHUNK_FLAGS = 15,
	CHUNK_MIN = 32,
	CHUNK_HEAD = 16,
	HEAP_SIZE = 64 << 20,	/* glibc: 2 * 4 MiB * sizeof(long) */
};
#define CHUNK_MAX	((size_t)1 << 47)	/* user address space */

/* constant after foreign_boot: */
static void (*glibc_free)(void *);
static size_t (*glibc_usable_size)(void *);

static _Atomic uint64_t handed, leaked;

/* Two words at address; false if they cannot be read. */
static bool
foreign_read(uintptr_t address, uintptr_t word[2])
{
	struct iovec here = { word, 2 * sizeof *word };
	struct iovec there = { (void *)address, 2 * sizeof *word };

	return os_syscall6(SYS_process_vm_readv, os_pid(), (long)&here, 1,
	    (long)&there, 1, 0) == (long)(2 * sizeof *word);
}

static bool
foreign_is_chunk(uintptr_t p)
{
	uintptr_t head[2], next[2], heap[2];
	size_t size;

	/* pages of ours that are not in use are nobody's chunks */
	if (p % 16 != 0 || p < CHUNK_HEAD ||
	    pagemap_get((const void *)p) != 0 ||
	    !foreign_read(p - CHUNK_HEAD, head))
		return false;
	size = head[1] & ~(size_t)CHUNK_FLAGS;
	if ((head[1] & 8) != 0 || size < CHUNK_MIN || size > CHUNK_MAX)
		return false;
	if ((head[1] & CHUNK_MAPPED) != 0)
		return (head[1] & CHUNK_ARENA) == 0 &&
		    (p - CHUNK_HEAD - head[0]) % os_page_system == 0 &&
		    (head[0] + size) % os_page_system == 0;
	if ((head[1] & CHUNK_ARENA) != 0 &&
	    (!foreign_read(align_down(p, HEAP_SIZE), heap) || heap[0] == 0 ||
	    align_down(p, HEAP_SIZE) !=
	    align_down(p - CHUNK_HEAD + size, HEAP_SIZE)))
		return false;
	return foreign_read(p - CHUNK_HEAD + size, next) &&
	    (next[1] & CHUNK_PREV_INUSE) != 0 &&
	    (next[1] & ~(uintptr_t)CHUNK_FLAGS) >= CHUNK_HEAD &&
	    (next[1] & ~(uintptr_t)CHUNK_FLAGS) <= CHUNK_MAX;
}

/*
 * The function that a plain program would have called. Our own stands before
 * it when we are preloaded; when we were opened late we are not in the
 * program's scope at all. So libc is asked for by name.
 */
static void *
foreign_find(void *libc, const char *name, const void *ours)
{
	void *found = NULL;

	if (libc != NULL)
		found = dlsym(libc, name);
	return found == ours ? NULL : found;
}

void
foreign_boot(void)
{
	void *libc = dlopen == NULL ? NULL :
	    dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);

	glibc_usable_size = (size_t (*)(void *))foreign_find(libc,
	    "malloc_usable_size", (const void *)malloc_usable_size);
	glibc_free = (void (*)(void *))foreign_find(libc, "free",
	    (const void *)free);
}

/* Neither in use nor glibc's: what the checks say, if they are on. */
static void
foreign_check(const void *ptr)
{
	if (pagemap_get(ptr) != 0 && opt.check_double_free)
		misuse_double_free(ptr);
	if (opt.check_invalid_free)
		misuse_invalid_free(ptr);
}

static void
foreign_leak(const void *ptr)
{
	uint64_t before = atomic_fetch_add_explicit(&leaked, 1,
	    memory_order_relaxed);

	if (before == 0)
		message("free of %p, which is no block of Strata's or "
		    "glibc's: left alone (further ones are only counted)", ptr);
}

void
foreign_free(void *ptr)
{
	int saved = errno;

	if (glibc_free != NULL && foreign_is_chunk((uintptr_t)ptr)) {
		atomic_fetch_add_explicit(&handed, 1, memory_order_relaxed);
		glibc_free(ptr);
	} else {
		foreign_check(ptr);
		foreign_leak(ptr);
	}
	errno = saved;
}

void *
foreign_realloc(void *ptr, size_t size)
{
	size_t usable;
	void *copy;

	if (glibc_usable_size == NULL || !foreign_is_chunk((uintptr_t)ptr)) {
		foreign_check(ptr);
		message("realloc of %p, which is no block of Strata's or "
		    "glibc's: refused", ptr);
		errno = ENOMEM;
		return NULL;
	}
	copy = malloc(size);
	if (copy == NULL)
		return NULL;
	usable = glibc_usable_size(ptr);
	memcpy(copy, ptr, usable < size ? usable : size);
	foreign_free(ptr);
	return copy;
}

uint64_t
foreign_handed(void)
{
	return atomic_load_explicit(&handed, memory_order_relaxed);
}

uint64_t
foreign_leaked(void)
{
	return atomic_load_explicit(&leaked, memory_order_relaxed);
}
