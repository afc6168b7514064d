/*
 * read_heap.c - heap profiles as text: jemalloc's and Strata's heap_v2, and
 * pprof's legacy "heap profile:".
 *
 *   heap_v2/524288                  heap profile: 1: 16 [2: 32] @ heap_v2/64
 *     t*: 1: 16 [0: 0]                1: 16 [2: 32] @ 0x401136 0x40115b
 *   @ 0x401136 0x40115b             MAPPED_LIBRARIES:
 *     t*: 1: 16 [0: 0]              00400000-00401000 r-xp 00000000 ...
 *     t0: 1: 16 [0: 0]
 *
 *   MAPPED_LIBRARIES:
 *   00400000-00401000 r-xp 00001000 ...
 *
 * Scaling: where the header names a rate R > 1 the figures are those of the
 *   samples, and c objects of s bytes in all stand for c k and s k, with
 *   k = 1/(1 - exp(-(s/c)/R)). jemalloc solves its unbiased sums back so that
 *   this formula, stack by stack, gives them again; so each stack is scaled
 *   before anything is added. Only the t* line counts: it is the sum of the
 *   threads' lines. Rounding carries its remainder from stack to stack.
 * Addresses: heap_v2's first one is the call's own, the others are return
 *   addresses, as jeprof takes them; in the legacy format all are.
 * Comments: lines that begin with '#', "# key: value" where Strata wrote it.
 */
#include "read_heap.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum { INUSE_OBJECTS, INUSE_SPACE, ALLOC_OBJECTS, ALLOC_SPACE, NVALUES };

struct text {
	const char *start;		/* of the file */
	const char *line, *end;		/* this line; end is its newline */
	const char *next;		/* NULL: there is no further line */
};

struct pending {
	uint64_t *addresses;		/* of calls, innermost first */
	uint32_t depth;
	double counts[NVALUES];
};

struct heap {
	struct text text;
	struct model *model;
	struct model_error *error;
	bool is_v2;			/* heap_v2, not legacy */
	double rate;			/* 1: the figures are not scaled */
	struct pending *rows;
	size_t nrows, rows_capacity;
	double carry[NVALUES];
	bool has_alloc;
	bool saw_maps;
};

/* --- lines -------------------------------------------------------------- */

static int
fail(struct heap *heap, const char *reason)
{
	model_error_set(heap->error, NULL, heap->text.line - heap->text.start,
	    "damaged %s profile: %s", heap->is_v2 ? "heap_v2" : "heap",
	    reason);
	return EINVAL;
}

/* The next line; false at the end of the file. */
static bool
next_line(struct text *text)
{
	if (text->next == NULL || *text->next == '\0')
		return false;
	text->line = text->next;
	text->end = strchr(text->line, '\n');
	text->next = text->end == NULL ? NULL : text->end + 1;
	if (text->end == NULL)
		text->end = text->line + strlen(text->line);
	return true;
}

static bool
starts_with(const struct text *text, const char *word)
{
	return strncmp(text->line, word, strlen(word)) == 0;
}

static bool
is_blank(const struct text *text)
{
	const char *at = text->line;

	while (at < text->end && isspace((unsigned char)*at))
		at++;
	return at == text->end;
}

/* --- numbers ------------------------------------------------------------ */

