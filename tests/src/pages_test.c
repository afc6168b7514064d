/*
 * pages_test.c - where an arena's pages come from: the steps of growth, what
 * the kernel is told about huge pages.
 */
#include "core.h"

#include "pages.h"
#include "smaps.h"

enum { ARENA = 78, SIZE = 64 << 10 };

/* An arena's supply that no other test uses. */
static struct pages *
fresh(void)
{
	struct pages *pages = base_alloc(&base_meta, sizeof *pages, CACHELINE);

	assert_non_null(pages);
	pages_init(pages, ARENA, true);
	return pages;
}

static size_t
space_of(const struct pages *pages)
{
	return atomic_load(&pages->address_space);
}

static void
test_growth_steps_get_longer(void **state)
{
	struct pages *pages = fresh();
	size_t before = 0, longest = 0;

	for (unsigned i = 0; i < 400; i++) {
		struct extent *extent = pages_alloc(pages, SIZE, os_page);
		size_t step = space_of(pages) - before;

		assert_non_null(extent);
		assert_int_equal((uintptr_t)extent->addr % os_page, 0);
		if (step > longest)
			longest = step;
		before = space_of(pages);
	}
	assert_true(longest >= 4 << 20);
	pages_check(pages);
}

static void
test_growth_keeps_to_its_limit(void **state)
{
	struct pages *pages = fresh();
	size_t limit = 2 * SIZE, before = 0;

	assert_int_equal(pages_grow_limit_set(pages, limit + 1), 0);
	assert_int_equal(pages_grow_limit(pages), limit);
	for (unsigned i = 0; i < 400; i++) {
		assert_non_null(pages_alloc(pages, SIZE, os_page));
		assert_true(space_of(pages) - before <= limit);
		before = space_of(pages);
	}
	/* Every mapping was used up: the limit is no loss of memory. */
	assert_int_equal(space_of(pages), 400 * SIZE);
	assert_non_null(pages_alloc(pages, 4 * limit, os_page));
	assert_int_equal(space_of(pages) - before, 4 * limit);
	pages_check(pages);
}

static void
test_limits_that_are_none(void **state)
{
	struct pages *pages = fresh();

	assert_int_equal(pages_grow_limit(pages), SC_LARGE_MAX);
	assert_int_equal(pages_grow_limit_set(pages, os_page - 1), EINVAL);
	assert_int_equal(pages_grow_limit_set(pages, SIZE_MAX), EINVAL);
	assert_int_equal(pages_grow_limit_set(pages, SIZE_MAX / 2 + 1), 0);
	assert_int_equal(pages_grow_limit(pages), SC_LARGE_MAX);
}

static void
test_small_mappings_do_not_scatter_large_ones(void **state)
{
	struct pages *pages = fresh();

	assert_int_equal(pages_grow_limit_set(pages, SIZE), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct extent *extent = pages_alloc(pages, 4 << 20, os_page);

		assert_non_null(extent);
		assert_int_equal((uintptr_t)extent->addr % (2 << 20), 0);
		assert_non_null(pages_alloc(pages, SIZE, os_page));
	}
}

static void
test_thp_is_told_to_the_kernel(void **state)
{
	static const struct {
		enum option_thp thp;
		bool always, never;
	} cases[] = {
		{ THP_DEFAULT, false, false },
		{ THP_ALWAYS, true, false },
		{ THP_NEVER, false, true },
	};

	if (os_thp_mode() == OS_THP_NONE)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pages *pages = fresh();
		struct extent *extent;

		opt.thp = cases[i].thp;
		extent = pages_alloc(pages, 4 << 20, os_page);
		assert_non_null(extent);
		memset(extent->addr, 1, extent->size);
		assert_int_equal(smaps_flag(extent->addr, "hg"),
		    cases[i].always);
		assert_int_equal(smaps_flag(extent->addr, "nh"),
		    cases[i].never);
	}
	opt.thp = THP_DEFAULT;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth_steps_get_longer),
		cmocka_unit_test(test_growth_keeps_to_its_limit),
		cmocka_unit_test(test_limits_that_are_none),
		cmocka_unit_test(test_small_mappings_do_not_scatter_large_ones),
		cmocka_unit_test(test_thp_is_told_to_the_kernel),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
