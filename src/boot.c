/*
 * boot.c - the library's start and end; see boot.h.
 */
#include "boot.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "arena.h"
#include "background.h"
#include "conf.h"
#include "deepbind.h"
#include "env.h"
#include "event.h"
#include "foreign.h"
#include "fork.h"
#include "message.h"
#include "names.h"
#include "narenas.h"
#include "options.h"
#include "os.h"
#include "pages_hooks.h"
#include "pool.h"
#include "prof.h"
#include "stats.h"
#include "tcache.h"
#include "thread.h"

_Atomic bool boot_is_done;
static struct lock boot_lock = LOCK_INITIALIZER(RANK_INIT, "init");

/* --- what the profiler may ask -------------------------------------------- */

static void
host_totals(struct prof_totals *out)
{
	struct arena_totals arenas;
	struct thread_totals threads;

	arena_totals(&arenas);
	thread_totals(&threads);
	*out = (struct prof_totals){
		.live = threads.allocated - threads.deallocated,
		.allocated = arenas.allocated,
		.active = arenas.active,
		.resident = arenas.resident,
		.mapped = arenas.mapped,
		.retained = arenas.retained,
		.metadata = arenas.metadata,
		.tcache_bytes = threads.tcache_bytes,
		.dirty = arenas.dirty,
		.muzzy = arenas.muzzy,
		.tcache_pinned = threads.tcache_pinned,
		.thread_allocated = threads.allocated,
		.thread_deallocated = threads.deallocated,
	};
}

static size_t
host_pools(struct prof_pool *out, size_t max)
{
	size_t n = 0;

	for (unsigned i = 0; i < pools_count() && n < max; i++)
		if (pool_glance(i, &out[n].arena, &out[n].generation))
			n++;
	return n;
}

static bool
host_slab(const void *ptr, struct prof_slab *out)
{
	struct arena_slab info;

	if (!arena_slab_info(ptr, &info))
		return false;
	*out = (struct prof_slab){ .nregs_used = info.nregs_used,
	    .nregs = info.nregs, .free_bytes = info.free_bytes };
	return true;
}

static size_t
host_class_size(unsigned sizeclass)
{
	return sizeclass < SC_COUNT ? sc_size(sizeclass) : 0;
}

static const struct prof_host host = {
	.totals = host_totals,
	.pools = host_pools,
	.slab = host_slab,
	.class_size = host_class_size,
	.guard_enter = thread_guard_enter,
	.guard_leave = thread_guard_leave,
	.thread_self = thread_prof_self,
	.redraw = event_redraw_all,
	.stats = stats_json,
	.advance = pool_advance_worker,
	.version = STRATA_VERSION,
};

/* --- start ---------------------------------------------------------------- */

/* jemalloc's words: they are looked for where programs run emulated. */
static void
probe_madvise(void)
{
	if (opt.trust_madvise || os_purge_probe())
		return;
	message("MADV_DONTNEED does not work (mmap will be used instead)");
	message("(This is the expected behaviour if you are running under "
	    "QEMU)");
}

static int
boot_locked(void)
{
	int error;

	os_init();
	conf_boot();
	narenas_boot();
	probe_madvise();
	base_thp_set(&base_meta, opt.metadata_thp);
	if (opt.debug_page_size > os_page)
		os_page_simulate(opt.debug_page_size);
	lock_max_spin = opt.mutex_max_spin < 0 ? 0 :
	    (unsigned)opt.mutex_max_spin;
	sc_boot();
	slab_boot();
	decay_boot();
	error = arenas_boot();
	if (error != 0)
		return error;
	tcache_boot();
	thread_boot();
	pages_hooks_guard(thread_hook_enter, thread_hook_leave);
	pool_boot(opt.default_pool);
	if (CONFIG_PROF)
		error = prof_boot(&conf_prof, &host);
	return error;
}

int
boot(void)
{
	int error = 0;

	lock_acquire(&boot_lock);
	if (!atomic_load_explicit(&boot_is_done, memory_order_relaxed)) {
		error = boot_locked();
		/* Release: pairs with boot_done(). */
		if (error == 0)
			atomic_store_explicit(&boot_is_done, true,
			    memory_order_release);
	}
	lock_release(&boot_lock);
	return error;
}

static void
start_profiler(void)
{
	struct thread *thread;

	if (!CONFIG_PROF || !prof_enabled())
		return;
	/*
	 * The thread comes first: without one there is no guard, and opening
	 * libunwind would allocate among the program's blocks.
	 */
	thread = thread_get();
	if (prof_start() != 0)
		return;
	/* This thread samples from here on, not from its next event. */
	if (thread != NULL)
		event_redraw(thread);
}

/* 101: the first that a library may have. */
__attribute__((constructor(101))) static void
library_start(void)
{
	if (boot() != 0)
		return;
	env_leave_children();
	fork_boot();
	foreign_boot();
	deepbind_boot();
	start_profiler();
	background_boot();
}

__attribute__((destructor(101))) static void
library_end(void)
{
	bool leaks = false;

	if (!boot_done())
		return;
	if (CONFIG_PROF && prof_enabled())
		leaks = prof_exit();
	if (opt.stats_print)
		stats_exit();
	if (leaks) {
		/* exit() would do this after us. */
		fflush(NULL);
		_exit(1);
	}
}
