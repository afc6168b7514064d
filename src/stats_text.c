/*
 * stats_text.c - the statistics as text, in jemalloc's sections, titles and
 * column names, and in its order. Rates are per second of the arena's life.
 */
#include <string.h>

#include "arena.h"
#include "conf.h"
#include "os.h"
#include "stats_out.h"
#include "names.h"

enum { PREFIX_MAX = 64 };

/* As jemalloc: a life of less than a second counts as one. */
static uint64_t
text_rate(uint64_t value, uint64_t uptime_ns)
{
	uint64_t seconds = uptime_ns / 1000000000;

	return seconds == 0 ? value : value / seconds;
}

static void
text_value(struct stats_out *out, enum ctl_type type,
    const union ctl_value *value)
{
	if (type == CTL_BOOL)
		stats_printf(out, "%s", value->flag ? "true" : "false");
	else if (type == CTL_STRING)
		stats_printf(out, "\"%s\"", value->text);
	else if (type == CTL_SSIZE || type == CTL_I64)
		stats_printf(out, "%lld", (long long)value->i64);
	else
		stats_printf(out, "%llu",
		    (unsigned long long)ctl_as_i64(type, value));
}

/* --- general -------------------------------------------------------------- */

/* "  prefix.name: value" for each. */
static void
text_settings(struct stats_out *out, const char *prefix,
    const char *const *names)
{
	char path[PREFIX_MAX];

	for (; *names != NULL; names++) {
		union ctl_value value;
		enum ctl_type type;

		fmt_buf(path, sizeof path, "%s.%s", prefix, *names);
		if (ctl_get(path, &type, &value) != 0)
			continue;
		stats_printf(out, "  %s: ", path);
		text_value(out, type, &value);
		stats_printf(out, "\n");
	}
}

