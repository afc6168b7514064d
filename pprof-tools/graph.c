/*
 * graph.c - `strata graph`: the call graph, laid out by Graphviz's library.
 *
 *   box         a function; its text grows with the square root of the bytes
 *               it allocated itself, its colour with its share of the total
 *   arrow       a call; width and colour by the bytes below it, dashed where
 *               functions between were left out
 *   small box   sizes of the objects that the function allocated
 */
#include <graphviz/gvc.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "shortname.h"
#include "subgraph.h"
#include "units.h"
#include "view.h"
#include "xalloc.h"

/* Names longer than that are broken at their joints, and cut. */
enum { LABEL_LINE = 36, LABEL_MAX = 160, LEGEND_LINE = 80 };

static const struct cli_option options[] = {
	{ 'b', "by", "WHAT",
	    "a node is a function (default), line, file, address or module" },
	{ 'n', "nodes", "N", "at most N nodes, 0 for all [80]" },
	{ 0, "node-fraction", "F",
	    "leave out nodes below this share of the total [0.005]" },
	{ 0, "edge-fraction", "F",
	    "leave out edges below this share of the total [0.001]" },
	{ 0, "no-sizes", NULL, "no boxes for the sizes of objects" },
	{ 0, "base", "FILE",
	    "draw what changed since this profile: red grew, green shrank" },
	{ 0, NULL, NULL, NULL }
};

struct drawing {
	Agraph_t *g;
	const struct view *view;
	const struct subgraph *graph;
	double whole;			/* shares are of it */
	double max_flat;
	bool sizes;
	const struct model *base;	/* NULL: no difference is drawn */
};

/* --- attributes -----------------------------------------------------------*/

static void
set(void *object, const char *name, const char *value)
{
	agsafeset(object, (char *)name, (char *)value, (char *)"");
}

