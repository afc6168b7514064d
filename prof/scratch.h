/*
 * scratch.h - the memory of one dump: mapped for it, handed out in order,
 * given back to the system at once.
 *
 *   struct scratch --> newest chunk [ header | used | free ] --> older ...
 *
 * Chunks double in size, so that a dump of n rows maps O(log n) times.
 * Locks: none; a scratch belongs to the one dump that uses it.
 * Memory: never malloc, never base.h; zero-filled.
 * Signals/fork: raw system calls only, so the worker task may use it. A fork
 *   child that inherits one in mid-change may only scratch_release it.
 */
#ifndef STRATA_SCRATCH_H
#define STRATA_SCRATCH_H

#include <stddef.h>

struct scratch_chunk;

struct scratch {
	struct scratch_chunk *chunks;	/* newest first */
	size_t mapped;			/* bytes, all chunks */
};

/* size bytes of zeros, aligned to 16, or NULL if the system has none. */
void *scratch_alloc(struct scratch *scratch, size_t size);

/* A copy of the string, or NULL. */
char *scratch_string(struct scratch *scratch, const char *string);

/* Unmaps everything; the scratch is then as new. */
void scratch_release(struct scratch *scratch);

#endif
