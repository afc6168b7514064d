/*
 * stats_json.c - the statistics as JSON.
 *
 *   { "jemalloc": { version config opt prof arenas stats "stats.arenas" },
 *     "strata": { what only Strata has } }
 *
 * The key paths below "jemalloc" are jemalloc's, so that what reads its
 * statistics reads these. Unlike there no key comes twice, "merged" is there
 * however many arenas are, and a mutex's counters are its own.
 */
#include "arena.h"
#include "conf.h"
#include "stats_out.h"
#include "names.h"

enum { PREFIX_MAX = 64 };

/* Each of the names below prefix, as what it is. */
static void
json_numbers(struct stats_out *out, const char *prefix,
    const char *const *names)
{
	char path[PREFIX_MAX];

	for (; *names != NULL; names++) {
		union ctl_value value = { .u64 = 0 };
		enum ctl_type type = CTL_U64;

		fmt_buf(path, sizeof path, "%s.%s", prefix, *names);
		(void)ctl_get(path, &type, &value);
		json_value(out, *names, type, &value);
	}
}

static void
json_bools(struct stats_out *out, const char *prefix,
    const char *const *names)
{
	for (; *names != NULL; names++)
		json_bool(out, *names, stats_get("%s.%s", prefix, *names));
}

static void
json_mutex(struct stats_out *out, const char *key, const char *prefix)
{
	json_open(out, key, '{');
	json_numbers(out, prefix, stats_counters);
	json_close(out, '}');
}

static void
json_mutexes(struct stats_out *out, const char *prefix,
    const char *const *names)
{
	char path[PREFIX_MAX];

	json_open(out, "mutexes", '{');
	for (; *names != NULL; names++) {
		fmt_buf(path, sizeof path, "%s.mutexes.%s", prefix, *names);
		json_mutex(out, *names, path);
	}
	json_close(out, '}');
}

/* --- general -------------------------------------------------------------- */

static void
json_config(struct stats_out *out)
{
	static const char *const flags[] = {
		"cache_oblivious", "debug", "fill", "lazy_lock",
		"opt_safety_checks", "prof", "prof_frameptr", "prof_libgcc",
		"prof_libunwind", "stats", "utrace", "xmalloc", NULL
	};

	json_open(out, "config", '{');
	json_string(out, "malloc_conf",
	    stats_get_text("config.malloc_conf"));
	json_bools(out, "config", flags);
	json_close(out, '}');
}

static void
json_opt(struct stats_out *out)
{
	const struct conf_option *option;

	json_open(out, "opt", '{');
	json_string(out, "global_var",
	    stats_get_text("opt.malloc_conf.global_var"));
	json_string(out, "symlink",
	    stats_get_text("opt.malloc_conf.symlink"));
	json_string(out, "env_var",
	    stats_get_text("opt.malloc_conf.env_var"));
	for (option = conf_options; option->name != NULL; option++) {
		union ctl_value value;
		enum ctl_type type;

		/* a fraction: jemalloc writes it as text */
		if (option->type == CONF_FXP && option->fixed != NULL)
			json_string(out, option->name, option->fixed);
		else if (ctl_opt_get(option, &type, &value) == 0)
			json_value(out, option->name, type, &value);
	}
	json_close(out, '}');
}

static void
json_prof(struct stats_out *out)
{
	static const char *const flags[] = {
		"thread_active_init", "active", "gdump", NULL
	};
	static const char *const numbers[] = {
		"interval", "lg_sample", NULL
	};

	json_open(out, "prof", '{');
	json_bools(out, "prof", flags);
	json_numbers(out, "prof", numbers);
	json_close(out, '}');
}

static void
json_arenas(struct stats_out *out)
{
	static const char *const numbers[] = {
		"narenas", "dirty_decay_ms", "muzzy_decay_ms", "quantum",
		"page", "hugepage", "tcache_max", "nbins", "nhbins", NULL
	};
	static const char *const bin[] = {
		"size", "nregs", "slab_size", "nshards", NULL
	};
	char path[PREFIX_MAX];

	json_open(out, "arenas", '{');
	json_numbers(out, "arenas", numbers);
	json_open(out, "bin", '[');
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		fmt_buf(path, sizeof path, "arenas.bin.%u", i);
		json_open(out, NULL, '{');
		json_numbers(out, path, bin);
		json_close(out, '}');
	}
	json_close(out, ']');
	json_u64(out, "nlextents", stats_get("arenas.nlextents"));
	json_open(out, "lextent", '[');
	for (unsigned i = 0; i < ARENA_NLARGE; i++) {
		json_open(out, NULL, '{');
		json_u64(out, "size", stats_get("arenas.lextent.%u.size", i));
		json_close(out, '}');
	}
	json_close(out, ']');
	json_close(out, '}');
}

/* --- figures -------------------------------------------------------------- */

static void
json_stats(struct stats_out *out)
{
	static const char *const numbers[] = {
		"allocated", "active", "metadata", "metadata_rtree",
		"metadata_thp", "resident", "mapped", "retained",
		"zero_reallocs", NULL
	};
	static const char *const background[] = {
		"num_threads", "num_runs", "run_interval", NULL
	};
	static const char *const mutexes[] = {
		"background_thread", "max_per_bg_thd", "ctl", "prof",
		"prof_thds_data", "prof_dump", "prof_recent_alloc",
		"prof_recent_dump", "prof_stats", NULL
	};

	json_open(out, "stats", '{');
	json_numbers(out, "stats", numbers);
	json_open(out, "background_thread", '{');
	json_numbers(out, "stats.background_thread", background);
	json_close(out, '}');
	if (out->sections.mutexes)
		json_mutexes(out, "stats", mutexes);
	json_close(out, '}');
}

