/*
 * oblivious_test.c - cache_oblivious: large blocks do not all begin where a
 * page does, and nothing else is different.
 */
#include "core.h"

#include "names.h"
#include "prof.h"
#include "slab.h"
#include "thread.h"

/* The library has read it before main. */
const char *malloc_conf = "cache_oblivious:true,narenas:1";

enum { NBLOCKS = 64, LARGE = 100000 };

static void
flush(void)
{
	thread_tcache_flush(thread_self());
	arena_check(arena_get(0, false));
}

static bool
all_bytes(const unsigned char *ptr, unsigned char value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ptr[i] != value)
			return false;
	return true;
}

static bool
flag(const char *name)
{
	bool value = false;
	size_t size = sizeof value;

	assert_int_equal(mallctl(name, &value, &size, NULL, 0), 0);
	return value;
}

static void
test_it_is_told(void **state)
{
	assert_true(flag("opt.cache_oblivious"));
	assert_true(flag("config.cache_oblivious"));
}

/* Each of the 64 lines of a page is the beginning of about one block. */
static void
test_beginnings_are_spread_over_a_page(void **state)
{
	unsigned lines[64] = { 0 }, used = 0;
	void *blocks[NBLOCKS];

	for (unsigned i = 0; i < NBLOCKS; i++) {
		blocks[i] = malloc(LARGE);
		assert_int_equal((uintptr_t)blocks[i] % CACHELINE, 0);
		lines[(uintptr_t)blocks[i] % 4096 / CACHELINE]++;
	}
	for (unsigned i = 0; i < 64; i++) {
		used += lines[i] > 0;
		assert_true(lines[i] <= 4);
	}
	assert_true(used >= 40);
	for (unsigned i = 0; i < NBLOCKS; i++)
		free(blocks[i]);
	flush();
}

/* From the usable end of each to the beginning of the others. */
static void
test_all_usable_bytes_are_the_block_s_own(void **state)
{
	unsigned char *blocks[NBLOCKS];
	size_t sizes[NBLOCKS];

	for (unsigned i = 0; i < NBLOCKS; i++) {
		blocks[i] = malloc((16 << 10) + i * 3001);
		sizes[i] = malloc_usable_size(blocks[i]);
		assert_int_equal(sizes[i], nallocx((16 << 10) + i * 3001, 0));
		memset(blocks[i], (int)i, sizes[i]);
	}
	for (unsigned i = 0; i < NBLOCKS; i++)
		assert_true(all_bytes(blocks[i], (unsigned char)i, sizes[i]));
	for (unsigned i = 0; i < NBLOCKS; i++)
		free(blocks[i]);
	flush();
}

/* Also where the cache has blocks of the class that begin elsewhere. */
static void
test_alignments_are_met(void **state)
{
	for (unsigned round = 0; round < 3; round++)
		for (size_t align = 16; align <= 4 << 20; align *= 2) {
			void *blocks[8];

			for (unsigned i = 0; i < 8; i++) {
				blocks[i] = i % 2 == 0 ? malloc(LARGE) :
				    aligned_alloc(align, LARGE);
				memset(blocks[i], 1, LARGE);
				if (i % 2 != 0)
					assert_int_equal((uintptr_t)blocks[i] %
					    align, 0);
			}
			for (unsigned i = 0; i < 8; i++)
				free(blocks[i]);
		}
	flush();
}

static void
test_small_alignments_still_vary(void **state)
{
	void *blocks[8];
	unsigned pages = 0;

	for (unsigned i = 0; i < 8; i++) {
		blocks[i] = aligned_alloc(256, LARGE);
		assert_int_equal((uintptr_t)blocks[i] % 256, 0);
		pages += (uintptr_t)blocks[i] % 4096 == 0;
	}
	assert_true(pages < 4);
	for (unsigned i = 0; i < 8; i++)
		free(blocks[i]);
	flush();
}

static void
test_zeroed_blocks_are_zero(void **state)
{
	for (unsigned round = 0; round < 40; round++) {
		size_t size = (16 << 10) + round * 10007;
		unsigned char *ptr = calloc(1, size);
		size_t usable = malloc_usable_size(ptr);

		assert_true(all_bytes(ptr, 0, size));
		memset(ptr, 0xff, usable);
		free(ptr);
		if (round % 3 == 0)
			flush();
	}
}

