/*
 * event.c - what happens every so many allocated bytes; see event.h.
 */
#include "event.h"

#include <errno.h>
#include <string.h>

#include "background.h"
#include "options.h"
#include "os.h"
#include "stats.h"
#include "tcache_rest.h"

/* Raised by event_redraw_all; a thread compares its own copy. */
static _Atomic uint32_t redraw_epoch;
/* Bytes that all threads allocated towards the next statistics. */
static _Atomic uint64_t stats_bytes;
/* The most that was ever seen mapped, bytes; for prof_gdump. */
static _Atomic size_t mapped_high;

enum {
	/*
	 * Bytes are no measure of time. As long as a thread is fast, decay is
	 * looked at each 256 calls: one clock read, half an instruction a call.
	 * When it turns slow that is still half a second at a thousand calls a
	 * second, 5 % of the default decay; from then on it is DECAY_PACE.
	 */
	DECAY_CALLS = 256,
	CALLS_SHIFT = 30,
	DECAY_PACE_NS = 10 * 1000 * 1000,
	DECAY_NEAR = 1 << 10,		/* bytes; after a slow path */
	DECAY_LEAST = 64,		/* bytes; the slowest threads */
	DECAY_MOST = 16 << 20,		/* bytes; 256 blocks of 64 KiB */
	DECAY_ARENAS = 8,		/* others' that one event looks at */
	DECAY_FAST_NS = 1000 * 1000,	/* a look sooner would see nothing */
	/*
	 * The rounds of a cache's gc go by bytes, which for large blocks are
	 * few calls: 32 of 32 KiB. So they are at least GC_CALLS apart, while
	 * that is not GC_STRETCH as many bytes.
	 */
	GC_CALLS = 256,
	GC_STRETCH = 8,
	PEAK_BYTES = 64 << 10,		/* jemalloc's, too */
	TICK_SKIP = 7,			/* slow calls between clock reads */
};

/* So far that no sum with it wraps, and still "never". */
#define NEVER	((uint64_t)INT64_MAX)

static uint64_t
later(uint64_t now, uint64_t bytes)
{
	return bytes >= NEVER - now ? NEVER : now + bytes;
}

static uint64_t
gc_interval(void)
{
	return opt.tcache_gc_incr_bytes > 0 ? opt.tcache_gc_incr_bytes :
	    64 << 10;
}

/*
 * From one round to the next, for a thread at whose round a block of size was
 * made: the larger a block, the likelier it is that the round falls on it. The
 * clock has no part in it: where blocks lie would depend on it.
 */
static uint64_t
gc_distance(size_t size)
{
	uint64_t interval = gc_interval();
	uint64_t most = interval < NEVER / GC_STRETCH ?
	    interval * GC_STRETCH : interval;

	if (size >= most / GC_CALLS)
		return most;
	return size * GC_CALLS > interval ? size * GC_CALLS : interval;
}

/*
 * A thread counts its bytes so often for stats_interval. As jemalloc: 64
 * threads together are at most one interval late, a thread alone 4 MiB.
 */
static uint64_t
stats_distance(void)
{
	uint64_t interval = (uint64_t)opt.stats_interval;

	if (opt.stats_interval <= 0)
		return NEVER;
	return interval < 64 ? 1 : min_u64(interval / 64, 4 << 20);
}

static uint64_t
next_event(const struct thread *thread, uint64_t now)
{
	if (thread->exact)
		return now + 1;
	return min_u64(min_u64(min_u64(thread->gc_at, thread->decay_at),
	    min_u64(thread->sample_at, thread->peak_at)),
	    min_u64(thread->stats_at, thread->prof_at));
}

/*
 * target and countdown change together: readers (thread_totals) go by
 * event_seq, odd meanwhile.
 */
static void
set_target(struct thread *thread, uint64_t now)
{
	uint64_t target = next_event(thread, now);
	uint32_t seq = atomic_load_explicit(&thread->event_seq,
	    memory_order_relaxed);

	atomic_store_explicit(&thread->event_seq, seq + 1,
	    memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&thread->target, target, memory_order_relaxed);
	atomic_store_explicit(&thread->countdown,
	    (int64_t)(target - now) - 1, memory_order_relaxed);
	atomic_store_explicit(&thread->event_seq, seq + 2,
	    memory_order_release);
	thread->allocated_copy = now;
}

static void
draw_gap(struct thread *thread, uint64_t now)
{
	thread->redraw_seen = atomic_load_explicit(&redraw_epoch,
	    memory_order_relaxed);
	thread->sample_at = CONFIG_PROF ?
	    later(now, prof_thread_gap(&thread->prof)) : NEVER;
}

