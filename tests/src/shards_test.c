/*
 * shards_test.c - bin_shards: threads of one arena that do not meet in a bin.
 *
 * One arena; sizes up to 1024 bytes have three shards, the others one.
 */
#include "core.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mallctl.h"
#include "names.h"
#include "thread.h"

/* The library has read it before main. */
const char *malloc_conf = "narenas:1,bin_shards:1-1024:3";

enum { NSHARDS = 3, NTHREADS = 6, NBLOCKS = 500 };

struct worker {
	pthread_t id;
	size_t size;
	int flags;			/* of mallocx */
	unsigned shard;			/* of its first block's slab */
	void *blocks[NBLOCKS];
};

static struct extent *
slab_of(const void *ptr)
{
	return pagemap_extent(pagemap_get(ptr));
}

static void *
work(void *arg)
{
	struct worker *worker = arg;

	for (unsigned i = 0; i < NBLOCKS; i++) {
		worker->blocks[i] = mallocx(worker->size, worker->flags);
		if (worker->blocks[i] == NULL)
			abort();
		memset(worker->blocks[i], (int)i, worker->size);
	}
	worker->shard = slab_of(worker->blocks[0])->shard;
	return NULL;
}

/* One after the other, so that each is the next in its arena. */
static void
run_workers(struct worker *workers, unsigned n, size_t size, int flags)
{
	for (unsigned i = 0; i < n; i++) {
		workers[i].size = size;
		workers[i].flags = flags;
		assert_int_equal(pthread_create(&workers[i].id, NULL, work,
		    &workers[i]), 0);
		pthread_join(workers[i].id, NULL);
	}
}

static void
free_all(struct worker *workers, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < NBLOCKS; k++)
			free(workers[i].blocks[k]);
	thread_tcache_flush(thread_self());
	arena_check(arena_get(0, false));
}

static uint64_t
number(const char *name, size_t size)
{
	uint64_t value = 0;

	assert_int_equal(mallctl(name, &value, &size, NULL, 0), 0);
	return value;
}

static void
test_the_number_of_shards_is_told(void **state)
{
	char name[64];

	for (unsigned i = 0; i < SC_NSMALL; i++) {
		snprintf(name, sizeof name, "arenas.bin.%u.nshards", i);
		assert_int_equal(number(name, 4),
		    sc_sizes[i] <= 1024 ? NSHARDS : 1);
	}
}

static void
test_threads_take_the_shards_in_turn(void **state)
{
	static struct worker workers[NTHREADS];
	unsigned uses[NSHARDS] = { 0 };

	run_workers(workers, NTHREADS, 64, 0);
	for (unsigned i = 0; i < NTHREADS; i++) {
		struct worker *worker = &workers[i];

		for (unsigned k = 0; k < NBLOCKS; k++)
			assert_int_equal(slab_of(worker->blocks[k])->shard,
			    worker->shard);
		if (i > 0)
			assert_int_equal(worker->shard,
			    (workers[i - 1].shard + 1) % NSHARDS);
		uses[worker->shard]++;
	}
	for (unsigned i = 0; i < NSHARDS; i++)
		assert_int_equal(uses[i], NTHREADS / NSHARDS);
	free_all(workers, NTHREADS);
}

/* A class without shards has the one bin, whoever asks. */
static void
test_other_classes_have_one_bin(void **state)
{
	static struct worker workers[2];

	run_workers(workers, 2, 2000, 0);
	assert_int_equal(workers[0].shard, 0);
	assert_int_equal(workers[1].shard, 0);
	free_all(workers, 2);
}

/* One shard's lock is held for good: the next thread does not need it. */
static void
test_a_held_shard_does_not_stop_the_next_thread(void **state)
{
	static struct worker first, second;
	struct bin *bin;

	run_workers(&first, 1, 320, MALLOCX_TCACHE_NONE);
	bin = arena_bin(arena_get(0, false), sc_index(320), first.shard);
	lock_acquire(&bin->lock);
	run_workers(&second, 1, 320, MALLOCX_TCACHE_NONE);
	lock_release(&bin->lock);
	assert_int_not_equal(first.shard, second.shard);
	free_all(&first, 1);
	free_all(&second, 1);
}

