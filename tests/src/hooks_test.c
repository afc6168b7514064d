/*
 * hooks_test.c - extent hooks: a program that supplies an arena's memory.
 *
 * The hooks of most tests keep a ledger of the extents as the program sees
 * them: each call must name exactly one that the ledger has, or two for a
 * merge. Locks that are held in a hook would stop the process: pages_hooks.c
 * asserts that there are none.
 */
#include "core.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot.h"
#include "names.h"
#include "pages_hooks.h"
#include "thread.h"

enum {
	PAGE = 4096,
	NRANGES = 20000,
	NBLOCKS = 300,
	NSTEPS = 3000,
	NHOOKS = 9,
};

/* Never used twice; what dalloc takes costs nothing any longer. */
#define POOL	((size_t)16 << 30)

enum hook { ALLOC, DALLOC, DESTROY, COMMIT, DECOMMIT, PURGE_LAZY,
    PURGE_FORCED, SPLIT, MERGE };

struct range {
	char *addr;
	size_t size;
	bool committed;
};

/* A program's hooks, with what they know and what they are told to do. */
struct ledger {
	extent_hooks_t hooks;		/* first: a hook gets this address */
	pthread_mutex_t mutex;
	char *pool, *next, *end;
	struct range ranges[NRANGES];
	size_t nranges;
	size_t ncalls[NHOOKS];
	bool refuses[NHOOKS];
	bool allocates;			/* in every hook */
	bool soils;			/* new memory is not zero */
	size_t gone;			/* bytes of dalloc and destroy */
	size_t given;
};

static struct ledger *
ledger_of(extent_hooks_t *hooks)
{
	return (struct ledger *)hooks;
}

static void
fail_in_hook(const char *what, const void *addr, size_t size)
{
	fprintf(stderr, "%s: no extent %p of %zu bytes\n", what, addr, size);
	abort();
}

/* Counts the call; whether the hook is to opt out. Locks the ledger. */
static bool
enter(struct ledger *ledger, enum hook hook)
{
	if (ledger->allocates) {
		static __thread void *kept;
		void *p = malloc(100), *q = malloc(100000);

		if (p == NULL || q == NULL)
			abort();
		memset(p, 7, 100);
		memset(q, 7, 100000);
		free(kept);
		free(p);
		kept = q;
	}
	pthread_mutex_lock(&ledger->mutex);
	ledger->ncalls[hook]++;
	return ledger->refuses[hook];
}

static void
leave(struct ledger *ledger)
{
	pthread_mutex_unlock(&ledger->mutex);
}

static struct range *
find(struct ledger *ledger, const char *what, const void *addr, size_t size)
{
	for (size_t i = 0; i < ledger->nranges; i++)
		if (ledger->ranges[i].addr == addr &&
		    ledger->ranges[i].size == size)
			return &ledger->ranges[i];
	fail_in_hook(what, addr, size);
	return NULL;
}

static void
add(struct ledger *ledger, char *addr, size_t size, bool committed)
{
	if (ledger->nranges == NRANGES)
		abort();
	ledger->ranges[ledger->nranges++] =
	    (struct range){ addr, size, committed };
}

static void
drop(struct ledger *ledger, struct range *range)
{
	*range = ledger->ranges[--ledger->nranges];
}

static void *
hook_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	bool refuse = enter(ledger, ALLOC);
	char *addr = (char *)align_up((uintptr_t)ledger->next, align);

	if (size % PAGE != 0 || !is_pow2(align) || align < PAGE || !*commit)
		fail_in_hook("alloc", at, size);
	if (refuse || at != NULL || size > (size_t)(ledger->end - addr)) {
		leave(ledger);
		return NULL;
	}
	/* A page between two: only a hook's own extents adjoin. */
	ledger->next = addr + size + (core_below(2) == 0 ? PAGE : 0);
	ledger->given += size;
	add(ledger, addr, size, true);
	leave(ledger);
	if (ledger->soils)
		memset(addr, 0xee, size);
	*zero = !ledger->soils;
	return addr;
}

static bool
hook_dalloc(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	bool refuse = enter(ledger, DALLOC);
	struct range *range = find(ledger, "dalloc", addr, size);

	if (!refuse) {
		drop(ledger, range);
		ledger->gone += size;
		(void)madvise(addr, size, MADV_DONTNEED);
		(void)mprotect(addr, size, PROT_NONE);
	}
	leave(ledger);
	return refuse;
}

static void
hook_destroy(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	struct range *range;

	(void)enter(ledger, DESTROY);
	range = find(ledger, "destroy", addr, size);
	if (range->committed != committed)
		fail_in_hook("destroy: committed", addr, size);
	drop(ledger, range);
	ledger->gone += size;
	leave(ledger);
}

/* Both directions: what is not committed cannot be touched. */
static bool
change(struct ledger *ledger, enum hook hook, char *addr, size_t size,
    size_t offset, size_t length)
{
	bool refuse = enter(ledger, hook);
	struct range *range = find(ledger, "commit", addr, size);

	if (offset != 0 || length != size ||
	    range->committed == (hook == COMMIT))
		fail_in_hook("commit, twice", addr, size);
	if (!refuse && hook == DECOMMIT) {
		(void)madvise(addr, size, MADV_DONTNEED);
		(void)mprotect(addr, size, PROT_NONE);
	} else if (!refuse) {
		(void)mprotect(addr, size, PROT_READ | PROT_WRITE);
	}
	if (!refuse)
		range->committed = hook == COMMIT;
	leave(ledger);
	return refuse;
}

