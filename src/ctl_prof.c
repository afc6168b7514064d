/*
 * ctl_prof.c - mallctl prof.* and experimental.prof_recent.*: the profiler's
 * switches and figures.
 *
 * In a build without the profiler every leaf answers ENOENT, but not
 * prof.generation, by which pools number too. In one with it they work also
 * if prof:false was chosen: setting prof.active starts it.
 */
#include <errno.h>
#include <string.h>

#include "generation.h"
#include "mallctl.h"
#include "message.h"
#include "pool.h"
#include "prof.h"
#include "sizeclass.h"
#include "util.h"

enum { CTL_LIVE, CTL_ACCUM };		/* leaves of prof.stats */
enum { CTL_BINS, CTL_LEXTENTS };	/* its branches, in this order */

#define CTL_LG_MAX	63	/* larger periods are taken for this one */

static int
ctl_flag_read(const struct ctl_call *call, union ctl_value *out)
{
	bool (*get)(void) = (bool (*)(void))call->node->arg;

	if (!CONFIG_PROF)
		return ENOENT;
	out->flag = get();
	return 0;
}

static int
ctl_figure_read(const struct ctl_call *call, union ctl_value *out)
{
	uint64_t (*get)(void) = (uint64_t (*)(void))call->node->arg;

	if (!CONFIG_PROF)
		return ENOENT;
	out->u64 = get();
	return 0;
}

/* Off until profiling has been started, as in jemalloc. */
static int
ctl_active_read(const struct ctl_call *call, union ctl_value *out)
{
	if (!CONFIG_PROF)
		return ENOENT;
	out->flag = prof_enabled() && prof_active_get();
	return 0;
}

static int
ctl_active_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	return prof_active_set(in->flag) == 0 ? 0 : EFAULT;
}

static int
ctl_active_init_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	prof_thread_active_init_set(in->flag);
	return 0;
}

static int
ctl_gdump_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	prof_gdump_set(in->flag);
	return 0;
}

/* As ctl_dump_write. */
static int
ctl_log_start_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	return prof_log_start(in == NULL ? NULL : in->text) == 0 ? 0 : EFAULT;
}

static int
ctl_log_stop_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	return prof_log_stop() == 0 ? 0 : EFAULT;
}

/* A name, or NULL (or nothing at all) for the automatic one. */
static int
ctl_dump_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	return prof_dump(in == NULL ? NULL : in->text,
	    PROF_TRIGGER_MALLCTL) == 0 ? 0 : EFAULT;
}

static int
ctl_prefix_write(const struct ctl_call *call, const union ctl_value *in)
{
	if (!CONFIG_PROF)
		return ENOENT;
	if (in == NULL || in->text == NULL)
		return EINVAL;
	return prof_prefix_set(in->text) == 0 ? 0 : EFAULT;
}

/* The new lg of the period; without one it stays. */
static int
ctl_reset_write(const struct ctl_call *call, const union ctl_value *in)
{
	unsigned lg;

	if (!CONFIG_PROF)
		return ENOENT;
	if (in == NULL)
		lg = prof_lg_sample_get();
	else
		lg = in->size < CTL_LG_MAX ? (unsigned)in->size : CTL_LG_MAX;
	return prof_reset(lg) == 0 ? 0 : EFAULT;
}

static int
ctl_lg_sample_read(const struct ctl_call *call, union ctl_value *out)
{
	if (!CONFIG_PROF)
		return ENOENT;
	out->size = prof_lg_sample_get();
	return 0;
}

/* --- prof.stats: mib[3] is the size class -------------------------------- */

/* As jemalloc: the kind counts after whether there is such a thing. */
static int
ctl_class(const struct ctl_call *call)
{
	bool accum = call->node->arg == CTL_ACCUM;
	unsigned sizeclass = (unsigned)call->mib[3] +
	    (call->mib[2] == CTL_LEXTENTS ? SC_NSMALL : 0);
	struct prof_class sums;

	if (!CONFIG_PROF || prof_class_get(sizeclass, accum, &sums) != 0)
		return ENOENT;
	if (call->newp != NULL || call->newlen != 0)
		return EPERM;
	return ctl_copy_out(call, &sums, sizeof sums);
}

static bool
ctl_is_bin(const size_t *mib, size_t index)
{
	return index < SC_NSMALL;
}

static bool
ctl_is_lextent(const size_t *mib, size_t index)
{
	return index < SC_COUNT - SC_NSMALL;
}

static const struct ctl_node ctl_prof_class[] = {
	{ "live", .type = CTL_STRUCT, .handler = ctl_class,
	    .arg = CTL_LIVE },
	{ "accum", .type = CTL_STRUCT, .handler = ctl_class,
	    .arg = CTL_ACCUM },
	{ 0 }
};

