/*
 * library.h - the libstrata.so.1 that `strata run` preloads.
 */
#ifndef STRATA_LIBRARY_H
#define STRATA_LIBRARY_H

#include "cli.h"

/*
 * The one that --library or STRATA_LIBRARY names, else the one beside this
 * program; path has PATH_MAX bytes. EXIT_FINE, or EXIT_INPUT after saying why
 * there is none that can be preloaded.
 */
int library_find(const struct cli_args *args, char *path);

#endif
