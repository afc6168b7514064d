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

const char *const stats_counters[] = {
	"num_ops", "num_wait", "num_spin_acq", "num_owner_switch",
	"total_wait_time", "max_wait_time", "max_num_thds", NULL
};

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
	if (type == CTL_BOOL)
		json_bool(out, key, value->flag);
	else if (type == CTL_STRING)
		json_string(out, key, value->text);
	else if (type == CTL_SSIZE || type == CTL_I64)
		json_i64(out, key, value->i64);
	else
		json_u64(out, key, (uint64_t)ctl_as_i64(type, value));
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
