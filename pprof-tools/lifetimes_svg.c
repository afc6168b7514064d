/*
 * lifetimes_svg.c - lifetime and age histograms as a picture.
 *
 *   name                           (one band a group)
 *   | freed, by lifetime  |   | live, by age        |
 *   |   ##        _____   |   |            ##       |
 *   |  ####  ____/        |   |       #   ####      |
 *   +--1us---1ms---1s-----+   +--1us---1ms---1s-----+
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lifetimes.h"
#include "svg.h"
#include "units.h"

enum {
	MARGIN = 20, PANEL = 460, GAP = 60,	/* px */
	HEIGHT = 120, BAND = 190,	/* of a panel; of a group with labels */
	LINE = 15,
};

struct chart {
	struct svg *svg;
	const struct life_group *group;
	enum life_measure measure;
	uint32_t first, last;		/* buckets on the axis */
	double x, y;			/* upper left corner of the panel */
	bool live;
};

static double
bucket_x(const struct chart *c, double bucket)
{
	return c->x + PANEL * (bucket - c->first) /
	    (c->last + 1 - c->first);
}

static double
bucket_value(const struct chart *c, uint32_t i)
{
	const struct life_bucket *b = &c->group->buckets[i];

	return life_value(c->live ? &b->live : &b->freed, c->measure);
}

static void
draw_bars(const struct chart *c)
{
	double max = 0;

	for (uint32_t i = c->first; i <= c->last; i++)
		max = fmax(max, bucket_value(c, i));
	for (uint32_t i = c->first; i <= c->last; i++) {
		double value = bucket_value(c, i);
		double h = max > 0 ? HEIGHT * value / max : 0;
		char from[48], to[48], tip[192];
		struct unit unit;

		if (value <= 0)
			continue;
		snprintf(tip, sizeof tip, "%s%s%s: %s",
		    lifetimes_edge(from, sizeof from, i),
		    i == 0 || i + 1 >= LIFE_BUCKETS ? "" : " to ",
		    i == 0 || i + 1 >= LIFE_BUCKETS ? "" :
		    lifetimes_edge(to, sizeof to, i + 1),
		    unit_value(&unit, value, lifetimes_unit(c->measure)));
		svg_rect(c->svg, bucket_x(c, i), c->y + HEIGHT - h,
		    bucket_x(c, i + 1) - bucket_x(c, i) - 1, h,
		    c->live ? "#d08a2a" : "#4a9060", tip);
	}
}

/* A mark at each power of 1000 or 60, where the buckets reach it. */
static void
draw_axis(const struct chart *c)
{
	static const struct {
		double ns;
		const char *text;
	} marks[] = {
		{ 1e3, "1 us" }, { 1e4, "10 us" }, { 1e5, "100 us" },
		{ 1e6, "1 ms" }, { 1e7, "10 ms" }, { 1e8, "100 ms" },
		{ 1e9, "1 s" }, { 1e10, "10 s" }, { 60e9, "1 min" },
		{ 600e9, "10 min" }, { 3600e9, "1 h" }, { 36e12, "10 h" },
		{ 8640e10, "1 d" }, { 8640e11, "10 d" }, { 31557600e9, "1 y" },
	};
	double free_from = c->x - 1;

	svg_line(c->svg, c->x, c->y + HEIGHT, c->x + PANEL, c->y + HEIGHT,
	    "#404040");
	for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++) {
		double bucket = 1 + 4 * log2(marks[i].ns / 1000);
		double x = bucket_x(c, bucket);
		double half = svg_text_width(marks[i].text, 10) / 2;

		if (bucket < c->first || bucket > c->last + 1 ||
		    x - half < free_from)
			continue;
		svg_line(c->svg, x, c->y + HEIGHT, x, c->y + HEIGHT + 4,
		    "#404040");
		svg_text(c->svg, x, c->y + HEIGHT + 15, "middle",
		    "font-size=\"10\"", marks[i].text);
		free_from = x + half + 6;
	}
}

/* The share that outlives each time, as far as anything is known of it. */
static void
draw_survival(const struct chart *c)
{
	double survival[LIFE_BUCKETS], y, last_y = c->y;
	uint32_t first, last;

	if (!life_range(c->group, 1, &first, &last))
		return;
	life_survival(c->group, c->measure, survival);
	svg_open(c->svg, "g", "stroke-width=\"1.5\"");
	for (uint32_t i = c->first; i <= last; i++) {
		y = c->y + HEIGHT * (1 - survival[i]);
		svg_line(c->svg, bucket_x(c, i), last_y, bucket_x(c, i + 1),
		    y, "#3050b0");
		last_y = y;
	}
	svg_close(c->svg);
}

static void
draw_panel(const struct chart *c)
{
	const struct life_sum *sum = c->live ? &c->group->live :
	    &c->group->freed;
	struct unit amount, median;
	char title[256];
	double half = life_quantile(c->group, c->live, 0.5, c->measure);

	snprintf(title, sizeof title, "%s: %s%s%s, %.0f samples",
	    c->live ? "live, by age" : "freed, by lifetime",
	    unit_value(&amount, life_value(sum, c->measure),
	    lifetimes_unit(c->measure)), isnan(half) ? "" : ", median ",
	    isnan(half) ? "" : unit_duration(&median, half), sum->samples);
	svg_text(c->svg, c->x, c->y - 6, "start", "font-size=\"11\"", title);
	svg_rect(c->svg, c->x, c->y, PANEL, HEIGHT, "#f6f6f6", NULL);
	draw_bars(c);
	if (!c->live)
		draw_survival(c);
	draw_axis(c);
}

static double
draw_facts(struct svg *svg, const struct header *header)
{
	char *facts = header_text(header);
	double y = svg_lines(svg, MARGIN, MARGIN + LINE, facts);

	svg_text(svg, MARGIN, y + 4, "start",
	    "font-size=\"11\" fill=\"#3050b0\"",
	    "line: share that outlives each time, live objects taken as "
	    "survivors up to their age");
	free(facts);
	return y + 2 * LINE;
}

static double
facts_height(const struct header *header)
{
	char *facts = header_text(header);
	double width, height;

	svg_lines_size(facts, &width, &height);
	free(facts);
	return MARGIN + height + 3 * LINE;
}

void
lifetimes_svg(const struct header *header, const struct life *life,
    uint32_t n, enum life_measure measure, FILE *out)
{
	struct chart c = { .measure = measure };
	double width = 2 * MARGIN + 2 * PANEL + GAP;
	double height = facts_height(header) + (double)n * BAND + MARGIN;
	double y;

	life_range(life->groups, n, &c.first, &c.last);
	c.svg = svg_begin(out, width, height, "lifetimes", NULL);
	svg_rect(c.svg, 0, 0, width, height, "#ffffff", NULL);
	y = draw_facts(c.svg, header);
	for (uint32_t i = 0; i < n; i++, y += BAND) {
		c.group = &life->groups[i];
		svg_text(c.svg, MARGIN, y + LINE, "start",
		    "font-weight=\"bold\"", c.group->label);
		c.y = y + 3 * LINE;
		c.x = MARGIN;
		c.live = false;
		draw_panel(&c);
		c.x += PANEL + GAP;
		c.live = true;
		draw_panel(&c);
	}
	svg_end(c.svg);
}