/* The control that holds what is in force now, where an option may change. */
static const char *
text_current(const char *option)
{
	static const char *const pairs[][2] = {
		{ "background_thread", "background_thread" },
		{ "dirty_decay_ms", "arenas.dirty_decay_ms" },
		{ "muzzy_decay_ms", "arenas.muzzy_decay_ms" },
		{ "prof_active", "prof.active" },
		{ "prof_thread_active_init", "prof.thread_active_init" },
		{ "lg_prof_sample", "prof.lg_sample" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (strcmp(option, pairs[i][0]) == 0)
			return pairs[i][1];
	return NULL;
}

static void
text_option(struct stats_out *out, const struct conf_option *option)
{
	const char *current = text_current(option->name);
	union ctl_value value;
	enum ctl_type type;

	if (ctl_opt_get(option, &type, &value) != 0)
		return;
	stats_printf(out, "  opt.%s: ", option->name);
	text_value(out, type, &value);
	if (current != NULL && ctl_get(current, &type, &value) == 0) {
		stats_printf(out, " (%s: ", current);
		text_value(out, type, &value);
		stats_printf(out, ")");
	}
	stats_printf(out, "\n");
}

static void
text_general(struct stats_out *out)
{
	static const char *const config[] = {
		"cache_oblivious", "debug", "fill", "lazy_lock",
		"malloc_conf", "opt_safety_checks", "prof",
		"prof_frameptr", "prof_libgcc", "prof_libunwind", "stats",
		"utrace", "xmalloc", NULL
	};
	static const char *const prof[] = {
		"thread_active_init", "active", "gdump", "interval",
		"lg_sample", "generation", "samples", "dropped_samples",
		"dropped_bytes", "memory", "dumps", "dump_errors", NULL
	};
	const struct conf_option *option;

	stats_printf(out, "Version: \"%s\"\n", stats_get_text("version"));
	stats_printf(out, "Build-time option settings\n");
	text_settings(out, "config", config);
	stats_printf(out, "Run-time option settings\n");
	for (option = conf_options; option->name != NULL; option++)
		text_option(out, option);
	stats_printf(out, "Profiling settings\n");
	text_settings(out, "prof", prof);
	stats_printf(out, "Arenas: %llu\n"
	    "Quantum size: %llu\n"
	    "Page size: %llu\n"
	    "Maximum thread-cached size class: %llu\n"
	    "Number of bin size classes: %llu\n"
	    "Number of thread-cache bin size classes: %llu\n"
	    "Number of large size classes: %llu\n",
	    (unsigned long long)stats_get("arenas.narenas"),
	    (unsigned long long)stats_get("arenas.quantum"),
	    (unsigned long long)stats_get("arenas.page"),
	    (unsigned long long)stats_get("arenas.tcache_max"),
	    (unsigned long long)stats_get("arenas.nbins"),
	    (unsigned long long)stats_get("arenas.nhbins"),
	    (unsigned long long)stats_get("arenas.nlextents"));
}

/* --- mutexes -------------------------------------------------------------- */

static void
text_mutex_titles(struct stats_out *out, const char *title)
{
	stats_printf(out, "%-21s%16s (#/sec)%16s (#/sec)%16s (#/sec)"
	    "%16s (#/sec)%16s (#/sec)%16s%12s\n", title, "n_lock_ops",
	    "n_waiting", "n_spin_acq", "n_owner_switch", "total_wait_ns",
	    "max_wait_ns", "max_n_thds");
}

/* The seven counters at prefix, five of them with their rate. */
static void
text_mutex_counters(struct stats_out *out, const char *prefix,
    uint64_t uptime)
{
	for (unsigned i = 0; stats_counters[i] != NULL; i++) {
		uint64_t n = stats_get("%s.%s", prefix, stats_counters[i]);

		if (i < 5)
			stats_printf(out, "%16llu%8llu",
			    (unsigned long long)n,
			    (unsigned long long)text_rate(n, uptime));
		else
			stats_printf(out, i == 5 ? "%16llu" : "%12llu",
			    (unsigned long long)n);
	}
	stats_printf(out, "\n");
}

static void
text_mutexes(struct stats_out *out, const char *prefix,
    const char *const *names, uint64_t uptime)
{
	char path[PREFIX_MAX];

	text_mutex_titles(out, "");
	for (; *names != NULL; names++) {
		fmt_buf(path, sizeof path, "%s.mutexes.%s", prefix, *names);
		stats_printf(out, "%-21s", *names);
		text_mutex_counters(out, path, uptime);
	}
}

/* --- totals --------------------------------------------------------------- */

static void
text_totals(struct stats_out *out)
{
	static const char *const mutexes[] = {
		"background_thread", "max_per_bg_thd", "ctl", "prof",
		"prof_thds_data", "prof_dump", "prof_recent_alloc",
		"prof_recent_dump", "prof_stats", NULL
	};

	stats_printf(out, "Allocated: %llu, active: %llu, metadata: %llu "
	    "(n_thp %llu), resident: %llu, mapped: %llu, retained: %llu\n",
	    (unsigned long long)stats_get("stats.allocated"),
	    (unsigned long long)stats_get("stats.active"),
	    (unsigned long long)stats_get("stats.metadata"),
	    (unsigned long long)stats_get("stats.metadata_thp"),
	    (unsigned long long)stats_get("stats.resident"),
	    (unsigned long long)stats_get("stats.mapped"),
	    (unsigned long long)stats_get("stats.retained"));
	stats_printf(out, "Live: %llu, in thread caches: %llu, foreign "
	    "frees handed to libc: %llu, left alone: %llu\n",
	    (unsigned long long)stats_get("stats.live"),
	    (unsigned long long)stats_get("stats.tcache_bytes"),
	    (unsigned long long)stats_get("stats.foreign_handed"),
	    (unsigned long long)stats_get("stats.foreign_leaked"));
	stats_printf(out, "Count of realloc(non-null-ptr, 0) calls: %llu\n",
	    (unsigned long long)stats_get("stats.zero_reallocs"));
	stats_printf(out, "Background threads: %llu, num_runs: %llu, "
	    "run_interval: %llu ns\n", (unsigned long long)
	    stats_get("stats.background_thread.num_threads"),
	    (unsigned long long)stats_get("stats.background_thread.num_runs"),
	    (unsigned long long)
	    stats_get("stats.background_thread.run_interval"));
	if (out->sections.mutexes)
		text_mutexes(out, "stats", mutexes,
		    stats_get("stats.arenas.%u.uptime", MALLCTL_ARENAS_ALL));
}

/* --- an arena ------------------------------------------------------------- */

static void
text_decay(struct stats_out *out, const char *prefix)
{
	static const char *const states[] = { "dirty", "muzzy" };

	stats_printf(out, "decaying:  time       npages       sweeps     "
	    "madvises       purged\n");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		long long ms = (long long)stats_get("%s.%s_decay_ms", prefix,
		    states[i]);

		stats_printf(out, "%8s:", states[i]);
		if (ms >= 0)
			stats_printf(out, "%6lld", ms);
		else
			stats_printf(out, "%6s", "N/A");
		stats_printf(out, " %12llu %12llu %12llu %12llu\n",
		    (unsigned long long)stats_get("%s.p%s", prefix,
		    states[i]),
		    (unsigned long long)stats_get("%s.%s_npurge", prefix,
		    states[i]),
		    (unsigned long long)stats_get("%s.%s_nmadvise", prefix,
		    states[i]),
		    (unsigned long long)stats_get("%s.%s_purged", prefix,
		    states[i]));
	}
}

static void
text_blocks(struct stats_out *out, const char *prefix, uint64_t uptime)
{
	static const char *const columns[] = {
		"nmalloc", "ndalloc", "nrequests", "nfills", "nflushes"
	};
	static const char *const kinds[] = { "small", "large" };
	uint64_t sums[ARRAY_LEN(columns)] = { 0 }, allocated = 0;

	stats_printf(out, "%21s%16s%16s   (#/sec)%16s   (#/sec)%16s   (#/sec)"
	    "%16s   (#/sec)%16s   (#/sec)\n", "", "allocated", "nmalloc",
	    "ndalloc", "nrequests", "nfill", "nflush");
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		uint64_t n = stats_get("%s.%s.allocated", prefix, kinds[k]);

		allocated += n;
		stats_printf(out, "%s:%15s%16llu", kinds[k], "",
		    (unsigned long long)n);
		for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
			n = stats_get("%s.%s.%s", prefix, kinds[k],
			    columns[i]);
			sums[i] += n;
			stats_printf(out, "%16llu%10llu",
			    (unsigned long long)n,
			    (unsigned long long)text_rate(n, uptime));
		}
		stats_printf(out, "\n");
	}
	stats_printf(out, "total:%15s%16llu", "",
	    (unsigned long long)allocated);
	for (size_t i = 0; i < ARRAY_LEN(columns); i++)
		stats_printf(out, "%16llu%10llu", (unsigned long long)sums[i],
		    (unsigned long long)text_rate(sums[i], uptime));
	stats_printf(out, "\n\n");
}

