/*
 * write_pprof.c - a model as pprof's profile.proto, gzipped.
 *
 * Ids run from 1 in the order of the model's arrays. Functions are those of
 * the lines, each once. Zeros are left out, as protocol buffers do; a native
 * profile's reader knows what is meant by a label that is not there.
 */
#include "write_pprof.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "strpool.h"
#include "xalloc.h"

/* A message under construction. */
struct message {
	unsigned char *bytes;
	size_t n, capacity;
};

struct writer {
	const struct model *model;
	struct message out;
	struct strpool strings;		/* number 0 is "" */
	struct strpool functions;	/* by what identifies them */
	struct message functions_out;
};

/* --- messages ----------------------------------------------------------- */

static void
put_varint(struct message *m, uint64_t value)
{
	do {
		unsigned char byte = (value & 0x7f) | (value > 0x7f ? 0x80 :
		    0);

		m->bytes = xgrow(m->bytes, m->n, &m->capacity, 1);
		m->bytes[m->n++] = byte;
		value >>= 7;
	} while (value > 0);
}

static void
put_number(struct message *m, unsigned field, uint64_t value)
{
	if (value == 0)
		return;
	put_varint(m, field << 3);
	put_varint(m, value);
}

static void
put_bytes(struct message *m, unsigned field, const void *bytes, size_t n)
{
	put_varint(m, field << 3 | 2);
	put_varint(m, n);
	while (m->capacity < m->n + n)
		m->bytes = xgrow(m->bytes, m->capacity, &m->capacity, 1);
	if (n > 0)
		memcpy(m->bytes + m->n, bytes, n);
	m->n += n;
}

/* Puts a message into another, and empties it for the next. */
static void
put_message(struct message *m, unsigned field, struct message *part)
{
	put_bytes(m, field, part->bytes, part->n);
	part->n = 0;
}

static uint64_t
text(struct writer *w, const char *string)
{
	return strpool_number(&w->strings, string);
}

/* --- parts of a profile ------------------------------------------------- */

static void
put_value_type(struct writer *w, unsigned field, const struct model_type *type)
{
	struct message part = { 0 };

	put_number(&part, 1, text(w, type->type));
	put_number(&part, 2, text(w, type->unit));
	put_message(&w->out, field, &part);
	free(part.bytes);
}

static void
put_mapping(struct writer *w, uint32_t index, bool symbolized)
{
	const struct model_mapping *mapping = &w->model->mappings[index];
	struct message part = { 0 };

	put_number(&part, 1, (uint64_t)index + 1);
	put_number(&part, 2, mapping->start);
	put_number(&part, 3, mapping->limit);
	put_number(&part, 4, mapping->offset);
	put_number(&part, 5, text(w, mapping->file));
	put_number(&part, 6, text(w, mapping->build_id));
	for (unsigned has = 7; symbolized && has <= 10; has++)
		put_number(&part, has, 1);
	put_message(&w->out, 3, &part);
	free(part.bytes);
}

/* The id of a line's function; a new one is written aside. */
static uint64_t
function_id(struct writer *w, const struct model_line *line)
{
	char *key = xasprintf("%s\n%s\n%s\n%" PRId64, line->function,
	    line->system_name, line->file, line->start_line);
	size_t before = w->functions.n;
	uint64_t id = (uint64_t)strpool_number(&w->functions, key) + 1;
	struct message part = { 0 };

	free(key);
	if (w->functions.n == before)
		return id;
	put_number(&part, 1, id);
	put_number(&part, 2, text(w, line->function));
	put_number(&part, 3, text(w, line->system_name));
	put_number(&part, 4, text(w, line->file));
	put_number(&part, 5, (uint64_t)line->start_line);
	put_message(&w->functions_out, 5, &part);
	free(part.bytes);
	return id;
}

static void
put_location(struct writer *w, uint32_t index)
{
	const struct model_location *place = &w->model->locations[index];
	struct message part = { 0 }, line = { 0 };

	put_number(&part, 1, (uint64_t)index + 1);
	if (place->mapping != MODEL_NONE)
		put_number(&part, 2, (uint64_t)place->mapping + 1);
	put_number(&part, 3, place->address);
	for (uint32_t i = 0; i < place->nlines; i++) {
		put_number(&line, 1, function_id(w, &place->lines[i]));
		put_number(&line, 2, (uint64_t)place->lines[i].line);
		put_message(&part, 4, &line);
	}
	put_message(&w->out, 4, &part);
	free(part.bytes);
	free(line.bytes);
}

static void
put_string_label(struct writer *w, struct message *sample, const char *key,
    const char *string)
{
	struct message part = { 0 };

	if (string == NULL)
		return;
	put_number(&part, 1, text(w, key));
	put_number(&part, 2, text(w, string));
	put_message(sample, 3, &part);
	free(part.bytes);
}

/* Zero and unknown (-1) are both left out. */
static void
put_number_label(struct writer *w, struct message *sample, const char *key,
    int64_t number, const char *unit)
{
	struct message part = { 0 };

	if (number <= 0)
		return;
	put_number(&part, 1, text(w, key));
	put_number(&part, 3, (uint64_t)number);
	put_number(&part, 4, text(w, unit));
	put_message(sample, 3, &part);
	free(part.bytes);
}

static void
put_other_label(struct writer *w, struct message *sample,
    const struct model_label *label)
{
	struct message part = { 0 };

	put_number(&part, 1, text(w, label->key));
	if (label->string != NULL)
		put_number(&part, 2, text(w, label->string));
	put_number(&part, 3, (uint64_t)label->number);
	put_number(&part, 4, text(w, label->unit));
	put_message(sample, 3, &part);
	free(part.bytes);
}

