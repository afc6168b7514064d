/*
 * report.h - what a cut holds, added up and weighted: the rows that both
 * dump formats and the leak summary are written from.
 *
 * A live row is one (group, age bucket, since), a freed row one (group,
 * lifetime bucket); a group is one (stack, arena, size class, generation, R).
 * The rows are sorted by stack, the live ones of a stack before its freed
 * ones.
 *
 * Figures are weighted per sample (estimate.h), added up as doubles within a
 * stack and rounded with the remainder carried on from row to row:
 *
 *   row i is round(w1 + ... + wi) - round(w1 + ... + wi-1)
 *
 * so that no row is negative and each stack's sum is within 1 of the truth.
 *
 * The cut is closed again before anybody writes: rows and stacks are copies,
 * so that a slow disk keeps no record of a dead object.
 *
 * Locks: none between calls. Memory: a scratch of its own.
 */
#ifndef STRATA_REPORT_H
#define STRATA_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cut.h"
#include "scratch.h"

struct report_row {
	const struct group *group;	/* NULL once the cut is closed */
	struct group_key key;		/* stack: then the report's own copy */
	uint32_t bucket;		/* lifetime.h: lifetime, or age */
	uint32_t since;			/* live rows; see cut.h */
	bool freed;
	uint64_t samples;
	/* raw sums over the samples: */
	uint64_t requested_raw;
	double pinned_raw;
	/* unbiased: */
	uint64_t objects, space, requested, pinned;
};

/* What a live row is found by; its hash is here, since rows lie scattered. */
struct report_slot {
	uint32_t hash;
	uint32_t row;			/* its number, from 1; 0: free */
};

struct report {
	struct scratch scratch;
	struct cut cut;			/* its figures; closed */
	struct report_row **rows;
	size_t nrows;
	/* sums of what the rows say: */
	uint64_t live_objects, live_space;
	uint64_t freed_objects, freed_space;
	size_t live_stacks;		/* stacks with a live row */
	/* report.c's: */
	struct report_slot *table;	/* live rows by key; open addressing */
	size_t table_size, rows_size;
};

/*
 * Takes a cut, reads it to its end and closes it. On 0 the caller writes what
 * it wants and then calls report_close. EBUSY: another cut is open; ENOMEM:
 * nothing to close.
 */
int report_open(struct report *report);
void report_close(struct report *report);

#endif
