/*
 * pool_survivors.c - a server that builds a hundred configurations in a pool
 * and knows what outlives them.
 *
 *   pool_survivors BYTES kept|elsewhere|freed
 *
 * Each generation is built inside the pool by two threads, BYTES in all, of
 * 16 B to 4 KiB and a few large blocks; the configuration before is freed,
 * then the pool is rotated. 2 % of the bytes, from three sites, live for
 * eight generations; 1 % are planted: stray_new's never die. Or they come from
 * elsewhere_new, or are freed with their configuration. A table is built at
 * the start and a cache replaces its oldest entries, outside of the pool.
 *
 * Dumps to s1.pb half-way and to s2.pb at the end, and prints its own count as
 * JSON: the generation it is in, and of each one that has been over for a whole
 * one the planted bytes that are alive.
 */
#include <inttypes.h>
#include <pthread.h>

#include "e2e.h"

#pragma weak strata_pool_create
#pragma weak strata_pool_rotate
#pragma weak strata_pool_enter
#pragma weak strata_pool_leave
#pragma weak strata_generation

enum {
	ROTATIONS = 100,
	SESSION_LIFE = 8,		/* generations */
	CACHE = 500,
	TABLE = 2000,
	BUILDERS = 2,
};

struct block {
	struct block *next;
	size_t size;
};

typedef void *(allocate_fn)(size_t);

/* What one thread builds of a generation. */
struct job {
	unsigned pool;
	uint64_t seed;
	size_t bytes;
	allocate_fn *plant;
	struct block *config, *sessions, *planted;
};

static struct job jobs[ROTATIONS + 1][BUILDERS];
static uint64_t numbers[ROTATIONS + 1];
static void *cache[CACHE], *table[TABLE];

/* One function for each site: that is what they are told apart by. */
static NOINLINE void *
config_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 1, size);
}

static NOINLINE void *
stray_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 2, size);
}

static NOINLINE void *
elsewhere_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 3, size);
}

static NOINLINE void *
session_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 4, size);
}

static NOINLINE void *
token_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 5, size);
}

static NOINLINE void *
route_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 6, size);
}

static NOINLINE void *
cache_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 7, size);
}

static NOINLINE void *
table_new(size_t size)
{
	void *block = malloc(size);

	return block == NULL ? NULL : memset(block, 8, size);
}

/* 16 B to 4 KiB, each size class alike; one in 512 is large. */
static size_t
size_of(uint64_t *seed)
{
	uint64_t random = next_random(seed);
	size_t size = (size_t)16 << random % 8;

	return (random >> 8 & 511) == 0 ? 65536 : size + (random >> 32) % size;
}

static void
build(struct block **list, allocate_fn *allocate, size_t bytes,
    uint64_t *seed)
{
	while (bytes >= sizeof(struct block)) {
		size_t size = size_of(seed);
		struct block *block;

		if (size > bytes)
			size = sizeof *block;
		block = allocate(size);
		if (block == NULL)
			die("no memory");
		block->next = *list;
		block->size = size;
		*list = block;
		bytes -= size;
	}
}

static void
drop(struct block **list)
{
	while (*list != NULL) {
		struct block *block = *list;

		*list = block->next;
		free(block);
	}
}

static void *
builder(void *arg)
{
	struct job *job = arg;
	int error = strata_pool_enter(job->pool);

	if (error != 0)
		die("enter: %s", strerror(error));
	build(&job->config, config_new, job->bytes, &job->seed);
	build(&job->sessions, session_new, job->bytes / 150, &job->seed);
	build(&job->sessions, token_new, job->bytes / 150, &job->seed);
	build(&job->sessions, route_new, job->bytes / 150, &job->seed);
	build(&job->planted, job->plant, job->bytes / 100, &job->seed);
	error = strata_pool_leave(job->pool);
	if (error != 0)
		die("leave: %s", strerror(error));
	return NULL;
}

static void
traffic(unsigned g)
{
	for (unsigned i = 0; i < 100; i++) {
		void **entry = &cache[(g * 100 + i) % CACHE];

		free(*entry);
		*entry = cache_new(512);
	}
}

static void
generation(unsigned g, unsigned pool, size_t bytes, allocate_fn *plant)
{
	pthread_t threads[BUILDERS];

	for (unsigned i = 0; i < BUILDERS; i++) {
		jobs[g][i] = (struct job){ .pool = pool,
		    .seed = g * BUILDERS + i, .bytes = bytes / BUILDERS,
		    .plant = plant };
		if (pthread_create(&threads[i], NULL, builder,
		    &jobs[g][i]) != 0)
			die("no thread");
	}
	for (unsigned i = 0; i < BUILDERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < BUILDERS && g >= 1; i++)
		drop(&jobs[g - 1][i].config);
	for (unsigned i = 0; i < BUILDERS && g >= SESSION_LIFE; i++)
		drop(&jobs[g - SESSION_LIFE][i].sessions);
	traffic(g);
}

static size_t
usable(const struct block *list)
{
	size_t bytes = 0;

	for (; list != NULL; list = list->next)
		bytes += malloc_usable_size((void *)list);
	return bytes;
}

static void
print_count(void)
{
	size_t all = 0;

	printf("{\"generation\": %" PRIu64 ", \"planted\": {",
	    numbers[ROTATIONS]);
	for (unsigned g = 0; g <= ROTATIONS - 2; g++) {
		size_t bytes = usable(jobs[g][0].planted) +
		    usable(jobs[g][1].planted);

		printf("%s\"%" PRIu64 "\": %zu", g > 0 ? ", " : "",
		    numbers[g], bytes);
		all += bytes;
	}
	printf("}, \"bytes\": %zu}\n", all);
}

int
main(int argc, char **argv)
{
	size_t bytes = argc > 1 ? strtoull(argv[1], NULL, 10) : 1 << 20;
	const char *mode = argc > 2 ? argv[2] : "kept";
	allocate_fn *plant = strcmp(mode, "elsewhere") == 0 ? elsewhere_new :
	    stray_new;
	unsigned pool;

	if (strata_pool_create == NULL || strata_pool_create(0, &pool) != 0)
		die("no pool");
	for (unsigned i = 0; i < TABLE; i++)
		table[i] = table_new(2048);
	numbers[0] = strata_generation();
	for (unsigned g = 0; g <= ROTATIONS; g++) {
		generation(g, pool, bytes, plant);
		for (unsigned i = 0; i < BUILDERS && g >= 1 &&
		    strcmp(mode, "freed") == 0; i++)
			drop(&jobs[g - 1][i].planted);
		if (g == ROTATIONS / 2 && dump_profile("s1.pb") != 0)
			die("no dump");
		if (g < ROTATIONS &&
		    strata_pool_rotate(pool, &numbers[g + 1]) != 0)
			die("rotate");
	}
	if (dump_profile("s2.pb") != 0)
		die("no dump");
	print_count();
	return 0;
}
