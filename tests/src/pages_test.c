/*
 * pages_test.c - where an arena's pages come from: the steps of growth, what
 * the kernel is told about huge pages; and where those of a retired one go.
 */
#include "core.h"

#include <pthread.h>
#include <unistd.h>

#include "dss.h"
#include "pages.h"
#include "pages_hooks.h"
#include "pages_map.h"
#include "smaps.h"
#include "supply.h"

enum { ARENA = 78, SIZE = 64 << 10, CLASS = 0 };

/* An arena's supply that no other test uses. */
static struct pages *
fresh(void)
{
	struct pages *pages = base_alloc(&base_meta, sizeof *pages, CACHELINE);

	assert_non_null(pages);
	pages_init(pages, ARENA, true);
	return pages;
}

static size_t
space_of(const struct pages *pages)
{
	return atomic_load(&pages->address_space);
}

/* What is mapped for the first serves the others. */
static void
test_slabs_come_several_at_once(void **state)
{
	struct pages *pages = fresh();
	struct list out = LIST_INITIALIZER(out), *node;
	size_t size = sc_slabs[CLASS].slab_size;

	assert_int_equal(pages_alloc_slabs(pages, CLASS, 8, &out), 1);
	assert_int_equal(pages_alloc_slabs(pages, CLASS, 8, &out), 8);
	list_for_each(node, &out) {
		struct extent *slab = list_entry(node, struct extent, link);

		assert_int_equal(extent_state(slab), EXTENT_ACTIVE);
		assert_int_equal(slab->size, size);
	}
	assert_int_equal(pages_active(pages), 9 * size);
	pages_check(pages);
}

/* One run, and another beside a slab that stays: two turns of the lock. */
static void
test_what_adjoins_is_freed_in_one_piece(void **state)
{
	struct pages *pages = fresh();
	struct ecache *dirty = &pages->caches[EXTENT_DIRTY];
	struct list out = LIST_INITIALIZER(out);
	size_t size = sc_slabs[CLASS].slab_size;
	struct extent *stays;
	uint64_t turns;

	assert_int_equal(pages_alloc_slabs(pages, CLASS, 1, &out), 1);
	assert_int_equal(pages_alloc_slabs(pages, CLASS, 8, &out), 8);
	stays = list_entry(out.next->next->next, struct extent, link);
	list_remove(&stays->link);
	turns = dirty->lock.stats.num_ops;
	pages_free_list(pages, &out);
	assert_true(list_empty(&out));
	assert_int_equal(dirty->lock.stats.num_ops - turns, 2);
	assert_int_equal(ecache_bytes(dirty), 8 * size);
	assert_int_equal(pages_active(pages), size);
	pages_check(pages);
	pages_free(pages, stays);
	pages_check(pages);
	assert_non_null(ecache_take(dirty, 9 * size, os_page, 6));
}

static void
test_growth_steps_get_longer(void **state)
{
	struct pages *pages = fresh();
	size_t before = 0, longest = 0;

	for (unsigned i = 0; i < 400; i++) {
		struct extent *extent = pages_alloc(pages, SIZE, os_page);
		size_t step = space_of(pages) - before;

		assert_non_null(extent);
		assert_int_equal((uintptr_t)extent->addr % os_page, 0);
		if (step > longest)
			longest = step;
		before = space_of(pages);
	}
	assert_true(longest >= 4 << 20);
	pages_check(pages);
}

static void
test_growth_keeps_to_its_limit(void **state)
{
	struct pages *pages = fresh();
	size_t limit = 2 * SIZE, before = 0;

	assert_int_equal(pages_grow_limit_set(pages, limit + 1), 0);
	assert_int_equal(pages_grow_limit(pages), limit);
	for (unsigned i = 0; i < 400; i++) {
		assert_non_null(pages_alloc(pages, SIZE, os_page));
		assert_true(space_of(pages) - before <= limit);
		before = space_of(pages);
	}
	/* Every mapping was used up: the limit is no loss of memory. */
	assert_int_equal(space_of(pages), 400 * SIZE);
	assert_non_null(pages_alloc(pages, 4 * limit, os_page));
	assert_int_equal(space_of(pages) - before, 4 * limit);
	pages_check(pages);
}

