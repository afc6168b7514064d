/*
 * wire.c - protocol buffers as profile.proto uses them: taking apart.
 */
#include "wire.h"

enum kind { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

void
wire_fail(const struct wire *wire, const char *reason)
{
	if (wire->error->reason != NULL)
		return;
	wire->error->reason = reason;
	wire->error->offset = wire->at - wire->start;
}

static uint64_t
take_long_varint(struct wire *wire)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		unsigned char byte;

		if (wire->at == wire->end) {
			wire_fail(wire, "a number is cut off");
			return 0;
		}
		byte = *wire->at++;
		if (shift < 64)
			value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
	wire_fail(wire, "a number has more than 64 bits");
	return 0;
}

/* Nearly all are of one byte: tags, lengths, what labels refer to. */
static inline uint64_t
take_varint(struct wire *wire)
{
	if (wire->at < wire->end && *wire->at < 0x80)
		return *wire->at++;
	return take_long_varint(wire);
}

/* n bytes as a reader of their own. */
static struct wire
take_bytes(struct wire *wire, uint64_t n)
{
	struct wire part = *wire;

	if (n > (uint64_t)(wire->end - wire->at)) {
		wire_fail(wire, "a field reaches past the end of the data");
		n = 0;
	}
	part.end = wire->at + n;
	wire->at += n;
	return part;
}

static void
take_field(struct wire *wire, struct wire_field *field)
{
	uint64_t tag = take_varint(wire);

	if (wire->error->reason != NULL)
		return;
	if (tag >> 3 == 0 || tag >> 3 > INT32_MAX) {
		wire_fail(wire, "a field has an impossible number");
		return;
	}
	field->number = (unsigned)(tag >> 3);
	field->is_bytes = (tag & 7) == BYTES;
	field->value = 0;
	switch (tag & 7) {
	case VARINT:
		field->value = take_varint(wire);
		break;
	case BYTES:
		field->bytes = take_bytes(wire, take_varint(wire));
		break;
	case FIXED64:
		field->number = 0;	/* profile.proto has none */
		take_bytes(wire, 8);
		break;
	case FIXED32:
		field->number = 0;
		take_bytes(wire, 4);
		break;
	default:
		wire_fail(wire, "a field has an unknown kind");
	}
}

bool
wire_next(struct wire *wire, struct wire_field *field)
{
	if (wire->error->reason != NULL || wire->at == wire->end)
		return false;
	take_field(wire, field);
	return wire->error->reason == NULL;
}

bool
wire_number(struct wire_field *field, uint64_t *value)
{
	if (!field->is_bytes) {
		*value = field->value;
		field->is_bytes = true;		/* used up */
		field->bytes.at = field->bytes.end = NULL;
		return true;
	}
	if (field->bytes.at == field->bytes.end ||
	    field->bytes.error->reason != NULL)
		return false;
	*value = take_varint(&field->bytes);
	return field->bytes.error->reason == NULL;
}
