/*
 * ecache_test.c - caches of extents: splitting, joining, the choice of the
 * best, and the pagemap that they are found by.
 */
#include "core.h"

#include "ecache.h"
#include "supply.h"

enum { ARENA = 77, NPAGES = 512 };

static struct extent_store store;
static char *area;		/* NPAGES pages that nobody else uses */

static size_t
pages(size_t n)
{
	return n * os_page;
}

static struct extent *
run_of(size_t first, size_t n, uint64_t serial)
{
	struct extent *extent = extent_new(&store, ARENA, area + pages(first),
	    pages(n), serial, false);

	assert_non_null(extent);
	return extent;
}

static void
setup_cache(struct ecache *cache)
{
	ecache_init(cache, ARENA, EXTENT_DIRTY, &store, "test");
}

static void
test_neighbours_join(void **state)
{
	static struct ecache cache;
	struct extent *all;

	setup_cache(&cache);
	ecache_put(&cache, run_of(0, 3, 5));
	ecache_put(&cache, run_of(8, 2, 6));
	ecache_check(&cache);
	ecache_put(&cache, run_of(3, 5, 7));
	ecache_check(&cache);
	all = ecache_take(&cache, pages(10), os_page, 6);
	assert_non_null(all);
	assert_ptr_equal(all->addr, area);
	assert_int_equal(all->serial, 5);
	assert_int_equal(ecache_bytes(&cache), 0);
}

/* Nor does a page inside look like the block that it began. */
static void
test_what_is_joined_is_no_block(void **state)
{
	static struct ecache cache;
	struct extent *block = run_of(24, 4, 1);

	setup_cache(&cache);
	ecache_put(&cache, run_of(20, 4, 1));
	block->sizeclass = SC_NSMALL;
	extent_map_large(block, pagemap_key_of(0));
	assert_true(pagemap_is_active(pagemap_get(area + pages(24))));
	ecache_put(&cache, block);
	ecache_check(&cache);
	assert_false(pagemap_is_active(pagemap_get(area + pages(24))));
}

static void
test_other_states_do_not_join(void **state)
{
	static struct ecache dirty, muzzy;

	setup_cache(&dirty);
	ecache_init(&muzzy, ARENA, EXTENT_MUZZY, &store, "test");
	ecache_put(&dirty, run_of(0, 4, 1));
	ecache_put(&muzzy, run_of(4, 4, 1));
	ecache_check(&dirty);
	ecache_check(&muzzy);
	assert_null(ecache_take(&dirty, pages(8), os_page, 6));
	assert_non_null(ecache_take(&dirty, pages(4), os_page, 6));
	assert_non_null(ecache_take(&muzzy, pages(4), os_page, 6));
}

static void
test_old_then_low_comes_first(void **state)
{
	static struct ecache cache;
	struct extent *extent;

	setup_cache(&cache);
	ecache_put(&cache, run_of(0, 2, 9));
	ecache_put(&cache, run_of(20, 2, 4));
	ecache_put(&cache, run_of(10, 3, 4));
	extent = ecache_take(&cache, pages(2), os_page, 6);
	assert_ptr_equal(extent->addr, area + pages(10));
	extent = ecache_take(&cache, pages(2), os_page, 6);
	assert_ptr_equal(extent->addr, area + pages(20));
	extent = ecache_take(&cache, pages(2), os_page, 6);
	assert_ptr_equal(extent->addr, area);
	ecache_check(&cache);
	assert_int_equal(ecache_bytes(&cache), pages(1));
}

static void
test_a_large_run_is_cut_if_nothing_nearer_fits(void **state)
{
	static struct ecache cache;
	struct extent *extent;

	setup_cache(&cache);
	ecache_put(&cache, run_of(0, 200, 1));
	ecache_put(&cache, run_of(300, 2, 9));
	extent = ecache_take(&cache, pages(1), os_page, 6);
	assert_ptr_equal(extent->addr, area + pages(300));
	extent = ecache_take(&cache, pages(2), os_page, 6);
	assert_ptr_equal(extent->addr, area);
	extent = ecache_take(&cache, pages(1), os_page, 6);
	assert_ptr_equal(extent->addr, area + pages(301));
	extent = ecache_take(&cache, pages(1), os_page, ECACHE_ANY_FIT);
	assert_ptr_equal(extent->addr, area + pages(2));
	ecache_check(&cache);
}

/* As single calls would: the one that is cut is used up before others. */
static void
test_slabs_are_the_oldest_then_lowest(void **state)
{
	static const size_t first[] = { 20, 21, 22, 10, 40, 41 };
	static struct ecache cache;
	struct list out = LIST_INITIALIZER(out), *node;
	unsigned i = 0;

	setup_cache(&cache);
	ecache_put(&cache, run_of(40, 4, 9));
	ecache_put(&cache, run_of(10, 1, 6));
	ecache_put(&cache, run_of(20, 3, 4));
	assert_int_equal(ecache_take_slabs(&cache, pages(1), 6,
	    EXTENT_KIND_ANY, 6, &out), 6);
	ecache_check(&cache);
	list_for_each(node, &out) {
		struct extent *slab = list_entry(node, struct extent, link);

		assert_ptr_equal(slab->addr, area + pages(first[i++]));
		assert_int_equal(slab->size, pages(1));
	}
	assert_int_equal(i, 6);
	assert_int_equal(ecache_bytes(&cache), pages(2));
}

