/*
 * units.h - figures as a person reads them, and aligned tables of them.
 *
 *   1572864 bytes  "1.50 MiB"      0.0000123 s  "12.3 us"
 *   999 bytes      "999 B"         12000 s      "3 h 20 min"
 *   1234567        "1234567"       0.123        "12.3%"
 *
 * Three significant figures, never more than nine characters for bytes.
 * The formatting functions write into a struct unit and return its text, so
 * that a call can stand among printf's arguments:
 *   printf("%s", unit_bytes(&(struct unit){ 0 }, n));
 */
#ifndef STRATA_UNITS_H
#define STRATA_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct unit {
	char text[40];
};

/* Negative figures keep their sign; not-a-number is "?". */
const char *unit_bytes(struct unit *unit, double bytes);
const char *unit_count(struct unit *unit, double count);
const char *unit_duration(struct unit *unit, double nanoseconds);
const char *unit_percent(struct unit *unit, double fraction);
/* By pprof's unit names: "bytes", "count", "nanoseconds"; else a number. */
const char *unit_value(struct unit *unit, double value, const char *name);
/* As unit_value with a sign also when positive: "+1.50 MiB", "0 B". */
const char *unit_delta(struct unit *unit, double value, const char *name);

/*
 * "64k", "1.5 MiB", "3GB" (powers of 1024); "10s", "5 min", "200us".
 * A plain number is bytes, or seconds. Return 0 or EINVAL.
 */
int unit_parse_bytes(const char *text, double *out);
int unit_parse_duration(const char *text, double *out_nanoseconds);

/* Columns that text takes on a terminal (UTF-8; wide characters count 2). */
size_t text_width(const char *text);

/*
 * A table: columns are as wide as their widest cell, two blanks apart; the
 * last column of text is not padded, and is cut to the terminal's width.
 */
struct table;

enum table_style {
	TABLE_PLAIN, TABLE_BOLD, TABLE_DIM, TABLE_RED, TABLE_GREEN,
	TABLE_YELLOW
};

/* One letter a column: 'r' right, 'l' left. NULL without memory. */
struct table *table_new(const char *alignment);
void table_free(struct table *table);
/* The cells of a row are added from left to right; a full row begins a new
 * one. The text is copied. */
void table_add(struct table *table, enum table_style style,
    const char *text);
void table_addf(struct table *table, enum table_style style,
    const char *format, ...) __attribute__((format(printf, 3, 4)));
/* color: with escape sequences; width: cut rows to it, 0 = never. */
void table_print(const struct table *table, FILE *out, bool color,
    size_t width);

#endif
