/*
 * malloc_test.c - the public functions against a model of what is allocated:
 * contents, alignment, usable sizes, zeroes, in place or not, on one thread
 * and on several that hand blocks to each other; and the odd requests.
 */
#include "core.h"

#include <pthread.h>

#include "names.h"
#include "thread.h"

enum { NBLOCKS = 1500, NSTEPS = 40000, NTHREADS = 4 };

struct block {
	unsigned char *ptr;
	size_t size;			/* bytes that hold the pattern */
	uint64_t pattern;
};

/* One player: its own random sequence, its own blocks. */
struct player {
	uint64_t random;
	struct block blocks[NBLOCKS];
	struct mailbox *out, *in;
};

/* Blocks on their way from one thread to the next. */
struct mailbox {
	_Atomic(struct block *) slot;
};

static uint64_t
draw(struct player *player)
{
	uint64_t x = player->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static unsigned char
byte_at(const struct block *block, size_t i)
{
	return (unsigned char)(block->pattern >> (i % 8 * 8)) ^
	    (unsigned char)(i >> 3);
}

/* The first and last 64 bytes, and one in 61 of the rest. */
static size_t
next_index(size_t i, size_t size)
{
	return i < 64 || i + 64 >= size ? i + 1 : i + 61;
}

static void
write_pattern(struct block *block, uint64_t pattern)
{
	block->pattern = pattern;
	for (size_t i = 0; i < block->size; i = next_index(i, block->size))
		block->ptr[i] = byte_at(block, i);
}

/*
 * next_index depends on the size a block was written with, so a prefix of it
 * is checked by walking the indices of the whole.
 */
static void
check_pattern(const struct block *block, const unsigned char *bytes,
    size_t prefix)
{
	for (size_t i = 0; i < block->size; i = next_index(i, block->size))
		if (i < prefix && bytes[i] != byte_at(block, i))
			fail_msg("byte %zu of %zu at %p", i, block->size,
			    (void *)block->ptr);
}

static size_t
draw_size(struct player *player)
{
	size_t lg = draw(player) % 100;

	/* Mostly small, some medium, a few beyond every cache. */
	lg = lg < 70 ? lg % 10 : lg < 95 ? 10 + lg % 6 : 16 + lg % 5;
	return ((size_t)1 << lg) + draw(player) % ((size_t)1 << lg);
}

static void
check_new(const struct block *block, size_t align)
{
	assert_non_null(block->ptr);
	assert_int_equal((uintptr_t)block->ptr % align, 0);
	assert_true(malloc_usable_size(block->ptr) >= block->size);
	assert_int_equal(sallocx(block->ptr, 0),
	    malloc_usable_size(block->ptr));
}

static void
check_zero(const struct block *block)
{
	for (size_t i = 0; i < block->size; i++)
		if (block->ptr[i] != 0)
			fail_msg("byte %zu of %zu is not zero", i,
			    block->size);
}

static void
make_block(struct player *player, struct block *block)
{
	size_t align = (size_t)1 << (4 + draw(player) % 10);
	void *ptr = NULL;

	block->size = draw_size(player);
	switch (draw(player) % 6) {
	case 0:
		block->ptr = calloc(1, block->size);
		check_new(block, block->size < 16 ? 8 : 16);
		check_zero(block);
		break;
	case 1:
		assert_int_equal(posix_memalign(&ptr, align, block->size), 0);
		block->ptr = ptr;
		check_new(block, align);
		break;
	case 2:
		block->ptr = mallocx(block->size, MALLOCX_ALIGN(align) |
		    MALLOCX_ZERO);
		check_new(block, align);
		check_zero(block);
		assert_int_equal(malloc_usable_size(block->ptr),
		    nallocx(block->size, MALLOCX_ALIGN(align)));
		break;
	default:
		block->ptr = malloc(block->size);
		check_new(block, block->size < 16 ? 8 : 16);
		break;
	}
	write_pattern(block, draw(player));
}

static void
drop_block(struct player *player, struct block *block)
{
	check_pattern(block, block->ptr, block->size);
	switch (draw(player) % 3) {
	case 0:
		sdallocx(block->ptr, sallocx(block->ptr, 0), 0);
		break;
	case 1:
		dallocx(block->ptr, MALLOCX_TCACHE_NONE);
		break;
	default:
		free(block->ptr);
		break;
	}
	block->ptr = NULL;
}

static void
resize_block(struct player *player, struct block *block)
{
	size_t size = draw(player) % 2 != 0 ? draw_size(player) :
	    block->size + 1 + draw(player) % 100, usable;
	unsigned char *ptr;

	if (draw(player) % 3 == 0) {
		usable = xallocx(block->ptr, size, draw(player) % 5000, 0);
		assert_int_equal(usable, malloc_usable_size(block->ptr));
		size = usable < size ? usable : size;
		check_pattern(block, block->ptr, size);
	} else {
		ptr = realloc(block->ptr, size);
		check_pattern(block, ptr, size);
		block->ptr = ptr;
	}
	block->size = size;
	check_new(block, size < 16 ? 8 : 16);
	write_pattern(block, draw(player));
}

/* The block goes to the next thread, which gives one of another's back. */
static void
pass_block(struct player *player, struct block *block)
{
	struct block *letter = malloc(sizeof *letter), *other;

	assert_non_null(letter);
	*letter = *block;
	block->ptr = NULL;
	/* Release, acquire: what the other reads of the block is written. */
	other = atomic_exchange_explicit(&player->out->slot, letter,
	    memory_order_acq_rel);
	if (other != NULL) {
		drop_block(player, other);
		free(other);
	}
	other = atomic_exchange_explicit(&player->in->slot, NULL,
	    memory_order_acq_rel);
	if (other != NULL) {
		*block = *other;
		free(other);
	}
}

static void *
play(void *arg)
{
	struct player *player = arg;

	for (unsigned step = 0; step < NSTEPS; step++) {
		struct block *block = &player->blocks[draw(player) % NBLOCKS];

		if (block->ptr == NULL)
			make_block(player, block);
		else if (draw(player) % 5 == 0)
			resize_block(player, block);
		else if (player->out != NULL && draw(player) % 5 == 0)
			pass_block(player, block);
		else
			drop_block(player, block);
	}
	for (unsigned i = 0; i < NBLOCKS; i++)
		if (player->blocks[i].ptr != NULL)
			drop_block(player, &player->blocks[i]);
	return NULL;
}

static int
by_address(const void *a, const void *b)
{
	const struct block *x = a, *y = b;

	return x->ptr < y->ptr ? -1 : x->ptr > y->ptr;
}

static uint64_t
live_bytes(void)
{
	struct thread_totals totals;

	thread_totals(&totals);
	return totals.allocated - totals.deallocated;
}

static void
check_arenas(void)
{
	for (unsigned i = 0; i < arenas_count(); i++)
		if (arena_get(i, false) != NULL)
			arena_check(arena_get(i, false));
}

static void
test_no_two_blocks_overlap(void **state)
{
	static struct player player;
	uint64_t before = live_bytes(), sum = 0;

	player.random = core_random();
	for (unsigned i = 0; i < NBLOCKS; i++) {
		make_block(&player, &player.blocks[i]);
		sum += malloc_usable_size(player.blocks[i].ptr);
	}
	assert_int_equal(live_bytes() - before, sum);
	qsort(player.blocks, NBLOCKS, sizeof *player.blocks, by_address);
	for (unsigned i = 1; i < NBLOCKS; i++)
		assert_true(player.blocks[i - 1].ptr +
		    malloc_usable_size(player.blocks[i - 1].ptr) <=
		    player.blocks[i].ptr);
	for (unsigned i = 0; i < NBLOCKS; i++)
		drop_block(&player, &player.blocks[i]);
	assert_int_equal(live_bytes(), before);
}

static void
test_model_one_thread(void **state)
{
	static struct player player;
	uint64_t before = live_bytes();

	player.random = core_random();
	play(&player);
	assert_int_equal(live_bytes(), before);
	check_arenas();
}

static void
test_model_threads_that_pass_blocks(void **state)
{
	static struct player players[NTHREADS];
	static struct mailbox boxes[NTHREADS];
	pthread_t threads[NTHREADS];
	uint64_t before = live_bytes();

	for (unsigned i = 0; i < NTHREADS; i++) {
		players[i].random = core_random();
		players[i].out = &boxes[i];
		players[i].in = &boxes[(i + 1) % NTHREADS];
		assert_int_equal(pthread_create(&threads[i], NULL, play,
		    &players[i]), 0);
	}
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < NTHREADS; i++) {
		struct block *letter = atomic_load(&boxes[i].slot);

		if (letter != NULL) {
			drop_block(&players[0], letter);
			free(letter);
		}
	}
	assert_int_equal(live_bytes(), before);
	check_arenas();
}

