/*
 * compat_thread.c - mallctl thread.*, epoch, background threads: what a
 * thread's own figures count, and when statistics change.
 */
#include <pthread.h>

#include "compat.h"

static uint64_t
difference(const char *name, uint64_t before)
{
	return ctl_u64(name) - before;
}

static void
check_counters(void)
{
	uint64_t allocated = ctl_u64("thread.allocated");
	uint64_t deallocated = ctl_u64("thread.deallocated");
	void *p = malloc(100), *q;

	USE(p);
	say("allocated by malloc(100)", "%llu", (unsigned long long)
	    difference("thread.allocated", allocated));
	p = realloc(p, 1000);
	USE(p);
	say("allocated by realloc to 1000", "%llu", (unsigned long long)
	    difference("thread.allocated", allocated));
	say("deallocated by realloc to 1000", "%llu", (unsigned long long)
	    difference("thread.deallocated", deallocated));
	p = realloc(p, 1020);
	USE(p);
	say("allocated by realloc in the class", "%llu", (unsigned long long)
	    difference("thread.allocated", allocated));
	free(p);
	p = mallocx(100000, MALLOCX_TCACHE_NONE);
	q = calloc(10, 1000);
	USE(q);
	say("allocated by large ones", "%llu", (unsigned long long)
	    difference("thread.allocated", allocated));
	dallocx(p, MALLOCX_TCACHE_NONE);
	free(q);
	say_if("all is freed", difference("thread.allocated", allocated) ==
	    difference("thread.deallocated", deallocated));
}

static void
check_pointers(void)
{
	uint64_t *allocated, *deallocated, before, freed;
	void *p;

	ctl_read("thread.allocatedp", &allocated, sizeof allocated);
	ctl_read("thread.deallocatedp", &deallocated, sizeof deallocated);
	before = *allocated;
	freed = *deallocated;
	for (int i = 0; i < 10; i++) {
		p = malloc(64);
		USE(p);
		free(p);
	}
	say("allocated, by pointer", "%llu",
	    (unsigned long long)(*allocated - before));
	say("deallocated, by pointer", "%llu",
	    (unsigned long long)(*deallocated - freed));
	say_if("pointer and value agree",
	    *allocated == ctl_u64("thread.allocated") &&
	    *deallocated == ctl_u64("thread.deallocated"));
}

static void *
other_thread(void *arg)
{
	uint64_t *results = arg, before = ctl_u64("thread.allocated");
	void *p = malloc(4096);

	USE(p);
	results[0] = ctl_u64("thread.allocated") - before;
	free(p);
	results[1] = ctl_unsigned("thread.arena");
	return NULL;
}

static void
check_other_thread(void)
{
	uint64_t results[2], before = ctl_u64("thread.allocated");
	pthread_t thread;

	if (pthread_create(&thread, NULL, other_thread, results) != 0)
		die("pthread_create");
	pthread_join(thread, NULL);
	say("allocated by another thread", "%llu",
	    (unsigned long long)results[0]);
	say_if("it counts as its own", ctl_u64("thread.allocated") - before <
	    2048);
	say_if("it has another arena", results[1] !=
	    ctl_unsigned("thread.arena"));
}

static void
check_peak(void)
{
	uint64_t peak;
	void *p[20];

	say("peak reset", "%s", error_name(ctl_do("thread.peak.reset")));
	say("peak after it", "%llu",
	    (unsigned long long)ctl_u64("thread.peak.read"));
	for (unsigned i = 0; i < 20; i++) {
		p[i] = malloc(1 << 20);
		USE(p[i]);
	}
	for (unsigned i = 0; i < 20; i++)
		free(p[i]);
	peak = ctl_u64("thread.peak.read");
	say("peak of 20 MiB", "%llu", (unsigned long long)peak);
	say("peak reset again", "%s", error_name(ctl_do("thread.peak.reset")));
	say("peak after that", "%llu",
	    (unsigned long long)ctl_u64("thread.peak.read"));
}

