/*
 * supply.h - pages of a test's own, and how many bytes are resident.
 */
#ifndef TESTS_SRC_SUPPLY_H
#define TESTS_SRC_SUPPLY_H

#include <sys/mman.h>

#include "core.h"
#include "pages.h"

enum { SUPPLY_MAX = 16 << 20 };		/* bytes that supply_resident sees */

/* Of an arena of its own: what it frees joins no pages of another supply. */
static inline struct pages *
supply_fresh(ssize_t dirty_ms, ssize_t muzzy_ms)
{
	static unsigned arena = 100;
	struct pages *pages = base_alloc(&base_meta, sizeof *pages, CACHELINE);

	assert_non_null(pages);
	pages_init(pages, arena++, true);
	pages_decay_ms_set(pages, EXTENT_DIRTY, dirty_ms, 0);
	pages_decay_ms_set(pages, EXTENT_MUZZY, muzzy_ms, 0);
	return pages;
}

/* The bytes of [addr, addr + size) whose pages are there. */
static inline size_t
supply_resident(const void *addr, size_t size)
{
	static unsigned char map[SUPPLY_MAX >> 12];
	size_t n = 0;

	assert_true(size <= SUPPLY_MAX);
	assert_int_equal(mincore((void *)(uintptr_t)addr, size, map), 0);
	for (size_t i = 0; i < size / os_page; i++)
		n += map[i] & 1;
	return n * os_page;
}

#endif
