/*
 * arena_test.c - blocks straight from an arena: slabs, bins, large blocks,
 * samples, reset; against a reference of what is allocated.
 */
#include "core.h"

enum { NBLOCKS = 3000, NSTEPS = 60000 };

struct block {
	unsigned char *ptr;
	unsigned sizeclass;
	unsigned char fill;
};

static size_t
usable(const struct block *block)
{
	return sc_sizes[block->sizeclass];
}

static void
fill_ends(struct block *block)
{
	size_t n = usable(block) < 64 ? usable(block) : 64;

	memset(block->ptr, block->fill, n);
	memset(block->ptr + usable(block) - n, block->fill, n);
}

static void
check_ends(const struct block *block)
{
	size_t n = usable(block) < 64 ? usable(block) : 64;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(block->ptr[i], block->fill);
		assert_int_equal(block->ptr[usable(block) - 1 - i],
		    block->fill);
	}
}

static void
new_block(struct arena *arena, struct block *block)
{
	size_t size = (size_t)1 << core_below(19);
	size_t align = core_below(8) == 0 ? (size_t)16 << core_below(10) : 1;
	bool zeroed = false;

	size += core_below(size);
	block->sizeclass = sc_index_aligned(size, align);
	block->fill = (unsigned char)core_random();
	block->ptr = arena_alloc(arena, block->sizeclass, align, &zeroed);
	assert_non_null(block->ptr);
	assert_int_equal((uintptr_t)block->ptr % align, 0);
	if (zeroed)
		for (size_t i = 0; i < usable(block); i += 509)
			assert_int_equal(block->ptr[i], 0);
	fill_ends(block);
}

static void
free_block(struct block *block)
{
	check_ends(block);
	arena_free(block->ptr, pagemap_get(block->ptr));
	block->ptr = NULL;
}

static void
resize_block(struct block *block)
{
	unsigned to = block->sizeclass + (unsigned)core_below(9);

	if (block->sizeclass < SC_NSMALL)
		return;
	to = to < SC_NSMALL + 4 ? SC_NSMALL : to - 4;
	if (arena_resize_large(block->ptr, pagemap_get(block->ptr), to,
	    false) != 0)
		return;
	assert_int_equal(pagemap_sizeclass(pagemap_get(block->ptr)), to);
	block->sizeclass = to;
	fill_ends(block);
}

static int
by_address(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->ptr < y->ptr ? -1 : x->ptr > y->ptr;
}

/* No two blocks overlap, contents hold, the figures add up. */
static void
check_all(struct arena *arena, const struct block *blocks)
{
	static struct block sorted[NBLOCKS];
	static struct arena_stats stats;
	size_t n = 0, bytes = 0;

	for (size_t i = 0; i < NBLOCKS; i++) {
		if (blocks[i].ptr == NULL)
			continue;
		check_ends(&blocks[i]);
		bytes += usable(&blocks[i]);
		sorted[n++] = blocks[i];
	}
	qsort(sorted, n, sizeof *sorted, by_address);
	for (size_t i = 1; i < n; i++)
		assert_true(sorted[i - 1].ptr + usable(&sorted[i - 1]) <=
		    sorted[i].ptr);
	arena_check(arena);
	arena_stats_read(arena, &stats);
	assert_int_equal(stats.small_allocated + stats.large_allocated,
	    bytes);
	assert_true(stats.active >= bytes);
}

static void
run_model(struct arena *arena)
{
	static struct block blocks[NBLOCKS];

	memset(blocks, 0, sizeof blocks);
	for (unsigned step = 0; step < NSTEPS; step++) {
		struct block *block = &blocks[core_below(NBLOCKS)];

		if (block->ptr == NULL)
			new_block(arena, block);
		else if (core_below(4) == 0)
			resize_block(block);
		else
			free_block(block);
		if (step % 5000 == 0)
			check_all(arena, blocks);
		if (step % 7000 == 0)
			arena_purge(arena->index);
	}
	for (size_t i = 0; i < NBLOCKS; i++)
		if (blocks[i].ptr != NULL)
			free_block(&blocks[i]);
	check_all(arena, blocks);
	assert_int_equal(pages_active(&arena->pages), 0);
}

