/*
 * model.c - a profile in memory: interning, rows, exact figures, merging.
 *
 * Every kind of item has a table (table.h) from the hash of its content to
 * its index. Strings, stacks, lines and labels lie in chunks that are freed
 * together with the model.
 *
 * Invariants: row.values has ntypes entries; types do not change once there
 *   is a row, except that model_merge widens all rows.
 * Memory: chunks of 64 KiB, larger for larger items.
 */
#include "model.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "xalloc.h"

enum { CHUNK_BYTES = 64 << 10 };	/* a few hundred stacks each */

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

struct model_index {
	struct chunk *chunks;
	const char **strings;
	size_t nstrings, strings_capacity;
	struct table string_table, mapping_table, location_table;
	struct table stack_table, row_table;
	size_t types_capacity, mappings_capacity, locations_capacity;
	size_t stacks_capacity, rows_capacity, comments_capacity;
};

/* --- memory ------------------------------------------------------------- */

static void *
take(struct model *model, size_t size)
{
	struct chunk *chunk = model->index->chunks;
	size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;

	size = (size + 15) & ~(size_t)15;
	if (chunk == NULL || chunk->size - chunk->used < size) {
		chunk = xmalloc(sizeof *chunk + room + 16);
		chunk->next = model->index->chunks;
		chunk->used = 0;
		chunk->size = room + 16;
		model->index->chunks = chunk;
	}
	chunk->used += size;
	return chunk->bytes + chunk->used - size;
}

static void *
copy(struct model *model, const void *from, size_t size)
{
	if (size == 0)
		return NULL;
	return memcpy(take(model, size), from, size);
}

struct model *
model_new(void)
{
	struct model *model = xcalloc(1, sizeof *model);
	/* From pid on the members are all numbers. */
	int64_t *figure = (int64_t *)&model->exact.pid;
	int64_t *end = (int64_t *)(&model->exact + 1);

	model->index = xcalloc(1, sizeof *model->index);
	model->format = "";
	model->default_type = MODEL_NONE;
	for (; figure < end; figure++)
		*figure = -1;
	return model;
}

void
model_free(struct model *model)
{
	struct model_index *index;

	if (model == NULL)
		return;
	index = model->index;
	while (index->chunks != NULL) {
		struct chunk *next = index->chunks->next;

		free(index->chunks);
		index->chunks = next;
	}
	table_free(&index->string_table);
	table_free(&index->mapping_table);
	table_free(&index->location_table);
	table_free(&index->stack_table);
	table_free(&index->row_table);
	free(index->strings);
	free(model->types);
	free(model->mappings);
	free(model->locations);
	free(model->stacks);
	free(model->rows);
	free(model->comments);
	free(index);
	free(model);
}

/* --- strings ------------------------------------------------------------ */

struct bytes {
	const char *start;
	size_t length;
};

static bool
string_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;
	const struct bytes *want = key;
	const char *have = model->index->strings[index];

	return strncmp(have, want->start, want->length) == 0 &&
	    have[want->length] == '\0';
}

const char *
model_string_n(struct model *model, const char *bytes, size_t length)
{
	struct model_index *index = model->index;
	struct bytes key = { bytes, strnlen(bytes, length) };
	uint64_t hash = table_hash(bytes, key.length, 0);
	uint32_t found = table_find(&index->string_table, hash, string_equal,
	    model, &key);
	char *string;

	if (found != TABLE_NONE)
		return index->strings[found];
	string = take(model, key.length + 1);
	memcpy(string, bytes, key.length);
	string[key.length] = '\0';
	index->strings = xgrow(index->strings, index->nstrings,
	    &index->strings_capacity, sizeof *index->strings);
	table_insert(&index->string_table, hash, index->nstrings);
	index->strings[index->nstrings++] = string;
	return string;
}

const char *
model_string(struct model *model, const char *string)
{
	return model_string_n(model, string, strlen(string));
}

/* NULL stays NULL. */
static const char *
string_or_null(struct model *model, const char *string)
{
	return string == NULL ? NULL : model_string(model, string);
}

