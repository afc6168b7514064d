/*
 * loader.h - the loader's functions that the library wraps: dl_iterate_phdr
 * and dlclose, exported under their own names (names.h).
 */
#ifndef STRATA_LOADER_H
#define STRATA_LOADER_H

#include <stdbool.h>

#include "prof.h"

void loader_boot(const struct prof_host *host);
/* Looks the wrapped functions up. No lock held; may call malloc. */
void loader_start(void);
/*
 * A dlclose is under way somewhere: an address may have changed its owner
 * without the list of modules saying so yet (modules_verify).
 */
bool loader_closing(void);
/* From now on dlclose keeps the address ranges of what it unloads. */
void loader_watch(void);

/* In the child, by its only thread: the others' dlclose will not return. */
void loader_fork_child(const struct prof_thread *self);

#endif
