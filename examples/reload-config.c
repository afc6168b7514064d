/*
 * reload-config.c - builds and frees the configurations of reload-server.
 *
 *   config --> routes[] --> route --> key
 *                             +-----> rules
 *
 * A configuration is some 100 MiB: rules of 16 B to 4 KiB, a key and a struct
 * for each route, a few large tables.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reload-config.h"

size_t live_bytes;

void
die(const char *what)
{
	fprintf(stderr, "reload-server: %s: %s\n", what, strerror(errno));
	exit(1);
}

void *
counted(void *block, size_t bytes)
{
	if (block == NULL)
		die("out of memory");
	live_bytes += bytes;
	return block;
}

void *
uncounted(void *block, size_t bytes)
{
	live_bytes -= bytes;
	return block;
}

/* splitmix64. */
uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/*
 * 16 B to 4 KiB; the window of 2 KiB from which sizes are picked moves with
 * each configuration, up and down again: content drifts.
 */
static size_t
rules_size(uint64_t *random, unsigned number)
{
	unsigned phase = number % 16, step = phase < 8 ? phase : 16 - phase;

	return 16 + step * 254 + random_next(random) % 2048;
}

static struct rules *
rules_compile(uint64_t *random, unsigned number)
{
	size_t bytes = rules_size(random, number);
	struct rules *rules = counted(malloc(bytes), bytes);

	memset(rules, (int)random_next(random), bytes);
	rules->bytes = (uint32_t)bytes;
	return rules;
}

struct rules *
rules_copy(const struct rules *rules)
{
	return memcpy(counted(malloc(rules->bytes), rules->bytes), rules,
	    rules->bytes);
}

void
rules_free(struct rules *rules)
{
	free(uncounted(rules, rules->bytes));
}

static char *
key_copy(const char *key, size_t bytes)
{
	return memcpy(counted(malloc(bytes), bytes), key, bytes);
}

static struct route *
route_new(size_t index, unsigned number, uint64_t *random)
{
	struct route *route = counted(malloc(sizeof *route), sizeof *route);
	char key[48];

	route->key_bytes = 1 + (uint32_t)snprintf(key, sizeof key,
	    "/zone-%u/route-%zu", (unsigned)(index % 97), index);
	route->key = key_copy(key, route->key_bytes);
	route->rules = rules_compile(random, number);
	return route;
}

static size_t
route_bytes(const struct route *route)
{
	return sizeof *route + route->key_bytes + route->rules->bytes;
}

static void
route_free(struct route *route)
{
	rules_free(route->rules);
	free(uncounted(route->key, route->key_bytes));
	free(uncounted(route, sizeof *route));
}

static size_t
geo_table_load(struct config *c, unsigned i)
{
	size_t bytes = (size_t)(128 + random_next(&c->random) % 1408) << 10;

	c->table_bytes[i] = bytes;
	c->tables[i] = counted(malloc(bytes), bytes);
	memset(c->tables[i], (int)i, bytes);
	return bytes;
}

static void
routes_grow(struct config *c)
{
	size_t old = c->capacity * sizeof *c->routes, bytes = old * 2;

	c->capacity *= 2;
	uncounted(c->routes, old);
	c->routes = counted(realloc(c->routes, bytes), bytes);
}

struct config *
config_begin(unsigned number, size_t base_bytes)
{
	struct config *c = counted(calloc(1, sizeof *c), sizeof *c);

	c->number = number;
	c->random = number;
	/* 96 to 123 parts of 96: no two neighbours have the same size. */
	c->wanted = base_bytes / 96 * (96 + number * 11 % 28);
	c->capacity = 1024;
	c->routes = counted(malloc(c->capacity * sizeof *c->routes),
	    c->capacity * sizeof *c->routes);
	for (unsigned i = 0; i < GEO_TABLES; i++)
		c->bytes += geo_table_load(c, i);
	return c;
}

bool
config_build(struct config *c, unsigned nroutes)
{
	while (nroutes-- > 0 && c->bytes < c->wanted) {
		struct route *route = route_new(c->nroutes, c->number,
		    &c->random);

		if (c->nroutes == c->capacity)
			routes_grow(c);
		c->routes[c->nroutes++] = route;
		c->bytes += route_bytes(route);
	}
	return c->bytes >= c->wanted;
}

void
config_free(struct config *c)
{
	for (size_t i = 0; i < c->nroutes; i++)
		route_free(c->routes[i]);
	for (unsigned i = 0; i < GEO_TABLES; i++)
		free(uncounted(c->tables[i], c->table_bytes[i]));
	free(uncounted(c->routes, c->capacity * sizeof *c->routes));
	free(uncounted(c, sizeof *c));
}
