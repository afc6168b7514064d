/*
 * profmem.c - the profiler's memory (profmem.h).
 *
 *   size 1..512     33 lists, 16 bytes apart
 *   size 513..1 G   21 lists, powers of two; hash tables beyond 16 K
 *
 * A freed piece links to the next of its list by its first word.
 *
 * The default bound is 64 MiB plus 1 % of the active bytes; those are asked
 * for anew only when the bound is met, and not more than once a second.
 *
 * Locks: one (RANK_PROF_LEAF), the base's lock inside it.
 */
#include "profmem.h"

#include "lock.h"
#include "os.h"
#include "util.h"

enum { STEP = 16, LINEAR_MAX = 512, SIZE_MAX_LG = 30, NLISTS = 54 };

struct base profmem_base;

static struct lock lock =
    LOCK_INITIALIZER(RANK_PROF_LEAF, "prof_memory");
/* lock: */
static void *lists[NLISTS];
static uint64_t waiting;		/* bytes in them */
/* atomic: */
static uint64_t limit;
static uint64_t failures;
/* constant after boot: */
static bool limit_grows;
static const struct prof_host *host;

static const uint64_t limit_least = 64ull << 20;

void
profmem_boot(size_t max_memory, const struct prof_host *prof_host)
{
	host = prof_host;
	limit_grows = max_memory == SIZE_MAX;
	limit = limit_grows ? limit_least : max_memory;
	__builtin_memset(lists, 0, sizeof lists);
	waiting = 0;
	base_init(&profmem_base, "strata-prof");
	/* fork takes it before the allocator's locks: not among its bases */
	lock_init(&profmem_base.lock, RANK_PROF_LEAF, "prof_base");
}

static unsigned
list_of(size_t size)
{
	if (size <= LINEAR_MAX)
		return (unsigned)((size + STEP - 1) / STEP);
	return lg_ceil(size) - 10 + LINEAR_MAX / STEP + 1;
}

static size_t
rounded(size_t size)
{
	if (size <= LINEAR_MAX)
		return align_up(size, STEP);
	return (size_t)1 << lg_ceil(size);
}

uint64_t
profmem_used(void)
{
	struct base_stats stats;

	base_stats(&profmem_base, &stats);
	return stats.allocated;
}

uint64_t
profmem_in_use(void)
{
	uint64_t used;

	lock_acquire(&lock);
	used = profmem_used() - waiting;
	lock_release(&lock);
	return used;
}

uint64_t
profmem_limit(void)
{
	return __atomic_load_n(&limit, __ATOMIC_RELAXED);
}

bool
profmem_limit_update(void)
{
	static uint64_t last;		/* atomic */
	uint64_t now = os_now_ns(), seen;
	struct prof_totals totals;

	seen = __atomic_load_n(&last, __ATOMIC_RELAXED);
	if (now - seen < 1000000000 ||
	    !__atomic_compare_exchange_n(&last, &seen, now, false,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		return false;
	if (limit_grows) {
		host->totals(&totals);
		__atomic_store_n(&limit, limit_least + totals.active / 100,
		    __ATOMIC_RELAXED);
	}
	return true;
}

void *
profmem_alloc(size_t size, enum profmem_share share)
{
	unsigned list = list_of(size);
	bool again = false;
	void *piece;

	assert(size > 0 && size <= (size_t)1 << SIZE_MAX_LG);
	lock_acquire(&lock);
	piece = lists[list];
	if (piece != NULL) {
		again = true;
		lists[list] = *(void **)piece;
		waiting -= rounded(size);
	} else if (profmem_used() + rounded(size) <=
	    profmem_limit() / 8 * share) {
		piece = base_alloc(&profmem_base, rounded(size), STEP);
	}
	lock_release(&lock);
	if (piece == NULL)
		__atomic_add_fetch(&failures, 1, __ATOMIC_RELAXED);
	else if (again)
		__builtin_memset(piece, 0, size);
	return piece;
}

void
profmem_free(void *piece, size_t size)
{
	unsigned list = list_of(size);

	lock_acquire(&lock);
	*(void **)piece = lists[list];
	lists[list] = piece;
	waiting += rounded(size);
	lock_release(&lock);
}

static void *
table_alloc(size_t size)
{
	return size > (size_t)1 << SIZE_MAX_LG ? NULL :
	    profmem_alloc(size, PROFMEM_RECORDS);
}

const struct hash_memory profmem_tables = { table_alloc, profmem_free };

uint64_t
profmem_failures(void)
{
	return __atomic_load_n(&failures, __ATOMIC_RELAXED);
}

void
profmem_each_lock(lock_visit *visit, void *arg)
{
	visit(&lock, arg);
	visit(&profmem_base.lock, arg);
}

void
profmem_fork_prepare(void)
{
	lock_acquire(&lock);
	base_prefork(&profmem_base);
}

void
profmem_fork_parent(void)
{
	base_postfork_parent(&profmem_base);
	lock_release(&lock);
}

void
profmem_fork_child(void)
{
	base_postfork_child(&profmem_base);
	lock_reinit_child(&lock);
}
