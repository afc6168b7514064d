/*
 * dump_truth.c - allocates known sizes at known sites, and says what is true.
 *
 *     dump_truth [wait | write-limit | setuid UID | dump FILE]
 *
 * Prints "SITE LIVE_OBJECTS LIVE_BYTES ALL_OBJECTS ALL_BYTES" for each site,
 * in usable bytes, then "ready". wait: rests. write-limit: sets RLIMIT_FSIZE
 * to 1 KiB. setuid: gives up root, says "dropped", rests. dump: calls
 * mallctl("prof.dump") and prints what it returns.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "e2e.h"

struct site {
	const char *name;
	void *(*allocate)(void);
	size_t count, freed;		/* of them */
};

NOINLINE static void *
site_small(void)
{
	void *p = malloc(100);

	USE(p);
	return p;
}

NOINLINE static void *
site_odd(void)
{
	void *p = malloc(5000);

	USE(p);
	return p;
}

NOINLINE static void *
site_large(void)
{
	void *p = calloc(3, 400000);

	USE(p);
	return p;
}

NOINLINE static void *
site_churn(void)
{
	void *p = malloc(33);

	USE(p);
	return p;
}

static const struct site sites[] = {
	{ "site_small", site_small, 3000, 1000 },
	{ "site_odd", site_odd, 500, 100 },
	{ "site_large", site_large, 20, 5 },
	{ "site_churn", site_churn, 4000, 4000 },
};

static void *blocks[4][4000];

static void
run(size_t i)
{
	const struct site *site = &sites[i];
	size_t bytes = 0, freed = 0;

	for (size_t n = 0; n < site->count; n++) {
		blocks[i][n] = site->allocate();
		bytes += malloc_usable_size(blocks[i][n]);
	}
	for (size_t n = 0; n < site->freed; n++) {
		freed += malloc_usable_size(blocks[i][n]);
		free(blocks[i][n]);
		blocks[i][n] = NULL;
	}
	printf("%s %zu %zu %zu %zu\n", site->name, site->count - site->freed,
	    bytes - freed, site->count, bytes);
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";

	for (size_t i = 0; i < 4; i++)
		run(i);
	/* What the cache keeps of the freed is no hole in a slab. */
	if (mallctl != NULL)
		mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	if (strcmp(mode, "write-limit") == 0)
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 1024, 1024 });
	puts("ready");
	fflush(stdout);
	if (strcmp(mode, "dump") == 0 && argc > 2 && mallctl != NULL) {
		const char *name = argv[2];

		printf("dump %d\n", mallctl("prof.dump", NULL, NULL, &name,
		    sizeof name));
	}
	if (strcmp(mode, "setuid") == 0 && argc > 2) {
		uid_t uid = (uid_t)atoi(argv[2]);

		if (setgid(uid) != 0 || setuid(uid) != 0)
			die("setuid: %s", strerror(errno));
		puts("dropped");
		fflush(stdout);
	}
	while (strcmp(mode, "wait") == 0 || strcmp(mode, "setuid") == 0)
		pause();
	return 0;
}
