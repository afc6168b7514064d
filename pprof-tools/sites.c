/*
 * sites.c - rows summed by site.
 *
 *   location 17 --slots--> [ site 3 | site 9 ]     one slot for each line,
 *   location 18 --slots--> [ site 4 ]              one if there is none
 *
 * What site a frame belongs to is worked out once for each slot; after that
 * summing a row touches integers only.
 */
#define _GNU_SOURCE			/* strverscmp */
#include "sites.h"

#include <assert.h>
#include <inttypes.h>
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
	uint32_t index = site_of_name(b, site_frame_name(model, by,
	    &(struct site_frame){ location, line, false }), &is_new);

	if (!is_new)
		return index;
	site = &b->sites->items[index];
	site->mapping = model->locations[location].mapping;
	site->file = site_module_file(model, &model->locations[location]);
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
	const struct model_labels *labels = row->labels;
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

	if (sites_by_label(b->sites->by))
		return site_of_name(b, label_name(row, b->sites->by),
		    &is_new);
	if (b->no_stack == MODEL_NONE)
		b->no_stack = site_of_name(b, xstrdup("(no stack)"), &is_new);
	return b->no_stack;
}

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
count_row(struct builder *b, const struct site_calls *calls)
{
	struct estimate objects = site_row_estimate(b->model,
	    &b->model->rows[calls->row], b->sites->objects_type);
	const struct estimate *value = &calls->value;

	b->sites->row_site[calls->row] = calls->sites[0];
	add_flat(b, calls->sites[0], value, &objects);
	for (uint32_t i = 0; i < calls->n; i++)
		add_cum(b, calls->sites[i], calls->row, value, &objects);
	estimate_add(&b->sites->total, value);
	estimate_add(&b->sites->total_objects, &objects);
}

static bool
row_is_left_out(const struct builder *b, const struct model_row *row)
{
	if (b->keep != NULL && !b->keep(b->keep_context, row))
		return true;
	return site_row_value(row, b->sites->type) == 0 &&
	    site_row_value(row, b->sites->objects_type) == 0;
}

/* Sums all rows; each(), if any, is told of their calls too. */
static void
build(struct builder *b, site_each_calls *each, void *context)
{
	struct frame_buffer frames = { 0 };

	fill_slots(b);
	for (uint32_t i = 0; i < b->model->nrows; i++) {
		const struct model_row *row = &b->model->rows[i];
		struct site_calls calls = { .row = i };
		uint32_t alone;

		if (row_is_left_out(b, row))
			continue;
		if (!sites_by_label(b->sites->by))
			frames_of_row(b, row, &frames);
		if (frames.n == 0)
			alone = rowwise_site(b, row);
		calls.sites = frames.n > 0 ? frames.sites : &alone;
		calls.inlined = frames.n > 0 ? frames.inlined :
		    &(bool){ false };
		calls.n = frames.n > 0 ? frames.n : 1;
		calls.value = site_row_estimate(b->model, row, b->sites->type);
		count_row(b, &calls);
		if (each != NULL)
			each(context, &calls);
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

struct sites *
sites_build_calls(const struct model *model, enum sites_by by, uint32_t type,
    site_each_calls *each, void *context)
{
	struct builder b;

	builder_start(&b, model, by, type);
	build(&b, each, context);
	builder_end(&b);
	return b.sites;
}

/* --- order -------------------------------------------------------------- */

static int
compare_flat(const void *a, const void *b)
{
	const struct site *x = a, *y = b;
	int order = estimate_compare(&x->flat, &y->flat);

	if (order == 0)
		order = estimate_compare(&x->cum, &y->cum);
	return order != 0 ? order : strcmp(x->name, y->name);
}

static int
compare_cum(const void *a, const void *b)
{
	const struct site *x = a, *y = b;
	int order = estimate_compare(&x->cum, &y->cum);

	if (order == 0)
		order = estimate_compare(&x->flat, &y->flat);
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