static void
skip_blanks(const char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

/* A decimal number and the character after it; true if both are there. */
static bool
take_count(const char **at, char after, double *out)
{
	char *end;
	unsigned long long value;

	skip_blanks(at);
	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	value = strtoull(*at, &end, 10);
	if (errno != 0 || value > INT64_MAX)
		return false;
	*out = (double)value;
	*at = end;
	skip_blanks(at);
	if (**at != after)
		return false;
	(*at)++;
	return true;
}

/* "1: 16 [2: 32]" */
static bool
take_counts(const char **at, double counts[NVALUES])
{
	if (!take_count(at, ':', &counts[INUSE_OBJECTS]) ||
	    !take_count(at, '[', &counts[INUSE_SPACE]) ||
	    !take_count(at, ':', &counts[ALLOC_OBJECTS]) ||
	    !take_count(at, ']', &counts[ALLOC_SPACE]))
		return false;
	return true;
}

/* " 0x401136 0x40115b" to the end of the line. */
static int
take_addresses(struct heap *heap, const char *at, struct pending *row)
{
	size_t capacity = 0;

	for (skip_blanks(&at); at < heap->text.end; skip_blanks(&at)) {
		char *end;
		uint64_t address;

		errno = 0;
		address = strtoull(at, &end, 16);
		if (!isxdigit((unsigned char)*at) || errno != 0 ||
		    (*end != ' ' && *end != '\n' && *end != '\0' &&
		    *end != '\r'))
			return fail(heap, "a stack has something else than "
			    "addresses");
		at = end + (*end == '\r');
		row->addresses = xgrow(row->addresses, row->depth, &capacity,
		    sizeof *row->addresses);
		if (address > 0 && (row->depth > 0 || !heap->is_v2))
			address--;
		row->addresses[row->depth++] = address;
	}
	return 0;
}

/* --- mappings ----------------------------------------------------------- */

/* "start-end perms offset device inode   path" of one executable segment. */
static bool
parse_map(const char *line, struct model_mapping *mapping, bool *executable)
{
	char permissions[8] = "";
	int used = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s%n",
	    &mapping->start, &mapping->limit, permissions, &mapping->offset,
	    &used) < 4 || used == 0 || strlen(permissions) < 3)
		return false;
	*executable = permissions[2] == 'x';
	mapping->file = line + used + strspn(line + used, " ");
	return true;
}

static int
take_map(struct heap *heap)
{
	struct model_mapping mapping = { .build_id = "" };
	const struct text *text = &heap->text;
	bool executable;
	char *line;
	int status = 0;

	if (text->next == NULL)
		return fail(heap, "the list of mappings is cut off");
	if (is_blank(text))
		return 0;
	/* A copy: sscanf looks for the end of what it is given. */
	line = xstrndup(text->line, text->end - text->line);
	if (!parse_map(line, &mapping, &executable))
		status = fail(heap,
		    "a line of the list of mappings is not one");
	else if (executable)
		model_add_mapping(heap->model, &mapping);
	free(line);
	return status;
}

static int
take_maps(struct heap *heap)
{
	int status = 0;

	heap->saw_maps = true;
	while (status == 0 && next_line(&heap->text))
		status = take_map(heap);
	return status;
}

static uint32_t
mapping_of(const struct model *model, uint64_t address)
{
	for (uint32_t i = 0; i < model->nmappings; i++)
		if (address >= model->mappings[i].start &&
		    address < model->mappings[i].limit)
			return i;
	return MODEL_NONE;
}

/* --- rows --------------------------------------------------------------- */

static double
scale(double objects, double bytes, double rate)
{
	if (objects <= 0 || bytes <= 0 || rate <= 1)
		return 1;
	return -1 / expm1(-(bytes / objects) / rate);
}

static int64_t
round_carrying(double value, double *carry)
{
	double whole = floor(value + *carry + 0.5);

	if (whole >= 9.2e18)
		whole = 9.2e18;
	*carry += value - whole;
	if (fabs(*carry) > 1)		/* beyond double's precision */
		*carry = 0;
	return (int64_t)whole;
}

static void
scale_row(struct pending *row, double rate)
{
	for (int i = 0; i < NVALUES; i += 2) {
		double k = scale(row->counts[i], row->counts[i + 1], rate);

		row->counts[i] *= k;
		row->counts[i + 1] *= k;
	}
}

static void
add_row(struct heap *heap, struct pending *row)
{
	struct model *model = heap->model;
	struct model_labels labels = model_labels_none();
	uint32_t *stack = xreallocarray(NULL, row->depth, sizeof *stack);
	int64_t values[NVALUES];

	for (uint32_t i = 0; i < row->depth; i++) {
		struct model_location location = {
			.address = row->addresses[i],
			.mapping = mapping_of(model, row->addresses[i]),
		};

		stack[i] = model_add_location(model, &location);
	}
	scale_row(row, heap->rate);
	for (int i = 0; i < NVALUES; i++)
		values[i] = round_carrying(row->counts[i], &heap->carry[i]);
	labels.rate = model->period;
	model_add_row(model, model_add_stack(model, stack, row->depth),
	    &labels, values);
	free(stack);
}

