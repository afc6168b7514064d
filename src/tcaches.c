/*
 * tcaches.c - the table of explicit caches; see tcache.h.
 *
 * Locks: tcaches_lock (RANK_TCACHES) for the table; a cache itself is its
 *   user's.
 * Memory: base_meta; destroyed caches are used again.
 */
#include <errno.h>
#include <stdatomic.h>

#include "base.h"
#include "tcache.h"

enum { TCACHES_MAX = 4094 };	/* what MALLOCX_TCACHE's 12 bits can name */

static struct lock tcaches_lock = LOCK_INITIALIZER(RANK_TCACHES, "tcaches");
/* tcaches_lock; entries are read without: */
static _Atomic(struct tcache *) table[TCACHES_MAX];
static _Atomic unsigned table_end;		/* no entry is at or behind it */
static struct tcache *unused[TCACHES_MAX];	/* destroyed ones */

static int
make_locked(unsigned index)
{
	struct tcache *cache = unused[index];
	struct arena *arena;

	if (cache == NULL) {
		cache = base_alloc(&base_meta, sizeof *cache, CACHELINE);
		if (cache == NULL)
			return ENOMEM;
		unused[index] = cache;
	}
	arena = arena_get(0, true);
	if (arena == NULL)
		return ENOMEM;
	tcache_init(cache, arena);
	/* Release: pairs with tcaches_get. */
	atomic_store_explicit(&table[index], cache, memory_order_release);
	if (index >= atomic_load_explicit(&table_end, memory_order_relaxed))
		/* Release: pairs with tcaches_sum. */
		atomic_store_explicit(&table_end, index + 1,
		    memory_order_release);
	return 0;
}

int
tcaches_create(unsigned *index)
{
	int error = EAGAIN;
	unsigned i = 0;

	lock_acquire(&tcaches_lock);
	while (i < TCACHES_MAX && atomic_load_explicit(&table[i],
	    memory_order_relaxed) != NULL)
		i++;
	if (i < TCACHES_MAX)
		error = make_locked(i);
	lock_release(&tcaches_lock);
	if (error == 0)
		*index = i;
	return error;
}

struct tcache *
tcaches_get(unsigned index)
{
	return index < TCACHES_MAX ? atomic_load_explicit(&table[index],
	    memory_order_acquire) : NULL;
}

void
tcaches_sum(const struct arena *arena, uint64_t *bytes, uint64_t *pinned)
{
	unsigned n = atomic_load_explicit(&table_end, memory_order_acquire);

	for (unsigned i = 0; i < n; i++) {
		const struct tcache *cache = tcaches_get(i);

		if (cache == NULL || (arena != NULL &&
		    __atomic_load_n(&cache->arena, __ATOMIC_RELAXED) != arena))
			continue;
		*bytes += tcache_bytes(cache);
		if (pinned != NULL)
			*pinned += tcache_pinned(cache);
	}
}

int
tcaches_flush(unsigned index)
{
	struct tcache *cache = tcaches_get(index);

	if (cache == NULL)
		return EFAULT;
	tcache_flush_all(cache);
	return 0;
}

int
tcaches_destroy(unsigned index)
{
	int error = tcaches_flush(index);

	if (error != 0)
		return error;
	lock_acquire(&tcaches_lock);
	atomic_store_explicit(&table[index], NULL, memory_order_relaxed);
	lock_release(&tcaches_lock);
	return 0;
}

void
tcaches_fork_prepare(void)
{
	lock_acquire(&tcaches_lock);
}

void
tcaches_fork_parent(void)
{
	lock_release(&tcaches_lock);
}

void
tcaches_fork_child(void)
{
	lock_reinit_child(&tcaches_lock);
}
