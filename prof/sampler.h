/*
 * sampler.h - whether a thread samples, and when: the switches, the period R,
 * each thread's gap to its next sample point, and the count of drops.
 */
#ifndef STRATA_SAMPLER_H
#define STRATA_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "prof.h"

/* Before anything else here; takes R, the switches and the seed. */
void sampler_boot(const struct prof_options *options,
    const struct prof_host *host);
/* The unwinder is ready: sampling may begin. Notes the live bytes. */
void sampler_start(void);

void sampler_thread_init(struct prof_thread *thread);
/* A stream of its own: seed 0 takes the system's randomness. */
void sampler_thread_seed(struct prof_thread *thread, uint64_t seed);
/* Bytes to the next sample point; UINT64_MAX: this thread does not sample. */
uint64_t sampler_gap(struct prof_thread *thread);

bool sampler_active(void);
void sampler_active_set(bool active);
bool sampler_thread_active_init(void);
void sampler_thread_active_init_set(bool active);
uint64_t sampler_rate(void);			/* R in bytes */
unsigned sampler_lg_rate(void);
void sampler_lg_rate_set(unsigned lg);		/* every thread redraws */

/* A sample that could not be kept: its weight goes to the totals. */
void sampler_drop(uint64_t usable, uint64_t rate);
uint64_t sampler_dropped_samples(void);
uint64_t sampler_dropped_bytes(void);
void sampler_dropped_reset(void);

/* Live bytes of the process when sampling first began. */
uint64_t sampler_before_profiling(void);
/*
 * Bytes that were allocated while sampling was off, prof_active or prof.active
 * false, up to when the totals were read; a thread's own switch is not counted.
 * When it first begins what is left of the time before is before_profiling.
 */
uint64_t sampler_unsampled(const struct prof_totals *totals);

void sampler_fork_child(struct prof_thread *thread);

#endif
