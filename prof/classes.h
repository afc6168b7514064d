/*
 * classes.h - what was sampled of each size class: prof_stats.
 */
#ifndef STRATA_CLASSES_H
#define STRATA_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "prof.h"

void classes_boot(bool on);

/* A sample of the class begins, or ends; requested bytes. */
void classes_begin(unsigned sizeclass, uint64_t requested);
void classes_end(unsigned sizeclass, uint64_t requested);

/* 0, or ENOENT without prof_stats or if there is no such class. */
int classes_get(unsigned sizeclass, bool accum, struct prof_class *out);

#endif
