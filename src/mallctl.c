/*
 * mallctl.c - names to MIBs to leaves, sizes, copying.
 *
 * Locks: none here; what must be consistent is ctl_stats.c's snapshot.
 * Memory: none.
 */
#include <errno.h>
#include <string.h>

#include "background.h"
#include "mallctl.h"
#include "fmt.h"
#include "util.h"
#include "names.h"

/* --- the root ------------------------------------------------------------- */

EXPORT const char *
strata_version(void)
{
	return STRATA_VERSION;
}

static int
ctl_version_read(const struct ctl_call *call, union ctl_value *out)
{
	/*
	 * Dashboards read a version number from the front; jemalloc's own
	 * is major.minor.patch-rev-gid.
	 */
	out->text = strata_version();
	return 0;
}

static int
ctl_background_read(const struct ctl_call *call, union ctl_value *out)
{
	out->flag = background_enabled();
	return 0;
}

static int
ctl_background_write(const struct ctl_call *call, const union ctl_value *in)
{
	return background_set(in->flag) == 0 ? 0 : EFAULT;
}

static int
ctl_background_max_read(const struct ctl_call *call, union ctl_value *out)
{
	out->size = background_max_get();
	return 0;
}

static int
ctl_background_max_write(const struct ctl_call *call,
    const union ctl_value *in)
{
	return background_max_set(in->size);
}

static const struct ctl_node ctl_experimental[] = {
	{ "utilization", .children = ctl_utilization },
	{ "arenas", .children = ctl_experimental_arenas },
	{ "prof_recent", .children = ctl_prof_recent },
	{ "arenas_create_ext", .type = CTL_UNSIGNED,
	    .handler = ctl_create_ext },
	{ 0 }
};

const struct ctl_node ctl_root[] = {
	{ "version", .type = CTL_STRING, .read = ctl_version_read },
	{ "epoch", .type = CTL_U64, .handler = ctl_epoch },
	/* the printed statistics have these two as options */
	{ "background_thread", .type = CTL_BOOL,
	    .read = ctl_background_read, .write = ctl_background_write,
	    .marks = CTL_HIDDEN },
	{ "max_background_threads", .type = CTL_SIZE,
	    .read = ctl_background_max_read,
	    .write = ctl_background_max_write, .marks = CTL_HIDDEN },
	{ "thread", .children = ctl_thread, .marks = CTL_HIDDEN },
	{ "config", .children = ctl_config, .letter = 'g' },
	{ "system", .children = ctl_system, .letter = 'g' },
	{ "opt", .children = ctl_opt, .letter = 'g' },
	{ "tcache", .children = ctl_tcache, .marks = CTL_HIDDEN },
	{ "arena", .children = ctl_arena_indices, .marks = CTL_HIDDEN },
	{ "arenas", .children = ctl_arenas, .letter = 'g' },
	{ "pool", .children = ctl_pool, .marks = CTL_HIDDEN },
	{ "prof", .children = ctl_prof, .letter = 'g' },
	{ "stats", .children = ctl_stats },
	{ "approximate_stats", .children = ctl_approximate_stats,
	    .marks = CTL_HIDDEN },
	{ "experimental", .children = ctl_experimental, .marks = CTL_HIDDEN },
	{ 0 }
};

/* --- walking -------------------------------------------------------------- */

static bool
ctl_is_end(const struct ctl_node *node)
{
	return node->name == NULL && node->valid == NULL &&
	    node->names == NULL;
}

/* An index in decimal digits; false if word is none. */
static bool
ctl_number(const char *word, size_t len, size_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char)word[i] - (unsigned)'0';

		if (digit > 9 || n > (SIZE_MAX - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	*out = n;
	return len > 0;
}

static bool
ctl_is_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && memcmp(word, name, len) == 0;
}

bool
ctl_child_next(const struct ctl_node *children, struct ctl_child *at)
{
	const struct ctl_node *node = at->node == NULL ? children : at->node;
	size_t nth = at->node == NULL ? 0 : at->nth + 1;

	for (; !ctl_is_end(node); node++, nth = 0) {
		const char *name = node->names != NULL ? node->names(nth) :
		    node->name;
		bool is_there = node->names != NULL ? name != NULL : nth == 0;

		if (!is_there)
			continue;
		/* A table's names follow the fixed ones in the count. */
		*at = (struct ctl_child){ node, name,
		    (size_t)(node - children) + nth, nth };
		return true;
	}
	return false;
}

