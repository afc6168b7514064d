/*
 * small_reader.h - an independent reader of both profile formats, for test
 * programs: no allocation, no part of the strata command, dies of damage.
 *
 * For each row it calls row(addresses, n, values): innermost address first,
 * values in the native format's order of sample types. heap_v2 fills the first
 * four only.
 */
#ifndef STRATA_TESTS_SMALL_READER_H
#define STRATA_TESTS_SMALL_READER_H

#include <fcntl.h>
#include <unistd.h>

#include "e2e.h"

enum { READER_FRAMES = 1024, READER_VALUES = 9, READER_LOCATIONS = 65536 };

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE,
    REQUESTED_SPACE, PINNED_SPACE, FREED_OBJECTS, FREED_SPACE, SAMPLES };

typedef void reader_row(const uint64_t *addresses, size_t n,
    const int64_t *values);

/* A run of bytes that is consumed from the front. */
struct bytes {
	const unsigned char *at, *end;
};

static uint64_t reader_addresses[READER_LOCATIONS];	/* by location id */

static inline uint64_t
reader_varint(struct bytes *in)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (in->at == in->end)
			break;
		value |= (uint64_t)(*in->at & 0x7f) << shift;
		if ((*in->at++ & 0x80) == 0)
			return value;
	}
	die("profile: bad varint");
}

/*
 * Reads one field; false at the end. A length-delimited one is in body, a
 * varint in value with an empty body.
 */
static inline bool
reader_field(struct bytes *in, unsigned *field, uint64_t *value,
    struct bytes *body)
{
	uint64_t key;

	if (in->at == in->end)
		return false;
	key = reader_varint(in);
	*field = (unsigned)(key >> 3);
	*value = reader_varint(in);
	*body = (struct bytes){ in->at, in->at };
	if ((key & 7) == 0)
		return true;
	if ((key & 7) != 2 || *value > (uint64_t)(in->end - in->at))
		die("profile: bad field");
	body->end = in->at += *value;
	return true;
}

static inline void
reader_location(struct bytes in)
{
	uint64_t id = 0, address = 0, value;
	struct bytes body;
	unsigned field;

	while (reader_field(&in, &field, &value, &body)) {
		if (field == 1)
			id = value;
		else if (field == 3)
			address = value;
	}
	if (id == 0 || id >= READER_LOCATIONS)
		die("profile: location id %llu", (unsigned long long)id);
	reader_addresses[id] = address;
}

static inline void
reader_sample(struct bytes in, reader_row *row)
{
	uint64_t addresses[READER_FRAMES], value;
	int64_t values[READER_VALUES] = { 0 };
	size_t nframes = 0, nvalues = 0;
	struct bytes body;
	unsigned field;

	while (reader_field(&in, &field, &value, &body)) {
		bool packed = body.at != body.end;

		if (field != 1 && field != 2)
			continue;
		do {
			uint64_t v = packed ? reader_varint(&body) : value;

			if (field == 1 && nframes < READER_FRAMES &&
			    v < READER_LOCATIONS)
				addresses[nframes++] = reader_addresses[v];
			else if (field == 2 && nvalues < READER_VALUES)
				values[nvalues++] = (int64_t)v;
			else
				die("profile: bad sample");
		} while (body.at != body.end);
	}
	row(addresses, nframes, values);
}

static inline void
reader_native(struct bytes all, reader_row *row)
{
	struct bytes in = all, body;
	uint64_t value;
	unsigned field;

	while (reader_field(&in, &field, &value, &body))
		if (field == 4)
			reader_location(body);
	for (in = all; reader_field(&in, &field, &value, &body);)
		if (field == 2)
			reader_sample(body, row);
}

/* One "@ 0x1 0x2" line is followed by "t*: live: bytes [all: bytes]". */
static inline void
reader_heap_v2(char *text, reader_row *row)
{
	uint64_t addresses[READER_FRAMES];
	int64_t v[READER_VALUES] = { 0 };
	char *line, *next = text;

	while ((line = strstr(next, "\n@ ")) != NULL) {
		size_t n = 0;

		next = line + 2;
		while (*next == ' ' && n < READER_FRAMES)
			addresses[n++] = strtoull(next, &next, 16);
		if (sscanf(next, "\n t*: %ld: %ld [%ld: %ld]",
		    &v[INUSE_OBJECTS], &v[INUSE_SPACE], &v[ALLOC_OBJECTS],
		    &v[ALLOC_SPACE]) != 4)
			die("profile: bad counts after a stack");
		row(addresses, n, v);
	}
}

/* False: there is no such file. */
static inline bool
read_profile(const char *file, reader_row *row)
{
	static char buffer[8 << 20];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd < 0)
		die("%s: %s", file, strerror(errno));
	while ((n = read(fd, buffer + used, sizeof buffer - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	if (used == 0 || used == sizeof buffer - 1)
		die("%s: empty or too big", file);
	buffer[used] = '\0';
	if (strncmp(buffer, "heap_v2/", 8) == 0)
		reader_heap_v2(buffer, row);
	else
		reader_native((struct bytes){ (unsigned char *)buffer,
		    (unsigned char *)buffer + used }, row);
	return true;
}

#endif
