/*
 * cut.c - the cut: one moment of all samples, read at leisure (cut.h).
 *
 *   state   live records that die        freed totals go to   a reset
 *   ------  ---------------------------  -------------------  -------------
 *   closed  are recycled                 MAIN                 clears both
 *   open    born before S: wait in limbo LATE                 clears LATE, and
 *                                                             MAIN at the end
 *
 * Locks: one (RANK_PROF_CUT) guards the state; it is held while a cut is
 *   opened or ended, not while it is open.
 * Fork: a child ends what cut its parent had open.
 */
#include "cut.h"

#include <errno.h>

#include "generation.h"
#include "lifetime.h"
#include "lock.h"
#include "profmem.h"
#include "sampler.h"
#include "util.h"

static struct lock lock = LOCK_INITIALIZER(RANK_PROF_CUT, "prof_cut");
/* lock: */
static uint32_t open_number;		/* 0: closed */
static bool reset_while_open;

/* atomic: */
static uint64_t fold_left;		/* bytes after the last fold */
static bool fold_arenas;		/* sums by arena have been too many */

static const struct prof_host *host;

void
cut_boot(const struct prof_host *prof_host)
{
	host = prof_host;
	fold_left = 0;
	fold_arenas = false;
}

int
cut_begin(struct cut *out)
{
	struct live_moment moment;
	int error = EBUSY;

	*out = (struct cut){ .number = 0 };
	/* no lock may be held for these; the difference is microseconds */
	host->totals(&out->totals);
	if (host->pools != NULL)
		out->npools = host->pools(out->pools, PROF_POOLS_MAX);
	lock_acquire(&lock);
	if (open_number == 0) {
		live_cut_open(&moment);
		open_number = moment.number;
		reset_while_open = false;
		error = 0;
	}
	lock_release(&lock);
	if (error != 0)
		return error;
	out->number = moment.number;
	out->time_ns = moment.time_ns;
	out->samples_live = moment.live;
	out->samples_freed = moment.freed;
	out->rate = sampler_rate();
	out->generation = generation_current();
	out->dropped_samples = sampler_dropped_samples();
	out->dropped_bytes = sampler_dropped_bytes();
	out->before_profiling = sampler_before_profiling();
	out->unsampled = sampler_unsampled(&out->totals);
	out->profiler_bytes = profmem_used();
	return 0;
}

/* False in a fork child that goes on with its parent's dump. */
static bool
is_open(const struct cut *cut)
{
	return __atomic_load_n(&open_number, __ATOMIC_RELAXED) == cut->number;
}

struct live_rows {
	const struct cut *cut;
	struct cut_live *rows;
	size_t n;
};

static uint32_t
since_shown(const struct cut *cut, uint32_t since)
{
	uint32_t kept = cut->number > CUT_SINCE_KEPT ?
	    cut->number - CUT_SINCE_KEPT : 0;

	return since > kept ? since : kept;
}

static void
copy_live(const struct live *record, double pinned, void *opaque)
{
	struct live_rows *out = opaque;
	const struct cut *cut = out->cut;

	out->rows[out->n++] = (struct cut_live){
		.group = record->group,
		.requested = record->requested,
		.age_ns = cut->time_ns > record->birth_ns ?
		    cut->time_ns - record->birth_ns : 0,
		.pinned = pinned,
		.since = since_shown(cut, live_since(record)),
		.thread = record->thread,
	};
}

size_t
cut_live(struct cut *cut, struct cut_live *rows, size_t max)
{
	struct live_rows out = { cut, rows, 0 };

	assert(max >= CUT_BATCH);
	while (max - out.n >= LIVE_STEP && is_open(cut) &&
	    live_cut_walk(&cut->live, copy_live, &out))
		continue;
	return out.n;
}

struct freed_rows {
	struct cut_freed *rows;
	size_t n, max;
};

/*
 * A group has at most one cell a bucket, and its first one: another is looked
 * at as long as the largest possible one still fits.
 */
