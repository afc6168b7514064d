/*
 * model_index.c - a model's memory and its strings.
 *
 * Memory: chunks of 64 KiB, larger for larger items.
 */
#include "model_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { CHUNK_BYTES = 64 << 10 };	/* a few hundred stacks each */

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

/* --- memory ------------------------------------------------------------- */

struct model_index *
model_index_new(void)
{
	return xcalloc(1, sizeof(struct model_index));
}

void
model_index_free(struct model_index *index)
{
	while (index->chunks != NULL) {
		struct chunk *next = index->chunks->next;

		free(index->chunks);
		index->chunks = next;
	}
	table_free(&index->string_table);
	table_free(&index->mapping_table);
	table_free(&index->location_table);
	table_free(&index->stack_table);
	table_free(&index->labels_table);
	table_free(&index->row_table);
	free(index->strings);
	free(index->labels);
	free(index);
}

void *
model_take(struct model *model, size_t size)
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

void *
model_copy(struct model *model, const void *from, size_t size)
{
	if (size == 0)
		return NULL;
	return memcpy(model_take(model, size), from, size);
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
	string = model_take(model, key.length + 1);
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

const char *
model_string_or_null(struct model *model, const char *string)
{
	return string == NULL ? NULL : model_string(model, string);
}

const char *
model_string_or_empty(struct model *model, const char *string)
{
	return model_string(model, string == NULL ? "" : string);
}
