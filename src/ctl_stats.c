/*
 * ctl_stats.c - mallctl stats.*: nodes for the fields of the snapshot.
 *
 * A node's arg is the offset of its field, in struct ctl_total or, below
 * stats.arenas.<i>, in struct ctl_arena_figures. A new figure is a field in
 * ctl_snapshot.h, filled in ctl_snapshot.c, and a row here; the printed
 * statistics have it by that.
 *
 * Locks: the snapshot's while a field is copied.
 */
#include <errno.h>
#include <stddef.h>

#include "boot.h"
#include "ctl_snapshot.h"
#include "mallctl.h"
#include "conf.h"
#include "os.h"
#include "names.h"

/* --- reading the snapshot ------------------------------------------------- */

static int
ctl_total_at(const struct ctl_call *call, size_t offset, union ctl_value *out)
{
	int error;
	const struct ctl_total *total = ctl_total_acquire(&error);

	return total == NULL ? error : ctl_snapshot_load(call, total, offset,
	    out);
}

static int
ctl_total_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_total_at(call, call->node->arg, out);
}

/* stats.mutexes.<name>.<counter>: mib[2] is the name's place in the table. */
static const size_t ctl_mutex_offsets[9];

static int
ctl_mutex_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_total_at(call, ctl_mutex_offsets[call->mib[2]] +
	    call->node->arg, out);
}

/* stats.arenas.<i>: mib[2] */
static int
ctl_figure_at(const struct ctl_call *call, size_t offset,
    union ctl_value *out)
{
	int error;
	const struct ctl_arena_figures *figures =
	    ctl_figures_acquire(call->mib[2], &error);

	return figures == NULL ? error : ctl_snapshot_load(call, figures,
	    offset, out);
}

static int
ctl_arena_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_figure_at(call, call->node->arg, out);
}

/* Bytes in the snapshot, pages to the reader. */
static int
ctl_arena_pages_read(const struct ctl_call *call, union ctl_value *out)
{
	int error = ctl_figure_at(call, call->node->arg, out);

	if (error == 0)
		out->u64 /= os_page;
	return error;
}

static int
ctl_arena_zero_read(const struct ctl_call *call, union ctl_value *out)
{
	int error;

	if (ctl_figures_acquire(call->mib[2], &error) == NULL)
		return error;
	ctl_snapshot_release();
	out->u64 = 0;
	return 0;
}

/* The text is the snapshot's: it lasts, and the next epoch may change it. */
static int
ctl_arena_name_read(const struct ctl_call *call, union ctl_value *out)
{
	int error;
	const struct ctl_arena_figures *figures =
	    ctl_figures_acquire(call->mib[2], &error);

	if (figures == NULL)
		return error;
	out->text = figures->name;
	ctl_snapshot_release();
	return 0;
}

static int
ctl_arena_dss_read(const struct ctl_call *call, union ctl_value *out)
{
	struct arena *arena = arena_get((unsigned)call->mib[2], false);

	out->text = arena == NULL ? "N/A" :
	    conf_words_dss[pages_dss(&arena->pages)];
	return 0;
}

/* arg: which decay. Of the merged arenas: what new ones get. */
static int
ctl_arena_decay_ms_read(const struct ctl_call *call, union ctl_value *out)
{
	int error;

	if (ctl_figures_acquire(call->mib[2], &error) == NULL)
		return error;
	ctl_snapshot_release();
	if (call->mib[2] == MALLCTL_ARENAS_DESTROYED)
		out->ssize = DECAY_NEVER;
	else
		out->ssize = arena_decay_ms_get(
		    call->mib[2] == MALLCTL_ARENAS_ALL ? ARENA_NONE :
		    (unsigned)call->mib[2],
		    (enum extent_state)call->node->arg);
	return 0;
}

/* stats.arenas.<i>.bins.<j>...: mib[4] */
static int
ctl_bin_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_figure_at(call, call->node->arg +
	    call->mib[4] * sizeof(struct bin_stats), out);
}

