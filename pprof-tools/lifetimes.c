/*
 * lifetimes.c - `strata lifetimes`: how long objects lived, how old the live
 * ones are.
 *
 * A live object's age is only a lower bound of its lifetime, so the two are
 * shown side by side and never summed; "half die within" is the estimate
 * that takes live objects as survivors up to their age (lifestat.h).
 */
#include "lifetimes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "grid.h"
#include "term.h"
#include "units.h"
#include "view.h"
#include "xalloc.h"

static const struct cli_option options[] = {
	{ 'b', "by", "WHAT",
	    "a histogram for each site (or function), line, file, address, "
	    "module, arena, size, generation or thread" },
	{ 'u', "unit", "UNIT", "count bytes (default), objects or samples" },
	{ 'n', "top", "N", "show N groups, 0 for all [20]" },
	{ 0, NULL, NULL, NULL }
};

enum {
	MAX_LINES = 28,			/* of a histogram: fits a screen */
	MAX_BAR = 24,			/* columns */
	SHAPE = 16,			/* columns of a small histogram */
};

struct show {
	const struct view *view;
	const struct life *life;
	enum life_measure measure;
	uint32_t top;			/* groups shown */
	FILE *out;
	bool color, unicode;
};

const char *
lifetimes_unit(enum life_measure measure)
{
	return measure == LIFE_BYTES ? "bytes" : "count";
}

const char *
lifetimes_edge(char *text, size_t size, uint32_t bucket)
{
	struct unit unit;

	if (bucket == 0)
		snprintf(text, size, "<%s", unit_duration(&unit,
		    life_upper(0)));
	else
		snprintf(text, size, "%s", unit_duration(&unit,
		    life_lower(bucket)));
	return text;
}

/* --- bars -----------------------------------------------------------------*/

/*
 * value of max, in columns; anything above 0 shows. Below 0, as in what was
 * diffed, there is nothing to draw. out: 4 bytes a column.
 */
static void
bar(const struct show *show, double value, double max, int columns, char *out)
{
	static const char *const eighths[] = { "", "\u258f", "\u258e",
	    "\u258d", "\u258c", "\u258b", "\u258a", "\u2589" };
	double share = value > 0 && max > 0 ? fmin(value / max, 1) : 0;
	int n = (int)(share * columns * 8 + 0.5);

	out[0] = '\0';
	if (share > 0 && n == 0)
		n = 1;
	if (!show->unicode) {
		n = share > 0 ? (n + 7) / 8 : 0;
		memset(out, '#', (size_t)n);
		out[n] = '\0';
		return;
	}
	for (int i = 0; i < n / 8; i++)
		strcat(out, "\u2588");
	strcat(out, eighths[n % 8]);
}

/* Buckets first..last summed in lines of `step`; the first bucket alone. */
struct lines {
	uint32_t first, last, step, n;
	struct life_bucket sums[LIFE_BUCKETS];
	uint32_t from[LIFE_BUCKETS];	/* first bucket of each line */
};

static void
lines_fill(struct lines *lines, const struct life_group *group,
    uint32_t first, uint32_t last, uint32_t max)
{
	memset(lines, 0, sizeof *lines);
	lines->first = first;
	lines->last = last;
	lines->step = 1;
	while ((last - first) / lines->step + 2 > max)
		lines->step *= 2;
	for (uint32_t i = first; i <= last; i++) {
		const struct life_bucket *b = &group->buckets[i];
		struct life_bucket *sum;
		bool begins = i == first || i == 1 ||
		    (i - 1) % lines->step == 0;

		if (begins)
			lines->from[lines->n++] = i;
		sum = &lines->sums[lines->n - 1];
		sum->freed.objects += b->freed.objects;
		sum->freed.bytes += b->freed.bytes;
		sum->freed.samples += b->freed.samples;
		sum->live.objects += b->live.objects;
		sum->live.bytes += b->live.bytes;
		sum->live.samples += b->live.samples;
	}
}

static double
line_value(const struct show *show, const struct lines *lines, uint32_t i,
    bool live)
{
	return life_value(live ? &lines->sums[i].live :
	    &lines->sums[i].freed, show->measure);
}

