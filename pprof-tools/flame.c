/*
 * flame.c - `strata flame`: the call tree as a flame graph.
 *
 *         +-----+
 *         |  c  |          a frame's width is the bytes allocated by it and
 *   +-----+-----+--+       by what it called; its callers are below it
 *   |  a  |    b   |       (above, with --inverted)
 *   +-----+--------+
 *
 * The picture is complete without its script, which adds zoom by click and
 * search; text is fitted to the frames as drawn.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "calltree.h"
#include "commands.h"
#include "fields.h"
#include "grid.h"
#include "shortname.h"
#include "sites.h"
#include "svg.h"
#include "units.h"
#include "view.h"
#include "xalloc.h"

static const struct cli_option options[] = {
	{ 'b', "by", "WHAT",
	    "a frame is a function (default), line, file, address or module" },
	{ 'i', "inverted", NULL, "callers above, callees below" },
	{ 'w', "width", "PIXELS", "width of the picture [1200]" },
	{ 0, NULL, NULL, NULL }
};

enum {
	ROW = 17,			/* px a frame is high */
	FONT = 11,			/* px; fits the row */
	MARGIN = 10,
	LINE = 15,			/* of the facts above the picture */
};

/* Frames narrower than that cannot be seen; their totals are in callers. */
static const double min_width = 0.15;

struct flame {
	const struct view *view;
	const struct calltree *tree;
	struct svg *svg;
	double *x;			/* of each node, px; NAN: not drawn */
	uint32_t *depth;
	uint32_t max_depth;
	double width, top;		/* px: of the root; y of the frames */
	bool inverted;
};

/* --- the tree, in preorder ------------------------------------------------*/

static uint32_t
tree_next(const struct calltree *tree, uint32_t n, bool into)
{
	const struct tree_node *nodes = tree->nodes;

	if (into && nodes[n].first_child != MODEL_NONE)
		return nodes[n].first_child;
	while (n != 0 && nodes[n].next_sibling == MODEL_NONE)
		n = nodes[n].parent;
	return n == 0 ? MODEL_NONE : nodes[n].next_sibling;
}

/* What is drawn of a node; frames that only lost (a diff) have no width. */
static double
shown_value(const struct tree_node *node)
{
	return node->total.value > 0 ? node->total.value : 0;
}

static double
node_width(const struct flame *f, uint32_t n)
{
	double all = shown_value(&f->tree->nodes[0]);

	return all == 0 ? 0 : f->width * shown_value(&f->tree->nodes[n]) /
	    all;
}

static void
place(struct flame *f)
{
	const struct tree_node *nodes = f->tree->nodes;
	uint32_t n = 0;

	f->x[0] = MARGIN;
	while (n != MODEL_NONE) {
		double x = f->x[n];
		bool into = node_width(f, n) >= min_width;

		if (!into)
			f->x[n] = NAN;
		else if (f->depth[n] > f->max_depth)
			f->max_depth = f->depth[n];
		for (uint32_t c = into ? nodes[n].first_child : MODEL_NONE;
		    c != MODEL_NONE; c = nodes[c].next_sibling) {
			f->x[c] = x;
			f->depth[c] = f->depth[n] + 1;
			x += node_width(f, c);
		}
		n = tree_next(f->tree, n, into);
	}
}

/* --- SVG ------------------------------------------------------------------*/

