/*
 * header.h - the block that every view prints first: what was measured, when,
 * how exactly, and where the process's memory is.
 *
 *   program   redis-server *:6379 (pid 4711, strata 0.1.0)
 *   taken     2026-07-01 12:00:05 UTC, 3 h 20 min after start, by signal
 *   sampling  every 512 KiB; 8123 live samples, 0 dropped
 *   live      412 MiB +- 4.60 MiB estimated, 415 MiB exact (0.6 errors low)
 *   RSS       520 MiB = live 415 MiB + caches 3.00 MiB + ...
 *
 * What the profile does not say is left out, never guessed: the line, or the
 * part of it.
 *
 * Of several files merged it has the first and the last time, the smallest and
 * the largest R, and of the program and the trigger what they agree on.
 *
 * The estimate is that of all rows, so it is taken before a filter drops
 * some: header_of first, header_print at the end.
 */
#ifndef STRATA_HEADER_H
#define STRATA_HEADER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "model.h"
#include "sites.h"

struct header {
	const struct model *model;	/* for its comments; outlives this */
	struct estimate live;		/* sum of inuse_space */
	bool has_live;			/* there is that sample type */
	int64_t period_min, period_max;	/* R of the rows; 0 unknown */
};

struct header header_of(const struct model *model);

/*
 * The standard error of a sum of bytes over a whole profile, or NAN. What the
 * samples say of their own spread knows nothing of objects too small to have
 * met one; one mean distance R is added for them (B bytes of them stay unseen
 * with probability exp(-B/R)).
 */
double header_sum_error(const struct model *model,
    const struct estimate *sum);

/* prefix begins each line: "" on a terminal, "# " in folded text. */
void header_print(const struct header *header, FILE *out, bool color,
    const char *prefix);

/* The same as text without colour, for pictures; the caller frees it. */
char *header_text(const struct header *header);

/* The same facts as an object; the caller owns the reference. */
json_t *header_json(const struct header *header);

/* The parts of RSS, in the order of the line; the last is "other". */
struct header_part {
	const char *name;
	double bytes;
};
enum { HEADER_PARTS = 7 };

/*
 * Fills parts with those that the profile knows and returns their number;
 * 0 if it does not know RSS. other is what the known parts leave of RSS,
 * negative where pages in use were never touched; it is there only if all
 * the others are (but for the profiler's own memory, which old formats do
 * not tell).
 */
size_t header_parts(const struct model_exact *exact,
    struct header_part parts[HEADER_PARTS]);

#endif
