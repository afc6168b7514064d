/*
 * worker_test.c - the task: its start, its end, its restart, its memory.
 */
#define _GNU_SOURCE
#include "worker.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os.h"

enum { LONG_MS = 20000 };

static __thread long local = 42;	/* every thread's image has 42 */
static _Atomic unsigned served;
static _Atomic unsigned long asked, answered;
static _Atomic int task;
static _Atomic long task_local;
static _Atomic uint64_t task_mask;
static _Atomic uint32_t gate;		/* serve waits while it is 1 */

static void
serve(void)
{
	uint64_t mask = 0;
	unsigned long now = atomic_load(&asked);

	atomic_store(&task, os_tid());
	atomic_store(&task_local, local);
	local = 42;
	os_syscall4(SYS_rt_sigprocmask, 0, NULL, &mask, sizeof mask);
	atomic_store(&task_mask, mask);
	atomic_fetch_add(&served, 1);
	while (atomic_load(&gate) != 0)
		os_yield();
	atomic_store(&answered, now);
}

static int
threads_now(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *entry;
	int n = 0;

	while ((entry = readdir(dir)) != NULL)
		n += entry->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void
wait_for_threads(int n)
{
	uint64_t end = os_now_ns() + LONG_MS * UINT64_C(1000000);

	while (threads_now() != n && os_now_ns() < end)
		os_yield();
	assert_int_equal(threads_now(), n);
}

static int
setup(void **state)
{
	const struct worker_options options = { .serve = serve };

	os_init();
	return worker_start(&options);
}

static void
test_no_task_at_rest(void **state)
{
	assert_int_equal(threads_now(), 1);
	assert_false(worker_running());
}

static void
test_wake_serves_in_another_task_that_ends(void **state)
{
	unsigned before = atomic_load(&served);

	assert_int_equal(worker_wake(), 0);
	assert_true(worker_wait(LONG_MS));
	assert_true(atomic_load(&served) > before);
	assert_int_not_equal(atomic_load(&task), os_tid());
	wait_for_threads(1);
}

static void
test_task_blocks_all_signals(void **state)
{
	uint64_t unblockable = UINT64_C(1) << (SIGKILL - 1) |
	    UINT64_C(1) << (SIGSTOP - 1), mine = 0;

	worker_wake();
	assert_true(worker_wait(LONG_MS));
	assert_true((atomic_load(&task_mask) | unblockable) == UINT64_MAX);
	os_syscall4(SYS_rt_sigprocmask, 0, NULL, &mine, sizeof mine);
	assert_true(mine == 0);
}

static void
test_task_has_its_own_thread_local_data(void **state)
{
	local = 7;
	worker_wake();
	assert_true(worker_wait(LONG_MS));
	assert_int_equal(atomic_load(&task_local), 42);
	assert_int_equal(local, 7);
}

/* What is asked for before a wake is answered, however the task ends. */
static void *
waker(void *arg)
{
	for (int i = 0; i < 3000; i++) {
		unsigned long mine = atomic_fetch_add(&asked, 1) + 1;
		uint64_t end = os_now_ns() + LONG_MS * UINT64_C(1000000);

		while (worker_wake() != 0)
			os_yield();
		while (atomic_load(&answered) < mine) {
			if (os_now_ns() >= end)
				return "a wake was lost";
			os_yield();
		}
	}
	return NULL;
}

static void
test_no_wake_is_lost(void **state)
{
	pthread_t threads[3];
	void *said;

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, waker, NULL);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &said);
		assert_null(said);
	}
	assert_true(worker_wait(LONG_MS));
	wait_for_threads(1);
}

static void
on_signal(int number)
{
	worker_wake();
}

static void
test_wake_in_a_signal_handler(void **state)
{
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < 200; i++) {
		unsigned before = atomic_load(&served);

		raise(SIGUSR1);
		assert_true(worker_wait(LONG_MS));
		assert_true(atomic_load(&served) > before);
	}
}

static int
child_status(void (*run)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		run();
		_exit(1);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void
serve_in_child(void)
{
	unsigned before;

	worker_fork_child();
	before = atomic_load(&served);
	atomic_store(&gate, 0);
	if (worker_wake() == 0 && worker_wait(LONG_MS) &&
	    atomic_load(&served) > before && atomic_load(&task_local) == 42)
		_exit(0);
}

static void
test_fork_child_has_a_task_of_its_own(void **state)
{
	assert_int_equal(child_status(serve_in_child), 0);
}

static void
test_fork_while_the_task_works(void **state)
{
	unsigned before = atomic_load(&served);

	atomic_store(&gate, 1);
	worker_wake();
	while (atomic_load(&served) == before)
		os_yield();
	assert_false(worker_wait(1));
	assert_int_equal(child_status(serve_in_child), 0);
	atomic_store(&gate, 0);
	assert_true(worker_wait(LONG_MS));
}

static void
exit_while_working(void)
{
	unsigned before;

	worker_fork_child();
	before = atomic_load(&served);
	atomic_store(&gate, 1);
	worker_wake();
	while (atomic_load(&served) == before)
		os_yield();
	_exit(0);
}

static void
exec_while_working(void)
{
	unsigned before;

	worker_fork_child();
	before = atomic_load(&served);
	atomic_store(&gate, 1);
	worker_wake();
	while (atomic_load(&served) == before)
		os_yield();
	execl("/bin/true", "true", (char *)NULL);
}

static void
test_exit_and_exec_end_the_task(void **state)
{
	assert_int_equal(child_status(exit_while_working), 0);
	assert_int_equal(child_status(exec_while_working), 0);
}

/* A resident thread would make the kernel refuse. */
static void
unshare_at_rest(void)
{
	worker_fork_child();
	worker_wake();
	worker_wait(LONG_MS);
	wait_for_threads(1);
	if (unshare(CLONE_NEWUSER) == 0)
		_exit(0);
	_exit(errno == EINVAL ? 1 : 0);	/* EPERM: not allowed here at all */
}

static void
test_unshare_works_at_rest(void **state)
{
	assert_int_equal(child_status(unshare_at_rest), 0);
}

/* After unshare(CLONE_NEWPID) the kernel makes no threads at all. */
static void
serve_without_a_task(void)
{
	unsigned before;

	worker_fork_child();
	if (unshare(CLONE_NEWPID) != 0)
		_exit(errno == EPERM ? 0 : 2);
	before = atomic_load(&served);
	if (worker_wake() == 0)
		_exit(3);
	if (worker_serve_here() && atomic_load(&served) > before &&
	    atomic_load(&task) == os_tid())
		_exit(0);
}

static void
test_serves_here_where_no_task_can_be_made(void **state)
{
	assert_int_equal(child_status(serve_without_a_task), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_task_at_rest),
		cmocka_unit_test(test_wake_serves_in_another_task_that_ends),
		cmocka_unit_test(test_task_blocks_all_signals),
		cmocka_unit_test(test_task_has_its_own_thread_local_data),
		cmocka_unit_test(test_wake_in_a_signal_handler),
		cmocka_unit_test(test_fork_child_has_a_task_of_its_own),
		cmocka_unit_test(test_fork_while_the_task_works),
		cmocka_unit_test(test_exit_and_exec_end_the_task),
		cmocka_unit_test(test_unshare_works_at_rest),
		cmocka_unit_test(test_serves_here_where_no_task_can_be_made),
		cmocka_unit_test(test_no_wake_is_lost),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
