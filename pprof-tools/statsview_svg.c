/*
 * statsview_svg.c - a series of statistics as a picture.
 *
 *   strata 0.1.0, pid 1234, ...
 *   +------------------------------+
 *   | totals     ____-----____     | -- resident 1.5 MiB
 *   |       ____/                  | -- active   1.2 MiB
 *   +------------------------------+
 *   +------------------------------+
 *   | unused pages                 | -- dirty ...
 *   +------------------------------+
 *     0 s     10 s     20 s   uptime
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "statsview.h"
#include "svg.h"
#include "units.h"

enum {
	LEFT = 90, PANEL = 640, RIGHT = 190,	/* px across */
	TOP = 56, UPPER = 260, LOWER = 150,	/* px down */
	GAP = 56, BOTTOM = 52, LINE = 17,
	MARKS = 6,			/* about so many on an axis */
};

struct line {
	const char *name, *color;
	double (*value)(const struct statsfile *file);
};

struct panel {
	struct svg *svg;
	const struct statsview *view;
	const char *title;
	const struct line *lines;	/* ends with a NULL name */
	double y, height;
	double max;			/* bytes at the top */
	double from, to;		/* seconds, or points */
	bool timed;
};

/* --- what is drawn ------------------------------------------------------- */

static double
allocated(const struct statsfile *file)
{
	return (double)file->allocated;
}

static double
active(const struct statsfile *file)
{
	return (double)file->active;
}

static double
resident(const struct statsfile *file)
{
	return (double)file->resident;
}

static double
mapped(const struct statsfile *file)
{
	return (double)file->mapped;
}

static double
retained(const struct statsfile *file)
{
	return (double)file->retained;
}

static double
dirty(const struct statsfile *file)
{
	return (double)statsfile_pages(file, file->merged.dirty.npages);
}

static double
muzzy(const struct statsfile *file)
{
	return (double)statsfile_pages(file, file->merged.muzzy.npages);
}

/* Colours that also the colour-blind tell apart. */
static const struct line totals[] = {
	{ "mapped", "#999999", mapped },
	{ "resident", "#d55e00", resident },
	{ "active", "#0072b2", active },
	{ "allocated", "#009e73", allocated },
	{ "retained", "#cc79a7", retained },
	{ NULL, NULL, NULL }
};
static const struct line unused[] = {
	{ "dirty", "#b8860b", dirty },
	{ "muzzy", "#56b4e9", muzzy },
	{ NULL, NULL, NULL }
};

/* --- axes ---------------------------------------------------------------- */

/* The step of marks: a power of 2. */
static double
bytes_step(double max)
{
	double step = 1;

	while (max / step > MARKS)
		step *= 2;
	return step;
}

/* 1, 2 or 5 times a power of 10 s; from a minute on, as clocks go. */
static double
time_step(double seconds)
{
	static const double steps[] = { 1, 2, 5, 10, 15, 30, 60, 120, 300,
	    600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800,
	    604800, 1209600, 2592000, 7776000, 31557600 };
	double step;

	for (size_t i = 0; seconds > MARKS / 2. &&
	    i < sizeof steps / sizeof steps[0]; i++) {
		if (seconds / steps[i] <= MARKS)
			return steps[i];
	}
	step = pow(10, floor(log10(seconds > 0 ? seconds : 1)));
	return seconds / step > MARKS ? step * 2 : seconds / step >
	    MARKS / 2. ? step : seconds / step > MARKS / 4. ? step / 2 :
	    step / 5;
}

static double
point_at(const struct panel *p, size_t i)
{
	return p->timed ? (double)p->view->series->items[i]->uptime_ns / 1e9 :
	    (double)i + 1;
}

static double
x_of(const struct panel *p, double at)
{
	return p->to > p->from ?
	    LEFT + PANEL * (at - p->from) / (p->to - p->from) :
	    LEFT + PANEL / 2.;
}

static double
y_of(const struct panel *p, double bytes)
{
	return p->y + p->height * (1 - bytes / p->max);
}

static void
draw_bytes_axis(const struct panel *p)
{
	double step = bytes_step(p->max);

	for (double mark = 0; mark <= p->max; mark += step) {
		double y = y_of(p, mark);
		struct unit unit;

		svg_line(p->svg, LEFT, y, LEFT + PANEL, y, mark == 0 ?
		    "#404040" : "#dddddd");
		svg_text(p->svg, LEFT - 8, y + 4, "end", "font-size=\"11\"",
		    unit_bytes(&unit, mark));
	}
}

