/*
 * ctl_thread.c - mallctl thread.*, the calling thread's own, and tcache.*.
 *
 * Locks: none; only what belongs to the caller is touched.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "boot.h"
#include "conf.h"
#include "mallctl.h"
#include "event.h"
#include "options.h"
#include "prof.h"
#include "thread.h"

/* The caller's state; NULL only after its end, or without memory. */
static struct thread *
ctl_self(void)
{
	return boot() == 0 ? thread_get() : NULL;
}

static int
ctl_thread_arena_read(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	thread_follow(thread);
	out->number = thread->home->index;
	return 0;
}

static int
ctl_thread_arena_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	return thread_arena_set(thread, in->number);
}

static int
ctl_thread_allocated(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	out->u64 = thread_allocated(thread);
	return 0;
}

static int
ctl_thread_deallocated(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	out->u64 = atomic_load_explicit(&thread->deallocated,
	    memory_order_relaxed);
	return 0;
}

static int
ctl_thread_allocatedp(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	/* From now on each allocation is an event that renews the copy. */
	thread->exact = true;
	thread->allocated_copy = thread_allocated(thread);
	event_redraw(thread);
	out->pointer = &thread->allocated_copy;
	return 0;
}

static int
ctl_thread_deallocatedp(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	out->pointer = &thread->deallocated;
	return 0;
}

/* --- idle ----------------------------------------------------------------- */

/* The caller will not allocate for a while: what it holds unused goes back. */
static int
ctl_thread_idle(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	thread_tcache_flush(thread);
	batch_flush(&thread->batch);
	arena_decay(thread->arena->index);
	return 0;
}

/* --- the cache ------------------------------------------------------------ */

static int
ctl_tcache_enabled_read(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	out->flag = thread->tcache_enabled;
	return 0;
}

static int
ctl_tcache_enabled_write(const struct ctl_call *call,
    const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	thread_tcache_enable(thread, in->flag);
	return 0;
}

static int
ctl_tcache_flush(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	if (!thread->tcache_enabled)
		return EFAULT;
	thread_tcache_flush(thread);
	return 0;
}

/* Larger ones than caches can hold are cut down to what they can. */
static int
ctl_tcache_max_read(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	out->size = tcache_max_get(&thread->own_cache);
	return 0;
}

static int
ctl_tcache_max_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	tcache_max_set(&thread->own_cache, in->size);
	return 0;
}

/* The new value is a size; the old one its class's slots. */
static int
ctl_ncached_read(const struct ctl_call *call)
{
	struct thread *thread = ctl_self();
	size_t size, slots;
	int error = ctl_copy_in(call, &size, sizeof size);

	if (error != 0)
		return error;
	if (size > SC_CACHEABLE_MAX)
		return EINVAL;
	if (thread == NULL)
		return EAGAIN;
	slots = tcache_slots_get(&thread->own_cache, sc_index(size));
	return ctl_copy_out(call, &slots, sizeof slots);
}

static void
ctl_ncached_set(struct tcache *cache, const struct option_range *range)
{
	for (unsigned i = 0; i < TCACHE_NBINS; i++)
		if (sc_size(i) >= range->lo && sc_size(i) <= range->hi)
			tcache_slots_set(cache, i, range->value < UINT32_MAX ?
			    (unsigned)range->value : UINT32_MAX);
}

/* Text as that of the option tcache_ncached_max. */
static int
ctl_ncached_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();
	const struct conf_option *option = conf_find("tcache_ncached_max",
	    sizeof "tcache_ncached_max" - 1);
	struct option_ranges ranges = { .count = 0 };

	if (thread == NULL)
		return EAGAIN;
	if (in == NULL || in->text == NULL || conf_value(option, in->text,
	    strlen(in->text), &ranges) != 0)
		return EINVAL;
	for (unsigned i = 0; i < ranges.count; i++)
		ctl_ncached_set(&thread->own_cache, &ranges.range[i]);
	return 0;
}

/* --- peaks ---------------------------------------------------------------- */

static int
ctl_peak_read(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	out->u64 = event_peak_get(thread);
	return 0;
}

static int
ctl_peak_reset(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (thread == NULL)
		return EAGAIN;
	event_peak_reset(thread);
	return 0;
}

/* --- the profiler's part -------------------------------------------------- */

/* Read or written, not both: the name that is read is the thread's own. */
static int
ctl_thread_name(const struct ctl_call *call)
{
	struct thread *thread = ctl_self();
	const char *name;
	int error;

	if (!CONFIG_PROF)
		return ENOENT;
	if (thread == NULL)
		return EAGAIN;
	if (call->newp == NULL && call->newlen == 0) {
		name = prof_thread_name_get(&thread->prof);
		return ctl_copy_out(call, &name, sizeof name);
	}
	if (call->oldp != NULL || call->oldlenp != NULL)
		return EPERM;
	error = ctl_copy_in(call, &name, sizeof name);
	if (error != 0)
		return error;
	return prof_thread_name_set(&thread->prof, name);
}

