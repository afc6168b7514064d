/*
 * tcache.c - blocks that a thread keeps to itself; see tcache.h.
 */
#include "tcache.h"

#include <errno.h>
#include <string.h>

#include "base.h"
#include "options.h"
#include "os.h"

/* Key first: a free compares it before anything else. */
const struct tcache tcache_none = { .key = (uint32_t)TCACHE_KEY_NONE };

enum {
	/*
	 * What jemalloc's fixed slots add up to is 2.9 MiB a thread, of which
	 * an average thread fills a fifth. BYTES_OWN is less than that; with
	 * what is lent a thread may keep 1000 blocks of 4 KiB, or a set of
	 * blocks of 16 B to 32 KiB that comes and goes at random (5 MiB): with
	 * 2 MiB those took half as many instructions again.
	 *
	 * All threads together have BYTES_CPU a CPU for it. With half of that
	 * two threads that served requests had it all, and filled the caches
	 * of the pool that they then built in by 26 blocks at a time instead
	 * of 112: a tenth of the build. BYTES_SHARED is the most, since a
	 * container may have less memory than its host's CPUs would say.
	 */
	BYTES_OWN = 384 << 10,
	BYTES_MAX = 5 << 20,
	BYTES_CPU = 8 << 20,
	BYTES_SHARED = 64 << 20,
	BYTES_LOAN = 128 << 10,		/* the least that is lent */
	CAPACITY_MIN = 8,
	LG_CAPACITY_MAX = 15,
	FILL_FIRST_BYTES = 4 << 10,	/* a page's worth for a new class */
	FILL_MAX_BYTES = 64 << 10,
	/*
	 * Half of so much, or of so many, makes a flush worth its locks. When
	 * a thread that freed what another allocated, 1 KiB each, kept 2 MiB
	 * of it, the two took 1.1 to 1.4 times as long and 1.8 times the
	 * memory.
	 */
	FREED_BYTES = 2 * FILL_MAX_BYTES,
	FREED_BLOCKS = 64,
	/*
	 * A bin's credit is at most so many times its limit. After about twice
	 * as many flushes a thread that has stopped asking is taken for one
	 * that only frees, and so is one that frees more than that in one go.
	 */
	CREDIT_LIMITS = 8,
	GC_BINS = 8,			/* a call; all bins in about six */
	/*
	 * A full bin gets at most so many more slots at a time: a thread that
	 * only frees comes by here often enough to let time pass (event_tick),
	 * at a fifth of a nanosecond a free.
	 */
	ROOM_STEP = 128,
	/* Should a wake-up be missed; what is waited for is some 10 us. */
	CLAIM_WAIT_NS = 1000 * 1000,
	/*
	 * One in so many blocks of an open cache is in use without a slow
	 * path; a spike that uses all takes log2 of their number of these.
	 */
	OPEN_SHARE = 8,
};

/* constant after tcache_boot: */
static unsigned slots[TCACHE_NBINS];
static unsigned nbins;
/* Bytes of the shared budget that nobody has; atomic. */
static _Atomic int64_t shared;
/* Stacks of 1 << i slots. */
static struct base_pool stacks[LG_CAPACITY_MAX + 1];

static unsigned
clamp(size_t n, unsigned low, unsigned high)
{
	return n < low ? low : n > high ? high : (unsigned)n;
}

static unsigned
slots_small(unsigned sizeclass)
{
	unsigned nregs = sc_slabs[sizeclass].nregs;
	ssize_t lg = opt.lg_tcache_nslots_mul;
	size_t n = lg < 0 ? (size_t)nregs >> -lg : (size_t)nregs << lg;

	n = clamp(n, opt.tcache_nslots_small_min,
	    opt.tcache_nslots_small_max);
	return clamp(n, 2, 1u << LG_CAPACITY_MAX);
}

/* Whatever tcache_max is. */
static unsigned
slots_unlimited(unsigned sizeclass)
{
	return sizeclass < SC_NSMALL ? slots_small(sizeclass) :
	    clamp(opt.tcache_nslots_large, 2, 1u << LG_CAPACITY_MAX);
}

/*
 * tcache_ncached_max: the last range that has the class's size wins; but what
 * the oversize arena is for is not kept.
 */
static unsigned
slots_of(unsigned sizeclass)
{
	const struct option_ranges *ranges = &opt.tcache_ncached_max;
	size_t size = sc_size(sizeclass);
	unsigned n = size > opt.tcache_max ? 0 : slots_unlimited(sizeclass);

	for (unsigned i = 0; i < ranges->count; i++)
		if (size >= ranges->range[i].lo && size <= ranges->range[i].hi)
			n = clamp(ranges->range[i].value, 0,
			    1u << LG_CAPACITY_MAX);
	return size < arenas_oversize_min ? n : 0;
}

