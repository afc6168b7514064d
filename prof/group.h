/*
 * group.h - samples that are alike: same stack (and so module epoch), arena,
 * size class, usable size, generation and R.
 *
 * Within a group the sampling probability is one number, so totals and
 * histograms are raw counts of samples plus the sum of the bytes asked for;
 * weights come in when a dump is written.
 *
 *   group --> cell(bucket 3) --> cell(bucket 17) --> NULL     freed samples
 *
 * While a cut is open what dies after it goes to the second half of a cell
 * (CELL_LATE), which cut_end adds to the first.
 */
#ifndef STRATA_GROUP_H
#define STRATA_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "list.h"
#include "stack.h"
#include "lock.h"

/* A generation that stands for all up to (generation & ~GENERATION_FOLD). */
#define GENERATION_FOLD	0x80000000u
/* Such a group may be of whichever arenas. */
#define GROUP_NO_ARENA	UINT32_MAX

struct group_key {
	struct stack *stack;
	uint64_t rate;			/* R in bytes */
	uint64_t usable;		/* bytes */
	uint32_t arena;			/* or GROUP_NO_ARENA */
	uint32_t sizeclass;
	uint32_t generation;		/* perhaps with GENERATION_FOLD */
};

enum { CELL_MAIN, CELL_LATE };

struct group_cell {			/* freed samples of one lifetime */
	struct group_cell *next;
	uint32_t bucket;		/* lifetime.h */
	uint64_t samples[2];
	uint64_t requested[2];		/* bytes, summed */
};

struct group {
	struct hash_node node;
	struct list list;		/* of its shard, by `ended` */
	/* constant while live > 0 or a cut is open: */
	struct group_key key;		/* holds a reference on the stack */
	/* shard lock: */
	uint64_t live : 63;		/* records that point here */
	uint64_t ended : 1;		/* on the list of those (group.c) */
	struct group_cell cells;	/* the first; samples 0: unused */
	struct group_cell **index;	/* of many cells, or NULL */
};

/*
 * The group of key with one more live record, or NULL (no memory). Takes over
 * no reference: the group gets its own on the stack.
 */
struct group *group_get(const struct group_key *key);

/*
 * Groups that a thread asked for a short while ago, so that it need not look
 * for stack and group again. An entry holds nothing: `version` tells whether
 * its group has stayed where it was.
 */
struct group_recent {
	uint64_t mark;			/* of what was asked for */
	uint64_t version;		/* of the shard, then */
	struct group *group;		/* NULL: an empty entry */
	uint32_t shard;
};
enum { GROUP_RECENT = 64 };		/* 2 KiB a thread that samples often */

/*
 * As group_get, key->stack left out: the group of that key and of a stack
 * with these frames and epoch, if it is in recent. Else NULL; then
 * group_remember tells what it was found to be.
 */
struct group *group_again(const struct group_recent *recent,
    const struct group_key *key, const struct stack_frames *frames,
    uint32_t epoch);
void group_remember(struct group_recent *recent, struct group *group,
    const struct stack_frames *frames);

/* A record of the group is gone without trace (reset, failed insert). */
void group_put(struct group *group);

/*
 * A record died: one sample of this lifetime, half CELL_MAIN or CELL_LATE.
 * Without memory for a cell the sample goes to the nearest one there is, so
 * that the totals stay right.
 */
void group_add_freed(struct group *group, uint64_t lifetime_ns,
    uint64_t requested, unsigned half);

/*
 * For the end of a cut and for a reset: fold_late adds LATE to MAIN, the
 * others make a half zero. fold_late and clear_main free the groups left with
 * nothing; call them only while nobody walks.
 */
void group_fold_late(void);
void group_clear_main(void);
void group_clear_late(void);

/*
 * Visits all groups with freed samples, and some without, a few under one lock
 * hold. cursor starts as zeroes; false at the end, or where visit has said
 * false: then the next call goes on behind that group. What was freed
 * meanwhile may or may not be seen; only while a cut is open.
 */
struct group_cursor {
	uint32_t shard;
	struct list *at;		/* visited last; NULL: none yet */
};
typedef bool group_visit(const struct group *group, void *arg);
bool group_walk(struct group_cursor *cursor, group_visit *visit, void *arg);

/*
 * Freed totals of generations below `below` go to one group for all of them
 * (GENERATION_FOLD); arenas: one for all arenas too. Does a few groups at a
 * time; false at the end. In between anything may happen, but during a walk it
 * must not be called. Without memory it does what it can, and no sum changes:
 * then a lifetime may go to another's cell.
 */
struct group_fold {
	uint32_t below;
	bool arenas;
	/* group.c's; zeroes at first: */
	uint32_t shard;
	size_t left;			/* groups of it; 0: not begun */
};
bool group_fold_generations(struct group_fold *fold);

uint64_t group_count(void);

void group_boot(void);
void group_check(void);			/* debug: walks all, aborts on damage */
void group_each_lock(lock_visit *visit, void *arg);
void group_fork_prepare(void);
void group_fork_parent(void);
void group_fork_child(void);

#endif
