/*
 * batch.c - frees of other domains; see batch.h.
 */
#include "batch.h"

#include "arena.h"

/* Of a class: what it takes for an own cache's speed, see batch.h. */
enum { ROOM_BYTES = 32 << 10 };

static_assert((BATCH_SLOTS & (BATCH_SLOTS - 1)) == 0, "slots modulo");

void
batch_init(struct batch *batch)
{
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		size_t room = ROOM_BYTES / sc_size(i);
		struct batch_ring *ring = &batch->rings[i];

		ring->room = room > BATCH_SLOTS ? BATCH_SLOTS :
		    room > 2 ? room : 2;
		ring->full = ring->room;
	}
}

/* From one slot on to another, which may lie past the ring's end. */
static void
ring_copy(_Atomic(void *) *slots, unsigned at, unsigned n, void **out)
{
	for (unsigned i = 0; i < n; i++, at++) {
		if (unlikely(at == BATCH_SLOTS))
			at = 0;
		out[i] = atomic_load_explicit(&slots[at],
		    memory_order_relaxed);
	}
}

/* Takes out what waits in the ring of a class; returns how many. */
static unsigned
ring_take(struct batch *batch, unsigned sizeclass, void *out[BATCH_SLOTS])
{
	struct batch_ring *ring = &batch->rings[sizeclass];
	uint64_t head, n;

	/* Acquire: pairs with the release below, of another thread. */
	head = atomic_load_explicit(&ring->head, memory_order_acquire);
	do {
		/*
		 * Acquire: pairs with the release in batch_push. The slots,
		 * and what the program last did with the blocks, are there to
		 * be seen.
		 */
		n = atomic_load_explicit(&ring->tail, memory_order_acquire) -
		    head;
		if (n == 0)
			return 0;
		/* More than fit, if head is of the past. */
		ring_copy(batch->blocks[sizeclass], head % BATCH_SLOTS,
		    n < BATCH_SLOTS ? (unsigned)n : BATCH_SLOTS, out);
	/* Release: pairs with the acquires of head, here and in others. */
	} while (!atomic_compare_exchange_strong_explicit(&ring->head, &head,
	    head + n, memory_order_acq_rel, memory_order_acquire));
	return (unsigned)n;
}

/*
 * What was in the ring is out of it, whoever took it: there is room before
 * the blocks are given back, because hooks may free others then.
 */
void
batch_flush_class(struct batch *batch, unsigned sizeclass)
{
	struct batch_ring *ring = &batch->rings[sizeclass];
	void *blocks[BATCH_SLOTS];
	unsigned n = ring_take(batch, sizeclass, blocks);

	ring->full = atomic_load_explicit(&ring->tail, memory_order_relaxed) +
	    ring->room;
	arena_flush_small(sizeclass, blocks, n);
}

void
batch_flush(struct batch *batch)
{
	if (!batch->written)
		return;
	batch->written = false;
	for (unsigned i = 0; i < SC_NSMALL; i++)
		batch_flush_class(batch, i);
}

void
batch_steal(struct batch *batch)
{
	void *blocks[BATCH_SLOTS];

	for (unsigned i = 0; i < SC_NSMALL; i++)
		arena_flush_small(i, blocks, ring_take(batch, i, blocks));
}

size_t
batch_bytes(const struct batch *batch)
{
	size_t sum = 0;

	for (unsigned i = 0; i < SC_NSMALL; i++) {
		const struct batch_ring *ring = &batch->rings[i];
		/* The head first: it never passes a tail that is read later. */
		uint64_t head = atomic_load_explicit(&ring->head,
		    memory_order_acquire);
		uint64_t tail = atomic_load_explicit(&ring->tail,
		    memory_order_relaxed);

		sum += (size_t)(tail - head) * sc_size(i);
	}
	return sum;
}

bool
batch_holds(const struct batch *batch, unsigned sizeclass, const void *ptr)
{
	const struct batch_ring *ring = &batch->rings[sizeclass];
	uint64_t at = atomic_load_explicit(&ring->head,
	    memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&ring->tail,
	    memory_order_relaxed);

	for (; at != tail; at++)
		if (atomic_load_explicit(&batch->blocks[sizeclass]
		    [at % BATCH_SLOTS], memory_order_relaxed) == ptr)
			return true;
	return false;
}
