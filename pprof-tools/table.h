/*
 * table.h - a hash table that finds indices of a caller's array.
 *
 * The caller keeps the items; the table keeps (hash, index) pairs and asks
 * the caller whether an item is the one looked for. Nothing is ever removed.
 *
 * Memory: 16 bytes a slot, at most 3/4 full, doubled when fuller.
 */
#ifndef STRATA_TABLE_H
#define STRATA_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TABLE_NONE = UINT32_MAX };

struct table_slot {
	uint64_t hash;
	uint32_t index;			/* TABLE_NONE: empty */
};

struct table {
	struct table_slot *slots;	/* NULL until the first insertion */
	size_t capacity;		/* a power of two, or 0 */
	size_t n;
};

/* True if the item at index is the one that key describes. */
typedef bool table_equal(const void *context, uint32_t index,
    const void *key);

void table_free(struct table *table);

/* The index of the item that equals key, or TABLE_NONE. */
uint32_t table_find(const struct table *table, uint64_t hash,
    table_equal *equal, const void *context, const void *key);

/* Enters an item that is not there yet. */
void table_insert(struct table *table, uint64_t hash, uint32_t index);

/* Hashes bytes, chained by the seed. */
uint64_t table_hash(const void *bytes, size_t length, uint64_t seed);

#endif