static int
ctl_bin_mutex_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_figure_at(call,
	    offsetof(struct ctl_arena_figures, stats.bin_locks) +
	    call->mib[4] * sizeof(struct lock_stats) + call->node->arg, out);
}

static int
ctl_lextent_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_figure_at(call, call->node->arg +
	    call->mib[4] * sizeof(struct arena_large_values), out);
}

static int
ctl_extent_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_figure_at(call, call->node->arg +
	    call->mib[4] * sizeof(struct arena_extent_stats), out);
}

/* stats.arenas.<i>.mutexes.<name>.<counter>: mib[4] is the name's place. */
static const size_t ctl_arena_mutex_offsets[14];

static int
ctl_arena_mutex_read(const struct ctl_call *call, union ctl_value *out)
{
	return ctl_figure_at(call, ctl_arena_mutex_offsets[call->mib[4]] +
	    call->node->arg, out);
}

static bool
ctl_stats_arena_valid(const size_t *mib, size_t index)
{
	return index == MALLCTL_ARENAS_ALL ||
	    index == MALLCTL_ARENAS_DESTROYED ||
	    (boot() == 0 && index < arenas_count() && index < ARENA_MAX);
}

static bool
ctl_stats_bin_valid(const size_t *mib, size_t index)
{
	return index < SC_NSMALL;
}

static bool
ctl_stats_lextent_valid(const size_t *mib, size_t index)
{
	return index < ARENA_NLARGE;
}

static bool
ctl_hpa_valid(const size_t *mib, size_t index)
{
	return index < 64;		/* jemalloc's PSSET_NPSIZES */
}

static bool
ctl_stats_extent_valid(const size_t *mib, size_t index)
{
	return index < SC_COUNT && sc_whole_pages((unsigned)index) < SC_COUNT;
}

static int
ctl_mutexes_reset(const struct ctl_call *call, const union ctl_value *in)
{
	if (boot() != 0)
		return EAGAIN;
	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = arena_get(i, false);

		if (arena != NULL)
			arena_stats_reset_locks(arena);
	}
	ctl_snapshot_reset_lock();
	background_lock_reset();
	if (CONFIG_PROF)
		prof_mutexes_reset();
	return 0;
}

/* Now, without the snapshot: each arena's figure is a moment's of its own. */
static int
ctl_approximate_active(const struct ctl_call *call, union ctl_value *out)
{
	if (boot() != 0)
		return EAGAIN;
	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = arena_get(i, false);

		if (arena != NULL)
			out->size += pages_active(&arena->pages);
	}
	return 0;
}

/* --- the tree ------------------------------------------------------------- */

#define COUNTER(name, kind, reader, field) \
	{ name, .type = kind, .read = reader, \
	    .arg = offsetof(struct lock_stats, field) }
/* The seven of a mutex. */
#define COUNTERS(reader) \
	COUNTER("num_ops", CTL_U64, reader, num_ops), \
	COUNTER("num_wait", CTL_U64, reader, num_wait), \
	COUNTER("num_spin_acq", CTL_U64, reader, num_spin_acq), \
	COUNTER("num_owner_switch", CTL_U64, reader, num_owner_switch), \
	COUNTER("total_wait_time", CTL_U64, reader, total_wait_time), \
	COUNTER("max_wait_time", CTL_U64, reader, max_wait_time), \
	COUNTER("max_num_thds", CTL_U32, reader, max_num_thds)

#define FIELD(name, kind, reader, field) \
	{ name, .type = kind, .read = reader, \
	    .arg = offsetof(struct ctl_arena_figures, field) }
/* Of what Strata has not. */
#define ZERO(name, kind) \
	{ name, .type = kind, .read = ctl_arena_zero_read }
