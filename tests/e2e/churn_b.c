/*
 * churn_b.c - a plugin that allocates in its constructor, at call sites of its
 * own and in a callback of the C library. Its twin has the same layout.
 */
#include <stdlib.h>
#include <string.h>

#include "churn.h"

static void *constructed;

__attribute__((constructor)) static void
churn_b_constructor(void)
{
	constructed = malloc(500);
}

__attribute__((destructor)) static void
churn_b_destructor(void)
{
	free(constructed);
}

__attribute__((noinline)) static void *
churn_b_keep(void)
{
	char *p = malloc(3000);

	if (p != NULL)
		memset(p, 'b', 3000);
	return p;
}

__attribute__((noinline)) static int
churn_b_compare(const void *left, const void *right)
{
	free(malloc(64 + *(const unsigned char *)left));
	return *(const unsigned char *)left - *(const unsigned char *)right;
}

static void
churn_b_work(void)
{
	unsigned char numbers[] = { 9, 3, 200, 17, 1, 77, 5, 4 };

	qsort(numbers, sizeof numbers, 1, churn_b_compare);
	free(realloc(malloc(40), 4000u + numbers[7]));
}

const struct churn_plugin *
churn_plugin(void)
{
	static const struct churn_plugin plugin = { "churn_b_keep", 3000,
	    churn_b_keep, churn_b_work };

	return &plugin;
}