static void
draw_time_axis(const struct panel *p, bool labels)
{
	double step = p->timed ? time_step(p->to - p->from) :
	    fmax(1, ceil((p->to - p->from) / MARKS));
	double bottom = p->y + p->height, first = ceil(p->from / step) * step;

	for (double mark = first; mark <= p->to + step * 1e-6; mark += step) {
		double x = x_of(p, mark);
		struct unit unit;

		svg_line(p->svg, x, bottom, x, bottom + 4, "#404040");
		if (labels)
			svg_text(p->svg, x, bottom + 17, "middle",
			    "font-size=\"11\"", p->timed ?
			    unit_duration(&unit, mark * 1e9) :
			    unit_count(&unit, mark));
	}
	if (labels)
		svg_text(p->svg, LEFT + PANEL / 2., bottom + 36, "middle",
		    "font-size=\"11\"", p->timed ?
		    "uptime of the process" :
		    "statistics, one after the other");
}

/* --- lines --------------------------------------------------------------- */

static void
draw_line(const struct panel *p, const struct line *line)
{
	const struct statsfile_series *series = p->view->series;
	double last_x = 0, last_y = 0;

	svg_open(p->svg, "g", "stroke-width=\"2\" stroke-linecap=\"round\"");
	for (size_t i = 0; i < series->n; i++) {
		double x = x_of(p, point_at(p, i));
		double y = y_of(p, line->value(series->items[i]));

		if (i > 0)
			svg_line(p->svg, last_x, last_y, x, y, line->color);
		last_x = x;
		last_y = y;
	}
	svg_close(p->svg);
}

/* What a mouse finds; few enough points are drawn as dots. */
static void
draw_points(const struct panel *p, const struct line *line)
{
	const struct statsfile_series *series = p->view->series;
	double r = series->n <= 60 ? 2.5 : 1;

	for (size_t i = 0; i < series->n; i++) {
		double value = line->value(series->items[i]);
		struct unit time, bytes;
		char tip[160];

		snprintf(tip, sizeof tip, "%s %s at %s", line->name,
		    unit_bytes(&bytes, value), p->timed ?
		    unit_duration(&time, point_at(p, i) * 1e9) :
		    unit_count(&time, point_at(p, i)));
		svg_rect(p->svg, x_of(p, point_at(p, i)) - r,
		    y_of(p, value) - r, 2 * r, 2 * r, line->color, tip);
	}
}

static void
draw_legend(const struct panel *p)
{
	const struct statsfile *last = p->view->last;
	double x = LEFT + PANEL + 16, y = p->y + 10;

	for (const struct line *line = p->lines; line->name != NULL; line++) {
		struct unit unit;
		char text[80];

		svg_rect(p->svg, x, y - 5, 14, 4, line->color, NULL);
		svg_text(p->svg, x + 20, y, "start", "font-size=\"12\"",
		    line->name);
		snprintf(text, sizeof text, "%s",
		    unit_bytes(&unit, line->value(last)));
		svg_text(p->svg, LEFT + PANEL + RIGHT - 14, y, "end",
		    "font-size=\"12\"", text);
		y += LINE;
	}
	svg_text(p->svg, LEFT + PANEL + RIGHT - 14, y, "end",
	    "font-size=\"10\" fill=\"#606060\"", "(last value)");
}

static double
highest(const struct panel *p)
{
	double max = 0;

	for (size_t i = 0; i < p->view->series->n; i++)
		for (const struct line *line = p->lines; line->name != NULL;
		    line++)
			max = fmax(max,
			    line->value(p->view->series->items[i]));
	return max > 0 ? max * 1.04 : 4096;
}

static void
draw_panel(struct panel *p, bool labels)
{
	p->max = highest(p);
	svg_text(p->svg, LEFT, p->y - 10, "start",
	    "font-size=\"12\" font-weight=\"bold\"", p->title);
	svg_rect(p->svg, LEFT, p->y, PANEL, p->height, "#fafafa", NULL);
	draw_bytes_axis(p);
	draw_time_axis(p, labels);
	for (const struct line *line = p->lines; line->name != NULL; line++)
		draw_line(p, line);
	for (const struct line *line = p->lines; line->name != NULL; line++)
		draw_points(p, line);
	draw_legend(p);
}

void
statsview_svg(const struct statsview *view)
{
	double width = LEFT + PANEL + RIGHT;
	double height = TOP + UPPER + GAP + LOWER + BOTTOM;
	const struct statsfile *last = view->last;
	struct panel p = { .view = view, .title = "totals", .lines = totals,
	    .y = TOP, .height = UPPER, .timed = !isnan(view->seconds) ||
	    (view->series->n == 1 && last->uptime_ns != 0) };
	char title[512];

	p.from = point_at(&p, 0);
	p.to = point_at(&p, view->series->n - 1);
	snprintf(title, sizeof title, "%s %s, %s: %zu statistics",
	    statsview_writer(last), last->version, last->source,
	    view->series->n);
	p.svg = svg_begin(view->out, width, height, title, NULL);
	svg_rect(p.svg, 0, 0, width, height, "#ffffff", NULL);
	svg_text(p.svg, LEFT, 22, "start", "font-size=\"13\"", title);
	draw_panel(&p, false);
	p.title = "unused pages, of all arenas";
	p.lines = unused;
	p.y += UPPER + GAP;
	p.height = LOWER;
	draw_panel(&p, true);
	svg_end(p.svg);
}
