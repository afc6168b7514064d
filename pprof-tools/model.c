/*
 * model.c - a profile in memory: types, mappings, locations, stacks. Rows are
 * in model_row.c, the exact figures in model_exact.c.
 *
 * Invariants: row.values has ntypes entries; types do not change once there
 *   is a row, except that model_merge widens all rows.
 */
#include "model.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_index.h"
#include "xalloc.h"

struct model *
model_new(void)
{
	struct model *model = xcalloc(1, sizeof *model);
	/* From pid on the members are all numbers. */
	int64_t *figure = (int64_t *)&model->exact.pid;
	int64_t *end = (int64_t *)(&model->exact + 1);

	model->index = model_index_new();
	model->format = "";
	model->default_type = MODEL_NONE;
	for (; figure < end; figure++)
		*figure = -1;
	return model;
}

void
model_free(struct model *model)
{
	if (model == NULL)
		return;
	model_index_free(model->index);
	free(model->types);
	free(model->mappings);
	free(model->locations);
	free(model->stacks);
	free(model->rows);
	free(model->comments);
	free(model);
}

void
model_error_set(struct model_error *error, const char *file, uint64_t offset,
    const char *format, ...)
{
	va_list args;

	if (error == NULL)
		return;
	if (file != NULL)
		snprintf(error->file, sizeof error->file, "%s", file);
	error->offset = offset;
	va_start(args, format);
	vsnprintf(error->reason, sizeof error->reason, format, args);
	va_end(args);
}

/* --- types -------------------------------------------------------------- */

uint32_t
model_find_type(const struct model *model, const char *name)
{
	for (uint32_t i = 0; i < model->ntypes; i++)
		if (strcmp(model->types[i].type, name) == 0)
			return i;
	return MODEL_NONE;
}

/* Gives every row a further value, 0. */
static void
widen_rows(struct model *model)
{
	uint32_t n = model->ntypes;

	for (uint32_t i = 0; i < model->nrows; i++) {
		int64_t *values = model_take(model,
		    (n + 1) * sizeof *values);

		memcpy(values, model->rows[i].values, n * sizeof *values);
		values[n] = 0;
		model->rows[i].values = values;
	}
}

uint32_t
model_add_type(struct model *model, const char *type, const char *unit)
{
	uint32_t found = model_find_type(model, type);

	if (found != MODEL_NONE)
		return found;
	widen_rows(model);
	model->types = xgrow(model->types, model->ntypes,
	    &model->index->types_capacity, sizeof *model->types);
	model->types[model->ntypes] = (struct model_type){
		model_string(model, type), model_string_or_empty(model, unit),
	};
	return model->ntypes++;
}

uint32_t
model_objects_type(const struct model *model, uint32_t type)
{
	static const char *const pairs[][2] = {
		{ "inuse_space", "inuse_objects" },
		{ "alloc_space", "alloc_objects" },
		{ "freed_space", "freed_objects" },
		{ "requested_space", "alloc_objects" },
		{ "pinned_space", "inuse_objects" },
		{ "space", "objects" },
	};

	if (type >= model->ntypes)
		return MODEL_NONE;
	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (strcmp(model->types[type].type, pairs[i][0]) == 0)
			return model_find_type(model, pairs[i][1]);
	return MODEL_NONE;
}

int64_t
model_total(const struct model *model, uint32_t type)
{
	int64_t total = 0;

	for (uint32_t i = 0; i < model->nrows; i++)
		total = model_add_saturating(total,
		    model->rows[i].values[type]);
	return total;
}

/* --- mappings ----------------------------------------------------------- */

static uint64_t
mapping_hash(const struct model_mapping *mapping)
{
	uint64_t parts[5] = { mapping->start, mapping->limit, mapping->offset,
	    (uintptr_t)mapping->file, (uintptr_t)mapping->build_id };

	return table_hash(parts, sizeof parts, 1);
}

static bool
mapping_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;
	const struct model_mapping *have = &model->mappings[index];
	const struct model_mapping *want = key;

	return have->start == want->start && have->limit == want->limit &&
	    have->offset == want->offset && have->file == want->file &&
	    have->build_id == want->build_id;
}

uint32_t
model_add_mapping(struct model *model, const struct model_mapping *mapping)
{
	struct model_index *index = model->index;
	struct model_mapping own = *mapping;
	uint64_t hash;
	uint32_t found;

	own.file = model_string_or_empty(model, mapping->file);
	own.build_id = model_string_or_empty(model, mapping->build_id);
	hash = mapping_hash(&own);
	found = table_find(&index->mapping_table, hash, mapping_equal, model,
	    &own);
	if (found != TABLE_NONE)
		return found;
	model->mappings = xgrow(model->mappings, model->nmappings,
	    &index->mappings_capacity, sizeof *model->mappings);
	model->mappings[model->nmappings] = own;
	table_insert(&index->mapping_table, hash, model->nmappings);
	return model->nmappings++;
}

