/*
 * compat_hooks.c - extent hooks, dss and growth limits, as jemalloc's manual
 * has them.
 */
#include <stdint.h>
#include <sys/mman.h>

#include "compat.h"

enum { PAGE = 4096 };
#define POOL	((size_t)4 << 30)

static char *pool, *pool_next;
static size_t given, gone;
static unsigned expected_arena;
static bool refuse_alloc, refuse_all, wrong, soil;
static char order[200];			/* of the calls, by first letters */

static void
called(const char *what, unsigned arena)
{
	size_t len = strlen(order);

	if (arena != expected_arena)
		wrong = true;
	if (len + 20 < sizeof order)
		snprintf(order + len, sizeof order - len, " %s", what);
}

static void *
hook_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	char *addr = (char *)(((uintptr_t)pool_next + align - 1) &
	    ~(uintptr_t)(align - 1));

	if (size % PAGE != 0 || align < PAGE || (align & (align - 1)) != 0)
		wrong = true;
	if (refuse_alloc || at != NULL)
		return NULL;
	pool_next = addr + size;
	given += size;
	if (soil && !*zero)
		memset(addr, 0xee, size);
	*zero = !soil || *zero;
	*commit = true;
	return addr;
}

static bool
hook_dalloc(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	called("dalloc", arena);
	if (!refuse_all)
		gone += size;
	return refuse_all;
}

static void
hook_destroy(extent_hooks_t *hooks, void *addr, size_t size, bool committed,
    unsigned arena)
{
	called("destroy", arena);
	gone += size;
}

static bool
hook_decommit(extent_hooks_t *hooks, void *addr, size_t size, size_t offset,
    size_t length, unsigned arena)
{
	called("decommit", arena);
	return true;
}

static bool
hook_purge_lazy(extent_hooks_t *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	called("lazy", arena);
	return true;
}

static bool
hook_purge_forced(extent_hooks_t *hooks, void *addr, size_t size,
    size_t offset, size_t length, unsigned arena)
{
	called("forced", arena);
	return true;
}

static bool
hook_split(extent_hooks_t *hooks, void *addr, size_t size, size_t size_a,
    size_t size_b, bool committed, unsigned arena)
{
	if (size != size_a + size_b)
		wrong = true;
	return false;
}

static bool
hook_merge(extent_hooks_t *hooks, void *addr_a, size_t size_a, void *addr_b,
    size_t size_b, bool committed, unsigned arena)
{
	if ((char *)addr_a + size_a != addr_b)
		wrong = true;
	return false;
}

static extent_hooks_t pool_hooks = {
	.alloc = hook_alloc,
	.dalloc = hook_dalloc,
	.destroy = hook_destroy,
	.decommit = hook_decommit,
	.purge_lazy = hook_purge_lazy,
	.purge_forced = hook_purge_forced,
	.split = hook_split,
	.merge = hook_merge,
};

static int
create(const char *name, void *config, size_t size)
{
	size_t len = sizeof expected_arena;

	given = gone = 0;
	order[0] = '\0';
	return mallctl(name, &expected_arena, &len, config, size);
}

static int
act(const char *what)
{
	char name[80];

	snprintf(name, sizeof name, "arena.%u.%s", expected_arena, what);
	return mallctl(name, NULL, NULL, NULL, 0);
}

static int
flags(void)
{
	return MALLOCX_ARENA(expected_arena) | MALLOCX_TCACHE_NONE;
}

static bool
in_pool(const void *ptr)
{
	return (const char *)ptr >= pool && (const char *)ptr < pool_next;
}

