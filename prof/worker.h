/*
 * worker.h - the task that does the profiler's work: dumps, and what
 * `strata ctl` asks for.
 *
 *   worker_wake --> IDLE -> RUNNING, clone --> serve(), serve(), ... --> exit
 *                   RUNNING: counted; the task looks again before it ends
 *
 * At rest there is no task: the process stays single-threaded if it is, and
 * unshare works. Only with an interval the task stays and sleeps between.
 *
 * The task is made by a raw clone, on a stack and a thread-local block set
 * aside at the start. The C library does not know it: no errno of its own, no
 * malloc, no pthread calls, raw system calls and futex locks only. All signals
 * are blocked in it. It ends in a few instructions that use no stack, so the
 * next task may have the stack at once.
 *
 * Locks: none. Memory: one mapping, for the life of the process.
 * Signals/fork: worker_wake may be called in a signal handler. A fork child
 *   has no task; worker_fork_child makes the state say so. The task is killed
 *   by exit and exec like any thread. One that stays follows the program's
 *   setuid before it does anything (ids.h).
 */
#ifndef STRATA_WORKER_H
#define STRATA_WORKER_H

#include <stdbool.h>
#include <stdint.h>

struct worker_options {
	void (*serve)(void);	/* does all that is asked for; in the task */
	void (*tick)(void);	/* every interval; in the task */
	/* 0: no tick, the task does not stay; at most PROF_INTERVAL_MS_MAX */
	uint64_t interval_ms;
};

/* Sets memory aside; starts the task if it is to stay. 0 or an errno. */
int worker_start(const struct worker_options *options);

/*
 * Has serve called, at least once from its beginning. 0, or an errno if no
 * task could be made (then see worker_serve_here). Async-signal-safe.
 */
int worker_wake(void);

/* A task is at work, or sleeps for its interval. */
bool worker_running(void);

/*
 * Serve in this thread: where no task can be made (limits, another pid
 * namespace), or for what is not worth one. False if a task is at work, which
 * will then look again. Not in a signal handler.
 */
bool worker_serve_here(void);

/* False if the task is still in serve after timeout_ms. */
bool worker_wait(unsigned timeout_ms);

/* In the child, by its only thread. The task's memory is used again. */
void worker_fork_child(void);

#endif