/* NULL becomes "". */
static const char *
string_or_empty(struct model *model, const char *string)
{
	return model_string(model, string == NULL ? "" : string);
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
		int64_t *values = take(model, (n + 1) * sizeof *values);

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
		model_string(model, type), string_or_empty(model, unit),
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

	own.file = string_or_empty(model, mapping->file);
	own.build_id = string_or_empty(model, mapping->build_id);
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
	struct model_line *own = copy(model, lines, n * sizeof *lines);

	for (uint32_t i = 0; i < n; i++) {
		own[i].function = string_or_empty(model, lines[i].function);
		own[i].system_name = string_or_empty(model,
		    lines[i].system_name);
		own[i].file = string_or_empty(model, lines[i].file);
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
	stack = take(model, sizeof *stack + size);
	stack->depth = depth;
	if (depth > 0)
		memcpy(stack->locations, locations, size);
	model->stacks = xgrow(model->stacks, model->nstacks,
	    &index->stacks_capacity, sizeof *model->stacks);
	model->stacks[model->nstacks] = stack;
	table_insert(&index->stack_table, hash, model->nstacks);
	return model->nstacks++;
}

/* --- rows --------------------------------------------------------------- */

struct model_labels
model_labels_none(void)
{
	return (struct model_labels){ .bytes = -1, .rate = -1, .since = -1,
	    .lifetime_ns = -1, .age_ns = -1 };
}

static uint64_t
row_hash(uint32_t stack, const struct model_labels *labels)
{
	uint64_t parts[11] = { stack, (uint64_t)labels->bytes,
	    (uint64_t)labels->rate, (uint64_t)labels->since,
	    (uint64_t)labels->lifetime_ns, (uint64_t)labels->age_ns,
	    (uintptr_t)labels->arena, (uintptr_t)labels->generation,
	    (uintptr_t)labels->lifetime, (uintptr_t)labels->age,
	    (uintptr_t)labels->thread };
	uint64_t hash = table_hash(parts, sizeof parts, labels->nother);

	for (uint32_t i = 0; i < labels->nother; i++) {
		const struct model_label *label = &labels->other[i];
		uint64_t more[4] = { (uintptr_t)label->key,
		    (uintptr_t)label->string, (uint64_t)label->number,
		    (uintptr_t)label->unit };

		hash = table_hash(more, sizeof more, hash);
	}
	return hash;
}

static bool
labels_equal(const struct model_labels *a, const struct model_labels *b)
{
	if (a->bytes != b->bytes || a->rate != b->rate ||
	    a->since != b->since || a->lifetime_ns != b->lifetime_ns ||
	    a->age_ns != b->age_ns || a->arena != b->arena ||
	    a->generation != b->generation || a->lifetime != b->lifetime ||
	    a->age != b->age || a->thread != b->thread ||
	    a->nother != b->nother)
		return false;
	for (uint32_t i = 0; i < a->nother; i++)
		if (a->other[i].key != b->other[i].key ||
		    a->other[i].string != b->other[i].string ||
		    a->other[i].number != b->other[i].number ||
		    a->other[i].unit != b->other[i].unit)
			return false;
	return true;
}

static bool
row_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;
	const struct model_row *have = &model->rows[index];
	const struct model_row *want = key;

	return have->stack == want->stack &&
	    labels_equal(&have->labels, &want->labels);
}

/* Labels whose strings are the model's own. */
static struct model_labels
intern_labels(struct model *model, const struct model_labels *labels)
{
	struct model_labels own = *labels;
	struct model_label *other = copy(model, labels->other,
	    labels->nother * sizeof *other);

	own.arena = string_or_null(model, labels->arena);
	own.generation = string_or_null(model, labels->generation);
	own.lifetime = string_or_null(model, labels->lifetime);
	own.age = string_or_null(model, labels->age);
	own.thread = string_or_null(model, labels->thread);
	for (uint32_t i = 0; i < labels->nother; i++) {
		other[i].key = string_or_empty(model, other[i].key);
		other[i].string = string_or_null(model, other[i].string);
		other[i].unit = string_or_empty(model, other[i].unit);
	}
	own.other = other;
	return own;
}

