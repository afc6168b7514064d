/*
 * symcache.h - symbolized addresses on disk, by build id.
 *
 *   DIR/ab/cdef0123...sym     the build id abcdef0123...
 *
 * A file that is damaged, cut off or of another version is as if it were not
 * there. Files are replaced by rename, so that a reader sees the old or the
 * new one.
 */
#ifndef STRATA_SYMCACHE_H
#define STRATA_SYMCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "strpool.h"
#include "symbol.h"

struct symcache {
	uint64_t source;		/* fingerprint of the files the names
					   came from */
	bool has_lines;			/* else from a symbol table */
	struct symbol *symbols;		/* vaddr: offset in the module's file */
	size_t n;
};

/* $XDG_CACHE_HOME/strata or $HOME/.cache/strata, malloc'ed, or NULL. */
char *symcache_default_dir(void);

/* 0, or an errno value; strings go into the pool. Free symbols by free(). */
int symcache_load(const char *dir, const char *build_id,
    struct strpool *pool, struct symcache *out);
int symcache_save(const char *dir, const char *build_id,
    const struct symcache *cache);
void symcache_free(struct symcache *cache);

/* The bytes of such a file, malloc'ed; and back, 0 or EINVAL. */
char *symcache_pack(const struct symcache *cache, size_t *length);
int symcache_unpack(const char *bytes, size_t length, struct strpool *pool,
    struct symcache *out);

#endif
