/*
 * background.c - the threads that purge.
 *
 *   off --background_set(true)--> running --fork--> (child) wanted, none yet
 *    ^                              |                          |
 *    +-----background_set(false)----+                          |
 *                                   ^--next event of a thread--+
 *
 * A thread sleeps until some arena's decay has come a few steps further; where
 * nothing decays it is woken by the thread that frees the next pages. Then it
 * counts them from that moment on: were it to find them later, they would be
 * given back later. It waits on wake, a futex word that this and stopping
 * change. It calls nothing but decay, so it never allocates; what making it
 * allocates comes from the internal arena, so that blocks lie where they would
 * without it.
 *
 * Locks: background_lock (RANK_BACKGROUND) around starting and stopping. The
 *   threads themselves do not take it.
 * Signals: all are blocked in the threads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "arena.h"
#include "background.h"
#include "lock.h"
#include "options.h"
#include "os.h"
#include "thread.h"

enum {
	BACKGROUND_MAX = 64,		/* threads; more than arenas need */
	SLEEP_MIN_NS = 5 * 1000 * 1000,	/* for decays below a second */
};
/* In case a wake-up was missed, see pages_watch. */
#define SLEEP_MAX_NS	((uint64_t)10 * 1000 * 1000 * 1000)

struct background_thread {
	pthread_t id;
	unsigned number;
	uint32_t life;			/* lives' value while it is to run */
};

static struct lock background_lock = LOCK_INITIALIZER(RANK_BACKGROUND,
    "background_thread");
/* background_lock: */
static struct background_thread threads[BACKGROUND_MAX];
static size_t threads_max;		/* 0: opt.max_background_threads */
/* atomic: */
static _Atomic bool wanted;		/* what was asked for */
static _Atomic bool running;
static _Atomic uint32_t lives;		/* changes to stop the threads */
static _Atomic uint32_t wake;		/* changes to wake them */
static _Atomic unsigned nthreads;
static _Atomic uint64_t runs, slept_ns;

static void
background_sleep(uint32_t word, uint64_t deadline)
{
	uint64_t now = os_now_ns();
	uint64_t ns = deadline > now ? deadline - now : 0;

	if (ns < SLEEP_MIN_NS)
		ns = SLEEP_MIN_NS;
	if (ns > SLEEP_MAX_NS)
		ns = SLEEP_MAX_NS;
	os_futex_wait(&wake, word, ns);
	atomic_fetch_add_explicit(&slept_ns, os_now_ns() - now,
	    memory_order_relaxed);
}

/* One round over the arenas of thread number of n; when the next is due. */
static uint64_t
background_round(unsigned number, unsigned n)
{
	uint64_t next = UINT64_MAX;

	for (unsigned i = number; i < arenas_count(); i += n) {
		struct arena *arena = arena_get(i, false);
		uint64_t deadline;

		if (arena == NULL)
			continue;
		arena_decay_tick(arena, os_now_ns());
		deadline = arena_decay_watch(arena);
		if (deadline < next)
			next = deadline;
	}
	atomic_fetch_add_explicit(&runs, 1, memory_order_relaxed);
	return next;
}

static void *
background_main(void *arg)
{
	struct background_thread *self = arg;
	unsigned n = atomic_load_explicit(&nthreads, memory_order_relaxed);

	for (;;) {
		/* Acquire: pairs with the releases in background_wake. */
		uint32_t word = atomic_load_explicit(&wake,
		    memory_order_acquire);

		if (atomic_load_explicit(&lives, memory_order_relaxed) !=
		    self->life)
			return NULL;
		background_sleep(word, background_round(self->number, n));
	}
}

static void
background_wake(void)
{
	atomic_fetch_add_explicit(&wake, 1, memory_order_release);
	os_futex_wake(&wake, BACKGROUND_MAX);
}

static unsigned
background_count_locked(void)
{
	size_t n = threads_max != 0 ? threads_max : opt.max_background_threads;

	if (n > os_ncpus())
		n = os_ncpus();
	if (n > arenas_nauto)
		n = arenas_nauto;
	return n > BACKGROUND_MAX ? BACKGROUND_MAX : (unsigned)n;
}

