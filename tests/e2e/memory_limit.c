/*
 * memory_limit.c - allocates until there is no more, under RLIMIT_AS: NULL and
 * ENOMEM, nothing overwritten, and after freeing as much as before.
 *
 *     memory_limit MIB THREADS
 *
 * MIB on top of what is mapped at start; 0: the limit is the caller's. The
 * threads exist before the limit does, since their stacks count.
 * Proof: jemalloc 5.3.0 finds no block of 5000 bytes in the end ("memory is
 * lost").
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "e2e.h"

struct block {
	struct block *next;
	size_t size;
};

static void
set_limit(size_t mib)
{
	struct rlimit limit;
	long pages;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f == NULL || fscanf(f, "%ld", &pages) != 1)
		die("/proc/self/statm");
	fclose(f);
	limit.rlim_cur = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) +
	    mib * 1048576;
	limit.rlim_max = RLIM_INFINITY;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		die("setrlimit: %s", strerror(errno));
}

/* Fills memory with blocks of a size; returns their number. */
static size_t
fill(struct block **list, size_t size)
{
	struct block *block;
	size_t n = 0;

	errno = 0;
	for (; (block = malloc(size)) != NULL; n++) {
		block->size = size;
		memset(block + 1, (int)(n & 0xff), size - sizeof *block);
		block->next = *list;
		*list = block;
	}
	if (errno != ENOMEM)
		die("malloc(%zu) failed with errno %d", size, errno);
	return n;
}

static void
check_and_free(struct block **list, size_t n)
{
	while (*list != NULL) {
		struct block *block = *list;
		unsigned char *bytes = (unsigned char *)(block + 1);

		n--;
		for (size_t i = 0; i < block->size - sizeof *block; i++)
			if (bytes[i] != (n & 0xff))
				die("block %zu of %zu bytes was overwritten",
				    n, block->size);
		*list = block->next;
		free(block);
	}
	if (n != 0)
		die("%zu blocks are lost", n);
}

/* Every way to ask for too much fails alike and leaves the old block. */
static void
fail_in_all_ways(void)
{
	char *p = malloc(100);
	void *q = p;
	const size_t much = (size_t)1 << 40;

	if (p == NULL)
		die("malloc(100) failed");
	strcpy(p, "unchanged");
	errno = 0;
	if (realloc(p, much) != NULL || errno != ENOMEM ||
	    strcmp(p, "unchanged") != 0)
		die("realloc of too much");
	errno = 0;
	if (calloc(much, 1) != NULL || errno != ENOMEM)
		die("calloc of too much");
	errno = 0;
	if (aligned_alloc(4096, much) != NULL || errno != ENOMEM)
		die("aligned_alloc of too much");
	if (posix_memalign(&q, 64, much) != ENOMEM || q != p)
		die("posix_memalign of too much");
	free(p);
}

static void *
fill_and_free(void *arg)
{
	pthread_barrier_t *start = arg;
	static const size_t sizes[] = { 64, 1000, 20000, 1 << 20, 64 };
	struct block *list = NULL;

	if (start != NULL)
		pthread_barrier_wait(start);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		size_t n = fill(&list, sizes[i]);

		if (start == NULL)
			printf("%zu blocks of %zu bytes\n", n, sizes[i]);
		check_and_free(&list, n);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	size_t mib = argc > 1 ? (size_t)atoi(argv[1]) : 128;
	int nthreads = argc > 2 ? atoi(argv[2]) : 1;
	pthread_t threads[8];
	struct block *list = NULL;
	pthread_barrier_t start;
	size_t first, again;

	pthread_barrier_init(&start, NULL, (unsigned)nthreads);
	for (int i = 1; i < nthreads; i++)
		if (pthread_create(&threads[i], NULL, fill_and_free,
		    &start) != 0)
			die("pthread_create");
	if (mib > 0)
		set_limit(mib);
	first = fill(&list, 5000);
	check_and_free(&list, first);
	fail_in_all_ways();
	fill_and_free(NULL);
	if (nthreads > 1)
		fill_and_free(&start);
	for (int i = 1; i < nthreads; i++)
		pthread_join(threads[i], NULL);
	again = fill(&list, 5000);
	check_and_free(&list, again);
	printf("at first %zu blocks of 5000 bytes, at last %zu\n", first, again);
	if (mib > 0 && nthreads == 1 && again < first * 8 / 10)
		die("memory is lost");
	printf("ok\n");
	return 0;
}