/* Freed by one thread, the blocks of all shards go each to its own. */
static void
test_blocks_freed_elsewhere_go_home(void **state)
{
	static struct worker workers[NTHREADS];
	struct arena *arena = arena_get(0, false);
	unsigned class = sc_index(448);
	size_t before[NSHARDS];
	struct bin_stats bin;
	struct lock_stats ignored;

	for (unsigned i = 0; i < NSHARDS; i++) {
		bin_stats_read(arena_bin(arena, class, i), &bin, &ignored);
		before[i] = bin.curregs;
	}
	run_workers(workers, NTHREADS, 448, 0);
	for (unsigned i = 0; i < NSHARDS; i++) {
		bin_stats_read(arena_bin(arena, class, i), &bin, &ignored);
		assert_true(bin.curregs >= before[i] + 2 * NBLOCKS);
	}
	free_all(workers, NTHREADS);
	for (unsigned i = 0; i < NSHARDS; i++) {
		bin_stats_read(arena_bin(arena, class, i), &bin, &ignored);
		assert_int_equal(bin.curregs, before[i]);
	}
}

static uint64_t
bin_figure(unsigned class, const char *figure)
{
	char name[64];
	uint64_t one = 1;
	size_t size = sizeof one;

	assert_int_equal(mallctl("epoch", &one, &size, &one, size), 0);
	snprintf(name, sizeof name, "stats.arenas.0.bins.%u.%s", class,
	    figure);
	return number(name, 8);
}

static void
test_statistics_are_the_sum(void **state)
{
	static struct worker workers[NSHARDS];
	unsigned class = sc_index(768);
	uint64_t ops = bin_figure(class, "mutex.num_ops");
	uint64_t nmalloc = bin_figure(class, "nmalloc");

	assert_int_equal(bin_figure(class, "curregs"), 0);
	run_workers(workers, NSHARDS, 768, MALLOCX_TCACHE_NONE);
	assert_int_equal(bin_figure(class, "curregs"), NSHARDS * NBLOCKS);
	assert_int_equal(bin_figure(class, "nmalloc") - nmalloc,
	    NSHARDS * NBLOCKS);
	assert_true(bin_figure(class, "mutex.num_ops") - ops >=
	    NSHARDS * NBLOCKS);
	free_all(workers, NSHARDS);
}

static void
test_reset_drops_the_blocks_of_all_shards(void **state)
{
	static struct worker workers[NTHREADS];
	struct arena *arena;
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	run_workers(workers, NTHREADS, 64, MALLOCX_ARENA(index) |
	    MALLOCX_TCACHE_NONE);
	for (unsigned i = 0; i < NSHARDS; i++)
		assert_int_equal(arena_bin(arena, sc_index(64),
		    i)->stats.curregs, 2 * NBLOCKS);
	assert_int_equal(arena_reset(index, NULL), 0);
	assert_int_equal(pages_active(&arena->pages), 0);
	arena_check(arena);
}

static _Atomic bool stop;

static void *
churn(void *arg)
{
	while (!atomic_load(&stop)) {
		void *block = mallocx(96, MALLOCX_TCACHE_NONE);

		dallocx(block, MALLOCX_TCACHE_NONE);
	}
	return arg;
}

/* In the child every shard's lock is free, whoever held it in the parent. */
static int
child(void)
{
	struct arena *arena = arena_get(0, false);

	alarm(20);
	for (unsigned i = 0; i < NSHARDS; i++) {
		struct bin *bin = arena_bin(arena, sc_index(96), i);
		void *region;

		if (arena_small_fill(arena, bin, &region, 1, 0) != 1)
			return 1;
		arena_free(region, pagemap_get(region));
	}
	arena_check(arena);
	return 0;
}

static void
test_fork_frees_the_locks_of_all_shards(void **state)
{
	pthread_t ids[NSHARDS];
	int status;

	atomic_store(&stop, false);
	for (unsigned i = 0; i < NSHARDS; i++)
		assert_int_equal(pthread_create(&ids[i], NULL, churn, NULL),
		    0);
	for (unsigned round = 0; round < 20; round++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(child());
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < NSHARDS; i++)
		pthread_join(ids[i], NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_number_of_shards_is_told),
		cmocka_unit_test(test_threads_take_the_shards_in_turn),
		cmocka_unit_test(test_other_classes_have_one_bin),
		cmocka_unit_test(
		    test_a_held_shard_does_not_stop_the_next_thread),
		cmocka_unit_test(test_blocks_freed_elsewhere_go_home),
		cmocka_unit_test(test_statistics_are_the_sum),
		cmocka_unit_test(test_reset_drops_the_blocks_of_all_shards),
		cmocka_unit_test(test_fork_frees_the_locks_of_all_shards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
