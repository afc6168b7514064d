/*
 * busy.c - threads that allocate, resize, hand over and free without pause,
 * checking what their blocks hold, until SIGTERM. Then prints "steps N" and
 * exits with 0.
 *
 *     busy THREADS
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "e2e.h"

enum { SLOTS = 2000, SHARED = 256 };

struct block {
	size_t size;
	unsigned char first;	/* the last byte of the block is the same */
};

static atomic_bool stop;
static atomic_ulong steps;
static _Atomic(struct block *) shared[SHARED];

static void
mark(struct block *block, size_t size)
{
	block->size = size;
	block->first = (unsigned char)size;
	((unsigned char *)block)[size - 1] = (unsigned char)size;
}

static void
check_and_free(struct block *block)
{
	if (block == NULL)
		return;
	if (block->first != (unsigned char)block->size ||
	    ((unsigned char *)block)[block->size - 1] != block->first)
		die("a block of %zu bytes was overwritten", block->size);
	free(block);
}

NOINLINE static struct block *
busy_allocate(size_t size)
{
	struct block *block = malloc(size);

	if (block == NULL)
		die("malloc(%zu) failed", size);
	mark(block, size);
	return block;
}

static size_t
random_size(uint64_t *random)
{
	uint64_t r = next_random(random);

	return 32 + (r % 50 == 0 ? (r >> 8) % 300000 : (r >> 8) % 2000);
}

static void *
work(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg;
	struct block **slots = calloc(SLOTS, sizeof *slots);
	unsigned long done = 0;

	if (slots == NULL)
		die("calloc failed");
	for (; !atomic_load_explicit(&stop, memory_order_relaxed); done++) {
		size_t slot = next_random(&random) % SLOTS;
		size_t size = random_size(&random);

		if (slots[slot] != NULL && size % 4 == 0) {
			slots[slot] = realloc(slots[slot], size);
			if (slots[slot] == NULL)
				die("realloc failed");
			mark(slots[slot], size);
			continue;
		}
		check_and_free(slots[slot]);
		slots[slot] = busy_allocate(size);
		if (size % 8 == 1)
			slots[slot] = atomic_exchange(
			    &shared[size % SHARED], slots[slot]);
	}
	for (int i = 0; i < SLOTS; i++)
		check_and_free(slots[i]);
	free(slots);
	atomic_fetch_add(&steps, done);
	return NULL;
}

int
main(int argc, char **argv)
{
	int nthreads = argc > 1 ? atoi(argv[1]) : 2, number;
	pthread_t threads[64];
	sigset_t set;

	if (nthreads < 1 || nthreads > 64)
		die("usage: busy THREADS");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	for (intptr_t i = 0; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, work,
		    (void *)(i + 1)) != 0)
			die("pthread_create");
	printf("ready\n");
	fflush(stdout);
	sigwait(&set, &number);
	atomic_store(&stop, true);
	for (int i = 0; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < SHARED; i++)
		check_and_free(shared[i]);
	printf("steps %lu\n", atomic_load(&steps));
	return 0;
}
