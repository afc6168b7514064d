/*
 * profmem.h - the memory of the profiler and its bound (prof_max_memory).
 *
 * All comes from one base of the profiler's own and is recycled by size.
 * Everything is counted; beyond the bound an allocation fails and its caller
 * does without, a hash table without growing. Only what cannot grow (96 KiB for
 * freed.c) and the list of modules, as long as the program makes it, are had
 * beyond it.
 */
#ifndef STRATA_PROFMEM_H
#define STRATA_PROFMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "hash.h"
#include "prof.h"

void profmem_boot(size_t max_memory, const struct prof_host *host);
/*
 * How much of the bound something may use, in eighths: what is small and
 * keeps totals right can still be had when what can be spared cannot.
 */
enum profmem_share {
	PROFMEM_HISTORY = 4,
	PROFMEM_STACKS = 6,
	PROFMEM_RECORDS = 7,
	PROFMEM_TOTALS = 8,
};
/* Zeroed memory aligned to 16, or NULL. */
void *profmem_alloc(size_t size, enum profmem_share share);
void profmem_free(void *ptr, size_t size);
/* Of the share of records. */
extern const struct hash_memory profmem_tables;
/* For what is never freed: counted, not bounded. */
extern struct base profmem_base;

uint64_t profmem_used(void);		/* bytes in use or waiting for reuse */
uint64_t profmem_in_use(void);		/* bytes without those that wait */
uint64_t profmem_limit(void);
uint64_t profmem_failures(void);
/*
 * After a failure, with no lock held (host->totals wants that): lets the
 * default bound follow the heap. At most once a second; true if it was that.
 */
bool profmem_limit_update(void);

void profmem_each_lock(lock_visit *visit, void *arg);
void profmem_fork_prepare(void);
void profmem_fork_parent(void);
void profmem_fork_child(void);

#endif