static void setf(void *object, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
setf(void *object, const char *name, const char *format, ...)
{
	char text[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	set(object, name, text);
}

/*
 * From grey over yellow-brown to red as share goes from 0 to 1; negative
 * shares to green. light: for areas, dark: for lines and text.
 */
static void
set_color(void *object, const char *name, double share, bool light)
{
	double s = share < -1 ? -1 : share > 1 ? 1 : share;
	double heat = pow(fabs(s), 0.6);	/* small shares show, too */
	double hue = s < 0 ? 0.36 : 0.11 * (1 - heat);
	double saturation = light ? 0.04 + 0.30 * heat : 0.15 + 0.85 * heat;
	double value = light ? 0.95 : 0.45 + 0.27 * heat;

	setf(object, name, "%.3f %.3f %.3f", hue, saturation, value);
}

/* The label's text: backslashes are Graphviz's escapes. */
static void
append_escaped(char *out, size_t size, const char *text, size_t n)
{
	size_t len = strlen(out);

	for (size_t i = 0; i < n && len + 3 < size; i++) {
		if (text[i] == '\\')
			out[len++] = '\\';
		out[len++] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
	}
	out[len] = '\0';
}

/* Where a line of a long name may end: behind "::", ",", "<", "/", " ". */
static size_t
joint_before(const char *text, size_t limit)
{
	for (size_t i = limit; i > limit / 3; i--) {
		if (strchr(",</ (", text[i - 1]) != NULL ||
		    (text[i - 1] == ':' && text[i] != ':'))
			return i;
	}
	while (limit > 1 && ((unsigned char)text[limit] & 0xc0) == 0x80)
		limit--;		/* not within a character */
	return limit;
}

/* The name over several lines of the label. */
static void
append_name(char *out, size_t size, const char *name)
{
	size_t shown = 0;

	while (strlen(name) > LABEL_LINE && shown < LABEL_MAX) {
		size_t n = joint_before(name, LABEL_LINE);

		append_escaped(out, size, name, n);
		strcat(out, "\\n");
		name += n;
		shown += n;
	}
	if (shown >= LABEL_MAX)
		strcat(out, "...");
	else
		append_escaped(out, size, name, strlen(name));
}

static double
share_of(const struct drawing *d, double value)
{
	return d->whole == 0 ? 0 : value / d->whole;
}

static const char *
value_text(const struct drawing *d, struct unit *unit, double value)
{
	const char *name = view_type(d->view)->unit;

	return d->base == NULL ? unit_value(unit, value, name) :
	    unit_delta(unit, value, name);
}

/* --- nodes, edges, tags ---------------------------------------------------*/

static void
node_label(const struct drawing *d, const struct site *site, char *text,
    size_t size)
{
	double flat = site->flat.value, cum = site->cum.value;
	char *name = short_name(site->name);
	struct unit value, percent;
	size_t len;

	text[0] = '\0';
	append_name(text, size / 2, name);
	free(name);
	len = strlen(text);
	if (flat != 0)
		snprintf(text + len, size - len, "\\n%s (%s)",
		    value_text(d, &value, flat),
		    unit_percent(&percent, share_of(d, flat)));
	len = strlen(text);
	if (cum != flat)
		snprintf(text + len, size - len, "\\nof %s (%s)",
		    value_text(d, &value, cum),
		    unit_percent(&percent, share_of(d, cum)));
}

static void
set_tooltip(void *object, const char *name, const char *text)
{
	char escaped[2048] = "";

	append_escaped(escaped, sizeof escaped, text, strlen(text));
	set(object, name, escaped);
}

static Agnode_t *
draw_node(struct drawing *d, uint32_t number)
{
	const struct site *site = d->graph->nodes[number].site;
	double share = share_of(d, site->cum.value);
	char text[4096], name[24];
	struct unit value, error;
	char *tooltip;
	Agnode_t *node;

	snprintf(name, sizeof name, "N%u", number + 1);
	node = agnode(d->g, name, 1);
	set(node, "id", name);
	node_label(d, site, text, sizeof text);
	set(node, "label", text);
	tooltip = xasprintf("%s (%s, standard error %s)%s%s", site->name,
	    value_text(d, &value, site->cum.value),
	    value_text(d, &error, estimate_error(&site->cum)),
	    *site->file == '\0' ? "" : " ", site->file);
	set_tooltip(node, "tooltip", tooltip);
	free(tooltip);
	/* Area follows the flat value, so the height follows its root. */
	setf(node, "fontsize", "%.0f", 8 + (d->max_flat == 0 ? 0 :
	    16 * sqrt(fabs(site->flat.value) / d->max_flat)));
	set_color(node, "color", share, false);
	set_color(node, "fillcolor", share, true);
	return node;
}

static void
draw_tag(struct drawing *d, Agnode_t *node, uint32_t number, uint32_t n)
{
	const struct subgraph_tag *tag = &d->graph->nodes[number].tags[n];
	struct unit size, value;
	char name[32];
	Agnode_t *box;
	Agedge_t *edge;

	snprintf(name, sizeof name, "N%u_%u", number + 1, n);
	box = agnode(d->g, name, 1);
	set(box, "id", name);
	set(box, "label", tag->bytes < 0 ? "other sizes" :
	    unit_bytes(&size, (double)tag->bytes));
	set(box, "tooltip", value_text(d, &value, tag->value));
	set(box, "shape", "box3d");
	set(box, "fontsize", "8");
	set(box, "color", "#808080");
	set(box, "fillcolor", "#f8f8f8");
	edge = agedge(d->g, node, box, NULL, 1);
	setf(edge, "label", " %s", value_text(d, &value, tag->value));
	set(edge, "weight", "100");	/* keeps the box under its node */
	set(edge, "tooltip", value.text);
	set(edge, "labeltooltip", value.text);
	set(edge, "color", "#a0a0a0");
	set(edge, "fontsize", "8");
}

static void
draw_edge(struct drawing *d, const struct subgraph_edge *e, Agnode_t **nodes)
{
	Agedge_t *edge = agedge(d->g, nodes[e->from], nodes[e->to], NULL, 1);
	double share = fabs(share_of(d, e->weight));
	struct unit value;
	char *tooltip;

	value_text(d, &value, e->weight);
	setf(edge, "label", " %s%s", value.text,
	    e->inlined ? "\\n (inline)" : "");
	setf(edge, "weight", "%.0f", 1 + floor(share * 100));
	setf(edge, "penwidth", "%.2f", 1 + 5 * share);
	set_color(edge, "color", share_of(d, e->weight), false);
	if (e->residual)
		set(edge, "style", "dashed");
	if (e->residual)
		set(edge, "minlen", "2");
	tooltip = xasprintf("%s %s %s (%s)",
	    d->graph->nodes[e->from].site->name, e->residual ? "..." : "->",
	    d->graph->nodes[e->to].site->name, value.text);
	set_tooltip(edge, "tooltip", tooltip);
	set_tooltip(edge, "labeltooltip", tooltip);
	free(tooltip);
}

/* "\l" ends a left-aligned line. What finds no room is left out. */
static void
legend_line(char *text, size_t size, const char *line)
{
	if (strlen(text) + 4 >= size)
		return;
	append_escaped(text, size - 4, line, strlen(line));
	strcat(text, "\\l");
}

/* Broken between words, so that the box does not widen the picture. */
static void
legend_wrapped(char *text, size_t size, const char *line)
{
	char part[LEGEND_LINE + 16] = "";

	while (strlen(line) > LEGEND_LINE) {
		size_t n = LEGEND_LINE;

		while (n > 0 && line[n] != ' ')
			n--;
		if (n == 0)
			n = LEGEND_LINE;
		snprintf(part + strlen(part), sizeof part - strlen(part),
		    "%.*s", (int)n, line);
		legend_line(text, size, part);
		strcpy(part, "          ");
		line += n;
	}
	snprintf(part + strlen(part), sizeof part - strlen(part), "%s", line);
	legend_line(text, size, part);
}

/* The facts of the header block. */
static void
legend_header(const struct drawing *d, char *text, size_t size)
{
	char *block = header_text(&d->view->header), *line, *rest;

	for (rest = block; (line = strsep(&rest, "\n")) != NULL;) {
		if (*line != '\0')
			legend_wrapped(text, size, line);
	}
	free(block);
}

static double
total_of(const struct model *model, const char *type)
{
	uint32_t index = model_find_type(model, type);

	return index == MODEL_NONE ? 0 : (double)model_total(model, index);
}

/* What the difference is one of; percentages are of the larger. */
static void
legend_change(const struct drawing *d, char *text, size_t size)
{
	const struct model_type *type = view_type(d->view);
	struct unit old, new;
	char line[256];

	snprintf(line, sizeof line, "change from %s to %s",
	    unit_value(&old, total_of(d->base, type->type), type->unit),
	    unit_value(&new, total_of(d->view->model, type->type),
	    type->unit));
	legend_line(text, size, line);
}

static void
draw_legend(struct drawing *d)
{
	const struct subgraph *graph = d->graph;
	Agnode_t *node = agnode(d->g, (char *)"legend", 1);
	struct unit shown, total, percent;
	char text[4096] = "", line[256];

	legend_header(d, text, sizeof text);
	if (d->base != NULL)
		legend_change(d, text, sizeof text);
	snprintf(line, sizeof line, "%s: %s of %s (%s) in %u nodes",
	    view_type(d->view)->type, value_text(d, &shown, graph->shown),
	    value_text(d, &total, graph->total),
	    unit_percent(&percent, share_of(d, graph->shown)),
	    graph->nnodes);
	legend_line(text, sizeof text, line);
	if (graph->dropped_nodes + graph->dropped_edges > 0) {
		snprintf(line, sizeof line,
		    "left out: %u smaller nodes, %u smaller edges",
		    graph->dropped_nodes, graph->dropped_edges);
		legend_line(text, sizeof text, line);
	}
	set(node, "label", text);
	set(node, "tooltip", "profile");
	set(node, "fontsize", "11");
	set(node, "color", "#606060");
	set(node, "fillcolor", "#f8f8f8");
}

static void
draw(struct drawing *d)
{
	const struct subgraph *graph = d->graph;
	Agnode_t **nodes = xcalloc(graph->nnodes + 1, sizeof(Agnode_t *));

	agattr(d->g, AGNODE, (char *)"shape", (char *)"box");
	agattr(d->g, AGNODE, (char *)"style", (char *)"filled");
	agattr(d->g, AGNODE, (char *)"fontname",
	    (char *)"DejaVu Sans,Verdana,sans-serif");
	agattr(d->g, AGEDGE, (char *)"fontname",
	    (char *)"DejaVu Sans,Verdana,sans-serif");
	agattr(d->g, AGEDGE, (char *)"fontsize", (char *)"10");
	agattr(d->g, AGRAPH, (char *)"nodesep", (char *)"0.3");
	for (uint32_t i = 0; i < graph->nnodes; i++) {
		if (fabs(graph->nodes[i].site->flat.value) > d->max_flat)
			d->max_flat = fabs(graph->nodes[i].site->flat.value);
	}
	draw_legend(d);
	for (uint32_t i = 0; i < graph->nnodes; i++) {
		nodes[i] = draw_node(d, i);
		for (uint32_t k = 0; d->sizes && k < graph->nodes[i].ntags;
		    k++)
			draw_tag(d, nodes[i], i, k);
	}
	for (uint32_t i = 0; i < graph->nedges; i++)
		draw_edge(d, &graph->edges[i], nodes);
	free(nodes);
}

/* --- the command ----------------------------------------------------------*/

static int
render(const struct cli_args *args, Agraph_t *g, FILE *out)
{
	const char *format = cli_format(args);
	/*
	 * One for the process, never freed: Graphviz's text plugin remembers
	 * a font name of the context in a static variable.
	 */
	static GVC_t *gvc;
	char *data = NULL;
	unsigned length = 0;
	int status = EXIT_FINE;

	if (strcmp(format, "dot") == 0)
		return agwrite(g, out) == 0 ? EXIT_FINE : EXIT_INPUT;
	if (gvc == NULL)
		gvc = gvContext();
	if (gvLayout(gvc, g, "dot") != 0 ||
	    gvRenderData(gvc, g, format, &data, &length) != 0) {
		cli_error(args, "Graphviz could not write %s; is the "
		    "graphviz package installed?", format);
		status = EXIT_INPUT;
	}
	/* By way of memory: Graphviz exits where a file cannot be written. */
	if (status == EXIT_FINE)
		fwrite(data, 1, length, out);
	gvFreeRenderData(data);
	gvFreeLayout(gvc, g);
	return status;
}

static int
write_graph(const struct cli_args *args, struct drawing *d)
{
	FILE *out;
	bool binary = cli_word_in("png pdf", cli_format(args));
	int status = (binary ? cli_output_binary : cli_output)(args, &out);
	int closed;

	if (status != EXIT_FINE)
		return status;
	d->sizes = !cli_flag(args, "no-sizes");
	d->g = agopen((char *)"profile", Agstrictdirected, NULL);
	draw(d);
	status = render(args, d->g, out);
	agclose(d->g);
	closed = cli_output_close(args, out);
	return status != EXIT_FINE ? status : closed;
}

static int
draw_view(const struct cli_args *args, const struct view *view,
    const struct subgraph_options *cut)
{
	struct subgraph *graph = subgraph_build(view->model, view->type, cut);
	struct drawing d = { .view = view, .graph = graph,
	    .whole = fabs(graph->total) };
	int status = write_graph(args, &d);

	subgraph_free(graph);
	return status;
}

/* new - old; the facts of the picture stay those of new. */
static struct model *
difference(const struct model *new, struct model *old)
{
	struct model *delta = model_new();
	struct model_error error;

	for (uint32_t i = 0; i < old->nrows; i++) {
		for (uint32_t t = 0; t < old->ntypes; t++)
			old->rows[i].values[t] = -old->rows[i].values[t];
	}
	if (model_merge(delta, new, &error) != 0 ||
	    model_merge(delta, old, &error) != 0) {
		model_free(delta);
		delta = NULL;
	}
	for (uint32_t i = 0; i < old->nrows; i++) {
		for (uint32_t t = 0; t < old->ntypes; t++)
			old->rows[i].values[t] = -old->rows[i].values[t];
	}
	return delta;
}

static int
draw_difference(const struct cli_args *args, const struct view *view,
    struct model *old, struct subgraph_options *cut)
{
	const char *type = view_type(view)->type;
	struct model *delta = difference(view->model, old);
	struct drawing d = { .view = view, .base = old };
	struct subgraph *graph;
	int status;

	if (delta == NULL || model_find_type(delta, type) == MODEL_NONE ||
	    model_find_type(old, type) == MODEL_NONE) {
		cli_error(args, "%s: has no %s", cli_value(args, "base"),
		    type);
		model_free(delta);
		return EXIT_INPUT;
	}
	cut->whole = d.whole = fmax(fabs(total_of(view->model, type)),
	    fabs(total_of(old, type)));
	graph = subgraph_build(delta, model_find_type(delta, type), cut);
	d.graph = graph;
	status = write_graph(args, &d);
	subgraph_free(graph);
	model_free(delta);
	return status;
}

static int
draw_with_base(const struct cli_args *args, const struct view *view,
    struct subgraph_options *cut)
{
	char *path = (char *)cli_value(args, "base");
	struct view base;
	int status;

	if (path == NULL)
		return draw_view(args, view, cut);
	status = view_load_files(args, &path, 1, &base);
	if (status != EXIT_FINE)
		return status;
	status = draw_difference(args, view, base.model, cut);
	view_free(&base);
	return status;
}

static int
run(const struct cli_args *args)
{
	struct subgraph_options cut = { .node_fraction = 0.005,
	    .edge_fraction = 0.001 };
	int by = SITES_FUNCTION, status = view_by(args, SITES_MODULE, &by);
	struct view view;
	long nodes = 80;		/* fills a screen, still readable */

	cut.by = (enum sites_by)by;
	if (status == EXIT_FINE)
		status = cli_number(args, "nodes", 0, 1000000, &nodes);
	if (status == EXIT_FINE)
		status = cli_real(args, "node-fraction", 0, 1,
		    &cut.node_fraction);
	if (status == EXIT_FINE)
		status = cli_real(args, "edge-fraction", 0, 1,
		    &cut.edge_fraction);
	if (status != EXIT_FINE)
		return status;
	cut.max_nodes = (uint32_t)nodes;
	status = view_load(args, &view);
	if (status != EXIT_FINE)
		return status;
	status = draw_with_base(args, &view, &cut);
	view_free(&view);
	return status;
}

const struct cli_command cmd_graph = {
	.name = "graph",
	.operands = "FILE...",
	.min_operands = 1,
	.summary = "draw the call graph with bytes on nodes and edges",
	.about = "Several files are merged. A node's text grows with what the "
	    "function itself\nallocated, colour and line width with what went "
	    "through it; small boxes are\nthe sizes of objects; dashed edges "
	    "skip functions that were left out.",
	.options = options,
	.formats = "svg png dot pdf",
	.groups = CLI_VIEW & ~CLI_COLOR,
	.run = run,
};
