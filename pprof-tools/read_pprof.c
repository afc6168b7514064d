/*
 * read_pprof.c - pprof's profile.proto into a model.
 *
 * Fields come in any order, so the message is walked once for each kind of
 * item, in the order in which they refer to each other:
 *
 *   strings -> types, mappings, functions -> locations -> samples
 *
 * A walk goes from the first field of its kind to the last, which a walk over
 * all has found: most producers write one kind after the other.
 *
 * Ids are any numbers; a table finds the item of an id. An id that is zero,
 * double or refers to nothing is an error at the offset of its item.
 */
#include "read_pprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "wire.h"
#include "xalloc.h"

enum profile_field {
	PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE, PROFILE_MAPPING,
	PROFILE_LOCATION, PROFILE_FUNCTION, PROFILE_STRING,
	PROFILE_DROP_FRAMES, PROFILE_KEEP_FRAMES, PROFILE_TIME,
	PROFILE_DURATION, PROFILE_PERIOD_TYPE, PROFILE_PERIOD,
	PROFILE_COMMENT, PROFILE_DEFAULT_TYPE, PROFILE_FIELDS,
};

struct id_entry {
	uint64_t id;
	uint32_t index;			/* in the model, or in functions */
};

/* Items by id. */
struct ids {
	struct id_entry *entries;
	size_t n, capacity;
	struct table table;
};

struct reader {
	struct wire all;
	struct wire parts[PROFILE_FIELDS];	/* of all, by kind */
	struct model *model;
	const char **strings;
	size_t nstrings, strings_capacity;
	struct ids mappings, functions, locations;
	struct model_line *function_lines;	/* line = 0 in each */
	size_t nfunctions, functions_capacity;
	/* Reused from sample to sample: */
	uint32_t *stack;
	int64_t *values;
	struct model_label *labels;
	size_t stack_capacity, labels_capacity;
	bool rate_is_period;
	bool native;			/* written by Strata */
};

typedef void take_item(struct reader *r, struct wire item);

/* Empty where there is no field of the kind. */
static void
find_parts(struct reader *r)
{
	struct wire all = r->all;
	struct wire_field field;

	for (unsigned i = 0; i < PROFILE_FIELDS; i++) {
		r->parts[i] = r->all;
		r->parts[i].end = r->parts[i].at;
	}
	for (const unsigned char *at = all.at; wire_next(&all, &field);
	    at = all.at) {
		struct wire *part;

		if (field.number >= PROFILE_FIELDS)
			continue;
		part = &r->parts[field.number];
		if (part->at == part->end)
			part->at = at;
		part->end = all.at;
	}
}

/* Calls take() with every item of one kind. */
static void
each_item(struct reader *r, enum profile_field number, take_item *take)
{
	struct wire part = r->parts[number];
	struct wire_field field;

	while (wire_next(&part, &field)) {
		if (field.number != number)
			continue;
		if (!field.is_bytes) {
			wire_fail(&part, "a number where a message belongs");
			return;
		}
		take(r, field.bytes);
	}
}

/* --- ids and strings ---------------------------------------------------- */

static bool
id_equal(const void *context, uint32_t index, const void *key)
{
	const struct ids *ids = context;

	return ids->entries[index].id == *(const uint64_t *)key;
}

static const struct id_entry *
id_find(const struct ids *ids, uint64_t id)
{
	uint32_t i;

	/* Nearly all producers number their items 1, 2, ... */
	if (id - 1 < ids->n && ids->entries[id - 1].id == id)
		return &ids->entries[id - 1];
	i = table_find(&ids->table, table_hash(&id, sizeof id, 0), id_equal,
	    ids, &id);
	return i == TABLE_NONE ? NULL : &ids->entries[i];
}

static void
id_add(struct ids *ids, uint64_t id, uint32_t index, const struct wire *where)
{
	if (id == 0 || id_find(ids, id) != NULL) {
		wire_fail(where, id == 0 ? "an id is zero" :
		    "an id stands for two items");
		return;
	}
	ids->entries = xgrow(ids->entries, ids->n, &ids->capacity,
	    sizeof *ids->entries);
	ids->entries[ids->n] = (struct id_entry){ id, index };
	table_insert(&ids->table, table_hash(&id, sizeof id, 0), ids->n);
	ids->n++;
}

