/*
 * fault_test.c - the kernel refuses memory: the k-th call that gets, gives
 * back or changes memory fails, for every k that a scenario reaches; alone, or
 * with all that follow. Each request that fails says NULL and ENOMEM; what
 * there is stays as it is, the metadata is whole, and when there is memory
 * again the same scenario passes without a failure.
 *
 *   test -> a process with its options -> a child per k
 *
 * The library's start is played the same way: an array that runs before all
 * constructors sets the fault (FAULT_AT), and main finds out.
 */
#define _GNU_SOURCE
#include "core.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot.h"
#include "live.h"
#include "names.h"
#include "prof.h"
#include "refheap.h"
#include "thread.h"

enum { NBLOCKS = 600, CONTINUE = 17, K_MAX = 5000 };

static struct ref_block blocks[NBLOCKS];
static unsigned nblocks;
static _Atomic unsigned ncalls, nfailed;
static unsigned fail_from, fail_to;	/* calls from .. to - 1, from 1 */
/* Each piece of metadata is a mapping of its own, so that each can fail. */
static bool no_chunks;

static int
fail_some(enum os_memory_call call)
{
	unsigned at = atomic_fetch_add(&ncalls, 1) + 1;

	return at >= fail_from && at < fail_to ? -ENOMEM : 0;
}

static void
arm(unsigned from, unsigned to)
{
	ncalls = 0;
	fail_from = from;
	fail_to = to;
	os_fault = fail_some;
}

/* Everything was freed: nothing is active, and nothing is lost. */
static void
check_arena(struct arena *arena)
{
	struct pages *pages = &arena->pages;
	size_t cached = 0;

	arena_check(arena);
	for (unsigned i = 0; i < EXTENT_NCACHES; i++)
		cached += ecache_bytes(&pages->caches[i]);
	if (pages_active(pages) != 0 || cached != pages->address_space)
		ref_die("arena %u: %zu bytes active, %zu of %zu cached",
		    arena->index, pages_active(pages), cached,
		    pages->address_space);
}

static void
check_arenas(void)
{
	struct thread *thread = thread_get();

	if (thread != NULL)
		thread_tcache_flush(thread);
	for (unsigned i = 0; i < arenas_count(); i++)
		if (arena_get(i, false) != NULL)
			check_arena(arena_get(i, false));
	arena_check(arena_internal());
}

/* --- the scenario --------------------------------------------------------- */

/* A result of the allocator, and errno as it left it. */
static void
keep(void *ptr, size_t size)
{
	struct ref_block *block = &blocks[nblocks];

	if (ptr == NULL) {
		if (errno != ENOMEM)
			ref_die("errno is %d", errno);
		nfailed++;
		return;
	}
	*block = (struct ref_block){ .ptr = ptr, .requested = size,
	    .usable = malloc_usable_size(ptr) };
	if (block->usable < size)
		ref_die("%zu usable of %zu", block->usable, size);
	ref_occupy(block, true);
	ref_write(block, nblocks++ + size);
}

static void
resize(struct ref_block *block, size_t size)
{
	struct ref_block old = *block;
	void *ptr = realloc(block->ptr, size);

	if (ptr == NULL) {
		if (errno != ENOMEM)
			ref_die("errno is %d", errno);
		nfailed++;
		ref_check(block, block->ptr, block->usable);
		return;
	}
	ref_occupy(&old, false);
	block->ptr = ptr;
	block->usable = malloc_usable_size(ptr);
	ref_occupy(block, true);
	ref_check(&old, ptr, size);
	ref_write(block, size);
}

static void
drop_all(void)
{
	while (nblocks > 0) {
		struct ref_block *block = &blocks[--nblocks];

		ref_check(block, block->ptr, block->usable);
		ref_occupy(block, false);
		nblocks % 3 == 0 ? dallocx(block->ptr, MALLOCX_TCACHE_NONE) :
		    free(block->ptr);
	}
}

/* A mallctl that makes something: its number, or -1 and one more failure. */
static int
create(const char *name)
{
	unsigned number;
	size_t len = sizeof number;
	int error = mallctl(name, &number, &len, NULL, 0);

	if (error == 0)
		return (int)number;
	if (error != EAGAIN)
		ref_die("%s: %s", name, strerror(error));
	nfailed++;
	return -1;
}

static void *
short_life(void *arg)
{
	for (size_t size = 10; size < 100000; size = size * 5 / 2) {
		keep(malloc(size), size);
		keep(calloc(size, 2), size * 2);
	}
	return NULL;
}