static bool
hook_commit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	return change(ledger_of(hooks), COMMIT, addr, size, offset, length);
}

static bool
hook_decommit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	return change(ledger_of(hooks), DECOMMIT, addr, size, offset, length);
}

static bool
hook_purge_lazy(extent_hooks_t *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	bool refuse = enter(ledger, PURGE_LAZY);

	(void)find(ledger, "purge_lazy", addr, size);
	if (!refuse)
		memset((char *)addr + offset, 0x99, length);
	leave(ledger);
	return refuse;
}

static bool
hook_purge_forced(extent_hooks_t *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	bool refuse = enter(ledger, PURGE_FORCED);

	(void)find(ledger, "purge_forced", addr, size);
	if (!refuse)
		memset((char *)addr + offset, 0, length);
	leave(ledger);
	return refuse;
}

static bool
hook_split(extent_hooks_t *hooks, void *addr, size_t size, size_t size_a,
    size_t size_b, bool committed, unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	bool refuse = enter(ledger, SPLIT);
	struct range *range = find(ledger, "split", addr, size);

	if (size_a + size_b != size || size_a == 0 || size_b == 0 ||
	    range->committed != committed)
		fail_in_hook("split, badly", addr, size);
	if (!refuse) {
		range->size = size_a;
		add(ledger, (char *)addr + size_a, size_b, committed);
	}
	leave(ledger);
	return refuse;
}

static bool
hook_merge(extent_hooks_t *hooks, void *addr_a, size_t size_a, void *addr_b,
    size_t size_b, bool committed, unsigned arena)
{
	struct ledger *ledger = ledger_of(hooks);
	bool refuse = enter(ledger, MERGE);
	struct range *a = find(ledger, "merge", addr_a, size_a);
	struct range *b = find(ledger, "merge", addr_b, size_b);

	if (a->addr + a->size != b->addr || a->committed != b->committed ||
	    a->committed != committed)
		fail_in_hook("merge, badly", addr_a, size_a);
	if (!refuse) {
		a->size += size_b;
		drop(ledger, b);
	}
	leave(ledger);
	return refuse;
}

static struct ledger *
new_ledger(void)
{
	struct ledger *ledger = os_map(NULL, sizeof *ledger);

	assert_non_null(ledger);
	pthread_mutex_init(&ledger->mutex, NULL);
	ledger->pool = ledger->next = os_map(NULL, POOL);
	assert_non_null(ledger->pool);
	ledger->end = ledger->pool + POOL;
	ledger->hooks = (extent_hooks_t){ hook_alloc, hook_dalloc,
	    hook_destroy, hook_commit, hook_decommit, hook_purge_lazy,
	    hook_purge_forced, hook_split, hook_merge };
	return ledger;
}

static size_t
ledger_calls(struct ledger *ledger, enum hook hook)
{
	size_t n;

	pthread_mutex_lock(&ledger->mutex);
	n = ledger->ncalls[hook];
	pthread_mutex_unlock(&ledger->mutex);
	return n;
}

static void
free_ledger(struct ledger *ledger)
{
	os_unmap(ledger->pool, POOL);
	os_unmap(ledger, sizeof *ledger);
}

/* --- an arena of the program's -------------------------------------------- */

static unsigned
new_arena(extent_hooks_t *hooks)
{
	size_t len = sizeof(unsigned);
	unsigned index;

	assert_int_equal(mallctl("arenas.create", &index, &len, &hooks,
	    sizeof hooks), 0);
	return index;
}

static void
act(unsigned index, const char *what)
{
	char name[64];

	snprintf(name, sizeof name, "arena.%u.%s", index, what);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), 0);
}

static int
flags_of(unsigned index)
{
	return MALLOCX_ARENA(index) | MALLOCX_TCACHE_NONE;
}

static bool
in_pool(const struct ledger *ledger, const void *ptr)
{
	return (const char *)ptr >= ledger->pool &&
	    (const char *)ptr < ledger->end;
}

struct block {
	unsigned char *ptr;
	size_t size;
	unsigned char fill;
};

static void
check_block(const struct block *block)
{
	size_t n = block->size < 100 ? block->size : 100;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(block->ptr[i], block->fill);
		assert_int_equal(block->ptr[block->size - 1 - i],
		    block->fill);
	}
}

static void
renew_block(struct block *block, int flags)
{
	size_t size = (size_t)1 << core_below(20);
	bool zero = core_below(3) == 0;

	size += core_below(size);
	if (core_below(16) == 0)
		flags |= MALLOCX_ALIGN((size_t)1 << (4 + core_below(14)));
	block->ptr = mallocx(size, flags | (zero ? MALLOCX_ZERO : 0));
	assert_non_null(block->ptr);
	if (zero)
		for (size_t i = 0; i < size; i++)
			assert_int_equal(block->ptr[i], 0);
	block->size = size;
	block->fill = (unsigned char)(core_random() | 1);
	memset(block->ptr, block->fill, size);
}

static void
resize_block(struct block *block)
{
	size_t to = block->size / 2 + core_below(block->size) + 1;
	size_t before = sallocx(block->ptr, 0);

	if (xallocx(block->ptr, to, 0, MALLOCX_ZERO) < to)
		return;
	for (size_t i = sallocx(block->ptr, 0); i-- > before;)
		assert_int_equal(block->ptr[i], 0);
	block->size = to;
	memset(block->ptr, block->fill, to);
}