static void
test_model(void **state)
{
	run_model(arena_get(0, true));
}

static void
test_model_decay_at_once(void **state)
{
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, 0), 0);
	run_model(arena_get(index, false));
	assert_int_equal(ecache_bytes(&arena_get(index, false)->pages
	    .caches[EXTENT_DIRTY]), 0);
}

static void
test_model_muzzy(void **state)
{
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_MUZZY, -1), 0);
	run_model(arena_get(index, false));
}

static unsigned
fill(struct arena *arena, unsigned class, void **regions, unsigned n)
{
	return arena_small_fill(arena, arena_bin(arena, class, 0), regions, n,
	    0);
}

static void
test_fill_gives_distinct_regions_lowest_last(void **state)
{
	struct arena *arena = arena_get(0, true);
	void *regions[300];
	unsigned class = sc_index(48);

	assert_int_equal(fill(arena, class, regions, 300), 300);
	for (unsigned i = 0; i < 300; i++) {
		uint64_t entry = pagemap_get(regions[i]);

		assert_int_equal(pagemap_sizeclass(entry), class);
		assert_int_equal(pagemap_domain(entry), 0);
		if (i > 0 && pagemap_extent(entry) ==
		    pagemap_extent(pagemap_get(regions[i - 1])))
			assert_true(regions[i] < regions[i - 1]);
	}
	arena_flush(arena, class, regions, 300, 0);
	arena_check(arena);
	assert_int_equal(pages_active(&arena->pages), 0);
}

static void
test_flush_sends_each_block_home(void **state)
{
	struct arena *a = arena_get(0, true), *b = arena_get(1, true);
	void *mixed[128];
	unsigned class = sc_index(100);

	assert_non_null(b);
	fill(a, class, mixed, 64);
	fill(b, class, mixed + 64, 64);
	for (unsigned i = 0; i < 64; i += 2) {
		void *swap = mixed[i];

		mixed[i] = mixed[127 - i];
		mixed[127 - i] = swap;
	}
	arena_flush(b, class, mixed, 128, 0);
	assert_int_equal(pages_active(&a->pages), 0);
	assert_int_equal(pages_active(&b->pages), 0);
	arena_check(a);
	arena_check(b);
}

static void
test_small_flush_takes_any_arena(void **state)
{
	struct arena *arenas[2] = { arena_get(0, true), arena_get(1, true) };
	void *mixed[64];

	for (unsigned round = 0; round < 200; round++) {
		unsigned n = 1 + (unsigned)core_below(64);
		unsigned class = (unsigned)core_below(SC_NSMALL);

		for (unsigned i = 0; i < n; i++) {
			mixed[i] = arena_alloc(arenas[core_below(2)], class,
			    1, NULL);
			assert_non_null(mixed[i]);
		}
		arena_flush_small(class, mixed, n);
		assert_int_equal(pages_active(&arenas[0]->pages), 0);
		assert_int_equal(pages_active(&arenas[1]->pages), 0);
	}
	arena_check(arenas[0]);
	arena_check(arenas[1]);
}

static void
test_large_grows_and_shrinks_in_place(void **state)
{
	unsigned class = sc_index(64 << 10), bigger = sc_index(1 << 20);
	struct arena *arena;
	unsigned char *p;
	unsigned index;

	/* A new arena: what follows its first block is free. */
	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	p = arena_alloc(arena, class, 1, NULL);
	memset(p, 0xaa, 64 << 10);
	assert_int_equal(arena_resize_large(p, pagemap_get(p), bigger, true),
	    0);
	for (size_t i = 0; i < 1 << 20; i++)
		assert_int_equal(p[i], i < 64 << 10 ? 0xaa : 0);
	assert_int_equal(arena_resize_large(p, pagemap_get(p), class, false),
	    0);
	assert_int_equal(pages_active(&arena->pages), 64 << 10);
	arena_free(p, pagemap_get(p));
	arena_check(arena);
}

