/*
 * thread.c - the threads' state: made at the first slow path, ended by a TSD
 * destructor, counted in totals; see thread.h.
 */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base.h"
#include "event.h"
#include "misuse.h"
#include "options.h"
#include "os.h"
#include "tcache_rest.h"

/*
 * What TLS points to outside a thread's life. countdown 0 and empty bins make
 * every fast path fail before it writes.
 */
static const struct thread thread_before = {
	.cache = (struct tcache *)(uintptr_t)&tcache_none,
};
static const struct thread thread_after = {
	.cache = (struct tcache *)(uintptr_t)&tcache_none,
};

__thread struct thread_tls thread_tls = {
	(struct thread *)(uintptr_t)&thread_before,
	(struct tcache *)(uintptr_t)&tcache_none,
	0,
};

/* A flush of all batches is some hundred microseconds, and seldom. */
enum { SETTLE_NS = 50 * 1000 };

static struct lock threads_lock = LOCK_INITIALIZER(RANK_THREADS, "threads");
/* threads_lock: */
static struct list threads = LIST_INITIALIZER(threads);
static struct list spare = LIST_INITIALIZER(spare);	/* ended, for reuse */
static uint64_t dead_allocated, dead_deallocated;
static size_t nthreads;
/* atomic: what tasks without a struct thread did */
static _Atomic uint64_t orphan_allocated, orphan_deallocated;
/* constant after thread_boot: */
static pthread_key_t thread_key;
static bool thread_key_made;

/*
 * glibc runs four rounds of destructors; others' may allocate in all. A thread
 * whose first call comes from one in the first round is met in three of them.
 */
#ifdef __SANITIZE_THREAD__
enum { DESTRUCTOR_ROUNDS = 2 };		/* in the fourth it takes its leave */
#else
enum { DESTRUCTOR_ROUNDS = 3 };
#endif

/* Contents are filled, or frees are checked: constant after thread_boot. */
static bool fast_paths_off;

static void thread_end(void *arg);

void
thread_boot(void)
{
	thread_key_made = pthread_key_create(&thread_key, thread_end) == 0;
	fast_paths_off = misuse_wanted() || opt.zero || opt.junk_alloc ||
	    opt.junk_free;
}

static struct tcache *
no_cache(void)
{
	return (struct tcache *)(uintptr_t)&tcache_none;
}

/* What the fast paths see follows from the cache, the guard, the options. */
static void
use_cache(struct thread *thread, struct tcache *cache)
{
	thread->cache = cache;
	thread_tls.cache = thread->prof.guard > 0 || fast_paths_off ?
	    no_cache() : cache;
}

/* A struct from the spare list, or a new one; its stacks stay with it. */
static struct thread *
thread_take(void)
{
	struct thread *thread = NULL;

	lock_acquire(&threads_lock);
	if (!list_empty(&spare)) {
		thread = list_first(&spare, struct thread, link);
		list_remove(&thread->link);
	}
	lock_release(&threads_lock);
	if (thread == NULL) {
		thread = base_alloc(&base_meta, sizeof *thread, CACHELINE);
		if (thread == NULL)
			return NULL;
		batch_init(&thread->batch);
		list_init(&thread->link);
	}
	return thread;
}

static void
thread_enlist(struct thread *thread)
{
	lock_acquire(&threads_lock);
	list_push_back(&threads, &thread->link);
	nthreads++;
	lock_release(&threads_lock);
}

static void
thread_give_back(struct thread *thread)
{
	lock_acquire(&threads_lock);
	list_push_front(&spare, &thread->link);
	lock_release(&threads_lock);
}

static struct arena *
first_home(void)
{
	struct arena *arena = pool_default_arena();

	if (arena == NULL)
		return arena_choose();
	arena_join(arena);
	return arena;
}

/*
 * The state is complete before TLS points to it, and TLS points to it before
 * the key is set: pthread_setspecific may call calloc.
 */
