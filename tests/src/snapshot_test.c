/*
 * snapshot_test.c - the figures of stats.*: what they sum up to, what becomes
 * of a destroyed arena's, that they nest while threads hammer.
 */
#include "core.h"

#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

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

static void
test_approximate_figure_of_a_quiet_process(void **state)
{
	void *block = mallocx(50 * os_page, MALLOCX_TCACHE_NONE);
	uint64_t before;

	(void)state;
	refresh();
	before = get("stats.active", 8);
	assert_int_equal(get("approximate_stats.active", 8), before);
	dallocx(block, MALLOCX_TCACHE_NONE);
	/* at once, while the snapshot stays */
	assert_true(get("approximate_stats.active", 8) <=
	    before - 50 * os_page);
	assert_int_equal(get("stats.active", 8), before);
}

static void
test_name_of_an_arena(void **state)
{
	unsigned arena = create();
	const char *name = "config 7", *out;
	size_t len = sizeof out;
	char full[64];

	(void)state;
	snprintf(full, sizeof full, "arena.%u.name", arena);
	assert_int_equal(mallctl(full, NULL, NULL, &name, sizeof name), 0);
	refresh();
	snprintf(full, sizeof full, "stats.arenas.%u.name", arena);
	assert_int_equal(mallctl(full, &out, &len, NULL, 0), 0);
	assert_string_equal(out, name);
	destroy(arena);
}

/* --- while threads go on -------------------------------------------------- */

enum { NTHREADS = 8, NSNAPSHOTS = 300, NHELD = 256 };

static _Atomic bool stop;
static _Atomic unsigned nrunning;

/* Blocks of all kinds come and go, and arenas' pages with them. */
static void *
hammer(void *arg)
{
	void *held[NHELD] = { malloc(1) };
	uint64_t state = (uint64_t)(uintptr_t)arg;

	/* Its arena is there, and in the next snapshot. */
	nrunning++;
	while (!stop) {
		size_t i, size;

		state = state * 6364136223846793005u + 1442695040888963407u;
		i = state >> 33 & (NHELD - 1);
		size = state >> 41 & 15 ? state >> 45 & 4095 : state >> 45;
		free(held[i]);
		held[i] = malloc(size);
	}
	for (size_t i = 0; i < NHELD; i++)
		free(held[i]);
	return NULL;
}

static void
check_nesting(void)
{
	uint64_t allocated = get("stats.allocated", 8);
	uint64_t active = get("stats.active", 8);
	uint64_t resident = get("stats.resident", 8);
	uint64_t mapped = get("stats.mapped", 8);

	if (allocated > active || active > resident || resident > mapped)
		fail_msg("allocated %" PRIu64 ", active %" PRIu64
		    ", resident %" PRIu64 ", mapped %" PRIu64, allocated,
		    active, resident, mapped);
}

/* Of the arenas that there are; 4096's is their sum. */
static void
check_sum(const char *name)
{
	unsigned narenas = (unsigned)get("arenas.narenas", 4);
	uint64_t sum = 0;

	for (unsigned i = 0; i < narenas; i++) {
		char full[64];

		snprintf(full, sizeof full, "arena.%u.initialized", i);
		if (get(full, 1) != 0)
			sum += get_of(i, name);
	}
	assert_int_equal(get_of(MALLCTL_ARENAS_ALL, name), sum);
}

static void
test_figures_nest_while_threads_hammer(void **state)
{
	static const char *const sums[] = {
		"small.allocated", "large.allocated", "small.nmalloc",
		"pactive", "pdirty", "mapped", "resident", "retained",
		"bins.8.curregs", "mutexes.extents_dirty.num_ops",
		"metadata_edata",
	};
	pthread_t threads[NTHREADS];

	(void)state;
	for (size_t i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, hammer,
		    (void *)(i + 1)), 0);
	while (nrunning < NTHREADS)
		sched_yield();
	for (int n = 0; n < NSNAPSHOTS; n++) {
		refresh();
		check_nesting();
		for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
			check_sum(sums[i]);
	}
	stop = true;
	for (size_t i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
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
		cmocka_unit_test(test_approximate_figure_of_a_quiet_process),
		cmocka_unit_test(test_name_of_an_arena),
		cmocka_unit_test(test_figures_nest_while_threads_hammer),
		cmocka_unit_test(test_locks_of_the_profiler_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
