/*
 * write_heap.h - a model as heap_v2 text, for jeprof.
 */
#ifndef STRATA_WRITE_HEAP_H
#define STRATA_WRITE_HEAP_H

#include <stdio.h>

#include "model.h"

/*
 * Rate 1 and the estimates as they are, which jeprof shows unchanged.
 * EINVAL if the model has no inuse_space; write errors stay in the stream.
 */
int write_heap(const struct model *model, FILE *out);

#endif
