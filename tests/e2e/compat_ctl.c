/*
 * compat_ctl.c - every name of jemalloc's mallctl tree, used rightly and
 * wrongly: what each call returns, and what it makes of *oldlenp. Names that
 * do something are only called in ways that must fail.
 */
#include "compat.h"

enum { BYTES = 64 };

/* From the manual: the type's size, and what is allowed. */
static const struct name {
	const char *name;
	unsigned char size;
	const char *access;		/* r, w; m makes one; - is an action */
} names[] = {
	{ "version", 8, "r" }, { "epoch", 8, "rw" },
	{ "background_thread", 1, "rw" },
	{ "max_background_threads", 8, "rw" },
	{ "thread.arena", 4, "rw" }, { "thread.allocated", 8, "r" },
	{ "thread.allocatedp", 8, "r" }, { "thread.deallocated", 8, "r" },
	{ "thread.deallocatedp", 8, "r" }, { "thread.peak.read", 8, "r" },
	{ "thread.peak.reset", 0, "-" }, { "thread.idle", 0, "-" },
	{ "thread.tcache.enabled", 1, "rw" },
	{ "thread.tcache.flush", 0, "-" }, { "thread.prof.name", 8, "rw" },
	{ "thread.prof.active", 1, "rw" },
	{ "tcache.create", 4, "rm" }, { "tcache.flush", 4, "w" },
	{ "tcache.destroy", 4, "w" },
	{ "arena.0.initialized", 1, "r" }, { "arena.0.decay", 0, "-" },
	{ "arena.0.purge", 0, "-" }, { "arena.0.reset", 0, "-" },
	{ "arena.0.destroy", 0, "-" }, { "arena.0.dss", 8, "rw" },
	{ "arena.0.dirty_decay_ms", 8, "rw" },
	{ "arena.0.muzzy_decay_ms", 8, "rw" },
	{ "arena.0.extent_hooks", 8, "rw" },
	{ "arena.0.retain_grow_limit", 8, "rw" },
	{ "arena.0.oversize_threshold", 8, "rw" },
	{ "arena.4096.initialized", 1, "r" }, { "arena.4096.dss", 8, "rw" },
	{ "arena.4096.dirty_decay_ms", 8, "rw" },
	{ "arena.4096.extent_hooks", 8, "rw" },
	{ "arena.4096.retain_grow_limit", 8, "rw" },
	{ "arena.4096.reset", 0, "-" }, { "arena.4096.destroy", 0, "-" },
	{ "arena.4097.initialized", 1, "r" },
	{ "arena.4097.purge", 0, "-" }, { "arena.4095.initialized", 1, "r" },
	{ "arena.99999.initialized", 1, "r" },
	{ "arenas.narenas", 4, "r" }, { "arenas.dirty_decay_ms", 8, "rw" },
	{ "arenas.muzzy_decay_ms", 8, "rw" }, { "arenas.quantum", 8, "r" },
	{ "arenas.page", 8, "r" }, { "arenas.tcache_max", 8, "r" },
	{ "arenas.nbins", 4, "r" }, { "arenas.nhbins", 4, "r" },
	{ "arenas.bin.0.size", 8, "r" }, { "arenas.bin.0.nregs", 4, "r" },
	{ "arenas.bin.0.slab_size", 8, "r" },
	{ "arenas.bin.0.nshards", 4, "r" }, { "arenas.bin.35.size", 8, "r" },
	{ "arenas.bin.36.size", 8, "r" }, { "arenas.nlextents", 4, "r" },
	{ "arenas.lextent.0.size", 8, "r" },
	{ "arenas.lextent.195.size", 8, "r" },
	{ "arenas.lextent.196.size", 8, "r" }, { "arenas.create", 4, "rwm" },
	{ "prof.thread_active_init", 1, "rw" }, { "prof.active", 1, "rw" },
	{ "prof.dump", 8, "w" }, { "prof.gdump", 1, "rw" },
	{ "prof.prefix", 8, "w" }, { "prof.reset", 8, "w" },
	{ "prof.interval", 8, "r" }, { "prof.lg_sample", 8, "r" },
	{ "prof.log_start", 8, "w" }, { "prof.log_stop", 0, "-" },
	{ "prof.stats.bins.0.live", 16, "r" },
	{ "prof.stats.bins.0.accum", 16, "r" },
	{ "prof.stats.lextents.0.live", 16, "r" },
	{ "prof.stats.lextents.0.accum", 16, "r" },
	{ "config.cache_oblivious", 1, "r" }, { "config.debug", 1, "r" },
	{ "config.fill", 1, "r" }, { "config.lazy_lock", 1, "r" },
	{ "config.malloc_conf", 8, "r" },
	{ "config.opt_safety_checks", 1, "r" }, { "config.prof", 1, "r" },
	{ "config.prof_libgcc", 1, "r" }, { "config.prof_libunwind", 1, "r" },
	{ "config.stats", 1, "r" }, { "config.utrace", 1, "r" },
	{ "config.xmalloc", 1, "r" },
	{ "opt.abort", 1, "r" }, { "opt.abort_conf", 1, "r" },
	{ "opt.confirm_conf", 1, "r" }, { "opt.cache_oblivious", 1, "r" },
	{ "opt.trust_madvise", 1, "r" }, { "opt.metadata_thp", 8, "r" },
	{ "opt.retain", 1, "r" }, { "opt.dss", 8, "r" },
	{ "opt.narenas", 4, "r" }, { "opt.percpu_arena", 8, "r" },
	{ "opt.oversize_threshold", 8, "r" },
	{ "opt.mutex_max_spin", 8, "r" }, { "opt.background_thread", 1, "r" },
	{ "opt.max_background_threads", 8, "r" },
	{ "opt.dirty_decay_ms", 8, "r" }, { "opt.muzzy_decay_ms", 8, "r" },
	{ "opt.stats_print", 1, "r" }, { "opt.stats_print_opts", 8, "r" },
	{ "opt.stats_interval", 8, "r" },
	{ "opt.stats_interval_opts", 8, "r" }, { "opt.junk", 8, "r" },
	{ "opt.zero", 1, "r" }, { "opt.utrace", 1, "r" },
	{ "opt.xmalloc", 1, "r" },
	{ "opt.experimental_infallible_new", 1, "r" },
	{ "opt.tcache", 1, "r" }, { "opt.tcache_max", 8, "r" },
	{ "opt.tcache_nslots_small_min", 4, "r" },
	{ "opt.tcache_nslots_small_max", 4, "r" },
	{ "opt.tcache_nslots_large", 4, "r" },
	{ "opt.lg_tcache_nslots_mul", 8, "r" },
	{ "opt.tcache_gc_incr_bytes", 8, "r" },
	{ "opt.tcache_gc_delay_bytes", 8, "r" },
	{ "opt.lg_tcache_flush_small_div", 4, "r" },
	{ "opt.lg_tcache_flush_large_div", 4, "r" },
	{ "opt.thp", 8, "r" }, { "opt.lg_extent_max_active_fit", 8, "r" },
	{ "opt.prof", 1, "r" }, { "opt.prof_prefix", 8, "r" },
	{ "opt.prof_active", 1, "r" },
	{ "opt.prof_thread_active_init", 1, "r" },
	{ "opt.lg_prof_sample", 8, "r" }, { "opt.prof_accum", 1, "r" },
	{ "opt.lg_prof_interval", 8, "r" }, { "opt.prof_gdump", 1, "r" },
	{ "opt.prof_final", 1, "r" }, { "opt.prof_leak", 1, "r" },
	{ "opt.prof_leak_error", 1, "r" },
	{ "opt.prof_recent_alloc_max", 8, "r" },
	{ "opt.prof_stats", 1, "r" }, { "opt.prof_sys_thread_name", 1, "r" },
	{ "opt.prof_time_resolution", 8, "r" },
	{ "opt.lg_san_uaf_align", 8, "r" }, { "opt.zero_realloc", 8, "r" },
	{ "opt.hpa", 1, "r" }, { "opt.hpa_slab_max_alloc", 8, "r" },
	{ "opt.hpa_hugification_threshold", 8, "r" },
	{ "opt.hpa_hugify_delay_ms", 8, "r" },
	{ "opt.hpa_min_purge_interval_ms", 8, "r" },
	{ "opt.hpa_dirty_mult", 4, "r" }, { "opt.hpa_sec_nshards", 8, "r" },
	{ "opt.hpa_sec_max_alloc", 8, "r" },
	{ "opt.hpa_sec_max_bytes", 8, "r" },
	{ "opt.hpa_sec_bytes_after_flush", 8, "r" },
	{ "opt.hpa_sec_batch_fill_extra", 8, "r" },
	{ "stats.allocated", 8, "r" }, { "stats.active", 8, "r" },
	{ "stats.metadata", 8, "r" }, { "stats.metadata_thp", 8, "r" },
	{ "stats.resident", 8, "r" }, { "stats.mapped", 8, "r" },
	{ "stats.retained", 8, "r" }, { "stats.zero_reallocs", 8, "r" },
	{ "stats.background_thread.num_threads", 8, "r" },
	{ "stats.background_thread.num_runs", 8, "r" },
	{ "stats.background_thread.run_interval", 8, "r" },
	{ "stats.mutexes.ctl.num_ops", 8, "r" },
	{ "stats.mutexes.ctl.max_num_thds", 4, "r" },
	{ "stats.mutexes.background_thread.num_wait", 8, "r" },
	{ "stats.mutexes.max_per_bg_thd.num_spin_acq", 8, "r" },
	{ "stats.mutexes.prof.num_owner_switch", 8, "r" },
	{ "stats.mutexes.prof_thds_data.total_wait_time", 8, "r" },
	{ "stats.mutexes.prof_dump.max_wait_time", 8, "r" },
	{ "stats.mutexes.prof_recent_alloc.num_ops", 8, "r" },
	{ "stats.mutexes.prof_recent_dump.num_ops", 8, "r" },
	{ "stats.mutexes.prof_stats.num_ops", 8, "r" },
	{ "stats.mutexes.reset", 0, "-" },
	{ "stats.arenas.99999.pactive", 8, "r" },
	{ "stats.arenas.4097.pactive", 8, "r" },
	{ "stats.arenas.4095.pactive", 8, "r" },
	{ "experimental.utilization.query", 40, "rw" },
	{ "experimental.utilization.batch_query", 24, "rw" },
	{ "experimental.arenas.0.pactivep", 8, "r" },
	{ "experimental.prof_recent.alloc_max", 8, "rw" },
	{ "experimental.prof_recent.alloc_dump", 16, "w" },
	{ "experimental.arenas_create_ext", 4, "rwm" },
	{ "experimental.hooks.prof_backtrace", 8, "rw" },
	{ "experimental.hooks.prof_dump", 8, "rw" },
	{ "experimental.hooks.safety_check_abort", 8, "rw" },
};