static bool
is_zero(const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static void
use_arena(const char *title)
{
	char name[80];
	bool all_in = true, all_zero = true, aligned = true;

	for (size_t size = 1; size <= 16 << 20; size += size / 3 + 1) {
		char *ptr = mallocx(size, flags());
		char *zero = mallocx(size, flags() | MALLOCX_ZERO);
		char *page = mallocx(size, flags() | MALLOCX_ALIGN(16384));

		all_in &= in_pool(ptr) && in_pool(zero) && in_pool(page);
		all_zero &= zero != NULL && is_zero(zero, size);
		aligned &= (uintptr_t)page % 16384 == 0;
		memset(ptr, 1, size);
		memset(zero, 1, size);
		dallocx(ptr, MALLOCX_TCACHE_NONE);
		if (size % 2 == 0)
			dallocx(zero, MALLOCX_TCACHE_NONE);
	}
	snprintf(name, sizeof name, "%s, all in the pool", title);
	say_if(name, all_in);
	snprintf(name, sizeof name, "%s, zero", title);
	say_if(name, all_zero);
	snprintf(name, sizeof name, "%s, aligned", title);
	say_if(name, aligned);
}

static void
check_pool(void)
{
	extent_hooks_t *hooks = &pool_hooks, *read = NULL;
	size_t len = sizeof read;
	char name[80];
	void *ptr;

	say("create", "%s", error_name(create("arenas.create", &hooks,
	    sizeof hooks)));
	snprintf(name, sizeof name, "arena.%u.extent_hooks", expected_arena);
	say("read", "%s", error_name(mallctl(name, &read, &len, NULL, 0)));
	say_if("what was written", read == &pool_hooks);
	use_arena("clean");
	say("reset", "%s", error_name(act("reset")));
	refuse_alloc = true;
	ptr = mallocx((size_t)1 << 30, flags());
	say_if("no memory", ptr == NULL);
	refuse_alloc = false;
	say("destroy", "%s", error_name(act("destroy")));
	say_if("all has come back", given == gone);
	soil = true;
	say("create soiled", "%s", error_name(create("arenas.create", &hooks,
	    sizeof hooks)));
	use_arena("soiled");
	(void)act("destroy");
	say_if("all of it has come back", given == gone);
	say_if("arguments", !wrong);
	soil = false;
}

/* Which is asked after which, if none will. */
static void
check_order(void)
{
	extent_hooks_t *hooks = &pool_hooks;
	size_t size = 1 << 20;
	ssize_t never = -1;
	char name[80];
	void *ptr;

	refuse_all = true;
	(void)create("arenas.create", &hooks, sizeof hooks);
	snprintf(name, sizeof name, "arena.%u.dirty_decay_ms",
	    expected_arena);
	(void)mallctl(name, NULL, NULL, &never, sizeof never);
	ptr = mallocx(size, flags());
	dallocx(ptr, MALLOCX_TCACHE_NONE);
	say("order when freed", "%s", order);
	(void)act("purge");
	say("order when purged", "%s", order);
	(void)act("destroy");
	say_if("destroyed", strstr(order, "destroy") != NULL);
	refuse_all = false;
}

/* --- chained -------------------------------------------------------------- */

static extent_hooks_t *before;
static unsigned nallocs;

static void *
chain_alloc(extent_hooks_t *hooks, void *at, size_t size, size_t align,
    bool *zero, bool *commit, unsigned arena)
{
	nallocs++;
	free(malloc(100));
	return before->alloc(before, at, size, align, zero, commit, arena);
}

static void
check_chain(void)
{
	static extent_hooks_t chain;
	extent_hooks_t *now = &chain, *old = NULL;
	size_t len = sizeof before;
	void *ptr;

	say("read own", "%s", error_name(mallctl("arena.0.extent_hooks",
	    &before, &len, NULL, 0)));
	say_if("all are functions", before->alloc != NULL &&
	    before->dalloc != NULL && before->destroy != NULL &&
	    before->commit != NULL && before->decommit != NULL &&
	    before->purge_lazy != NULL && before->purge_forced != NULL &&
	    before->split != NULL && before->merge != NULL);
	chain = *before;
	chain.alloc = chain_alloc;
	say("chain", "%s", error_name(mallctl("arena.0.extent_hooks", &old,
	    &len, &now, sizeof now)));
	say_if("the old ones", old == before);
	ptr = mallocx((size_t)200 << 20, MALLOCX_ARENA(0));
	say_if("chained alloc", ptr != NULL && nallocs > 0);
	say("unchain", "%s", error_name(mallctl("arena.0.extent_hooks", &old,
	    &len, &before, sizeof before)));
	say_if("the chained ones", old == &chain);
	dallocx(ptr, 0);
	(void)mallctl("arena.0.purge", NULL, NULL, NULL, 0);
	say("of all arenas", "%s", error_name(mallctl(
	    "arena.4096.extent_hooks", &old, &len, NULL, 0)));
}

/* --- limits, sbrk --------------------------------------------------------- */

static void
check_limits(void)
{
	static const size_t limits[] = { 0, 1, 4095, 4096, 4097, 5000, 8191,
	    10000, 11000, 20000, 28000, 100000, 1 << 20, (1 << 20) + 1,
	    3 << 20, (size_t)7 << 60, SIZE_MAX / 2, SIZE_MAX - 1, SIZE_MAX };
	size_t limit = 0, len = sizeof limit;
	char name[80];

	say("first limit", "%s", error_name(mallctl(
	    "arena.0.retain_grow_limit", &limit, &len, NULL, 0)));
	say("first value", "%zu", limit);
	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
		size_t value = limits[i];
		int error = mallctl("arena.0.retain_grow_limit", NULL, NULL,
		    &value, sizeof value);

		(void)mallctl("arena.0.retain_grow_limit", &limit, &len,
		    NULL, 0);
		snprintf(name, sizeof name, "limit %zu", value);
		say(name, "%s, is %zu", error_name(error), limit);
	}
}

static void
check_dss(void)
{
	static const char *const words[] = { "disabled", "primary",
	    "secondary", "default", "" };
	const char *is = NULL;
	size_t len = sizeof is;
	char name[80];

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		int error = mallctl("arena.0.dss", NULL, NULL,
		    (void *)&words[i], sizeof words[i]);

		(void)mallctl("arena.0.dss", &is, &len, NULL, 0);
		snprintf(name, sizeof name, "dss \"%s\"", words[i]);
		say(name, "%s, is %s", error_name(error), is);
	}
}

int
main(void)
{
	compat_begin();
	pool = pool_next = mmap(NULL, POOL, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pool == MAP_FAILED)
		die("no pool");
	free(malloc(1));
	check_pool();
	check_order();
	check_chain();
	check_limits();
	check_dss();
	return 0;
}
