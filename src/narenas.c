/*
 * narenas.c - how many automatic arenas there are; see narenas.h.
 *
 *   narenas, or narenas_ratio * CPUs, rounded; 1 on a single CPU
 *   at most as many as there are indices, less the oversize arena's
 */
#include "narenas.h"

#include "arena.h"
#include "message.h"
#include "options.h"
#include "os.h"

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

void
narenas_boot(void)
{
	unsigned limit = ARENA_MAX;

	/* Smaller blocks have no pages of their own to give back. */
	if (opt.oversize_threshold < SC_LARGE_MIN)
		opt.oversize_threshold = 0;
	if (opt.narenas == 0)
		opt.narenas = narenas_default(os_ncpus());
	if (opt.oversize_threshold != 0)
		limit--;
	if (opt.narenas > limit) {
		message("Reducing narenas to limit (%u)", limit);
		opt.narenas = limit;
	}
}
