/*
 * leak-hunt.c - one program with a leak, a bounded cache and a start-up table;
 * only the first of them is a mistake.
 *
 *   table_load      loaded once, used to the end
 *   cache_store     a ring of CACHE_SLOTS replies; the oldest is freed
 *   request_log     a copy of the request, which in one request of LEAK_EVERY
 *                   nobody frees: the leak
 *
 * At exit the program frees the table and the cache, so that what is left is
 * the leak; with --keep it does not, as most programs do not. Try
 *
 *   MALLOC_CONF=prof:true,prof_leak:true,lg_prof_sample:12 \
 *       strata run leak-hunt
 *   echo $?                        1 if prof_leak_error:true is there, too
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	REQUESTS = 200000,
	TABLE_ENTRIES = 20000,
	TABLE_ENTRY_BYTES = 120,
	CACHE_SLOTS = 256,
	REPLY_BYTES = 2000,
	REQUEST_BYTES = 300,
	LEAK_EVERY = 100,
};

struct options {
	bool keep;			/* free nothing at exit */
	bool leak;
};

static struct options options = { .leak = true };
static char **table;
static char *cache[CACHE_SLOTS];

static void *
filled(void *block, size_t bytes)
{
	if (block == NULL) {
		perror("leak-hunt");
		exit(2);
	}
	return memset(block, 'x', bytes);
}

static void
table_load(void)
{
	table = filled(malloc(TABLE_ENTRIES * sizeof *table),
	    TABLE_ENTRIES * sizeof *table);
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		table[i] = filled(malloc(TABLE_ENTRY_BYTES),
		    TABLE_ENTRY_BYTES);
}

static void
cache_store(unsigned number)
{
	char **slot = &cache[number % CACHE_SLOTS];

	free(*slot);
	*slot = filled(malloc(REPLY_BYTES), REPLY_BYTES);
}

/* The copy is for a log writer that forgets some of its entries. */
static char *
request_log(unsigned number)
{
	char *copy = filled(malloc(REQUEST_BYTES), REQUEST_BYTES);

	snprintf(copy, REQUEST_BYTES, "request %u", number);
	return copy;
}

static void
request_serve(unsigned number)
{
	char *copy = request_log(number);

	cache_store(number);
	if (!options.leak || number % LEAK_EVERY != 0)
		free(copy);
}

static void
all_free(void)
{
	for (unsigned i = 0; i < CACHE_SLOTS; i++)
		free(cache[i]);
	for (unsigned i = 0; i < TABLE_ENTRIES; i++)
		free(table[i]);
	free(table);
}

int
main(int argc, char **argv)
{
	static char buffer[BUFSIZ];

	/* stdout's own buffer would be live at exit, too. */
	setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--keep") == 0) {
			options.keep = true;
		} else if (strcmp(argv[i], "--no-leak") == 0) {
			options.leak = false;
		} else {
			fprintf(stderr,
			    "Usage: leak-hunt [--keep] [--no-leak]\n");
			return 2;
		}
	}
	table_load();
	for (unsigned i = 0; i < REQUESTS; i++)
		request_serve(i);
	printf("%d requests served; %d copies of %d bytes were forgotten\n",
	    REQUESTS, options.leak ? REQUESTS / LEAK_EVERY : 0,
	    REQUEST_BYTES);
	fflush(stdout);		/* prof_leak_error ends the process early */
	if (!options.keep)
		all_free();
	return 0;
}
