/*
 * run.h - the parts of `strata run` that tests look at: the environment it
 * sets, and what it can tell of a program before starting it.
 */
#ifndef STRATA_RUN_H
#define STRATA_RUN_H

#include <stdbool.h>
#include <stddef.h>

/* Why a program would not load a preloaded library. */
enum run_obstacle {
	RUN_LOADABLE,
	RUN_NOT_FOUND,			/* by PATH, or not a file */
	RUN_NOT_EXECUTABLE,		/* no permission, no program */
	RUN_STATIC,			/* no dynamic loader in it */
	RUN_OTHER_LOADER,		/* musl's, or of another machine */
	RUN_SETUID,			/* the loader ignores LD_PRELOAD */
};

/*
 * Finds name as execvp would and looks into the file; of a script, into its
 * interpreter. *path (PATH_MAX bytes) is the file the answer is about.
 */
enum run_obstacle run_inspect(const char *name, char *path);

/* What to tell a person about it; "" for RUN_LOADABLE. */
const char *run_obstacle_text(enum run_obstacle obstacle);

/*
 * The new LD_PRELOAD: library first, then what old (may be NULL) has, but for
 * another mention of the same library. The caller frees it.
 */
char *run_preload(const char *library, const char *old);

/* Joins MALLOC_CONF strings by commas; NULL and "" are left out. */
char *run_join_conf(const char *const *parts, size_t nparts);

#endif
