/*
 * read.c - profiles from files: what format, compressed or not, one or many.
 */
#include "read.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "read_heap.h"
#include "read_pprof.h"
#include "xalloc.h"

enum { READ_STEP = 64 << 10 };		/* bytes asked of read() at a time */

struct buffer {
	char *bytes;			/* NUL after length bytes */
	size_t length, capacity;
};

/* Room for n more bytes and the NUL; false beyond READ_MAX. */
static bool
buffer_reserve(struct buffer *buffer, size_t n)
{
	if (buffer->length + n > READ_MAX)
		return false;
	while (buffer->capacity < buffer->length + n + 1) {
		buffer->capacity = buffer->capacity == 0 ? READ_STEP + 1 :
		    buffer->capacity * 2;
		buffer->bytes = xreallocarray(buffer->bytes,
		    buffer->capacity, 1);
	}
	return true;
}

/* --- gzip --------------------------------------------------------------- */

/* Inflates until the end of one member; false after an error. */
static bool
inflate_member(z_stream *stream, struct buffer *out,
    struct model_error *error)
{
	int status = Z_OK;

	while (status != Z_STREAM_END) {
		if (!buffer_reserve(out, READ_STEP)) {
			model_error_set(error, NULL, READ_MAX,
			    "larger than 1 GiB when inflated");
			return false;
		}
		stream->next_out = (unsigned char *)out->bytes + out->length;
		stream->avail_out = READ_STEP;
		status = inflate(stream, Z_NO_FLUSH);
		out->length += READ_STEP - stream->avail_out;
		if (status == Z_STREAM_END || status == Z_OK)
			continue;
		model_error_set(error, NULL, stream->total_in, status ==
		    Z_BUF_ERROR ? "gzip data end early (offset in the "
		    "compressed file)" : "damaged gzip data (offset in the "
		    "compressed file): %s", stream->msg == NULL ? "unknown" :
		    stream->msg);
		return false;
	}
	return true;
}

static bool
is_gzip(const unsigned char *bytes, size_t length)
{
	return length >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/* Replaces in's bytes by what they inflate to, member after member. */
static int
inflate_all(struct buffer *in, struct model_error *error)
{
	z_stream stream = { .next_in = (unsigned char *)in->bytes,
	    .avail_in = (unsigned)in->length };
	struct buffer out = { 0 };
	bool good;

	if (inflateInit2(&stream, 15 + 16) != Z_OK) {
		model_error_set(error, NULL, 0, "zlib does not start");
		return EINVAL;
	}
	do {
		good = inflate_member(&stream, &out, error);
	} while (good && is_gzip(stream.next_in, stream.avail_in) &&
	    inflateReset(&stream) == Z_OK);
	inflateEnd(&stream);
	if (!good) {
		free(out.bytes);
		return EINVAL;
	}
	free(in->bytes);
	out.bytes[out.length] = '\0';
	*in = out;
	return 0;
}

/* --- files -------------------------------------------------------------- */

static int
read_all(int fd, struct buffer *buffer, struct model_error *error)
{
	for (;;) {
		ssize_t n;

		if (!buffer_reserve(buffer, READ_STEP)) {
			model_error_set(error, NULL, READ_MAX,
			    "larger than 1 GiB");
			return EFBIG;
		}
		n = read(fd, buffer->bytes + buffer->length, READ_STEP);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int status = errno;

			model_error_set(error, NULL, buffer->length,
			    "cannot be read: %s", strerror(status));
			return status;
		}
		buffer->length += (size_t)n;
		buffer->bytes[buffer->length] = '\0';
		if (n == 0)
			return 0;
	}
}

int
read_file(const char *path, char **bytes, size_t *length,
    struct model_error *error)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct buffer buffer = { 0 };
	int fd, status;

	model_error_set(error, is_stdin ? "(standard input)" : path, 0, "%s",
	    "");
	fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		status = errno;
		model_error_set(error, NULL, MODEL_NOWHERE,
		    "cannot be opened: %s", strerror(status));
		return status;
	}
	status = read_all(fd, &buffer, error);
	if (!is_stdin)
		close(fd);
	if (status == 0 && is_gzip((unsigned char *)buffer.bytes,
	    buffer.length))
		status = inflate_all(&buffer, error);
	if (status != 0) {
		free(buffer.bytes);
		return status;
	}
	*bytes = buffer.bytes;
	*length = buffer.length;
	return 0;
}

