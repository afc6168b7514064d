/*
 * model_merge.c - several profiles as one.
 */
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_exact.h"
#include "model_index.h"
#include "xalloc.h"

/* Of one merge: what from's indices are called in into. */
struct renumbering {
	uint32_t *types, *mappings, *locations, *stacks;
};

/* The same part of the same file, wherever each process mapped it. */
static bool
mapping_same_image(const struct model_mapping *a,
    const struct model_mapping *b)
{
	if (a->offset != b->offset || a->limit - a->start !=
	    b->limit - b->start)
		return false;
	if (*a->build_id != '\0' || *b->build_id != '\0')
		return strcmp(a->build_id, b->build_id) == 0;
	if (*a->file != '\0' || *b->file != '\0')
		return strcmp(a->file, b->file) == 0;
	return a->start == b->start;
}

static uint32_t
merge_mapping(struct model *into, const struct model_mapping *mapping)
{
	for (uint32_t i = 0; i < into->nmappings; i++)
		if (mapping_same_image(&into->mappings[i], mapping))
			return i;
	return model_add_mapping(into, mapping);
}

static uint32_t
merge_location(struct model *into, const struct model *from,
    const struct model_location *location, const uint32_t *mappings)
{
	struct model_location moved = *location;

	if (location->mapping != MODEL_NONE) {
		moved.mapping = mappings[location->mapping];
		moved.address = location->address -
		    from->mappings[location->mapping].start +
		    into->mappings[moved.mapping].start;
	}
	return model_add_location(into, &moved);
}

static uint32_t
merge_stack(struct model *into, const struct model_stack *stack,
    const uint32_t *locations)
{
	uint32_t *moved = xreallocarray(NULL, stack->depth, sizeof *moved);
	uint32_t index;

	for (uint32_t i = 0; i < stack->depth; i++)
		moved[i] = locations[stack->locations[i]];
	index = model_add_stack(into, moved, stack->depth);
	free(moved);
	return index;
}

static void
merge_rows(struct model *into, const struct model *from,
    const struct renumbering *map)
{
	int64_t *values = xcalloc(into->ntypes, sizeof *values);

	for (uint32_t i = 0; i < from->nrows; i++) {
		const struct model_row *row = &from->rows[i];

		memset(values, 0, into->ntypes * sizeof *values);
		for (uint32_t t = 0; t < from->ntypes; t++)
			values[map->types[t]] = row->values[t];
		model_add_row(into, map->stacks[row->stack], row->labels,
		    values);
	}
	free(values);
}

static void
renumber(struct model *into, const struct model *from,
    struct renumbering *map)
{
	map->types = xcalloc(from->ntypes, sizeof *map->types);
	map->mappings = xcalloc(from->nmappings, sizeof *map->mappings);
	map->locations = xcalloc(from->nlocations, sizeof *map->locations);
	map->stacks = xcalloc(from->nstacks, sizeof *map->stacks);
	for (uint32_t i = 0; i < from->ntypes; i++)
		map->types[i] = model_add_type(into, from->types[i].type,
		    from->types[i].unit);
	for (uint32_t i = 0; i < from->nmappings; i++)
		map->mappings[i] = merge_mapping(into, &from->mappings[i]);
	for (uint32_t i = 0; i < from->nlocations; i++)
		map->locations[i] = merge_location(into, from,
		    &from->locations[i], map->mappings);
	for (uint32_t i = 0; i < from->nstacks; i++)
		map->stacks[i] = merge_stack(into, from->stacks[i],
		    map->locations);
}

static int64_t
last_time(const struct model *model)
{
	return model->time_ns > model->exact.time_unix_ns ? model->time_ns :
	    model->exact.time_unix_ns;
}

/* The first time is the model's, the last one that of the figures. */
static void
merge_times(struct model *into, const struct model *from)
{
	if (into->nfiles > 0 && last_time(from) > last_time(into))
		into->exact.time_unix_ns = last_time(from);
	else if (into->nfiles > 0 && last_time(into) > 0)
		into->exact.time_unix_ns = last_time(into);
	if (into->time_ns == 0 ||
	    (from->time_ns != 0 && from->time_ns < into->time_ns))
		into->time_ns = from->time_ns;
}

static void
merge_header(struct model *into, const struct model *from)
{
	if (into->period_type.type == NULL) {
		into->period_type.type = model_string_or_null(into,
		    from->period_type.type);
		into->period_type.unit = model_string_or_null(into,
		    from->period_type.unit);
	}
	/* What is not seen at the one rate is the sum's to admit. */
	if (from->period > into->period)
		into->period = from->period;
	merge_times(into, from);
	into->duration_ns = model_add_saturating(into->duration_ns,
	    from->duration_ns);
	if (*into->format == '\0')
		into->format = model_string(into, from->format);
	if (into->default_type == MODEL_NONE &&
	    from->default_type != MODEL_NONE)
		into->default_type = model_find_type(into,
		    from->types[from->default_type].type);
	for (uint32_t i = 0; i < from->ncomments; i++)
		model_add_comment(into, from->comments[i]);
	into->nfiles = into->nfiles > UINT32_MAX - from->nfiles ? UINT32_MAX :
	    into->nfiles + from->nfiles;
}

static bool
types_in_common(const struct model *a, const struct model *b)
{
	for (uint32_t i = 0; i < b->ntypes; i++)
		if (model_find_type(a, b->types[i].type) != MODEL_NONE)
			return true;
	return false;
}

int
model_merge(struct model *into, const struct model *from,
    struct model_error *error)
{
	struct renumbering map;

	if (into->ntypes > 0 && !types_in_common(into, from)) {
		model_error_set(error, NULL, MODEL_NOWHERE, "no sample "
		    "type in common with the files before it");
		return EINVAL;
	}
	renumber(into, from, &map);
	merge_rows(into, from, &map);
	model_merge_exact(into, from);
	merge_header(into, from);
	free(map.types);
	free(map.mappings);
	free(map.locations);
	free(map.stacks);
	return 0;
}

struct model *
model_new_like(const struct model *model)
{
	struct model *like = model_new();

	for (uint32_t i = 0; i < model->ntypes; i++)
		model_add_type(like, model->types[i].type,
		    model->types[i].unit);
	for (uint32_t i = 0; i < model->nmappings; i++)
		model_add_mapping(like, &model->mappings[i]);
	model_merge_exact(like, model);
	merge_header(like, model);
	return like;
}
