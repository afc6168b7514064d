/*
 * dump_pprof.h - the native format: pprof's profile.proto, not compressed.
 *
 *   Profile  sample_type*  sample*  mapping*  location*  function*
 *            string_table*  time period comments
 *
 * docs/FORMATS.md says what stands in each row. The writer goes over the rows
 * once; strings, locations and mappings get their numbers at first use and
 * follow at the end.
 */
#ifndef STRATA_DUMP_PPROF_H
#define STRATA_DUMP_PPROF_H

#include <stddef.h>
#include <stdint.h>

#include "facts.h"
#include "report.h"
#include "sink.h"

/* Errors stick to the sink. */
void dump_pprof(struct sink *sink, struct report *report,
    const struct facts *facts);

/* "1.19ms..1.41ms", "<1us" or ">=2.23y": the text of a bucket. */
size_t dump_pprof_bucket(char *out, size_t size, unsigned bucket);

#endif
