/*
 * sampler.c - switches, the period R and the gaps (sampler.h).
 *
 * A thread keeps the R that its gap was drawn for. When R or a switch
 * changes, host->redraw asks every thread to come back at its next event;
 * since a geometric gap has no memory, the rest of the old one may be thrown
 * away without a bias.
 *
 * Locks: none; all is atomic and relaxed, a change takes effect when seen.
 */
#include "sampler.h"

#include "estimate.h"
#include "os.h"
#include "util.h"

/* atomic: */
static bool started;
static bool active;
static bool thread_active_init = true;
static unsigned lg_rate = 19;
static uint64_t dropped_samples, dropped_bytes;
static uint64_t before_profiling;
static uint64_t unsampled;		/* up to the last time it began again */
static uint64_t allocated_at_off;	/* thread_allocated then */
static uint64_t threads;		/* uids given out */
/* constant after boot: */
static uint64_t fixed_seed;
static const struct prof_host *host;

void
sampler_boot(const struct prof_options *options,
    const struct prof_host *prof_host)
{
	host = prof_host;
	active = options->active;
	thread_active_init = options->thread_active_init;
	lg_rate = options->lg_sample < 63 ? options->lg_sample : 63;
	fixed_seed = options->seed;
}

/* What was allocated while it was off, if it is off. */
static uint64_t
unsampled_since_off(const struct prof_totals *totals)
{
	uint64_t from = __atomic_load_n(&allocated_at_off, __ATOMIC_RELAXED);

	return totals->thread_allocated > from ?
	    totals->thread_allocated - from : 0;
}

static void
note_off(void)
{
	struct prof_totals totals;

	host->totals(&totals);
	__atomic_store_n(&allocated_at_off, totals.thread_allocated,
	    __ATOMIC_RELAXED);
}

/* The first time all that is live was not sampled, and that is exact. */
static void
note_on(void)
{
	struct prof_totals totals;
	uint64_t none = 0;

	host->totals(&totals);
	if (!__atomic_compare_exchange_n(&before_profiling, &none, totals.live,
	    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_add_fetch(&unsampled, unsampled_since_off(&totals),
		    __ATOMIC_RELAXED);
}

void
sampler_start(void)
{
	if (sampler_active())
		note_on();
	__atomic_store_n(&started, true, __ATOMIC_RELEASE);
	host->redraw();
}

void
sampler_thread_seed(struct prof_thread *thread, uint64_t seed)
{
	if (seed != 0)
		thread->prng = estimate_seed_mix(seed);
	else
		os_random(&thread->prng, sizeof thread->prng);
}

static void
seed_thread(struct prof_thread *thread)
{
	sampler_thread_seed(thread, fixed_seed == 0 ? 0 :
	    estimate_seed_mix(fixed_seed) + thread->uid);
}

void
sampler_thread_init(struct prof_thread *thread)
{
	thread->uid = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
	thread->active = sampler_thread_active_init();
	seed_thread(thread);
}

uint64_t
sampler_gap(struct prof_thread *thread)
{
	if (!sampler_active() || !thread->active ||
	    !__atomic_load_n(&started, __ATOMIC_RELAXED))
		return UINT64_MAX;
	thread->rate = sampler_rate();
	return estimate_gap(&thread->prng, thread->rate);
}

bool
sampler_active(void)
{
	return __atomic_load_n(&active, __ATOMIC_RELAXED);
}

void
sampler_active_set(bool on)
{
	bool was = __atomic_exchange_n(&active, on, __ATOMIC_RELAXED);

	if (was == on)
		return;
	if (__atomic_load_n(&started, __ATOMIC_RELAXED)) {
		if (on)
			note_on();
		else
			note_off();
	}
	host->redraw();
}

bool
sampler_thread_active_init(void)
{
	return __atomic_load_n(&thread_active_init, __ATOMIC_RELAXED);
}

void
sampler_thread_active_init_set(bool on)
{
	__atomic_store_n(&thread_active_init, on, __ATOMIC_RELAXED);
}

unsigned
sampler_lg_rate(void)
{
	return __atomic_load_n(&lg_rate, __ATOMIC_RELAXED);
}

uint64_t
sampler_rate(void)
{
	return (uint64_t)1 << sampler_lg_rate();
}

void
sampler_lg_rate_set(unsigned lg)
{
	assert(lg < 64);
	__atomic_store_n(&lg_rate, lg, __ATOMIC_RELAXED);
	host->redraw();
}

void
sampler_drop(uint64_t usable, uint64_t rate)
{
	double p = estimate_probability(usable, rate);

	__atomic_add_fetch(&dropped_samples, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&dropped_bytes,
	    (uint64_t)(estimate_bytes(p, usable) + 0.5), __ATOMIC_RELAXED);
}

uint64_t
sampler_dropped_samples(void)
{
	return __atomic_load_n(&dropped_samples, __ATOMIC_RELAXED);
}

uint64_t
sampler_dropped_bytes(void)
{
	return __atomic_load_n(&dropped_bytes, __ATOMIC_RELAXED);
}

void
sampler_dropped_reset(void)
{
	__atomic_store_n(&dropped_samples, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&dropped_bytes, 0, __ATOMIC_RELAXED);
}

uint64_t
sampler_before_profiling(void)
{
	return __atomic_load_n(&before_profiling, __ATOMIC_RELAXED);
}

uint64_t
sampler_unsampled(const struct prof_totals *totals)
{
	uint64_t sum = __atomic_load_n(&unsampled, __ATOMIC_RELAXED);

	return sampler_active() ? sum : sum + unsampled_since_off(totals);
}

void
sampler_fork_child(struct prof_thread *thread)
{
	if (thread == NULL)
		return;
	if (fixed_seed != 0)	/* a stream of its own, and yet repeatable */
		thread->prng = estimate_seed_mix(thread->prng);
	else
		seed_thread(thread);
}
