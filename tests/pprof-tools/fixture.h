/*
 * fixture.h - profiles made by code, for the tests of the views.
 *
 * Writes profile.proto by an encoder of its own, so that a mistake in the
 * command's writer and the same one in its reader do not cancel out. Frames
 * are named: nothing is left to the symbolizer.
 *
 *   struct fixture f;
 *   fixture_init(&f, 4096);
 *   fixture_comment(&f, "pid: 4711");
 *   fixture_row(&f, &(struct fixture_row){ .path = "main;serve;session_new",
 *       .bytes = 64, .samples = 3, .live = true, .age_ns = 2000000000 });
 *   fixture_write(&f, "x.pb");
 *
 * A path's frames come outermost first; "f~g" means that f was inlined into
 * g: both at one address. Values follow from bytes, samples and the period as
 * libstrata computes them: objects = samples / p, space = objects * bytes.
 */
#ifndef STRATA_TESTS_FIXTURE_H
#define STRATA_TESTS_FIXTURE_H

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture_row {
	const char *path;
	int64_t bytes;			/* usable size of an object */
	int64_t samples;
	bool live;			/* else freed */
	int64_t age_ns, lifetime_ns;	/* lower edges, as live says */
	const char *arena, *generation;	/* NULL: none */
};

struct fixture_bytes {
	unsigned char *data;
	size_t length, capacity;
};

struct fixture {
	struct fixture_bytes out;	/* the fields but the string table */
	char *strings[512];
	size_t nstrings;
	char *frames[256];		/* "f~g": location and its functions */
	size_t nframes, nfunctions;
	int64_t period;
};

static inline void
fixture_put(struct fixture_bytes *to, const void *data, size_t n)
{
	if (n == 0)
		return;
	if (to->length + n > to->capacity) {
		to->capacity = 2 * (to->length + n);
		to->data = realloc(to->data, to->capacity);
		assert(to->data != NULL);
	}
	memcpy(to->data + to->length, data, n);
	to->length += n;
}

static inline void
fixture_varint(struct fixture_bytes *to, uint64_t n)
{
	do {
		unsigned char byte = (unsigned char)((n & 0x7f) |
		    (n > 0x7f ? 0x80 : 0));

		fixture_put(to, &byte, 1);
		n >>= 7;
	} while (n != 0);
}

static inline void
fixture_number(struct fixture_bytes *to, unsigned field, uint64_t n)
{
	fixture_varint(to, field << 3);
	fixture_varint(to, n);
}

static inline void
fixture_message(struct fixture_bytes *to, unsigned field,
    struct fixture_bytes *from)
{
	fixture_varint(to, field << 3 | 2);
	fixture_varint(to, from->length);
	fixture_put(to, from->data, from->length);
	free(from->data);
	memset(from, 0, sizeof *from);
}

static inline uint64_t
fixture_string(struct fixture *f, const char *text)
{
	for (size_t i = 0; i < f->nstrings; i++) {
		if (strcmp(f->strings[i], text) == 0)
			return i;
	}
	assert(f->nstrings < sizeof f->strings / sizeof f->strings[0]);
	f->strings[f->nstrings] = strdup(text);
	return f->nstrings++;
}

static inline void
fixture_type(struct fixture *f, unsigned field, const char *type,
    const char *unit)
{
	struct fixture_bytes message = { 0 };

	fixture_number(&message, 1, fixture_string(f, type));
	fixture_number(&message, 2, fixture_string(f, unit));
	fixture_message(&f->out, field, &message);
}