static void
text_memory(struct stats_out *out, const char *prefix)
{
	static const char *const figures[] = {
		"mapped", "retained", "base", "internal", "metadata_thp",
		"tcache_bytes", "tcache_stashed_bytes", "resident",
		"abandoned_vm", "extent_avail"
	};

	stats_printf(out, "active:%30llu\n", (unsigned long long)
	    (stats_get("%s.pactive", prefix) * os_page));
	for (size_t i = 0; i < ARRAY_LEN(figures); i++)
		stats_printf(out, "%s:%*llu\n", figures[i],
		    36 - (int)strlen(figures[i]), (unsigned long long)
		    stats_get("%s.%s", prefix, figures[i]));
}

/* regions in use / regions of the slabs, in thousandths: "0.195" or "1" */
static void
text_utilisation(struct stats_out *out, uint64_t used, uint64_t room)
{
	uint64_t part = room == 0 ? 1000 : used * 1000 / room;

	if (part >= 1000)
		stats_printf(out, "%7s", "1");
	else
		stats_printf(out, "  0.%03llu", (unsigned long long)part);
}

static void
text_bin(struct stats_out *out, const char *prefix, unsigned index,
    uint64_t uptime)
{
	static const char *const rated[] = { "nmalloc", "ndalloc",
	    "nrequests" };
	static const char *const flows[] = { "nfills", "nflushes" };
	uint64_t size = stats_get("arenas.bin.%u.size", index);
	uint64_t nregs = stats_get("arenas.bin.%u.nregs", index);
	uint64_t curregs = stats_get("%s.curregs", prefix);
	uint64_t curslabs = stats_get("%s.curslabs", prefix);
	char mutex[PREFIX_MAX];

	stats_printf(out, "%20llu%4u%13llu", (unsigned long long)size, index,
	    (unsigned long long)(curregs * size));
	for (size_t i = 0; i < ARRAY_LEN(rated); i++) {
		uint64_t n = stats_get("%s.%s", prefix, rated[i]);

		stats_printf(out, "%13llu%8llu", (unsigned long long)n,
		    (unsigned long long)text_rate(n, uptime));
	}
	stats_printf(out, "%9u%13llu%13llu%15llu%5llu%4llu", 1u,
	    (unsigned long long)curregs, (unsigned long long)curslabs,
	    (unsigned long long)stats_get("%s.nonfull_slabs", prefix),
	    (unsigned long long)nregs, (unsigned long long)
	    (stats_get("arenas.bin.%u.slab_size", index) / os_page));
	text_utilisation(out, curregs, nregs * curslabs);
	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		uint64_t n = stats_get("%s.%s", prefix, flows[i]);

		stats_printf(out, "%13llu%8llu", (unsigned long long)n,
		    (unsigned long long)text_rate(n, uptime));
	}
	stats_printf(out, "%13llu%13llu%8llu",
	    (unsigned long long)stats_get("%s.nslabs", prefix),
	    (unsigned long long)stats_get("%s.nreslabs", prefix),
	    (unsigned long long)text_rate(stats_get("%s.nreslabs", prefix),
	    uptime));
	if (out->sections.mutexes) {
		fmt_buf(mutex, sizeof mutex, "%s.mutex", prefix);
		text_mutex_counters(out, mutex, uptime);
	} else {
		stats_printf(out, "\n");
	}
}