static void
background_stop_locked(void)
{
	unsigned n = atomic_load_explicit(&nthreads, memory_order_relaxed);
	bool entered;

	atomic_store_explicit(&running, false, memory_order_relaxed);
	pages_awake = NULL;
	atomic_fetch_add_explicit(&lives, 1, memory_order_relaxed);
	background_wake();
	entered = thread_hook_enter();
	for (unsigned i = 0; i < n; i++)
		pthread_join(threads[i].id, NULL);
	thread_hook_leave(entered);
	atomic_store_explicit(&nthreads, 0, memory_order_relaxed);
}

/*
 * Each is told its life: one that starts after they were stopped again must
 * not take the new one for its own. If one cannot be made all are stopped.
 */
static int
background_start_locked(void)
{
	unsigned n = background_count_locked(), made = 0;
	uint32_t life = atomic_load_explicit(&lives, memory_order_relaxed);
	sigset_t all, old;
	bool entered;
	int error = 0;

	atomic_store_explicit(&nthreads, n, memory_order_relaxed);
	sigfillset(&all);
	entered = thread_hook_enter();
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (; made < n && error == 0; made += error == 0) {
		threads[made].number = made;
		threads[made].life = life;
		error = pthread_create(&threads[made].id, NULL,
		    background_main, &threads[made]);
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	thread_hook_leave(entered);
	if (error != 0) {
		atomic_store_explicit(&nthreads, made, memory_order_relaxed);
		background_stop_locked();
		return error;
	}
	pages_awake = background_wake;
	atomic_store_explicit(&running, true, memory_order_relaxed);
	return 0;
}

int
background_set(bool enabled)
{
	int error = 0;

	lock_acquire(&background_lock);
	atomic_store_explicit(&wanted, enabled, memory_order_relaxed);
	if (enabled && !atomic_load_explicit(&running, memory_order_relaxed))
		error = background_start_locked();
	else if (!enabled &&
	    atomic_load_explicit(&running, memory_order_relaxed))
		background_stop_locked();
	if (error != 0)
		atomic_store_explicit(&wanted, false, memory_order_relaxed);
	lock_release(&background_lock);
	return error;
}

/* A child of a fork starts them again, unless they were ended meanwhile. */
static void
background_resume(void)
{
	lock_acquire(&background_lock);
	if (atomic_load_explicit(&wanted, memory_order_relaxed) &&
	    !atomic_load_explicit(&running, memory_order_relaxed) &&
	    background_start_locked() != 0)
		atomic_store_explicit(&wanted, false, memory_order_relaxed);
	lock_release(&background_lock);
}

bool
background_enabled(void)
{
	if (likely(!atomic_load_explicit(&wanted, memory_order_relaxed)))
		return false;
	if (unlikely(!atomic_load_explicit(&running, memory_order_relaxed)))
		background_resume();
	return atomic_load_explicit(&wanted, memory_order_relaxed);
}

size_t
background_max_get(void)
{
	size_t max;

	lock_acquire(&background_lock);
	max = threads_max != 0 ? threads_max : opt.max_background_threads;
	lock_release(&background_lock);
	return max;
}

int
background_max_set(size_t max)
{
	int error = 0;

	if (max == 0 || max > opt.max_background_threads)
		return EINVAL;
	lock_acquire(&background_lock);
	threads_max = max;
	if (atomic_load_explicit(&running, memory_order_relaxed)) {
		background_stop_locked();
		error = background_start_locked();
	}
	lock_release(&background_lock);
	return error == 0 ? 0 : EFAULT;
}

void
background_stats_get(struct background_stats *out)
{
	uint64_t n = atomic_load_explicit(&runs, memory_order_relaxed);

	out->num_threads = atomic_load_explicit(&nthreads,
	    memory_order_relaxed);
	out->num_runs = n;
	out->run_interval = n == 0 ? 0 : atomic_load_explicit(&slept_ns,
	    memory_order_relaxed) / n;
}

void
background_lock_stats(struct lock_stats *out)
{
	lock_stats_read(&background_lock, out);
}

void
background_lock_reset(void)
{
	lock_stats_reset(&background_lock);
}

void
background_boot(void)
{
	if (opt.background_thread)
		(void)background_set(true);
}

void
background_fork_prepare(void)
{
	lock_acquire(&background_lock);
}

void
background_fork_parent(void)
{
	lock_release(&background_lock);
}

void
background_fork_child(void)
{
	lock_reinit_child(&background_lock);
	pages_awake = NULL;
	atomic_store_explicit(&running, false, memory_order_relaxed);
	atomic_store_explicit(&nthreads, 0, memory_order_relaxed);
}