/* Random blocks of an arena; what they hold stays, and so does its metadata. */
static void
work(const struct ledger *ledger, unsigned index, unsigned steps)
{
	struct block *blocks = os_map(NULL, NBLOCKS * sizeof *blocks);

	for (unsigned i = 0; i < steps; i++) {
		struct block *block = &blocks[core_below(NBLOCKS)];

		if (block->ptr == NULL) {
			renew_block(block, flags_of(index));
			if (ledger != NULL)
				assert_true(in_pool(ledger, block->ptr));
		} else if (core_below(3) == 0) {
			check_block(block);
			resize_block(block);
		} else {
			check_block(block);
			dallocx(block->ptr, MALLOCX_TCACHE_NONE);
			block->ptr = NULL;
		}
		if (core_below(100) == 0)
			act(index, core_below(2) == 0 ? "purge" : "decay");
	}
	for (unsigned i = 0; i < NBLOCKS; i++)
		if (blocks[i].ptr != NULL) {
			check_block(&blocks[i]);
			dallocx(blocks[i].ptr, MALLOCX_TCACHE_NONE);
		}
	os_unmap(blocks, NBLOCKS * sizeof *blocks);
}

/* Works, and ends the arena: all that was given has come back. */
static void
work_and_destroy(struct ledger *ledger, unsigned index)
{
	work(ledger, index, NSTEPS);
	arena_check(arena_get(index, false));
	act(index, "destroy");
	if (ledger->hooks.destroy == NULL)
		return;
	assert_int_equal(ledger->given, ledger->gone);
	assert_int_equal(ledger->nranges, 0);
}

/* --- tests ---------------------------------------------------------------- */

static void
test_a_pool_supplies_an_arena(void **state)
{
	struct ledger *ledger = new_ledger();

	ledger->refuses[DALLOC] = ledger->refuses[DECOMMIT] = true;
	work_and_destroy(ledger, new_arena(&ledger->hooks));
	assert_true(ledger->ncalls[SPLIT] > 0);
	assert_true(ledger->ncalls[MERGE] > 0);
	assert_true(ledger->ncalls[PURGE_FORCED] > 0);
	assert_true(ledger->ncalls[DESTROY] > 0);
	assert_int_equal(ledger->ncalls[COMMIT], 0);
	free_ledger(ledger);
}

static void
test_purged_extents_go_back_to_the_program(void **state)
{
	struct ledger *ledger = new_ledger();

	work_and_destroy(ledger, new_arena(&ledger->hooks));
	assert_true(ledger->ncalls[DALLOC] > 0);
	assert_int_equal(ledger->ncalls[DECOMMIT], 0);
	assert_int_equal(ledger->ncalls[PURGE_FORCED], 0);
	free_ledger(ledger);
}

static void
test_decommitted_pages_are_committed_before_use(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	char *ptr = mallocx(1 << 20, flags_of(index));

	ledger->refuses[DALLOC] = true;
	memset(ptr, 1, 1 << 20);
	dallocx(ptr, MALLOCX_TCACHE_NONE);
	act(index, "purge");
	assert_true(ledger->ncalls[DECOMMIT] > 0);
	assert_int_equal(ledger->ncalls[COMMIT], 0);
	ptr = mallocx(1 << 20, flags_of(index));
	assert_true(ledger->ncalls[COMMIT] > 0);
	memset(ptr, 1, 1 << 20);
	work_and_destroy(ledger, index);
	free_ledger(ledger);
}

static void
set_hooks(unsigned index, const extent_hooks_t *hooks)
{
	char name[64];

	snprintf(name, sizeof name, "arena.%u.extent_hooks", index);
	assert_int_equal(mallctl(name, NULL, NULL, &hooks, sizeof hooks), 0);
}

/* A large block's pages and smaller ones', each in an extent of its own. */
static void
decommit_some(unsigned index)
{
	void *blocks[4];

	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
		blocks[i] = mallocx(1 << 20 >> i, flags_of(index));
		assert_non_null(blocks[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++)
		dallocx(blocks[i], MALLOCX_TCACHE_NONE);
	act(index, "purge");
}

/*
 * Without hooks there is nobody to commit them later. In these tests what the
 * ledger gave stays with the arena: it is not unmapped.
 */
static void
test_decommitted_pages_are_committed_when_hooks_go(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	size_t given;

	ledger->refuses[DALLOC] = ledger->refuses[MERGE] = true;
	decommit_some(index);
	assert_true(ledger->ncalls[DECOMMIT] > 0);
	given = ledger->given;
	set_hooks(index, &pages_hooks_own);
	assert_int_equal(ledger->ncalls[COMMIT], ledger->ncalls[DECOMMIT]);
	assert_int_equal(ledger->ncalls[DESTROY], 0);
	work(NULL, index, NSTEPS);
	assert_int_equal(ledger->given, given);
	act(index, "destroy");
}

static void
test_what_cannot_be_committed_goes_with_the_hooks(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);

	ledger->refuses[DALLOC] = ledger->refuses[MERGE] = true;
	ledger->refuses[COMMIT] = true;
	decommit_some(index);
	set_hooks(index, &pages_hooks_own);
	assert_int_equal(ledger->ncalls[DESTROY], ledger->ncalls[DECOMMIT]);
	work(NULL, index, NSTEPS);
	arena_check(arena_get(index, false));
	act(index, "destroy");
}

/* A purge that was under way when they went. */
static void
test_pages_decommitted_too_late_are_not_used(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	struct pages *pages = &arena_get(index, false)->pages;

	ledger->refuses[DALLOC] = true;
	decommit_some(index);
	atomic_store(&pages->hooks, NULL);
	work(NULL, index, NSTEPS);
	arena_check(arena_get(index, false));
	act(index, "destroy");
}

