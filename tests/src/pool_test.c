/*
 * pool_test.c - pools by their public functions: where blocks come from, what
 * a cache may hold, and what a generation leaves behind.
 */
#include "core.h"

#include <errno.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot.h"
#include "names.h"
#include "pool.h"
#include "pool_blocks.h"
#include "pool_scope.h"
#include "thread.h"

#include <strata/strata.h>

enum { N = 1000, SIZE = 100 };

static unsigned pool;

static void
enter(void)
{
	assert_int_equal(strata_pool_enter(pool), 0);
}

static void
leave(void)
{
	assert_int_equal(strata_pool_leave(pool), 0);
}

static int
setup(void **state)
{
	return strata_pool_create(0, &pool);
}

static int
teardown(void **state)
{
	struct pool_stats stats;

	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	assert_int_equal(thread_self()->pool.depth, 0);
	assert_int_equal(pool_stats_read(pool, &stats), 0);
	for (unsigned i = 0; i < stats.narenas; i++)
		arena_check(arena_get(stats.arenas[i].index, false));
	assert_int_equal(stats.allocated, 0);
	return strata_pool_destroy(pool);
}

static void
test_a_scope_decides_where_blocks_come_from(void **state)
{
	void *before = malloc(SIZE), *inside, *large, *after;

	enter();
	inside = malloc(SIZE);
	large = malloc(100000);
	leave();
	after = malloc(SIZE);
	assert_int_equal(arena_holding(inside), current_arena_of(pool));
	assert_int_equal(arena_holding(large), current_arena_of(pool));
	assert_int_equal(arena_holding(before), arena_holding(after));
	assert_int_not_equal(arena_holding(after), current_arena_of(pool));
	free(before);
	free(inside);
	free(large);
	free(after);
}

static void
test_realloc_in_a_scope_moves_into_it(void **state)
{
	char *ptr = malloc(SIZE);

	enter();
	ptr = realloc(ptr, 10 * SIZE);
	leave();
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	free(ptr);
}

static void
test_realloc_outside_moves_out(void **state)
{
	char *ptr;

	enter();
	ptr = malloc(SIZE);
	leave();
	ptr = realloc(ptr, 10 * SIZE);
	assert_int_not_equal(arena_holding(ptr), current_arena_of(pool));
	free(ptr);
}

static void *
allocate_once(void *arg)
{
	return malloc(SIZE);
}

static void
test_a_thread_made_inside_begins_outside(void **state)
{
	pthread_t thread;
	void *ptr;

	enter();
	assert_int_equal(pthread_create(&thread, NULL, allocate_once, NULL),
	    0);
	leave();
	assert_int_equal(pthread_join(thread, &ptr), 0);
	assert_int_not_equal(arena_holding(ptr), current_arena_of(pool));
	free(ptr);
}

static void
test_an_arena_bound_inside_is_for_afterwards(void **state)
{
	unsigned home, arena;
	size_t size = sizeof home;
	void *inside, *asked, *after;

	assert_int_equal(mallctl("arenas.create", &arena, &size, NULL, 0), 0);
	enter();
	assert_int_equal(mallctl("thread.arena", &home, &size, &arena,
	    sizeof arena), 0);
	inside = malloc(SIZE);
	asked = mallocx(SIZE, MALLOCX_ARENA(arena));
	leave();
	after = malloc(SIZE);
	assert_int_equal(arena_holding(inside), current_arena_of(pool));
	assert_int_equal(arena_holding(asked), arena);
	assert_int_equal(arena_holding(after), arena);
	free(inside);
	free(asked);
	free(after);
	assert_int_equal(mallctl("thread.arena", NULL, NULL, &home,
	    sizeof home), 0);
}

static void
test_no_cache_mixes_generations(void **state)
{
	void *old[N], *new[N], *outside[N];
	unsigned first = current_arena_of(pool), second;

	enter();
	blocks_make(old, N, SIZE);
	leave();
	begin_generation(pool);
	second = current_arena_of(pool);
	enter();
	blocks_make(new, N, SIZE);
	blocks_free(old, N);		/* inside, of another generation */
	leave();
	blocks_make(outside, N, SIZE);
	blocks_free(new, N);
	blocks_make(old, N, SIZE);
	for (unsigned i = 0; i < N; i++) {
		assert_int_not_equal(arena_holding(outside[i]), first);
		assert_int_not_equal(arena_holding(outside[i]), second);
		assert_int_not_equal(arena_holding(old[i]), second);
	}
	blocks_free(old, N);
	blocks_free(outside, N);
}

