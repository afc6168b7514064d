/*
 * tune_window.c - the stretch of time that is judged: the counters of one
 * statistics object, less those of an earlier one of the same process.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tune.h"
#include "xalloc.h"

static const struct statsfile_arena no_arena;

static void
minus(uint64_t *from, uint64_t n)
{
	*from = *from > n ? *from - n : 0;
}

static void
lock_minus(struct statsfile_lock *lock, const struct statsfile_lock *before)
{
	minus(&lock->num_ops, before->num_ops);
	minus(&lock->num_wait, before->num_wait);
	minus(&lock->num_spin_acq, before->num_spin_acq);
	minus(&lock->num_owner_switch, before->num_owner_switch);
	minus(&lock->total_wait_time_ns, before->total_wait_time_ns);
}

static void
kind_minus(struct statsfile_kind *kind, const struct statsfile_kind *before)
{
	minus(&kind->nmalloc, before->nmalloc);
	minus(&kind->ndalloc, before->ndalloc);
	minus(&kind->nrequests, before->nrequests);
	minus(&kind->nfills, before->nfills);
	minus(&kind->nflushes, before->nflushes);
}

static void
decay_minus(struct statsfile_decay *decay,
    const struct statsfile_decay *before)
{
	minus(&decay->npurge, before->npurge);
	minus(&decay->nmadvise, before->nmadvise);
	minus(&decay->purged, before->purged);
}

static void
bin_minus(struct statsfile_bin *bin, const struct statsfile_bin *before)
{
	minus(&bin->nmalloc, before->nmalloc);
	minus(&bin->ndalloc, before->ndalloc);
	minus(&bin->nrequests, before->nrequests);
	minus(&bin->nfills, before->nfills);
	minus(&bin->nflushes, before->nflushes);
	minus(&bin->nslabs, before->nslabs);
	minus(&bin->nreslabs, before->nreslabs);
	lock_minus(&bin->lock, &before->lock);
}

static void *
copy_of(const void *items, size_t n, size_t size)
{
	void *copy = xcalloc(n == 0 ? 1 : n, size);

	if (n > 0)
		memcpy(copy, items, n * size);
	return copy;
}

static void
arena_mutexes(struct statsfile_arena *arena,
    const struct statsfile_arena *before)
{
	struct statsfile_mutexes *mutexes = &arena->mutexes;

	mutexes->items = copy_of(mutexes->items, mutexes->n,
	    sizeof *mutexes->items);
	for (size_t i = 0; i < mutexes->n; i++) {
		const struct statsfile_lock *old = statsfile_lock(
		    &before->mutexes, mutexes->items[i].name);

		if (old != NULL)
			lock_minus(&mutexes->items[i].lock, old);
	}
}

/* now less before, with arrays of its own but for extents. */
static struct statsfile_arena
arena_minus(const struct statsfile_arena *now,
    const struct statsfile_arena *before)
{
	struct statsfile_arena arena = *now;

	if (before == NULL)
		before = &no_arena;
	kind_minus(&arena.small, &before->small);
	kind_minus(&arena.large, &before->large);
	decay_minus(&arena.dirty, &before->dirty);
	decay_minus(&arena.muzzy, &before->muzzy);
	arena.bins = copy_of(now->bins, now->nbins, sizeof *now->bins);
	for (size_t i = 0; i < now->nbins && i < before->nbins; i++)
		bin_minus(&arena.bins[i], &before->bins[i]);
	arena.lextents = copy_of(now->lextents, now->nlextents,
	    sizeof *now->lextents);
	for (size_t i = 0; i < now->nlextents && i < before->nlextents; i++) {
		minus(&arena.lextents[i].nmalloc,
		    before->lextents[i].nmalloc);
		minus(&arena.lextents[i].ndalloc,
		    before->lextents[i].ndalloc);
		minus(&arena.lextents[i].nrequests,
		    before->lextents[i].nrequests);
	}
	arena_mutexes(&arena, before);
	return arena;
}

static void
arena_fini(struct statsfile_arena *arena)
{
	free(arena->bins);
	free(arena->lextents);
	free(arena->mutexes.items);
}

bool
tune_same_process(const struct statsfile *before,
    const struct statsfile *file)
{
	const struct statsfile_arena *old = &before->merged;
	const struct statsfile_arena *new = &file->merged;

	return before->pid == file->pid &&
	    before->is_strata == file->is_strata &&
	    before->uptime_ns <= file->uptime_ns &&
	    old->small.nrequests <= new->small.nrequests &&
	    old->small.nmalloc <= new->small.nmalloc &&
	    old->large.nmalloc <= new->large.nmalloc &&
	    old->dirty.purged <= new->dirty.purged;
}

int
tune_input_init(struct tune_input *in, const struct statsfile *file,
    const struct statsfile *before, const char **why)
{
	*why = NULL;
	if (!file->has_general)
		*why = "the options are not in it (letter g)";
	else if (!file->has_merged)
		*why = "neither merged statistics nor arenas (letter m)";
	else if (file->uptime_ns == 0)
		*why = "how long the process ran is not in it";
	if (*why != NULL)
		return EINVAL;
	memset(in, 0, sizeof *in);
	in->file = file;
	in->before = before;
	in->seconds = (double)file->uptime_ns / 1e9;
	in->dropped_samples = (double)file->prof.dropped_samples;
	if (before != NULL) {
		in->seconds -= (double)before->uptime_ns / 1e9;
		in->dropped_samples -= (double)before->prof.dropped_samples;
	}
	in->merged = arena_minus(&file->merged,
	    before == NULL ? NULL : &before->merged);
	in->narenas = file->n;
	in->arenas = xcalloc(file->n == 0 ? 1 : file->n, sizeof *in->arenas);
	for (size_t i = 0; i < file->n; i++)
		in->arenas[i] = arena_minus(&file->arenas[i], before == NULL ?
		    NULL : statsfile_arena(before, file->arenas[i].index));
	in->processors = file->ncpus > 0 ? (double)file->ncpus : INFINITY;
	in->threads = (double)file->merged.nthreads;
	in->automatic = tune_option(in, "narenas", (double)file->narenas);
	return 0;
}

void
tune_input_fini(struct tune_input *in)
{
	arena_fini(&in->merged);
	for (size_t i = 0; i < in->narenas; i++)
		arena_fini(&in->arenas[i]);
	free(in->arenas);
}
