/*
 * table.c - a hash table that finds indices of a caller's array.
 *
 * Open addressing with linear probing. The hash is FNV-1a over 8-byte steps
 * with a final mix; the command trusts no hash to be collision free.
 */
#include "table.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { TABLE_FIRST = 64 };		/* slots; small profiles fit */

void
table_free(struct table *table)
{
	free(table->slots);
	*table = (struct table){ 0 };
}

static void
place(struct table *table, uint64_t hash, uint32_t index)
{
	size_t i = hash & (table->capacity - 1);

	while (table->slots[i].index != TABLE_NONE)
		i = (i + 1) & (table->capacity - 1);
	table->slots[i] = (struct table_slot){ hash, index };
}

static void
grow(struct table *table)
{
	struct table old = *table;

	table->capacity = old.capacity == 0 ? TABLE_FIRST : old.capacity * 2;
	table->slots = xreallocarray(NULL, table->capacity,
	    sizeof *table->slots);
	for (size_t i = 0; i < table->capacity; i++)
		table->slots[i].index = TABLE_NONE;
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].index != TABLE_NONE)
			place(table, old.slots[i].hash, old.slots[i].index);
	free(old.slots);
}

uint32_t
table_find(const struct table *table, uint64_t hash, table_equal *equal,
    const void *context, const void *key)
{
	if (table->capacity == 0)
		return TABLE_NONE;
	for (size_t i = hash & (table->capacity - 1);;
	    i = (i + 1) & (table->capacity - 1)) {
		const struct table_slot *slot = &table->slots[i];

		if (slot->index == TABLE_NONE)
			return TABLE_NONE;
		if (slot->hash == hash && equal(context, slot->index, key))
			return slot->index;
	}
}

void
table_insert(struct table *table, uint64_t hash, uint32_t index)
{
	if ((table->n + 1) * 4 > table->capacity * 3)
		grow(table);
	place(table, hash, index);
	table->n++;
}

uint64_t
table_hash(const void *bytes, size_t length, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t hash = seed ^ UINT64_C(0xcbf29ce484222325);

	for (; length >= 8; length -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof word);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 29;
	}
	for (; length > 0; length--, p++)
		hash = (hash ^ *p) * UINT64_C(0x100000001b3);
	hash ^= hash >> 32;
	hash *= UINT64_C(0xd6e8feb86659fd93);
	return hash ^ hash >> 32;
}
