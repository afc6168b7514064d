/*
 * prof.c - the face of the profiler (prof.h): life cycle, the two ends of a
 * sample, switches, fork.
 *
 *   prof_sample_begin: guard, gate, unwind -> stack -> group -> live record
 *   prof_sample_end:   live record -> lifetime -> totals of its group
 *
 * A sample that finds no memory, or a fork under way, is dropped: counted
 * with its weight, and the allocation goes on.
 *
 * Locks: none of its own. Fork takes those of prof/ in the order of
 *   enum lock_rank, after the gate (gate.c) is closed and empty.
 */
#include "prof.h"

#include <errno.h>

#include "classes.h"
#include "cut.h"
#include "dump.h"
#include "freed.h"
#include "gate.h"
#include "generation.h"
#include "group.h"
#include "history.h"
#include "live.h"
#include "loader.h"
#include "modules.h"
#include "os.h"
#include "profmem.h"
#include "probes.h"
#include "recent.h"
#include "samplelog.h"
#include "sampler.h"
#include "shadow.h"
#include "stack.h"
#include "trigger.h"
#include "unwind.h"
#include "util.h"

enum state { NOT_STARTED, STARTING, STARTED, FAILED };

/* constant after prof_boot: */
static const struct prof_host *host;
static enum prof_unwind unwind_how;
static unsigned bt_max = 128;
/* atomic: */
static bool enabled;
static uint32_t state;

/*
 * The guard of a thread that may have none (before its first allocation,
 * after its end): what was entered is left, nothing else.
 */
static bool
guard(void)
{
	return host->guard_enter() != NULL;
}

static void
unguard(bool entered)
{
	if (entered)
		host->guard_leave();
}

/* --- life cycle ----------------------------------------------------------- */

int
prof_boot(const struct prof_options *options, const struct prof_host *h)
{
	host = h;
	enabled = options->prof;
	unwind_how = options->unwind;
	bt_max = options->bt_max < 1 ? 1 :
	    options->bt_max > STACK_DEPTH_MAX ? STACK_DEPTH_MAX :
	    options->bt_max;
	profmem_boot(options->max_memory, h);
	classes_boot(options->stats);
	stack_boot();
	group_boot();
	live_boot(h);
	cut_boot(h);
	sampler_boot(options, h);
	loader_boot(h);
	dump_boot(options, h);
	history_boot(options, h);
	trigger_boot(options, h);
	return 0;
}

static int
start_guarded(void)
{
	int error;

	loader_start();
	error = unwind_start(unwind_how);
	if (error != 0)
		return error;
	loader_watch();
	sampler_start();
	return 0;
}

int
prof_start(void)
{
	uint32_t was = NOT_STARTED;
	bool guarded;
	int error;

	if (!__atomic_compare_exchange_n(&state, &was, STARTING, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE))
		return was == STARTED ? 0 : was == STARTING ? EAGAIN : ENOENT;
	guarded = guard();
	error = start_guarded();
	if (error == 0)
		trigger_start();
	unguard(guarded);
	__atomic_store_n(&enabled, error == 0, __ATOMIC_RELAXED);
	/* pairs with the acquire of those who read the state */
	__atomic_store_n(&state, error == 0 ? STARTED : FAILED,
	    __ATOMIC_RELEASE);
	if (error != 0)
		sampler_active_set(false);
	trigger_changed();
	return error;
}

static bool
is_started(void)
{
	return __atomic_load_n(&state, __ATOMIC_ACQUIRE) == STARTED;
}

bool
prof_exit(void)
{
	bool guarded, fail;

	if (!is_started())
		return false;
	guarded = guard();
	(void)history_exit();		/* what fails has been told */
	fail = trigger_exit();
	unguard(guarded);
	return fail;
}

/* --- threads -------------------------------------------------------------- */

void
prof_thread_init(struct prof_thread *thread)
{
	thread->unwinding = 0;
	thread->closing = 0;
	thread->sampled = 0;
	thread->rate = 0;
	thread->stack_low = thread->stack_high = 0;
	thread->name[0] = '\0';
	sampler_thread_init(thread);
}

void
prof_thread_exit(struct prof_thread *thread)
{
	gate_thread_exit(thread);
	if (thread->frames != NULL)
		profmem_free(thread->frames, bt_max * sizeof *thread->frames);
	thread->frames = NULL;
	if (thread->shadow != NULL)
		shadow_free(thread->shadow);
	thread->shadow = NULL;
}

void
prof_thread_seed(struct prof_thread *thread, uint64_t seed)
{
	sampler_thread_seed(thread, seed);
}

