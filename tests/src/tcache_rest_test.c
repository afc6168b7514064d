/*
 * tcache_rest_test.c - what another thread may take of a cache: idle blocks of
 * an open one that rests, each once, also while the owner is at work.
 */
#include "core.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names.h"
#include "supply.h"
#include "tcache_rest.h"
#include "thread.h"

#include <strata/strata.h>

/* Many gcs, so that owners often open their caches. */
const char *malloc_conf = "tcache_gc_incr_bytes:16384,narenas:2";

enum { N = 800, CLASS = 4, NTHREADS = 3, NLIVE = 500, STEPS = 100000 };

static struct tcache cache;

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
	return 0;
}

static void
give(void *ptr)
{
	if (cache_bin_push(&cache.bins[CLASS], ptr))
		return;
	assert_true(tcache_make_room(&cache, CLASS));
	assert_true(cache_bin_push(&cache.bins[CLASS], ptr));
}

static void *
get(void)
{
	void *ptr = cache_bin_pop(&cache.bins[CLASS]);

	return ptr != NULL ? ptr : tcache_refill(&cache, CLASS);
}

static void
fill(void)
{
	static void *blocks[N];

	for (unsigned i = 0; i < N; i++)
		blocks[i] = arena_alloc(cache.arena, CLASS, 0, NULL);
	for (unsigned i = 0; i < N; i++)
		give(blocks[i]);
}

static unsigned
count(void)
{
	void *const *blocks;

	return tcache_peek(&cache, CLASS, &blocks);
}

static size_t
take_all(void)
{
	return tcache_mark(&cache) ? tcache_take(&cache) : 0;
}

/* As pool_rest.c does. */
static bool
rest(uint64_t now)
{
	bool marked, again = tcache_rest(&cache, now, 100, &marked);

	if (marked)
		assert_true(tcache_take(&cache) > 0);
	return again;
}

static void
test_of_a_closed_cache_nothing_is_taken(void **state)
{
	fill();
	assert_int_equal(take_all(), 0);
	assert_int_equal(count(), N);
}

static void
test_idle_blocks_go_and_the_newest_stay(void **state)
{
	void *const *blocks;
	void *newest;

	fill();
	tcache_open(&cache);
	assert_int_equal(tcache_peek(&cache, CLASS, &blocks), N);
	newest = blocks[N - 1];
	assert_int_equal(take_all(), N - N / 8);
	assert_int_equal(count(), N / 8);
	assert_int_equal(tcache_bytes(&cache), N / 8 * sc_size(CLASS));
	tcache_check(&cache);
	/* The owner goes on, by its fast path and by the slow ones. */
	assert_ptr_equal(get(), newest);
	give(newest);
	fill();
	assert_true(count() >= N / 8 + 1);
	tcache_check(&cache);
}

static void
test_what_is_in_use_is_not_taken(void **state)
{
	void *out[N];

	fill();
	tcache_open(&cache);
	for (unsigned i = 0; i < N; i++)
		out[i] = get();
	assert_int_equal(take_all(), 0);
	for (unsigned i = 0; i < N; i++)
		give(out[i]);
	/* Not idle before the next gc. */
	assert_int_equal(take_all(), 0);
	tcache_open(&cache);
	assert_true(take_all() > 0);
}

static void
test_a_cache_that_works_is_left_alone(void **state)
{
	fill();
	tcache_open(&cache);
	for (unsigned i = 0; i < 10; i++) {
		give(get());		/* a use, if of one block */
		assert_true(rest(1000 + i * 90));
		assert_int_equal(count(), N);
	}
	assert_true(rest(1000 + 9 * 90 + 99));
	assert_int_equal(count(), N);
	assert_true(rest(1000 + 9 * 90 + 100));
	assert_int_equal(count(), N / 8);
	assert_false(rest(5000));
}

