/*
 * target.h - a process that runs under Strata, seen from outside: its ctl
 * page (prof/ctlpage.h) read, its signal sent.
 *
 * A signal goes only to the process whose page said, a moment before, that
 * the signal's handler is Strata's: through a pidfd, so that a process that
 * took over the number cannot get it, and after the kernel has confirmed that
 * the signal is caught (a program that exec'd has lost its handlers).
 */
#ifndef STRATA_TARGET_H
#define STRATA_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../prof/ctlpage.h"

struct target {
	pid_t pid;			/* as we see it */
	int pidfd;			/* or -1: an old kernel */
	uint64_t address;		/* of the page, over there */
	uint64_t end;
	char why[256];			/* what is wrong, one line */
};

/*
 * Finds the process and its page, and reads it. 0, or an exit status after
 * target->why was set. target_close in either case.
 */
int target_open(pid_t pid, struct target *target, struct ctlpage *page);
void target_close(struct target *target);

/* Reads the page again. 0, or an exit status and why. */
int target_read(struct target *target, struct ctlpage *page);

/*
 * Sends the page's signal with a value (CTL_SI_VALUE), having looked again
 * whether it is Strata's. 0, or an exit status and why.
 */
int target_signal(struct target *target, uint64_t value);

/* Sleeps for at most ms; true if the process has ended. */
bool target_wait(struct target *target, int ms);

/* "SIGUSR2" or "SIGRTMIN+3", as prof_signal takes it; 0 is the default. */
struct signal_name {
	char text[32];
};
const char *target_signal_name(struct signal_name *name, int signal);

/* Why it may not answer: "is stopped", "blocks the signal"; or NULL. */
const char *target_deaf(const struct target *target, int signal);

#endif
