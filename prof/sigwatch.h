/*
 * sigwatch.h - notices at once when the program changes the disposition of
 * the profiler's signal.
 *
 * Programs install their handlers after our start, and then may be idle: the
 * ctl page must say so before anybody signals. The kernel tells nobody, so
 * the library stands before libc's sigaction and signal, passes every call on
 * unchanged and looks afterwards. A program that uses the system call itself
 * is noticed by trigger_check.
 *
 * Locks: none. Memory: none. Signals/fork: as async-signal-safe as what it
 *   stands for.
 */
#ifndef STRATA_SIGWATCH_H
#define STRATA_SIGWATCH_H

#include <signal.h>

/* Looks libc's functions up; the library's constructor does. */
void sigwatch_start(void);

/* changed is called after each change of a disposition but of its query. */
void sigwatch_set(void (*changed)(int number));

/* What the exported sigaction and signal do. */
int sigwatch_action(int number, const struct sigaction *action,
    struct sigaction *old);
void (*sigwatch_signal(int number, void (*handler)(int)))(int);

#endif
