/*
 * lock_test.c - mutexes: exclusion, counters, ranks, repair after fork; and
 * the metadata memory that stands on them.
 */
#define _GNU_SOURCE
#include "core.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"
#include "lock.h"
#include "smaps.h"

enum { NTHREADS = 4, ROUNDS = 50000, PIECE = 16 << 10 };

static struct lock lock = LOCK_INITIALIZER(RANK_BIN, "test");
static unsigned long counter;
static _Atomic bool about_to_wait;

static void *
add_many(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		lock_acquire(&lock);
		counter++;
		lock_release(&lock);
	}
	return NULL;
}

static void
test_one_holder_at_a_time(void **state)
{
	pthread_t threads[NTHREADS];
	struct lock_stats stats;

	lock_init(&lock, RANK_BIN, "test");
	counter = 0;
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_create(&threads[i], NULL, add_many, NULL);
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(counter, NTHREADS * ROUNDS);
	lock_stats_read(&lock, &stats);
	assert_int_equal(stats.num_ops, NTHREADS * ROUNDS + 1);
	assert_in_range(stats.num_owner_switch, NTHREADS, stats.num_ops);
	assert_true(stats.num_wait + stats.num_spin_acq < stats.num_ops);
}

static void *
wait_for_it(void *arg)
{
	atomic_store(&about_to_wait, true);
	lock_acquire(&lock);
	lock_release(&lock);
	return NULL;
}

static void
test_a_sleeper_is_woken_and_counted(void **state)
{
	struct lock_stats stats;
	pthread_t thread;

	lock_init(&lock, RANK_BIN, "test");
	atomic_store(&about_to_wait, false);
	lock_acquire(&lock);
	pthread_create(&thread, NULL, wait_for_it, NULL);
	while (atomic_load(&lock.state) != 2)	/* somebody sleeps */
		sched_yield();
	lock_release(&lock);
	pthread_join(thread, NULL);
	lock_stats_read(&lock, &stats);
	assert_int_equal(stats.num_wait, 1);
	assert_int_equal(stats.max_num_thds, 1);
	assert_true(stats.total_wait_time >= stats.max_wait_time);
	assert_true(stats.max_wait_time > 0);
}

/* How often this thread has slept. */
static long
sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nvcsw;
}

static void *
have_it_once(void *had)
{
	lock_acquire(&lock);
	atomic_store((_Atomic bool *)had, true);
	lock_release(&lock);
	return NULL;
}

/* Holds of the lock until a thread that sleeps on it has had it; at most max. */
static int
turns_of_a_sleeper(int max)
{
	_Atomic bool had = false;
	pthread_t thread;
	int turns = 0;

	lock_acquire(&lock);
	pthread_create(&thread, NULL, have_it_once, &had);
	while (atomic_load(&lock.state) != 2)
		sched_yield();
	for (; !atomic_load(&had) && turns < max; turns++) {
		lock_release(&lock);
		lock_give_way(&lock);
		lock_acquire(&lock);
	}
	lock_release(&lock);
	pthread_join(thread, NULL);
	return turns;
}

/*
 * 100 turns without giving way take less time than to wake up; half of the
 * sleepers may have no processor so long.
 */
static void
test_a_sleeper_has_its_turn_between_two_holds(void **state)
{
	enum { SLEEPERS = 50, TURNS = 100 };
	int in_time = 0;

	lock_init(&lock, RANK_BIN, "test");
	for (int i = 0; i < SLEEPERS; i++)
		in_time += turns_of_a_sleeper(TURNS) < TURNS;
	assert_in_range(in_time, SLEEPERS / 2, SLEEPERS);
}

