/* load_large.c - blocks that grow, large blocks, memory that comes and goes. */
#include "load.h"

/* wave(): WAVE_BYTES live at the crest, a KEPT'th of the blocks after it. */
enum { PAGE = 4096, WAVE_BYTES = 64 << 20, KEPT = 10 };

static void
pages_touch(char *block, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		((volatile char *)block)[at] = 1;
}

void
grow(const size_t *n)
{
	char *block = NULL;
	size_t size = 64;

	for (size_t i = 0; i < n[0]; i++) {
		block = touched(realloc(block, size));
		size += size / 2;
		if (size > 1 << 20) {
			free(block);
			block = NULL;
			size = 64;
		}
	}
	free(block);
}

void
step(const size_t *n)
{
	char *block = NULL;

	for (size_t i = 0; i < n[0]; i++) {
		block = touched(realloc(block, (i % 1024 + 1) * 64));
		if (i % 1024 == 1023) {
			free(block);
			block = NULL;
		}
	}
	free(block);
}

void
large(const size_t *n)
{
	uint64_t random = 5;

	for (size_t i = 0; i < n[2]; i++) {
		uint64_t r = random_next(&random);
		size_t size = (n[0] + r % (n[1] - n[0] + 1)) << 20;
		char *block = touched(malloc(size));

		pages_touch(block, size);
		free(block);
	}
}

struct wave {
	struct wave *next;
	size_t size;
};

/* Adds blocks until there are WAVE_BYTES; returns how many it added. */
static size_t
wave_rise(struct wave **list, size_t *live, unsigned doublings,
    uint64_t *random)
{
	size_t added = 0;

	while (*live < WAVE_BYTES) {
		size_t size = random_size(random_next(random), doublings);
		struct wave *block = malloc(size);

		if (block == NULL)
			abort();
		pages_touch((char *)block, size);
		block->size = size;
		block->next = *list;
		*list = block;
		*live += size;
		added++;
	}
	return added;
}

/* Frees all but each KEPT'th block, which one as chance has it. */
static void
wave_fall(struct wave **list, size_t *live, unsigned kept, uint64_t *random)
{
	while (*list != NULL) {
		struct wave *block = *list;

		if (kept > 0 && random_next(random) % kept == 0) {
			list = &block->next;
			continue;
		}
		*list = block->next;
		*live -= block->size;
		free(block);
	}
}

/* Blocks to 512 B and to 8 KiB in turn: the shape of what was is no help. */
void
wave(const size_t *n)
{
	struct wave *list = NULL;
	size_t live = 0, turn = 0;
	uint64_t random = 9;

	for (size_t done = 0; done < n[0];) {
		done += wave_rise(&list, &live, turn++ % 2 == 0 ? 5 : 9,
		    &random);
		wave_fall(&list, &live, KEPT, &random);
	}
	wave_fall(&list, &live, 0, &random);
}
