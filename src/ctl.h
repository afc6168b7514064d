/*
 * ctl.h - mallctl: a tree of named controls.
 *
 *   "arena.3.purge"  ->  MIB {5, 3, 1}  ->  struct ctl_node  ->  its handler
 *
 * A node is data: a name, and either children, or a handler. The handlers of
 * one topic stand together: ctl_thread.c, ctl_arena.c, ctl_stats.c,
 * ctl_prof.c, ctl_opt.c. The public functions are in ctl.c.
 *
 * Results are jemalloc's: ENOENT no such name (or the feature is off), EPERM
 * not readable or not writable, EINVAL a size that does not fit (what fits
 * was copied), EFAULT the action failed, EAGAIN no memory.
 * Locks: ctl.lock (RANK_CTL) around the snapshot of the statistics.
 */
#ifndef STRATA_CTL_H
#define STRATA_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CTL_MAX_DEPTH = 7 };

struct ctl_node;

/* One access: what the caller of mallctl gave, and where in the tree. */
struct ctl_call {
	const struct ctl_node *node;
	const size_t *mib;
	size_t miblen;
	void *oldp;
	size_t *oldlenp;
	const void *newp;
	size_t newlen;
};

typedef int ctl_handler(const struct ctl_call *call);

/*
 * A named child of a branch; or, with a NULL name, the one child that stands
 * for every index that valid() accepts. Arrays end with CTL_END.
 */
struct ctl_node {
	const char *name;
	const struct ctl_node *children;	/* of a branch */
	bool (*valid)(const size_t *mib, size_t index);	/* of an index */
	ctl_handler *handler;			/* of a leaf */
	uintptr_t arg;		/* the handler's own: an offset, a getter */
	char type;		/* for the manual's test; see ctl_type_* */
};

#define CTL_END { NULL, NULL, NULL, NULL, 0, 0 }

/* The root, and the branches that other files define. */
extern const struct ctl_node ctl_root[];
extern const struct ctl_node ctl_thread[];
extern const struct ctl_node ctl_tcache[];
extern const struct ctl_node ctl_arena[];
extern const struct ctl_node ctl_arenas[];
extern const struct ctl_node ctl_prof[];
extern const struct ctl_node ctl_stats[];
extern const struct ctl_node ctl_opt[];
extern const struct ctl_node ctl_config[];

#endif
