/*
 * fmt.c - formatted output without malloc; see fmt.h.
 */
#include "fmt.h"

#include <stdlib.h>
#include <string.h>

#include "os.h"
#include "util.h"

/* One conversion: %[flags][width][.precision][length]letter */
struct spec {
	bool left;
	bool zero;
	char length;		/* 0, 'l', or 'L' for ll, z and j */
	size_t width;
	size_t precision;	/* of %s; SIZE_MAX = none */
};

struct out {
	fmt_write *write;
	void *opaque;
};

struct buffer {
	char *at;
	size_t left;		/* with room for the NUL; 0 = measure only */
	size_t total;
};

static void
put_pad(const struct out *out, char c, size_t n)
{
	static const char spaces[] = "                ";
	static const char zeros[] = "0000000000000000";

	while (n > 0) {
		size_t part = n < 16 ? n : 16;

		out->write(out->opaque, c == '0' ? zeros : spaces, part);
		n -= part;
	}
}

static void
put_text(const struct out *out, const struct spec *spec, const char *text,
    size_t size)
{
	size_t pad = spec->width > size ? spec->width - size : 0;

	if (!spec->left)
		put_pad(out, ' ', pad);
	if (size > 0)
		out->write(out->opaque, text, size);
	if (spec->left)
		put_pad(out, ' ', pad);
}

/* Digits with an optional prefix ("-", "0x"), padded as spec says. */
static void
put_number(const struct out *out, const struct spec *spec, uint64_t n,
    unsigned radix, const char *prefix)
{
	char text[32];
	size_t at = sizeof text, lead = strlen(prefix), size;

	do {
		text[--at] = "0123456789abcdef"[n % radix];
		n /= radix;
	} while (n != 0);
	size = sizeof text - at;
	if (spec->zero && !spec->left && spec->width > size + lead) {
		out->write(out->opaque, prefix, lead);
		put_pad(out, '0', spec->width - size - lead);
		out->write(out->opaque, text + at, size);
		return;
	}
	at -= lead;
	memcpy(text + at, prefix, lead);
	put_text(out, spec, text + at, size + lead);
}

static size_t
parse_number(const char **format, va_list *ap)
{
	size_t n = 0;

	if (**format == '*') {
		int value = va_arg(*ap, int);

		(*format)++;
		return value < 0 ? 0 : (size_t)value;
	}
	while (**format >= '0' && **format <= '9')
		n = n * 10 + (size_t)(*(*format)++ - '0');
	return n;
}

static const char *
parse_spec(const char *format, va_list *ap, struct spec *spec)
{
	*spec = (struct spec){ .precision = SIZE_MAX };
	for (; *format == '-' || *format == '0'; format++) {
		if (*format == '-')
			spec->left = true;
		else
			spec->zero = true;
	}
	spec->width = parse_number(&format, ap);
	if (*format == '.') {
		format++;
		spec->precision = parse_number(&format, ap);
	}
	for (; *format == 'l' || *format == 'z' || *format == 'j'; format++)
		spec->length = spec->length == 0 && *format == 'l' ? 'l' : 'L';
	return format;
}

static void
put_integer(const struct out *out, const struct spec *spec, char letter,
    va_list *ap)
{
	/* long, long long, size_t are all 64 bits on our machines. */
	if (letter == 'd' || letter == 'i') {
		long long n = spec->length != 0 ? va_arg(*ap, long long) :
		    va_arg(*ap, int);
		uint64_t magnitude = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

		put_number(out, spec, magnitude, 10, n < 0 ? "-" : "");
		return;
	}
	put_number(out, spec, spec->length != 0 ?
	    va_arg(*ap, unsigned long long) : va_arg(*ap, unsigned),
	    letter == 'x' ? 16 : 10, "");
}

static void
put_conversion(const struct out *out, const struct spec *spec, char letter,
    va_list *ap)
{
	const char *text;
	char c;

	switch (letter) {
	case 's':
		text = va_arg(*ap, const char *);
		if (text == NULL)
			text = "(null)";
		put_text(out, spec, text, strnlen(text, spec->precision));
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		put_text(out, spec, &c, 1);
		break;
	case 'p':
		put_number(out, spec, (uintptr_t)va_arg(*ap, void *), 16,
		    "0x");
		break;
	case 'd':
	case 'i':
	case 'u':
	case 'x':
		put_integer(out, spec, letter, ap);
		break;
	default:
		out->write(out->opaque, &letter, 1);
		break;
	}
}

void
fmt_vcall(fmt_write *write, void *opaque, const char *format, va_list args)
{
	struct out out = { write, opaque };
	struct spec spec;
	va_list ap;

	va_copy(ap, args);
	while (*format != '\0') {
		size_t plain = strcspn(format, "%");

		if (plain > 0)
			write(opaque, format, plain);
		format += plain;
		if (*format == '\0')
			break;
		format = parse_spec(format + 1, &ap, &spec);
		if (*format == '\0')
			break;
		put_conversion(&out, &spec, *format++, &ap);
	}
	va_end(ap);
}

void
fmt_call(fmt_write *write, void *opaque, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fmt_vcall(write, opaque, format, ap);
	va_end(ap);
}

static void
buffer_write(void *opaque, const char *text, size_t size)
{
	struct buffer *buffer = opaque;
	size_t part = size;

	buffer->total += size;
	if (buffer->left <= 1)
		return;
	if (part > buffer->left - 1)
		part = buffer->left - 1;
	memcpy(buffer->at, text, part);
	buffer->at += part;
	buffer->left -= part;
}

size_t
fmt_vbuf(char *buf, size_t size, const char *format, va_list ap)
{
	struct buffer buffer = { buf, size, 0 };

	fmt_vcall(buffer_write, &buffer, format, ap);
	if (size > 0)
		*buffer.at = '\0';
	return buffer.total;
}

size_t
fmt_buf(char *buf, size_t size, const char *format, ...)
{
	size_t total;
	va_list ap;

	va_start(ap, format);
	total = fmt_vbuf(buf, size, format, ap);
	va_end(ap);
	return total;
}

int
fmt_fd(int fd, const char *format, ...)
{
	char line[FMT_LINE_MAX + 1];
	size_t size;
	va_list ap;

	va_start(ap, format);
	size = fmt_vbuf(line, sizeof line, format, ap);
	va_end(ap);
	return os_write_all(fd, line, size < FMT_LINE_MAX ? size :
	    FMT_LINE_MAX);
}

void
util_die(const char *what, const char *file, int line)
{
	const char *slash = strrchr(file, '/');

	fmt_fd(2, "<strata>: %s:%d: failed: %s\n",
	    slash != NULL ? slash + 1 : file, line, what);
	abort();
}
