/*
 * statsfile.c - finds the JSON objects of a file, keeps them as a series.
 *
 *   lines of a log ... {"jemalloc":{...}} more lines {"jemalloc":{...}}
 *                      ^ begins so                   ^ and the next one
 */
#define _GNU_SOURCE			/* memmem */
#include "statsfile.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "read.h"
#include "statsfile_parse.h"
#include "statsfile_sum.h"
#include "xalloc.h"

/*
 * Of one object, bytes: 4000 arenas write some 200 MB. The parser's tree
 * takes about ten times as much memory while it is read.
 */
enum { OBJECT_MAX = 256 << 20 };

/* --- finding ------------------------------------------------------------- */

/* The file being read. */
struct text {
	const char *name, *start, *end;	/* *end is NUL */
	struct model_error *error;
};

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where an object of statistics begins, at or behind at; or NULL. */
static const char *
find_object(const struct text *text, const char *at)
{
	static const char key[] = "\"jemalloc\"";
	const size_t len = sizeof key - 1;

	while ((at = memmem(at, (size_t)(text->end - at), key, len)) != NULL) {
		const char *before = at, *after = at + len;

		while (before > text->start && is_space(before[-1]))
			before--;
		while (is_space(*after))
			after++;
		if (before > text->start && before[-1] == '{' &&
		    *after == ':')
			return before - 1;
		at += len;
	}
	return NULL;
}

static unsigned long
line_of(const struct text *text, const char *at)
{
	unsigned long line = 1;

	for (const char *p = text->start; p < at; p++)
		line += *p == '\n';
	return line;
}

static int
damaged(const struct text *text, const char *at, const char *why)
{
	model_error_set(text->error, text->name,
	    (uint64_t)(at - text->start), "line %lu: damaged statistics: %s",
	    line_of(text, at), why);
	return EINVAL;
}

static int
none_here(const struct text *text)
{
	static const char title[] = "Begin jemalloc statistics";

	if (memmem(text->start, (size_t)(text->end - text->start), title,
	    sizeof title - 1) != NULL)
		model_error_set(text->error, text->name, 0, "statistics as "
		    "text; only JSON can be read (stats_print_opts:J)");
	else
		model_error_set(text->error, text->name, 0, "%s",
		    text->start == text->end ? "empty file" : "no statistics "
		    "(JSON of malloc_stats_print) in it");
	return EINVAL;
}

/*
 * Parses the object at `at`; *length: its bytes. Counts beyond INT64_MAX are
 * an error to the parser, unless it takes all numbers as real ones: then
 * those beyond 2^53 lose their last digits, which is why that is not the
 * first try.
 */
static json_t *
parse_json(const struct text *text, const char *at, size_t *length)
{
	size_t left = (size_t)(text->end - at);
	size_t size = left < OBJECT_MAX ? left : OBJECT_MAX;
	json_error_t error;
	json_t *root = json_loadb(at, size, JSON_DISABLE_EOF_CHECK, &error);
	size_t position;

	if (root == NULL &&
	    json_error_code(&error) == json_error_numeric_overflow)
		root = json_loadb(at, size, JSON_DISABLE_EOF_CHECK |
		    JSON_DECODE_INT_AS_REAL, &error);
	position = error.position < 0 ? 0 : (size_t)error.position;
	if (root != NULL)
		*length = position;
	else if (position >= size && size < left)
		damaged(text, at, "an object of more than 256 MiB");
	else
		damaged(text, at + (position < size ? position : size),
		    error.text);
	return root;
}

/* --- series -------------------------------------------------------------- */

static void
append(struct statsfile_series *series, struct statsfile *file)
{
	series->items = xgrow(series->items, series->n, &series->capacity,
	    sizeof *series->items);
	series->items[series->n++] = file;
}

static int
read_object(const struct text *text, const char **at,
    struct statsfile_series *series)
{
	struct statsfile *file;
	size_t length = 0;
	char why[200];
	json_t *root = parse_json(text, *at, &length);
	int status;