/* Warm colours, the same for a name in every picture. */
static void
frame_color(const char *name, char *out, size_t size)
{
	uint32_t hash = 2166136261u;	/* FNV-1a */

	for (const char *p = name; *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * 16777619u;
	snprintf(out, size, "hsl(%u,%u%%,%u%%)", 5 + hash % 45,
	    60 + (hash >> 8) % 25, 62 + (hash >> 16) % 12);
}

/* Cuts name to width px and appends "..", or makes it empty. */
static void
fit_text(const char *name, double width, char *out, size_t size)
{
	size_t n = strlen(name);

	if (n >= size)
		n = size - 1;
	memcpy(out, name, n);
	out[n] = '\0';
	if (svg_text_width(out, FONT) <= width && strlen(name) == n)
		return;
	while (n > 0) {
		n--;
		while (n > 0 && ((unsigned char)out[n] & 0xc0) == 0x80)
			n--;		/* whole characters */
		out[n] = '\0';
		if (n <= size - 3 &&
		    svg_text_width(out, FONT) + FONT <= width)
			break;
	}
	if (n < 2)			/* a letter or two tell nothing */
		out[0] = '\0';
	else
		strcat(out, "..");
}

static char *
frame_tooltip(const struct flame *f, uint32_t n)
{
	const struct tree_node *node = &f->tree->nodes[n];
	const char *name = view_type(f->view)->unit;
	double error = estimate_error(&node->total);
	struct unit total, percent, spread, self;
	char *plus_minus, *text;

	plus_minus = isnan(error) ? xstrdup("") :
	    xasprintf(" \u00b1 %s", unit_value(&spread, error, name));
	text = xasprintf("%s: %s%s (%s), itself %s", node->name,
	    unit_value(&total, node->total.value, name), plus_minus,
	    unit_percent(&percent, node_width(f, n) / f->width),
	    unit_value(&self, node->self.value, name));
	free(plus_minus);
	return text;
}

static void
draw_frame(const struct flame *f, uint32_t n)
{
	char *name = short_name(f->tree->nodes[n].name);
	double width = node_width(f, n);
	double y = f->top + ROW * (f->inverted ? f->depth[n] :
	    f->max_depth - f->depth[n]);
	char color[40], text[256];
	char *tooltip = frame_tooltip(f, n);

	frame_color(f->tree->nodes[n].name, color, sizeof color);
	svg_open(f->svg, "g", "class=\"f\"");
	svg_rect(f->svg, f->x[n], y, width, ROW - 1, color, tooltip);
	fit_text(name, width - 6, text, sizeof text);
	if (text[0] != '\0')
		svg_text(f->svg, f->x[n] + 3, y + ROW - 5, "start", NULL,
		    text);
	/* Zooming makes room for more of a name that was cut. */
	if (strcmp(text, name) != 0)
		svg_text(f->svg, 0, 0, "start", "class=\"name\"", name);
	svg_close(f->svg);
	free(tooltip);
	free(name);
}

static const char css[] =
    ".f text { pointer-events: none; font-size: 11px }\n"
    ".f rect { stroke: none }\n"
    ".f .name { display: none }\n"
    ".f:hover rect { stroke: black; stroke-width: 0.7 }\n"
    ".f.hit rect { fill: #c02ee0 }\n"
    ".f.under rect { opacity: 0.45 }\n"
    ".button { cursor: pointer; fill: #2050a0 }\n";

/*
 * Each frame's place as drawn is kept in r.x0 and r.w0; zooming maps the
 * chosen frame's span onto the whole width.
 */
static const char script[] =
    "'use strict';\n"
    "(function () {\n"
    "var svg = document.documentElement, frames = [];\n"
    "var margin = 10, full = svg.viewBox.baseVal.width - 2 * margin;\n"
    "function fit(f, x, w) {\n"
    "  f.rect.setAttribute('x', x);\n"
    "  f.rect.setAttribute('width', w);\n"
    "  var room = Math.floor((w - 6) / 6.6);\n"
    "  if (room < 3) {\n"
    "    if (f.text) f.text.textContent = '';\n"
    "    return;\n"
    "  }\n"
    "  if (!f.text) {\n"
    "    f.text = document.createElementNS(svg.namespaceURI, 'text');\n"
    "    f.text.setAttribute('y', +f.rect.getAttribute('y') + 12);\n"
    "    f.g.appendChild(f.text);\n"
    "  }\n"
    "  f.text.setAttribute('x', x + 3);\n"
    "  f.text.textContent = f.label.length <= room ? f.label :\n"
    "    f.label.substring(0, room - 2) + '..';\n"
    "}\n"
    "function zoom(z) {\n"
    "  frames.forEach(function (f) {\n"
    "    var below = f.x0 <= z.x0 + 1e-3 &&\n"
    "      f.x0 + f.w0 >= z.x0 + z.w0 - 1e-3;\n"
    "    var inside = f.x0 >= z.x0 - 1e-3 &&\n"
    "      f.x0 + f.w0 <= z.x0 + z.w0 + 1e-3;\n"
    "    var caller = below && f !== z && !(inside && f.level > z.level);\n"
    "    f.g.style.display = below || inside ? '' : 'none';\n"
    "    f.g.classList.toggle('under', caller && z.level > 0);\n"
    "    if (caller) fit(f, margin, full);\n"
    "    else if (inside) fit(f, margin + (f.x0 - z.x0) / z.w0 * full,\n"
    "      Math.max(f.w0 / z.w0 * full, 0.1));\n"
    "  });\n"
    "}\n"
    "function search(words) {\n"
    "  var pattern = null;\n"
    "  if (words) try { pattern = new RegExp(words); } catch (e) {\n"
    "    pattern = null;\n"
    "  }\n"
    "  var spans = [];\n"
    "  frames.forEach(function (f) {\n"
    "    var hit = pattern !== null && pattern.test(f.name);\n"
    "    f.g.classList.toggle('hit', hit);\n"
    "    if (hit) spans.push([f.x0, f.x0 + f.w0]);\n"
    "  });\n"
    "  spans.sort(function (a, b) { return a[0] - b[0]; });\n"
    "  var end = 0, sum = 0;\n"
    "  spans.forEach(function (s) {\n"
    "    if (s[1] > end) { sum += s[1] - Math.max(s[0], end); end = s[1]; }\n"
    "  });\n"
    "  document.getElementById('found').textContent = pattern === null ?\n"
    "    '' : 'found: ' + (100 * sum / full).toFixed(1) + '%';\n"
    "}\n"
    "document.querySelectorAll('.f').forEach(function (g) {\n"
    "  var r = g.querySelector('rect'), t = r.querySelector('title');\n"
    "  var words = t.textContent, whole = g.querySelector('.name');\n"
    "  var text = g.querySelector('text:not(.name)');\n"
    "  var f = { g: g, rect: r, text: text,\n"
    "    label: (whole || text).textContent,\n"
    "    x0: +r.getAttribute('x'), w0: +r.getAttribute('width'),\n"
    "    level: Math.abs(+r.getAttribute('y') - +document.querySelector(\n"
    "      '.f rect').getAttribute('y')),\n"
    "    name: words.substring(0, words.lastIndexOf(': ')) };\n"
    "  frames.push(f);\n"
    "  g.addEventListener('click', function () { zoom(f); });\n"
    "});\n"
    "document.getElementById('reset').addEventListener('click',\n"
    "  function () { zoom(frames[0]); search(''); });\n"
    "document.getElementById('search').addEventListener('click',\n"
    "  function () { search(prompt('Functions that match:') || ''); });\n"
    "window.addEventListener('keydown', function (e) {\n"
    "  if (e.key === '/') {\n"
    "    e.preventDefault();\n"
    "    search(prompt('Functions that match:') || '');\n"
    "  } else if (e.key === 'Escape') { zoom(frames[0]); search(''); }\n"
    "});\n"
    "document.getElementById('buttons').style.display = '';\n"
    "})();\n";

/* The facts of the header, and the buttons the script will show. */
static void
draw_head(struct flame *f, char *facts)
{
	double y = MARGIN + LINE, right = f->width + MARGIN;
	char *line;

	svg_open(f->svg, "g", "font-family=\"" SVG_MONO "\" font-size=\"11\"");
	while ((line = strsep(&facts, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		svg_text(f->svg, MARGIN, y, "start",
		    "xml:space=\"preserve\"", line);
		y += LINE;
	}
	svg_close(f->svg);
	svg_open(f->svg, "g", "id=\"buttons\" style=\"display:none\"");
	svg_text(f->svg, right, MARGIN + LINE, "end",
	    "id=\"search\" class=\"button\"", "search (/)");
	svg_text(f->svg, right - 80, MARGIN + LINE, "end",
	    "id=\"reset\" class=\"button\"", "reset zoom (Esc)");
	svg_text(f->svg, right, MARGIN + 2 * LINE, "end", "id=\"found\"",
	    "");
	svg_close(f->svg);
}

static double
count_lines(const char *text)
{
	double n = 0;

	for (; *text != '\0'; text++)
		n += *text == '\n';
	return n;
}

static void
write_svg(struct flame *f, FILE *out)
{
	char *facts = header_text(&f->view->header), *all;
	const struct model_type *type = view_type(f->view);
	struct unit total;

	all = xasprintf("%s%s %s", facts, type->type, unit_value(&total,
	    f->tree->nodes[0].total.value, type->unit));
	free(facts);
	f->x = xcalloc(f->tree->nnodes, sizeof *f->x);
	f->depth = xcalloc(f->tree->nnodes, sizeof *f->depth);
	place(f);
	f->top = 2 * MARGIN + LINE * (count_lines(all) + 1);
	f->svg = svg_begin(out, f->width + 2 * MARGIN,
	    f->top + ROW * (f->max_depth + 1) + MARGIN, type->type, NULL);
	svg_style(f->svg, css);
	svg_rect(f->svg, 0, 0, f->width + 2 * MARGIN,
	    f->top + ROW * (f->max_depth + 1) + MARGIN, "#ffffff", NULL);
	draw_head(f, all);
	for (uint32_t n = 0; n != MODEL_NONE;
	    n = tree_next(f->tree, n, !isnan(f->x[n]))) {
		if (!isnan(f->x[n]))
			draw_frame(f, n);
	}
	svg_script(f->svg, script);
	svg_end(f->svg);
	free(f->x);
	free(f->depth);
	free(all);
}

/* --- other formats --------------------------------------------------------*/

/* "main;f;g 1234": ';' and line ends in names would tear the line. */
static void
write_folded_name(const char *name, FILE *out)
{
	for (; *name != '\0'; name++)
		fputc(*name == ';' ? ':' : *name == '\n' ? ' ' : *name, out);
}

static void
write_folded(const struct flame *f, FILE *out)
{
	const struct tree_node *nodes = f->tree->nodes;
	uint32_t *path = xcalloc(f->tree->nnodes, sizeof *path);

	for (uint32_t n = tree_next(f->tree, 0, true); n != MODEL_NONE;
	    n = tree_next(f->tree, n, true)) {
		uint32_t depth = 0;

		if (nodes[n].self.value == 0)
			continue;
		for (uint32_t k = n; k != 0; k = nodes[k].parent)
			path[depth++] = k;
		while (depth-- > 0) {
			write_folded_name(nodes[path[depth]].name, out);
			fputc(depth == 0 ? ' ' : ';', out);
		}
		fprintf(out, "%.0f\n", nodes[n].self.value);
	}
	free(path);
}

static json_t *
speedscope_frames(const struct sites *sites)
{
	json_t *frames = json_array();

	for (uint32_t i = 0; i < sites->n; i++) {
		const struct site *site = &sites->items[i];
		json_t *frame = json_object();

		field_set_text(frame, "name", site->name);
		if (*site->file != '\0')
			field_set_text(frame, "file", site->file);
		if (site->line > 0)
			json_object_set_new(frame, "line",
			    json_integer(site->line));
		json_array_append_new(frames, frame);
	}
	return frames;
}

/* Fills the profile's "samples" (paths, outermost first) and "weights". */
static void
speedscope_samples(const struct calltree *tree, json_t *profile)
{
	const struct tree_node *nodes = tree->nodes;
	json_t *samples = json_array(), *weights = json_array();

	for (uint32_t n = tree_next(tree, 0, true); n != MODEL_NONE;
	    n = tree_next(tree, n, true)) {
		json_t *path;

		if (nodes[n].self.value <= 0)
			continue;
		path = json_array();
		for (uint32_t k = n; k != 0; k = nodes[k].parent)
			json_array_insert_new(path, 0,
			    json_integer(nodes[k].site));
		json_array_append_new(samples, path);
		json_array_append_new(weights,
		    json_real(nodes[n].self.value));
	}
	json_object_set_new(profile, "samples", samples);
	json_object_set_new(profile, "weights", weights);
}

static void
write_speedscope(const struct flame *f, FILE *out)
{
	const struct model_type *type = view_type(f->view);
	json_t *root = json_object(), *profile = json_object();

	json_object_set_new(root, "$schema", json_string(
	    "https://www.speedscope.app/file-format-schema.json"));
	json_object_set_new(root, "exporter", json_string("strata"));
	json_object_set_new(root, "shared", json_pack("{s:o}", "frames",
	    speedscope_frames(f->tree->sites)));
	json_object_set_new(profile, "type", json_string("sampled"));
	json_object_set_new(profile, "name", field_text(type->type));
	json_object_set_new(profile, "unit", json_string(
	    strcmp(type->unit, "bytes") == 0 ? "bytes" : "none"));
	json_object_set_new(profile, "startValue", json_integer(0));
	json_object_set_new(profile, "endValue",
	    json_real(f->tree->nodes[0].total.value));
	speedscope_samples(f->tree, profile);
	json_object_set_new(root, "profiles", json_pack("[o]", profile));
	field_print(root, JSON_COMPACT, out);
}

/* --- the command ----------------------------------------------------------*/

static int
write_flame(const struct cli_args *args, const struct view *view,
    enum sites_by by, double width)
{
	const char *format = cli_format(args);
	struct flame f = { .view = view, .width = width - 2 * MARGIN,
	    .inverted = cli_flag(args, "inverted") };
	struct calltree *tree;
	FILE *out;
	int status = cli_output(args, &out);

	if (status != EXIT_FINE)
		return status;
	tree = calltree_build(view->model, by, view->type);
	f.tree = tree;
	if (strcmp(format, "svg") == 0)
		write_svg(&f, out);
	else if (strcmp(format, "folded") == 0)
		write_folded(&f, out);
	else
		write_speedscope(&f, out);
	calltree_free(tree);
	return cli_output_close(args, out);
}

static int
run(const struct cli_args *args)
{
	int by = SITES_FUNCTION, status = view_by(args, SITES_MODULE, &by);
	long width = 1200;
	struct view view;

	if (status == EXIT_FINE)
		status = cli_number(args, "width", 200, 20000, &width);
	if (status == EXIT_FINE)
		status = view_load(args, &view);
	if (status != EXIT_FINE)
		return status;
	status = write_flame(args, &view, (enum sites_by)by, (double)width);
	view_free(&view);
	return status;
}

const struct cli_command cmd_flame = {
	.name = "flame",
	.operands = "FILE...",
	.min_operands = 1,
	.summary = "draw the call tree as a flame graph",
	.about = "Several files are merged. The SVG needs no other file; in a "
	    "browser a click\nzooms and '/' searches. folded is one line a "
	    "path, for other tools.",
	.options = options,
	.formats = "svg folded speedscope",
	.groups = CLI_VIEW & ~CLI_COLOR,
	.run = run,
};
