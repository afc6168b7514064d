/*
 * pool_scope.c - the scopes of threads in pools, and their caches: in use,
 * parked, or spare; see pool.h.
 */
#include "pool_scope.h"

#include <errno.h>

#include "base.h"
#include "tcache_rest.h"
#include "thread.h"

enum {
	/*
	 * A scope that allocated so much more than its cache holds gives it
	 * all back at leave: a sixteenth of the work again, for memory that
	 * would wait for the next configuration. Scopes of less than a
	 * megabyte, a request's perhaps, come again soon.
	 */
	FLUSH_SHARE = 16,
	FLUSH_LEAST = 1 << 20,
};

struct pool_cache {
	struct tcache cache;
	_Atomic(struct pool *) pool;	/* whoever has it out */
	struct list link;		/* pools_lock: spare, orphans */
	struct pool_cache *older;	/* constant: all that were made */
};

/* pools_lock: */
static struct list spare = LIST_INITIALIZER(spare);	/* all empty */
/* In a fork's child: of threads that are gone, with their blocks. */
static struct list orphans = LIST_INITIALIZER(orphans);
/* atomic; only grows: all caches ever made */
static _Atomic(struct pool_cache *) caches;

/* --- caches --------------------------------------------------------------- */

/* Relaxed: a rotation looks at caches that are in use meanwhile. */
static struct pool *
pool_of(const struct pool_cache *cache)
{
	return atomic_load_explicit(&cache->pool, memory_order_relaxed);
}

static void
set_pool(struct pool_cache *cache, struct pool *pool)
{
	atomic_store_explicit(&cache->pool, pool, memory_order_relaxed);
}

static void
put_spare(struct pool_cache *cache)
{
	lock_acquire(&pools_lock);
	list_push_front(&spare, &cache->link);
	lock_release(&pools_lock);
}

static void
empty_spare(struct pool_cache *cache)
{
	tcache_flush_all(&cache->cache);
	put_spare(cache);
}

static struct pool_cache *
make_cache(struct arena *arena)
{
	struct pool_cache *cache = base_alloc(&base_meta, sizeof *cache,
	    CACHELINE);

	if (cache == NULL)
		return NULL;
	tcache_init(&cache->cache, arena);
	list_init(&cache->link);
	cache->older = atomic_load_explicit(&caches, memory_order_relaxed);
	/* Release: pairs with the acquire in pool_caches_sum. */
	while (!atomic_compare_exchange_weak_explicit(&caches, &cache->older,
	    cache, memory_order_release, memory_order_relaxed))
		;
	return cache;
}

static void
bind(struct pool_cache *cache, struct arena *arena)
{
	if (cache->cache.arena != arena)
		tcache_rebind(&cache->cache, arena);
}

static struct pool_cache *
take_spare(struct arena *arena)
{
	struct pool_cache *cache = NULL;

	lock_acquire(&pools_lock);
	if (!list_empty(&spare)) {
		cache = list_first(&spare, struct pool_cache, link);
		list_remove(&cache->link);
	}
	lock_release(&pools_lock);
	if (cache == NULL)
		return make_cache(arena);
	tcache_rebind(&cache->cache, arena);
	return cache;
}

/* The slot for pool: its own, else a free one, else one whose turn it is. */
static unsigned
slot_of(struct pool_thread *of, const struct pool *pool)
{
	unsigned free = POOL_PARKED;

	for (unsigned i = 0; i < POOL_PARKED; i++) {
		if (of->parked_of[i] == pool)
			return i;
		if (free == POOL_PARKED && of->parked_of[i] == NULL)
			free = i;
	}
	return free < POOL_PARKED ? free : of->next_slot++ % POOL_PARKED;
}

static struct pool_cache *
unpark(struct pool_thread *of, unsigned slot)
{
	return atomic_exchange(&of->parked[slot], NULL);
}

