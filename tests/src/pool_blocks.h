/*
 * pool_blocks.h - what the suites of pools share: blocks in numbers, and
 * where they are.
 */
#ifndef TESTS_SRC_POOL_BLOCKS_H
#define TESTS_SRC_POOL_BLOCKS_H

#include "core.h"

#include "names.h"
#include "pool.h"

#include <strata/strata.h>

static inline unsigned
arena_holding(const void *ptr)
{
	return arena_of(pagemap_get(ptr))->index;
}

static inline unsigned
current_arena_of(unsigned pool)
{
	struct pool_facts facts;

	assert_int_equal(pool_facts_read(pool, &facts), 0);
	return facts.arena;
}

static inline uint64_t
begin_generation(unsigned pool)
{
	uint64_t generation;

	assert_int_equal(strata_pool_rotate(pool, &generation), 0);
	return generation;
}

/* Every byte is written: a page that is in use is resident. */
static inline void
blocks_make(void **blocks, size_t n, size_t size)
{
	for (size_t i = 0; i < n; i++) {
		blocks[i] = malloc(size);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)i, size);
	}
}

static inline void
blocks_free(void **blocks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(blocks[i]);
}

#endif
