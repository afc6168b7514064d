/*
 * static_exe.c - linked with -static and libstrata.a: allocates known amounts
 * at known sites in several threads and in a forked child.
 *
 *     static_exe run      exits; prints "pid CHILD" of the child that dumped
 *     static_exe wait     prints "ready", then waits to be killed
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"

enum { NTHREADS = 4, NSMALL = 1000, NLARGE = 8 };

static void *kept[NTHREADS * NSMALL + NLARGE];

NOINLINE static void *
static_small(void)
{
	void *p = malloc(100);

	USE(p);
	return p;
}

NOINLINE static void *
static_large(void)
{
	void *p = calloc(1024, 1024);

	USE(p);
	return p;
}

static void *
fill(void *arg)
{
	void **slots = arg;

	for (int i = 0; i < NSMALL; i++) {
		slots[i] = static_small();
		free(static_small());
		if (slots[i] == NULL)
			die("malloc failed");
		memset(slots[i], 1, 100);
	}
	return NULL;
}

static void
fill_all(void)
{
	pthread_t threads[NTHREADS];

	for (int i = 0; i < NTHREADS; i++)
		if (pthread_create(&threads[i], NULL, fill,
		    kept + i * NSMALL) != 0)
			die("pthread_create");
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < NLARGE; i++)
		kept[NTHREADS * NSMALL + i] = static_large();
}

static void
fork_and_dump(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		free(kept[0]);
		kept[0] = static_small();
		_exit(dump_profile(NULL) == 0 ? 0 : 1);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("the child's status: 0x%x", status);
	printf("pid %d\n", (int)pid);
}

int
main(int argc, char **argv)
{
	fill_all();
	if (argc > 1 && strcmp(argv[1], "wait") == 0) {
		printf("ready\n");
		fflush(stdout);
		for (;;)
			pause();
	}
	if (mallctl != NULL)
		fork_and_dump();
	return 0;
}
