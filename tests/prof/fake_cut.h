/*
 * fake_cut.h - a cut, modules and switches made up by a test. Defines what
 * cut.h, modules.h and prof.h declare, so that the dump is tested alone.
 */
#ifndef STRATA_TESTS_FAKE_CUT_H
#define STRATA_TESTS_FAKE_CUT_H

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "modules.h"
#include "os.h"
#include "prof.h"

enum { FAKE_ROWS = 20000 };

static struct cut_live fake_live[FAKE_ROWS];
static struct cut_freed fake_freed[FAKE_ROWS];
static size_t fake_nlive, fake_nfreed, fake_live_at, fake_freed_at;
static struct cut fake_cut = { .rate = 524288, .generation = 1 };
static uint32_t fake_cuts;		/* begun */
static _Atomic int fake_open;		/* not ended */
static _Atomic int fake_hold;		/* cut_live waits while it is 1 */

static inline void
fake_clear(void)
{
	fake_nlive = fake_nfreed = 0;
}

/* Frames are return addresses, innermost first. */
static inline struct stack *
fake_stack(size_t depth, const uintptr_t *frames)
{
	static uint64_t hash;
	struct stack *stack = calloc(1, sizeof *stack +
	    depth * sizeof *frames);

	stack->node.hash = ++hash;
	stack->depth = (uint32_t)depth;
	if (depth != 0)
		memcpy(stack->frames, frames, depth * sizeof *frames);
	return stack;
}

static inline struct group *
fake_group(struct stack *stack, uint64_t usable, uint64_t rate)
{
	static uint64_t hash;
	struct group *group = calloc(1, sizeof *group);

	group->node.hash = ++hash * 0x9e3779b97f4a7c15u;
	group->key = (struct group_key){ .stack = stack, .usable = usable,
	    .rate = rate, .generation = 1 };
	return group;
}

static inline void
fake_add_live(const struct group *group, uint64_t requested, uint64_t age_ns,
    uint32_t since, double pinned)
{
	fake_live[fake_nlive++] = (struct cut_live){ .group = group,
	    .requested = requested, .age_ns = age_ns, .since = since,
	    .pinned = pinned };
}

static inline void
fake_add_freed(const struct group *group, uint32_t bucket, uint64_t samples,
    uint64_t requested)
{
	fake_freed[fake_nfreed++] = (struct cut_freed){ .group = group,
	    .bucket = bucket, .samples = samples, .requested = requested };
}

int
cut_begin(struct cut *out)
{
	if (atomic_exchange(&fake_open, 1) != 0)
		return EBUSY;
	fake_live_at = fake_freed_at = 0;
	*out = fake_cut;
	out->number = ++fake_cuts;
	out->time_ns = os_now_ns();
	out->samples_live = fake_nlive;
	return 0;
}

size_t
cut_live(struct cut *cut, struct cut_live *rows, size_t max)
{
	size_t n = fake_nlive - fake_live_at;

	while (atomic_load(&fake_hold) == 1)
		os_yield();
	if (n > max)
		n = max;
	memcpy(rows, fake_live + fake_live_at, n * sizeof *rows);
	fake_live_at += n;
	return n;
}

size_t
cut_freed(struct cut *cut, struct cut_freed *rows, size_t max)
{
	size_t n = fake_nfreed - fake_freed_at;

	if (n > max)
		n = max;
	memcpy(rows, fake_freed + fake_freed_at, n * sizeof *rows);
	fake_freed_at += n;
	return n;
}

void
cut_end(struct cut *cut)
{
	atomic_store(&fake_open, 0);
}

static _Atomic unsigned fake_folds;

void
cut_fold_generations(void)
{
	atomic_fetch_add(&fake_folds, 1);
}

/* One program of two segments and one library that is gone. */
static const struct module fake_modules[] = {
	{ .start = 0x400000, .end = 0x480000, .path = "/bin/program",
	    .build_id = { 0xab, 0xcd, 0x01 }, .build_id_len = 3,
	    .is_main = true },
	{ .start = 0x7f0000000000, .end = 0x7f0000010000,
	    .path = "/lib/gone.so", .gone = true },
	{ .start = 0x7f0000100000, .end = 0x7f0000110000,
	    .path = "/lib/unused.so" },
};

size_t
modules_count(void)
{
	return 3;
}

const struct module *
modules_at(size_t i)
{
	return &fake_modules[i];
}

size_t
modules_segments(const struct module *module, struct module_segment *out,
    size_t max)
{
	if (!module->is_main) {
		out[0] = (struct module_segment){ module->start, module->end,
		    0x1000 };
		return 1;
	}
	out[0] = (struct module_segment){ 0x401000, 0x410000, 0x1000 };
	out[1] = (struct module_segment){ 0x420000, 0x430000, 0x20000 };
	return 2;
}

const struct module *
modules_find(uintptr_t pc, uint32_t epoch)
{
	for (size_t i = 0; i < 3; i++) {
		if (pc >= fake_modules[i].start && pc < fake_modules[i].end)
			return &fake_modules[i];
	}
	return NULL;
}

static const struct prof_host fake_host = { .version = "0.1.0-test" };

static inline struct prof_options
fake_options(const char *prefix)
{
	struct prof_options options = { .prof = true, .active = true,
	    .accum = true, .unbias = true, .lg_sample = 19, .lg_interval = -1, .format = PROF_FORMAT_PPROF };

	strcpy(options.prefix, prefix);
	return options;
}

#endif