/* It ends by a claim, too: of a cache that has ended nothing is taken. */
static void
test_what_the_owner_does_comes_before_a_mark(void **state)
{
	fill();
	tcache_open(&cache);
	assert_true(tcache_mark(&cache));
	assert_false(tcache_mark(&cache));
	tcache_gc(&cache);
	assert_int_equal(tcache_take(&cache), 0);
	assert_int_equal(count(), N);
	assert_true(tcache_mark(&cache));
	tcache_flush_all(&cache);
	assert_int_equal(tcache_take(&cache), 0);
	assert_false(tcache_mark(&cache));
}

/* What it had in hand is lost to the child, which goes on. */
static void
test_a_child_has_no_taker(void **state)
{
	struct cache_bin_cold *cold = &cache.cold[CLASS];

	fill();
	tcache_open(&cache);
	assert_true(tcache_mark(&cache));
	atomic_store(&cache.claim, TCACHE_TAKERS);
	arena_flush(cache.arena, CLASS, cold->bottom, 5, 0);
	cold->taken = 5;
	tcache_fork_child(&cache);
	tcache_gc(&cache);
	assert_int_equal(cold->taken, 0);
	assert_int_equal(count(), N - 5);
	assert_true(tcache_mark(&cache));
	assert_true(tcache_take(&cache) > 0);
}

/* What gc gives back is what was idle all the time, open or not. */
static void
test_gc_does_not_take_idle_for_unused(void **state)
{
	void *out[N];

	for (unsigned round = 0; round < 20; round++) {
		if (round == 0)
			fill();
		for (unsigned i = 0; i < N; i++) {
			out[i] = get();
			if (i % 100 == 0)
				tcache_open(&cache);
		}
		for (unsigned i = 0; i < N; i++)
			give(out[i]);
		tcache_gc(&cache);
		assert_true(count() >= N / 2);
	}
	assert_int_equal(count(), N);
}

/* 6400 bytes of blocks in a stack of two pages, which then are none. */
static void
test_what_a_spike_needed_of_a_stack_goes(void **state)
{
	const struct cache_bin_cold *cold = &cache.cold[CLASS];

	fill();
	assert_int_equal(cold->capacity * sizeof(void *), 2 * os_page);
	tcache_trim(&cache);
	assert_int_equal(supply_resident(cold->bottom, 2 * os_page),
	    2 * os_page);
	assert_int_equal(count(), N);
	tcache_check(&cache);
	tcache_flush_all(&cache);
	tcache_trim(&cache);
	assert_int_equal(supply_resident(cold->bottom, 2 * os_page), 0);
	fill();
	assert_int_equal(count(), N);
}

/* --- owners at work ------------------------------------------------------- */

static _Atomic bool done;
static _Atomic size_t taken;

enum { MARKED_MAX = 16 };

struct marked {
	struct tcache *caches[MARKED_MAX];
	unsigned n;
};

static void
mark(struct thread *thread, void *arg)
{
	struct marked *marked = arg;

	if (marked->n < MARKED_MAX && tcache_mark(&thread->own_cache))
		marked->caches[marked->n++] = &thread->own_cache;
}

/* Takes whatever there is to take, of caches in full use too. */
static void *
taker(void *arg)
{
	while (!atomic_load(&done)) {
		struct marked marked = { .n = 0 };

		threads_visit(mark, &marked);
		for (unsigned i = 0; i < marked.n; i++)
			atomic_fetch_add(&taken,
			    tcache_take(marked.caches[i]));
	}
	return NULL;
}

/*
 * A block that two have at once loses its pattern. A busy machine may let the
 * taker run late.
 */
