/*
 * public_test.c - the public functions: what libc's and jemalloc's manuals
 * promise of each. malloc_test.c is the randomized model over all of them.
 *
 * The library is built with st_ names, so cmocka keeps glibc's malloc.
 */
#include "core.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "boot.h"
#include "names.h"
#include "thread.h"

static bool
all_bytes(const void *ptr, unsigned char value, size_t n)
{
	const unsigned char *bytes = ptr;

	for (size_t i = 0; i < n; i++)
		if (bytes[i] != value)
			return false;
	return true;
}

static void
test_sizes_and_alignment(void **state)
{
	(void)state;
	for (size_t n = 0; n < 70000; n += n < 5000 ? 1 : 997) {
		char *ptr = malloc(n);

		assert_non_null(ptr);
		assert_true(malloc_usable_size(ptr) >= n);
		assert_int_equal((uintptr_t)ptr % (n < 16 ? 8 : 16), 0);
		assert_int_equal(malloc_usable_size(ptr), nallocx(
		    n == 0 ? 1 : n, 0));
		memset(ptr, 1, n);
		free(ptr);
	}
}

static void
test_impossible_sizes(void **state)
{
	void *ptr = malloc(100), *out = &ptr;
	size_t huge = (size_t)PTRDIFF_MAX + 1;

	(void)state;
	errno = 0;
	assert_null(malloc(huge));
	assert_int_equal(errno, ENOMEM);
	assert_null(malloc(SIZE_MAX));
	assert_null(calloc(SIZE_MAX / 2, 3));
	assert_null(reallocarray(ptr, SIZE_MAX / 2, 3));
	assert_null(realloc(ptr, huge));
	assert_null(aligned_alloc(64, huge));
	assert_null(pvalloc(SIZE_MAX));
	assert_int_equal(posix_memalign(&out, 64, huge), ENOMEM);
	assert_ptr_equal(out, &ptr);	/* untouched */
	free(ptr);
}

static void
test_aligned_family(void **state)
{
	(void)state;
	for (size_t align = 8; align <= (size_t)1 << 24; align *= 2) {
		void *a = aligned_alloc(align, 100), *b = NULL;
		void *c = mallocx(5000, MALLOCX_ALIGN(align) | MALLOCX_ZERO);

		assert_int_equal((uintptr_t)a % align, 0);
		assert_int_equal(posix_memalign(&b, align, align + 1), 0);
		assert_int_equal((uintptr_t)b % align, 0);
		assert_int_equal((uintptr_t)c % align, 0);
		assert_true(all_bytes(c, 0, sallocx(c, 0)));
		free(a);
		free_aligned_sized(b, align, align + 1);
		sdallocx(c, 5000, MALLOCX_ALIGN(align));
	}
	assert_null(aligned_alloc(24, 100));
	assert_int_equal(errno, EINVAL);
	assert_int_equal(posix_memalign(&(void *){ NULL }, 3, 1), EINVAL);
	assert_int_equal(posix_memalign(&(void *){ NULL }, 4, 1), EINVAL);
}

static void
test_gigabyte_alignment(void **state)
{
	size_t align = (size_t)1 << 30;
	void *ptr = memalign(align, 4096);

	(void)state;
	assert_non_null(ptr);
	assert_int_equal((uintptr_t)ptr % align, 0);
	free(ptr);
}

