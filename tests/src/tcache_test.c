/*
 * tcache_test.c - caches of one thread: they grow with their use, shrink when
 * idle, and never hold another domain's blocks.
 */
#include "core.h"

#include "options.h"
#include "tcache.h"

static struct tcache cache;

static void *
take(unsigned class)
{
	void *ptr = cache_bin_pop(&cache.bins[class]);

	if (ptr == NULL)
		ptr = tcache_refill(&cache, class);
	if (ptr == NULL)
		ptr = arena_alloc(cache.arena, class, 1, NULL);
	assert_non_null(ptr);
	return ptr;
}

static void
give(void *ptr)
{
	uint64_t entry = pagemap_get(ptr);
	unsigned class = pagemap_sizeclass(entry);

	assert_int_equal(pagemap_key(entry), cache.key);
	if (cache_bin_push(&cache.bins[class], ptr))
		return;
	if (tcache_make_room(&cache, class))
		assert_true(cache_bin_push(&cache.bins[class], ptr));
	else
		arena_free(ptr, entry);
}

static void
take_and_give(unsigned class, unsigned n)
{
	static void *blocks[3000];

	for (unsigned i = 0; i < n; i++)
		blocks[i] = take(class);
	for (unsigned i = 0; i < n; i++)
		give(blocks[i]);
}

static unsigned
count(unsigned class)
{
	void *const *blocks;

	return tcache_peek(&cache, class, &blocks);
}

static int
setup(void **state)
{
	tcache_init(&cache, arena_get(0, true));
	return 0;
}

static int
teardown(void **state)
{
	tcache_check(&cache);
	tcache_flush_all(&cache);
	assert_int_equal(tcache_bytes(&cache), 0);
	arena_check(arena_get(0, true));
	assert_int_equal(pages_active(&arena_get(0, true)->pages), 0);
	return 0;
}

static void
test_the_last_freed_is_the_next_used(void **state)
{
	void *a = take(4), *b = take(4);

	give(a);
	give(b);
	assert_ptr_equal(take(4), b);
	assert_ptr_equal(take(4), a);
	give(a);
	give(b);
}

static void
test_fills_come_in_address_order(void **state)
{
	unsigned char *a = take(4), *b = take(4);

	assert_ptr_equal(b, a + 64);
	give(b);
	give(a);
}

static void
check_batch_stays(unsigned class)
{
	struct arena *arena = arena_get(0, true);
	struct bin_stats before, after;
	struct lock_stats ignored;

	for (unsigned round = 0; round < 5; round++) {
		if (round == 1)
			bin_stats_read(&arena->bins[class], &before,
			    &ignored);
		take_and_give(class, 1000);
		tcache_check(&cache);
	}
	bin_stats_read(&arena->bins[class], &after, &ignored);
	assert_int_equal(after.nfills, before.nfills);
	assert_int_equal(after.nflushes, before.nflushes);
	assert_true(count(class) >= 1000);
}

static void
test_a_batch_stays_in_the_cache(void **state)
{
	check_batch_stays(sc_index(256));
}

/* A slab of it is one region; 4 MiB are near the whole budget. */
static void
test_a_batch_of_pages_stays_in_the_cache(void **state)
{
	check_batch_stays(sc_index(4096));
}

static void
test_the_budget_bounds_the_whole(void **state)
{
	for (unsigned class = 0; class < SC_NSMALL; class++) {
		take_and_give(class, class < 20 ? 3000 : 300);
		tcache_check(&cache);
		assert_true(count(class) <= tcache_slots(class));
	}
	assert_in_range(tcache_bytes(&cache), 4 << 20, 11 << 19);
}

/* Many caches share what one alone could have; all give it back. */
static void
test_many_caches_share_the_budget(void **state)
{
	static struct tcache many[64];
	struct tcache saved = cache;
	unsigned class = sc_index(1024);
	size_t sum = 0, shared = os_ncpus() < 8 ? os_ncpus() * 8 : 64;

	for (unsigned k = 0; k < 64; k++) {
		tcache_init(&cache, arena_get(0, true));
		take_and_give(class, 1000);
		tcache_check(&cache);
		sum += tcache_bytes(&cache);
		assert_true(count(class) >= 100);
		many[k] = cache;
		memset(&cache, 0, sizeof cache);
	}
	assert_in_range(sum, 16 << 20, (shared + 64 / 2) << 20);
	for (unsigned k = 0; k < 64; k++) {
		tcache_flush_all(&many[k]);
		assert_int_equal(many[k].lent, 0);
	}
	cache = saved;
	tcache_init(&cache, arena_get(0, true));
	take_and_give(class, 1000);
	assert_true(count(class) >= 1000);
}