static void
test_limits_that_are_none(void **state)
{
	struct pages *pages = fresh();

	assert_int_equal(pages_grow_limit(pages), SC_LARGE_MAX);
	assert_int_equal(pages_grow_limit_set(pages, os_page - 1), EINVAL);
	assert_int_equal(pages_grow_limit_set(pages, SIZE_MAX), EINVAL);
	assert_int_equal(pages_grow_limit_set(pages, SIZE_MAX / 2 + 1), 0);
	assert_int_equal(pages_grow_limit(pages), SC_LARGE_MAX);
}

static void
test_small_mappings_do_not_scatter_large_ones(void **state)
{
	struct pages *pages = fresh();

	assert_int_equal(pages_grow_limit_set(pages, SIZE), 0);
	for (unsigned i = 0; i < 8; i++) {
		struct extent *extent = pages_alloc(pages, 4 << 20, os_page);

		assert_non_null(extent);
		assert_int_equal((uintptr_t)extent->addr % (2 << 20), 0);
		assert_non_null(pages_alloc(pages, SIZE, os_page));
	}
}

static void
test_thp_is_told_to_the_kernel(void **state)
{
	static const struct {
		enum option_thp thp;
		bool always, never;
	} cases[] = {
		{ THP_DEFAULT, false, false },
		{ THP_ALWAYS, true, false },
		{ THP_NEVER, false, true },
	};

	if (os_thp_mode() == OS_THP_NONE)
		skip();
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct pages *pages = fresh();
		struct extent *extent;

		opt.thp = cases[i].thp;
		extent = pages_alloc(pages, 4 << 20, os_page);
		assert_non_null(extent);
		memset(extent->addr, 1, extent->size);
		assert_int_equal(smaps_flag(extent->addr, "hg"),
		    cases[i].always);
		assert_int_equal(smaps_flag(extent->addr, "nh"),
		    cases[i].never);
	}
	opt.thp = THP_DEFAULT;
}

/* 8 GiB in all; the table has a leaf for each GiB. */
static void
test_what_is_unmapped_is_mapped_again(void **state)
{
	struct pages *pages = fresh();
	size_t before = 0;

	opt.retain = false;
	for (unsigned i = 0; i < 128; i++) {
		struct extent *extent = pages_alloc(pages, 64 << 20, os_page);

		assert_non_null(extent);
		if (i == 0)
			before = pagemap_bytes();
		pages_free(pages, extent);
		pages_purge(pages);
		assert_int_equal(space_of(pages), 0);
	}
	opt.retain = true;
	assert_true(pagemap_bytes() - before <= 2 * sizeof(pagemap_leaf));
	pages_check(pages);
}

/* --- the window ----------------------------------------------------------- */

static int
no_mappings(enum os_memory_call call)
{
	return call == OS_MAP ? -ENOMEM : 0;
}

enum { PIECE = 4 << 20 };

static char *
map_piece(size_t size, size_t align)
{
	struct pages_source source = { true, DSS_DISABLED };
	struct dss_gap gap;

	return pages_map(&source, size, align, &gap);
}

/* Where the next mapping is to be; NULL: there is no window here. */
static char *
window_place(void)
{
	char *addr = map_piece(PIECE, os_page);

	assert_non_null(addr);
	return (uintptr_t)addr >> 44 < 1 || (uintptr_t)addr >> 44 > 4 ? NULL :
	    addr + PIECE;
}

