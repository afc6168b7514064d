/*
 * grid.h - tables on a terminal: aligned columns, coloured cells.
 *
 *   struct grid *grid = grid_new("rrl");
 *   grid_add(grid, GRID_BOLD, "flat"); ...three cells make a row
 *   grid_print(grid, out, term_color(out), term_width(out, 0));
 *   grid_free(grid);
 *
 * Columns are as wide as their widest cell and two blanks apart; the last
 * one is not padded, and is cut where the terminal ends.
 * Memory: cells are copied; without memory the command ends (xalloc.h).
 */
#ifndef STRATA_GRID_H
#define STRATA_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct grid;

enum grid_style {
	GRID_PLAIN, GRID_BOLD, GRID_DIM, GRID_RED, GRID_GREEN, GRID_YELLOW
};

/* One letter a column: 'r' right, 'l' left. */
struct grid *grid_new(const char *alignment);
void grid_free(struct grid *grid);

/* Adds the next cell of the row; after the last column a new row begins. */
void grid_add(struct grid *grid, enum grid_style style, const char *text);
void grid_addf(struct grid *grid, enum grid_style style, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* color: with escape sequences; width: cut rows to it, 0 = never. */
void grid_print(const struct grid *grid, FILE *out, bool color,
    size_t width);

/* The escape sequence of a style, or "" without colour; and the one back. */
const char *grid_style_on(enum grid_style style, bool color);
const char *grid_style_off(enum grid_style style, bool color);

/* Columns that text takes on a terminal (UTF-8; wide characters take 2). */
size_t text_width(const char *text);

#endif