/* Below stats.arenas.<i>. */
static const struct name arena_names[] = {
	{ "nthreads", 4, "r" }, { "uptime", 8, "r" }, { "dss", 8, "r" },
	{ "dirty_decay_ms", 8, "r" }, { "muzzy_decay_ms", 8, "r" },
	{ "pactive", 8, "r" }, { "pdirty", 8, "r" }, { "pmuzzy", 8, "r" },
	{ "mapped", 8, "r" }, { "retained", 8, "r" },
	{ "extent_avail", 8, "r" }, { "base", 8, "r" },
	{ "internal", 8, "r" }, { "metadata_thp", 8, "r" },
	{ "tcache_bytes", 8, "r" }, { "tcache_stashed_bytes", 8, "r" },
	{ "resident", 8, "r" }, { "abandoned_vm", 8, "r" },
	{ "hpa_sec_bytes", 8, "r" },
	{ "dirty_npurge", 8, "r" }, { "dirty_nmadvise", 8, "r" },
	{ "dirty_purged", 8, "r" }, { "muzzy_npurge", 8, "r" },
	{ "muzzy_nmadvise", 8, "r" }, { "muzzy_purged", 8, "r" },
	{ "small.allocated", 8, "r" }, { "small.nmalloc", 8, "r" },
	{ "small.ndalloc", 8, "r" }, { "small.nrequests", 8, "r" },
	{ "small.nfills", 8, "r" }, { "small.nflushes", 8, "r" },
	{ "large.allocated", 8, "r" }, { "large.nmalloc", 8, "r" },
	{ "large.ndalloc", 8, "r" }, { "large.nrequests", 8, "r" },
	{ "large.nfills", 8, "r" }, { "large.nflushes", 8, "r" },
	{ "bins.0.nmalloc", 8, "r" }, { "bins.0.ndalloc", 8, "r" },
	{ "bins.0.nrequests", 8, "r" }, { "bins.0.curregs", 8, "r" },
	{ "bins.0.nfills", 8, "r" }, { "bins.0.nflushes", 8, "r" },
	{ "bins.0.nslabs", 8, "r" }, { "bins.0.nreslabs", 8, "r" },
	{ "bins.0.curslabs", 8, "r" }, { "bins.0.nonfull_slabs", 8, "r" },
	{ "bins.0.mutex.num_ops", 8, "r" },
	{ "bins.0.mutex.num_wait", 8, "r" },
	{ "bins.0.mutex.num_spin_acq", 8, "r" },
	{ "bins.0.mutex.num_owner_switch", 8, "r" },
	{ "bins.0.mutex.total_wait_time", 8, "r" },
	{ "bins.0.mutex.max_wait_time", 8, "r" },
	{ "bins.0.mutex.max_num_thds", 4, "r" },
	{ "bins.36.nmalloc", 8, "r" },
	{ "lextents.0.nmalloc", 8, "r" }, { "lextents.0.ndalloc", 8, "r" },
	{ "lextents.0.nrequests", 8, "r" },
	{ "lextents.0.curlextents", 8, "r" },
	{ "lextents.195.nmalloc", 8, "r" },
	{ "lextents.196.nmalloc", 8, "r" },
	{ "extents.0.ndirty", 8, "r" }, { "extents.0.nmuzzy", 8, "r" },
	{ "extents.0.nretained", 8, "r" },
	{ "extents.0.dirty_bytes", 8, "r" },
	{ "extents.0.muzzy_bytes", 8, "r" },
	{ "extents.0.retained_bytes", 8, "r" },
	{ "extents.198.ndirty", 8, "r" }, { "extents.199.ndirty", 8, "r" },
	{ "mutexes.large.num_ops", 8, "r" },
	{ "mutexes.extent_avail.num_ops", 8, "r" },
	{ "mutexes.extents_dirty.num_ops", 8, "r" },
	{ "mutexes.extents_muzzy.num_ops", 8, "r" },
	{ "mutexes.extents_retained.num_ops", 8, "r" },
	{ "mutexes.decay_dirty.num_ops", 8, "r" },
	{ "mutexes.decay_muzzy.num_ops", 8, "r" },
	{ "mutexes.base.num_ops", 8, "r" },
	{ "mutexes.tcache_list.num_ops", 8, "r" },
	{ "mutexes.hpa_shard.num_ops", 8, "r" },
	{ "mutexes.hpa_shard_grow.num_ops", 8, "r" },
	{ "mutexes.hpa_sec.num_ops", 8, "r" },
	{ "mutexes.base.max_num_thds", 4, "r" },
	{ "hpa_shard.npurge_passes", 8, "r" },
	{ "hpa_shard.npurges", 8, "r" }, { "hpa_shard.nhugifies", 8, "r" },
	{ "hpa_shard.ndehugifies", 8, "r" },
	{ "hpa_shard.full_slabs.npageslabs_huge", 8, "r" },
	{ "hpa_shard.empty_slabs.nactive_nonhuge", 8, "r" },
	{ "hpa_shard.nonfull_slabs.0.ndirty_huge", 8, "r" },
};

