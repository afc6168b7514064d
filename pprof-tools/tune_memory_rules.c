/*
 * tune_memory_rules.c - rules about memory given back too soon, or not.
 */
#include <string.h>

#include "tune.h"
#include "units.h"
#include "xalloc.h"

static double
pages_bytes(const struct tune_input *in, uint64_t pages)
{
	return (double)statsfile_pages(in->file, pages);
}

/* --- purged and used again ------------------------------------------------ */

enum {
	DECAY_DEFAULT_MS = 10000,
	DECAY_FACTOR = 4,
	/* Purged this often, a page of the address space was in use between. */
	PURGE_TURNOVER = 2,
};

/* jemalloc's arena for blocks of oversize_threshold and more. */
static bool
oversize_purges(const struct tune_input *in)
{
	double huge = 0;

	if (in->file->is_strata ||
	    tune_option(in, "oversize_threshold", 0) == 0 ||
	    in->file->dirty_decay_ms == 0)
		return false;
	for (size_t i = 0; i < in->narenas; i++)
		if (in->arenas[i].nthreads == 0 &&
		    in->arenas[i].dirty.decay_ms == 0)
			huge += (double)in->arenas[i].dirty.purged;
	return huge >= 0.5 * (double)in->merged.dirty.purged;
}

static void
purge_figures(const struct tune_input *in, struct tune_finding *finding)
{
	const struct statsfile *file = in->file;
	const struct statsfile_lock *lock = statsfile_lock(
	    &in->merged.mutexes, "decay_dirty");
	double purged = (double)in->merged.dirty.purged;

	tune_figure(finding, "pages purged", purged / in->seconds,
	    TUNE_PER_SECOND, "stats.arenas.merged.dirty_purged");
	tune_figure(finding, "in calls of madvise",
	    (double)in->merged.dirty.nmadvise / in->seconds, TUNE_PER_SECOND,
	    "stats.arenas.merged.dirty_nmadvise");
	tune_figure(finding, "times the whole address space", purged *
	    (double)file->page / (double)(file->mapped + file->retained + 1),
	    "times", "stats.{mapped,retained}");
	tune_figure(finding, "dirty pages stay", (double)file->dirty_decay_ms *
	    1e6, "nanoseconds", "arenas.dirty_decay_ms");
	if (lock != NULL && lock->num_wait > 0)
		tune_figure(finding, "asleep at decay_dirty",
		    (double)lock->total_wait_time_ns, "nanoseconds",
		    "stats.arenas.merged.mutexes.decay_dirty."
		    "total_wait_time");
}

static bool
judge_purge(const struct tune_input *in, struct tune_finding *finding)
{
	const struct statsfile *file = in->file;
	double purged = (double)in->merged.dirty.purged;
	double ms = (double)file->dirty_decay_ms;
	struct unit a;

	if (purged * (double)file->page < PURGE_TURNOVER *
	    (double)(file->mapped + file->retained) ||
	    !tune_worth(in, purged * TUNE_PAGE_NS, finding))
		return false;
	finding->title = xstrdup("pages are given back and faulted in again");
	finding->confidence = TUNE_SURE;
	purge_figures(in, finding);
	if (oversize_purges(in))
		tune_setting(finding, "oversize_threshold", "0");
	else
		tune_setting(finding, "dirty_decay_ms", "%.0f",
		    ms < DECAY_DEFAULT_MS ? DECAY_DEFAULT_MS :
		    ms * DECAY_FACTOR);
	finding->effect = xasprintf("fewer calls of madvise and fewer page "
	    "faults: up to %s of one processor less", unit_percent(&a,
	    finding->gain_cpu));
	finding->price_bytes = (double)file->retained;
	finding->price = xasprintf("at most %s more: what was given back "
	    "stays until then", unit_bytes(&a, finding->price_bytes));
	return true;
}

/* --- kept ----------------------------------------------------------------- */

