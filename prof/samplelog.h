/*
 * samplelog.h - the log of the samples that were freed (prof_log), written
 * as JSON when it is stopped and at exit.
 */
#ifndef STRATA_SAMPLELOG_H
#define STRATA_SAMPLELOG_H

#include "history.h"
#include "lock.h"

void samplelog_boot(bool on, const struct prof_host *host);

/* filename NULL: the automatic one. 0, EBUSY (it is on), or ENAMETOOLONG. */
int samplelog_start(const char *filename);
/* Writes it. 0, ENOENT (it is not on), EBUSY (one is being written), errno. */
int samplelog_stop(void);
int samplelog_exit(void);

void samplelog_end(const struct history_death *death);

void samplelog_each_lock(lock_visit *visit, void *arg);
void samplelog_fork_prepare(void);
void samplelog_fork_parent(void);
void samplelog_fork_child(void);
void samplelog_fork_child_end(void);

#endif