static struct thread *
thread_start(void)
{
	struct thread *thread = thread_take();

	if (thread == NULL)
		return NULL;
	thread->arena = thread->home = first_home();
	if (thread->arena == NULL) {
		thread_give_back(thread);
		return NULL;
	}
	tcache_init(&thread->own_cache, thread->arena);
	thread->live = true;
	thread->destructor_rounds = 0;
	thread->exact = false;
	thread->tcache_enabled = opt.tcache;
	thread->prof.guard = 0;
	atomic_store_explicit(&thread->deallocated, 0, memory_order_relaxed);
	if (CONFIG_PROF)
		prof_thread_init(&thread->prof);
	event_thread_init(thread);
	thread_enlist(thread);
	thread_tls.self = thread;
	use_cache(thread, opt.tcache ? &thread->own_cache : no_cache());
	if (thread_key_made)
		(void)pthread_setspecific(thread_key, thread);
	return thread;
}

struct thread *
thread_get(void)
{
	struct thread *thread = thread_tls.self;

	if (likely(thread->live))
		return thread;
	if (thread == &thread_after)
		return NULL;
	return thread_start();
}

static void
thread_retire(struct thread *thread)
{
	batch_flush(&thread->batch);
	pool_thread_end(thread);
	tcache_flush_all(&thread->own_cache);
	arena_leave(thread->home);
	if (CONFIG_PROF)
		prof_thread_exit(&thread->prof);
	lock_acquire(&threads_lock);
	dead_allocated += thread_allocated(thread);
	dead_deallocated += thread->deallocated;
	list_remove(&thread->link);
	thread->live = false;
	nthreads--;
	list_push_front(&spare, &thread->link);
	lock_release(&threads_lock);
}

/* The key's destructor. Runs in a late round, to come after the others. */
static void
thread_end(void *arg)
{
	struct thread *thread = arg;

	if (++thread->destructor_rounds < DESTRUCTOR_ROUNDS &&
	    pthread_setspecific(thread_key, thread) == 0)
		return;
	/* From here on this thread is served without a cache. */
	thread_tls.cache = no_cache();
	thread_tls.self = (struct thread *)(uintptr_t)&thread_after;
	thread_retire(thread);
}

/* --- the guard ------------------------------------------------------------ */

struct prof_thread *
thread_guard_enter(void)
{
	struct thread *thread = thread_tls.self;

	if (!thread->live)
		return NULL;
	if (thread->prof.guard++ == 0)
		thread_tls.cache = no_cache();
	return &thread->prof;
}

void
thread_guard_leave(void)
{
	struct thread *thread = thread_tls.self;

	if (!thread->live)
		return;
	assert(thread->prof.guard > 0);
	if (--thread->prof.guard == 0)
		use_cache(thread, thread->cache);
}

/* A thread without a state, a purging one perhaps, gets it now. */
bool
thread_hook_enter(void)
{
	if (thread_get() != NULL && thread_guard_enter() != NULL)
		return true;
	thread_tls.hooks++;
	return false;
}

void
thread_hook_leave(bool entered)
{
	if (entered)
		thread_guard_leave();
	else
		thread_tls.hooks--;
}

struct prof_thread *
thread_prof_self(void)
{
	struct thread *thread = thread_tls.self;

	return thread->live ? &thread->prof : NULL;
}

/* --- the cache and the arena ---------------------------------------------- */

void
thread_use(struct thread *thread, struct arena *arena, struct tcache *cache)
{
	thread->arena = arena;
	use_cache(thread, cache != NULL && thread->tcache_enabled ? cache :
	    no_cache());
}

void
thread_tcache_flush(struct thread *thread)
{
	tcache_flush_all(&thread->own_cache);
	pool_flush(thread);
	batch_flush(&thread->batch);
}

