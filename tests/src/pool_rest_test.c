/*
 * pool_rest_test.c - what goes back when a program with pools rests, what
 * does not, and that the thread which sees to it ends.
 */
#include "core.h"

#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "names.h"
#include "pool.h"
#include "pages_ahead.h"
#include "pool_rest.h"
#include "supply.h"
#include "thread.h"

#include <strata/strata.h>

/* A rest of 20 ms, for the tests with a thread; the others have a clock. */
const char *malloc_conf = "pool_rest_ms:20,narenas:2";

enum { SIZE = 1 << 20, REST_MS = 20 };

static uint64_t
ms(uint64_t n)
{
	return n * 1000000;
}

static bool
resident(const void *addr)
{
	return supply_resident((void *)((uintptr_t)addr & -os_page), SIZE) >=
	    SIZE / 2;
}

/* --- a look, by a clock of the test's ------------------------------------- */

/* Its pages are unused from now on. */
static char *
spike(struct pages *pages)
{
	struct extent *extent = pages_alloc(pages, SIZE, os_page);
	char *addr;

	assert_non_null(extent);
	addr = extent->addr;
	memset(addr, 1, SIZE);
	pages_free(pages, extent);
	return addr;
}

static void
test_unused_pages_go_at_rest(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	char *addr = spike(pages);

	assert_true(pool_rest_look(pages, ms(1000)));
	assert_true(pool_rest_look(pages, ms(1000 + REST_MS) - 1));
	assert_true(resident(addr));
	assert_true(pool_rest_look(pages, ms(1000 + REST_MS)));
	assert_false(resident(addr));
	assert_false(pool_rest_look(pages, ms(1001 + REST_MS)));
	pages_check(pages);
}

static void
test_pages_of_an_arena_that_works_stay(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	char *addr = spike(pages);

	for (unsigned i = 0; i < 100; i++) {
		assert_true(pool_rest_look(pages, ms(1000 + 15 * i)));
		assert_true(resident(addr));
		pages_free(pages, pages_alloc(pages, os_page, os_page));
	}
}

static void
test_muzzy_pages_go_too(void **state)
{
	struct pages *pages = supply_fresh(10000, 10000);

	spike(pages);
	(void)pool_rest_look(pages, ms(1000));
	(void)pool_rest_look(pages, ms(2000));
	assert_int_equal(ecache_bytes(&pages->caches[EXTENT_DIRTY]), 0);
	assert_int_equal(ecache_bytes(&pages->caches[EXTENT_MUZZY]), 0);
}

static void
test_what_never_decays_stays(void **state)
{
	struct pages *pages = supply_fresh(-1, 0), *muzzy = supply_fresh(10000, -1);
	char *addr = spike(pages);

	spike(muzzy);
	assert_false(pool_rest_look(pages, ms(1000)));
	assert_false(pool_rest_look(pages, ms(2000)));
	assert_true(resident(addr));
	assert_false(pool_rest_look(muzzy, ms(1000)));
	assert_false(pool_rest_look(muzzy, ms(2000)));
	assert_int_equal(ecache_bytes(&muzzy->caches[EXTENT_DIRTY]), SIZE);
}

/* Less than a stride, with much alive: no free comes that would purge it. */
static void
test_a_retired_arena_keeps_no_rest(void **state)
{
	struct pages *pages = supply_fresh(-1, -1);
	struct extent *alive = pages_alloc(pages, 32 * SIZE, os_page);
	char *addr;

	assert_non_null(alive);
	pages_retire(pages, true);
	addr = spike(pages);
	assert_true(resident(addr));
	(void)pool_rest_look(pages, ms(1000));
	(void)pool_rest_look(pages, ms(1000 + REST_MS));
	assert_false(resident(addr));
}

