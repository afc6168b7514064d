/*
 * lock_test.c - mutexes: exclusion, counters, ranks, repair after fork.
 */
#define _GNU_SOURCE
#include "core.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"

enum { NTHREADS = 4, ROUNDS = 50000 };

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
