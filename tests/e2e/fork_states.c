/*
 * fork_states.c - forks while threads are in every state of allocating,
 * resizing, freeing, starting and ending; children must find a usable heap.
 *
 *     fork_states FORKS
 *
 * A child allocates, frees what it inherited, starts threads, forks once more,
 * and exits by exit() (handlers run) or by _exit(). Every eighth time it is a
 * vfork child that replaces itself. A child that does not end is killed and
 * reported.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"

enum { NWORKERS = 4, SLOTS = 500, CHILD_MS = 20000 };

extern char **environ;
static atomic_bool stop;
static _Atomic(void *) shared[SLOTS];

static size_t
random_size(uint64_t *random)
{
	uint64_t r = next_random(random);

	return 1 + (r >> 8) % (r % 20 == 0 ? 2000000 : 3000);
}

static void *
brief(void *arg)
{
	for (size_t i = 1; i < 40; i++)
		free(malloc(i * 50));
	return malloc(77);	/* joined: the creator frees it */
}

/* One of each kind of allocating; blocks travel between the threads. */
static void *
work(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg;
	pthread_t thread;
	void *p, *result;

	while (!atomic_load(&stop)) {
		size_t slot = next_random(&random) % SLOTS;
		size_t size = random_size(&random);

		switch (next_random(&random) % 8) {
		case 0:
			p = calloc(1, size);
			break;
		case 1:
			p = realloc(malloc(size / 3 + 1), size);
			break;
		case 2:
			p = aligned_alloc(4096, (size + 4095) / 4096 * 4096);
			break;
		case 3:
			if (pthread_create(&thread, NULL, brief, NULL) != 0)
				die("pthread_create");
			pthread_join(thread, &result);
			p = result;
			break;
		default:
			p = malloc(size);
		}
		if (p == NULL)
			die("out of memory");
		*(char *)p = 1;
		free(atomic_exchange(&shared[slot], p));
	}
	return NULL;
}

_Noreturn static void
child_main(int number)
{
	pthread_t thread;
	uint64_t random = (uint64_t)number + 100;
	void *result;

	for (int i = 0; i < SLOTS; i++) {
		void *p = malloc(random_size(&random));

		if (p == NULL)
			_exit(2);
		*(char *)p = 1;
		free(atomic_exchange(&shared[i], p));
	}
	if (pthread_create(&thread, NULL, brief, NULL) != 0)
		_exit(3);
	pthread_join(thread, &result);
	free(result);
	if (number % 4 == 1) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			free(malloc(100000));
			exit(0);
		}
		if (waitpid(pid, &status, 0) != pid || status != 0)
			_exit(4);
	}
	if (number % 2 == 0)
		exit(0);
	_exit(0);
}

static pid_t
start_child(int number)
{
	static char *const arguments[] = { "true", NULL };
	pid_t pid;

	if (number % 16 == 7) {
		if (posix_spawn(&pid, "/bin/true", NULL, NULL, arguments,
		    environ) != 0)
			die("posix_spawn");
		return pid;
	}
	if (number % 8 == 7) {
		if ((pid = vfork()) == 0) {
			/* In the parent's memory, with another pid. */
			free(malloc(3000));
			execv("/bin/true", arguments);
			_exit(5);
		}
		return pid;
	}
	if ((pid = fork()) == 0)
		child_main(number);
	return pid;
}

static void
wait_child(pid_t pid, int number)
{
	struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	int status;

	if (pid < 0 || ended.fd < 0)
		die("child %d: %s", number, strerror(errno));
	if (poll(&ended, 1, CHILD_MS) != 1) {
		kill(pid, SIGKILL);
		die("child %d hung", number);
	}
	close(ended.fd);
	if (waitpid(pid, &status, 0) != pid || status != 0)
		die("child %d: wait status 0x%x", number, status);
}

int
main(int argc, char **argv)
{
	int nforks = argc > 1 ? atoi(argv[1]) : 100;
	pthread_t threads[NWORKERS];

	for (intptr_t i = 0; i < NWORKERS; i++)
		if (pthread_create(&threads[i], NULL, work,
		    (void *)(i + 1)) != 0)
			die("pthread_create");
	for (int i = 0; i < nforks; i++)
		wait_child(start_child(i), i);
	atomic_store(&stop, true);
	for (int i = 0; i < NWORKERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SLOTS; i++)
		free(shared[i]);
	printf("ok\n");
	return 0;
}
