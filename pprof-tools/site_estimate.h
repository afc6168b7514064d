/*
 * site_estimate.h - an estimate of a row or a site with its standard error.
 *
 * Error: an object of u bytes is sampled with probability p; a sample that
 * stands for 1/p objects adds (1 - p)/p^2 to the variance of the count and
 * u^2 times that to the variance of the bytes. Summed over the samples of a
 * row of value V that is V (1 - p)/p, or V u (1 - p)/p for bytes. A row whose
 * size or rate is not known makes its sums' error unknown, except for
 * Strata's own rows without a size, which are counts and not estimates.
 */
#ifndef STRATA_SITE_ESTIMATE_H
#define STRATA_SITE_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"

struct estimate {
	double value;
	double variance;		/* of value; valid if known */
	bool unknown;			/* the error is not known */
};

/* Standard error of an estimate; NAN if it is not known. */
double estimate_error(const struct estimate *estimate);
void estimate_add(struct estimate *to, const struct estimate *from);

/* For qsort: the larger amount, of either sign, first. */
int estimate_compare(const struct estimate *a, const struct estimate *b);

/* One row's estimate of a type, with the variance described above. */
struct estimate site_row_estimate(const struct model *model,
    const struct model_row *row, uint32_t type);

/* Probability that an object of these bytes is sampled; 1 if rate <= 1. */
double site_probability(double bytes, double rate);

/* A row's value of a type as it stands; 0 for MODEL_NONE. */
double site_row_value(const struct model_row *row, uint32_t type);

#endif