/* Strays that go one by one do not hold up what their arena has unused. */
static void
test_strays_hold_no_rest_up(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	struct extent *strays[REST_MS];
	uint64_t now = 1000;
	char *addr;

	for (unsigned i = 0; i < REST_MS; i++) {
		strays[i] = pages_alloc(pages, os_page, os_page);
		assert_non_null(strays[i]);
	}
	atomic_store(&pages_followed, true);
	pages_retire(pages, true);
	(void)pool_rest_look(pages, ms(now - 1));
	addr = spike(pages);
	for (unsigned i = 1; i < REST_MS; i++) {
		assert_true(pool_rest_look(pages, ms(now++)));
		assert_true(resident(addr));
		pages_free(pages, strays[i]);
	}
	(void)pool_rest_look(pages, ms(1000 + REST_MS));
	assert_false(resident(addr));
	atomic_store(&pages_followed, false);
	pages_free(pages, strays[0]);
}

/* A teardown is a use all the time that it takes. */
static void
test_a_teardown_is_no_rest(void **state)
{
	struct pages *pages = supply_fresh(10000, 0);
	struct extent *blocks[20];

	for (unsigned i = 0; i < 20; i++) {
		blocks[i] = pages_alloc(pages, 2 * SIZE, os_page);
		assert_non_null(blocks[i]);
	}
	atomic_store(&pages_followed, true);
	pages_retire(pages, true);
	for (unsigned i = 1; i < 20; i++) {
		pages_free(pages, blocks[i]);
		assert_true(pool_rest_look(pages, ms(1000 + 5 * i)));
		assert_int_equal(ecache_bytes(&pages->caches[EXTENT_DIRTY]),
		    2 * SIZE * i);
	}
	atomic_store(&pages_followed, false);
	pages_free(pages, blocks[0]);
}

/* What never decays is no reason to keep the thread, but is built in. */
static void
test_a_build_is_expected_whatever_the_decay(void **state)
{
	struct pages *pages = supply_fresh(-1, 0);

	if (os_ncpus() == 1) {
		skip();
		return;
	}
	pages_expect(pages, 32 * SIZE);
	assert_true(pool_rest_look(pages, ms(1000)));
	assert_true(pool_rest_look(pages, ms(1000 + REST_MS) - 1));
	assert_true(pages_expects(pages));
	(void)pool_rest_look(pages, ms(1000 + REST_MS));
	assert_false(pages_expects(pages));
	assert_false(pool_rest_look(pages, ms(1001 + REST_MS)));
}

/* --- the thread ----------------------------------------------------------- */

static unsigned
threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	unsigned n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n - 2;
}

/*
 * ThreadSanitizer has one of its own since the first that was made, and in a
 * fork's child perhaps.
 */
#ifdef __SANITIZE_THREAD__
static unsigned alone = 2;
static const bool children_are_alone = false;
#else
static unsigned alone = 1;
static const bool children_are_alone = true;
#endif

/* false: not within ten seconds. */
static bool
wait_until_alone(void)
{
	for (unsigned i = 0; i < 10000; i++) {
		if (threads() == alone)
			return true;
		os_sleep_ns(1000000);
	}
	return false;
}

/* A request's spike, by a thread that then sleeps; not of a pool. */
static void *
serve(void *arg)
{
	void **spot = arg;
	pthread_barrier_t *end = spot[1];
	char *block = malloc(2 * SIZE);

	assert_non_null(block);
	memset(block, 1, 2 * SIZE);
	spot[0] = block;
	free(block);
	pthread_barrier_wait(end);
	pthread_barrier_wait(end);
	return NULL;
}

static void
test_a_rotation_is_followed_by_a_look_at_all(void **state)
{
	pthread_barrier_t end;
	void *spot[2] = { NULL, &end };
	pthread_t thread;
	unsigned pool;
	bool gone = false;

	assert_int_equal(strata_pool_create(0, &pool), 0);
	assert_true(threads() <= alone);
	pthread_barrier_init(&end, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, serve, spot), 0);
	pthread_barrier_wait(&end);
	assert_true(resident(spot[0]));
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	for (unsigned i = 0; i < 10000 && !gone; i++) {
		os_sleep_ns(1000000);
		gone = !resident(spot[0]);
	}
	assert_true(gone);
	pthread_barrier_wait(&end);
	pthread_join(thread, NULL);
	assert_true(wait_until_alone());
	assert_int_equal(strata_pool_destroy(pool), 0);
}

