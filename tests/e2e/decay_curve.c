/*
 * decay_curve.c - a spike is freed; do the pages follow the decay's curve?
 *
 *     decay_curve MODE MIB LIMIT
 *
 *   idle      the process sleeps
 *   forked    a child of it, which has one thread only, sleeps
 *   switched  it sleeps, after the background threads were started at run time
 *   pairs     500 small malloc and free pairs a second
 *   mallocs   1000 small mallocs a second
 *   frees     1000 small frees a second
 *   fast      pairs as fast as they go for a quarter of the decay, then slow
 *   other     the spike was another thread's, which sleeps; pairs here
 *
 * The curve is that of arena.0.dirty_decay_ms: kept(t) = spike * (1 -
 * smoothstep(t / decay)). What is kept is read from the statistics, what is
 * resident from smaps_rollup. Prints the largest distance of each from the
 * curve, in percent of the spike, and where it was:
 *
 *     spike 1024 MiB, off by at most 2.1 % at 0.52; RSS 2.3 % at 0.52
 *
 * Exit status 1 if one of them is more than LIMIT percent; 77 if the process
 * itself was kept from running for so long that nothing can be said.
 */
#define _GNU_SOURCE
#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"

enum { BLOCK = 64 << 10, SMALL = 40, NSMALL = 1 << 16, POINTS = 100,
    TICK_US = 40000, CALLS = 40 };
#define GAP_MOST	0.02	/* of the decay: 4 % where it is steepest */

static void *small[NSMALL];
static size_t nsmall;

struct worst {
	double off, at;			/* percent of the spike; t / decay */
};

static size_t
figure(const char *name, size_t size)
{
	uint64_t value = 0;

	if (mallctl(name, &value, &size, NULL, 0) != 0)
		die("no %s", name);
	return (size_t)value;
}

/* Unused bytes not yet given back, of all arenas. */
static double
kept(void)
{
	uint64_t epoch = 1;

	mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
	return (double)(figure("stats.arenas.4096.pdirty", sizeof(size_t)) +
	    figure("stats.arenas.4096.pmuzzy", sizeof(size_t))) *
	    (double)figure("arenas.page", sizeof(size_t));
}

static double
rss(void)
{
	FILE *file = fopen("/proc/self/smaps_rollup", "r");
	char line[256];
	double kib = 0;

	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line, "Rss: %lf kB", &kib) == 1)
			break;
	if (file != NULL)
		fclose(file);
	return kib * 1024;
}

static double
curve(double x)
{
	if (x >= 1)
		return 0;
	return 1 - x * x * x * (x * (x * 6 - 15) + 10);
}

static void
spike(size_t mib)
{
	size_t n = (mib << 20) / BLOCK;
	void **blocks = malloc(n * sizeof *blocks);

	for (size_t i = 0; i < n; i++) {
		blocks[i] = malloc(BLOCK);
		memset(blocks[i], 1, BLOCK);
	}
	for (size_t i = 0; i < n; i++)
		free(blocks[i]);
	free(blocks);
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

static int other_done;

static void *
other_thread(void *arg)
{
	spike(*(size_t *)arg);
	__atomic_store_n(&other_done, 1, __ATOMIC_RELEASE);
	pause();
	return NULL;
}

static void
spike_elsewhere(size_t mib)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, other_thread, &mib) != 0)
		die("no thread");
	while (!__atomic_load_n(&other_done, __ATOMIC_ACQUIRE))
		usleep(1000);
}

static int
is_idle(const char *mode)
{
	return strcmp(mode, "idle") == 0 || strcmp(mode, "forked") == 0 ||
	    strcmp(mode, "switched") == 0;
}

/* In the child; the parent ends as it does. */
static void
become_child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		return;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		die("no child");
	_exit(WEXITSTATUS(status));
}

static void
switch_on(void)
{
	_Bool on = 1;

	if (mallctl("background_thread", NULL, NULL, &on, sizeof on) != 0)
		die("background_thread cannot be switched on");
}

/* The calls of one tick: a thousand a second. */
static void
work(const char *mode)
{
	for (int i = 0; i < CALLS; i++) {
		if (is_idle(mode))
			continue;
		if (strcmp(mode, "mallocs") == 0)
			small[nsmall++ % NSMALL] = malloc(SMALL);
		else if (strcmp(mode, "frees") == 0)
			free(small[--nsmall]);
		else if (i % 2 == 0)
			*(char *volatile *)&small[0] = malloc(SMALL);
		else
			free(small[0]);
	}
}

static void
note(struct worst *worst, double share, double x)
{
	double off = fabs(share - curve(x)) * 100;

	if (off > worst->off)
		*worst = (struct worst){ off, x };
}

static int
follow(const char *mode, double decay_ns, double limit)
{
	uint64_t begin = now_ns();
	double bytes = kept(), resident = rss(), x = 0, last, gap = 0;
	struct worst stats = { 0, 0 }, system = { 0, 0 };

	for (int point = 0; x < 1.1; ) {
		last = x;
		if (strcmp(mode, "fast") == 0 && x < 0.25)
			for (int i = 0; i < 1000; i++)
				work("pairs");
		else
			usleep(TICK_US);
		work(mode);
		x = (double)(now_ns() - begin) / decay_ns;
		gap = fmax(gap, x - last);
		if (x * POINTS < point)
			continue;
		point = (int)(x * POINTS) + 1;
		note(&stats, kept() / bytes, x);
		note(&system, (rss() - resident) / bytes + 1, x);
	}
	printf("spike %.0f MiB, off by at most %.1f %% at %.2f; "
	    "RSS %.1f %% at %.2f\n", bytes / (1 << 20), stats.off, stats.at,
	    system.off, system.at);
	if (gap > GAP_MOST) {
		printf("the process stood still for %.2f of the decay\n", gap);
		return 77;
	}
	return stats.off > limit || system.off > limit;
}

int
main(int argc, char **argv)
{
	const char *mode = argc > 3 ? argv[1] : "";
	size_t mib = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (mib == 0 || mallctl == NULL)
		die("usage: decay_curve MODE MIB LIMIT, under the library");
	for (; strcmp(mode, "frees") == 0 && nsmall < NSMALL; nsmall++)
		small[nsmall] = malloc(SMALL);
	if (strcmp(mode, "forked") == 0)
		become_child();
	if (strcmp(mode, "switched") == 0)
		switch_on();
	if (strcmp(mode, "other") == 0)
		spike_elsewhere(mib);
	else
		spike(mib);
	return follow(mode, (double)figure("arenas.dirty_decay_ms",
	    sizeof(ssize_t)) * 1e6, atof(argv[3]));
}
