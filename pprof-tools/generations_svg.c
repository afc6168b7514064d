/*
 * generations_svg.c - bytes alive of each generation over a series.
 *
 *   how the last dump was taken
 *   |          ____/  generation 9     one band a generation, the oldest
 *   |     ____/____   generation 8     at the bottom; x: time of the dump
 *   +----+----+----+
 *    0 s  10 s 20 s   since the first dump
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "generations.h"
#include "svg.h"
#include "units.h"
#include "xalloc.h"

enum {
	LEFT = 90, PANEL = 640, RIGHT = 60,	/* px across */
	TITLES = 64, HEIGHT = 320, BOTTOM = 56,	/* px down */
	MARGIN = 24,			/* px around the facts */
	MARKS = 6,			/* about so many on an axis */
	BANDS = 24,			/* older ones are one band */
};

struct chart {
	struct svg *svg;
	const struct gen_series *series;
	int64_t first, last;		/* generations */
	double max, span;		/* bytes; seconds */
	double top;			/* y of max */
	double *base;			/* of the next band, at each dump */
};

/* Colours that also the colour-blind tell apart, again and again. */
static const char *const colors[] = { "#0072b2", "#e69f00", "#009e73",
    "#cc79a7", "#56b4e9", "#d55e00" };

static double
seconds_at(const struct chart *c, uint32_t i)
{
	return (double)(c->series->dumps[i]->model->time_ns -
	    c->series->dumps[0]->model->time_ns) / 1e9;
}

static double
x_of(const struct chart *c, double seconds)
{
	return c->span > 0 ? LEFT + PANEL * seconds / c->span : LEFT;
}

static double
y_of(const struct chart *c, double bytes)
{
	return c->top + HEIGHT * (1 - bytes / c->max);
}

/* The oldest band holds all that is older still. */
static double
band_bytes(const struct chart *c, uint32_t dump, int64_t generation)
{
	const struct gen_dump *d = c->series->dumps[dump];
	double sum = 0;

	for (uint32_t i = 0; i < d->ncells; i++)
		if (d->cells[i].generation == generation ||
		    (generation == c->first &&
		    d->cells[i].generation < generation))
			sum += d->cells[i].bytes.value;
	return sum;
}

static void
draw_bytes_axis(const struct chart *c)
{
	double step = 1;

	while (c->max / step > MARKS)
		step *= 2;
	for (double mark = 0; mark <= c->max; mark += step) {
		struct unit unit;

		svg_line(c->svg, LEFT, y_of(c, mark), LEFT + PANEL,
		    y_of(c, mark), mark == 0 ? "#404040" : "#dddddd");
		svg_text(c->svg, LEFT - 8, y_of(c, mark) + 4, "end",
		    "font-size=\"11\"", unit_bytes(&unit, mark));
	}
}

static void
draw_time_axis(const struct chart *c)
{
	for (int i = 0; i <= MARKS && (c->span > 0 || i == 0); i++) {
		double at = c->span * i / MARKS;
		struct unit unit;

		svg_line(c->svg, x_of(c, at), c->top + HEIGHT, x_of(c, at),
		    c->top + HEIGHT + 4, "#404040");
		svg_text(c->svg, x_of(c, at), c->top + HEIGHT + 17, "middle",
		    "font-size=\"11\"", unit_duration(&unit, at * 1e9));
	}
	svg_text(c->svg, LEFT + PANEL / 2., c->top + HEIGHT + 38, "middle",
	    "font-size=\"11\"", "time of the dump, since the first one");
}

static void
draw_band(const struct chart *c, int64_t generation)
{
	const struct gen_series *s = c->series;
	double last = band_bytes(c, s->n - 1, generation);
	struct unit unit;
	char tip[120];

	snprintf(tip, sizeof tip, "generation %s%" PRId64 ": %s at the end",
	    generation == c->first && generation > 1 ? "<= " : "",
	    generation, unit_bytes(&unit, last));
	for (uint32_t i = 0; i < s->n; i++) {
		double bytes = band_bytes(c, i, generation);
		double x = x_of(c, seconds_at(c, i));
		double end = i + 1 < s->n ? x_of(c, seconds_at(c, i + 1)) :
		    s->n == 1 ? LEFT + PANEL : x + 2;

		if (bytes > 0 && end > x)
			svg_rect(c->svg, x, y_of(c, c->base[i] + bytes),
			    end - x, HEIGHT * bytes / c->max,
			    colors[generation % 6], tip);
		c->base[i] += bytes;
	}
}

static double
highest(const struct gen_series *series)
{
	double max = 0;

	for (uint32_t i = 0; i < series->n; i++) {
		double sum = 0;

		for (uint32_t k = 0; k < series->dumps[i]->ncells; k++)
			sum += series->dumps[i]->cells[k].bytes.value;
		max = fmax(max, sum);
	}
	return max > 0 ? max * 1.04 : 4096;
}

void
generations_svg(const struct gen_series *series, FILE *out)
{
	struct chart c = { .series = series, .max = highest(series),
	    .last = series->dumps[series->n - 1]->current };
	char title[160], *facts = header_text(
	    &series->views[series->n - 1].header);
	double facts_width, width, height, y;

	c.first = c.last > BANDS ? c.last - BANDS + 1 : 1;
	c.span = seconds_at(&c, series->n - 1);
	c.base = xcalloc(series->n, sizeof *c.base);
	svg_lines_size(facts, &facts_width, &c.top);
	c.top += TITLES;
	width = fmax(LEFT + PANEL + RIGHT, facts_width + 2 * MARGIN);
	height = c.top + HEIGHT + BOTTOM;
	snprintf(title, sizeof title, "bytes alive by generation, %" PRIu32
	    " dump%s, generation %" PRId64 " at the end", series->n,
	    series->n == 1 ? "" : "s", c.last);
	c.svg = svg_begin(out, width, height, title, "role=\"img\"");
	svg_rect(c.svg, 0, 0, width, height, "#ffffff", NULL);
	y = svg_lines(c.svg, MARGIN, MARGIN, facts) + 8;
	svg_text(c.svg, LEFT, y, "start", "font-size=\"13\"", title);
	svg_text(c.svg, LEFT, y + 18, "start", "font-size=\"11\"",
	    "one band a generation, the oldest at the bottom");
	draw_bytes_axis(&c);
	for (int64_t g = c.first; g <= c.last; g++)
		draw_band(&c, g);
	draw_time_axis(&c);
	svg_end(c.svg);
	free(facts);
	free(c.base);
}