static void
test_what_nobody_purges_is_not_zero(void **state)
{
	struct ledger *ledger = new_ledger();

	ledger->soils = true;
	for (enum hook hook = DALLOC; hook <= PURGE_FORCED; hook++)
		ledger->refuses[hook] = true;
	work_and_destroy(ledger, new_arena(&ledger->hooks));
	assert_true(ledger->ncalls[PURGE_FORCED] > 0);
	assert_true(ledger->ncalls[PURGE_LAZY] > 0);
	free_ledger(ledger);
}

static void
test_hooks_may_be_null(void **state)
{
	struct ledger *ledger = new_ledger();

	ledger->soils = true;
	ledger->hooks = (extent_hooks_t){ .alloc = hook_alloc };
	work_and_destroy(ledger, new_arena(&ledger->hooks));
	/* Nothing was cut: what was given is what was asked for. */
	assert_int_equal(ledger->nranges, ledger->ncalls[ALLOC]);
	free_ledger(ledger);
}

/* Each block then lies in one extent as the program gave it. */
static void
test_refused_splits_and_merges(void **state)
{
	for (unsigned which = 0; which < 3; which++) {
		struct ledger *ledger = new_ledger();

		ledger->refuses[SPLIT] = which != 1;
		ledger->refuses[MERGE] = which != 0;
		ledger->refuses[DALLOC] = ledger->refuses[DECOMMIT] = true;
		work_and_destroy(ledger, new_arena(&ledger->hooks));
		assert_true(ledger->ncalls[SPLIT] > 0);
		free_ledger(ledger);
	}
}

static void
test_random_answers(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);

	for (unsigned round = 0; round < 20; round++) {
		work(ledger, index, NSTEPS / 10);
		arena_check(arena_get(index, false));
		for (enum hook hook = DALLOC; hook <= MERGE; hook++)
			ledger->refuses[hook] = core_below(3) == 0;
		ledger->refuses[COMMIT] = false;
		ledger->soils = core_below(2) == 0;
	}
	work_and_destroy(ledger, index);
	free_ledger(ledger);
}

static void
test_refused_memory_is_enomem(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	void *ptr;

	ledger->refuses[ALLOC] = true;
	errno = 0;
	assert_null(mallocx(100, flags_of(index)));
	assert_int_equal(errno, ENOMEM);
	assert_null(mallocx(1 << 20, flags_of(index)));
	ledger->refuses[ALLOC] = false;
	ptr = mallocx(1 << 20, flags_of(index));
	assert_true(in_pool(ledger, ptr));
	/* What cannot be committed is not there either. */
	ledger->refuses[DALLOC] = ledger->refuses[COMMIT] = true;
	dallocx(ptr, MALLOCX_TCACHE_NONE);
	act(index, "purge");
	assert_true(ledger->ncalls[DECOMMIT] > 0);
	ledger->refuses[ALLOC] = true;
	assert_null(mallocx(1 << 20, flags_of(index)));
	assert_true(ledger->ncalls[COMMIT] > 0);
	arena_check(arena_get(index, false));
	act(index, "destroy");
	free_ledger(ledger);
}

/* Its own affair: other arenas keep what they have. */
static void
test_hooks_without_memory_unmap_nothing(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	struct pages *pages = &thread_get()->arena->pages;
	size_t space;

	free(malloc(8 << 20));
	space = pages->address_space;
	ledger->refuses[ALLOC] = true;
	assert_null(mallocx(1 << 20, flags_of(index)));
	assert_int_equal(pages->address_space, space);
	ledger->refuses[ALLOC] = false;
	assert_non_null(mallocx(1 << 20, flags_of(index)));
	assert_null(mallocx((size_t)32 << 30, flags_of(index)));
	assert_int_equal(pages->address_space, space);
	act(index, "destroy");
	free_ledger(ledger);
}

static void
test_requests_are_no_larger_than_the_limit(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	size_t limit = 128 << 10;
	char name[64];

	snprintf(name, sizeof name, "arena.%u.retain_grow_limit", index);
	assert_int_equal(mallctl(name, NULL, NULL, &limit, sizeof limit), 0);
	for (unsigned i = 0; i < 64; i++)
		assert_non_null(mallocx(32 << 10, flags_of(index)));
	assert_in_range(ledger->ncalls[ALLOC], 64 * 32 / 128,
	    64 * 48 / 128 + 1);
	assert_true(ledger->given <= ledger->ncalls[ALLOC] * limit);
	act(index, "destroy");
	assert_int_equal(ledger->given, ledger->gone);
	free_ledger(ledger);
}

/* With muzzy decay pages are let go lazily first. */
static void
test_muzzy_pages_are_purged_lazily(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	ssize_t never = -1, now = 0;
	char name[64];

	snprintf(name, sizeof name, "arena.%u.muzzy_decay_ms", index);
	assert_int_equal(mallctl(name, NULL, NULL, &never, sizeof never), 0);
	snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", index);
	dallocx(mallocx(1 << 20, flags_of(index)), MALLOCX_TCACHE_NONE);
	assert_int_equal(mallctl(name, NULL, NULL, &now, sizeof now), 0);
	assert_int_equal(ledger->ncalls[PURGE_LAZY], 1);
	assert_int_equal(ledger->ncalls[DALLOC], 0);
	act(index, "purge");
	assert_true(ledger->ncalls[DALLOC] > 0);
	act(index, "destroy");
	free_ledger(ledger);
}

