/*
 * statsview.c - `strata stats`: the allocator's own figures, of a running
 * process or of files.
 */
#include "statsview.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "commands.h"
#include "replace.h"
#include "term.h"
#include "xalloc.h"

enum { SERIES_MAX = 100000 };		/* points that --watch keeps */

static const struct statsfile_arena no_arena;

/* --- figures ------------------------------------------------------------- */

double
statsview_rate(const struct statsview *view, uint64_t first, uint64_t last)
{
	if (last < first || !(view->seconds > 0))
		return NAN;
	return (double)(last - first) / view->seconds;
}

struct statsfile_kind
statsview_kinds(const struct statsfile_arena *arena)
{
	const struct statsfile_kind *s = &arena->small, *l = &arena->large;

	return (struct statsfile_kind){ s->allocated + l->allocated,
	    s->nmalloc + l->nmalloc, s->ndalloc + l->ndalloc,
	    s->nrequests + l->nrequests, s->nfills + l->nfills,
	    s->nflushes + l->nflushes };
}

const struct statsfile_bin *
statsview_bin(const struct statsfile_arena *arena, size_t i)
{
	static const struct statsfile_bin none;

	return i < arena->nbins ? &arena->bins[i] : &none;
}

const struct statsfile_lextent *
statsview_lextent(const struct statsfile_arena *arena, size_t i)
{
	static const struct statsfile_lextent none;

	return i < arena->nlextents ? &arena->lextents[i] : &none;
}

struct statsfile_lock
statsview_lock(const struct statsfile_mutexes *mutexes, const char *name)
{
	const struct statsfile_lock *lock = statsfile_lock(mutexes, name);

	return lock != NULL ? *lock : (struct statsfile_lock){ 0 };
}

uint64_t
statsview_bin_size(const struct statsfile *file, size_t i)
{
	return i < file->nbins ? file->bins[i].size : 0;
}

uint64_t
statsview_large_size(const struct statsfile *file, size_t i)
{
	return i < file->nlextents ? file->lextents[i] : 0;
}

double
statsview_utilisation(const struct statsfile *file,
    const struct statsfile_bin *bin, size_t i)
{
	double all = i < file->nbins ?
	    (double)bin->curslabs * (double)file->bins[i].nregs : 0;

	return all > 0 ? (double)bin->curregs / all : NAN;
}

struct statsview_split
statsview_split(const struct statsfile *file)
{
	const struct statsfile_arena *all = &file->merged;
	double allocated = (double)file->allocated;
	struct statsview_split s = {
		.tcache = (double)(file->is_strata ? file->tcache_bytes :
		    all->tcache_bytes),
		.slack = (double)file->active - allocated,
		.dirty = (double)statsfile_pages(file, all->dirty.npages),
		.muzzy = (double)statsfile_pages(file, all->muzzy.npages),
		.metadata = (double)file->metadata,
	};

	s.live = allocated - s.tcache;
	s.rest = (double)file->resident - (double)file->active - s.dirty -
	    s.metadata;
	return s;
}

const char *
statsview_writer(const struct statsfile *file)
{
	return file->is_strata ? "strata" : "jemalloc";
}

/* --- the command --------------------------------------------------------- */

/* --arena's of one of the statistics; NULL: it has none of that name. */
static const struct statsfile_arena *
find_arena(const struct statsfile *file, const char *name)
{
	char *end;
	unsigned long long index;

	if (name == NULL || strcmp(name, "merged") == 0)
		return file->has_merged || name == NULL ? &file->merged :
		    NULL;
	if (strcmp(name, "destroyed") == 0)
		return file->has_destroyed ? &file->destroyed : NULL;
	/* One spelling only, which the views print. */
	index = strtoull(name, &end, 10);
	if (*name < '0' || *name > '9' || *end != '\0' ||
	    (*name == '0' && name[1] != '\0'))
		return NULL;
	return statsfile_arena(file, index);
}

static void
complain_arena(const struct statsview *view, const char *name)
{
	const char *source = view->last->source;

	if (strcmp(name, "destroyed") == 0)
		cli_error(view->args, "%s: no arena was destroyed, or letter d "
		    "left them out", source);
	else
		cli_error(view->args, "%s: no arena '%s'", source, name);
}

