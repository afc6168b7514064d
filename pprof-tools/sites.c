/*
 * sites.c - rows summed by site, call graph and call tree.
 *
 *   location 17 --slots--> [ site 3 | site 9 ]     one slot for each line,
 *   location 18 --slots--> [ site 4 ]              one if there is none
 *
 * What site a frame belongs to is worked out once for each slot; after that
 * summing a row touches integers only.
 */
#define _GNU_SOURCE			/* strverscmp, qsort_r */
#include "sites.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "xalloc.h"

struct builder {
	const struct model *model;
	struct sites *sites;
	size_t capacity;		/* of sites->items */
	struct table table;		/* name -> site */
	uint32_t *first_slot;		/* of each location */
	uint32_t *slots;		/* site of each slot */
	uint32_t no_stack;		/* the site of empty stacks, or NONE */
	bool (*keep)(const void *context, const struct model_row *row);
	const void *keep_context;	/* keep NULL: all rows */
};

/* --- estimates ---------------------------------------------------------- */

double
site_probability(double bytes, double rate)
{
	if (rate <= 1)
		return 1;
	return -expm1(bytes * log1p(-1 / rate));
}

double
estimate_error(const struct estimate *estimate)
{
	return estimate->unknown ? NAN : sqrt(estimate->variance);
}

void
estimate_add(struct estimate *to, const struct estimate *from)
{
	to->value += from->value;
	to->variance += from->variance;
	to->unknown = to->unknown || from->unknown;
}

static double
row_value(const struct model_row *row, uint32_t type)
{
	return type == MODEL_NONE ? 0 : (double)row->values[type];
}

/* Bytes of one object of the row by its label, else by its own values. */
static double
row_object_bytes(const struct model *model, const struct model_row *row)
{
	static const char *const spaces[] = { "alloc_space", "inuse_space",
	    "space" };

	if (row->labels.bytes >= 0)
		return (double)row->labels.bytes;
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
		uint32_t space = model_find_type(model, spaces[i]);
		double objects = row_value(row,
		    model_objects_type(model, space));

		if (objects > 0)
			return row_value(row, space) / objects;
	}
	return -1;
}

static bool
ends_in(const char *string, const char *end)
{
	size_t n = strlen(string), m = strlen(end);

	return n >= m && strcmp(string + n - m, end) == 0;
}

struct estimate
site_row_estimate(const struct model *model, const struct model_row *row,
    uint32_t type)
{
	struct estimate out = { .value = row_value(row, type) };
	double bytes, p, spread;
	const char *name;

	if (type == MODEL_NONE || out.value == 0)
		return out;
	name = model->types[type].type;
	if (strcmp(name, "samples") == 0)
		return out;		/* a count of what was seen */
	bytes = row_object_bytes(model, row);
	if (bytes < 0 && model->exact.version != NULL)
		return out;		/* "(thread caches)": was counted */
	out.unknown = true;
	if (row->labels.rate < 0 || bytes < 0)
		return out;
	p = site_probability(bytes, (double)row->labels.rate);
	if (p <= 0)
		return out;
	spread = fabs(out.value) * (1 - p) / p;
	if (ends_in(name, "space")) {
		double objects = row_value(row,
		    model_objects_type(model, type));

		spread *= objects > 0 ? fabs(out.value) / objects : bytes;
	} else if (!ends_in(name, "objects")) {
		return out;
	}
	out.variance = spread;
	out.unknown = false;
	return out;
}

/* --- names -------------------------------------------------------------- */

static const char *const by_names[] = {
	[SITES_FUNCTION] = "function", [SITES_LINE] = "line",
	[SITES_FILE] = "file", [SITES_ADDRESS] = "address",
	[SITES_MODULE] = "module", [SITES_ARENA] = "arena",
	[SITES_SIZE] = "size", [SITES_GENERATION] = "generation",
	[SITES_THREAD] = "thread", [SITES_AGE] = "age",
	[SITES_LIFETIME] = "lifetime",
};

int
sites_by_parse(const char *name)
{
	for (size_t i = 0; i < sizeof by_names / sizeof *by_names; i++)
		if (strcmp(by_names[i], name) == 0)
			return (int)i;
	return -1;
}

