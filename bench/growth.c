/*
 * growth.c - many sampled objects on many stacks, and what a dump of them
 * costs: itself, and those who allocate meanwhile.
 *
 *     MALLOC_CONF=prof:true,lg_prof_sample:0 LD_PRELOAD=libstrata.so.1 \
 *         growth SAMPLES STACKS FILE [DUMPS [THREADS]]
 *
 * Every allocation is a sample. Block i lies on stack i % STACKS: PATH_CALLS
 * calls, each of one of four functions, as two bits of the stack's number say.
 * FILE.0 is a dump of the first half of them, for a comparison. With all of
 * them THREADS (1) allocate and free, and DUMPS (5) dumps are taken to FILE.1;
 * as long as the last one took this thread spins before each, so that in both
 * cases as many threads want a processor.
 *
 *   call   the wait that one of 1000 calls of malloc or free exceeds
 *   moment the wait that a call exceeds that begins at one of 1000 moments:
 *          sum over the waits w of max(0, w - x), over the sum of all w, is
 *          1/1000 at x. One call that stands still through a dump is one of
 *          very many calls, but it is what most of the moments meet
 *
 * A call that lost its processor (nivcsw of getrusage) and waited for nothing
 * (nvcsw) is not counted: the machine did that. Who waits for a lock whose
 * holder lost it is.
 *
 * Printed, with commas: SAMPLES, STACKS, ms to make them, ms and CPU ms of a
 * dump (medians), its bytes, bytes of the profiler, RSS before the first and
 * after the last dump in bytes, us by call, moment and at most while spinning,
 * the same during dumps, and the most that a call without its processor took.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "measure.h"

enum {
	PATH_CALLS = 10,		/* of four functions: 2^20 stacks */
	BLOCK = 64,			/* bytes */
	DUMPS_MAX = 100, THREADS_MAX = 16,
	LG_SUB = 4,			/* bins of 1/16: a wait is known to 6 % */
	BINS = 64 << LG_SUB,
	HELD = 256,			/* blocks a thread keeps */
};
enum phase { STARTING, SPINNING, DUMPING, ENDING, NPHASES };

typedef void *call(uint64_t path, unsigned left);

/* Of one thread. */
struct waits {
	uint64_t bins[NPHASES][BINS];
	uint64_t most[NPHASES];		/* ns */
	uint64_t preempted;		/* ns, the most */
};

static int (*control)(const char *, void *, size_t *, void *, size_t);
static _Atomic int phase;
static struct waits waits[THREADS_MAX];
static volatile int last_call;

static void
must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "growth: %s\n", what);
	exit(2);
}

/* --- stacks --------------------------------------------------------------- */

static call call0, call1, call2, call3;
static call *const calls[4] = { call0, call1, call2, call3 };

static __attribute__((always_inline)) inline void *
go_on(uint64_t path, unsigned left, int self)
{
	void *block = left == 0 ? malloc(BLOCK) :
	    calls[path & 3](path >> 2, left - 1);

	last_call = self;		/* no tail call, and no two alike */
	return block;
}

static __attribute__((noinline)) void *
call0(uint64_t path, unsigned left)
{
	return go_on(path, left, 0);
}

static __attribute__((noinline)) void *
call1(uint64_t path, unsigned left)
{
	return go_on(path, left, 1);
}

static __attribute__((noinline)) void *
call2(uint64_t path, unsigned left)
{
	return go_on(path, left, 2);
}

static __attribute__((noinline)) void *
call3(uint64_t path, unsigned left)
{
	return go_on(path, left, 3);
}

/* Blocks FROM to TO. */
static void
build(uint64_t from, uint64_t to, uint64_t stacks)
{
	static void **last;

	for (uint64_t i = from; i < to; i++) {
		void **block = calls[i % stacks & 3](i % stacks >> 2,
		    PATH_CALLS - 1);

		must(block != NULL, "no memory");
		*block = last;		/* all stay reachable */
		last = block;
	}
}

/* --- those who allocate meanwhile ----------------------------------------- */