static bool
may(const struct name *n, char access)
{
	return strchr(n->access, access) != NULL;
}

/* One way of calling it: what it returns, and the length it leaves. */
static void
say_call(const char *name, const char *how, int error, const size_t *len)
{
	char line[200];

	snprintf(line, sizeof line, "%s (%s)", name, how);
	if (len == NULL)
		say(line, "%s", error_name(error));
	else
		say(line, "%s len %zu", error_name(error), *len);
}

static void
check_reads(const char *name, const struct name *n)
{
	char old[BYTES];
	size_t len = n->size;

	if (len == 0)
		len = 8;		/* an action has no value */
	say_call(name, "read", mallctl(name, old, &len, NULL, 0), &len);
	if (!may(n, 'r'))
		return;
	len = n->size - 1u;
	say_call(name, "short old", mallctl(name, old, &len, NULL, 0), &len);
	len = 0;
	say_call(name, "no room", mallctl(name, old, &len, NULL, 0), &len);
	len = n->size + 8u;
	say_call(name, "long old", mallctl(name, old, &len, NULL, 0), &len);
	len = n->size;
	say_call(name, "old null", mallctl(name, NULL, &len, NULL, 0), &len);
	if (may(n, 'm'))
		return;		/* jemalloc writes to the length that is not */
	say_call(name, "len null", mallctl(name, old, NULL, NULL, 0), NULL);
	say_call(name, "nothing", mallctl(name, NULL, NULL, NULL, 0), NULL);
}

