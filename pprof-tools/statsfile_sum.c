/*
 * statsfile_sum.c - the sum of the arenas; lock counters that cannot be.
 */
#include "statsfile_sum.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

/* --- sums ---------------------------------------------------------------- */

/* Longest wait and most waiters are maxima, the rest adds up. */
static void
add_lock(struct statsfile_lock *to, const struct statsfile_lock *from)
{
	to->num_ops += from->num_ops;
	to->num_wait += from->num_wait;
	to->num_spin_acq += from->num_spin_acq;
	to->num_owner_switch += from->num_owner_switch;
	to->total_wait_time_ns += from->total_wait_time_ns;
	if (from->max_wait_time_ns > to->max_wait_time_ns)
		to->max_wait_time_ns = from->max_wait_time_ns;
	if (from->max_num_thds > to->max_num_thds)
		to->max_num_thds = from->max_num_thds;
}

static void
add_mutexes(struct statsfile_mutexes *to,
    const struct statsfile_mutexes *from)
{
	if (to->n == 0 && from->n > 0) {
		to->items = xcalloc(from->n, sizeof *to->items);
		to->n = from->n;
		for (size_t i = 0; i < from->n; i++)
			strcpy(to->items[i].name, from->items[i].name);
	}
	/* All arenas have the same locks in the same order. */
	for (size_t i = 0; i < to->n && i < from->n; i++) {
		if (strcmp(to->items[i].name, from->items[i].name) == 0)
			add_lock(&to->items[i].lock, &from->items[i].lock);
	}
}

/* Structs that hold nothing but counts add up as arrays of them. */
static void
add_counts(void *to, const void *from, size_t size)
{
	uint64_t *sums = to;
	const uint64_t *counts = from;

	for (size_t i = 0; i < size / sizeof *sums; i++)
		sums[i] += counts[i];
}

/* Makes *rows at least n long; the new ones are 0. */
static void
lengthen(void *rows, size_t *have, size_t n, size_t size)
{
	char *items = *(char **)rows;

	if (n <= *have && items != NULL)
		return;
	items = xreallocarray(items, n, size);
	memset(items + *have * size, 0, (n - *have) * size);
	*(char **)rows = items;
	*have = n;
}

static void
add_bins(struct statsfile_arena *to, const struct statsfile_arena *from)
{
	lengthen(&to->bins, &to->nbins, from->nbins, sizeof *to->bins);
	for (size_t i = 0; i < from->nbins; i++) {
		add_counts(&to->bins[i], &from->bins[i],
		    offsetof(struct statsfile_bin, lock));
		add_lock(&to->bins[i].lock, &from->bins[i].lock);
	}
}

static void
add_large(struct statsfile_arena *to, const struct statsfile_arena *from)
{
	lengthen(&to->lextents, &to->nlextents, from->nlextents,
	    sizeof *to->lextents);
	for (size_t i = 0; i < from->nlextents; i++)
		add_counts(&to->lextents[i], &from->lextents[i],
		    sizeof *to->lextents);
	lengthen(&to->extents, &to->nextents, from->nextents,
	    sizeof *to->extents);
	for (size_t i = 0; i < from->nextents; i++)
		add_counts(&to->extents[i], &from->extents[i],
		    sizeof *to->extents);
}

static void
add_arena(struct statsfile_arena *to, const struct statsfile_arena *from)
{
	size_t first = offsetof(struct statsfile_arena, mapped);
	size_t last = offsetof(struct statsfile_arena, mutexes);

	to->nthreads += from->nthreads;
	to->pactive += from->pactive;
	add_counts(&to->dirty.npages, &from->dirty.npages,
	    sizeof to->dirty - sizeof to->dirty.decay_ms);
	add_counts(&to->muzzy.npages, &from->muzzy.npages,
	    sizeof to->muzzy - sizeof to->muzzy.decay_ms);
	add_counts(&to->small, &from->small, sizeof to->small);
	add_counts(&to->large, &from->large, sizeof to->large);
	add_counts(&to->mapped, &from->mapped, last - first);
	add_mutexes(&to->mutexes, &from->mutexes);
	add_bins(to, from);
	add_large(to, from);
}

void
statsfile_sum_arenas(struct statsfile *file)
{
	if (file->has_merged || file->n == 0)
		return;
	file->has_merged = true;
	file->merged_is_sum = true;
	file->merged.dirty.decay_ms = file->dirty_decay_ms;
	file->merged.muzzy.decay_ms = file->muzzy_decay_ms;
	file->merged.uptime_ns = file->uptime_ns;
	for (size_t i = 0; i < file->n; i++)
		add_arena(&file->merged, &file->arenas[i]);
}

/* --- locks --------------------------------------------------------------- */

static void
each_mutex(const struct statsfile_mutexes *mutexes,
    void (*each)(void *context, struct statsfile_lock *lock), void *context)
{
	for (size_t i = 0; i < mutexes->n; i++)
		each(context, &mutexes->items[i].lock);
}

static void
each_of_arena(const struct statsfile_arena *arena,
    void (*each)(void *context, struct statsfile_lock *lock), void *context)
{
	each_mutex(&arena->mutexes, each, context);
	for (size_t i = 0; i < arena->nbins; i++)
		each(context, &arena->bins[i].lock);
}

static void
each_lock(const struct statsfile *file,
    void (*each)(void *context, struct statsfile_lock *lock), void *context)
{
	each_mutex(&file->mutexes, each, context);
	each_of_arena(&file->merged, each, context);
	each_of_arena(&file->destroyed, each, context);
	for (size_t i = 0; i < file->n; i++)
		each_of_arena(&file->arenas[i], each, context);
}

struct suspicion {
	size_t used, equal;
};

static void
suspect(void *context, struct statsfile_lock *lock)
{
	struct suspicion *suspicion = context;

	if (lock->num_ops == 0)
		return;
	suspicion->used++;
	suspicion->equal += lock->num_wait == lock->num_ops;
}

static void
clear(void *context, struct statsfile_lock *lock)
{
	*lock = (struct statsfile_lock){ .num_ops = lock->num_ops };
	(void)context;
}

/* Not every taking of every lock can have waited: someone had it first. */
void
statsfile_check_locks(struct statsfile *file)
{
	struct suspicion suspicion = { 0, 0 };

	each_lock(file, suspect, &suspicion);
	if (suspicion.used == 0 || suspicion.equal != suspicion.used)
		return;
	each_lock(file, clear, NULL);
	file->locks_unknown = true;
}
