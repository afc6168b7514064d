/*
 * recent.h - the newest samples, with the stacks of their allocation and, if
 * they are freed, of that (prof_recent_alloc_max).
 */
#ifndef STRATA_RECENT_H
#define STRATA_RECENT_H

#include "history.h"
#include "lock.h"

void recent_boot(int64_t max);

void recent_begin(const struct history_birth *birth);
void recent_end(const struct history_death *death);

int64_t recent_max_get(void);
/* Forgets the oldest beyond max; -1: as many as there is memory for. */
void recent_max_set(int64_t max);

/*
 * Tells all, oldest first, as JSON; rate is the R in force. write gets text
 * that ends with NUL, and is called without a lock. 0 or ENOMEM.
 */
int recent_dump(uint64_t rate, prof_write *write, void *opaque);

void recent_each_lock(lock_visit *visit, void *arg);
void recent_fork_prepare(void);
void recent_fork_parent(void);
void recent_fork_child(void);

#endif
