/*
 * svg.c - a small SVG writer.
 */
#include "svg.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "xalloc.h"

enum { MAX_DEPTH = 32 };		/* of open elements; we use five */
enum { LINES_FONT = 11, LINES_STEP = 15 };	/* px, of svg_lines */

struct svg {
	FILE *out;
	const char *open[MAX_DEPTH];	/* names, literals of the callers */
	size_t depth;
};

/* Length of the UTF-8 character at s that XML allows, or 0. */
static size_t
xml_character(const unsigned char *s)
{
	size_t n;

	if (s[0] < 0x80)
		return s[0] >= 0x20 || s[0] == '\t' || s[0] == '\n';
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Overlong forms, surrogates, beyond U+10FFFF, U+FFFE and U+FFFF. */
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90) ||
	    (s[0] == 0xef && s[1] == 0xbf && s[2] >= 0xbe))
		return 0;
	return n;
}

void
svg_escape(FILE *out, const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	while (*s != '\0') {
		size_t n = xml_character(s);

		switch (n == 1 ? *s : 'x') {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			if (n == 0)
				fputs("\xef\xbf\xbd", out);
			else
				fwrite(s, 1, n, out);
		}
		s += n == 0 ? 1 : n;
	}
}

struct svg *
svg_begin(FILE *out, double width, double height, const char *title,
    const char *extra)
{
	struct svg *svg = xcalloc(1, sizeof *svg);

	svg->out = out;
	fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.6g\" "
	    "height=\"%.6g\" viewBox=\"0 0 %.6g %.6g\" "
	    "font-family=\"" SVG_FONT "\" font-size=\"12\"%s%s>\n<title>",
	    width, height, width, height, extra == NULL ? "" : " ",
	    extra == NULL ? "" : extra);
	svg_escape(out, title);
	fputs("</title>\n", out);
	return svg;
}

void
svg_end(struct svg *svg)
{
	while (svg->depth > 0)
		svg_close(svg);
	fputs("</svg>\n", svg->out);
	free(svg);
}

void
svg_open(struct svg *svg, const char *name, const char *format, ...)
{
	va_list ap;

	assert(svg->depth < MAX_DEPTH);
	svg->open[svg->depth++] = name;
	fprintf(svg->out, "<%s", name);
	if (format != NULL) {
		fputc(' ', svg->out);
		va_start(ap, format);
		vfprintf(svg->out, format, ap);
		va_end(ap);
	}
	fputs(">\n", svg->out);
}

void
svg_close(struct svg *svg)
{
	assert(svg->depth > 0);
	fprintf(svg->out, "</%s>\n", svg->open[--svg->depth]);
}

void
svg_rect(struct svg *svg, double x, double y, double width, double height,
    const char *fill, const char *tooltip)
{
	fprintf(svg->out, "<rect x=\"%.6g\" y=\"%.6g\" width=\"%.6g\" "
	    "height=\"%.6g\" fill=\"%s\"", x, y, width, height, fill);
	if (tooltip == NULL) {
		fputs("/>\n", svg->out);
		return;
	}
	fputs("><title>", svg->out);
	svg_escape(svg->out, tooltip);
	fputs("</title></rect>\n", svg->out);
}

void
svg_line(struct svg *svg, double x1, double y1, double x2, double y2,
    const char *stroke)
{
	fprintf(svg->out, "<line x1=\"%.6g\" y1=\"%.6g\" x2=\"%.6g\" "
	    "y2=\"%.6g\" stroke=\"%s\"/>\n", x1, y1, x2, y2, stroke);
}

void
svg_text(struct svg *svg, double x, double y, const char *anchor,
    const char *attributes, const char *text)
{
	fprintf(svg->out, "<text x=\"%.6g\" y=\"%.6g\"", x, y);
	if (strcmp(anchor, "start") != 0)
		fprintf(svg->out, " text-anchor=\"%s\"", anchor);
	if (attributes != NULL)
		fprintf(svg->out, " %s", attributes);
	fputc('>', svg->out);
	svg_escape(svg->out, text);
	fputs("</text>\n", svg->out);
}

void
svg_style(struct svg *svg, const char *css)
{
	assert(strstr(css, "]]>") == NULL);
	fprintf(svg->out, "<style><![CDATA[\n%s]]></style>\n", css);
}

void
svg_script(struct svg *svg, const char *code)
{
	assert(strstr(code, "]]>") == NULL);
	fprintf(svg->out, "<script><![CDATA[\n%s]]></script>\n", code);
}

/* Verdana's mean advance is 0.58 em for the letters of identifiers. */
double
svg_text_width(const char *text, double font_size)
{
	return 0.6 * font_size * (double)text_width(text);
}

double
svg_lines(struct svg *svg, double x, double y, const char *text)
{
	char *copy = xstrdup(text), *rest = copy, *line;

	svg_open(svg, "g", "font-family=\"" SVG_MONO "\" font-size=\"%d\"",
	    LINES_FONT);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		svg_text(svg, x, y, "start", "xml:space=\"preserve\"", line);
		y += LINES_STEP;
	}
	svg_close(svg);
	free(copy);
	return y;
}

void
svg_lines_size(const char *text, double *width, double *height)
{
	char *copy = xstrdup(text), *rest = copy, *line;

	*width = *height = 0;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		*width = fmax(*width, svg_text_width(line, LINES_FONT));
		*height += LINES_STEP;
	}
	free(copy);
}