static unsigned
bin_of(uint64_t ns)
{
	unsigned lg;

	if (ns < 1 << LG_SUB)
		return (unsigned)ns;
	lg = 63 - (unsigned)__builtin_clzll(ns);
	return ((lg - LG_SUB + 1) << LG_SUB) +
	    (unsigned)(ns >> (lg - LG_SUB) & ((1 << LG_SUB) - 1));
}

static double
bin_ns(unsigned bin)
{
	unsigned lg = bin >> LG_SUB, low = bin & ((1 << LG_SUB) - 1);

	return lg == 0 ? low :
	    (double)((uint64_t)(low + (1 << LG_SUB)) << (lg - 1));
}

/* Tells the call's wait, and whether it was the machine that made it long. */
static void
note(struct waits *own, int before, uint64_t ns, struct rusage *last)
{
	int after = atomic_load(&phase);
	struct rusage now;
	bool preempted;

	getrusage(RUSAGE_THREAD, &now);
	preempted = now.ru_nivcsw != last->ru_nivcsw &&
	    now.ru_nvcsw == last->ru_nvcsw;
	*last = now;
	if (before != after && before != DUMPING && after != DUMPING)
		return;
	if (before != after)
		before = DUMPING;	/* it was in one, in part */
	if (preempted) {
		if (ns > own->preempted)
			own->preempted = ns;
		return;
	}
	own->bins[before][bin_of(ns)]++;
	if (ns > own->most[before])
		own->most[before] = ns;
}

static void *
churn(void *arg)
{
	struct waits *own = arg;
	void *held[HELD] = { NULL };
	struct rusage last;
	uint64_t random = 88172645463325252u + (uint64_t)(own - waits);
	int now;

	getrusage(RUSAGE_THREAD, &last);
	while ((now = atomic_load(&phase)) != ENDING) {
		uint64_t start, ns;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		start = clock_ns(CLOCK_MONOTONIC);
		free(held[random % HELD]);
		ns = clock_ns(CLOCK_MONOTONIC) - start;
		note(own, now, ns, &last);
		now = atomic_load(&phase);
		start = clock_ns(CLOCK_MONOTONIC);
		held[random % HELD] = malloc(16 + (random >> 32) % 256);
		ns = clock_ns(CLOCK_MONOTONIC) - start;
		note(own, now, ns, &last);
	}
	return NULL;
}

/* --- figures -------------------------------------------------------------- */

/* us that one of 1000 calls exceeds (moment: that a moment's meets). */
static double
exceeded(const uint64_t *bins, bool moment)
{
	double all = 0, beyond = 0, longer = 0, x = 0;

	for (unsigned i = 0; i < BINS; i++)
		all += (double)bins[i] * (moment ? bin_ns(i) : 1);
	for (unsigned i = BINS; i-- > 0 && all > 0;) {
		double below = bin_ns(i);

		/* beyond: the sum of w - x, which longer waits take part in */
		if (moment && longer > 0 &&
		    beyond + longer * (x - below) > all / 1000)
			return (x - (all / 1000 - beyond) / longer) / 1000;
		beyond += moment ? longer * (x - below) : (double)bins[i];
		longer += (double)bins[i];
		x = below;
		if (!moment && beyond > all / 1000)
			break;
	}
	return x / 1000;
}

static void
print_waits(unsigned nthreads, enum phase of)
{
	static uint64_t bins[BINS];
	uint64_t most = 0;

	memset(bins, 0, sizeof bins);
	for (unsigned t = 0; t < nthreads; t++) {
		for (unsigned i = 0; i < BINS; i++)
			bins[i] += waits[t].bins[of][i];
		if (waits[t].most[of] > most)
			most = waits[t].most[of];
	}
	printf(",%.1f,%.1f,%.1f", exceeded(bins, false), exceeded(bins, true),
	    (double)most / 1000);
}

static uint64_t
rss_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	must(f != NULL && fscanf(f, "%*u %lu", &pages) == 1, "no statm");
	fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t
