/*
 * survivors.c - a program of GENERATIONS that knows what outlives them.
 *
 * Each generation builds a configuration of 1000 blocks, frees the one before
 * and leaves 1 % of as many bytes behind from stray_new(). A table is built
 * at start-up; a cache of 500 entries replaces its oldest. Prints the bytes of
 * strays alive that were born in generations up to the last but two, and what
 * configurations took in those.
 *
 * Usage: survivors [GENERATIONS], 100 if not given
 */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int mallctl(const char *, void *, size_t *, void *, size_t)
    __attribute__((weak));

enum { GENERATIONS_MAX = 2000, BLOCKS = 1000, CACHE = 500 };

static void *config[2][BLOCKS], *cache[CACHE], *table[2000];
static void *volatile strays[GENERATIONS_MAX + 1][BLOCKS / 100];

static __attribute__((noinline)) void *
stray_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 1, size);
}

static __attribute__((noinline)) void *
config_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 2, size);
}

static __attribute__((noinline)) void *
cache_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 3, size);
}

static __attribute__((noinline)) void *
table_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 4, size);
}

static void
generation(int g)
{
	for (int i = 0; i < BLOCKS; i++) {
		free(config[g % 2][i]);
		config[g % 2][i] = config_new(1024);
	}
	for (int i = 0; i < BLOCKS / 100; i++)
		strays[g][i] = stray_new(1024);
	for (int i = 0; i < 100; i++) {
		void **entry = &cache[(g * 100 + i) % CACHE];

		free(*entry);
		*entry = cache_new(512);
	}
}

int
main(int argc, char **argv)
{
	int generations = argc > 1 ? atoi(argv[1]) : 100;
	uint64_t next = 0;
	size_t alive = 0;

	if (mallctl == NULL || generations > GENERATIONS_MAX)
		return 2;
	for (int i = 0; i < 2000; i++)
		table[i] = table_new(2048);
	for (int g = 1; g <= generations; g++) {
		generation(g);
		if (g < generations && mallctl("prof.generation", NULL, NULL,
		    &next, sizeof next) != 0)
			return 2;
	}
	for (int g = 1; g <= generations - 2; g++)
		for (int i = 0; i < BLOCKS / 100; i++)
			alive += malloc_usable_size(strays[g][i]);
	if (mallctl("prof.dump", NULL, NULL, &(const char *){ "s.pb" },
	    sizeof(char *)) != 0)
		return 2;
	printf("%zu %zu\n", alive, (size_t)(generations - 2) * BLOCKS *
	    malloc_usable_size(config[0][0]));
	return 0;
}
