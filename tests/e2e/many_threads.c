/*
 * many_threads.c - threads that come and go by the thousand: what each leaves
 * behind in the allocator must be used by the next.
 *
 *     many_threads THREADS [sampled]
 *
 * Eight live at a time. Each allocates, keeps blocks in a key whose destructor
 * frees them and allocates again, and hands one block to a later thread. After
 * a fifth of them the resident size may grow by 1 KiB a thread (4 KiB when
 * every allocation is sampled) and no more. Proof: a cache of 4 KiB or more
 * that is not given back with its thread makes it fail.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "e2e.h"

enum { ALIVE = 8, BLOCKS = 100 };

struct notes {
	int rounds;
	void *blocks[BLOCKS];
};

static pthread_key_t key;
static _Atomic(void *) handed;

/* Runs after the thread's function, again and again while it sets the key. */
static void
end_notes(void *arg)
{
	struct notes *notes = arg;

	for (int i = 0; i < BLOCKS; i++) {
		free(notes->blocks[i]);
		notes->blocks[i] = NULL;
	}
	if (notes->rounds-- > 0) {
		notes->blocks[0] = malloc(300);
		notes->blocks[1] = calloc(3, 30000);
		pthread_setspecific(key, notes);
		return;
	}
	free(notes);
}

static void *
live(void *arg)
{
	struct notes *notes = calloc(1, sizeof *notes);
	size_t number = (size_t)(uintptr_t)arg;

	if (notes == NULL)
		die("out of memory");
	notes->rounds = (int)(number % 3);
	for (size_t i = 0; i < BLOCKS; i++) {
		size_t size = 16 + (number * 7 + i * 31) % 2000;

		if ((notes->blocks[i] = malloc(size)) == NULL)
			die("out of memory");
		memset(notes->blocks[i], 1, size);
	}
	free(atomic_exchange(&handed, malloc(500)));
	pthread_setspecific(key, notes);
	return NULL;
}

static long
resident(void)
{
	long size, rss;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%ld %ld", &size, &rss) != 2)
		die("/proc/self/statm");
	fclose(f);
	return rss * sysconf(_SC_PAGESIZE);
}

int
main(int argc, char **argv)
{
	int nthreads = argc > 1 ? atoi(argv[1]) : 5000;
	long allowed = argc > 2 ? 4096 : 1024, before = 0, growth;
	pthread_t threads[ALIVE];

	if (pthread_key_create(&key, end_notes) != 0)
		die("pthread_key_create");
	for (int i = 0; i < nthreads; i++) {
		if (i >= ALIVE)
			pthread_join(threads[i % ALIVE], NULL);
		if (pthread_create(&threads[i % ALIVE], NULL, live,
		    (void *)(uintptr_t)i) != 0)
			die("pthread_create %d", i);
		if (i == nthreads / 5)
			before = resident();
	}
	for (int i = 0; i < ALIVE; i++)
		pthread_join(threads[i], NULL);
	growth = resident() - before;
	printf("%ld KiB after a fifth, %+ld KiB since\n", before / 1024,
	    growth / 1024);
	if (growth > allowed * nthreads * 4 / 5 + (2 << 20))
		die("grew by %ld bytes a thread",
		    growth / (nthreads * 4 / 5));
	printf("ok\n");
	return 0;
}