static void
check_writes(const char *name, const struct name *n)
{
	char old[BYTES], new[BYTES] = { 0 };
	size_t len = n->size;

	if (may(n, 'r'))
		say_call(name, "read, long new",
		    mallctl(name, old, &len, new, n->size + 1u), &len);
	if (may(n, 'm'))
		return;
	say_call(name, "long new",
	    mallctl(name, NULL, NULL, new, n->size + 1u), NULL);
	if (n->size > 0)
		say_call(name, "short new",
		    mallctl(name, NULL, NULL, new, n->size - 1u), NULL);
	say_call(name, "empty new", mallctl(name, NULL, NULL, new, 0), NULL);
	if (!may(n, 'w')) {
		say_call(name, "write",
		    mallctl(name, NULL, NULL, new, n->size), NULL);
		say_call(name, "new null",
		    mallctl(name, NULL, NULL, NULL, 4), NULL);
	}
}

/* By index vector, also one too short: one too long ends jemalloc. */
static void
check_mib(const char *name, const struct name *n)
{
	size_t mib[16], depth = 16, len = n->size;
	char old[BYTES];
	int error = mallctlnametomib(name, mib, &depth);

	say_call(name, "to mib", error, &depth);
	if (error != 0)
		return;
	if (may(n, 'r'))
		say_call(name, "by mib",
		    mallctlbymib(mib, depth, old, &len, NULL, 0), &len);
	len = n->size;
	say_call(name, "mib less 1",
	    mallctlbymib(mib, depth - 1, old, &len, NULL, 0), NULL);
	depth--;
	say_call(name, "to short mib",
	    mallctlnametomib(name, mib, &depth), &depth);
}

