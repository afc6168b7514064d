/*
 * pool_figures.c - a program with two pools that does as it is told, by lines
 * on standard input, and answers each with what it counts itself:
 *
 *   reload KEPT   in both pools: rotates, builds a new configuration and frees
 *                 the one before but for KEPT blocks
 *   destroy       the second pool, whose blocks are freed first
 *
 *   { "0": { "generation": 9, "rotations": 3, "current": 5,
 *     "arenas": { "5": 123456, "6": 789 } }, "1": ... }
 *
 * Of each arena the bytes of its blocks that live, by arenas.lookup.
 */
#include <inttypes.h>

#include "e2e.h"

#pragma weak strata_pool_create
#pragma weak strata_pool_rotate
#pragma weak strata_pool_enter
#pragma weak strata_pool_leave
#pragma weak strata_pool_destroy
#pragma weak strata_generation

enum { POOLS = 2, BLOCKS = 2000, KEPT_MAX = 20000, ARENAS = 256 };

struct config {
	unsigned pool;
	bool destroyed;
	uint64_t generation, rotations;
	void *blocks[BLOCKS];
	void *kept[KEPT_MAX];
	unsigned nkept;
};

static struct config configs[POOLS];

static unsigned
number_of(const char *name, const void *ptr)
{
	unsigned value = 0;
	size_t length = sizeof value;

	if (mallctl(name, &value, &length, ptr == NULL ? NULL : (void *)&ptr,
	    ptr == NULL ? 0 : sizeof ptr) != 0)
		die("no %s", name);
	return value;
}

/* 16 B to 4 KiB, and one in 500 of 64 KiB. */
static void
build(struct config *config)
{
	if (strata_pool_enter(config->pool) != 0)
		die("enter");
	for (unsigned i = 0; i < BLOCKS; i++) {
		size_t size = i % 500 == 1 ? 65536 : 16 + i * 7919 % 4080;

		config->blocks[i] = malloc(size);
		if (config->blocks[i] == NULL)
			die("no memory");
		memset(config->blocks[i], 1, size);
	}
	if (strata_pool_leave(config->pool) != 0)
		die("leave");
}

static void
drop(struct config *config, void **blocks, unsigned kept)
{
	for (unsigned i = 0; i < BLOCKS; i++) {
		if (i < kept && config->nkept < KEPT_MAX)
			config->kept[config->nkept++] = blocks[i];
		else
			free(blocks[i]);
	}
}

static void
reload(struct config *config, unsigned kept)
{
	void *before[BLOCKS];

	if (config->destroyed)
		return;
	if (strata_pool_rotate(config->pool, &config->generation) != 0)
		die("rotate");
	config->rotations++;
	memcpy(before, config->blocks, sizeof before);
	build(config);
	drop(config, before, kept);
}

static void
destroy(struct config *config)
{
	int error;

	drop(config, config->blocks, 0);
	while (config->nkept > 0)
		free(config->kept[--config->nkept]);
	error = strata_pool_destroy(config->pool);
	if (error != 0)
		die("destroy: %s", strerror(error));
	config->destroyed = true;
}

static void
add(size_t *bytes, void *block)
{
	if (block != NULL)
		bytes[number_of("arenas.lookup", block) % ARENAS] +=
		    malloc_usable_size(block);
}

static void
print_config(const struct config *config, const char *comma)
{
	size_t bytes[ARENAS] = { 0 };
	char name[32];

	snprintf(name, sizeof name, "pool.%u.arena", config->pool);
	printf("%s\"%u\": {\"generation\": %" PRIu64 ", \"rotations\": %" PRIu64
	    ", \"current\": %u, \"arenas\": {", comma, config->pool,
	    config->generation, config->rotations, number_of(name, NULL));
	for (unsigned i = 0; i < BLOCKS; i++)
		add(bytes, config->blocks[i]);
	for (unsigned i = 0; i < config->nkept; i++)
		add(bytes, config->kept[i]);
	comma = "";
	for (unsigned i = 0; i < ARENAS; i++) {
		if (bytes[i] == 0)
			continue;
		printf("%s\"%u\": %zu", comma, i, bytes[i]);
		comma = ", ";
	}
	printf("}}");
}

/* Nothing is left in caches, so that allocated is what the program has. */
static void
print_count(void)
{
	const char *comma = "";

	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	printf("{");
	for (unsigned i = 0; i < POOLS; i++) {
		if (configs[i].destroyed)
			continue;
		print_config(&configs[i], comma);
		comma = ", ";
	}
	printf("}\n");
	fflush(stdout);
}

int
main(void)
{
	char line[64];

	if (strata_pool_create == NULL)
		die("no pools");
	for (unsigned i = 0; i < POOLS; i++) {
		if (strata_pool_create(i == 0 ? 0 : 2, &configs[i].pool) != 0)
			die("no pool");
		configs[i].generation = strata_generation();
		build(&configs[i]);
	}
	print_count();
	while (fgets(line, sizeof line, stdin) != NULL) {
		unsigned kept;

		if (sscanf(line, "reload %u", &kept) == 1)
			for (unsigned i = 0; i < POOLS; i++)
				reload(&configs[i], kept);
		else if (strcmp(line, "destroy\n") == 0)
			destroy(&configs[1]);
		print_count();
	}
	return 0;
}
