/*
 * refheap.h - what a heap must look like, kept beside the one under test.
 *
 *   occupied   a bit for each 8 bytes of address space, set while a live
 *              block's usable bytes lie there: two blocks that overlap meet
 *              in a bit, at the moment when the second is handed out
 *   contents   every usable byte follows from the block's pattern
 *
 *   address >> 30 -> leaf, 16 MiB of lazily touched bits (the library's own
 *   pagemap is not asked: it may be what is broken)
 *
 * Locks: none; bits are set and cleared by atomic operations, so that threads
 *   may make blocks at once. A block belongs to one thread at a time.
 */
#ifndef TESTS_SRC_REFHEAP_H
#define TESTS_SRC_REFHEAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct ref_block {
	unsigned char *ptr;		/* NULL: no block */
	size_t requested;
	size_t usable;
	size_t align;			/* asked for; 0: none */
	uint64_t pattern;
	unsigned arena;			/* that it lies in */
};

enum {
	REF_LG_LEAF = 30,
	REF_LEAF_WORDS = 1 << (REF_LG_LEAF - 3 - 6),
	REF_NLEAVES = 1 << (48 - REF_LG_LEAF),
	REF_ALL_BYTES = 1024,		/* larger blocks: the ends, and ... */
	REF_STRIDE = 509,		/* one byte in so many; primes */
	/* Fresh pages are what a test takes its time for: one in four. */
	REF_FAR_BYTES = 128 << 10,
	REF_FAR_STRIDE = 16411,
	REF_END = 64,
};

static _Atomic(_Atomic uint64_t *) ref_leaves[REF_NLEAVES];

#define ref_die(...) (printf("model: " __VA_ARGS__), putchar('\n'), \
    fflush(stdout), abort())

static inline uint64_t
ref_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline _Atomic uint64_t *
ref_leaf(uintptr_t address)
{
	_Atomic(_Atomic uint64_t *) *slot = &ref_leaves[address >>
	    REF_LG_LEAF];
	_Atomic uint64_t *leaf = atomic_load(slot), *none = NULL;
	size_t size = REF_LEAF_WORDS * sizeof *leaf;

	if (leaf != NULL)
		return leaf;
	leaf = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (leaf == MAP_FAILED)
		ref_die("no memory for the reference");
	if (atomic_compare_exchange_strong(slot, &none, leaf))
		return leaf;
	munmap(leaf, size);
	return none;
}

/* Sets or clears the bits of a block; all of them must change. */
static inline void
ref_occupy(const struct ref_block *block, bool on)
{
	uintptr_t at = (uintptr_t)block->ptr / 8;
	uintptr_t end = at + (block->usable + 7) / 8;

	while (at < end) {
		unsigned first = at % 64;
		unsigned n = end - at < 64 - first ? (unsigned)(end - at) :
		    64 - first;
		uint64_t bits = (n == 64 ? ~(uint64_t)0 :
		    ((uint64_t)1 << n) - 1) << first;
		_Atomic uint64_t *word = &ref_leaf(at * 8)[at / 64 %
		    REF_LEAF_WORDS];
		uint64_t was = on ? atomic_fetch_or(word, bits) :
		    atomic_fetch_and(word, ~bits);

		if ((was & bits) != (on ? 0 : bits))
			ref_die("%p, %zu bytes: %s", (void *)block->ptr,
			    block->usable, on ? "overlaps another block" :
			    "its bits are gone");
		at += n;
	}
}

static inline unsigned char
ref_byte(const struct ref_block *block, size_t i)
{
	return (unsigned char)(block->pattern >> (i % 8 * 8)) ^
	    (unsigned char)(i >> 3);
}

static inline size_t
ref_next(size_t i, size_t size)
{
	size_t stride = size > REF_FAR_BYTES ? REF_FAR_STRIDE : REF_STRIDE;

	if (size <= REF_ALL_BYTES || i < REF_END || i + REF_END >= size)
		return i + 1;
	/* Whatever the stride, the last bytes are all looked at. */
	return i + stride < size - REF_END ? i + stride : size - REF_END;
}

static inline void
ref_write(struct ref_block *block, uint64_t pattern)
{
	block->pattern = pattern;
	for (size_t i = 0; i < block->usable; i = ref_next(i, block->usable))
		block->ptr[i] = ref_byte(block, i);
}

/*
 * The first prefix bytes of the block are found at bytes. Only the indices
 * that ref_write wrote are known, so the whole is walked.
 */
static inline void
ref_check(const struct ref_block *block, const unsigned char *bytes,
    size_t prefix)
{
	for (size_t i = 0; i < block->usable && i < prefix;
	    i = ref_next(i, block->usable))
		if (bytes[i] != ref_byte(block, i))
			ref_die("%p, %zu bytes: byte %zu was overwritten",
			    (void *)block->ptr, block->usable, i);
}

/* Bytes from .. to of a new block have a value. */
static inline void
ref_check_fill(const unsigned char *ptr, size_t from, size_t to,
    unsigned char value)
{
	for (size_t i = from; i < to; i = from + ref_next(i - from,
	    to - from))
		if (ptr[i] != value)
			ref_die("%p: byte %zu of %zu is 0x%x, not 0x%x",
			    (const void *)ptr, i, to, ptr[i], value);
}

#endif