/* The child that word names, after at elements of mib; sets mib[at]. */
static const struct ctl_node *
ctl_child_by_name(const struct ctl_node *children, const char *word,
    size_t len, size_t *mib, size_t at)
{
	struct ctl_child child = { 0 };

	while (ctl_child_next(children, &child)) {
		if (child.name == NULL) {
			if (!ctl_number(word, len, &mib[at]) ||
			    !child.node->valid(mib, mib[at]))
				continue;
			return child.node;
		}
		if (!ctl_is_word(word, len, child.name))
			continue;
		mib[at] = child.element;
		return child.node;
	}
	return NULL;
}

static const struct ctl_node *
ctl_child_by_mib(const struct ctl_node *children, const size_t *mib,
    size_t at)
{
	struct ctl_child child = { 0 };

	while (ctl_child_next(children, &child))
		if (child.name != NULL ? mib[at] == child.element :
		    child.node->valid(mib, mib[at]))
			return child.node;
	return NULL;
}

int
ctl_find(const char *name, size_t *mib, size_t *miblen,
    const struct ctl_node **out)
{
	const struct ctl_node *children = ctl_root, *node = NULL;
	size_t at = 0;

	for (;;) {
		size_t len = strcspn(name, ".");

		if (children == NULL || len == 0)
			return ENOENT;
		if (at == *miblen)
			break;		/* as jemalloc: what fits */
		node = ctl_child_by_name(children, name, len, mib, at);
		if (node == NULL)
			return ENOENT;
		at++;
		name += len;
		if (*name == '\0')
			break;
		name++;
		children = node->children;
	}
	*miblen = at;
	*out = node;
	return 0;
}

static const struct ctl_node *
ctl_lookup_mib(const size_t *mib, size_t miblen)
{
	const struct ctl_node *children = ctl_root, *node = NULL;

	for (size_t at = 0; at < miblen; at++) {
		if (children == NULL)
			return NULL;
		node = ctl_child_by_mib(children, mib, at);
		if (node == NULL)
			return NULL;
		children = node->children;
	}
	return node;
}

/* --- values --------------------------------------------------------------- */

size_t
ctl_type_size(enum ctl_type type)
{
	switch (type) {
	case CTL_BRANCH:
	case CTL_ACTION:
	case CTL_STRUCT:
		return 0;
	case CTL_BOOL:
		return sizeof(bool);
	case CTL_UNSIGNED:
		return sizeof(unsigned);
	case CTL_U32:
	case CTL_FXP:
		return sizeof(uint32_t);
	case CTL_U64:
	case CTL_I64:
		return sizeof(uint64_t);
	case CTL_SIZE:
	case CTL_SSIZE:
		return sizeof(size_t);
	case CTL_STRING:
	case CTL_POINTER:
		return sizeof(void *);
	}
	return 0;
}

int
ctl_copy_out(const struct ctl_call *call, const void *value, size_t size)
{
	size_t fits;

	if (call->oldp == NULL || call->oldlenp == NULL)
		return 0;
	fits = size <= *call->oldlenp ? size : *call->oldlenp;
	memcpy(call->oldp, value, fits);
	if (*call->oldlenp == size)
		return 0;
	*call->oldlenp = fits;
	return EINVAL;
}

int
ctl_copy_in(const struct ctl_call *call, void *value, size_t size)
{
	if (call->newp == NULL || call->newlen != size)
		return EINVAL;
	memcpy(value, call->newp, size);
	return 0;
}

int
ctl_need_old(const struct ctl_call *call, size_t size)
{
	if (call->oldp != NULL && call->oldlenp != NULL &&
	    *call->oldlenp == size)
		return 0;
	if (call->oldlenp != NULL)
		*call->oldlenp = 0;
	return EINVAL;
}

static enum ctl_type
ctl_type(const struct ctl_call *call)
{
	return call->node->types != NULL ? call->node->types(call->mib) :
	    call->node->type;
}

static int
ctl_access(const struct ctl_call *call)
{
	const struct ctl_node *node = call->node;
	size_t size = ctl_type_size(ctl_type(call));
	bool writes = call->newp != NULL || call->newlen != 0;
	bool reads = call->oldp != NULL || call->oldlenp != NULL;
	union ctl_value old, new;
	int error;

	if (node->handler != NULL)
		return node->handler(call);
	if ((writes && (node->write == NULL || node->type == CTL_ACTION)) ||
	    (reads && node->read == NULL))
		return EPERM;
	if (node->read == NULL && !writes)
		return node->write(call, NULL);
	memset(&old, 0, sizeof old);
	if (node->read != NULL && (error = node->read(call, &old)) != 0)
		return error;
	/* Who cannot be told the old value does not set a new one. */
	if (writes && call->oldp != NULL && call->oldlenp != NULL &&
	    *call->oldlenp != size)
		return ctl_copy_out(call, &old, size);
	if (writes) {
		memset(&new, 0, sizeof new);
		error = ctl_copy_in(call, &new, size);
		if (error == 0)
			error = node->write(call, &new);
		if (error != 0)
			return error;
	}
	return ctl_copy_out(call, &old, size);
}