void
thread_tcache_enable(struct thread *thread, bool enable)
{
	if (!enable)
		thread_tcache_flush(thread);
	thread->tcache_enabled = enable;
	pool_settle(thread);
}

static void
change_arena(struct thread *thread, struct arena *arena)
{
	struct arena *old = thread->home;

	arena_join(arena);
	if (arena_domain(arena) != arena_domain(old))
		tcache_rebind(&thread->own_cache, arena);
	else
		tcache_use_arena(&thread->own_cache, arena);
	thread->home = arena;
	if (thread->pool.depth == 0)
		thread->arena = arena;
	/* Last: without threads it may be destroyed. */
	arena_leave(old);
}

void
thread_move(struct thread *thread)
{
	struct arena *arena = arena_here();

	if (arena != NULL && arena != thread->arena)
		change_arena(thread, arena);
}

void
thread_rotate(struct thread *thread)
{
	struct arena *arena = pool_default_arena();

	if (arena != NULL && unlikely(arena != thread->home))
		change_arena(thread, arena);
}

/* Into the default pool, by any of its arenas: the one it had before. */
static int
join_default(struct thread *thread, const struct arena *arena)
{
	if (!pool_default_has(arena))
		return EPERM;
	change_arena(thread, pool_default_arena());
	return 0;
}

int
thread_arena_set(struct thread *thread, unsigned index)
{
	struct arena *arena = arena_program(index);

	if (arena == NULL)
		return EFAULT;
	if (arena == thread->home)
		return 0;
	if (arena_is_cpus(arena))
		return EPERM;
	if (arena_of_pool(arena))
		return join_default(thread, arena);
	change_arena(thread, arena);
	return 0;
}

/* --- frees of other domains ----------------------------------------------- */

/* The first, which then goes to the end of the list. NULL: there is none. */
static struct thread *
next_thread(void)
{
	struct thread *thread = NULL;

	lock_acquire(&threads_lock);
	if (!list_empty(&threads)) {
		thread = list_first(&threads, struct thread, link);
		list_remove(&thread->link);
		list_push_back(&threads, &thread->link);
	}
	lock_release(&threads_lock);
	return thread;
}

/* atomic: calls of thread_batch_flush_all that are under way */
static _Atomic unsigned stealing;

/*
 * What is given back may be the business of hooks: not under a lock. A thread
 * that ends meanwhile leaves its struct, and an empty batch, to another.
 */
void
thread_batch_flush_all(void)
{
	size_t rounds;

	/* Before the heads are moved, whose release an owner acquires. */
	atomic_fetch_add_explicit(&stealing, 1, memory_order_relaxed);
	lock_acquire(&threads_lock);
	rounds = nthreads;
	lock_release(&threads_lock);
	for (; rounds > 0; rounds--) {
		struct thread *thread = next_thread();

		if (thread != NULL)
			batch_steal(&thread->batch);
	}
	/* Release: pairs with the acquire in thread_batch_settle. */
	atomic_fetch_sub_explicit(&stealing, 1, memory_order_release);
}

/* In a hook it may be our own flush that is under way: no waiting then. */
void
thread_batch_settle(void)
{
	bool hook = thread_tls.self->prof.guard > 0 || thread_tls.hooks > 0;

	thread_batch_flush_all();
	/* Acquire: pairs with the release in thread_batch_flush_all. */
	while (!hook && atomic_load_explicit(&stealing,
	    memory_order_acquire) > 0)
		os_sleep_ns(SETTLE_NS);
}

/* --- totals --------------------------------------------------------------- */

/* target and countdown belong together: read both between two equal,
 * even event_seq (pairs with the stores in event.c). */
static uint64_t
allocated_of(const struct thread *thread)
{
	for (;;) {
		uint32_t seq = atomic_load_explicit(&thread->event_seq,
		    memory_order_acquire);
		uint64_t allocated = thread_allocated(thread);

		atomic_thread_fence(memory_order_acquire);
		if ((seq & 1) == 0 && seq == atomic_load_explicit(
		    &thread->event_seq, memory_order_relaxed))
			return allocated;
	}
}