/* One block of each slab of seven pages stays. */
static void
test_slabs_are_trimmed_at_rest(void **state)
{
	enum { N = 80, NREGS = 8, LEN = 3584 };
	char *blocks[N];
	unsigned pool, gone = 0;

	assert_int_equal(strata_pool_create(0, &pool), 0);
	for (unsigned i = 0; i < N; i++) {
		blocks[i] = mallocx(LEN, MALLOCX_TCACHE_NONE);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)i, LEN);
	}
	for (unsigned i = 0; i < N; i++)
		if (i % NREGS != 0)
			dallocx(blocks[i], MALLOCX_TCACHE_NONE);
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	assert_true(wait_until_alone());
	for (unsigned i = 0; i < N; i++) {
		gone += supply_resident((void *)((uintptr_t)blocks[i] &
		    -os_page), os_page) == 0;
		for (unsigned k = 0; i % NREGS == 0 && k < LEN; k++)
			assert_int_equal(blocks[i][k], (char)i);
	}
	assert_true(gone >= N / 2);
	for (unsigned i = 0; i < N; i += NREGS)
		dallocx(blocks[i], MALLOCX_TCACHE_NONE);
	assert_int_equal(strata_pool_destroy(pool), 0);
}

enum { NSMALL = 2000, SMALL = 64 };

struct sleeper {
	pthread_barrier_t end;
	_Atomic(struct thread *) self;
};

/* Leaves blocks in its open cache, and the bin that they go back to locked. */
static void *
sleep_with_a_cache(void *arg)
{
	static void *blocks[NSMALL];
	struct thread *self = thread_get();
	struct sleeper *sleeper = arg;
	struct bin *bin;

	for (unsigned i = 0; i < NSMALL; i++)
		blocks[i] = malloc(SMALL);
	for (unsigned i = 0; i < NSMALL; i++)
		free(blocks[i]);
	tcache_open(&self->own_cache);
	bin = arena_bin(self->arena, sc_index(SMALL), self->own_cache.shard);
	lock_acquire(&bin->lock);
	atomic_store(&sleeper->self, self);
	pthread_barrier_wait(&sleeper->end);
	lock_release(&bin->lock);
	return NULL;
}

static bool
wait_until_taken_from(struct sleeper *sleeper)
{
	for (unsigned i = 0; i < 10000; i++) {
		struct thread *thread = atomic_load(&sleeper->self);

		if (thread != NULL && atomic_load(&thread->own_cache.claim) ==
		    TCACHE_TAKERS)
			return true;
		os_sleep_ns(1000000);
	}
	return false;
}

static void
say_locked(int sig)
{
	static const char text[] = "the list of threads is locked\n";

	_exit(write(STDERR_FILENO, text, sizeof text - 1) > 0 ? 1 : 2);
}

/* It may be much: those that start and end do not wait for it. */
static void
test_what_goes_back_goes_without_the_list_of_threads(void **state)
{
	struct sleeper sleeper = { .self = NULL };
	struct thread_totals totals;
	pthread_t thread;
	unsigned pool;

	assert_int_equal(strata_pool_create(0, &pool), 0);
	pthread_barrier_init(&sleeper.end, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, sleep_with_a_cache,
	    &sleeper), 0);
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	assert_true(wait_until_taken_from(&sleeper));
	signal(SIGALRM, say_locked);
	alarm(20);
	thread_totals(&totals);
	alarm(0);
	pthread_barrier_wait(&sleeper.end);
	pthread_join(thread, NULL);
	assert_true(wait_until_alone());
	assert_int_equal(strata_pool_destroy(pool), 0);
}

static void *
set_hooks(void *arg)
{
	static extent_hooks_t hooks;
	_Atomic bool *set = arg;
	struct pages *pages = supply_fresh(0, 0);

	hooks = *pages_hooks_get(pages);
	pages_hooks_set(pages, &hooks);
	atomic_store(set, true);
	return NULL;
}

