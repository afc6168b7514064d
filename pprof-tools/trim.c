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
is_one_of(const char *name, const char *const *words, size_t n)
{
	size_t len = strcspn(name, ".");	/* f.cold is f's */

	for (size_t i = 0; i < n; i++)
		if (strlen(words[i]) == len &&
		    strncmp(name, words[i], len) == 0)
			return true;
	return false;
}

/*
 * By whole names, of what programs call, and what that jumps to: only the
 * outermost has to be known, and tc_parse may be the program's own.
 */
static bool
is_allocator_function(const char *function)
{
	static const char *const names[] = { "malloc", "calloc", "realloc",
	    "reallocarray", "memalign", "aligned_alloc", "posix_memalign",
	    "valloc", "pvalloc", "mallocx", "rallocx", "xallocx",
	    "malloc_default", "do_malloc", "do_rallocx",
	    "do_realloc_nonnull" };
	static const char *const tc_names[] = { "tc_new", "tc_new_nothrow",
	    "tc_new_aligned", "tc_new_aligned_nothrow", "tc_newarray",
	    "tc_newarray_nothrow", "tc_newarray_aligned",
	    "tc_newarray_aligned_nothrow", "tc_malloc_skip_new_handler" };
	static const char *const starts[] = { "operator new",
	    "fallback_impl<", "fallbackNewImpl<",
	    "prof_backtrace", "prof_alloc_prep", "prof_tctx_create",
	    "prof_sample_new_event", "tcmalloc::", "_Znwm", "_Znam",
	    "_Z13fallback_impl", "_Z15fallbackNewImpl" };

	if (is_one_of(function, tc_names, sizeof tc_names / sizeof *tc_names))
		return true;
	if (strncmp(function, "je_", 3) == 0 ||
	    strncmp(function, "tc_", 3) == 0)
		function += 3;
	return is_one_of(function, names, sizeof names / sizeof *names) ||
	    starts_with(function, starts, sizeof starts / sizeof *starts);
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

/* What is worked out once for each location. */
struct trimmed {
	uint32_t copy;			/* in the new model */
	uint32_t innermost;		/* the same, as the innermost frame */
	bool is_allocator;
};

/* How many innermost frames are the allocator's. */
static uint32_t
allocator_frames(const struct model_stack *stack,
    const struct trimmed *locations)
{
	uint32_t n = stack->depth < TRIM_DEPTH ? stack->depth : TRIM_DEPTH;

	while (n > 0 && !locations[stack->locations[n - 1]].is_allocator)
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

/* frames has room for the deepest stack. */
static uint32_t
copy_stack(const struct model_stack *stack, struct model *to,
    const struct trimmed *locations, uint32_t *frames)
{
	uint32_t skip = allocator_frames(stack, locations);
	uint32_t depth = stack->depth - skip;

	for (uint32_t i = 0; i < depth; i++)
		frames[i] = locations[stack->locations[skip + i]].copy;
	if (depth > 0)
		frames[0] = locations[stack->locations[skip]].innermost;
	return model_add_stack(to, frames, depth);
}

static struct trimmed *
trim_locations(const struct model *from, struct model *to)
{
	/* Strata has trimmed its own stacks. */
	bool foreign = from->exact.version == NULL;
	struct trimmed *out = xcalloc(from->nlocations, sizeof *out);

	for (uint32_t i = 0; i < from->nlocations; i++)
		out[i].copy = model_add_location(to, &from->locations[i]);
	for (uint32_t i = 0; i < from->nlocations; i++) {
		out[i].innermost = copy_innermost(from, to, i);
		out[i].is_allocator = foreign && is_allocator(from, i);
	}
	return out;
}

static uint32_t *
trim_stacks(const struct model *from, struct model *to,
    const struct trimmed *locations)
{
	uint32_t *out = xcalloc(from->nstacks, sizeof *out), *frames;
	uint32_t deepest = 0;

	for (uint32_t i = 0; i < from->nstacks; i++)
		if (from->stacks[i]->depth > deepest)
			deepest = from->stacks[i]->depth;
	frames = xcalloc(deepest, sizeof *frames);
	for (uint32_t i = 0; i < from->nstacks; i++)
		out[i] = copy_stack(from->stacks[i], to, locations, frames);
	free(frames);
	return out;
}

/* Whether the copies are what is copied, as with most profiles of ours. */
static bool
is_trimmed(const struct model *model, const struct trimmed *locations)
{
	for (uint32_t i = 0; i < model->nlocations; i++)
		if (locations[i].copy != i || locations[i].is_allocator)
			return false;
	for (uint32_t i = 0; i < model->nstacks; i++) {
		const struct model_stack *stack = model->stacks[i];

		if (stack->depth > 0 && locations[
		    stack->locations[0]].innermost != stack->locations[0])
			return false;
	}
	return true;
}

static void
trim_rows(const struct model *from, struct model *to,
    const struct trimmed *locations)
{
	uint32_t *stacks = trim_stacks(from, to, locations);

	for (uint32_t i = 0; i < from->nrows; i++)
		model_add_row(to, stacks[from->rows[i].stack],
		    from->rows[i].labels, from->rows[i].values);
	free(stacks);
}

void
trim_allocator(struct model *model)
{
	struct model *out = model_new_like(model), old;
	struct trimmed *locations = trim_locations(model, out);
	bool done = is_trimmed(model, locations);

	if (!done)
		trim_rows(model, out, locations);
	free(locations);
	if (done) {
		model_free(out);
		return;
	}
	old = *model;
	*model = *out;
	*out = old;
	model_free(out);
}
