/*
 * prof.h - the profiler's one face: what layer 4 may call of prof/, and what
 * the profiler may ask of its host.
 *
 *   malloc slow path --prof_sample_begin--> unwind, intern, live record
 *   free slow path ----prof_sample_end----> lifetime, group totals
 *   exit, mallctl, signal, interval ------> a dump (a cut, never a stop)
 *
 * The profiler knows addresses, size-class numbers and arena numbers as plain
 * figures; it never includes an allocator header (layer 3a), and the allocator
 * knows of a sample one bit. Layer 4 (src/malloc.c, src/thread.c) joins them.
 *
 * Locks: callers hold no allocator lock and no profiler lock, ever.
 * Memory: everything the profiler keeps comes from src/base.h or from its own
 *   mappings, never from malloc, and is bounded by prof_options.max_memory.
 * Signals/fork: only the handler installed by trigger.c runs in signal
 *   context; it calls nothing in this header. prof_fork_* walk the locks.
 */
#ifndef STRATA_PROF_H
#define STRATA_PROF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROF_PREFIX_MAX = 1024 };	/* bytes, with the final NUL */

/* 292 years: in nanoseconds, added to the clock, it is below 2^64. */
#define PROF_INTERVAL_MS_MAX	(INT64_MAX / 1000000)

enum prof_format { PROF_FORMAT_PPROF = 1, PROF_FORMAT_HEAP_V2 = 2,
    PROF_FORMAT_BOTH = 3 };
/* The default: our own reader of .eh_frame; see prof/unwind.c. */
enum prof_unwind {
	PROF_UNWIND_LIBUNWIND,	/* our rules first, libunwind for the rest */
	PROF_UNWIND_DWARF,	/* our rules only */
	PROF_UNWIND_FP,		/* frame pointers */
	PROF_UNWIND_UNW_STEP,	/* libunwind for every frame */
};

/* What started a dump; the letter stands in the file's name. */
enum prof_trigger {
	PROF_TRIGGER_FINAL = 'f', PROF_TRIGGER_BYTES = 'i',
	PROF_TRIGGER_TIME = 't', PROF_TRIGGER_MALLCTL = 'm',
	PROF_TRIGGER_GDUMP = 'u', PROF_TRIGGER_SIGNAL = 's',
};

/* What the times of logs are: the monotonic clock's, or the wall clock's. */
enum prof_time { PROF_TIME_DEFAULT, PROF_TIME_HIGH };

/* The prof_* options of MALLOC_CONF, parsed by src/conf.c. */
struct prof_options {
	bool prof;			/* master switch */
	bool active;			/* sampling at start */
	bool thread_active_init;
	bool accum;			/* heap_v2 tells of freed blocks */
	bool unbias;			/* heap_v2 has estimates, not counts */
	bool gdump;
	bool final;
	bool leak;
	bool leak_error;
	bool stats;			/* sums by size class */
	bool free_stacks;		/* keep where blocks were freed */
	bool log;			/* of freed samples, from the start */
	bool sys_thread_name;		/* names are the system's */
	enum prof_time time_resolution;
	int64_t recent_alloc_max;	/* samples kept; -1 = no bound */
	bool pid_namespace;		/* put it into file names */
	unsigned lg_sample;		/* 0..63; R = 2^lg_sample bytes */
	unsigned bt_max;		/* frames, 1..1024 */
	int lg_interval;		/* -1 = none; dump every 2^n bytes */
	uint64_t interval_ms;		/* 0 = none; to PROF_INTERVAL_MS_MAX */
	int signal;			/* number, 0 = none, -1 = the default */
	unsigned dump_max;		/* files kept, 0 = all */
	size_t max_memory;		/* bytes; SIZE_MAX = the default rule */
	uint64_t seed;			/* 0 = random; else for tests */
	enum prof_format format;
	enum prof_unwind unwind;
	char prefix[PROF_PREFIX_MAX];	/* "" = no automatic dumps */
};

/* Exact figures of the allocator, read when a cut is taken; all in bytes. */
struct prof_totals {
	uint64_t live;			/* over threads: alloc - dealloc */
	uint64_t allocated;		/* jemalloc's: caches included */
	uint64_t active, resident, mapped, retained, metadata;
	uint64_t tcache_bytes, dirty, muzzy;
	uint64_t tcache_pinned;		/* sum over cached regions of f/n */
	uint64_t thread_allocated;	/* ever allocated, all threads */
	uint64_t thread_deallocated;
};

/* Where a pool's current generation is. */
struct prof_pool {
	uint32_t arena;			/* its index */
	uint32_t generation;
};

