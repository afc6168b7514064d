/*
 * dump_heap.h - jemalloc's heap_v2 text, with rate 1 and unbiased figures
 * unless prof_unbias:false asks for the samples' own.
 *
 * jeprof scales a profile of rate 1 by 1 / (1 - exp(-average size)): not at
 * all, but for stacks of 8-byte objects, which gain 0.03 %.
 */
#ifndef STRATA_DUMP_HEAP_H
#define STRATA_DUMP_HEAP_H

#include "facts.h"
#include "report.h"
#include "sink.h"

/* Looks at accum and unbias. */
void dump_heap_boot(const struct prof_options *options);

/* Errors stick to the sink. */
void dump_heap(struct sink *sink, struct report *report,
    const struct facts *facts);

#endif
