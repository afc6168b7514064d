/*
 * proto.h - the part of protocol buffers' wire format that profile.proto
 * needs: varints and length-delimited fields.
 *
 * A nested message stands behind its length, so it is put together in a
 * struct proto, a growing piece of a dump's scratch memory, and then written
 * whole to the sink, or into the message around it:
 *
 *   proto_reset(&m); proto_uint(&m, 1, id); ... proto_emit(&m, sink, 4);
 *
 * Fields that are 0 may be left out by the format; the *_uint and *_int
 * functions do so, packed lists keep them.
 */
#ifndef STRATA_PROTO_H
#define STRATA_PROTO_H

#include <stddef.h>
#include <stdint.h>

struct scratch;
struct sink;

struct proto {
	struct scratch *scratch;	/* where the bytes come from */
	unsigned char *bytes;
	size_t used, size;
	int error;			/* ENOMEM sticks */
};

enum { PROTO_VARINT_MAX = 10 };		/* bytes of a 64-bit varint */

/* Encodes n; returns the number of bytes, 1..PROTO_VARINT_MAX. */
size_t proto_varint(unsigned char *out, uint64_t n);

void proto_init(struct proto *message, struct scratch *scratch);
void proto_reset(struct proto *message);

/* A field of type uint64, int64 or bool; nothing if n is 0. */
void proto_uint(struct proto *message, unsigned field, uint64_t n);
void proto_int(struct proto *message, unsigned field, int64_t n);

/* repeated uint64 or int64, packed; nothing if count is 0. */
void proto_packed(struct proto *message, unsigned field, const uint64_t *n,
    size_t count);

/* Fields that have been encoded before, as they are. */
void proto_fields(struct proto *message, const void *bytes, size_t size);

/* A nested message as a field of another. */
void proto_message(struct proto *message, unsigned field,
    const struct proto *inner);

/*
 * A whole message, a string or a number as a field of the outermost message,
 * straight to the file. The message's error goes to the sink.
 */
void proto_emit(const struct proto *message, struct sink *sink,
    unsigned field);
void proto_emit_string(struct sink *sink, unsigned field, const char *string);
void proto_emit_uint(struct sink *sink, unsigned field, uint64_t n);

#endif
