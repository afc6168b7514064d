/*
 * statsview_metrics.c - statistics for Prometheus: OpenMetrics, and the text
 * format that node-exporter's textfile collector reads.
 *
 *   # TYPE strata_arena_purges counter        (OpenMetrics: the family)
 *   # HELP strata_arena_purges Passes that ...
 *   strata_arena_purges_total{arena="0",kind="dirty"} 12
 *   # EOF                                     (OpenMetrics alone)
 *
 * The older format has the sample's name, with _total, in TYPE and HELP, and
 * neither UNIT nor EOF.
 *
 * The number of series is bounded: per arena a fixed few; size classes and
 * locks of one arena, or of all of them together, and only those in use.
 */
#include <inttypes.h>
#include <string.h>

#include "statsview.h"

enum { LABELS = 512 };

/* The --label options, then what a sample has; "" or "{a="b",c="d"}". */
struct metrics {
	const struct statsview *view;
	FILE *out;
	bool strict;
	char common[LABELS];		/* a="b",c="d" without braces */
	const char *family;		/* without _total */
	bool is_counter;
};

static void
family(struct metrics *m, const char *name, bool is_counter,
    const char *unit, const char *help)
{
	const char *total = is_counter && !m->strict ? "_total" : "";

	m->family = name;
	m->is_counter = is_counter;
	fprintf(m->out, "# TYPE strata_%s%s %s\n", name, total,
	    is_counter ? "counter" : "gauge");
	if (unit != NULL && m->strict)
		fprintf(m->out, "# UNIT strata_%s %s\n", name, unit);
	fprintf(m->out, "# HELP strata_%s%s %s\n", name, total, help);
}

/* labels: more of them, without braces; "" none. */
static void
sample_name(const struct metrics *m, const char *labels)
{
	bool both = m->common[0] != '\0' && *labels != '\0';

	fprintf(m->out, "strata_%s%s", m->family, m->is_counter ? "_total" :
	    "");
	if (m->common[0] != '\0' || *labels != '\0')
		fprintf(m->out, "{%s%s%s}", m->common, both ? "," : "",
		    labels);
}

static void
sample(const struct metrics *m, const char *labels, uint64_t value)
{
	sample_name(m, labels);
	fprintf(m->out, " %" PRIu64 "\n", value);
}

static void
sample_seconds(const struct metrics *m, const char *labels, uint64_t ns)
{
	sample_name(m, labels);
	fprintf(m->out, " %" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000,
	    ns % 1000000000);
}

/* --- the process --------------------------------------------------------- */

static void
gauge(struct metrics *m, const char *name, const char *help, uint64_t bytes)
{
	family(m, name, false, "bytes", help);
	sample(m, "", bytes);
}

/* A label's value, escaped as both formats want it. */
static void
append_escaped(char *out, size_t size, const char *text)
{
	size_t n = strlen(out);

	for (; *text != '\0' && n + 3 < size; text++) {
		if (*text == '\\' || *text == '"' || *text == '\n')
			out[n++] = '\\';
		out[n++] = *text == '\n' ? 'n' : *text;
	}
	out[n] = '\0';
}

static void
put_build(struct metrics *m)
{
	const struct statsfile *file = m->view->last;
	char labels[LABELS] = "version=\"";
	size_t n;

	append_escaped(labels, sizeof labels - 64, file->version);
	n = strlen(labels);
	snprintf(labels + n, sizeof labels - n, "\",allocator=\"%s\"",
	    statsview_writer(file));
	/* OpenMetrics has a type for it, whose family lacks the suffix. */
	fprintf(m->out, "# TYPE strata_build%s %s\n# HELP strata_build%s "
	    "The allocator that wrote the statistics.\n", m->strict ? "" :
	    "_info", m->strict ? "info" : "gauge", m->strict ? "" : "_info");
	m->family = "build_info";
	sample(m, labels, 1);
	if (file->uptime_ns == 0)
		return;
	family(m, "uptime_seconds", false, "seconds",
	    "Age of the oldest arena.");
	sample_seconds(m, "", file->uptime_ns);
}

