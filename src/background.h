/*
 * background.h - threads that purge what has decayed, when asked for.
 *
 * Of n threads the k-th serves the arenas with index i mod n = k; it sleeps
 * until a step of decay is due. None exists unless background_thread is true.
 * In a fork child they are made anew at some thread's next event.
 */
#ifndef STRATA_BACKGROUND_H
#define STRATA_BACKGROUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lock_stats;

struct background_stats {
	size_t num_threads;
	uint64_t num_runs;
	uint64_t run_interval;		/* ns, mean */
};

/* From the library's constructor: starts if opt.background_thread. */
void background_boot(void);

/*
 * True if arenas are purged in the background: events then need not. Called
 * at events, without locks: it makes a fork child's threads.
 */
bool background_enabled(void);

/* Starts or stops the threads and waits for it. 0 or errno. */
int background_set(bool enabled);
int background_max_set(size_t max);
size_t background_max_get(void);
void background_stats_get(struct background_stats *out);
void background_lock_stats(struct lock_stats *out);
void background_lock_reset(void);

void background_fork_prepare(void);
void background_fork_parent(void);
void background_fork_child(void);

#endif