/* A hook must not be called while a cache of the program's is claimed. */
static void
test_hooks_wait_for_a_look_at_the_caches(void **state)
{
	_Atomic bool set = false;
	pthread_t thread;

	pages_hookless_begin();
	assert_int_equal(pthread_create(&thread, NULL, set_hooks,
	    (void *)&set), 0);
	/* Long enough to see it, were it not to wait. */
	os_sleep_ns(20 * 1000000);
	assert_false(atomic_load(&set));
	pages_hookless_end();
	pthread_join(thread, NULL);
	assert_true(atomic_load(&set));
}

/* What a scope of little work leaves in its cache; another pool rotates. */
static void
test_parked_caches_are_emptied_at_rest(void **state)
{
	struct pool_facts facts;
	struct arena *arena;
	unsigned pool, other;

	assert_int_equal(strata_pool_create(0, &pool), 0);
	assert_int_equal(strata_pool_create(0, &other), 0);
	assert_int_equal(pool_facts_read(pool, &facts), 0);
	arena = arena_get(facts.arena, false);
	assert_int_equal(strata_pool_enter(pool), 0);
	free(malloc(1000));
	assert_int_equal(strata_pool_leave(pool), 0);
	assert_true(thread_tcache_bytes_of(arena) > 0);
	assert_int_equal(strata_pool_rotate(other, NULL), 0);
	assert_true(wait_until_alone());
	assert_int_equal(thread_tcache_bytes_of(arena), 0);
	assert_int_equal(pages_active(&arena->pages), 0);
	/* There is one for the next. */
	assert_int_equal(strata_pool_enter(pool), 0);
	free(malloc(1000));
	assert_int_equal(strata_pool_leave(pool), 0);
	assert_true(thread_tcache_bytes_of(arena) > 0);
	assert_int_equal(strata_pool_destroy(other), 0);
	assert_int_equal(strata_pool_destroy(pool), 0);
}