uint64_t
prof_thread_gap(struct prof_thread *thread)
{
	return sampler_gap(thread);
}

int
prof_thread_name_set(struct prof_thread *thread, const char *name)
{
	size_t length;

	if (history_system_names())
		return ENOENT;
	if (name == NULL)
		return EFAULT;
	length = __builtin_strlen(name);
	for (size_t i = 0; i < length; i++)
		if (name[i] != '\t' && (name[i] < ' ' || name[i] > '~'))
			return EFAULT;
	if (length >= sizeof thread->name)
		length = sizeof thread->name - 1;
	__builtin_memcpy(thread->name, name, length);
	thread->name[length] = '\0';
	if (history_on())
		history_name_note(thread);
	return 0;
}

const char *
prof_thread_name_get(struct prof_thread *thread)
{
	history_thread_name(thread);
	return thread->name;
}

/* --- samples -------------------------------------------------------------- */

/* Does the stack name its modules by the epoch it was taken in? */
static bool
is_of_epoch(const uintptr_t *frames, size_t depth, uint32_t epoch)
{
	if (unlikely(modules_epoch() != epoch))
		return false;
	return likely(!loader_closing()) || modules_verify(frames, depth);
}

/*
 * With the last walk of the thread beside it where samples are so frequent
 * that it pays: 16 KiB a thread, and it is still in the processor's cache.
 */
static struct shadow *
shadow_of(struct prof_thread *thread)
{
	enum { RATE_MAX = 64 << 10 };	/* bytes; of 512 KiB it is not */

	if (thread->shadow == NULL && thread->rate <= RATE_MAX &&
	    unwind_how != PROF_UNWIND_FP && unwind_how != PROF_UNWIND_UNW_STEP)
		thread->shadow = shadow_new(bt_max);
	return thread->shadow;
}

/* Unwinds, again if an address changed its owner meanwhile. */
static uint32_t
collect(struct prof_thread *thread, uintptr_t *room, size_t max,
    struct stack_frames *out)
{
	struct shadow *shadow = shadow_of(thread);
	uint32_t epoch;
	int tries = 4;

	do {
		epoch = modules_epoch();
		if (shadow != NULL) {
			unwind_collect_again(thread, shadow, max, out);
		} else {
			out->frames = room;
			out->depth = unwind_collect(thread, room, max);
			out->hash = stack_hash(room, out->depth);
		}
	} while (!is_of_epoch(out->frames, out->depth, epoch) && --tries > 0);
	return epoch;
}

/* Room for bt_max frames that are too many for a small stack, or NULL. */
static uintptr_t *
frames_of(struct prof_thread *thread)
{
	if (thread->frames == NULL)
		thread->frames = profmem_alloc(bt_max * sizeof(uintptr_t),
		    PROFMEM_STACKS);
	return thread->frames;
}

/* The frames may lie there, or in the thread's own memory. */
enum { LOCAL_MAX = 128 };		/* 1 KiB of a stack of perhaps 16 */
struct room {
	uintptr_t local[LOCAL_MAX];
};

/* The calling stack; false while the gate is closed. */
static inline bool
current_frames(struct prof_thread *thread, struct room *room,
    struct stack_frames *out, uint32_t *epoch)
{
	size_t max = bt_max < LOCAL_MAX ? bt_max : LOCAL_MAX;
	uintptr_t *frames = room->local;

	if (bt_max > LOCAL_MAX && frames_of(thread) != NULL) {
		frames = thread->frames;
		max = bt_max;
	}
	if (!gate_enter(thread))
		return false;
	*epoch = collect(thread, frames, max, out);
	gate_leave(thread);
	return true;
}

static struct group *
find_group(struct prof_thread *thread, struct group_key *key,
    const struct stack_frames *frames, uint32_t epoch)
{
	struct shadow *shadow = thread->shadow;
	struct group *group = NULL;

	if (shadow != NULL)
		group = group_again(shadow->groups, key, frames, epoch);
	if (group != NULL)
		return group;
	key->stack = stack_get_hashed(frames, epoch);
	group = group_get(key);
	/* what stands for all stacks has not their frames */
	if (group != NULL && shadow != NULL && key->stack != &stack_other)
		group_remember(shadow->groups, group, frames);
	stack_put(key->stack);		/* the group has its own */
	return group;
}