static inline void
fixture_init(struct fixture *f, int64_t period)
{
	static const char *const types[] = { "alloc_objects", "alloc_space",
	    "inuse_objects", "inuse_space", "requested_space",
	    "pinned_space", "freed_objects", "freed_space", "samples" };
	struct fixture_bytes mapping = { 0 };

	memset(f, 0, sizeof *f);
	f->period = period;
	fixture_string(f, "");
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		fixture_type(f, 1, types[i], strstr(types[i], "space") ?
		    "bytes" : "count");
	fixture_number(&mapping, 1, 1);
	fixture_number(&mapping, 2, 0x400000);
	fixture_number(&mapping, 3, 0x500000);
	fixture_number(&mapping, 5, fixture_string(f, "/usr/bin/server"));
	fixture_number(&mapping, 7, 1);		/* has_functions */
	fixture_message(&f->out, 3, &mapping);
	fixture_type(f, 11, "space", "bytes");
	fixture_number(&f->out, 12, (uint64_t)period);
	fixture_number(&f->out, 14, fixture_string(f, "inuse_space"));
}

static inline void
fixture_time(struct fixture *f, int64_t unix_ns)
{
	fixture_number(&f->out, 9, (uint64_t)unix_ns);
}

static inline void
fixture_comment(struct fixture *f, const char *text)
{
	fixture_number(&f->out, 13, fixture_string(f, text));
}

/* A function; its line in its location. */
static inline void
fixture_line(struct fixture *f, struct fixture_bytes *location,
    const char *name)
{
	struct fixture_bytes function = { 0 }, line = { 0 };

	fixture_number(&function, 1, ++f->nfunctions);
	fixture_number(&function, 2, fixture_string(f, name));
	fixture_number(&function, 3, fixture_string(f, name));
	fixture_number(&function, 4, fixture_string(f, "server.c"));
	fixture_message(&f->out, 5, &function);
	fixture_number(&line, 1, f->nfunctions);
	fixture_number(&line, 2, 10 * f->nfunctions);
	fixture_message(location, 4, &line);
}

static inline uint64_t
fixture_location(struct fixture *f, const char *frame)
{
	struct fixture_bytes location = { 0 };
	char *names, *rest, *name;

	for (size_t i = 0; i < f->nframes; i++) {
		if (strcmp(f->frames[i], frame) == 0)
			return i + 1;
	}
	assert(f->nframes < sizeof f->frames / sizeof f->frames[0]);
	f->frames[f->nframes++] = strdup(frame);
	fixture_number(&location, 1, f->nframes);
	fixture_number(&location, 2, 1);
	fixture_number(&location, 3, 0x400000 + 0x100 * f->nframes);
	rest = names = strdup(frame);
	while ((name = strsep(&rest, "~")) != NULL)
		fixture_line(f, &location, name);
	free(names);
	fixture_message(&f->out, 4, &location);
	return f->nframes;
}

static inline void
fixture_label(struct fixture *f, struct fixture_bytes *sample,
    const char *key, const char *string, int64_t number)
{
	struct fixture_bytes label = { 0 };

	fixture_number(&label, 1, fixture_string(f, key));
	if (string != NULL)
		fixture_number(&label, 2, fixture_string(f, string));
	else
		fixture_number(&label, 3, (uint64_t)number);
	fixture_message(sample, 3, &label);
}

static inline void
fixture_labels(struct fixture *f, struct fixture_bytes *sample,
    const struct fixture_row *row)
{
	fixture_label(f, sample, "bytes", NULL, row->bytes);
	if (row->arena != NULL)
		fixture_label(f, sample, "arena", row->arena, 0);
	if (row->generation != NULL)
		fixture_label(f, sample, "generation", row->generation, 0);
	fixture_label(f, sample, row->live ? "age" : "lifetime", "bucket",
	    0);
	fixture_label(f, sample, row->live ? "age_ns" : "lifetime_ns", NULL,
	    row->live ? row->age_ns : row->lifetime_ns);
}

