/*
 * trigger_test.c - signals, requests, intervals and forks, each in a process
 * of its own: what is installed once cannot be taken back.
 */
#define _GNU_SOURCE
#include "trigger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dump.h"
#include "fake_cut.h"
#include "fake_prof.h"
#include "generation.h"
#include "sigwatch.h"

static char folder[] = "/tmp/trigger_test.XXXXXX";
static const struct ctlpage *page;

/* In a child: a condition that is not met ends it, and says where. */
#define CHECK(e) do {							\
	if (!(e)) {							\
		fprintf(stderr, "line %d: %s\n", __LINE__, #e);		\
		_exit(1);						\
	}								\
} while (0)

/* --- the process under test ---------------------------------------------- */

static struct prof_thread *
guard_enter(void)
{
	return NULL;
}

static void
guard_leave(void)
{
}

/* Runs in the worker. The name comes when the file is whole. */
static int
stats(int fd)
{
	char link[32], name[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof name);
	if (n < 4 || memcmp(name + n - 4, ".tmp", 4) != 0 ||
	    (fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0)
		return EEXIST;
	return write(fd, "{}\n", 3) == 3 ? 0 : EIO;
}

static const struct prof_host host = { .version = "0.1.0-test",
    .guard_enter = guard_enter, .guard_leave = guard_leave, .stats = stats };

/* Options with the files of this one test. */
static struct prof_options
options_here(void)
{
	char prefix[PROF_PREFIX_MAX];
	struct prof_options options;

	snprintf(prefix, sizeof prefix, "%s/%d", folder, (int)getpid());
	options = fake_options(prefix);
	options.signal = -1;
	return options;
}

static void
start(const struct prof_options *options)
{
	int count;

	dump_boot(options, &host);
	trigger_boot(options, &host);
	CHECK(trigger_start() == 0);
	page = fake_page(&count);
	CHECK(page != NULL && count == 1);
}

static int
files(const char *pattern)
{
	char path[PATH_MAX];
	glob_t found;
	int n;

	snprintf(path, sizeof path, "%s/%d.%s", folder, (int)getpid(),
	    pattern);
	glob(path, 0, NULL, &found);
	n = (int)found.gl_pathc;
	globfree(&found);
	return n;
}

/* Waits until all that is asked for is done; a child's alarm ends it else. */
static void
settle(void)
{
	volatile const struct ctlpage *now = page;

	while (now->done != now->requests || (now->seq & 1) != 0)
		os_yield();
}

static const struct ctlpage_ack *
ack_of(uint32_t id)
{
	for (size_t i = 0; i < CTLPAGE_ACKS; i++) {
		if (page->acks[i].id == id)
			return &page->acks[i];
	}
	return NULL;
}

static void
request(unsigned verb, uint32_t id)
{
	union sigval value;

	value.sival_ptr = (void *)(uintptr_t)CTL_SI_VALUE(verb, id);
	CHECK(sigqueue(getpid(), SIGUSR2, value) == 0);
}

static void
in_child(void (*run)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		run();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

/* --- the handler --------------------------------------------------------- */

static void
plain_signal(void)
{
	struct prof_options options = options_here();
	struct sigaction action;

	start(&options);
	CHECK(page->signal == SIGUSR2);
	CHECK((page->flags & CTLPAGE_OURS) != 0);
	sigaction(SIGUSR2, NULL, &action);
	CHECK((action.sa_flags & SA_SIGINFO) && (action.sa_flags &
	    SA_RESTART) && (action.sa_flags & SA_ONSTACK));
	errno = EDOM;
	raise(SIGUSR2);
	CHECK(errno == EDOM);
	settle();
	CHECK(files("*.s0.pb") == 1 && files("*") == 1);
	CHECK(page->dumps == 1 && page->requests == 1);
	CHECK(strstr(page->last_file, ".0.s0.pb") != NULL);
}

static void
test_plain_signal_dumps(void **state)
{
	in_child(plain_signal);
}

/* At least one dump that begins after the last of them, and no crowd. */
static void
burst(void)
{
	struct prof_options options = options_here();
	uint32_t cuts;

	start(&options);
	for (int i = 0; i < 99; i++)
		raise(SIGUSR2);
	cuts = fake_cuts;
	raise(SIGUSR2);
	settle();
	CHECK(fake_cuts > cuts);
	CHECK(page->requests == 100 && page->dumps <= 100);
	CHECK(files("*.pb") == (int)page->dumps);
}

static void
test_burst_gives_a_dump_after_the_last(void **state)
{
	in_child(burst);
}

/* While a dump runs others wait, and one dump answers them all. */
static void
merge(void)
{
	struct prof_options options = options_here();

	start(&options);
	atomic_store(&fake_hold, 1);
	raise(SIGUSR2);
	while (atomic_load(&fake_open) == 0)
		os_yield();
	for (int i = 0; i < 50; i++)
		raise(SIGUSR2);
	request(CTL_DUMP, 71);
	request(CTL_DUMP, 72);
	request(CTL_DUMP, 72);
	atomic_store(&fake_hold, 0);
	settle();
	CHECK(files("*.pb") == 2);
	CHECK(ack_of(71) != NULL && ack_of(72) != NULL);
	CHECK(strcmp(ack_of(71)->file, ack_of(72)->file) == 0);
}

static void
test_waiting_requests_merge(void **state)
{
	in_child(merge);
}

static void
read_restarts(void)
{
	struct prof_options options = options_here();
	int fds[2];
	char c = 0;
	pid_t pid;

	start(&options);
	CHECK(pipe(fds) == 0);
	pid = fork();
	if (pid == 0) {
		/* Signals until the reader has had one, then the byte. */
		while (page->requests == 0) {
			kill(getppid(), SIGUSR2);
			usleep(1000);
		}
		_exit(write(fds[1], "x", 1) != 1);
	}
	CHECK(read(fds[0], &c, 1) == 1 && c == 'x');
	waitpid(pid, NULL, 0);
}

static void
test_interrupted_calls_restart(void **state)
{
	in_child(read_restarts);
}

/* A queued value that is not ours is a plain signal. */
static void
foreign_value(void)
{
	struct prof_options options = options_here();
	union sigval value = { .sival_int = CTL_OFF };

	start(&options);
	sigqueue(getpid(), SIGUSR2, value);
	settle();
	CHECK(fake_active && files("*.s0.pb") == 1);
}

static void
test_foreign_value_is_a_plain_signal(void **state)
{
	in_child(foreign_value);
}

/* --- requests ------------------------------------------------------------ */

static void
dump_request(void)
{
	struct prof_options options = options_here();

	options.format = PROF_FORMAT_BOTH;
	start(&options);
	request(CTL_DUMP, 5);
	settle();
	CHECK(ack_of(5) != NULL && ack_of(5)->error == 0);
	CHECK(ack_of(5)->formats == (CTLPAGE_PB | CTLPAGE_HEAP));
	CHECK(access(ack_of(5)->file, R_OK) == 0);
	/* A repeat of what was answered does nothing. */
	request(CTL_DUMP, 5);
	settle();
	CHECK(page->dumps == 1);
	CHECK(files("*") == 2);
}

static void
test_dump_request_is_served_once(void **state)
{
	in_child(dump_request);
}

/* Also when the ack of it is long off the page. */
static void
rotate_request(void)
{
	struct prof_options options = options_here();
	uint32_t before = generation_current();

	start(&options);
	CHECK((page->verbs >> CTL_ROTATE & 1) != 0);
	for (int i = 0; i < 20; i++)
		request(CTL_ROTATE, 5);
	settle();
	CHECK(generation_current() == before + 1);
	CHECK(ack_of(5)->error == 0 && ack_of(5)->formats == before + 1);
	for (uint32_t id = 10; id < 10 + CTLPAGE_ACKS; id++) {
		request(CTL_STATUS, id);
		settle();
	}
	CHECK(ack_of(5) == NULL);
	request(CTL_ROTATE, 5);
	settle();
	CHECK(generation_current() == before + 1);
	CHECK(ack_of(5) != NULL && ack_of(5)->formats == before + 1);
	request(CTL_ROTATE, 6);
	settle();
	CHECK(generation_current() == before + 2);
	CHECK(files("*") == 0);
}

static void
test_rotate_request_counts_once(void **state)
{
	in_child(rotate_request);
}

static void
on_off(void)
{
	struct prof_options options = options_here();

	start(&options);
	request(CTL_OFF, 1);
	settle();
	CHECK(!fake_active && ack_of(1)->error == 0);
	CHECK((page->flags & CTLPAGE_ACTIVE) == 0);
	request(CTL_ON, 2);
	settle();
	CHECK(fake_active && ack_of(2)->verb == CTL_ON);
	CHECK((page->flags & CTLPAGE_ACTIVE) != 0);
	CHECK(files("*") == 0);
}

static void
test_on_and_off(void **state)
{
	in_child(on_off);
}

static void
status_and_stats(void)
{
	struct prof_options options = options_here();

	start(&options);
	request(CTL_STATUS, 1);
	request(CTL_STATS, 2);
	settle();
	CHECK(ack_of(1)->error == 0 && page->rate == 524288);
	CHECK(page->samples_live == 11 && page->dropped_samples == 12 &&
	    page->dropped_bytes == 13 && page->profiler_bytes == 14);
	CHECK(strcmp(page->strata_version, "0.1.0-test") == 0);
	CHECK(ack_of(2)->error == 0 && files("*.stats.json") == 1);
	CHECK((page->verbs >> CTL_STATS & 1) != 0);
}

static void
test_status_and_stats(void **state)
{
	in_child(status_and_stats);
}

static void
not_offered(void)
{
	struct prof_options options = options_here();

	start(&options);
	CHECK((page->verbs & 1u << CTL_LEAKS) == 0);
	request(CTL_LEAKS, 1);
	request(200, 3);
	settle();
	CHECK(ack_of(1)->error == ENOSYS);
	CHECK(ack_of(3)->error == ENOSYS);
	CHECK(files("*") == 0);
}

static void
test_verbs_not_offered(void **state)
{
	in_child(not_offered);
}

static void
failed_dump(void)
{
	struct prof_options options = options_here();

	strcpy(options.prefix, "/missing/folder/x");
	start(&options);
	close(2);
	request(CTL_DUMP, 9);
	settle();
	CHECK(ack_of(9)->error == ENOENT && ack_of(9)->file[0] == '\0');
	CHECK(page->dump_errors == 1);
	CHECK(strstr(page->last_error, "no such file") != NULL);
}

static void
test_failed_dump_is_answered(void **state)
{
	in_child(failed_dump);
}

/* --- whose signal -------------------------------------------------------- */

static void
handler(int number)
{
}

static void
taken_before(void)
{
	struct prof_options options = options_here();
	struct sigaction action;

	signal(SIGUSR2, handler);
	start(&options);
	CHECK((page->flags & CTLPAGE_OURS) == 0);
	CHECK((page->flags & CTLPAGE_TAKEN) != 0);
	sigaction(SIGUSR2, NULL, &action);
	CHECK(action.sa_handler == handler);
}

static void
ignored_before(void)
{
	struct prof_options options = options_here();

	signal(SIGUSR2, SIG_IGN);
	start(&options);
	CHECK((page->flags & CTLPAGE_OURS) == 0);
	CHECK(signal(SIGUSR2, SIG_DFL) == SIG_IGN);
}

static void
taken_later(void)
{
	struct prof_options options = options_here();

	start(&options);
	CHECK((page->flags & CTLPAGE_OURS) != 0);
	signal(SIGUSR2, handler);
	while ((page->flags & CTLPAGE_OURS) != 0)
		trigger_check();
	CHECK((page->flags & CTLPAGE_TAKEN) != 0);
}

static void
taken_at_once(void)
{
	struct prof_options options = options_here();
	struct sigaction ours;

	start(&options);
	CHECK(sigwatch_action(SIGUSR2, NULL, &ours) == 0);
	CHECK((page->flags & CTLPAGE_OURS) != 0);
	CHECK(sigwatch_signal(SIGUSR1, handler) == SIG_DFL);
	CHECK((page->flags & CTLPAGE_OURS) != 0);
	CHECK(sigwatch_signal(SIGUSR2, handler) == ours.sa_handler);
	CHECK((page->flags & CTLPAGE_OURS) == 0);
	CHECK((page->flags & CTLPAGE_TAKEN) != 0);
	/* A program that puts back what it found gives it back. */
	CHECK(sigwatch_action(SIGUSR2, &ours, NULL) == 0);
	CHECK((page->flags & CTLPAGE_OURS) != 0);
	CHECK((page->flags & CTLPAGE_TAKEN) == 0);
	errno = 0;
	CHECK(sigwatch_action(SIGKILL, &ours, NULL) == -1);
	CHECK(errno == EINVAL);
}

static struct sigaction found;

static void
take(void)
{
	sigwatch_action(SIGUSR2, NULL, &found);
	sigwatch_signal(SIGUSR2, handler);
}

static void
give_back(void)
{
	sigwatch_action(SIGUSR2, &found, NULL);
}

/* The page is not written over with what was so a moment ago. */
static void
taken_while_the_page_is_written(void)
{
	struct prof_options options = options_here();

	start(&options);
	fake_meanwhile = take;
	trigger_changed();
	CHECK(fake_meanwhile == NULL);
	CHECK((page->flags & CTLPAGE_OURS) == 0);
	CHECK((page->flags & CTLPAGE_TAKEN) != 0);
	fake_meanwhile = give_back;
	trigger_changed();
	CHECK((page->flags & CTLPAGE_OURS) != 0);
	CHECK((page->flags & CTLPAGE_TAKEN) == 0);
	/* and is looked at again */
	signal(SIGUSR2, handler);
	while ((page->flags & CTLPAGE_OURS) != 0)
		trigger_check();
}

/* The dispositions of a vfork child are its own, its memory is not. */
static void
taken_by_a_vfork_child(void)
{
	struct prof_options options = options_here();
	int status;
	pid_t pid;

	start(&options);
	pid = vfork();
	if (pid == 0) {
		sigwatch_signal(SIGUSR2, SIG_DFL);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK((page->flags & CTLPAGE_OURS) != 0);
}

static void
named(void)
{
	struct prof_options options = options_here();

	signal(SIGUSR1, handler);
	options.signal = SIGUSR1;
	start(&options);
	CHECK(page->signal == SIGUSR1);
	raise(SIGUSR1);
	settle();
	CHECK(files("*.s0.pb") == 1);
}

static void
none(void)
{
	struct prof_options options = options_here();

	options.signal = 0;
	start(&options);
	CHECK((page->flags & (CTLPAGE_OURS | CTLPAGE_TAKEN)) == 0);
	CHECK(page->signal == 0);
	CHECK(signal(SIGUSR2, SIG_DFL) == SIG_DFL);
}

static void
test_a_signal_of_the_program_is_left_alone(void **state)
{
	in_child(taken_before);
	in_child(ignored_before);
}

static void
test_a_later_handler_is_noticed(void **state)
{
	in_child(taken_later);
	in_child(taken_at_once);
	in_child(taken_while_the_page_is_written);
	in_child(taken_by_a_vfork_child);
}

static void
test_a_named_signal_is_taken(void **state)
{
	in_child(named);
}

static void
test_no_signal(void **state)
{
	in_child(none);
}

/* --- bytes, time, high-water --------------------------------------------- */

static void
bytes(void)
{
	struct prof_options options = options_here();

	options.lg_interval = 20;
	start(&options);
	CHECK(trigger_interval_get() == 1 << 20);
	for (int i = 0; i < 1023; i++)
		trigger_event(1024);
	CHECK(page->dumps == 0);
	for (int n = 1; n <= 3; n++) {
		for (int i = 0; i < 1024; i++)
			trigger_event(1024);
		while (page->dumps < (uint64_t)n)
			os_yield();
	}
	CHECK(files("*.i?.pb") == 3);
}

static void
test_interval_in_bytes(void **state)
{
	in_child(bytes);
}

static void
time_interval(void)
{
	struct prof_options options = options_here();

	options.interval_ms = 20;
	start(&options);
	while (files("*.t?.pb") < 3)
		os_sleep_ns(1000000);
	request(CTL_OFF, 4);		/* the task that stays serves too */
	settle();
	CHECK(ack_of(4) != NULL && !fake_active);
}

static void
test_interval_in_time(void **state)
{
	in_child(time_interval);
}

static void
gdump(void)
{
	struct prof_options options = options_here();

	start(&options);
	trigger_gdump();
	CHECK(!trigger_gdump_get());
	trigger_gdump_set(true);
	trigger_gdump();
	while (page->dumps < 1)
		os_yield();
	CHECK(files("*.u0.pb") == 1 && files("*") == 1);
}

static void
test_gdump(void **state)
{
	in_child(gdump);
}

static void
fold(void)
{
	struct prof_options options = options_here();

	trigger_fold();			/* nobody to do it yet */
	start(&options);
	CHECK(fake_folds == 0);
	trigger_fold();
	while (fake_folds == 0)
		os_yield();
	CHECK(files("*") == 0);
}

static void
test_the_worker_folds(void **state)
{
	in_child(fold);
}

/* --- exit ---------------------------------------------------------------- */

static void
final(void)
{
	struct prof_options options = options_here();

	options.final = true;
	start(&options);
	raise(SIGUSR2);			/* is done before the exit */
	CHECK(!trigger_exit());
	CHECK(files("*.s0.pb") == 1 && files("*.f.pb") == 1);
}

static void
test_final_dump_comes_last(void **state)
{
	in_child(final);
}

static void *
exit_here(void *leak)
{
	*(bool *)leak = trigger_exit();
	return NULL;
}

/* One that began now would find a cut open, and fail; or the summary would. */
static void
leak_summary_alone(void)
{
	static const uintptr_t frames[] = { 0x401001 };
	struct prof_options options = options_here();
	bool leak = false;
	pthread_t thread;

	fake_add_live(fake_group(fake_stack(1, frames), 64, 1), 64, 0, 0, 0);
	options.leak_error = true;
	start(&options);
	close(2);
	atomic_store(&fake_hold, 1);
	CHECK(pthread_create(&thread, NULL, exit_here, &leak) == 0);
	while (atomic_load(&fake_open) == 0)
		os_yield();
	CHECK(!dump_wait(1));
	atomic_store(&fake_hold, 0);
	pthread_join(thread, NULL);
	CHECK(leak && dump_wait(1));
}

static void
test_no_dump_during_the_leak_summary(void **state)
{
	in_child(leak_summary_alone);
}

/* --- fork ---------------------------------------------------------------- */

static void
forked(void)
{
	struct prof_options options = options_here();
	int count, status = -1;
	pid_t pid;

	options.signal = -1;
	start(&options);
	request(CTL_DUMP, 3);
	settle();
	trigger_fork_prepare();
	pid = fork();
	if (pid == 0) {
		alarm(60);
		trigger_fork_child();
		page = fake_page(&count);
		CHECK(count == 1 && page->pid == getpid());
		CHECK(page->requests == 0 && page->dumps == 0);
		CHECK(ack_of(3) == NULL && page->last_file[0] == '\0');
		raise(SIGUSR2);
		settle();
		CHECK(page->dumps == 1);
		CHECK(strstr(page->last_file, ".0.s0.pb") != NULL);
		_exit(0);
	}
	trigger_fork_parent();
	waitpid(pid, &status, 0);
	CHECK(status == 0);
	CHECK(page->pid == getpid() && page->dumps == 1);
	CHECK(ack_of(3) != NULL);
}

static void
test_fork_child_has_its_own_page_and_dumps(void **state)
{
	in_child(forked);
}

/* A signal that comes before the child is ready is served when it is. */
static void
early(void)
{
	struct prof_options options = options_here();
	int count, status = -1;
	pid_t pid;

	start(&options);
	trigger_fork_prepare();
	pid = fork();
	if (pid == 0) {
		alarm(60);
		raise(SIGUSR2);
		CHECK(page->requests == 0);	/* the parent's page */
		trigger_fork_child();
		page = fake_page(&count);
		while (page->dumps < 1)
			os_yield();
		_exit(0);
	}
	trigger_fork_parent();
	waitpid(pid, &status, 0);
	CHECK(status == 0 && page->requests == 0 && page->dumps == 0);
}

static void
test_early_signal_in_a_fork_child(void **state)
{
	in_child(early);
}

/* The task that stays is not inherited; the first event starts another. */
static void
forked_interval(void)
{
	struct prof_options options = options_here();
	int count, status = -1;
	pid_t pid;

	options.interval_ms = 10;
	start(&options);
	trigger_fork_prepare();
	pid = fork();
	if (pid == 0) {
		alarm(60);
		atomic_store(&fake_open, 0);
		trigger_fork_child();
		trigger_event(1);
		page = fake_page(&count);
		while (page->dumps < 2)
			os_sleep_ns(1000000);
		_exit(0);
	}
	trigger_fork_parent();
	waitpid(pid, &status, 0);
	CHECK(status == 0);
}

static void
test_interval_goes_on_in_a_fork_child(void **state)
{
	in_child(forked_interval);
}

static void
vforked(void)
{
	struct prof_options options = options_here();
	pid_t pid;
	int status;

	start(&options);
	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGUSR2);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	CHECK(status == 0 && page->requests == 0 && page->dumps == 0);
	raise(SIGUSR2);
	settle();
	CHECK(page->dumps == 1);
}

static void
test_signal_to_a_vfork_child_is_not_the_parents(void **state)
{
	in_child(vforked);
}

static int
setup(void **state)
{
	os_init();
	return mkdtemp(folder) == NULL;
}

static int
teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_signal_dumps),
		cmocka_unit_test(test_burst_gives_a_dump_after_the_last),
		cmocka_unit_test(test_waiting_requests_merge),
		cmocka_unit_test(test_interrupted_calls_restart),
		cmocka_unit_test(test_foreign_value_is_a_plain_signal),
		cmocka_unit_test(test_dump_request_is_served_once),
		cmocka_unit_test(test_rotate_request_counts_once),
		cmocka_unit_test(test_on_and_off),
		cmocka_unit_test(test_status_and_stats),
		cmocka_unit_test(test_verbs_not_offered),
		cmocka_unit_test(test_failed_dump_is_answered),
		cmocka_unit_test(test_a_signal_of_the_program_is_left_alone),
		cmocka_unit_test(test_a_later_handler_is_noticed),
		cmocka_unit_test(test_a_named_signal_is_taken),
		cmocka_unit_test(test_no_signal),
		cmocka_unit_test(test_interval_in_bytes),
		cmocka_unit_test(test_interval_in_time),
		cmocka_unit_test(test_gdump),
		cmocka_unit_test(test_the_worker_folds),
		cmocka_unit_test(test_final_dump_comes_last),
		cmocka_unit_test(test_no_dump_during_the_leak_summary),
		cmocka_unit_test(test_fork_child_has_its_own_page_and_dumps),
		cmocka_unit_test(test_early_signal_in_a_fork_child),
		cmocka_unit_test(test_interval_goes_on_in_a_fork_child),
		cmocka_unit_test(
		    test_signal_to_a_vfork_child_is_not_the_parents),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