/* Frees what others asked for; the most blocks that lay in the bin. */
static unsigned
give_of_others(unsigned class, unsigned n)
{
	unsigned most = 0;

	for (unsigned i = 0; i < n; i++) {
		give(arena_alloc(cache.arena, class, 0, NULL));
		if (count(class) > most)
			most = count(class);
	}
	return most;
}

/* Room for half of it to be worth a flush: 128 KiB or 64, or up to twice. */
static void
test_who_only_frees_keeps_few(void **state)
{
	assert_in_range(give_of_others(sc_index(1024), 1000), 128, 256);
	assert_in_range(give_of_others(sc_index(4096), 1000), 64, 128);
	assert_in_range(give_of_others(sc_index(64), 3000), 1024, 2048);
}

/* Also of a batch that is larger than the cache. */
static void
test_who_asks_for_what_it_frees_keeps_it(void **state)
{
	unsigned class = sc_index(1024);

	(void)give_of_others(class, 1000);
	for (unsigned i = 0; i < 3; i++)
		take_and_give(class, 1000);
	assert_true(count(class) >= 1000);
	for (unsigned i = 0; i < 3; i++)
		take_and_give(class, 3000);
	assert_true(count(class) >= 1500);
}

static void
no_longer_asks(void)
{
	unsigned class = sc_index(4096);

	for (unsigned i = 0; i < 50; i++)
		take_and_give(class, 900);
	assert_true(count(class) >= 900);
	assert_true(cache.lent > 0);
	(void)give_of_others(class, 20000);
	assert_in_range(give_of_others(class, 1000), 64, 128);
	assert_int_equal(cache.lent, 0);
}

/* However little a flush is to give back else. */
static void
test_who_no_longer_asks_keeps_few(void **state)
{
	unsigned div = opt.lg_tcache_flush_small_div;

	no_longer_asks();
	tcache_flush_all(&cache);
	opt.lg_tcache_flush_small_div = 4;
	no_longer_asks();
	opt.lg_tcache_flush_small_div = div;
}

/* Of a large class no fill comes: what the arena served counts as asked. */
static void
test_large_blocks_are_as_many_as_asked_for(void **state)
{
	unsigned class = sc_index(32 << 10), slots = tcache_slots(class);

	tcache_slots_set(&cache, class, 120);
	for (unsigned i = 0; i < 3; i++)
		take_and_give(class, 100);
	assert_int_equal(count(class), 100);
	tcache_slots_set(&cache, class, slots);
}

static unsigned
limit(unsigned class)
{
	return (unsigned)(cache.bins[class].limit - cache.cold[class].bottom);
}

/* Of 5 MiB room for a few blocks is left, and the last fills were of 32. */
static void
test_a_fill_is_halved_until_it_can_be_paid(void **state)
{
	unsigned class = sc_index(2048), slots = tcache_slots(class);
	unsigned page = sc_index(4096), fits;
	void *block;

	take_and_give(class, 200);
	tcache_slots_set(&cache, class, 0);
	take_and_give(sc_index(1024), 2000);
	fits = (unsigned)((5 << 20) - 5 * 2048 - cache.room) / 4096;
	tcache_slots_set(&cache, page, fits);
	take_and_give(page, fits - 32);
	assert_int_equal(limit(page), fits);
	tcache_slots_set(&cache, class, slots);
	block = take(class);
	assert_int_equal(count(class), 4 - 1);
	give(block);
}

static void
test_fewer_slots_give_their_loan_back(void **state)
{
	unsigned class = sc_index(4096), slots = tcache_slots(class);

	take_and_give(class, 1000);
	assert_true(cache.lent > 0);
	tcache_slots_set(&cache, class, 8);
	assert_int_equal(cache.lent, 0);
	tcache_slots_set(&cache, class, slots);
}

static void
test_room_goes_without_its_blocks(void **state)
{
	unsigned class = sc_index(1024);
	static void *blocks[900];

	take_and_give(class, 1000);
	for (unsigned i = 0; i < 900; i++)
		blocks[i] = take(class);
	assert_true(cache.lent > 0);
	tcache_shrink_room(&cache);
	assert_int_equal(cache.lent, 0);
	assert_int_equal(cache.room, tcache_bytes(&cache));
	assert_true(count(class) >= 100);
	for (unsigned i = 0; i < 900; i++)
		give(blocks[i]);
	assert_true(count(class) >= 1000);
}