static void
test_a_reset_keeps_the_memory(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	size_t given;

	for (unsigned i = 0; i < 500; i++)
		assert_non_null(mallocx(1000 * i + 1, flags_of(index)));
	given = ledger->given;
	act(index, "reset");
	arena_check(arena_get(index, false));
	assert_int_equal(ledger->gone, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_non_null(mallocx(499 * 1000, flags_of(index)));
	assert_int_equal(ledger->given, given);
	act(index, "destroy");
	assert_int_equal(ledger->given, ledger->gone);
	free_ledger(ledger);
}

/* The number is free, and who gets it next has none of its settings. */
static void
test_a_new_arena_begins_afresh(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks), again;
	size_t len = sizeof again, limit = 1 << 20, before;
	const char *dss = "primary";
	ssize_t ms = 77;
	char name[64];

	snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", index);
	assert_int_equal(mallctl(name, NULL, NULL, &ms, sizeof ms), 0);
	snprintf(name, sizeof name, "arena.%u.dss", index);
	assert_int_equal(mallctl(name, NULL, NULL, &dss, sizeof dss), 0);
	snprintf(name, sizeof name, "arena.%u.retain_grow_limit", index);
	assert_non_null(mallocx(30 << 20, flags_of(index)));
	assert_non_null(mallocx(1, flags_of(index)));
	assert_int_equal(mallctl(name, NULL, NULL, &limit, sizeof limit), 0);
	act(index, "destroy");
	assert_int_equal(mallctl("arenas.create", &again, &len, NULL, 0), 0);
	assert_int_equal(again, index);
	assert_false(in_pool(ledger, mallocx(1, flags_of(index))));
	assert_int_equal(arena_decay_ms_get(index, EXTENT_DIRTY),
	    opt.dirty_decay_ms);
	assert_int_equal(pages_dss(&arena_get(index, false)->pages),
	    DSS_SECONDARY);
	assert_int_equal(pages_grow_limit(&arena_get(index, false)->pages),
	    SC_LARGE_MAX);
	act(index, "destroy");
	/* Nor what the one before left, for hooks that do not know it. */
	assert_int_equal(new_arena(&ledger->hooks), index);
	before = ledger->given;
	assert_true(in_pool(ledger, mallocx(1, flags_of(index))));
	assert_int_equal(ledger->given - before, 2 << 20);
	act(index, "destroy");
	free_ledger(ledger);
}

/* --- threads -------------------------------------------------------------- */

struct worker {
	struct ledger *ledger;
	unsigned index;
};

static void *
work_as_thread(void *arg)
{
	struct worker *worker = arg;
	struct block blocks[40] = { 0 };

	for (unsigned i = 0; i < 3000; i++) {
		struct block *block = &blocks[core_below(40)];

		if (block->ptr == NULL) {
			renew_block(block, flags_of(worker->index));
			continue;
		}
		check_block(block);
		dallocx(block->ptr, MALLOCX_TCACHE_NONE);
		block->ptr = NULL;
		if (core_below(200) == 0)
			act(worker->index, "purge");
	}
	for (unsigned i = 0; i < 40; i++)
		if (blocks[i].ptr != NULL)
			dallocx(blocks[i].ptr, MALLOCX_TCACHE_NONE);
	return NULL;
}

static void
run_threads(struct worker *worker)
{
	pthread_t threads[4];

	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
		    work_as_thread, worker), 0);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	arena_check(arena_get(worker->index, false));
}

static void
test_threads_and_hooks_that_allocate(void **state)
{
	struct ledger *ledger = new_ledger();
	struct worker worker = { ledger, new_arena(&ledger->hooks) };

	ledger->allocates = true;
	ledger->refuses[DALLOC] = ledger->refuses[DECOMMIT] = true;
	run_threads(&worker);
	ledger->refuses[DALLOC] = false;
	run_threads(&worker);
	act(worker.index, "destroy");
	assert_int_equal(ledger->given, ledger->gone);
	free_ledger(ledger);
}

/* --- chains --------------------------------------------------------------- */

static extent_hooks_t *old_hooks;
static _Atomic unsigned nchained[NHOOKS];
static _Atomic bool found_blocks_of_ours;

static void *
chain_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	void *note = malloc(64);
	unsigned index;
	size_t len = sizeof index;

	nchained[ALLOC]++;
	/* Of the internal arena, whatever the thread's is. */
	if (mallctl("arenas.lookup", &index, &len, &note, sizeof note) != 0 ||
	    index != ARENA_INTERNAL)
		found_blocks_of_ours = true;
	free(note);
	return old_hooks->alloc(old_hooks, at, size, align, zero, commit,
	    arena);
}

static bool
chain_dalloc(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	nchained[DALLOC]++;
	return old_hooks->dalloc(old_hooks, addr, size, committed, arena);
}

static bool
chain_purge_forced(extent_hooks_t *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	nchained[PURGE_FORCED]++;
	return old_hooks->purge_forced(old_hooks, addr, size, offset, length,
	    arena);
}

static bool
chain_split(extent_hooks_t *hooks, void *addr, size_t size, size_t size_a,
    size_t size_b, bool committed, unsigned arena)
{
	nchained[SPLIT]++;
	return old_hooks->split(old_hooks, addr, size, size_a, size_b,
	    committed, arena);
}

static bool
chain_merge(extent_hooks_t *hooks, void *addr_a, size_t size_a, void *addr_b,
    size_t size_b, bool committed, unsigned arena)
{
	nchained[MERGE]++;
	return old_hooks->merge(old_hooks, addr_a, size_a, addr_b, size_b,
	    committed, arena);
}

static extent_hooks_t chain;

