/*
 * options.c - the defaults of the allocator's options.
 *
 * They are jemalloc's unless a line says otherwise and why.
 */
#include "options.h"
#include "util.h"

struct alloc_options opt = {
	.abort = STRATA_DEBUG,
	.check_invalid_free = STRATA_DEBUG,
	.check_double_free = STRATA_DEBUG,
	.check_sized_free = STRATA_DEBUG,
	.debug_double_free_max_scan = 32,
	.narenas_ratio = 4 << 16,
	/*
	 * jemalloc: 8 MiB, whose arena purges at once; blocks of that size
	 * that come and go then cost one page fault a page each time.
	 */
	.oversize_threshold = 0,
	.retain = true,
	.dss = DSS_SECONDARY,
	.dirty_decay_ms = 10000,
	.muzzy_decay_ms = 0,
	.lg_extent_max_active_fit = 6,
	.calloc_madvise_threshold = (size_t)8 << 20,
	.max_background_threads = 4,
	.mutex_max_spin = 600,
	.tcache = true,
	.tcache_max = 32 << 10,
	.tcache_nslots_small_min = 20,
	.tcache_nslots_small_max = 200,
	.tcache_nslots_large = 20,
	.lg_tcache_nslots_mul = 1,
	.tcache_gc_incr_bytes = 64 << 10,
	.lg_tcache_flush_small_div = 1,
	.lg_tcache_flush_large_div = 1,
	.zero_realloc = ZERO_REALLOC_FREE,
	.stats_interval = -1,
};