static void
check_name(const char *name, const struct name *n)
{
	check_reads(name, n);
	check_writes(name, n);
	check_mib(name, n);
}

/* Which names there are not. */
static void
check_unknown(void)
{
	static const char *const unknown[] = { "", ".", "version.", ".version",
	    "versio", "versions", "version.x", "thread", "thread.", "arena",
	    "arena.0", "arena.x.purge", "arena.-1.purge", "arena..purge",
	    "arena.0x0.purge", "arena.00.initialized", "arena.+0.initialized",
	    "arena.0.purge.x", "stats", "stats.arenas", "stats.arenas.0",
	    "stats.arenas.0.bins", "stats.arenas.0.bins.0",
	    "stats.arenas.0.bins.x.nmalloc", "opt", "opt.nothing", "opt.",
	    "arenas.bin", "arenas.bin.0", "config.nothing", "VERSION",
	    "a.b.c.d.e.f.g.h.i.j.k.l.m.n", "prof.nothing",
	    "stats.mutexes", "stats.mutexes.ctl", "arena.1.2.3",
	    "arena.18446744073709551616.purge", "opt.malloc_conf",
	    "opt.bin_shards", "opt.slab_sizes", "opt.lg_tcache_max" };
	char old[BYTES], line[64];

	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		size_t len = 8, mib[16], depth = 16;
		int error;

		snprintf(line, sizeof line, "unknown \"%s\"", unknown[i]);
		error = mallctl(unknown[i], old, &len, NULL, 0);
		say_call(line, "read", error, NULL);
		error = mallctlnametomib(unknown[i], mib, &depth);
		say_call(line, "to mib", error, &depth);
	}
}

/* A MIB whose index is changed stands for another arena or bin. */
static void
check_mib_round_trip(void)
{
	size_t mib[8], depth = 8, len, size;
	unsigned nbins = ctl_unsigned("arenas.nbins");

	if (mallctlnametomib("arenas.bin.0.size", mib, &depth) != 0)
		die("arenas.bin.0.size");
	for (unsigned i = 0; i < nbins; i++) {
		char name[40];

		mib[2] = i;
		len = sizeof size;
		if (mallctlbymib(mib, depth, &size, &len, NULL, 0) != 0)
			size = 0;
		snprintf(name, sizeof name, "bin size %u by mib", i);
		say(name, "%zu", size);
	}
	mib[2] = nbins;
	say("bin size past the end", "%s", error_name(
	    mallctlbymib(mib, depth, &size, &len, NULL, 0)));
	depth = 2;
	say("two of arenas.bin", "%s", error_name(
	    mallctlnametomib("arenas.bin", mib, &depth)));
	say("depth of arenas.bin", "%zu", depth);
}

int
main(void)
{
	char name[100];

	compat_begin();
	free(malloc(1));
	ctl_epoch();
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		check_name(names[i].name, &names[i]);
	for (size_t i = 0; i < sizeof arena_names / sizeof *arena_names; i++) {
		snprintf(name, sizeof name, "stats.arenas.0.%s",
		    arena_names[i].name);
		check_name(name, &arena_names[i]);
		snprintf(name, sizeof name, "stats.arenas.4096.%s",
		    arena_names[i].name);
		check_name(name, &arena_names[i]);
	}
	check_unknown();
	check_mib_round_trip();
	return 0;
}