/* Whole pages, so that tcache_trim finds some. */
static size_t
stack_align(size_t size)
{
	return size < os_page_system ? sizeof(void *) : os_page_system;
}

void
tcache_boot(void)
{
	nbins = 0;
	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		slots[i] = slots_of(i);
		if (slots[i] > 0)
			nbins = i + 1;
	}
	for (unsigned i = 0; i <= LG_CAPACITY_MAX; i++)
		base_pool_init(&stacks[i], &base_meta, sizeof(void *) << i,
		    stack_align(sizeof(void *) << i));
	atomic_store_explicit(&shared, clamp((size_t)os_ncpus() * BYTES_CPU,
	    BYTES_CPU, BYTES_SHARED), memory_order_relaxed);
}

unsigned
tcache_slots(unsigned sizeclass)
{
	return sizeclass < TCACHE_NBINS ? slots[sizeclass] : 0;
}

size_t
tcache_max(void)
{
	return nbins == 0 ? 0 : sc_size(nbins - 1);
}

/* --- the claim ------------------------------------------------------------ */

/* What is left moves to where something was taken. */
static void
settle_bin(struct cache_bin *bin, struct cache_bin_cold *cold)
{
	unsigned n = cold->taken;

	memmove(cold->bottom, cold->bottom + n,
	    (size_t)(bin->head - cold->bottom - n) * sizeof *cold->bottom);
	bin->head -= n;
	bin->base -= n;
	__atomic_store_n(&cold->taken, 0, __ATOMIC_RELAXED);
}

/* It stops after the blocks that it has in hand. */
static void
wait_for_taker(struct tcache *cache)
{
	uint32_t now = TCACHE_TAKERS;

	if (atomic_compare_exchange_strong_explicit(&cache->claim, &now,
	    TCACHE_WANTED, memory_order_relaxed, memory_order_relaxed) ||
	    now == TCACHE_WANTED)
		os_futex_wait(&cache->claim, TCACHE_WANTED, CLAIM_WAIT_NS);
}

/*
 * false: there is no claim to end, since one of the owner's is under way that
 * a signal handler interrupted. Acquire pairs with the releases in end and
 * tcache_take.
 */
static bool
claim_open(struct tcache *cache)
{
	uint32_t now = TCACHE_UNCLAIMED;

	while (!atomic_compare_exchange_strong_explicit(&cache->claim, &now,
	    TCACHE_OWNERS, memory_order_acquire, memory_order_relaxed)) {
		if (now == TCACHE_OWNERS)
			return false;
		if (now == TCACHE_MARKED)
			continue;
		wait_for_taker(cache);
		now = TCACHE_UNCLAIMED;
	}
	for (unsigned i = 0; cache->robbed && i < TCACHE_NBINS; i++)
		if (cache->cold[i].taken > 0)
			settle_bin(&cache->bins[i], &cache->cold[i]);
	cache->robbed = false;
	return true;
}

static inline bool
begin(struct tcache *cache)
{
	return unlikely(atomic_load_explicit(&cache->open,
	    memory_order_relaxed)) && claim_open(cache);
}

static inline void
end(struct tcache *cache, bool begun)
{
	/* Release: pairs with the acquires in claim_open and tcache_mark. */
	if (unlikely(begun))
		atomic_store_explicit(&cache->claim, TCACHE_UNCLAIMED,
		    memory_order_release);
}

/* --- bins ----------------------------------------------------------------- */

static unsigned
count_of(const struct tcache *cache, unsigned i)
{
	return (unsigned)(cache->bins[i].head - cache->cold[i].bottom);
}

static unsigned
limit_of(const struct tcache *cache, unsigned i)
{
	return (unsigned)(cache->bins[i].limit - cache->cold[i].bottom);
}

static void
set_limit(struct tcache *cache, unsigned i, unsigned limit)
{
	cache->room += ((size_t)limit - limit_of(cache, i)) * sc_size(i);
	cache->bins[i].limit = cache->cold[i].bottom + limit;
}

/* What the bin served since the arena was last told. */
static uint64_t
take_requests(struct tcache *cache, unsigned i)
{
	uint64_t all = cache->bins[i].nrequests;
	uint64_t n = all - cache->cold[i].merged;

	cache->cold[i].merged = all;
	return n;
}