/* In bytes, and in the text's list of them. */
#define MEMORY(name, reader, field) \
	{ name, .type = CTL_SIZE, .read = reader, \
	    .arg = offsetof(struct ctl_arena_figures, field), \
	    .marks = CTL_MEMORY }

static const struct ctl_node ctl_bin_mutex[] = {
	COUNTERS(ctl_bin_mutex_read),
	{ 0 }
};

static const struct ctl_node ctl_bin_stats[] = {
	FIELD("nmalloc", CTL_U64, ctl_bin_read, stats.bins[0].nmalloc),
	FIELD("ndalloc", CTL_U64, ctl_bin_read, stats.bins[0].ndalloc),
	FIELD("nrequests", CTL_U64, ctl_bin_read, stats.bins[0].nrequests),
	FIELD("curregs", CTL_SIZE, ctl_bin_read, stats.bins[0].curregs),
	FIELD("nfills", CTL_U64, ctl_bin_read, stats.bins[0].nfills),
	FIELD("nflushes", CTL_U64, ctl_bin_read, stats.bins[0].nflushes),
	FIELD("nslabs", CTL_U64, ctl_bin_read, stats.bins[0].nslabs),
	FIELD("nreslabs", CTL_U64, ctl_bin_read, stats.bins[0].nreslabs),
	FIELD("curslabs", CTL_SIZE, ctl_bin_read, stats.bins[0].curslabs),
	FIELD("nonfull_slabs", CTL_SIZE, ctl_bin_read,
	    stats.bins[0].nonfull_slabs),
	{ "mutex", .children = ctl_bin_mutex, .letter = 'x' },
	{ 0 }
};

static const struct ctl_node ctl_stats_bins[] = {
	{ .valid = ctl_stats_bin_valid, .children = ctl_bin_stats },
	{ 0 }
};

static const struct ctl_node ctl_lextent_stats[] = {
	FIELD("nmalloc", CTL_U64, ctl_lextent_read, stats.large[0].nmalloc),
	FIELD("ndalloc", CTL_U64, ctl_lextent_read, stats.large[0].ndalloc),
	FIELD("nrequests", CTL_U64, ctl_lextent_read,
	    stats.large[0].nrequests),
	FIELD("curlextents", CTL_SIZE, ctl_lextent_read,
	    stats.large[0].curlextents),
	{ 0 }
};

static const struct ctl_node ctl_stats_lextents[] = {
	{ .valid = ctl_stats_lextent_valid, .children = ctl_lextent_stats },
	{ 0 }
};

static const struct ctl_node ctl_extent_stats[] = {
	FIELD("ndirty", CTL_SIZE, ctl_extent_read, stats.extents[0].ndirty),
	FIELD("nmuzzy", CTL_SIZE, ctl_extent_read, stats.extents[0].nmuzzy),
	FIELD("nretained", CTL_SIZE, ctl_extent_read,
	    stats.extents[0].nretained),
	FIELD("dirty_bytes", CTL_SIZE, ctl_extent_read,
	    stats.extents[0].dirty_bytes),
	FIELD("muzzy_bytes", CTL_SIZE, ctl_extent_read,
	    stats.extents[0].muzzy_bytes),
	FIELD("retained_bytes", CTL_SIZE, ctl_extent_read,
	    stats.extents[0].retained_bytes),
	ZERO("npinned", CTL_SIZE),
	ZERO("pinned_bytes", CTL_SIZE),
	{ 0 }
};

static const struct ctl_node ctl_stats_extents[] = {
	{ .valid = ctl_stats_extent_valid, .children = ctl_extent_stats },
	{ 0 }
};

static const struct ctl_node ctl_small[] = {
	FIELD("allocated", CTL_SIZE, ctl_arena_read, stats.small_allocated),
	FIELD("nmalloc", CTL_U64, ctl_arena_read, stats.small_nmalloc),
	FIELD("ndalloc", CTL_U64, ctl_arena_read, stats.small_ndalloc),
	FIELD("nrequests", CTL_U64, ctl_arena_read, stats.small_nrequests),
	FIELD("nfills", CTL_U64, ctl_arena_read, stats.small_nfills),
	FIELD("nflushes", CTL_U64, ctl_arena_read, stats.small_nflushes),
	{ 0 }
};