static int
choose(struct statsview *view)
{
	const struct statsfile_series *series = view->series;
	const char *arena = cli_value(view->args, "arena");
	double seconds;

	view->first = series->items[0];
	view->last = series->items[series->n - 1];
	view->arena = arena != NULL && strcmp(arena, "merged") == 0 ? NULL :
	    arena;
	view->now = find_arena(view->last, arena);
	view->before = find_arena(view->first, arena);
	if (view->now == NULL) {
		complain_arena(view, arena);
		return EXIT_INPUT;
	}
	if (view->before == NULL)	/* it was created meanwhile */
		view->before = &no_arena;
	seconds = ((double)view->last->uptime_ns -
	    (double)view->first->uptime_ns) / 1e9;
	view->one_process = true;
	for (size_t i = 1; i < series->n; i++)
		view->one_process &= statsfile_same_process(view->first,
		    series->items[i]);
	view->seconds = view->first->uptime_ns != 0 && seconds > 0 &&
	    view->one_process ? seconds : NAN;
	return EXIT_FINE;
}

static int
write_view(struct statsview *view)
{
	const char *format = cli_format(view->args);

	if (strcmp(format, "json") == 0)
		statsview_json(view);
	else if (strcmp(format, "csv") == 0)
		return statsview_csv(view);
	else if (strcmp(format, "svg") == 0)
		statsview_svg(view);
	else if (strcmp(format, "openmetrics") == 0)
		statsview_metrics(view, true);
	else if (strcmp(format, "prom") == 0)
		statsview_metrics(view, false);
	else
		statsview_text(view);
	return EXIT_FINE;
}

/* To standard output, or in place of --output's file. */
static int
show(const struct cli_args *args, const struct statsfile_series *series,
    long top)
{
	struct statsview view = { .args = args, .series = series,
	    .top = top };
	const char *path = cli_value(args, "output");
	struct replace replace;
	int status = choose(&view);

	if (status != EXIT_FINE)
		return status;
	if (path == NULL || strcmp(path, "-") == 0) {
		view.out = stdout;
		view.color = term_color(stdout);
		status = write_view(&view);
		return status != EXIT_FINE ? status :
		    cli_output_close(args, stdout);
	}
	errno = replace_open(path, &replace);
	if (errno == 0) {
		view.out = replace.file;
		view.color = term_color(replace.file);
		status = write_view(&view);
		errno = replace_close(&replace, status == EXIT_FINE);
	}
	if (errno == 0)
		return status;
	cli_error(args, "%s: %s", path, strerror(errno));
	return EXIT_INPUT;
}

/* Is it a process? As statsfile_load tells them apart. */
static bool
is_number(const char *operand)
{
	return *operand != '\0' &&
	    operand[strspn(operand, "0123456789")] == '\0';
}

/* All but the last two are dropped, unless the format shows a series. */
static void
forget(const struct cli_args *args, struct statsfile_series *series)
{
	static const char whole[] = "csv json svg";
	size_t keep = cli_word_in(whole, cli_format(args)) ? SERIES_MAX : 2;

	if (series->n > keep)
		statsfile_series_drop(series, series->n - keep);
}

static void
pause_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

/* What the options say about loading and repeating. */
struct how {
	long top, count;		/* count 0: until it ends */
	double timeout_s, watch_s;	/* watch_s 0: once */
};

/* Once, or again and again; a process that ended then ends the command. */
static int
watch(const struct cli_args *args, struct statsfile_series *series,
    const struct how *how)
{
	int status = show(args, series, how->top);

	for (long i = 1; status == EXIT_FINE && how->watch_s > 0 &&
	    (how->count == 0 || i < how->count); i++) {
		pause_for(how->watch_s);
		forget(args, series);
		status = statsfile_load(args->operands[0], how->timeout_s,
		    series);
		if (status == EXIT_FINE)
			status = show(args, series, how->top);
	}
	return status;
}

