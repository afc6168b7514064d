/*
 * batch.c - frees of other domains; see batch.h.
 */
#include "batch.h"

#include <string.h>

#include "arena.h"

void
batch_init(struct batch *batch)
{
	lock_init(&batch->lock, RANK_THREAD_BATCH, "thread_batch");
}

unsigned
batch_take(struct batch *batch, void *out[BATCH_MAX])
{
	unsigned n;

	lock_acquire(&batch->lock);
	n = batch->count;
	memcpy(out, batch->blocks, n * sizeof *out);
	batch->count = 0;
	lock_release(&batch->lock);
	return n;
}

void
batch_flush(struct batch *batch)
{
	void *blocks[BATCH_MAX];

	/* The owner's own count: nobody else adds to it. */
	if (batch->count != 0)
		arena_flush_mixed(blocks, batch_take(batch, blocks));
}

void
batch_free(struct batch *batch, void *ptr)
{
	bool full;

	lock_acquire(&batch->lock);
	batch->blocks[batch->count++] = ptr;
	full = batch->count == BATCH_MAX;
	lock_release(&batch->lock);
	if (full)
		batch_flush(batch);
}

bool
batch_holds(const struct batch *batch, const void *ptr)
{
	for (unsigned i = 0; i < batch->count; i++)
		if (batch->blocks[i] == ptr)
			return true;
	return false;
}