static void *
work(void *arg)
{
	static const size_t sizes[] = { 16, 48, 200, 1000, 4000 };
	unsigned char **live = calloc(NLIVE, sizeof *live);
	size_t size[NLIVE];
	unsigned char mark = (unsigned char)(uintptr_t)arg;

	for (unsigned step = 0; step < STEPS || atomic_load(&taken) == 0;
	    step++) {
		size_t i = core_below(NLIVE);

		if (live[i] != NULL) {
			for (size_t k = 0; k < size[i]; k += 8)
				if (live[i][k] != mark)
					abort();
			free(live[i]);
			live[i] = NULL;
		} else {
			size[i] = sizes[core_below(5)];
			live[i] = malloc(size[i]);
			memset(live[i], mark, size[i]);
		}
		/* Spikes, so that much is idle. */
		if (step % 10000 < NLIVE && live[step % 10000] != NULL) {
			free(live[step % 10000]);
			live[step % 10000] = NULL;
		}
	}
	for (unsigned i = 0; i < NLIVE; i++)
		free(live[i]);
	free(live);
	return NULL;
}

static void
test_owners_may_be_at_work_meanwhile(void **state)
{
	pthread_t threads[NTHREADS], thief;

	core_seed();
	tcache_rest_want();
	atomic_store(&done, false);
	atomic_store(&taken, 0);
	assert_int_equal(pthread_create(&thief, NULL, taker, NULL), 0);
	for (uintptr_t i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work,
		    (void *)(i + 1)), 0);
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&done, true);
	pthread_join(thief, NULL);
	assert_true(atomic_load(&taken) > 0);
	tcache_check(&thread_self()->own_cache);
	arena_check(arena_get(0, true));
	arena_check(arena_get(1, true));
}

static void *
work_shortly(void *arg)
{
	void *blocks[400];

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 400; i++) {
			blocks[i] = malloc(64);
			memset(blocks[i], (int)(uintptr_t)arg, 64);
		}
		for (unsigned i = 0; i < 400; i++) {
			unsigned char *block = blocks[i];

			if (block[0] != (unsigned char)(uintptr_t)arg ||
			    block[63] != block[0])
				abort();
			free(block);
		}
	}
	return NULL;
}

/* Their structs, and the caches in them, are others' at once. */
static void
test_threads_may_end_meanwhile(void **state)
{
	pthread_t threads[NTHREADS], thief;

	tcache_rest_want();
	atomic_store(&done, false);
	atomic_store(&taken, 0);
	assert_int_equal(pthread_create(&thief, NULL, taker, NULL), 0);
	for (uintptr_t round = 0; round < 1000 || atomic_load(&taken) == 0;
	    round++) {
		for (unsigned i = 0; i < NTHREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL,
			    work_shortly, (void *)(round * NTHREADS + i)), 0);
		for (unsigned i = 0; i < NTHREADS; i++)
			pthread_join(threads[i], NULL);
	}
	atomic_store(&done, true);
	pthread_join(thief, NULL);
	assert_true(atomic_load(&taken) > 0);
	arena_check(arena_get(0, true));
	arena_check(arena_get(1, true));
}

static void
test_a_fork_meanwhile_does_no_harm(void **state)
{
	pthread_t thief;
	int status;

	tcache_rest_want();
	atomic_store(&done, false);
	atomic_store(&taken, 0);
	assert_int_equal(pthread_create(&thief, NULL, taker, NULL), 0);
	for (unsigned i = 0; i < 50; i++) {
		pid_t pid;

		/* Opens this thread's cache. */
		for (unsigned k = 0; k < 1000; k++)
			free(malloc(100 + k));
		pid = fork();
		if (pid == 0) {
			alarm(20);
			for (unsigned k = 0; k < 1000; k++)
				free(malloc(100 + k));
			tcache_check(&thread_self()->own_cache);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	atomic_store(&done, true);
	pthread_join(thief, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_of_a_closed_cache_nothing_is_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_idle_blocks_go_and_the_newest_stay, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_is_in_use_is_not_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_cache_that_works_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_gc_does_not_take_idle_for_unused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_the_owner_does_comes_before_a_mark, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_a_child_has_no_taker, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_what_a_spike_needed_of_a_stack_goes, setup, teardown),
		cmocka_unit_test(test_owners_may_be_at_work_meanwhile),
		cmocka_unit_test(test_threads_may_end_meanwhile),
		cmocka_unit_test(test_a_fork_meanwhile_does_no_harm),
	};

	free(malloc(1));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
