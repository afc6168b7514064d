/*
 * compare.h - two profiles compared site by site.
 *
 * The standard error of a difference depends on what the two have in common.
 * With V the variance of a site's sum,
 *
 *   error^2 = V(old) + V(new) - 2 V(shared)
 *
 * where shared are the samples that both hold, whose errors cancel:
 *   inuse_*            of one process: the later dump's rows that were born
 *                      before the earlier dump (label `since`)
 *   alloc_*, freed_*,  of one process: all of the earlier dump, since totals
 *   requested_space    only grow
 *   all                of one dump given twice: everything
 *   otherwise          none: the runs are independent
 */
#ifndef STRATA_COMPARE_H
#define STRATA_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "sites.h"

enum compare_errors {
	COMPARE_INDEPENDENT,		/* two processes, or not known */
	COMPARE_SHARED,			/* one process, what is shared known */
	COMPARE_UPPER_BOUND,		/* one process, too many dumps apart */
	COMPARE_DISJOINT,		/* two generations: no sample in both */
};

enum compare_state { COMPARE_BOTH, COMPARE_NEW, COMPARE_GONE };

struct compare_row {
	const char *name;		/* of the sites below */
	const struct site *old, *new;	/* NULL: there is none */
	enum compare_state state;
	struct estimate delta;		/* of flat, or of cum */
	double old_value, new_value;
	double old_objects, new_objects;
	double shared;			/* private: variance in common */
};

struct comparison {
	struct compare_row *rows;	/* largest difference first */
	uint32_t n;
	struct compare_row total;	/* without sites */
	enum compare_errors errors;
	/* private: */
	struct sites *old_sites, *new_sites;
};

/*
 * Compares by the sample type of that name. cum: compare cum, not flat.
 * Both models must outlive the result. NULL if one lacks the type.
 */
struct comparison *compare_build(const struct model *old,
    const struct model *new, enum sites_by by, const char *type, bool cum);
void compare_free(struct comparison *diff);

/* The same of two generations of one process, which share no sample. */
struct comparison *compare_build_disjoint(const struct model *old,
    const struct model *new, enum sites_by by, const char *type, bool cum);

/* delta over its error; 0 if that is not known, HUGE_VAL if it is 0. */
double compare_significance(const struct compare_row *row);

#endif