static void
test_what_is_refused_does_not_move_the_window(void **state)
{
	struct pages_source source = { true, DSS_DISABLED };
	char *next = window_place();

	if (next == NULL)
		skip();
	assert_null(map_piece((size_t)1 << 62, os_page));
	assert_null(map_piece(PIECE, (size_t)1 << 62));
	os_fault = no_mappings;
	assert_null(map_piece(PIECE, os_page));
	assert_null(map_piece(PIECE, (size_t)1 << 40));
	assert_null(pages_map_next(&source, next, PIECE));
	os_fault = NULL;
	assert_ptr_equal(pages_map_next(&source, next, PIECE), next);
	assert_ptr_equal(map_piece(PIECE, os_page), next + PIECE);
}

/* 64 TiB: the kernel may have them, the window has not. */
static void
test_what_the_window_has_no_room_for_lies_elsewhere(void **state)
{
	const size_t much = (size_t)64 << 40;
	char *next = window_place(), *addr;

	if (next == NULL)
		skip();
	addr = map_piece(much, os_page);
	if (addr != NULL) {
		assert_true(addr + much <= next || addr > next);
		assert_int_equal((uintptr_t)addr >> 47, 0);
		os_unmap(addr, much);
	}
	assert_ptr_equal(map_piece(PIECE, os_page), next);
}

/* --- sbrk ----------------------------------------------------------------- */

static bool
in_data_segment(const void *addr)
{
	return dss_contains(addr) && (char *)addr < (char *)sbrk(0);
}

static struct extent *
new_dss_extent(struct pages *pages, size_t size)
{
	struct extent *extent = pages_alloc(pages, size, os_page);

	assert_non_null(extent);
	assert_true(in_data_segment(extent->addr));
	assert_true(extent->zeroed);
	for (size_t i = 0; i < extent->size; i += 509)
		assert_int_equal(extent->addr[i], 0);
	memset(extent->addr, 1, extent->size);
	return extent;
}

/* The program's own use of sbrk and ours lie side by side. */
static void
test_primary_dss_shares_the_break(void **state)
{
	struct pages *pages = fresh();
	struct extent *extents[40];
	char *mine[40];

	pages_dss_set(pages, DSS_PRIMARY);
	for (unsigned i = 0; i < 40; i++) {
		mine[i] = sbrk(1000);
		assert_ptr_not_equal(mine[i], (void *)-1);
		memset(mine[i], 2, 1000);
		extents[i] = new_dss_extent(pages, 1 << 20);
	}
	for (unsigned i = 0; i < 40; i++)
		for (unsigned j = 0; j < 1000; j++)
			assert_int_equal(mine[i][j], 2);
	for (unsigned i = 0; i < 40; i++)
		for (size_t j = 0; j < extents[i]->size; j++)
			assert_int_equal(extents[i]->addr[j], 1);
	pages_check(pages);
}

/* What alignment leaves over serves smaller requests. */
static void
test_dss_gaps_are_used(void **state)
{
	struct pages *pages = fresh();
	struct extent *large, *small;
	char *before;

	pages_dss_set(pages, DSS_PRIMARY);
	assert_ptr_not_equal(sbrk(3 * 4096 + 1), (void *)-1);
	before = sbrk(0);
	large = pages_alloc(pages, 4 << 20, 4 << 20);
	assert_int_equal((uintptr_t)large->addr % (4 << 20), 0);
	if (large->addr - before < 64 << 10)
		skip();		/* the break happened to lie right before */
	small = pages_alloc(pages, os_page, os_page);
	assert_true(small->addr >= before && small->addr < large->addr);
	pages_check(pages);
}

/* Even where what is purged is to be unmapped. */
static void
test_dss_is_purged_and_stays(void **state)
{
	struct pages *pages = fresh();
	struct extent *extent;
	char *addr;

	pages_dss_set(pages, DSS_PRIMARY);
	opt.retain = false;
	extent = new_dss_extent(pages, 8 << 20);
	addr = extent->addr;
	pages_free(pages, extent);
	pages_purge(pages);
	pages_check(pages);
	for (size_t i = 0; i < 8 << 20; i += 4096)
		assert_int_equal(addr[i], 0);	/* no fault */
	extent = pages_alloc(pages, 8 << 20, os_page);
	assert_ptr_equal(extent->addr, addr);
	opt.retain = true;
}