static void
put_totals(struct metrics *m)
{
	const struct statsfile *f = m->view->last;

	gauge(m, "allocated_bytes",
	    "Handed out, with what the threads' caches hold.", f->allocated);
	gauge(m, "active_bytes", "Pages that hold some of it.", f->active);
	gauge(m, "resident_bytes", "In memory, by the allocator's count.",
	    f->resident);
	gauge(m, "mapped_bytes", "Address space in use.", f->mapped);
	gauge(m, "retained_bytes",
	    "Address space kept without memory behind it.", f->retained);
	gauge(m, "metadata_bytes", "The allocator's own memory.",
	    f->metadata);
	if (f->is_strata)
		gauge(m, "live_bytes", "In use by the program.", f->live);
	family(m, "background_threads", false, NULL,
	    "Threads that purge in the background.");
	sample(m, "", f->background_threads);
	family(m, "background_runs", true, NULL,
	    "Passes of the background threads.");
	sample(m, "", f->background_runs);
	if (!f->is_strata)
		return;
	family(m, "profiler_samples", false, NULL,
	    "Sampled objects that are live.");
	sample(m, "", f->prof.samples);
	family(m, "profiler_dropped_bytes", true, "bytes",
	    "Bytes that the profiler did not account for.");
	sample(m, "", f->prof.dropped_bytes);
	gauge(m, "profiler_memory_bytes", "The profiler's own memory.",
	    f->prof.memory);
}

/* --- arenas -------------------------------------------------------------- */

struct arena_metric {
	const char *name, *unit, *help;
	bool is_counter, is_pages;
	size_t offset;			/* of a count in the arena */
	const char *label;		/* one more, or NULL */
};

#define ARENA(member) offsetof(struct statsfile_arena, member)

/* Rows of one name are neighbours: they are one family. */
static const struct arena_metric arena_metrics[] = {
	{ "arena_threads", NULL, "Threads that allocate from it.", false,
	    false, ARENA(nthreads), NULL },
	{ "arena_allocated_bytes", "bytes", "Handed out, by kind.", false,
	    false, ARENA(small.allocated), "kind=\"small\"" },
	{ "arena_allocated_bytes", "bytes", "", false, false,
	    ARENA(large.allocated), "kind=\"large\"" },
	{ "arena_active_bytes", "bytes", "Pages in use.", false, true,
	    ARENA(pactive), NULL },
	{ "arena_unused_bytes", "bytes",
	    "Unused pages that were not yet, or lazily, given back.", false,
	    true, ARENA(dirty.npages), "kind=\"dirty\"" },
	{ "arena_unused_bytes", "bytes", "", false, true,
	    ARENA(muzzy.npages), "kind=\"muzzy\"" },
	{ "arena_mapped_bytes", "bytes", "Address space in use.", false,
	    false, ARENA(mapped), NULL },
	{ "arena_retained_bytes", "bytes",
	    "Address space kept without memory behind it.", false, false,
	    ARENA(retained), NULL },
	{ "arena_resident_bytes", "bytes",
	    "In memory, by the allocator's count.", false, false,
	    ARENA(resident), NULL },
	{ "arena_tcache_bytes", "bytes", "Free, in the threads' caches.",
	    false, false, ARENA(tcache_bytes), NULL },
	{ "arena_requests", NULL, "Allocations by the program.", true,
	    false, ARENA(small.nrequests), "kind=\"small\"" },
	{ "arena_requests", NULL, "", true, false, ARENA(large.nrequests),
	    "kind=\"large\"" },
	{ "arena_allocations", NULL, "Allocations that the arena served.",
	    true, false, ARENA(small.nmalloc), "kind=\"small\"" },
	{ "arena_allocations", NULL, "", true, false, ARENA(large.nmalloc),
	    "kind=\"large\"" },
	{ "arena_frees", NULL, "Frees that the arena served.", true, false,
	    ARENA(small.ndalloc), "kind=\"small\"" },
	{ "arena_frees", NULL, "", true, false, ARENA(large.ndalloc),
	    "kind=\"large\"" },
	{ "arena_purges", NULL, "Passes that gave unused pages back.", true,
	    false, ARENA(dirty.npurge), "kind=\"dirty\"" },
	{ "arena_purges", NULL, "", true, false, ARENA(muzzy.npurge),
	    "kind=\"muzzy\"" },
	{ "arena_madvise_calls", NULL, "Calls of madvise by these.", true,
	    false, ARENA(dirty.nmadvise), "kind=\"dirty\"" },
	{ "arena_madvise_calls", NULL, "", true, false,
	    ARENA(muzzy.nmadvise), "kind=\"muzzy\"" },
	{ "arena_purged_bytes", "bytes", "Pages given back.", true, true,
	    ARENA(dirty.purged), "kind=\"dirty\"" },
	{ "arena_purged_bytes", "bytes", "", true, true,
	    ARENA(muzzy.purged), "kind=\"muzzy\"" },
};