static uint32_t
fill_first(unsigned i)
{
	return clamp(FILL_FIRST_BYTES / sc_size(i), 1, CAPACITY_MIN);
}

/* Keeps the loan that room needs, and no more. */
static void
repay(struct tcache *cache)
{
	size_t need = cache->room > BYTES_OWN ? cache->room - BYTES_OWN : 0;
	size_t lent = cache->lent;

	if (lent <= need)
		return;
	/* In this order: a fork between them must not count it twice. */
	__atomic_store_n(&cache->lent, need, __ATOMIC_RELAXED);
	atomic_fetch_add_explicit(&shared, (int64_t)(lent - need),
	    memory_order_release);
}

/* True if there may be more bytes of room. */
static bool
afford(struct tcache *cache, size_t more)
{
	size_t room = cache->room + more;
	size_t loan;

	if (room <= BYTES_OWN + cache->lent)
		return true;
	loan = room - BYTES_OWN - cache->lent;
	if (loan < BYTES_LOAN)
		loan = BYTES_LOAN;
	if (room > BYTES_MAX || atomic_load_explicit(&shared,
	    memory_order_relaxed) < (int64_t)loan)
		return false;
	if (atomic_fetch_sub_explicit(&shared, (int64_t)loan,
	    memory_order_relaxed) < (int64_t)loan) {
		atomic_fetch_add_explicit(&shared, (int64_t)loan,
		    memory_order_relaxed);
		return false;
	}
	cache->lent += loan;
	return true;
}

void
tcache_init(struct tcache *cache, struct arena *arena)
{
	cache->room = cache->lent = 0;
	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		struct cache_bin *bin = &cache->bins[i];
		struct cache_bin_cold *cold = &cache->cold[i];

		bin->head = bin->base = bin->limit = cold->bottom;
		bin->nrequests = cold->merged = cold->gc_requests = 0;
		cold->spent = 0;
		bin->size = sc_size(i);
		cold->fill = fill_first(i);
		cold->slots = slots[i];
		cold->low = UINT32_MAX;
		cold->taken = 0;
	}
	cache->open = cache->robbed = false;
	cache->claim = TCACHE_UNCLAIMED;
	cache->seen = cache->seen_ns = 0;
	cache->nbins = nbins;
	cache->gc_next = 0;
	tcache_use_arena(cache, arena);
	cache->key = pagemap_key_of(arena_domain(arena));
}

void
tcache_use_arena(struct tcache *cache, struct arena *arena)
{
	/* Other threads may be reading it, for statistics. */
	__atomic_store_n(&cache->arena, arena, __ATOMIC_RELAXED);
	cache->shard = arena_shard_next(arena);
}

/* Moves the bin to a stack of at least n slots. 0 or ENOMEM. */
static int
enlarge(struct tcache *cache, unsigned i, unsigned n)
{
	struct cache_bin_cold *cold = &cache->cold[i];
	struct cache_bin *bin = &cache->bins[i];
	unsigned lg = lg_ceil(n < CAPACITY_MIN ? CAPACITY_MIN : n);
	void **old = cold->bottom, **stack = base_pool_get(&stacks[lg]);

	if (stack == NULL)
		return ENOMEM;
	memcpy(stack, old, count_of(cache, i) * sizeof *stack);
	bin->head = stack + (bin->head - old);
	bin->base = stack + (bin->base - old);
	bin->limit = stack + (bin->limit - old);
	cold->bottom = stack;
	if (cold->capacity != 0)
		base_pool_put(&stacks[lg_floor(cold->capacity)], old);
	/*
	 * Release: tcache_peek reads capacity first, so that it never takes
	 * the small old stack for a large one.
	 */
	__atomic_store_n(&cold->capacity, 1u << lg, __ATOMIC_RELEASE);
	return 0;
}

/*
 * Raises the limit to n slots; if they are too many for the budget, to half of
 * them, and so on down to the two that are everybody's right. False if nothing
 * was gained.
 */
static bool
raise_limit(struct tcache *cache, unsigned i, unsigned n)
{
	unsigned limit = limit_of(cache, i);

	if (n > cache->cold[i].slots)
		n = cache->cold[i].slots;
	while (n > 2 && n > limit &&
	    !afford(cache, (size_t)(n - limit) * sc_size(i)))
		n = n > 4 ? n / 2 : 2;
	if (n <= limit ||
	    (n > cache->cold[i].capacity && enlarge(cache, i, n) != 0))
		return false;
	set_limit(cache, i, n);
	return true;
}

