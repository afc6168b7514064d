/*
 * gate.c - who unwinds is inside, and fork waits until nobody is (gate.h).
 *
 *   leaf[uid of the thread] = forks under way << 16 | threads inside
 *
 * It is for libunwind's mutex, which fork does not know, and so that no child
 * is born while the list of modules is read. Each leaf has a cache line to
 * itself: with one count for all, threads that sample at a time wait for
 * that line.
 *
 * Locks: none.
 * Fork: prepare closes every leaf and waits until nobody else is inside; a
 *   thread that forks while it unwinds (from a signal's handler) does not
 *   wait for itself. A child starts with itself at most inside.
 */
#include "gate.h"

#include "os.h"
#include "unwind.h"
#include "util.h"

enum { LEAVES = 16 };			/* 1 KiB; threads that run at a time */

static struct leaf {
	uint32_t count;			/* atomic */
} __attribute__((aligned(CACHELINE))) leaves[LEAVES];

static const uint32_t one_fork = 1u << 16, inside = (1u << 16) - 1;
static bool disabled;			/* atomic: a child cannot unwind */
static bool forked_late;		/* the last wait was in vain */

static struct leaf *
leaf_of(const struct prof_thread *thread)
{
	return &leaves[thread->uid % LEAVES];
}

bool
gate_enter(struct prof_thread *thread)
{
	uint32_t seen = __atomic_add_fetch(&leaf_of(thread)->count, 1,
	    __ATOMIC_ACQUIRE);

	thread->unwinding++;
	if (likely(seen < one_fork) &&
	    !__atomic_load_n(&disabled, __ATOMIC_RELAXED))
		return true;
	gate_leave(thread);
	return false;
}

void
gate_leave(struct prof_thread *thread)
{
	struct leaf *leaf = leaf_of(thread);
	uint32_t seen;

	thread->unwinding--;
	/* pairs with the acquire in wait_empty */
	seen = __atomic_sub_fetch(&leaf->count, 1, __ATOMIC_RELEASE);
	if (unlikely(seen >= one_fork))
		os_futex_wake(&leaf->count, INT32_MAX);
}

/* A thread that ends in the middle of it (pthread_exit in a handler). */
void
gate_thread_exit(struct prof_thread *thread)
{
	while (thread->unwinding > 0)
		gate_leave(thread);
}

/* False at the limit. */
static bool
wait_empty(struct leaf *leaf, uint32_t own, uint64_t limit)
{
	uint32_t seen;

	while (((seen = __atomic_load_n(&leaf->count, __ATOMIC_ACQUIRE)) &
	    inside) > own) {
		if (os_now_ns() >= limit)
			return false;
		os_futex_wait(&leaf->count, seen, 10000000);
	}
	return true;
}

/*
 * Waits a second at most: who is inside then left by longjmp or is stuck,
 * and the child, whose libunwind may be locked for ever, does not unwind.
 */
void
gate_fork_prepare(struct prof_thread *self)
{
	uint64_t limit = os_now_ns() + 1000000000;
	bool late = false;

	for (struct leaf *leaf = leaves; leaf < leaves + LEAVES; leaf++)
		__atomic_add_fetch(&leaf->count, one_fork, __ATOMIC_RELAXED);
	for (struct leaf *leaf = leaves; leaf < leaves + LEAVES; leaf++)
		late |= !wait_empty(leaf, self != NULL &&
		    leaf == leaf_of(self) ? self->unwinding : 0, limit);
	__atomic_store_n(&forked_late, late, __ATOMIC_RELAXED);
}

void
gate_fork_parent(void)
{
	for (struct leaf *leaf = leaves; leaf < leaves + LEAVES; leaf++)
		__atomic_sub_fetch(&leaf->count, one_fork, __ATOMIC_RELAXED);
}

void
gate_fork_child(struct prof_thread *self)
{
	for (struct leaf *leaf = leaves; leaf < leaves + LEAVES; leaf++)
		__atomic_store_n(&leaf->count, self != NULL &&
		    leaf == leaf_of(self) ? self->unwinding : 0,
		    __ATOMIC_RELAXED);
	if (forked_late && unwind_uses_libunwind())
		__atomic_store_n(&disabled, true, __ATOMIC_RELAXED);
}
