/*
 * tcache_rest.c - what a thread that sleeps has in its cache goes back; see
 * tcache_rest.h.
 */
#include "tcache_rest.h"

#include <string.h>

#include "os.h"

enum { TAKE = 128 };			/* blocks at once: a page of pointers */

_Atomic bool tcache_rest_wanted;

void
tcache_rest_want(void)
{
	atomic_store_explicit(&tcache_rest_wanted, true,
	    memory_order_relaxed);
}

static unsigned
take_claimed(struct tcache *cache, unsigned sizeclass)
{
	struct cache_bin_cold *cold = &cache->cold[sizeclass];
	void **from = cold->bottom + cold->taken, *blocks[TAKE];
	size_t idle = (size_t)(cache->bins[sizeclass].base - from);
	unsigned n = idle < TAKE ? (unsigned)idle : TAKE;

	if (n == 0)
		return 0;
	/* arena_flush may reorder them; peek may be looking. */
	memcpy(blocks, from, n * sizeof *blocks);
	__atomic_store_n(&cold->taken, cold->taken + n, __ATOMIC_RELAXED);
	cache->robbed = true;
	/* The owner may be changing it: where to begin, no more. */
	arena_flush(__atomic_load_n(&cache->arena, __ATOMIC_RELAXED),
	    sizeclass, blocks, n, 0);
	return n;
}

unsigned
tcache_take(struct tcache *cache, unsigned sizeclass)
{
	uint32_t nobody = TCACHE_UNCLAIMED;
	unsigned n;

	/* Acquire: pairs with the releases in tcache_open and end. */
	if (!atomic_load_explicit(&cache->open, memory_order_acquire) ||
	    !atomic_compare_exchange_strong_explicit(&cache->claim, &nobody,
	    TCACHE_TAKERS, memory_order_acquire, memory_order_relaxed))
		return 0;
	n = take_claimed(cache, sizeclass);
	/* Release: pairs with the acquire in claim_open. */
	atomic_store_explicit(&cache->claim, TCACHE_UNCLAIMED,
	    memory_order_release);
	os_futex_wake(&cache->claim, 1);
	return n;
}

/* Racy: it need only differ if the cache was used meanwhile. */
RACY static uint64_t
use_of(const struct tcache *cache)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < TCACHE_NBINS; i++)
		sum += cache->bins[i].nrequests * 8 +
		    (uintptr_t)cache->bins[i].head;
	return sum;
}

RACY static bool
has_idle(const struct tcache *cache)
{
	for (unsigned i = 0; i < TCACHE_NBINS; i++)
		if (cache->bins[i].base > cache->cold[i].bottom +
		    cache->cold[i].taken)
			return true;
	return false;
}

bool
tcache_rest(struct tcache *cache, uint64_t now, uint64_t rest_ns)
{
	uint64_t use;

	if (!atomic_load_explicit(&cache->open, memory_order_relaxed) ||
	    !has_idle(cache))
		return false;
	use = use_of(cache);
	if (use != cache->seen) {
		cache->seen = use;
		cache->seen_ns = now;
		return true;
	}
	if (now - cache->seen_ns < rest_ns)
		return true;
	for (unsigned i = 0; i < TCACHE_NBINS; i++)
		while (tcache_take(cache, i) > 0)
			;
	return true;
}
