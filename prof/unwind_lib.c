/*
 * unwind_lib.c - libunwind, opened when profiling starts (unwind_lib.h).
 *
 * RTLD_LOCAL: its _Unwind_* functions must not come before libgcc's, which
 * would make every C++ throw of the program thirty times slower.
 *
 * Measured here (two cores, libunwind 1.6.2): unw_step costs 540 ns a frame
 * (two system calls each), unw_backtrace 6 to 10 ns, but through a cache of
 * 256 KiB in every thread, which no call empties after a dlclose. So neither
 * is used for what unwind.c can do itself; this file steps, and only through
 * the stacks that have a frame of an unusual kind.
 *
 * At its first use libunwind opens a pipe, by which it tries addresses when
 * it has to guess at a frame. Two descriptors of ours would be seen by the
 * program, inherited, closed and taken for its own, and libunwind would then
 * write to whatever has the number. So they are closed at once, and libunwind
 * is stopped in front of a frame that it would have to guess at.
 */
#define UNW_LOCAL_ONLY
#include "unwind_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libunwind.h>
#include <sys/stat.h>

#include "cfi.h"
#include "os.h"
#include "stack.h"
#include "static_bind.h"
#include "util.h"

/* A static program has neither, and finds libunwind by static_bind. */
#pragma weak dlopen
#pragma weak dlsym
#pragma weak dlerror

/* constant after unwind_lib_open: */
static struct {
	int (*getcontext)(unw_context_t *);
	int (*init_local)(unw_cursor_t *, unw_context_t *);
	int (*step)(unw_cursor_t *);
	int (*get_reg)(unw_cursor_t *, int, unw_word_t *);
	int (*is_signal_frame)(unw_cursor_t *);
} lib;

/* libunwind's header maps each name to one with the processor's in it. */
#define TEXT(x)		#x
#define NAME(x)		TEXT(x)

static int
open_shared(const char **reason)
{
	void *handle;

	if (dlopen == NULL)
		return ENOENT;
	handle = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);

	if (handle == NULL) {
		*reason = dlerror();
		return ENOENT;
	}
#if defined(__x86_64__)
	lib.getcontext = (int (*)(unw_context_t *))dlsym(handle,
	    NAME(unw_tdep_getcontext));
#endif
	lib.init_local = (int (*)(unw_cursor_t *, unw_context_t *))
	    dlsym(handle, NAME(unw_init_local));
	lib.step = (int (*)(unw_cursor_t *))dlsym(handle, NAME(unw_step));
	lib.get_reg = (int (*)(unw_cursor_t *, int, unw_word_t *))
	    dlsym(handle, NAME(unw_get_reg));
	lib.is_signal_frame = (int (*)(unw_cursor_t *))dlsym(handle,
	    NAME(unw_is_signal_frame));
	return 0;
}

static void
bind_static(const struct static_bind *bind)
{
	lib.getcontext = (int (*)(unw_context_t *))bind->getcontext;
	lib.init_local = (int (*)(unw_cursor_t *, unw_context_t *))
	    bind->init_local;
	lib.step = (int (*)(unw_cursor_t *))bind->step;
	lib.get_reg = (int (*)(unw_cursor_t *, int, unw_word_t *))
	    bind->get_reg;
	lib.is_signal_frame = (int (*)(unw_cursor_t *))bind->is_signal_frame;
}

int
unwind_lib_open(const char **reason)
{
	*reason = NULL;
	if (static_bind()->step != NULL)
		bind_static(static_bind());
	else if (open_shared(reason) != 0)
		return ENOENT;
#if defined(__x86_64__)
	if (lib.getcontext == NULL)
		lib.step = NULL;
#endif
	if (lib.init_local == NULL || lib.step == NULL ||
	    lib.get_reg == NULL || lib.is_signal_frame == NULL) {
		*reason = "libunwind.so.8 lacks a function";
		lib.step = NULL;
		return ENOENT;
	}
	return 0;
}

size_t
unwind_lib_collect(uintptr_t *frames, size_t max)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_word_t pc;
	size_t n = 0;

	if (lib.step == NULL)
		return 0;
#if defined(__x86_64__)
	lib.getcontext(&context);
#else
	unw_getcontext(&context);
#endif
	if (lib.init_local(&cursor, &context) != 0)
		return 0;
	do {
		struct cfi_rule rule;

		if (lib.get_reg(&cursor, UNW_REG_IP, &pc) != 0 || pc == 0)
			break;
		/* true of the frame that the signal interrupted */
		frames[n++] = pc | (lib.is_signal_frame(&cursor) > 0 ?
		    STACK_SIGNAL : 0);
		cfi_find(pc - 1, &rule);
		if (rule.kind == CFI_UNKNOWN)
			break;
	} while (n < max && lib.step(&cursor) > 0);
	return n;
}

static bool
is_pipe(int fd, uint64_t *inode)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode))
		return false;
	*inode = st.st_ino;
	return true;
}

void
unwind_lib_prime(void)
{
	int a = os_open("/dev/null", O_RDONLY, 0);
	int b = os_open("/dev/null", O_RDONLY, 0);
	uint64_t inode_a, inode_b;
	uintptr_t frames[16];

	/* the two lowest free numbers: the pipe gets them */
	if (a >= 0)
		os_close(a);
	if (b >= 0)
		os_close(b);
	unwind_lib_collect(frames, ARRAY_LEN(frames));
	if (a >= 0 && b >= 0 && is_pipe(a, &inode_a) &&
	    is_pipe(b, &inode_b) && inode_a == inode_b) {
		os_close(a);
		os_close(b);
	}
}