static struct live *
enter_record(struct prof_thread *thread, const struct prof_alloc *alloc,
    const struct stack_frames *frames, uint32_t epoch)
{
	struct group_key key = {
		.rate = thread->rate,
		.usable = alloc->usable,
		.arena = alloc->arena,
		.sizeclass = alloc->sizeclass,
		.generation = alloc->generation != 0 ? alloc->generation :
		    generation_current(),
	};
	struct live birth = {
		.ptr = alloc->ptr,
		.group = find_group(thread, &key, frames, epoch),
		.requested = alloc->requested,
		.thread_clock = alloc->thread_clock,
		.thread = (uint32_t)thread->uid,
	}, *record;

	if (birth.group == NULL)
		return NULL;
	birth.birth_ns = os_now_ns();
	record = live_insert(&birth);
	if (record == NULL)
		group_put(birth.group);
	return record;
}

/* Apart, as end_and_tell: its stack frame is not every sample's. */
static __attribute__((noinline, cold)) void
tell_begin(struct prof_thread *thread, const struct prof_alloc *alloc,
    struct stack *stack, uint64_t birth_ns)
{
	struct history_birth birth = {
		.ptr = alloc->ptr,
		.stack = stack,
		.requested = alloc->requested,
		.usable = alloc->usable,
		.birth_ns = birth_ns,
		.thread = (uint32_t)thread->uid,
	};

	history_begin(thread, &birth);
}

static struct live *
take_sample(struct prof_thread *thread, const struct prof_alloc *alloc)
{
	struct room room;
	struct stack_frames frames;
	struct live *record;
	uint32_t epoch;

	live_expect(alloc->ptr);
	if (!current_frames(thread, &room, &frames, &epoch))
		return NULL;
	record = enter_record(thread, alloc, &frames, epoch);
	/* until the allocation returns nobody ends the record: it has a group */
	if (unlikely(history_on()) && record != NULL)
		tell_begin(thread, alloc, record->group->key.stack,
		    record->birth_ns);
	if (record == NULL && profmem_limit_update())
		trigger_fold();
	return record;
}

static bool
takes_samples(const struct prof_thread *thread)
{
	return is_started() && thread != NULL && thread->rate != 0;
}

void *
prof_sample_begin(struct prof_thread *thread, const struct prof_alloc *alloc)
{
	int saved_errno = errno;
	struct live *record = NULL;

	if (!takes_samples(thread))
		return NULL;
	if (thread->guard == 0) {
		host->guard_enter();
		record = take_sample(thread, alloc);
		trigger_check();
		host->guard_leave();
	}
	if (record != NULL) {
		thread->sampled++;
		probe_alloc(alloc->ptr, alloc->requested, alloc->usable,
		    thread->rate);
	} else {
		sampler_drop(alloc->usable, thread->rate);
	}
	errno = saved_errno;
	return record;
}

void
prof_sample_drop(struct prof_thread *thread, const struct prof_alloc *alloc)
{
	if (takes_samples(thread))
		sampler_drop(alloc->usable, thread->rate);
}

/* stack_other where there is no unwinding: in the guard, during a fork. */
static struct stack *
freeing_stack(struct prof_thread *thread)
{
	struct stack *stack = &stack_other;
	struct room room;
	struct stack_frames frames;
	uint32_t epoch;

	if (thread != NULL && thread->guard == 0) {
		host->guard_enter();
		if (current_frames(thread, &room, &frames, &epoch))
			stack = stack_get_hashed(&frames, epoch);
		host->guard_leave();
	}
	return stack;
}

static __attribute__((noinline, cold)) void
end_and_tell(struct prof_thread *thread, const void *ptr, void *record)
{
	int saved_errno = errno;
	struct stack *stack = freeing_stack(thread);
	uint64_t now = os_now_ns();
	struct live_end end;

	if (live_remove(ptr, record, now, &end)) {
		struct history_death death = {
			.ptr = ptr,
			.stack = end.stack,
			.free_stack = stack,
			.usable = end.usable,
			.birth_ns = end.birth_ns,
			.death_ns = now,
			.thread = end.thread,
			.free_thread = thread == NULL ? 0 :
			    (uint32_t)thread->uid,
		};

		history_end(thread, &death);
		stack_put(end.stack);
	}
	stack_put(stack);
	errno = saved_errno;
}

void
prof_sample_end(struct prof_thread *thread, const void *ptr, void *record)
{
	probe_free(ptr);
	live_expect(ptr);
	if (unlikely(history_on()))
		end_and_tell(thread, ptr, record);
	else
		live_remove(ptr, record, os_now_ns(), NULL);
}

bool
prof_sample_freed(const void *ptr, struct prof_freed *out)
{
	return freed_stacks(ptr, out);
}

size_t
prof_sample_stack(const void *ptr, uintptr_t *frames, size_t max)
{
	return live_stack(ptr, frames, max);
}

/* --- dumps ---------------------------------------------------------------- */