/* --- formats ------------------------------------------------------------ */

/* Text that is none of the known kinds, and would look like a message. */
static bool
is_text(const char *bytes, size_t length)
{
	size_t n = length < 64 ? length : 64;

	for (size_t i = 0; i < n; i++)
		if (!isprint((unsigned char)bytes[i]) &&
		    !isspace((unsigned char)bytes[i]))
			return false;
	return true;
}

/* bytes[length] is NUL. */
static int
read_bytes(const char *bytes, size_t length, struct model **out,
    struct model_error *error)
{
	if (length == 0) {
		model_error_set(error, NULL, 0, "empty file");
		return EINVAL;
	}
	if (read_heap_match(bytes, length))
		return read_heap(bytes, length, out, error);
	if (read_pprof_match((const unsigned char *)bytes, length) &&
	    !is_text(bytes, length))
		return read_pprof((const unsigned char *)bytes, length, out,
		    error);
	model_error_set(error, NULL, 0, "not a profile: neither profile.proto, "
	    "heap_v2 nor a \"heap profile:\"");
	return EINVAL;
}

int
read_buffer(const char *name, const void *bytes, size_t length,
    struct model **out, struct model_error *error)
{
	struct buffer buffer = { 0 };
	int status = EFBIG;

	model_error_set(error, name, 0, "larger than 1 GiB");
	if (buffer_reserve(&buffer, length)) {
		memcpy(buffer.bytes, bytes, length);
		buffer.bytes[length] = '\0';
		buffer.length = length;
		status = is_gzip(bytes, length) ?
		    inflate_all(&buffer, error) : 0;
	}
	if (status == 0)
		status = read_bytes(buffer.bytes, buffer.length, out, error);
	free(buffer.bytes);
	return status;
}

int
read_profile(const char *path, struct model **out, struct model_error *error)
{
	size_t length;
	char *bytes;
	int status = read_file(path, &bytes, &length, error);

	if (status != 0)
		return status;
	status = read_bytes(bytes, length, out, error);
	free(bytes);
	return status;
}

/* Whose dumps the files are, as far as they say. */
struct processes {
	struct process {
		int64_t pid, start;
		uint32_t nfiles;
	} *items;
	size_t n, capacity;
};

static void
processes_add(struct processes *all, const struct model *model)
{
	const struct model_exact *exact = &model->exact;
	size_t i = 0;

	if (exact->pid <= 0 || exact->start_time_unix <= 0)
		return;
	while (i < all->n && (all->items[i].pid != exact->pid ||
	    all->items[i].start != exact->start_time_unix))
		i++;
	if (i == all->n) {
		all->items = xgrow(all->items, all->n, &all->capacity,
		    sizeof *all->items);
		all->items[all->n++] = (struct process){ exact->pid,
		    exact->start_time_unix, 0 };
	}
	all->items[i].nfiles += model->nfiles;
}

/* Of the process that has most of the files. */
static void
set_repeated(struct model *model, const struct processes *all)
{
	for (size_t i = 0; i < all->n; i++) {
		if (all->items[i].nfiles < 2 ||
		    all->items[i].nfiles <= model->repeated)
			continue;
		model->repeated = all->items[i].nfiles;
		model->repeated_pid = all->items[i].pid;
	}
}

int
read_profiles(char *const paths[], size_t n, struct model **out,
    struct model_error *error)
{
	struct processes processes = { 0 };
	struct model *all = NULL;
	int status = 0;

	for (size_t i = 0; i < n && status == 0; i++) {
		struct model *one;

		status = read_profile(paths[i], &one, error);
		if (status == 0)
			processes_add(&processes, one);
		if (status == 0 && all != NULL) {
			status = model_merge(all, one, error);
			model_free(one);
		} else if (status == 0) {
			all = one;
		}
	}
	if (status == 0) {
		set_repeated(all, &processes);
		*out = all;
	} else {
		model_free(all);
	}
	free(processes.items);
	return status;
}

int
read_complain(const struct model_error *error)
{
	fprintf(stderr, "strata: %s: ", *error->file == '\0' ? "''" :
	    error->file);
	if (error->offset != MODEL_NOWHERE)
		fprintf(stderr, "offset %llu: ",
		    (unsigned long long)error->offset);
	fprintf(stderr, "%s\n", error->reason);
	return EXIT_INPUT;
}
