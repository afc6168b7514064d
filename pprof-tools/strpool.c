/*
 * strpool.c - strings that are kept once and freed together.
 */
#include "strpool.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

static bool
equal(const void *context, uint32_t index, const void *key)
{
	const struct strpool *pool = context;

	return strcmp(pool->strings[index], key) == 0;
}

uint32_t
strpool_number(struct strpool *pool, const char *string)
{
	const char *key = string == NULL ? "" : string;
	uint64_t hash = table_hash(key, strlen(key), 0);
	uint32_t found = table_find(&pool->table, hash, equal, pool, key);

	if (found != TABLE_NONE)
		return found;
	pool->strings = xgrow(pool->strings, pool->n, &pool->capacity,
	    sizeof *pool->strings);
	table_insert(&pool->table, hash, (uint32_t)pool->n);
	pool->strings[pool->n] = xstrdup(key);
	return (uint32_t)pool->n++;
}

const char *
strpool_add(struct strpool *pool, const char *string)
{
	uint32_t number = strpool_number(pool, string);

	return pool->strings[number];
}

void
strpool_free(struct strpool *pool)
{
	for (size_t i = 0; i < pool->n; i++)
		free(pool->strings[i]);
	free(pool->strings);
	table_free(&pool->table);
	*pool = (struct strpool){ 0 };
}