static void
ids_free(struct ids *ids)
{
	table_free(&ids->table);
	free(ids->entries);
}

static void
take_string(struct reader *r, struct wire item)
{
	r->strings = xgrow(r->strings, r->nstrings, &r->strings_capacity,
	    sizeof *r->strings);
	r->strings[r->nstrings++] = model_string_n(r->model,
	    (const char *)item.at, item.end - item.at);
}

static const char *
string(const struct reader *r, uint64_t index, const struct wire *where)
{
	if (index < r->nstrings)
		return r->strings[index];
	if (index != 0)
		wire_fail(where, "a string number is not in the table");
	return "";
}

/* --- types and header --------------------------------------------------- */

static struct model_type
value_type(struct reader *r, struct wire item)
{
	struct model_type type = { "", "" };
	struct wire_field field;

	while (wire_next(&item, &field)) {
		if (field.number == 1)
			type.type = string(r, field.value, &item);
		else if (field.number == 2)
			type.unit = string(r, field.value, &item);
	}
	return type;
}

static void
take_sample_type(struct reader *r, struct wire item)
{
	struct wire where = item;
	struct model_type type = value_type(r, item);

	if (model_find_type(r->model, type.type) != MODEL_NONE)
		wire_fail(&where, "a sample type stands there twice");
	else
		model_add_type(r->model, type.type, type.unit);
}

static void
take_header_field(struct reader *r, struct wire_field *field,
    const struct wire *where)
{
	struct model *model = r->model;
	uint64_t value;

	switch (field->number) {
	case PROFILE_TIME:
		model->time_ns = (int64_t)field->value;
		break;
	case PROFILE_DURATION:
		model->duration_ns = (int64_t)field->value;
		break;
	case PROFILE_PERIOD:
		model->period = (int64_t)field->value;
		break;
	case PROFILE_PERIOD_TYPE:
		if (field->is_bytes)
			model->period_type = value_type(r, field->bytes);
		break;
	case PROFILE_COMMENT:
		while (wire_number(field, &value))
			model_add_comment(model, string(r, value, where));
		break;
	case PROFILE_DEFAULT_TYPE:
		model->default_type = model_find_type(model,
		    string(r, field->value, where));
		break;
	}
}

/* The types and all that stands beside the items. */
static void
take_header(struct reader *r)
{
	struct model *model = r->model;

	each_item(r, PROFILE_SAMPLE_TYPE, take_sample_type);
	for (unsigned i = PROFILE_TIME; i < PROFILE_FIELDS; i++) {
		struct wire part = r->parts[i];
		struct wire_field field;

		while (wire_next(&part, &field))
			if (field.number == i)
				take_header_field(r, &field, &part);
	}
	if (model->ntypes == 0)
		wire_fail(&r->all, "no sample type: not a profile");
	if (model->default_type == MODEL_NONE)
		model->default_type = model_find_type(model, "inuse_space");
	if (model->default_type == MODEL_NONE)
		model->default_type = model->ntypes - 1;  /* as pprof does */
	r->rate_is_period = model->period > 0 &&
	    model->period_type.type != NULL &&
	    strcmp(model->period_type.type, "space") == 0;
	r->native = model->exact.version != NULL;
}

/* --- mappings, functions, locations ------------------------------------- */

static void
take_mapping(struct reader *r, struct wire item)
{
	struct model_mapping mapping = { .file = "", .build_id = "" };
	struct wire where = item;
	struct wire_field field;
	uint64_t id = 0;

	while (wire_next(&item, &field)) {
		switch (field.number) {
		case 1: id = field.value; break;
		case 2: mapping.start = field.value; break;
		case 3: mapping.limit = field.value; break;
		case 4: mapping.offset = field.value; break;
		case 5: mapping.file = string(r, field.value, &item); break;
		case 6: mapping.build_id = string(r, field.value, &item);
			break;
		case 7: mapping.has_functions = field.value != 0; break;
		}
	}
	id_add(&r->mappings, id, model_add_mapping(r->model, &mapping),
	    &where);
}

