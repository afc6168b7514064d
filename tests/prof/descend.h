/*
 * descend.h - a stack of any depth for tests that walk it. It is included after
 * the look() of the test.
 */
#ifndef TESTS_PROF_DESCEND_H
#define TESTS_PROF_DESCEND_H

/* What each frame calls next: the compiler cannot know, and makes no loop. */
static int (*volatile no_tail_call)(int);

/* Looks from n frames further in; returns n if no_tail_call is descend. */
static __attribute__((noinline)) int
descend(int n)
{
	if (n == 0) {
		look();
		return 0;
	}
	return no_tail_call(n - 1) + 1;
}

#endif
