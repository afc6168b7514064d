/*
 * statsview_text.c - statistics as tables for a terminal.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "statsview.h"
#include "term.h"
#include "units.h"
#include "xalloc.h"

/*
 * Per cent of resident memory: a fifth in caches, slack or dirty pages is
 * worth a look.
 */
enum { SHARE_NOTED = 20 };

/* --- cells --------------------------------------------------------------- */

static void
titles(struct grid *grid, const char *const *names)
{
	for (; *names != NULL; names++)
		grid_add(grid, GRID_BOLD, *names);
}

static void
add_bytes(struct grid *grid, double bytes)
{
	struct unit unit;

	grid_add(grid, bytes == 0 ? GRID_DIM : GRID_PLAIN,
	    unit_bytes(&unit, bytes));
}

/* Three figures are enough of a rate, and whole numbers from 100 on. */
static void
add_rate(struct grid *grid, double rate)
{
	if (isnan(rate))
		grid_add(grid, GRID_DIM, "?");
	else
		grid_addf(grid, rate == 0 ? GRID_DIM : GRID_PLAIN, "%.*f",
		    rate < 9.995 && rate != 0 ? 2 : rate < 99.95 &&
		    rate != 0 ? 1 : 0, rate);
}

/* A counter: its value, or of a series its rate. */
static void
add_counter(struct grid *grid, const struct statsview *view, uint64_t first,
    uint64_t last)
{
	if (statsview_is_series(view))
		add_rate(grid, statsview_rate(view, first, last));
	else
		grid_addf(grid, last == 0 ? GRID_DIM : GRID_PLAIN,
		    "%" PRIu64, last);
}

static void
finish(struct grid *grid, const struct statsview *view)
{
	grid_print(grid, view->out, view->color, term_width(view->out, 0));
	grid_free(grid);
}

static void
heading(const struct statsview *view, const char *text, bool of_arena)
{
	fprintf(view->out, "\n%s%s", grid_style_on(GRID_BOLD, view->color),
	    text);
	if (of_arena && view->arena != NULL)
		fprintf(view->out, " of arena %s", view->arena);
	if (of_arena && statsview_is_series(view))
		fputs(", counters a second", view->out);
	fprintf(view->out, "%s\n", grid_style_off(GRID_BOLD, view->color));
}

/* --- header -------------------------------------------------------------- */

static void
print_header(const struct statsview *view)
{
	const struct statsfile *file = view->last;
	struct unit unit;

	fprintf(view->out, "%s %s, %s", statsview_writer(file),
	    file->version, file->source);
	if (file->pid != 0 && strncmp(file->source, "pid ", 4) != 0)
		fprintf(view->out, ", pid %" PRIu64, file->pid);
	if (file->uptime_ns != 0)
		fprintf(view->out, ", up %s", unit_duration(&unit,
		    (double)file->uptime_ns));
	if (file->has_general)
		fprintf(view->out, ", %" PRIu64 " arenas, pages of %s",
		    file->narenas, unit_bytes(&unit, (double)file->page));
	fputc('\n', view->out);
	if (!statsview_is_series(view))
		return;
	fprintf(view->out, "%zu statistics", view->series->n);
	if (!isnan(view->seconds))
		fprintf(view->out, " over %s", unit_duration(&unit,
		    view->seconds * 1e9));
	else
		fputs(view->one_process ? "; their times are not known, nor "
		    "rates" : " of several processes: no rates", view->out);
	fputc('\n', view->out);
}

/* --- totals -------------------------------------------------------------- */

struct total {
	const char *name;
	double first, last;
	const char *meaning;
};

static void
add_change(struct grid *grid, double change)
{
	struct unit unit;

	grid_add(grid, change > 0 ? GRID_RED : change < 0 ? GRID_GREEN :
	    GRID_DIM, unit_delta(&unit, change, "bytes"));
}