static void
row_add_values(const struct model *model, struct model_row *row,
    const int64_t *values)
{
	for (uint32_t i = 0; i < model->ntypes; i++)
		row->values[i] = model_add_saturating(row->values[i],
		    values[i]);
}

uint32_t
model_add_row(struct model *model, uint32_t stack,
    const struct model_labels *labels, const int64_t *values)
{
	struct model_index *index = model->index;
	struct model_row row = { stack, intern_labels(model, labels), NULL };
	uint64_t hash = row_hash(stack, &row.labels);
	uint32_t found = table_find(&index->row_table, hash, row_equal, model,
	    &row);

	assert(stack < model->nstacks);
	if (found != TABLE_NONE) {
		row_add_values(model, &model->rows[found], values);
		return found;
	}
	row.values = take(model, model->ntypes * sizeof *values);
	memcpy(row.values, values, model->ntypes * sizeof *values);
	model->rows = xgrow(model->rows, model->nrows, &index->rows_capacity,
	    sizeof *model->rows);
	model->rows[model->nrows] = row;
	table_insert(&index->row_table, hash, model->nrows);
	return model->nrows++;
}

int64_t
model_label_number(const char *label)
{
	const char *digits;
	char *end;
	long long number;

	if (label == NULL)
		return -1;
	digits = label + strcspn(label, "0123456789");
	if (*digits == '\0')
		return -1;
	errno = 0;
	number = strtoll(digits, &end, 10);
	return errno != 0 || *end != '\0' ? -1 : number;
}

int64_t
model_add_saturating(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}

/* --- exact figures ------------------------------------------------------ */

/* How a figure of two merged profiles comes about. */
enum exact_merge { KEEP_FIRST, ADD, LARGEST };

struct exact_key {
	const char *key;
	size_t offset;
	bool is_string;
	enum exact_merge merge;
};

#define STRING(key, field) \
	{ key, offsetof(struct model_exact, field), true, KEEP_FIRST }
#define NUMBER(key, field, merge) \
	{ key, offsetof(struct model_exact, field), false, merge }

static const struct exact_key exact_keys[] = {
	STRING("strata_version", version),
	NUMBER("pid", pid, KEEP_FIRST),
	STRING("command", command),
	NUMBER("start_time_unix", start_time_unix, KEEP_FIRST),
	NUMBER("time_unix_ns", time_unix_ns, LARGEST),
	STRING("trigger", trigger),
	NUMBER("sequence", sequence, KEEP_FIRST),
	NUMBER("live_bytes", live, ADD),
	NUMBER("allocated_bytes", allocated, ADD),
	NUMBER("active_bytes", active, ADD),
	NUMBER("resident_bytes", resident, ADD),
	NUMBER("mapped_bytes", mapped, ADD),
	NUMBER("retained_bytes", retained, ADD),
	NUMBER("metadata_bytes", metadata, ADD),
	NUMBER("tcache_bytes", tcache, ADD),
	NUMBER("dirty_bytes", dirty, ADD),
	NUMBER("muzzy_bytes", muzzy, ADD),
	NUMBER("rss_bytes", rss, ADD),
	NUMBER("thread_allocated_bytes", thread_allocated, ADD),
	NUMBER("thread_deallocated_bytes", thread_deallocated, ADD),
	NUMBER("samples_live", samples_live, ADD),
	NUMBER("samples_freed", samples_freed, ADD),
	NUMBER("dropped_samples", dropped_samples, ADD),
	NUMBER("dropped_bytes", dropped, ADD),
	NUMBER("before_profiling_bytes", before_profiling, ADD),
	NUMBER("profiler_bytes", profiler, ADD),
	NUMBER("generation", generation, LARGEST),
	NUMBER("period", period, KEEP_FIRST),
};

enum { NEXACT = sizeof exact_keys / sizeof *exact_keys };

