/*
 * idle.c - a program at rest, in one of the ways in which programs rest. It
 * has allocated 100 blocks of 10,000 bytes at idle_blocks. Prints "ready" when
 * it is, and stays until it is killed, unless said otherwise.
 *
 *     idle pause        in pause()
 *     idle read         in read() of standard input; prints what came of it
 *                       and exits: "read N", or "errno N" if interrupted
 *     idle epoll        in epoll_wait() without time-out
 *     idle sleep        in nanosleep()
 *     idle threads      main in pthread_join, two threads in sem_wait
 *     idle own          has a SIGUSR2 handler of its own; prints "mine"
 *     idle late-own     prints "ready", installs it at SIGUSR1: "installed"
 *     idle blocked      blocks SIGUSR2
 *     idle fork         the parent and a child, "child PID", both in pause()
 *     idle closed       closes every descriptor but 1 after a while
 *     idle chroot DIR   in an empty root, as user nobody
 *     idle unshare      prints "unshare ERRNO" of unshare(CLONE_NEWUSER)
 *     idle exec         replaces itself by "idle pause"
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "e2e.h"

static void *blocks[100];

NOINLINE static void
idle_blocks(void)
{
	for (int i = 0; i < 100; i++) {
		if ((blocks[i] = malloc(10000)) == NULL)
			die("malloc failed");
		memset(blocks[i], 1, 10000);
	}
}

static void
say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

static void
on_own_signal(int number)
{
	say("mine\n");
}

static void
on_install_signal(int number)
{
	signal(SIGUSR2, on_own_signal);
	say("installed\n");
}

_Noreturn static void
rest(void)
{
	say("ready\n");
	for (;;)
		pause();
}

_Noreturn static void
rest_in_read(void)
{
	char text[100], line[40];
	ssize_t n;

	say("ready\n");
	n = read(0, text, sizeof text);
	snprintf(line, sizeof line, n < 0 ? "errno %d\n" : "read %d\n",
	    n < 0 ? errno : (int)n);
	say(line);
	exit(0);
}

_Noreturn static void
rest_in_epoll(void)
{
	struct epoll_event event;
	int fd = epoll_create1(EPOLL_CLOEXEC);

	say("ready\n");
	for (;;)
		epoll_wait(fd, &event, 1, -1);
}

static void *
wait_for_ever(void *arg)
{
	for (;;)
		sem_wait(arg);
	return NULL;
}

_Noreturn static void
rest_in_join(void)
{
	pthread_t threads[2];
	sem_t never;

	sem_init(&never, 0, 0);
	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, wait_for_ever,
		    &never) != 0)
			die("pthread_create");
	say("ready\n");
	pthread_join(threads[0], NULL);
	exit(1);
}

_Noreturn static void
rest_blocked(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	rest();
}

_Noreturn static void
rest_in_two(void)
{
	char line[40];
	pid_t pid = fork();

	if (pid == 0)
		for (;;)
			pause();
	snprintf(line, sizeof line, "child %d\n", (int)pid);
	say(line);
	rest();
}

_Noreturn static void
rest_closed(void)
{
	close(0);
	if (close_range(2, ~0u, 0) != 0)
		die("close_range: %s", strerror(errno));
	rest();
}

/* As daemons do: the folder of the profiles is not reachable any more. */
_Noreturn static void
rest_in_chroot(const char *folder)
{
	if (chroot(folder) != 0 || chdir("/") != 0 ||
	    setgroups(0, NULL) != 0 || setgid(65534) != 0 ||
	    setuid(65534) != 0)
		die("chroot: %s", strerror(errno));
	rest();
}

_Noreturn static void
try_unshare(void)
{
	char line[40];

	errno = 0;
	unshare(CLONE_NEWUSER);
	snprintf(line, sizeof line, "unshare %d\n", errno);
	say(line);
	exit(0);
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "pause";

	idle_blocks();
	if (strcmp(mode, "read") == 0)
		rest_in_read();
	if (strcmp(mode, "epoll") == 0)
		rest_in_epoll();
	if (strcmp(mode, "sleep") == 0) {
		say("ready\n");
		for (;;)
			sleep(1000);
	}
	if (strcmp(mode, "threads") == 0)
		rest_in_join();
	if (strcmp(mode, "own") == 0)
		signal(SIGUSR2, on_own_signal);
	if (strcmp(mode, "late-own") == 0)
		signal(SIGUSR1, on_install_signal);
	if (strcmp(mode, "blocked") == 0)
		rest_blocked();
	if (strcmp(mode, "fork") == 0)
		rest_in_two();
	if (strcmp(mode, "closed") == 0)
		rest_closed();
	if (strcmp(mode, "chroot") == 0 && argc > 2)
		rest_in_chroot(argv[2]);
	if (strcmp(mode, "unshare") == 0)
		try_unshare();
	if (strcmp(mode, "exec") == 0) {
		execl("/proc/self/exe", "idle", "pause", (char *)NULL);
		die("exec: %s", strerror(errno));
	}
	rest();
}