static void
print_totals(const struct statsview *view)
{
	const struct statsfile *a = view->first, *b = view->last;
	const struct total totals[] = {
		{ "allocated", (double)a->allocated, (double)b->allocated,
		    "handed out, with what the caches hold" },
		{ "active", (double)a->active, (double)b->active,
		    "pages that hold some of it" },
		{ "resident", (double)a->resident, (double)b->resident,
		    "in memory, by the allocator's count" },
		{ "mapped", (double)a->mapped, (double)b->mapped,
		    "address space in use" },
		{ "retained", (double)a->retained, (double)b->retained,
		    "address space kept, no memory behind it" },
	};
	bool series = statsview_is_series(view);
	struct grid *grid = grid_new(series ? "lrrrl" : "lrl");

	heading(view, "Totals", false);
	if (series)
		titles(grid, (const char *const[]){ "", "first", "last",
		    "growth", "", NULL });
	for (size_t i = 0; i < sizeof totals / sizeof totals[0]; i++) {
		const struct total *t = &totals[i];

		grid_add(grid, GRID_PLAIN, t->name);
		if (series)
			add_bytes(grid, t->first);
		add_bytes(grid, t->last);
		if (series)
			add_change(grid, t->last - t->first);
		grid_add(grid, GRID_DIM, t->meaning);
	}
	finish(grid, view);
}

/* Where resident memory goes. */
static void
print_split(const struct statsview *view)
{
	struct statsview_split a = statsview_split(view->first);
	struct statsview_split b = statsview_split(view->last);
	const struct total parts[] = {
		{ "live", a.live, b.live, "the program's" },
		{ "tcache", a.tcache, b.tcache,
		    "free, in the threads' caches" },
		{ "slack", a.slack, b.slack,
		    "active, but free: fragmentation" },
		{ "dirty", a.dirty, b.dirty, "unused pages, not yet purged" },
		{ "metadata", a.metadata, b.metadata, "the allocator's own" },
		{ "rest", a.rest, b.rest, b.rest < 0 ?
		    "counted twice above" : "counted nowhere above" },
		{ "muzzy", a.muzzy, b.muzzy,
		    "not in resident: the kernel may take them" },
	};
	bool series = statsview_is_series(view);
	struct grid *grid = grid_new(series ? "lrrrl" : "lrrl");
	double resident = (double)view->last->resident;

	heading(view, "Resident memory", false);
	if (series)
		titles(grid, (const char *const[]){ "", "last", "share",
		    "growth", "", NULL });
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		const struct total *t = &parts[i];
		bool muzzy = strcmp(t->name, "muzzy") == 0;
		struct unit unit;

		if (strcmp(t->name, "rest") == 0 && t->last == 0)
			continue;
		grid_add(grid, GRID_PLAIN, t->name);
		add_bytes(grid, t->last);
		grid_add(grid, i > 0 && !muzzy && t->last * 100 >
		    SHARE_NOTED * resident ? GRID_YELLOW : GRID_PLAIN,
		    muzzy || resident == 0 ? "" :
		    unit_percent(&unit, t->last / resident));
		if (series)
			add_change(grid, t->last - t->first);
		grid_add(grid, GRID_DIM, t->meaning);
	}
	finish(grid, view);
}

static void
print_activity(const struct statsview *view)
{
	const struct statsfile_arena *a = view->before, *b = view->now;
	struct statsfile_kind x = statsview_kinds(a), y = statsview_kinds(b);
	const struct {
		const char *name;
		uint64_t first, last;
		const char *meaning;
	} rows[] = {
		{ "requests", x.nrequests, y.nrequests, "by the program" },
		{ "allocations", x.nmalloc, y.nmalloc, "by the arenas" },
		{ "frees", x.ndalloc, y.ndalloc, "to the arenas" },
		{ "fills", x.nfills, y.nfills, "of a thread's cache" },
		{ "flushes", x.nflushes, y.nflushes, "of a thread's cache" },
		{ "purges", a->dirty.npurge + a->muzzy.npurge,
		    b->dirty.npurge + b->muzzy.npurge, "of unused pages" },
		{ "madvise", a->dirty.nmadvise + a->muzzy.nmadvise,
		    b->dirty.nmadvise + b->muzzy.nmadvise, "calls" },
	};
	bool series = statsview_is_series(view);
	struct grid *grid = grid_new(series ? "lrrl" : "lrl");

	heading(view, "Activity", true);
	if (series)
		titles(grid, (const char *const[]){ "", "in all", "a second",
		    "", NULL });
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		grid_add(grid, GRID_PLAIN, rows[i].name);
		grid_addf(grid, GRID_PLAIN, "%" PRIu64, rows[i].last);
		if (series)
			add_rate(grid, statsview_rate(view, rows[i].first,
			    rows[i].last));
		grid_add(grid, GRID_DIM, rows[i].meaning);
	}
	finish(grid, view);
}

