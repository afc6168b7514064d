/*
 * lock.c - ranked, counted futex mutexes; see lock.h.
 *
 * The owner is known by its thread pointer, which costs no system call; a
 * raw clone task has one of its own.
 * The debug build keeps, per task, the list of held locks: the newest in one
 * thread-local pointer, the others through lock->below.
 */
#include "lock.h"

#include <string.h>

#include "os.h"

enum {
	SPIN_DEFAULT = 100,		/* about 3 us: two bin refills */
	GIVE_WAY_NS = 50000,		/* to wake up and take a lock */
	GIVE_WAY_TIMES = 4,		/* who needs longer has no processor */
};

unsigned lock_max_spin = SPIN_DEFAULT;

#if STRATA_DEBUG
static __thread struct lock *held __attribute__((tls_model("initial-exec")));

static void
held_push(struct lock *lock)
{
	assert(held == NULL || lock->rank == RANK_NONE ||
	    held->rank <= lock->rank);
	lock->below = held;
	held = lock;
}

static void
held_pop(struct lock *lock)
{
	struct lock **at = &held;

	while (*at != NULL && *at != lock)
		at = &(*at)->below;
	assert(*at == lock);
	*at = lock->below;
	lock->below = NULL;
}

void
lock_assert_held(const struct lock *lock)
{
	const struct lock *at = held;

	while (at != NULL && at != lock)
		at = at->below;
	assert(at == lock);
}

void
lock_assert_none_held(void)
{
	assert(held == NULL);
}
#else
static inline void
held_push(struct lock *lock)
{
	(void)lock;
}
static inline void
held_pop(struct lock *lock)
{
	(void)lock;
}
#endif

static const void *
self(void)
{
	return __builtin_thread_pointer();
}

void
lock_init(struct lock *lock, enum lock_rank rank, const char *name)
{
	memset(lock, 0, sizeof *lock);
	lock->rank = rank;
	lock->name = name;
}

/* The caller has just got the lock. */
static void
note_acquired(struct lock *lock)
{
	const void *me = self();

	held_push(lock);
	lock->stats.num_ops++;
	if (lock->owner != me) {
		/* relaxed: for lock_give_way, which only waits for it */
		__atomic_store_n(&lock->owner, me, __ATOMIC_RELAXED);
		lock->stats.num_owner_switch++;
	}
}

static bool
state_take(struct lock *lock, uint32_t to)
{
	uint32_t zero = 0;

	/* Acquire: pairs with the release in lock_release. */
	return atomic_compare_exchange_strong_explicit(&lock->state, &zero,
	    to, memory_order_acquire, memory_order_relaxed);
}

static bool
spin(struct lock *lock)
{
	for (unsigned i = 0; i < lock_max_spin; i++) {
		if (atomic_load_explicit(&lock->state,
		    memory_order_relaxed) == 0 && state_take(lock, 1))
			return true;
		os_cpu_relax();
	}
	return false;
}

static __attribute__((noinline)) void
acquire_slow(struct lock *lock)
{
	uint64_t start, waited;
	uint32_t waiters;

	if (spin(lock)) {
		note_acquired(lock);
		lock->stats.num_spin_acq++;
		return;
	}
	start = os_now_ns();
	waiters = atomic_fetch_add_explicit(&lock->waiters, 1,
	    memory_order_relaxed) + 1;
	/* Acquire: pairs with the release in lock_release. */
	while (atomic_exchange_explicit(&lock->state, 2,
	    memory_order_acquire) != 0)
		os_futex_wait(&lock->state, 2, OS_NO_TIMEOUT);
	atomic_fetch_sub_explicit(&lock->waiters, 1, memory_order_relaxed);
	waited = os_now_ns() - start;
	note_acquired(lock);
	lock->stats.num_wait++;
	lock->stats.total_wait_time += waited;
	if (waited > lock->stats.max_wait_time)
		lock->stats.max_wait_time = waited;
	if (waiters > lock->stats.max_num_thds)
		lock->stats.max_num_thds = waiters;
}

void
lock_acquire(struct lock *lock)
{
	if (likely(state_take(lock, 1)))
		note_acquired(lock);
	else
		acquire_slow(lock);
}

bool
lock_try(struct lock *lock)
{
	if (!state_take(lock, 1))
		return false;
	note_acquired(lock);
	return true;
}

void
lock_release(struct lock *lock)
{
	held_pop(lock);
	/* Release: pairs with the acquire in state_take and acquire_slow. */
	if (unlikely(atomic_exchange_explicit(&lock->state, 0,
	    memory_order_release) == 2))
		os_futex_wake(&lock->state, 1);
}

void
lock_reinit_child(struct lock *lock)
{
#if STRATA_DEBUG
	if (lock->owner == self() && atomic_load(&lock->state) != 0)
		held_pop(lock);
#endif
	atomic_store_explicit(&lock->waiters, 0, memory_order_relaxed);
	atomic_store_explicit(&lock->state, 0, memory_order_release);
}

void
lock_give_way(const struct lock *lock)
{
	for (int i = 0; i < GIVE_WAY_TIMES && atomic_load_explicit(
	    &lock->waiters, memory_order_relaxed) != 0 && __atomic_load_n(
	    &lock->owner, __ATOMIC_RELAXED) == self(); i++)
		os_sleep_ns(GIVE_WAY_NS);
}

void
lock_stats_read_locked(const struct lock *lock, struct lock_stats *out)
{
	*out = lock->stats;
}

void
lock_stats_read(struct lock *lock, struct lock_stats *out)
{
	lock_acquire(lock);
	*out = lock->stats;
	lock_release(lock);
}

void
lock_stats_reset(struct lock *lock)
{
	lock_acquire(lock);
	memset(&lock->stats, 0, sizeof lock->stats);
	lock_release(lock);
}

void
lock_stats_merge(struct lock_stats *sum, const struct lock_stats *part)
{
	sum->num_ops += part->num_ops;
	sum->num_wait += part->num_wait;
	sum->num_spin_acq += part->num_spin_acq;
	sum->num_owner_switch += part->num_owner_switch;
	sum->total_wait_time += part->total_wait_time;
	if (part->max_wait_time > sum->max_wait_time)
		sum->max_wait_time = part->max_wait_time;
	if (part->max_num_thds > sum->max_num_thds)
		sum->max_num_thds = part->max_num_thds;
}