/* Whatever the pad behind the block was used for before. */
static void
test_growth_in_place_is_zeroed(void **state)
{
	for (unsigned round = 0; round < 30; round++) {
		unsigned char *ptr = mallocx(400000, MALLOCX_TCACHE_NONE);
		size_t usable = malloc_usable_size(ptr), grown;

		memset(ptr, 0xff, usable);
		assert_true(xallocx(ptr, 20000, 0, 0) < 30000);
		grown = xallocx(ptr, 20000, 200000, MALLOCX_ZERO);
		assert_true(grown > 200000);
		assert_true(all_bytes(ptr, 0xff, 20000));
		assert_true(all_bytes(ptr + 20480, 0, grown - 20480));
		dallocx(ptr, MALLOCX_TCACHE_NONE);
	}
	arena_check(arena_get(0, false));
}

static void
test_realloc_keeps_contents(void **state)
{
	unsigned char *ptr = malloc(20000);

	memset(ptr, 9, 20000);
	for (size_t size = 30000; size < 40 << 20; size += size / 3) {
		ptr = realloc(ptr, size);
		assert_true(all_bytes(ptr, 9, 20000));
		ptr[size - 1] = 1;
	}
	ptr = realloc(ptr, 17000);
	assert_true(all_bytes(ptr, 9, 17000));
	free(ptr);
	flush();
}

static void
test_a_sampled_block_is_found_by_its_address(void **state)
{
	void *ptr = malloc(LARGE), *record;
	int mark;

	while ((uintptr_t)ptr % 4096 == 0)
		ptr = malloc(LARGE);
	assert_int_equal(arena_sample_reserve(ptr), 0);
	arena_sample_set(ptr, &mark);
	assert_true(arena_sample_test(ptr, pagemap_get(ptr), &record));
	assert_ptr_equal(record, &mark);
	arena_sample_clear(ptr, pagemap_get(ptr));
	assert_false(arena_sample_test(ptr, pagemap_get(ptr), &record));
	free(ptr);
}

static const void *ended;

static void
note_end(const void *ptr, void *record)
{
	ended = ptr;
}

static void
test_reset_ends_samples_of_the_blocks(void **state)
{
	unsigned index;
	void *ptr;
	int mark;

	assert_int_equal(arena_create(&index), 0);
	do
		ptr = mallocx(LARGE, MALLOCX_ARENA(index) |
		    MALLOCX_TCACHE_NONE);
	while ((uintptr_t)ptr % 4096 == 0);
	assert_int_equal(arena_sample_reserve(ptr), 0);
	arena_sample_set(ptr, &mark);
	assert_int_equal(arena_reset(index, note_end), 0);
	assert_ptr_equal(ended, ptr);
	assert_int_equal(pages_active(&arena_get(index, false)->pages), 0);
}

/* Extents are a page more than the class, and there is none between. */
static void
test_a_freed_block_s_pages_serve_the_next(void **state)
{
	struct arena *arena = arena_get(0, false);
	size_t size = 64 << 20, space;

	free(malloc(size));
	space = arena->pages.address_space;
	for (unsigned i = 0; i < 10; i++)
		free(malloc(size));
	assert_int_equal(arena->pages.address_space, space);
	flush();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_told),
		cmocka_unit_test(test_beginnings_are_spread_over_a_page),
		cmocka_unit_test(test_all_usable_bytes_are_the_block_s_own),
		cmocka_unit_test(test_alignments_are_met),
		cmocka_unit_test(test_small_alignments_still_vary),
		cmocka_unit_test(test_zeroed_blocks_are_zero),
		cmocka_unit_test(test_growth_in_place_is_zeroed),
		cmocka_unit_test(test_realloc_keeps_contents),
		cmocka_unit_test(test_a_sampled_block_is_found_by_its_address),
		cmocka_unit_test(test_reset_ends_samples_of_the_blocks),
		cmocka_unit_test(test_a_freed_block_s_pages_serve_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
