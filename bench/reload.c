/*
 * reload.c - a server that rebuilds its configuration: what is left of its
 * memory after a hundred reloads, under whatever allocator is preloaded.
 *
 *     reload [-r none|pool|default|arenas|cached] [-a ARENAS]
 *            [-t THREADS] [-n RELOADS] [-m MIB] [-k EVERY] [-w MS]
 *            [-q REQUESTS] [-s SEED] [-x]
 *
 * A reload builds the new configuration (-m MiB in all, a slice by each
 * thread) while the old one lives, frees the old one, each slice in another
 * thread than built it, and serves requests (-q for each thread) of blocks
 * that live for the request; each 50th is a spike of 4 MiB.
 *
 * Sizes are 16 bytes to 4 KiB, 16 * 256^(u^d) for u in [0, 1): d drifts from
 * 0.7 to 2.2 and back, so that the mix is another at each reload. 3 % of the
 * bytes are blocks of 64 to 512 KiB. 2 % of the bytes are strays: made amid
 * the configuration, by three sites with sizes of their own (-x: with those
 * of the mix), and freed after exactly STRAY_RELOADS reloads.
 *
 * -r says what rotates: pool is strata_pool_*; default is Strata's pool for
 * programs that cannot be changed (default_pool in MALLOC_CONF), begun anew by
 * the process's generation, as a signal does; arenas and cached are what
 * jemalloc offers: a ring of -a manual arenas (4) by mallctl, the vacated one
 * purged after it was freed. arenas passes the thread's cache by, as
 * MALLOCX_TCACHE_NONE; cached binds the thread by thread.arena and flushes its
 * cache before and after, and again when it has freed an old configuration,
 * for what is cached is not purged and would serve the next requests.
 *
 * All blocks hold their own list, so there is no bookkeeping besides them.
 * Live bytes are those asked for. RSS is read -w milliseconds after the last
 * request (1000), at the start and after each -k reloads (10). A line a
 * reading, CSV; build and teardown, the purge included, are medians since the
 * last, in ms.
 */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strata/strata.h>

#include "measure.h"

#define noinline __attribute__((noinline))

enum { STRAY_RELOADS = 8, NSTRAYS = STRAY_RELOADS + 1, NSITES = 3,
	RING_MAX = 16, THREADS_MAX = 64, SPIKE_EVERY = 50,
	SPIKE_BYTES = 4 << 20, EVERY_MAX = 1000 };

enum how { NONE, POOL, DEFAULT, ARENAS, CACHED };

struct block {
	struct block *next;
	size_t size;
};

struct chain {
	struct block *first;
	size_t bytes;
};

struct worker {
	pthread_t thread;
	unsigned index;
	uint64_t random;
	struct chain config[2];		/* old and new, by turns */
	struct chain strays[NSTRAYS];	/* by reload */
};

static enum how how;
static bool spread;
static unsigned nthreads = 1, nreloads = 100, mib = 100, every = 10;
static unsigned rest_ms = 1000, nrequests = 400, nring = 4;
static uint64_t seed = 1;

static struct worker workers[THREADS_MAX];
static pthread_barrier_t barrier;
/* Set between barriers. */
static unsigned reload, pool, ring[RING_MAX];
static double drift;

static struct {
	int (*mallctl)(const char *, void *, size_t *, void *, size_t);
	void *(*mallocx)(size_t, int);
	void (*dallocx)(void *, int);
	int (*create)(unsigned, unsigned *);
	int (*rotate)(unsigned, uint64_t *);
	int (*enter)(unsigned);
	int (*leave)(unsigned);
} heap;

static void
die(const char *what)
{
	fprintf(stderr, "reload: %s\n", what);
	exit(2);
}