static void
test_odd_requests(void **state)
{
	void *ptr = malloc(0);

	assert_non_null(ptr);
	free(ptr);
	free(NULL);
	ptr = realloc(NULL, 10);
	assert_non_null(ptr);
	assert_null(realloc(ptr, 0));
	assert_int_equal(malloc_usable_size(NULL), 0);
	ptr = calloc(0, 10);
	assert_non_null(ptr);
	free(ptr);
	ptr = aligned_alloc(64, 0);
	assert_int_equal((uintptr_t)ptr % 64, 0);
	free(ptr);
	ptr = valloc(1);
	assert_int_equal((uintptr_t)ptr % os_page, 0);
	free(ptr);
	ptr = pvalloc(1);
	assert_true(malloc_usable_size(ptr) >= os_page);
	free(ptr);
	ptr = memalign(1 << 20, 100);
	assert_int_equal((uintptr_t)ptr % (1 << 20), 0);
	free(ptr);
}

static void
test_impossible_requests(void **state)
{
	volatile size_t huge = (size_t)PTRDIFF_MAX + 1, half = SIZE_MAX / 2;
	void *ptr = &ptr, *keep = malloc(50000);

	errno = 0;
	assert_null(malloc(huge));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(calloc(half, 3));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(reallocarray(NULL, half, 3));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(realloc(keep, huge));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(aligned_alloc(24, 100));
	assert_int_equal(errno, EINVAL);
	errno = 7;
	assert_int_equal(posix_memalign(&ptr, 24, 100), EINVAL);
	assert_int_equal(posix_memalign(&ptr, 4, 100), EINVAL);
	assert_int_equal(posix_memalign(&ptr, 64, huge), ENOMEM);
	assert_ptr_equal(ptr, &ptr);
	assert_int_equal(errno, 7);
	assert_null(malloc(PTRDIFF_MAX));
	assert_int_equal(nallocx(huge, 0), 0);
	free(keep);
}

