/*
 * fork.h - keeps the allocator whole across fork.
 *
 * The handlers take every lock in rank order before a fork and release or
 * reinitialise them after it. A vfork child shares its parent's memory and
 * runs no handlers; it needs none, since its parent is stopped.
 */
#ifndef STRATA_FORK_H
#define STRATA_FORK_H

/*
 * Registers the handlers, at the first call. From the library's constructor, or
 * before it from whoever registers handlers first (atfork.c): those that are
 * registered before ours run while our locks are held. May allocate.
 */
void fork_boot(void);

/* The handlers themselves, for tests and for programs that fork by clone. */
void fork_prepare(void);
void fork_parent(void);
void fork_child(void);

#endif
