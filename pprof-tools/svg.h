/*
 * svg.h - writes SVG: elements, attributes and text, escaped.
 *
 *   struct svg *svg = svg_begin(out, 800, 600, "title");
 *   svg_open(svg, "g", "class=\"%s\"", "row");
 *   svg_rect(svg, 0, 0, 100, 16, "#ff8800", "tooltip <b>");
 *   svg_text(svg, 3, 12, "start", NULL, "operator<");
 *   svg_close(svg, "g");
 *   svg_end(svg);
 *
 * The file stands alone: no external style, script, font or image. Text asks
 * for a list of fonts that ends in the generic family, so that it renders
 * where no named font is installed. Bytes that are no UTF-8, and control
 * characters that XML forbids, come out as U+FFFD.
 */
#ifndef STRATA_SVG_H
#define STRATA_SVG_H

#include <stdio.h>

#define SVG_FONT "Verdana, 'DejaVu Sans', sans-serif"
#define SVG_MONO "'DejaVu Sans Mono', Menlo, Consolas, monospace"

struct svg;

/* Writes the head. extra: more attributes of <svg>, or NULL. */
struct svg *svg_begin(FILE *out, double width, double height,
    const char *title, const char *extra);
/* Closes what is open. Write errors are the FILE's. */
void svg_end(struct svg *svg);

/* <name attributes>: the format's %s arguments are not escaped. NULL: none. */
void svg_open(struct svg *svg, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void svg_close(struct svg *svg);

/* tooltip (a <title>) may be NULL. */
void svg_rect(struct svg *svg, double x, double y, double width,
    double height, const char *fill, const char *tooltip);
void svg_line(struct svg *svg, double x1, double y1, double x2, double y2,
    const char *stroke);
/* anchor: start, middle or end; attributes: more of them, or NULL. */
void svg_text(struct svg *svg, double x, double y, const char *anchor,
    const char *attributes, const char *text);

/*
 * Lines of text, as a header's, in letters of one width; x and y of the first
 * one's base. Returns y of the line after the last.
 */
double svg_lines(struct svg *svg, double x, double y, const char *text);
/* What they take: width of the longest, height of all. */
void svg_lines_size(const char *text, double *width, double *height);

/* <style> and <script>, in CDATA sections; text must not hold "]]>". */
void svg_style(struct svg *svg, const char *css);
void svg_script(struct svg *svg, const char *code);

/* Text as it may stand in an element or a quoted attribute. */
void svg_escape(FILE *out, const char *text);

/* Roughly the width of text in px at a font size: for fitting, not layout. */
double svg_text_width(const char *text, double font_size);

#endif