static void
put_labels(struct writer *w, struct message *sample,
    const struct model_labels *labels)
{
	put_number_label(w, sample, "bytes", labels->bytes, "bytes");
	if (labels->rate != w->model->period)
		put_number_label(w, sample, "rate", labels->rate, "bytes");
	put_number_label(w, sample, "since", labels->since, "");
	put_string_label(w, sample, "arena", labels->arena);
	put_string_label(w, sample, "generation", labels->generation);
	put_string_label(w, sample, "lifetime", labels->lifetime);
	put_number_label(w, sample, "lifetime_ns", labels->lifetime_ns,
	    "nanoseconds");
	put_string_label(w, sample, "age", labels->age);
	put_number_label(w, sample, "age_ns", labels->age_ns, "nanoseconds");
	put_string_label(w, sample, "thread", labels->thread);
	for (uint32_t i = 0; i < labels->nother; i++)
		put_other_label(w, sample, &labels->other[i]);
}

static void
put_row(struct writer *w, const struct model_row *row, struct message *sample,
    struct message *packed)
{
	const struct model_stack *stack = w->model->stacks[row->stack];

	for (uint32_t i = 0; i < stack->depth; i++)
		put_varint(packed, (uint64_t)stack->locations[i] + 1);
	put_message(sample, 1, packed);
	for (uint32_t i = 0; i < w->model->ntypes; i++)
		put_varint(packed, (uint64_t)row->values[i]);
	put_message(sample, 2, packed);
	put_labels(w, sample, row->labels);
	put_message(&w->out, 2, sample);
}

static void
put_comment(void *context, const char *comment)
{
	struct writer *w = context;

	put_number(&w->out, 13, text(w, comment));
}

static void
put_header(struct writer *w)
{
	const struct model *model = w->model;

	for (uint32_t i = 0; i < model->ntypes; i++)
		put_value_type(w, 1, &model->types[i]);
	put_number(&w->out, 9, (uint64_t)model->time_ns);
	put_number(&w->out, 10, (uint64_t)model->duration_ns);
	if (model->period_type.type != NULL)
		put_value_type(w, 11, &model->period_type);
	put_number(&w->out, 12, (uint64_t)model->period);
	model_each_exact(model, put_comment, w);
	for (uint32_t i = 0; i < model->ncomments; i++)
		put_comment(w, model->comments[i]);
	if (model->default_type != MODEL_NONE)
		put_number(&w->out, 14, text(w,
		    model->types[model->default_type].type));
}

/* A mapping is symbolized if any of its locations is. */
static bool *
find_symbolized(const struct model *model)
{
	bool *symbolized = xcalloc(model->nmappings, sizeof *symbolized);

	for (uint32_t i = 0; i < model->nlocations; i++) {
		const struct model_location *place = &model->locations[i];

		if (place->mapping != MODEL_NONE && place->nlines > 0)
			symbolized[place->mapping] = true;
	}
	return symbolized;
}

static void
put_profile(struct writer *w)
{
	const struct model *model = w->model;
	struct message sample = { 0 }, packed = { 0 };
	bool *symbolized = find_symbolized(model);

	text(w, "");			/* number 0 */
	put_header(w);
	for (uint32_t i = 0; i < model->nmappings; i++)
		put_mapping(w, i, symbolized[i]);
	for (uint32_t i = 0; i < model->nlocations; i++)
		put_location(w, i);
	for (uint32_t i = 0; i < model->nrows; i++)
		put_row(w, &model->rows[i], &sample, &packed);
	free(symbolized);
	free(sample.bytes);
	free(packed.bytes);
}

/* The functions and the strings, which are known last. */
static void
put_tables(struct writer *w)
{
	struct message *m = &w->out;

	while (m->capacity < m->n + w->functions_out.n)
		m->bytes = xgrow(m->bytes, m->capacity, &m->capacity, 1);
	if (w->functions_out.n > 0)
		memcpy(m->bytes + m->n, w->functions_out.bytes,
		    w->functions_out.n);
	m->n += w->functions_out.n;
	for (size_t i = 0; i < w->strings.n; i++)
		put_bytes(m, 6, w->strings.strings[i],
		    strlen(w->strings.strings[i]));
}

/* --- the file ----------------------------------------------------------- */

static int
write_gzipped(const struct message *m, FILE *out)
{
	z_stream stream = { .next_in = m->bytes, .avail_in = (uInt)m->n };
	unsigned char buffer[1 << 14];
	int status, error = 0;

	if (m->n > UINT32_MAX)
		return EFBIG;
	if (deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK)
		return ENOMEM;
	do {
		size_t n;

		stream.next_out = buffer;
		stream.avail_out = sizeof buffer;
		status = deflate(&stream, Z_FINISH);
		n = sizeof buffer - stream.avail_out;
		if (fwrite(buffer, 1, n, out) != n)
			error = errno;
	} while (status == Z_OK && error == 0);
	deflateEnd(&stream);
	return error;
}

int
write_pprof(const struct model *model, FILE *out, bool gzip)
{
	struct writer w = { .model = model };
	int error = 0;

	put_profile(&w);
	put_tables(&w);
	if (gzip)
		error = write_gzipped(&w.out, out);
	else if (fwrite(w.out.bytes, 1, w.out.n, out) != w.out.n)
		error = errno;
	free(w.out.bytes);
	free(w.functions_out.bytes);
	strpool_free(&w.strings);
	strpool_free(&w.functions);
	return error;
}