/* Types and rows, now that the mappings and comments are known. */
static void
add_rows(struct heap *heap)
{
	struct model *model = heap->model;

	model_add_type(model, "inuse_objects", "count");
	model_add_type(model, "inuse_space", "bytes");
	if (heap->has_alloc) {
		model_add_type(model, "alloc_objects", "count");
		model_add_type(model, "alloc_space", "bytes");
	}
	model->default_type = INUSE_SPACE;
	model->period_type.type = model_string(model, "space");
	model->period_type.unit = model_string(model, "bytes");
	model->period = model->exact.period > 0 ? model->exact.period :
	    (int64_t)heap->rate;
	if (model->exact.time_unix_ns > 0)
		model->time_ns = model->exact.time_unix_ns;
	for (size_t i = 0; i < heap->nrows; i++)
		add_row(heap, &heap->rows[i]);
}

static struct pending *
new_row(struct heap *heap)
{
	heap->rows = xgrow(heap->rows, heap->nrows, &heap->rows_capacity,
	    sizeof *heap->rows);
	heap->rows[heap->nrows] = (struct pending){ 0 };
	return &heap->rows[heap->nrows++];
}

static void
take_comment(struct heap *heap)
{
	const char *at = heap->text.line + 1;
	char *comment;

	skip_blanks(&at);
	if (at > heap->text.end)
		return;
	comment = xstrndup(at, heap->text.end - at);
	if (strstr(comment, ": ") != NULL)
		model_add_comment(heap->model, comment);
	free(comment);
}

static void
note_alloc(struct heap *heap, const double counts[NVALUES])
{
	if (counts[ALLOC_OBJECTS] > 0 || counts[ALLOC_SPACE] > 0)
		heap->has_alloc = true;
}

/* --- heap_v2 ------------------------------------------------------------ */

/* "  t*: 1: 16 [0: 0]"; of the others only the form is checked. */
static int
take_thread_line(struct heap *heap, struct pending *row)
{
	const char *at = heap->text.line;
	double counts[NVALUES], thread;
	bool is_total;

	skip_blanks(&at);
	if (*at++ != 't')
		return fail(heap, "a line is of no known kind");
	is_total = strncmp(at, "*:", 2) == 0;
	if (is_total)
		at += 2;
	else if (!take_count(&at, ':', &thread))
		return fail(heap, "a thread's line has no thread number");
	if (!take_counts(&at, counts))
		return fail(heap, "a thread's line has not four counts");
	if (heap->text.next == NULL)
		return fail(heap, "the last line is cut off");
	note_alloc(heap, counts);
	if (is_total && row != NULL)
		memcpy(row->counts, counts, sizeof counts);
	return 0;
}

static int
take_v2_lines(struct heap *heap)
{
	struct pending *row = NULL;
	int status = 0;

	while (status == 0 && next_line(&heap->text)) {
		struct text *text = &heap->text;

		if (is_blank(text))
			continue;
		if (starts_with(text, "MAPPED_LIBRARIES:"))
			return take_maps(heap);
		if (*text->line == '#') {
			take_comment(heap);
		} else if (*text->line == '@') {
			row = new_row(heap);
			status = take_addresses(heap, text->line + 1, row);
		} else {
			status = take_thread_line(heap, row);
		}
	}
	return status;
}

static int
take_v2(struct heap *heap)
{
	const char *at = heap->text.line + strlen("heap_v2/");
	int status;

	if (!take_count(&at, '\n', &heap->rate) || heap->rate < 1)
		return fail(heap, "the header has no sampling rate");
	status = take_v2_lines(heap);
	if (status == 0 && !heap->saw_maps) {
		heap->text.line = heap->text.start +
		    strlen(heap->text.start);
		return fail(heap, "it ends before MAPPED_LIBRARIES");
	}
	return status;
}

