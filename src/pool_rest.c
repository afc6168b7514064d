/*
 * pool_rest.c - what a reload leaves unused goes back when the program rests;
 * see pool_rest.h.
 *
 *   no thread --rotation--> a thread looks, every quarter of a rest's time
 *     ^  ^                     |
 *     |  +---nothing is left---+
 *     +------fork (child)------+
 *
 * It ends, rather than to wait for a rotation: it must not keep a process
 * alive whose other threads have ended.
 *
 * Locks: none of its own; looking says whether there is a thread.
 * Signals: all are blocked in the thread. It purges and faults pages in, so it
 *   never allocates; what making it allocates comes from the internal arena.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "arena.h"
#include "options.h"
#include "os.h"
#include "pages_ahead.h"
#include "pool_rest.h"
#include "pool_scope.h"
#include "tcache_rest.h"
#include "thread.h"

enum {
	LOOKS = 4,			/* a rest is seen late by a quarter */
	LOOK_MIN_NS = 5 * 1000 * 1000,	/* however short it is */
	/*
	 * Who sets a longer rest, to be left alone between two bursts, does not
	 * ask for two generations in RSS all that time.
	 */
	FOLLOW_MAX_NS = 250 * 1000 * 1000,
	AHEAD_NS = 50 * 1000,		/* in which 200 KiB are built */
	AHEAD_MAX_NS = 5 * 1000 * 1000,	/* and for a slow build */
	MARKED_MAX = 64			/* caches at once: a small frame */
};

/* Sequentially consistent, see rest_main: */
static _Atomic bool looking;		/* there is a thread */
static _Atomic uint32_t rotations;	/* changes with each; a futex */

static uint64_t
rest_ns(void)
{
	return (uint64_t)opt.pool_rest_ms * 1000000;
}

/* What is never to decay stays; retiring an arena asks for its pages. */
static bool
may_purge(struct pages *pages)
{
	return pages_retired(pages) ||
	    (pages_decay_ms_get(pages, EXTENT_DIRTY) != DECAY_NEVER &&
	    pages_decay_ms_get(pages, EXTENT_MUZZY) != DECAY_NEVER);
}

/*
 * Whether it was used since the last look. That strays are freed of a retired
 * arena, few at a time, is no use; that it is torn down is one.
 */
static bool
note_use(struct pages *pages, uint64_t now)
{
	if (!atomic_load_explicit(&pages->used, memory_order_relaxed))
		return false;
	atomic_store_explicit(&pages->used, false, memory_order_relaxed);
	if (pages_retired(pages) && !pages_torn_down(pages))
		return false;
	pages->used_ns = now;
	return true;
}

/* Whether there was anything to give back, now or later. */
static bool
purge_at_rest(struct pages *pages, uint64_t now)
{
	if (ecache_bytes(&pages->caches[EXTENT_DIRTY]) == 0 &&
	    ecache_bytes(&pages->caches[EXTENT_MUZZY]) == 0 &&
	    !extent_store_idle(&pages->store))
		return false;
	if (now - pages->used_ns >= rest_ns()) {
		pages_purge(pages);
		extent_store_trim(&pages->store);
	}
	return true;
}

struct look {
	uint64_t now;
	bool hooked;			/* some arena has hooks */
	enum pages_ahead ahead;
	bool again;			/* another may find something */
};

struct rest_round {
	struct look *look;
	unsigned n;
	struct tcache *marked[MARKED_MAX];
	struct list parked;		/* caches of pools */
};

static void
each_arena(struct look *look, void (*op)(struct look *look,
    struct arena *arena))
{
	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = arena_get(i, false);

		if (arena != NULL)
			op(look, arena);
	}
}

static void
note_pages(struct look *look, struct pages *pages)
{
	bool used = note_use(pages, look->now);

	look->again |= used && may_purge(pages);
	look->hooked |= pages_hooks(pages) != NULL;
	if (!pages_expects(pages))
		return;
	look->again = true;
	if (look->now - pages->used_ns >= rest_ns())
		pages_expect(pages, 0);
}

/*
 * What the caches have given back was no use of the program's. A rotation
 * meanwhile was: it leaves the arena to expect something.
 */
static void
purge_pages(struct look *look, struct pages *pages)
{
	uint64_t before = pages->used_ns;

	if (note_use(pages, look->now) && !pages_expects(pages))
		pages->used_ns = before;
	look->again |= may_purge(pages) && purge_at_rest(pages, look->now);
}

bool
pool_rest_look(struct pages *pages, uint64_t now)
{
	struct look look = { .now = now };

	note_pages(&look, pages);
	purge_pages(&look, pages);
	return look.again;
}

/* Whether slabs were used since they were looked at last. */
static bool
bins_changed(struct arena *arena)
{
	uint64_t use = arena_bins_use(arena);

	if (use == arena->bins_use)
		return false;
	arena->bins_use = use;
	arena->untrimmed = true;
	return true;
}

/* A few blocks in a slab of seven pages: most of these hold nothing. */
static bool
trim_at_rest(struct arena *arena, uint64_t now)
{
	/* By what the caches have given back, which was no use. */
	(void)bins_changed(arena);
	if (!arena->untrimmed)
		return false;
	if (now - arena->bins_used_ns >= rest_ns()) {
		arena->untrimmed = false;
		arena_trim(arena);
	}
	return true;
}

