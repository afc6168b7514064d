/*
 * dlchurn.c - opens and closes plugins again and again while threads allocate
 * at call sites inside them; prints the exact truth of what is still held.
 *
 *     dlchurn ROUNDS THREADS PROFILE PLUGIN...
 *
 * Each thread opens a plugin, lets it work, keeps every third of the blocks
 * that it allocates and closes it again; a short-lived thread runs each
 * plugin's thread-local destructors. At the end the plugins are closed, a
 * profile is written to PROFILE (unless it is "-") and for each plugin a line
 * "site FUNCTION OBJECTS BYTES" (usable) says what a profile must show.
 *
 * Proof: jemalloc's profile names none of the three functions (an address that
 * held churn_a holds churn_b, or nothing, when the profile is written).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include "churn.h"
#include "e2e.h"

enum { MAX_PLUGINS = 8, MAX_THREADS = 8 };

struct held {
	struct held *next;
};

struct truth {
	char site[64];
	size_t objects, bytes;
};

struct churner {
	pthread_t thread;
	int number;
	struct held *held[MAX_PLUGINS];
	struct truth truth[MAX_PLUGINS];
};

static char **paths;
static int npaths, rounds;

static void *
short_life(void *arg)
{
	const struct churn_plugin *plugin = arg;

	plugin->work();
	free(plugin->keep());
	return NULL;
}

static void
work_in_new_thread(const struct churn_plugin *plugin)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, short_life, (void *)plugin) != 0)
		die("pthread_create");
	pthread_join(thread, NULL);
}

static void
keep_block(struct churner *churner, int which,
    const struct churn_plugin *plugin)
{
	struct truth *truth = &churner->truth[which];
	struct held *block = plugin->keep();

	if (block == NULL)
		die("malloc failed");
	block->next = churner->held[which];
	churner->held[which] = block;
	snprintf(truth->site, sizeof truth->site, "%s", plugin->site);
	truth->objects++;
	truth->bytes += malloc_usable_size != NULL ?
	    malloc_usable_size(block) : plugin->size;
}

static void
one_round(struct churner *churner, int round)
{
	int which = (round + churner->number) % npaths;
	void *handle = dlopen(paths[which], RTLD_NOW | RTLD_LOCAL);
	const struct churn_plugin *(*entry)(void);

	if (handle == NULL)
		die("dlopen: %s", dlerror());
	entry = (const struct churn_plugin *(*)(void))dlsym(handle,
	    "churn_plugin");
	if (entry == NULL)
		die("dlsym: %s", dlerror());
	for (int i = 0; i < 9; i++) {
		if (i % 3 == 0)
			keep_block(churner, which, entry());
		else
			free(entry()->keep());
	}
	work_in_new_thread(entry());
	if (dlclose(handle) != 0)
		die("dlclose: %s", dlerror());
	/* Some blocks outlive their plugin and die here. */
	if (round % 7 == 6) {
		struct held *block = churner->held[which];

		churner->held[which] = block->next;
		churner->truth[which].objects--;
		churner->truth[which].bytes -= malloc_usable_size(block);
		free(block);
	}
}

static void *
churn(void *arg)
{
	struct churner *churner = arg;

	for (int round = 0; round < rounds; round++)
		one_round(churner, round);
	return NULL;
}

int
main(int argc, char **argv)
{
	static struct churner churners[MAX_THREADS];
	int nthreads;

	if (argc < 5)
		die("usage: dlchurn ROUNDS THREADS PROFILE PLUGIN...");
	rounds = atoi(argv[1]);
	nthreads = atoi(argv[2]);
	paths = argv + 4;
	npaths = argc - 4;
	if (nthreads < 1 || nthreads > MAX_THREADS || npaths > MAX_PLUGINS)
		die("too many threads or plugins");
	for (int i = 0; i < nthreads; i++) {
		churners[i].number = i;
		if (pthread_create(&churners[i].thread, NULL, churn,
		    &churners[i]) != 0)
			die("pthread_create");
	}
	for (int i = 0; i < nthreads; i++)
		pthread_join(churners[i].thread, NULL);
	for (int p = 0; p < npaths; p++) {
		struct truth sum = churners[0].truth[p];

		for (int i = 1; i < nthreads; i++) {
			sum.objects += churners[i].truth[p].objects;
			sum.bytes += churners[i].truth[p].bytes;
		}
		printf("site %s %zu %zu\n", sum.site, sum.objects, sum.bytes);
	}
	if (strcmp(argv[3], "-") != 0 && dump_profile(argv[3]) != 0)
		die("prof.dump failed");
	for (int i = 0; i < nthreads; i++)
		for (int p = 0; p < npaths; p++)
			while (churners[i].held[p] != NULL) {
				struct held *block = churners[i].held[p];

				churners[i].held[p] = block->next;
				free(block);
			}
	return 0;
}
