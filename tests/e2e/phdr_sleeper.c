/*
 * phdr_sleeper.c - a thread sleeps in a dl_iterate_phdr callback, that is with
 * the loader's lock held, while others allocate and dump.
 *
 *     phdr_sleeper [malloc|thread|dump|signal|fork]...
 *
 * Each named step must end while the sleeper sleeps:
 *   malloc  allocations at 4096 cold call sites
 *   thread  a new thread allocates and ends
 *   dump    a profile by mallctl
 *   signal  a profile by SIGUSR2; waits for *.s*.heap or *.s*.pb in the folder
 *   fork    a child allocates at the cold call sites and exits
 * That the lock is held is proven by a third thread, which calls
 * dl_iterate_phdr itself and must not come back before the sleeper wakes.
 *
 * Proof: under a malloc that calls unw_backtrace the first step never ends
 * and the suite's time limit ends the program.
 */
#define _GNU_SOURCE
#include <glob.h>
#include <link.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"
#include "many_sites.h"

static sem_t asleep, wake;
static atomic_bool blocked_thread_passed;

static int
sleep_in_callback(struct dl_phdr_info *info, size_t size, void *arg)
{
	sem_post(&asleep);
	while (sem_wait(&wake) != 0)
		;
	return 1;
}

static int
return_at_once(struct dl_phdr_info *info, size_t size, void *arg)
{
	return 1;
}

static void *
sleeper(void *arg)
{
	dl_iterate_phdr(sleep_in_callback, NULL);
	return NULL;
}

static void *
blocked(void *arg)
{
	sem_post(&asleep);
	dl_iterate_phdr(return_at_once, NULL);
	atomic_store(&blocked_thread_passed, true);
	return NULL;
}

static void *
walk_sites(void *arg)
{
	for (int i = 0; i < NSITES; i++) {
		void *p = many_sites[i](100);

		if (p == NULL)
			die("malloc failed");
		free(p);
	}
	return NULL;
}

static void
step_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, walk_sites, NULL) != 0)
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void
step_signal(void)
{
	glob_t found;

	if (kill(getpid(), SIGUSR2) != 0)
		die("kill");
	while (glob("*.s*.heap", 0, NULL, &found) != 0 &&
	    glob("*.s*.pb", 0, NULL, &found) != 0)
		usleep(10000);
	globfree(&found);
}

static void
step_fork(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		walk_sites(NULL);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("the child's status: 0x%x", status);
}

static void
run_step(const char *name)
{
	uint64_t start = now_ns();

	if (strcmp(name, "malloc") == 0)
		walk_sites(NULL);
	else if (strcmp(name, "thread") == 0)
		step_thread();
	else if (strcmp(name, "dump") == 0) {
		if (dump_profile(NULL) != 0)
			die("prof.dump failed");
	} else if (strcmp(name, "signal") == 0)
		step_signal();
	else if (strcmp(name, "fork") == 0)
		step_fork();
	else
		die("unknown step %s", name);
	printf("%s: %.1f ms\n", name, (double)(now_ns() - start) / 1e6);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	pthread_t sleeping, waiting;

	sem_init(&asleep, 0, 0);
	sem_init(&wake, 0, 0);
	printf("steps:\n");	/* stdio's buffer before the trap is set */
	fflush(stdout);
	if (pthread_create(&sleeping, NULL, sleeper, NULL) != 0)
		die("pthread_create");
	sem_wait(&asleep);
	if (pthread_create(&waiting, NULL, blocked, NULL) != 0)
		die("pthread_create");
	sem_wait(&asleep);
	for (int i = 1; i < argc; i++)
		run_step(argv[i]);
	if (atomic_load(&blocked_thread_passed))
		die("the loader's lock was not held: nothing was tested");
	sem_post(&wake);
	pthread_join(sleeping, NULL);
	pthread_join(waiting, NULL);
	if (!atomic_load(&blocked_thread_passed))
		die("the blocked thread did not pass");
	return 0;
}
