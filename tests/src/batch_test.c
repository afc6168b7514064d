/*
 * batch_test.c - frees of another arena's blocks: they wait, each is given
 * back once, whoever does it, and a double free of what waits is found.
 */
#include "core.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "batch.h"
#include "mallctl.h"
#include "names.h"
#include "pages_hooks.h"
#include "pool.h"
#include "thread.h"

enum {
	SIZE = 64,
	NTHIEVES = 3,
	NPUSHES = 300000,		/* half a second */
};

static struct arena *first, *second;	/* of no thread */
static unsigned sizeclass;

/* As arena's bins see it: what waits in a batch is in use. */
static void *
block_of(struct arena *arena, unsigned class)
{
	void *ptr = arena_alloc(arena, class, 1, NULL);

	if (ptr == NULL)
		abort();
	return ptr;
}

static size_t
blocks_in(struct arena *arena)
{
	return arena_allocated(arena) / SIZE;
}

/* Pushes until it is told to flush; returns how many that took. */
static unsigned
push_all(struct batch *batch, unsigned class)
{
	unsigned n = 1;

	for (; !batch_push(batch, class, block_of(first, class)); n++)
		if (n > BATCH_SLOTS)
			abort();
	return n;
}

static int
setup(void **state)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (batch == NULL)
		return -1;
	batch_init(batch);
	*state = batch;
	return 0;
}

static int
teardown(void **state)
{
	struct arena *arenas[] = { first, second };

	batch_flush(*state);
	free(*state);
	thread_batch_flush_all();
	for (unsigned i = 0; i < 2; i++) {
		arena_check(arenas[i]);
		assert_int_equal(pages_active(&arenas[i]->pages), 0);
	}
	return 0;
}

/* --- one thread ----------------------------------------------------------- */

static void
test_a_class_has_room_by_its_size(void **state)
{
	size_t blocks = 0, bytes = 0;

	for (unsigned i = 0; i < SC_NSMALL; i++) {
		unsigned n = push_all(*state, i);

		assert_in_range(n, 2, BATCH_SLOTS);
		assert_true(n == 2 || n * sc_size(i) <= 32 << 10);
		blocks += n;
		bytes += n * sc_size(i);
		assert_int_equal(arena_allocated(first), bytes);
	}
	/* What batch.h says. */
	assert_int_equal(blocks, 817);
	assert_int_equal(bytes >> 10, 652);
}

static void
test_a_full_class_is_given_back_alone(void **state)
{
	void *other = block_of(first, sizeclass + 1);
	unsigned n;

	assert_false(batch_push(*state, sizeclass + 1, other));
	n = push_all(*state, sizeclass);
	batch_flush_class(*state, sizeclass);
	assert_int_equal(arena_allocated(first), sc_size(sizeclass + 1));
	assert_true(batch_holds(*state, sizeclass + 1, other));
	/* And has as much room as before. */
	assert_int_equal(push_all(*state, sizeclass), n);
}

static void
test_blocks_of_several_arenas_go_each_to_its_own(void **state)
{
	for (unsigned i = 0; i < 10; i++) {
		batch_push(*state, sizeclass, block_of(first, sizeclass));
		batch_push(*state, sizeclass, block_of(second, sizeclass));
	}
	assert_int_equal(blocks_in(first), 10);
	assert_int_equal(blocks_in(second), 10);
	batch_flush(*state);
	assert_int_equal(blocks_in(first), 0);
	assert_int_equal(blocks_in(second), 0);
}

/* Wherever in the ring the thief has left off. */
static void
test_the_owner_goes_on_after_a_theft(void **state)
{
	struct batch *batch = *state;

	for (unsigned n = 1; n < 3 * BATCH_SLOTS; n++) {
		for (unsigned i = 0; i < n; i++)
			if (batch_push(batch, sizeclass, block_of(first,
			    sizeclass)))
				batch_flush_class(batch, sizeclass);
		assert_true(blocks_in(first) <= BATCH_SLOTS);
		batch_steal(batch);
		assert_int_equal(blocks_in(first), 0);
	}
}

static void
test_it_knows_what_waits(void **state)
{
	void *ptr = block_of(first, sizeclass);

	assert_false(batch_holds(*state, sizeclass, ptr));
	batch_push(*state, sizeclass, ptr);
	assert_true(batch_holds(*state, sizeclass, ptr));
	assert_false(batch_holds(*state, sizeclass + 1, ptr));
	batch_steal(*state);
	assert_false(batch_holds(*state, sizeclass, ptr));
}