/*
 * Pools whose current generation a profile names, 1 KiB of them. Of more the
 * profile says less: what others hold is then as old as its number.
 */
enum { PROF_POOLS_MAX = 128 };

/* The slab that holds a small region, read without locks. */
struct prof_slab {
	uint32_t nregs_used;		/* cached ones included, >= 1 */
	uint32_t nregs;
	uint64_t free_bytes;		/* slab size - used regions */
};

struct prof_thread;

/*
 * What the profiler may ask of layer 4. All are thread-safe. None allocates
 * from the application's arenas.
 */
struct prof_host {
	/* No lock held. From any thread and from the worker task. */
	void (*totals)(struct prof_totals *out);
	/*
	 * At most max of those that there are; how many. No lock held. NULL:
	 * there are none.
	 */
	size_t (*pools)(struct prof_pool *out, size_t max);
	/* The record's shard lock is held: ptr is allocated. False: large. */
	bool (*slab)(const void *ptr, struct prof_slab *out);
	/* Bytes of a size class (index as in struct prof_alloc). */
	size_t (*class_size)(unsigned sizeclass);
	/*
	 * Between the two calls every allocation of this thread comes from
	 * the internal arena and is never sampled. They nest. guard_enter
	 * returns this thread's part, or NULL before and after its life.
	 */
	struct prof_thread *(*guard_enter)(void);
	void (*guard_leave)(void);
	/* This thread's part without a guard, or NULL. Async-signal-safe. */
	struct prof_thread *(*thread_self)(void);
	/* Asks every thread to redraw its countdown at its next event. */
	void (*redraw)(void);
	/*
	 * Writes the statistics as JSON to fd: no malloc, no lock across
	 * I/O; from any thread and from the worker task. NULL: not offered.
	 */
	int (*stats)(int fd);
	/*
	 * Begins the process's next generation; the new number. From the
	 * worker task, no lock held. NULL: the counter is all there is.
	 */
	uint32_t (*advance)(void);
	const char *version;
};

/* The profiler's part of a thread; embedded in struct thread. */
struct prof_thread {
	/* owner thread: */
	uint64_t prng;			/* state; seeded per thread */
	uint64_t rate;			/* R the countdown was drawn for */
	uint64_t uid;			/* 1, 2, ... in order of creation */
	uint64_t sampled;		/* allocations recorded */
	bool active;			/* thread.prof.active */
	/* written by layer 4's guard, read by dl_iterate_phdr: */
	unsigned guard;			/* nesting depth; 0 = outside */
	unsigned unwinding;		/* times inside gate.c's gate */
	unsigned closing;		/* times inside loader.c's dlclose */
	char name[32];			/* thread.prof.name */
	uintptr_t *frames;		/* prof.c: room for many, or NULL */
	struct shadow *shadow;		/* shadow.h, or NULL */
	uintptr_t stack_low;		/* unwind.c: readable stack */
	uintptr_t stack_high;
};

/* One allocation that the countdown hit, already made, not yet returned. */
struct prof_alloc {
	void *ptr;
	size_t usable;			/* bytes: the size class's size */
	size_t requested;		/* bytes asked for */
	unsigned sizeclass;
	unsigned arena;
	unsigned generation;		/* of the arena; 0 = the process's */
	uint64_t thread_clock;		/* the thread's allocated bytes */
};

/*
 * Life cycle. prof_boot copies the options (no unwinder, no thread, no file,
 * may run inside the first malloc of ld.so). prof_start is called once,
 * outside every lock and outside initialisation (the library's constructor,
 * or the first enabling mallctl): opens and primes the unwinder, publishes
 * the ctl mapping, installs the signal handler. Until it has run nothing is
 * sampled.
 */
int prof_boot(const struct prof_options *options, const struct prof_host *);
int prof_start(void);
/* At exit: final dump, leak summary. True: the process must _exit(1). */
bool prof_exit(void);

/* Threads. */
void prof_thread_init(struct prof_thread *thread);
void prof_thread_exit(struct prof_thread *thread);
/* For tests: a fixed stream of gaps; the caller then asks for a new gap. */
void prof_thread_seed(struct prof_thread *thread, uint64_t seed);

/*
 * Bytes to the next sampled byte (>= 1), drawn for the current R; UINT64_MAX
 * when this thread does not sample. Layer 4 folds it into the countdown:
 * an allocation of u usable bytes is sampled iff the gap is <= u; after a
 * sample the next gap starts behind the object.
 */
uint64_t prof_thread_gap(struct prof_thread *thread);