static int
ctl_thread_active_read(const struct ctl_call *call, union ctl_value *out)
{
	struct thread *thread = ctl_self();

	if (!CONFIG_PROF)
		return ENOENT;
	if (thread == NULL)
		return EAGAIN;
	out->flag = thread->prof.active;
	return 0;
}

static int
ctl_thread_active_write(const struct ctl_call *call,
    const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (!CONFIG_PROF)
		return ENOENT;
	if (thread == NULL)
		return EAGAIN;
	thread->prof.active = in->flag;
	event_redraw(thread);
	return 0;
}

/* For tests: from here on the thread's samples are those of this seed. */
static int
ctl_thread_seed_write(const struct ctl_call *call, const union ctl_value *in)
{
	struct thread *thread = ctl_self();

	if (!CONFIG_PROF)
		return ENOENT;
	if (in == NULL)
		return EINVAL;
	if (thread == NULL)
		return EAGAIN;
	prof_thread_seed(&thread->prof, in->u64);
	event_redraw(thread);
	return 0;
}

/* --- explicit caches ------------------------------------------------------ */

static int
ctl_tcache_create(const struct ctl_call *call)
{
	unsigned index;
	int error;

	if (call->newp != NULL || call->newlen != 0)
		return EPERM;
	error = ctl_need_old(call, sizeof index);
	if (error == 0)
		error = boot();
	if (error == 0)
		error = tcaches_create(&index);
	if (error != 0)
		return error == EINVAL ? EINVAL : EAGAIN;
	return ctl_copy_out(call, &index, sizeof index);
}

static int
ctl_tcaches_flush(const struct ctl_call *call, const union ctl_value *in)
{
	return in == NULL ? EINVAL : tcaches_flush(in->number);
}

static int
ctl_tcaches_destroy(const struct ctl_call *call, const union ctl_value *in)
{
	return in == NULL ? EINVAL : tcaches_destroy(in->number);
}

const struct ctl_node ctl_tcache[] = {
	{ "create", .type = CTL_UNSIGNED, .handler = ctl_tcache_create },
	{ "flush", .type = CTL_UNSIGNED, .write = ctl_tcaches_flush },
	{ "destroy", .type = CTL_UNSIGNED, .write = ctl_tcaches_destroy },
	{ 0 }
};

/* --- the tree ------------------------------------------------------------- */

static const struct ctl_node ctl_thread_ncached_max[] = {
	{ "read_sizeclass", .type = CTL_SIZE, .handler = ctl_ncached_read },
	{ "write", .type = CTL_STRING, .write = ctl_ncached_write },
	{ 0 }
};

static const struct ctl_node ctl_thread_peak[] = {
	{ "read", .type = CTL_U64, .read = ctl_peak_read },
	{ "reset", .type = CTL_ACTION, .write = ctl_peak_reset },
	{ 0 }
};

static const struct ctl_node ctl_thread_tcache[] = {
	{ "enabled", .type = CTL_BOOL, .read = ctl_tcache_enabled_read,
	    .write = ctl_tcache_enabled_write },
	{ "flush", .type = CTL_ACTION, .write = ctl_tcache_flush },
	{ "max", .type = CTL_SIZE, .read = ctl_tcache_max_read,
	    .write = ctl_tcache_max_write },
	{ "ncached_max", .children = ctl_thread_ncached_max },
	{ 0 }
};

static const struct ctl_node ctl_thread_prof[] = {
	{ "name", .type = CTL_STRING, .handler = ctl_thread_name },
	{ "active", .type = CTL_BOOL, .read = ctl_thread_active_read,
	    .write = ctl_thread_active_write },
	{ "seed", .type = CTL_U64, .write = ctl_thread_seed_write },
	{ 0 }
};

const struct ctl_node ctl_thread[] = {
	{ "arena", .type = CTL_UNSIGNED, .read = ctl_thread_arena_read,
	    .write = ctl_thread_arena_write },
	{ "allocated", .type = CTL_U64, .read = ctl_thread_allocated },
	{ "deallocated", .type = CTL_U64, .read = ctl_thread_deallocated },
	{ "allocatedp", .type = CTL_POINTER, .read = ctl_thread_allocatedp },
	{ "deallocatedp", .type = CTL_POINTER,
	    .read = ctl_thread_deallocatedp },
	{ "idle", .type = CTL_ACTION, .write = ctl_thread_idle },
	{ "peak", .children = ctl_thread_peak },
	{ "tcache", .children = ctl_thread_tcache },
	{ "prof", .children = ctl_thread_prof },
	{ 0 }
};
