/*
 * probes.h - USDT probes on sampled objects, after OpenTelemetry's contract:
 *
 *   otel_memory:alloc(ptr, size, weighted_bytes)    otel_memory:free(ptr)
 *
 * Behind semaphores: without a tracer a probe costs one load.
 */
#ifndef STRATA_PROBES_H
#define STRATA_PROBES_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"

#if CONFIG_USDT
void probe_alloc(const void *ptr, size_t size, uint64_t usable,
    uint64_t rate);
void probe_free(const void *ptr);
#else
static inline void
probe_alloc(const void *ptr, size_t size, uint64_t usable, uint64_t rate)
{
	(void)ptr, (void)size, (void)usable, (void)rate;
}

static inline void
probe_free(const void *ptr)
{
	(void)ptr;
}
#endif

#endif
