/*
 * symbolize.h - gives the locations of a model their functions and lines.
 *
 *   model's addresses --by mapping--> the module's file, found by
 *     build id   DIR/.build-id/xx/yyyy.debug for each debug directory
 *     path       as the mapping names it, below the root given
 *     link       .gnu_debuglink and .gnu_debugdata of that file
 *   --> DWARF lines with inlined frames, else the symbol table
 *
 * A file whose build id differs from the mapping's is refused: its names
 * would be wrong. Locations the producer symbolized are left as they are.
 * Results are kept in a cache on disk, by build id (symcache.h), but for those
 * of a file whose DWARF could not be read: the next run tries again.
 */
#ifndef STRATA_SYMBOLIZE_H
#define STRATA_SYMBOLIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"

struct symbolize_options {
	const char *root;		/* NULL: "/"; of the profiled machine */
	const char *const *debug_dirs;	/* NULL: /usr/lib/debug */
	size_t ndebug_dirs;
	const char *const *search;	/* folders of binaries, by base name */
	size_t nsearch;
	const char *cache_dir;		/* NULL: the default; "": no cache */
	bool no_demangle;
};

enum symbolize_state {
	SYMBOLIZE_LINES,		/* functions, files, lines */
	SYMBOLIZE_SYMBOLS,		/* functions only */
	SYMBOLIZE_MISSING,		/* no such file here */
	SYMBOLIZE_MISMATCH,		/* the file here is another build */
	SYMBOLIZE_DAMAGED,		/* not readable as ELF */
	SYMBOLIZE_NONAMES,		/* readable, but without any names */
	SYMBOLIZE_NOT_A_FILE,		/* [vdso], anonymous memory */
};

/* What happened to one module that has locations. */
struct symbolize_module {
	const char *file;		/* the model's strings */
	const char *build_id;
	enum symbolize_state state;
	uint32_t locations;		/* that lie in it */
	uint32_t named;			/* that got at least a function */
	bool cached;			/* all of them from the cache */
};

struct symbolize_report {
	struct symbolize_module *modules;
	size_t n;
};

/* Symbolizes what it can. options may be NULL. report may be NULL. */
void symbolize_model(struct model *model,
    const struct symbolize_options *options,
    struct symbolize_report *report);
void symbolize_report_free(struct symbolize_report *report);

/*
 * One line on stderr for each module that could not be symbolized, with the
 * build id that is lacking. Returns the number of lines.
 */
size_t symbolize_complain(const struct symbolize_report *report);

/* Words for a state: "no such file here", ... */
const char *symbolize_state_text(enum symbolize_state state);

#endif
