/*
 * decay.c - the decay curve; see decay.h.
 */
#include "decay.h"

#include <string.h>

enum { LG_ONE = 24 };		/* fixed point: 200 * 2^63 >> 24 fits */

static uint32_t curve[DECAY_STEPS];	/* h(i) << LG_ONE */

/*
 * smoothstep(x) = 6x^5 - 15x^4 + 10x^3, with x = i / n exactly:
 * i^3 (6 i^2 - 15 i n + 10 n^2) / n^5.
 */
static uint32_t
smoothstep(uint64_t i)
{
	const uint64_t n = DECAY_STEPS;
	__uint128_t top = (__uint128_t)(i * i * i) *
	    (6 * i * i + 10 * n * n - 15 * i * n);

	return (uint32_t)((top << LG_ONE) / (n * n * n * n * n));
}

void
decay_boot(void)
{
	for (unsigned i = 0; i < DECAY_STEPS; i++)
		curve[i] = (1u << LG_ONE) - smoothstep(i + 1);
}

static void
restart(struct decay *decay, ssize_t ms, uint64_t now, size_t cached)
{
	decay->step_ns = decay_step_ns(ms);
	if (decay->step_ns == 0)
		decay->step_ns = 1;
	memset(decay->backlog, 0, sizeof decay->backlog);
	decay->backlog[0] = cached;
	decay->unpurged = cached;
	atomic_store_explicit(&decay->deadline, now + decay->step_ns,
	    memory_order_relaxed);
	atomic_store_explicit(&decay->ms, ms, memory_order_relaxed);
}

void
decay_init(struct decay *decay, ssize_t ms, uint64_t now, const char *name)
{
	memset(decay, 0, sizeof *decay);
	lock_init(&decay->lock, RANK_DECAY, name);
	restart(decay, ms, now, 0);
}

void
decay_set_locked(struct decay *decay, ssize_t ms, uint64_t now,
    size_t cached)
{
	lock_assert_held(&decay->lock);
	restart(decay, ms, now, cached);
}

static void
shift_backlog(struct decay *decay, uint64_t steps, size_t newest)
{
	size_t *backlog = decay->backlog;

	if (steps >= DECAY_STEPS) {
		memset(backlog, 0, sizeof decay->backlog);
	} else {
		memmove(backlog + steps, backlog,
		    (DECAY_STEPS - steps) * sizeof *backlog);
		memset(backlog, 0, steps * sizeof *backlog);
	}
	backlog[0] = newest;
}

static size_t
limit_of(const struct decay *decay)
{
	__uint128_t sum = 0;

	for (unsigned i = 0; i < DECAY_STEPS; i++)
		sum += (__uint128_t)decay->backlog[i] * curve[i];
	return (size_t)(sum >> LG_ONE);
}

size_t
decay_advance_locked(struct decay *decay, uint64_t now, size_t cached)
{
	uint64_t deadline = atomic_load_explicit(&decay->deadline,
	    memory_order_relaxed);
	uint64_t steps;

	lock_assert_held(&decay->lock);
	if (now < deadline)		/* another thread was faster */
		return cached;
	steps = (now - deadline) / decay->step_ns + 1;
	atomic_store_explicit(&decay->deadline,
	    deadline + steps * decay->step_ns, memory_order_relaxed);
	shift_backlog(decay, steps, cached > decay->unpurged ?
	    cached - decay->unpurged : 0);
	decay->unpurged = cached;
	return limit_of(decay);
}

void
decay_purged_locked(struct decay *decay, size_t purged, size_t cached)
{
	size_t known = decay->unpurged;

	lock_assert_held(&decay->lock);
	known -= purged < known ? purged : known;
	decay->unpurged = known < cached ? known : cached;
}
