/*
 * profmem.h - the memory of the profiler and its bound (prof_max_memory).
 *
 * Small objects come from chunks of their own mappings and are recycled by
 * size; large tables are mapped and unmapped. All is counted; beyond the
 * bound an allocation fails and its caller does without.
 */
#ifndef STRATA_PROFMEM_H
#define STRATA_PROFMEM_H

#include <stddef.h>
#include <stdint.h>

#include "prof.h"

void profmem_boot(size_t max_memory, const struct prof_host *host);
/* Zeroed memory aligned to 8 (16 from 16 bytes on), or NULL. */
void *profmem_alloc(size_t size);
void profmem_free(void *ptr, size_t size);
/* As profmem_alloc without the bound: for what must be had at start. */
void *profmem_alloc_start(size_t size);

uint64_t profmem_used(void);		/* bytes mapped */
uint64_t profmem_limit(void);
uint64_t profmem_failures(void);

void profmem_fork_prepare(void);
void profmem_fork_parent(void);
void profmem_fork_child(void);

#endif
