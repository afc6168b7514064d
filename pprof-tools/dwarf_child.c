/*
 * dwarf_child.c - the DWARF reader in a process of its own.
 *
 *   parent --fork--> child: dwarf_lines, packed as the cache packs them
 *          <--pipe--
 *
 * Fork: the command has one thread. The child writes to nothing but the pipe.
 */
#define _GNU_SOURCE			/* pipe2 */
#include "dwarf_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dwarf_lines.h"
#include "symcache.h"
#include "xalloc.h"

/*
 * Processor time: 2 s, and 1 s for each 16 MiB of the file. Measured: 0.3 s for
 * 5000 addresses in 23 MB; damaged data can make libdwarf loop.
 */
enum { CHILD_SECONDS = 2, BYTES_A_SECOND = 16 << 20 };

static bool
write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		bytes += done;
		n -= (size_t)done;
	}
	return true;
}

static rlim_t
smaller(rlim_t a, rlim_t b)
{
	return a < b ? a : b;
}

/*
 * No more than this process may take itself. The hard limit is a second more:
 * at it the kernel sends SIGKILL, which says nothing of time, not SIGXCPU.
 */
static struct rlimit
child_seconds(const char *path)
{
	struct rlimit own = { RLIM_INFINITY, RLIM_INFINITY }, seconds;
	struct stat status;

	getrlimit(RLIMIT_CPU, &own);
	seconds.rlim_cur = CHILD_SECONDS;
	if (stat(path, &status) == 0)
		seconds.rlim_cur += (rlim_t)(status.st_size / BYTES_A_SECOND);
	seconds.rlim_cur = smaller(seconds.rlim_cur, own.rlim_cur);
	seconds.rlim_max = smaller(seconds.rlim_cur + 1, own.rlim_max);
	if (seconds.rlim_cur == seconds.rlim_max && seconds.rlim_max > 1)
		seconds.rlim_cur--;
	return seconds;
}

static void
limit_child(const struct rlimit *seconds)
{
	struct rlimit no_core = { 0, 0 };

	setrlimit(RLIMIT_CPU, seconds);
	setrlimit(RLIMIT_CORE, &no_core);
}

/* The process's own handlers are not for this one: it is to die. */
static void
default_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE,
	    SIGILL, SIGXCPU };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_DFL);
}

/* Does not return. */
static void
child(const char *path, const struct rlimit *seconds, struct symbol *symbols,
    size_t n, int out)
{
	struct strpool pool = { 0 };
	struct symcache cache = { .symbols = symbols, .n = n };
	int null = open("/dev/null", O_WRONLY);
	size_t length;
	char *bytes;

	default_signals();
	limit_child(seconds);
	if (null >= 0)
		dup2(null, STDERR_FILENO);
	dwarf_lines(path, symbols, n, &pool);
	bytes = symcache_pack(&cache, &length);
	_exit(write_all(out, bytes, length) ? 0 : 1);
}

static char *
read_all(int fd, size_t *length)
{
	size_t capacity = 0;
	char *bytes = NULL;

	*length = 0;
	for (;;) {
		ssize_t n;

		bytes = xgrow(bytes, *length, &capacity, 1);
		n = read(fd, bytes + *length, capacity - *length);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return bytes;
		*length += (size_t)n;
	}
}

/* Moves the lines of the child's symbols into the caller's. */
static void
take_lines(struct symcache *from, struct symbol *symbols, size_t n)
{
	for (size_t i = 0; i < n && from->n == n; i++) {
		symbols[i].nlines = from->symbols[i].nlines;
		symbols[i].lines = from->symbols[i].lines;
		from->symbols[i].lines = NULL;
	}
}

static int
complain_of_start(const char *path, int error)
{
	fprintf(stderr, "strata: %s: its debug information could not be read: "
	    "%s; its symbol table is used\n", path, strerror(error));
	return error;
}

/* status: the child's; 0 if it ended well, but what it wrote is nonsense. */
static void
complain_of_end(const char *path, int status, rlim_t seconds)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	fprintf(stderr, "strata: %s: ", path);
	if (signal == SIGXCPU)
		fprintf(stderr, "reading its debug information took more than "
		    "%ju s of processor time", (uintmax_t)seconds);
	else if (signal == SIGKILL)
		fputs("the process that read its debug information was "
		    "killed, perhaps for lack of memory", stderr);
	else if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		fputs("its debug information could not be read", stderr);
	else
		fputs("its debug information is damaged", stderr);
	fputs("; its symbol table is used\n", stderr);
}

static int
collect(pid_t pid, int in, struct symbol *symbols, size_t n,
    struct strpool *pool, int *status)
{
	struct symcache cache = { 0 };
	size_t length;
	char *bytes = read_all(in, &length);
	int error = EIO;

	*status = 0;
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		continue;
	if (*status == 0)
		error = symcache_unpack(bytes, length, pool, &cache);
	if (error == 0)
		take_lines(&cache, symbols, n);
	symcache_free(&cache);
	free(bytes);
	return error;
}

int
dwarf_child_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool)
{
	struct rlimit seconds = child_seconds(path);
	int ends[2], error, status;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return complain_of_start(path, errno);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(path, &seconds, symbols, n, ends[1]);
	error = errno;
	close(ends[1]);
	if (pid < 0) {
		complain_of_start(path, error);
	} else {
		error = collect(pid, ends[0], symbols, n, pool, &status);
		if (error != 0)
			complain_of_end(path, status, seconds.rlim_cur);
	}
	close(ends[0]);
	return error;
}
