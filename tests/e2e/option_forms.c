/*
 * option_forms.c - what an option of MALLOC_CONF does, seen from outside: one
 * experiment a run, its result one line. Runs under jemalloc too.
 */
#include <pthread.h>
#include <unistd.h>

#include "compat.h"

static unsigned
create(void)
{
	unsigned index;

	ctl_read("arenas.create", &index, sizeof index);
	return index;
}

/* --- narenas: how many threads the fullest arena has ----------------------- */

static pthread_barrier_t together, done;

static void *
live(void *arg)
{
	void *p = malloc(100);

	USE(p);
	pthread_barrier_wait(&together);
	pthread_barrier_wait(&done);
	free(p);
	return arg;
}

static void
fullest_arena(unsigned nthreads)
{
	pthread_t *threads = calloc(nthreads, sizeof *threads);
	unsigned most = 0, sum = 0, n, narenas;

	pthread_barrier_init(&together, NULL, nthreads + 1);
	pthread_barrier_init(&done, NULL, nthreads + 1);
	for (unsigned i = 0; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, live, NULL) != 0)
			die("pthread_create");
	pthread_barrier_wait(&together);
	ctl_epoch();
	narenas = ctl_unsigned("arenas.narenas");
	for (unsigned i = 0; i < narenas; i++) {
		if (!ctl_bool(NAME("arena.%u.initialized", i)))
			continue;
		n = ctl_unsigned(NAME("stats.arenas.%u.nthreads", i));
		sum += n;
		most = n > most ? n : most;
	}
	pthread_barrier_wait(&done);
	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	say("fullest", "%u of %u", most, sum);
}

/* --- dirty_decay_ms: MiB of 64 that are resident after free and decay ------- */

static size_t
resident_mib(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	unsigned long size, pages;

	if (file == NULL || fscanf(file, "%lu %lu", &size, &pages) != 2)
		die("/proc/self/statm");
	fclose(file);
	return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE) >> 20;
}

static void
pages_left(void)
{
	enum { BLOCKS = 64, MIB = 1 << 20 };
	size_t before = resident_mib();
	void *p[BLOCKS];

	for (int i = 0; i < BLOCKS; i++) {
		p[i] = mallocx(MIB, MALLOCX_TCACHE_NONE);
		memset(p[i], 1, MIB);
	}
	for (int i = 0; i < BLOCKS; i++)
		dallocx(p[i], MALLOCX_TCACHE_NONE);
	ctl_do("arena.4096.decay");
	say("left", "%s", resident_mib() - before > BLOCKS - 8 ? "all" :
	    resident_mib() - before < 8 ? "none" : "some");
}

/* --- tcache_nslots_*: the most blocks of a size that the cache ever held ---- */

static void
most_cached(size_t size)
{
	enum { BLOCKS = 6000 };
	static void *p[BLOCKS];
	unsigned arena = ctl_unsigned("thread.arena");
	size_t most = 0, n, usable = nallocx(size, 0);

	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < BLOCKS; i++) {
			p[i] = malloc(size);
			USE(p[i]);
		}
		ctl_do("thread.tcache.flush");
		for (int i = 0; i < BLOCKS; i++) {
			free(p[i]);
			if (i >= 400)
				continue;
			ctl_epoch();
			n = ctl_size(NAME("stats.arenas.%u.tcache_bytes",
			    arena)) / usable;
			most = n > most ? n : most;
		}
		ctl_do("thread.tcache.flush");
	}
	say("most", "%zu", most);
}

/* --- slab_sizes: regions before the second slab, and the bytes they span ---- */

static unsigned
bin_of(size_t size)
{
	unsigned bin = 0;

	while (ctl_size(NAME("arenas.bin.%u.size", bin)) < size)
		bin++;
	return bin;
}

static void
slab(size_t size)
{
	unsigned arena = create(), bin = bin_of(size), n = 0;
	uintptr_t low = UINTPTR_MAX, high = 0;

	for (;;) {
		uintptr_t p = (uintptr_t)mallocx(size, MALLOCX_ARENA(arena) |
		    MALLOCX_TCACHE_NONE);

		ctl_epoch();
		if (ctl_size(NAME("stats.arenas.%u.bins.%u.curslabs", arena,
		    bin)) > 1)
			break;
		low = p < low ? p : low;
		high = p + size > high ? p + size : high;
		n++;
	}
	say("slab", "%u regions in %zu bytes, said %zu", n,
	    (size_t)(high - low),
	    ctl_size(NAME("arenas.bin.%u.slab_size", bin)));
}

/* --- the two steps that bind a thread to an arena of its own ---------------- */

static void
bind_thread(void)
{
	unsigned new, old, of;
	size_t sz = sizeof new, len = sizeof of;
	void *p;

	if (mallctl("arenas.create", &new, &sz, NULL, 0) != 0 ||
	    mallctl("thread.arena", &old, &sz, &new, sizeof new) != 0)
		die("the two steps fail");
	p = malloc(12345);
	if (mallctl("arenas.lookup", &of, &len, &p, sizeof p) != 0)
		die("arenas.lookup");
	say("bound", "%s", of == new && of != old ? "its own" : "another's");
}

static void
option(const char *name)
{
	say(name, "%zu", ctl_size(NAME("opt.%s", name)));
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	size_t n = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	compat_begin();
	if (strcmp(what, "threads") == 0)
		fullest_arena((unsigned)n);
	else if (strcmp(what, "pages") == 0)
		pages_left();
	else if (strcmp(what, "cached") == 0)
		most_cached(n);
	else if (strcmp(what, "slab") == 0)
		slab(n);
	else if (strcmp(what, "bind") == 0)
		bind_thread();
	else if (strcmp(what, "option") == 0 && argc > 2)
		option(argv[2]);
	else
		die("option_forms WHAT [NUMBER]");
	return 0;
}
