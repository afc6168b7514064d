/*
 * contend.c - workloads that each have one thing wrong with the allocator's
 * settings, for tune.sh and bench/tune.sh.
 *
 *     contend MODE [THREADS [ROUNDS]]
 *
 * A mode does the same work however it is tuned, so that counters of two runs
 * compare. While its threads still live a line goes to stdout,
 *
 *     faults N, rss N KiB, cpu N ms, wall N ms
 *
 * and the statistics as JSON to the file that CONTEND_STATS names. With
 * CONTEND_STAY it then idles until it is killed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <strata/strata.h>

enum { THREADS_MAX = 256, BATCH_MAX = 8192 };

struct worker {
	pthread_t thread;
	unsigned index;
};

struct mode {
	const char *name;
	unsigned threads, rounds;	/* unless told otherwise */
	void (*work)(struct worker *self);
};

static struct worker *workers;
static unsigned nthreads, rounds;
static pthread_barrier_t begin, end, leave;

/* A size's batch: all allocated, all freed, in the same order. */
static void
batch(size_t size, unsigned n)
{
	void *blocks[BATCH_MAX];

	for (unsigned i = 0; i < n; i++) {
		blocks[i] = malloc(size);
		*(volatile char *)blocks[i] = 1;
	}
	for (unsigned i = 0; i < n; i++)
		free(blocks[i]);
}

/*
 * Small blocks in batches that no cache holds: the bins serve them. A block
 * in sixteen stays, so that slabs do as well and nothing else is waited for.
 */
static void
keep_some(size_t size)
{
	enum { BLOCKS = 5000 };
	char *blocks[BATCH_MAX];

	for (unsigned i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(size);
		*(volatile char *)blocks[i] = 1;
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		if (i % 16 != 0)
			free(blocks[i]);
}

enum { BATCH = 4500 };			/* twice what a cache holds */

/* At one size. */
static void
work_bin(struct worker *self)
{
	keep_some(64);
	for (unsigned i = 0; i < rounds; i++)
		batch(64, BATCH);
}

/* At many sizes. */
static void
work_bins(struct worker *self)
{
	static const size_t sizes[] = { 32, 48, 64, 80, 96, 112, 128, 160 };
	enum { NSIZES = sizeof sizes / sizeof *sizes };

	for (unsigned i = 0; i < NSIZES; i++)
		keep_some(sizes[i]);
	for (unsigned i = 0; i < rounds; i++)
		batch(sizes[(i + self->index) % NSIZES], BATCH);
}

/* Few regions a slab. */
static void
work_middle(struct worker *self)
{
	static const size_t sizes[] = { 512, 1024, 2048, 4096 };

	for (unsigned i = 0; i < rounds; i++)
		batch(sizes[(i + self->index) % 4], 1000);
}

/* Larger than what is cached, a few at a time. */
static void
work_large(struct worker *self)
{
	void *blocks[4];

	for (unsigned i = 0; i < rounds; i++) {
		for (unsigned j = 0; j < 4; j++) {
			blocks[j] = malloc((size_t)(320 + 64 * j) << 10);
			*(volatile char *)blocks[j] = 1;
		}
		for (unsigned j = 0; j < 4; j++)
			free(blocks[j]);
	}
}

/* The compiler must not know that what is written is freed unread. */
static void
touch(char *block, size_t size)
{
	for (size_t at = 0; at < size; at += 4096)
		((volatile char *)block)[at] = 1;
}

/* Megabytes that are used and freed, again and again. */
static void
use_again(size_t size)
{
	for (unsigned i = 0; i < rounds; i++) {
		char *block = malloc(size);

		touch(block, size);
		free(block);
		batch(64, 500);		/* time passes, ticks come */
	}
}

static void
work_purge(struct worker *self)
{
	use_again(6 << 20);
}

/* Above jemalloc's oversize_threshold. */
static void
work_huge(struct worker *self)
{
	use_again(9 << 20);
}

/* A peak that is over. */
static void
work_peak(struct worker *self)
{
	enum { BLOCKS = 192 };
	char *blocks[BLOCKS];

	for (unsigned i = 0; i < BLOCKS; i++) {
		blocks[i] = malloc(1 << 20);
		touch(blocks[i], 1 << 20);
	}
	for (unsigned i = 0; i < BLOCKS; i++)
		free(blocks[i]);
}

static int (*control)(const char *, void *, size_t *, void *, size_t);

static void *(*allocate)(size_t, int);	/* mallocx */
static bool own_arena;			/* CONTEND_OWN is set */

static unsigned
new_arena(void)
{
	unsigned arena;
	size_t size = sizeof arena;

	if (control == NULL ||
	    control("arenas.create", &arena, &size, NULL, 0) != 0)
		abort();
	return arena;
}

static void
bind_thread(unsigned arena)
{
	unsigned old;
	size_t size = sizeof old;

	if (control == NULL ||
	    control("thread.arena", &old, &size, &arena, sizeof arena) != 0)
		abort();
}

/* One block in sixteen stays; CONTEND_OWN: those have their own arena. */
static void
work_sparse(struct worker *self)
{
	size_t n = (size_t)rounds * 1000;
	char **blocks = malloc(n * sizeof *blocks);
	unsigned own = own_arena ? new_arena() : 0;

	for (size_t i = 0; i < n; i++) {
		blocks[i] = own_arena && i % 16 == 0 ? allocate(256,
		    MALLOCX_ARENA(own) | MALLOCX_TCACHE_NONE) : malloc(256);
		*blocks[i] = 1;
	}
	for (size_t i = 0; i < n; i++)
		if (i % 16 != 0)
			free(blocks[i]);
}

/* Each thread frees two of every large size, and then has nothing to do. */
static void
work_caches(struct worker *self)
{
	for (size_t size = 16 << 10; size <= 256 << 10; size += 4 << 10) {
		char *a = malloc(size), *b = malloc(size);

		touch(a, size);
		touch(b, size);
		free(a);
		free(b);
	}
}

/* Nothing wrong: a cache's worth. */
static void
work_fine(struct worker *self)
{
	for (unsigned i = 0; i < rounds; i++)
		batch(16 + (i * 16 + self->index) % 1000, 50);
}

/* Four threads do most of the work, in arena 0 or (CONTEND_OWN) their own. */
static void
work_hot(struct worker *self)
{
	bool hot = self->index < 4;

	if (hot)
		bind_thread(own_arena ? new_arena() : 0);
	keep_some(64);
	for (unsigned i = 0; i < rounds; i += hot ? 1 : 200)
		batch(64, BATCH);
}

static const struct mode modes[] = {
	{ "bin", 16, 800, work_bin },
	{ "bins", 16, 800, work_bins },
	{ "middle", 16, 100, work_middle },
	{ "large", 16, 5000, work_large },
	{ "purge", 1, 100, work_purge },
	{ "huge", 1, 100, work_huge },
	{ "peak", 1, 1, work_peak },
	{ "sparse", 1, 400, work_sparse },
	{ "caches", 64, 1, work_caches },
	{ "fine", 4, 100000, work_fine },
	{ "hot", 16, 3000, work_hot },
};

static const struct mode *mode;

static void *
worker_main(void *arg)
{
	pthread_barrier_wait(&begin);
	mode->work(arg);
	pthread_barrier_wait(&end);
	pthread_barrier_wait(&leave);
	return NULL;
}

static void
write_to(void *arg, const char *text)
{
	fputs(text, arg);
}

static void
dump_stats(void)
{
	const char *path = getenv("CONTEND_STATS");
	void (*print)(void (*)(void *, const char *), void *, const char *) =
	    (void (*)(void (*)(void *, const char *), void *, const char *))
	    dlsym(RTLD_DEFAULT, "malloc_stats_print");
	FILE *file;

	if (path == NULL || print == NULL)
		return;
	file = fopen(path, "w");
	if (file == NULL)
		abort();
	print(write_to, file, "J");
	fclose(file);
}

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
cpu_ms(const struct rusage *usage)
{
	return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) *
	    1e3 + (double)(usage->ru_utime.tv_usec +
	    usage->ru_stime.tv_usec) / 1e3;
}

