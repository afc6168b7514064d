/*
 * narenas.c - how many automatic arenas there are; see narenas.h.
 *
 *   narenas, or narenas_ratio * CPUs, rounded; 1 on a single CPU
 *   with percpu_arena at least one for each CPU, or for two of them
 *   at most as many as there are indices, less the oversize arena's
 *
 * Memory: none; it runs before libc is initialised.
 */
#include "narenas.h"

#include <fcntl.h>

#include "arena.h"
#include "message.h"
#include "options.h"
#include "os.h"

enum { LIST_MAX = 4096 };		/* a page: the most that sysfs writes */

/* 16.16 fixed point, a half rounds up: jemalloc's. */
static unsigned
narenas_default(unsigned ncpus)
{
	uint64_t n = (uint64_t)opt.narenas_ratio * ncpus;

	n = (n + (1 << 15)) >> 16;
	if (ncpus == 1 || n == 0)
		return 1;
	return n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
}

/* A list of CPUs of sysfs, "0-3,8"; "" if there is none. */
static const char *
cpu_list_read(const char *path, char text[LIST_MAX])
{
	int fd = os_open(path, O_RDONLY, 0);
	long n = fd < 0 ? fd : os_read(fd, text, LIST_MAX - 1);

	if (fd >= 0)
		os_close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static const char *
number_read(const char *at, unsigned *out)
{
	for (*out = 0; *at >= '0' && *at <= '9'; at++)
		*out = *out * 10 + (unsigned)(*at - '0');
	return at;
}

unsigned
narenas_cpu_list_count(const char *at)
{
	unsigned n = 0, first, last;

	while (*at >= '0' && *at <= '9') {
		at = number_read(at, &first);
		last = first;
		if (*at == '-')
			at = number_read(at + 1, &last);
		n += last >= first ? last - first + 1 : 0;
		at += *at == ',';
	}
	return n;
}

bool
narenas_cpu_list_neighbours(const char *at)
{
	unsigned first, second;
	const char *after = number_read(at, &first);

	if (*after == '-')
		return true;
	if (after == at || *after != ',')
		return false;
	number_read(after + 1, &second);
	return second == first + 1;
}

/*
 * possible: CPUs that the machine can have, 0 if that is not known. With
 * fewer for this process their numbers say nothing of how many arenas are
 * needed; unless narenas does.
 */
static bool
percpu_can_be_had(unsigned ncpus, unsigned possible)
{
	if (os_cpu() < 0) {
		message_warning("perCPU arena getcpu() not available. "
		    "Setting narenas to %u.", opt.narenas != 0 ? opt.narenas :
		    narenas_default(ncpus));
		return false;
	}
	if (ncpus >= ARENA_MAX) {
		message_warning("narenas w/ percpuarena beyond limit (%u)",
		    ncpus);
		return false;
	}
	if (opt.narenas == 0 && possible != 0 && possible != ncpus) {
		message_warning("Number of CPUs detected is not "
		    "deterministic. Per-CPU arena disabled.");
		return false;
	}
	return true;
}

/* How many arenas the CPUs have between them. */
static unsigned
percpu_count(unsigned ncpus)
{
	if (opt.percpu_arena == PERCPU_CPU || ncpus == 1)
		return ncpus;
	return (ncpus + 1) / 2;
}

static void
pair_cpus(unsigned ncpus, unsigned possible)
{
	char text[LIST_MAX];

	if (ncpus % 2 != 0)
		message_warning("invalid configuration -- per physical CPU "
		    "arena with odd number (%u) of CPUs (no hyper "
		    "threading?).", ncpus);
	arena_cpus.half = percpu_count(possible);
	arena_cpus.neighbours = narenas_cpu_list_neighbours(cpu_list_read(
	    "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
	    text));
}

static void
percpu_boot(unsigned ncpus)
{
	char text[LIST_MAX];
	unsigned possible, n;

	arena_cpus = (struct arena_cpus){ 0 };
	if (opt.percpu_arena == PERCPU_DISABLED)
		return;
	possible = narenas_cpu_list_count(cpu_list_read(
	    "/sys/devices/system/cpu/possible", text));
	if (!percpu_can_be_had(ncpus, possible)) {
		opt.percpu_arena = PERCPU_DISABLED;
		return;
	}
	n = percpu_count(ncpus);
	if (opt.narenas < n)
		opt.narenas = n;
	/* narenas stands for the count where that is not to be trusted. */
	arena_cpus.count = possible == 0 || possible == ncpus ? n :
	    opt.narenas;
	if (opt.percpu_arena == PERCPU_CORE)
		pair_cpus(ncpus, possible != 0 ? possible : ncpus);
}

void
narenas_boot(void)
{
	unsigned limit = ARENA_MAX, ncpus = os_ncpus();

	/* Smaller blocks have no pages of their own to give back. */
	if (opt.oversize_threshold < SC_LARGE_MIN)
		opt.oversize_threshold = 0;
	percpu_boot(ncpus);
	if (opt.narenas == 0)
		opt.narenas = narenas_default(ncpus);
	if (opt.oversize_threshold != 0)
		limit--;
	if (opt.narenas > limit) {
		message("Reducing narenas to limit (%u)", limit);
		opt.narenas = limit;
	}
	if (arena_cpus.count > opt.narenas)
		arena_cpus.count = opt.narenas;
}
