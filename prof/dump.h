/*
 * dump.h - one dump: from a cut to files under their final names.
 *
 *   cut rows -> struct report (report.h) -> .pb and/or .heap -> rename
 *
 * Locks: none is held while anything is written. Dumps follow one another:
 *   the second waits for the first (a futex word, not a lock: fork does not
 *   wait for it, and a fork child forgets it).
 * Memory: a mapping of the dump's own (scratch.h), and some 4 KiB of the
 *   stack, which may be that of any thread.
 * Signals/fork: dump_now runs in application threads and in the worker task;
 *   raw system calls only, no errno, no thread-local storage.
 */
#ifndef STRATA_DUMP_H
#define STRATA_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof.h"
#include "scratch.h"
#include "sink.h"
#include "lock.h"

enum {
	DUMP_PATH_MAX = 1280,		/* bytes, with the NUL */
	DUMP_TEMPORARY_MAX = DUMP_PATH_MAX + 32
};

/* What a dump wrote. */
struct dump_result {
	unsigned formats;		/* PROF_FORMAT_*: which files exist */
	char file[DUMP_PATH_MAX];	/* of both, the .pb; "" if none */
};

/* Copies the options; makes the prefix absolute. From prof_boot. */
void dump_boot(const struct prof_options *options,
    const struct prof_host *host);

/*
 * Dumps now, in this thread, which has its guard set. filename NULL: the
 * automatic name (EINVAL if the prefix is ""). result may be NULL. 0 or an
 * errno; a failure has been told on stderr and counted.
 */
int dump_now(const char *filename, enum prof_trigger trigger,
    struct dump_result *result);

/* A file name of the automatic kind for another document: "<...>.json". */
int dump_name(char *out, size_t size, enum prof_trigger trigger,
    const char *suffix);

/*
 * A file appears under its name, path, only when it is whole. open begins it
 * under temporary, whose name it makes (DUMP_TEMPORARY_MAX), and returns the
 * descriptor or -errno; close, after the descriptor's, gives it its name, or
 * with an error removes it. 0 or errno.
 */
int dump_file_open(const char *path, char *temporary, size_t size);
int dump_file_close(const char *path, const char *temporary, int error);

/*
 * Writes the log of samples as a profile is written: filename, or if that is
 * "" the automatic name with suffix. put gets a scratch of its own and
 * returns 0 or an errno. A failure is told on stderr. 0 or errno.
 */
typedef int dump_put(struct sink *sink, struct scratch *scratch,
    const void *arg);
int dump_document(const char *filename, const char *suffix, dump_put *put,
    const void *arg);

/* The absolute path that filename is now. 0 or ENAMETOOLONG. */
int dump_path(const char *filename, char *out, size_t size);

/*
 * Waits until no dump is running, and keeps others waiting until
 * dump_release: for who opens a cut of its own. False after timeout_ms.
 */
bool dump_acquire(unsigned timeout_ms);
void dump_release(void);
/* True once no dump is running; false after timeout_ms. */
bool dump_wait(unsigned timeout_ms);

int dump_prefix_set(const char *prefix);	/* 0 or ENAMETOOLONG */
void dump_prefix_get(char *out, size_t size);
uint64_t dump_done(void);		/* dumps written */
uint64_t dump_errors(void);		/* dumps that failed */
/* The last failure in one line, "" if none. */
void dump_last_error(char *out, size_t size);

/* The child has no dump under way; the parent's files are left alone. */
void dump_each_lock(lock_visit *visit, void *arg);
void dump_fork_prepare(void);
void dump_fork_parent(void);
void dump_fork_child(void);

#endif