static void
test_calloc_zeroes_used_memory(void **state)
{
	static const size_t sizes[] = { 1, 64, 1000, 14336, 16385, 100000,
	    5000000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
		for (int round = 0; round < 4; round++) {
			char *ptr = calloc(1, sizes[i]);

			/* all that is usable, as rallocx counts on */
			assert_true(all_bytes(ptr, 0,
			    malloc_usable_size(ptr)));
			memset(ptr, 0xff, malloc_usable_size(ptr));
			free(ptr);
		}
}

static void
test_realloc_keeps_contents(void **state)
{
	char *ptr = NULL;
	size_t old = 0;

	(void)state;
	for (size_t n = 1; n < (size_t)40 << 20; n = n * 3 / 2 + 1) {
		ptr = realloc(ptr, n);
		assert_non_null(ptr);
		assert_true(all_bytes(ptr, 0x77, old));
		memset(ptr, 0x77, n);
		old = n;
	}
	for (size_t n = old; n > 0; n = n * 2 / 3) {
		ptr = realloc(ptr, n);
		assert_true(all_bytes(ptr, 0x77, n));
		if (n == 1)
			break;
	}
	free(ptr);
}

static void
test_realloc_to_nothing_frees(void **state)
{
	uint64_t before = alloc_zero_reallocs();

	(void)state;
	assert_null(realloc(malloc(100), 0));
	assert_int_equal(alloc_zero_reallocs(), before + 1);
	free(realloc(NULL, 0));
}

static void
test_free_keeps_errno(void **state)
{
	void *blocks[1000];

	(void)state;
	for (int i = 0; i < 1000; i++)
		blocks[i] = malloc((size_t)i * 100);
	errno = 1234;
	for (int i = 0; i < 1000; i++)
		free(blocks[i]);
	free(NULL);
	assert_int_equal(errno, 1234);
}

static void
test_xallocx_never_moves(void **state)
{
	char *small = malloc(100), *large = malloc((size_t)1 << 20);
	size_t got;

	(void)state;
	assert_int_equal(xallocx(small, 1000, 0, 0), sallocx(small, 0));
	memset(large, 5, (size_t)1 << 20);
	got = xallocx(large, (size_t)200 << 10, 0, 0);
	assert_int_equal(got, nallocx((size_t)200 << 10, 0));
	got = xallocx(large, got, (size_t)4 << 20, MALLOCX_ZERO);
	assert_true(got >= (size_t)200 << 10);
	assert_true(all_bytes(large, 5, (size_t)200 << 10));
	free(small);
	free(large);
}

/* A block of 1 MiB of 0x5c, cut to 64 KiB and grown again where it is. */
static char *
regrow(void)
{
	char *ptr = malloc((size_t)1 << 20);

	memset(ptr, 0x5c, (size_t)1 << 20);
	assert_int_equal(xallocx(ptr, (size_t)64 << 10, 0, 0), 64 << 10);
	assert_int_equal(xallocx(ptr, (size_t)1 << 20, 0, 0), 1 << 20);
	assert_true(all_bytes(ptr, 0x5c, (size_t)64 << 10));
	return ptr + (64 << 10);
}

static void
test_bytes_grown_in_place_are_filled(void **state)
{
	const size_t more = (1 << 20) - (64 << 10);

	(void)state;
	opt.zero = true;
	assert_true(all_bytes(regrow(), 0, more));
	opt.junk_alloc = true;
	assert_true(all_bytes(regrow(), 0, more));
	opt.zero = false;
	assert_true(all_bytes(regrow(), 0xa5, more));
	opt.junk_alloc = false;
}

static void
test_place_that_does_not_exist(void **state)
{
	(void)state;
	assert_null(mallocx(100, MALLOCX_ARENA(4000)));
	assert_null(mallocx(100, MALLOCX_ARENA(ARENA_INTERNAL)));
	assert_null(mallocx(100, MALLOCX_TCACHE(4000)));
}

static void
test_explicit_cache(void **state)
{
	unsigned index;
	void *ptr;

	(void)state;
	assert_int_equal(tcaches_create(&index), 0);
	ptr = mallocx(64, MALLOCX_TCACHE(index));
	assert_non_null(ptr);
	dallocx(ptr, MALLOCX_TCACHE(index));
	assert_ptr_equal(mallocx(64, MALLOCX_TCACHE(index)), ptr);
	dallocx(ptr, MALLOCX_TCACHE_NONE);
	tcache_check(tcaches_get(index));
	assert_int_equal(tcaches_destroy(index), 0);
	assert_int_not_equal(tcaches_destroy(index), 0);
}

/* --- whose memory --------------------------------------------------------- */

static unsigned arena_index_of(const void *ptr);

/* What it keeps is the arena's that was asked for, whichever that is. */
static void
test_explicit_cache_serves_an_arena(void **state)
{
	unsigned cache, arena[2], turn;
	void *ptr, *again;

	assert_int_equal(tcaches_create(&cache), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(arena_create(&arena[i]), 0);
	for (turn = 0; turn < 4; turn++) {
		unsigned of = arena[turn % 2];
		int flags = MALLOCX_ARENA(of) | MALLOCX_TCACHE(cache);

		ptr = mallocx(64, flags);
		assert_int_equal(arena_index_of(ptr), of);
		dallocx(ptr, MALLOCX_TCACHE(cache));
		assert_int_equal(tcaches_get(cache)->arena->index, of);
		again = mallocx(64, flags);
		assert_ptr_equal(again, ptr);
		dallocx(again, MALLOCX_TCACHE(cache));
	}
	ptr = mallocx(64, MALLOCX_TCACHE(cache));
	assert_int_equal(arena_index_of(ptr), thread_get()->arena->index);
	dallocx(ptr, MALLOCX_TCACHE_NONE);
	assert_int_equal(tcaches_destroy(cache), 0);
}

static unsigned
arena_index_of(const void *ptr)
{
	return extent_arena(pagemap_extent(pagemap_get(ptr)));
}

static void
test_binding_a_thread_moves_all_its_blocks(void **state)
{
	struct thread *thread = thread_get();
	unsigned old = thread->arena->index, bound;
	void *before[500], *block;

	(void)state;
	for (int i = 0; i < 500; i++)
		before[i] = malloc(64);
	assert_int_equal(arena_create(&bound), 0);
	assert_int_equal(thread_arena_set(thread, bound), 0);
	/* Freed blocks of the old domain must not come back from here. */
	for (int i = 0; i < 500; i++)
		free(before[i]);
	for (int i = 0; i < 1000; i++) {
		block = malloc(64);
		assert_int_equal(arena_index_of(block), bound);
	}
	tcache_check(&thread->own_cache);
	assert_int_equal(thread_arena_set(thread, old), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_not_equal(arena_index_of(malloc(64)), bound);
}

static void
test_guard_takes_internal_memory(void **state)
{
	struct thread *thread = thread_get();
	uint64_t allocated = thread_allocated(thread);
	void *outside = malloc(100), *inside;

	(void)state;
	assert_ptr_equal(thread_guard_enter(), &thread->prof);
	inside = malloc(100);
	assert_int_equal(arena_index_of(inside), ARENA_INTERNAL);
	free(outside);		/* ours may be freed inside */
	thread_guard_leave();
	assert_int_equal(thread_allocated(thread), allocated + 112);
	free(inside);		/* and theirs outside */
	assert_int_not_equal(arena_index_of(malloc(100)), ARENA_INTERNAL);
}

static void
test_totals_follow_the_program(void **state)
{
	struct thread_totals before, after;
	void *small, *large;

	(void)state;
	thread_totals(&before);
	small = malloc(1000);
	large = malloc((size_t)3 << 20);
	free(small);
	thread_totals(&after);
	assert_int_equal(after.allocated - before.allocated,
	    1024 + ((size_t)3 << 20));
	assert_int_equal(after.deallocated - before.deallocated, 1024);
	free(large);
}

static void *
hand_over(void *arg)
{
	void **blocks = arg;

	for (int i = 0; i < 1000; i++)
		blocks[i] = malloc((size_t)i * 7);
	return NULL;
}

static void
test_threads_end_without_a_trace(void **state)
{
	static void *blocks[1000];
	struct thread_totals before, after;
	pthread_t thread;

	(void)state;
	thread_totals(&before);
	for (int round = 0; round < 20; round++) {
		pthread_create(&thread, NULL, hand_over, blocks);
		pthread_join(thread, NULL);
		for (int i = 0; i < 1000; i++)
			free(blocks[i]);
	}
	thread_totals(&after);
	assert_int_equal(after.nthreads, before.nthreads);
	assert_int_equal(after.allocated - before.allocated,
	    after.deallocated - before.deallocated);
}

static pthread_key_t late_key;

/* The first call of the allocator is that of a destructor. */
static void *
begin_late(void *block)
{
	pthread_setspecific(late_key, block);
	return NULL;
}

static void
test_threads_that_begin_with_a_destructor_end(void **state)
{
	struct thread_totals before, after;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_key_create(&late_key, free), 0);
	thread_totals(&before);
	for (int round = 0; round < 20; round++) {
		pthread_create(&thread, NULL, begin_late, malloc(100));
		pthread_join(thread, NULL);
	}
	thread_totals(&after);
	assert_int_equal(after.nthreads, before.nthreads);
	pthread_key_delete(late_key);
}

enum { ADVANCERS = 4, ADVANCES = 1000 };

static void *
advance(void *arg)
{
	uint64_t *numbers = arg;

	for (int i = 0; i < ADVANCES; i++)
		numbers[i] = strata_generation_advance();
	return NULL;
}

/* Each number is given once, and in order to each thread. */
static void
test_generations_are_never_given_twice(void **state)
{
	static uint64_t numbers[ADVANCERS][ADVANCES];
	static unsigned char given[ADVANCERS * ADVANCES];
	uint64_t first = strata_generation();
	pthread_t threads[ADVANCERS];

	(void)state;
	for (int i = 0; i < ADVANCERS; i++)
		pthread_create(&threads[i], NULL, advance, numbers[i]);
	for (int i = 0; i < ADVANCERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(strata_generation(), first + ADVANCERS * ADVANCES);
	for (int i = 0; i < ADVANCERS * ADVANCES; i++) {
		uint64_t n = numbers[i / ADVANCES][i % ADVANCES];

		assert_in_range(n, first + 1, first + ADVANCERS * ADVANCES);
		assert_int_equal(given[n - first - 1]++, 0);
		if (i % ADVANCES != 0)
			assert_true(n > numbers[i / ADVANCES]
			    [i % ADVANCES - 1]);
	}
}

/* With and without the profiler. */
static void
test_generation_is_the_control_too(void **state)
{
	uint64_t value = 0, any = 0, before = strata_generation();
	size_t size = sizeof value;

	(void)state;
	assert_int_equal(mallctl("prof.generation", &value, &size, NULL, 0),
	    0);
	assert_int_equal(value, before);
	assert_int_equal(mallctl("prof.generation", &value, &size, &any,
	    sizeof any), 0);
	assert_int_equal(value, before + 1);
	assert_int_equal(strata_generation(), before + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_and_alignment),
		cmocka_unit_test(test_impossible_sizes),
		cmocka_unit_test(test_aligned_family),
		cmocka_unit_test(test_gigabyte_alignment),
		cmocka_unit_test(test_calloc_zeroes_used_memory),
		cmocka_unit_test(test_realloc_keeps_contents),
		cmocka_unit_test(test_realloc_to_nothing_frees),
		cmocka_unit_test(test_free_keeps_errno),
		cmocka_unit_test(test_xallocx_never_moves),
		cmocka_unit_test(test_bytes_grown_in_place_are_filled),
		cmocka_unit_test(test_place_that_does_not_exist),
		cmocka_unit_test(test_explicit_cache),
		cmocka_unit_test(test_explicit_cache_serves_an_arena),
		cmocka_unit_test(test_binding_a_thread_moves_all_its_blocks),
		cmocka_unit_test(test_guard_takes_internal_memory),
		cmocka_unit_test(test_totals_follow_the_program),
		cmocka_unit_test(test_threads_end_without_a_trace),
		cmocka_unit_test(test_threads_that_begin_with_a_destructor_end),
		cmocka_unit_test(test_generations_are_never_given_twice),
		cmocka_unit_test(test_generation_is_the_control_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