static void
put_arena(struct metrics *m, const struct arena_metric *metric,
    const char *name, const struct statsfile_arena *arena)
{
	uint64_t value = *(const uint64_t *)((const char *)arena +
	    metric->offset);
	char labels[64];

	snprintf(labels, sizeof labels, "arena=\"%s\"%s%s", name,
	    metric->label != NULL ? "," : "",
	    metric->label != NULL ? metric->label : "");
	sample(m, labels, metric->is_pages ?
	    statsfile_pages(m->view->last, value) : value);
}

/* Destroyed arenas go on counting, so that sums of counters never fall. */
static void
put_arenas(struct metrics *m)
{
	const struct statsfile *file = m->view->last;
	size_t n = sizeof arena_metrics / sizeof arena_metrics[0];
	const char *last = "";

	for (size_t i = 0; i < n && file->n > 0; i++) {
		const struct arena_metric *metric = &arena_metrics[i];
		char name[24];

		if (strcmp(last, metric->name) != 0)
			family(m, metric->name, metric->is_counter,
			    metric->unit, metric->help);
		last = metric->name;
		for (size_t k = 0; k < file->n; k++) {
			snprintf(name, sizeof name, "%u",
			    file->arenas[k].index);
			put_arena(m, metric, name, &file->arenas[k]);
		}
		if (file->has_destroyed)
			put_arena(m, metric, "destroyed", &file->destroyed);
	}
}

/* --- size classes and locks ---------------------------------------------- */

/* `arena="3",` if one was asked for; then more. */
static void
arena_label(const struct metrics *m, char *out, size_t size,
    const char *format, const char *value)
{
	const char *arena = m->view->arena;
	size_t n = 0;

	out[0] = '\0';
	if (arena != NULL)
		n = (size_t)snprintf(out, size, "arena=\"%s\",", arena);
	snprintf(out + n, size - n, "%s=\"%s\"", format, value);
}

static void
size_label(const struct metrics *m, char *out, size_t size, uint64_t bytes)
{
	char text[24];

	snprintf(text, sizeof text, "%" PRIu64, bytes);
	arena_label(m, out, size, "size", text);
}

static void
put_bins(struct metrics *m)
{
	static const struct {
		const char *name, *help;
		bool is_counter, is_wait;
		size_t offset;
	} columns[] = {
		{ "bin_regions", "Regions in use.", false, false,
		    offsetof(struct statsfile_bin, curregs) },
		{ "bin_slabs", "Slabs in use.", false, false,
		    offsetof(struct statsfile_bin, curslabs) },
		{ "bin_requests", "Allocations by the program.", true, false,
		    offsetof(struct statsfile_bin, nrequests) },
		{ "bin_allocations", "Regions given out by the bin.", true,
		    false, offsetof(struct statsfile_bin, nmalloc) },
		{ "bin_fills", "Fills of a thread's cache.", true, false,
		    offsetof(struct statsfile_bin, nfills) },
		{ "bin_flushes", "Flushes of a thread's cache.", true, false,
		    offsetof(struct statsfile_bin, nflushes) },
		{ "bin_lock_waits", "Waits for the bin's lock.", true, true,
		    offsetof(struct statsfile_bin, lock.num_wait) },
	};
	const struct statsfile_arena *arena = m->view->now;
	char labels[96];

	for (size_t c = 0; c < sizeof columns / sizeof columns[0] &&
	    arena->nbins > 0; c++) {
		if (columns[c].is_wait && !statsview_has_waits(m->view->last))
			continue;
		family(m, columns[c].name, columns[c].is_counter, NULL,
		    columns[c].help);
		for (size_t i = 0; i < arena->nbins; i++) {
			const struct statsfile_bin *bin = &arena->bins[i];
			uint64_t size = statsview_bin_size(m->view->last, i);

			if (size == 0 || (bin->nmalloc == 0 &&
			    bin->nrequests == 0))
				continue;
			size_label(m, labels, sizeof labels, size);
			sample(m, labels, *(const uint64_t *)
			    ((const char *)bin + columns[c].offset));
		}
	}
}