/* --- locations ---------------------------------------------------------- */

static uint64_t
line_hash(const struct model_line *line, uint64_t seed)
{
	uint64_t parts[5] = { (uintptr_t)line->function,
	    (uintptr_t)line->system_name, (uintptr_t)line->file,
	    (uint64_t)line->line, (uint64_t)line->start_line };

	return table_hash(parts, sizeof parts, seed);
}

static uint64_t
location_hash(const struct model_location *location)
{
	uint64_t hash = table_hash(&location->address,
	    sizeof location->address, location->mapping);

	for (uint32_t i = 0; i < location->nlines; i++)
		hash = line_hash(&location->lines[i], hash);
	return hash;
}

static bool
line_equal(const struct model_line *a, const struct model_line *b)
{
	return a->function == b->function &&
	    a->system_name == b->system_name && a->file == b->file &&
	    a->line == b->line && a->start_line == b->start_line;
}

static bool
location_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;
	const struct model_location *have = &model->locations[index];
	const struct model_location *want = key;

	if (have->address != want->address ||
	    have->mapping != want->mapping || have->nlines != want->nlines)
		return false;
	for (uint32_t i = 0; i < have->nlines; i++)
		if (!line_equal(&have->lines[i], &want->lines[i]))
			return false;
	return true;
}

static struct model_line *
copy_lines(struct model *model, const struct model_line *lines, uint32_t n)
{
	struct model_line *own = model_copy(model, lines, n * sizeof *lines);

	for (uint32_t i = 0; i < n; i++) {
		own[i].function = model_string_or_empty(model,
		    lines[i].function);
		own[i].system_name = model_string_or_empty(model,
		    lines[i].system_name);
		own[i].file = model_string_or_empty(model,
		    lines[i].file);
	}
	return own;
}

uint32_t
model_add_location(struct model *model, const struct model_location *location)
{
	struct model_index *index = model->index;
	struct model_location own = *location;
	uint64_t hash;
	uint32_t found;

	assert(own.mapping == MODEL_NONE || own.mapping < model->nmappings);
	own.lines = copy_lines(model, location->lines, location->nlines);
	hash = location_hash(&own);
	found = table_find(&index->location_table, hash, location_equal,
	    model, &own);
	if (found != TABLE_NONE)
		return found;
	model->locations = xgrow(model->locations, model->nlocations,
	    &index->locations_capacity, sizeof *model->locations);
	model->locations[model->nlocations] = own;
	table_insert(&index->location_table, hash, model->nlocations);
	return model->nlocations++;
}

void
model_set_lines(struct model *model, uint32_t location,
    const struct model_line *lines, uint32_t nlines)
{
	assert(location < model->nlocations);
	model->locations[location].lines = copy_lines(model, lines, nlines);
	model->locations[location].nlines = nlines;
}

uint64_t
model_location_offset(const struct model *model, uint32_t location)
{
	const struct model_location *place = &model->locations[location];
	const struct model_mapping *mapping;

	if (place->mapping == MODEL_NONE)
		return place->address;
	mapping = &model->mappings[place->mapping];
	return place->address - mapping->start + mapping->offset;
}

/* --- stacks ------------------------------------------------------------- */

struct frames {
	const uint32_t *locations;
	uint32_t depth;
};

static bool
stack_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;
	const struct model_stack *have = model->stacks[index];
	const struct frames *want = key;

	return have->depth == want->depth && (want->depth == 0 ||
	    memcmp(have->locations, want->locations,
	    want->depth * sizeof *want->locations) == 0);
}

uint32_t
model_add_stack(struct model *model, const uint32_t *locations,
    uint32_t depth)
{
	struct model_index *index = model->index;
	struct frames key = { locations, depth };
	size_t size = depth * sizeof *locations;
	uint64_t hash = table_hash(locations, size, depth);
	uint32_t found = table_find(&index->stack_table, hash, stack_equal,
	    model, &key);
	struct model_stack *stack;

	if (found != TABLE_NONE)
		return found;
	stack = model_take(model, sizeof *stack + size);
	stack->depth = depth;
	if (depth > 0)
		memcpy(stack->locations, locations, size);
	model->stacks = xgrow(model->stacks, model->nstacks,
	    &index->stacks_capacity, sizeof *model->stacks);
	model->stacks[model->nstacks] = stack;
	table_insert(&index->stack_table, hash, model->nstacks);
	return model->nstacks++;
}
