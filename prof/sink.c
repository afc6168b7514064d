/*
 * sink.c - see sink.h.
 */
#include "sink.h"

#include <string.h>

#include "os.h"

void
sink_init(struct sink *sink, int fd, char *buf, size_t size)
{
	*sink = (struct sink){ .fd = fd, .buf = buf, .size = size };
}

void
sink_init_call(struct sink *sink, void (*write)(void *, const char *),
    void *opaque, char *buf, size_t size)
{
	/* a byte is for the NUL */
	*sink = (struct sink){ .fd = -1, .write = write, .opaque = opaque,
	    .buf = buf, .size = size - 1 };
}

int
sink_flush(struct sink *sink)
{
	if (sink->write != NULL && sink->used != 0) {
		sink->buf[sink->used] = '\0';
		sink->write(sink->opaque, sink->buf);
	}
	if (sink->error == 0 && sink->fd >= 0 && sink->used != 0)
		sink->error = -os_write_all(sink->fd, sink->buf, sink->used);
	sink->used = 0;
	return sink->error;
}

void
sink_put(struct sink *sink, const void *data, size_t size)
{
	const char *from = data;

	sink->total += size;
	while (size > 0 && sink->error == 0) {
		size_t part = sink->size - sink->used;

		if (part > size)
			part = size;
		memcpy(sink->buf + sink->used, from, part);
		sink->used += part;
		from += part;
		size -= part;
		if (sink->used == sink->size)
			sink_flush(sink);
	}
}

void
sink_string(struct sink *sink, const char *string)
{
	sink_put(sink, string, strlen(string));
}

void
sink_char(struct sink *sink, char c)
{
	sink_put(sink, &c, 1);
}

static void
sink_number(struct sink *sink, uint64_t n, unsigned base)
{
	char digits[20];		/* of 2^64 - 1 */
	size_t at = sizeof digits;

	do
		digits[--at] = "0123456789abcdef"[n % base];
	while ((n /= base) != 0);
	sink_put(sink, digits + at, sizeof digits - at);
}

void
sink_decimal(struct sink *sink, uint64_t n)
{
	sink_number(sink, n, 10);
}

void
sink_hex(struct sink *sink, uint64_t n)
{
	sink_string(sink, "0x");
	sink_number(sink, n, 16);
}
