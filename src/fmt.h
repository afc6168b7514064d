/*
 * fmt.h - formatted output without malloc, stdio, locale or locks.
 *
 * Understood: %s %c %d %i %u %x %p %%, with l, ll, z (also j) before d u x;
 * width (a number or *), '-' (left-justified), '0' (zero-padded), precision
 * of %s (%.10s, %.*s). Nothing else; %f has no place in here.
 */
#ifndef STRATA_FMT_H
#define STRATA_FMT_H

#include <stdarg.h>
#include <stddef.h>

/* Gets the text piece by piece, not NUL-terminated. */
typedef void fmt_write(void *opaque, const char *text, size_t size);

/* Begins every line to the user; what follows is jemalloc's wording. */
#define MESSAGE_PREFIX "<strata>: "

#define FMT_CHECK(a, b) __attribute__((format(printf, a, b)))

void fmt_vcall(fmt_write *write, void *opaque, const char *format,
    va_list ap);
void fmt_call(fmt_write *write, void *opaque, const char *format, ...)
    FMT_CHECK(3, 4);

/*
 * As snprintf: at most size bytes with the NUL; returns the length the whole
 * text has. size 0 only measures.
 */
size_t fmt_vbuf(char *buf, size_t size, const char *format, va_list ap);
size_t fmt_buf(char *buf, size_t size, const char *format, ...)
    FMT_CHECK(3, 4);

/*
 * Writes to a descriptor, at most FMT_LINE_MAX bytes (the rest is cut), in
 * one write so that lines of several threads do not mix. 0 or -errno.
 */
enum { FMT_LINE_MAX = 1024 };
int fmt_fd(int fd, const char *format, ...) FMT_CHECK(2, 3);

#endif