static void
test_secondary_dss_steps_in_for_mmap(void **state)
{
	struct pages *pages = fresh();
	struct extent *extent;

	assert_int_equal(pages_dss(pages), DSS_SECONDARY);
	/* Structs and leaves are metadata: there before mmap fails. */
	pages_dss_set(pages, DSS_PRIMARY);
	extent = new_dss_extent(pages, os_page);
	assert_int_equal(pagemap_reserve(extent->addr, 128 << 20), 0);
	pages_dss_set(pages, DSS_SECONDARY);
	extent = pages_alloc(pages, 64 << 20, os_page);
	assert_non_null(extent);
	assert_false(dss_contains(extent->addr));
	os_fault = no_mappings;
	extent = pages_alloc(pages, 32 << 20, os_page);
	if (extent != NULL)
		extent = pages_alloc(pages, 32 << 20, os_page);
	os_fault = NULL;
	assert_non_null(extent);
	assert_true(in_data_segment(extent->addr));
	pages_dss_set(pages, DSS_DISABLED);
	os_fault = no_mappings;
	extent = pages_alloc(pages, 512 << 20, os_page);
	os_fault = NULL;
	assert_null(extent);
}

/* Pages of one kind that adjoin those of the other are never joined. */
static void
test_fixed_pages_join_only_their_like(void **state)
{
	struct pages *pages = fresh();
	struct extent *all = pages_alloc(pages, 8 * os_page, os_page);
	struct extent *tail = extent_split(&pages->store, all, 4 * os_page);

	extent_set_state(tail, EXTENT_ACTIVE);
	tail->fixed = true;
	pages_free(pages, all);
	pages_free(pages, tail);
	pages_check(pages);
	assert_null(ecache_take(&pages->caches[EXTENT_DIRTY], 8 * os_page,
	    os_page, ECACHE_ANY_FIT));
}

enum { NBLOCKS = 256 };		/* 16 MiB of SIZE each */

static void
fill(struct pages *pages, struct extent **extents, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		extents[i] = pages_alloc(pages, SIZE, os_page);
		assert_non_null(extents[i]);
		memset(extents[i]->addr, 1, SIZE);
	}
}

/* What stays before time passes is less than a stride, and in the end 0. */
static void
test_retired_pages_go_in_strides(void **state)
{
	static const ssize_t times[][2] = { { 10000, 0 }, { -1, -1 },
	    { 10000, 10000 }, { 0, 0 } };
	struct extent *extents[NBLOCKS];
	struct pages_released released;
	char *addrs[NBLOCKS];

	for (size_t k = 0; k < ARRAY_LEN(times); k++) {
		struct pages *pages = supply_fresh(times[k][0], times[k][1]);
		size_t left = 0;

		fill(pages, extents, NBLOCKS);
		pages_retire(pages, true);
		for (unsigned i = 0; i < NBLOCKS; i++)
			addrs[i] = extents[i]->addr;
		for (unsigned i = 1; i < NBLOCKS; i++) {
			pages_free(pages, extents[i]);
			assert_true(ecache_bytes(&pages->caches[
			    EXTENT_DIRTY]) < (2 << 20));
		}
		for (unsigned i = 1; i < NBLOCKS; i++)
			left += supply_resident(addrs[i], SIZE);
		assert_true(left < 1 << 20);
		assert_int_equal(supply_resident(addrs[0], SIZE), SIZE);
		pages_released_get(pages, &released);
		assert_int_equal(released.releases, 0);
		assert_int_equal(released.bytes,
		    (NBLOCKS - 1) * SIZE - left);
		/* Few system calls: not one for each that was freed. */
		if (times[k][0] != 0)
			assert_in_range(atomic_load(&pages->decays[0].npurge),
			    8, 16);
		pages_free(pages, extents[0]);
		assert_int_equal(supply_resident(addrs[0], SIZE), 0);
		pages_released_get(pages, &released);
		assert_int_equal(released.releases, 1);
		assert_int_equal(released.bytes, NBLOCKS * SIZE);
		pages_check(pages);
	}
}

