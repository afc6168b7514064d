/*
 * fork.c - the handlers that fork runs.
 *
 *   prepare   mallctl's, background's, the profiler's, the threads', then
 *             the allocator's locks: the order of enum lock_rank
 *   parent    releases them in the opposite order
 *   child     makes them free, forgets the threads that are gone
 *
 * The child has one thread and the parent's memory; the counters of what the
 * other threads allocated are kept, since their blocks are still there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "arena.h"
#include "background.h"
#include "mallctl.h"
#include "fork.h"
#include "pool.h"
#include "pool_rest.h"
#include "prof.h"
#include "thread.h"

void
fork_prepare(void)
{
	ctl_fork_prepare();
	background_fork_prepare();
	if (CONFIG_PROF)
		prof_fork_prepare();
	pool_fork_prepare();
	thread_fork_prepare();
	tcaches_fork_prepare();
	arenas_fork_prepare();
}

void
fork_parent(void)
{
	arenas_fork_parent();
	tcaches_fork_parent();
	thread_fork_parent();
	pool_fork_parent();
	if (CONFIG_PROF)
		prof_fork_parent();
	background_fork_parent();
	ctl_fork_parent();
}

void
fork_child(void)
{
	arenas_fork_child();
	tcaches_fork_child();
	thread_fork_child();
	pool_fork_child(thread_self());
	if (CONFIG_PROF)
		prof_fork_child();
	pool_rest_fork_child();
	background_fork_child();
	ctl_fork_child();
}

void
fork_boot(void)
{
	static _Atomic bool called;

	/* Before the call: it comes by atfork.c itself. */
	if (!atomic_exchange(&called, true))
		(void)pthread_atfork(fork_prepare, fork_parent, fork_child);
}
