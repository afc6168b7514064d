/*
 * storm.c - everything at once: threads allocate, dump by mallctl, switch
 * sampling and its rate, are cancelled; a timer interrupts system calls every
 * 200 us; the process sends itself SIGUSR2; children are forked and dump.
 *
 *     storm SECONDS
 *
 * At the end every profile that was written is read, as far as it matters
 * here: in each row alloc = inuse + freed, and nothing is negative.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"
#include "small_reader.h"

enum { WORKERS = 3, SLOTS = 300, CHILD_MS = 30000, OWN_FILES = 20 };

static atomic_bool stop;
static atomic_ulong dumps, forks, cancels, signals;
static _Atomic(void *) shared[SLOTS];
static unsigned long rows;

static void
on_timer(int number)
{
	atomic_fetch_add(&signals, 1);
}

static void
churn(uint64_t *random, int times)
{
	for (int i = 0; i < times; i++) {
		uint64_t r = next_random(random);
		size_t size = 16 + (r >> 20) % (r % 30 == 0 ? 200000 : 2000);
		void *p = r % 4 == 0 ? realloc(malloc(size / 2), size) :
		    malloc(size);

		if (p == NULL)
			die("malloc failed");
		memset(p, 1, size);
		free(atomic_exchange(&shared[r % SLOTS], p));
	}
}

static void *
work(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg;

	while (!atomic_load(&stop))
		churn(&random, 1000);
	return NULL;
}

static void *
dump_all_the_time(void *arg)
{
	char name[64];

	while (!atomic_load(&stop)) {
		int error;

		snprintf(name, sizeof name, "storm.%lu.own",
		    atomic_fetch_add(&dumps, 1) % OWN_FILES);
		if ((error = dump_profile(name)) != 0)
			die("prof.dump: %s", strerror(error));
	}
	return NULL;
}

static void *
switch_all_the_time(void *arg)
{
	uint64_t random = 77;

	while (!atomic_load(&stop)) {
		bool on = next_random(&random) % 4 != 0;
		size_t lg = next_random(&random) % 16;

		if (mallctl("prof.active", NULL, NULL, &on, sizeof on) != 0)
			die("prof.active");
		if (next_random(&random) % 8 == 0 && mallctl("prof.reset",
		    NULL, NULL, &lg, sizeof lg) != 0)
			die("prof.reset");
		churn(&random, 50);
		usleep(1000);
	}
	return NULL;
}

/* Is cancelled wherever it is. */
static void *
cancelled(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg;

	for (;;) {
		churn(&random, 20);
		pthread_testcancel();
		usleep(100);
	}
	return NULL;
}

static void
cancel_one(uint64_t seed)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, cancelled,
	    (void *)(uintptr_t)seed) != 0)
		die("pthread_create");
	usleep(2000);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	atomic_fetch_add(&cancels, 1);
}

/* False: the child does not end. The timer interrupts, time runs on. */
static bool
wait_child(pid_t pid, int *status)
{
	struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	uint64_t end = now_ns() + CHILD_MS * UINT64_C(1000000);

	if (ended.fd < 0)
		die("pidfd_open: %s", strerror(errno));
	while (poll(&ended, 1, CHILD_MS) != 1)
		if (now_ns() > end)
			return false;
	close(ended.fd);
	while (waitpid(pid, status, 0) != pid)
		;
	return true;
}

static void
fork_one(uint64_t seed)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		churn(&seed, 200);
		_exit(dump_profile("storm.child") == 0 ? 0 : 1);
	}
	if (pid < 0)
		die("fork: %s", strerror(errno));
	if (!wait_child(pid, &status)) {
		kill(pid, SIGKILL);
		die("a child hangs");
	}
	if (status != 0)
		die("a child's status: 0x%x", status);
	atomic_fetch_add(&forks, 1);
}

static void
check_row(const uint64_t *addresses, size_t n, const int64_t *v)
{
	for (int i = 0; i < READER_VALUES; i++)
		if (v[i] < 0)
			die("a negative value of type %d", i);
	if (v[ALLOC_OBJECTS] != v[INUSE_OBJECTS] + v[FREED_OBJECTS] ||
	    v[ALLOC_SPACE] != v[INUSE_SPACE] + v[FREED_SPACE])
		die("alloc %lld %lld, inuse %lld %lld, freed %lld %lld",
		    (long long)v[ALLOC_OBJECTS], (long long)v[ALLOC_SPACE],
		    (long long)v[INUSE_OBJECTS], (long long)v[INUSE_SPACE],
		    (long long)v[FREED_OBJECTS], (long long)v[FREED_SPACE]);
	rows++;
}

static void
check_profiles(void)
{
	glob_t found = { 0 };

	glob("storm.*", 0, NULL, &found);
	glob("*.s*.pb", GLOB_APPEND, NULL, &found);
	/* prof_dump_max may drop files while we read: what is left will do. */
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_profile(found.gl_pathv[i], check_row);
	printf("%zu profiles, %lu rows, %lu dumps, %lu forks, %lu cancelled, "
	    "%lu interruptions\n", found.gl_pathc, rows, dumps, forks, cancels,
	    signals);
	if (found.gl_pathc < 3 || rows < 100)
		die("too little was tested");
	globfree(&found);
}

int
main(int argc, char **argv)
{
	uint64_t end = now_ns() + (uint64_t)atoi(argc > 1 ? argv[1] : "5") *
	    1000000000u;
	struct sigaction action = { .sa_handler = on_timer };
	struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
	pthread_t threads[WORKERS + 2];
	uint64_t turn = 0;

	sigaction(SIGALRM, &action, NULL);
	for (intptr_t i = 0; i < WORKERS + 2; i++)
		if (pthread_create(&threads[i], NULL, i < WORKERS ? work :
		    i == WORKERS ? dump_all_the_time : switch_all_the_time,
		    (void *)(i + 1)) != 0)
			die("pthread_create");
	setitimer(ITIMER_REAL, &often, NULL);
	while (now_ns() < end) {
		kill(getpid(), SIGUSR2);
		cancel_one(++turn);
		fork_one(++turn);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < WORKERS + 2; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		free(shared[i]);
	check_profiles();
	printf("ok\n");
	return 0;
}