/* Runs of SIZE / 4 that adjoin: frees each other one, beginning with first. */
static void
free_each_other(struct pages *pages, struct extent **extents, unsigned first)
{
	for (unsigned i = first; i < 4 * NBLOCKS; i += 2)
		pages_free(pages, extents[i]);
}

static void
fill_small(struct pages *pages, struct extent **extents)
{
	for (unsigned i = 0; i < 4 * NBLOCKS; i++) {
		extents[i] = pages_alloc(pages, SIZE / 4, os_page);
		assert_non_null(extents[i]);
		memset(extents[i]->addr, 1, SIZE / 4);
	}
}

static size_t
dirty_of(const struct pages *pages)
{
	return ecache_bytes(&pages->caches[EXTENT_DIRTY]);
}

static void
test_a_stride_waits_for_small_runs_to_be_joined(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	struct extent *extents[4 * NBLOCKS];
	const struct decay *decay = &pages->decays[EXTENT_DIRTY];

	fill_small(pages, extents);
	pages_retire(pages, true);
	free_each_other(pages, extents, 1);
	assert_int_equal(dirty_of(pages), NBLOCKS * SIZE / 2);
	assert_int_equal(atomic_load(&decay->nmadvise), 0);
	free_each_other(pages, extents, 2);
	assert_true(dirty_of(pages) < 3 << 20);
	assert_in_range(atomic_load(&decay->nmadvise), 1, NBLOCKS / 4);
	pages_free(pages, extents[0]);
	assert_int_equal(dirty_of(pages), 0);
	pages_check(pages);
}

static void
test_small_runs_that_are_not_joined_go_soon(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	struct extent *extents[4 * NBLOCKS];
	struct extent *large = pages_alloc(pages, 2 << 20, os_page);

	assert_non_null(large);
	fill_small(pages, extents);
	pages_retire(pages, true);
	free_each_other(pages, extents, 1);
	assert_int_equal(dirty_of(pages), NBLOCKS * SIZE / 2);
	pages_tick(pages, os_now_ns() + 1000000);
	pages_tick(pages, os_now_ns() + 300 * 1000000);
	assert_int_equal(dirty_of(pages), 0);
	/* Now they hold no stride back. */
	pages_free(pages, large);
	assert_int_equal(dirty_of(pages), 0);
	pages_check(pages);
}

static void
test_what_is_less_than_a_stride_goes_soon(void **state)
{
	struct pages *pages = supply_fresh(-1, -1);
	struct extent *extents[8];
	char *addr;

	fill(pages, extents, 8);
	pages_retire(pages, true);
	addr = extents[0]->addr;
	pages_free(pages, extents[0]);
	assert_int_equal(supply_resident(addr, SIZE), SIZE);
	assert_true(pages_deadline(pages) < UINT64_MAX);
	/* Two looks: the first takes in what was freed since the last. */
	pages_tick(pages, os_now_ns() + 1000000);
	pages_tick(pages, os_now_ns() + 300 * 1000000);
	assert_int_equal(supply_resident(addr, SIZE), 0);
}

/* Who follows looks later. What is never to decay is as well left to it. */
static void
test_what_is_followed_stays_till_then(void **state)
{
	struct pages *pages = supply_fresh(-1, 0);
	struct extent *extents[NBLOCKS];

	fill(pages, extents, NBLOCKS);
	atomic_store(&pages_followed, true);
	pages_free(pages, extents[NBLOCKS - 1]);
	pages_retire(pages, true);
	assert_int_equal(dirty_of(pages), 0);
	assert_true(pages_torn_down(pages));
	for (unsigned i = 1; i < NBLOCKS - 1; i++)
		pages_free(pages, extents[i]);
	pages_tick(pages, os_now_ns() + 1000000);
	pages_tick(pages, os_now_ns() + 300 * 1000000);
	assert_int_equal(dirty_of(pages), (NBLOCKS - 2) * SIZE);
	assert_true(pages_deadline(pages) == UINT64_MAX);
	assert_true(pages_torn_down(pages));
	assert_false(pages_torn_down(pages));
	/* A release never waits. */
	pages_free(pages, extents[0]);
	assert_int_equal(dirty_of(pages), 0);
	atomic_store(&pages_followed, false);
	pages_check(pages);
}