void
threads_visit(void (*visit)(struct thread *thread, void *arg), void *arg)
{
	struct list *node;

	lock_acquire(&threads_lock);
	list_for_each(node, &threads)
		visit(list_entry(node, struct thread, link), arg);
	lock_release(&threads_lock);
}

void
thread_totals(struct thread_totals *out)
{
	struct list *node;

	*out = (struct thread_totals){ 0 };
	out->allocated = atomic_load_explicit(&orphan_allocated,
	    memory_order_relaxed);
	out->deallocated = atomic_load_explicit(&orphan_deallocated,
	    memory_order_relaxed) + arena_dropped_bytes();
	lock_acquire(&threads_lock);
	out->allocated += dead_allocated;
	out->deallocated += dead_deallocated;
	out->nthreads = nthreads;
	list_for_each(node, &threads) {
		struct thread *thread = list_entry(node, struct thread, link);

		out->deallocated += atomic_load_explicit(&thread->deallocated,
		    memory_order_relaxed);
		out->allocated += allocated_of(thread);
		out->tcache_bytes += tcache_bytes(&thread->own_cache) +
		    batch_bytes(&thread->batch);
		out->tcache_pinned += tcache_pinned(&thread->own_cache);
	}
	lock_release(&threads_lock);
	pool_caches_sum(NULL, &out->tcache_bytes, &out->tcache_pinned);
	tcaches_sum(NULL, &out->tcache_bytes, &out->tcache_pinned);
}

size_t
thread_tcache_bytes_of(const struct arena *arena)
{
	struct list *node;
	uint64_t sum = 0;

	lock_acquire(&threads_lock);
	list_for_each(node, &threads) {
		struct thread *thread = list_entry(node, struct thread, link);

		if (__atomic_load_n(&thread->own_cache.arena,
		    __ATOMIC_RELAXED) == arena)
			sum += tcache_bytes(&thread->own_cache);
	}
	lock_release(&threads_lock);
	pool_caches_sum(arena, &sum, NULL);
	tcaches_sum(arena, &sum, NULL);
	return sum;
}

void
thread_orphan_alloc(size_t usable)
{
	atomic_fetch_add_explicit(&orphan_allocated, usable,
	    memory_order_relaxed);
}

void
thread_orphan_free(size_t usable)
{
	atomic_fetch_add_explicit(&orphan_deallocated, usable,
	    memory_order_relaxed);
}

/* --- fork ----------------------------------------------------------------- */

void
thread_fork_prepare(void)
{
	lock_acquire(&threads_lock);
}

void
thread_fork_parent(void)
{
	lock_release(&threads_lock);
}

/*
 * The other threads are gone: what they counted stays in the totals, what
 * their caches and batches hold is lost to the child, as with any allocator
 * that caches.
 */
void
thread_fork_child(void)
{
	struct list *node, *after;
	struct thread *self = thread_tls.self;

	list_for_each_safe(node, after, &threads) {
		struct thread *thread = list_entry(node, struct thread, link);

		if (thread == self)
			continue;
		dead_allocated += thread_allocated(thread);
		dead_deallocated += thread->deallocated;
		list_remove(&thread->link);
		thread->live = false;
		nthreads--;
		tcache_abandon(&thread->own_cache);
		pool_thread_forget(thread);
	}
	/* Some were about to join an arena, or had, or were between two. */
	arenas_forget_threads();
	if (self->live) {
		arena_join(self->home);
		tcache_fork_child(&self->own_cache);
	}
	/* Nor does anybody flush; a hook that forks goes on in its own. */
	if (self->prof.guard == 0 && thread_tls.hooks == 0)
		atomic_store_explicit(&stealing, 0, memory_order_relaxed);
	lock_reinit_child(&threads_lock);
}
