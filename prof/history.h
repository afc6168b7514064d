/*
 * history.h - what becomes of single samples: the newest ones (recent.h), a
 * log of those that ended (samplelog.h), where the last one at an address was
 * freed (freed.h).
 *
 *   birth --> recent_begin, freed_begin
 *   death --> recent_end, samplelog_end, freed_end
 *
 * Each part is off at first and then costs a test of history_flags a sample.
 * With any of them on, the stack of the free is taken too, by the rules for
 * that of the allocation. What they remember is the first memory that the
 * profiler does without (PROFMEM_HISTORY).
 */
#ifndef STRATA_HISTORY_H
#define STRATA_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "live.h"
#include "prof.h"
#include "sink.h"
#include "stack.h"
#include "lock.h"

enum { HISTORY_RECENT = 1, HISTORY_LOG = 2, HISTORY_FREED = 4 };

extern uint32_t history_flags;		/* atomic */

static inline bool
history_on(void)
{
	/* relaxed: a switch takes effect when it is seen */
	return __atomic_load_n(&history_flags, __ATOMIC_RELAXED) != 0;
}

void history_flag(uint32_t flag, bool on);

/* A sample that begins; stack is the caller's. */
struct history_birth {
	const void *ptr;
	struct stack *stack;
	uint64_t requested, usable;	/* bytes */
	uint64_t birth_ns;		/* monotonic clock */
	uint32_t thread;		/* uid */
};

/* One that ends; the stacks are the caller's. */
struct history_death {
	const void *ptr;
	struct stack *stack;		/* of the allocation */
	struct stack *free_stack;	/* depth 0: not known */
	uint64_t usable;		/* bytes */
	uint64_t birth_ns, death_ns;
	uint32_t thread;		/* uid */
	uint32_t free_thread;		/* uid; 0: one that has ended */
};

void history_begin(struct prof_thread *thread,
    const struct history_birth *birth);
void history_end(struct prof_thread *thread,
    const struct history_death *death);

/* --- threads: the names of those that took part --------------------------- */

/* With prof_sys_thread_name the system's name goes to thread->name. */
void history_thread_name(struct prof_thread *thread);
bool history_system_names(void);
/* Notes the name that the thread has now. thread may be NULL. */
void history_name_note(struct prof_thread *thread);
/* The name that was noted last, or "". */
enum { HISTORY_NAME_MAX = 32 };
void history_name_of(uint32_t uid, char out[HISTORY_NAME_MAX]);

/* --- for those that write ------------------------------------------------- */

/*
 * What one writing adds to its times, which are the monotonic clock's: 0, or
 * with prof_time_resolution:high what makes them the wall clock's.
 */
uint64_t history_clock_offset(void);
bool history_high_resolution(void);

/* JSON: a quoted string; an array of return addresses, innermost first. */
void history_put_string(struct sink *sink, const char *string);
void history_put_trace(struct sink *sink, const struct stack *stack);

void history_boot(const struct prof_options *options,
    const struct prof_host *host);
int history_exit(void);
void history_each_lock(lock_visit *visit, void *arg);
void history_fork_prepare(void);
void history_fork_parent(void);
void history_fork_child(void);
/* After all locks of prof/ are free again. */
void history_fork_child_end(void);

#endif