static double
lines_max(const struct show *show, const struct lines *lines, bool live)
{
	double max = 0;

	for (uint32_t i = 0; i < lines->n; i++)
		max = fmax(max, line_value(show, lines, i, live));
	return max;
}

/* A small histogram of one row of characters. */
static void
shape(const struct show *show, const struct lines *lines, bool live,
    char *out)
{
	static const char *const levels[] = { " ", "\u2581", "\u2582",
	    "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588" };
	static const char ascii[] = " .:-=+*#@";
	double max = lines_max(show, lines, live);

	out[0] = '\0';
	for (uint32_t i = 0; i < lines->n; i++) {
		double value = line_value(show, lines, i, live);
		int level = value <= 0 ? 0 : 1 + (int)(value / max * 7.49);

		if (show->unicode)
			strcat(out, levels[level]);
		else
			strncat(out, &ascii[level], 1);
	}
}

/* --- text -----------------------------------------------------------------*/

static const char *
amount(const struct show *show, struct unit *unit,
    const struct life_sum *sum)
{
	return unit_value(unit, life_value(sum, show->measure),
	    lifetimes_unit(show->measure));
}

static const char *
time_text(struct unit *unit, double nanoseconds)
{
	return isnan(nanoseconds) ? "-" : unit_duration(unit, nanoseconds);
}

/* "freed  1.5 MiB in 30 objects, 12 samples; 10% ... 50% ... 90% ..." */
static void
print_summary(const struct show *show, const struct life_group *group,
    bool live)
{
	const struct life_sum *sum = live ? &group->live : &group->freed;
	struct unit bytes, objects, times[3];
	static const double shares[] = { 0.1, 0.5, 0.9 };

	fprintf(show->out, "%s%-8s%s  %s in %s objects, from %.0f samples",
	    grid_style_on(GRID_BOLD, show->color), live ? "live" : "freed",
	    grid_style_off(GRID_BOLD, show->color),
	    unit_bytes(&bytes, sum->bytes),
	    unit_count(&objects, sum->objects), sum->samples);
	if (sum->objects > 0) {
		for (int i = 0; i < 3; i++)
			time_text(&times[i], life_quantile(group, live,
			    shares[i], show->measure));
		fprintf(show->out, "; %s 10%% %s, 50%% %s, 90%% %s",
		    live ? "ages" : "lifetimes", times[0].text,
		    times[1].text, times[2].text);
	}
	fputc('\n', show->out);
}

static void
print_survival(const struct show *show, const struct life_group *group)
{
	static const double shares[] = { 0.1, 0.5, 0.9 };
	const char *between = "";

	fprintf(show->out, "%s%-8s%s  live objects taken as survivors up to "
	    "their age: ", grid_style_on(GRID_BOLD, show->color), "all",
	    grid_style_off(GRID_BOLD, show->color));
	for (int i = 0; i < 3; i++) {
		double time = life_survival_quantile(group, shares[i],
		    show->measure);
		struct unit unit;

		if (isinf(time)) {
			fprintf(show->out, "%s%.0f%% die later than seen",
			    between, 100 * shares[i]);
			break;
		}
		fprintf(show->out, "%s%.0f%% die within %s", between,
		    100 * shares[i], time_text(&unit, time));
		between = ", ";
	}
	fputc('\n', show->out);
}

static void
add_bar(struct grid *grid, const struct show *show, double value,
    double total, double max, int columns, enum grid_style style)
{
	char text[4 * MAX_BAR + 8];
	struct unit unit, percent;

	if (value == 0) {
		grid_add(grid, GRID_PLAIN, "");
		grid_add(grid, GRID_PLAIN, "");
		grid_add(grid, GRID_PLAIN, "");
		return;
	}
	grid_add(grid, GRID_PLAIN, unit_value(&unit, value,
	    lifetimes_unit(show->measure)));
	grid_add(grid, GRID_DIM, unit_percent(&percent, value / total));
	bar(show, value, max, columns, text);
	grid_add(grid, style, text);
}