static const struct ctl_node ctl_prof_bins[] = {
	{ .valid = ctl_is_bin, .children = ctl_prof_class },
	{ 0 }
};

static const struct ctl_node ctl_prof_lextents[] = {
	{ .valid = ctl_is_lextent, .children = ctl_prof_class },
	{ 0 }
};

static const struct ctl_node ctl_prof_stats[] = {
	[CTL_BINS] = { "bins", .children = ctl_prof_bins },
	[CTL_LEXTENTS] = { "lextents", .children = ctl_prof_lextents },
	{ 0 }
};

/* As epoch: writing any number begins the next one, which is then read. */
static int
ctl_generation(const struct ctl_call *call)
{
	uint64_t generation;
	int error;

	if (call->newp != NULL || call->newlen != 0) {
		error = ctl_copy_in(call, &generation, sizeof generation);
		if (error != 0)
			return error;
		generation = pool_advance();
	} else {
		generation = generation_current();
	}
	return ctl_copy_out(call, &generation, sizeof generation);
}

#define FLAG(name, get, set) \
	{ name, .type = CTL_BOOL, .read = ctl_flag_read, .write = set, \
	    .arg = (uintptr_t)get }
#define FIGURE(name, get) \
	{ name, .type = CTL_U64, .read = ctl_figure_read, \
	    .arg = (uintptr_t)get }
/* jemalloc has none of that name. */
#define OWN_FIGURE(name, get) \
	{ name, .type = CTL_U64, .read = ctl_figure_read, \
	    .arg = (uintptr_t)get, .marks = CTL_STRATA }

const struct ctl_node ctl_prof[] = {
	FLAG("thread_active_init", prof_thread_active_init_get,
	    ctl_active_init_write),
	{ "active", .type = CTL_BOOL, .read = ctl_active_read,
	    .write = ctl_active_write },
	FLAG("gdump", prof_gdump_get, ctl_gdump_write),
	{ "dump", .type = CTL_STRING, .write = ctl_dump_write },
	{ "log_start", .type = CTL_STRING, .write = ctl_log_start_write },
	{ "log_stop", .type = CTL_ACTION, .write = ctl_log_stop_write },
	{ "prefix", .type = CTL_STRING, .write = ctl_prefix_write },
	{ "reset", .type = CTL_SIZE, .write = ctl_reset_write },
	FIGURE("interval", prof_interval_get),
	{ "lg_sample", .type = CTL_SIZE, .read = ctl_lg_sample_read },
	{ "stats", .children = ctl_prof_stats, .marks = CTL_HIDDEN },
	{ "generation", .type = CTL_U64, .handler = ctl_generation,
	    .marks = CTL_STRATA },
	OWN_FIGURE("samples", prof_samples_live),
	OWN_FIGURE("dropped_samples", prof_dropped_samples),
	OWN_FIGURE("dropped_bytes", prof_dropped_bytes),
	OWN_FIGURE("memory", prof_memory),
	OWN_FIGURE("dumps", prof_dumps_done),
	OWN_FIGURE("dump_errors", prof_dump_errors),
	{ 0 }
};

/* --- experimental.prof_recent --------------------------------------------- */

static int
ctl_recent_max_read(const struct ctl_call *call, union ctl_value *out)
{
	if (!CONFIG_PROF)
		return ENOENT;
	out->ssize = (ssize_t)prof_recent_max_get();
	return 0;
}

static int
ctl_recent_max_write(const struct ctl_call *call, const union ctl_value *in)
{
	return prof_recent_max_set(in->ssize);
}

/* jemalloc's: a function, which may be NULL, and what it gets. */
struct ctl_writer_packet {
	prof_write *write;
	void *opaque;
};

static void
ctl_to_message(void *opaque, const char *text)
{
	message_write(text);
}

static int
ctl_recent_dump(const struct ctl_call *call)
{
	struct ctl_writer_packet packet;
	int error;

	if (!CONFIG_PROF)
		return ENOENT;
	if (call->oldp != NULL || call->oldlenp != NULL)
		return EPERM;
	error = ctl_copy_in(call, &packet, sizeof packet);
	if (error != 0)
		return error;
	return prof_recent_dump(packet.write != NULL ? packet.write :
	    ctl_to_message, packet.opaque) == 0 ? 0 : EAGAIN;
}

const struct ctl_node ctl_prof_recent[] = {
	{ "alloc_max", .type = CTL_SSIZE, .read = ctl_recent_max_read,
	    .write = ctl_recent_max_write },
	{ "alloc_dump", .type = CTL_STRUCT, .handler = ctl_recent_dump },
	{ 0 }
};
