/*
 * statsfile.h - the allocator's statistics as malloc_stats_print writes them
 * with the letter J: Strata's own and those of jemalloc 5.
 *
 *   { "jemalloc": { version config opt arenas stats "stats.arenas" },
 *     "strata": { ... } }                   (the second only by Strata)
 *
 * They may stand in a log among other lines, and several times: what
 * stats_interval prints is a series. "-" is standard input, and a gzipped
 * file is inflated.
 *
 * Units: names that end in _ns are nanoseconds, in _ms milliseconds (-1:
 *   never), p... are pages; n..., num_... and cur... are counts, and so are
 *   metadata_thp (huge pages) and extent_avail (structs); all others are
 *   bytes. Counters only grow, over the life of the process.
 * What is not there is 0, "" or NULL; has_... tell a left-out section from
 *   zeros. jemalloc leaves out: everything below "strata", bin.nslabs,
 *   lextent.nmalloc, ndalloc and nrequests, and "merged" if it has one arena
 *   (the sum of the arenas then stands for it).
 * Releases of jemalloc up to 5.3.0 write wrong lock counters, each but
 *   num_ops: those are 0 here, and locks_unknown is set.
 * Arrays end with the last entry that is not all 0: of the 196 large classes
 *   few are in use.
 */
#ifndef STRATA_STATSFILE_H
#define STRATA_STATSFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model.h"			/* struct model_error */

/* A lock's seven counters. */
struct statsfile_lock {
	uint64_t num_ops;		/* taken */
	uint64_t num_wait;		/* of these, by waiting asleep */
	uint64_t num_spin_acq;		/* of these, by spinning */
	uint64_t num_owner_switch;	/* taken by another than before */
	uint64_t total_wait_time_ns;
	uint64_t max_wait_time_ns;	/* of one wait */
	uint64_t max_num_thds;		/* that waited at one time */
};

enum { STATSFILE_NAME = 32 };

struct statsfile_mutex {
	char name[STATSFILE_NAME];	/* "extents_retained" */
	struct statsfile_lock lock;
};

struct statsfile_mutexes {
	struct statsfile_mutex *items;
	size_t n;
};

/* Small or large allocations of an arena. */
struct statsfile_kind {
	uint64_t allocated;
	uint64_t nmalloc, ndalloc;	/* by the arena */
	uint64_t nrequests;		/* by the program, served of a cache */
	uint64_t nfills, nflushes;	/* of the threads' caches */
};

struct statsfile_bin {
	uint64_t nmalloc, ndalloc, curregs, nrequests, nfills, nflushes;
	uint64_t nslabs, nreslabs, curslabs, nonfull_slabs;
	struct statsfile_lock lock;
};

struct statsfile_lextent {
	uint64_t nmalloc, ndalloc, nrequests, curlextents;
};

/* Unused extents of one size class of pages. */
struct statsfile_extent {
	uint64_t ndirty, nmuzzy, nretained;
	uint64_t dirty_bytes, muzzy_bytes, retained_bytes;
};

struct statsfile_decay {
	int64_t decay_ms;
	uint64_t npages;		/* unused now; "pdirty", "pmuzzy" */
	uint64_t npurge, nmadvise;	/* passes, calls of madvise */
	uint64_t purged;		/* pages */
};

struct statsfile_arena {
	unsigned index;			/* of merged and destroyed: 0 */
	uint64_t nthreads, uptime_ns;
	char dss[16];			/* "disabled", "secondary" ... */
	uint64_t pactive;
	struct statsfile_decay dirty, muzzy;
	struct statsfile_kind small, large;
	uint64_t mapped, retained, base, internal, metadata_thp;
	uint64_t tcache_bytes, tcache_stashed_bytes, resident;
	uint64_t abandoned_vm, extent_avail;
	struct statsfile_mutexes mutexes;
	struct statsfile_bin *bins;		/* by statsfile.bins */
	size_t nbins;
	struct statsfile_lextent *lextents;	/* by statsfile.lextents */
	size_t nlextents;
	struct statsfile_extent *extents;	/* by page size class */
	size_t nextents;
};

/* What a size class is, from "arenas". */
struct statsfile_bin_info {
	uint64_t size, nregs, slab_size, nshards;
};

struct statsfile_pool_arena {
	uint64_t index, generation;	/* that began in it last */
	uint64_t allocated, active, resident;
	uint64_t releases, released;	/* a count; bytes */
};

