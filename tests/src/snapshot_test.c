/*
 * snapshot_test.c - the figures of stats.*: what they sum up to, what becomes
 * of a destroyed arena's, that they nest while threads hammer.
 */
#include "core.h"

#include <pthread.h>

#include "mallctl.h"
#include "names.h"

static uint64_t
get(const char *name, size_t size)
{
	uint64_t value = 0;
	size_t len = size;
	int error = mallctl(name, &value, &len, NULL, 0);

	if (error != 0)
		fail_msg("%s: %s", name, strerror(error));
	assert_int_equal(len, size);
	return value;
}

/* A 64-bit figure of one arena. */
static uint64_t
get_of(unsigned arena, const char *name)
{
	char full[128];

	snprintf(full, sizeof full, "stats.arenas.%u.%s", arena, name);
	return get(full, 8);
}

static void
refresh(void)
{
	uint64_t epoch = 1;

	assert_int_equal(mallctl("epoch", NULL, NULL, &epoch, sizeof epoch),
	    0);
}

static unsigned
create(void)
{
	unsigned index;
	size_t len = sizeof index;

	assert_int_equal(mallctl("arenas.create", &index, &len, NULL, 0), 0);
	return index;
}

static void
destroy(unsigned index)
{
	char name[64];

	snprintf(name, sizeof name, "arena.%u.destroy", index);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), 0);
}

static int
flags_of(unsigned arena)
{
	return MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
}

/* --- destroyed arenas ----------------------------------------------------- */

static void
test_no_arena_was_destroyed(void **state)
{
	uint64_t value;
	size_t len = sizeof value;

	(void)state;
	refresh();
	assert_int_equal(get("arena.4097.initialized", 1), false);
	assert_int_equal(mallctl("stats.arenas.4097.small.nmalloc", &value,
	    &len, NULL, 0), ENOENT);
}

/* 50 small blocks and 3 large ones; some are freed. */
static void
use_and_destroy(unsigned arena)
{
	int flags = flags_of(arena);
	void *small = NULL, *large;

	for (int i = 0; i < 50; i++)
		small = mallocx(100, flags);
	dallocx(small, flags);
	for (int i = 0; i < 3; i++)
		large = mallocx(100000, flags);
	dallocx(large, flags);
	destroy(arena);
}

static void
test_destroyed_arenas_keep_their_counts(void **state)
{
	unsigned first = create(), second = create();
	uint64_t nmalloc;

	(void)state;
	refresh();
	nmalloc = get_of(MALLCTL_ARENAS_ALL, "small.nmalloc");
	use_and_destroy(first);
	use_and_destroy(second);
	refresh();
	assert_int_equal(get("arena.4097.initialized", 1), true);
	assert_int_equal(get_of(4097, "small.nmalloc"), 100);
	assert_int_equal(get_of(4097, "small.ndalloc"), 100);
	assert_int_equal(get_of(4097, "large.nmalloc"), 6);
	assert_int_equal(get_of(4097, "large.ndalloc"), 6);
	assert_true(get_of(4097, "dirty_purged") >= 6 * 100000 / os_page);
	assert_true(get_of(4097, "mutexes.extents_dirty.num_ops") > 0);
	/* the living ones' sum does not have them any more */
	assert_int_equal(get_of(MALLCTL_ARENAS_ALL, "small.nmalloc"),
	    nmalloc);
}

static void
test_destroyed_arenas_have_no_memory(void **state)
{
	static const char *const sizes[] = {
		"pactive", "pdirty", "pmuzzy", "mapped", "retained", "base",
		"internal", "resident", "tcache_bytes", "extent_avail",
		"small.allocated", "large.allocated", "uptime",
	};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		assert_int_equal(get_of(4097, sizes[i]), 0);
	assert_int_equal(get("stats.arenas.4097.nthreads", 4), 0);
}

static void
test_next_arena_of_the_number_counts_from_zero(void **state)
{
	unsigned arena = create(), again;

	(void)state;
	use_and_destroy(arena);
	again = create();
	assert_int_equal(again, arena);
	refresh();
	assert_int_equal(get_of(again, "small.nmalloc"), 0);
	assert_int_equal(get_of(again, "large.nmalloc"), 0);
	assert_int_equal(get_of(again, "dirty_npurge"), 0);
	destroy(again);
}

/* Purging "arena 4097" purges none of the living. */
static void
test_actions_find_no_destroyed_arena(void **state)
{
	static const char *const refused[] = {
		"arena.4097.reset", "arena.4097.destroy",
	};
	unsigned arena = create();
	int flags = flags_of(arena);

	(void)state;
	dallocx(mallocx(1 << 20, flags), flags);
	assert_int_equal(mallctl("arena.4097.purge", NULL, NULL, NULL, 0), 0);
	refresh();
	assert_true(get_of(arena, "pdirty") >= (1 << 20) / os_page);
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
		assert_int_equal(mallctl(refused[i], NULL, NULL, NULL, 0),
		    EFAULT);
	destroy(arena);
}

/* --- sums ----------------------------------------------------------------- */

static void
test_what_a_reset_drops_is_not_live(void **state)
{
	unsigned arena = create();
	uint64_t live;

	(void)state;
	refresh();
	live = get("stats.live", 8);
	for (int i = 0; i < 1000; i++)
		mallocx(i % 100 == 0 ? 50000 : 100, flags_of(arena));
	refresh();
	assert_true(get("stats.live", 8) > live + 990 * 100);
	destroy(arena);
	refresh();
	assert_int_equal(get("stats.live", 8), live);
	assert_int_equal(get("stats.live", 8) +
	    get("stats.tcache_bytes", 8), get("stats.allocated", 8));
}

/* --- locks ---------------------------------------------------------------- */

/* Samples every block: the profiler's locks are taken a thousand times. */
static void
profile_a_thousand(void)
{
	bool on = true, off = false;
	size_t lg = 0;

	assert_int_equal(mallctl("prof.active", NULL, NULL, &on, sizeof on),
	    0);
	assert_int_equal(mallctl("prof.reset", NULL, NULL, &lg, sizeof lg),
	    0);
	for (int i = 0; i < 1000; i++) {
		void *volatile ptr = malloc(100);

		free(ptr);
	}
	assert_int_equal(mallctl("prof.active", NULL, NULL, &off,
	    sizeof off), 0);
}

static void
test_locks_of_the_profiler_are_counted(void **state)
{
	static const char *const names[] = {
		"stats.mutexes.prof.num_ops",
		"stats.mutexes.prof_thds_data.num_ops",
	};
	uint64_t before[2];

	(void)state;
	if (!CONFIG_PROF)
		skip();
	profile_a_thousand();
	refresh();
	for (int i = 0; i < 2; i++) {
		before[i] = get(names[i], 8);
		assert_true(before[i] >= 1000);
	}
	assert_int_equal(mallctl("stats.mutexes.reset", NULL, NULL, NULL, 0),
	    0);
	refresh();
	for (int i = 0; i < 2; i++)
		assert_true(get(names[i], 8) < before[i] / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_arena_was_destroyed),
		cmocka_unit_test(test_destroyed_arenas_keep_their_counts),
		cmocka_unit_test(test_destroyed_arenas_have_no_memory),
		cmocka_unit_test(
		    test_next_arena_of_the_number_counts_from_zero),
		cmocka_unit_test(test_actions_find_no_destroyed_arena),
		cmocka_unit_test(test_what_a_reset_drops_is_not_live),
		cmocka_unit_test(test_locks_of_the_profiler_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
