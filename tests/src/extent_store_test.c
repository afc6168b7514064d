/*
 * extent_store_test.c - structs of extents: those of a kind lie together, and
 * what of them is unused goes back and comes again.
 */
#include "core.h"

#include <sys/mman.h>

#include "extent_store.h"
#include "pages.h"

enum { ARENA = 177, N = 2000, KINDS = 3 };

static struct base base;
static struct extent_store store;

static int
setup(void **state)
{
	base_init(&base, "test");
	extent_store_init(&store, &base);
	extent_store_sort(&store, true);
	return 0;
}

static char *
get(unsigned kind)
{
	char *extent = extent_store_get(&store, kind);

	assert_non_null(extent);
	assert_int_equal((uintptr_t)extent % EXTENT_ALIGN, 0);
	assert_int_equal(extent_store_kind_of(&store, extent), kind);
	memset(extent, 'a' + (int)kind, EXTENT_ALIGN);
	return extent;
}

static bool
whole(const char *extent, unsigned kind)
{
	for (unsigned i = 0; i < EXTENT_ALIGN; i++)
		if (extent[i] != (char)('a' + kind))
			return false;
	return true;
}

static uintptr_t
unit_of(const void *extent)
{
	return (uintptr_t)extent / os_page_system;
}

static bool
resident(const void *extent)
{
	unsigned char there;

	assert_int_equal(mincore((void *)(unit_of(extent) * os_page_system),
	    os_page_system, &there), 0);
	return (there & 1) != 0;
}

static size_t
allocated(void)
{
	struct base_stats stats;

	base_stats(&base, &stats);
	return stats.allocated;
}

static void
test_kinds_do_not_share_a_unit(void **state)
{
	char *extents[N];

	for (unsigned i = 0; i < N; i++)
		extents[i] = get(i % KINDS);
	for (unsigned i = 0; i < N; i++)
		for (unsigned k = i + 1; k < i + KINDS && k < N; k++)
			assert_true(unit_of(extents[i]) !=
			    unit_of(extents[k]));
	for (unsigned i = 0; i < N; i++)
		assert_true(whole(extents[i], i % KINDS));
	extent_store_check(&store);
}

/* One of three kinds stays: two thirds of the units go, but a few. */
static void
test_trim_gives_empty_units_back(void **state)
{
	char *extents[N];
	size_t before, there = 0;

	for (unsigned i = 0; i < N; i++)
		extents[i] = get(i % KINDS);
	before = allocated();
	for (unsigned i = 0; i < N; i++)
		if (i % KINDS != 0)
			extent_store_put(&store, extents[i]);
	assert_true(extent_store_idle(&store));
	assert_true(resident(extents[1]));
	extent_store_trim(&store);
	assert_false(extent_store_idle(&store));
	extent_store_check(&store);
	assert_true(allocated() < before / 2);
	for (unsigned i = 0; i < N; i++)
		if (i % KINDS == 0)
			assert_true(whole(extents[i], 0));
		else
			there += resident(extents[i]);
	assert_true(there < N / 8);
}

/* An entry that still leads there finds an extent without an address. */
static void
test_what_was_given_back_reads_as_zero(void **state)
{
	char *extents[N];
	bool there[N];
	unsigned zeroed = 0;

	for (unsigned i = 0; i < N; i++)
		extents[i] = get(1);
	for (unsigned i = 0; i < N; i++)
		extent_store_put(&store, extents[i]);
	extent_store_trim(&store);
	for (unsigned i = 0; i < N; i++)
		there[i] = resident(extents[i]);
	for (unsigned i = 0; i < N; i++) {
		const struct extent *extent = (const void *)extents[i];

		if (there[i])
			continue;
		assert_null(extent->addr);
		assert_int_equal(extent->size, 0);
		zeroed++;
	}
	assert_true(zeroed > N / 2);
	extent_store_check(&store);
}

static void
test_what_was_given_back_comes_again(void **state)
{
	char *extents[N];
	size_t most = 0;

	for (unsigned round = 0; round < 5; round++) {
		for (unsigned i = 0; i < N; i++)
			extents[i] = get(round % KINDS);
		extent_store_check(&store);
		if (round == 0)
			most = allocated();
		assert_int_equal(allocated(), most);
		for (unsigned i = 0; i < N; i++)
			assert_true(whole(extents[i], round % KINDS));
		for (unsigned i = 0; i < N; i++)
			extent_store_put(&store, extents[i]);
		extent_store_trim(&store);
	}
}

static void
test_model(void **state)
{
	static char *extents[N];
	static unsigned kinds[N];

	core_seed();
	memset(extents, 0, sizeof extents);
	for (unsigned step = 0; step < 100000; step++) {
		size_t i = core_below(N);

		if (extents[i] != NULL) {
			assert_true(whole(extents[i], kinds[i]));
			extent_store_put(&store, extents[i]);
			extents[i] = NULL;
		} else if (core_below(3) > step / 20000 % 3) {
			kinds[i] = (unsigned)core_below(EXTENT_NKINDS);
			extents[i] = get(kinds[i]);
		}
		if (step % 5000 == 0) {
			extent_store_trim(&store);
			extent_store_check(&store);
		}
	}
	for (unsigned i = 0; i < N; i++)
		if (extents[i] != NULL)
			assert_true(whole(extents[i], kinds[i]));
}

static struct extent *
slab_of(struct pages *pages, unsigned sizeclass)
{
	struct list out = LIST_INITIALIZER(out);

	assert_int_equal(pages_alloc_slabs(pages, sizeclass, 1, &out), 1);
	return list_first(&out, struct extent, link);
}

/* As in a pool: slabs of one class outlive those of another. */
static void
test_a_dead_generation_s_structs_go(void **state)
{
	static struct extent *slabs[N];
	struct pages *pages = base_alloc(&base_meta, sizeof *pages, CACHELINE);
	size_t before;

	assert_non_null(pages);
	pages_init(pages, ARENA, true);
	extent_store_sort(&pages->store, true);
	for (unsigned i = 0; i < N; i++) {
		slabs[i] = slab_of(pages, i % 2);
	}
	before = pages->store.nused + pages->store.nfree;
	for (unsigned i = 0; i < N; i += 2)
		pages_free(pages, slabs[i]);
	/* What takes their place for good, one run each, is of no class. */
	pages_purge(pages);
	extent_store_trim(&pages->store);
	pages_check(pages);
	for (unsigned i = 1; i < N; i += 2) {
		assert_int_equal(extent_state(slabs[i]), EXTENT_ACTIVE);
		assert_true(extent_store_kind_of(&pages->store, slabs[i]) ==
		    1 || i < 16);
	}
	for (unsigned i = 1; i < N; i += 2)
		pages_free(pages, slabs[i]);
	pages_purge(pages);
	extent_store_trim(&pages->store);
	pages_check(pages);
	assert_true(pages->store.nused + pages->store.nfree < before / 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kinds_do_not_share_a_unit, setup),
		cmocka_unit_test_setup(test_trim_gives_empty_units_back,
		    setup),
		cmocka_unit_test_setup(test_what_was_given_back_reads_as_zero,
		    setup),
		cmocka_unit_test_setup(test_what_was_given_back_comes_again,
		    setup),
		cmocka_unit_test_setup(test_model, setup),
		cmocka_unit_test(test_a_dead_generation_s_structs_go),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