/* A bin that is not nearly full gets its room back step by step. */
static void
lower_limit(struct tcache *cache, unsigned i, unsigned step)
{
	unsigned limit = count_of(cache, i) + step;

	if (limit < limit_of(cache, i))
		set_limit(cache, i, limit);
}

/* Half of what is idle comes into use; the other half stays a measure. */
static bool
use_idle(struct tcache *cache, unsigned i)
{
	struct cache_bin *bin = &cache->bins[i];
	size_t idle = (size_t)(bin->base - cache->cold[i].bottom);

	if (idle == 0)
		return false;
	bin->base = cache->cold[i].bottom + idle / 2;
	return true;
}

/* Twice as many as the last time, while that is not too much of anything. */
static unsigned
fill_count(struct tcache *cache, unsigned i)
{
	struct cache_bin_cold *cold = &cache->cold[i];
	unsigned n = cold->fill, most;

	if (n > limit_of(cache, i))
		(void)raise_limit(cache, i, n);
	if (n > limit_of(cache, i))
		n = limit_of(cache, i);
	most = clamp(FILL_MAX_BYTES / sc_size(i), 1, (cold->slots + 1) / 2);
	cold->fill = clamp((size_t)n * 2, 1, most);
	return n;
}

static void *
refill(struct tcache *cache, unsigned sizeclass)
{
	struct cache_bin *bin = &cache->bins[sizeclass];
	unsigned n;

	if (use_idle(cache, sizeclass))
		return cache_bin_pop(bin);
	if (sizeclass >= SC_NSMALL) {
		/* A request all the same, if not one that the bin serves. */
		cache->cold[sizeclass].spent--;
		return NULL;
	}
	n = fill_count(cache, sizeclass);
	if (n == 0)
		return NULL;
	/* The last of the array is popped first: the lowest address. */
	n = arena_small_fill(cache->arena, arena_bin(cache->arena, sizeclass,
	    cache->shard), bin->base, n, take_requests(cache, sizeclass));
	bin->head = bin->base + n;
	lower_limit(cache, sizeclass, ROOM_STEP);
	return cache_bin_pop(bin);
}

void *
tcache_refill(struct tcache *cache, unsigned sizeclass)
{
	bool begun = begin(cache);
	void *ptr = refill(cache, sizeclass);

	end(cache, begun);
	return ptr;
}

/* What stays of a full bin of n slots. */
static unsigned
keep_of(unsigned i, unsigned n)
{
	unsigned div = i < SC_NSMALL ? opt.lg_tcache_flush_small_div :
	    opt.lg_tcache_flush_large_div;
	unsigned flushed = n >> div;

	return n - (flushed > 0 ? flushed : 1);
}

static void
flush_bin(struct tcache *cache, unsigned sizeclass, unsigned keep)
{
	struct cache_bin *bin = &cache->bins[sizeclass];
	void **bottom = cache->cold[sizeclass].bottom;
	unsigned count = count_of(cache, sizeclass), n;
	size_t idle = (size_t)(bin->base - bottom);

	if (count <= keep)
		return;
	n = count - keep;
	/* arena_flush may reorder what it gives back, not what we keep. */
	arena_flush(cache->arena, sizeclass, bottom, n,
	    take_requests(cache, sizeclass));
	memmove(bottom, bottom + n, keep * sizeof *bottom);
	bin->head = bottom + keep;
	bin->base = bottom + (idle > n ? idle - n : 0);
}

void
tcache_flush_bin(struct tcache *cache, unsigned sizeclass, unsigned keep)
{
	bool begun = begin(cache);

	flush_bin(cache, sizeclass, keep);
	end(cache, begun);
}

/* Requests that no flush has made up for. */
static uint64_t
credit_of(const struct tcache *cache, unsigned i)
{
	return cache->bins[i].nrequests - cache->cold[i].spent;
}

/*
 * Of a full bin all but the newest keep go back, at the cost of its credit;
 * room for step more stays.
 */
static void
flush_full(struct tcache *cache, unsigned i, unsigned keep, unsigned step)
{
	unsigned limit = limit_of(cache, i);
	uint64_t most = (uint64_t)limit * CREDIT_LIMITS;
	uint64_t credit = min_u64(credit_of(cache, i), most);

	flush_bin(cache, i, keep);
	credit -= min_u64(credit, limit - keep);
	cache->cold[i].spent = cache->bins[i].nrequests - credit;
	lower_limit(cache, i, step);
}