/* --- arenas -------------------------------------------------------------- */

static int
by_allocated(const void *a, const void *b)
{
	const struct statsfile_arena *x = *(void *const *)a;
	const struct statsfile_arena *y = *(void *const *)b;
	uint64_t m = statsview_kinds(x).allocated;
	uint64_t n = statsview_kinds(y).allocated;

	if (m != n)
		return m < n ? 1 : -1;
	return (x->index > y->index) - (x->index < y->index);
}

/* The locks that threads waited for most: "extents_dirty 12 (1.5 ms)". */
static void
add_contention(struct grid *grid, const struct statsview *view,
    const struct statsfile_arena *arena)
{
	const struct statsfile_mutex *worst = NULL;
	struct statsfile_lock bins = { 0 };
	size_t others = 0;
	struct unit unit;

	for (size_t i = 0; i < arena->nbins; i++)
		bins.num_wait += arena->bins[i].lock.num_wait;
	for (size_t i = 0; i < arena->mutexes.n; i++) {
		const struct statsfile_mutex *mutex = &arena->mutexes.items[i];

		others += mutex->lock.num_wait > 0;
		if (mutex->lock.num_wait > 0 && (worst == NULL ||
		    mutex->lock.num_wait > worst->lock.num_wait))
			worst = mutex;
	}
	if (!statsview_has_waits(view->last))
		grid_add(grid, GRID_DIM, "?");
	else if (worst == NULL && bins.num_wait == 0)
		grid_add(grid, GRID_DIM, "-");
	else if (worst == NULL || bins.num_wait > worst->lock.num_wait)
		grid_addf(grid, GRID_YELLOW, "bins %" PRIu64 "x%s",
		    bins.num_wait, others > 0 ? ", others" : "");
	else
		grid_addf(grid, GRID_YELLOW, "%s %" PRIu64 "x, %s%s",
		    worst->name, worst->lock.num_wait, unit_duration(&unit,
		    (double)worst->lock.total_wait_time_ns),
		    others > 1 || bins.num_wait > 0 ? ", others" : "");
}

static void
add_arena(struct grid *grid, const struct statsview *view, const char *name,
    const struct statsfile_arena *arena)
{
	const struct statsfile *file = view->last;

	grid_add(grid, GRID_PLAIN, name);
	grid_addf(grid, GRID_PLAIN, "%" PRIu64, arena->nthreads);
	add_bytes(grid, (double)statsview_kinds(arena).allocated);
	add_bytes(grid, (double)statsfile_pages(file, arena->pactive));
	add_bytes(grid, (double)statsfile_pages(file, arena->dirty.npages));
	add_bytes(grid, (double)statsfile_pages(file, arena->muzzy.npages));
	add_bytes(grid, (double)arena->retained);
	grid_addf(grid, GRID_PLAIN, "%" PRIu64, arena->dirty.npurge +
	    arena->muzzy.npurge);
	add_contention(grid, view, arena);
}

