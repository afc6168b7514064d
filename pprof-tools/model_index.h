/*
 * model_index.h - where a model's items lie and how they are found: what its
 * parts share and nobody else sees.
 *
 * Every kind of item has a table (table.h) from the hash of its content to
 * its index. Strings, stacks, lines and labels lie in chunks that are freed
 * together with the model.
 */
#ifndef STRATA_MODEL_INDEX_H
#define STRATA_MODEL_INDEX_H

#include <stddef.h>

#include "model.h"
#include "table.h"

struct chunk;

struct model_index {
	struct chunk *chunks;
	const char **strings;
	size_t nstrings, strings_capacity;
	const struct model_labels **labels;
	size_t nlabels, labels_capacity;
	struct table string_table, mapping_table, location_table;
	struct table stack_table, labels_table, row_table;
	size_t types_capacity, mappings_capacity, locations_capacity;
	size_t stacks_capacity, rows_capacity, comments_capacity;
};

struct model_index *model_index_new(void);
void model_index_free(struct model_index *index);

/* Memory that lives as long as the model; a copy of nothing is NULL. */
void *model_take(struct model *model, size_t size);
void *model_copy(struct model *model, const void *from, size_t size);

/* As model_string, but that NULL stays NULL, or becomes "". */
const char *model_string_or_null(struct model *model, const char *string);
const char *model_string_or_empty(struct model *model, const char *string);

#endif
