/*
 * mallctl.h - a tree of named controls.
 *
 *   "arena.3.purge"  ->  MIB {4, 3, 2}  ->  struct ctl_node  ->  its functions
 *
 * The tree is data; the leaves of one topic stand together with the functions
 * that read and write them: ctl_thread.c, ctl_arena.c, ctl_stats.c,
 * ctl_utilization.c, ctl_pool.c, ctl_pool_stats.c, ctl_prof.c, ctl_opt.c.
 * mallctl.c walks it, checks sizes and copies values.
 *
 * Results are jemalloc's: ENOENT no such name, or the feature is off; EPERM
 * not readable or not writable; EINVAL a size that does not fit (what fits
 * was copied); EFAULT the action failed; EAGAIN no memory.
 * Locks: RANK_CTL around the snapshot that stats.* are read from.
 */
#ifndef STRATA_MALLCTL_H
#define STRATA_MALLCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { CTL_MAX_DEPTH = 8 };

/* What a leaf's value is; the manual writes the C type. */
enum ctl_type {
	CTL_BRANCH, CTL_ACTION,		/* no value */
	CTL_BOOL, CTL_UNSIGNED, CTL_U32, CTL_U64, CTL_I64, CTL_SIZE,
	CTL_SSIZE, CTL_STRING, CTL_POINTER,
	CTL_STRUCT,			/* its handler knows the size */
	CTL_FXP,			/* a u32, 16.16 fixed point */
};

/* How malloc_stats_print shows a node; one without a mark, as it stands. */
enum ctl_mark {
	CTL_HIDDEN = 1 << 0,		/* not at all; a branch: nor below */
	CTL_APART = 1 << 1,		/* stats_json.c places it by itself */
	CTL_FLAT = 1 << 2,		/* its children among its siblings */
	CTL_STRATA = 1 << 3,		/* JSON: under "strata", not here */
	CTL_MEMORY = 1 << 4,		/* text: an arena's list of bytes */
};

union ctl_value {
	bool flag;
	unsigned number;
	uint32_t u32;
	uint64_t u64;
	int64_t i64;
	size_t size;
	ssize_t ssize;
	const char *text;
	void *pointer;
};

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

typedef int ctl_reader(const struct ctl_call *call, union ctl_value *out);
typedef int ctl_writer(const struct ctl_call *call,
    const union ctl_value *in);
typedef int ctl_handler(const struct ctl_call *call);

/*
 * A branch has children; a leaf has a type. A child without a name stands
 * for every index that valid() accepts, or for every name of a table that
 * names() lists. An array of children ends with a node of zeros.
 *
 *   read only         the old value is copied out
 *   read and write    the old value is read, the new one written, the old
 *                     one copied out
 *   write only        write gets NULL if there is no new value
 *   CTL_ACTION        write gets NULL; nothing may be given or asked for
 *   handler           does everything itself (values that a write makes)
 *
 * The statistics are the same tree, printed: a branch is an object, one of
 * indices an array, a leaf that can be read a value. letter, json and marks
 * say where jemalloc's JSON differs from its names.
 */
struct ctl_node {
	const char *name;
	const struct ctl_node *children;
	bool (*valid)(const size_t *mib, size_t index);
	const char *(*names)(size_t index);	/* NULL past the end */
	/* Of the names of a table: each has its own type. */
	enum ctl_type (*types)(const size_t *mib);
	enum ctl_type type;
	ctl_reader *read;
	ctl_writer *write;
	ctl_handler *handler;
	uintptr_t arg;			/* the functions' own */
	const char *json;		/* its key; NULL: its name */
	char letter;			/* malloc_stats_print's, to omit it */
	unsigned marks;			/* enum ctl_mark */
};

/* The root is mallctl.c's; the branches that the other files define: */
extern const struct ctl_node ctl_root[];
extern const struct ctl_node ctl_thread[];
extern const struct ctl_node ctl_tcache[];
extern const struct ctl_node ctl_arena_indices[];
extern const struct ctl_node ctl_arenas[];
extern const struct ctl_node ctl_pool[];
extern const struct ctl_node ctl_pool_stats[];
extern const struct ctl_node ctl_prof[];
extern const struct ctl_node ctl_prof_recent[];
extern const struct ctl_node ctl_stats[];
extern const struct ctl_node ctl_approximate_stats[];
extern const struct ctl_node ctl_utilization[];
extern const struct ctl_node ctl_experimental_arenas[];
extern const struct ctl_node ctl_opt[];
extern const struct ctl_node ctl_config[];
extern const struct ctl_node ctl_system[];

/* For handlers: sizes are checked, what fits is copied. */
int ctl_copy_out(const struct ctl_call *call, const void *value, size_t size);
int ctl_copy_in(const struct ctl_call *call, void *value, size_t size);
/* EINVAL unless the caller gave room for exactly size bytes. */
int ctl_need_old(const struct ctl_call *call, size_t size);

/* For readers inside: a leaf's type and value, by name. 0 or errno. */
int ctl_get(const char *name, enum ctl_type *type, union ctl_value *out);

/*
 * Resolves a name, or the front of one, into at most *miblen elements.
 * *out is the last node reached.
 */
int ctl_find(const char *name, size_t *mib, size_t *miblen,
    const struct ctl_node **out);
/* The type and value of call's leaf. EPERM if it cannot be read. */
int ctl_read(const struct ctl_call *call, enum ctl_type *type,
    union ctl_value *out);

/*
 * The children of a branch, one after the other: a child of zeros before the
 * first call. Its name is NULL if it stands for indices.
 */
struct ctl_child {
	const struct ctl_node *node;
	const char *name;
	size_t element;			/* of the MIB, if it has a name */
	size_t nth;			/* of a table's names */
};
bool ctl_child_next(const struct ctl_node *children, struct ctl_child *at);

/* A number or a bool as 64 bits. */
int64_t ctl_as_i64(enum ctl_type type, const union ctl_value *value);

/* Bytes of a value; 0 for branches and actions. */
size_t ctl_type_size(enum ctl_type type);

/* Takes a new snapshot, as writing epoch does. 0 or EAGAIN. */
int ctl_refresh(void);

/* ctl_snapshot.c's and ctl_arena.c's; the root has them. */
ctl_handler ctl_epoch;
ctl_handler ctl_create_ext;

/* The lock of the snapshot. */
void ctl_fork_prepare(void);
void ctl_fork_parent(void);
void ctl_fork_child(void);

/*
 * Calls visit for each leaf with its full name, indices as "<i>"; for tests
 * of the manual.
 */
void ctl_walk(void (*visit)(void *arg, const char *name,
    const struct ctl_node *node), void *arg);

#endif