/* A label's name as Prometheus wants it, and none that the metrics have. */
static bool
is_label(const char *text)
{
	static const char ours[] = "allocator arena kind mutex pool size version";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	size_t n = strspn(text, letters);
	char name[64];

	if (n == 0 || n >= sizeof name || text[n] != '=' ||
	    (*text >= '0' && *text <= '9') || strncmp(text, "__", 2) == 0)
		return false;
	memcpy(name, text, n);
	name[n] = '\0';
	return !cli_word_in(ours, name) && mbstowcs(NULL, text, 0) <= 200;
}

static int
check_labels(const struct cli_args *args)
{
	const char *label;

	for (size_t i = 0; (label = cli_next_value(args, "label", &i)) !=
	    NULL;) {
		if (!is_label(label))
			return cli_usage_error(args, "--label: '%s' is no "
			    "NAME=VALUE that a metric may have", label);
	}
	return EXIT_FINE;
}

static int
parse_options(const struct cli_args *args, struct how *how)
{
	int status = cli_number(args, "top", 0, 1000000, &how->top);

	if (status == EXIT_FINE)
		status = cli_seconds(args, "timeout", 0, &how->timeout_s);
	if (status == EXIT_FINE)
		status = cli_seconds(args, "watch", 0.001, &how->watch_s);
	if (status == EXIT_FINE)
		status = cli_number(args, "count", 1, LONG_MAX, &how->count);
	if (status != EXIT_FINE)
		return status;
	if (how->watch_s > 0 && (args->noperands != 1 ||
	    !is_number(args->operands[0])))
		return cli_usage_error(args, "--watch needs one process");
	if (how->count > 0 && how->watch_s == 0)
		return cli_usage_error(args, "--count needs --watch");
	return check_labels(args);
}

static int
run(const struct cli_args *args)
{
	struct statsfile_series series = { NULL, 0, 0 };
	struct how how = { .top = 20, .timeout_s = ASK_TIMEOUT_S };
	int status = parse_options(args, &how);

	for (size_t i = 0; i < args->noperands && status == EXIT_FINE; i++)
		status = statsfile_load(args->operands[i], how.timeout_s,
		    &series);
	if (status == EXIT_FINE) {
		statsfile_series_sort(&series);
		status = watch(args, &series, &how);
	}
	statsfile_series_free(&series);
	return status;
}

static const struct cli_option options[] = {
	{ 'a', "arena", "ARENA", "bins, large classes, locks and activity of "
	    "this one: a number, merged (default) or destroyed" },
	{ 'n', "top", "N", "show N arenas, 0 for all [20]" },
	{ 0, "arenas", NULL, "csv: the table of arenas" },
	{ 0, "pools", NULL, "csv: the table of pools and their arenas" },
	{ 'b', "bins", NULL, "show small size classes" },
	{ 'l', "large", NULL, "show large size classes" },
	{ 'm', "mutexes", NULL, "show the locks" },
	{ 0, "label", "NAME=VALUE", "openmetrics, prom: a label of every "
	    "metric" },
	{ 'w', "watch", "TIME", "ask the process again so often: 10s" },
	{ 'c', "count", "N", "with --watch: N times, then end" },
	{ 't', "timeout", "TIME", "wait so long for a process [30s]" },
	{ 0, NULL, NULL, NULL }
};

const struct cli_command cmd_stats = {
	.name = "stats",
	.operands = "PID|FILE...",
	.summary = "the allocator's totals, arenas, size classes and locks",
	.about =
	    "A number is a running process, which needs prof:true and is\n"
	    "asked as `strata ctl` does. A file holds what\n"
	    "malloc_stats_print wrote with J (stats_print_opts:J), of Strata\n"
	    "or of jemalloc; in a log it is found among other lines, and\n"
	    "several (stats_interval_opts:J) are a series. \"-\" is standard\n"
	    "input.\n"
	    "\n"
	    "Of a series the growth and the rates a second are shown, and\n"
	    "--format=svg draws it. --format=prom is what Prometheus and\n"
	    "node-exporter's textfile collector read: --output replaces its\n"
	    "file in one step.",
	.options = options,
	.groups = CLI_FORMAT | CLI_OUTPUT | CLI_COLOR,
	.formats = "text json csv svg openmetrics prom",
	.min_operands = 1,
	.run = run,
};
