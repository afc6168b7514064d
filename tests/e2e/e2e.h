/*
 * e2e.h - what the helper programs of the end-to-end suites share. They run
 * under any malloc: the names only Strata and jemalloc have are weak.
 */
#ifndef STRATA_TESTS_E2E_H
#define STRATA_TESTS_E2E_H

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <strata/strata.h>

#pragma weak mallctl
#pragma weak mallocx
#pragma weak dallocx
#pragma weak sdallocx
#pragma weak malloc_usable_size
#pragma weak strata_version

#define NOINLINE __attribute__((noinline, noclone))
/* Keeps the compiler from dropping an allocation or merging two calls. */
#define USE(p) __asm__ volatile("" : : "r"(p) : "memory")

/* Prints the reason and ends the test program with status 1. */
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

static inline uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* splitmix64: the same numbers on every run of the same seed. */
static inline uint64_t
next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Dumps by mallctl into filename (NULL: the automatic name). 0 or errno. */
static inline int
dump_profile(const char *filename)
{
	if (mallctl == NULL)
		return ENOSYS;
	return mallctl("prof.dump", NULL, NULL,
	    filename == NULL ? NULL : (void *)&filename,
	    filename == NULL ? 0 : sizeof filename);
}

#endif
