/*
 * compat_arena.c - arenas that a program makes: where blocks come from, what
 * the arena's figures say, reset, destroy, purging, explicit caches.
 *
 * Blocks are taken without a cache unless the check is about caches: every
 * figure is then exact.
 */
#include <pthread.h>

#include "compat.h"

#define ARENA_ONLY(i)	(MALLOCX_ARENA(i) | MALLOCX_TCACHE_NONE)

static unsigned
create(void)
{
	unsigned index;

	ctl_read("arenas.create", &index, sizeof index);
	return index;
}

static int
lookup(const void *p, unsigned *index)
{
	size_t len = sizeof *index;

	return mallctl("arenas.lookup", index, &len, (void *)&p, sizeof p);
}

static bool
is_in(const void *p, unsigned arena)
{
	unsigned index;

	return lookup(p, &index) == 0 && index == arena;
}

static size_t
stat_size(unsigned arena, const char *field)
{
	return ctl_size(NAME("stats.arenas.%u.%s", arena, field));
}

static uint64_t
stat_u64(unsigned arena, const char *field)
{
	return ctl_u64(NAME("stats.arenas.%u.%s", arena, field));
}

static int
set_ms(unsigned arena, const char *which, ssize_t ms)
{
	return ctl_write(NAME("arena.%u.%s_decay_ms", arena, which), &ms,
	    sizeof ms);
}

static ssize_t
get_ms(unsigned arena, const char *which)
{
	return (ssize_t)ctl_size(NAME("arena.%u.%s_decay_ms", arena, which));
}

/* --- creating, binding, looking up ----------------------------------------- */

/* As programs write it, in two steps. */
static void
check_binding(void)
{
	unsigned before = ctl_unsigned("arenas.narenas"), new, old, now;
	size_t sz = sizeof new;
	void *small, *large;

	ctl_do("thread.tcache.flush");
	say("create", "%s",
	    error_name(mallctl("arenas.create", &new, &sz, NULL, 0)));
	say_if("the new arena is the last", new + 1 ==
	    ctl_unsigned("arenas.narenas") && new >= before);
	sz = sizeof old;
	say("bind", "%s", error_name(
	    mallctl("thread.arena", &old, &sz, &new, sizeof new)));
	say("it was bound to", "%u", old);
	say_if("it is bound now", ctl_unsigned("thread.arena") == new);
	small = malloc(100);
	large = malloc(100000);
	say_if("small blocks come from it", is_in(small, new));
	say_if("large blocks come from it", is_in(large, new));
	ctl_epoch();
	say("threads of it", "%u", ctl_unsigned(
	    NAME("stats.arenas.%u.nthreads", new)));
	free(small);
	free(large);
	ctl_do("thread.tcache.flush");
	say("bound arena, destroy", "%s",
	    error_name(ctl_do(NAME("arena.%u.destroy", new))));
	sz = sizeof now;
	say("bind back", "%s", error_name(
	    mallctl("thread.arena", &now, &sz, &old, sizeof old)));
	say_if("the old value is the arena", now == new);
	say("free arena, destroy", "%s",
	    error_name(ctl_do(NAME("arena.%u.destroy", new))));
}