static void
test_who_frees_sees_to_it_once_nobody_follows(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	struct extent *extents[NBLOCKS];

	fill(pages, extents, NBLOCKS);
	atomic_store(&pages_followed, true);
	pages_retire(pages, true);
	for (unsigned i = 2; i < NBLOCKS; i++)
		pages_free(pages, extents[i]);
	assert_int_equal(dirty_of(pages), (NBLOCKS - 2) * SIZE);
	atomic_store(&pages_followed, false);
	pages_free(pages, extents[1]);
	assert_int_equal(dirty_of(pages), 0);
	pages_free(pages, extents[0]);
	pages_check(pages);
}

static void
test_retiring_purges_what_is_unused(void **state)
{
	struct pages *pages = supply_fresh(-1, -1);
	struct pages_released released;
	struct extent *extents[NBLOCKS];
	char *addr;

	fill(pages, extents, NBLOCKS);
	addr = extents[0]->addr;
	for (unsigned i = 0; i < NBLOCKS; i++)
		pages_free(pages, extents[i]);
	assert_int_equal(supply_resident(addr, SIZE), SIZE);
	for (unsigned i = 0; i < 2; i++) {	/* the second says nothing */
		pages_retire(pages, true);
		assert_int_equal(supply_resident(addr, SIZE), 0);
		pages_released_get(pages, &released);
		assert_int_equal(released.releases, 1);
		assert_int_equal(released.bytes, NBLOCKS * SIZE);
	}
}

static void
test_a_current_arena_has_its_own_times(void **state)
{
	struct pages *pages = supply_fresh(5000, 7000);
	struct extent *extents[NBLOCKS];
	char *addr;

	pages_retire(pages, true);
	assert_int_equal(pages_decay_ms_get(pages, EXTENT_DIRTY), 5000);
	assert_int_equal(pages_decay_ms_get(pages, EXTENT_MUZZY), 7000);
	pages_decay_ms_set(pages, EXTENT_DIRTY, -1, 0);
	assert_int_equal(pages_decay_ms_get(pages, EXTENT_DIRTY), -1);
	assert_true(decay_ms(&pages->decays[EXTENT_DIRTY]) > 0);
	pages_retire(pages, false);
	assert_int_equal(decay_ms(&pages->decays[EXTENT_DIRTY]), -1);
	assert_int_equal(decay_ms(&pages->decays[EXTENT_MUZZY]), 7000);
	fill(pages, extents, NBLOCKS);
	addr = extents[0]->addr;
	for (unsigned i = 0; i < NBLOCKS; i++)
		pages_free(pages, extents[i]);
	assert_int_equal(supply_resident(addr, SIZE), SIZE);
}

static size_t hook_purged;

static bool
count_forced(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	hook_purged += length;
	return pages_hooks_own.purge_forced(hooks, addr, size, offset, length,
	    arena);
}

static void
test_retired_pages_go_by_the_hooks(void **state)
{
	static extent_hooks_t hooks;
	struct pages *pages = supply_fresh(-1, -1);
	struct extent *extents[NBLOCKS];
	char *addrs[NBLOCKS];
	struct pages_released released;

	hooks = pages_hooks_own;
	hooks.dalloc = NULL;
	hooks.decommit = NULL;
	hooks.purge_forced = count_forced;
	fill(pages, extents, NBLOCKS);
	pages_hooks_set(pages, &hooks);
	pages_retire(pages, true);
	for (unsigned i = 0; i < NBLOCKS; i++)
		addrs[i] = extents[i]->addr;
	for (unsigned i = 0; i < NBLOCKS; i++)
		pages_free(pages, extents[i]);
	assert_int_equal(hook_purged, NBLOCKS * SIZE);
	for (unsigned i = 0; i < NBLOCKS; i++)
		assert_int_equal(supply_resident(addrs[i], SIZE), 0);
	pages_released_get(pages, &released);
	assert_int_equal(released.releases, 1);
	assert_int_equal(released.bytes, 0);	/* the hooks' affair */
}

