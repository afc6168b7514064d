/*
 * heap_blocks.c - where blocks come from: with dss:primary, the kernel's
 * [heap], from ld.so's first malloc on, while the program moves the break too.
 *
 *     heap_blocks     prints "small heap" or "small map", the same of "large",
 *                     and "others kept" if its own part of the heap is whole
 */
#include <unistd.h>

#include "e2e.h"

enum { ROUNDS = 200, MINE = 5000, LARGE = 1 << 20 };

static unsigned long heap_begin, heap_end;

static void
find_heap(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long begin, end;
	char line[512];

	while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
		if (strstr(line, "[heap]") == NULL ||
		    sscanf(line, "%lx-%lx ", &begin, &end) != 2)
			continue;
		if (heap_begin == 0)
			heap_begin = begin;
		heap_end = end;
	}
	if (maps != NULL)
		fclose(maps);
}

static const char *
place(const void *ptr)
{
	return (unsigned long)ptr >= heap_begin &&
	    (unsigned long)ptr < heap_end ? "heap" : "map";
}

static int
is_filled(const char *bytes, char with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != with)
			return 0;
	return 1;
}

int
main(void)
{
	static char *mine[ROUNDS], *blocks[ROUNDS];
	int kept = 1;

	for (int i = 0; i < ROUNDS; i++) {
		mine[i] = sbrk(MINE);
		if (mine[i] == (char *)-1)
			return 2;
		memset(mine[i], 'm', MINE);
		blocks[i] = calloc(1, LARGE);
		kept &= is_filled(blocks[i], 0, LARGE);
		memset(blocks[i], 'b', LARGE);
		if (i % 3 == 2)
			free(blocks[i - 1]);
	}
	for (int i = 0; i < ROUNDS; i++) {
		kept &= is_filled(mine[i], 'm', MINE);
		if (i % 3 != 1)
			kept &= is_filled(blocks[i], 'b', LARGE);
	}
	find_heap();
	printf("small %s\nlarge %s\n", place(malloc(100)),
	    place(blocks[ROUNDS - 1]));
	if (kept)
		printf("others kept\n");
	return 0;
}
