/*
 * write_heap.c - a model as heap_v2 text, for jeprof.
 *
 * The innermost address of a stack is written as it is, the others plus 1:
 * jeprof takes 1 off all but the first.
 */
#include "write_heap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { INUSE_OBJECTS, INUSE_SPACE, ALLOC_OBJECTS, ALLOC_SPACE, NCOUNTS };

struct columns {
	uint32_t type[NCOUNTS];		/* MODEL_NONE: written as 0 */
};

static int
find_columns(const struct model *model, struct columns *out)
{
	static const char *const names[NCOUNTS] = { "inuse_objects",
	    "inuse_space", "alloc_objects", "alloc_space" };

	for (int i = 0; i < NCOUNTS; i++)
		out->type[i] = model_find_type(model, names[i]);
	return out->type[INUSE_SPACE] == MODEL_NONE ? EINVAL : 0;
}

static void
add_row(const struct columns *columns, const struct model_row *row,
    int64_t counts[NCOUNTS])
{
	for (int i = 0; i < NCOUNTS; i++)
		if (columns->type[i] != MODEL_NONE)
			counts[i] = model_add_saturating(counts[i],
			    row->values[columns->type[i]]);
}

static void
print_counts(FILE *out, const int64_t counts[NCOUNTS])
{
	fprintf(out, "  t*: %" PRId64 ": %" PRId64 " [%" PRId64 ": %" PRId64
	    "]\n", counts[0], counts[1], counts[2], counts[3]);
}

static void
print_stack(const struct model *model, const struct model_stack *stack,
    FILE *out)
{
	fputc('@', out);
	for (uint32_t i = 0; i < stack->depth; i++)
		fprintf(out, " 0x%" PRIx64,
		    model->locations[stack->locations[i]].address + (i > 0));
	fputs(stack->depth == 0 ? " 0x1\n" : "\n", out);
}

static void
print_comment(void *context, const char *comment)
{
	fprintf(context, "# %s\n", comment);
}

static void
print_header(const struct model *model, FILE *out,
    int64_t (*counts)[NCOUNTS])
{
	int64_t total[NCOUNTS] = { 0 };

	for (uint32_t i = 0; i < model->nstacks; i++)
		for (int k = 0; k < NCOUNTS; k++)
			total[k] = model_add_saturating(total[k],
			    counts[i][k]);
	fputs("heap_v2/1\n", out);
	print_counts(out, total);
	model_each_exact(model, print_comment, out);
	if (model->exact.period < 0 && model->period > 0)
		fprintf(out, "# period: %" PRId64 "\n", model->period);
}

static void
print_maps(const struct model *model, FILE *out)
{
	fputs("\nMAPPED_LIBRARIES:\n", out);
	for (uint32_t i = 0; i < model->nmappings; i++) {
		const struct model_mapping *mapping = &model->mappings[i];

		fprintf(out, "%" PRIx64 "-%" PRIx64 " r-xp %08" PRIx64
		    " 00:00 0 %s\n", mapping->start, mapping->limit,
		    mapping->offset, mapping->file);
	}
}

int
write_heap(const struct model *model, FILE *out)
{
	int64_t (*counts)[NCOUNTS];
	struct columns columns;
	int error = find_columns(model, &columns);

	if (error != 0)
		return error;
	counts = xcalloc(model->nstacks, sizeof *counts);
	for (uint32_t i = 0; i < model->nrows; i++)
		add_row(&columns, &model->rows[i],
		    counts[model->rows[i].stack]);
	print_header(model, out, counts);
	for (uint32_t i = 0; i < model->nstacks; i++) {
		static const int64_t none[NCOUNTS];

		if (memcmp(counts[i], none, sizeof none) == 0)
			continue;
		print_stack(model, model->stacks[i], out);
		print_counts(out, counts[i]);
	}
	print_maps(model, out);
	free(counts);
	return 0;
}