/* --- thieves -------------------------------------------------------------- */

static _Atomic bool over;

static void *
steal(void *arg)
{
	while (!atomic_load(&over))
		batch_steal(arg);
	return NULL;
}

/* Twice given back, a region is free too often: arena_check finds it. */
static void
test_thieves_and_owner_give_each_block_back_once(void **state)
{
	pthread_t thieves[NTHIEVES];
	struct batch *batch = *state;

	atomic_store(&over, false);
	for (unsigned i = 0; i < NTHIEVES; i++)
		assert_int_equal(pthread_create(&thieves[i], NULL, steal,
		    batch), 0);
	for (unsigned i = 0; i < NPUSHES; i++) {
		unsigned class = sizeclass + core_below(3);

		if (batch_push(batch, class, block_of(core_below(2) ? first :
		    second, class)))
			batch_flush_class(batch, class);
	}
	atomic_store(&over, true);
	for (unsigned i = 0; i < NTHIEVES; i++)
		pthread_join(thieves[i], NULL);
	batch_flush(batch);
	assert_int_equal(arena_allocated(first), 0);
	assert_int_equal(arena_allocated(second), 0);
}

/* --- free ----------------------------------------------------------------- */

static void *
outside(struct arena *arena)
{
	void *ptr = mallocx(SIZE, MALLOCX_ARENA(arena->index) |
	    MALLOCX_TCACHE_NONE);

	if (ptr == NULL)
		abort();
	return ptr;
}

static void *
free_one(void *arg)
{
	free(outside(arg));
	return NULL;
}

static void
test_a_thread_that_ends_gives_its_batch_back(void **state)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, free_one, first), 0);
	pthread_join(thread, NULL);
	assert_int_equal(blocks_in(first), 0);
}

static void
test_free_neither_takes_the_bin_nor_the_cache(void **state)
{
	void *ptr = outside(first);
	size_t before = tcache_bytes(&thread_self()->own_cache);
	uint64_t freed = thread_self()->deallocated;

	free(ptr);
	assert_int_equal(blocks_in(first), 1);
	assert_int_equal(tcache_bytes(&thread_self()->own_cache), before);
	assert_int_equal(thread_self()->deallocated, freed + SIZE);
	assert_true(batch_holds(&thread_self()->batch, sizeclass, ptr));
	thread_tcache_flush(thread_self());
	assert_int_equal(blocks_in(first), 0);
}

static void
test_a_thread_that_only_frees_passes_on(void **state)
{
	void *blocks[10 * BATCH_SLOTS];

	for (unsigned i = 0; i < 10 * BATCH_SLOTS; i++)
		blocks[i] = outside(i % 2 == 0 ? first : second);
	for (unsigned i = 0; i < 10 * BATCH_SLOTS; i++)
		free(blocks[i]);
	assert_true(blocks_in(first) + blocks_in(second) < BATCH_SLOTS);
}

/* In a pool's scope these are the thread's own and go to its cache. */
static void
test_in_a_scope_the_own_blocks_do_not_wait(void **state)
{
	struct thread *self = thread_self();
	void *ptr = malloc(SIZE);
	unsigned pool;

	assert_int_equal(pool_create(0, &pool), 0);
	assert_int_equal(pool_enter(pool), 0);
	free(ptr);
	assert_false(batch_holds(&self->batch, sizeclass, ptr));
	assert_int_equal(pool_leave(pool), 0);
	assert_ptr_equal(malloc(SIZE), ptr);
	free(ptr);
	assert_int_equal(pool_destroy(pool), 0);
}

struct worker {
	pthread_t id;
	pthread_barrier_t *barrier;
};

static void *
free_and_wait(void *arg)
{
	struct worker *worker = arg;

	free(outside(first));
	free(outside(second));
	pthread_barrier_wait(worker->barrier);
	pthread_barrier_wait(worker->barrier);
	return NULL;
}