static void
use_libc_family(void)
{
	void *ptr = NULL;

	for (size_t size = 8; size < 300000; size = size * 5 / 2) {
		keep(malloc(size), size);
		keep(calloc(1, size), size);
		keep(realloc(NULL, size), size);
	}
	for (unsigned i = 0; i < 3; i++)	/* a growth each */
		keep(malloc((size_t)3 << 20), (size_t)3 << 20);
	for (size_t align = 64; align <= 4 << 20; align *= 16) {
		keep(aligned_alloc(align, 5000), 5000);
		keep(memalign(align, 70000), 70000);
		errno = posix_memalign(&ptr, align, align + 1);
		keep(errno == 0 ? ptr : NULL, align + 1);
	}
	keep(valloc(100), 100);
	keep(pvalloc(5000), 5000);
	for (unsigned i = 0; i < nblocks; i += 4)
		resize(&blocks[i], i % 3 == 0 ? blocks[i].usable / 3 + 1 :
		    blocks[i].usable * 2 + 1);
}

static void
use_jemalloc_family(int arena, int cache)
{
	int flags[] = { MALLOCX_ZERO, MALLOCX_TCACHE_NONE,
	    cache < 0 ? 0 : MALLOCX_TCACHE(cache),
	    arena < 0 ? 0 : MALLOCX_ARENA(arena) };

	for (unsigned i = 0; i < ARRAY_LEN(flags); i++)
		for (size_t size = 100; size < 100000; size *= 7) {
			keep(mallocx(size, flags[i] | MALLOCX_ALIGN(128)),
			    size);
			(void)xallocx(nblocks == 0 ? NULL :
			    blocks[nblocks - 1].ptr, 1, 0, 0);
			if (nblocks == 0)
				continue;
			/* xallocx may have cut it; the bits say what was. */
			ref_occupy(&blocks[nblocks - 1], false);
			blocks[nblocks - 1].usable = malloc_usable_size(
			    blocks[nblocks - 1].ptr);
			ref_occupy(&blocks[nblocks - 1], true);
			ref_write(&blocks[nblocks - 1], size);
		}
}

static void
scenario(void)
{
	int arena = create("arenas.create"), cache = create("tcache.create");
	unsigned number = (unsigned)cache;
	char destroy[32];
	ssize_t ms = 0;
	pthread_t thread;

	use_libc_family();
	use_jemalloc_family(arena, cache);
	if (pthread_create(&thread, NULL, short_life, NULL) != 0)
		ref_die("pthread_create");
	pthread_join(thread, NULL);
	drop_all();
	if (cache >= 0)
		(void)mallctl("tcache.destroy", NULL, NULL, &number,
		    sizeof number);
	(void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	(void)mallctl("arenas.dirty_decay_ms", NULL, NULL, &ms, sizeof ms);
	arena_purge(ARENA_NONE);
	snprintf(destroy, sizeof destroy, "arena.%d.destroy", arena);
	if (arena >= 0 && mallctl(destroy, NULL, NULL, NULL, 0) != 0)
		ref_die("%s", destroy);
}

/* --- every k -------------------------------------------------------------- */

/* 0: the scenario makes fewer than from calls; else CONTINUE. */
static int
play(unsigned from, unsigned to)
{
	if (no_chunks) {
		base_meta.at = base_meta.end = NULL;
		base_meta.chunk_size = 1;
	}
	arm(from, to);
	scenario();
	os_fault = NULL;
	check_arenas();
	if (ncalls < from)
		return nfailed == 0 ? 0 : 1;
	nfailed = 0;
	scenario();
	check_arenas();
	if (nfailed != 0)
		ref_die("%u requests fail when there is memory", nfailed);
	return CONTINUE;
}

static int
in_child(unsigned from, unsigned to)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		_exit(play(from, to));
	}
	if (waitpid(pid, &status, 0) != pid)
		return 1;
	if (status != 0 && status != CONTINUE << 8)
		printf("calls %u to %u: status 0x%x\n", from, to, status);
	return status == CONTINUE << 8 ? CONTINUE : status != 0;
}

static int
play_all(void)
{
	int alone = CONTINUE, onward = CONTINUE;
	unsigned k;

	/* The passage of time makes a call more or less: both to the end. */
	for (k = 1; k < K_MAX && alone + onward != 0; k++) {
		alone = in_child(k, k + 1);
		onward = no_chunks ? 0 : in_child(k, UINT_MAX);
		if ((alone != 0 && alone != CONTINUE) ||
		    (onward != 0 && onward != CONTINUE))
			return 1;
	}
	printf("%u calls\n", k - 1);
	return alone + onward != 0 || k < 10;
}

/* --- the start ------------------------------------------------------------ */

/* Before all constructors, the library's among them. */
static void
set_fault_at_start(int argc, char **argv, char **environment)
{
	for (; *environment != NULL; environment++)
		if (strncmp(*environment, "FAULT_AT=", 9) == 0)
			arm((unsigned)atoi(*environment + 9),
			    (unsigned)atoi(*environment + 9) + 1);
}

__attribute__((section(".preinit_array"), used)) static void
(*const at_start)(int, char **, char **) = set_fault_at_start;