static void
test_free_keeps_errno(void **state)
{
	void *blocks[200];

	for (unsigned i = 0; i < 200; i++)
		blocks[i] = malloc(i * 2000);
	errno = 4711;
	for (unsigned i = 0; i < 200; i++)
		free(blocks[i]);
	assert_int_equal(errno, 4711);
}

static void
test_large_realloc_stays_where_it_can(void **state)
{
	unsigned char *ptr = malloc(1 << 20), *first = ptr;
	unsigned moved = 0;

	for (size_t size = 1 << 20; size < 30 << 20; size += size / 3) {
		memset(ptr, 1, size / 2);
		ptr = realloc(ptr, size);
		moved += ptr != first;
		first = ptr;
	}
	assert_in_range(moved, 0, 9);
	assert_ptr_equal(realloc(ptr, 1 << 20), ptr);
	free(ptr);
}

/* A block that was written, freed and taken again by calloc is zero. */
static void
test_large_calloc_of_used_pages_is_zero(void **state)
{
	for (size_t size = 4 << 20; size <= 32 << 20; size *= 2) {
		struct block block = { .size = size };

		block.ptr = malloc(size);
		memset(block.ptr, 0xee, size);
		free(block.ptr);
		block.ptr = calloc(size / 8, 8);
		check_zero(&block);
		free(block.ptr);
	}
}

/* What other threads cache comes back when they end. */
static void *
cache_some(void *arg)
{
	void *blocks[64];

	for (unsigned i = 0; i < 64; i++)
		blocks[i] = malloc(1000);
	for (unsigned i = 0; i < 64; i++)
		free(blocks[i]);
	return NULL;
}

static void
test_a_thread_takes_nothing_with_it(void **state)
{
	struct thread_totals before, after;
	pthread_t thread;

	thread_totals(&before);
	for (unsigned i = 0; i < 20; i++) {
		pthread_create(&thread, NULL, cache_some, NULL);
		pthread_join(thread, NULL);
	}
	thread_totals(&after);
	assert_int_equal(after.allocated - after.deallocated,
	    before.allocated - before.deallocated);
	assert_int_equal(after.tcache_bytes, before.tcache_bytes);
	assert_true(after.allocated >= before.allocated + 20 * 64 * 1024);
}

static int
refuse_maps(enum os_memory_call call)
{
	return call == OS_MAP ? -ENOMEM : 0;
}

/*
 * Before there is no memory there is what another automatic arena has. (Of
 * small blocks: memory_limit with percpu_arena.)
 */