static bool
is_label(enum sites_by by)
{
	return by >= SITES_ARENA;
}

static const char *
module_file(const struct model *model, const struct model_location *location)
{
	const char *file = location->mapping == MODEL_NONE ? "" :
	    model->mappings[location->mapping].file;

	return *file != '\0' ? file : "(unknown module)";
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

/* What stands for the function: its name, or module+offset. */
static char *
function_name(const struct model *model, uint32_t location,
    const struct model_line *line)
{
	const struct model_location *place = &model->locations[location];

	if (line != NULL && *line->function != '\0')
		return xstrdup(line->function);
	if (line != NULL && *line->system_name != '\0')
		return xstrdup(line->system_name);
	if (place->mapping == MODEL_NONE)
		return xasprintf("0x%" PRIx64, place->address);
	return xasprintf("%s+0x%" PRIx64,
	    base_name(module_file(model, place)),
	    model_location_offset(model, location));
}

static char *
line_name(const char *function, const struct model_line *line)
{
	if (line == NULL || *line->file == '\0')
		return xstrdup(function);
	if (line->line == 0)
		return xasprintf("%s %s", function, line->file);
	return xasprintf("%s %s:%" PRId64, function, line->file, line->line);
}

static char *
frame_name(const struct model *model, enum sites_by by, uint32_t location,
    const struct model_line *line)
{
	const struct model_location *place = &model->locations[location];
	char *function, *rest, *name;

	if (by == SITES_MODULE)
		return xstrdup(module_file(model, place));
	if (by == SITES_FILE)
		return xstrdup(line != NULL && *line->file != '\0' ?
		    line->file : "(unknown file)");
	function = function_name(model, location, line);
	if (by == SITES_FUNCTION)
		return function;
	rest = line_name(function, line);
	free(function);
	if (by == SITES_LINE)
		return rest;
	name = xasprintf("0x%016" PRIx64 " %s", place->address, rest);
	free(rest);
	return name;
}

/* --- sites -------------------------------------------------------------- */

static bool
site_equal(const void *context, uint32_t index, const void *key)
{
	const struct sites *sites = context;

	return strcmp(sites->items[index].name, key) == 0;
}

/* Takes over name. The new site's other members are zero. */
static uint32_t
site_of_name(struct builder *b, char *name, bool *is_new)
{
	struct sites *sites = b->sites;
	uint64_t hash = table_hash(name, strlen(name), 0);
	uint32_t found = table_find(&b->table, hash, site_equal, sites, name);

	*is_new = found == TABLE_NONE;
	if (!*is_new) {
		free(name);
		return found;
	}
	sites->items = xgrow(sites->items, sites->n, &b->capacity,
	    sizeof *sites->items);
	sites->items[sites->n] = (struct site){ .name = name,
	    .function = "", .file = "", .mapping = MODEL_NONE };
	table_insert(&b->table, hash, sites->n);
	return sites->n++;
}

static uint32_t
site_of_frame(struct builder *b, uint32_t location,
    const struct model_line *line)
{
	const struct model *model = b->model;
	enum sites_by by = b->sites->by;
	struct site *site;
	bool is_new;
	uint32_t index = site_of_name(b, frame_name(model, by, location,
	    line), &is_new);

	if (!is_new)
		return index;
	site = &b->sites->items[index];
	site->mapping = model->locations[location].mapping;
	site->file = module_file(model, &model->locations[location]);
	if (by == SITES_ADDRESS || (line == NULL && by <= SITES_LINE))
		site->address = model_location_offset(model, location);
	if (by == SITES_MODULE || line == NULL)
		return index;
	if (*line->file != '\0')
		site->file = line->file;
	if (by != SITES_FILE)
		site->function = line->function;
	if (by == SITES_LINE || by == SITES_ADDRESS)
		site->line = line->line;
	return index;
}

/* Works out the site of every slot. */
static void
fill_slots(struct builder *b)
{
	const struct model *model = b->model;
	uint32_t n = 0;

	b->first_slot = xcalloc(model->nlocations + 1, sizeof *b->first_slot);
	for (uint32_t i = 0; i < model->nlocations; i++) {
		b->first_slot[i] = n;
		n += model->locations[i].nlines > 0 ?
		    model->locations[i].nlines : 1;
	}
	b->first_slot[model->nlocations] = n;
	b->slots = xcalloc(n, sizeof *b->slots);
	memset(b->slots, 0xff, n * sizeof *b->slots);
}

/* Sites come into being when a row first needs them. */
static uint32_t
slot_site(struct builder *b, uint32_t location, uint32_t slot)
{
	const struct model_location *place = &b->model->locations[location];

	if (b->slots[slot] == MODEL_NONE)
		b->slots[slot] = site_of_frame(b, location,
		    place->nlines == 0 ? NULL :
		    &place->lines[slot - b->first_slot[location]]);
	return b->slots[slot];
}

static char *
label_name(const struct model_row *row, enum sites_by by)
{
	const struct model_labels *labels = &row->labels;
	const char *name =
	    by == SITES_ARENA ? labels->arena :
	    by == SITES_GENERATION ? labels->generation :
	    by == SITES_THREAD ? labels->thread :
	    by == SITES_AGE ? labels->age : labels->lifetime;

	if (by == SITES_SIZE && labels->bytes >= 0)
		return xasprintf("%" PRId64, labels->bytes);
	return xstrdup(by == SITES_SIZE || name == NULL ? "(none)" : name);
}

static void
add_flat(struct builder *b, uint32_t index, const struct estimate *value,
    const struct estimate *objects)
{
	estimate_add(&b->sites->items[index].flat, value);
	estimate_add(&b->sites->items[index].flat_objects, objects);
}

static void
add_cum(struct builder *b, uint32_t index, uint32_t row,
    const struct estimate *value, const struct estimate *objects)
{
	struct site *site = &b->sites->items[index];

	if (site->last_row == row + 1)
		return;
	site->last_row = row + 1;
	estimate_add(&site->cum, value);
	estimate_add(&site->cum_objects, objects);
}

/* The one site of a row that has no frames, or is summed by a label. */
static uint32_t
rowwise_site(struct builder *b, const struct model_row *row)
{
	bool is_new;

	if (is_label(b->sites->by))
		return site_of_name(b, label_name(row, b->sites->by),
		    &is_new);
	if (b->no_stack == MODEL_NONE)
		b->no_stack = site_of_name(b, xstrdup("(no stack)"), &is_new);
	return b->no_stack;
}

/* What a builder is told of each row; the innermost frame comes first. */
typedef void add_frames(struct builder *b, uint32_t row,
    const uint32_t *sites, const bool *inlined, uint32_t n, void *context);

struct frame_buffer {
	uint32_t *sites;
	bool *inlined;			/* into the next one */
	uint32_t n;
	size_t capacity;
};

static void
frames_of_row(struct builder *b, const struct model_row *row,
    struct frame_buffer *out)
{
	const struct model_stack *stack = b->model->stacks[row->stack];

	out->n = 0;
	for (uint32_t i = 0; i < stack->depth; i++) {
		uint32_t location = stack->locations[i];
		uint32_t end = b->first_slot[location + 1];

		for (uint32_t s = b->first_slot[location]; s < end; s++) {
			size_t capacity = out->capacity;

			out->inlined = xgrow(out->inlined, out->n, &capacity,
			    sizeof *out->inlined);
			out->sites = xgrow(out->sites, out->n, &out->capacity,
			    sizeof *out->sites);
			out->sites[out->n] = slot_site(b, location, s);
			out->inlined[out->n++] = s + 1 < end;
		}
	}
}

static void
count_row(struct builder *b, uint32_t index, const uint32_t *frames,
    uint32_t n)
{
	const struct model_row *row = &b->model->rows[index];
	struct estimate value = site_row_estimate(b->model, row,
	    b->sites->type);
	struct estimate objects = site_row_estimate(b->model, row,
	    b->sites->objects_type);

	b->sites->row_site[index] = frames[0];
	add_flat(b, frames[0], &value, &objects);
	for (uint32_t i = 0; i < n; i++)
		add_cum(b, frames[i], index, &value, &objects);
	estimate_add(&b->sites->total, &value);
	estimate_add(&b->sites->total_objects, &objects);
}

static bool
row_is_left_out(const struct builder *b, const struct model_row *row)
{
	if (b->keep != NULL && !b->keep(b->keep_context, row))
		return true;
	return row_value(row, b->sites->type) == 0 &&
	    row_value(row, b->sites->objects_type) == 0;
}

/* Sums all rows; more(), if any, sees each row's frames too. */
static void
build(struct builder *b, add_frames *more, void *context)
{
	struct frame_buffer frames = { 0 };

	fill_slots(b);
	for (uint32_t i = 0; i < b->model->nrows; i++) {
		const struct model_row *row = &b->model->rows[i];
		uint32_t alone;

		if (row_is_left_out(b, row))
			continue;
		if (!is_label(b->sites->by))
			frames_of_row(b, row, &frames);
		if (frames.n > 0) {
			count_row(b, i, frames.sites, frames.n);
			if (more != NULL)
				more(b, i, frames.sites, frames.inlined,
				    frames.n, context);
			continue;
		}
		alone = rowwise_site(b, row);
		count_row(b, i, &alone, 1);
		if (more != NULL)
			more(b, i, &alone, &(bool){ false }, 1, context);
	}
	free(frames.sites);
	free(frames.inlined);
}

static void
builder_start(struct builder *b, const struct model *model, enum sites_by by,
    uint32_t type)
{
	assert(type < model->ntypes);
	*b = (struct builder){ .model = model, .no_stack = MODEL_NONE };
	b->sites = xcalloc(1, sizeof *b->sites);
	b->sites->by = by;
	b->sites->type = type;
	b->sites->objects_type = model_objects_type(model, type);
	b->sites->row_site = xreallocarray(NULL, model->nrows,
	    sizeof *b->sites->row_site);
	memset(b->sites->row_site, 0xff,
	    model->nrows * sizeof *b->sites->row_site);
	b->sites->nrows = model->nrows;
}

static void
builder_end(struct builder *b)
{
	table_free(&b->table);
	free(b->first_slot);
	free(b->slots);
}

struct sites *
sites_build(const struct model *model, enum sites_by by, uint32_t type)
{
	return sites_build_some(model, by, type, NULL, NULL);
}

struct sites *
sites_build_some(const struct model *model, enum sites_by by, uint32_t type,
    bool (*keep)(const void *context, const struct model_row *row),
    const void *context)
{
	struct builder b;

	builder_start(&b, model, by, type);
	b.keep = keep;
	b.keep_context = context;
	build(&b, NULL, NULL);
	builder_end(&b);
	sites_sort(b.sites, SITES_BY_FLAT);
	return b.sites;
}

static int
compare_doubles(double a, double b)
{
	return (a < b) - (a > b);	/* largest first */
}

static int
compare_flat(const void *a, const void *b)
{
	const struct site *x = a, *y = b;
	int order = compare_doubles(fabs(x->flat.value), fabs(y->flat.value));

	if (order == 0)
		order = compare_doubles(fabs(x->cum.value),
		    fabs(y->cum.value));
	return order != 0 ? order : strcmp(x->name, y->name);
}

static int
compare_cum(const void *a, const void *b)
{
	const struct site *x = a, *y = b;
	int order = compare_doubles(fabs(x->cum.value), fabs(y->cum.value));

	if (order == 0)
		order = compare_doubles(fabs(x->flat.value),
		    fabs(y->flat.value));
	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Numbers in names by their value: "arena 9" before "arena 10". */
static int
compare_name(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return strverscmp(x->name, y->name);
}

void
sites_sort(struct sites *sites, enum sites_order order)
{
	uint32_t *moved = xcalloc(sites->n, sizeof *moved);

	for (uint32_t i = 0; i < sites->n; i++)
		sites->items[i].last_row = i;	/* is free after the sums */
	if (sites->n > 0)
		qsort(sites->items, sites->n, sizeof *sites->items,
		    order == SITES_BY_FLAT ? compare_flat :
		    order == SITES_BY_CUM ? compare_cum : compare_name);
	for (uint32_t i = 0; i < sites->n; i++)
		moved[sites->items[i].last_row] = i;
	for (uint32_t i = 0; i < sites->nrows; i++)
		if (sites->row_site[i] != MODEL_NONE)
			sites->row_site[i] = moved[sites->row_site[i]];
	free(moved);
}

void
sites_free(struct sites *sites)
{
	if (sites == NULL)
		return;
	for (uint32_t i = 0; i < sites->n; i++)
		free((char *)sites->items[i].name);
	free(sites->items);
	free(sites->row_site);
	free(sites);
}

/* --- the call graph ----------------------------------------------------- */

struct edge_builder {
	struct callgraph *graph;
	struct table table;		/* caller, callee -> edge */
	size_t capacity;
};

static bool
edge_equal(const void *context, uint32_t index, const void *key)
{
	const struct callgraph *graph = context;
	const uint32_t *pair = key;

	return graph->edges[index].caller == pair[0] &&
	    graph->edges[index].callee == pair[1];
}

static struct site_edge *
edge_of(struct edge_builder *e, uint32_t caller, uint32_t callee)
{
	struct callgraph *graph = e->graph;
	uint32_t pair[2] = { caller, callee };
	uint64_t hash = table_hash(pair, sizeof pair, 0);
	uint32_t found = table_find(&e->table, hash, edge_equal, graph, pair);

	if (found != TABLE_NONE)
		return &graph->edges[found];
	graph->edges = xgrow(graph->edges, graph->nedges, &e->capacity,
	    sizeof *graph->edges);
	graph->edges[graph->nedges] = (struct site_edge){ .caller = caller,
	    .callee = callee, .inlined = true };
	table_insert(&e->table, hash, graph->nedges);
	return &graph->edges[graph->nedges++];
}

static void
add_edges(struct builder *b, uint32_t row, const uint32_t *sites,
    const bool *inlined, uint32_t n, void *context)
{
	struct estimate value = site_row_estimate(b->model,
	    &b->model->rows[row], b->sites->type);

	for (uint32_t i = 0; i + 1 < n; i++) {
		struct site_edge *edge;

		if (sites[i] == sites[i + 1])
			continue;
		edge = edge_of(context, sites[i + 1], sites[i]);
		edge->inlined = edge->inlined && inlined[i];
		if (edge->last_row == row + 1)
			continue;
		edge->last_row = row + 1;
		estimate_add(&edge->weight, &value);
	}
}

static int
compare_edges(const void *a, const void *b)
{
	const struct site_edge *x = a, *y = b;
	int order = compare_doubles(fabs(x->weight.value),
	    fabs(y->weight.value));

	if (order != 0)
		return order;
	if (x->caller != y->caller)
		return x->caller < y->caller ? -1 : 1;
	return (x->callee > y->callee) - (x->callee < y->callee);
}

struct callgraph *
callgraph_build(const struct model *model, enum sites_by by, uint32_t type)
{
	struct callgraph *graph = xcalloc(1, sizeof *graph);
	struct edge_builder e = { .graph = graph };
	struct builder b;

	assert(!is_label(by));
	builder_start(&b, model, by, type);
	graph->sites = b.sites;
	build(&b, add_edges, &e);
	builder_end(&b);
	table_free(&e.table);
	if (graph->nedges > 0)
		qsort(graph->edges, graph->nedges, sizeof *graph->edges,
		    compare_edges);
	return graph;
}

void
callgraph_free(struct callgraph *graph)
{
	if (graph == NULL)
		return;
	sites_free(graph->sites);
	free(graph->edges);
	free(graph);
}

/* --- the call tree ------------------------------------------------------ */

struct tree_builder {
	struct calltree *tree;
	struct table table;		/* parent, site -> node */
	size_t capacity;
};

static bool
node_equal(const void *context, uint32_t index, const void *key)
{
	const struct calltree *tree = context;
	const uint32_t *pair = key;

	return tree->nodes[index].parent == pair[0] &&
	    tree->nodes[index].site == pair[1];
}

static uint32_t
node_new(struct tree_builder *t, uint32_t parent, uint32_t site)
{
	struct calltree *tree = t->tree;

	tree->nodes = xgrow(tree->nodes, tree->nnodes, &t->capacity,
	    sizeof *tree->nodes);
	tree->nodes[tree->nnodes] = (struct tree_node){ .site = site,
	    .parent = parent, .first_child = MODEL_NONE,
	    .next_sibling = MODEL_NONE };
	return tree->nnodes++;
}

static uint32_t
node_of(struct tree_builder *t, uint32_t parent, uint32_t site)
{
	uint32_t pair[2] = { parent, site };
	uint64_t hash = table_hash(pair, sizeof pair, 0);
	uint32_t found = table_find(&t->table, hash, node_equal, t->tree,
	    pair);

	if (found != TABLE_NONE)
		return found;
	table_insert(&t->table, hash, t->tree->nnodes);
	return node_new(t, parent, site);
}

static void
add_path(struct builder *b, uint32_t row, const uint32_t *sites,
    const bool *inlined, uint32_t n, void *context)
{
	struct tree_builder *t = context;
	struct estimate value = site_row_estimate(b->model,
	    &b->model->rows[row], b->sites->type);
	uint32_t node = 0;

	estimate_add(&t->tree->nodes[0].total, &value);
	for (uint32_t i = n; i-- > 0;) {
		node = node_of(t, node, sites[i]);
		estimate_add(&t->tree->nodes[node].total, &value);
	}
	estimate_add(&t->tree->nodes[node].self, &value);
}

static int
compare_nodes(const void *a, const void *b, void *context)
{
	const struct tree_node *nodes = context;
	const struct tree_node *x = &nodes[*(const uint32_t *)a];
	const struct tree_node *y = &nodes[*(const uint32_t *)b];
	int order;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	order = compare_doubles(fabs(x->total.value), fabs(y->total.value));
	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Links every node's children, largest first. */
static void
link_children(struct calltree *tree)
{
	uint32_t n = tree->nnodes - 1;
	uint32_t *order = xcalloc(n, sizeof *order);

	tree->nodes[0].name = "(all)";
	for (uint32_t i = 0; i < n; i++) {
		order[i] = i + 1;
		tree->nodes[i + 1].name =
		    tree->sites->items[tree->nodes[i + 1].site].name;
	}
	qsort_r(order, n, sizeof *order, compare_nodes, tree->nodes);
	for (uint32_t i = n; i-- > 0;) {
		struct tree_node *node = &tree->nodes[order[i]];
		struct tree_node *parent = &tree->nodes[node->parent];

		node->next_sibling = parent->first_child;
		parent->first_child = order[i];
	}
	free(order);
}

struct calltree *
calltree_build(const struct model *model, enum sites_by by, uint32_t type)
{
	struct calltree *tree = xcalloc(1, sizeof *tree);
	struct tree_builder t = { .tree = tree };
	struct builder b;

	builder_start(&b, model, by, type);
	tree->sites = b.sites;
	node_new(&t, MODEL_NONE, MODEL_NONE);
	build(&b, add_path, &t);
	builder_end(&b);
	table_free(&t.table);
	link_children(tree);
	return tree;
}

void
calltree_free(struct calltree *tree)
{
	if (tree == NULL)
		return;
	sites_free(tree->sites);
	free(tree->nodes);
	free(tree);
}

void
sites_walk(const struct model *model, uint32_t stack,
    void (*frame)(void *context, const struct site_frame *frame),
    void *context)
{
	const struct model_stack *frames = model->stacks[stack];

	for (uint32_t i = 0; i < frames->depth; i++) {
		uint32_t index = frames->locations[i];
		const struct model_location *place = &model->locations[index];

		if (place->nlines == 0)
			frame(context, &(struct site_frame){ index, NULL,
			    false });
		for (uint32_t k = 0; k < place->nlines; k++)
			frame(context, &(struct site_frame){ index,
			    &place->lines[k], k + 1 < place->nlines });
	}
}

char *
site_frame_name(const struct model *model, enum sites_by by,
    const struct site_frame *frame)
{
	return frame_name(model, by, frame->location, frame->line);
}