/* One thread for however many rotations, or one more that is ending. */
static void
test_the_thread_ends(void **state)
{
	unsigned pool;

	assert_int_equal(strata_pool_create(0, &pool), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	assert_true(threads() < 10);
	assert_true(wait_until_alone());
	assert_int_equal(strata_pool_destroy(pool), 0);
}

static void
test_a_fork_child_has_its_own(void **state)
{
	unsigned pool;
	int status;
	pid_t pid;

	if (!children_are_alone) {
		skip();
		return;
	}
	assert_int_equal(strata_pool_create(0, &pool), 0);
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	pid = fork();
	if (pid == 0) {
		void *block = malloc(2 * SIZE);

		memset(block, 1, 2 * SIZE);
		free(block);
		alone = 1;
		if (threads() != 1)
			_exit(1);
		if (strata_pool_rotate(pool, NULL) != 0)
			_exit(2);
		if (!wait_until_alone())
			_exit(3);
		_exit(resident(block) ? 4 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(wait_until_alone());
	assert_int_equal(strata_pool_destroy(pool), 0);
}

/* From now on no thread can be made here. False: the system cannot do that. */
static bool
forbid_threads(void)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
		    offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone3, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_clone, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
	};
	struct sock_fprog filter = { ARRAY_LEN(code), code };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

enum { CANNOT_FORBID = 77 };

/* Exit status 0: it goes on, and who frees gives back what it leaves. */
static int
rotate_without_threads(unsigned pool)
{
	struct extent *alive;
	struct pages *pages;
	char *addr;

	if (!forbid_threads())
		return CANNOT_FORBID;
	for (unsigned i = 0; i < 3; i++)
		if (strata_pool_rotate(pool, NULL) != 0)
			return 1;
	if (threads() != 1)
		return 2;
	pages = supply_fresh(10000, 0);
	alive = pages_alloc(pages, SIZE, os_page);
	pages_retire(pages, true);
	addr = spike(pages);
	return alive == NULL || resident(addr) ? 3 : 0;
}

static void
test_a_process_that_may_make_no_thread_rotates(void **state)
{
	unsigned pool;
	int status;
	pid_t pid;

	if (!children_are_alone) {
		skip();
		return;
	}
	assert_int_equal(strata_pool_create(0, &pool), 0);
	pid = fork();
	if (pid == 0)
		_exit(rotate_without_threads(pool));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(strata_pool_destroy(pool), 0);
	if (WEXITSTATUS(status) == CANNOT_FORBID)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* The thread of the test before has ended, which only the system knows. */
RACY static void
test_minus_one_makes_no_thread(void **state)
{
	ssize_t before = opt.pool_rest_ms;
	unsigned pool;

	opt.pool_rest_ms = -1;
	assert_int_equal(strata_pool_create(0, &pool), 0);
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	assert_int_equal(threads(), alone);
	assert_int_equal(strata_pool_destroy(pool), 0);
	opt.pool_rest_ms = before;
}

static struct pages *
current_pages(unsigned pool)
{
	struct pool_facts facts;

	assert_int_equal(pool_facts_read(pool, &facts), 0);
	return &arena_get(facts.arena, false)->pages;
}

/* blocks[0] stays. */
static void
build_and_retire(unsigned pool, void **blocks, unsigned n)
{
	assert_int_equal(strata_pool_enter(pool), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_non_null(blocks[i] = malloc(SIZE));
		memset(blocks[i], 1, SIZE);
	}
	assert_int_equal(strata_pool_leave(pool), 0);
	assert_int_equal(strata_pool_rotate(pool, NULL), 0);
	for (unsigned i = 1; i < n; i++)
		free(blocks[i]);
}

/* What the thread follows is gone when it has ended, strays or not. */
static void
test_a_teardown_is_purged_at_rest(void **state)
{
	void *blocks[8];
	struct pages *pages;
	unsigned pool;

	assert_int_equal(strata_pool_create(0, &pool), 0);
	pages = current_pages(pool);
	build_and_retire(pool, blocks, 8);
	assert_true(wait_until_alone());
	assert_false(atomic_load(&pages_followed));
	assert_int_equal(ecache_bytes(&pages->caches[EXTENT_DIRTY]), 0);
	for (unsigned i = 1; i < 8; i++)
		assert_false(resident(blocks[i]));
	assert_true(resident(blocks[0]));
	free(blocks[0]);
	assert_int_equal(strata_pool_destroy(pool), 0);
}

/* The last: a thread of a long rest sleeps long. */
static void
test_a_teardown_does_not_wait_for_a_long_rest(void **state)
{
	struct pages_released before, after;
	struct pages *pages;
	void *blocks[8];
	unsigned pool;

	opt.pool_rest_ms = 60 * 1000;
	assert_int_equal(strata_pool_create(0, &pool), 0);
	pages = current_pages(pool);
	pages_released_get(pages, &before);
	build_and_retire(pool, blocks, 8);
	pages_released_get(pages, &after);
	assert_true(after.bytes >= before.bytes + 4 * (size_t)SIZE);
	free(blocks[0]);
	assert_int_equal(strata_pool_destroy(pool), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unused_pages_go_at_rest),
		cmocka_unit_test(test_pages_of_an_arena_that_works_stay),
		cmocka_unit_test(test_muzzy_pages_go_too),
		cmocka_unit_test(test_what_never_decays_stays),
		cmocka_unit_test(test_a_retired_arena_keeps_no_rest),
		cmocka_unit_test(test_strays_hold_no_rest_up),
		cmocka_unit_test(test_a_teardown_is_no_rest),
		cmocka_unit_test(test_a_build_is_expected_whatever_the_decay),
		cmocka_unit_test(test_a_rotation_is_followed_by_a_look_at_all),
		cmocka_unit_test(test_slabs_are_trimmed_at_rest),
		cmocka_unit_test(
		    test_what_goes_back_goes_without_the_list_of_threads),
		cmocka_unit_test(test_hooks_wait_for_a_look_at_the_caches),
		cmocka_unit_test(test_parked_caches_are_emptied_at_rest),
		cmocka_unit_test(test_the_thread_ends),
		cmocka_unit_test(test_a_fork_child_has_its_own),
		cmocka_unit_test(
		    test_a_process_that_may_make_no_thread_rotates),
		cmocka_unit_test(test_minus_one_makes_no_thread),
		cmocka_unit_test(test_a_teardown_is_purged_at_rest),
		cmocka_unit_test(
		    test_a_teardown_does_not_wait_for_a_long_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
