/*
 * sink.h - buffered output to a file or a function, without malloc, errno or
 * stdio.
 *
 * The first error sticks: later calls do nothing, and sink_flush reports it.
 * So a writer may put a whole profile and look at the result once.
 * Locks: none. Signals/fork: raw system calls only.
 */
#ifndef STRATA_SINK_H
#define STRATA_SINK_H

#include <stddef.h>
#include <stdint.h>

struct sink {
	int fd;				/* -1: only counts */
	void (*write)(void *opaque, const char *text);	/* or NULL */
	void *opaque;
	int error;			/* 0, or the first failure's errno */
	char *buf;
	size_t used, size;
	uint64_t total;			/* bytes put so far */
};

/* buf is the caller's and stays in use until the last sink_flush. */
void sink_init(struct sink *sink, int fd, char *buf, size_t size);
/* For text: a function gets it, in pieces that end with NUL. */
void sink_init_call(struct sink *sink,
    void (*write)(void *opaque, const char *text), void *opaque, char *buf,
    size_t size);

void sink_put(struct sink *sink, const void *data, size_t size);
void sink_string(struct sink *sink, const char *string);
void sink_char(struct sink *sink, char c);
void sink_decimal(struct sink *sink, uint64_t n);
void sink_hex(struct sink *sink, uint64_t n);	/* with "0x" */

/* Writes what is buffered. 0, or the errno of the first failure. */
int sink_flush(struct sink *sink);

#endif