/* The thread's cache for the pool, not bound yet; NULL: it has none. */
static struct pool_cache *
take_cache(struct thread *thread, struct pool *pool)
{
	struct pool_thread *of = &thread->pool;
	unsigned slot = slot_of(of, pool);
	struct pool_cache *cache = unpark(of, slot);

	if (cache != NULL && of->parked_of[slot] != pool) {
		empty_spare(cache);
		cache = NULL;
	}
	of->parked_of[slot] = pool;
	if (cache == NULL)
		cache = take_spare(pool_current(pool));
	if (cache != NULL)
		set_pool(cache, pool);
	return cache;
}

/*
 * A rotation makes another arena current, then looks into the slots; here the
 * cache is put into its slot, then the arena is looked at. One of the two
 * sees the other, both being sequentially consistent: no cache of an old
 * generation stays parked.
 */
static void
park(struct thread *thread, struct pool_cache *cache)
{
	struct pool *pool = pool_of(cache);
	unsigned slot = slot_of(&thread->pool, pool);
	struct pool_cache *other = unpark(&thread->pool, slot);

	if (other != NULL)
		empty_spare(other);
	thread->pool.parked_of[slot] = pool;
	for (;;) {
		struct arena *bound = cache->cache.arena, *current;

		atomic_store(&thread->pool.parked[slot], cache);
		if (bound == pool_current(pool))
			return;
		cache = unpark(&thread->pool, slot);
		if (cache == NULL)
			return;		/* the rotation has it */
		/* Read once: outside of scopes the pool may be destroyed. */
		current = pool_current(pool);
		if (current == NULL)
			break;
		bind(cache, current);
	}
	empty_spare(cache);
}

/* --- scopes --------------------------------------------------------------- */

static struct pool_scope *
top(struct thread *thread)
{
	return thread->pool.depth == 0 ? NULL :
	    &thread->pool.scopes[thread->pool.depth - 1];
}

void
pool_settle(struct thread *thread)
{
	struct pool_scope *scope = top(thread);
	struct arena *arena;

	if (scope == NULL) {
		thread_use(thread, thread->home, &thread->own_cache);
		return;
	}
	arena = pool_current(scope->pool);
	if (scope->cache != NULL)
		bind(scope->cache, arena);
	thread_use(thread, arena,
	    scope->cache == NULL ? NULL : &scope->cache->cache);
}

void
pool_follow(struct thread *thread)
{
	if (unlikely(pool_current(top(thread)->pool) != thread->arena))
		pool_settle(thread);
}

/* An outer scope of the same pool, with another in between. */
static struct pool_cache *
cache_of_outer(const struct pool_thread *of, const struct pool *pool)
{
	for (unsigned i = 0; i < of->depth; i++)
		if (of->scopes[i].pool == pool)
			return of->scopes[i].cache;
	return NULL;
}

/* false: destroyed. Acquire: pairs with the release in create_locked. */
static bool
begin_use(struct pool *pool)
{
	unsigned was = atomic_fetch_add_explicit(&pool->nscopes, 1,
	    memory_order_acquire);

	if ((was & POOL_DESTROYED) == 0)
		return true;
	atomic_fetch_sub_explicit(&pool->nscopes, 1, memory_order_relaxed);
	return false;
}

/* Release: pairs with the acquire in end_pool_locked. */
static void
end_use(struct pool *pool)
{
	atomic_fetch_sub_explicit(&pool->nscopes, 1, memory_order_release);
}

