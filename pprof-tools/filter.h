/*
 * filter.h - drops rows and frames of a model, as pprof's options do.
 *
 *   focus      keep rows with a frame that matches
 *   ignore     drop rows with a frame that matches
 *   hide       drop the frames that match
 *   show       keep only the frames that match
 *   show_from  drop the frames above (callers of) the highest that matches
 *
 * A frame matches by function, source file, or module file name; regular
 * expressions are POSIX extended ones, unanchored. Inlined frames count
 * singly. A row that loses all its frames is dropped.
 *
 * Where the profiler has summed up what old generations of all arenas freed,
 * the sum is of none: a choice of arenas leaves it out and tells so in the
 * model's arenas_left_out. A choice of some of the generations in such a sum
 * does so too, in generations_left_out.
 */
#ifndef STRATA_FILTER_H
#define STRATA_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

/* NULL: no such condition. */
struct filter {
	const char *focus, *ignore, *hide, *show, *show_from;
	const char *arena;		/* "3", "0-3", "1,4" */
	const char *generation;		/* likewise */
	const char *size;		/* "64", "16-1k", "1M-" usable bytes */
	const char *thread;		/* regular expression */
	const char *age;		/* "10s-", "-1m", "1m-1h": live rows */
};

/* Is there no condition at all? */
bool filter_is_empty(const struct filter *filter);

/*
 * Applies the filter. Fails with EINVAL and a reason naming the option if an
 * expression or range is malformed; the model is then unchanged.
 */
int filter_apply(struct model *model, const struct filter *filter,
    struct model_error *error);

#endif
