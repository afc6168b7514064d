/*
 * atfork.c - our fork handlers come before everybody else's.
 *
 *   fork --> prepare, last registered first:  theirs ..., ours takes all locks
 *        --> parent, child, in order:         ours frees them, theirs ...
 *
 * Handlers may call malloc, which must not find our locks taken, so ours have
 * to be the first registered. But a preloaded library's constructor is the last
 * to run, and other libraries' constructors register handlers too: whoever does
 * so comes by here, where ours are seen to.
 *
 * Not in libstrata.a, where a static program has but one such function: there
 * ours are registered in the order of constructors.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>

#include "boot.h"
#include "fork.h"
#include "util.h"
#include "names.h"

#if !defined(UNIT_TEST) && !defined(CONFIG_PREFIX_ST)

typedef int register_function(void (*prepare)(void), void (*parent)(void),
    void (*child)(void), void *module);

/* glibc's, behind pthread_atfork; no header has it. */
register_function __register_atfork;

EXPORT int
__register_atfork(void (*prepare)(void), void (*parent)(void),
    void (*child)(void), void *module)
{
	register_function *next = (register_function *)
	    dlsym(RTLD_NEXT, "__register_atfork");

	if (boot() == 0)
		fork_boot();
	return next == NULL ? ENOMEM : next(prepare, parent, child, module);
}

#endif