int
pool_enter(unsigned index)
{
	struct pool *pool = pool_get(index);
	struct pool_scope *scope;
	struct thread *thread;

	if (pool == NULL)
		return ENOENT;
	thread = thread_get();
	if (thread == NULL)
		return EAGAIN;
	scope = top(thread);
	if (scope != NULL && scope->pool == pool) {
		scope->entered++;
		pool_follow(thread);
		return 0;
	}
	if (thread->pool.depth == POOL_DEPTH)
		return EAGAIN;
	if (!begin_use(pool))
		return ENOENT;
	scope = &thread->pool.scopes[thread->pool.depth];
	*scope = (struct pool_scope){ .pool = pool, .entered = 1,
	    .since = thread_allocated(thread) };
	scope->cache = cache_of_outer(&thread->pool, pool);
	scope->borrowed = scope->cache != NULL;
	if (!scope->borrowed && thread->tcache_enabled)
		scope->cache = take_cache(thread, pool);
	thread->pool.depth++;
	pool_settle(thread);
	return 0;
}

static void
end_scope(struct thread *thread, struct pool_scope *scope)
{
	uint64_t made = thread_allocated(thread) - scope->since;

	if (scope->cache == NULL || scope->borrowed)
		return;
	if (made >= FLUSH_LEAST &&
	    made / FLUSH_SHARE >= tcache_bytes(&scope->cache->cache))
		tcache_flush_all(&scope->cache->cache);
	park(thread, scope->cache);
}

int
pool_leave(unsigned index)
{
	struct thread *thread = thread_self();
	struct pool_scope *scope = top(thread);
	struct pool *pool = pool_get(index);

	if (pool == NULL)
		return ENOENT;
	if (scope == NULL || scope->pool != pool)
		return EINVAL;
	if (--scope->entered > 0)
		return 0;
	thread->pool.depth--;
	pool_settle(thread);
	end_scope(thread, scope);
	end_use(pool);
	return 0;
}

int
pool_innermost(unsigned *index)
{
	struct pool_scope *scope = top(thread_self());

	if (scope == NULL)
		return ENOENT;
	*index = scope->pool->index;
	return 0;
}

/* Each parked cache in turn, taken out meanwhile. */
static void
each_parked(struct thread *thread, void (*op)(struct tcache *cache))
{
	for (unsigned i = 0; i < POOL_PARKED; i++) {
		struct pool_cache *cache = thread->pool.parked_of[i] == NULL ?
		    NULL : unpark(&thread->pool, i);

		if (cache == NULL)
			continue;
		op(&cache->cache);
		park(thread, cache);
	}
}

static void
each_cache(struct thread *thread, void (*op)(struct tcache *cache))
{
	for (unsigned i = 0; i < thread->pool.depth; i++) {
		struct pool_scope *scope = &thread->pool.scopes[i];

		if (scope->cache != NULL && !scope->borrowed)
			op(&scope->cache->cache);
	}
	each_parked(thread, op);
}

/*
 * In a scope the thread's own cache takes only what is freed of elsewhere, and
 * the scope's may be short of room: it would fill by ten blocks instead of a
 * hundred, under a lock that all who build have in common. A scope that has
 * allocated as much as was lent can pay for asking again.
 */
static void
call_in_loan(struct thread *thread)
{
	const struct pool_scope *scope = top(thread);
	size_t lent = thread->own_cache.lent;

	if (scope != NULL && lent > 0 &&
	    thread_allocated(thread) - scope->since >= lent)
		tcache_shrink_room(&thread->own_cache);
}

void
pool_gc(struct thread *thread)
{
	call_in_loan(thread);
	each_cache(thread, tcache_gc);
}

void
pool_flush(struct thread *thread)
{
	each_cache(thread, tcache_flush_all);
}

void
pool_thread_end(struct thread *thread)
{
	while (thread->pool.depth > 0) {
		struct pool_scope *scope = top(thread);

		thread->pool.depth--;
		if (scope->cache != NULL && !scope->borrowed)
			empty_spare(scope->cache);
		end_use(scope->pool);
	}
	for (unsigned i = 0; i < POOL_PARKED; i++) {
		struct pool_cache *cache = unpark(&thread->pool, i);

		if (cache != NULL)
			empty_spare(cache);
		thread->pool.parked_of[i] = NULL;
	}
}

