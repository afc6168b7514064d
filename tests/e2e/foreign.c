/*
 * foreign.c - blocks of libc's own malloc, as a module has them that was
 * opened with RTLD_DEEPBIND, are freed and resized through ours.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>

#include "e2e.h"

static void *(*libc_malloc)(size_t);
static void *(*libc_memalign)(size_t, size_t);

static uint64_t
counter(const char *name)
{
	uint64_t epoch = 1, value = 0;
	size_t size = sizeof value;

	if (mallctl("epoch", NULL, NULL, &epoch, sizeof epoch) != 0 ||
	    mallctl(name, &value, &size, NULL, 0) != 0)
		die("no %s", name);
	return value;
}

static void
check_resize(size_t size)
{
	unsigned char *block = libc_malloc(size);

	for (size_t i = 0; i < size; i++)
		block[i] = (unsigned char)(i * 7);
	block = realloc(block, size * 2 + 100);
	if (block == NULL)
		die("realloc of a foreign block of %zu failed", size);
	for (size_t i = 0; i < size; i++)
		if (block[i] != (unsigned char)(i * 7))
			die("byte %zu of %zu was lost", i, size);
	if (malloc_usable_size(block) < size * 2 + 100)
		die("the resized block is not ours");
	free(block);
}

/* Small, large, mapped by itself, aligned. */
static void
check_sizes(void)
{
	static const size_t sizes[] = { 0, 1, 24, 100, 1000, 5000, 100000,
	    1000000, 50000000 };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		void *block = libc_malloc(sizes[i]);

		if (malloc_usable_size(block) != 0)
			die("a foreign block of %zu has a size", sizes[i]);
		errno = 1234;
		free(block);
		if (errno != 1234)
			die("free changed errno");
		check_resize(sizes[i]);
		for (size_t align = 32; align <= 1 << 16; align *= 2)
			free(libc_memalign(align, sizes[i]));
	}
}

/* In a second thread libc allocates from another of its arenas. */
static void *
check_thread(void *arg)
{
	check_sizes();
	return NULL;
}

/* What looks a little like a chunk is not handed over. */
static void
check_fakes(void)
{
	static _Alignas(64) size_t volatile words[64];
	uint64_t leaked = counter("stats.foreign_leaked");
	void *volatile block = (void *)&words[16];
	int n = 0;

	for (size_t head = 0; head < 4096; head += 1) {
		words[15] = head;	/* the size word before the block */
		free(block);
		n++;
	}
	block = (char *)words + 1;
	free(block);
	if (counter("stats.foreign_leaked") != leaked + (uint64_t)n + 1)
		die("a fake was taken for a chunk");
}

int
main(void)
{
	void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
	uint64_t handed;
	pthread_t thread;

	libc_malloc = (void *(*)(size_t))dlsym(libc, "malloc");
	libc_memalign = (void *(*)(size_t, size_t))dlsym(libc, "memalign");
	if (libc_malloc == NULL || libc_malloc == malloc)
		die("libc's malloc was not found");
	handed = counter("stats.foreign_handed");
	check_sizes();
	if (pthread_create(&thread, NULL, check_thread, NULL) != 0)
		die("no thread");
	pthread_join(thread, NULL);
	if (counter("stats.foreign_leaked") != 0)
		die("%llu blocks of libc's were left alone",
		    (unsigned long long)counter("stats.foreign_leaked"));
	if (counter("stats.foreign_handed") != handed + 2 * 9 * 14)
		die("%llu were handed over", (unsigned long long)
		    (counter("stats.foreign_handed") - handed));
	check_fakes();
	puts("ok");
	return 0;
}
