/*
 * batch.h - a thread's frees of blocks that are not of its cache's domain.
 *
 * Small blocks wait here for others of their class, so that a bin's lock is
 * taken for several of them. Each class has a ring with one writer:
 *
 *   blocks:  [ free ][ waiting ........ ][ free ]
 *                     ^ head              ^ tail     modulo BATCH_SLOTS
 *
 *   the owner writes at tail; whoever empties the ring, the owner or another
 *   thread, copies what waits and then moves head up to the tail it has seen,
 *   by compare and swap: who fails has copied nothing but a guess
 *
 * Both numbers only grow, and 64 bits do not wrap. The owner empties a ring
 * as soon as room blocks wait in it, so that there always is room for one
 * more, and no slot that waits is written again before head has passed it.
 *
 * Bounds: 817 blocks and 652 KiB of them a thread, if it frees of every
 *   class: 32 of each, but 32 KiB, and two at least. With fewer the bins'
 *   locks are what a free costs. 100 MiB of 16 B to 4 KiB, ns a free, one
 *   thread, 2 cores of a VM: 24 with eight of a class, 18 with 32 in 16 KiB,
 *   15.5 so, 15.1 with 64 in 32 KiB; into the thread's own cache 14.9. In a
 *   batch of 64 for all classes (50 ns) there were two of each.
 * Locks: none. Nothing here is given back under one: it may be the business
 *   of hooks.
 * Concurrency: a block is given back once, by who moved head over it, and
 *   that may be still at it when another finds the ring empty. Only the reset
 *   or destruction of an arena can tell. Who asks for that sees to it that no
 *   thread is inside malloc or free meanwhile; for other threads that empty
 *   rings, as rotations do, it waits (thread_batch_settle).
 * Memory: embedded in struct thread.
 * Fork: the child has its own thread's batch; what the others' held is lost
 *   to it, as in their caches.
 */
#ifndef STRATA_BATCH_H
#define STRATA_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "sizeclass.h"
#include "util.h"

enum { BATCH_SLOTS = 32 };		/* a power of two */

struct batch_ring {
	/* owner thread; read by who empties it: */
	_Atomic uint64_t tail;
	/* atomic: */
	_Atomic uint64_t head;
	/* owner thread: */
	uint64_t full;			/* tail then; <= head + room */
	/* constant after init: */
	uint64_t room;			/* 2 .. BATCH_SLOTS */
};

struct batch {
	/* owner thread: something was written since it last emptied all */
	bool written;
	struct batch_ring rings[SC_NSMALL];
	_Atomic(void *) blocks[SC_NSMALL][BATCH_SLOTS];
};

/* Once; the batch is zero bytes. Needs sc_boot. */
void batch_init(struct batch *batch);

/*
 * By the owner; of a small class. True: it is full, and the owner must flush
 * the class before the next.
 */
static inline bool
batch_push(struct batch *batch, unsigned sizeclass, void *ptr)
{
	struct batch_ring *ring = &batch->rings[sizeclass];
	uint64_t tail = atomic_load_explicit(&ring->tail,
	    memory_order_relaxed);

	assert(tail < ring->full);
	batch->written = true;
	atomic_store_explicit(&batch->blocks[sizeclass][tail % BATCH_SLOTS],
	    ptr, memory_order_relaxed);
	/* Release: pairs with the acquire in ring_take. */
	atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
	return unlikely(tail + 1 == ring->full);
}

/* By the owner: gives back what waits, of a class or of all. */
void batch_flush_class(struct batch *batch, unsigned sizeclass);
void batch_flush(struct batch *batch);

/* The same by another thread. */
void batch_steal(struct batch *batch);

/* Usable bytes of what waits in it; by any thread, then approximate. */
size_t batch_bytes(const struct batch *batch);

/* By the owner: whether ptr waits in it. */
bool batch_holds(const struct batch *batch, unsigned sizeclass,
    const void *ptr);

#endif