struct crowd {
	struct pages *pages;
	pthread_barrier_t *start;
	struct extent **extents;
	unsigned n;
};

static void *
free_all(void *arg)
{
	struct crowd *crowd = arg;

	pthread_barrier_wait(crowd->start);
	for (unsigned i = 0; i < crowd->n; i++)
		pages_free(crowd->pages, crowd->extents[i]);
	return NULL;
}

/* Whoever comes first: one release, and every page once. */
static void
test_the_last_of_several_purges_all(void **state)
{
	enum { THREADS = 4, EACH = 8, ROUNDS = 500 };
	struct pages *pages = supply_fresh(-1, -1);
	struct extent *extents[THREADS * EACH];
	struct crowd crowds[THREADS];
	struct pages_released released;
	pthread_t threads[THREADS];
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, THREADS + 1);
	for (unsigned round = 1; round <= ROUNDS; round++) {
		pages_retire(pages, false);
		fill(pages, extents, THREADS * EACH);
		for (unsigned i = 0; i < THREADS; i++) {
			crowds[i] = (struct crowd){ pages, &start,
			    extents + i * EACH, EACH };
			assert_int_equal(pthread_create(&threads[i], NULL,
			    free_all, &crowds[i]), 0);
		}
		pthread_barrier_wait(&start);
		pages_retire(pages, true);
		for (unsigned i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
		pages_released_get(pages, &released);
		assert_int_equal(released.releases, round);
		assert_int_equal(released.bytes,
		    (uint64_t)round * THREADS * EACH * SIZE);
		assert_int_equal(ecache_bytes(&pages->caches[EXTENT_DIRTY]),
		    0);
	}
	pages_check(pages);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slabs_come_several_at_once),
		cmocka_unit_test(test_what_adjoins_is_freed_in_one_piece),
		cmocka_unit_test(test_growth_steps_get_longer),
		cmocka_unit_test(test_growth_keeps_to_its_limit),
		cmocka_unit_test(test_limits_that_are_none),
		cmocka_unit_test(test_small_mappings_do_not_scatter_large_ones),
		cmocka_unit_test(test_thp_is_told_to_the_kernel),
		cmocka_unit_test(
		    test_what_is_refused_does_not_move_the_window),
		cmocka_unit_test(
		    test_what_the_window_has_no_room_for_lies_elsewhere),
		cmocka_unit_test(test_what_is_unmapped_is_mapped_again),
		cmocka_unit_test(test_primary_dss_shares_the_break),
		cmocka_unit_test(test_dss_gaps_are_used),
		cmocka_unit_test(test_dss_is_purged_and_stays),
		cmocka_unit_test(test_secondary_dss_steps_in_for_mmap),
		cmocka_unit_test(test_fixed_pages_join_only_their_like),
		cmocka_unit_test(test_retired_pages_go_in_strides),
		cmocka_unit_test(
		    test_a_stride_waits_for_small_runs_to_be_joined),
		cmocka_unit_test(test_small_runs_that_are_not_joined_go_soon),
		cmocka_unit_test(test_what_is_less_than_a_stride_goes_soon),
		cmocka_unit_test(test_what_is_followed_stays_till_then),
		cmocka_unit_test(test_who_frees_sees_to_it_once_nobody_follows),
		cmocka_unit_test(test_retiring_purges_what_is_unused),
		cmocka_unit_test(test_a_current_arena_has_its_own_times),
		cmocka_unit_test(test_retired_pages_go_by_the_hooks),
		cmocka_unit_test(test_the_last_of_several_purges_all),
	};

	core_boot();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
