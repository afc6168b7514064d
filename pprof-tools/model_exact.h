/*
 * model_exact.h - the exact figures of two profiles as one.
 */
#ifndef STRATA_MODEL_EXACT_H
#define STRATA_MODEL_EXACT_H

#include "model.h"

/*
 * As model_merge, of the exact figures alone, while into->nfiles is still the
 * number of those before.
 */
void model_merge_exact(struct model *into, const struct model *from);

#endif