static const struct ctl_node ctl_large[] = {
	FIELD("allocated", CTL_SIZE, ctl_arena_read, stats.large_allocated),
	FIELD("nmalloc", CTL_U64, ctl_arena_read, stats.large_nmalloc),
	FIELD("ndalloc", CTL_U64, ctl_arena_read, stats.large_ndalloc),
	FIELD("nrequests", CTL_U64, ctl_arena_read, stats.large_nrequests),
	FIELD("nfills", CTL_U64, ctl_arena_read, stats.large_nfills),
	FIELD("nflushes", CTL_U64, ctl_arena_read, stats.large_nflushes),
	{ 0 }
};

static const struct ctl_node ctl_arena_counters[] = {
	COUNTERS(ctl_arena_mutex_read),
	{ 0 }
};

#define ARENA_MUTEX(name) { name, .children = ctl_arena_counters }
#define ARENA_OFFSET(field) offsetof(struct ctl_arena_figures, field)
#define ARENA_LOCK(field) ARENA_OFFSET(stats.locks.field)

/* The names and, below, where their counters stand: the same order. */
static const struct ctl_node ctl_arena_mutexes[] = {
	ARENA_MUTEX("large"),
	ARENA_MUTEX("extent_avail"),
	ARENA_MUTEX("extents_dirty"),
	ARENA_MUTEX("extents_muzzy"),
	ARENA_MUTEX("extents_retained"),
	ARENA_MUTEX("decay_dirty"),
	ARENA_MUTEX("decay_muzzy"),
	ARENA_MUTEX("base"),
	ARENA_MUTEX("tcache_list"),
	ARENA_MUTEX("hpa_shard"),
	ARENA_MUTEX("hpa_shard_grow"),
	ARENA_MUTEX("hpa_sec"),
	ARENA_MUTEX("grow"),
	ARENA_MUTEX("extents_pinned"),
	{ 0 }
};

static const size_t ctl_arena_mutex_offsets[14] = {
	ARENA_LOCK(large), ARENA_LOCK(extent_avail),
	ARENA_LOCK(extents_dirty), ARENA_LOCK(extents_muzzy),
	ARENA_LOCK(extents_retained), ARENA_LOCK(decay_dirty),
	ARENA_LOCK(decay_muzzy), ARENA_OFFSET(base_lock),
	ARENA_OFFSET(zero), ARENA_OFFSET(zero), ARENA_OFFSET(zero),
	ARENA_OFFSET(zero), ARENA_LOCK(grow), ARENA_OFFSET(zero),
};

static_assert(ARRAY_LEN(ctl_arena_mutexes) ==
    ARRAY_LEN(ctl_arena_mutex_offsets) + 1, "one offset each");

#define DECAYED(prefix, state) \
	FIELD(prefix "_npurge", CTL_U64, ctl_arena_read, \
	    stats.decay[state].npurge), \
	FIELD(prefix "_nmadvise", CTL_U64, ctl_arena_read, \
	    stats.decay[state].nmadvise), \
	FIELD(prefix "_purged", CTL_U64, ctl_arena_pages_read, \
	    stats.decay[state].purged)

static const struct ctl_node ctl_hpa_slabs[] = {
	ZERO("npageslabs_huge", CTL_SIZE),
	ZERO("nactive_huge", CTL_SIZE),
	ZERO("ndirty_huge", CTL_SIZE),
	ZERO("npageslabs_nonhuge", CTL_SIZE),
	ZERO("nactive_nonhuge", CTL_SIZE),
	ZERO("ndirty_nonhuge", CTL_SIZE),
	{ 0 }
};

