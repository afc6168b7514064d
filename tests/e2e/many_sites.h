/*
 * many_sites.h - 4096 distinct functions that each allocate at a call site of
 * its own, so that an unwinder meets an address it has not cached at each
 * step of a walk through them.
 */
#ifndef STRATA_TESTS_MANY_SITES_H
#define STRATA_TESTS_MANY_SITES_H

#include <stdlib.h>

typedef void *(*site_function)(size_t);

#define SITE_BODY(n)							\
	__attribute__((noinline, noclone)) static void *		\
	site_##n(size_t size)						\
	{								\
		char *p = malloc(size + (size_t)(0x##n & 7));		\
									\
		if (p != NULL)						\
			*(volatile char *)p = 1;			\
		return p;						\
	}
#define SITE_NAME(n) site_##n,

#define SITES_16(m, n)							\
	m(n##0) m(n##1) m(n##2) m(n##3) m(n##4) m(n##5) m(n##6) m(n##7)	\
	m(n##8) m(n##9) m(n##a) m(n##b) m(n##c) m(n##d) m(n##e) m(n##f)
#define SITES_256(m, n)							\
	SITES_16(m, n##0) SITES_16(m, n##1) SITES_16(m, n##2)		\
	SITES_16(m, n##3) SITES_16(m, n##4) SITES_16(m, n##5)		\
	SITES_16(m, n##6) SITES_16(m, n##7) SITES_16(m, n##8)		\
	SITES_16(m, n##9) SITES_16(m, n##a) SITES_16(m, n##b)		\
	SITES_16(m, n##c) SITES_16(m, n##d) SITES_16(m, n##e)		\
	SITES_16(m, n##f)
#define SITES_4096(m)							\
	SITES_256(m, 0) SITES_256(m, 1) SITES_256(m, 2) SITES_256(m, 3)	\
	SITES_256(m, 4) SITES_256(m, 5) SITES_256(m, 6) SITES_256(m, 7)	\
	SITES_256(m, 8) SITES_256(m, 9) SITES_256(m, a) SITES_256(m, b)	\
	SITES_256(m, c) SITES_256(m, d) SITES_256(m, e) SITES_256(m, f)

SITES_4096(SITE_BODY)

static const site_function many_sites[] = { SITES_4096(SITE_NAME) };
enum { NSITES = sizeof many_sites / sizeof many_sites[0] };

#endif