static void
test_who_gives_way_waits_for_nobody_in_vain(void **state)
{
	_Atomic bool had = false;
	pthread_t thread;
	long before;

	lock_init(&lock, RANK_BIN, "test");
	lock_acquire(&lock);
	lock_release(&lock);
	before = sleeps();
	for (int i = 0; i < 1000; i++)
		lock_give_way(&lock);
	assert_int_equal(sleeps(), before);
	/* one who waits and never comes: not for ever */
	atomic_store(&lock.waiters, 1);
	lock_give_way(&lock);
	assert_true(sleeps() > before);
	/* another has had the lock since: no need */
	pthread_create(&thread, NULL, have_it_once, &had);
	pthread_join(thread, NULL);
	before = sleeps();
	lock_give_way(&lock);
	assert_int_equal(sleeps(), before);
	atomic_store(&lock.waiters, 0);
}

static void
test_try_takes_only_what_is_free(void **state)
{
	lock_init(&lock, RANK_BIN, "test");
	assert_true(lock_try(&lock));
	assert_false(lock_try(&lock));
	lock_release(&lock);
	assert_true(lock_try(&lock));
	lock_release(&lock);
}

/* The status of a child that runs body. */
static int
child_status(void (*body)(void))
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct rlimit none = { 0, 0 };

		setrlimit(RLIMIT_CORE, &none);
		close(2);
		body();
		_exit(0);
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
invert(void)
{
	struct lock inner = LOCK_INITIALIZER(RANK_BASE, "inner");
	struct lock outer = LOCK_INITIALIZER(RANK_CTL, "outer");

	lock_acquire(&inner);
	lock_acquire(&outer);
}

static void
in_order(void)
{
	struct lock inner = LOCK_INITIALIZER(RANK_BASE, "inner");
	struct lock other = LOCK_INITIALIZER(RANK_BASE, "other");
	struct lock outer = LOCK_INITIALIZER(RANK_CTL, "outer");

	lock_acquire(&outer);
	lock_acquire(&inner);
	lock_acquire(&other);
	lock_release(&outer);
	lock_release(&inner);
	lock_release(&other);
	lock_assert_none_held();
}

static void
test_inverted_ranks_abort(void **state)
{
	int status = child_status(invert);

	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_int_equal(child_status(in_order), 0);
}

static void
repair(void)
{
	lock_reinit_child(&lock);
	lock_assert_none_held();
	lock_acquire(&lock);
	lock_release(&lock);
}

static void
test_a_fork_child_frees_what_was_held(void **state)
{
	lock_init(&lock, RANK_BIN, "test");
	lock_acquire(&lock);
	assert_int_equal(child_status(repair), 0);
	lock_release(&lock);
}

static void
test_base_is_zero_aligned_and_disjoint(void **state)
{
	struct base base;
	unsigned char *last = NULL;
	struct base_stats stats;
	size_t sum = 0;

	base_init(&base, "test");
	for (unsigned i = 0; i < 3000; i++) {
		size_t size = 1 + core_below(i % 50 == 0 ? 300000 : 500);
		size_t align = (size_t)1 << core_below(13);
		unsigned char *p = base_alloc(&base, size, align);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, size);
		if (last != NULL)
			assert_int_equal(*last, 0xff);
		last = p + size - 1;
		sum += size;
	}
	base_stats(&base, &stats);
	assert_in_range(stats.allocated, sum, stats.mapped);
	assert_null(base_alloc(&base, SIZE_MAX / 2, 8));
}

/* Whole pages and pieces of a few bytes in turn: these share pages. */
static void
test_pages_leave_no_holes(void **state)
{
	struct base base;
	struct base_stats stats;
	char *first = NULL, *piece = NULL;

	base_init(&base, "test");
	for (unsigned i = 0; i < 8; i++) {
		char *page = base_alloc(&base, os_page_system,
		    os_page_system);

		assert_non_null(page);
		memset(page, 0xff, os_page_system);
		piece = base_alloc(&base, 8, 8);
		assert_int_equal(*(uint64_t *)piece, 0);
		*(uint64_t *)piece = i;
		if (first == NULL)
			first = piece;
	}
	base_stats(&base, &stats);
	assert_int_equal(stats.allocated, 8 * (os_page_system + 8));
	assert_int_equal(piece - first, 7 * 8);
	assert_int_equal(*(uint64_t *)first, 0);
}

