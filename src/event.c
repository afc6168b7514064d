/*
 * event.c - what happens every so many allocated bytes; see event.h.
 */
#include "event.h"

#include <errno.h>
#include <string.h>

#include "background.h"
#include "options.h"
#include "stats.h"

/* Raised by event_redraw_all; a thread compares its own copy. */
static _Atomic uint32_t redraw_epoch;
/* Bytes that all threads allocated towards the next statistics. */
static _Atomic int64_t stats_bytes;
/* The most that was ever seen mapped, bytes; for prof_gdump. */
static _Atomic size_t mapped_high;

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

static uint64_t
next_event(const struct thread *thread, uint64_t now)
{
	if (thread->exact)
		return now + 1;
	return thread->gc_at < thread->sample_at ? thread->gc_at :
	    thread->sample_at;
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
	thread->event_last = 0;
	thread->gc_at = gc_interval();
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
 * know the address.
 */
static void
take_sample(struct thread *thread, const struct event_alloc *block,
    uint64_t now)
{
	uint64_t entry = pagemap_get(block->ptr);
	struct prof_alloc sample = {
		.ptr = block->ptr,
		.usable = sc_size(block->sizeclass),
		.requested = block->requested,
		.sizeclass = block->sizeclass,
		.arena = extent_arena(pagemap_extent(entry)),
		.thread_clock = now,
	};
	void *record = prof_sample_begin(&thread->prof, &sample);

	if (record == NULL)
		return;
	if (arena_sample_set(block->ptr, record) != 0)
		prof_sample_end(&thread->prof, block->ptr, record);
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

static void
interval_due(struct thread *thread, uint64_t bytes)
{
	int64_t sum;

	if (CONFIG_PROF && prof_enabled()) {
		prof_event(&thread->prof, bytes);
		if (unlikely(prof_gdump_get()))
			gdump_due();
	}
	if (opt.stats_interval <= 0)
		return;
	sum = atomic_fetch_add_explicit(&stats_bytes, (int64_t)bytes,
	    memory_order_relaxed) + (int64_t)bytes;
	if (sum < opt.stats_interval)
		return;
	atomic_fetch_sub_explicit(&stats_bytes, opt.stats_interval,
	    memory_order_relaxed);
	stats_interval_event();
}

/* Everything but sampling: at the same allocations whether sampling is on
 * or not. */
static void
gc_due(struct thread *thread, uint64_t now)
{
	thread->gc_at = later(now, gc_interval());
	if (thread->tcache_enabled)
		tcache_gc(&thread->own_cache);
	thread_batch_flush(thread);
	if (!background_enabled())
		arena_decay_tick(thread->arena);
	interval_due(thread, now - thread->event_last);
	thread->event_last = now;
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
	if (now >= thread->gc_at)
		gc_due(thread, now);
	set_target(thread, now);
	errno = saved_errno;
}
