/*
 * leak.h - prof_leak: what is still allocated at exit, in jemalloc's words.
 */
#ifndef STRATA_LEAK_H
#define STRATA_LEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Takes a cut, which no dump may do meanwhile (dump_acquire), and prints its
 * summary on stderr, nothing if there is no live sample and none was dropped.
 * True if there is a live one. The figures are unbiased estimates, exact at
 * R = 1; "contexts" are call stacks.
 */
bool leak_summary(void);

/* The line itself, for the summary and its test. */
size_t leak_line(char *out, size_t size, uint64_t bytes, uint64_t objects,
    size_t contexts);

#endif
