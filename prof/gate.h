/*
 * gate.h - who unwinds is inside, and fork waits until nobody is.
 */
#ifndef STRATA_GATE_H
#define STRATA_GATE_H

#include <stdbool.h>

#include "prof.h"

/*
 * False while a fork is under way (the sample is dropped). thread's guard is
 * set; no lock is held. Nests.
 */
bool gate_enter(struct prof_thread *thread);
void gate_leave(struct prof_thread *thread);
void gate_thread_exit(struct prof_thread *thread);

/* prepare waits until no other thread is inside; self may be NULL. */
void gate_fork_prepare(struct prof_thread *self);
void gate_fork_parent(void);
void gate_fork_child(struct prof_thread *self);

#endif