static void
test_a_long_scope_calls_the_loan_of_the_thread_s_cache_in(void **state)
{
	const struct tcache *own = &thread_self()->own_cache;
	void *blocks[N];

	blocks_make(blocks, N, 4096);
	blocks_free(blocks, N);
	assert_true(own->lent > 0);
	blocks_make(blocks, N, 2048);
	enter();
	for (unsigned i = 0; i < 10; i++) {
		void *inside[N];

		blocks_make(inside, N, 1024);
		blocks_free(inside, N);
	}
	leave();
	assert_int_equal(own->room, tcache_bytes(own));
	blocks_free(blocks, N);
}

static void
test_a_thread_inside_follows_a_rotation(void **state)
{
	void *blocks[N];

	enter();
	free(malloc(SIZE));
	begin_generation(pool);
	blocks_make(blocks, N, SIZE);	/* more than a cache holds at first */
	assert_int_equal(arena_holding(blocks[N - 1]), current_arena_of(pool));
	leave();
	blocks_free(blocks, N);
}

/* The outer scope's cache is of a generation that ended meanwhile. */
static void
test_a_thread_follows_when_an_inner_scope_ends(void **state)
{
	unsigned inner;
	void *blocks[N];

	assert_int_equal(strata_pool_create(0, &inner), 0);
	enter();
	free(malloc(SIZE));
	assert_int_equal(strata_pool_enter(inner), 0);
	begin_generation(pool);
	assert_int_equal(strata_pool_leave(inner), 0);
	blocks_make(blocks, N, SIZE);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(arena_holding(blocks[i]),
		    current_arena_of(pool));
	leave();
	blocks_free(blocks, N);
	assert_int_equal(strata_pool_destroy(inner), 0);
}

static void
test_scopes_nest(void **state)
{
	unsigned inner, current;
	void *ptr;

	assert_int_equal(strata_pool_create(0, &inner), 0);
	assert_int_equal(strata_pool_current(&current), ENOENT);
	enter();
	enter();
	assert_int_equal(strata_pool_enter(inner), 0);
	assert_int_equal(strata_pool_current(&current), 0);
	assert_int_equal(current, inner);
	assert_int_equal(strata_pool_leave(pool), EINVAL);
	enter();		/* once more, beyond the inner one */
	ptr = malloc(SIZE);
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	free(ptr);
	leave();
	assert_int_equal(strata_pool_destroy(inner), EAGAIN);
	assert_int_equal(strata_pool_leave(inner), 0);
	leave();
	assert_int_equal(strata_pool_current(&current), 0);
	assert_int_equal(current, pool);
	leave();
	assert_int_equal(strata_pool_leave(pool), EINVAL);
	assert_int_equal(strata_pool_destroy(inner), 0);
}

static void
test_scopes_have_a_depth(void **state)
{
	unsigned others[POOL_DEPTH + 1];

	for (unsigned i = 0; i <= POOL_DEPTH; i++)
		assert_int_equal(strata_pool_create(0, &others[i]), 0);
	for (unsigned i = 0; i < POOL_DEPTH; i++)
		assert_int_equal(strata_pool_enter(others[i]), 0);
	assert_int_equal(strata_pool_enter(others[POOL_DEPTH]), EAGAIN);
	/* A leave too many ends no scope. */
	assert_int_equal(strata_pool_leave(others[POOL_DEPTH]), EINVAL);
	/* One that is among them is the innermost already. */
	assert_int_equal(strata_pool_enter(others[POOL_DEPTH - 1]), 0);
	assert_int_equal(strata_pool_leave(others[POOL_DEPTH - 1]), 0);
	for (unsigned i = POOL_DEPTH; i-- > 0; )
		assert_int_equal(strata_pool_leave(others[i]), 0);
	for (unsigned i = 0; i <= POOL_DEPTH; i++)
		assert_int_equal(strata_pool_destroy(others[i]), 0);
}

