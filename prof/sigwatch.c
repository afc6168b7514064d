/*
 * sigwatch.c - see sigwatch.h.
 */
#define _GNU_SOURCE
#include "sigwatch.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "names.h"
#include "static_bind.h"

typedef int action_function(int, const struct sigaction *,
    struct sigaction *);
typedef void handler_function(int);
typedef handler_function *signal_function(int, handler_function *);

/* atomic: set once each; NULL: before that, and in a static executable */
static action_function *_Atomic next_action;
static signal_function *_Atomic next_signal, *_Atomic next_sysv_signal;
static void (*_Atomic changed_hook)(int number);

/* libc's other name for it; in a static executable static_bind.c has it. */
int __sigaction(int number, const struct sigaction *action,
    struct sigaction *old) __attribute__((weak));

/*
 * Whoever comes after us in the search order. Only looked up here: the calls
 * below may stand in a signal handler or in a child that forked while another
 * thread held the loader's lock.
 */
void
sigwatch_start(void)
{
	if (static_bind()->sigaction != NULL)
		return;			/* and no loader to ask */
	atomic_store(&next_action,
	    (action_function *)dlsym(RTLD_NEXT, "sigaction"));
	atomic_store(&next_signal,
	    (signal_function *)dlsym(RTLD_NEXT, "signal"));
	atomic_store(&next_sysv_signal,
	    (signal_function *)dlsym(RTLD_NEXT, "__sysv_signal"));
}

static action_function *
find_action(void)
{
	action_function *f = atomic_load(&next_action);

	if (f == NULL)
		f = (action_function *)static_bind()->sigaction;
	return f != NULL ? f : __sigaction;
}

void
sigwatch_set(void (*changed)(int number))
{
	atomic_store(&changed_hook, changed);
}

static void
tell(int number)
{
	void (*changed)(int) = atomic_load(&changed_hook);
	int saved = errno;

	if (changed != NULL)
		changed(number);
	errno = saved;
}

int
sigwatch_action(int number, const struct sigaction *action,
    struct sigaction *old)
{
	action_function *next = find_action();
	int result;

	if (next == NULL) {
		errno = ENOSYS;
		return -1;
	}
	result = next(number, action, old);
	if (result == 0 && action != NULL)
		tell(number);
	return result;
}

static handler_function *
watch_signal(signal_function *next, int number, handler_function *handler,
    int flags)
{
	struct sigaction action = { .sa_handler = handler,
	    .sa_flags = flags }, old;
	handler_function *before;

	if (next == NULL) {		/* by the other function */
		sigemptyset(&action.sa_mask);
		return sigwatch_action(number, &action, &old) == 0 ?
		    old.sa_handler : SIG_ERR;
	}
	before = next(number, handler);
	if (before != SIG_ERR)
		tell(number);
	return before;
}

handler_function *
sigwatch_signal(int number, handler_function *handler)
{
	return watch_signal(atomic_load(&next_signal), number, handler,
	    SA_RESTART);
}

/* Unit tests and a library with prefixed names leave the program's alone. */
#if !defined(UNIT_TEST) && !defined(CONFIG_PREFIX_ST)
/* Also without a profiler: the functions below are in every process. */
static void __attribute__((constructor))
sigwatch_load(void)
{
	sigwatch_start();
}

EXPORT int
sigaction(int number, const struct sigaction *action, struct sigaction *old)
{
	return sigwatch_action(number, action, old);
}

EXPORT handler_function *
signal(int number, handler_function *handler)
{
	return sigwatch_signal(number, handler);
}

/* No header declares it any more. */
handler_function *bsd_signal(int number, handler_function *handler);

EXPORT handler_function *
bsd_signal(int number, handler_function *handler)
{
	return sigwatch_signal(number, handler);
}

/*
 * Weak: in a static executable libc's own may be there as well, and is
 * better.
 */
EXPORT __attribute__((weak)) handler_function *
__sysv_signal(int number, handler_function *handler)
{
	return watch_signal(atomic_load(&next_sysv_signal), number, handler,
	    SA_RESETHAND | SA_NODEFER);
}
#endif
