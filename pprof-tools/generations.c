/*
 * generations.c - `strata generations`: what outlives its generation, by
 * site: the blocks to move out of a pool, or the leak.
 *
 *   strays     +-      objects  in     oldest  share  half-life  kind   site
 *   96.0 KiB   4 KiB   1536     97/98  2       100%   -          kept   audit
 *
 * Of a series the last dump is shown; the others say when something was
 * first seen, and whether strays grow.
 */
#include "generations.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "grid.h"
#include "term.h"
#include "units.h"
#include "xalloc.h"

static const struct cli_option options[] = {
	{ 'b', "by", "WHAT",
	    "sites are functions, lines, files, addresses or modules "
	    "[function]" },
	{ 'n', "top", "N", "show N sites, 0 for all [20]" },
	{ 0, "assert-no-growth", NULL,
	    "exit 1 if what outlives its generation grows" },
	{ 0, "reloads", "K",
	    "tell growth, and kept from stray, by the last K retired "
	    "generations [all]" },
	{ 0, NULL, NULL, NULL }
};

enum { LAST_GENERATIONS = 12 };		/* shown one by one in text */

const char *
generations_kind(enum gen_kind kind)
{
	static const char *const names[] = { [GEN_NONE] = "",
	    [GEN_ONCE] = "once", [GEN_STRAY] = "stray",
	    [GEN_KEPT] = "kept" };

	return names[kind];
}

/* --- the series ---------------------------------------------------------- */

static bool
holds(const struct gen_dump *dump, const char *name, int64_t generation)
{
	for (uint32_t i = 0; i < dump->nsites; i++) {
		uint32_t n;
		const struct gen_cell *cells;

		if (strcmp(dump->sites[i].name, name) != 0)
			continue;
		cells = gen_cells(dump, &dump->sites[i], &n);
		for (uint32_t k = 0; k < n; k++)
			if (cells[k].generation == generation &&
			    cells[k].bytes.value > 0)
				return true;
	}
	return false;
}

bool
generations_seen(const struct gen_series *series, const char *site,
    int64_t generation, uint32_t *first, uint32_t *last)
{
	bool any = false;

	for (uint32_t i = 0; i < series->n; i++) {
		if (!holds(series->dumps[i], site, generation))
			continue;
		if (!any)
			*first = i;
		*last = i;
		any = true;
	}
	return any;
}

