/*
 * pages_resize_test.c - a large extent from a dirty run and the fresh pages
 * next to it: fewer pages are faulted, and nothing is lost if it fails.
 */
#include "core.h"

#include <errno.h>
#include <unistd.h>

#include "pages.h"
#include "pages_resize.h"
#include "supply.h"

#define MIB ((size_t)1 << 20)

static struct pages *
fresh(void)
{
	return supply_fresh(-1, opt.muzzy_decay_ms);
}

static struct extent *
touched(struct extent *extent)
{
	assert_non_null(extent);
	memset(extent->addr, 1, extent->size);
	return extent;
}

static size_t
bytes_of(struct pages *pages, enum extent_state state)
{
	return ecache_bytes(&pages->caches[state]);
}

static size_t
space_of(const struct pages *pages)
{
	return atomic_load(&pages->address_space);
}

/* The front keeps its struct. */
static struct extent *
cut(struct pages *pages, struct extent *extent, size_t size)
{
	struct extent *rest = extent_split(&pages->store, extent, size);

	assert_non_null(rest);
	extent_set_state(rest, EXTENT_ACTIVE);
	return rest;
}

static void
test_it_takes_the_retained_pages_behind(void **state)
{
	struct pages *pages = fresh();
	struct extent *run = pages_alloc(pages, 16 * MIB, os_page), *joined;
	struct extent *rest = cut(pages, run, 6 * MIB);
	char *addr = run->addr;

	pages_free_purged(pages, rest);
	pages_free(pages, touched(run));
	joined = pages_alloc_any(pages, 10 * MIB, os_page);
	assert_ptr_equal(joined->addr, addr);
	assert_int_equal(joined->size, 10 * MIB);
	assert_false(joined->zeroed);
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), 0);
	assert_int_equal(supply_resident(addr, 10 * MIB), 6 * MIB);
	pages_check(pages);
}

static void
test_it_takes_the_retained_pages_before(void **state)
{
	struct pages *pages = fresh();
	struct extent *front = pages_alloc(pages, 16 * MIB, os_page);
	struct extent *run = cut(pages, front, 8 * MIB), *joined;
	struct extent *wall = cut(pages, run, 6 * MIB);
	char *addr = run->addr;

	pages_free_purged(pages, front);
	pages_free(pages, touched(run));
	joined = pages_alloc_any(pages, 10 * MIB, os_page);
	assert_ptr_equal(joined->addr, addr - 4 * MIB);
	assert_int_equal(joined->size, 10 * MIB);
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), 0);
	pages_free(pages, wall);
	pages_check(pages);
}

static void
test_the_last_run_grows_by_a_mapping(void **state)
{
	struct pages *pages = fresh();
	struct extent *run = pages_alloc(pages, 16 * MIB, os_page), *joined;
	char *addr = run->addr;
	size_t space = space_of(pages);

	pages_free(pages, touched(run));
	joined = pages_alloc_any(pages, 25 * MIB, os_page);
	assert_ptr_equal(joined->addr, addr);
	assert_int_equal(joined->size, 25 * MIB);
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), 0);
	assert_in_range(space_of(pages) - space, 9 * MIB, 11 * MIB);
	pages_check(pages);
}

/* Else calloc would write all of it where fresh pages need nothing. */
static void
test_zero_bytes_are_of_fresh_pages(void **state)
{
	struct pages *pages = fresh();
	struct extent *run = pages_alloc(pages, 16 * MIB, os_page), *other;

	pages_free(pages, touched(run));
	other = pages_alloc(pages, 24 * MIB, os_page);
	assert_true(other->zeroed);
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), 16 * MIB);
	pages_check(pages);
}

static void
test_a_run_between_blocks_stays(void **state)
{
	struct pages *pages = fresh();
	struct extent *front = pages_alloc(pages, 16 * MIB, os_page);
	struct extent *run = cut(pages, front, 2 * MIB), *other;
	struct extent *back = cut(pages, run, 8 * MIB);

	pages_free(pages, run);
	other = pages_alloc_any(pages, 10 * MIB, os_page);
	assert_non_null(other);
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), 8 * MIB);
	pages_check(pages);
	/* A fitting one finds it as before. */
	assert_ptr_equal(pages_alloc_any(pages, 8 * MIB, os_page)->addr,
	    front->addr + front->size);
	pages_free(pages, back);
}

/* It would save little, and smaller requests want it. */
static void
test_a_short_run_stays(void **state)
{
	struct pages *pages = fresh();
	struct extent *run = pages_alloc(pages, 16 * MIB, os_page);
	struct extent *rest = cut(pages, run, MIB);

	pages_free_purged(pages, rest);
	pages_free(pages, run);
	assert_non_null(pages_alloc_any(pages, 5 * MIB, os_page));
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), MIB);
	pages_check(pages);
}

static int
no_mappings(enum os_memory_call call)
{
	return call == OS_MAP ? -ENOMEM : 0;
}

static void
test_without_memory_the_run_is_kept(void **state)
{
	struct pages *pages = fresh();
	struct extent *run = pages_alloc(pages, 16 * MIB, os_page);

	pages_free(pages, run);
	os_fault = no_mappings;
	assert_null(pages_alloc_any(pages, 25 * MIB, os_page));
	os_fault = NULL;
	assert_int_equal(bytes_of(pages, EXTENT_DIRTY), 16 * MIB);
	pages_check(pages);
}

/* At random, against what each block was filled with. */
static void
test_blocks_of_any_size_keep_their_bytes(void **state)
{
	enum { NLIVE = 6, ROUNDS = 2000 };
	struct { unsigned char *ptr; size_t size; unsigned char byte; }
	    live[NLIVE] = { { NULL, 0, 0 } };

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned k = core_below(NLIVE);
		size_t size = MIB + core_below(7 * MIB);
		bool zero = core_below(4) == 0;

		for (size_t at = 0; at < live[k].size; at += 4096)
			assert_int_equal(live[k].ptr[at], live[k].byte);
		free(live[k].ptr);
		live[k].ptr = zero ? calloc(1, size) : malloc(size);
		assert_non_null(live[k].ptr);
		live[k].size = size;
		live[k].byte = (unsigned char)i;
		for (size_t at = 0; at < size; at += 4096) {
			if (zero)
				assert_int_equal(live[k].ptr[at], 0);
			live[k].ptr[at] = (unsigned char)i;
		}
	}
	for (unsigned k = 0; k < NLIVE; k++)
		free(live[k].ptr);
	arena_check(arena_get(0, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_takes_the_retained_pages_behind),
		cmocka_unit_test(test_it_takes_the_retained_pages_before),
		cmocka_unit_test(test_the_last_run_grows_by_a_mapping),
		cmocka_unit_test(test_zero_bytes_are_of_fresh_pages),
		cmocka_unit_test(test_a_run_between_blocks_stays),
		cmocka_unit_test(test_a_short_run_stays),
		cmocka_unit_test(test_without_memory_the_run_is_kept),
		cmocka_unit_test(test_blocks_of_any_size_keep_their_bytes),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