static void
test_rotation_takes_the_emptiest(void **state)
{
	unsigned first = current_arena_of(pool), second;
	void *old[N], *new[N];

	enter();
	blocks_make(old, N, SIZE);
	leave();
	begin_generation(pool);
	second = current_arena_of(pool);
	assert_int_not_equal(second, first);
	enter();
	blocks_make(new, N, SIZE);
	leave();
	/* both hold as much: a third is opened */
	begin_generation(pool);
	assert_int_not_equal(current_arena_of(pool), first);
	assert_int_not_equal(current_arena_of(pool), second);
	blocks_free(new, N);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	begin_generation(pool);
	assert_int_equal(current_arena_of(pool), second);
	blocks_free(old, N);
}

static void
test_a_glance_tells_what_is_current(void **state)
{
	unsigned other, arena;
	uint32_t generation;
	uint64_t now = begin_generation(pool);

	assert_true(pool_glance(pool, &arena, &generation));
	assert_int_equal(arena, current_arena_of(pool));
	assert_int_equal(generation, now);
	assert_int_equal(strata_pool_create(0, &other), 0);
	assert_true(pool_glance(pool, &arena, &generation));
	assert_int_equal(generation, now);
	assert_true(pool_glance(other, &arena, &generation));
	assert_int_equal(generation, now + 1);
	assert_int_equal(strata_pool_destroy(other), 0);
	assert_false(pool_glance(other, &arena, &generation));
}

static void
test_a_dead_generation_leaves_no_pages(void **state)
{
	struct pool_stats stats;
	void *blocks[N];

	enter();
	blocks_make(blocks, N, 4000);
	leave();
	begin_generation(pool);
	blocks_free(blocks, N);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	assert_int_equal(pool_stats_read(pool, &stats), 0);
	assert_int_equal(stats.allocated, 0);
	assert_int_equal(stats.releases, 1);
	assert_true(stats.released >= N * 4000);
	/* What was faulted in for the next generation goes at rest. */
	while (stats.resident > 0)
		assert_int_equal(pool_stats_read(pool, &stats), 0);
}

static void *
allocate_and_wait(void *arg)
{
	pthread_barrier_t *barrier = arg;
	void *kept;

	enter();
	kept = malloc(SIZE);
	free(malloc(SIZE));
	leave();
	pthread_barrier_wait(barrier);	/* rotated meanwhile */
	pthread_barrier_wait(barrier);
	return kept;
}

/* What an idle thread has parked or batched does not keep a generation. */
static void
test_a_rotation_empties_caches_of_idle_threads(void **state)
{
	pthread_barrier_t barrier;
	struct pool_stats stats;
	pthread_t thread;
	void *kept;

	pthread_barrier_init(&barrier, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, allocate_and_wait,
	    &barrier), 0);
	pthread_barrier_wait(&barrier);
	begin_generation(pool);
	assert_int_equal(pool_stats_read(pool, &stats), 0);
	assert_int_equal(stats.allocated, sc_size(sc_index(SIZE)));
	pthread_barrier_wait(&barrier);
	assert_int_equal(pthread_join(thread, &kept), 0);
	free(kept);
	pthread_barrier_destroy(&barrier);
}

static void *
end_inside(void *arg)
{
	enter();
	enter();
	return malloc(SIZE);
}

static void
test_a_thread_may_end_in_a_scope(void **state)
{
	pthread_t thread;
	void *ptr;

	assert_int_equal(pthread_create(&thread, NULL, end_inside, NULL), 0);
	assert_int_equal(pthread_join(thread, &ptr), 0);
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	free(ptr);
	/* and teardown finds that nobody is inside */
	begin_generation(pool);
}

