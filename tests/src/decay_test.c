/*
 * decay_test.c - the decay curve, against floating point, on a clock of the
 * test's own; and what it does to an arena's pages.
 */
#include "core.h"

#include "decay.h"

enum { MIB = 1 << 20 };

static const uint64_t ms = 1000000;

static double
stays(double x)
{
	return x >= 1 ? 0 : 1 - x * x * x * (6 * x * x - 15 * x + 10);
}

static size_t
advance(struct decay *decay, uint64_t now, size_t cached)
{
	size_t keep = cached;

	lock_acquire(&decay->lock);
	if (decay_due(decay, now)) {
		keep = decay_advance_locked(decay, now, cached);
		keep = keep < cached ? keep : cached;
		decay_purged_locked(decay, cached - keep, keep);
	}
	lock_release(&decay->lock);
	return keep < cached ? keep : cached;
}

/* One burst of unused bytes goes as the curve says, within a step. */
static void
test_a_burst_follows_the_curve(void **state)
{
	static struct decay decay;
	size_t cached = 100 * MIB;

	decay_init(&decay, 10000, 0, "test");
	cached = advance(&decay, 50 * ms, cached);
	for (uint64_t t = 100; t <= 10200; t += 50) {
		double age = (double)(t - 50) / 10000, want;

		cached = advance(&decay, t * ms, cached);
		want = 100.0 * MIB * stays(age);
		assert_true(cached <= want + 100.0 * MIB * 0.02);
		assert_true(cached >= want - 100.0 * MIB * 0.02);
	}
	assert_int_equal(cached, 0);
}

static void
test_a_long_pause_takes_all_that_is_old(void **state)
{
	static struct decay decay;
	size_t keep;

	decay_init(&decay, 1000, 0, "test");
	assert_int_equal(advance(&decay, 4 * ms, 10 * MIB), 10 * MIB);
	keep = advance(&decay, 10 * ms, 10 * MIB);
	assert_int_equal(advance(&decay, 5000 * ms, keep), 0);
}

static void
test_what_is_new_stays(void **state)
{
	static struct decay decay;
	size_t keep;

	decay_init(&decay, 1000, 0, "test");
	keep = advance(&decay, 5000 * ms, 10 * MIB);
	assert_true(keep > 10 * MIB * 0.99);
}

/* Purging takes its time: what is freed meanwhile is as new as any. */
static void
test_what_is_freed_during_a_purge_is_new(void **state)
{
	static struct decay decay;
	size_t keep;

	decay_init(&decay, 1000, 0, "test");
	advance(&decay, 5 * ms, 10 * MIB);
	lock_acquire(&decay.lock);
	keep = decay_advance_locked(&decay, 800 * ms, 10 * MIB);
	assert_true(keep < 10 * MIB);
	decay_purged_locked(&decay, 10 * MIB - keep, keep + 100 * MIB);
	lock_release(&decay.lock);
	assert_true(advance(&decay, 806 * ms, keep + 100 * MIB) >
	    99 * MIB);
}

static void
test_never_is_never_due(void **state)
{
	static struct decay decay;

	decay_init(&decay, DECAY_NEVER, 0, "test");
	assert_false(decay_due(&decay, UINT64_MAX));
	lock_acquire(&decay.lock);
	decay_set_locked(&decay, 1, 0, 0);
	lock_release(&decay.lock);
	assert_true(decay_due(&decay, 1 * ms));
}

static void
free_bytes(struct arena *arena, size_t size)
{
	void *p = arena_alloc(arena, sc_index(size), 1, NULL);

	assert_non_null(p);
	arena_free(p, pagemap_get(p));
}

static size_t
cached(struct arena *arena, enum extent_state state)
{
	return ecache_bytes(&arena->pages.caches[state]);
}

static void
test_dirty_becomes_muzzy_becomes_retained(void **state)
{
	struct arena *arena;
	unsigned index;
	uint64_t now = os_now_ns();

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	pages_decay_ms_set(&arena->pages, EXTENT_DIRTY, 1000, now);
	pages_decay_ms_set(&arena->pages, EXTENT_MUZZY, 1000, now);
	free_bytes(arena, MIB);
	assert_int_equal(cached(arena, EXTENT_DIRTY), MIB);
	pages_tick(&arena->pages, now + 10 * ms);
	pages_tick(&arena->pages, now + 3000 * ms);
	assert_int_equal(cached(arena, EXTENT_DIRTY), 0);
	assert_int_equal(cached(arena, EXTENT_MUZZY), MIB);
	pages_tick(&arena->pages, now + 3010 * ms);
	pages_tick(&arena->pages, now + 9000 * ms);
	assert_int_equal(cached(arena, EXTENT_MUZZY), 0);
	assert_true(cached(arena, EXTENT_RETAINED) >= MIB);
	arena_check(arena);
}

static void
test_deadline_tells_when_there_is_work(void **state)
{
	struct arena *arena;
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	assert_true(arena_decay_watch(arena) == UINT64_MAX);
	free_bytes(arena, MIB);
	assert_true(arena_decay_watch(arena) < UINT64_MAX);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, -1), 0);
	assert_true(arena_decay_watch(arena) == UINT64_MAX);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, 0), 0);
	assert_int_equal(cached(arena, EXTENT_DIRTY), 0);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, -2), EINVAL);
}

static unsigned nawoken;

static void
count_awake(void)
{
	nawoken++;
}

static bool
is_awoken(void)
{
	bool awoken = nawoken > 0;

	nawoken = 0;
	return awoken;
}

/* Who purges sleeps by what pages_watch said, for ever if that was nothing. */
static void
test_a_new_time_wakes_who_purges(void **state)
{
	struct arena *arena;
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, -1), 0);
	free_bytes(arena, MIB);
	assert_true(arena_decay_watch(arena) == UINT64_MAX);
	pages_awake = count_awake;
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, 100), 0);
	pages_awake = NULL;
	assert_true(is_awoken());
	assert_true(arena_decay_watch(arena) < UINT64_MAX);
}

/* Of the arena that had the index before, somebody was to come again. */
static void
test_a_new_arena_wakes_who_purges(void **state)
{
	struct arena *arena;
	unsigned index, anew;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	free_bytes(arena, MIB);
	assert_true(arena_decay_watch(arena) < UINT64_MAX);
	assert_int_equal(arena_destroy(index, NULL), 0);
	assert_int_equal(arena_create(&anew), 0);
	assert_int_equal(anew, index);
	pages_awake = count_awake;
	free_bytes(arena, MIB);
	pages_awake = NULL;
	assert_true(is_awoken());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_burst_follows_the_curve),
		cmocka_unit_test(test_a_long_pause_takes_all_that_is_old),
		cmocka_unit_test(test_what_is_new_stays),
		cmocka_unit_test(test_what_is_freed_during_a_purge_is_new),
		cmocka_unit_test(test_never_is_never_due),
		cmocka_unit_test(test_dirty_becomes_muzzy_becomes_retained),
		cmocka_unit_test(test_deadline_tells_when_there_is_work),
		cmocka_unit_test(test_a_new_time_wakes_who_purges),
		cmocka_unit_test(test_a_new_arena_wakes_who_purges),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
