/*
 * base_test.c - metadata memory: zero, aligned, disjoint, without holes;
 * pieces that come again; huge pages.
 */
#include "core.h"

#include "base.h"
#include "os.h"
#include "smaps.h"

enum { PIECE = 16 << 10 };

static void
test_base_is_zero_aligned_and_disjoint(void **state)
{
	struct base base;
	unsigned char *last = NULL;
	struct base_stats stats;
	size_t sum = 0;

	base_init(&base, "test");
	for (unsigned i = 0; i < 3000; i++) {
		size_t size = 1 + core_below(i % 50 == 0 ? 300000 : 500);
		size_t align = (size_t)1 << core_below(13);
		unsigned char *p = base_alloc(&base, size, align);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, size);
		if (last != NULL)
			assert_int_equal(*last, 0xff);
		last = p + size - 1;
		sum += size;
	}
	base_stats(&base, &stats);
	assert_in_range(stats.allocated, sum, stats.mapped);
	assert_null(base_alloc(&base, SIZE_MAX / 2, 8));
}

/* Whole pages and pieces of a few bytes in turn: these share pages. */
static void
test_pages_leave_no_holes(void **state)
{
	struct base base;
	struct base_stats stats;
	char *first = NULL, *piece = NULL;

	base_init(&base, "test");
	for (unsigned i = 0; i < 8; i++) {
		char *page = base_alloc(&base, os_page_system,
		    os_page_system);

		assert_non_null(page);
		memset(page, 0xff, os_page_system);
		piece = base_alloc(&base, 8, 8);
		assert_int_equal(*(uint64_t *)piece, 0);
		*(uint64_t *)piece = i;
		if (first == NULL)
			first = piece;
	}
	base_stats(&base, &stats);
	assert_int_equal(stats.allocated, 8 * (os_page_system + 8));
	assert_int_equal(piece - first, 7 * 8);
	assert_int_equal(*(uint64_t *)first, 0);
}

static void
test_pool_recycles(void **state)
{
	struct base base;
	struct base_pool pool;
	void *a, *b;

	base_init(&base, "test");
	base_pool_init(&pool, &base, 128, 128);
	a = base_pool_get(&pool);
	b = base_pool_get(&pool);
	assert_true((char *)b >= (char *)a + 128);
	base_pool_put(&pool, a);
	assert_int_equal(pool.nfree, 1);
	assert_ptr_equal(base_pool_get(&pool), a);
	assert_int_equal(pool.nused, 2);
}

/* Small pieces until so many bytes are handed out; the last one. */
static char *
fill_base(struct base *base, size_t bytes)
{
	char *last = NULL;

	for (size_t done = 0; done < bytes; done += PIECE) {
		last = base_alloc(base, PIECE, 64);
		assert_non_null(last);
		memset(last, 1, PIECE);
	}
	return last;
}

static size_t
huge_pages_of(struct base *base)
{
	struct base_stats stats;

	base_stats(base, &stats);
	return stats.nhuge;
}

static void
test_metadata_without_huge_pages(void **state)
{
	struct base base;

	base_init(&base, "test");
	assert_false(smaps_flag(fill_base(&base, 8 << 20), "hg"));
	assert_int_equal(huge_pages_of(&base), 0);
}

static void
test_metadata_with_huge_pages_always(void **state)
{
	struct base base;
	char *own;

	if (os_thp_mode() == OS_THP_NONE)
		skip();
	base_init(&base, "test");
	base_thp_set(&base, BASE_THP_ALWAYS);
	assert_true(smaps_flag(fill_base(&base, 1), "hg"));
	assert_int_equal(huge_pages_of(&base), 1);
	own = base_alloc(&base, 4 << 20, 4096);
	assert_true(smaps_flag(own, "hg"));
	assert_int_equal((uintptr_t)own % (2 << 20), 0);
	assert_int_equal(huge_pages_of(&base), 3);
	assert_true(smaps_flag(fill_base(&base, 8 << 20), "hg"));
}

static void
test_metadata_with_huge_pages_when_there_is_much(void **state)
{
	struct base base;

	if (os_thp_mode() == OS_THP_NONE)
		skip();
	base_init(&base, "test");
	base_thp_set(&base, BASE_THP_AUTO);
	assert_false(smaps_flag(fill_base(&base, 1 << 20), "hg"));
	assert_int_equal(huge_pages_of(&base), 0);
	assert_true(smaps_flag(fill_base(&base, 8 << 20), "hg"));
	assert_true(huge_pages_of(&base) >= 3);
	/* A table that is hardly touched would cost all of its pages. */
	assert_false(smaps_flag(base_alloc(&base, 2 << 20, 4096), "hg"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base_is_zero_aligned_and_disjoint),
		cmocka_unit_test(test_pages_leave_no_holes),
		cmocka_unit_test(test_pool_recycles),
		cmocka_unit_test(test_metadata_without_huge_pages),
		cmocka_unit_test(test_metadata_with_huge_pages_always),
		cmocka_unit_test(
		    test_metadata_with_huge_pages_when_there_is_much),
	};

	core_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