/* Printed as an empty array: sixty-four rows of zeros tell nothing. */
static const struct ctl_node ctl_hpa_nonfull[] = {
	{ .valid = ctl_hpa_valid, .children = ctl_hpa_slabs,
	    .marks = CTL_HIDDEN },
	{ 0 }
};

/* jemalloc's allocator of huge pages; its names, so that readers find them. */
static const struct ctl_node ctl_hpa_shard[] = {
	ZERO("npurge_passes", CTL_U64),
	ZERO("npurges", CTL_U64),
	ZERO("nhugifies", CTL_U64),
	ZERO("ndehugifies", CTL_U64),
	{ "full_slabs", .children = ctl_hpa_slabs },
	{ "empty_slabs", .children = ctl_hpa_slabs },
	{ "nonfull_slabs", .children = ctl_hpa_nonfull },
	{ 0 }
};

static const struct ctl_node ctl_stats_arena[] = {
	{ "name", .type = CTL_STRING, .read = ctl_arena_name_read },
	FIELD("nthreads", CTL_UNSIGNED, ctl_arena_read, stats.nthreads),
	{ "uptime", .type = CTL_U64, .read = ctl_arena_read,
	    .arg = offsetof(struct ctl_arena_figures, stats.uptime_ns),
	    .json = "uptime_ns" },
	{ "dss", .type = CTL_STRING, .read = ctl_arena_dss_read },
	{ "dirty_decay_ms", .type = CTL_SSIZE,
	    .read = ctl_arena_decay_ms_read, .arg = EXTENT_DIRTY },
	{ "muzzy_decay_ms", .type = CTL_SSIZE,
	    .read = ctl_arena_decay_ms_read, .arg = EXTENT_MUZZY },
	FIELD("pactive", CTL_SIZE, ctl_arena_pages_read, stats.active),
	FIELD("pdirty", CTL_SIZE, ctl_arena_pages_read, stats.dirty),
	FIELD("pmuzzy", CTL_SIZE, ctl_arena_pages_read, stats.muzzy),
	DECAYED("dirty", EXTENT_DIRTY),
	DECAYED("muzzy", EXTENT_MUZZY),
	MEMORY("mapped", ctl_arena_read, stats.mapped),
	MEMORY("retained", ctl_arena_read, stats.retained),
	MEMORY("pinned", ctl_arena_zero_read, zero),
	MEMORY("base", ctl_arena_read, base),
	MEMORY("internal", ctl_arena_read, internal),
	MEMORY("metadata_edata", ctl_arena_read, stats.extent_bytes),
	MEMORY("metadata_rtree", ctl_arena_read, metadata_rtree),
	MEMORY("metadata_thp", ctl_arena_read, metadata_thp),
	MEMORY("tcache_bytes", ctl_arena_read, tcache_bytes),
	MEMORY("tcache_stashed_bytes", ctl_arena_zero_read, zero),
	MEMORY("resident", ctl_arena_read, resident),
	MEMORY("abandoned_vm", ctl_arena_zero_read, zero),
	MEMORY("extent_avail", ctl_arena_read, stats.extent_avail),
	{ "hpa_sec_bytes", .type = CTL_SIZE, .read = ctl_arena_zero_read,
	    .json = "sec_bytes", .letter = 'h' },
	{ "small", .children = ctl_small },
	{ "large", .children = ctl_large },
	{ "mutexes", .children = ctl_arena_mutexes, .letter = 'x' },
	{ "bins", .children = ctl_stats_bins, .letter = 'b' },
	{ "lextents", .children = ctl_stats_lextents, .letter = 'l' },
	{ "extents", .children = ctl_stats_extents, .letter = 'e' },
	{ "hpa_shard", .children = ctl_hpa_shard, .letter = 'h' },
	{ 0 }
};

static const struct ctl_node ctl_stats_arenas[] = {
	{ .valid = ctl_stats_arena_valid, .children = ctl_stats_arena },
	{ 0 }
};

