/*
 * model_row.c - rows: a stack, labels, and a value for each type.
 *
 * Labels are found by the pointers of their strings. Most callers have them
 * from the model itself; only where nothing is found the strings are looked
 * up, for those of another model or a caller's own.
 */
#include "model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model_index.h"
#include "xalloc.h"

struct model_labels
model_labels_none(void)
{
	return (struct model_labels){ .bytes = -1, .rate = -1, .since = -1,
	    .lifetime_ns = -1, .age_ns = -1 };
}

/* --- labels ------------------------------------------------------------- */

static uint64_t
labels_hash(const struct model_labels *labels)
{
	uint64_t parts[10] = { (uint64_t)labels->bytes,
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
labels_at_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;

	return labels_equal(model->index->labels[index], key);
}

/* Labels with the model's own strings, new or not. */
static struct model_labels
own_labels(struct model *model, const struct model_labels *labels)
{
	struct model_labels own = *labels;
	struct model_label *other = model_copy(model, labels->other,
	    labels->nother * sizeof *other);

	own.arena = model_string_or_null(model, labels->arena);
	own.generation = model_string_or_null(model, labels->generation);
	own.lifetime = model_string_or_null(model, labels->lifetime);
	own.age = model_string_or_null(model, labels->age);
	own.thread = model_string_or_null(model, labels->thread);
	for (uint32_t i = 0; i < labels->nother; i++) {
		other[i].key = model_string_or_empty(model, other[i].key);
		other[i].string = model_string_or_null(model, other[i].string);
		other[i].unit = model_string_or_empty(model, other[i].unit);
	}
	own.other = other;
	return own;
}

static const struct model_labels *
labels_intern(struct model *model, const struct model_labels *labels)
{
	struct model_index *index = model->index;
	uint64_t hash = labels_hash(labels);
	uint32_t found = table_find(&index->labels_table, hash,
	    labels_at_equal, model, labels);
	struct model_labels own;

	if (found != TABLE_NONE)
		return index->labels[found];
	own = own_labels(model, labels);
	hash = labels_hash(&own);
	found = table_find(&index->labels_table, hash, labels_at_equal, model,
	    &own);
	if (found != TABLE_NONE)
		return index->labels[found];
	index->labels = xgrow(index->labels, index->nlabels,
	    &index->labels_capacity, sizeof *index->labels);
	table_insert(&index->labels_table, hash, index->nlabels);
	index->labels[index->nlabels] = model_copy(model, &own, sizeof own);
	return index->labels[index->nlabels++];
}

/* --- rows --------------------------------------------------------------- */

static bool
row_equal(const void *context, uint32_t index, const void *key)
{
	const struct model *model = context;
	const struct model_row *have = &model->rows[index];
	const struct model_row *want = key;

	return have->stack == want->stack && have->labels == want->labels;
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
	struct model_row row = { stack, labels_intern(model, labels), NULL };
	uint64_t parts[2] = { stack, (uintptr_t)row.labels };
	uint64_t hash = table_hash(parts, sizeof parts, 0);
	uint32_t found = table_find(&index->row_table, hash, row_equal, model,
	    &row);

	assert(stack < model->nstacks);
	if (found != TABLE_NONE) {
		row_add_values(model, &model->rows[found], values);
		return found;
	}
	row.values = model_take(model, model->ntypes * sizeof *values);
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

bool
model_label_is_folded(const char *label)
{
	return label != NULL && strstr(label, "<=") != NULL;
}

int64_t
model_add_saturating(int64_t a, int64_t b)
{
	int64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return a < 0 ? INT64_MIN : INT64_MAX;
	return sum;
}
