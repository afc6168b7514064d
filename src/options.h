/*
 * options.h - what MALLOC_CONF sets, as the allocator reads it.
 *
 * The fields are named as the options are (strata.conf(5)); conf.c fills
 * them once, before the first arena exists. From then on they are constant.
 * The defaults stand in options.c. An option that is only accepted has no
 * field here: see conf_table.c.
 */
#ifndef STRATA_OPTIONS_H
#define STRATA_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base.h"

enum {
	OPTION_RANGES_MAX = 32,		/* a list of ranges: jemalloc has 36 */
	OPTION_LETTERS_MAX = 16,	/* letters of malloc_stats_print */
};

enum option_percpu { PERCPU_DISABLED, PERCPU_CPU, PERCPU_CORE };
enum option_dss { DSS_DISABLED, DSS_PRIMARY, DSS_SECONDARY };
enum option_thp { THP_DEFAULT, THP_ALWAYS, THP_NEVER };
enum option_zero_realloc { ZERO_REALLOC_ALLOC, ZERO_REALLOC_FREE,
    ZERO_REALLOC_ABORT };

/* "lo-hi:value|...": sizes in bytes, both ends included; later ones win. */
struct option_ranges {
	unsigned count;
	struct option_range {
		size_t lo, hi, value;
	} range[OPTION_RANGES_MAX];
};

struct alloc_options {
	/* what to do about errors */
	bool abort;			/* abort after a warning */
	bool abort_conf;
	bool confirm_conf;
	bool xmalloc;			/* abort when out of memory */
	bool experimental_infallible_new;
	bool check_invalid_free;	/* foreign or interior addresses */
	bool check_double_free;
	bool check_sized_free;		/* sizes of sized frees */
	unsigned debug_double_free_max_scan;	/* cached regions looked at */

	/* arenas */
	unsigned narenas;		/* 0: narenas_ratio * CPUs */
	uint32_t narenas_ratio;		/* 16.16 fixed point */
	bool cache_oblivious;
	enum option_percpu percpu_arena;
	unsigned default_pool;		/* its arenas at most; 0: none */
	ssize_t pool_rest_ms;		/* see pool_rest.h; -1: never */
	size_t oversize_threshold;	/* bytes; 0: none */
	struct option_ranges bin_shards;	/* value: bins of a class */
	struct option_ranges slab_sizes;	/* value: pages of 4 KiB */

	/* memory from the system */
	bool trust_madvise;		/* no look at whether it zeroes */
	bool retain;			/* keep unused address space */
	enum option_dss dss;		/* sbrk: never, before mmap, after */
	enum option_thp thp;		/* of user memory */
	enum base_thp metadata_thp;
	ssize_t dirty_decay_ms;		/* -1: never */
	ssize_t muzzy_decay_ms;
	size_t lg_extent_max_active_fit;
	bool background_thread;
	size_t max_background_threads;
	size_t debug_page_size;		/* 0: the system's; else simulated */

	/* locks */
	int64_t mutex_max_spin;

	/* thread caches */
	bool tcache;
	size_t tcache_max;		/* bytes, largest size that is cached */
	unsigned tcache_nslots_small_min;
	unsigned tcache_nslots_small_max;
	unsigned tcache_nslots_large;
	ssize_t lg_tcache_nslots_mul;
	struct option_ranges tcache_ncached_max;	/* value: slots */
	size_t tcache_gc_incr_bytes;
	unsigned lg_tcache_flush_small_div;
	unsigned lg_tcache_flush_large_div;

	/* contents */
	bool junk_alloc;		/* 0xa5 */
	bool junk_free;			/* 0x5a */
	bool zero;
	enum option_zero_realloc zero_realloc;

	/* statistics */
	bool stats_print;
	char stats_print_opts[OPTION_LETTERS_MAX];
	int64_t stats_interval;		/* bytes; -1: none */
	char stats_interval_opts[OPTION_LETTERS_MAX];
};

/* Constant after conf_boot(); only unit tests write it later. */
extern struct alloc_options opt;

#endif
