/*
 * stats_out.c - writing statistics without malloc; see stats_out.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "stats_out.h"
#include "util.h"
#include "names.h"

enum { NAME_MAX_BYTES = 128 };		/* longest name of a control: 60 */

bool
stats_shows(const struct stats_out *out, char letter)
{
	return letter == 0 || (out->letters & 1u << (letter - 'a')) == 0;
}

void
stats_flush(struct stats_out *out)
{
	out->buffer[out->used] = '\0';
	if (out->used > 0)
		out->write(out->opaque, out->buffer);
	out->used = 0;
}

static void
stats_add(void *opaque, const char *text, size_t size)
{
	struct stats_out *out = opaque;

	while (size > 0) {
		size_t room = STATS_BUFFER - 1 - out->used;
		size_t n = size < room ? size : room;

		memcpy(out->buffer + out->used, text, n);
		out->used += n;
		text += n;
		size -= n;
		if (out->used == STATS_BUFFER - 1)
			stats_flush(out);
	}
}

void
stats_printf(struct stats_out *out, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fmt_vcall(stats_add, out, format, ap);
	va_end(ap);
}

/* --- JSON ----------------------------------------------------------------- */

/* A string with what JSON wants escaped; other bytes as they are. */
static void
json_quote(struct stats_out *out, const char *text)
{
	stats_printf(out, "\"");
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			stats_printf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)	/* not known to be UTF-8 */
			stats_printf(out, "\\u%04x", c);
		else
			stats_add(out, text, 1);
	}
	stats_printf(out, "\"");
}

static void
json_key(struct stats_out *out, const char *key)
{
	if (out->comma)
		stats_printf(out, ",");
	out->comma = true;
	if (key != NULL) {
		json_quote(out, key);
		stats_printf(out, ":");
	}
}

void
json_open(struct stats_out *out, const char *key, char bracket)
{
	json_key(out, key);
	stats_printf(out, "%c", bracket);
	out->comma = false;
}

void
json_close(struct stats_out *out, char bracket)
{
	stats_printf(out, "%c", bracket);
	out->comma = true;
}

void
json_u64(struct stats_out *out, const char *key, uint64_t value)
{
	json_key(out, key);
	stats_printf(out, "%llu", (unsigned long long)value);
}

void
json_i64(struct stats_out *out, const char *key, int64_t value)
{
	json_key(out, key);
	stats_printf(out, "%lld", (long long)value);
}

void
json_bool(struct stats_out *out, const char *key, bool value)
{
	json_key(out, key);
	stats_printf(out, "%s", value ? "true" : "false");
}

void
json_string(struct stats_out *out, const char *key, const char *value)
{
	json_key(out, key);
	json_quote(out, value);
}

void
json_value(struct stats_out *out, const char *key, enum ctl_type type,
    const union ctl_value *value)
{
	char fraction[STATS_FRACTION_MAX];

	if (type == CTL_BOOL)
		json_bool(out, key, value->flag);
	else if (type == CTL_STRING)
		json_string(out, key, value->text != NULL ? value->text : "");
	else if (type == CTL_FXP)	/* as jemalloc: text */
		json_string(out, key, stats_fraction(value->u32, fraction));
	else if (type == CTL_SSIZE || type == CTL_I64)
		json_i64(out, key, value->i64);
	else
		json_u64(out, key, (uint64_t)ctl_as_i64(type, value));
}

/* Four digits: a step of 16.16 is 0.000015. */
const char *
stats_fraction(uint32_t value, char out[STATS_FRACTION_MAX])
{
	uint64_t parts = ((uint64_t)value * 10000 + 0x8000) >> 16;
	size_t len;

	if (value == UINT32_MAX)	/* hpa_dirty_mult's "never" */
		return "-1";
	len = fmt_buf(out, STATS_FRACTION_MAX, "%u.%04u",
	    (unsigned)(parts / 10000), (unsigned)(parts % 10000));
	while (out[len - 1] == '0')
		out[--len] = '\0';
	if (out[len - 1] == '.')
		out[--len] = '\0';
	return out;
}

/* --- values --------------------------------------------------------------- */

uint64_t
stats_get(const char *format, ...)
{
	char name[NAME_MAX_BYTES];
	union ctl_value value;
	enum ctl_type type;
	va_list ap;

	va_start(ap, format);
	fmt_vbuf(name, sizeof name, format, ap);
	va_end(ap);
	if (ctl_get(name, &type, &value) != 0)
		return 0;
	return (uint64_t)ctl_as_i64(type, &value);
}

const char *
stats_get_text(const char *format, ...)
{
	char name[NAME_MAX_BYTES];
	union ctl_value value;
	enum ctl_type type;
	va_list ap;

	va_start(ap, format);
	fmt_vbuf(name, sizeof name, format, ap);
	va_end(ap);
	if (ctl_get(name, &type, &value) != 0 || type != CTL_STRING)
		return "";
	return value.text;
}
