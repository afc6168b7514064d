/*
 * sizeclass_test.c - the table of sizes, its inverses, the slabs' geometry.
 */
#include "core.h"

#include "sizeclass.h"

static void
test_classes_ascend_four_a_doubling(void **state)
{
	for (unsigned i = 1; i < SC_COUNT; i++)
		assert_true(sc_sizes[i] > sc_sizes[i - 1]);
	for (unsigned i = 8; i + 4 < SC_COUNT; i++)
		assert_true(sc_sizes[i + 4] == 2 * sc_sizes[i]);
	assert_int_equal(sc_sizes[SC_NSMALL - 1], SC_SMALL_MAX);
	assert_int_equal(sc_sizes[SC_NSMALL], SC_LARGE_MIN);
	assert_true(sc_sizes[SC_COUNT - 1] == SC_LARGE_MAX);
	assert_int_equal(sc_sizes[SC_NCACHEABLE - 1], 8 << 20);
}

static void
test_index_is_the_least_class_that_holds(void **state)
{
	unsigned want = 0;

	for (size_t size = 0; size <= 300000; size++) {
		if (size > sc_sizes[want])
			want++;
		assert_int_equal(sc_index(size), want);
	}
}

static void
test_index_at_every_boundary(void **state)
{
	for (unsigned i = 0; i < SC_COUNT; i++) {
		assert_int_equal(sc_index(sc_sizes[i]), i);
		assert_int_equal(sc_index_floor(sc_sizes[i]), i);
		if (i + 1 == SC_COUNT)
			continue;
		assert_int_equal(sc_index(sc_sizes[i] + 1), i + 1);
		assert_int_equal(sc_index_floor(sc_sizes[i + 1] - 1), i);
	}
}

static void
test_aligned_classes_are_aligned(void **state)
{
	for (size_t align = 8; align <= 64 << 10; align *= 2) {
		for (size_t size = 1; size <= 40000; size += 13) {
			unsigned i = sc_index_aligned(size, align);

			assert_true(sc_sizes[i] >= size);
			if (i < SC_NSMALL)
				assert_int_equal(sc_sizes[i] % align, 0);
		}
	}
	assert_int_equal(sc_index_aligned(SIZE_MAX, 16), SC_COUNT);
}

static void
test_slab_is_a_common_multiple(void **state)
{
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		const struct sc_slab *slab = &sc_slabs[i];

		assert_int_equal(slab->slab_size % os_page, 0);
		assert_int_equal(slab->slab_size % slab->size, 0);
		assert_int_equal(slab->nregs, slab->slab_size / slab->size);
	}
}

/* The multiplication that stands for a division is exact, inside too. */
static void
check_inverse(void)
{
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		const struct sc_slab *slab = &sc_slabs[i];

		for (uint64_t at = 0; at < slab->slab_size; at++)
			assert_int_equal(at * slab->inverse >> SC_LG_INVERSE,
			    at / slab->size);
	}
}

static void
test_inverse_divides_exactly(void **state)
{
	check_inverse();
}

static void
test_geometry_with_64_kib_pages(void **state)
{
	size_t page = os_page;

	os_page = 64 << 10;
	sc_boot();
	test_slab_is_a_common_multiple(state);
	check_inverse();
	os_page = page;
	sc_boot();
}

/* As jemalloc counts them: 4, 8, 12, 16, 20 KiB ... */
static void
test_classes_of_whole_pages(void **state)
{
	static const size_t first[] = { 4096, 8192, 12288, 16384, 20480,
	    24576, 28672, 32768, 40960 };

	for (unsigned j = 0; j < 9; j++)
		assert_int_equal(sc_sizes[sc_whole_pages(j)], first[j]);
	assert_int_equal(sc_whole_pages(198), SC_COUNT - 1);
	assert_int_equal(sc_whole_pages(199), SC_COUNT);
}

static void
test_slab_sizes_option(void **state)
{
	opt.slab_sizes.count = 2;
	opt.slab_sizes.range[0] = (struct option_range){ 17, 100, 2 };
	opt.slab_sizes.range[1] = (struct option_range){ 128, 128, 3 };
	sc_boot();
	assert_int_equal(sc_slabs[sc_index(32)].slab_size, 8192);
	assert_int_equal(sc_slabs[sc_index(96)].slab_size, 8192);
	assert_int_equal(sc_slabs[sc_index(96)].nregs, 85);
	assert_int_equal(sc_slabs[sc_index(128)].slab_size, 12288);
	assert_int_equal(sc_slabs[sc_index(16)].slab_size, 4096);
	check_inverse();
	/* none is one region at least, too many are as many as there may be */
	opt.slab_sizes.range[0].value = 0;
	opt.slab_sizes.range[1].value = SIZE_MAX;
	sc_boot();
	assert_int_equal(sc_slabs[sc_index(80)].slab_size, 4096);
	assert_int_equal(sc_slabs[sc_index(128)].slab_size, SC_SLAB_MAX);
	check_inverse();
	opt.slab_sizes.count = 0;
	sc_boot();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_classes_ascend_four_a_doubling),
		cmocka_unit_test(test_index_is_the_least_class_that_holds),
		cmocka_unit_test(test_index_at_every_boundary),
		cmocka_unit_test(test_aligned_classes_are_aligned),
		cmocka_unit_test(test_slab_is_a_common_multiple),
		cmocka_unit_test(test_inverse_divides_exactly),
		cmocka_unit_test(test_geometry_with_64_kib_pages),
		cmocka_unit_test(test_classes_of_whole_pages),
		cmocka_unit_test(test_slab_sizes_option),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
