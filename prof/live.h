/*
 * live.h - the sampled objects that are allocated right now, by address.
 */
#ifndef STRATA_LIVE_H
#define STRATA_LIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group.h"
#include "hash.h"
#include "list.h"
#include "prof.h"
#include "lock.h"

struct live {
	struct hash_node node;		/* of its shard; in limbo: the chain */
	struct list list;		/* the shard's list, youngest first */
	/* constant: */
	const void *ptr;
	struct group *group;
	uint64_t requested;		/* bytes */
	uint64_t birth_ns;		/* monotonic clock */
	union {
		uint64_t thread_clock;	/* the thread's allocated bytes */
		double pinned;		/* in limbo: what it pinned, bytes */
	};
	uint32_t thread;		/* uid */
	/* shard lock: */
	uint32_t since;			/* cut number at birth | LIVE_DEAD */
};

enum {
	LIVE_SHARDS = 64,
	LIVE_LANES = 4,			/* shards walked together; 8 no faster */
	/*
	 * Records that a walk finds in all its lanes, or that a sweep takes off
	 * a list under one hold: some 4 us, which one who spins outlasts.
	 */
	LIVE_STEP = 32,
};
_Static_assert(LIVE_SHARDS % LIVE_LANES == 0, "all lanes have a shard");
#define LIVE_DEAD	0x80000000u	/* freed after the open cut: limbo */

/*
 * A record at ptr will be entered or ended in some 50 ns: what it is looked up
 * by is in no processor's cache where many records live.
 */
void live_expect(const void *ptr);

/*
 * Enters a record; group comes with a live count (group_get) that the record
 * takes over. NULL without memory: the caller puts the group.
 */
struct live *live_insert(const struct live *birth);

/* What a record said when it ended. */
struct live_end {
	struct stack *stack;		/* with a reference for the caller */
	uint64_t usable;		/* bytes */
	uint64_t birth_ns;
	uint32_t thread;		/* uid */
};

/*
 * Ends the record at ptr (record: what live_insert returned, or NULL: looked
 * up). False if there is none. out may be NULL.
 */
bool live_remove(const void *ptr, struct live *record, uint64_t now_ns,
    struct live_end *out);

/* Copies the stack of the record at ptr; 0 if there is none. */
size_t live_stack(const void *ptr, uintptr_t *frames, size_t max);

uint64_t live_count(void);		/* records of live objects */
uint64_t live_freed(void);		/* ever ended since the last reset */

/* What a cut sees at its one moment. */
struct live_moment {
	uint32_t number;		/* of the cut: 1, 2, ... */
	uint64_t time_ns;
	uint64_t live;			/* records in the cut */
	uint64_t freed;			/* samples freed by then */
};

/*
 * Opens a cut: all shard locks are held for the call only. From here on
 * records that die stay listed, and freed totals go to CELL_LATE.
 */
void live_cut_open(struct live_moment *out);

/*
 * Visits a few records of the cut, without a lock; pinned: bytes the record's
 * region pins (0: large). cursor starts as zeroes. False: the end.
 */
struct live_cursor {
	uint32_t shard;			/* the first of LIVE_LANES */
	struct list *at[LIVE_LANES];	/* visited last; NULL: none yet */
};
typedef void live_visit(const struct live *record, double pinned, void *arg);
bool live_cut_walk(struct live_cursor *cursor, live_visit *visit, void *arg);

/* Of a record of the cut that may be dying: the number, without LIVE_DEAD. */
uint32_t live_since(const struct live *record);

/* Freed totals go to CELL_MAIN again; what waited in limbo is recycled. */
void live_cut_close(void);

/*
 * Forgets the records born before now: they end without trace. Calls
 * at_reset with all shard locks held.
 */
void live_reset(void (*at_reset)(void));

void live_boot(const struct prof_host *host);
void live_check(void);			/* debug: walks all, aborts on damage */

void live_each_lock(lock_visit *visit, void *arg);
void live_fork_prepare(void);
void live_fork_parent(void);
void live_fork_child(void);

#endif
