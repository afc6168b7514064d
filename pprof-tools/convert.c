/*
 * convert.c - `strata convert`: a profile in another format.
 *
 *   pb      pprof's profile.proto, gzipped, with names and lines
 *   heap    heap_v2 text, for jeprof
 *   folded  root;caller;function value, one line a stack
 *   json    every row with its stack, labels and values
 *   csv     the same as a table, the stack in folded form
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "fields.h"
#include "header.h"
#include "sites.h"
#include "view.h"
#include "write_heap.h"
#include "write_pprof.h"
#include "xalloc.h"

/* --- stacks as text ----------------------------------------------------- */

struct folding {
	const struct model *model;
	char **names;			/* innermost first */
	size_t n, capacity;
};

/* ';' and line ends would end the frame. */
static void
clean_name(char *name)
{
	for (; *name != '\0'; name++)
		if (*name == ';' || *name == '\n' || *name == '\r')
			*name = ':';
}

static void
fold_frame(void *context, const struct site_frame *frame)
{
	struct folding *folding = context;
	char *name = site_frame_name(folding->model, SITES_FUNCTION, frame);

	clean_name(name);
	folding->names = xgrow(folding->names, folding->n,
	    &folding->capacity, sizeof *folding->names);
	folding->names[folding->n++] = name;
}

/* Root first, frames separated by ';'. */
static char *
folded_stack(const struct model *model, uint32_t stack)
{
	struct folding folding = { .model = model };
	char *text = xstrdup("");

	sites_walk(model, stack, fold_frame, &folding);
	for (size_t i = folding.n; i-- > 0;) {
		char *more = xasprintf("%s%s%s", text, *text == '\0' ? "" :
		    ";", folding.names[i]);

		free(text);
		free(folding.names[i]);
		text = more;
	}
	free(folding.names);
	if (*text == '\0') {
		free(text);
		text = xstrdup("(no stack)");
	}
	return text;
}

static void
print_folded(const struct view *view, FILE *out)
{
	const struct model *model = view->model;
	int64_t *sums = xcalloc(model->nstacks, sizeof *sums);

	for (uint32_t i = 0; i < model->nrows; i++) {
		const struct model_row *row = &model->rows[i];

		sums[row->stack] = model_add_saturating(sums[row->stack],
		    row->values[view->type]);
	}
	for (uint32_t i = 0; i < model->nstacks; i++) {
		char *stack;

		if (sums[i] == 0)
			continue;
		stack = folded_stack(model, i);
		fprintf(out, "%s %" PRId64 "\n", stack, sums[i]);
		free(stack);
	}
	free(sums);
}

/* --- CSV ---------------------------------------------------------------- */

/* Empty where it is not known. */
static void
print_known(FILE *out, int64_t number)
{
	fputc(',', out);
	if (number >= 0)
		fprintf(out, "%" PRId64, number);
}

static void
print_csv_row(const struct model *model, const struct model_row *row,
    FILE *out)
{
	const struct model_labels *labels = row->labels;
	const char *const strings[] = { labels->arena, labels->generation,
	    labels->lifetime, labels->age, labels->thread };
	char *stack = folded_stack(model, row->stack);

	cli_csv_text(out, stack);
	free(stack);
	print_known(out, labels->bytes);
	print_known(out, labels->rate);
	print_known(out, labels->since);
	for (size_t i = 0; i < sizeof strings / sizeof *strings; i++) {
		fputc(',', out);
		cli_csv_text(out, strings[i]);
	}
	for (uint32_t i = 0; i < model->ntypes; i++)
		fprintf(out, ",%" PRId64, row->values[i]);
	fputc('\n', out);
}

static void
print_csv(const struct model *model, FILE *out)
{
	fputs("stack,bytes,rate,since,arena,generation,lifetime,age,thread",
	    out);
	for (uint32_t i = 0; i < model->ntypes; i++) {
		fputc(',', out);
		cli_csv_text(out, model->types[i].type);
	}
	fputc('\n', out);
	for (uint32_t i = 0; i < model->nrows; i++)
		print_csv_row(model, &model->rows[i], out);
}

/* --- JSON --------------------------------------------------------------- */

static void
set_known_string(json_t *object, const char *key, const char *string)
{
	if (string != NULL && *string != '\0')
		field_set_text(object, key, string);
}

struct frame_list {
	const struct model *model;
	json_t *list;
};

static void
add_frame_json(void *context, const struct site_frame *frame)
{
	struct frame_list *frames = context;
	const struct model_location *place =
	    &frames->model->locations[frame->location];
	json_t *object = json_object();
	char address[20];

	snprintf(address, sizeof address, "0x%" PRIx64, place->address);
	json_object_set_new(object, "address", json_string(address));
	if (place->mapping != MODEL_NONE)
		json_object_set_new(object, "mapping",
		    json_integer(place->mapping));
	if (frame->line != NULL) {
		set_known_string(object, "function", frame->line->function);
		set_known_string(object, "file", frame->line->file);
		field_set_number(object, "line", frame->line->line);
	}
	if (frame->inlined)
		json_object_set_new(object, "inlined", json_true());
	json_array_append_new(frames->list, object);
}