static void
check_wrong_arenas(void)
{
	unsigned narenas = ctl_unsigned("arenas.narenas"), old, new, index;
	size_t sz = sizeof old;
	char *p = malloc(100);
	unsigned gone = create();

	ctl_do(NAME("arena.%u.destroy", gone));
	new = narenas + 5;
	say("bind to none", "%s", error_name(
	    mallctl("thread.arena", &old, &sz, &new, sizeof new)));
	new = gone;
	say("bind to a destroyed one", "%s", error_name(
	    mallctl("thread.arena", &old, &sz, &new, sizeof new)));
	new = MALLCTL_ARENAS_ALL;
	say("bind to all", "%s", error_name(
	    mallctl("thread.arena", &old, &sz, &new, sizeof new)));
	/* of what is no block: jemalloc 5.3.0 may end the program */
	say("lookup inside a block", "%s", error_name(lookup(p + 5, &index)));
	free(p);
	say("destroyed arena, initialized", "%d",
	    ctl_bool(NAME("arena.%u.initialized", gone)));
	say("destroyed arena, purge", "%s",
	    error_name(ctl_do(NAME("arena.%u.purge", gone))));
	say("destroyed arena, decay", "%s",
	    error_name(ctl_do(NAME("arena.%u.decay", gone))));
	say("destroyed arena, reset", "%s",
	    error_name(ctl_do(NAME("arena.%u.reset", gone))));
	say("destroyed arena, destroy", "%s",
	    error_name(ctl_do(NAME("arena.%u.destroy", gone))));
	say("destroyed arena, decay time", "%s", error_name(
	    set_ms(gone, "dirty", 5)));
	say("arena 0, reset", "%s", error_name(ctl_do("arena.0.reset")));
	say("arena 0, destroy", "%s", error_name(ctl_do("arena.0.destroy")));
	say("all arenas, reset", "%s", error_name(ctl_do("arena.4096.reset")));
	say("all arenas, destroy", "%s", error_name(ctl_do("arena.4096.destroy")));
	say("all arenas, purge", "%s", error_name(ctl_do("arena.4096.purge")));
	say("all arenas, decay", "%s", error_name(ctl_do("arena.4096.decay")));
	say("narenas as all, purge", "%s", error_name(ctl_do(NAME(
	    "arena.%u.purge", ctl_unsigned("arenas.narenas")))));
	say("past narenas, purge", "%s", error_name(ctl_do(NAME(
	    "arena.%u.purge", ctl_unsigned("arenas.narenas") + 1))));
}

/* Which index a new arena gets after some were destroyed. */
static void
check_reuse(void)
{
	unsigned a = create(), b = create(), c = create(), x, y, z;
	unsigned narenas = ctl_unsigned("arenas.narenas");

	say_if("three in a row", b == a + 1 && c == b + 1);
	ctl_do(NAME("arena.%u.destroy", a));
	ctl_do(NAME("arena.%u.destroy", b));
	say_if("narenas does not shrink",
	    narenas == ctl_unsigned("arenas.narenas"));
	x = create();
	y = create();
	z = create();
	say("reused first", "%s", x == a ? "first destroyed" : x == b ?
	    "last destroyed" : "none");
	say("reused second", "%s", y == a ? "first destroyed" : y == b ?
	    "last destroyed" : "none");
	say("then", "%s", z == narenas ? "a new one" : "another");
	ctl_do(NAME("arena.%u.destroy", x));
	ctl_do(NAME("arena.%u.destroy", y));
	ctl_do(NAME("arena.%u.destroy", z));
	ctl_do(NAME("arena.%u.destroy", c));
}

/* --- figures, reset, destroy ----------------------------------------------- */

static void
say_figures(const char *when, unsigned arena)
{
	static const char *const sizes[] = { "small.allocated",
	    "large.allocated", "bins.4.curregs", "bins.4.curslabs",
	    "bins.4.nonfull_slabs", "lextents.8.curlextents", "pactive",
	    "tcache_bytes" };
	static const char *const counts[] = { "small.nmalloc",
	    "small.ndalloc", "small.nrequests", "small.nfills",
	    "small.nflushes", "large.nmalloc", "large.ndalloc",
	    "large.nrequests", "large.nfills", "large.nflushes",
	    "bins.4.nmalloc", "bins.4.ndalloc", "bins.4.nrequests",
	    "bins.4.nfills", "bins.4.nflushes", "bins.4.nslabs",
	    "bins.4.nreslabs", "lextents.8.nmalloc", "lextents.8.ndalloc",
	    "lextents.8.nrequests" };
	char line[80];

	ctl_epoch();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		snprintf(line, sizeof line, "%s, %s", when, sizes[i]);
		say(line, "%zu", stat_size(arena, sizes[i]));
	}
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		snprintf(line, sizeof line, "%s, %s", when, counts[i]);
		say(line, "%llu", (unsigned long long)stat_u64(arena,
		    counts[i]));
	}
}

