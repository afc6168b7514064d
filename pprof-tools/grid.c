/*
 * grid.c - lays cells out in columns.
 */
#define _XOPEN_SOURCE 700		/* wcwidth */

#include "grid.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "xalloc.h"

struct cell {
	char *text;
	enum grid_style style;
};

struct grid {
	const char *alignment;
	size_t ncolumns;
	struct cell *cells;		/* row by row */
	size_t ncells, capacity;
};

struct grid *
grid_new(const char *alignment)
{
	struct grid *grid = xcalloc(1, sizeof *grid);

	assert(*alignment != '\0');
	grid->alignment = alignment;
	grid->ncolumns = strlen(alignment);
	return grid;
}

void
grid_free(struct grid *grid)
{
	for (size_t i = 0; i < grid->ncells; i++)
		free(grid->cells[i].text);
	free(grid->cells);
	free(grid);
}

void
grid_add(struct grid *grid, enum grid_style style, const char *text)
{
	grid->cells = xgrow(grid->cells, grid->ncells, &grid->capacity,
	    sizeof *grid->cells);
	grid->cells[grid->ncells].text = xstrdup(text);
	grid->cells[grid->ncells++].style = style;
}

void
grid_addf(struct grid *grid, enum grid_style style, const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	grid_add(grid, style, text);
}

/*
 * Bytes and columns of the next character; bytes that are no UTF-8 count as
 * one column each. *len is 0 at the end.
 */
static size_t
next_width(const char *text, size_t *len)
{
	mbstate_t state = { 0 };
	wchar_t wc;
	size_t n = mbrtowc(&wc, text, strlen(text), &state);
	int width;

	if (*text == '\0') {
		*len = 0;
		return 0;
	}
	if (n == 0 || n == (size_t)-1 || n == (size_t)-2) {
		*len = 1;
		/* In the C locale, the bytes that continue a character. */
		return ((unsigned char)*text & 0xc0) != 0x80;
	}
	*len = n;
	width = wcwidth(wc);
	return width < 0 ? 1 : (size_t)width;
}

size_t
text_width(const char *text)
{
	size_t width = 0, len;

	for (size_t w = next_width(text, &len); len != 0;
	    w = next_width(text, &len)) {
		width += w;
		text += len;
	}
	return width;
}

/* The bytes of text that fit into width columns. */
static size_t
text_fit(const char *text, size_t width)
{
	const char *p = text;
	size_t len;

	for (size_t w = next_width(p, &len); len != 0 && w <= width;
	    w = next_width(p, &len)) {
		width -= w;
		p += len;
	}
	return (size_t)(p - text);
}

static const char *const escapes[] = {
	[GRID_PLAIN] = "", [GRID_BOLD] = "\033[1m", [GRID_DIM] = "\033[2m",
	[GRID_RED] = "\033[31m", [GRID_GREEN] = "\033[32m",
	[GRID_YELLOW] = "\033[33m",
};

const char *
grid_style_on(enum grid_style style, bool color)
{
	return color ? escapes[style] : "";
}

const char *
grid_style_off(enum grid_style style, bool color)
{
	return color && style != GRID_PLAIN ? "\033[0m" : "";
}

static void
print_cell(const struct cell *cell, FILE *out, bool color, size_t fit)
{
	size_t all = strlen(cell->text);

	fputs(grid_style_on(cell->style, color), out);
	if (fit != 0 && text_width(cell->text) > fit)
		fprintf(out, "%.*s~", (int)text_fit(cell->text, fit - 1),
		    cell->text);
	else
		fwrite(cell->text, 1, all, out);
	fputs(grid_style_off(cell->style, color), out);
}

static void
pad(FILE *out, size_t columns)
{
	fprintf(out, "%*s", (int)columns, "");
}

static void
print_row(const struct grid *grid, const struct cell *cells,
    const size_t *widths, FILE *out, bool color, size_t width)
{
	size_t column = 0, n = grid->ncolumns;

	while (n > 0 && cells[n - 1].text[0] == '\0')
		n--;			/* no blanks at the end */
	for (size_t i = 0; i < n; i++) {
		size_t space = widths[i] - text_width(cells[i].text);
		bool last = i + 1 == n;
		size_t fit = 0;

		/* Below eight columns a cut name is no use. */
		if (i + 1 == grid->ncolumns && width > column + 8)
			fit = width - column;
		if (grid->alignment[i] == 'r')
			pad(out, space);
		print_cell(&cells[i], out, color, fit);
		if (grid->alignment[i] == 'l' && !last)
			pad(out, space);
		if (!last)
			pad(out, 2);
		column += widths[i] + 2;
	}
	fputc('\n', out);
}

void
grid_print(const struct grid *grid, FILE *out, bool color, size_t width)
{
	size_t *widths = xcalloc(grid->ncolumns, sizeof *widths);

	assert(grid->ncells % grid->ncolumns == 0);
	for (size_t i = 0; i < grid->ncells; i++) {
		size_t w = text_width(grid->cells[i].text);

		if (w > widths[i % grid->ncolumns])
			widths[i % grid->ncolumns] = w;
	}
	for (size_t i = 0; i < grid->ncells; i += grid->ncolumns)
		print_row(grid, &grid->cells[i], widths, out, color, width);
	free(widths);
}
