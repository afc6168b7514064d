/*
 * static_bind.c - in libstrata.a only: libunwind and libc, referred to
 * directly (static_bind.h).
 *
 * The pthread functions that libunwind refers to weakly are referred to
 * strongly here; left out, it would call address 0 in a program with threads.
 */
#define UNW_LOCAL_ONLY
#include "static_bind.h"

#include <libunwind.h>
#include <pthread.h>
#include <stddef.h>

struct dl_phdr_info;
struct sigaction;
int __dl_iterate_phdr(int (*visit)(struct dl_phdr_info *, size_t, void *),
    void *arg);
int __sigaction(int number, const struct sigaction *action,
    struct sigaction *old);

const struct static_bind static_bind_table = {
#if defined(__x86_64__)
	.getcontext = (void *)unw_tdep_getcontext,
#endif
	.init_local = (void *)unw_init_local,
	.step = (void *)unw_step,
	.get_reg = (void *)unw_get_reg,
	.is_signal_frame = (void *)unw_is_signal_frame,
	.iterate_phdr = (void *)__dl_iterate_phdr,
	.sigaction = (void *)__sigaction,
};

void *const static_bind_pthread[] __attribute__((used)) = {
	(void *)pthread_mutex_lock, (void *)pthread_mutex_unlock,
	(void *)pthread_once, (void *)pthread_key_create,
	(void *)pthread_getspecific, (void *)pthread_setspecific,
};
