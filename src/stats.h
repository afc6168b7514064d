/*
 * stats.h - malloc_stats_print and what goes with it.
 *
 * Memory: formatted without malloc through a buffer on the stack. No lock is
 *   held while text goes out; the figures are those of one snapshot unless
 *   somebody writes epoch meanwhile.
 */
#ifndef STRATA_STATS_H
#define STRATA_STATS_H

/* At exit, when opt.stats_print. */
void stats_exit(void);

/* At a thread's event, when opt.stats_interval bytes have been allocated. */
void stats_interval_event(void);

/*
 * Writes all of it as JSON to fd. 0 or the errno of the first failed write.
 * Needs no thread state: the profiler's worker calls it.
 */
int stats_json(int fd);

#endif