/*
 * A thread that only frees has no use for the blocks: room for a flush is
 * enough. More is for who has asked for about as many as it has to flush.
 */
static bool
wants_room(const struct tcache *cache, unsigned i)
{
	unsigned limit = limit_of(cache, i);

	return credit_of(cache, i) >= limit ||
	    limit * sc_size(i) < FREED_BYTES || limit < FREED_BLOCKS;
}

static bool
make_room(struct tcache *cache, unsigned sizeclass)
{
	unsigned limit = limit_of(cache, sizeclass);

	if (cache->cold[sizeclass].slots == 0)
		return false;
	/* Something was taken. */
	if (cache->bins[sizeclass].head != cache->bins[sizeclass].limit)
		return true;
	if (!wants_room(cache, sizeclass)) {
		flush_full(cache, sizeclass, (unsigned)min_u64(limit / 2,
		    keep_of(sizeclass, limit)), limit / 4);
		repay(cache);
		return true;
	}
	if (raise_limit(cache, sizeclass, limit == 0 ?
	    fill_first(sizeclass) + 1 : limit < ROOM_STEP ? limit * 2 :
	    limit + ROOM_STEP))
		return true;
	if (limit == 0)			/* no memory for the stack */
		return false;
	flush_full(cache, sizeclass, keep_of(sizeclass, limit), ROOM_STEP);
	return true;
}

bool
tcache_make_room(struct tcache *cache, unsigned sizeclass)
{
	bool begun = begin(cache);
	bool made = make_room(cache, sizeclass);

	end(cache, begun);
	return made;
}

void
tcache_abandon(struct tcache *cache)
{
	atomic_fetch_add_explicit(&shared, (int64_t)cache->lent,
	    memory_order_relaxed);
	cache->lent = 0;
}

void
tcache_flush_all(struct tcache *cache)
{
	bool begun = begin(cache);

	for (unsigned i = 0; i < cache->nbins; i++) {
		flush_bin(cache, i, 0);
		set_limit(cache, i, 0);
	}
	repay(cache);
	end(cache, begun);
}

unsigned
tcache_slots_get(const struct tcache *cache, unsigned sizeclass)
{
	return sizeclass < TCACHE_NBINS ? cache->cold[sizeclass].slots : 0;
}

void
tcache_slots_set(struct tcache *cache, unsigned sizeclass, unsigned n)
{
	bool begun = begin(cache);

	n = clamp(n, 0, 1u << LG_CAPACITY_MAX);
	flush_bin(cache, sizeclass, n);
	if (limit_of(cache, sizeclass) > n)
		set_limit(cache, sizeclass, n);
	repay(cache);
	cache->cold[sizeclass].slots = n;
	if (n > 0 && sizeclass >= cache->nbins)
		cache->nbins = sizeclass + 1;
	end(cache, begun);
}

size_t
tcache_max_get(const struct tcache *cache)
{
	for (unsigned i = cache->nbins; i-- > 0; )
		if (cache->cold[i].slots > 0)
			return sc_size(i);
	return 0;
}

void
tcache_max_set(struct tcache *cache, size_t max)
{
	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		if (sc_size(i) > max || sc_size(i) >= arenas_oversize_min)
			tcache_slots_set(cache, i, 0);
		else
			tcache_slots_set(cache, i, slots[i] > 0 ? slots[i] :
			    slots_unlimited(i));
	}
}

void
tcache_rebind(struct tcache *cache, struct arena *arena)
{
	tcache_flush_all(cache);
	tcache_use_arena(cache, arena);
	cache->key = pagemap_key_of(arena_domain(arena));
}

void
tcache_serve(struct tcache *cache, struct arena *arena)
{
	if (cache->arena == arena)
		return;
	if (arena_domain(cache->arena) == arena_domain(arena))
		tcache_use_arena(cache, arena);
	else
		tcache_rebind(cache, arena);
}

/*
 * Three quarters of what was idle for a whole round go back, and with them
 * half of the bin's room; then the older half of the rest is on trial.
 */
static void
gc_bin(struct tcache *cache, unsigned i)
{
	struct cache_bin *bin = &cache->bins[i];
	struct cache_bin_cold *cold = &cache->cold[i];
	unsigned idle = (unsigned)(bin->base - cold->bottom);
	unsigned limit = limit_of(cache, i), count;

	if (limit == 0)
		return;
	if (cold->low < idle)
		idle = cold->low;
	cold->low = UINT32_MAX;
	if (idle > 0 || bin->nrequests == cold->gc_requests) {
		flush_bin(cache, i, count_of(cache, i) -
		    (idle - idle / 4));
		count = count_of(cache, i);
		limit = limit / 2 > count ? limit / 2 : count;
		set_limit(cache, i, limit);
		cold->fill = (cold->fill + 1) / 2;
	}
	bin->base = cold->bottom + (count_of(cache, i) + 1) / 2;
	cold->gc_requests = bin->nrequests;
}