static void
note_arena(struct look *look, struct arena *arena)
{
	note_pages(look, &arena->pages);
	if (bins_changed(arena))
		arena->bins_used_ns = look->now;
}

static void
purge_arena(struct look *look, struct arena *arena)
{
	purge_pages(look, &arena->pages);
	pages_hookless_begin();
	look->again |= pages_hooks(&arena->pages) == NULL &&
	    may_purge(&arena->pages) && trim_at_rest(arena, look->now);
	pages_hookless_end();
}

/* With the list of threads locked: the cache does not end meanwhile. */
static void
look_at_cache(struct thread *thread, void *arg)
{
	struct rest_round *round = arg;
	bool marked;

	if (round->n == MARKED_MAX)
		return;
	round->look->again |= tcache_rest(&thread->own_cache,
	    round->look->now, rest_ns(), &marked);
	if (marked)
		round->marked[round->n++] = &thread->own_cache;
	round->look->again |= pool_caches_rest(thread, round->look->now,
	    rest_ns(), &round->parked);
}

/*
 * Not with the lock, for which starting threads and forks wait: an arena that
 * becomes empty may have much to give back. What has been taken from is not
 * marked again, so the next round is of others.
 */
static void
rest_caches(struct look *look)
{
	struct rest_round round = { .look = look };
	size_t taken;

	list_init(&round.parked);
	do {
		round.n = 0;
		taken = 0;
		threads_visit(look_at_cache, &round);
		for (unsigned i = 0; i < round.n; i++)
			taken += tcache_take(round.marked[i]);
		pool_caches_empty(&round.parked);
	} while (round.n == MARKED_MAX && taken > 0);
}

/* A hook, the program's, must not be called while a cache is claimed. */
static bool
look_at_all(void)
{
	struct look look = { .now = os_now_ns() };

	pages_hookless_begin();
	each_arena(&look, note_arena);
	if (!look.hooked)
		rest_caches(&look);
	pages_hookless_end();
	each_arena(&look, purge_arena);
	return look.again;
}

static void
ahead_of(struct look *look, struct arena *arena)
{
	enum pages_ahead ahead = pages_ahead(&arena->pages);

	if (ahead > look->ahead)
		look->ahead = ahead;
}

static enum pages_ahead
ahead_of_all(void)
{
	struct look look = { .ahead = AHEAD_NONE };

	each_arena(&look, ahead_of);
	return look.ahead;
}

/* Until a look is due: keeps ahead of builds, those that begin meanwhile too. */
static void
wait_ahead(uint64_t pause)
{
	uint64_t now = os_now_ns(), until = now + pause, wait = AHEAD_NS;
	uint32_t before;

	for (; now < until; now = os_now_ns()) {
		before = atomic_load(&rotations);
		switch (ahead_of_all()) {
		case AHEAD_NONE:
			os_futex_wait(&rotations, before, until - now);
			break;
		case AHEAD_WAIT:
			os_futex_wait(&rotations, before, wait);
			wait = wait < AHEAD_MAX_NS ? 2 * wait : wait;
			break;
		case AHEAD_DONE:
			wait = AHEAD_NS;
		}
	}
}

/*
 * Who frees leaves retired arenas to a thread that comes by soon. What it has
 * still left as this one stops, one look more sees.
 */
static void
look_until_rest(void)
{
	uint64_t pause = rest_ns() / LOOKS;

	if (pause < LOOK_MIN_NS)
		pause = LOOK_MIN_NS;
	do {
		atomic_store(&pages_followed, pause <= FOLLOW_MAX_NS);
		while (look_at_all())
			wait_ahead(pause);
		atomic_store(&pages_followed, false);
	} while (look_at_all());
}

/* false: another thread is looking. */
static bool
begin_looking(void)
{
	return !atomic_exchange(&looking, true);
}

/*
 * A rotation is counted, then looks whether there is a thread; here there is
 * said to be none, then the count is looked at. One of the two sees the other,
 * all being sequentially consistent: no rotation is without a thread.
 */
static void *
rest_main(void *arg)
{
	uint32_t before;

	do {
		before = atomic_load(&rotations);
		look_until_rest();
		atomic_store(&looking, false);
	} while (before != atomic_load(&rotations) && begin_looking());
	return NULL;
}

void
pool_rest_start(void)
{
	sigset_t all, old;
	bool entered;
	pthread_t id;

	if (opt.pool_rest_ms < 0)
		return;
	tcache_rest_want();
	atomic_fetch_add(&rotations, 1);
	os_futex_wake(&rotations, 1);
	if (!begin_looking())
		return;
	sigfillset(&all);
	entered = thread_hook_enter();
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&id, NULL, rest_main, NULL) == 0)
		pthread_detach(id);
	else
		atomic_store(&looking, false);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	thread_hook_leave(entered);
}

void
pool_rest_fork_child(void)
{
	atomic_store(&looking, false);
	atomic_store(&pages_followed, false);
}
