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
	.retain = true,
	.dss = DSS_SECONDARY,
	/*
	 * Pages that a spike leaves are in use again within tens of ms while
	 * requests come; a MiB costs 0.4 ms to touch anew.
	 */
	.pool_rest_ms = 500,
	.dirty_decay_ms = 10000,
	.muzzy_decay_ms = 0,
	.lg_extent_max_active_fit = 6,
	.max_background_threads = 4,
	.mutex_max_spin = 600,
	.tcache = true,
	/*
	 * jemalloc: 32 KiB, 20 to 200 slots, twice a slab's regions, a gc each
	 * 64 KiB. There the slots are taken from the start, here they are an
	 * upper bound that a bin grows to while it overflows with blocks that
	 * its thread asks for again, within a budget (tcache.c): batches of a
	 * thousand small blocks then stay in the cache, as do blocks that take
	 * a new extent each time.
	 */
	.tcache_max = 256 << 10,
	.tcache_nslots_small_min = 64,
	.tcache_nslots_small_max = 2048,
	.tcache_nslots_large = 20,
	.lg_tcache_nslots_mul = 10,
	.tcache_gc_incr_bytes = 1 << 20,
	.lg_tcache_flush_small_div = 1,
	.lg_tcache_flush_large_div = 1,
	.zero_realloc = ZERO_REALLOC_FREE,
	.stats_interval = -1,
};