static void
kept_figures(const struct tune_input *in, double dirty,
    struct tune_finding *finding)
{
	tune_figure(finding, "dirty", dirty, "bytes",
	    "stats.arenas.merged.pdirty");
	tune_figure(finding, "resident", (double)in->file->resident, "bytes",
	    "stats.resident");
	tune_figure(finding, "pages purged", (double)in->merged.dirty.purged,
	    "count", "stats.arenas.merged.dirty_purged");
	finding->effect = xasprintf("resident falls by up to %s",
	    unit_bytes(&(struct unit){ 0 }, dirty));
}

static bool
judge_never_purged(const struct tune_input *in, struct tune_finding *finding)
{
	double dirty = pages_bytes(in, in->file->merged.dirty.npages);

	if (in->file->dirty_decay_ms >= 0 || !tune_worth_bytes(dirty,
	    (double)in->file->resident, finding))
		return false;
	finding->title = xstrdup("memory that is free is never given back");
	finding->confidence = TUNE_SURE;
	kept_figures(in, dirty, finding);
	tune_setting(finding, "dirty_decay_ms", "%d", DECAY_DEFAULT_MS);
	finding->price = xstrdup("none; pages are faulted in again if they "
	    "are needed after 10 s");
	return true;
}

/* As many dirty pages as when the stretch began, though all were due. */
static bool
judge_idle(const struct tune_input *in, struct tune_finding *finding)
{
	const struct statsfile *file = in->file;
	double now = pages_bytes(in, file->merged.dirty.npages), then, dirty;
	double ms = (double)file->dirty_decay_ms;

	if (in->before == NULL || ms <= 0 || in->seconds * 1e3 < 1.5 * ms ||
	    file->background_threads > 0)
		return false;
	then = (double)statsfile_pages(in->before,
	    in->before->merged.dirty.npages);
	dirty = now < then ? now : then;
	if (in->merged.dirty.purged > 0 ||
	    !tune_worth_bytes(dirty, (double)file->resident, finding))
		return false;
	finding->title = xstrdup("memory that is free stays, since no thread "
	    "allocates and so none gives it back");
	finding->confidence = TUNE_SURE;
	kept_figures(in, dirty, finding);
	tune_figure(finding, "they should stay", ms * 1e6, "nanoseconds",
	    "arenas.dirty_decay_ms");
	tune_figure(finding, "for this long none went", in->seconds * 1e9,
	    "nanoseconds", "stats.arenas.merged.uptime_ns");
	tune_setting(finding, "background_thread", "true");
	finding->price = xstrdup("one to four threads, which sleep but for a "
	    "pass each now and then");
	return true;
}

/* --- in caches ------------------------------------------------------------ */

/* jemalloc's tcache_max; above it lies most of what Strata may keep. */
enum { TCACHE_MAX_SMALL = 32 << 10 };

static bool
judge_cached(const struct tune_input *in, struct tune_finding *finding)
{
	const struct statsfile *file = in->file;
	double cached = (double)file->merged.tcache_bytes, max, bytes;
	struct unit a;

	if (in->threads < 1 || !tune_worth_bytes(cached,
	    (double)file->allocated, finding))
		return false;
	max = file->tcache_max > TCACHE_MAX_SMALL ? TCACHE_MAX_SMALL :
	    (double)file->tcache_max / 4;
	bytes = (double)in->merged.large.nflushes;
	finding->title = xasprintf("%s threads keep %s free in their caches",
	    unit_count(&(struct unit){ 0 }, in->threads),
	    unit_bytes(&a, cached));
	finding->confidence = TUNE_LIKELY;
	tune_figure(finding, "in caches", cached, "bytes",
	    "stats.arenas.merged.tcache_bytes");
	tune_figure(finding, "a thread", cached / in->threads, "bytes",
	    "stats.arenas.merged.{tcache_bytes,nthreads}");
	tune_figure(finding, "allocated, these included",
	    (double)file->allocated, "bytes", "stats.allocated");
	tune_figure(finding, "cached up to", (double)file->tcache_max,
	    "bytes", "arenas.tcache_max");
	tune_figure(finding, "flushes of large sizes", bytes, "count",
	    "stats.arenas.merged.large.nflushes");
	tune_setting_tcache_max(in, finding, max);
	finding->effect = xasprintf("resident falls by up to %s",
	    unit_bytes(&a, cached));
	finding->price = xasprintf("none; blocks above %s come from the arena "
	    "each time, which costs about a tenth of a microsecond",
	    unit_bytes(&a, max));
	return true;
}

