/*
 * env.h - the environment, also before libc has set environ.
 *
 * ld.so calls the first malloc before libc's constructor runs; the strings
 * are on the initial stack all the same.
 */
#ifndef STRATA_ENV_H
#define STRATA_ENV_H

#include <stdbool.h>

/*
 * The value of name, or NULL; NULL in a set-user-ID program, as
 * secure_getenv(3). The string is the environment's own.
 */
const char *env_get(const char *name);

/*
 * If STRATA_NO_CHILDREN is set (strata run --no-children), takes it and our
 * part of LD_PRELOAD out of environ, in place, so that the programs this one
 * starts run without the library. From the constructor, before main.
 */
void env_leave_children(void);

/* The same on one environment, a NULL-ended array; for tests. */
void env_leave_children_in(char **environment);

#endif
