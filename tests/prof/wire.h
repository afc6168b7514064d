/*
 * wire.h - a small reader of protocol buffers, for tests: written from the
 * format's definition, not from the encoder.
 */
#ifndef STRATA_TESTS_WIRE_H
#define STRATA_TESTS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
	const unsigned char *at, *end;
	bool bad;
};

struct wire_field {
	unsigned number;
	uint64_t value;			/* of a varint */
	struct wire bytes;		/* of a length-delimited field */
	bool is_bytes;
};

static inline uint64_t
wire_varint(struct wire *w)
{
	uint64_t n = 0;

	for (unsigned shift = 0; w->at < w->end && shift < 70; shift += 7) {
		unsigned char byte = *w->at++;

		n |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return n;
	}
	w->bad = true;
	return 0;
}

/* The next field; false at the end, or with w->bad set. */
static inline bool
wire_next(struct wire *w, struct wire_field *out)
{
	uint64_t tag;

	*out = (struct wire_field){ 0 };
	if (w->at == w->end || w->bad)
		return false;
	tag = wire_varint(w);
	out->number = (unsigned)(tag >> 3);
	out->is_bytes = (tag & 7) == 2;
	out->value = wire_varint(w);
	if ((tag & 7) != 0 && (tag & 7) != 2)
		w->bad = true;
	if (!out->is_bytes)
		return !w->bad;
	if (out->value > (uint64_t)(w->end - w->at)) {
		w->bad = true;
		return false;
	}
	out->bytes = (struct wire){ w->at, w->at + out->value, false };
	w->at += out->value;
	return !w->bad;
}

#endif