static void
put_large(struct metrics *m)
{
	const struct statsfile_arena *arena = m->view->now;
	char labels[96];

	if (arena->nlextents == 0)
		return;
	family(m, "large_extents", false, NULL, "Large objects in use.");
	for (size_t i = 0; i < arena->nlextents; i++) {
		uint64_t size = statsview_large_size(m->view->last, i);

		if (size == 0 || (arena->lextents[i].curlextents == 0 &&
		    arena->lextents[i].nmalloc == 0))
			continue;
		size_label(m, labels, sizeof labels, size);
		sample(m, labels, arena->lextents[i].curlextents);
	}
}

enum lock_figure { LOCK_OPS, LOCK_WAITS, LOCK_SECONDS };

static void
put_lock(struct metrics *m, const char *labels,
    const struct statsfile_lock *lock, enum lock_figure figure)
{
	if (figure == LOCK_SECONDS)
		sample_seconds(m, labels, lock->total_wait_time_ns);
	else
		sample(m, labels, figure == LOCK_OPS ? lock->num_ops :
		    lock->num_wait);
}

/* The locks of the process and those of arenas differ in name. */
static void
put_locks_of(struct metrics *m, const struct statsfile_mutexes *mutexes,
    bool of_arena, enum lock_figure figure)
{
	for (size_t i = 0; i < mutexes->n; i++) {
		const struct statsfile_mutex *mutex = &mutexes->items[i];
		char labels[96], name[2 * STATSFILE_NAME] = "";

		if (mutex->lock.num_ops == 0)
			continue;
		append_escaped(name, sizeof name, mutex->name);
		if (of_arena)
			arena_label(m, labels, sizeof labels, "mutex", name);
		else
			snprintf(labels, sizeof labels, "mutex=\"%s\"", name);
		put_lock(m, labels, &mutex->lock, figure);
	}
}

static void
put_locks(struct metrics *m)
{
	static const struct {
		const char *name, *unit, *help;
	} families[] = {
		{ "mutex_operations", NULL, "Times the lock was taken." },
		{ "mutex_waits", NULL, "Times a thread slept for it." },
		{ "mutex_wait_seconds", "seconds", "Time slept for it." },
	};

	for (int figure = LOCK_OPS; figure <= LOCK_SECONDS &&
	    m->view->last->has_mutexes; figure++) {
		if (figure != LOCK_OPS &&
		    !statsview_has_waits(m->view->last))
			break;
		family(m, families[figure].name, true, families[figure].unit,
		    families[figure].help);
		put_locks_of(m, &m->view->last->mutexes, false,
		    (enum lock_figure)figure);
		put_locks_of(m, &m->view->now->mutexes, true,
		    (enum lock_figure)figure);
	}
}

/* --- pools --------------------------------------------------------------- */

struct pool_metric {
	const char *name, *unit, *help;
	bool is_counter, is_ns;
	size_t offset;
};

#define POOL(member) offsetof(struct statsfile_pool, member)

static const struct pool_metric pool_metrics[] = {
	{ "pool_generation", NULL, "Number of the current generation.",
	    false, false, POOL(generation) },
	{ "pool_generations_live", NULL,
	    "Generations that hold pages, by arena.", false, false,
	    POOL(generations_live) },
	{ "pool_generations_retired", NULL,
	    "Of these, all but the current one.", false, false,
	    POOL(generations_retired) },
	{ "pool_rotations", NULL, "Rotations since the pool was created.",
	    true, false, POOL(rotations) },
	{ "pool_rotation_age_seconds", "seconds",
	    "Time since the last rotation.", false, true,
	    POOL(rotation_age_ns) },
	{ "pool_survivors_bytes", "bytes", "Allocated in retired arenas.",
	    false, false, POOL(survivors) },
};

