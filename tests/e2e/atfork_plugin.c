/*
 * atfork_plugin.c - a library whose constructor registers fork handlers that
 * allocate, as libraries of numbers and of threads do. Preloaded behind Strata
 * its constructor runs first.
 */
#include <pthread.h>
#include <stdlib.h>

enum { BLOCKS = 200, STEP = 171 };	/* of many classes, some large */

static void *kept[BLOCKS];

static void
allocate(void)
{
	for (int i = 0; i < BLOCKS; i++) {
		free(kept[i]);
		kept[i] = malloc((size_t)(i + 1) * STEP);
	}
}

__attribute__((constructor)) static void
plugin_start(void)
{
	(void)pthread_atfork(allocate, allocate, allocate);
}