static int
compare_views(const void *a, const void *b)
{
	const struct model *x = ((const struct view *)a)->model;
	const struct model *y = ((const struct view *)b)->model;

	if (x->exact.sequence != y->exact.sequence)
		return x->exact.sequence < y->exact.sequence ? -1 : 1;
	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static bool
same_process(const struct model *a, const struct model *b)
{
	return a->exact.pid == b->exact.pid &&
	    a->exact.start_time_unix == b->exact.start_time_unix;
}

static void
series_free(struct gen_series *series)
{
	for (uint32_t i = 0; i < series->n; i++) {
		gen_free(series->dumps[i]);
		view_free(&series->views[i]);
	}
	free(series->dumps);
	free(series->views);
}

static int
series_build(const struct cli_args *args, struct gen_series *series,
    enum sites_by by, uint32_t reloads)
{
	qsort(series->views, series->n, sizeof *series->views,
	    compare_views);
	for (uint32_t i = 0; i < series->n; i++) {
		const struct model *model = series->views[i].model;

		if (!same_process(series->views[0].model, model)) {
			cli_error(args, "the profiles are of several "
			    "processes; generations are one process's own");
			return EXIT_INPUT;
		}
		series->dumps[i] = gen_build(model, by, reloads);
		if (series->dumps[i] == NULL ||
		    series->dumps[i]->current < 1) {
			cli_error(args, "no generations in a profile (they "
			    "are in the native profiles of libstrata)");
			return EXIT_INPUT;
		}
	}
	return EXIT_FINE;
}

/* A sum has what lived through several of its dumps several times. */
static int
check_one(const struct cli_args *args, const char *path,
    const struct model *model)
{
	if (model->nfiles < 2)
		return EXIT_FINE;
	cli_error(args, "%s: the sum of %" PRIu32 " profiles; generations "
	    "are one process's own, and its dumps are given one by one",
	    path, model->nfiles);
	return EXIT_INPUT;
}

static int
series_load(const struct cli_args *args, struct gen_series *series)
{
	series->views = xcalloc(args->noperands, sizeof *series->views);
	series->dumps = xcalloc(args->noperands, sizeof *series->dumps);
	for (size_t i = 0; i < args->noperands; i++) {
		int status = view_load_files(args, &args->operands[i], 1,
		    &series->views[i]);

		if (status != EXIT_FINE)
			return status;
		series->n++;
		status = check_one(args, args->operands[i],
		    series->views[i].model);
		if (status != EXIT_FINE)
			return status;
	}
	return EXIT_FINE;
}

static const struct gen_dump *
last_dump(const struct gen_series *series)
{
	return series->dumps[series->n - 1];
}

/* --- text ---------------------------------------------------------------- */

static const char *
time_text(struct unit *unit, double nanoseconds)
{
	return isnan(nanoseconds) ? "-" : isinf(nanoseconds) ?
	    "not yet" : unit_duration(unit, nanoseconds);
}

static const char *
share_text(struct unit *unit, const struct estimate *alive, double allocated)
{
	return isnan(allocated) || allocated <= 0 ? "-" :
	    unit_percent(unit, alive->value / allocated);
}

static const char *
error_text(struct unit *unit, const struct estimate *estimate)
{
	double error = estimate_error(estimate);

	return isnan(error) ? "?" : unit_bytes(unit, error);
}

static void
add_site(struct grid *grid, const struct gen_dump *dump,
    const struct gen_site *site)
{
	struct unit unit;
	int64_t retired = gen_retired(dump);

	grid_add(grid, GRID_PLAIN, unit_bytes(&unit, site->stray.value));
	grid_add(grid, GRID_DIM, error_text(&unit, &site->stray));
	grid_add(grid, GRID_PLAIN, unit_count(&unit,
	    site->stray_objects.value));
	grid_addf(grid, GRID_PLAIN, "%" PRIu32 "/%" PRId64, site->retired_in,
	    retired > 0 ? retired : 0);
	if (site->oldest > 0)
		grid_addf(grid, GRID_PLAIN, "%" PRId64 "-%" PRId64,
		    site->oldest, site->newest);
	else
		grid_add(grid, GRID_DIM, "-");
	grid_add(grid, GRID_PLAIN, share_text(&unit, &site->stray,
	    site->allocated));
	grid_add(grid, GRID_PLAIN, time_text(&unit, site->half_life));
	grid_add(grid, GRID_PLAIN, unit_bytes(&unit, site->bytes.value));
	grid_add(grid, site->kind == GEN_KEPT ? GRID_RED : GRID_YELLOW,
	    generations_kind(site->kind));
	grid_add(grid, GRID_BOLD, site->name);
}

static void
print_sites(const struct gen_dump *dump, uint32_t n, FILE *out, bool color)
{
	static const char *const titles[] = { "strays", "+-", "objects",
	    "in", "born in", "share", "half-life", "live", "kind", "site" };
	struct grid *grid = grid_new("rrrrrrrrll");

	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		grid_add(grid, GRID_BOLD, titles[i]);
	for (uint32_t i = 0; i < n; i++)
		add_site(grid, dump, &dump->sites[i]);
	grid_print(grid, out, color, term_width(out, 0));
	grid_free(grid);
	if (n < dump->nsites)
		fprintf(out, "(%" PRIu32 " more; --top 0 shows all)\n",
		    dump->nsites - n);
}

static void
print_generations(const struct gen_dump *dump, FILE *out, bool color)
{
	struct grid *grid = grid_new("rrr");
	int64_t first = dump->current - LAST_GENERATIONS + 1;

	grid_add(grid, GRID_BOLD, "generation");
	grid_add(grid, GRID_BOLD, "alive");
	grid_add(grid, GRID_BOLD, "+-");
	for (int64_t g = first < 1 ? 1 : first; g <= dump->current; g++) {
		struct estimate alive = gen_alive(dump, g);
		struct unit unit;

		grid_addf(grid, GRID_PLAIN, "%" PRId64, g);
		grid_add(grid, GRID_PLAIN, unit_bytes(&unit, alive.value));
		grid_add(grid, GRID_DIM, error_text(&unit, &alive));
	}
	fputc('\n', out);
	grid_print(grid, out, color, term_width(out, 0));
	grid_free(grid);
}

/* What is retired by its number and yet is not. */
static void
print_pools(const struct gen_dump *dump, FILE *out)
{
	for (uint32_t i = 0; i < dump->ncells; i++)
		if (dump->cells[i].current &&
		    dump->cells[i].generation <= gen_retired(dump)) {
			fprintf(out, "no strays: what was born in the current "
			    "generation of a pool, however old (%s)\n",
			    dump->model->exact.pools);
			return;
		}
}

static void
write_text(const struct gen_series *series, uint32_t n, FILE *out)
{
	const struct gen_dump *dump = last_dump(series);
	bool color = term_color(out);

	header_print(&series->views[series->n - 1].header, out, color, "");
	fprintf(out, "\ngeneration %" PRId64 "; strays: bytes alive of "
	    "generations up to %" PRId64 "\nkept: of old and new ones alike "
	    "(a leak, or never freed yet); stray: freed later;\nonce: of one "
	    "generation\n", dump->current, gen_retired(dump) > 0 ?
	    gen_retired(dump) : 0);
	print_pools(dump, out);
	if (dump->folded > 0)
		fprintf(out, "what generations up to %" PRId64 " freed is "
		    "known as one sum\n", dump->folded);
	fputc('\n', out);
	print_sites(dump, n, out, color);
	print_generations(dump, out, color);
}

/* --- growth -------------------------------------------------------------- */

/*
 * The dump to compare the last with: the latest that is at least half the
 * window older; NULL if there is none.
 */
static const struct gen_dump *
earlier_dump(const struct gen_series *series, uint32_t window)
{
	for (uint32_t i = series->n - 1; i-- > 0;)
		if (last_dump(series)->current - series->dumps[i]->current >=
		    (int64_t)window / 2)
			return series->dumps[i];
	return NULL;
}

/* Has it changed by no more than chance since the earlier dump? */
static bool
has_stopped(const struct gen_dump *earlier, const struct gen_dump *last,
    const struct gen_site *site)
{
	struct estimate change;

	if (earlier == NULL)
		return false;
	change = gen_change(earlier, last, site);
	return change.value <= 3.0902 * sqrt(change.variance);
}

/* "9:14 10:4": the pools whose current generation the profile names. */
static unsigned
pools_in(const struct model *model)
{
	unsigned n = 0;

	for (const char *at = model->exact.pools; at != NULL && *at != '\0';
	    at++)
		n += *at == ':';
	return n;
}

/* What the answer is worth. Of several pools each has some generations only. */
static void
print_judgement(const struct gen_dump *last, uint32_t growing, uint32_t window,
    FILE *out)
{
	unsigned npools = pools_in(last->model);
	double least = gen_samples_needed(window, last->nsites) *
	    (double)last->model->period / (window / 2);
	struct unit unit;

	fprintf(out, "%" PRIu32 " of %" PRIu32 " sites grow, over %" PRIu32
	    " reloads; a false alarm has a chance of at most %g%%,\n",
	    growing, last->nsites, window, 100 * GEN_FALSE_ALARM);
	if (npools < 2)
		fprintf(out, "and steady growth of %s a reload is found in "
		    "95%% of cases\n", unit_bytes(&unit, least));
	else
		fprintf(out, "but with %u pools, each of which has some of "
		    "the generations, growth in one may not be found\n",
		    npools);
}

static int
assert_no_growth(const struct cli_args *args,
    const struct gen_series *series, uint32_t reloads, FILE *out)
{
	const struct gen_dump *last = last_dump(series);
	uint32_t window = gen_window(last, reloads), growing = 0;
	const struct gen_dump *earlier = earlier_dump(series, window);
	struct unit a, b;

	if (window == 0) {
		cli_error(args, "growth needs %d retired generations after "
		    "the first; the profile is of generation %" PRId64,
		    GEN_RELOADS_MIN, last->current);
		return EXIT_INPUT;
	}
	if (last->nsites == 0) {
		cli_error(args, "no site is left to judge: the profile has no "
		    "samples, or none that the filters let through");
		return EXIT_INPUT;
	}
	for (uint32_t i = 0; i < last->nsites; i++) {
		const struct gen_site *site = &last->sites[i];

		if (!gen_grows(last, site) || has_stopped(earlier, last, site))
			continue;
		growing++;
		fprintf(out, "%s grows by %s +- %s a reload\n", site->name,
		    unit_bytes(&a, site->growth),
		    unit_bytes(&b, site->growth_error));
	}
	print_judgement(last, growing, window, out);
	return growing > 0 ? EXIT_FINDINGS : EXIT_FINE;
}

/* --- the command --------------------------------------------------------- */

/*
 * Growth is told from each of the last generations, and a leak is of all ages
 * and arenas, which a pool takes by turns: a judgement of some would pass it.
 */
static int
check_judging(const struct cli_args *args)
{
	static const char *const names[] = { "generation", "age", "arena" };

	if (!cli_flag(args, "assert-no-growth"))
		return EXIT_FINE;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (cli_flag(args, names[i]))
			return cli_usage_error(args, "--%s leaves out what "
			    "--assert-no-growth judges by; --reloads says "
			    "how many generations it looks at", names[i]);
	return EXIT_FINE;
}

static int
show(const struct cli_args *args, const struct gen_series *series, long top,
    uint32_t reloads)
{
	const struct gen_dump *last = last_dump(series);
	const char *format = cli_format(args);
	uint32_t n = top == 0 || top > last->nsites ? last->nsites :
	    (uint32_t)top;
	FILE *out;
	bool judge = cli_flag(args, "assert-no-growth");
	int found = EXIT_FINE, status = cli_output(args, &out);

	if (status != EXIT_FINE)
		return status;
	/* As text the verdict is the view. */
	if (judge)
		found = assert_no_growth(args, series, reloads,
		    strcmp(format, "text") == 0 ? out : stderr);
	if (strcmp(format, "csv") == 0)
		generations_csv(series, n, out);
	else if (strcmp(format, "json") == 0)
		generations_json(series, n, out);
	else if (strcmp(format, "svg") == 0)
		generations_svg(series, out);
	else if (!judge)
		write_text(series, n, out);
	status = cli_output_close(args, out);
	return status != EXIT_FINE ? status : found;
}

static int
run(const struct cli_args *args)
{
	struct gen_series series = { 0 };
	long top = 20, reloads = 0;
	int by = SITES_FUNCTION, status = view_by(args, SITES_MODULE, &by);

	if (status == EXIT_FINE)
		status = check_judging(args);
	if (status == EXIT_FINE)
		status = cli_number(args, "top", 0, 1000000, &top);
	if (status == EXIT_FINE)
		status = cli_number(args, "reloads", GEN_RELOADS_MIN,
		    1000000, &reloads);
	if (status == EXIT_FINE)
		status = series_load(args, &series);
	if (status == EXIT_FINE)
		status = series_build(args, &series, (enum sites_by)by,
		    (uint32_t)reloads);
	if (status == EXIT_FINE)
		status = show(args, &series, top, (uint32_t)reloads);
	series_free(&series);
	return status;
}

const struct cli_command cmd_generations = {
	.name = "generations",
	.operands = "FILE...",
	.min_operands = 1,
	.summary = "show what outlives its generation",
	.about = "Names the strays: sites whose blocks live on when their "
	    "generation has ended. Several profiles must be of one process; "
	    "the last is shown, the picture has all of them.",
	.options = options,
	.formats = "text svg json csv",
	.groups = CLI_VIEW & ~CLI_SAMPLE,
	.run = run,
};
