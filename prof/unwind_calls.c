/*
 * unwind_calls.c - keeps libunwind from holding descriptors; see
 * unwind_calls.h.
 *
 * libunwind finds out whether an address may be read by writing a byte of it
 * into a pipe of its own. The program sees the two descriptors, its children
 * inherit them, and when it has closed them and uses their numbers again,
 * libunwind reads, writes and closes what is the program's. Here the pipe is
 * a name only, and an address is tried by a system call that cannot fault.
 *
 * The shared library's slots are redirected when it has been opened, before
 * its first use; in the archive the names are changed when it is built.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "elfslot.h"
#include "modules.h"
#include "os.h"
#include "unwind_calls.h"
#include "util.h"

/* No process has such descriptors: the kernel's limit is 2^30. */
enum { PIPE_OUT = 0x7ffffff0, PIPE_IN = 0x7ffffff1 };

static long
with_errno(long result)
{
	if (result >= 0)
		return result;
	errno = (int)-result;
	return -1;
}

int
unwind_pipe2(int fds[2], int flags)
{
	fds[0] = PIPE_OUT;
	fds[1] = PIPE_IN;
	return 0;
}

/* The pipe is always empty. */
ssize_t
unwind_read(int fd, void *buf, size_t size)
{
	return with_errno(fd == PIPE_OUT ? -EAGAIN : os_read(fd, buf, size));
}

/* Written is what can be read; libunwind asks for a byte. */
ssize_t
unwind_write(int fd, const void *buf, size_t size)
{
	char byte;

	if (fd != PIPE_IN)
		return with_errno(os_write(fd, buf, size));
	return with_errno(modules_read((uintptr_t)buf, &byte, 1) ?
	    (long)size : -EFAULT);
}

int
unwind_close(int fd)
{
	return fd == PIPE_IN || fd == PIPE_OUT ? 0 :
	    (int)with_errno(os_close(fd));
}

long
unwind_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_write && a == PIPE_IN)
		return unwind_write((int)a, (const void *)b, (size_t)c);
	return with_errno(os_syscall6(number, a, b, c, d, e, f));
}

bool
unwind_calls_redirect(void *handle)
{
	static const struct elfslot calls[] = {
		{ "pipe2", (void *)unwind_pipe2 },
		{ "read", (void *)unwind_read },
		{ "write", (void *)unwind_write },
		{ "close", (void *)unwind_close },
		{ "syscall", (void *)unwind_syscall },
	};
	static const struct elfslot pipe_only[] = {
		{ "pipe2", (void *)unwind_pipe2 },
	};
	const struct link_map *map = handle;
	const ElfW(Ehdr) *header = (const void *)map->l_addr;
	struct dl_phdr_info module = {
		.dlpi_addr = map->l_addr,
		.dlpi_name = map->l_name,
		.dlpi_phdr = (const void *)(map->l_addr + header->e_phoff),
		.dlpi_phnum = header->e_phnum,
	};

	/* A version without a pipe needs none of it. */
	return elfslot_fill(&module, pipe_only, 1) == 0 ||
	    elfslot_fill(&module, calls, ARRAY_LEN(calls)) >= 4;
}