static void
json_bins(struct stats_out *out, const char *prefix)
{
	static const char *const numbers[] = {
		"nmalloc", "ndalloc", "curregs", "nrequests", "nfills",
		"nflushes", "nslabs", "nreslabs", "curslabs",
		"nonfull_slabs", NULL
	};
	char path[PREFIX_MAX], mutex[PREFIX_MAX];

	json_open(out, "bins", '[');
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		fmt_buf(path, sizeof path, "%s.bins.%u", prefix, i);
		json_open(out, NULL, '{');
		json_numbers(out, path, numbers);
		if (out->sections.mutexes) {
			fmt_buf(mutex, sizeof mutex, "%s.mutex", path);
			json_mutex(out, "mutex", mutex);
		}
		json_close(out, '}');
	}
	json_close(out, ']');
}

/* An array of count objects that each hold the same numbers. */
static void
json_table(struct stats_out *out, const char *prefix, const char *key,
    unsigned count, const char *const *names)
{
	char path[PREFIX_MAX];

	json_open(out, key, '[');
	for (unsigned i = 0; i < count; i++) {
		fmt_buf(path, sizeof path, "%s.%s.%u", prefix, key, i);
		json_open(out, NULL, '{');
		json_numbers(out, path, names);
		json_close(out, '}');
	}
	json_close(out, ']');
}

static void
json_arena_totals(struct stats_out *out, const char *prefix)
{
	static const char *const first[] = {
		"dirty_decay_ms", "muzzy_decay_ms", "pactive", "pdirty",
		"pmuzzy", "dirty_npurge", "dirty_nmadvise", "dirty_purged",
		"muzzy_npurge", "muzzy_nmadvise", "muzzy_purged", NULL
	};
	static const char *const blocks[] = {
		"allocated", "nmalloc", "ndalloc", "nrequests", "nfills",
		"nflushes", NULL
	};
	static const char *const kinds[] = { "small", "large" };
	static const char *const rest[] = {
		"mapped", "retained", "base", "internal", "metadata_thp",
		"tcache_bytes", "tcache_stashed_bytes", "resident",
		"abandoned_vm", "extent_avail", NULL
	};
	char path[PREFIX_MAX];

	json_u64(out, "nthreads", stats_get("%s.nthreads", prefix));
	json_u64(out, "uptime_ns", stats_get("%s.uptime", prefix));
	json_string(out, "dss", stats_get_text("%s.dss", prefix));
	json_numbers(out, prefix, first);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		fmt_buf(path, sizeof path, "%s.%s", prefix, kinds[i]);
		json_open(out, kinds[i], '{');
		json_numbers(out, path, blocks);
		json_close(out, '}');
	}
	json_numbers(out, prefix, rest);
}

static void
json_arena(struct stats_out *out, const char *key, unsigned index)
{
	static const char *const mutexes[] = {
		"large", "extent_avail", "extents_dirty", "extents_muzzy",
		"extents_retained", "decay_dirty", "decay_muzzy", "base",
		"tcache_list", "hpa_shard", "hpa_shard_grow", "hpa_sec",
		"grow", NULL
	};
	static const char *const lextent[] = {
		"nmalloc", "ndalloc", "nrequests", "curlextents", NULL
	};
	static const char *const extent[] = {
		"ndirty", "nmuzzy", "nretained", "dirty_bytes",
		"muzzy_bytes", "retained_bytes", NULL
	};
	char prefix[PREFIX_MAX];

	fmt_buf(prefix, sizeof prefix, "stats.arenas.%u", index);
	json_open(out, key, '{');
	json_arena_totals(out, prefix);
	if (out->sections.mutexes)
		json_mutexes(out, prefix, mutexes);
	if (out->sections.bins)
		json_bins(out, prefix);
	if (out->sections.large)
		json_table(out, prefix, "lextents", ARENA_NLARGE, lextent);
	if (out->sections.extents)
		json_table(out, prefix, "extents", SC_COUNT, extent);
	json_close(out, '}');
}

static void
json_all_arenas(struct stats_out *out)
{
	char key[16];

	json_open(out, "stats.arenas", '{');
	if (out->sections.merged)
		json_arena(out, "merged", MALLCTL_ARENAS_ALL);
	for (unsigned i = 0; out->sections.arenas && i < arenas_count(); i++)
		if (arena_get(i, false) != NULL) {
			fmt_buf(key, sizeof key, "%u", i);
			json_arena(out, key, i);
		}
	json_close(out, '}');
}

static void
json_strata(struct stats_out *out)
{
	static const char *const figures[] = {
		"live", "tcache_bytes", "foreign_handed", "foreign_leaked",
		NULL
	};
	static const char *const profiler[] = {
		"generation", "samples", "dropped_samples", "dropped_bytes",
		"memory", "dumps", "dump_errors", NULL
	};

	json_open(out, "strata", '{');
	json_string(out, "version", stats_get_text("version"));
	json_numbers(out, "stats", figures);
	json_open(out, "prof", '{');
	json_numbers(out, "prof", profiler);
	json_close(out, '}');
	json_close(out, '}');
}

void
stats_print_json(struct stats_out *out)
{
	json_open(out, NULL, '{');
	json_open(out, "jemalloc", '{');
	json_string(out, "version", stats_get_text("version"));
	if (out->sections.general) {
		json_config(out);
		json_opt(out);
		json_prof(out);
		json_arenas(out);
	}
	json_stats(out);
	if (out->sections.merged || out->sections.arenas)
		json_all_arenas(out);
	json_close(out, '}');
	json_strata(out);
	json_close(out, '}');
	stats_printf(out, "\n");
}
