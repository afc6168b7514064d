/*
 * message.h - one line to the user, by malloc_message or on stderr.
 *
 * The prefix is "<strata>: "; the words behind it are jemalloc's where it
 * has the message, because scripts look for them.
 */
#ifndef STRATA_MESSAGE_H
#define STRATA_MESSAGE_H

#include <stddef.h>

enum { MESSAGE_MAX = 1024 };	/* bytes of a line; the rest is cut */

/* Formats as fmt.h does; adds the prefix and the newline. Keeps errno. */
void message(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

/* Writes text as it is, by malloc_message or to stderr. Keeps errno. */
void message_write(const char *text);

/* message(), then abort() if opt.abort. For what is wrong but survivable. */
void message_warning(const char *format, ...)
    __attribute__((format(printf, 1, 2)));

#endif