	if (root == NULL)
		return EINVAL;
	status = statsfile_parse(root, &file, why, sizeof why);
	json_decref(root);
	if (status != 0)
		return damaged(text, *at, why);
	file->source = xstrdup(text->name);
	file->offset = (uint64_t)(*at - text->start);
	statsfile_sum_arenas(file);
	statsfile_check_locks(file);
	append(series, file);
	*at += length;
	return 0;
}

int
statsfile_read_buffer(const char *name, const char *bytes, size_t length,
    struct statsfile_series *series, struct model_error *error)
{
	struct text text = { name, bytes, bytes + length, error };
	const char *at = find_object(&text, bytes);
	int status = at == NULL ? none_here(&text) : 0;

	while (status == 0 && at != NULL) {
		status = read_object(&text, &at, series);
		if (status == 0)
			at = find_object(&text, at);
	}
	return status;
}

int
statsfile_read(const char *path, struct statsfile_series *series,
    struct model_error *error)
{
	size_t length;
	char *bytes;
	int status = read_file(path, &bytes, &length, error);

	if (status != 0)
		return status;
	status = statsfile_read_buffer(strcmp(path, "-") == 0 ?
	    "(standard input)" : path, bytes, length, series, error);
	free(bytes);
	return status;
}

static bool
is_later(const struct statsfile *a, const struct statsfile *b)
{
	if (a->time_unix_ns != 0 && b->time_unix_ns != 0)
		return a->time_unix_ns > b->time_unix_ns;
	return b->uptime_ns != 0 && a->uptime_ns > b->uptime_ns;
}

/* Insertion keeps the order of equal times; series are short, or sorted. */
void
statsfile_series_sort(struct statsfile_series *series)
{
	for (size_t i = 1; i < series->n; i++) {
		struct statsfile *file = series->items[i];
		size_t j = i;

		for (; j > 0 && is_later(series->items[j - 1], file); j--)
			series->items[j] = series->items[j - 1];
		series->items[j] = file;
	}
}

void
statsfile_series_free(struct statsfile_series *series)
{
	for (size_t i = 0; i < series->n; i++)
		statsfile_free(series->items[i]);
	free(series->items);
	*series = (struct statsfile_series){ NULL, 0, 0 };
}

void
statsfile_series_drop(struct statsfile_series *series, size_t n)
{
	for (size_t i = 0; i < n; i++)
		statsfile_free(series->items[i]);
	series->n -= n;
	memmove(series->items, series->items + n,
	    series->n * sizeof *series->items);
}

bool
statsfile_same_process(const struct statsfile *a, const struct statsfile *b)
{
	return a->pid == b->pid || a->pid == 0 || b->pid == 0;
}

/* --- looking up ---------------------------------------------------------- */

const char *
statsfile_option(const struct statsfile *file, const char *name)
{
	for (size_t i = 0; i < file->noptions; i++) {
		if (strcmp(file->options[i].name, name) == 0)
			return file->options[i].value;
	}
	return NULL;
}

const struct statsfile_arena *
statsfile_arena(const struct statsfile *file, uint64_t index)
{
	for (size_t i = 0; i < file->n; i++) {
		if (file->arenas[i].index == index)
			return &file->arenas[i];
	}
	return NULL;
}

const struct statsfile_lock *
statsfile_lock(const struct statsfile_mutexes *mutexes, const char *name)
{
	for (size_t i = 0; i < mutexes->n; i++) {
		if (strcmp(mutexes->items[i].name, name) == 0)
			return &mutexes->items[i].lock;
	}
	return NULL;
}

/* Where the file does not say, 4 KiB: what x86-64 and most others have. */
uint64_t
statsfile_pages(const struct statsfile *file, uint64_t npages)
{
	return npages * (file->page != 0 ? file->page : 4096);
}
