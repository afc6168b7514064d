/*
 * percpu_test.c - percpu_arena: a thread's arena follows its CPU.
 *
 * The tests move threads by affinity; where this process may use one CPU only
 * those that need two are skipped. narenas is given, so that the arenas are
 * per CPU even where the process may not use all.
 */
#define _GNU_SOURCE
#include "core.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names.h"
#include "narenas.h"
#include "thread.h"

/* The library has read it before main. */
const char *malloc_conf = "percpu_arena:percpu,narenas:64";

enum { NTHREADS = 8, NHOPS = 200, LARGE = 16 << 20 };

static int cpus[2];			/* two that we may use */
static unsigned ncpus;

static void
pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
	while (sched_getcpu() != cpu)
		sched_yield();
}

static unsigned
home_of(const void *ptr)
{
	return extent_arena(pagemap_extent(pagemap_get(ptr)));
}

/* Where a block comes from that no cache keeps. */
static unsigned
arena_used(size_t size)
{
	void *ptr = mallocx(size, MALLOCX_TCACHE_NONE);
	unsigned index = home_of(ptr);

	dallocx(ptr, MALLOCX_TCACHE_NONE);
	return index;
}

static void
need_two_cpus(void)
{
	if (ncpus < 2)
		skip();
}

static void
test_each_cpu_has_its_arena(void **state)
{
	unsigned first[2];

	need_two_cpus();
	for (unsigned round = 0; round < 6; round++) {
		unsigned large, small;

		pin(cpus[round % 2]);
		large = arena_used(LARGE);
		small = arena_used(100);
		assert_int_equal(large, small);
		if (round < 2)
			first[round] = large;
		assert_int_equal(large, first[round % 2]);
	}
	assert_int_not_equal(first[0], first[1]);
}

/* What a cache holds stays in it; the next fill is from the new CPU's. */
static void
test_the_cache_is_filled_from_the_new_arena(void **state)
{
	static void *blocks[4096];
	unsigned there, here;

	need_two_cpus();
	pin(cpus[0]);
	there = arena_used(LARGE);
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(home_of(blocks[i] = malloc(640)), there);
	pin(cpus[1]);
	here = arena_used(LARGE);
	for (unsigned i = 10; i < 4096; i++)
		blocks[i] = malloc(640);
	assert_int_equal(home_of(blocks[4095]), here);
	for (unsigned i = 0; i < 4096; i++)
		free(blocks[i]);
	thread_tcache_flush(thread_self());
	arena_check(arena_get(there, false));
	arena_check(arena_get(here, false));
}

static int
set_thread_arena(unsigned index)
{
	return mallctl("thread.arena", NULL, NULL, &index, sizeof index);
}

static unsigned
thread_arena(void)
{
	unsigned index;
	size_t size = sizeof index;

	assert_int_equal(mallctl("thread.arena", &index, &size, NULL, 0), 0);
	return index;
}

static void *
bind_and_move(void *arg)
{
	unsigned index = *(unsigned *)arg;

	pin(cpus[0]);
	assert_int_equal(set_thread_arena(index), 0);
	for (unsigned i = 0; i < 4; i++) {
		pin(cpus[i % 2]);
		assert_int_equal(arena_used(LARGE), index);
		assert_int_equal(arena_used(100), index);
		assert_int_equal(thread_arena(), index);
	}
	return NULL;
}

static void
test_a_bound_thread_stays(void **state)
{
	pthread_t id;
	unsigned index;

	need_two_cpus();
	assert_int_equal(arena_create(&index), 0);
	assert_int_equal(pthread_create(&id, NULL, bind_and_move, &index), 0);
	pthread_join(id, NULL);
	assert_int_equal(arena_get(index, false)->nthreads, 0);
}

/* jemalloc's answers. */
static void
test_only_the_cpu_decides_between_its_arenas(void **state)
{
	unsigned own;

	need_two_cpus();
	pin(cpus[0]);
	own = thread_arena();
	assert_int_equal(set_thread_arena(own), 0);
	assert_int_equal(set_thread_arena(arena_cpu_index((unsigned)cpus[1])),
	    EPERM);
	assert_int_equal(thread_arena(), own);
	assert_int_equal(set_thread_arena(4000), EFAULT);
}

