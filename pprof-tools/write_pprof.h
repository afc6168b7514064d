/*
 * write_pprof.h - a model as pprof's profile.proto, gzipped.
 */
#ifndef STRATA_WRITE_PPROF_H
#define STRATA_WRITE_PPROF_H

#include <stdbool.h>
#include <stdio.h>

#include "model.h"

/*
 * Writes a model. Symbolized locations keep their lines. 0, or an errno
 * value if the file cannot be written. gzip false: as it is.
 */
int write_pprof(const struct model *model, FILE *out, bool gzip);

#endif
