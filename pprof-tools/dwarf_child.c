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

static void
limit_child(const char *path)
{
	struct rlimit seconds = { CHILD_SECONDS, CHILD_SECONDS };
	struct rlimit no_core = { 0, 0 };
	struct stat status;

	if (stat(path, &status) == 0) {
		seconds.rlim_cur += (rlim_t)(status.st_size / BYTES_A_SECOND);
		seconds.rlim_max = seconds.rlim_cur;
	}
	setrlimit(RLIMIT_CPU, &seconds);
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
child(const char *path, struct symbol *symbols, size_t n, int out)
{
	struct strpool pool = { 0 };
	struct symcache cache = { .symbols = symbols, .n = n };
	int null = open("/dev/null", O_WRONLY);
	size_t length;
	char *bytes;

	default_signals();
	limit_child(path);
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
static size_t
take_lines(struct symcache *from, struct symbol *symbols, size_t n)
{
	size_t filled = 0;

	for (size_t i = 0; i < n && from->n == n; i++) {
		symbols[i].nlines = from->symbols[i].nlines;
		symbols[i].lines = from->symbols[i].lines;
		from->symbols[i].lines = NULL;
		filled += symbols[i].nlines > 0;
	}
	return filled;
}

static size_t
collect(pid_t pid, int in, const char *path, struct symbol *symbols,
    size_t n, struct strpool *pool)
{
	struct symcache cache = { 0 };
	size_t length, filled = 0;
	char *bytes = read_all(in, &length);
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (status == 0 &&
	    symcache_unpack(bytes, length, pool, &cache) == 0)
		filled = take_lines(&cache, symbols, n);
	else
		fprintf(stderr, "strata: %s: its debug information is "
		    "damaged; its symbol table is used\n", path);
	symcache_free(&cache);
	free(bytes);
	return filled;
}

size_t
dwarf_child_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool)
{
	int ends[2];
	size_t filled;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return 0;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(path, symbols, n, ends[1]);
	close(ends[1]);
	filled = pid < 0 ? 0 : collect(pid, ends[0], path, symbols, n, pool);
	close(ends[0]);
	return filled;
}
