/*
 * misuse.c - misuses the heap once, in the way its argument names, and says
 * where; then ends with 0 if nobody stopped it.
 */
#include <pthread.h>

#include "e2e.h"

#pragma weak free_sized
#pragma weak free_aligned_sized
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);

static void *volatile sink;

/* Volatile, so that the compiler does not see through it. */
static void
give_back(void *volatile ptr)
{
	sink = ptr;
	free(ptr);
}

static void
tell(const void *ptr)
{
	printf("%p\n", ptr);
	fflush(stdout);
}

static void
double_small(size_t between)
{
	void *volatile block = malloc(100);

	tell(block);
	give_back(block);
	for (size_t i = 0; i < between; i++)
		USE(malloc(100));
	give_back(block);
}

/* The block has left the cache for its slab, which others keep. */
static void
double_flushed(void)
{
	void *volatile keep = malloc(100), *volatile block = malloc(100);

	tell(block);
	give_back(block);
	if (mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) != 0)
		die("no flush");
	give_back(block);
	give_back(keep);
}

static void
double_large(void)
{
	void *volatile block = malloc(3 << 20);

	tell(block);
	give_back(block);
	give_back(block);
}

static void *
free_it(void *ptr)
{
	give_back(ptr);
	return NULL;
}

/* The other thread has ended, and given its cache back. */
static void
double_after_a_thread(void)
{
	void *volatile keep = malloc(100), *volatile block = malloc(100);
	pthread_t thread;

	tell(block);
	if (pthread_create(&thread, NULL, free_it, block) != 0)
		die("pthread_create");
	pthread_join(thread, NULL);
	give_back(block);
	give_back(keep);
}

/* A large block that a cache keeps is still there, and nobody's. */
static void
double_cached_large(void)
{
	void *volatile block = malloc(40000);

	tell(block);
	give_back(block);
	give_back(block);
}

static void
after_reset(size_t size)
{
	unsigned arena;
	size_t len = sizeof arena;
	void *volatile block;
	char name[64];

	if (mallctl("arenas.create", &arena, &len, NULL, 0) != 0)
		die("no arena");
	block = mallocx(size, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
	tell(block);
	snprintf(name, sizeof name, "arena.%u.reset", arena);
	if (mallctl(name, NULL, NULL, NULL, 0) != 0)
		die("no reset");
	give_back(block);
}

static void
realloc_freed_large(void)
{
	void *volatile block = malloc(3 << 20);

	tell(block);
	give_back(block);
	sink = realloc(block, 5000);
}

static void
interior(size_t size)
{
	char *volatile block = malloc(size);

	tell(block + 16);
	give_back(block + 16);
}

static void
wrong_size(void)
{
	void *volatile block = malloc(100);

	tell(block);
	free_sized(block, 300);
}

static void
wrong_aligned_size(void)
{
	void *volatile block = aligned_alloc(256, 1000);

	tell(block);
	free_aligned_sized(block, 256, 3000);
}

static void
right_sizes(void)
{
	for (size_t size = 0; size < 5000; size += 7) {
		free_sized(malloc(size), size);
		free_aligned_sized(aligned_alloc(128, size), 128, size);
	}
	puts("right");
}

static void
on_the_stack(void)
{
	long words[8] = { 0 };

	tell(&words[4]);
	give_back(&words[4]);
}

static void
in_no_memory(void)
{
	tell((void *)0x123456789000);
	give_back((void *)0x123456789000);
}

static void
realloc_freed(void)
{
	void *volatile block = malloc(100);

	tell(block);
	give_back(block);
	sink = realloc(block, 5000);
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	if (strcmp(how, "double") == 0)
		double_small(0);
	else if (strcmp(how, "double_flushed") == 0)
		double_flushed();
	else if (strcmp(how, "double_large") == 0)
		double_large();
	else if (strcmp(how, "double_thread") == 0)
		double_after_a_thread();
	else if (strcmp(how, "double_cached_large") == 0)
		double_cached_large();
	else if (strcmp(how, "after_reset") == 0)
		after_reset(100);
	else if (strcmp(how, "after_reset_large") == 0)
		after_reset(100000);
	else if (strcmp(how, "realloc_large") == 0)
		realloc_freed_large();
	else if (strcmp(how, "interior") == 0)
		interior(100);
	else if (strcmp(how, "interior_large") == 0)
		interior(1 << 20);
	else if (strcmp(how, "size") == 0)
		wrong_size();
	else if (strcmp(how, "aligned_size") == 0)
		wrong_aligned_size();
	else if (strcmp(how, "right_sizes") == 0)
		right_sizes();
	else if (strcmp(how, "stack") == 0)
		on_the_stack();
	else if (strcmp(how, "nowhere") == 0)
		in_no_memory();
	else if (strcmp(how, "realloc") == 0)
		realloc_freed();
	else
		die("usage: misuse HOW");
	return 0;
}
