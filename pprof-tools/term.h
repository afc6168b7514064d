/*
 * term.h - what depends on the output being a terminal: colour, width,
 * progress, and whether it takes more than ASCII.
 */
#ifndef STRATA_TERM_H
#define STRATA_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum term_color_mode { TERM_COLOR_AUTO, TERM_COLOR_NEVER, TERM_COLOR_ALWAYS };

/* From --color and --no-color; the start value is auto. */
void term_color_set(enum term_color_mode mode);

/* Auto: a terminal, TERM is not dumb and NO_COLOR is unset or empty. */
bool term_color(FILE *out);

/* Columns of the terminal, or fallback if out is none (0: no limit). */
size_t term_width(FILE *out, size_t fallback);

/* The locale's character set is UTF-8. */
bool term_unicode(void);

/*
 * One line on stderr that overwrites itself, only on a terminal that is not
 * dumb: "label 3 of 9" when done is 2, the number of steps that are behind;
 * done == total removes it.
 */
void term_progress(const char *label, size_t done, size_t total);

#endif
