/*
 * tcache_rest.c - what a thread that sleeps has in its cache goes back; see
 * tcache_rest.h.
 *
 *   unclaimed --mark--> marked --take--> takers (--> wanted) --> unclaimed
 *       ^                  |
 *       +---- owner's <----+     its slow paths and its end come first
 *
 * Locks: none. A mark is made while the cache is kept from ending; if it is
 *   still there the owner has claimed nothing since, and so has not ended.
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

/* --- marking -------------------------------------------------------------- */

RACY static bool
has_idle(const struct tcache *cache)
{
	for (unsigned i = 0; i < TCACHE_NBINS; i++)
		if (cache->bins[i].base > cache->cold[i].bottom +
		    cache->cold[i].taken)
			return true;
	return false;
}

/*
 * Looks for idle blocks behind the claim that it follows: an owner that has
 * flushed the cache to end, and claims nothing more, leaves none.
 */
bool
tcache_mark(struct tcache *cache)
{
	uint32_t nobody = TCACHE_UNCLAIMED, marked = TCACHE_MARKED;

	/* Acquire: pairs with the releases in tcache_open and end. */
	if (!atomic_load_explicit(&cache->open, memory_order_acquire) ||
	    !atomic_compare_exchange_strong_explicit(&cache->claim, &nobody,
	    TCACHE_MARKED, memory_order_acquire, memory_order_relaxed))
		return false;
	if (has_idle(cache))
		return true;
	(void)atomic_compare_exchange_strong_explicit(&cache->claim, &marked,
	    TCACHE_UNCLAIMED, memory_order_relaxed, memory_order_relaxed);
	return false;
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

bool
tcache_rests(struct tcache *cache, uint64_t now, uint64_t rest_ns)
{
	uint64_t use = use_of(cache);

	if (use != cache->seen) {
		cache->seen = use;
		cache->seen_ns = now;
		return false;
	}
	return now - cache->seen_ns >= rest_ns;
}

bool
tcache_rest(struct tcache *cache, uint64_t now, uint64_t rest_ns,
    bool *marked)
{
	*marked = false;
	if (!atomic_load_explicit(&cache->open, memory_order_relaxed) ||
	    !has_idle(cache))
		return false;
	if (tcache_rests(cache, now, rest_ns))
		*marked = tcache_mark(cache);
	return true;
}

/* --- stacks --------------------------------------------------------------- */

/* Above the limit nothing is pushed; moving it takes a slow path. */
static void
trim_stack(const struct cache_bin *bin, const struct cache_bin_cold *cold)
{
	os_purge_within((char *)bin->limit,
	    (char *)(cold->bottom + cold->capacity));
}

void
tcache_trim(struct tcache *cache)
{
	for (unsigned i = 0; i < TCACHE_NBINS; i++)
		trim_stack(&cache->bins[i], &cache->cold[i]);
}

/* --- taking --------------------------------------------------------------- */

/* Of one class; how many. */
static unsigned
take_some(struct tcache *cache, unsigned sizeclass)
{
	struct cache_bin_cold *cold = &cache->cold[sizeclass];
	void **from = cold->bottom + cold->taken, *blocks[TAKE];
	size_t idle = (size_t)(cache->bins[sizeclass].base - from);
	unsigned n = idle < TAKE ? (unsigned)idle : TAKE;

	if (n == 0)
		return 0;
	/* arena_flush may reorder them; peek may be looking. */
	memcpy(blocks, from, n * sizeof *blocks);
	/*
	 * Before a fork can see the blocks in their arena, whose locks it
	 * takes: the child has them in one place at most.
	 */
	__atomic_store_n(&cold->taken, cold->taken + n, __ATOMIC_RELAXED);
	/* The owner may be changing it: where to begin, no more. */
	arena_flush(__atomic_load_n(&cache->arena, __ATOMIC_RELAXED),
	    sizeclass, blocks, n, 0);
	return n;
}

static bool
wanted(struct tcache *cache)
{
	return atomic_load_explicit(&cache->claim, memory_order_relaxed) ==
	    TCACHE_WANTED;
}

size_t
tcache_take(struct tcache *cache)
{
	uint32_t marked = TCACHE_MARKED;
	unsigned i = 0, n;
	size_t sum = 0;

	/* Acquire: pairs with the release in end, of the claim before. */
	if (!atomic_compare_exchange_strong_explicit(&cache->claim, &marked,
	    TCACHE_TAKERS, memory_order_acquire, memory_order_relaxed))
		return 0;
	cache->robbed = true;
	while (i < TCACHE_NBINS && !wanted(cache)) {
		n = take_some(cache, i);
		sum += n;
		if (n == 0)
			i++;
	}
	for (i = 0; i < TCACHE_NBINS && !wanted(cache); i++)
		trim_stack(&cache->bins[i], &cache->cold[i]);
	/* Release: pairs with the acquire in claim_open. */
	if (atomic_exchange_explicit(&cache->claim, TCACHE_UNCLAIMED,
	    memory_order_release) == TCACHE_WANTED)
		os_futex_wake(&cache->claim, 1);
	return sum;
}

void
tcache_fork_child(struct tcache *cache)
{
	uint32_t claim = atomic_load_explicit(&cache->claim,
	    memory_order_relaxed);

	if (claim != TCACHE_TAKERS && claim != TCACHE_WANTED)
		return;
	cache->robbed = true;
	atomic_store_explicit(&cache->claim, TCACHE_UNCLAIMED,
	    memory_order_relaxed);
}