profiler_bytes(void)
{
	uint64_t bytes = 0;
	size_t len = sizeof bytes;

	control("prof.memory", &bytes, &len, NULL, 0);
	return bytes;
}

static void
spin(double ms)
{
	uint64_t end = clock_ns(CLOCK_MONOTONIC) + (uint64_t)(ms * 1e6);

	atomic_store(&phase, SPINNING);
	while (clock_ns(CLOCK_MONOTONIC) < end)
		continue;
}

/* By its name growth.sh counts a dump's instructions. */
static __attribute__((noinline)) double
timed_dump(const char *path, double *cpu_ms)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	uint64_t cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int error;

	atomic_store(&phase, DUMPING);
	error = control("prof.dump", NULL, NULL, &path, sizeof path);
	atomic_store(&phase, STARTING);
	must(error == 0, "no dump");
	*cpu_ms = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu) / 1e6;
	return (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6;
}

/* Prints all but the waits. */
static void
dumps(const char *file, unsigned n)
{
	double ms[DUMPS_MAX], cpu[DUMPS_MAX];
	uint64_t rss = rss_bytes();
	char path[4096];
	struct stat st;

	snprintf(path, sizeof path, "%s.1", file);
	for (unsigned i = 0; i < n; i++) {
		spin(i == 0 ? 20 : ms[i - 1]);
		ms[i] = timed_dump(path, &cpu[i]);
	}
	must(stat(path, &st) == 0, "no file");
	printf("%.2f,%.2f,%lld,%llu,%llu,%llu", median(ms, n), median(cpu, n),
	    (long long)st.st_size, (unsigned long long)profiler_bytes(),
	    (unsigned long long)rss, (unsigned long long)rss_bytes());
}

/* Prints the first three figures. */
static void
load(uint64_t samples, uint64_t stacks, const char *file)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);
	char path[4096];
	double ms = 0, cpu;

	snprintf(path, sizeof path, "%s.0", file);
	/* From one place: what calls is a part of the stack. */
	for (unsigned half = 0; half < 2; half++) {
		build(samples / 2 * half, half == 0 ? samples / 2 : samples,
		    stacks);
		if (half == 0)
			ms -= timed_dump(path, &cpu);
	}
	ms += (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e6;
	printf("%llu,%llu,%.1f,", (unsigned long long)samples,
	    (unsigned long long)stacks, ms);
}

static double
arg(char **argv, int argc, int i, double otherwise)
{
	return i < argc ? strtod(argv[i], NULL) : otherwise;
}

int
main(int argc, char **argv)
{
	uint64_t samples = (uint64_t)arg(argv, argc, 1, 0);
	uint64_t stacks = (uint64_t)arg(argv, argc, 2, 0), preempted = 0;
	unsigned ndumps = (unsigned)arg(argv, argc, 4, 5);
	unsigned nthreads = (unsigned)arg(argv, argc, 5, 1);
	pthread_t threads[THREADS_MAX];

	must(argc > 3 && samples > 0 && stacks > 0 && ndumps > 0 &&
	    ndumps <= DUMPS_MAX && nthreads <= THREADS_MAX &&
	    stacks <= 1u << 2 * PATH_CALLS,
	    "Usage: growth SAMPLES STACKS FILE [DUMPS [THREADS]]");
	*(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
	must(control != NULL, "no mallctl here");
	load(samples, stacks, argv[3]);
	for (unsigned i = 0; i < nthreads; i++)
		must(pthread_create(&threads[i], NULL, churn, &waits[i]) == 0,
		    "no thread");
	dumps(argv[3], ndumps);
	atomic_store(&phase, ENDING);
	for (unsigned i = 0; i < nthreads; i++) {
		pthread_join(threads[i], NULL);
		if (waits[i].preempted > preempted)
			preempted = waits[i].preempted;
	}
	print_waits(nthreads, SPINNING);
	print_waits(nthreads, DUMPING);
	printf(",%.1f\n", (double)preempted / 1000);
	return 0;
}
