/*
 * statsfile_sum.h - what the reader works out of the figures themselves.
 */
#ifndef STRATA_STATSFILE_SUM_H
#define STRATA_STATSFILE_SUM_H

#include "statsfile.h"

/* Without "merged": the sum of the arenas, as jemalloc would have it. */
void statsfile_sum_arenas(struct statsfile *file);

/* Clears the lock counters of a writer that gets them wrong. */
void statsfile_check_locks(struct statsfile *file);

#endif