/* --- the public functions ------------------------------------------------- */

EXPORT int
mallctlbymib(const size_t *mib, size_t miblen, void *oldp, size_t *oldlenp,
    void *newp, size_t newlen)
{
	struct ctl_call call = { NULL, mib, miblen, oldp, oldlenp, newp,
	    newlen };

	if (miblen > CTL_MAX_DEPTH)
		return ENOENT;
	call.node = ctl_lookup_mib(mib, miblen);
	if (call.node == NULL || call.node->type == CTL_BRANCH)
		return ENOENT;
	return ctl_access(&call);
}

EXPORT int
mallctlnametomib(const char *name, size_t *mibp, size_t *miblenp)
{
	const struct ctl_node *node;

	return ctl_find(name, mibp, miblenp, &node);
}

EXPORT int
mallctl(const char *name, void *oldp, size_t *oldlenp, void *newp,
    size_t newlen)
{
	size_t mib[CTL_MAX_DEPTH], miblen = CTL_MAX_DEPTH;
	struct ctl_call call = { NULL, mib, 0, oldp, oldlenp, newp, newlen };
	int error = ctl_find(name, mib, &miblen, &call.node);

	if (error != 0)
		return error;
	call.miblen = miblen;
	if (call.node->type == CTL_BRANCH)
		return ENOENT;
	return ctl_access(&call);
}

int
ctl_read(const struct ctl_call *call, enum ctl_type *type,
    union ctl_value *out)
{
	*type = ctl_type(call);
	memset(out, 0, sizeof *out);
	return call->node->read == NULL ? EPERM :
	    call->node->read(call, out);
}

int
ctl_get(const char *name, enum ctl_type *type, union ctl_value *out)
{
	size_t mib[CTL_MAX_DEPTH], miblen = CTL_MAX_DEPTH;
	struct ctl_call call = { .mib = mib };
	int error = ctl_find(name, mib, &miblen, &call.node);

	if (error != 0)
		return error;
	call.miblen = miblen;
	return ctl_read(&call, type, out);
}

int64_t
ctl_as_i64(enum ctl_type type, const union ctl_value *value)
{
	switch (type) {
	case CTL_BOOL:
		return value->flag;
	case CTL_UNSIGNED:
		return value->number;
	case CTL_U32:
	case CTL_FXP:
		return value->u32;
	default:
		return value->i64;
	}
}

/* --- the whole tree ------------------------------------------------------- */

enum { CTL_NAME_MAX = 160 };

struct ctl_walker {
	void (*visit)(void *, const char *, const struct ctl_node *);
	void *arg;
	char name[CTL_NAME_MAX];
};

static void ctl_walk_children(struct ctl_walker *walker, size_t len,
    const struct ctl_node *children);

static void
ctl_walk_node(struct ctl_walker *walker, size_t len, const char *name,
    const struct ctl_node *node)
{
	len += fmt_buf(walker->name + len, CTL_NAME_MAX - len, "%s%s",
	    len == 0 ? "" : ".", name);
	must(len < CTL_NAME_MAX);
	if (node->type != CTL_BRANCH)
		walker->visit(walker->arg, walker->name, node);
	else
		ctl_walk_children(walker, len, node->children);
}

static void
ctl_walk_children(struct ctl_walker *walker, size_t len,
    const struct ctl_node *children)
{
	static const char *const indices[] = { "<i>", "<j>" };
	size_t depth = memchr(walker->name, '<', len) != NULL;
	struct ctl_child child = { 0 };

	while (ctl_child_next(children, &child))
		ctl_walk_node(walker, len, child.name != NULL ? child.name :
		    indices[depth], child.node);
}

void
ctl_walk(void (*visit)(void *arg, const char *name,
    const struct ctl_node *node), void *arg)
{
	struct ctl_walker walker = { .visit = visit, .arg = arg };

	ctl_walk_children(&walker, 0, ctl_root);
}
