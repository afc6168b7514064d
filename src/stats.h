/*
 * stats.h - malloc_stats_print and what goes with it.
 *
 * Memory: formatted without malloc into a buffer on the stack; the figures
 *   come through mallctl, so that what is printed is what a program can read.
 */
#ifndef STRATA_STATS_H
#define STRATA_STATS_H

/* At exit, when opt.stats_print. */
void stats_exit(void);

/* At a thread's event, when opt.stats_interval bytes have been allocated. */
void stats_interval_event(void);

/*
 * The JSON of malloc_stats_print("J") to fd: no malloc, no errno, no lock
 * across I/O; for the profiler's worker task. 0 or an errno value.
 */
int stats_json(int fd);

#endif