static void
test_blocks_outlive_their_pool(void **state)
{
	unsigned other, arena;
	char *ptr;

	assert_int_equal(strata_pool_create(2, &other), 0);
	assert_int_equal(strata_pool_enter(other), 0);
	ptr = malloc(SIZE);
	arena = arena_holding(ptr);
	assert_int_equal(strata_pool_leave(other), 0);
	memset(ptr, 7, SIZE);
	assert_int_equal(strata_pool_destroy(other), 0);
	assert_int_equal(strata_pool_enter(other), ENOENT);
	assert_int_equal(strata_pool_rotate(other, NULL), ENOENT);
	assert_int_equal(arena_holding(ptr), arena);
	assert_int_equal(ptr[SIZE - 1], 7);
	free(ptr);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	begin_generation(pool);
	assert_null(arena_get(arena, false));
	/* Its number is free again. */
	assert_int_equal(strata_pool_create(2, &arena), 0);
	assert_int_equal(arena, other);
	assert_int_equal(strata_pool_destroy(other), 0);
}

static void
test_a_flag_allocates_from_a_pool(void **state)
{
	unsigned current;
	char *ptr = mallocx(SIZE, MALLOCX_POOL(pool) | MALLOCX_ZERO);

	assert_non_null(ptr);
	assert_int_equal(ptr[SIZE - 1], 0);
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	assert_int_equal(strata_pool_current(&current), ENOENT);
	begin_generation(pool);
	ptr = rallocx(ptr, 5000, MALLOCX_POOL(pool));
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	dallocx(ptr, MALLOCX_POOL(pool));
	errno = 0;
	assert_null(mallocx(SIZE, MALLOCX_POOL(POOL_MAX - 1)));
	assert_int_equal(errno, ENOMEM);
	assert_null(mallocx(SIZE, MALLOCX_POOL(0x7ff)));
}

static void
test_a_thread_without_a_cache_may_enter(void **state)
{
	bool off = false, on = true;
	void *ptr;

	assert_int_equal(mallctl("thread.tcache.enabled", NULL, NULL, &off,
	    sizeof off), 0);
	enter();
	ptr = malloc(SIZE);
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	assert_int_equal(mallctl("thread.tcache.enabled", NULL, NULL, &on,
	    sizeof on), 0);
	free(ptr);
	ptr = malloc(SIZE);
	assert_int_equal(arena_holding(ptr), current_arena_of(pool));
	free(ptr);
	leave();
}

static void
test_arguments_are_checked(void **state)
{
	unsigned other;

	assert_int_equal(strata_pool_create(0, NULL), EINVAL);
	assert_int_equal(strata_pool_create(1, &other), EINVAL);
	assert_int_equal(strata_pool_create(POOL_ARENAS_MAX + 1, &other),
	    EINVAL);
	assert_int_equal(strata_pool_enter(POOL_MAX), ENOENT);
	assert_int_equal(strata_pool_leave(12345), ENOENT);
	assert_int_equal(strata_pool_destroy(POOL_MAX - 1), ENOENT);
	assert_int_equal(strata_pool_current(NULL), EINVAL);
}

static void
test_there_is_a_most_of_pools(void **state)
{
	unsigned others[POOL_MAX], n = 0;
	int error;

	while ((error = strata_pool_create(2, &others[n])) == 0)
		assert_true(++n < POOL_MAX);
	assert_int_equal(error, EAGAIN);
	assert_int_equal(n, POOL_MAX - 1);
	while (n > 0)
		assert_int_equal(strata_pool_destroy(others[--n]), 0);
}

static void
test_its_arenas_are_not_the_programs(void **state)
{
	unsigned arena = current_arena_of(pool);
	extent_hooks_t *hooks;
	size_t size = sizeof hooks;
	char name[32];

	assert_int_equal(mallctl("thread.arena", NULL, NULL, &arena,
	    sizeof arena), EPERM);
	snprintf(name, sizeof name, "arena.%u.reset", arena);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), EFAULT);
	snprintf(name, sizeof name, "arena.%u.destroy", arena);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), EFAULT);
	/* A rotation would call them with the pools locked. */
	snprintf(name, sizeof name, "arena.%u.extent_hooks", arena);
	assert_int_equal(mallctl(name, &hooks, &size, NULL, 0), 0);
	assert_int_equal(mallctl(name, NULL, NULL, &hooks, size), EPERM);
}

static void
test_generations_are_the_process_s(void **state)
{
	uint64_t now = strata_generation(), mine = begin_generation(pool);

	assert_int_equal(mine, now + 1);
	assert_int_equal(strata_generation(), mine);
	assert_int_equal(strata_generation_advance(), mine + 1);
	assert_int_equal(begin_generation(pool), mine + 2);
}

