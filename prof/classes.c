/*
 * classes.c - what was sampled of each size class (classes.h).
 *
 * Raw sums, as jemalloc's: no weights, and prof.reset leaves them alone.
 *
 *   live = begun - ended;  accum = begun
 *
 * Locks: none. Each figure is atomic. A sample is counted as begun before it
 *   can end, and a reader takes what has ended first, so that live is never
 *   negative.
 */
#include "classes.h"

#include <errno.h>
#include <stdatomic.h>

/* Size classes end at 2^63 bytes: four a doubling, and the eight below 128. */
enum { CLASSES = 256 };

struct sums {
	_Atomic uint64_t requested;	/* bytes */
	_Atomic uint64_t count;
};

static bool enabled;			/* constant after boot */
static struct sums begun[CLASSES], ended[CLASSES];

void
classes_boot(bool on)
{
	enabled = on;
}

static void
add(struct sums *sums, unsigned sizeclass, uint64_t requested)
{
	if (!enabled || sizeclass >= CLASSES)
		return;
	/* release: pairs with the acquire in sums_get */
	atomic_fetch_add_explicit(&sums[sizeclass].requested, requested,
	    memory_order_release);
	atomic_fetch_add_explicit(&sums[sizeclass].count, 1,
	    memory_order_release);
}

void
classes_begin(unsigned sizeclass, uint64_t requested)
{
	add(begun, sizeclass, requested);
}

void
classes_end(unsigned sizeclass, uint64_t requested)
{
	add(ended, sizeclass, requested);
}

static struct prof_class
sums_get(struct sums *sums)
{
	struct prof_class out;

	/* acquire: the beginning of an end that is seen is seen after it */
	out.count = atomic_load_explicit(&sums->count, memory_order_acquire);
	out.req_sum = atomic_load_explicit(&sums->requested,
	    memory_order_acquire);
	return out;
}

int
classes_get(unsigned sizeclass, bool accum, struct prof_class *out)
{
	struct prof_class dead;

	if (!enabled || sizeclass >= CLASSES)
		return ENOENT;
	dead = sums_get(&ended[sizeclass]);
	*out = sums_get(&begun[sizeclass]);
	if (!accum) {
		out->count -= dead.count;
		out->req_sum -= dead.req_sum;
	}
	return 0;
}