static void
test_huge_alignment(void **state)
{
	struct arena *arena = arena_get(0, true);

	for (size_t align = 1 << 20; align <= 1 << 30; align *= 4) {
		void *p = arena_alloc(arena, sc_index_aligned(5000, align),
		    align, NULL);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % align, 0);
		arena_free(p, pagemap_get(p));
	}
	arena_check(arena);
}

static void
test_impossible_size_is_null(void **state)
{
	assert_null(arena_alloc(arena_get(0, true), SC_COUNT - 1, 1, NULL));
	arena_check(arena_get(0, true));
}

static const struct bin *watched;
static unsigned nwatched;
static bool watched_agrees;

/* All slabs that there are are full when one more needs memory. */
static int
watch(enum os_memory_call call)
{
	if (call == OS_MAP) {
		nwatched++;
		watched_agrees = watched_agrees && watched->stats.curregs ==
		    watched->stats.curslabs *
		    sc_slabs[watched->sizeclass].nregs;
	}
	return 0;
}

/* A fork may come while no lock is held, and its child walks the bin. */
static void
test_counts_hold_while_a_slab_is_made(void **state)
{
	static void *regions[1000];
	unsigned class = sc_index(14336), index;
	struct arena *arena;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	watched = arena_bin(arena, class, 0);
	watched_agrees = true;
	os_fault = watch;
	assert_int_equal(fill(arena, class, regions, 1000), 1000);
	os_fault = NULL;
	assert_in_range(nwatched, 2, 100);
	assert_true(watched_agrees);
	arena_flush(arena, class, regions, 1000, 0);
}

/* Slabs that become empty serve again: no new address space is needed. */
static void
test_emptied_slabs_are_used_again(void **state)
{
	struct arena *arena = arena_get(2, true);
	static void *regions[1000];
	unsigned class = sc_index(4096);
	size_t mapped = 0;

	assert_non_null(arena);
	for (unsigned round = 0; round < 20; round++) {
		assert_int_equal(fill(arena, class, regions, 1000), 1000);
		arena_flush(arena, class, regions, 1000, 0);
		if (round == 0)
			mapped = arena->pages.address_space;
	}
	assert_int_equal(arena->pages.address_space, mapped);
	assert_in_range(ecache_bytes(&arena->pages.caches[EXTENT_DIRTY]),
	    1000 * 4096, 1100 * 4096);
}

static void
test_sample_bits_follow_the_blocks(void **state)
{
	struct arena *arena = arena_get(0, true);
	unsigned class = sc_index(200), large = sc_index(100000);
	void *p = arena_alloc(arena, class, 1, NULL), *record = NULL;
	void *q = arena_alloc(arena, class, 1, NULL);
	void *big = arena_alloc(arena, large, 1, NULL);
	uint64_t entry;
	int mark;

	assert_int_equal(arena_sample_reserve(p), 0);
	arena_sample_set(p, NULL);
	assert_true(arena_sample_test(p, pagemap_get(p), &record));
	assert_true((pagemap_get(q) & PM_SAMPLED) != 0);
	assert_false(arena_sample_test(q, pagemap_get(q), &record));
	assert_int_equal(arena_sample_reserve(q), 0);
	arena_sample_set(q, NULL);
	arena_sample_clear(p, pagemap_get(p));
	assert_false(arena_sample_test(p, pagemap_get(p), &record));
	assert_true(arena_sample_test(q, pagemap_get(q), &record));
	arena_sample_clear(q, pagemap_get(q));
	assert_true((pagemap_get(q) & PM_SAMPLED) == 0);
	assert_int_equal(arena_sample_reserve(big), 0);
	arena_sample_set(big, &mark);
	assert_true(arena_sample_test(big, pagemap_get(big), &record));
	assert_ptr_equal(record, &mark);
	entry = pagemap_get(big);
	assert_int_equal(arena_resize_large(big, entry, large + 1, false), 0);
	assert_true(arena_sample_test(big, pagemap_get(big), &record));
	assert_ptr_equal(record, &mark);
	arena_sample_clear(big, entry);		/* from before the resize */
	assert_int_equal(pagemap_sizeclass(pagemap_get(big)), large + 1);
	assert_false(arena_sample_test(big, pagemap_get(big), &record));
	arena_free(p, pagemap_get(p));
	arena_free(q, pagemap_get(q));
	arena_free(big, pagemap_get(big));
}

