/*
 * trigger.h - what starts a dump: a signal, bytes, time, a new high of mapped
 * memory, the exit; and the requests of `strata ctl`.
 *
 *   handler, event, interval --> queue of requests --> worker task
 *                                                      (worker.h)
 *
 * The signal's handler only puts the request in the queue and starts or wakes
 * the worker. It is installed where the disposition is still the default one,
 * and trigger_check notices a program that installs its own later.
 *
 * Locks: none. The queue is a few atomic words.
 * Memory: static.
 * Signals/fork: the handler keeps errno. In a fork child the queue is empty,
 *   except for signals that the child itself has had since the fork; interval
 *   dumps go on there from its first thread event.
 */
#ifndef STRATA_TRIGGER_H
#define STRATA_TRIGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof.h"

/* From prof_boot: copies the options. */
void trigger_boot(const struct prof_options *options,
    const struct prof_host *host);

/*
 * The last step of prof_start: publishes the ctl page, sets the worker's
 * memory aside, installs the handler. 0 or an errno (then only mallctl and
 * the exit dump).
 */
int trigger_start(void);

/* From a thread's event; no lock held. */
void trigger_event(uint64_t bytes_allocated);
void trigger_gdump(void);		/* mapped reached a new high */

/*
 * Looks whether the signal is still ours; a system call at most every 100 ms.
 * No lock held.
 */
void trigger_check(void);

/* Has old generations folded (cut.h). No lock held; returns at once. */
void trigger_fold(void);

/* Sampling, R or the prefix changed: the ctl page is brought up to date. */
void trigger_changed(void);

/*
 * At exit: waits a moment for a dump under way, then the final dump and the
 * leak summary as the options ask. True: the process must _exit(1).
 */
bool trigger_exit(void);

bool trigger_gdump_get(void);
void trigger_gdump_set(bool on);
uint64_t trigger_interval_get(void);	/* bytes; 0 = none */

/* prepare comes first of all, parent and child last. No waiting, no I/O. */
void trigger_fork_prepare(void);
void trigger_fork_parent(void);
void trigger_fork_child(void);

#endif
