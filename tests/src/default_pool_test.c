/*
 * default_pool_test.c - the default pool: threads that did nothing for it
 * allocate from the process's current generation.
 */
#include "core.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names.h"
#include "pool.h"
#include "pool_blocks.h"
#include "thread.h"

#include <strata/strata.h>

/* The library has read it before main. */
const char *malloc_conf = "default_pool:3,percpu_arena:percpu,narenas:64";

enum { N = 1000, SIZE = 100 };

static unsigned
index_of_default(void)
{
	unsigned index;
	size_t size = sizeof index;

	assert_int_equal(mallctl("pool.default", &index, &size, NULL, 0), 0);
	return index;
}

static unsigned
current_arena(void)
{
	return current_arena_of(index_of_default());
}

static void *
arena_of_a_block(void *arg)
{
	void *block = malloc(SIZE);

	*(unsigned *)arg = arena_holding(block);
	free(block);
	return NULL;
}

static unsigned
arena_of_a_new_thread(void)
{
	pthread_t thread;
	unsigned arena;

	assert_int_equal(pthread_create(&thread, NULL, arena_of_a_block,
	    &arena), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	return arena;
}

/* The three ways in which a program says it. */
static void
advance_by_function(void)
{
	uint64_t number = strata_generation_advance();

	assert_int_equal(number, strata_generation());
}

static void
advance_by_mallctl(void)
{
	uint64_t any = 0;

	assert_int_equal(mallctl("prof.generation", NULL, NULL, &any,
	    sizeof any), 0);
}

static void
rotate_by_pool(void)
{
	assert_int_equal(strata_pool_rotate(index_of_default(), NULL), 0);
}

static void
test_an_advance_moves_new_blocks(void **state)
{
	static void (*const ways[])(void) = { advance_by_function,
	    advance_by_mallctl, rotate_by_pool };
	static void *old[N], *new[N];

	for (unsigned way = 0; way < 3; way++) {
		uint64_t generation = strata_generation();
		unsigned before = current_arena();

		blocks_make(old, N, SIZE);
		assert_int_equal(arena_holding(old[N - 1]), before);
		ways[way]();
		assert_int_equal(strata_generation(), generation + 1);
		assert_int_not_equal(current_arena(), before);
		blocks_make(new, N, SIZE);
		assert_int_equal(arena_holding(new[N - 1]), current_arena());
		assert_int_equal(arena_of_a_new_thread(), current_arena());
		blocks_free(old, N);
		blocks_free(new, N);
	}
}

static void
test_a_dead_generation_leaves_no_pages(void **state)
{
	static void *blocks[N];
	unsigned before = current_arena();

	blocks_make(blocks, N, SIZE);
	assert_true(pages_active(&arena_get(before, false)->pages) > 0);
	blocks_free(blocks, N);
	strata_generation_advance();
	for (unsigned i = 0; i < N; i++)	/* past what the cache holds */
		blocks[i] = malloc(SIZE + 16 * (i % 100));
	assert_int_equal(arena_holding(blocks[N - 1]), current_arena());
	assert_int_equal(arena_allocated(arena_get(before, false)), 0);
	blocks_free(blocks, N);
}

static void
test_a_scope_lies_over_it(void **state)
{
	unsigned other, index;
	void *block;

	assert_int_equal(strata_pool_create(0, &other), 0);
	assert_int_equal(strata_pool_enter(other), 0);
	strata_generation_advance();
	block = malloc(SIZE);
	assert_int_not_equal(arena_holding(block), current_arena());
	free(block);
	assert_int_equal(strata_pool_current(&index), 0);
	assert_int_equal(index, other);
	assert_int_equal(strata_pool_leave(other), 0);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	block = malloc(SIZE);
	assert_int_equal(arena_holding(block), current_arena());
	free(block);
	assert_int_equal(strata_pool_current(&index), ENOENT);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	assert_int_equal(strata_pool_destroy(other), 0);
}

static int
bind_to(unsigned arena, unsigned *before)
{
	size_t size = sizeof *before;

	return mallctl("thread.arena", before, &size, &arena, sizeof arena);
}

static void
test_a_bound_thread_leaves_and_comes_back(void **state)
{
	unsigned arena, before, ignored;
	size_t size = sizeof arena;
	void *block;

	assert_int_equal(mallctl("arenas.create", &arena, &size, NULL, 0), 0);
	assert_int_equal(bind_to(arena, &before), 0);
	strata_generation_advance();
	block = malloc(SIZE);
	assert_int_equal(arena_holding(block), arena);
	free(block);
	/* What it had is a generation old by now. */
	assert_int_not_equal(before, current_arena());
	assert_int_equal(bind_to(before, &ignored), 0);
	block = malloc(SIZE);
	assert_int_equal(arena_holding(block), current_arena());
	free(block);
}

static void
test_other_pools_arenas_are_refused(void **state)
{
	struct pool_facts facts;
	unsigned other, ignored;

	assert_int_equal(strata_pool_create(0, &other), 0);
	assert_int_equal(pool_facts_read(other, &facts), 0);
	assert_int_equal(bind_to(facts.arena, &ignored), EPERM);
	assert_int_equal(strata_pool_destroy(other), 0);
}

/* The worker that rotates for strata ctl could not call them. */
static void
test_its_arenas_take_no_hooks(void **state)
{
	extent_hooks_t *hooks;
	size_t size = sizeof hooks;
	char name[64];

	snprintf(name, sizeof name, "arena.%u.extent_hooks", current_arena());
	assert_int_equal(mallctl(name, &hooks, &size, NULL, 0), 0);
	assert_int_equal(mallctl(name, NULL, NULL, &hooks, sizeof hooks),
	    EPERM);
}

static void
test_it_cannot_be_destroyed(void **state)
{
	assert_int_equal(strata_pool_destroy(index_of_default()), EAGAIN);
	assert_true(pool_exists(index_of_default()));
}

/* The parts of a child; 0, or the number of the one that failed. */
static int
in_child(void)
{
	void *block;

	strata_generation_advance();
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	block = malloc(SIZE);
	if (arena_holding(block) != current_arena())
		return 1;
	free(block);
	if (arena_of_a_new_thread() != current_arena())
		return 2;
	return strata_pool_destroy(index_of_default()) == EAGAIN ? 0 : 3;
}

static void
test_a_child_has_it_too(void **state)
{
	unsigned before = current_arena();
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(in_child());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(current_arena(), before);
}

static void
test_without_a_cache_each_block_follows(void **state)
{
	bool off = false, on = true;
	void *block;

	assert_int_equal(mallctl("thread.tcache.enabled", NULL, NULL, &off,
	    sizeof off), 0);
	for (unsigned i = 0; i < 8; i++) {
		strata_generation_advance();
		block = malloc(SIZE);
		assert_int_equal(arena_holding(block), current_arena());
		free(block);
	}
	assert_int_equal(mallctl("thread.tcache.enabled", NULL, NULL, &on,
	    sizeof on), 0);
}

/* First: nothing has been rotated yet. */
static void
test_it_begins_with_the_process(void **state)
{
	struct pool_facts facts;
	void *block = malloc(SIZE);

	assert_int_equal(strata_generation(), 1);
	assert_int_equal(pool_facts_read(index_of_default(), &facts), 0);
	assert_int_equal(facts.generation, 1);
	assert_int_equal(facts.narenas_max, 3);
	assert_int_equal(arena_holding(block), facts.arena);
	free(block);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_begins_with_the_process),
		cmocka_unit_test(test_an_advance_moves_new_blocks),
		cmocka_unit_test(test_a_dead_generation_leaves_no_pages),
		cmocka_unit_test(test_a_scope_lies_over_it),
		cmocka_unit_test(test_a_bound_thread_leaves_and_comes_back),
		cmocka_unit_test(test_other_pools_arenas_are_refused),
		cmocka_unit_test(test_its_arenas_take_no_hooks),
		cmocka_unit_test(test_it_cannot_be_destroyed),
		cmocka_unit_test(test_a_child_has_it_too),
		cmocka_unit_test(test_without_a_cache_each_block_follows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