static void
take_function(struct reader *r, struct wire item)
{
	struct model_line line = { "", "", "", 0, 0 };
	struct wire where = item;
	struct wire_field field;
	uint64_t id = 0;

	while (wire_next(&item, &field)) {
		switch (field.number) {
		case 1: id = field.value; break;
		case 2: line.function = string(r, field.value, &item); break;
		case 3: line.system_name = string(r, field.value, &item);
			break;
		case 4: line.file = string(r, field.value, &item); break;
		case 5: line.start_line = (int64_t)field.value; break;
		}
	}
	r->function_lines = xgrow(r->function_lines, r->nfunctions,
	    &r->functions_capacity, sizeof *r->function_lines);
	r->function_lines[r->nfunctions] = line;
	id_add(&r->functions, id, r->nfunctions++, &where);
}

static struct model_line
take_line(struct reader *r, struct wire item)
{
	struct model_line line = { "", "", "", 0, 0 };
	const struct id_entry *function;
	struct wire_field field;
	int64_t number = 0;
	uint64_t id = 0;

	while (wire_next(&item, &field)) {
		if (field.number == 1)
			id = field.value;
		else if (field.number == 2)
			number = (int64_t)field.value;
	}
	function = id_find(&r->functions, id);
	if (function != NULL)
		line = r->function_lines[function->index];
	else if (id != 0)
		wire_fail(&item, "a line names a function that is not there");
	line.line = number;
	return line;
}

static void
take_location(struct reader *r, struct wire item)
{
	struct model_location location = { .mapping = MODEL_NONE };
	const struct id_entry *mapping = NULL;
	struct wire where = item;
	struct wire_field field;
	size_t capacity = 0;
	uint64_t id = 0;

	while (wire_next(&item, &field)) {
		if (field.number == 1)
			id = field.value;
		else if (field.number == 3)
			location.address = field.value;
		if (field.number == 2 && field.value != 0) {
			mapping = id_find(&r->mappings, field.value);
			if (mapping == NULL)
				wire_fail(&item, "a location names a mapping "
				    "that is not there");
		}
		if (field.number != 4 || !field.is_bytes)
			continue;
		location.lines = xgrow(location.lines, location.nlines,
		    &capacity, sizeof *location.lines);
		location.lines[location.nlines++] = take_line(r, field.bytes);
	}
	if (mapping != NULL)
		location.mapping = mapping->index;
	id_add(&r->locations, id, model_add_location(r->model, &location),
	    &where);
	free(location.lines);
}

/* --- samples ------------------------------------------------------------ */

static bool
take_known_number(struct model_labels *labels,
    const struct model_label *label)
{
	const struct { const char *key; int64_t *field; } known[] = {
		{ "bytes", &labels->bytes }, { "rate", &labels->rate },
		{ "since", &labels->since }, { "age_ns", &labels->age_ns },
		{ "lifetime_ns", &labels->lifetime_ns },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(label->key, known[i].key) == 0 &&
		    label->number >= 0) {
			*known[i].field = label->number;
			return true;
		}
	}
	return false;
}

static bool
take_known_string(struct model_labels *labels,
    const struct model_label *label)
{
	const struct { const char *key; const char **field; } known[] = {
		{ "arena", &labels->arena },
		{ "generation", &labels->generation },
		{ "lifetime", &labels->lifetime }, { "age", &labels->age },
		{ "thread", &labels->thread },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strcmp(label->key, known[i].key) == 0 &&
		    *known[i].field == NULL) {
			*known[i].field = label->string;
			return true;
		}
	}
	return false;
}

static struct model_label
take_label_fields(struct reader *r, struct wire item)
{
	struct model_label label = { "", NULL, 0, "" };
	struct wire_field field;

	while (wire_next(&item, &field)) {
		switch (field.number) {
		case 1: label.key = string(r, field.value, &item); break;
		case 2: if (field.value != 0)
				label.string = string(r, field.value, &item);
			break;
		case 3: label.number = (int64_t)field.value; break;
		case 4: label.unit = string(r, field.value, &item); break;
		}
	}
	return label;
}

static void
take_label(struct reader *r, struct wire item, struct model_labels *labels)
{
	struct model_label label = take_label_fields(r, item);

	if (label.string != NULL ? take_known_string(labels, &label) :
	    take_known_number(labels, &label))
		return;
	r->labels = xgrow(r->labels, labels->nother, &r->labels_capacity,
	    sizeof *r->labels);
	r->labels[labels->nother++] = label;
	labels->other = r->labels;
}

