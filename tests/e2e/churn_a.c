/*
 * churn_a.c - a plugin that allocates in its constructor, at call sites of its
 * own and in a callback of the C library. Its twin has the same layout.
 */
#include <stdlib.h>
#include <string.h>

#include "churn.h"

static void *constructed;

__attribute__((constructor)) static void
churn_a_constructor(void)
{
	constructed = malloc(500);
}

__attribute__((destructor)) static void
churn_a_destructor(void)
{
	free(constructed);
}

__attribute__((noinline)) static void *
churn_a_keep(void)
{
	char *p = malloc(1000);

	if (p != NULL)
		memset(p, 'a', 1000);
	return p;
}

__attribute__((noinline)) static int
churn_a_compare(const void *left, const void *right)
{
	free(malloc(64 + *(const unsigned char *)left));
	return *(const unsigned char *)left - *(const unsigned char *)right;
}

static void
churn_a_work(void)
{
	unsigned char numbers[] = { 9, 3, 200, 17, 1, 77, 5, 4 };

	qsort(numbers, sizeof numbers, 1, churn_a_compare);
	free(realloc(malloc(40), 4000u + numbers[7]));
}

const struct churn_plugin *
churn_plugin(void)
{
	static const struct churn_plugin plugin = { "churn_a_keep", 1000,
	    churn_a_keep, churn_a_work };

	return &plugin;
}
