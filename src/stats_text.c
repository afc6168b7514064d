/*
 * stats_text.c - the statistics as text, in jemalloc's sections, titles and
 * column names, and in its order. Rates are per second of the arena's life.
 */
#include <string.h>

#include "arena.h"
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
	char fraction[STATS_FRACTION_MAX];

	if (type == CTL_BOOL)
		stats_printf(out, "%s", value->flag ? "true" : "false");
	else if (type == CTL_STRING)
		stats_printf(out, "\"%s\"", value->text);
	else if (type == CTL_SSIZE || type == CTL_I64)
		stats_printf(out, "%lld", (long long)value->i64);
	else if (type == CTL_FXP)
		stats_printf(out, "\"%s\"",
		    stats_fraction(value->u32, fraction));
	else
		stats_printf(out, "%llu",
		    (unsigned long long)ctl_as_i64(type, value));
}

/* --- general -------------------------------------------------------------- */

/* The control that holds what is in force now, where an option may change. */
static const char *
text_current(const char *option)
{
	static const char *const pairs[][2] = {
		{ "opt.background_thread", "background_thread" },
		{ "opt.dirty_decay_ms", "arenas.dirty_decay_ms" },
		{ "opt.muzzy_decay_ms", "arenas.muzzy_decay_ms" },
		{ "opt.prof_active", "prof.active" },
		{ "opt.prof_thread_active_init", "prof.thread_active_init" },
		{ "opt.lg_prof_sample", "prof.lg_sample" },
	};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (strcmp(option, pairs[i][0]) == 0)
			return pairs[i][1];
	return NULL;
}

/* "  name: value", and what is in force if that may be another. */
static void
text_setting(struct stats_out *out, const char *name,
    const struct ctl_call *call)
{
	const char *current = text_current(name);
	union ctl_value value;
	enum ctl_type type;

	if (ctl_read(call, &type, &value) != 0)
		return;
	stats_printf(out, "  %s: ", name);
	text_value(out, type, &value);
	if (current != NULL && ctl_get(current, &type, &value) == 0) {
		stats_printf(out, " (%s: ", current);
		text_value(out, type, &value);
		stats_printf(out, ")");
	}
	stats_printf(out, "\n");
}

/* One line for each leaf right below prefix. */
static void
text_settings(struct stats_out *out, const char *prefix)
{
	size_t mib[CTL_MAX_DEPTH], depth = CTL_MAX_DEPTH;
	struct ctl_child child = { 0 };
	const struct ctl_node *branch;
	char name[PREFIX_MAX];

	if (ctl_find(prefix, mib, &depth, &branch) != 0)
		return;
	while (ctl_child_next(branch->children, &child)) {
		struct ctl_call call = { .node = child.node, .mib = mib,
		    .miblen = depth + 1 };

		if (child.node->children != NULL)
			continue;
		mib[depth] = child.element;
		fmt_buf(name, sizeof name, "%s.%s", prefix, child.name);
		text_setting(out, name, &call);
	}
}

