/*
 * trim.c - takes an allocator's own frames off the innermost end of stacks.
 *
 *   prof_backtrace  static_in_between  malloc | xmalloc  main
 *   ------------ dropped -------------------- | ---- kept ---
 *
 * Everything up to the outermost frame that is an allocator's goes, if that
 * is near the end: between an allocator's functions are static ones without
 * telling names.
 */
#include "trim.h"

#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { TRIM_DEPTH = 12 };		/* jemalloc's own are at most 8 */

static bool
starts_with(const char *string, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(string, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static bool
is_allocator_module(const char *file)
{
	static const char *const modules[] = { "libjemalloc", "libtcmalloc",
	    "libmimalloc", "libstrata" };
	const char *slash = strrchr(file, '/');

	return starts_with(slash == NULL ? file : slash + 1, modules,
	    sizeof modules / sizeof *modules);
}

static bool
is_allocator_function(const char *function)
{
	static const char *const whole[] = { "malloc", "calloc", "realloc",
	    "reallocarray", "memalign", "aligned_alloc", "posix_memalign",
	    "valloc", "pvalloc", "mallocx", "rallocx", "do_malloc" };
	static const char *const starts[] = { "operator new", "je_",
	    "prof_backtrace", "prof_alloc_prep", "tcmalloc::", "tc_",
	    "_Znwm", "_Znam" };

	for (size_t i = 0; i < sizeof whole / sizeof *whole; i++)
		if (strcmp(function, whole[i]) == 0)
			return true;
	return starts_with(function, starts, sizeof starts / sizeof *starts);
}

static bool
is_allocator(const struct model *model, uint32_t location)
{
	const struct model_location *place = &model->locations[location];

	if (place->mapping != MODEL_NONE &&
	    is_allocator_module(model->mappings[place->mapping].file))
		return true;
	/* The outermost line is the function, the others were inlined. */
	return place->nlines > 0 && is_allocator_function(
	    place->lines[place->nlines - 1].function);
}

/* How many innermost frames are the allocator's. */
static uint32_t
allocator_frames(const struct model *model, const struct model_stack *stack)
{
	uint32_t n = stack->depth < TRIM_DEPTH ? stack->depth : TRIM_DEPTH;

	if (model->exact.version != NULL)
		return 0;		/* Strata has done it */
	while (n > 0 && !is_allocator(model, stack->locations[n - 1]))
		n--;
	return n == stack->depth ? 0 : n;
}

/* A copy without the allocator's functions that were inlined into it. */
static uint32_t
copy_innermost(const struct model *from, struct model *to, uint32_t index)
{
	struct model_location place = from->locations[index];

	while (place.nlines > 1 &&
	    is_allocator_function(place.lines[0].function)) {
		place.lines++;
		place.nlines--;
	}
	return model_add_location(to, &place);
}

static uint32_t
copy_stack(const struct model *from, struct model *to, uint32_t index,
    const uint32_t *locations)
{
	const struct model_stack *stack = from->stacks[index];
	uint32_t skip = allocator_frames(from, stack), copied;
	uint32_t depth = stack->depth - skip;
	uint32_t *frames = xcalloc(depth, sizeof *frames);

	for (uint32_t i = 0; i < depth; i++)
		frames[i] = i > 0 ? locations[stack->locations[skip + i]] :
		    copy_innermost(from, to, stack->locations[skip]);
	copied = model_add_stack(to, frames, depth);
	free(frames);
	return copied;
}

void
trim_allocator(struct model *model)
{
	struct model *out, old;
	uint32_t *locations, *stacks;

	out = model_new_like(model);
	locations = xcalloc(model->nlocations, sizeof *locations);
	for (uint32_t i = 0; i < model->nlocations; i++)
		locations[i] = model_add_location(out, &model->locations[i]);
	stacks = xcalloc(model->nstacks, sizeof *stacks);
	for (uint32_t i = 0; i < model->nstacks; i++)
		stacks[i] = copy_stack(model, out, i, locations);
	for (uint32_t i = 0; i < model->nrows; i++)
		model_add_row(out, stacks[model->rows[i].stack],
		    &model->rows[i].labels, model->rows[i].values);
	free(locations);
	free(stacks);
	old = *model;
	*model = *out;
	*out = old;
	model_free(out);
}