static inline void
fixture_row(struct fixture *f, const struct fixture_row *row)
{
	struct fixture_bytes sample = { 0 }, ids = { 0 }, values = { 0 };
	double p = f->period <= 1 ? 1 : -expm1((double)row->bytes *
	    log1p(-1 / (double)f->period));
	int64_t objects = llround((double)row->samples / p);
	int64_t space = llround((double)row->samples / p *
	    (double)row->bytes);
	int64_t all[9] = { objects, space, row->live ? objects : 0,
	    row->live ? space : 0, space, 0, row->live ? 0 : objects,
	    row->live ? 0 : space, row->samples };
	char *path = strdup(row->path), *frame;

	while ((frame = strrchr(path, ';')) != NULL) {
		fixture_varint(&ids, fixture_location(f, frame + 1));
		*frame = '\0';
	}
	fixture_varint(&ids, fixture_location(f, path));
	free(path);
	fixture_message(&sample, 1, &ids);
	for (size_t i = 0; i < 9; i++)
		fixture_varint(&values, (uint64_t)all[i]);
	fixture_message(&sample, 2, &values);
	fixture_labels(f, &sample, row);
	fixture_message(&f->out, 2, &sample);
}

/* Writes the file and frees everything. */
static inline void
fixture_write(struct fixture *f, const char *path)
{
	FILE *file = fopen(path, "w");
	size_t n;

	assert(file != NULL);
	for (size_t i = 0; i < f->nstrings; i++) {
		struct fixture_bytes text = { 0 };

		fixture_put(&text, f->strings[i], strlen(f->strings[i]));
		fixture_message(&f->out, 6, &text);
		free(f->strings[i]);
	}
	for (size_t i = 0; i < f->nframes; i++)
		free(f->frames[i]);
	n = fwrite(f->out.data, 1, f->out.length, file);
	assert(n == f->out.length && fclose(file) == 0);
	(void)n;
	free(f->out.data);
}

/*
 * The profile most tests use: a server with a bounded cache, sessions, a
 * configuration in generations and a leak, and all exact figures.
 */
static inline void
fixture_server(const char *path)
{
	static const char *const comments[] = { "strata_version: 0.1.0",
	    "pid: 4711", "command: server --port 80",
	    "start_time_unix: 1781999000", "trigger: s", "period: 4096",
	    "live_bytes: 1850000", "allocated_bytes: 1900000",
	    "active_bytes: 2100000", "resident_bytes: 2500000",
	    "metadata_bytes: 300000", "tcache_bytes: 50000",
	    "dirty_bytes: 100000", "rss_bytes: 2800000",
	    "samples_live: 420", "samples_freed: 960",
	    "dropped_samples: 0", "dropped_bytes: 0" };
	static const struct fixture_row rows[] = {
		{ "main;serve;cache_put~cache_insert;entry_new", 256, 80,
		    .live = true, .age_ns = 2000000000, .arena = "arena 0" },
		{ "main;serve;cache_put~cache_insert;entry_new", 256, 400,
		    .lifetime_ns = 1024000000, .arena = "arena 0" },
		{ "main;serve;session_new", 1024, 40, .live = true,
		    .age_ns = 64000000, .arena = "arena 1" },
		{ "main;serve;session_new", 1024, 500,
		    .lifetime_ns = 128000000, .arena = "arena 1" },
		{ "main;serve;session_new", 64, 60,
		    .lifetime_ns = 2000, .arena = "arena 1" },
		{ "main;reload;config_parse;config_parse;node_new", 512, 200,
		    .live = true, .age_ns = 60000000000,
		    .arena = "arena 2", .generation = "generation 2" },
		{ "main;reload;config_parse;node_new", 2048, 70,
		    .live = true, .age_ns = 60000000000,
		    .arena = "arena 2", .generation = "generation 3" },
		{ "main;serve;log_line<char>;std::string(\"a & b\")", 96, 30,
		    .live = true, .age_ns = 0, .arena = "arena 0" },
	};
	struct fixture f;

	fixture_init(&f, 4096);
	fixture_time(&f, INT64_C(1782000000000000000));
	for (size_t i = 0; i < sizeof comments / sizeof comments[0]; i++)
		fixture_comment(&f, comments[i]);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		fixture_row(&f, &rows[i]);
	fixture_write(&f, path);
}

#endif
