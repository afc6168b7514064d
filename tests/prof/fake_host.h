/*
 * fake_host.h - a host for the profiler's unit tests: its figures are set by
 * the test, a thread's part is a thread-local variable.
 */
#ifndef STRATA_TESTS_FAKE_HOST_H
#define STRATA_TESTS_FAKE_HOST_H

#include <string.h>

#include "prof.h"

static struct prof_totals fake_totals;
static struct prof_slab fake_slab;	/* nregs 0: everything is large */
static unsigned fake_redraws;
static __thread struct prof_thread fake_thread;

static inline void
fake_host_totals(struct prof_totals *out)
{
	*out = fake_totals;
}

static inline bool
fake_host_slab(const void *ptr, struct prof_slab *out)
{
	*out = fake_slab;
	return fake_slab.nregs > 0;
}

static inline size_t
fake_host_class_size(unsigned sizeclass)
{
	return (size_t)sizeclass * 16;
}

static inline struct prof_thread *
fake_host_guard_enter(void)
{
	fake_thread.guard++;
	return &fake_thread;
}

static inline void
fake_host_guard_leave(void)
{
	fake_thread.guard--;
}

static inline struct prof_thread *
fake_host_thread_self(void)
{
	return &fake_thread;
}

static inline void
fake_host_redraw(void)
{
	__atomic_add_fetch(&fake_redraws, 1, __ATOMIC_RELAXED);
}

static const struct prof_host fake_host = {
	.totals = fake_host_totals,
	.slab = fake_host_slab,
	.class_size = fake_host_class_size,
	.guard_enter = fake_host_guard_enter,
	.guard_leave = fake_host_guard_leave,
	.thread_self = fake_host_thread_self,
	.redraw = fake_host_redraw,
	.version = "0.0.0",
};

#endif