static void
test_what_is_no_slab_s_size_stays(void **state)
{
	static struct ecache cache;
	struct list out = LIST_INITIALIZER(out);

	setup_cache(&cache);
	ecache_put(&cache, run_of(0, 5, 1));
	ecache_put(&cache, run_of(10, 2, 1));
	assert_int_equal(ecache_take_slabs(&cache, pages(3), 6,
	    EXTENT_KIND_ANY, 4, &out), 1);
	ecache_check(&cache);
	assert_ptr_equal(list_first(&out, struct extent, link)->addr, area);
	assert_int_equal(ecache_bytes(&cache), pages(4));
}

static void
test_alignment_gives_both_ends_back(void **state)
{
	static struct ecache cache;
	struct extent *extent;
	size_t align = pages(64);

	setup_cache(&cache);
	ecache_put(&cache, run_of(1, NPAGES - 1, 1));
	extent = ecache_take(&cache, pages(3), align, ECACHE_ANY_FIT);
	assert_non_null(extent);
	assert_int_equal((uintptr_t)extent->addr % align, 0);
	assert_int_equal(extent->size, pages(3));
	assert_int_equal(ecache_bytes(&cache), pages(NPAGES - 4));
	ecache_check(&cache);
	ecache_put(&cache, extent);
	ecache_check(&cache);
	assert_non_null(ecache_take(&cache, pages(448), os_page, 6));
}

static void
test_take_at_wants_the_exact_place(void **state)
{
	static struct ecache cache;
	struct extent *extent;

	setup_cache(&cache);
	ecache_put(&cache, run_of(10, 4, 1));
	assert_null(ecache_take_at(&cache, area + pages(11), pages(1)));
	assert_null(ecache_take_at(&cache, area + pages(10), pages(5)));
	assert_null(ecache_take_at(&cache, area + pages(9), pages(1)));
	extent = ecache_take_at(&cache, area + pages(10), pages(3));
	assert_ptr_equal(extent->addr, area + pages(10));
	assert_int_equal(ecache_bytes(&cache), pages(1));
	ecache_check(&cache);
}

static void
test_the_longest_unused_goes_first(void **state)
{
	static struct ecache cache;

	setup_cache(&cache);
	ecache_put(&cache, run_of(30, 2, 1));
	ecache_put(&cache, run_of(0, 2, 2));
	ecache_put(&cache, run_of(10, 2, 3));
	assert_ptr_equal(ecache_take_oldest(&cache, pages(1))->addr,
	    area + pages(30));
	assert_ptr_equal(ecache_take_oldest(&cache, SIZE_MAX)->addr, area);
	assert_ptr_equal(ecache_take_oldest(&cache, SIZE_MAX)->addr,
	    area + pages(10));
	assert_null(ecache_take_oldest(&cache, SIZE_MAX));
}

static void
test_only_the_excess_of_a_large_run_goes(void **state)
{
	static struct ecache cache;
	struct extent *tail;
	size_t all = pages(NPAGES), excess = 3 * ECACHE_PURGE_UNIT;

	setup_cache(&cache);
	ecache_put(&cache, run_of(0, NPAGES, 1));
	tail = ecache_take_oldest(&cache, excess - 100);
	assert_int_equal(tail->size, excess);
	assert_ptr_equal(extent_end(tail), area + all);
	assert_int_equal(ecache_bytes(&cache), all - excess);
	ecache_check(&cache);
}

/* Random cuts and returns end in the one run that they began with. */
static void
test_model(void **state)
{
	static struct ecache cache;
	static struct extent *out[100];
	size_t bytes = pages(NPAGES);

	setup_cache(&cache);
	ecache_put(&cache, run_of(0, NPAGES, 1));
	for (unsigned step = 0; step < 20000; step++) {
		struct extent **slot = &out[core_below(ARRAY_LEN(out))];

		if (*slot != NULL) {
			bytes += (*slot)->size;
			ecache_put(&cache, *slot);
			*slot = NULL;
		} else {
			*slot = ecache_take(&cache, pages(1 + core_below(12)),
			    os_page << core_below(4), ECACHE_ANY_FIT);
			if (*slot != NULL)
				bytes -= (*slot)->size;
		}
		assert_int_equal(ecache_bytes(&cache), bytes);
		if (step % 100 == 0)
			ecache_check(&cache);
	}
	for (size_t i = 0; i < ARRAY_LEN(out); i++)
		if (out[i] != NULL)
			ecache_put(&cache, out[i]);
	assert_non_null(ecache_take(&cache, pages(NPAGES), os_page, 6));
}

