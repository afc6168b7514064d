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

#include "stack.h"

/* A generation that stands for all up to (generation & ~GENERATION_FOLD). */
#define GENERATION_FOLD	0x80000000u

struct group_key {
	struct stack *stack;
	uint64_t rate;			/* R in bytes */
	uint64_t usable;		/* bytes */
	uint32_t arena;
	uint32_t sizeclass;
	uint32_t generation;		/* perhaps with GENERATION_FOLD */
};

enum { CELL_MAIN, CELL_LATE };

struct group_cell {			/* freed samples of one lifetime */
	struct group_cell *next;	/* by bucket, ascending */
	uint32_t bucket;		/* lifetime.h */
	uint64_t samples[2];
	uint64_t requested[2];		/* bytes, summed */
};

struct group {
	struct group *next;		/* bucket chain of its shard */
	/* constant: */
	struct group_key key;		/* holds a reference on the stack */
	uint64_t hash;
	/* shard lock: */
	uint64_t live;			/* records that point here */
	struct group_cell *cells;
	struct group_cell spare;	/* cells.bucket UINT32_MAX: unused */
};

/*
 * The group of key with one more live record, or NULL (no memory). Takes over
 * no reference: the group gets its own on the stack.
 */
struct group *group_get(const struct group_key *key);

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
 * The totals of a cut or a reset. fold: MAIN += LATE. replace: MAIN = LATE
 * (after a reset during a cut). clear: both halves, or only LATE, are zero.
 * Groups left with nothing are freed. Only while no cut is open, except
 * group_clear_late.
 */
void group_fold_all(void);
void group_replace_all(void);
void group_clear_all(void);
void group_clear_late(void);

/*
 * Walks the groups: calls visit for each with its shard locked, at most
 * GROUP_BATCH of them between two releases of a lock. *cursor starts at 0;
 * false at the end. Groups made meanwhile may or may not be seen.
 */
enum { GROUP_BATCH = 128 };
struct group_cursor {
	uint32_t shard;
	uint32_t bucket;
};
bool group_walk(struct group_cursor *cursor,
    bool (*visit)(struct group *group, void *arg), void *arg);

/* Freed totals of generations below `below` fold into one; returns count. */
uint64_t group_fold_generations(uint32_t below);

uint64_t group_count(void);

void group_fork_prepare(void);
void group_fork_parent(void);
void group_fork_child(void);

#endif
