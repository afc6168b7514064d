/*
 * profmem.h - the memory of the profiler and its bound (prof_max_memory).
 *
 * All comes from one base of the profiler's own and is recycled by size.
 * Everything is counted; beyond the bound an allocation fails and its caller
 * does without.
 */
#ifndef STRATA_PROFMEM_H
#define STRATA_PROFMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "prof.h"

void profmem_boot(size_t max_memory, const struct prof_host *host);
/* Zeroed memory aligned to 8 (16 from 16 bytes on), or NULL. */
void *profmem_alloc(size_t size);
void profmem_free(void *ptr, size_t size);
/* As profmem_alloc, but only up to 7/8 of the bound: for what can be spared. */
void *profmem_alloc_spare(size_t size);
/* For tables and for what is never freed: counted, not bounded. */
extern struct base profmem_base;

uint64_t profmem_used(void);		/* bytes in use or waiting for reuse */
uint64_t profmem_limit(void);
uint64_t profmem_failures(void);
/*
 * After a failure, with no lock held (host->totals wants that): lets the
 * default bound follow the heap. At most once a second; true if it was that.
 */
bool profmem_limit_update(void);

void profmem_fork_prepare(void);
void profmem_fork_parent(void);
void profmem_fork_child(void);

#endif