static void
test_pagemap_entry_round_trip(void **state)
{
	struct extent *extent = run_of(0, 2, 1);
	uint64_t entry = pagemap_entry(extent, 200,
	    pagemap_key_of(1234) | PM_SAMPLED);

	assert_ptr_equal(pagemap_extent(entry), extent);
	assert_int_equal(pagemap_sizeclass(entry), 200);
	assert_int_equal(pagemap_domain(entry), 1234);
	assert_true((entry & PM_SAMPLED) != 0);
	assert_true(pagemap_is_active(entry));
	assert_false(pagemap_is_active(pagemap_entry(extent, 3,
	    pagemap_key_of(PM_INACTIVE))));
}

static void
test_pagemap_knows_nothing_of_foreign_pages(void **state)
{
	int local;

	assert_int_equal(pagemap_get(NULL), 0);
	assert_int_equal(pagemap_get(&local), 0);
	assert_int_equal(pagemap_get((void *)0x123456789000), 0);
	pagemap_set_range(area, pages(3), 42);
	assert_int_equal(pagemap_get(area + pages(3) - 1), 42);
	assert_int_equal(pagemap_get(area + pages(3)), 0);
	pagemap_set_range(area, pages(3), 0);
}

enum { LEAF_PAGE = 512 };		/* entries of 4 KiB */

/* Addresses that nobody has, across the end of a leaf. */
#define FAR		((char *)0x300040000000 - ((size_t)64 << 20))
#define FAR_SIZE	((size_t)128 << 20)

static size_t
resident_entries(const char *from, const char *to)
{
	const _Atomic uint64_t *leaf = pagemap_root[(uintptr_t)from >> 30];
	size_t first = ((uintptr_t)from >> 12) % PM_LEAF;

	return supply_resident(&leaf[first], (size_t)(to - from) / PM_GRANULE *
	    sizeof *leaf);
}

static int
purges_fail(enum os_memory_call call)
{
	return call == OS_PURGE ? -EINVAL : 0;
}

/* What is written before and behind stays. */
static void
clear_far(size_t cut)
{
	char *from = FAR + cut, *to = FAR + FAR_SIZE - cut;

	pagemap_set_range(FAR, FAR_SIZE, 42);
	pagemap_clear(from, (size_t)(to - from));
	for (char *at = FAR; at < FAR + FAR_SIZE; at += PM_GRANULE)
		assert_int_equal(pagemap_get(at), at < from || at >= to ? 42 :
		    0);
}

static void
test_cleared_entries_cost_nothing(void **state)
{
	const size_t cuts[] = { 0, PM_GRANULE, LEAF_PAGE * PM_GRANULE,
	    FAR_SIZE / 2 - PM_GRANULE };
	char *half = FAR + FAR_SIZE / 2;

	assert_int_equal(pagemap_reserve(FAR, FAR_SIZE), 0);
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		clear_far(cuts[i]);
	/* Read only in part: what is read gets a page of zeros. */
	pagemap_set_range(FAR, FAR_SIZE, 42);
	assert_int_equal(resident_entries(FAR, half), 128 << 10);
	pagemap_clear(FAR + PM_GRANULE, FAR_SIZE - PM_GRANULE);
	assert_true(resident_entries(FAR, half) <= os_page_system);
	assert_int_equal(resident_entries(half, FAR + FAR_SIZE), 0);
	os_fault = purges_fail;
	for (size_t i = 0; i < ARRAY_LEN(cuts); i++)
		clear_far(cuts[i]);
	os_fault = NULL;
	pagemap_clear(FAR, FAR_SIZE);
}

static int
clear_map(void **state)
{
	pagemap_set_range(area, pages(NPAGES), 0);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_pagemap_entry_round_trip,
		    clear_map),
		cmocka_unit_test(test_cleared_entries_cost_nothing),
		cmocka_unit_test_setup(
		    test_pagemap_knows_nothing_of_foreign_pages, clear_map),
		cmocka_unit_test_setup(test_neighbours_join, clear_map),
		cmocka_unit_test_setup(test_what_is_joined_is_no_block,
		    clear_map),
		cmocka_unit_test_setup(test_other_states_do_not_join,
		    clear_map),
		cmocka_unit_test_setup(test_old_then_low_comes_first,
		    clear_map),
		cmocka_unit_test_setup(
		    test_a_large_run_is_cut_if_nothing_nearer_fits,
		    clear_map),
		cmocka_unit_test_setup(test_slabs_are_the_oldest_then_lowest,
		    clear_map),
		cmocka_unit_test_setup(test_what_is_no_slab_s_size_stays,
		    clear_map),
		cmocka_unit_test_setup(test_alignment_gives_both_ends_back,
		    clear_map),
		cmocka_unit_test_setup(test_take_at_wants_the_exact_place,
		    clear_map),
		cmocka_unit_test_setup(test_the_longest_unused_goes_first,
		    clear_map),
		cmocka_unit_test_setup(
		    test_only_the_excess_of_a_large_run_goes, clear_map),
		cmocka_unit_test_setup(test_model, clear_map),
	};

	core_boot();
	core_seed();
	extent_store_init(&store, &base_meta);
	area = os_map(NULL, pages(NPAGES));
	if (area == NULL || pagemap_reserve(area, pages(NPAGES)) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