/* bin 4 is of 64 B, lextent 8 of 64 KiB. */
static void
check_figures(void)
{
	enum { SMALL = 1000, LARGE = 20 };
	unsigned arena = create();
	void *small[SMALL], *large[LARGE];

	set_ms(arena, "dirty", -1);
	say_figures("new", arena);
	for (unsigned i = 0; i < SMALL; i++)
		small[i] = mallocx(60, ARENA_ONLY(arena));
	for (unsigned i = 0; i < LARGE; i++)
		large[i] = mallocx(65536, ARENA_ONLY(arena));
	say_figures("full", arena);
	for (unsigned i = 0; i < SMALL; i += 2)
		dallocx(small[i], MALLOCX_TCACHE_NONE);
	for (unsigned i = 0; i < LARGE; i += 2)
		dallocx(large[i], MALLOCX_TCACHE_NONE);
	say_figures("half", arena);
	say("reset of an arena", "%s",
	    error_name(ctl_do(NAME("arena.%u.reset", arena))));
	say_figures("reset", arena);
	small[0] = mallocx(60, ARENA_ONLY(arena));
	say_if("usable after reset", is_in(small[0], arena));
	say("destroy with a block", "%s",
	    error_name(ctl_do(NAME("arena.%u.destroy", arena))));
	ctl_epoch();
	say("destroyed arena's figures", "%s", error_name(mallctl(
	    NAME("stats.arenas.%u.pactive", arena), NULL, NULL, NULL, 0)));
}

static void
say_destroyed(const char *name, const char *field)
{
	uint64_t n = 0;
	size_t len = sizeof n;
	int error = mallctl(NAME("stats.arenas.4097.%s", field), &n, &len,
	    NULL, 0);

	say(name, "%s %llu", error_name(error), (unsigned long long)n);
}

static void
check_destroyed_sum(void)
{
	say_destroyed("of destroyed ones, small.nmalloc", "small.nmalloc");
	say_destroyed("of destroyed ones, small.ndalloc", "small.ndalloc");
	say_destroyed("of destroyed ones, small.allocated", "small.allocated");
	say_destroyed("of destroyed ones, large.nmalloc", "large.nmalloc");
	say_destroyed("of destroyed ones, large.ndalloc", "large.ndalloc");
	say_destroyed("of destroyed ones, bins.4.nmalloc", "bins.4.nmalloc");
	say_destroyed("of destroyed ones, bins.4.curregs", "bins.4.curregs");
	say_destroyed("of destroyed ones, lextents.8.nmalloc",
	    "lextents.8.nmalloc");
	say_destroyed("of destroyed ones, pactive", "pactive");
}

/* curregs = nmalloc - ndalloc in every bin; the parts make up the whole. */
static void
check_sums(void)
{
	unsigned nbins = ctl_unsigned("arenas.nbins");
	unsigned narenas = ctl_unsigned("arenas.narenas");
	bool balance = true, whole = true;

	ctl_epoch();
	for (unsigned j = 0; j < nbins; j++) {
		uint64_t sum = 0, nmalloc, ndalloc;

		for (unsigned i = 0; i < narenas; i++) {
			if (!ctl_bool(NAME("arena.%u.initialized", i)))
				continue;
			nmalloc = ctl_u64(NAME(
			    "stats.arenas.%u.bins.%u.nmalloc", i, j));
			ndalloc = ctl_u64(NAME(
			    "stats.arenas.%u.bins.%u.ndalloc", i, j));
			balance &= nmalloc - ndalloc == ctl_u64(NAME(
			    "stats.arenas.%u.bins.%u.curregs", i, j));
			sum += nmalloc;
		}
		whole &= sum == ctl_u64(NAME(
		    "stats.arenas.4096.bins.%u.nmalloc", j));
	}
	say_if("curregs is nmalloc - ndalloc", balance);
	say_if("all arenas are the sum of the arenas", whole);
	say_if("allocated is small and large", ctl_size("stats.allocated") ==
	    ctl_size("stats.arenas.4096.small.allocated") +
	    ctl_size("stats.arenas.4096.large.allocated"));
	say_if("active is all arenas' pactive", ctl_size("stats.active") ==
	    ctl_size("stats.arenas.4096.pactive") * ctl_size("arenas.page"));
	say_if("allocated <= active <= resident", ctl_size("stats.allocated") <=
	    ctl_size("stats.active") && ctl_size("stats.active") <=
	    ctl_size("stats.resident"));
}