/* A pool of arenas, of Strata alone. */
struct statsfile_pool {
	unsigned number;
	uint64_t generation, generations_live, generations_retired;
	uint64_t rotations, rotation_age_ns;
	uint64_t narenas, narenas_max;
	uint64_t allocated, active, resident, survivors;
	uint64_t releases, released;	/* a count; bytes */
	struct statsfile_pool_arena *arenas;
	size_t narenas_read;		/* 0: left out */
};

struct statsfile_option {
	char *name;			/* "dirty_decay_ms" */
	char *value;			/* "10000", "true", "" */
};

/* One object: the statistics of one process at one time. */
struct statsfile {
	char *source;			/* the file; "pid 1234" */
	uint64_t offset;		/* of the object in it */
	char *version;
	bool is_strata;			/* has the part "strata" */
	bool has_general;		/* opt, arenas, bins[], lextents[] */
	bool has_merged, merged_is_sum;
	bool has_mutexes, has_bins, has_lextents, has_extents;
	bool locks_unknown;		/* see above */

	/* opt; of a name that comes twice the last */
	struct statsfile_option *options;
	size_t noptions;

	/* arenas */
	uint64_t narenas, page, quantum, tcache_max;
	int64_t dirty_decay_ms, muzzy_decay_ms;	/* of new arenas */
	struct statsfile_bin_info *bins;
	size_t nbins;
	uint64_t *lextents;		/* sizes */
	size_t nlextents;

	/* stats */
	uint64_t allocated, active, resident, mapped, retained;
	uint64_t metadata, metadata_edata, metadata_rtree, metadata_thp;
	uint64_t zero_reallocs;
	uint64_t background_threads, background_runs;
	uint64_t background_interval_ns;	/* between runs, mean */
	struct statsfile_mutexes mutexes;	/* the process's own */

	/* stats.arenas */
	struct statsfile_arena merged, destroyed;
	bool has_destroyed;
	struct statsfile_arena *arenas;	/* by index, with gaps */
	size_t n;
	uint64_t uptime_ns;		/* of the oldest arena; 0 unknown */

	/* strata */
	/* 0 unknown; of a file the pid is the process's own number */
	uint64_t pid, ncpus, time_unix_ns;
	uint64_t live, tcache_bytes;
	uint64_t foreign_handed, foreign_leaked;	/* counts */
	struct {
		uint64_t generation, samples, dropped_samples;
		uint64_t dropped_bytes, memory, dumps, dump_errors;
	} prof;
	struct statsfile_pool *pools;	/* by number, with gaps */
	size_t npools;
};

struct statsfile_series {
	struct statsfile **items;
	size_t n, capacity;
};

/*
 * Appends every object of one file to series (at least one). Fails with an
 * errno value and *error filled: EINVAL if the file is damaged or has none.
 */
int statsfile_read(const char *path, struct statsfile_series *series,
    struct model_error *error);

/* The same of bytes in memory; bytes[length] is NUL. */
int statsfile_read_buffer(const char *name, const char *bytes,
    size_t length, struct statsfile_series *series,
    struct model_error *error);

/*
 * By the time of day where both have it, else by uptime; those that have
 * neither stay where they are.
 */
void statsfile_series_sort(struct statsfile_series *series);
void statsfile_series_free(struct statsfile_series *series);
/* Frees the first n. */
void statsfile_series_drop(struct statsfile_series *series, size_t n);

/*
 * Asks a running process for its statistics (as `strata ctl PID stats`) and
 * appends them; the file that it writes for it is removed. 0, or an errno
 * value and *error.
 */
int statsfile_from_pid(int pid, double timeout_s,
    struct statsfile_series *series, struct model_error *error);

/*
 * An operand that is a number is a process, any other a file: appends what
 * it has. Returns EXIT_FINE, or EXIT_INPUT after a message on stderr.
 */
int statsfile_load(const char *operand, double timeout_s,
    struct statsfile_series *series);

/* May a be of the same process as b? Only Strata's say which it is. */
bool statsfile_same_process(const struct statsfile *a,
    const struct statsfile *b);

/* An option's text, or NULL. */
const char *statsfile_option(const struct statsfile *file,
    const char *name);

/* The arena of that index, or NULL. */
const struct statsfile_arena *statsfile_arena(const struct statsfile *file,
    uint64_t index);

/* The counters of a lock by name, or NULL. */
const struct statsfile_lock *statsfile_lock(
    const struct statsfile_mutexes *mutexes, const char *name);

/* Unused pages, as bytes. */
uint64_t statsfile_pages(const struct statsfile *file, uint64_t npages);

#endif