static const struct ctl_node ctl_counters[] = {
	COUNTERS(ctl_mutex_read),
	{ 0 }
};

#define MUTEX(name) { name, .children = ctl_counters }

static const struct ctl_node ctl_mutexes[] = {
	MUTEX("background_thread"),
	MUTEX("max_per_bg_thd"),
	MUTEX("ctl"),
	MUTEX("prof"),
	MUTEX("prof_thds_data"),
	MUTEX("prof_dump"),
	MUTEX("prof_recent_alloc"),
	MUTEX("prof_recent_dump"),
	MUTEX("prof_stats"),
	{ "reset", .type = CTL_ACTION, .write = ctl_mutexes_reset },
	{ 0 }
};

#define TOTAL_OFFSET(field) offsetof(struct ctl_total, field)

static const size_t ctl_mutex_offsets[9] = {
	TOTAL_OFFSET(background_thread),
	TOTAL_OFFSET(zero),	/* purging threads have no lock of their own */
	TOTAL_OFFSET(ctl),
	TOTAL_OFFSET(prof[PROF_MUTEX_PROF]),
	TOTAL_OFFSET(prof[PROF_MUTEX_THDS_DATA]),
	TOTAL_OFFSET(prof[PROF_MUTEX_DUMP]),
	TOTAL_OFFSET(prof[PROF_MUTEX_RECENT_ALLOC]),
	TOTAL_OFFSET(zero),
	TOTAL_OFFSET(zero),
};

static_assert(ARRAY_LEN(ctl_mutexes) == ARRAY_LEN(ctl_mutex_offsets) + 2,
    "one offset each");

#define MARKED_TOTAL(name, kind, field, mark) \
	{ name, .type = kind, .read = ctl_total_read, \
	    .arg = offsetof(struct ctl_total, field), .marks = mark }
#define TOTAL(name, kind, field) MARKED_TOTAL(name, kind, field, 0)
/* jemalloc has none of that name. */
#define OWN_TOTAL(name, kind, field) \
	MARKED_TOTAL(name, kind, field, CTL_STRATA)

static const struct ctl_node ctl_background[] = {
	TOTAL("num_threads", CTL_SIZE, background.num_threads),
	TOTAL("num_runs", CTL_U64, background.num_runs),
	TOTAL("run_interval", CTL_U64, background.run_interval),
	{ 0 }
};

const struct ctl_node ctl_stats[] = {
	TOTAL("allocated", CTL_SIZE, allocated),
	TOTAL("active", CTL_SIZE, active),
	TOTAL("metadata", CTL_SIZE, metadata),
	TOTAL("metadata_edata", CTL_SIZE, metadata_edata),
	TOTAL("metadata_rtree", CTL_SIZE, metadata_rtree),
	TOTAL("metadata_thp", CTL_SIZE, metadata_thp),
	TOTAL("resident", CTL_SIZE, resident),
	TOTAL("mapped", CTL_SIZE, mapped),
	TOTAL("retained", CTL_SIZE, retained),
	TOTAL("pinned", CTL_SIZE, zero),
	TOTAL("zero_reallocs", CTL_SIZE, zero_reallocs),
	OWN_TOTAL("live", CTL_SIZE, live),
	OWN_TOTAL("tcache_bytes", CTL_SIZE, tcache_bytes),
	OWN_TOTAL("foreign_handed", CTL_SIZE, foreign_handed),
	OWN_TOTAL("foreign_leaked", CTL_SIZE, foreign_leaked),
	{ "background_thread", .children = ctl_background },
	{ "mutexes", .children = ctl_mutexes, .letter = 'x' },
	{ "arenas", .children = ctl_stats_arenas, .marks = CTL_APART },
	{ 0 }
};

const struct ctl_node ctl_approximate_stats[] = {
	{ "active", .type = CTL_SIZE, .read = ctl_approximate_active },
	{ 0 }
};
