/*
 * trim.h - takes an allocator's own frames off the innermost end of stacks.
 */
#ifndef STRATA_TRIM_H
#define STRATA_TRIM_H

#include "model.h"

/*
 * Strata trims its stacks when it takes them; jemalloc and gperftools leave
 * theirs in, so that every site would be called malloc. Frames are known by
 * their module or, symbolized, by their name; a stack of nothing else stays.
 */
void trim_allocator(struct model *model);

#endif