/* --- spread thin ---------------------------------------------------------- */

struct thin {
	double free_bytes;		/* in slabs, of all sizes */
	double worst_bytes;
	size_t worst;
};

static void
find_thin(const struct tune_input *in, struct thin *thin)
{
	const struct statsfile_arena *now = &in->file->merged;

	memset(thin, 0, sizeof *thin);
	for (size_t i = 0; i < now->nbins && i < in->file->nbins; i++) {
		const struct statsfile_bin_info *info = &in->file->bins[i];
		double used = (double)now->bins[i].curregs *
		    (double)info->size;
		double all = (double)now->bins[i].curslabs *
		    (double)info->slab_size;

		thin->free_bytes += all - used;
		if (all - used > thin->worst_bytes) {
			thin->worst_bytes = all - used;
			thin->worst = i;
		}
	}
}

static void
thin_figures(const struct tune_input *in, const struct thin *thin,
    struct tune_finding *finding)
{
	const struct statsfile_bin_info *info =
	    &in->file->bins[thin->worst];
	const struct statsfile_bin *bin =
	    &in->file->merged.bins[thin->worst];
	unsigned i = (unsigned)thin->worst;

	tune_figure(finding, "free in slabs", thin->free_bytes, "bytes",
	    "stats.arenas.merged.bins[].{curslabs,curregs}");
	tune_figure(finding, "active", (double)in->file->active, "bytes",
	    "stats.active");
	tune_figure(finding, "most at size", (double)info->size, "bytes",
	    "arenas.bin[%u].size", i);
	tune_figure(finding, "free in its slabs", thin->worst_bytes, "bytes",
	    "stats.arenas.merged.bins[%u].{curslabs,curregs}", i);
	tune_figure(finding, "of its slabs in use", (double)bin->curregs /
	    ((double)bin->curslabs * (double)info->nregs), TUNE_FRACTION,
	    "stats.arenas.merged.bins[%u].curregs", i);
}

static bool
judge_thin(const struct tune_input *in, struct tune_finding *finding)
{
	struct thin thin;
	struct unit a;

	find_thin(in, &thin);
	if (!tune_worth_bytes(thin.free_bytes, (double)in->file->active,
	    finding))
		return false;
	finding->title = xstrdup("few blocks hold many slabs");
	finding->confidence = TUNE_UNSURE;
	thin_figures(in, &thin, finding);
	finding->change = xstrdup("no option mends it: find the blocks that "
	    "stay (strata top --by line on a heap profile, --size for the "
	    "size above) and give what lives long, or each generation, an "
	    "arena of its own (examples/arena-ring.h)");
	finding->effect = xasprintf("active falls by up to %s",
	    unit_bytes(&a, thin.free_bytes));
	finding->price = xstrdup("a slab of each size for each such arena");
	return true;
}

const struct tune_rule tune_memory_rules[] = {
	{ "purge", "merged.dirty_purged, stats.{mapped,retained}",
	    "pages were purged that amount to twice the address space or "
	    "more", judge_purge },
	{ "never-purged", "merged.pdirty, arenas.dirty_decay_ms",
	    "dirty_decay_ms is -1 and a quarter or more of what is resident "
	    "is dirty", judge_never_purged },
	{ "idle", "merged.{pdirty,dirty_purged}, in two files",
	    "nothing was purged for 1.5 times dirty_decay_ms, and a quarter "
	    "or more of what is resident is dirty", judge_idle },
	{ "cached", "merged.{tcache_bytes,nthreads}",
	    "a quarter or more of what is allocated lies in caches",
	    judge_cached },
	{ "utilisation", "merged.bins[].{curslabs,curregs}",
	    "a quarter or more of what is active is free room in slabs",
	    judge_thin },
	{ 0 }
};