#define POOL_ARENA(member) offsetof(struct statsfile_pool_arena, member)

static const struct pool_metric pool_arena_metrics[] = {
	{ "pool_arena_generation", NULL,
	    "The generation that began in the arena last.", false, false,
	    POOL_ARENA(generation) },
	{ "pool_arena_allocated_bytes", "bytes",
	    "Handed out, with what the threads' caches hold.", false, false,
	    POOL_ARENA(allocated) },
	{ "pool_arena_active_bytes", "bytes", "Pages that hold some of it.",
	    false, false, POOL_ARENA(active) },
	{ "pool_arena_resident_bytes", "bytes",
	    "In memory, by the allocator's count.", false, false,
	    POOL_ARENA(resident) },
	{ "pool_arena_releases", NULL,
	    "Times it came to hold nothing while retired.", true, false,
	    POOL_ARENA(releases) },
	{ "pool_arena_released_bytes", "bytes",
	    "Given back while retired.", true, false, POOL_ARENA(released) },
};

static void
put_pool_sample(struct metrics *m, const struct pool_metric *metric,
    const char *labels, const void *of)
{
	uint64_t value = *(const uint64_t *)((const char *)of +
	    metric->offset);

	if (metric->is_ns)
		sample_seconds(m, labels, value);
	else
		sample(m, labels, value);
}

static void
put_pool(struct metrics *m, const struct pool_metric *metric)
{
	const struct statsfile *file = m->view->last;
	char labels[32];

	family(m, metric->name, metric->is_counter, metric->unit,
	    metric->help);
	for (size_t i = 0; i < file->npools; i++) {
		snprintf(labels, sizeof labels, "pool=\"%u\"",
		    file->pools[i].number);
		put_pool_sample(m, metric, labels, &file->pools[i]);
	}
}

static void
put_pool_arenas_of(struct metrics *m, const struct pool_metric *metric,
    const struct statsfile_pool *pool)
{
	char labels[64];

	for (size_t k = 0; k < pool->narenas_read; k++) {
		snprintf(labels, sizeof labels, "pool=\"%u\",arena=\"%" PRIu64
		    "\"", pool->number, pool->arenas[k].index);
		put_pool_sample(m, metric, labels, &pool->arenas[k]);
	}
}

static void
put_pools(struct metrics *m)
{
	const struct statsfile *file = m->view->last;
	size_t n = sizeof pool_metrics / sizeof pool_metrics[0];
	size_t narena = sizeof pool_arena_metrics /
	    sizeof pool_arena_metrics[0];

	if (file->npools == 0)
		return;
	for (size_t i = 0; i < n; i++)
		put_pool(m, &pool_metrics[i]);
	for (size_t i = 0; i < narena; i++) {
		const struct pool_metric *metric = &pool_arena_metrics[i];

		family(m, metric->name, metric->is_counter, metric->unit,
		    metric->help);
		for (size_t k = 0; k < file->npools; k++)
			put_pool_arenas_of(m, metric, &file->pools[k]);
	}
}

/* --- all ----------------------------------------------------------------- */

/* Adds "name=value" to the common labels. */
static void
add_label(struct metrics *m, const char *label)
{
	size_t n = strlen(m->common), name = strcspn(label, "=");

	snprintf(m->common + n, sizeof m->common - n, "%s%.*s=\"",
	    n > 0 ? "," : "", (int)name, label);
	append_escaped(m->common, sizeof m->common - 2, label + name + 1);
	n = strlen(m->common);
	snprintf(m->common + n, sizeof m->common - n, "\"");
}

void
statsview_metrics(const struct statsview *view, bool strict)
{
	struct metrics m = { .view = view, .out = view->out,
	    .strict = strict };
	const char *label;

	for (size_t i = 0; (label = cli_next_value(view->args, "label",
	    &i)) != NULL;)
		add_label(&m, label);
	put_build(&m);
	put_totals(&m);
	put_arenas(&m);
	put_pools(&m);
	put_bins(&m);
	put_large(&m);
	put_locks(&m);
	if (strict)
		fputs("# EOF\n", m.out);
}
