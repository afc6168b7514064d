/*
 * unwind_calls.h - what libunwind calls instead of four functions of libc.
 */
#ifndef STRATA_UNWIND_CALLS_H
#define STRATA_UNWIND_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Has the library that dlopen gave handle for call the functions below. False
 * if that cannot be done: then it must not be used.
 */
bool unwind_calls_redirect(void *handle);

/* As libc's, but for the two descriptors that unwind_pipe2 makes up. */
int unwind_pipe2(int fds[2], int flags);
ssize_t unwind_read(int fd, void *buf, size_t size);
ssize_t unwind_write(int fd, const void *buf, size_t size);
int unwind_close(int fd);
long unwind_syscall(long number, long a, long b, long c, long d, long e,
    long f);

#endif
