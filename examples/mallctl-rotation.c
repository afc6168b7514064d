/*
 * mallctl-rotation.c - rotation in one file, for a program that has mallctl
 * and nothing else: an index that is rebuilt, and lines that outlive it.
 *
 *   index --> entries[]      dies as a whole when the next one is there
 *   history[]                one entry in 50, copied; lives for 8 rebuilds
 *
 *     mallctl-rotation [ARENAS [manual]]     4; 0: no rotation
 *
 * Where mallctl has pools (pool.create) the library picks the arena and gives
 * back what the old one held: rotate, enter and leave are all there is to do.
 * Else, or if told so, arenas are made and taken in turn (arenas.create,
 * thread.arena), which works on jemalloc too; under any other malloc nothing
 * rotates. The last line says what the program holds by its own count, its
 * RSS and whether every entry lay in the arena it was meant for.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	REBUILDS = 24,
	ENTRIES = 20000,		/* some 21 MiB an index */
	STRAY_EVERY = 50,		/* 2 % */
	STRAY_REBUILDS = 8,
	ARENAS_MAX = 16,
};

/* NULL under a malloc that has none. */
extern int mallctl(const char *, void *, size_t *, void *, size_t)
    __attribute__((weak));

struct index {
	size_t bytes;
	char *entries[ENTRIES];
};

static unsigned pool, npool;		/* npool 0: there is none */
static unsigned home, arenas[ARENAS_MAX], narenas;
static unsigned meant;			/* the arena of the scope */
static char *history[STRAY_REBUILDS][ENTRIES / STRAY_EVERY];
static size_t history_bytes[STRAY_REBUILDS], live_bytes;
static unsigned long misplaced;		/* entries in another arena */

/* --- rotation: what a program adds ---------------------------------------- */

static int
control_read(const char *name, unsigned *out)
{
	size_t size = sizeof *out;

	return mallctl(name, out, &size, NULL, 0);
}

static int
pool_control(const char *name, unsigned *out)
{
	char path[64];
	size_t size = sizeof *out;

	snprintf(path, sizeof path, "pool.%u.%s", pool, name);
	return mallctl(path, out, out == NULL ? NULL : &size, NULL, 0);
}

static bool
pool_init(unsigned n)
{
	size_t size = sizeof pool;

	if (mallctl("pool.create", &pool, &size, &n, sizeof n) != 0)
		return false;
	npool = n;
	return true;
}

static bool
arenas_init(unsigned n)
{
	if (control_read("thread.arena", &home) != 0)
		return false;
	while (narenas < n) {
		if (control_read("arenas.create", &arenas[narenas]) != 0)
			return false;
		narenas++;
	}
	return true;
}

/* False, and no rotation, if this malloc has no arenas to make. */
static bool
rotation_init(unsigned n, bool manual)
{
	if (mallctl == NULL)
		return false;
	return (!manual && pool_init(n)) || arenas_init(n);
}

/* jemalloc's cache would hand blocks of the old arena out in the new one. */
static void
arenas_bind(unsigned arena)
{
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	mallctl("thread.arena", NULL, NULL, &arena, sizeof arena);
}

/* What this thread allocates from here on is of index number. */
static void
rotation_enter(unsigned number)
{
	if (npool > 0) {
		pool_control("rotate", NULL);
		pool_control("enter", NULL);
		pool_control("arena", &meant);
	} else if (narenas > 0) {
		meant = arenas[number % narenas];
		arenas_bind(meant);
	}
}

static void
rotation_leave(void)
{
	if (npool > 0)
		pool_control("leave", NULL);
	else if (narenas > 0)
		arenas_bind(home);
}

/*
 * Gives back what index number left behind, whose blocks are freed. A pool
 * does so by itself.
 */
static void
rotation_purge(unsigned number)
{
	char name[64];

	if (narenas == 0)
		return;
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	snprintf(name, sizeof name, "arena.%u.purge",
	    arenas[number % narenas]);
	mallctl(name, NULL, NULL, NULL, 0);
}

/* --- the program ---------------------------------------------------------- */

static void
placement_check(void *block)
{
	unsigned arena = 0;
	size_t size = sizeof arena;

	if (npool + narenas > 0 && (mallctl("arenas.lookup", &arena, &size,
	    &block, sizeof block) != 0 || arena != meant))
		misplaced++;
}

static void *
block_new(size_t bytes)
{
	void *block = malloc(bytes);

	if (block == NULL) {
		perror("mallctl-rotation");
		exit(1);
	}
	return memset(block, 1, bytes);
}

/* The window of sizes moves from index to index: content drifts. */
static size_t
entry_bytes(unsigned number, unsigned i)
{
	return 16 + number % 8 * 128 + i * 2654435761u % 1024;
}

static struct index *
index_build(unsigned number)
{
	struct index *index = block_new(sizeof *index);

	index->bytes = sizeof *index;
	for (unsigned i = 0; i < ENTRIES; i++) {
		size_t bytes = entry_bytes(number, i);

		index->entries[i] = block_new(bytes);
		index->bytes += bytes;
		placement_check(index->entries[i]);
	}
	live_bytes += index->bytes;
	return index;
}

static void
index_free(struct index *index)
{
	live_bytes -= index->bytes;
	for (unsigned i = 0; i < ENTRIES; i++)
		free(index->entries[i]);
	free(index);
}

/* Outside of the scope: these outlive the index they are copied from. */
static void
history_renew(const struct index *index, unsigned number)
{
	unsigned slot = number % STRAY_REBUILDS;

	live_bytes -= history_bytes[slot];
	history_bytes[slot] = 0;
	for (unsigned i = 0; i < ENTRIES / STRAY_EVERY; i++) {
		size_t bytes = entry_bytes(number, i * STRAY_EVERY);

		free(history[slot][i]);
		history[slot][i] = memcpy(block_new(bytes),
		    index->entries[i * STRAY_EVERY], bytes);
		history_bytes[slot] += bytes;
	}
	live_bytes += history_bytes[slot];
}

/* Bytes in memory, by the kernel's account. */
static size_t
resident_bytes(void)
{
	char text[256];
	unsigned long size, resident = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	sscanf(text, "%lu %lu", &size, &resident);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/*
 * When nothing more goes back: what is unused in a pool does once the program
 * has rested for pool_rest_ms, half a second.
 */
static size_t
resident_at_rest(void)
{
	size_t now = resident_bytes(), before;

	do {
		before = now;
		usleep(800 * 1000);
		now = resident_bytes();
	} while (now < before);
	return now;
}

int
main(int argc, char **argv)
{
	unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 4;
	bool manual = argc > 2 && strcmp(argv[2], "manual") == 0;
	struct index *index = NULL;

	if (n > ARENAS_MAX) {
		fprintf(stderr, "at most %d arenas\n", ARENAS_MAX);
		return 2;
	}
	if (n > 0 && !rotation_init(n, manual))
		printf("no rotation: this malloc has no arenas\n");
	for (unsigned number = 1; number <= REBUILDS; number++) {
		struct index *old = index;

		rotation_enter(number);
		index = index_build(number);
		rotation_leave();
		history_renew(index, number);
		if (old != NULL) {
			index_free(old);
			rotation_purge(number - 1);
		}
	}
	printf("%s of %u arenas, %d rebuilds: %zu live bytes, "
	    "%zu resident, %lu entries misplaced\n",
	    npool > 0 ? "pool" : "ring", npool + narenas, REBUILDS,
	    live_bytes, resident_at_rest(), misplaced);
	return misplaced > 0;
}
