/*
 * arena-ring.c - rotation of manual arenas by mallctl; see arena-ring.h.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>

#include "arena-ring.h"

static struct {
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	unsigned home;			/* the main thread's own arena */
	unsigned arenas[ARENAS_MAX];
	unsigned narenas;
} ring;

/*
 * jemalloc's thread cache would hand one arena's blocks to another. Strata
 * keeps them apart by itself; there this only empties the cache earlier.
 */
static void
cache_flush(void)
{
	ring.mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

static void
thread_bind(unsigned arena)
{
	cache_flush();
	ring.mallctl("thread.arena", NULL, NULL, &arena, sizeof arena);
}

bool
arena_ring_create(unsigned narenas)
{
	size_t size = sizeof ring.home;

	*(void **)&ring.mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	if (ring.mallctl == NULL || narenas > ARENAS_MAX)
		return false;
	if (ring.mallctl("thread.arena", &ring.home, &size, NULL, 0) != 0)
		return false;
	for (unsigned i = 0; i < narenas; i++) {
		size = sizeof ring.arenas[i];
		if (ring.mallctl("arenas.create", &ring.arenas[i], &size,
		    NULL, 0) != 0)
			return false;
	}
	ring.narenas = narenas;
	return true;
}

void
arena_ring_enter(unsigned number)
{
	if (ring.narenas > 0)
		thread_bind(ring.arenas[number % ring.narenas]);
}

void
arena_ring_leave(void)
{
	if (ring.narenas > 0)
		thread_bind(ring.home);
}

void
arena_ring_purge(unsigned number)
{
	char name[64];

	if (ring.narenas > 0)
		cache_flush();
	for (unsigned i = 0; i < ring.narenas; i++) {
		if (i == number % ring.narenas)
			continue;
		snprintf(name, sizeof name, "arena.%u.purge", ring.arenas[i]);
		ring.mallctl(name, NULL, NULL, NULL, 0);
	}
}