/* --- unused pages ---------------------------------------------------------- */

static void
say_pages(const char *when, unsigned arena)
{
	char line[80];

	ctl_epoch();
	snprintf(line, sizeof line, "%s, pages", when);
	say(line, "active %zu dirty %zu muzzy %zu", stat_size(arena,
	    "pactive"), stat_size(arena, "pdirty"),
	    stat_size(arena, "pmuzzy"));
	snprintf(line, sizeof line, "%s, purged", when);
	say(line, "dirty %llu muzzy %llu", (unsigned long long)stat_u64(arena,
	    "dirty_purged"), (unsigned long long)stat_u64(arena,
	    "muzzy_purged"));
	snprintf(line, sizeof line, "%s, sweeps", when);
	say(line, "dirty %llu muzzy %llu", (unsigned long long)stat_u64(arena,
	    "dirty_npurge"), (unsigned long long)stat_u64(arena,
	    "muzzy_npurge"));
}

static void
churn_pages(unsigned arena)
{
	void *p = mallocx(1 << 20, ARENA_ONLY(arena));

	memset(p, 1, 1 << 20);
	dallocx(p, MALLOCX_TCACHE_NONE);
}

static void
check_pages(void)
{
	unsigned arena = create();

	say("decay times of a new one", "%zd %zd", get_ms(arena, "dirty"),
	    get_ms(arena, "muzzy"));
	say("never decay", "%s %s", error_name(set_ms(arena, "dirty", -1)),
	    error_name(set_ms(arena, "muzzy", -1)));
	churn_pages(arena);
	say_pages("freed", arena);
	say("decay", "%s", error_name(ctl_do(NAME("arena.%u.decay", arena))));
	say_pages("decay that never", arena);
	say("purge", "%s", error_name(ctl_do(NAME("arena.%u.purge", arena))));
	say_pages("purge", arena);
	churn_pages(arena);
	say_pages("freed again", arena);
	say("decay at once", "%s %s", error_name(set_ms(arena, "muzzy", 0)),
	    error_name(set_ms(arena, "dirty", 0)));
	say_pages("decay at once", arena);
	churn_pages(arena);
	say_pages("freed with decay at once", arena);
	say("through muzzy", "%s", error_name(set_ms(arena, "muzzy", -1)));
	churn_pages(arena);
	say_pages("freed into muzzy", arena);
	say("destroy with unused pages", "%s",
	    error_name(ctl_do(NAME("arena.%u.destroy", arena))));
}

static void
check_decay_bounds(void)
{
	static const ssize_t times[] = { -3, -2, -1, 0, 1, 10000,
	    18446744072000, 18446744072001, SSIZE_MAX };
	unsigned arena = create(), other;
	ssize_t before = (ssize_t)ctl_size("arenas.dirty_decay_ms");
	char line[80];

	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		snprintf(line, sizeof line, "arena's decay time %zd",
		    times[i]);
		say(line, "%s, is %zd", error_name(set_ms(arena, "dirty",
		    times[i])), get_ms(arena, "dirty"));
		snprintf(line, sizeof line, "arenas' decay time %zd",
		    times[i]);
		say(line, "%s, is %zd", error_name(ctl_write(
		    "arenas.dirty_decay_ms", &times[i], sizeof times[i])),
		    (ssize_t)ctl_size("arenas.dirty_decay_ms"));
	}
	before = 1234;
	ctl_write("arenas.dirty_decay_ms", &before, sizeof before);
	before = 56;
	ctl_write("arenas.muzzy_decay_ms", &before, sizeof before);
	other = create();
	say("new arenas get", "%zd %zd", get_ms(other, "dirty"),
	    get_ms(other, "muzzy"));
	say_if("old ones keep theirs", get_ms(arena, "dirty") != 1234);
	ctl_do(NAME("arena.%u.destroy", arena));
	ctl_do(NAME("arena.%u.destroy", other));
	before = 10000;
	ctl_write("arenas.dirty_decay_ms", &before, sizeof before);
	before = 0;
	ctl_write("arenas.muzzy_decay_ms", &before, sizeof before);
}