static extent_hooks_t *
swap_hooks(unsigned index, extent_hooks_t *hooks)
{
	extent_hooks_t *old = NULL;
	size_t len = sizeof old;
	char name[64];

	snprintf(name, sizeof name, "arena.%u.extent_hooks", index);
	assert_int_equal(mallctl(name, &old, &len, &hooks, sizeof hooks), 0);
	return old;
}

static void
put_chain(unsigned index)
{
	size_t len = sizeof old_hooks;
	char name[64];

	snprintf(name, sizeof name, "arena.%u.extent_hooks", index);
	assert_int_equal(mallctl(name, &old_hooks, &len, NULL, 0), 0);
	chain = *old_hooks;
	chain.alloc = chain_alloc;
	chain.dalloc = chain_dalloc;
	chain.purge_forced = chain_purge_forced;
	chain.split = chain_split;
	chain.merge = chain_merge;
	assert_ptr_equal(swap_hooks(index, &chain), old_hooks);
}

static void
test_hooks_chained_to_those_of_an_automatic_arena(void **state)
{
	void *blocks[100];

	put_chain(0);
	for (unsigned i = 0; i < 100; i++) {
		blocks[i] = mallocx(1 << 20, flags_of(0));
		assert_non_null(blocks[i]);
		memset(blocks[i], 1, 1 << 20);
	}
	assert_true(nchained[ALLOC] > 0);
	assert_true(nchained[SPLIT] > 0);
	for (unsigned i = 0; i < 100; i++)
		dallocx(blocks[i], MALLOCX_TCACHE_NONE);
	assert_true(nchained[MERGE] > 0);
	act(0, "purge");
	assert_true(nchained[DALLOC] > 0);
	assert_true(nchained[PURGE_FORCED] > 0);
	assert_false(found_blocks_of_ours);
	work(NULL, 0, NSTEPS);
	assert_ptr_equal(swap_hooks(0, old_hooks), &chain);
	work(NULL, 0, NSTEPS);
	arena_check(arena_get(0, false));
}

static void *
change_hooks(void *arg)
{
	struct worker *worker = arg;

	for (unsigned i = 0; i < 2000; i++)
		(void)swap_hooks(worker->index, i % 2 == 0 ? old_hooks :
		    &chain);
	return NULL;
}

static void
test_hooks_change_while_threads_work(void **state)
{
	struct worker worker = { NULL, 0 };
	pthread_t thread;

	worker.index = (unsigned)new_arena(&(extent_hooks_t){
	    .alloc = hook_alloc });
	/* Nothing has been given by those; from here on the own ones are. */
	(void)swap_hooks(worker.index, old_hooks);
	put_chain(worker.index);
	assert_int_equal(pthread_create(&thread, NULL, change_hooks,
	    &worker), 0);
	run_threads(&worker);
	pthread_join(thread, NULL);
	run_threads(&worker);
	act(worker.index, "destroy");
}

/* A purging thread has no state of its own until a hook allocates. */
static void
test_hooks_of_a_purging_thread_allocate(void **state)
{
	struct ledger *ledger = new_ledger();
	unsigned index = new_arena(&ledger->hooks);
	bool on = true, off = false;
	ssize_t ms = 100;
	char name[64];

	ledger->allocates = true;
	snprintf(name, sizeof name, "arena.%u.dirty_decay_ms", index);
	assert_int_equal(mallctl(name, NULL, NULL, &ms, sizeof ms), 0);
	assert_int_equal(mallctl("background_thread", NULL, NULL, &on,
	    sizeof on), 0);
	dallocx(mallocx(1 << 20, flags_of(index)), MALLOCX_TCACHE_NONE);
	for (unsigned i = 0; ledger_calls(ledger, DALLOC) == 0; i++) {
		assert_true(i < 60 * 1000);
		os_sleep_ns(1000 * 1000);
	}
	assert_int_equal(mallctl("background_thread", NULL, NULL, &off,
	    sizeof off), 0);
	act(index, "destroy");
	free_ledger(ledger);
}

static pthread_key_t late_key;
static _Atomic unsigned nlate;

/* Also in the last round, when the allocator has left the thread. */
static void
allocate_late(void *arg)
{
	for (unsigned i = 0; i < 20; i++) {
		void *ptr = malloc(3 << 20);

		assert_non_null(ptr);
		free(ptr);
		act(0, "purge");
	}
	nlate++;
	(void)pthread_setspecific(late_key, arg);
}

static void *
end_late(void *arg)
{
	(void)pthread_setspecific(late_key, arg);
	return malloc(10);
}

static void
test_hooks_of_a_thread_that_ends(void **state)
{
	unsigned before = nchained[ALLOC] + nchained[DALLOC];
	pthread_t thread;

	assert_int_equal(pthread_key_create(&late_key, allocate_late), 0);
	put_chain(0);
	assert_int_equal(pthread_create(&thread, NULL, end_late, &late_key), 0);
	pthread_join(thread, NULL);
	(void)swap_hooks(0, old_hooks);
	assert_true(nlate >= 4);
	assert_true(nchained[ALLOC] + nchained[DALLOC] > before);
	assert_false(found_blocks_of_ours);
	arena_check(arena_get(0, false));
}

