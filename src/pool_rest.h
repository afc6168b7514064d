/*
 * pool_rest.h - what a reload leaves unused goes back when the program rests.
 *
 * Decay passes by the events of threads that allocate. Between two reloads a
 * server may have none for long, and what the end of a generation and the last
 * requests left unused would stay in RSS all that time. So each rotation is
 * followed by a thread, until the program rests for the first time: an arena
 * that has neither taken nor freed pages for opt.pool_rest_ms gives back what
 * it does not use. One that works never loses a page to it. Of slabs that rest
 * for as long, the pages go that hold only free regions.
 *
 * Of a retired arena the rest begins when it has been torn down: its pages
 * wait for it as well (pages_followed), so that who frees does not wait for
 * the system, and reloads that follow soon find pages that need no fault.
 *
 * While it is there the thread also faults pages in ahead of who builds the
 * next generation (pages_ahead.h).
 */
#ifndef STRATA_POOL_REST_H
#define STRATA_POOL_REST_H

#include <stdbool.h>
#include <stdint.h>

struct pages;

/*
 * After a rotation, without locks: makes the thread if there is none. Not by
 * the profiler's worker, which is no thread of libc's.
 */
void pool_rest_start(void);

/*
 * What a look does with an arena's pages, always by the same thread. Whether
 * another may find something: they are in use, or have what is to go once they
 * are not.
 */
bool pool_rest_look(struct pages *pages, uint64_t now);

/* In a fork child, which has no such thread till it rotates a pool itself. */
void pool_rest_fork_child(void);

#endif
