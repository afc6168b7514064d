/*
 * hash.h - chained hash tables with the node embedded, grown by doubling.
 *
 *   buckets[hash & (nbuckets - 1)] -> node -> node
 *
 * The table does no locking: its owner does. What buckets are made of is the
 * owner's too, and is given back when the table has doubled. One that cannot
 * grow goes on with longer chains, and tries again now and then.
 */
#ifndef STRATA_HASH_H
#define STRATA_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of bucket arrays: a power of two of bytes, zeroed; NULL if there is none. */
struct hash_memory {
	void *(*alloc)(size_t size);
	void (*free)(void *buckets, size_t size);
};

struct hash_node {
	struct hash_node *next;
	uint64_t hash;
};

struct hash {
	struct hash_node **buckets;
	size_t nbuckets;		/* a power of two, or 0 before use */
	size_t count;
	const struct hash_memory *memory;
};

/* Is node the one that key describes? The hashes are equal already. */
typedef bool hash_equal(const struct hash_node *node, const void *key);

/* Allocates nothing. */
void hash_init(struct hash *table, const struct hash_memory *memory);

/* NULL if there is none. */
struct hash_node *hash_find(const struct hash *table, uint64_t hash,
    hash_equal *equal, const void *key);

/*
 * Enters node under hash; duplicates are the caller's business. 0, or ENOMEM
 * if not even a first bucket array could be had.
 */
int hash_insert(struct hash *table, struct hash_node *node, uint64_t hash);

/* node must be in the table. */
void hash_remove(struct hash *table, struct hash_node *node);

/* All nodes, for (n = hash_first(t); n != NULL; n = hash_next(t, n)). */
struct hash_node *hash_first(const struct hash *table);
struct hash_node *hash_next(const struct hash *table,
    const struct hash_node *node);

/* Mixes all bits of x into all bits of the result. */
static inline uint64_t
hash_u64(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	return x;
}

/* Of n 64-bit words. */
uint64_t hash_words(const uint64_t *words, size_t n, uint64_t seed);

#endif