/* Of a pool destroyed before; a thread that is gone had nearly entered. */
static int
destroy_again(unsigned index)
{
	unsigned again;

	if (strata_pool_create(0, &again) != 0 || again != index)
		return 1;
	return strata_pool_destroy(again) == 0 ? 0 : 2;
}

static void
test_a_child_forgets_who_was_about_to_enter(void **state)
{
	struct pool *other;
	unsigned index;
	int status;
	pid_t pid;

	assert_int_equal(strata_pool_create(0, &index), 0);
	other = pool_get(index);
	assert_int_equal(strata_pool_destroy(index), 0);
	atomic_fetch_add(&other->nscopes, 1);
	pid = fork();
	if (pid == 0)
		_exit(destroy_again(index));
	atomic_fetch_sub(&other->nscopes, 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* As much as a cache may have of the budget that all share, if it is there. */
static size_t
borrow(void)
{
	void *blocks[N];

	blocks_make(blocks, N, 4096);
	blocks_free(blocks, N);
	return thread_self()->own_cache.lent;
}

struct borrowers {
	pthread_barrier_t barrier;
	bool inside;
};

static void *
borrow_and_wait(void *arg)
{
	struct borrowers *borrowers = arg;

	if (borrowers->inside)
		enter();
	borrow();
	pthread_barrier_wait(&borrowers->barrier);
	pthread_barrier_wait(&borrowers->barrier);
	if (borrowers->inside)
		leave();
	return NULL;
}

static void
check_a_child_has_their_loans(bool inside)
{
	enum { THREADS = 40 };
	pthread_t threads[THREADS];
	struct borrowers borrowers = { .inside = inside };
	int status;
	pid_t pid;

	tcache_flush_all(&thread_self()->own_cache);
	pthread_barrier_init(&borrowers.barrier, NULL, THREADS + 1);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		    borrow_and_wait, &borrowers), 0);
	pthread_barrier_wait(&borrowers.barrier);
	assert_true(borrow() < 1 << 20);
	pid = fork();
	if (pid == 0)
		_exit(borrow() < 3 << 20);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	pthread_barrier_wait(&borrowers.barrier);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	pthread_barrier_destroy(&borrowers.barrier);
	assert_int_equal(status, 0);
}

static void
test_a_child_has_the_loans_of_threads_that_are_gone(void **state)
{
	check_a_child_has_their_loans(false);
	check_a_child_has_their_loans(true);
}

#define WITH_POOL(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_POOL(test_a_scope_decides_where_blocks_come_from),
		WITH_POOL(test_realloc_in_a_scope_moves_into_it),
		WITH_POOL(test_realloc_outside_moves_out),
		WITH_POOL(test_a_thread_made_inside_begins_outside),
		WITH_POOL(test_an_arena_bound_inside_is_for_afterwards),
		WITH_POOL(test_no_cache_mixes_generations),
		WITH_POOL(
		    test_a_long_scope_calls_the_loan_of_the_thread_s_cache_in),
		WITH_POOL(test_a_thread_inside_follows_a_rotation),
		WITH_POOL(test_a_thread_follows_when_an_inner_scope_ends),
		WITH_POOL(test_scopes_nest),
		WITH_POOL(test_scopes_have_a_depth),
		WITH_POOL(test_rotation_takes_the_emptiest),
		WITH_POOL(test_a_glance_tells_what_is_current),
		WITH_POOL(test_a_dead_generation_leaves_no_pages),
		WITH_POOL(test_a_rotation_empties_caches_of_idle_threads),
		WITH_POOL(test_a_thread_may_end_in_a_scope),
		WITH_POOL(test_blocks_outlive_their_pool),
		WITH_POOL(test_a_flag_allocates_from_a_pool),
		WITH_POOL(test_a_thread_without_a_cache_may_enter),
		WITH_POOL(test_arguments_are_checked),
		WITH_POOL(test_there_is_a_most_of_pools),
		WITH_POOL(test_its_arenas_are_not_the_programs),
		WITH_POOL(test_generations_are_the_process_s),
		WITH_POOL(test_a_child_forgets_who_was_about_to_enter),
		WITH_POOL(test_a_child_has_the_loans_of_threads_that_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
