/*
 * statsview.h - what the views of `strata stats` share (statsview.c).
 *
 * Of a series the last statistics are shown; counters then as rates, which
 * are their growth since the first over the difference of uptimes.
 */
#ifndef STRATA_STATSVIEW_H
#define STRATA_STATSVIEW_H

#include <stdio.h>

#include "cli.h"
#include "statsfile.h"

struct statsview {
	const struct cli_args *args;
	const struct statsfile_series *series;
	const struct statsfile *first, *last;	/* equal: not a series */
	/* --arena's, or merged, of each; never NULL */
	const struct statsfile_arena *before, *now;
	const char *arena;		/* its name; NULL: merged */
	double seconds;			/* first to last; NAN unknown */
	bool one_process;		/* as far as they say */
	long top;			/* rows of the arenas' table, 0 all */
	FILE *out;
	bool color;
};

void statsview_text(const struct statsview *view);
void statsview_json(const struct statsview *view);
int statsview_csv(const struct statsview *view);
void statsview_svg(const struct statsview *view);
/* strict: OpenMetrics; else the text format that Prometheus had before. */
void statsview_metrics(const struct statsview *view, bool strict);

/* statsview_pools.c: a part of the text. */
void statsview_pools_text(const struct statsview *view);

/* --- figures -------------------------------------------------------------- */

static inline bool
statsview_is_series(const struct statsview *view)
{
	return view->first != view->last;
}

/* Does it say how often, and how long, threads waited for locks? */
static inline bool
statsview_has_waits(const struct statsfile *file)
{
	return file->has_mutexes && !file->locks_unknown;
}

/* Growth a second; NAN if unknown, or if the counter began anew. */
double statsview_rate(const struct statsview *view, uint64_t first,
    uint64_t last);

/* Small and large together. */
struct statsfile_kind statsview_kinds(const struct statsfile_arena *arena);

/* Rows beyond an array's end are all 0. */
const struct statsfile_bin *statsview_bin(
    const struct statsfile_arena *arena, size_t i);
const struct statsfile_lextent *statsview_lextent(
    const struct statsfile_arena *arena, size_t i);
/* The lock's counters; 0 if there is no such lock. */
struct statsfile_lock statsview_lock(const struct statsfile_mutexes *mutexes,
    const char *name);

/* The size of a class, or 0 if the file does not say. */
uint64_t statsview_bin_size(const struct statsfile *file, size_t i);
uint64_t statsview_large_size(const struct statsfile *file, size_t i);

/* Regions in use of those that the slabs have; NAN unknown. */
double statsview_utilisation(const struct statsfile *file,
    const struct statsfile_bin *bin, size_t i);

/*
 * Where resident memory goes. Only live and cached are the program's doing;
 * rest may be below 0: the figures are read one after the other.
 */
struct statsview_split {
	double live, tcache, slack, dirty, metadata, rest;
	double muzzy;			/* not a part of resident */
};
struct statsview_split statsview_split(const struct statsfile *file);

/* "strata 0.1.0" or "jemalloc 5.3.0-0-g..." */
const char *statsview_writer(const struct statsfile *file);

#endif