static const char **
exact_string(struct model_exact *exact, const struct exact_key *key)
{
	return (const char **)((char *)exact + key->offset);
}

static int64_t *
exact_number(struct model_exact *exact, const struct exact_key *key)
{
	return (int64_t *)((char *)exact + key->offset);
}

/* True if the comment was one of exact's and is now in it. */
static bool
exact_take(struct model *model, const char *comment)
{
	const char *colon = strstr(comment, ": ");
	char *end;
	long long number;

	for (size_t i = 0; colon != NULL && i < NEXACT; i++) {
		const struct exact_key *key = &exact_keys[i];

		if (strlen(key->key) != (size_t)(colon - comment) ||
		    strncmp(key->key, comment, colon - comment) != 0)
			continue;
		if (key->is_string) {
			*exact_string(&model->exact, key) =
			    model_string(model, colon + 2);
			return true;
		}
		errno = 0;
		number = strtoll(colon + 2, &end, 10);
		if (errno != 0 || end == colon + 2 || *end != '\0')
			return false;
		*exact_number(&model->exact, key) = number;
		return true;
	}
	return false;
}

void
model_add_comment(struct model *model, const char *comment)
{
	const char *own;

	if (exact_take(model, comment))
		return;
	own = model_string(model, comment);
	for (uint32_t i = 0; i < model->ncomments; i++)
		if (model->comments[i] == own)
			return;
	model->comments = xgrow(model->comments, model->ncomments,
	    &model->index->comments_capacity, sizeof *model->comments);
	model->comments[model->ncomments++] = own;
}

void
model_each_exact(const struct model *model,
    void (*each)(void *context, const char *comment), void *context)
{
	struct model_exact exact = model->exact;

	for (size_t i = 0; i < NEXACT; i++) {
		const struct exact_key *key = &exact_keys[i];
		char *comment = NULL;

		if (!key->is_string && *exact_number(&exact, key) != -1)
			comment = xasprintf("%s: %lld", key->key,
			    (long long)*exact_number(&exact, key));
		else if (key->is_string && *exact_string(&exact, key) != NULL)
			comment = xasprintf("%s: %s", key->key,
			    *exact_string(&exact, key));
		if (comment != NULL)
			each(context, comment);
		free(comment);
	}
}

static void
exact_merge_number(int64_t *into, int64_t from, enum exact_merge merge)
{
	if (from == -1)
		return;
	if (*into == -1)
		*into = from;
	else if (merge == ADD)
		*into = model_add_saturating(*into, from);
	else if (merge == LARGEST && from > *into)
		*into = from;
}

static void
merge_exact(struct model *into, const struct model *from)
{
	struct model_exact other = from->exact;

	for (size_t i = 0; i < NEXACT; i++) {
		const struct exact_key *key = &exact_keys[i];
		const char **string;

		if (!key->is_string) {
			exact_merge_number(exact_number(&into->exact, key),
			    *exact_number(&other, key), key->merge);
			continue;
		}
		string = exact_string(&into->exact, key);
		if (*string == NULL)
			*string = string_or_null(into,
			    *exact_string(&other, key));
	}
}

/* --- merging ------------------------------------------------------------ */

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
		model_add_row(into, map->stacks[row->stack], &row->labels,
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

static void
merge_header(struct model *into, const struct model *from)
{
	if (into->period_type.type == NULL) {
		into->period_type.type = string_or_null(into,
		    from->period_type.type);
		into->period_type.unit = string_or_null(into,
		    from->period_type.unit);
	}
	if (into->period == 0)
		into->period = from->period;
	if (into->time_ns == 0 ||
	    (from->time_ns != 0 && from->time_ns < into->time_ns))
		into->time_ns = from->time_ns;
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
	into->nfiles += from->nfiles;
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
		model_error_set(error, NULL, 0, "no sample type in common "
		    "with the files before it");
		return EINVAL;
	}
	renumber(into, from, &map);
	merge_rows(into, from, &map);
	merge_header(into, from);
	merge_exact(into, from);
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
	merge_header(like, model);
	merge_exact(like, model);
	return like;
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