static void *
hop(void *arg)
{
	unsigned *seed = arg;
	void *blocks[32] = { NULL };

	for (unsigned i = 0; i < NHOPS; i++) {
		unsigned at = i * 7 % 32;

		if (ncpus > 1)
			pin(cpus[(*seed + i) % 2]);
		free(blocks[at]);
		blocks[at] = malloc(100 + (*seed * 977 + i * 131) % 60000);
	}
	for (unsigned i = 0; i < 32; i++)
		free(blocks[i]);
	return NULL;
}

static unsigned
threads_of_all_arenas(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = arena_get(i, false);

		if (arena == NULL)
			continue;
		assert_true(arena->nthreads <= NTHREADS + 2);
		sum += arena->nthreads;
	}
	return sum;
}

static void
test_moving_threads_are_counted_once(void **state)
{
	pthread_t ids[NTHREADS];
	unsigned seeds[NTHREADS], before = threads_of_all_arenas();

	assert_int_equal(before, 1);
	for (unsigned i = 0; i < NTHREADS; i++) {
		seeds[i] = i;
		assert_int_equal(pthread_create(&ids[i], NULL, hop,
		    &seeds[i]), 0);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(ids[i], NULL);
	assert_int_equal(threads_of_all_arenas(), 1);
	for (unsigned i = 0; i < arenas_count(); i++)
		if (arena_get(i, false) != NULL)
			arena_check(arena_get(i, false));
}

/* A thread between two arenas is counted in both; the child has none. */
static void
test_a_fork_child_counts_itself_only(void **state)
{
	struct arena *arena = arena_get(0, true);
	pid_t pid;
	int status;

	arena_join(arena);
	pid = fork();
	if (pid == 0)
		_exit(threads_of_all_arenas() == 1 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	arena_leave(arena);
}

static void
test_a_core_s_cpus_share_an_arena(void **state)
{
	struct arena_cpus before = arena_cpus;

	arena_cpus = (struct arena_cpus){ .count = 4, .half = 4 };
	for (unsigned cpu = 0; cpu < 4; cpu++) {
		assert_int_equal(arena_cpu_index(cpu), cpu);
		assert_int_equal(arena_cpu_index(cpu + 4), cpu);
	}
	arena_cpus.neighbours = true;
	for (unsigned cpu = 0; cpu < 8; cpu++)
		assert_int_equal(arena_cpu_index(cpu), cpu / 2);
	/* A CPU plugged in later has some arena all the same. */
	assert_true(arena_cpu_index(1000) < 4);
	arena_cpus = before;
}

static void
test_lists_of_cpus(void **state)
{
	assert_int_equal(narenas_cpu_list_count("0-3\n"), 4);
	assert_int_equal(narenas_cpu_list_count("0\n"), 1);
	assert_int_equal(narenas_cpu_list_count("0,2-5,9-10\n"), 7);
	assert_int_equal(narenas_cpu_list_count(""), 0);
	assert_int_equal(narenas_cpu_list_count("none"), 0);
	assert_true(narenas_cpu_list_neighbours("0-1\n"));
	assert_true(narenas_cpu_list_neighbours("0,1\n"));
	assert_false(narenas_cpu_list_neighbours("0,4\n"));
	assert_false(narenas_cpu_list_neighbours("0\n"));
	assert_false(narenas_cpu_list_neighbours(""));
}

static void
find_cpus(void)
{
	cpu_set_t set;

	sched_getaffinity(0, sizeof set, &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && ncpus < 2; cpu++)
		if (CPU_ISSET(cpu, &set))
			cpus[ncpus++] = cpu;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_cpu_has_its_arena),
		cmocka_unit_test(test_the_cache_is_filled_from_the_new_arena),
		cmocka_unit_test(test_a_bound_thread_stays),
		cmocka_unit_test(test_only_the_cpu_decides_between_its_arenas),
		cmocka_unit_test(test_moving_threads_are_counted_once),
		cmocka_unit_test(test_a_fork_child_counts_itself_only),
		cmocka_unit_test(test_a_core_s_cpus_share_an_arena),
		cmocka_unit_test(test_lists_of_cpus),
	};

	find_cpus();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
