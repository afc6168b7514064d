/*
 * hash.c - chained hash tables; see hash.h.
 */
#include "hash.h"

#include <errno.h>

#include "util.h"

enum {
	NBUCKETS_MIN = 64,		/* 512 bytes for a table that is used */
	TRIES = 8,			/* to grow, while the chains double */
};

void
hash_init(struct hash *table, const struct hash_memory *memory)
{
	*table = (struct hash){ .memory = memory };
}

static struct hash_node **
bucket_of(const struct hash *table, uint64_t hash)
{
	return &table->buckets[hash & (table->nbuckets - 1)];
}

struct hash_node *
hash_find(const struct hash *table, uint64_t hash, hash_equal *equal,
    const void *key)
{
	struct hash_node *node;

	if (table->nbuckets == 0)
		return NULL;
	node = *bucket_of(table, hash);
	while (node != NULL && !(node->hash == hash && equal(node, key)))
		node = node->next;
	return node;
}

static int
grow(struct hash *table)
{
	size_t n = table->nbuckets != 0 ? table->nbuckets * 2 : NBUCKETS_MIN;
	struct hash bigger = *table;

	bigger.buckets = table->memory->alloc(n * sizeof *bigger.buckets);
	if (bigger.buckets == NULL)
		return ENOMEM;
	bigger.nbuckets = n;
	for (size_t i = 0; i < table->nbuckets; i++) {
		struct hash_node *node = table->buckets[i];

		while (node != NULL) {
			struct hash_node *next = node->next;
			struct hash_node **at = bucket_of(&bigger, node->hash);

			node->next = *at;
			*at = node;
			node = next;
		}
	}
	if (table->nbuckets != 0)
		table->memory->free(table->buckets,
		    table->nbuckets * sizeof *table->buckets);
	*table = bigger;
	return 0;
}

/* Where there was no memory a moment ago there mostly is none now. */
static bool
is_time_to_grow(const struct hash *table)
{
	return table->count >= table->nbuckets &&
	    (table->count & (table->nbuckets / TRIES - 1)) == 0;
}

int
hash_insert(struct hash *table, struct hash_node *node, uint64_t hash)
{
	struct hash_node **at;

	if (table->nbuckets == 0 && grow(table) != 0)
		return ENOMEM;
	if (is_time_to_grow(table))
		(void)grow(table);
	at = bucket_of(table, hash);
	node->hash = hash;
	node->next = *at;
	*at = node;
	table->count++;
	return 0;
}

void
hash_remove(struct hash *table, struct hash_node *node)
{
	struct hash_node **at = bucket_of(table, node->hash);

	while (*at != node) {
		must(*at != NULL);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	table->count--;
}

static struct hash_node *
first_from(const struct hash *table, size_t bucket)
{
	for (; bucket < table->nbuckets; bucket++) {
		if (table->buckets[bucket] != NULL)
			return table->buckets[bucket];
	}
	return NULL;
}

struct hash_node *
hash_first(const struct hash *table)
{
	return first_from(table, 0);
}

struct hash_node *
hash_next(const struct hash *table, const struct hash_node *node)
{
	if (node->next != NULL)
		return node->next;
	return first_from(table, (node->hash & (table->nbuckets - 1)) + 1);
}

uint64_t
hash_words(const uint64_t *words, size_t n, uint64_t seed)
{
	uint64_t h = seed ^ n * 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < n; i++)
		h = hash_u64(h ^ words[i]) + 0x9e3779b97f4a7c15u;
	return hash_u64(h);
}