/* Rows that are not shown, because nothing happened, show as one "---". */
struct text_gap {
	bool open;
};

static bool
text_skip(struct stats_out *out, struct text_gap *gap, bool empty)
{
	if (!empty && gap->open)
		stats_printf(out, "                     ---\n");
	gap->open = empty;
	return empty;
}

static void
text_bins(struct stats_out *out, const char *arena, uint64_t uptime)
{
	struct text_gap gap = { false };
	char prefix[PREFIX_MAX];

	stats_printf(out, "bins:%15s%4s%13s%13s (#/sec)%13s (#/sec)%13s "
	    "(#/sec)%9s%13s%13s%15s%5s%4s%7s%13s (#/sec)%13s (#/sec)%13s"
	    "%13s (#/sec)", "size", "ind", "allocated", "nmalloc", "ndalloc",
	    "nrequests", "nshards", "curregs", "curslabs", "nonfull_slabs",
	    "regs", "pgs", "util", "nfills", "nflushes", "nslabs",
	    "nreslabs");
	if (out->sections.mutexes)
		text_mutex_titles(out, "");
	else
		stats_printf(out, "\n");
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		fmt_buf(prefix, sizeof prefix, "%s.bins.%u", arena, i);
		if (!text_skip(out, &gap,
		    stats_get("%s.nslabs", prefix) == 0))
			text_bin(out, prefix, i, uptime);
	}
	if (gap.open)
		stats_printf(out, "                     ---\n");
}

static void
text_large(struct stats_out *out, const char *arena, uint64_t uptime)
{
	static const char *const rated[] = { "nmalloc", "ndalloc",
	    "nrequests" };
	struct text_gap gap = { false };
	char prefix[PREFIX_MAX];

	stats_printf(out, "large:%14s%4s%13s%13s (#/sec)%13s (#/sec)%13s "
	    "(#/sec)%13s\n", "size", "ind", "allocated", "nmalloc",
	    "ndalloc", "nrequests", "curlextents");
	for (unsigned i = 0; i < ARENA_NLARGE; i++) {
		uint64_t size = sc_size(SC_NSMALL + i), current;

		fmt_buf(prefix, sizeof prefix, "%s.lextents.%u", arena, i);
		if (text_skip(out, &gap,
		    stats_get("%s.nrequests", prefix) == 0))
			continue;
		current = stats_get("%s.curlextents", prefix);
		stats_printf(out, "%20llu%4u%13llu", (unsigned long long)size,
		    SC_NSMALL + i, (unsigned long long)(current * size));
		for (size_t k = 0; k < ARRAY_LEN(rated); k++) {
			uint64_t n = stats_get("%s.%s", prefix, rated[k]);

			stats_printf(out, "%13llu%8llu",
			    (unsigned long long)n,
			    (unsigned long long)text_rate(n, uptime));
		}
		stats_printf(out, "%13llu\n", (unsigned long long)current);
	}
	if (gap.open)
		stats_printf(out, "                     ---\n");
}

