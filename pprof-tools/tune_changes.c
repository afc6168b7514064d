/*
 * tune_changes.c - two statistics side by side: options, rates and what is
 * held.
 *
 *                            then        now
 *   requests            81.2 M/s   79.9 M/s
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "grid.h"
#include "term.h"
#include "tune.h"
#include "units.h"

static double
rate(const struct tune_input *in, double n)
{
	return in->seconds > 0 ? n / in->seconds : NAN;
}

static double
requests(const struct tune_input *in)
{
	return rate(in, (double)(in->merged.small.nrequests +
	    in->merged.large.nrequests));
}

static double
transfers(const struct tune_input *in)
{
	return rate(in, (double)(in->merged.small.nfills +
	    in->merged.small.nflushes));
}

static double
slabs(const struct tune_input *in)
{
	double n = 0;

	for (size_t i = 0; i < in->merged.nbins; i++)
		n += (double)in->merged.bins[i].nslabs;
	return in->file->is_strata ? rate(in, n) : NAN;
}

static double
larges(const struct tune_input *in)
{
	return rate(in, (double)in->merged.large.nmalloc);
}

/* Of all locks of the arenas: 0 spins, 1 sleeps, 2 the time asleep. */
static double
locks(const struct tune_input *in, int what)
{
	const struct statsfile_arena *arena = &in->merged;
	double sum[3] = { 0 };

	if (in->file->locks_unknown || !in->file->has_mutexes)
		return NAN;
	for (size_t i = 0; i < arena->nbins + arena->mutexes.n; i++) {
		const struct statsfile_lock *lock = i < arena->nbins ?
		    &arena->bins[i].lock :
		    &arena->mutexes.items[i - arena->nbins].lock;

		sum[0] += (double)lock->num_spin_acq;
		sum[1] += (double)lock->num_wait;
		sum[2] += (double)lock->total_wait_time_ns;
	}
	return rate(in, sum[what]);
}

static double
spins(const struct tune_input *in)
{
	return locks(in, 0);
}

static double
sleeps(const struct tune_input *in)
{
	return locks(in, 1);
}

static double
asleep(const struct tune_input *in)
{
	return locks(in, 2);
}

static double
purged(const struct tune_input *in)
{
	return rate(in, (double)in->merged.dirty.purged);
}

static double
madvises(const struct tune_input *in)
{
	return rate(in, (double)(in->merged.dirty.nmadvise +
	    in->merged.muzzy.nmadvise));
}

static double
seconds(const struct tune_input *in)
{
	return in->seconds * 1e9;
}

static double
threads(const struct tune_input *in)
{
	return in->threads;
}

static double
arenas(const struct tune_input *in)
{
	return in->automatic;
}

static double
allocated(const struct tune_input *in)
{
	return (double)in->file->allocated;
}

static double
active(const struct tune_input *in)
{
	return (double)in->file->active;
}

static double
resident(const struct tune_input *in)
{
	return (double)in->file->resident;
}

static double
dirty(const struct tune_input *in)
{
	return (double)statsfile_pages(in->file,
	    in->file->merged.dirty.npages);
}

static double
cached(const struct tune_input *in)
{
	return (double)in->file->merged.tcache_bytes;
}

static const struct {
	const char *name, *key, *unit;
	double (*read)(const struct tune_input *in);
} rows[] = {
	{ "time", "seconds", "nanoseconds", seconds },
	{ "threads", "threads", "count", threads },
	{ "arenas", "arenas", "count", arenas },
	{ "requests", "requests", TUNE_PER_SECOND, requests },
	{ "fills and flushes", "transfers", TUNE_PER_SECOND, transfers },
	{ "new slabs", "slabs", TUNE_PER_SECOND, slabs },
	{ "large blocks from the arena", "larges", TUNE_PER_SECOND, larges },
	{ "locks got by spinning", "spins", TUNE_PER_SECOND, spins },
	{ "locks got by sleeping", "sleeps", TUNE_PER_SECOND, sleeps },
	{ "asleep, of a second", "asleep", "nanoseconds", asleep },
	{ "pages purged", "purged", TUNE_PER_SECOND, purged },
	{ "calls of madvise", "madvises", TUNE_PER_SECOND, madvises },
	{ "allocated", "allocated", "bytes", allocated },
	{ "active", "active", "bytes", active },
	{ "resident", "resident", "bytes", resident },
	{ "dirty", "dirty", "bytes", dirty },
	{ "in caches", "cached", "bytes", cached },
};

enum { NROWS = sizeof rows / sizeof *rows };

/* --- text ----------------------------------------------------------------- */

static const char *
value_text(double value, const char *unit, struct unit *out)
{
	struct unit number;

	if (isnan(value))
		return "-";
	if (strcmp(unit, TUNE_PER_SECOND) != 0)
		return unit_value(out, value, unit);
	snprintf(out->text, sizeof out->text, "%.30s/s",
	    unit_count(&number, round(value)));
	return out->text;
}

static const char *
percent_text(double then, double now, struct unit *out)
{
	if (isnan(then) || isnan(now) || then == 0 || now == then)
		return "";
	snprintf(out->text, sizeof out->text, "%+.1f%%",
	    (now / then - 1) * 100);
	return out->text;
}

/* An empty text is seen. */
static const char *
option_text(const char *value)
{
	return *value == '\0' ? "\"\"" : value;
}

static void
print_options(const struct tune_input *then, const struct tune_input *now,
    FILE *out)
{
	for (size_t i = 0; i < now->file->noptions; i++) {
		const struct statsfile_option *option =
		    &now->file->options[i];
		const char *old = statsfile_option(then->file, option->name);

		if (old != NULL && strcmp(old, option->value) != 0)
			fprintf(out, "opt.%s: %s, now %s\n", option->name,
			    option_text(old), option_text(option->value));
	}
}

void
tune_changes_text(const struct tune_input *then,
    const struct tune_input *now, FILE *out)
{
	struct grid *grid = grid_new("lrrr");

	print_options(then, now, out);
	for (const char *const *title = (const char *const[]){ "", "then",
	    "now", "", NULL }; *title != NULL; title++)
		grid_add(grid, GRID_BOLD, *title);
	for (size_t i = 0; i < NROWS; i++) {
		double a = rows[i].read(then), b = rows[i].read(now);
		struct unit unit;

		grid_add(grid, GRID_PLAIN, rows[i].name);
		grid_add(grid, GRID_PLAIN, value_text(a, rows[i].unit,
		    &unit));
		grid_add(grid, GRID_PLAIN, value_text(b, rows[i].unit,
		    &unit));
		grid_add(grid, GRID_DIM, percent_text(a, b, &unit));
	}
	grid_print(grid, out, term_color(out), term_width(out, 0));
	grid_free(grid);
	fputc('\n', out);
}

/* --- JSON ----------------------------------------------------------------- */

static json_t *
number(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

json_t *
tune_changes_json(const struct tune_input *then,
    const struct tune_input *now)
{
	json_t *list = json_array();

	for (size_t i = 0; i < NROWS; i++) {
		json_t *row = json_object();

		field_set_text(row, "figure", rows[i].key);
		field_set_text(row, "unit", rows[i].unit);
		json_object_set_new(row, "then", number(rows[i].read(then)));
		json_object_set_new(row, "now", number(rows[i].read(now)));
		json_array_append_new(list, row);
	}
	return list;
}
