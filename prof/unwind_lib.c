/*
 * unwind_lib.c - libunwind, opened when profiling starts (unwind_lib.h).
 *
 * RTLD_LOCAL: its _Unwind_* functions must not come before libgcc's, which
 * would make every C++ throw of the program thirty times slower.
 *
 * Why it stands behind our own rules (libunwind 1.6.2, measured here):
 * unw_step costs 540 ns a frame, two system calls of them; unw_backtrace 6 to
 * 10 ns, but through a cache of 256 KiB in every thread that nothing empties
 * after a dlclose. The pipe by which it tries addresses is taken from it:
 * unwind_calls.c.
 */
#define UNW_LOCAL_ONLY
#include "unwind_lib.h"

#include <dlfcn.h>
#include <errno.h>
#include <libunwind.h>

#include "stack.h"
#include "static_bind.h"
#include "unwind_calls.h"
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
	if (!unwind_calls_redirect(handle)) {
		*reason = "libunwind.so.8 cannot be kept from descriptors";
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
		if (lib.get_reg(&cursor, UNW_REG_IP, &pc) != 0 || pc == 0)
			break;
		/* true of the frame that the signal interrupted */
		frames[n++] = pc | (lib.is_signal_frame(&cursor) > 0 ?
		    STACK_SIGNAL : 0);
	} while (n < max && lib.step(&cursor) > 0);
	return n;
}
