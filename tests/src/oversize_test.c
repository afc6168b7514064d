/*
 * oversize_test.c - oversize_threshold: large requests have an arena of their
 * own, which gives their pages back as they are freed.
 *
 * Two automatic arenas, 0 and 1; so the oversize one is number 2. Thread
 * caches would take blocks of 4 MiB.
 */
#include "core.h"

#include <unistd.h>

#include "names.h"
#include "thread.h"

/* The library has read it before main. */
const char *malloc_conf = "narenas:2,oversize_threshold:1048576,"
    "tcache_max:4194304,dirty_decay_ms:100000,muzzy_decay_ms:100000";

enum { MIB = 1 << 20, OVERSIZE = 2 };

static unsigned
home_of(const void *ptr)
{
	unsigned index;
	size_t size = sizeof index;

	assert_int_equal(mallctl("arenas.lookup", &index, &size, &ptr,
	    sizeof ptr), 0);
	return index;
}

static uint64_t
number(const char *name, size_t size)
{
	uint64_t value = 0;

	assert_int_equal(mallctl(name, &value, &size, NULL, 0), 0);
	return value;
}

static size_t
resident(void)
{
	char text[128] = { 0 };
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(file);
	assert_non_null(fgets(text, sizeof text, file));
	fclose(file);
	assert_int_equal(sscanf(text, "%*u %lu", &pages), 1);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* The first test: nothing has needed the arena yet. */
static void
test_the_arena_is_made_at_first_need(void **state)
{
	void *ptr;

	assert_int_equal(number("arenas.narenas", 4), OVERSIZE + 1);
	assert_int_equal(number("arena.2.initialized", 1), 0);
	ptr = malloc(MIB);
	assert_int_equal(number("arena.2.initialized", 1), 1);
	assert_int_equal(home_of(ptr), OVERSIZE);
	free(ptr);
	assert_int_equal(number("arenas.narenas", 4), OVERSIZE + 1);
}

static void
test_the_usable_size_decides(void **state)
{
	void *below = malloc(896 << 10), *just = malloc((896 << 10) + 1);
	void *aligned = aligned_alloc(4 * MIB, 2 * MIB);

	assert_int_not_equal(home_of(below), OVERSIZE);
	assert_int_equal(home_of(just), OVERSIZE);
	assert_int_equal(home_of(aligned), OVERSIZE);
	free(below);
	free(just);
	free(aligned);
}

static void
test_memory_goes_back_at_free(void **state)
{
	struct arena *arena = arena_get(OVERSIZE, true);
	size_t size = 64 * MIB, before = resident();
	void *ptr = malloc(size);

	memset(ptr, 1, size);
	assert_true(resident() >= before + size);
	free(ptr);
	assert_true(resident() < before + size / 8);
	assert_int_equal(pages_active(&arena->pages), 0);
	assert_int_equal(ecache_bytes(&arena->pages.caches[EXTENT_DIRTY]), 0);
	assert_int_equal(ecache_bytes(&arena->pages.caches[EXTENT_MUZZY]), 0);
	assert_int_equal(arena_decay_ms_get(OVERSIZE, EXTENT_DIRTY), 0);
	assert_int_equal(arena_decay_ms_get(OVERSIZE, EXTENT_MUZZY), 0);
}

/* tcache_max would have them. */
static void
test_thread_caches_do_not_keep_the_blocks(void **state)
{
	struct arena *arena = arena_get(OVERSIZE, true);
	void *blocks[8];

	for (unsigned i = 0; i < 8; i++)
		blocks[i] = malloc(MIB);
	assert_true(pages_active(&arena->pages) >= 8 * MIB);
	for (unsigned i = 0; i < 8; i++)
		free(blocks[i]);
	assert_int_equal(pages_active(&arena->pages), 0);
	assert_true(number("arenas.tcache_max", 8) < MIB);
}

static void
test_zeroed_memory_is_zero_again(void **state)
{
	for (unsigned round = 0; round < 4; round++) {
		unsigned char *ptr = calloc(3, MIB);

		for (size_t i = 0; i < 3 * MIB; i++)
			if (ptr[i] != 0)
				fail_msg("byte %zu is %u", i, ptr[i]);
		memset(ptr, 0xee, 3 * MIB);
		free(ptr);
	}
}

static void
test_realloc_moves_into_the_arena_and_out(void **state)
{
	unsigned char *ptr = malloc(100000);

	memset(ptr, 7, 100000);
	ptr = realloc(ptr, 300 * MIB);
	assert_int_equal(home_of(ptr), OVERSIZE);
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(ptr[i], 7);
	ptr = realloc(ptr, 100);
	assert_int_not_equal(home_of(ptr), OVERSIZE);
	assert_int_equal(ptr[99], 7);
	free(ptr);
}

static void
test_explicit_caches_do_not_matter(void **state)
{
	unsigned cache;
	size_t size = sizeof cache;
	void *ptr;

	assert_int_equal(mallctl("tcache.create", &cache, &size, NULL, 0), 0);
	ptr = mallocx(2 * MIB, MALLOCX_TCACHE(cache));
	assert_int_equal(home_of(ptr), OVERSIZE);
	dallocx(ptr, MALLOCX_TCACHE(cache));
	assert_int_equal(pages_active(&arena_get(OVERSIZE, true)->pages), 0);
	assert_int_equal(mallctl("tcache.destroy", NULL, NULL, &cache,
	    sizeof cache), 0);
}

static void
set_thread_arena(unsigned index)
{
	assert_int_equal(mallctl("thread.arena", NULL, NULL, &index,
	    sizeof index), 0);
}

/* As with jemalloc: who chose an arena, for a call or for good, has it. */
static void
test_chosen_arenas_keep_their_blocks(void **state)
{
	unsigned index, old = (unsigned)number("thread.arena", 4);
	void *ptr;

	assert_int_equal(arena_create(&index), 0);
	assert_int_equal(index, OVERSIZE + 1);
	ptr = mallocx(2 * MIB, MALLOCX_ARENA(index) | MALLOCX_TCACHE_NONE);
	assert_int_equal(home_of(ptr), index);
	free(ptr);
	set_thread_arena(index);
	ptr = malloc(2 * MIB);
	assert_int_equal(home_of(ptr), index);
	free(ptr);
	set_thread_arena(1);
	ptr = malloc(2 * MIB);
	assert_int_equal(home_of(ptr), OVERSIZE);
	free(ptr);
	set_thread_arena(old);
}

static void
test_it_cannot_be_reset(void **state)
{
	assert_int_equal(mallctl("arena.2.reset", NULL, NULL, NULL, 0),
	    EFAULT);
	assert_int_equal(mallctl("arena.2.destroy", NULL, NULL, NULL, 0),
	    EFAULT);
}

/* What is left dirty when a block of size bytes of the arena is freed. */
static size_t
dirty_after(struct arena *arena, size_t size)
{
	void *ptr = mallocx(size, MALLOCX_ARENA(arena->index) |
	    MALLOCX_TCACHE_NONE);

	memset(ptr, 1, size);
	arena_purge(arena->index);
	dallocx(ptr, MALLOCX_TCACHE_NONE);
	return ecache_bytes(&arena->pages.caches[EXTENT_DIRTY]);
}

static void
test_an_arenas_threshold_purges_at_free(void **state)
{
	struct arena *arena;
	size_t bytes = 128 << 10;
	char name[64];
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	snprintf(name, sizeof name, "arena.%u.oversize_threshold", index);
	assert_int_equal(number(name, 8), MIB);
	assert_int_equal(dirty_after(arena, MIB), 0);
	assert_true(dirty_after(arena, 256 << 10) >= 256 << 10);
	assert_int_equal(mallctl(name, NULL, NULL, &bytes, sizeof bytes), 0);
	assert_int_equal(number(name, 8), bytes);
	assert_int_equal(dirty_after(arena, 256 << 10), 0);
	assert_int_equal(dirty_after(arena, 128 << 10), 0);
	assert_true(dirty_after(arena, 112 << 10) >= 112 << 10);
	arena_check(arena);
	assert_int_equal(mallctl("arena.4000.oversize_threshold", NULL, NULL,
	    &bytes, sizeof bytes), ENOENT);
	assert_int_equal(mallctl("arena.4096.oversize_threshold", NULL, NULL,
	    &bytes, sizeof bytes), EFAULT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_arena_is_made_at_first_need),
		cmocka_unit_test(test_the_usable_size_decides),
		cmocka_unit_test(test_memory_goes_back_at_free),
		cmocka_unit_test(test_thread_caches_do_not_keep_the_blocks),
		cmocka_unit_test(test_zeroed_memory_is_zero_again),
		cmocka_unit_test(test_realloc_moves_into_the_arena_and_out),
		cmocka_unit_test(test_explicit_caches_do_not_matter),
		cmocka_unit_test(test_chosen_arenas_keep_their_blocks),
		cmocka_unit_test(test_it_cannot_be_reset),
		cmocka_unit_test(test_an_arenas_threshold_purges_at_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
