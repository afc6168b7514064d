/*
 * ctl_pool.c - mallctl pool.*: the functions of strata_pool_* by name, for
 * programs that have nothing but mallctl.
 *
 * Results are mallctl's: ENOENT no such pool, EINVAL, EAGAIN as theirs.
 * Locks: those of the functions called.
 */
#include <errno.h>

#include "boot.h"
#include "mallctl.h"
#include "pool.h"

static bool
ctl_pool_valid(const size_t *mib, size_t index)
{
	return index < pools_count() && pool_exists((unsigned)index);
}

static unsigned
ctl_pool_index(const struct ctl_call *call)
{
	return (unsigned)call->mib[1];
}

/* The new value, if there is one, is the most arenas. */
static int
ctl_pool_create(const struct ctl_call *call)
{
	unsigned index, narenas = 0;
	int error = ctl_need_old(call, sizeof index);

	if (error == 0 && (call->newp != NULL || call->newlen != 0))
		error = ctl_copy_in(call, &narenas, sizeof narenas);
	if (error != 0)
		return error;
	if (boot() != 0)
		return EAGAIN;
	error = pool_create(narenas, &index);
	if (error != 0)
		return error == ENOMEM ? EAGAIN : error;
	return ctl_copy_out(call, &index, sizeof index);
}

static int
ctl_pool_count(const struct ctl_call *call, union ctl_value *out)
{
	out->number = pools_count();
	return 0;
}

static int
ctl_pool_default(const struct ctl_call *call)
{
	unsigned index;
	int error;

	if (call->newp != NULL || call->newlen != 0)
		return EPERM;
	error = pool_default(&index);
	return error != 0 ? error : ctl_copy_out(call, &index, sizeof index);
}

/* The new generation's number, for who wants it. */
static int
ctl_pool_rotate(const struct ctl_call *call)
{
	uint64_t generation;
	int error;

	if (call->newp != NULL || call->newlen != 0)
		return EPERM;
	if (call->oldp != NULL && call->oldlenp != NULL) {
		error = ctl_need_old(call, sizeof generation);
		if (error != 0)
			return error;
	}
	error = pool_rotate(ctl_pool_index(call), &generation);
	if (error != 0)
		return error == ENOMEM ? EAGAIN : error;
	return ctl_copy_out(call, &generation, sizeof generation);
}

static int
ctl_pool_enter(const struct ctl_call *call, const union ctl_value *in)
{
	return pool_enter(ctl_pool_index(call));
}

static int
ctl_pool_leave(const struct ctl_call *call, const union ctl_value *in)
{
	return pool_leave(ctl_pool_index(call));
}

static int
ctl_pool_destroy(const struct ctl_call *call, const union ctl_value *in)
{
	return pool_destroy(ctl_pool_index(call));
}

/* arg: offset in struct pool_facts. */
static int
ctl_pool_fact(const struct ctl_call *call, union ctl_value *out)
{
	struct pool_facts facts;
	int error = pool_facts_read(ctl_pool_index(call), &facts);

	if (error != 0)
		return error;
	if (call->node->type == CTL_U64)
		out->u64 = facts.generation;
	else
		out->number = *(const unsigned *)(const void *)
		    ((const char *)&facts + call->node->arg);
	return 0;
}

static const struct ctl_node ctl_pool_of[] = {
	{ "rotate", .type = CTL_U64, .handler = ctl_pool_rotate,
	    .marks = CTL_HIDDEN },
	{ "enter", .type = CTL_ACTION, .write = ctl_pool_enter },
	{ "leave", .type = CTL_ACTION, .write = ctl_pool_leave },
	{ "destroy", .type = CTL_ACTION, .write = ctl_pool_destroy },
	{ "generation", .type = CTL_U64, .read = ctl_pool_fact },
	{ "narenas", .type = CTL_UNSIGNED, .read = ctl_pool_fact,
	    .arg = offsetof(struct pool_facts, narenas) },
	{ "narenas_max", .type = CTL_UNSIGNED, .read = ctl_pool_fact,
	    .arg = offsetof(struct pool_facts, narenas_max) },
	{ "arena", .type = CTL_UNSIGNED, .read = ctl_pool_fact,
	    .arg = offsetof(struct pool_facts, arena) },
	{ "stats", .children = ctl_pool_stats },
	{ 0 }
};

const struct ctl_node ctl_pool[] = {
	{ "create", .type = CTL_UNSIGNED, .handler = ctl_pool_create,
	    .marks = CTL_HIDDEN },
	{ "count", .type = CTL_UNSIGNED, .read = ctl_pool_count },
	{ "default", .type = CTL_UNSIGNED, .handler = ctl_pool_default,
	    .marks = CTL_HIDDEN },
	{ .valid = ctl_pool_valid, .children = ctl_pool_of },
	{ 0 }
};