static void
test_slab_info_counts_what_is_used(void **state)
{
	struct arena *arena = arena_get(0, true);
	struct arena_slab slab;
	void *regions[3], *large;

	fill(arena, sc_index(512), regions, 3);
	assert_true(arena_slab_info(regions[1], &slab));
	assert_int_equal(slab.nregs, 8);
	assert_int_equal(slab.nregs_used, 3);
	assert_int_equal(slab.free_bytes, 5 * 512);
	arena_flush(arena, sc_index(512), regions, 3, 0);
	large = arena_alloc(arena, SC_NSMALL, 1, NULL);
	assert_false(arena_slab_info(large, &slab));
	arena_free(large, pagemap_get(large));
}

static unsigned ended;

static void
count_end(const void *ptr, void *record)
{
	ended++;
}

static void
test_reset_drops_blocks_and_their_samples(void **state)
{
	struct arena *arena;
	unsigned index, again;
	void *p;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	for (unsigned i = 0; i < 1000; i++) {
		p = arena_alloc(arena, i % 50, 1, NULL);
		assert_non_null(p);
		if (i % 10 != 0)
			continue;
		assert_int_equal(arena_sample_reserve(p), 0);
		arena_sample_set(p, &ended);
	}
	ended = 0;
	assert_int_equal(arena_destroy(index, count_end), 0);
	assert_int_equal(ended, 100);
	assert_int_equal(pages_active(&arena->pages), 0);
	assert_null(arena_get(index, false));
	arena_check(arena);
	assert_int_equal(arena_create(&again), 0);
	assert_int_equal(again, index);
	assert_int_equal(arena_reset(0, count_end), EFAULT);
}

static void
test_new_arena_has_the_defaults_again(void **state)
{
	unsigned index, again;

	assert_int_equal(arena_create(&index), 0);
	assert_int_equal(arena_decay_ms_set(index, EXTENT_DIRTY, 123), 0);
	assert_int_equal(pages_grow_limit_set(
	    &arena_get(index, false)->pages, 1 << 20), 0);
	assert_int_equal(arena_destroy(index, count_end), 0);
	assert_int_equal(arena_create(&again), 0);
	assert_int_equal(again, index);
	assert_int_equal(arena_decay_ms_get(index, EXTENT_DIRTY),
	    opt.dirty_decay_ms);
	assert_int_equal(pages_grow_limit(&arena_get(index, false)->pages),
	    SC_LARGE_MAX);
	assert_int_equal(arena_destroy(index, count_end), 0);
}

static void
test_threads_spread_over_arenas(void **state)
{
	struct arena *first = arena_choose(), *second = arena_choose();

	if (arenas_nauto > 1)
		assert_ptr_not_equal(first, second);
	arena_leave(second);
	assert_ptr_equal(arena_choose(), second);
	arena_leave(second);
	arena_leave(first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill_gives_distinct_regions_lowest_last),
		cmocka_unit_test(test_flush_sends_each_block_home),
		cmocka_unit_test(test_small_flush_takes_any_arena),
		cmocka_unit_test(test_large_grows_and_shrinks_in_place),
		cmocka_unit_test(test_huge_alignment),
		cmocka_unit_test(test_impossible_size_is_null),
		cmocka_unit_test(test_counts_hold_while_a_slab_is_made),
		cmocka_unit_test(test_emptied_slabs_are_used_again),
		cmocka_unit_test(test_sample_bits_follow_the_blocks),
		cmocka_unit_test(test_slab_info_counts_what_is_used),
		cmocka_unit_test(test_reset_drops_blocks_and_their_samples),
		cmocka_unit_test(test_new_arena_has_the_defaults_again),
		cmocka_unit_test(test_threads_spread_over_arenas),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_model_decay_at_once),
		cmocka_unit_test(test_model_muzzy),
	};

	opt.narenas = 4;
	core_boot();
	core_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
