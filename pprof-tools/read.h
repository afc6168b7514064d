/*
 * read.h - profiles from files: what format, compressed or not, one or many.
 *
 * Understood: pprof's profile.proto of any producer, heap_v2 of jemalloc and
 * of Strata, and pprof's legacy "heap profile:" text; each gzipped or not.
 * "-" is standard input.
 */
#ifndef STRATA_READ_H
#define STRATA_READ_H

#include <stddef.h>

#include "model.h"

/*
 * Reads one file into a new model, written to *out only on success. Fails
 * with an errno value, and *error says file, offset and reason: ENOENT and
 * the like if it cannot be opened, EINVAL for anything wrong with its bytes.
 */
int read_profile(const char *path, struct model **out,
    struct model_error *error);

/*
 * Reads n >= 1 files and merges them. Of several that are of one process the
 * model says how many there are: each has all that is alive.
 */
int read_profiles(char *const paths[], size_t n, struct model **out,
    struct model_error *error);

/* Reads bytes already in memory; name stands for the file in *error. */
int read_buffer(const char *name, const void *bytes, size_t length,
    struct model **out, struct model_error *error);

/*
 * A whole file, inflated if it is gzipped; the caller frees *bytes. The
 * result is at most READ_MAX bytes long.
 */
enum { READ_MAX = 1 << 30 };	/* a profile of 10 million rows has 800 MB */
int read_file(const char *path, char **bytes, size_t *length,
    struct model_error *error);

/* "strata: FILE: [offset N: ]REASON" on stderr. Returns EXIT_INPUT. */
int read_complain(const struct model_error *error);

#endif