static uint64_t
random_of(struct worker *worker)
{
	uint64_t x = worker->random += 0x9e3779b97f4a7c15u;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static size_t
mixed_size(struct worker *worker)
{
	double u = (double)(random_of(worker) >> 11) / (double)(1ull << 53);

	return (size_t)(16 * exp2(8 * pow(u, drift)));
}

/* --- blocks --------------------------------------------------------------- */

static void *
take(size_t size, bool config)
{
	return config && how == ARENAS ? heap.mallocx(size,
	    MALLOCX_ARENA(ring[reload % nring]) | MALLOCX_TCACHE_NONE) :
	    malloc(size);
}

static void
add(struct chain *chain, size_t size, bool config)
{
	struct block *block = take(size, config);

	if (block == NULL)
		die("no memory");
	memset(block, 0x5a, size);
	block->next = chain->first;
	block->size = size;
	chain->first = block;
	chain->bytes += size;
}

static void
drop(struct chain *chain, bool config)
{
	struct block *next;

	for (struct block *block = chain->first; block != NULL; block = next) {
		next = block->next;
		if (config && how == ARENAS)
			heap.dallocx(block, MALLOCX_TCACHE_NONE);
		else
			free(block);
	}
	*chain = (struct chain){ 0 };
}

static noinline void
site_session(struct chain *chain, struct worker *worker)
{
	add(chain, spread ? mixed_size(worker) : 33 + random_of(worker) % 16,
	    true);
}

static noinline void
site_metric(struct chain *chain, struct worker *worker)
{
	add(chain, spread ? mixed_size(worker) : 200 + random_of(worker) % 24,
	    true);
}

static noinline void
site_plugin(struct chain *chain, struct worker *worker)
{
	add(chain, spread ? mixed_size(worker) : 900 + random_of(worker) % 100,
	    true);
}

/* --- a reload ------------------------------------------------------------- */

static void
flush(void)
{
	heap.mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

static void
bind_to(unsigned arena)
{
	flush();
	if (heap.mallctl("thread.arena", NULL, NULL, &arena,
	    sizeof arena) != 0)
		die("cannot bind to an arena");
}

static unsigned
bound_to(void)
{
	unsigned arena;
	size_t len = sizeof arena;

	heap.mallctl("thread.arena", &arena, &len, NULL, 0);
	return arena;
}

static void
build(struct worker *worker)
{
	static void (*const sites[NSITES])(struct chain *, struct worker *) = {
		site_session, site_metric, site_plugin };
	struct chain *config = &worker->config[reload % 2];
	struct chain *strays = &worker->strays[reload % NSTRAYS];
	size_t most = ((size_t)mib << 20) / nthreads, large = 0;
	unsigned home = how == CACHED ? bound_to() : 0, turn = 0;

	if (how == POOL && heap.enter(pool) != 0)
		die("cannot enter the pool");
	if (how == CACHED)
		bind_to(ring[reload % nring]);
	while (config->bytes + strays->bytes < most) {
		size_t sum = config->bytes + strays->bytes + 1;

		if (strays->bytes * 50 < sum)
			sites[turn++ % NSITES](strays, worker);
		else if (large * 33 < sum && mib >= 8) {
			size_t size = (64 << 10) + random_of(worker) %
			    (448 << 10);

			add(config, size, true);
			large += size;
		} else
			add(config, mixed_size(worker), true);
	}
	if (how == CACHED)
		bind_to(home);
	if (how == POOL)
		heap.leave(pool);
}

static void
serve(struct worker *worker)
{
	for (unsigned i = 0; i < nrequests; i++) {
		bool spike = i % SPIKE_EVERY == 0;
		size_t most = spike ? SPIKE_BYTES : 32 << 10;
		struct chain request = { 0 };

		while (request.bytes < most)
			add(&request, mixed_size(worker), false);
		drop(&request, false);
	}
}

enum step { BUILD, TEARDOWN, SERVE, NSTEPS };

static void
step(struct worker *worker, enum step which)
{
	struct worker *other = &workers[(worker->index + 1) % nthreads];

	switch (which) {
	case BUILD:
		build(worker);
		break;
	case TEARDOWN:
		drop(&other->config[(reload + 1) % 2], true);
		drop(&other->strays[(reload + 1) % NSTRAYS], true);
		if (how == CACHED)
			flush();
		break;
	default:
		serve(worker);
	}
}

static void *
work(void *arg)
{
	struct worker *worker = arg;

	for (;;) {
		for (enum step which = 0; which < NSTEPS; which++) {
			pthread_barrier_wait(&barrier);
			step(worker, which);
			pthread_barrier_wait(&barrier);
		}
	}
	return NULL;
}

/* --- readings ------------------------------------------------------------- */

static size_t
rss(void)
{
	static char text[128];
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (file == NULL || fgets(text, sizeof text, file) == NULL ||
	    sscanf(text, "%*u %lu", &pages) != 1)
		die("cannot read statm");
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t
live(void)
{
	size_t sum = 0;

	for (unsigned i = 0; i < nthreads; i++) {
		sum += workers[i].config[0].bytes + workers[i].config[1].bytes;
		for (unsigned k = 0; k < NSTRAYS; k++)
			sum += workers[i].strays[k].bytes;
	}
	return sum;
}

static size_t
stat_of(const char *name)
{
	uint64_t epoch = 1;
	size_t value = 0, len = sizeof epoch;

	if (heap.mallctl == NULL)
		return 0;
	heap.mallctl("epoch", &epoch, &len, &epoch, sizeof epoch);
	len = sizeof value;
	return heap.mallctl(name, &value, &len, NULL, 0) == 0 ? value : 0;
}

static void
read_out(unsigned n, double (*took)[EVERY_MAX], unsigned since)
{
	struct timespec rest = { rest_ms / 1000, rest_ms % 1000 * 1000000L };
	double serving;
	size_t resident;

	nanosleep(&rest, NULL);
	resident = rss();
	serving = median(took[SERVE], since);
	printf("%u,%zu,%zu,%zu,%zu,%.2f,%.2f,%.0f\n", n, live(), resident,
	    stat_of("stats.allocated"), stat_of("stats.active"),
	    median(took[BUILD], since), median(took[TEARDOWN], since),
	    serving == 0 ? 0 : nthreads * nrequests / serving * 1e3);
	fflush(stdout);
}

/* --- rotation ------------------------------------------------------------- */

static void
rotation_start(void)
{
	size_t len = sizeof *ring;

	if (how == POOL && (heap.create == NULL || heap.create(0, &pool) != 0))
		die("no pools here");
	if (how == DEFAULT && (heap.mallctl == NULL || heap.mallctl(
	    "pool.default", &pool, &len, NULL, 0) != 0))
		die("no default pool here");
	for (unsigned i = 0; how >= ARENAS && i < nring; i++)
		if (heap.mallctl == NULL || heap.mallctl("arenas.create",
		    &ring[i], &len, NULL, 0) != 0)
			die("no arenas here");
}

static void
rotate(void)
{
	uint64_t any = 0;

	drift = 0.7 + (reload * 7 % 16) * 0.1;
	if (how == POOL && heap.rotate(pool, NULL) != 0)
		die("cannot rotate");
	if (how == DEFAULT && heap.mallctl("prof.generation", NULL, NULL,
	    &any, sizeof any) != 0)
		die("cannot advance the generation");
}

static void
purge_vacated(void)
{
	char name[40];

	snprintf(name, sizeof name, "arena.%u.purge",
	    ring[(reload + nring - 1) % nring]);
	if (how >= ARENAS)
		heap.mallctl(name, NULL, NULL, NULL, 0);
}

static void
run(void)
{
	static double took[NSTEPS][EVERY_MAX];
	unsigned since = 0;

	puts("reload,live_bytes,rss_bytes,allocated_bytes,active_bytes,"
	    "build_ms,teardown_ms,requests_per_s");
	read_out(0, took, 0);
	for (reload = 1; reload <= nreloads; reload++) {
		rotate();
		for (enum step which = 0; which < NSTEPS; which++) {
			double start = now_ms();

			pthread_barrier_wait(&barrier);
			pthread_barrier_wait(&barrier);
			if (which == TEARDOWN)
				purge_vacated();
			took[which][since] = now_ms() - start;
		}
		if (++since == every || reload == nreloads) {
			read_out(reload, took, since);
			since = 0;
		}
	}
}

/* --- the program ---------------------------------------------------------- */

static void
find_heap(void)
{
	*(void **)&heap.mallctl = dlsym(RTLD_DEFAULT, "mallctl");
	*(void **)&heap.mallocx = dlsym(RTLD_DEFAULT, "mallocx");
	*(void **)&heap.dallocx = dlsym(RTLD_DEFAULT, "dallocx");
	*(void **)&heap.create = dlsym(RTLD_DEFAULT, "strata_pool_create");
	*(void **)&heap.rotate = dlsym(RTLD_DEFAULT, "strata_pool_rotate");
	*(void **)&heap.enter = dlsym(RTLD_DEFAULT, "strata_pool_enter");
	*(void **)&heap.leave = dlsym(RTLD_DEFAULT, "strata_pool_leave");
}

static enum how
how_named(const char *name)
{
	static const char *const names[] = { "none", "pool", "default",
		"arenas", "cached" };

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	die("-r none, pool, default, arenas or cached");
	return NONE;
}

static unsigned
number(unsigned least, unsigned most)
{
	unsigned long value = strtoul(optarg, NULL, 10);

	if (value < least || value > most)
		die("a number is out of range");
	return (unsigned)value;
}

static void
options(int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "r:a:t:n:m:k:w:q:s:x")) != -1)
		switch (option) {
		case 'r': how = how_named(optarg); break;
		case 'a': nring = number(2, RING_MAX); break;
		case 't': nthreads = number(1, THREADS_MAX); break;
		case 'n': nreloads = number(1, 1000000); break;
		case 'm': mib = number(1, 1024); break;
		case 'k': every = number(1, EVERY_MAX); break;
		case 'w': rest_ms = number(0, 100000); break;
		case 'q': nrequests = number(0, 1000000); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'x': spread = true; break;
		default: exit(2);
		}
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	find_heap();
	rotation_start();
	pthread_barrier_init(&barrier, NULL, nthreads + 1);
	for (unsigned i = 0; i < nthreads; i++) {
		workers[i].index = i;
		workers[i].random = seed * 1000 + i;
		if (pthread_create(&workers[i].thread, NULL, work,
		    &workers[i]) != 0)
			die("cannot start a thread");
	}
	run();
	return 0;
}