/* The start has failed at most once: malloc does it again. */
static int
play_start(void)
{
	bool reached = ncalls >= fail_from;
	void *ptr = malloc(100);

	if (ptr == NULL && errno != ENOMEM)
		ref_die("errno is %d", errno);
	os_fault = NULL;
	free(ptr);
	scenario();
	check_arenas();
	if (nfailed != 0)
		ref_die("%u requests fail after the start", nfailed);
	return reached ? CONTINUE : 0;
}

/* --- a sample ------------------------------------------------------------- */

/* The block is had from the cache, the bitmap of its slab's samples is not. */
static int
play_sample(void)
{
	bool active = false, was = true;
	size_t len = sizeof was;
	uint64_t dropped, live, freed;
	void *ptr = NULL;

	/* a thread follows the switch at its next event */
	(void)mallctl("prof.active", &was, &len, &active, sizeof active);
	free(malloc(1000));
	free(malloc(56));
	(void)mallctl("prof.active", NULL, NULL, &was, sizeof was);
	for (live = prof_samples_live(); prof_samples_live() == live; )
		ptr = malloc(1000);
	free(ptr);
	base_meta.at = base_meta.end = NULL;
	dropped = prof_dropped_samples();
	live = prof_samples_live();
	freed = live_freed();
	arm(1, UINT_MAX);
	ptr = malloc(56);
	os_fault = NULL;
	if (ptr == NULL || prof_samples_live() != live ||
	    prof_dropped_samples() != dropped + 1 || live_freed() != freed)
		ref_die("live %d, dropped %d, freed %d", (int)(
		    prof_samples_live() - live), (int)(
		    prof_dropped_samples() - dropped), (int)(
		    live_freed() - freed));
	free(ptr);
	return 0;
}

/* --- a process with its options ------------------------------------------- */

static int
run_self(const char *conf, const char *how, unsigned fault_at)
{
	char number[16];
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		snprintf(number, sizeof number, "%u", fault_at);
		setenv("MALLOC_CONF", conf, 1);
		if (fault_at > 0)
			setenv("FAULT_AT", number, 1);
		execl("/proc/self/exe", "fault_test", how, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void
test_every_call(void **state)
{
	assert_int_equal(run_self(*state, "all", 0), 0);
}

static void
test_every_piece_of_metadata(void **state)
{
	assert_int_equal(run_self(*state, "metadata", 0), 0);
}

/* It counts as dropped, and not as one that was freed. */
static void
test_a_sample_that_cannot_be_marked(void **state)
{
	if (!CONFIG_PROF)
		skip();
	assert_int_equal(run_self(*state, "sample", 0), 0);
}

static void
test_every_call_of_the_start(void **state)
{
	unsigned k = 0;
	int status;

	do
		status = run_self(*state, "start", ++k);
	while (status == CONTINUE << 8);
	printf("%u calls\n", k - 1);
	assert_int_equal(status, 0);
	assert_in_range(k, 3, K_MAX);
}

static const char *const confs[] = {
	"safety_checks:false",
	"safety_checks:true",
	"safety_checks:false,retain:false,dirty_decay_ms:0,tcache:false",
	"safety_checks:false,muzzy_decay_ms:-1,narenas:1",
	"safety_checks:false,debug_page_size:65536",
	"safety_checks:false,prof:true,lg_prof_sample:0,prof_prefix:",
};

int
main(int argc, char **argv)
{
	static const char *const metadata[] = {
		"safety_checks:false",
		"safety_checks:false,slab_sizes:8-64:17,dirty_decay_ms:0",
	};
	struct CMUnitTest tests[2 * ARRAY_LEN(confs) + ARRAY_LEN(metadata) +
	    1];
	size_t n = ARRAY_LEN(confs);

	no_chunks = argc == 2 && strcmp(argv[1], "metadata") == 0;
	if (argc == 2 && strcmp(argv[1], "sample") == 0)
		return play_sample();
	if (argc == 2)
		return strcmp(argv[1], "start") == 0 ? play_start() :
		    play_all();
	for (size_t i = 0; i < n; i++) {
		tests[i] = (struct CMUnitTest){ confs[i], test_every_call,
		    NULL, NULL, (void *)confs[i] };
		tests[n + i] = tests[i];
		tests[n + i].test_func = test_every_call_of_the_start;
	}
	for (size_t i = 0; i < ARRAY_LEN(metadata); i++)
		tests[2 * n + i] = (struct CMUnitTest){ metadata[i],
		    test_every_piece_of_metadata, NULL, NULL,
		    (void *)metadata[i] };
	tests[ARRAY_LEN(tests) - 1] = (struct CMUnitTest){
	    "a sample that cannot be marked",
	    test_a_sample_that_cannot_be_marked, NULL, NULL,
	    (void *)confs[n - 1] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