static void
test_pool_recycles(void **state)
{
	struct base base;
	struct base_pool pool;
	void *a, *b;

	base_init(&base, "test");
	base_pool_init(&pool, &base, 128, 128);
	a = base_pool_get(&pool);
	b = base_pool_get(&pool);
	assert_true((char *)b >= (char *)a + 128);
	base_pool_put(&pool, a);
	assert_int_equal(pool.nfree, 1);
	assert_ptr_equal(base_pool_get(&pool), a);
	assert_int_equal(pool.nused, 2);
}

/* Small pieces until so many bytes are handed out; the last one. */
static char *
fill_base(struct base *base, size_t bytes)
{
	char *last = NULL;

	for (size_t done = 0; done < bytes; done += PIECE) {
		last = base_alloc(base, PIECE, 64);
		assert_non_null(last);
		memset(last, 1, PIECE);
	}
	return last;
}

static size_t
huge_pages_of(struct base *base)
{
	struct base_stats stats;

	base_stats(base, &stats);
	return stats.nhuge;
}

static void
test_metadata_without_huge_pages(void **state)
{
	struct base base;

	base_init(&base, "test");
	assert_false(smaps_flag(fill_base(&base, 8 << 20), "hg"));
	assert_int_equal(huge_pages_of(&base), 0);
}

static void
test_metadata_with_huge_pages_always(void **state)
{
	struct base base;
	char *own;

	if (os_thp_mode() == OS_THP_NONE)
		skip();
	base_init(&base, "test");
	base_thp_set(&base, BASE_THP_ALWAYS);
	assert_true(smaps_flag(fill_base(&base, 1), "hg"));
	assert_int_equal(huge_pages_of(&base), 1);
	own = base_alloc(&base, 4 << 20, 4096);
	assert_true(smaps_flag(own, "hg"));
	assert_int_equal((uintptr_t)own % (2 << 20), 0);
	assert_int_equal(huge_pages_of(&base), 3);
	assert_true(smaps_flag(fill_base(&base, 8 << 20), "hg"));
}

static void
test_metadata_with_huge_pages_when_there_is_much(void **state)
{
	struct base base;

	if (os_thp_mode() == OS_THP_NONE)
		skip();
	base_init(&base, "test");
	base_thp_set(&base, BASE_THP_AUTO);
	assert_false(smaps_flag(fill_base(&base, 1 << 20), "hg"));
	assert_int_equal(huge_pages_of(&base), 0);
	assert_true(smaps_flag(fill_base(&base, 8 << 20), "hg"));
	assert_true(huge_pages_of(&base) >= 3);
	/* A table that is hardly touched would cost all of its pages. */
	assert_false(smaps_flag(base_alloc(&base, 2 << 20, 4096), "hg"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_holder_at_a_time),
		cmocka_unit_test(test_a_sleeper_is_woken_and_counted),
		cmocka_unit_test(
		    test_a_sleeper_has_its_turn_between_two_holds),
		cmocka_unit_test(test_who_gives_way_waits_for_nobody_in_vain),
		cmocka_unit_test(test_try_takes_only_what_is_free),
		cmocka_unit_test(test_inverted_ranks_abort),
		cmocka_unit_test(test_a_fork_child_frees_what_was_held),
		cmocka_unit_test(test_base_is_zero_aligned_and_disjoint),
		cmocka_unit_test(test_pages_leave_no_holes),
		cmocka_unit_test(test_pool_recycles),
		cmocka_unit_test(test_metadata_without_huge_pages),
		cmocka_unit_test(test_metadata_with_huge_pages_always),
		cmocka_unit_test(
		    test_metadata_with_huge_pages_when_there_is_much),
	};

	core_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