/* Proto drops zeros: what a native row lacks is 0. */
static void
complete_labels(const struct reader *r, struct model_labels *labels)
{
	if (labels->rate < 0 && r->rate_is_period)
		labels->rate = r->model->period;
	if (!r->native)
		return;
	if (labels->age != NULL && labels->since < 0)
		labels->since = 0;
	if (labels->age != NULL && labels->age_ns < 0)
		labels->age_ns = 0;
	if (labels->lifetime != NULL && labels->lifetime_ns < 0)
		labels->lifetime_ns = 0;
}

static void
take_frames(struct reader *r, struct wire_field *field, uint32_t *depth,
    const struct wire *where)
{
	uint64_t id;

	while (wire_number(field, &id)) {
		const struct id_entry *entry = id_find(&r->locations, id);

		if (entry == NULL) {
			wire_fail(where, "a sample names a location that is "
			    "not there");
			return;
		}
		r->stack = xgrow(r->stack, *depth, &r->stack_capacity,
		    sizeof *r->stack);
		r->stack[(*depth)++] = entry->index;
	}
}

static void
take_sample(struct reader *r, struct wire item)
{
	struct model_labels labels = model_labels_none();
	struct wire where = item;
	struct wire_field field;
	uint32_t depth = 0, nvalues = 0;
	uint64_t value;

	while (wire_next(&item, &field)) {
		if (field.number == 1)
			take_frames(r, &field, &depth, &item);
		else if (field.number == 3 && field.is_bytes)
			take_label(r, field.bytes, &labels);
		while (field.number == 2 && wire_number(&field, &value)) {
			if (nvalues < r->model->ntypes)
				r->values[nvalues] = (int64_t)value;
			nvalues++;
		}
	}
	if (nvalues != r->model->ntypes)
		wire_fail(&where, "a sample has not one value for each "
		    "sample type");
	if (r->all.error->reason != NULL)
		return;
	complete_labels(r, &labels);
	model_add_row(r->model, model_add_stack(r->model, r->stack, depth),
	    &labels, r->values);
}

static void
take_profile(struct reader *r)
{
	find_parts(r);
	each_item(r, PROFILE_STRING, take_string);
	if (r->nstrings > 0 && *r->strings[0] != '\0')
		wire_fail(&r->all, "the string table does not begin with \"\"");
	take_header(r);
	each_item(r, PROFILE_MAPPING, take_mapping);
	each_item(r, PROFILE_FUNCTION, take_function);
	each_item(r, PROFILE_LOCATION, take_location);
	r->values = xcalloc(r->model->ntypes, sizeof *r->values);
	each_item(r, PROFILE_SAMPLE, take_sample);
}

static void
reader_free(struct reader *r)
{
	ids_free(&r->mappings);
	ids_free(&r->functions);
	ids_free(&r->locations);
	free(r->strings);
	free(r->function_lines);
	free(r->stack);
	free(r->values);
	free(r->labels);
}

int
read_pprof(const unsigned char *bytes, size_t length, struct model **out,
    struct model_error *error)
{
	struct wire_error wrong = { 0, NULL };
	struct reader r = { .all = { bytes, bytes, bytes + length, &wrong } };

	r.model = model_new();
	r.model->format = "pprof";
	r.model->nfiles = 1;
	take_profile(&r);
	reader_free(&r);
	if (wrong.reason != NULL) {
		model_error_set(error, NULL, wrong.offset,
		    "damaged profile.proto: %s", wrong.reason);
		model_free(r.model);
		return EINVAL;
	}
	*out = r.model;
	return 0;
}

bool
read_pprof_match(const unsigned char *bytes, size_t length)
{
	/* Kind of each field of Profile: a number (0) or bytes (2). */
	static const unsigned char kinds[] = { 9, 2, 2, 2, 2, 2, 2, 0, 0, 0,
	    0, 2, 0, 0, 0 };
	unsigned number;

	if (length == 0 || bytes[0] >= 0x80)
		return false;
	number = bytes[0] >> 3;
	if (number == PROFILE_COMMENT && (bytes[0] & 7) == 2)
		return true;		/* packed */
	return number < sizeof kinds && kinds[number] == (bytes[0] & 7);
}