static bool
copy_freed(const struct group *group, void *opaque)
{
	struct freed_rows *out = opaque;

	for (const struct group_cell *cell = &group->cells; cell != NULL;
	    cell = cell->next) {
		if (cell->samples[CELL_MAIN] == 0)
			continue;
		must(out->n < out->max);
		out->rows[out->n++] = (struct cut_freed){
			.group = group,
			.bucket = cell->bucket,
			.samples = cell->samples[CELL_MAIN],
			.requested = cell->requested[CELL_MAIN],
		};
	}
	return out->max - out->n >= LIFETIME_BUCKETS + 1;
}

size_t
cut_freed(struct cut *cut, struct cut_freed *rows, size_t max)
{
	struct freed_rows out = { rows, 0, max };

	_Static_assert(CUT_BATCH >= LIFETIME_BUCKETS + 1, "a group fits");
	assert(max >= CUT_BATCH);
	while (is_open(cut) && group_walk(&cut->freed, copy_freed, &out))
		continue;
	return out.n;
}

static void
end_locked(void)
{
	/* the dumper is done with MAIN; frees still go to LATE */
	if (reset_while_open)
		group_clear_main();
	live_cut_close();
	group_fold_late();
	open_number = 0;
}

void
cut_end(struct cut *cut)
{
	lock_acquire(&lock);
	if (open_number != 0 && open_number == cut->number)
		end_locked();
	lock_release(&lock);
}

static void
clear_all(void)
{
	group_clear_late();
	if (open_number == 0)
		group_clear_main();
}

void
cut_reset(void)
{
	lock_acquire(&lock);
	reset_while_open = open_number != 0;
	live_reset(clear_all);
	lock_release(&lock);
	__atomic_store_n(&fold_arenas, false, __ATOMIC_RELAXED);
	sampler_dropped_reset();
}

bool
cut_fold_due(void)
{
	uint64_t in_use = profmem_in_use(), part = profmem_limit() / 16;
	uint64_t left = __atomic_load_n(&fold_left, __ATOMIC_RELAXED);

	/* what has been freed since is not grown anew; racing is harmless */
	if (in_use < left)
		__atomic_store_n(&fold_left, in_use, __ATOMIC_RELAXED);
	return generation_current() > CUT_GENERATIONS_KEPT &&
	    in_use >= part * CUT_FOLD_SHARE &&
	    in_use >= left + part * CUT_FOLD_STEP;
}

/* A cut that is opened meanwhile ends it; the next fold goes on. */
static bool
fold_some(struct group_fold *fold)
{
	bool more;

	lock_acquire(&lock);
	more = open_number == 0 && group_fold_generations(fold);
	lock_release(&lock);
	return more;
}

/* False if a cut is open: nothing was done. */
static bool
fold_below(uint32_t generation)
{
	struct group_fold fold = { .below = generation,
		.arenas = __atomic_load_n(&fold_arenas, __ATOMIC_RELAXED) };

	/* to a fork, with the gate closed */
	while (fold_some(&fold))
		lock_give_way(&lock);
	return fold.shard > 0 || fold.left > 0;
}

void
cut_fold_generations(void)
{
	uint32_t now = generation_current();

	if (now <= CUT_GENERATIONS_KEPT ||
	    !fold_below(now - CUT_GENERATIONS_KEPT))
		return;
	if (profmem_in_use() >= profmem_limit() / 16 * CUT_FOLD_SHARE &&
	    !__atomic_exchange_n(&fold_arenas, true, __ATOMIC_RELAXED))
		fold_below(now - CUT_GENERATIONS_KEPT);
	__atomic_store_n(&fold_left, profmem_in_use(), __ATOMIC_RELAXED);
}

void
cut_each_lock(lock_visit *visit, void *arg)
{
	visit(&lock, arg);
}

void
cut_fork_prepare(void)
{
	lock_acquire(&lock);
}

void
cut_fork_parent(void)
{
	lock_release(&lock);
}

void
cut_fork_child(void)
{
	lock_reinit_child(&lock);
}

void
cut_fork_child_end(void)
{
	lock_acquire(&lock);
	if (open_number != 0)
		end_locked();
	lock_release(&lock);
}
