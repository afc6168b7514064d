/*
 * compat.h - what the compatibility programs share.
 *
 * They are written from jemalloc's manual, against jemalloc's own header, and
 * linked to neither library: one binary runs under LD_PRELOAD of either, and
 * compat.sh compares what the two runs print. A line is "name: value"; names
 * are unique within a program, values say nothing that differs by chance
 * (addresses, times).
 */
#ifndef STRATA_TESTS_E2E_COMPAT_H
#define STRATA_TESTS_E2E_COMPAT_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

#pragma weak mallctl
#pragma weak mallctlnametomib
#pragma weak mallctlbymib
#pragma weak mallocx
#pragma weak rallocx
#pragma weak xallocx
#pragma weak sallocx
#pragma weak nallocx
#pragma weak dallocx
#pragma weak sdallocx
#pragma weak malloc_stats_print
#pragma weak malloc_usable_size

/* Keeps the compiler from dropping an allocation or merging two calls. */
#define USE(p) __asm__ volatile("" : : "r"(p) : "memory")

__attribute__((noreturn, format(printf, 1, 2))) static inline void
die(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	_Exit(1);
}

/* One line of the comparison. */
__attribute__((format(printf, 2, 3))) static inline void
say(const char *name, const char *format, ...)
{
	va_list ap;

	printf("%s: ", name);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

/* The same for what has to hold. */
static inline void
say_if(const char *name, bool holds)
{
	say(name, "%s", holds ? "ok" : "WRONG");
}

static inline const char *
error_name(int error)
{
	switch (error) {
	case 0:
		return "0";
	case EINVAL:
		return "EINVAL";
	case ENOENT:
		return "ENOENT";
	case EPERM:
		return "EPERM";
	case EFAULT:
		return "EFAULT";
	case EAGAIN:
		return "EAGAIN";
	case ENOMEM:
		return "ENOMEM";
	case ERANGE:
		return "ERANGE";
	case E2BIG:
		return "E2BIG";
	}
	return strerror(error);
}

/*
 * Ends the program unless it runs on the library that COMPAT_LIBRARY names:
 * a comparison of a library with itself would pass.
 */
static inline void
compat_begin(void)
{
	const char *want = getenv("COMPAT_LIBRARY"), *version = NULL;
	size_t len = sizeof version;

	if (mallctl == NULL || want == NULL)
		die("neither library is preloaded");
	if (mallctl("version", &version, &len, NULL, 0) != 0)
		die("no version");
	if (strncmp(version, want, strlen(want)) != 0)
		die("runs on %s, not on %s", version, want);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* --- mallctl by type; the program ends if the name cannot be read --------- */

static inline void
ctl_read(const char *name, void *out, size_t size)
{
	size_t len = size;
	int error = mallctl(name, out, &len, NULL, 0);

	if (error != 0)
		die("%s: %s", name, error_name(error));
}

static inline size_t
ctl_size(const char *name)
{
	size_t n;

	ctl_read(name, &n, sizeof n);
	return n;
}

static inline uint64_t
ctl_u64(const char *name)
{
	uint64_t n;

	ctl_read(name, &n, sizeof n);
	return n;
}

static inline unsigned
ctl_unsigned(const char *name)
{
	unsigned n;

	ctl_read(name, &n, sizeof n);
	return n;
}

static inline bool
ctl_bool(const char *name)
{
	bool flag;

	ctl_read(name, &flag, sizeof flag);
	return flag;
}

static inline int
ctl_write(const char *name, const void *value, size_t size)
{
	return mallctl(name, NULL, NULL, (void *)(uintptr_t)value, size);
}

static inline int
ctl_do(const char *name)
{
	return mallctl(name, NULL, NULL, NULL, 0);
}

/* "arena.%u.purge" and the like: a buffer of the caller's line. */
#define NAME(...) (snprintf(name_buf, sizeof name_buf, __VA_ARGS__), name_buf)
static char name_buf[128] __attribute__((unused));

/* A new snapshot of the statistics. */
static inline void
ctl_epoch(void)
{
	uint64_t epoch = 1;

	if (ctl_write("epoch", &epoch, sizeof epoch) != 0)
		die("epoch");
}

#endif