void
event_thread_init(struct thread *thread)
{
	thread->prof_last = 0;
	thread->prof_at = NEVER;
	thread->gc_at = gc_interval();
	thread->peak_at = NEVER;
	thread->stats_last = 0;
	thread->stats_at = stats_distance();
	thread->peak = thread->peak_base = 0;
	thread->decay_last = 0;
	thread->decay_ns = 0;
	thread->decay_distance = DECAY_NEAR;
	thread->calls_a_byte = 0;
	thread->decay_at = DECAY_NEAR;
	thread->ticks_left = 0;
	draw_gap(thread, 0);
	set_target(thread, 0);
}

void
event_redraw(struct thread *thread)
{
	uint64_t now = thread_allocated(thread);

	draw_gap(thread, now);
	set_target(thread, now);
}

void
event_redraw_all(void)
{
	atomic_fetch_add_explicit(&redraw_epoch, 1, memory_order_relaxed);
}

/*
 * The bits are set only once the record exists, and before anybody else can
 * know the address. Memory for them comes first: a record, once begun, is told
 * of to history and readers, and could not be taken back.
 */
static void
take_sample(struct thread *thread, const struct event_alloc *block,
    uint64_t now)
{
	uint64_t entry = pagemap_get(block->ptr);
	struct arena *arena = arena_of(entry);
	struct prof_alloc sample = {
		.ptr = block->ptr,
		.usable = sc_size(block->sizeclass),
		.requested = block->requested,
		.sizeclass = block->sizeclass,
		.arena = arena->index,
		.generation = atomic_load_explicit(&arena->generation,
		    memory_order_relaxed),
		.thread_clock = now,
	};
	void *record;

	if (arena_sample_reserve(block->ptr) != 0) {
		prof_sample_drop(&thread->prof, &sample);
		return;
	}
	record = prof_sample_begin(&thread->prof, &sample);
	if (record != NULL)
		arena_sample_set(block->ptr, record);
}

/* prof_gdump: a dump is asked for when more is mapped than ever before. */
static void
gdump_due(void)
{
	struct arena_totals totals;
	size_t high = atomic_load_explicit(&mapped_high,
	    memory_order_relaxed);

	arena_totals(&totals);
	while (totals.mapped > high)
		if (atomic_compare_exchange_weak_explicit(&mapped_high, &high,
		    totals.mapped, memory_order_relaxed,
		    memory_order_relaxed)) {
			prof_gdump_event();
			break;
		}
}

/* Intervals are bytes, however far apart the rounds of gc are. */
static void
prof_due(struct thread *thread, uint64_t now)
{
	uint64_t bytes = now - thread->prof_last;

	thread->prof_last = now;
	thread->prof_at = NEVER;
	if (!CONFIG_PROF || !prof_enabled())
		return;
	thread->prof_at = later(now, gc_interval());
	prof_event(&thread->prof, bytes);
	if (unlikely(prof_gdump_get()))
		gdump_due();
}

/* Whether bytes complete an interval; of several at once one is told. */
static bool
stats_count(uint64_t bytes)
{
	uint64_t interval = (uint64_t)opt.stats_interval, sum;
	uint64_t before = atomic_load_explicit(&stats_bytes,
	    memory_order_relaxed);

	do {
		sum = before + bytes;
	} while (!atomic_compare_exchange_weak_explicit(&stats_bytes, &before,
	    sum % interval, memory_order_relaxed, memory_order_relaxed));
	return sum >= interval;
}

/* Last of all: what is written may allocate, and so be an event itself. */
static void
stats_due(struct thread *thread, uint64_t now)
{
	uint64_t bytes = now - thread->stats_last;

	thread->stats_last = now;
	thread->stats_at = later(now, stats_distance());
	set_target(thread, now);
	if (stats_count(bytes))
		stats_interval_event();
}

/* --- decay ---------------------------------------------------------------- */

/*
 * The thread's own arena, and a few others in turn: the threads of those may
 * be asleep or gone.
 */
static void
decay_arenas(struct thread *thread, uint64_t ns)
{
	unsigned n = arenas_count();

	arena_decay_tick(thread->arena, ns);
	for (unsigned i = 0; i < n && i < DECAY_ARENAS; i++) {
		struct arena *arena = arena_get(thread->decay_cursor, false);

		if (arena != NULL && arena != thread->arena)
			arena_decay_tick(arena, ns);
		if (++thread->decay_cursor >= n)
			thread->decay_cursor = 0;
	}
}

static void
decay_look(struct thread *thread, uint64_t now, uint64_t ns)
{
	thread->decay_last = now;
	thread->decay_ns = ns;
	decay_arenas(thread, ns);
}

/*
 * Bytes of so many calls. An event falls on a block of size u with a
 * probability that grows with u; so the mean of 1/u over events is calls by
 * bytes over all allocations, and needs no counter of calls.
 */
static uint64_t
decay_calls(struct thread *thread, size_t size)
{
	uint32_t now = (uint32_t)(((uint64_t)1 << CALLS_SHIFT) / size);

	thread->calls_a_byte = thread->calls_a_byte / 4 * 3 + now / 4 + 1;
	return ((uint64_t)DECAY_CALLS << CALLS_SHIFT) / thread->calls_a_byte;
}

