/*
 * pages_ahead_test.c - pages are there before they are touched, no more than
 * were to be expected, and nothing is lost if they cannot be had.
 */
#include "core.h"

#include <errno.h>
#include <sched.h>

#include "names.h"
#include "pages.h"
#include "pages_ahead.h"
#include "supply.h"

#include <strata/strata.h>

/* No rest while a test runs. */
const char *malloc_conf = "pool_rest_ms:60000,narenas:1";

#define MIB ((size_t)1 << 20)

enum { MOST = 2 };			/* MiB ahead, at most; by halves */

static struct pages *
fresh(size_t expected)
{
	struct pages *pages = supply_fresh(-1, opt.muzzy_decay_ms);

	pages_expect(pages, expected);
	return pages;
}

static size_t
dirty(struct pages *pages)
{
	return ecache_bytes(&pages->caches[EXTENT_DIRTY]);
}

/* How often it did something, until it waits or is through. */
static unsigned
run(struct pages *pages, enum pages_ahead end)
{
	enum pages_ahead ahead;
	unsigned n = 0;

	while ((ahead = pages_ahead(pages)) == AHEAD_DONE)
		n++;
	assert_int_equal(ahead, end);
	return n;
}

static void
test_blocks_come_from_pages_that_are_there(void **state)
{
	struct pages *pages = fresh(64 * MIB);
	struct extent *extent;

	assert_int_equal(run(pages, AHEAD_WAIT), 2 * MOST);
	assert_int_equal(dirty(pages), MOST * MIB);
	extent = pages_alloc(pages, MIB, os_page);
	assert_int_equal(supply_resident(extent->addr, MIB), MIB);
	assert_int_equal(dirty(pages), (MOST - 1) * MIB);
	/* What was used up is made up for. */
	assert_int_equal(run(pages, AHEAD_WAIT), 2);
	pages_check(pages);
}

static void
test_they_read_as_zero(void **state)
{
	struct pages *pages = fresh(64 * MIB);
	struct extent *extent;

	run(pages, AHEAD_WAIT);
	extent = pages_alloc(pages, MIB, os_page);
	assert_true(extent->zeroed);
	for (size_t i = 0; i < MIB; i++)
		assert_int_equal(extent->addr[i], 0);
	memset(extent->addr, 1, MIB);
	pages_free(pages, extent);
	assert_false(pages_alloc(pages, MIB, os_page)->zeroed);
}

static void
test_it_ends_where_the_last_generation_did(void **state)
{
	struct pages *pages = fresh(12 * MIB);
	size_t size = 0;

	while (pages_expects(pages)) {
		run(pages, size >= 10 * MIB ? AHEAD_NONE : AHEAD_WAIT);
		assert_true(pages_active(pages) + dirty(pages) <= 12 * MIB);
		assert_non_null(pages_alloc(pages, MIB, os_page));
		size += MIB;
	}
	assert_int_equal(size, 11 * MIB);
	assert_int_equal(pages_ahead(pages), AHEAD_NONE);
	pages_check(pages);
}

static void
test_nothing_is_done_unasked(void **state)
{
	assert_int_equal(pages_ahead(fresh(0)), AHEAD_NONE);
	/* Less than is worth a call. */
	assert_int_equal(pages_ahead(fresh(MIB / 4)), AHEAD_NONE);
}

/* Or what is there would stay for another rest. */
static void
test_to_expect_nothing_is_no_use(void **state)
{
	struct pages *pages = fresh(64 * MIB);

	assert_true(atomic_exchange(&pages->used, false));
	pages_expect(pages, 0);
	assert_false(atomic_load(&pages->used));
}

static void
test_a_retired_arena_expects_nothing(void **state)
{
	struct pages *pages = fresh(64 * MIB);

	run(pages, AHEAD_WAIT);
	pages_retire(pages, true);
	assert_int_equal(pages_ahead(pages), AHEAD_NONE);
	assert_int_equal(dirty(pages), 0);
	pages_retire(pages, false);
	assert_int_equal(pages_ahead(pages), AHEAD_NONE);
}

static enum os_memory_call failing;

static int
fault(enum os_memory_call call)
{
	return call == failing ? -ENOMEM : 0;
}

/* Linux before 5.14 knows no such call; or there is no memory. */
static void
test_without_the_kernels_help_it_gives_up(void **state)
{
	static const enum os_memory_call calls[] = { OS_POPULATE, OS_MAP };

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		struct pages *pages = fresh(64 * MIB);

		failing = calls[i];
		os_fault = fault;
		assert_int_equal(pages_ahead(pages), AHEAD_NONE);
		os_fault = NULL;
		assert_int_equal(dirty(pages), 0);
		assert_false(pages_expects(pages));
		assert_non_null(pages_alloc(pages, MIB, os_page));
		pages_check(pages);
	}
}

/* --- the thread that follows a rotation ----------------------------------- */

enum { NBLOCKS = 256, BLOCK = 64 << 10 };	/* 16 MiB */

static void
build(char **blocks)
{
	for (unsigned i = 0; i < NBLOCKS; i++) {
		blocks[i] = malloc(BLOCK);
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, BLOCK);
	}
}

static void
test_a_rotation_is_followed_by_pages(void **state)
{
	static char *blocks[NBLOCKS];
	struct arena *arena;
	unsigned pool;
	void *first;

	if (os_ncpus() == 1)
		skip();
	assert_int_equal(strata_pool_create(0, &pool), 0);
	assert_int_equal(strata_pool_enter(pool), 0);
	build(blocks);
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	first = malloc(BLOCK);
	arena = arena_get(extent_arena(pagemap_extent(pagemap_get(first))),
	    false);
	/* Nothing of it has ever been freed; first may have taken some. */
	while (dirty(&arena->pages) < MIB)
		sched_yield();
	assert_int_equal(strata_pool_leave(pool), 0);
	for (unsigned i = 0; i < NBLOCKS; i++)
		free(blocks[i]);
	free(first);
	assert_int_equal(strata_pool_destroy(pool), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks_come_from_pages_that_are_there),
		cmocka_unit_test(test_they_read_as_zero),
		cmocka_unit_test(test_it_ends_where_the_last_generation_did),
		cmocka_unit_test(test_nothing_is_done_unasked),
		cmocka_unit_test(test_to_expect_nothing_is_no_use),
		cmocka_unit_test(test_a_retired_arena_expects_nothing),
		cmocka_unit_test(test_without_the_kernels_help_it_gives_up),
		cmocka_unit_test(test_a_rotation_is_followed_by_pages),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
