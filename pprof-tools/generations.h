/*
 * generations.h - what the files of `strata generations` share.
 */
#ifndef STRATA_GENERATIONS_H
#define STRATA_GENERATIONS_H

#include <stdint.h>
#include <stdio.h>

#include "genstat.h"
#include "view.h"

/* Dumps of one process, oldest first. */
struct gen_series {
	struct view *views;
	struct gen_dump **dumps;
	uint32_t n;
};

/* "kept", "stray", "once", "" */
const char *generations_kind(enum gen_kind kind);

/*
 * The first and the last dump that holds something of the site in that
 * generation: indices into the series. False: none does.
 */
bool generations_seen(const struct gen_series *series, const char *site,
    int64_t generation, uint32_t *first, uint32_t *last);

/* The first n sites of the last dump: one line for each generation. */
void generations_csv(const struct gen_series *series, uint32_t n, FILE *out);

/* The same with the sums of each site and the facts of the header. */
void generations_json(const struct gen_series *series, uint32_t n,
    FILE *out);

/* Bytes alive of each generation over the dumps, stacked. */
void generations_svg(const struct gen_series *series, FILE *out);

#endif
