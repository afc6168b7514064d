/*
 * workload.c - small programs that do nothing but allocate, by name:
 *
 *   pairs SIZE COUNT         malloc, free
 *   batch SIZE N COUNT       N mallocs, N frees in the same order
 *   fifo SIZE N COUNT        N live blocks; the oldest is freed
 *   mixed COUNT              16 B to 32 KiB at random, 1000 live blocks
 *   larson THREADS COUNT     threads replace blocks others have allocated
 *   prodcons SIZE COUNT      one thread allocates, another frees
 *   grow COUNT               realloc by half, from 64 B to 1 MiB
 *   step COUNT               realloc by 64 B, to 64 KiB
 *   big COUNT                blocks of 5 to 25 MiB, each page touched
 *
 * COUNT is the number of operations, so that times can be compared at two
 * counts to take out the start of the program.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIXED_LIVE = 1000, LARSON_LIVE = 1000, RING = 1024 };

static uint64_t
random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* The first byte is written, as any user of a block does. */
static char *
touched(char *block)
{
	if (block == NULL)
		abort();
	*(volatile char *)block = 1;
	return block;
}

static void
pairs(size_t size, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(touched(malloc(size)));
}

static void
batch(size_t size, size_t n, size_t count)
{
	char **blocks = calloc(n, sizeof *blocks);

	for (size_t done = 0; done < count; done += n) {
		for (size_t i = 0; i < n; i++)
			blocks[i] = touched(malloc(size));
		for (size_t i = 0; i < n; i++)
			free(blocks[i]);
	}
	free(blocks);
}

static void
fifo(size_t size, size_t n, size_t count)
{
	char **blocks = calloc(n, sizeof *blocks);

	for (size_t i = 0; i < count; i++) {
		free(blocks[i % n]);
		blocks[i % n] = touched(malloc(size));
	}
	for (size_t i = 0; i < n; i++)
		free(blocks[i]);
	free(blocks);
}

static void
mixed(size_t count)
{
	char *blocks[MIXED_LIVE] = { NULL };
	uint64_t random = 1;

	for (size_t i = 0; i < count; i++) {
		uint64_t r = random_next(&random);
		size_t size = (size_t)16 << (r >> 32) % 11;

		free(blocks[r % MIXED_LIVE]);
		blocks[r % MIXED_LIVE] = touched(malloc(size + r % size));
	}
	for (size_t i = 0; i < MIXED_LIVE; i++)
		free(blocks[i]);
}

struct larson {
	pthread_t thread;
	uint64_t random;
	size_t count;
	_Atomic(char *) *shared;
};

static void *
larson_run(void *argument)
{
	struct larson *self = argument;

	for (size_t i = 0; i < self->count; i++) {
		uint64_t r = random_next(&self->random);
		char *block = touched(malloc(16 + (r >> 40) % 500));

		free(atomic_exchange(&self->shared[r % LARSON_LIVE], block));
	}
	return NULL;
}

static void
larson(size_t nthreads, size_t count)
{
	static _Atomic(char *) shared[LARSON_LIVE];
	struct larson *threads = calloc(nthreads, sizeof *threads);

	for (size_t i = 0; i < nthreads; i++) {
		threads[i].random = 77 + i;
		threads[i].count = count / nthreads;
		threads[i].shared = shared;
		pthread_create(&threads[i].thread, NULL, larson_run,
		    &threads[i]);
	}
	for (size_t i = 0; i < nthreads; i++)
		pthread_join(threads[i].thread, NULL);
	for (size_t i = 0; i < LARSON_LIVE; i++)
		free(shared[i]);
	free(threads);
}

/* One writer, one reader; head and tail run on, the slot is modulo RING. */
static struct {
	_Atomic size_t head, tail;
	char *slots[RING];
	size_t count;
} ring;

static void *
consumer_run(void *argument)
{
	(void)argument;
	for (size_t i = 0; i < ring.count; i++) {
		while (atomic_load_explicit(&ring.head,
		    memory_order_acquire) == i)
			sched_yield();
		free(ring.slots[i % RING]);
		atomic_store_explicit(&ring.tail, i + 1,
		    memory_order_release);
	}
	return NULL;
}

static void
prodcons(size_t size, size_t count)
{
	pthread_t consumer;

	ring.count = count;
	pthread_create(&consumer, NULL, consumer_run, NULL);
	for (size_t i = 0; i < count; i++) {
		while (i - atomic_load_explicit(&ring.tail,
		    memory_order_acquire) == RING)
			sched_yield();
		ring.slots[i % RING] = touched(malloc(size));
		atomic_store_explicit(&ring.head, i + 1,
		    memory_order_release);
	}
	pthread_join(consumer, NULL);
}

static void
grow(size_t count)
{
	char *block = NULL;
	size_t size = 64;

	for (size_t i = 0; i < count; i++) {
		block = touched(realloc(block, size));
		size += size / 2;
		if (size > 1 << 20) {
			free(block);
			block = NULL;
			size = 64;
		}
	}
	free(block);
}

static void
step(size_t count)
{
	char *block = NULL;

	for (size_t i = 0; i < count; i++) {
		block = touched(realloc(block, (i % 1024 + 1) * 64));
		if (i % 1024 == 1023) {
			free(block);
			block = NULL;
		}
	}
	free(block);
}

static void
big(size_t count)
{
	uint64_t random = 5;

	for (size_t i = 0; i < count; i++) {
		size_t size = (5 + random_next(&random) % 21) << 20;
		char *block = touched(malloc(size));

		for (size_t at = 0; at < size; at += 4096)
			((volatile char *)block)[at] = 1;
		free(block);
	}
}

int
main(int argc, char **argv)
{
	size_t n[3] = { 0, 0, 0 };
	const char *name = argc > 1 ? argv[1] : "";

	for (int i = 2; i < argc && i < 5; i++)
		n[i - 2] = strtoull(argv[i], NULL, 10);
	if (argc == 4 && strcmp(name, "pairs") == 0)
		pairs(n[0], n[1]);
	else if (argc == 5 && n[1] > 0 && strcmp(name, "batch") == 0)
		batch(n[0], n[1], n[2]);
	else if (argc == 5 && n[1] > 0 && strcmp(name, "fifo") == 0)
		fifo(n[0], n[1], n[2]);
	else if (argc == 3 && strcmp(name, "mixed") == 0)
		mixed(n[0]);
	else if (argc == 4 && n[0] > 0 && strcmp(name, "larson") == 0)
		larson(n[0], n[1]);
	else if (argc == 4 && strcmp(name, "prodcons") == 0)
		prodcons(n[0], n[1]);
	else if (argc == 3 && strcmp(name, "grow") == 0)
		grow(n[0]);
	else if (argc == 3 && strcmp(name, "step") == 0)
		step(n[0]);
	else if (argc == 3 && strcmp(name, "big") == 0)
		big(n[0]);
	else {
		fprintf(stderr, "Usage: workload NAME NUMBERS...: "
		    "see the head of workload.c\n");
		return 2;
	}
	return 0;
}