static void
print_arenas(const struct statsview *view)
{
	const struct statsfile *file = view->last;
	size_t shown = view->top == 0 || file->n <= (size_t)view->top ?
	    file->n : (size_t)view->top;
	const struct statsfile_arena **sorted = xcalloc(file->n,
	    sizeof *sorted);
	struct grid *grid = grid_new("rrrrrrrrl");
	char name[24];

	heading(view, "Arenas", false);
	titles(grid, (const char *const[]){ "arena", "threads", "allocated",
	    "active", "dirty", "muzzy", "retained", "purges",
	    "locks waited for", NULL });
	for (size_t i = 0; i < file->n; i++)
		sorted[i] = &file->arenas[i];
	qsort(sorted, file->n, sizeof *sorted, by_allocated);
	for (size_t i = 0; i < shown; i++) {
		snprintf(name, sizeof name, "%u", sorted[i]->index);
		add_arena(grid, view, name, sorted[i]);
	}
	if (file->has_destroyed)
		add_arena(grid, view, "destroyed", &file->destroyed);
	if (file->has_merged)
		add_arena(grid, view, "all", &file->merged);
	finish(grid, view);
	if (shown < file->n)
		fprintf(view->out, "(%zu arenas more; --top=0 shows all)\n",
		    file->n - shown);
	free(sorted);
}

/* --- size classes -------------------------------------------------------- */

static void
left_out(const struct statsview *view, const char *letter)
{
	fprintf(view->out, "not in these statistics (written with %s)\n",
	    letter);
}

/* Filled from the arena per thousand requests: few is good. */
static double
fills_per_1000(const struct statsview *view, size_t i)
{
	const struct statsfile_bin *a = statsview_bin(view->before, i);
	const struct statsfile_bin *b = statsview_bin(view->now, i);
	bool series = statsview_is_series(view);
	double fills = (double)b->nfills - (series ? (double)a->nfills : 0);
	double requests = (double)b->nrequests - (series ?
	    (double)a->nrequests : 0);

	return requests > 0 && fills >= 0 ? 1000 * fills / requests : NAN;
}

static void
add_bin(struct grid *grid, const struct statsview *view, size_t i)
{
	const struct statsfile_bin *a = statsview_bin(view->before, i);
	const struct statsfile_bin *b = statsview_bin(view->now, i);
	const struct statsfile *file = view->last;
	double fills = fills_per_1000(view, i);
	double used = statsview_utilisation(file, b, i);
	struct unit unit;

	grid_addf(grid, GRID_PLAIN, "%" PRIu64, statsview_bin_size(file, i));
	add_bytes(grid, i < file->nbins ? (double)file->bins[i].slab_size :
	    NAN);
	add_counter(grid, view, a->nmalloc, b->nmalloc);
	add_counter(grid, view, a->nrequests, b->nrequests);
	add_counter(grid, view, a->nfills, b->nfills);
	add_counter(grid, view, a->nflushes, b->nflushes);
	grid_addf(grid, GRID_PLAIN, isnan(fills) ? "-" : "%.1f", fills);
	grid_addf(grid, GRID_PLAIN, "%" PRIu64, b->curregs);
	grid_add(grid, used < 0.5 ? GRID_YELLOW : GRID_PLAIN,
	    isnan(used) ? "-" : unit_percent(&unit, used));
	if (!statsview_has_waits(file))
		grid_add(grid, GRID_DIM, "?");
	else
		add_counter(grid, view, a->lock.num_wait, b->lock.num_wait);
}

static void
print_bins(const struct statsview *view)
{
	struct grid *grid = grid_new("rrrrrrrrrr");

	heading(view, "Small size classes", true);
	titles(grid, (const char *const[]){ "size", "slab", "nmalloc",
	    "requests", "fills", "flushes", "fills/1000", "curregs", "used",
	    "waits", NULL });
	for (size_t i = 0; i < view->now->nbins; i++) {
		const struct statsfile_bin *bin = &view->now->bins[i];

		if (bin->nmalloc != 0 || bin->nrequests != 0 ||
		    bin->curslabs != 0)
			add_bin(grid, view, i);
	}
	if (view->last->has_bins)
		finish(grid, view);
	else
		grid_free(grid);
	if (!view->last->has_bins)
		left_out(view, "b");
}

