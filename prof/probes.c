/*
 * probes.c - the USDT probes (probes.h). <sys/sdt.h> is used here only.
 */
#include "probes.h"

#if CONFIG_USDT
#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#include "estimate.h"
#include "util.h"

/* Counted up by a tracer that listens. */
unsigned short otel_memory_alloc_semaphore
    __attribute__((section(".probes"), used));
unsigned short otel_memory_free_semaphore
    __attribute__((section(".probes"), used));

static bool
heard(const unsigned short *semaphore)
{
	return __atomic_load_n(semaphore, __ATOMIC_RELAXED) != 0;
}

void
probe_alloc(const void *ptr, size_t size, uint64_t usable, uint64_t rate)
{
	uint64_t weighted;

	if (likely(!heard(&otel_memory_alloc_semaphore)))
		return;
	weighted = (uint64_t)(estimate_bytes(estimate_probability(usable,
	    rate), usable) + 0.5);
	DTRACE_PROBE3(otel_memory, alloc, ptr, size, weighted);
}

void
probe_free(const void *ptr)
{
	if (unlikely(heard(&otel_memory_free_semaphore)))
		DTRACE_PROBE1(otel_memory, free, ptr);
}
#endif
