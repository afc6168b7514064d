/*
 * event.h - what happens every so many allocated bytes of a thread.
 *
 *   allocated bytes ->
 *   ----+---------+----x----+---------+-x-------+----
 *       gc        gc   |    gc        gc|       gc       + a cache's gc,
 *                    sample          sample                decay, intervals
 *
 * One countdown serves all: it runs out at the nearest of them. Whether a
 * byte is a sample point never moves the other events, so that profiling does
 * not change where blocks lie.
 */
#ifndef STRATA_EVENT_H
#define STRATA_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "thread.h"

/* A block just made, in the words of the event. */
struct event_alloc {
	void *ptr;
	size_t requested;
	unsigned sizeclass;
};

/* Sets the first target of a new thread. */
void event_thread_init(struct thread *thread);

/*
 * The countdown is below zero after block was charged to it: takes the
 * sample if it was hit, does what is due, and sets the next target. Keeps
 * errno. No lock is held.
 */
void event_run(struct thread *thread, const struct event_alloc *block);

/* Draws this thread's gap anew: R or a switch has changed. */
void event_redraw(struct thread *thread);
/* Every other thread does so at its next event. */
void event_redraw_all(void);

#endif
