/*
 * lifetimes.h - what the files of `strata lifetimes` share.
 */
#ifndef STRATA_LIFETIMES_H
#define STRATA_LIFETIMES_H

#include <stdint.h>
#include <stdio.h>

#include "header.h"
#include "lifestat.h"

/*
 * The first n groups, one band each: freed objects by lifetime on the left,
 * live ones by age on the right, on one logarithmic scale; over the left one
 * the share that survives.
 */
void lifetimes_svg(const struct header *header, const struct life *life,
    uint32_t n, enum life_measure measure, FILE *out);

/* The first n groups, one line for each bucket that is not empty. */
void lifetimes_csv(const struct life *life, uint32_t n, FILE *out);

/* The same with sums, quantiles and the facts of the header. */
void lifetimes_json(const struct header *header, const struct life *life,
    uint32_t n, enum life_measure measure, FILE *out);

/* "bytes", ... : the unit's name for unit_value. */
const char *lifetimes_unit(enum life_measure measure);

/* "1.00 us", "<1.00 us": a bucket's lower edge in words. */
const char *lifetimes_edge(char *text, size_t size, uint32_t bucket);

#endif
