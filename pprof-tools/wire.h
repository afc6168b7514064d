/*
 * wire.h - protocol buffers as profile.proto uses them: taking apart.
 *
 *   field := tag varint | tag length bytes        tag = number << 3 | kind
 *
 * A reader walks one message's bytes; every step is checked against its end.
 * The first error sticks: later steps find nothing, and the caller looks
 * once, at the end.
 */
#ifndef STRATA_WIRE_H
#define STRATA_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire_error {
	uint64_t offset;
	const char *reason;		/* NULL: none yet */
};

struct wire {
	const unsigned char *start;	/* of the whole input, for offsets */
	const unsigned char *at, *end;	/* of this message */
	struct wire_error *error;
};

struct wire_field {
	unsigned number;
	bool is_bytes;
	uint64_t value;			/* if it is a number */
	struct wire bytes;		/* if it is bytes */
};

/* The next field; false at the end of the message or after an error. */
bool wire_next(struct wire *wire, struct wire_field *field);

/*
 * The next number of a repeated field, packed or not: call until false.
 * The field is used up.
 */
bool wire_number(struct wire_field *field, uint64_t *value);

/* Notes an error at the reader's position, unless there is one. */
void wire_fail(const struct wire *wire, const char *reason);

#endif