/* A child that was forked while hooks ran goes on with them. */
static void
test_fork_while_hooks_run(void **state)
{
	struct ledger *ledger = new_ledger();
	struct worker worker = { ledger, new_arena(&ledger->hooks) };
	pthread_t thread;

	put_chain(0);
	assert_int_equal(pthread_create(&thread, NULL, work_as_thread,
	    &worker), 0);
	for (unsigned i = 0; i < 20; i++) {
		int status = -1;
		pid_t child = fork();

		if (child == 0) {
			alarm(20);
			work(NULL, 0, 200);
			/* ThreadSanitizer's _exit would miss the thread. */
			(void)os_syscall1(SYS_exit_group, 0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	pthread_join(thread, NULL);
	(void)swap_hooks(0, old_hooks);
	act(worker.index, "destroy");
	free_ledger(ledger);
}

/* --- the table of own hooks ----------------------------------------------- */

static void
test_own_hooks_do_what_an_arena_does(void **state)
{
	size_t size = 4 << 20, len = sizeof(extent_hooks_t *);
	bool zero = false, commit = false;
	extent_hooks_t *own = NULL;
	unsigned char vector;
	char *addr;

	assert_int_equal(mallctl("arena.0.extent_hooks", &own, &len, NULL,
	    0), 0);
	addr = own->alloc(own, NULL, size, 2 << 20, &zero, &commit, 0);
	assert_non_null(addr);
	assert_int_equal((uintptr_t)addr % (2 << 20), 0);
	assert_true(zero && commit);
	memset(addr, 1, size);
	assert_null(own->alloc(own, addr, size, PAGE, &zero, &commit, 0));
	assert_false(own->split(own, addr, size, PAGE, size - PAGE, true, 0));
	assert_false(own->merge(own, addr, PAGE, addr + PAGE, size - PAGE,
	    true, 0));
	assert_true(own->decommit(own, addr, size, 0, size, 0));
	assert_false(own->commit(own, addr, size, 0, size, 0));
	assert_false(own->purge_lazy(own, addr, size, 0, PAGE, 0));
	assert_false(own->purge_forced(own, addr, size, PAGE, PAGE, 0));
	assert_int_equal(addr[PAGE], 0);
	assert_int_equal(addr[2 * PAGE], 1);
	assert_true(own->dalloc(own, addr, size, true, 0));	/* retain */
	assert_int_equal(mincore(addr, PAGE, &vector), 0);
	own->destroy(own, addr, size, true, 0);
	assert_int_equal(mincore(addr, PAGE, &vector), -1);
	addr = own->alloc(own, addr, size, PAGE, &zero, &commit, 0);
	assert_non_null(addr);
	opt.retain = false;
	assert_false(own->dalloc(own, addr, size, true, 0));
	opt.retain = true;
	assert_int_equal(mincore(addr, PAGE, &vector), -1);
}

static void *
pass_alloc_on(extent_hooks_t *hooks, void *at, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	return pages_hooks_own.alloc((extent_hooks_t *)(uintptr_t)
	    &pages_hooks_own, at, size, align, zero, commit, arena);
}

/* Arenas come and go, but leaves of the table of pages stay. */
static void
test_what_own_hooks_unmap_is_mapped_again(void **state)
{
	extent_hooks_t hooks = pages_hooks_own;
	size_t before = 0;

	hooks.alloc = pass_alloc_on;
	for (unsigned i = 0; i < 400; i++) {
		unsigned index = new_arena(&hooks);

		assert_non_null(mallocx(5 << 20, flags_of(index)));
		act(index, "destroy");
		if (i == 100)
			before = pagemap_bytes();
	}
	assert_true(pagemap_bytes() - before <= 2 * sizeof(pagemap_leaf));
}

static void
test_unusable_hooks_are_refused(void **state)
{
	extent_hooks_t *none = NULL, empty = { 0 }, *pointer = &empty;
	unsigned index = 77;
	size_t len = sizeof index, count;

	count = arenas_count();
	assert_int_equal(mallctl("arenas.create", &index, &len, &none,
	    sizeof none), EINVAL);
	assert_int_equal(mallctl("arenas.create", &index, &len, &pointer,
	    sizeof pointer), EINVAL);
	assert_int_equal(mallctl("arenas.create", &index, &len, &pointer, 4),
	    EINVAL);
	assert_int_equal(arenas_count(), count);
	assert_int_equal(mallctl("arena.0.extent_hooks", NULL, NULL, &none,
	    sizeof none), EINVAL);
	assert_int_equal(mallctl("arena.4096.extent_hooks", &none,
	    &(size_t){ sizeof none }, NULL, 0), EFAULT);
}

static void
test_arenas_create_ext(void **state)
{
	struct {
		extent_hooks_t *hooks;
		bool metadata;
	} config;
	struct ledger *ledger = new_ledger();
	unsigned index;
	size_t len = sizeof index;

	memset(&config, 0, sizeof config);
	config.hooks = &ledger->hooks;
	config.metadata = true;
	assert_int_equal(mallctl("experimental.arenas_create_ext", &index,
	    &len, &config, sizeof config), 0);
	assert_true(in_pool(ledger, mallocx(1, flags_of(index))));
	act(index, "destroy");
	assert_int_equal(ledger->nranges, 0);
	free_ledger(ledger);
}

static struct {
	struct pages *pages;
	extent_hooks_t hooks;
	pthread_t setter;
	bool begun;
	_Atomic bool set;
	unsigned ncalls;
} midway;

static bool
count_purge(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	midway.ncalls++;
	return true;
}

static void *
set_them(void *arg)
{
	pages_hooks_set(midway.pages, &midway.hooks);
	midway.set = true;
	return NULL;
}

/* In the middle of a purge: they are set now, or somebody waits to. */
static int
set_midway(enum os_memory_call call)
{
	struct lock *lock = &midway.pages->decays[EXTENT_DIRTY].lock;

	if (midway.begun || (call != OS_PURGE && call != OS_PURGE_LAZY))
		return 0;
	midway.begun = true;
	if (pthread_create(&midway.setter, NULL, set_them, NULL) != 0)
		abort();
	while (!midway.set && atomic_load(&lock->waiters) == 0)
		sched_yield();
	return 0;
}

/* pages_hooks.c asserts it. */
static void
test_hooks_set_during_a_purge_see_no_lock(void **state)
{
	struct arena *arena;
	void *blocks[4];
	unsigned index;

	assert_int_equal(arena_create(&index), 0);
	arena = arena_get(index, false);
	midway.pages = &arena->pages;
	midway.hooks = *pages_hooks_get(&arena->pages);
	midway.hooks.purge_lazy = count_purge;
	for (unsigned i = 0; i < 4; i++)
		blocks[i] = arena_alloc(arena, sc_index(1 << 20), 0, NULL);
	arena_free(blocks[0], pagemap_get(blocks[0]));
	arena_free(blocks[2], pagemap_get(blocks[2]));
	assert_int_equal(arena_decay_ms_set(index, EXTENT_MUZZY, DECAY_NEVER),
	    0);
	os_fault = set_midway;
	pages_purge(&arena->pages);
	os_fault = NULL;
	assert_true(midway.begun);
	pthread_join(midway.setter, NULL);
	arena_free(blocks[1], pagemap_get(blocks[1]));
	pages_purge(&arena->pages);
	assert_true(midway.ncalls > 0);
	arena_free(blocks[3], pagemap_get(blocks[3]));
	assert_int_equal(arena_destroy(index, NULL), 0);
}

/* --- a purge that another thread is at ------------------------------------ */

static struct {
	extent_hooks_t hooks;
	unsigned arena;
	_Atomic bool entered, destroyed;
	_Atomic unsigned late;
	_Atomic size_t given, gone;
} ending;

static void *
ending_alloc(extent_hooks_t *hooks, void *addr, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	ending.given += size;
	return pages_hooks_own.alloc(hooks, addr, size, align, zero, commit,
	    arena);
}

/* Long enough for an end that does not wait; true: it opts out. */
static bool
ending_dalloc(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	ending.entered = true;
	for (unsigned i = 0; i < 1000 && !ending.destroyed; i++)
		os_sleep_ns(100 * 1000);
	ending.late += ending.destroyed;
	return true;
}

static void
ending_destroy(extent_hooks_t *hooks, void *addr, size_t size,
    bool committed, unsigned arena)
{
	ending.gone += size;
}

static void *
purge_it(void *arg)
{
	act(ending.arena, "purge");
	return NULL;
}

/* No hook is called once it is over, and all memory has been returned. */
static void
test_the_end_of_an_arena_waits_for_a_purge(void **state)
{
	pthread_t purger;

	ending.hooks.alloc = ending_alloc;
	ending.hooks.dalloc = ending_dalloc;
	ending.hooks.destroy = ending_destroy;
	ending.arena = new_arena(&ending.hooks);
	dallocx(mallocx(1 << 20, flags_of(ending.arena)),
	    MALLOCX_TCACHE_NONE);
	assert_int_equal(pthread_create(&purger, NULL, purge_it, NULL), 0);
	while (!ending.entered)
		sched_yield();
	act(ending.arena, "destroy");
	ending.destroyed = true;
	pthread_join(purger, NULL);
	assert_int_equal(ending.late, 0);
	assert_true(ending.given > 0);
	assert_int_equal(ending.gone, ending.given);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_hooks_do_what_an_arena_does),
		cmocka_unit_test(test_what_own_hooks_unmap_is_mapped_again),
		cmocka_unit_test(test_a_pool_supplies_an_arena),
		cmocka_unit_test(test_purged_extents_go_back_to_the_program),
		cmocka_unit_test(
		    test_decommitted_pages_are_committed_before_use),
		cmocka_unit_test(
		    test_decommitted_pages_are_committed_when_hooks_go),
		cmocka_unit_test(
		    test_what_cannot_be_committed_goes_with_the_hooks),
		cmocka_unit_test(test_pages_decommitted_too_late_are_not_used),
		cmocka_unit_test(test_what_nobody_purges_is_not_zero),
		cmocka_unit_test(test_hooks_may_be_null),
		cmocka_unit_test(test_refused_splits_and_merges),
		cmocka_unit_test(test_random_answers),
		cmocka_unit_test(test_refused_memory_is_enomem),
		cmocka_unit_test(test_hooks_without_memory_unmap_nothing),
		cmocka_unit_test(test_requests_are_no_larger_than_the_limit),
		cmocka_unit_test(test_muzzy_pages_are_purged_lazily),
		cmocka_unit_test(test_a_reset_keeps_the_memory),
		cmocka_unit_test(test_a_new_arena_begins_afresh),
		cmocka_unit_test(test_threads_and_hooks_that_allocate),
		cmocka_unit_test(
		    test_hooks_chained_to_those_of_an_automatic_arena),
		cmocka_unit_test(test_hooks_change_while_threads_work),
		cmocka_unit_test(test_hooks_of_a_purging_thread_allocate),
		cmocka_unit_test(test_hooks_of_a_thread_that_ends),
		cmocka_unit_test(test_fork_while_hooks_run),
		cmocka_unit_test(test_hooks_set_during_a_purge_see_no_lock),
		cmocka_unit_test(test_the_end_of_an_arena_waits_for_a_purge),
		cmocka_unit_test(test_unusable_hooks_are_refused),
		cmocka_unit_test(test_arenas_create_ext),
	};

	core_seed();
	assert(boot() == 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
