/*
 * trim_test.c - pages of slabs that hold only free regions go back, and
 * nothing else does.
 */
#include "core.h"

#include "arena.h"
#include "supply.h"

enum { SIZE = 3584, NREGS = 8, PAGES = 7, NSLABS = 40, N = NSLABS * NREGS };

static struct arena *arena;
static unsigned char *blocks[N];
static unsigned sizeclass;

static int
setup(void **state)
{
	unsigned index;

	sizeclass = sc_index(SIZE);
	assert_int_equal(sc_slabs[sizeclass].nregs, NREGS);
	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	for (unsigned i = 0; i < N; i++) {
		blocks[i] = arena_alloc(arena, sizeclass, 0, NULL);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)(i % 255) + 1, SIZE);
	}
	return 0;
}

static int
teardown(void **state)
{
	arena_check(arena);
	return arena_destroy(arena->index, NULL);
}

static void
drop(unsigned i)
{
	arena_free(blocks[i], pagemap_get(blocks[i]));
}

static void
check(unsigned i)
{
	for (unsigned k = 0; k < SIZE; k++)
		assert_int_equal(blocks[i][k], i % 255 + 1);
}

static struct extent *
slab_of(unsigned i)
{
	return pagemap_extent(pagemap_get(blocks[i]));
}

static size_t
resident(unsigned i)
{
	return supply_resident(slab_of(i)->addr, PAGES * os_page);
}

static void
test_pages_without_blocks_go(void **state)
{
	for (unsigned i = 0; i < N; i++)
		if (i % NREGS != 3)
			drop(i);
	assert_int_equal(resident(3), PAGES * os_page);
	arena_trim(arena);
	for (unsigned i = 3; i < N; i += NREGS) {
		/* The fourth begins in the third page and ends in the next. */
		assert_int_equal(resident(i), 2 * os_page);
		check(i);
	}
}

static void
test_what_is_trimmed_is_used_again(void **state)
{
	for (unsigned i = 0; i < N; i++)
		if (i % NREGS != 0)
			drop(i);
	arena_trim(arena);
	for (unsigned i = 0; i < N; i++)
		if (i % NREGS != 0) {
			blocks[i] = arena_alloc(arena, sizeclass, 0, NULL);
			memset(blocks[i], (int)(i % 255) + 1, SIZE);
		}
	for (unsigned i = 0; i < N; i++)
		check(i);
}

/* Two regions share each page: one that is in use keeps it. */
static void
test_pages_with_a_block_stay(void **state)
{
	for (unsigned i = 0; i < N; i++)
		if (i % 2 != 0)
			drop(i);
	arena_trim(arena);
	for (unsigned i = 0; i < N; i += 2) {
		assert_int_equal(resident(i), PAGES * os_page);
		check(i);
	}
}

static void
test_a_slab_is_trimmed_once_till_it_changes(void **state)
{
	struct extent *slab = slab_of(0);

	assert_false(slab_trim(slab));		/* full */
	for (unsigned i = 2; i < NREGS; i++)
		drop(i);
	assert_true(slab_trim(slab));
	assert_false(slab_trim(slab));
	drop(1);
	assert_true(slab_trim(slab));
	assert_int_equal(resident(0), os_page);
}

#define WITH_BLOCKS(test)	cmocka_unit_test_setup_teardown(test, setup, \
				    teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BLOCKS(test_pages_without_blocks_go),
		WITH_BLOCKS(test_what_is_trimmed_is_used_again),
		WITH_BLOCKS(test_pages_with_a_block_stay),
		WITH_BLOCKS(test_a_slab_is_trimmed_once_till_it_changes),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