static void
test_other_arenas_help_out(void **state)
{
	const size_t huge = (size_t)1 << 30;	/* more than others left */
	struct thread *thread = thread_get();
	unsigned home = thread->arena->index;
	void *large, *more;

	if (arenas_nauto < 2 || arena_cpus.count > 0)
		skip();
	assert_non_null(arena_get(1, true));
	assert_int_equal(arena_decay_ms_set(1, EXTENT_DIRTY, DECAY_NEVER),
	    0);
	assert_int_equal(thread_arena_set(thread, 1), 0);
	free(malloc(huge));
	assert_int_equal(thread_arena_set(thread, 0), 0);
	os_fault = refuse_maps;
	large = malloc(huge);
	more = malloc(huge);
	os_fault = NULL;
	assert_int_equal(thread_arena_set(thread, home), 0);
	assert_non_null(large);
	assert_null(more);
	free(large);
}

/* The process is at its limit till something is unmapped. */
static _Atomic bool room;

static int
at_the_limit(enum os_memory_call call)
{
	if (call == OS_UNMAP)
		room = true;
	return (call == OS_MAP || call == OS_BREAK) && !room ? -ENOMEM : 0;
}

static void *
malloc_at_the_limit(size_t size)
{
	void *ptr;

	room = false;
	os_fault = at_the_limit;
	ptr = malloc(size);
	os_fault = NULL;
	return ptr;
}

/* Bytes unused in a manual arena, where the thread takes none. */
static struct pages *
leave_unused(size_t size, bool retained, unsigned *index)
{
	struct pages *pages;

	assert_int_equal(arena_create(index), 0);
	pages = &arena_get(*index, false)->pages;
	pages_decay_ms_set(pages, EXTENT_DIRTY, DECAY_NEVER, 0);
	dallocx(mallocx(size, MALLOCX_ARENA(*index) | MALLOCX_TCACHE_NONE),
	    MALLOCX_TCACHE_NONE);
	if (retained)
		pages_purge(pages);
	return pages;
}

/* Of an arena that is destroyed as well. */
static void
test_what_is_unused_elsewhere_is_unmapped(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		const size_t huge = (size_t)(2 + i) << 30;
		unsigned index;
		struct pages *pages = leave_unused(huge, i > 0, &index);
		void *ptr;

		if (i == 2)
			assert_int_equal(arena_destroy(index, NULL), 0);
		ptr = malloc_at_the_limit(huge);
		assert_non_null(ptr);
		assert_int_equal(pages->address_space, 0);
		pages_check(pages);
		free(ptr);
	}
}

static void
test_who_asks_for_too_much_unmaps_nothing(void **state)
{
	unsigned index;
	struct pages *pages = leave_unused(1 << 20, false, &index);
	size_t space = pages->address_space;

	assert_null(malloc_at_the_limit((size_t)1 << 60));
	assert_int_equal(pages->address_space, space);
	assert_true(ecache_bytes(&pages->caches[EXTENT_DIRTY]) >= 1 << 20);
}

/* The furthest that a round of gc was ahead while bytes were allocated. */
static uint64_t
furthest_gc(size_t size, size_t bytes)
{
	struct thread *thread = thread_get();
	uint64_t most = 0, ahead;

	for (size_t i = 0; i < bytes / size; i++) {
		free(malloc(size));
		ahead = thread->gc_at - thread_allocated(thread);
		most = ahead > most ? ahead : most;
	}
	return most;
}

static void
test_rounds_of_gc_are_calls_apart(void **state)
{
	size_t least = opt.tcache_gc_incr_bytes;

	(void)state;
	furthest_gc(64, 16 * least);		/* what other tests have left */
	assert_in_range(furthest_gc(64, 4 * least), least / 2, least);
	assert_in_range(furthest_gc(16 << 10, 16 * least), 3 * least,
	    4 * least);
	assert_in_range(furthest_gc(256 << 10, 32 * least), 7 * least,
	    8 * least);
	furthest_gc(64, 8 * least);
	assert_in_range(furthest_gc(64, 4 * least), least / 2, least);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd_requests),
		cmocka_unit_test(test_impossible_requests),
		cmocka_unit_test(test_free_keeps_errno),
		cmocka_unit_test(test_no_two_blocks_overlap),
		cmocka_unit_test(test_large_realloc_stays_where_it_can),
		cmocka_unit_test(test_large_calloc_of_used_pages_is_zero),
		cmocka_unit_test(test_a_thread_takes_nothing_with_it),
		cmocka_unit_test(test_other_arenas_help_out),
		cmocka_unit_test(test_what_is_unused_elsewhere_is_unmapped),
		cmocka_unit_test(test_who_asks_for_too_much_unmaps_nothing),
		cmocka_unit_test(test_rounds_of_gc_are_calls_apart),
		cmocka_unit_test(test_model_one_thread),
		cmocka_unit_test(test_model_threads_that_pass_blocks),
	};

	core_seed();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