/* Columns a bar may have, on both sides, in the terminal's width. */
static int
bar_columns(const struct show *show)
{
	size_t width = term_width(show->out, 100);
	size_t columns = width > 72 ? (width - 56) / 2 : 8;

	return columns > MAX_BAR ? MAX_BAR : (int)columns;
}

static void
print_histogram(const struct show *show, const struct life_group *group)
{
	uint32_t first = 0, last = 0;
	struct grid *grid = grid_new("rrrlrrl");
	int columns = bar_columns(show);
	struct lines lines;
	double max[2];

	life_range(group, 1, &first, &last);
	lines_fill(&lines, group, first, last, MAX_LINES);
	max[0] = lines_max(show, &lines, false);
	max[1] = lines_max(show, &lines, true);
	grid_add(grid, GRID_BOLD, "from");
	grid_add(grid, GRID_BOLD, "freed");
	grid_add(grid, GRID_BOLD, "share");
	grid_add(grid, GRID_BOLD, "by lifetime");
	grid_add(grid, GRID_BOLD, "live");
	grid_add(grid, GRID_BOLD, "share");
	grid_add(grid, GRID_BOLD, "by age");
	for (uint32_t i = 0; i < lines.n; i++) {
		char edge[48];

		grid_add(grid, GRID_PLAIN, lifetimes_edge(edge, sizeof edge,
		    lines.from[i]));
		add_bar(grid, show, line_value(show, &lines, i, false),
		    life_value(&group->freed, show->measure), max[0],
		    columns, GRID_GREEN);
		add_bar(grid, show, line_value(show, &lines, i, true),
		    life_value(&group->live, show->measure), max[1],
		    columns, GRID_YELLOW);
	}
	fputc('\n', show->out);
	grid_print(grid, show->out, show->color, 0);
	grid_free(grid);
}

static void
add_group(struct grid *grid, const struct show *show,
    const struct life_group *group, uint32_t first, uint32_t last)
{
	enum life_measure measure = show->measure;
	char text[4 * SHAPE + 8];
	struct lines lines;
	struct unit unit;

	lines_fill(&lines, group, first, last, SHAPE);
	grid_add(grid, GRID_PLAIN, amount(show, &unit, &group->freed));
	grid_addf(grid, GRID_DIM, "%.0f", group->freed.samples);
	grid_add(grid, GRID_PLAIN, time_text(&unit,
	    life_quantile(group, false, 0.1, measure)));
	grid_add(grid, GRID_PLAIN, time_text(&unit,
	    life_quantile(group, false, 0.5, measure)));
	grid_add(grid, GRID_PLAIN, time_text(&unit,
	    life_quantile(group, false, 0.9, measure)));
	shape(show, &lines, false, text);
	grid_add(grid, GRID_GREEN, text);
	grid_add(grid, GRID_PLAIN, amount(show, &unit, &group->live));
	grid_addf(grid, GRID_DIM, "%.0f", group->live.samples);
	grid_add(grid, GRID_PLAIN, time_text(&unit,
	    life_quantile(group, true, 0.5, measure)));
	shape(show, &lines, true, text);
	grid_add(grid, GRID_YELLOW, text);
	grid_add(grid, GRID_PLAIN, group->label);
}

static void
print_groups(const struct show *show)
{
	static const char *const titles[] = { "freed", "samples", "10%",
	    "median", "90%", "lifetimes", "live", "samples", "median",
	    "ages", "" };
	struct grid *grid = grid_new("rrrrrlrrrll");
	uint32_t first = 0, last = 0;
	char from[48], to[48];

	life_range(show->life->groups, show->top, &first, &last);
	for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
		grid_add(grid, GRID_BOLD, titles[i]);
	for (uint32_t i = 0; i < show->top; i++)
		add_group(grid, show, &show->life->groups[i], first, last);
	fprintf(show->out, "histograms from %s to %s\n\n",
	    lifetimes_edge(from, sizeof from, first),
	    lifetimes_edge(to, sizeof to, last + 1 < LIFE_BUCKETS ?
	    last + 1 : last));
	grid_print(grid, show->out, show->color, term_width(show->out, 0));
	grid_free(grid);
	if (show->top < show->life->n)
		fprintf(show->out, "(%u more; --top 0 shows all)\n",
		    show->life->n - show->top);
}