static void
text_general(struct stats_out *out)
{
	stats_printf(out, "Version: \"%s\"\n", stats_get_text("version"));
	stats_printf(out, "Build-time option settings\n");
	text_settings(out, "config");
	stats_printf(out, "System configuration\n");
	text_settings(out, "system");
	stats_printf(out, "Run-time option settings\n");
	text_settings(out, "opt.malloc_conf");
	text_settings(out, "opt");
	stats_printf(out, "Profiling settings\n");
	text_settings(out, "prof");
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

enum { RATED = 5 };		/* counters that have a rate beside them */

/* The seven counters of the mutex node, whose MIB has depth elements. */
static void
text_mutex_counters(struct stats_out *out, const struct ctl_node *node,
    size_t *mib, size_t depth, uint64_t uptime)
{
	struct ctl_child child = { 0 };

	while (ctl_child_next(node->children, &child)) {
		struct ctl_call call = { .node = child.node, .mib = mib,
		    .miblen = depth + 1 };
		union ctl_value value;
		enum ctl_type type;

		mib[depth] = child.element;
		(void)ctl_read(&call, &type, &value);
		stats_printf(out, child.element <= RATED ? "%16llu" :
		    "%12llu", (unsigned long long)ctl_as_i64(type, &value));
		if (child.element < RATED)
			stats_printf(out, "%8llu", (unsigned long long)
			    text_rate(value.u64, uptime));
	}
	stats_printf(out, "\n");
}

static void
text_mutex(struct stats_out *out, const char *name, uint64_t uptime)
{
	size_t mib[CTL_MAX_DEPTH], depth = CTL_MAX_DEPTH;
	const struct ctl_node *node;

	if (ctl_find(name, mib, &depth, &node) == 0)
		text_mutex_counters(out, node, mib, depth, uptime);
}

/* A row for each mutex below name. */
static void
text_mutexes(struct stats_out *out, const char *name, uint64_t uptime)
{
	size_t mib[CTL_MAX_DEPTH], depth = CTL_MAX_DEPTH;
	struct ctl_child child = { 0 };
	const struct ctl_node *branch;

	if (ctl_find(name, mib, &depth, &branch) != 0)
		return;
	text_mutex_titles(out, "");
	while (ctl_child_next(branch->children, &child)) {
		if (child.node->children == NULL)	/* reset */
			continue;
		mib[depth] = child.element;
		stats_printf(out, "%-21s", child.name);
		text_mutex_counters(out, child.node, mib, depth + 1, uptime);
	}
}

/* --- totals --------------------------------------------------------------- */

static void
text_totals(struct stats_out *out)
{
	stats_printf(out, "Allocated: %llu, active: %llu, metadata: %llu "
	    "(n_thp %llu, edata %llu, rtree %llu), resident: %llu, "
	    "mapped: %llu, retained: %llu, pinned: %llu\n",
	    (unsigned long long)stats_get("stats.allocated"),
	    (unsigned long long)stats_get("stats.active"),
	    (unsigned long long)stats_get("stats.metadata"),
	    (unsigned long long)stats_get("stats.metadata_thp"),
	    (unsigned long long)stats_get("stats.metadata_edata"),
	    (unsigned long long)stats_get("stats.metadata_rtree"),
	    (unsigned long long)stats_get("stats.resident"),
	    (unsigned long long)stats_get("stats.mapped"),
	    (unsigned long long)stats_get("stats.retained"),
	    (unsigned long long)stats_get("stats.pinned"));
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
	if (stats_shows(out, 'x'))
		text_mutexes(out, "stats.mutexes", stats_get(
		    "stats.arenas.%u.uptime", MALLCTL_ARENAS_ALL));
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
	size_t mib[CTL_MAX_DEPTH], depth = CTL_MAX_DEPTH;
	struct ctl_child child = { 0 };
	const struct ctl_node *branch;

	if (ctl_find(prefix, mib, &depth, &branch) != 0)
		return;
	stats_printf(out, "active:%30llu\n", (unsigned long long)
	    (stats_get("%s.pactive", prefix) * os_page));
	while (ctl_child_next(branch->children, &child)) {
		struct ctl_call call = { .node = child.node, .mib = mib,
		    .miblen = depth + 1 };
		union ctl_value value;
		enum ctl_type type;

		mib[depth] = child.element;
		if ((child.node->marks & CTL_MEMORY) == 0 ||
		    ctl_read(&call, &type, &value) != 0)
			continue;
		stats_printf(out, "%s:%*llu\n", child.name,
		    36 - (int)strlen(child.name),
		    (unsigned long long)ctl_as_i64(type, &value));
	}
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
	if (stats_shows(out, 'x')) {
		fmt_buf(mutex, sizeof mutex, "%s.mutex", prefix);
		text_mutex(out, mutex, uptime);
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
	if (stats_shows(out, 'x'))
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
	for (unsigned i = 0; sc_whole_pages(i) < SC_COUNT; i++) {
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
		    (unsigned long long)sc_size(sc_whole_pages(i)), i);
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
	char prefix[PREFIX_MAX], mutexes[PREFIX_MAX];
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
	if (stats_shows(out, 'x')) {
		fmt_buf(mutexes, sizeof mutexes, "%s.mutexes", prefix);
		text_mutexes(out, mutexes, uptime);
	}
	if (stats_shows(out, 'b'))
		text_bins(out, prefix, uptime);
	if (stats_shows(out, 'l'))
		text_large(out, prefix, uptime);
	if (stats_shows(out, 'e'))
		text_extents(out, prefix);
}

static void
text_arenas(struct stats_out *out)
{
	unsigned ninitialized = 0;

	for (unsigned i = 0; i < arenas_count(); i++)
		ninitialized += arena_get(i, false) != NULL;
	/* One arena alone is its own sum. */
	if (stats_shows(out, 'm') &&
	    (ninitialized > 1 || !stats_shows(out, 'a'))) {
		stats_printf(out, "Merged arenas stats:\n");
		text_arena(out, MALLCTL_ARENAS_ALL);
	}
	if (stats_shows(out, 'd') && arena_stats_destroyed(NULL)) {
		stats_printf(out, "Destroyed arenas stats:\n");
		text_arena(out, MALLCTL_ARENAS_DESTROYED);
	}
	for (unsigned i = 0; stats_shows(out, 'a') && i < arenas_count(); i++)
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
	if (stats_shows(out, 'g'))
		text_general(out);
	text_totals(out);
	stats_text_pools(out);
	text_arenas(out);
	stats_printf(out, "--- End jemalloc statistics ---\n");
}
