/*
 * ctlpub.h - publishes the page that `strata ctl` reads (ctlpage.h).
 *
 * One writer at a time: the worker (worker.h), or whoever holds its state.
 * Alone the two functions that say so are for any thread.
 *
 * Locks: none. Memory: one shared mapping of a memfd, or, where that cannot
 * be had, memory that nobody else sees.
 * Signals/fork: ctlpub_request and ctlpub_ours are for signal handlers too.
 *   The page is shared with a fork child until that has mapped its own, so a
 *   child writes nothing before ctlpub_fork_child.
 */
#ifndef STRATA_CTLPUB_H
#define STRATA_CTLPUB_H

#include <stdbool.h>
#include <stdint.h>

#include "ctlpage.h"

/* What is not the page's own business. */
struct ctlpub_state {
	int signal;
	uint32_t flags;
	uint32_t verbs;
	uint32_t current;
	uint64_t rate;
	uint64_t samples_live;
	uint64_t dropped_samples, dropped_bytes;
	uint64_t profiler_bytes;
	uint64_t dumps, dump_errors;
	uint64_t done;
	uint64_t start_ns;
	const char *version;
	const char *prefix;
	const char *last_error;
};

/* Maps the page; its figures are 0. 0 or an errno (it works, unseen). */
int ctlpub_start(void);

/* Writer: brings the page up to date. */
void ctlpub_write(const struct ctlpub_state *state);

/* Writer: a request is done; file is kept as the last one if not "". */
void ctlpub_ack(uint32_t id, unsigned verb, int error, unsigned formats,
    const char *file);
/* Writer: a file was written without a request. */
void ctlpub_file(const char *file);
/* Writer: was this request served already? A repeat of it is not. */
bool ctlpub_acked(uint32_t id);

/* Any thread: one more signal was seen; the signal is ours, or no longer. */
void ctlpub_request(void);
void ctlpub_ours(bool ours);

/* In the child, by its only thread: a page of its own. */
void ctlpub_fork_child(void);

#endif
