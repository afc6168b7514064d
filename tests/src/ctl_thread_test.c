/*
 * ctl_thread_test.c - mallctl thread.tcache.* and thread.peak.*: what they do
 * to the thread's cache, and what it holds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "mallctl.h"
#include "thread.h"
#include "names.h"

static size_t
get_size(const char *name)
{
	size_t value = 0, len = sizeof value;

	assert_int_equal(mallctl(name, &value, &len, NULL, 0), 0);
	return value;
}

static void
set_size(const char *name, size_t value)
{
	assert_int_equal(mallctl(name, NULL, NULL, &value, sizeof value), 0);
}

static unsigned
cached(size_t size)
{
	void *const *blocks;

	return tcache_peek(&thread_self()->own_cache, sc_index(size),
	    &blocks);
}

/* Frees n blocks; how many of them the cache kept. */
static unsigned
kept_of(unsigned n, size_t size)
{
	void *blocks[1000];

	assert_int_equal(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0),
	    0);
	for (unsigned i = 0; i < n; i++)
		blocks[i] = malloc(size);
	assert_int_equal(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0),
	    0);
	for (unsigned i = 0; i < n; i++)
		free(blocks[i]);
	return cached(size);
}

static int
restore(void **state)
{
	set_size("thread.tcache.max", tcache_max());
	return 0;
}

static void
test_max_bounds_what_is_cached(void **state)
{
	size_t before = get_size("thread.tcache.max");

	assert_int_equal(before, tcache_max());
	assert_int_equal(kept_of(1, 4096), 1);
	set_size("thread.tcache.max", 1024);
	assert_int_equal(cached(4096), 0);
	assert_int_equal(get_size("thread.tcache.max"), 1024);
	assert_int_equal(kept_of(1, 4096), 0);
	assert_int_equal(kept_of(1, 1024), 1);
	set_size("thread.tcache.max", before);
	assert_int_equal(kept_of(1, 4096), 1);
}

static void
test_max_may_be_above_the_option(void **state)
{
	assert_int_equal(kept_of(1, 1 << 20), 0);
	set_size("thread.tcache.max", 1 << 20);
	assert_int_equal(get_size("thread.tcache.max"), 1 << 20);
	assert_int_equal(kept_of(1, 1 << 20), 1);
	set_size("thread.tcache.max", SIZE_MAX);
	assert_int_equal(get_size("thread.tcache.max"), SC_CACHEABLE_MAX);
	tcache_check(&thread_self()->own_cache);
}

static void
test_ncached_max_of_a_class(void **state)
{
	const char *ranges = "65-128:30|200-300:0";
	size_t size = 100, slots = 0, len = sizeof slots;

	assert_int_equal(mallctl("thread.tcache.ncached_max.write", NULL,
	    NULL, &ranges, sizeof ranges), 0);
	assert_int_equal(mallctl("thread.tcache.ncached_max.read_sizeclass",
	    &slots, &len, &size, sizeof size), 0);
	assert_int_equal(slots, 30);
	assert_in_range(kept_of(100, 100), 15, 30);
	assert_int_equal(kept_of(10, 256), 0);
	tcache_check(&thread_self()->own_cache);
}

static void
test_ncached_max_refuses_nonsense(void **state)
{
	const char *bad[] = { "", "1-2", "2-1:3", "a-b:c", "1-2:3,4-5:6" };
	size_t size = SC_CACHEABLE_MAX + 1, slots, len = sizeof slots;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(mallctl("thread.tcache.ncached_max.write",
		    NULL, NULL, &bad[i], sizeof bad[i]), EINVAL);
	assert_int_equal(mallctl("thread.tcache.ncached_max.read_sizeclass",
	    &slots, &len, &size, sizeof size), EINVAL);
	assert_int_equal(mallctl("thread.tcache.ncached_max.read_sizeclass",
	    &slots, &len, NULL, 0), EINVAL);
}

static uint64_t
peak(void)
{
	uint64_t value = 0;
	size_t len = sizeof value;

	assert_int_equal(mallctl("thread.peak.read", &value, &len, NULL, 0),
	    0);
	return value;
}

static void
test_peak_is_the_most_that_was_held(void **state)
{
	const size_t mib = 1 << 20;
	char *block;

	assert_int_equal(mallctl("thread.peak.reset", NULL, NULL, NULL, 0),
	    0);
	assert_true(peak() < 64 << 10);
	block = malloc(8 * mib);
	free(block);
	for (int i = 0; i < 100; i++)
		free(malloc(64 << 10));
	assert_in_range(peak(), 8 * mib, 8 * mib + (128 << 10));
	assert_int_equal(mallctl("thread.peak.reset", NULL, NULL, NULL, 0),
	    0);
	assert_true(peak() < 64 << 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_max_bounds_what_is_cached,
		    restore),
		cmocka_unit_test_teardown(test_max_may_be_above_the_option,
		    restore),
		cmocka_unit_test_teardown(test_ncached_max_of_a_class,
		    restore),
		cmocka_unit_test(test_ncached_max_refuses_nonsense),
		cmocka_unit_test(test_peak_is_the_most_that_was_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
