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
#include <stdatomic.h>

#include "boot.h"
#include "fork.h"
#include "util.h"
#include "names.h"

#if !defined(UNIT_TEST) && !defined(CONFIG_PREFIX_ST)

typedef int register_function(void (*prepare)(void), void (*parent)(void),
    void (*child)(void), void *module);

/* glibc's, behind pthread_atfork; no header has it. */
register_function __register_atfork;

static _Atomic(register_function *) next_register;

/*
 * At the start, for dlsym takes the loader's lock, which a thread may hold
 * later on while it waits for the one that registers.
 */
__attribute__((constructor(101))) static void
find_next(void)
{
	if (atomic_load_explicit(&next_register, memory_order_relaxed) == NULL)
		atomic_store_explicit(&next_register, (register_function *)
		    dlsym(RTLD_NEXT, "__register_atfork"),
		    memory_order_relaxed);
}

EXPORT int
__register_atfork(void (*prepare)(void), void (*parent)(void),
    void (*child)(void), void *module)
{
	register_function *next;

	find_next();
	if (boot_done() || boot() == 0)
		fork_boot();
	next = atomic_load_explicit(&next_register, memory_order_relaxed);
	return next == NULL ? ENOMEM : next(prepare, parent, child, module);
}

#endif
