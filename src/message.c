/*
 * message.c - one line to the user.
 *
 * malloc_message belongs to the program: it may be set at any time, and may
 * do anything but allocate.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmt.h"
#include "message.h"
#include "options.h"
#include "os.h"
#include "names.h"

EXPORT void (*malloc_message)(void *opaque, const char *text);

void
message_write(const char *text)
{
	int saved = errno;

	if (malloc_message != NULL)
		malloc_message(NULL, text);
	else
		os_write_all(STDERR_FILENO, text, strlen(text));
	errno = saved;
}

static void __attribute__((format(printf, 1, 0)))
message_args(const char *format, va_list ap)
{
	char line[MESSAGE_MAX];
	size_t len = fmt_buf(line, sizeof line, "%s", MESSAGE_PREFIX);

	len += fmt_vbuf(line + len, sizeof line - len, format, ap);
	if (len > sizeof line - 2)
		len = sizeof line - 2;
	line[len] = '\n';
	line[len + 1] = '\0';
	message_write(line);
}

void
message(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	message_args(format, ap);
	va_end(ap);
}

void
message_warning(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	message_args(format, ap);
	va_end(ap);
	if (opt.abort)
		abort();
}
