/*
 * scratch.c - see scratch.h.
 */
#include "scratch.h"

#include <string.h>

#include "os.h"
#include "util.h"

enum {
	SCRATCH_FIRST = 256 * 1024,	/* a dump of a small program */
	SCRATCH_LARGEST = 64 * 1024 * 1024,
	/*
	 * From here on huge pages: a dump of 100,000 stacks fills 45 MB and
	 * spent an eighth of its time on faults of 4 KiB.
	 */
	SCRATCH_HUGE = 2 * 1024 * 1024,
	SCRATCH_ALIGN = 16,
};

struct scratch_chunk {
	struct scratch_chunk *older;
	size_t size, used;		/* bytes, with this header */
};

static struct scratch_chunk *
scratch_grow(struct scratch *scratch, size_t need)
{
	struct scratch_chunk *top = scratch->chunks, *chunk;
	size_t head = align_up(sizeof *chunk, SCRATCH_ALIGN);
	size_t size = top == NULL ? SCRATCH_FIRST : 2 * top->size;

	if (size > SCRATCH_LARGEST)
		size = SCRATCH_LARGEST;
	if (need > SIZE_MAX / 2)
		return NULL;
	if (size < need + head)
		size = align_up(need + head, os_page_system);
	chunk = os_map(NULL, size);
	if (chunk == NULL)
		return NULL;
	if (size >= SCRATCH_HUGE)
		os_advise_huge(chunk, size, true);
	chunk->older = top;
	chunk->size = size;
	chunk->used = head;
	scratch->chunks = chunk;
	scratch->mapped += size;
	return chunk;
}

void *
scratch_alloc(struct scratch *scratch, size_t size)
{
	struct scratch_chunk *chunk = scratch->chunks;
	void *out;

	if (size > SIZE_MAX - SCRATCH_ALIGN)
		return NULL;
	size = align_up(size, SCRATCH_ALIGN);
	if (chunk == NULL || chunk->size - chunk->used < size)
		chunk = scratch_grow(scratch, size);
	if (chunk == NULL)
		return NULL;
	out = (char *)chunk + chunk->used;
	chunk->used += size;
	return out;
}

char *
scratch_string(struct scratch *scratch, const char *string)
{
	size_t size = strlen(string) + 1;
	char *copy = scratch_alloc(scratch, size);

	if (copy != NULL)
		memcpy(copy, string, size);
	return copy;
}

void
scratch_release(struct scratch *scratch)
{
	struct scratch_chunk *chunk = scratch->chunks;

	while (chunk != NULL) {
		struct scratch_chunk *older = chunk->older;
		size_t size = chunk->size;

		/*
		 * Out of the list before it is gone: a fork by another thread
		 * may leave a child with this moment, who releases the rest.
		 */
		*(struct scratch_chunk *volatile *)&scratch->chunks = older;
		os_unmap(chunk, size);
		chunk = older;
	}
	scratch->mapped = 0;
}
