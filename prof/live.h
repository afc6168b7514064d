/*
 * live.h - the sampled objects that are allocated right now, by address.
 */
#ifndef STRATA_LIVE_H
#define STRATA_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group.h"
#include "prof.h"

struct live {
	struct live *chain;		/* bucket chain of its shard */
	struct live *prev, *next;	/* the shard's list, youngest first */
	/* constant: */
	const void *ptr;
	struct group *group;
	uint64_t requested;		/* bytes */
	uint64_t birth_ns;		/* monotonic clock */
	uint64_t thread_clock;		/* the thread's allocated bytes */
	uint32_t thread;		/* uid */
	/* shard lock: */
	uint32_t since;			/* cut number at birth | LIVE_DEAD */
};

enum { LIVE_SHARDS = 64 };
#define LIVE_DEAD	0x80000000u	/* freed after the open cut: limbo */

/*
 * Enters a record; group comes with a live count (group_get) that the record
 * takes over. NULL without memory: the caller puts the group.
 */
struct live *live_insert(const struct live *birth);

/*
 * Ends the record at ptr (record: what live_insert returned, or NULL: looked
 * up). False if there is none.
 */
bool live_remove(const void *ptr, struct live *record, uint64_t now_ns);

/* Copies the stack of the record at ptr; 0 if there is none. */
size_t live_stack(const void *ptr, uintptr_t *frames, size_t max);

uint64_t live_count(void);		/* records of live objects */
uint64_t live_freed(void);		/* ever ended since the last reset */
uint32_t live_cut_number(void);		/* cuts so far */

/* The cut (cut.c). All shard locks are held for the call only. */
void live_cut_open(void (*at_cut)(void *), void *arg, uint32_t *number);
void live_cut_close(void);		/* late frees go to CELL_MAIN again */
struct live_cursor {
	uint32_t shard;
	struct live *at;
	bool started;
};
/* Visits records of the cut, at most max, one lock hold. False: the end. */
bool live_cut_walk(struct live_cursor *cursor, uint32_t number, size_t max,
    void (*visit)(const struct live *record, void *arg), void *arg);
void live_cut_sweep(void);		/* frees the limbo, after the close */

/* Forgets all records born before now: they end without trace. */
void live_reset(void);

void live_fork_prepare(void);
void live_fork_parent(void);
void live_fork_child(void);		/* an open cut is dropped */

#endif
