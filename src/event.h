/*
 * event.h - what happens every so many allocated bytes of a thread.
 *
 *   allocated bytes ->
 *   ----+---------+----x----+---------+-x-------+----
 *       gc   d  d gc d |    gc  d     gc|       gc       + a cache's gc,
 *                    sample          sample                intervals
 *
 * One countdown serves all: it runs out at the nearest of them. Whether a
 * byte is a sample point never moves the other events, so that profiling does
 * not change where blocks lie.
 *
 * Decay (d) goes by the clock, which allocation does not: its events come
 * closer together as the thread gets slower, so that a thread with a thousand
 * calls a second looks at the clock often enough, and a fast one seldom. Frees
 * have no countdown; they pass through event_tick whenever a cache is full.
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

/*
 * A slow path was taken. Lets decay take what is due, reading the clock now
 * and then only, but whenever pages have come free.
 */
enum event_slow { EVENT_FILL, EVENT_FLUSH, EVENT_PAGES };
void event_tick(struct thread *thread, enum event_slow what);

/*
 * The most bytes that the thread held (allocated less freed, whoever made or
 * freed them) since the last reset, as seen at its events: after the first
 * call each 64 KiB, before it each 256 allocations or so.
 */
uint64_t event_peak_get(struct thread *thread);
void event_peak_reset(struct thread *thread);

/* Draws this thread's gap anew: R or a switch has changed. */
void event_redraw(struct thread *thread);
/* Every other thread does so at its next event. */
void event_redraw_all(void);

#endif