static void
run(void)
{
	struct rusage before, after;
	double start;

	for (unsigned i = 0; i < nthreads; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, worker_main,
		    &workers[i]) != 0)
			abort();
	}
	getrusage(RUSAGE_SELF, &before);
	start = now_ms();
	pthread_barrier_wait(&begin);
	pthread_barrier_wait(&end);
	start = now_ms() - start;
	getrusage(RUSAGE_SELF, &after);
	printf("faults %ld, rss %ld KiB, cpu %.0f ms, wall %.0f ms\n",
	    after.ru_minflt - before.ru_minflt, after.ru_maxrss,
	    cpu_ms(&after) - cpu_ms(&before), start);
	fflush(stdout);
	dump_stats();
	while (getenv("CONTEND_STAY") != NULL)
		pause();
}

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		if (argc > 1 && strcmp(modes[i].name, argv[1]) == 0)
			mode = &modes[i];
	if (mode == NULL)
		return 2;
	nthreads = argc > 2 ? (unsigned)atoi(argv[2]) : mode->threads;
	own_arena = getenv("CONTEND_OWN") != NULL;
	allocate = (void *(*)(size_t, int))dlsym(RTLD_DEFAULT, "mallocx");
	control = (int (*)(const char *, void *, size_t *, void *, size_t))
	    dlsym(RTLD_DEFAULT, "mallctl");
	rounds = argc > 3 ? (unsigned)atoi(argv[3]) : mode->rounds;
	if (nthreads == 0 || nthreads > THREADS_MAX)
		return 2;
	workers = calloc(nthreads, sizeof *workers);
	pthread_barrier_init(&begin, NULL, nthreads + 1);
	pthread_barrier_init(&end, NULL, nthreads + 1);
	pthread_barrier_init(&leave, NULL, nthreads + 1);
	run();
	pthread_barrier_wait(&leave);
	for (unsigned i = 0; i < nthreads; i++)
		pthread_join(workers[i].thread, NULL);
	return 0;
}