/* --- other settings of an arena -------------------------------------------- */

static void
check_settings(void)
{
	unsigned arena = create();
	const char *dss, *word = "nonsense";
	size_t limit;

	ctl_read(NAME("arena.%u.dss", arena), &dss, sizeof dss);
	say("dss of a new one", "%s", dss);
	say("dss, nonsense", "%s", error_name(ctl_write(
	    NAME("arena.%u.dss", arena), &word, sizeof word)));
	word = "disabled";
	say("dss, disabled", "%s", error_name(ctl_write(
	    NAME("arena.%u.dss", arena), &word, sizeof word)));
	word = "primary";
	say("dss, primary", "%s", error_name(ctl_write(
	    NAME("arena.%u.dss", arena), &word, sizeof word)));
	ctl_read(NAME("arena.%u.dss", arena), &dss, sizeof dss);
	say("dss then", "%s", dss);
	ctl_read(NAME("arena.%u.retain_grow_limit", arena), &limit,
	    sizeof limit);
	say("grow limit", "%zu", limit);
	limit = 1 << 20;
	say("grow limit, 1 MiB", "%s", error_name(ctl_write(NAME(
	    "arena.%u.retain_grow_limit", arena), &limit, sizeof limit)));
	limit = 1;
	say("grow limit, 1", "%s", error_name(ctl_write(NAME(
	    "arena.%u.retain_grow_limit", arena), &limit, sizeof limit)));
	ctl_read(NAME("arena.%u.retain_grow_limit", arena), &limit,
	    sizeof limit);
	say("grow limit then", "%zu", limit);
	ctl_do(NAME("arena.%u.destroy", arena));
}

/* --- explicit caches ------------------------------------------------------- */

static unsigned
cache_create(void)
{
	unsigned tc;

	ctl_read("tcache.create", &tc, sizeof tc);
	return tc;
}

static int
cache_do(const char *what, unsigned tc)
{
	return ctl_write(NAME("tcache.%s", what), &tc, sizeof tc);
}

static void
check_caches(void)
{
	unsigned a = cache_create(), b = cache_create(), c;
	unsigned arena = create();
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE(a);
	void *p, *q;

	say("caches' numbers", "%u %u", a, b);
	p = mallocx(64, flags);
	say_if("the cache's blocks come from the arena", is_in(p, arena));
	dallocx(p, MALLOCX_TCACHE(a));
	q = mallocx(64, flags);
	say_if("what was freed to a cache comes back", p == q);
	dallocx(q, MALLOCX_TCACHE(a));
	ctl_epoch();
	say_if("the arena holds what the cache holds",
	    stat_size(arena, "bins.4.curregs") > 0);
	say("flush of a cache", "%s", error_name(cache_do("flush", a)));
	ctl_epoch();
	say("after it the arena holds", "%zu blocks",
	    stat_size(arena, "bins.4.curregs"));
	p = mallocx(64, flags);
	say_if("a flushed cache works on", is_in(p, arena));
	dallocx(p, MALLOCX_TCACHE(a));
	say("destroy of a cache", "%s", error_name(cache_do("destroy", a)));
	ctl_epoch();
	say("after that the arena holds", "%zu blocks",
	    stat_size(arena, "bins.4.curregs"));
	c = cache_create();
	say("a number is used again", "%u", c);
	say("flush of a number without a cache", "%s",
	    error_name(cache_do("flush", 5)));
	cache_do("destroy", b);
	cache_do("destroy", c);
	ctl_do(NAME("arena.%u.destroy", arena));
}

int
main(void)
{
	compat_begin();
	check_binding();
	check_wrong_arenas();
	check_reuse();
	check_figures();
	check_destroyed_sum();
	check_sums();
	check_pages();
	check_decay_bounds();
	check_settings();
	check_caches();
	return 0;
}