static void
text_extents(struct stats_out *out, const char *arena)
{
	static const char *const states[] = { "dirty", "muzzy", "retained" };
	struct text_gap gap = { false };

	stats_printf(out, "extents:%12s%4s%13s%13s%13s%13s%13s%13s%13s%13s\n",
	    "size", "ind", "ndirty", "dirty", "nmuzzy", "muzzy", "nretained",
	    "retained", "ntotal", "total");
	for (unsigned i = 0; i < SC_COUNT; i++) {
		uint64_t n[3], bytes[3];

		for (size_t s = 0; s < ARRAY_LEN(states); s++) {
			n[s] = stats_get("%s.extents.%u.n%s", arena, i,
			    states[s]);
			bytes[s] = stats_get("%s.extents.%u.%s_bytes", arena,
			    i, states[s]);
		}
		if (text_skip(out, &gap, n[0] + n[1] + n[2] == 0))
			continue;
		stats_printf(out, "%20llu%4u",
		    (unsigned long long)sc_size(i), i);
		for (size_t s = 0; s < ARRAY_LEN(states); s++)
			stats_printf(out, "%13llu%13llu",
			    (unsigned long long)n[s],
			    (unsigned long long)bytes[s]);
		stats_printf(out, "%13llu%13llu\n",
		    (unsigned long long)(n[0] + n[1] + n[2]),
		    (unsigned long long)(bytes[0] + bytes[1] + bytes[2]));
	}
	if (gap.open)
		stats_printf(out, "                     ---\n");
}

static void
text_arena(struct stats_out *out, unsigned index)
{
	static const char *const mutexes[] = {
		"large", "extent_avail", "extents_dirty", "extents_muzzy",
		"extents_retained", "decay_dirty", "decay_muzzy", "base",
		"tcache_list", "hpa_shard", "hpa_shard_grow", "hpa_sec",
		"grow", NULL
	};
	char prefix[PREFIX_MAX];
	uint64_t uptime;

	fmt_buf(prefix, sizeof prefix, "stats.arenas.%u", index);
	uptime = stats_get("%s.uptime", prefix);
	stats_printf(out, "assigned threads: %llu\nuptime: %llu\n"
	    "dss allocation precedence: \"%s\"\n",
	    (unsigned long long)stats_get("%s.nthreads", prefix),
	    (unsigned long long)uptime, stats_get_text("%s.dss", prefix));
	text_decay(out, prefix);
	text_blocks(out, prefix, uptime);
	text_memory(out, prefix);
	if (out->sections.mutexes)
		text_mutexes(out, prefix, mutexes, uptime);
	if (out->sections.bins)
		text_bins(out, prefix, uptime);
	if (out->sections.large)
		text_large(out, prefix, uptime);
	if (out->sections.extents)
		text_extents(out, prefix);
}

static void
text_arenas(struct stats_out *out)
{
	unsigned ninitialized = 0;

	for (unsigned i = 0; i < arenas_count(); i++)
		ninitialized += arena_get(i, false) != NULL;
	/* One arena alone is its own sum. */
	if (out->sections.merged &&
	    (ninitialized > 1 || !out->sections.arenas)) {
		stats_printf(out, "Merged arenas stats:\n");
		text_arena(out, MALLCTL_ARENAS_ALL);
	}
	for (unsigned i = 0; out->sections.arenas && i < arenas_count(); i++)
		if (arena_get(i, false) != NULL) {
			stats_printf(out, "arenas[%u]:\n", i);
			text_arena(out, i);
		}
}

void
stats_print_text(struct stats_out *out)
{
	/* What reads the text looks for these two lines. */
	stats_printf(out, "___ Begin jemalloc statistics ___\n");
	if (out->sections.general)
		text_general(out);
	text_totals(out);
	text_arenas(out);
	stats_printf(out, "--- End jemalloc statistics ---\n");
}
