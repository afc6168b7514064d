/*
 * site_name.c - the names that sites go by.
 */
#include "site_name.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

static const char *const by_names[] = {
	[SITES_FUNCTION] = "function", [SITES_LINE] = "line",
	[SITES_FILE] = "file", [SITES_ADDRESS] = "address",
	[SITES_MODULE] = "module", [SITES_ARENA] = "arena",
	[SITES_SIZE] = "size", [SITES_GENERATION] = "generation",
	[SITES_THREAD] = "thread", [SITES_AGE] = "age",
	[SITES_LIFETIME] = "lifetime",
};

int
sites_by_parse(const char *name)
{
	for (size_t i = 0; i < sizeof by_names / sizeof *by_names; i++)
		if (strcmp(by_names[i], name) == 0)
			return (int)i;
	return -1;
}

const char *
sites_by_name(enum sites_by by)
{
	return by_names[by];
}

bool
sites_by_label(enum sites_by by)
{
	return by >= SITES_ARENA;
}

bool
site_has_label(const struct model_labels *labels, enum sites_by by)
{
	return by == SITES_ARENA ? labels->arena != NULL :
	    by == SITES_SIZE ? labels->bytes >= 0 :
	    by == SITES_GENERATION ? labels->generation != NULL :
	    by == SITES_THREAD ? labels->thread != NULL :
	    by == SITES_AGE ? labels->age != NULL :
	    by == SITES_LIFETIME && labels->lifetime != NULL;
}

const char *
site_module_file(const struct model *model,
    const struct model_location *location)
{
	const char *file = location->mapping == MODEL_NONE ? "" :
	    model->mappings[location->mapping].file;

	return *file != '\0' ? file : "(unknown module)";
}

static const char *
base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL || slash[1] == '\0' ? path : slash + 1;
}

/* What stands for the function: its name, or module+offset. */
static char *
function_name(const struct model *model, uint32_t location,
    const struct model_line *line)
{
	const struct model_location *place = &model->locations[location];

	if (line != NULL && *line->function != '\0')
		return xstrdup(line->function);
	if (line != NULL && *line->system_name != '\0')
		return xstrdup(line->system_name);
	if (place->mapping == MODEL_NONE)
		return xasprintf("0x%" PRIx64, place->address);
	return xasprintf("%s+0x%" PRIx64,
	    base_name(site_module_file(model, place)),
	    model_location_offset(model, location));
}

static char *
line_name(const char *function, const struct model_line *line)
{
	if (line == NULL || *line->file == '\0')
		return xstrdup(function);
	if (line->line == 0)
		return xasprintf("%s %s", function, line->file);
	return xasprintf("%s %s:%" PRId64, function, line->file, line->line);
}

char *
site_frame_name(const struct model *model, enum sites_by by,
    const struct site_frame *frame)
{
	const struct model_location *place =
	    &model->locations[frame->location];
	const struct model_line *line = frame->line;
	char *function, *rest, *name;

	if (by == SITES_MODULE)
		return xstrdup(site_module_file(model, place));
	if (by == SITES_FILE)
		return xstrdup(line != NULL && *line->file != '\0' ?
		    line->file : "(unknown file)");
	function = function_name(model, frame->location, line);
	if (by == SITES_FUNCTION)
		return function;
	rest = line_name(function, line);
	free(function);
	if (by == SITES_LINE)
		return rest;
	name = xasprintf("0x%016" PRIx64 " %s", place->address, rest);
	free(rest);
	return name;
}

void
sites_walk(const struct model *model, uint32_t stack,
    void (*frame)(void *context, const struct site_frame *frame),
    void *context)
{
	const struct model_stack *frames = model->stacks[stack];

	for (uint32_t i = 0; i < frames->depth; i++) {
		uint32_t index = frames->locations[i];
		const struct model_location *place = &model->locations[index];

		if (place->nlines == 0)
			frame(context, &(struct site_frame){ index, NULL,
			    false });
		for (uint32_t k = 0; k < place->nlines; k++)
			frame(context, &(struct site_frame){ index,
			    &place->lines[k], k + 1 < place->nlines });
	}
}