/* --- rotation ------------------------------------------------------------- */

struct sweep {
	const struct pool *pool;
	struct list taken;
};

/* With the lock of the threads' list. */
static void
steal(struct thread *thread, void *arg)
{
	struct sweep *sweep = arg;

	for (unsigned i = 0; i < POOL_PARKED; i++) {
		struct pool_cache *cache = atomic_load(
		    &thread->pool.parked[i]);

		if (cache != NULL && pool_of(cache) == sweep->pool &&
		    atomic_compare_exchange_strong(&thread->pool.parked[i],
		    &cache, NULL))
			list_push_back(&sweep->taken, &cache->link);
	}
}

/*
 * Not the spare ones: there are none for threads that enter meanwhile, which
 * would make more and more of them.
 */
static void
take_orphans(struct list *out)
{
	lock_acquire(&pools_lock);
	while (!list_empty(&orphans)) {
		struct list *node = orphans.next;

		list_remove(node);
		list_push_back(out, node);
	}
	lock_release(&pools_lock);
}

void
pool_empty_caches(const struct pool *pool)
{
	struct sweep sweep = { .pool = pool };

	list_init(&sweep.taken);
	threads_visit(steal, &sweep);
	take_orphans(&sweep.taken);
	while (!list_empty(&sweep.taken)) {
		struct pool_cache *cache = list_first(&sweep.taken,
		    struct pool_cache, link);

		list_remove(&cache->link);
		empty_spare(cache);
	}
	/*
	 * Not from the profiler's worker: what lies there may be of arenas
	 * with extent hooks, and a task without a thread cannot call back. The
	 * threads flush their own at their next event.
	 */
	if (thread_self()->live)
		thread_batch_flush_all();
}

/* --- rest ----------------------------------------------------------------- */

bool
pool_caches_rest(struct thread *thread, uint64_t now, uint64_t rest_ns,
    struct list *out)
{
	bool again = false;

	for (unsigned i = 0; i < POOL_PARKED; i++) {
		struct pool_cache *cache = atomic_load(
		    &thread->pool.parked[i]);

		if (cache == NULL)
			continue;
		again = true;
		if (tcache_rests(&cache->cache, now, rest_ns) &&
		    atomic_compare_exchange_strong(&thread->pool.parked[i],
		    &cache, NULL))
			list_push_back(out, &cache->link);
	}
	return again;
}

void
pool_caches_empty(struct list *at_rest)
{
	while (!list_empty(at_rest)) {
		struct pool_cache *cache = list_first(at_rest,
		    struct pool_cache, link);

		list_remove(&cache->link);
		tcache_flush_all(&cache->cache);
		tcache_trim(&cache->cache);
		put_spare(cache);
	}
}

/* --- statistics, fork ----------------------------------------------------- */

void
pool_caches_sum(const struct arena *arena, uint64_t *bytes, uint64_t *pinned)
{
	/* Acquire: pairs with the release in make_cache. */
	struct pool_cache *cache = atomic_load_explicit(&caches,
	    memory_order_acquire);

	for (; cache != NULL; cache = cache->older) {
		if (arena != NULL && __atomic_load_n(&cache->cache.arena,
		    __ATOMIC_RELAXED) != arena)
			continue;
		*bytes += tcache_bytes(&cache->cache);
		if (pinned != NULL)
			*pinned += tcache_pinned(&cache->cache);
	}
}

/* The locks of what its blocks lie in are the parent's still: not emptied. */
void
pool_thread_forget(struct thread *thread)
{
	for (unsigned i = 0; i < POOL_PARKED; i++) {
		struct pool_cache *cache = unpark(&thread->pool, i);

		if (cache != NULL)
			list_push_back(&orphans, &cache->link);
		thread->pool.parked_of[i] = NULL;
	}
	each_cache(thread, tcache_abandon);
	thread->pool.depth = 0;
}