static void
add_large(struct grid *grid, const struct statsview *view, size_t i)
{
	const struct statsfile_lextent *a = statsview_lextent(view->before, i);
	const struct statsfile_lextent *b = statsview_lextent(view->now, i);
	double size = (double)statsview_large_size(view->last, i);

	add_bytes(grid, size);
	grid_addf(grid, GRID_PLAIN, "%" PRIu64, b->curlextents);
	add_bytes(grid, size * (double)b->curlextents);
	/* jemalloc does not say how many there were. */
	if (!view->last->is_strata) {
		for (int n = 0; n < 3; n++)
			grid_add(grid, GRID_DIM, "?");
		return;
	}
	add_counter(grid, view, a->nmalloc, b->nmalloc);
	add_counter(grid, view, a->ndalloc, b->ndalloc);
	add_counter(grid, view, a->nrequests, b->nrequests);
}

static void
print_large(const struct statsview *view)
{
	struct grid *grid = grid_new("rrrrrr");

	heading(view, "Large size classes", true);
	titles(grid, (const char *const[]){ "size", "now", "bytes",
	    "nmalloc", "ndalloc", "requests", NULL });
	for (size_t i = 0; i < view->now->nlextents; i++) {
		const struct statsfile_lextent *l = &view->now->lextents[i];

		if (l->curlextents != 0 || l->nmalloc != 0)
			add_large(grid, view, i);
	}
	if (view->last->has_lextents)
		finish(grid, view);
	else
		grid_free(grid);
	if (!view->last->has_lextents)
		left_out(view, "l");
}

/* --- locks --------------------------------------------------------------- */

static void
add_mutexes(struct grid *grid, const struct statsview *view,
    const char *whose, const struct statsfile_mutexes *first,
    const struct statsfile_mutexes *last)
{
	for (size_t i = 0; i < last->n; i++) {
		const struct statsfile_mutex *m = &last->items[i];
		struct statsfile_lock a = statsview_lock(first, m->name);
		const struct statsfile_lock *b = &m->lock;
		struct unit unit;

		if (b->num_ops == 0)
			continue;
		grid_addf(grid, GRID_PLAIN, "%s%s", whose, m->name);
		add_counter(grid, view, a.num_ops, b->num_ops);
		if (view->last->locks_unknown) {
			for (int n = 0; n < 6; n++)
				grid_add(grid, GRID_DIM, "?");
			continue;
		}
		add_counter(grid, view, a.num_wait, b->num_wait);
		add_counter(grid, view, a.num_spin_acq, b->num_spin_acq);
		add_counter(grid, view, a.num_owner_switch,
		    b->num_owner_switch);
		grid_add(grid, b->total_wait_time_ns > 0 ? GRID_YELLOW :
		    GRID_DIM, unit_duration(&unit,
		    (double)b->total_wait_time_ns));
		grid_add(grid, GRID_PLAIN, unit_duration(&unit,
		    (double)b->max_wait_time_ns));
		grid_addf(grid, GRID_PLAIN, "%" PRIu64, b->max_num_thds);
	}
}

static void
print_mutexes(const struct statsview *view)
{
	struct grid *grid = grid_new("lrrrrrrr");

	heading(view, "Locks", true);
	titles(grid, (const char *const[]){ "lock", "taken", "waits",
	    "spins", "owner changes", "waited in all", "longest",
	    "most waiting", NULL });
	if (view->arena == NULL)
		add_mutexes(grid, view, "", &view->first->mutexes,
		    &view->last->mutexes);
	add_mutexes(grid, view, "arena.", &view->before->mutexes,
	    &view->now->mutexes);
	if (view->last->has_mutexes)
		finish(grid, view);
	else
		grid_free(grid);
	if (!view->last->has_mutexes)
		left_out(view, "x");
	else if (view->last->locks_unknown)
		fputs("(jemalloc up to 5.3.0 writes wrong counts of waits: "
		    "they are not shown)\n", view->out);
}

void
statsview_text(const struct statsview *view)
{
	const struct cli_args *args = view->args;

	print_header(view);
	print_totals(view);
	if (view->last->has_merged) {
		print_split(view);
		print_activity(view);
	}
	if (view->last->n > 0)
		print_arenas(view);
	statsview_pools_text(view);
	if (cli_flag(args, "bins"))
		print_bins(view);
	if (cli_flag(args, "large"))
		print_large(view);
	if (cli_flag(args, "mutexes"))
		print_mutexes(view);
}