static void
check_cache(void)
{
	unsigned arena = ctl_unsigned("thread.arena");
	bool off = false, on = true, old;
	size_t len = sizeof old;
	uint64_t before, after;
	void *p;

	say("cache", "%d", ctl_bool("thread.tcache.enabled"));
	say("switch off", "%s", error_name(mallctl("thread.tcache.enabled",
	    &old, &len, &off, sizeof off)));
	say("it was", "%d", old);
	say("cache after it", "%d", ctl_bool("thread.tcache.enabled"));
	ctl_epoch();
	before = ctl_u64(NAME("stats.arenas.%u.bins.4.ndalloc", arena));
	for (int i = 0; i < 100; i++) {
		p = malloc(64);
		USE(p);
		free(p);
	}
	ctl_epoch();
	after = ctl_u64(NAME("stats.arenas.%u.bins.4.ndalloc", arena));
	say("frees that reach the arena without a cache", "%llu",
	    (unsigned long long)(after - before));
	say("flush without a cache", "%s",
	    error_name(ctl_do("thread.tcache.flush")));
	say("switch on", "%s", error_name(mallctl("thread.tcache.enabled",
	    &old, &len, &on, sizeof on)));
	say("it was off", "%d", old);
	ctl_epoch();
	before = ctl_u64(NAME("stats.arenas.%u.bins.4.ndalloc", arena));
	p = malloc(64);
	USE(p);
	free(p);
	ctl_epoch();
	after = ctl_u64(NAME("stats.arenas.%u.bins.4.ndalloc", arena));
	say("frees that reach the arena with a cache", "%llu",
	    (unsigned long long)(after - before));
	say("flush", "%s", error_name(ctl_do("thread.tcache.flush")));
	ctl_epoch();
	say_if("the flush reaches the arena",
	    ctl_u64(NAME("stats.arenas.%u.bins.4.ndalloc", arena)) > after);
	say("bytes in the cache after a flush", "%zu", ctl_size(NAME(
	    "stats.arenas.%u.tcache_bytes", arena)));
	say("idle", "%s", error_name(ctl_do("thread.idle")));
}

static void
check_epoch(void)
{
	uint64_t first = ctl_u64("epoch"), old, new = 99;
	size_t len = sizeof old, allocated, same, more;
	void *p;

	say_if("reading leaves the epoch", ctl_u64("epoch") == first);
	say("writing the epoch", "%s", error_name(mallctl("epoch", &old, &len,
	    &new, sizeof new)));
	say("what it reads then", "%lld", (long long)(old - first));
	say("the epoch after it", "%lld", (long long)(ctl_u64("epoch") -
	    first));
	allocated = ctl_size("stats.allocated");
	p = mallocx(10 << 20, MALLOCX_TCACHE_NONE);
	same = ctl_size("stats.allocated");
	ctl_epoch();
	more = ctl_size("stats.allocated");
	say_if("figures wait for the epoch", same == allocated);
	say("then they change by", "%zu", more - allocated);
	dallocx(p, MALLOCX_TCACHE_NONE);
}

static void
check_background(void)
{
	bool on = true, off = false, old;
	size_t len = sizeof old, n;

	say("background_thread", "%d", ctl_bool("background_thread"));
	say("max_background_threads", "%zu",
	    ctl_size("max_background_threads"));
	n = 0;
	say("at most 0", "%s", error_name(ctl_write("max_background_threads",
	    &n, sizeof n)));
	n = 2;
	say("at most 2", "%s", error_name(ctl_write("max_background_threads",
	    &n, sizeof n)));
	say("max_background_threads after it", "%zu",
	    ctl_size("max_background_threads"));
	say("background on", "%s", error_name(mallctl("background_thread",
	    &old, &len, &on, sizeof on)));
	say("background was", "%d", old);
	say("background is", "%d", ctl_bool("background_thread"));
	ctl_epoch();
	say_if("there are threads",
	    ctl_size("stats.background_thread.num_threads") > 0);
	say("background on again", "%s", error_name(ctl_write(
	    "background_thread", &on, sizeof on)));
	say("background off", "%s", error_name(mallctl("background_thread",
	    &old, &len, &off, sizeof off)));
	say("background was then", "%d", old);
	ctl_epoch();
	say("threads after it", "%zu",
	    ctl_size("stats.background_thread.num_threads"));
}

int
main(void)
{
	compat_begin();
	check_counters();
	check_pointers();
	check_other_thread();
	check_peak();
	check_cache();
	check_epoch();
	check_background();
	return 0;
}
