/*
 * proto.c - see proto.h.
 */
#include "proto.h"

#include <errno.h>
#include <string.h>

#include "scratch.h"
#include "sink.h"
#include "util.h"

enum { WIRE_VARINT = 0, WIRE_BYTES = 2 };

/* Bytes of n as a varint, 1 to PROTO_VARINT_MAX: seven bits in each. */
static size_t
varint_size(uint64_t n)
{
	return (lg_floor(n | 1) * 9 + 73) / 64;
}

size_t
proto_varint(unsigned char *out, uint64_t n)
{
	size_t len = 0;

	for (; n >= 0x80; n >>= 7)
		out[len++] = (unsigned char)(n | 0x80);
	out[len++] = (unsigned char)n;
	return len;
}

void
proto_init(struct proto *message, struct scratch *scratch)
{
	*message = (struct proto){ .scratch = scratch };
}

void
proto_reset(struct proto *message)
{
	message->used = 0;
}

/* Room for need more bytes; the old piece stays in the scratch till the end. */
static int
proto_reserve(struct proto *message, size_t need)
{
	size_t size = message->size != 0 ? message->size : 512;
	unsigned char *bytes;

	if (message->size - message->used >= need)
		return 0;
	while (size - message->used < need)
		size *= 2;
	bytes = scratch_alloc(message->scratch, size);
	if (bytes == NULL)
		return message->error = ENOMEM;
	if (message->used != 0)
		memcpy(bytes, message->bytes, message->used);
	message->bytes = bytes;
	message->size = size;
	return 0;
}

static void
proto_put_varint(struct proto *message, uint64_t n)
{
	if (proto_reserve(message, PROTO_VARINT_MAX) == 0)
		message->used += proto_varint(message->bytes + message->used,
		    n);
}

static void
proto_put_tag(struct proto *message, unsigned field, unsigned wire)
{
	proto_put_varint(message, (uint64_t)field << 3 | wire);
}

void
proto_uint(struct proto *message, unsigned field, uint64_t n)
{
	if (n == 0)
		return;
	proto_put_tag(message, field, WIRE_VARINT);
	proto_put_varint(message, n);
}

void
proto_int(struct proto *message, unsigned field, int64_t n)
{
	proto_uint(message, field, (uint64_t)n);
}

void
proto_packed(struct proto *message, unsigned field, const uint64_t *n,
    size_t count)
{
	unsigned char *out;
	size_t len = 0;

	if (count == 0)
		return;
	for (size_t i = 0; i < count; i++)
		len += varint_size(n[i]);
	proto_put_tag(message, field, WIRE_BYTES);
	proto_put_varint(message, len);
	if (proto_reserve(message, len) != 0)
		return;
	out = message->bytes + message->used;
	for (size_t i = 0; i < count; i++)
		out += proto_varint(out, n[i]);
	message->used += len;
}

void
proto_fields(struct proto *message, const void *bytes, size_t size)
{
	if (size == 0 || proto_reserve(message, size) != 0)
		return;
	memcpy(message->bytes + message->used, bytes, size);
	message->used += size;
}

void
proto_message(struct proto *message, unsigned field,
    const struct proto *inner)
{
	if (inner->error != 0)
		message->error = inner->error;
	proto_put_tag(message, field, WIRE_BYTES);
	proto_put_varint(message, inner->used);
	proto_fields(message, inner->bytes, inner->used);
}

static void
emit_head(struct sink *sink, unsigned field, unsigned wire, uint64_t n)
{
	unsigned char head[2 * PROTO_VARINT_MAX];
	size_t len = proto_varint(head, (uint64_t)field << 3 | wire);

	len += proto_varint(head + len, n);
	sink_put(sink, head, len);
}

void
proto_emit(const struct proto *message, struct sink *sink, unsigned field)
{
	if (message->error != 0 && sink->error == 0)
		sink->error = message->error;
	emit_head(sink, field, WIRE_BYTES, message->used);
	sink_put(sink, message->bytes, message->used);
}

void
proto_emit_string(struct sink *sink, unsigned field, const char *string)
{
	size_t len = strlen(string);

	emit_head(sink, field, WIRE_BYTES, len);
	sink_put(sink, string, len);
}

void
proto_emit_uint(struct sink *sink, unsigned field, uint64_t n)
{
	emit_head(sink, field, WIRE_VARINT, n);
}