void
tcache_gc(struct tcache *cache)
{
	bool begun = begin(cache);

	for (unsigned n = 0; n < GC_BINS && n < cache->nbins; n++) {
		gc_bin(cache, cache->gc_next);
		if (++cache->gc_next >= cache->nbins)
			cache->gc_next = 0;
	}
	repay(cache);
	end(cache, begun);
}

void
tcache_shrink_room(struct tcache *cache)
{
	bool begun = begin(cache);

	for (unsigned i = 0; i < cache->nbins; i++)
		set_limit(cache, i, count_of(cache, i));
	repay(cache);
	end(cache, begun);
}

/* gc's measure of what is idle is the least that there ever was. */
static void
open_bin(struct cache_bin *bin, struct cache_bin_cold *cold, unsigned count)
{
	unsigned idle = (unsigned)(bin->base - cold->bottom);
	unsigned most = count - (count + OPEN_SHARE - 1) / OPEN_SHARE;

	if (idle < cold->low)
		cold->low = idle;
	if (idle < most)
		bin->base = cold->bottom + most;
}

void
tcache_open(struct tcache *cache)
{
	bool begun = begin(cache);

	for (unsigned i = 0; i < cache->nbins; i++)
		open_bin(&cache->bins[i], &cache->cold[i],
		    count_of(cache, i));
	end(cache, begun);
	/* Release: pairs with the acquire in tcache_mark. */
	atomic_store_explicit(&cache->open, true, memory_order_release);
}

RACY unsigned
tcache_peek(const struct tcache *cache, unsigned sizeclass,
    void *const **blocks)
{
	const struct cache_bin_cold *cold = &cache->cold[sizeclass];
	/* Acquire: pairs with the release in enlarge. */
	unsigned capacity = __atomic_load_n(&cold->capacity,
	    __ATOMIC_ACQUIRE);
	void **bottom = cold->bottom + __atomic_load_n(&cold->taken,
	    __ATOMIC_RELAXED);
	ptrdiff_t n = cache->bins[sizeclass].head - bottom;

	*blocks = bottom;
	return n < 0 || n > (ptrdiff_t)capacity ? 0 : (unsigned)n;
}

size_t
tcache_bytes(const struct tcache *cache)
{
	void *const *ignored;
	size_t sum = 0;

	for (unsigned i = 0; i < cache->nbins; i++)
		sum += tcache_peek(cache, i, &ignored) * sc_size(i);
	return sum;
}

RACY size_t
tcache_pinned(const struct tcache *cache)
{
	size_t sum = 0;

	for (unsigned i = 0; i < SC_NSMALL; i++) {
		void *const *blocks;
		unsigned n = tcache_peek(cache, i, &blocks);

		for (unsigned k = 0; k < n; k++) {
			struct arena_slab slab;

			if (arena_slab_info(blocks[k], &slab))
				sum += slab.free_bytes / slab.nregs_used;
		}
	}
	return sum;
}

void
tcache_check(const struct tcache *cache)
{
	size_t room = 0;

	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		const struct cache_bin *bin = &cache->bins[i];
		void **bottom = cache->cold[i].bottom;

		must(bottom + cache->cold[i].taken <= bin->base);
		must(bin->base <= bin->head);
		must(bin->head <= bin->limit);
		must(bin->limit <= bottom + cache->cold[i].capacity);
		must(limit_of(cache, i) <= cache->cold[i].slots);
		room += limit_of(cache, i) * sc_size(i);
		for (void **at = bottom + cache->cold[i].taken;
		    at < bin->head; at++) {
			uint64_t entry = pagemap_get(*at);

			must(pagemap_sizeclass(entry) == i);
			must((pagemap_key(entry) & ~PM_SAMPLED) == cache->key);
		}
	}
	must(room == cache->room);
	must(cache->lent <= BYTES_MAX);
}

void
tcache_each_lock(enum lock_rank rank, void (*op)(struct lock *lock))
{
	if (rank == RANK_POOL)
		for (unsigned i = 0; i <= LG_CAPACITY_MAX; i++)
			op(&stacks[i].lock);
}