/* --- heap profile: ------------------------------------------------------ */

/* "heap_v2/R", "heapz_v2/R": R; "heap/R": R/2; "heapprofile": not sampled. */
static int
take_legacy_rate(struct heap *heap, const char *at)
{
	char word[16] = "";
	double rate = 0;
	char *line;
	int n;

	skip_blanks(&at);
	line = xstrndup(at, heap->text.end - at);
	n = sscanf(line, "%15[a-z0-9_]/%lf", word, &rate);
	free(line);
	heap->rate = 1;
	if (n >= 1 && (strcmp(word, "heapprofile") == 0 ||
	    strcmp(word, "growthz") == 0))
		return 0;
	if (n == 2 && rate >= 1 && rate < 9e18 &&
	    (strcmp(word, "heap_v2") == 0 || strcmp(word, "heapz_v2") == 0))
		heap->rate = rate;
	else if (n == 2 && rate >= 1 && rate < 9e18 &&
	    strcmp(word, "heap") == 0)
		heap->rate = rate >= 2 ? floor(rate / 2) : 1;
	else
		return fail(heap, "the header names no known way of sampling");
	return 0;
}

static int
take_legacy_row(struct heap *heap)
{
	const char *at = heap->text.line;
	struct pending *row = new_row(heap);

	if (!take_counts(&at, row->counts))
		return fail(heap, "a line has not four counts");
	skip_blanks(&at);
	if (*at++ != '@')
		return fail(heap, "a line has no stack");
	if (heap->text.next == NULL)
		return fail(heap, "the last line is cut off");
	note_alloc(heap, row->counts);
	return take_addresses(heap, at, row);
}

static int
take_legacy(struct heap *heap)
{
	const char *at = heap->text.line + strlen("heap profile:");
	double counts[NVALUES];
	int status;

	if (!take_counts(&at, counts))
		return fail(heap, "the header has not four counts");
	skip_blanks(&at);
	if (*at++ != '@')
		return fail(heap, "the header has no '@'");
	status = take_legacy_rate(heap, at);
	while (status == 0 && next_line(&heap->text)) {
		if (starts_with(&heap->text, "MAPPED_LIBRARIES:") ||
		    starts_with(&heap->text, "--- Memory map: ---"))
			return take_maps(heap);
		if (*heap->text.line == '#')
			take_comment(heap);
		else if (!is_blank(&heap->text))
			status = take_legacy_row(heap);
	}
	return status;
}

static void
heap_free(struct heap *heap)
{
	for (size_t i = 0; i < heap->nrows; i++)
		free(heap->rows[i].addresses);
	free(heap->rows);
}

int
read_heap(const char *bytes, size_t length, struct model **out,
    struct model_error *error)
{
	struct heap heap = { .text = { .start = bytes, .next = bytes },
	    .error = error, .rate = 1 };
	int status;

	heap.model = model_new();
	heap.model->nfiles = 1;
	next_line(&heap.text);
	heap.is_v2 = starts_with(&heap.text, "heap_v2/");
	heap.model->format = heap.is_v2 ? "heap_v2" : "legacy heap";
	if (strlen(bytes) != length) {
		heap.text.line = bytes + strlen(bytes);
		status = fail(&heap, "a NUL byte stands in the text");
	} else if (heap.text.next == NULL) {
		status = fail(&heap, "it ends within the first line");
	} else {
		status = heap.is_v2 ? take_v2(&heap) : take_legacy(&heap);
	}
	if (status == 0)
		add_rows(&heap);
	heap_free(&heap);
	if (status != 0) {
		model_free(heap.model);
		return status;
	}
	*out = heap.model;
	return 0;
}

bool
read_heap_match(const char *bytes, size_t length)
{
	static const char *const starts[] = { "heap_v2/", "heap profile:" };

	for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
		size_t n = strlen(starts[i]);

		if (length >= n && memcmp(bytes, starts[i], n) == 0)
			return true;
	}
	return false;
}