static void
write_text(const struct show *show, bool grouped)
{
	const struct life_group *all = &show->life->groups[0];

	header_print(&show->view->header, show->out, show->color, "");
	if (grouped) {
		print_groups(show);
		return;
	}
	print_summary(show, all, false);
	print_summary(show, all, true);
	print_survival(show, all);
	print_histogram(show, all);
}

/* --- the command ----------------------------------------------------------*/

static int
parse_by(const struct cli_args *args, int *by)
{
	const char *name = cli_value(args, "by");

	*by = -1;
	if (name == NULL || strcmp(name, "site") != 0)
		return view_by(args, SITES_THREAD, by);
	*by = SITES_FUNCTION;
	return EXIT_FINE;
}

static int
parse_unit(const struct cli_args *args, enum life_measure *measure)
{
	const char *name = cli_value(args, "unit");

	*measure = LIFE_BYTES;
	if (name == NULL || strcmp(name, "bytes") == 0)
		return EXIT_FINE;
	*measure = strcmp(name, "objects") == 0 ? LIFE_OBJECTS :
	    LIFE_SAMPLES;
	if (*measure == LIFE_SAMPLES && strcmp(name, "samples") != 0)
		return cli_usage_error(args,
		    "--unit: '%s' is not bytes, objects or samples", name);
	return EXIT_FINE;
}

static int
write_life(const struct cli_args *args, struct show *show, bool grouped)
{
	const char *format = cli_format(args);
	int status = cli_output(args, &show->out);

	if (status != EXIT_FINE)
		return status;
	show->color = term_color(show->out);
	show->unicode = term_unicode();
	if (strcmp(format, "text") == 0)
		write_text(show, grouped);
	else if (strcmp(format, "svg") == 0)
		lifetimes_svg(&show->view->header, show->life, show->top,
		    show->measure, show->out);
	else if (strcmp(format, "csv") == 0)
		lifetimes_csv(show->life, show->top, show->out);
	else
		lifetimes_json(&show->view->header, show->life, show->top,
		    show->measure, show->out);
	return cli_output_close(args, show->out);
}

static int
show_life(const struct cli_args *args, struct show *show, int by, long top)
{
	struct life *life = life_build(show->view->model, by);
	int status;

	show->life = life;
	show->top = life->n;
	if (top != 0 && (unsigned long)top < life->n)
		show->top = (uint32_t)top;
	if (life->n == 0) {
		cli_error(args, "%s: no lifetimes or ages in it (they are in "
		    "the native profiles of libstrata), or none that the "
		    "filters let through", args->operands[0]);
		status = EXIT_INPUT;
	} else {
		view_miss_label(show->view->model, MODEL_NONE, by);
		status = write_life(args, show, by >= 0);
	}
	life_free(life);
	return status;
}

static int
run(const struct cli_args *args)
{
	struct show show = { 0 };
	struct view view;
	long top = 20;
	int by, status;

	status = parse_by(args, &by);
	if (status == EXIT_FINE)
		status = parse_unit(args, &show.measure);
	if (status == EXIT_FINE)
		status = cli_number(args, "top", 0, 1000000, &top);
	if (status == EXIT_FINE)
		status = view_load(args, &view);
	if (status != EXIT_FINE)
		return status;
	show.view = &view;
	status = show_life(args, &show, by, top);
	view_free(&view);
	return status;
}

const struct cli_command cmd_lifetimes = {
	.name = "lifetimes",
	.operands = "FILE...",
	.min_operands = 1,
	.summary = "show how long objects live",
	.about = "Freed objects stand by their lifetime, live ones apart by "
	    "their age: what is\nstill alive has not died at that age. "
	    "Quantiles are estimated within a bucket\n(four a doubling); the "
	    "number of samples says what they rest on.",
	.options = options,
	.formats = "text svg json csv",
	.groups = CLI_VIEW & ~CLI_SAMPLE,
	.run = run,
};