static void
test_a_reset_takes_what_idle_threads_hold(void **state)
{
	struct worker workers[NTHIEVES];
	pthread_barrier_t barrier;

	pthread_barrier_init(&barrier, NULL, NTHIEVES + 1);
	for (unsigned i = 0; i < NTHIEVES; i++) {
		workers[i].barrier = &barrier;
		assert_int_equal(pthread_create(&workers[i].id, NULL,
		    free_and_wait, &workers[i]), 0);
	}
	pthread_barrier_wait(&barrier);
	assert_int_equal(blocks_in(first), NTHIEVES);
	thread_batch_flush_all();
	assert_int_equal(blocks_in(first), 0);
	assert_int_equal(blocks_in(second), 0);
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < NTHIEVES; i++)
		pthread_join(workers[i].id, NULL);
	pthread_barrier_destroy(&barrier);
}

/* A thief is at it: the block to be dropped comes after a hook's extent. */
static _Atomic bool in_hook, reset_returned, reset_came_first;

static void *
map_hook(extent_hooks_t *hooks, void *addr, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	return pages_hooks_own.alloc(hooks, addr, size, align, zero, commit,
	    arena);
}

/* Long enough for a reset that does not wait; true: it opts out. */
static bool
slow_hook(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	atomic_store(&in_hook, true);
	for (unsigned i = 0; i < 1000 && !atomic_load(&reset_returned); i++)
		os_sleep_ns(100 * 1000);
	if (atomic_load(&reset_returned))
		atomic_store(&reset_came_first, true);
	return true;
}

static void *
flush_all(void *arg)
{
	thread_batch_flush_all();
	return NULL;
}

static void
free_one_of_each(unsigned hooked, unsigned dropped)
{
	free(block_of(arena_get(hooked, false), sizeclass));
	free(block_of(arena_get(dropped, false), sizeclass));
}

static void
test_a_reset_waits_for_a_thief(void **state)
{
	static extent_hooks_t hooks = { .alloc = map_hook,
	    .dalloc = slow_hook };
	unsigned hooked, dropped;
	char name[64];
	pthread_t id;

	assert_int_equal(arena_create_hooked(&hooked, &hooks), 0);
	assert_int_equal(arena_create(&dropped), 0);
	assert_int_equal(arena_decay_ms_set(hooked, EXTENT_DIRTY, 0), 0);
	free_one_of_each(hooked, dropped);
	assert_int_equal(pthread_create(&id, NULL, flush_all, NULL),
	    0);
	while (!atomic_load(&in_hook))
		os_yield();
	assert_int_equal(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0),
	    0);
	snprintf(name, sizeof name, "arena.%u.reset", dropped);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), 0);
	atomic_store(&reset_returned, true);
	pthread_join(id, NULL);
	assert_false(reset_came_first);
	arena_check(arena_get(dropped, false));
}

/* The forking thread's own batch goes on in both, once in each. */
static void
test_a_child_has_its_threads_batch(void **state)
{
	void *ptr = outside(first);
	int status;
	pid_t pid;

	free(ptr);
	pid = fork();
	if (pid == 0) {
		bool waits = batch_holds(&thread_self()->batch, sizeclass,
		    ptr) && blocks_in(first) == 1;

		thread_batch_flush_all();
		_exit(waits && blocks_in(first) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(blocks_in(first), 1);
	thread_batch_flush_all();
	assert_int_equal(blocks_in(first), 0);
}

static int
boot(void **state)
{
	unsigned a, b;

	core_seed();
	free(malloc(1));
	sizeclass = sc_index(SIZE);
	if (arena_create(&a) != 0 || arena_create(&b) != 0)
		return -1;
	first = arena_get(a, false);
	second = arena_get(b, false);
	return first == NULL || second == NULL ? -1 : 0;
}

#define WITH_BATCH(f)	cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BATCH(test_a_class_has_room_by_its_size),
		WITH_BATCH(test_a_full_class_is_given_back_alone),
		WITH_BATCH(test_blocks_of_several_arenas_go_each_to_its_own),
		WITH_BATCH(test_the_owner_goes_on_after_a_theft),
		WITH_BATCH(test_it_knows_what_waits),
		WITH_BATCH(test_thieves_and_owner_give_each_block_back_once),
		WITH_BATCH(test_a_thread_that_ends_gives_its_batch_back),
		WITH_BATCH(test_free_neither_takes_the_bin_nor_the_cache),
		WITH_BATCH(test_a_thread_that_only_frees_passes_on),
		WITH_BATCH(test_in_a_scope_the_own_blocks_do_not_wait),
		WITH_BATCH(test_a_reset_takes_what_idle_threads_hold),
		WITH_BATCH(test_a_reset_waits_for_a_thief),
		WITH_BATCH(test_a_child_has_its_threads_batch),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