/*
 * Sets the distance to the next look, see DECAY_CALLS; size is that of the
 * block at hand. It grows by steps: calls come in bursts, and a fast one
 * after a pause does not make a fast thread.
 */
static void
decay_pace(struct thread *thread, uint64_t now, uint64_t ns, size_t size)
{
	uint64_t most = min_u64(decay_calls(thread, size), DECAY_MOST);
	uint64_t paces = (ns - thread->decay_ns) / DECAY_PACE_NS;
	uint64_t bytes = min_u64(4 * thread->decay_distance, most);

	if (paces > 0)
		bytes = min_u64(bytes, (now - thread->decay_last) / paces);
	if (bytes < DECAY_LEAST)
		bytes = DECAY_LEAST;
	thread->decay_distance = bytes;
	thread->decay_at = later(now, bytes);
}

static void
decay_due_event(struct thread *thread, uint64_t now, size_t size)
{
	uint64_t ns;

	if (background_enabled()) {
		thread->decay_at = later(now, gc_interval());
		return;
	}
	ns = os_now_coarse_ns();
	decay_pace(thread, now, ns, size);
	if (ns - thread->decay_ns >= DECAY_FAST_NS)
		decay_look(thread, now, ns);
}

void
event_tick(struct thread *thread, enum event_slow what)
{
	uint64_t now, ns;

	if (thread->ticks_left > 0 && what != EVENT_PAGES) {
		thread->ticks_left--;
		return;
	}
	if (background_enabled())
		return;
	ns = os_now_coarse_ns();
	now = thread_allocated(thread);
	if (ns - thread->decay_ns < DECAY_FAST_NS) {
		thread->ticks_left = TICK_SKIP;
	} else {
		thread->ticks_left = 0;
		decay_look(thread, now, ns);
	}
	/* What was freed may be the end of a spike: stay awake. */
	if (what == EVENT_FILL || thread->decay_at <= now + DECAY_NEAR)
		return;
	thread->decay_distance = DECAY_NEAR;
	thread->decay_at = now + DECAY_NEAR;
	set_target(thread, now);
}

/* --- peaks ---------------------------------------------------------------- */

static int64_t
held(const struct thread *thread, uint64_t now)
{
	return (int64_t)(now - atomic_load_explicit(&thread->deallocated,
	    memory_order_relaxed));
}

static void
peak_note(struct thread *thread, uint64_t now)
{
	int64_t bytes = held(thread, now);

	if (bytes > thread->peak)
		thread->peak = bytes;
	if (now >= thread->peak_at)
		thread->peak_at = later(now, PEAK_BYTES);
}

/* From now on the thread has events for it. */
static void
peak_wanted(struct thread *thread, uint64_t now)
{
	if (thread->peak_at != NEVER)
		return;
	thread->peak_at = later(now, PEAK_BYTES);
	set_target(thread, now);
}

uint64_t
event_peak_get(struct thread *thread)
{
	uint64_t now = thread_allocated(thread);

	peak_note(thread, now);
	peak_wanted(thread, now);
	return thread->peak > thread->peak_base ?
	    (uint64_t)(thread->peak - thread->peak_base) : 0;
}

void
event_peak_reset(struct thread *thread)
{
	uint64_t now = thread_allocated(thread);

	thread->peak = thread->peak_base = held(thread, now);
	peak_wanted(thread, now);
}

/* --- running -------------------------------------------------------------- */

/* Everything but sampling: at the same allocations whether sampling is on
 * or not. */
static void
gc_due(struct thread *thread, uint64_t now, size_t size)
{
	thread->gc_at = later(now, gc_distance(size));
	thread_follow(thread);
	if (thread->tcache_enabled) {
		tcache_gc(&thread->own_cache);
		if (unlikely(atomic_load_explicit(&tcache_rest_wanted,
		    memory_order_relaxed)))
			tcache_open(&thread->own_cache);
		pool_gc(thread);
	}
	batch_flush(&thread->batch);
	prof_due(thread, now);
}

void
event_run(struct thread *thread, const struct event_alloc *block)
{
	uint64_t now = thread_allocated(thread);
	int saved_errno = errno;

	if (now >= thread->sample_at) {
		if (block->ptr != NULL)
			take_sample(thread, block, now);
		draw_gap(thread, now);
	} else if (thread->redraw_seen != atomic_load_explicit(&redraw_epoch,
	    memory_order_relaxed)) {
		draw_gap(thread, now);
	}
	peak_note(thread, now);
	if (now >= thread->decay_at)
		decay_due_event(thread, now, sc_size(block->sizeclass));
	if (now >= thread->gc_at)
		gc_due(thread, now, sc_size(block->sizeclass));
	else if (now >= thread->prof_at)
		prof_due(thread, now);
	set_target(thread, now);
	if (now >= thread->stats_at)
		stats_due(thread, now);
	errno = saved_errno;
}