static json_t *
labels_json(const struct model_labels *labels)
{
	json_t *object = json_object();

	field_set_number(object, "bytes", labels->bytes);
	field_set_number(object, "rate", labels->rate);
	field_set_number(object, "since", labels->since);
	field_set_number(object, "lifetime_ns", labels->lifetime_ns);
	field_set_number(object, "age_ns", labels->age_ns);
	set_known_string(object, "arena", labels->arena);
	set_known_string(object, "generation", labels->generation);
	set_known_string(object, "lifetime", labels->lifetime);
	set_known_string(object, "age", labels->age);
	set_known_string(object, "thread", labels->thread);
	for (uint32_t i = 0; i < labels->nother; i++) {
		const struct model_label *label = &labels->other[i];
		json_t *key = field_text(label->key);

		json_object_set_new(object, json_string_value(key),
		    label->string == NULL ? json_integer(label->number) :
		    field_text(label->string));
		json_decref(key);
	}
	return object;
}

static json_t *
row_json(const struct model *model, const struct model_row *row)
{
	json_t *object = json_object(), *values = json_array();
	struct frame_list frames = { model, json_array() };

	sites_walk(model, row->stack, add_frame_json, &frames);
	for (uint32_t i = 0; i < model->ntypes; i++)
		json_array_append_new(values, json_integer(row->values[i]));
	json_object_set_new(object, "stack", frames.list);
	json_object_set_new(object, "labels", labels_json(row->labels));
	json_object_set_new(object, "values", values);
	return object;
}

static json_t *
types_json(const struct model *model)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < model->ntypes; i++) {
		json_t *type = json_object();

		field_set_text(type, "type", model->types[i].type);
		field_set_text(type, "unit", model->types[i].unit);
		json_array_append_new(list, type);
	}
	return list;
}

static json_t *
mappings_json(const struct model *model)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < model->nmappings; i++) {
		const struct model_mapping *mapping = &model->mappings[i];
		json_t *object = json_object();
		char range[40];

		snprintf(range, sizeof range, "0x%" PRIx64 "-0x%" PRIx64,
		    mapping->start, mapping->limit);
		json_object_set_new(object, "range", json_string(range));
		json_object_set_new(object, "offset",
		    json_integer((json_int_t)mapping->offset));
		set_known_string(object, "file", mapping->file);
		set_known_string(object, "build_id", mapping->build_id);
		json_array_append_new(list, object);
	}
	return list;
}

static void
print_json(const struct view *view, FILE *out)
{
	const struct model *model = view->model;
	json_t *root = json_object(), *rows = json_array();

	json_object_set_new(root, "header", header_json(&view->header));
	json_object_set_new(root, "sample_types", types_json(model));
	json_object_set_new(root, "period", json_integer(model->period));
	json_object_set_new(root, "mappings", mappings_json(model));
	for (uint32_t i = 0; i < model->nrows; i++)
		json_array_append_new(rows, row_json(model, &model->rows[i]));
	json_object_set_new(root, "rows", rows);
	field_print(root, JSON_INDENT(1), out);
}

/* --- the command -------------------------------------------------------- */

static int
print(const struct cli_args *args, const struct view *view, FILE *out)
{
	const char *format = cli_format(args);

	/* Failed writes are reported when the output is closed. */
	if (strcmp(format, "pb") == 0) {
		write_pprof(view->model, out, true);
	} else if (strcmp(format, "folded") == 0) {
		print_folded(view, out);
	} else if (strcmp(format, "json") == 0) {
		print_json(view, out);
	} else if (strcmp(format, "csv") == 0) {
		print_csv(view->model, out);
	} else if (write_heap(view->model, out) != 0) {
		cli_error(args, "the profile has no inuse_space, which "
		    "heap_v2 is about");
		return EXIT_INPUT;
	}
	return EXIT_FINE;
}

static int
run(const struct cli_args *args)
{
	struct view view;
	FILE *out;
	int status = view_load(args, &view), closed;

	if (status != EXIT_FINE)
		return status;
	status = (strcmp(cli_format(args), "pb") == 0 ? cli_output_binary :
	    cli_output)(args, &out);
	if (status == EXIT_FINE) {
		status = print(args, &view, out);
		closed = cli_output_close(args, out);
		status = status == EXIT_FINE ? closed : status;
	}
	view_free(&view);
	return status;
}

const struct cli_command cmd_convert = {
	.name = "convert",
	.operands = "FILE...",
	.summary = "write a profile in another format",
	.about = "pb is pprof's format with functions and lines filled in "
	    "(--no-symbols leaves addresses), heap the text that jeprof "
	    "reads, folded one line a stack, json and csv every row with its "
	    "labels.",
	.formats = "pb heap folded json csv",
	.groups = CLI_VIEW & ~CLI_COLOR,
	.min_operands = 1,
	.run = run,
};