static void
test_what_is_idle_goes(void **state)
{
	unsigned class = sc_index(64);
	size_t before;

	take_and_give(class, 1000);
	before = count(class);
	for (unsigned i = 0; i < 400; i++)
		tcache_gc(&cache);
	assert_true(before >= 1000);
	assert_true(count(class) <= 2);
	assert_true(cache.room <= 64 * TCACHE_NBINS);
}

/* A busy bin keeps what it needs and loses what it does not. */
static void
test_gc_leaves_what_is_in_use(void **state)
{
	unsigned class = sc_index(64);
	struct bin_stats before, after;
	struct lock_stats ignored;

	take_and_give(class, 1000);
	for (unsigned round = 0; round < 1000; round++) {
		if (round == 900)
			bin_stats_read(&cache.arena->bins[class], &before,
			    &ignored);
		take_and_give(class, 100);
		tcache_gc(&cache);
		tcache_check(&cache);
	}
	bin_stats_read(&cache.arena->bins[class], &after, &ignored);
	assert_in_range(count(class), 100, 260);
	assert_int_equal(after.nfills, before.nfills);
}

static void
test_large_blocks_are_cached(void **state)
{
	unsigned class = sc_index(256 << 10);
	void *a = take(class);

	give(a);
	assert_int_equal(count(class), 1);
	assert_ptr_equal(take(class), a);
	give(a);
	assert_int_equal(tcache_slots(class + 1), 0);
	assert_false(tcache_make_room(&cache, class + 1));
}

static void
test_requests_are_all_told(void **state)
{
	struct arena *arena = arena_get(0, true);
	unsigned class = sc_index(80);
	struct bin_stats before, after;
	struct lock_stats ignored;

	bin_stats_read(&arena->bins[class], &before, &ignored);
	for (unsigned i = 0; i < 777; i++)
		give(take(class));
	tcache_flush_all(&cache);
	bin_stats_read(&arena->bins[class], &after, &ignored);
	assert_int_equal(after.nrequests - before.nrequests, 777);
}

static void
test_rebinding_changes_the_domain(void **state)
{
	unsigned index, class = sc_index(32);
	void *a = take(class), *b;

	assert_int_equal(arena_create(&index), 0);
	give(a);
	tcache_rebind(&cache, arena_get(index, false));
	assert_int_equal(count(class), 0);
	b = take(class);
	assert_int_equal(pagemap_domain(pagemap_get(b)), index);
	assert_int_equal(pagemap_key(pagemap_get(b)), cache.key);
	give(b);
	tcache_rebind(&cache, arena_get(0, true));
}

/* No compare of the fast paths succeeds, so nothing const is written. */
static void
test_the_sentinel_is_empty_and_full(void **state)
{
	struct tcache *none = (struct tcache *)(uintptr_t)&tcache_none;

	for (unsigned i = 0; i < TCACHE_NBINS; i++) {
		assert_null(cache_bin_pop(&none->bins[i]));
		assert_false(cache_bin_push(&none->bins[i], none));
	}
	assert_true((none->key & ~(uint32_t)PM_KEY) != 0);
}

#define WITH_CACHE(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_the_last_freed_is_the_next_used),
		WITH_CACHE(test_fills_come_in_address_order),
		WITH_CACHE(test_a_batch_stays_in_the_cache),
		WITH_CACHE(test_a_batch_of_pages_stays_in_the_cache),
		WITH_CACHE(test_the_budget_bounds_the_whole),
		WITH_CACHE(test_many_caches_share_the_budget),
		WITH_CACHE(test_who_only_frees_keeps_few),
		WITH_CACHE(test_who_asks_for_what_it_frees_keeps_it),
		WITH_CACHE(test_who_no_longer_asks_keeps_few),
		WITH_CACHE(test_large_blocks_are_as_many_as_asked_for),
		WITH_CACHE(test_a_fill_is_halved_until_it_can_be_paid),
		WITH_CACHE(test_fewer_slots_give_their_loan_back),
		WITH_CACHE(test_room_goes_without_its_blocks),
		WITH_CACHE(test_what_is_idle_goes),
		WITH_CACHE(test_gc_leaves_what_is_in_use),
		WITH_CACHE(test_large_blocks_are_cached),
		WITH_CACHE(test_requests_are_all_told),
		WITH_CACHE(test_rebinding_changes_the_domain),
		cmocka_unit_test(test_the_sentinel_is_empty_and_full),
	};

	core_boot();
	tcache_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
