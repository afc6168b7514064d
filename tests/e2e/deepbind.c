/*
 * deepbind.c - exchanges blocks with a plugin opened with RTLD_DEEPBIND.
 *
 *     deepbind PLUGIN taken|given|none
 *
 * taken: the plugin allocates by each function, the program resizes and frees.
 * given: the program allocates, the plugin resizes and frees.
 * none: each frees its own, to see that the plugin works at all.
 *
 * Proof: under jemalloc both exchanges crash.
 */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "deepbind.h"
#include "e2e.h"

enum { SIZES = 7, ROUNDS = 50 };

static const size_t sizes[SIZES] = { 24, 100, 1000, 5000, 40000, 300000,
    3000000 };

static void *
allocate_here(int kind, size_t size)
{
	void *p = NULL;

	switch (kind) {
	case DEEPBIND_CALLOC:
		return calloc(1, size);
	case DEEPBIND_ALIGNED:
		return posix_memalign(&p, 64, size) == 0 ? p : NULL;
	case DEEPBIND_STRDUP:
		return strdup("a string of the program");
	default:
		return malloc(size);
	}
}

static void
exchange(const struct deepbind_plugin *plugin, int kind, size_t size,
    const char *mode)
{
	bool theirs = strcmp(mode, "taken") == 0 || kind == DEEPBIND_REALLOC;
	void *block = theirs ? plugin->allocate(kind, size) :
	    allocate_here(kind, size);
	unsigned char first;

	if (block == NULL)
		die("kind %d, %zu bytes: no memory", kind, size);
	first = *(unsigned char *)block;
	if (strcmp(mode, "taken") == 0) {
		if ((block = realloc(block, size + 5000)) == NULL)
			die("realloc failed");
		if (*(unsigned char *)block != first)
			die("kind %d: realloc lost the contents", kind);
		free(block);
	} else if (strcmp(mode, "given") == 0) {
		if ((block = plugin->resize(block, size + 5000)) == NULL)
			die("the plugin's realloc failed");
		if (*(unsigned char *)block != first)
			die("kind %d: realloc lost the contents", kind);
		plugin->release(block);
	} else if (theirs)
		plugin->release(block);
	else
		free(block);
}

int
main(int argc, char **argv)
{
	const struct deepbind_plugin *plugin;
	void *handle;

	if (argc != 3)
		die("usage: deepbind PLUGIN taken|given|none");
	handle = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
	if (handle == NULL)
		die("dlopen: %s", dlerror());
	if ((plugin = dlsym(handle, "deepbind_plugin")) == NULL)
		die("dlsym: %s", dlerror());
	for (int round = 0; round < ROUNDS; round++)
		for (int kind = 0; kind < DEEPBIND_KINDS; kind++)
			exchange(plugin, kind, sizes[round % SIZES], argv[2]);
	printf("exchanged\n");
	return 0;
}