void
prof_event(struct prof_thread *thread, uint64_t bytes_allocated)
{
	if (is_started())
		trigger_event(bytes_allocated);
}

void
prof_gdump_event(void)
{
	if (is_started())
		trigger_gdump();
}

int
prof_dump(const char *filename, enum prof_trigger trigger)
{
	bool guarded;
	int error;

	if (!is_started())
		return ENOENT;
	guarded = guard();
	error = dump_now(filename, trigger, NULL);
	unguard(guarded);
	return error;
}

void
prof_generation_begun(void)
{
	if (is_started() && cut_fold_due())
		trigger_fold();
}

/* --- switches and figures ------------------------------------------------- */

bool
prof_enabled(void)
{
	return __atomic_load_n(&enabled, __ATOMIC_RELAXED);
}

bool
prof_active_get(void)
{
	return sampler_active();
}

int
prof_active_set(bool active)
{
	int error = 0;

	if (active && !is_started())
		error = prof_start();
	if (error != 0)
		return error;
	sampler_active_set(active);
	if (is_started())
		trigger_changed();
	return 0;
}

bool
prof_thread_active_init_get(void)
{
	return sampler_thread_active_init();
}

void
prof_thread_active_init_set(bool active)
{
	sampler_thread_active_init_set(active);
}

bool
prof_gdump_get(void)
{
	return trigger_gdump_get();
}

void
prof_gdump_set(bool on)
{
	trigger_gdump_set(on);
}

unsigned
prof_lg_sample_get(void)
{
	return sampler_lg_rate();
}

int
prof_reset(unsigned lg_sample)
{
	if (lg_sample >= 64)
		return EINVAL;
	sampler_lg_rate_set(lg_sample);
	cut_reset();
	if (is_started())
		trigger_changed();
	return 0;
}

int
prof_prefix_set(const char *prefix)
{
	int error = dump_prefix_set(prefix);

	if (error == 0 && is_started())
		trigger_changed();
	return error;
}

void
prof_prefix_get(char *out, size_t size)
{
	dump_prefix_get(out, size);
}

int
prof_class_get(unsigned sizeclass, bool accum, struct prof_class *out)
{
	return classes_get(sizeclass, accum, out);
}

int64_t
prof_recent_max_get(void)
{
	return recent_max_get();
}

int
prof_recent_max_set(int64_t max)
{
	if (max < -1)
		return EINVAL;
	recent_max_set(max);
	return 0;
}

int
prof_recent_dump(prof_write *write, void *opaque)
{
	return recent_dump(sampler_rate(), write, opaque);
}

int
prof_log_start(const char *filename)
{
	return samplelog_start(filename);
}

int
prof_log_stop(void)
{
	bool guarded = guard();
	int error = samplelog_stop();

	unguard(guarded);
	return error;
}

uint64_t
prof_interval_get(void)
{
	return trigger_interval_get();
}

uint64_t
prof_dropped_samples(void)
{
	return sampler_dropped_samples();
}

uint64_t
prof_dropped_bytes(void)
{
	return sampler_dropped_bytes();
}

uint64_t
prof_memory(void)
{
	return profmem_used();
}

uint64_t
prof_samples_live(void)
{
	return live_count();
}

uint64_t
prof_dumps_done(void)
{
	return dump_done();
}

uint64_t
prof_dump_errors(void)
{
	return dump_errors();
}

/* --- fork ----------------------------------------------------------------- */

void
prof_fork_prepare(void)
{
	if (host == NULL)
		return;
	trigger_fork_prepare();
	gate_fork_prepare(host->thread_self());
	modules_fork_prepare();
	cut_fork_prepare();
	history_fork_prepare();
	live_fork_prepare();
	group_fork_prepare();
	stack_fork_prepare();
	profmem_fork_prepare();
}

void
prof_fork_parent(void)
{
	if (host == NULL)
		return;
	profmem_fork_parent();
	stack_fork_parent();
	group_fork_parent();
	live_fork_parent();
	history_fork_parent();
	cut_fork_parent();
	modules_fork_parent();
	gate_fork_parent();
	trigger_fork_parent();
}

void
prof_fork_child(void)
{
	struct prof_thread *self;

	if (host == NULL)
		return;
	self = host->thread_self();
	profmem_fork_child();
	stack_fork_child();
	group_fork_child();
	live_fork_child();
	history_fork_child();
	cut_fork_child();
	modules_fork_child();
	loader_fork_child(self);
	gate_fork_child(self);
	sampler_fork_child(self);
	cut_fork_child_end();
	history_fork_child_end();
	trigger_fork_child();
}
