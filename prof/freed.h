/*
 * freed.h - where the last sampled block at an address was allocated and
 * freed, for reports of misuse (prof_free_stacks).
 */
#ifndef STRATA_FREED_H
#define STRATA_FREED_H

#include "history.h"
#include "lock.h"

void freed_boot(bool on);

/* A sampled block begins at ptr: what was there before is past. */
void freed_begin(const void *ptr);
void freed_end(const struct history_death *death);

/* Copies both stacks; false if nothing is known of the address. */
bool freed_stacks(const void *ptr, struct prof_freed *out);

void freed_each_lock(lock_visit *visit, void *arg);
void freed_fork_prepare(void);
void freed_fork_parent(void);
void freed_fork_child(void);

#endif