/*
 * Records a sample: unwinds, interns the stack, enters the live record.
 * Returns the record, for the extent of a large block, or NULL if the sample
 * was dropped (counted). Never fails the allocation. errno is kept.
 * Layer 4 sets the slab's and the pagemap's bit only after a non-NULL result.
 */
void *prof_sample_begin(struct prof_thread *thread,
    const struct prof_alloc *alloc);

/* Counts a sample as dropped that layer 4 has no memory to mark. */
void prof_sample_drop(struct prof_thread *thread,
    const struct prof_alloc *alloc);

/*
 * Ends the sample at ptr: record is what begin returned if the caller kept
 * it, else NULL (looked up by address). Called while the region is still
 * allocated, before its bits are cleared. errno is kept.
 * thread may be NULL (arena reset, thread teardown).
 */
void prof_sample_end(struct prof_thread *thread, const void *ptr,
    void *record);

/* For misuse reports: where ptr was allocated (return addresses). */
size_t prof_sample_stack(const void *ptr, uintptr_t *frames, size_t max);

/* Where the last sampled block at ptr was allocated and freed. */
enum { PROF_FREED_FRAMES = 16 };	/* of each stack; one line */
struct prof_freed {
	uintptr_t allocated[PROF_FREED_FRAMES], freed[PROF_FREED_FRAMES];
	size_t nallocated, nfreed;
};
/* False if that is not known, as without prof_free_stacks. */
bool prof_sample_freed(const void *ptr, struct prof_freed *out);

/* Periodic work at a thread's event: interval bytes, gdump. No locks held. */
void prof_event(struct prof_thread *thread, uint64_t bytes_allocated);
void prof_gdump_event(void);		/* mapped reached a new high */

/* Dumps now, in this thread. filename NULL: the automatic name. 0 or errno. */
int prof_dump(const char *filename, enum prof_trigger trigger);

/*
 * A generation has begun: the worker folds what is kept of old ones if that
 * has become much. No locks held; returns at once.
 */
void prof_generation_begun(void);

/* Switches and figures behind mallctl prof.*, thread.prof.*; thread-safe. */
bool prof_enabled(void);		/* the master switch (opt.prof) */
bool prof_active_get(void);
int prof_active_set(bool active);	/* may run prof_start */
bool prof_thread_active_init_get(void);
void prof_thread_active_init_set(bool active);
bool prof_gdump_get(void);
void prof_gdump_set(bool on);
unsigned prof_lg_sample_get(void);
int prof_reset(unsigned lg_sample);	/* drops totals, sets R; 0 or errno */
int prof_prefix_set(const char *prefix);
void prof_prefix_get(char *out, size_t size);
/* Raw sums over the samples of a size class; as jemalloc passes them out. */
struct prof_class {
	uint64_t req_sum;		/* bytes asked for */
	uint64_t count;
};
/* Of those in use, or of all ever; 0, or ENOENT without prof_stats. */
int prof_class_get(unsigned sizeclass, bool accum, struct prof_class *out);
uint64_t prof_interval_get(void);	/* bytes; 0 = none */
/* 0; EFAULT; ENOENT if names are the system's. */
int prof_thread_name_set(struct prof_thread *thread, const char *name);
const char *prof_thread_name_get(struct prof_thread *thread);
int64_t prof_recent_max_get(void);
int prof_recent_max_set(int64_t max);	/* 0, or EINVAL below -1 */
/* Text comes in pieces that end with NUL; no lock is held. 0 or errno. */
typedef void prof_write(void *opaque, const char *text);
int prof_recent_dump(prof_write *write, void *opaque);
int prof_log_start(const char *filename);	/* NULL: automatic; or errno */
int prof_log_stop(void);			/* 0 or errno */
uint64_t prof_dropped_samples(void);
uint64_t prof_dropped_bytes(void);	/* weighted */
uint64_t prof_memory(void);		/* bytes the profiler keeps */
uint64_t prof_samples_live(void);
uint64_t prof_dumps_done(void);
uint64_t prof_dump_errors(void);

/* Counters of the profiler's locks, summed up in groups; see locks.c. */
enum prof_mutex {
	PROF_MUTEX_PROF, PROF_MUTEX_THDS_DATA, PROF_MUTEX_DUMP,
	PROF_MUTEX_RECENT_ALLOC, PROF_NMUTEXES
};
struct lock_stats;
void prof_mutex_read(enum prof_mutex mutex, struct lock_stats *out);
void prof_mutexes_reset(void);

/*
 * Fork. prepare waits until no unwinding runs and takes the locks in rank
 * order; it waits for no I/O. Called with no allocator lock held and before
 * the allocator's own handlers.
 */
void prof_fork_prepare(void);
void prof_fork_parent(void);
void prof_fork_child(void);

#endif
