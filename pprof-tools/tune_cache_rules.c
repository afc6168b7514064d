/*
 * tune_cache_rules.c - rules about blocks that go past the threads' caches.
 *
 * Small ones: the cache is too small for the program's batches, or the slabs
 * behind it are, and come and go. Large ones: those above tcache_max take an
 * extent of the arena each time.
 */
#include <stdlib.h>
#include <string.h>

#include "tune.h"
#include "units.h"
#include "xalloc.h"

static double
per_second(const struct tune_input *in, double n)
{
	return in->seconds > 0 ? n / in->seconds : 0;
}

static double
at_least_one(double n)
{
	return n < 1 ? 1 : n;
}

/* --- slabs ---------------------------------------------------------------- */

enum {
	SLAB_PAGES = 16,		/* 64 KiB: middle's best of 8, 16 */
	SLAB_REGS = 64,			/* more regions: a slab lasts */
	/*
	 * New slabs for each that there is: else the heap grows, and larger
	 * ones bring little.
	 */
	SLAB_TURNOVER = 4,
};

static double
slab_size_new(const struct tune_input *in)
{
	/* Strata counts pages of 4 KiB whatever the system's are. */
	return SLAB_PAGES * (in->file->is_strata ? 4096.0 :
	    (double)in->file->page);
}

/* Does the class get new slabs all the time that larger ones would spare? */
static bool
slabs_turn_over(const struct tune_input *in, size_t i)
{
	const struct statsfile_bin_info *info = &in->file->bins[i];
	const struct statsfile_bin *bin = &in->merged.bins[i];

	if (info->nregs == 0 || info->nregs > SLAB_REGS ||
	    (double)info->slab_size * 2 > slab_size_new(in))
		return false;
	if (in->file->is_strata)
		return bin->nslabs > SLAB_TURNOVER *
		    (bin->curslabs + 1);
	/* jemalloc's JSON has no nslabs: each fill takes a slab or two. */
	return info->nregs <= 8 && bin->nfills > SLAB_TURNOVER *
	    (bin->curslabs + 1);
}

/* What the class's slabs cost, of which a part would go. */
static double
slabs_of(const struct tune_input *in, size_t i)
{
	const struct statsfile_bin *bin = &in->merged.bins[i];

	return (double)(in->file->is_strata ? bin->nslabs :
	    bin->nfills + bin->nflushes);
}

struct slabs {
	double n, ns;
	double new_bytes, old_bytes;	/* of one slab of each class */
	size_t worst;			/* class */
	struct tune_ranges ranges;
};

static size_t
nbins_of(const struct tune_input *in)
{
	return in->merged.nbins < in->file->nbins ? in->merged.nbins :
	    in->file->nbins;
}

/* Neighbours become one range; a class that is not used divides none. */
static void
find_ranges(const struct tune_input *in, double least,
    struct slabs *slabs)
{
	uint64_t lo = 0, hi = 0;

	for (size_t i = 0; i < nbins_of(in); i++) {
		bool in_it = slabs_turn_over(in, i) &&
		    slabs_of(in, i) >= least;

		if (in_it) {
			hi = in->file->bins[i].size;
			lo = lo == 0 ? hi : lo;
			slabs->old_bytes +=
			    (double)in->file->bins[i].slab_size;
			slabs->new_bytes += slab_size_new(in);
		} else if (lo != 0 && in->merged.bins[i].curslabs > 0) {
			tune_range_add(&slabs->ranges, lo, hi, SLAB_PAGES);
			lo = 0;
		}
	}
	if (lo != 0)
		tune_range_add(&slabs->ranges, lo, hi, SLAB_PAGES);
}

static void
find_slabs(const struct tune_input *in, struct slabs *slabs)
{
	double saved, most = 0;

	memset(slabs, 0, sizeof *slabs);
	for (size_t i = 0; i < nbins_of(in); i++) {
		if (!slabs_turn_over(in, i))
			continue;
		saved = 1 - (double)in->file->bins[i].slab_size /
		    slab_size_new(in);
		slabs->n += slabs_of(in, i);
		slabs->ns += slabs_of(in, i) * saved *
		    (in->file->is_strata ? TUNE_SLAB_NS :
		    TUNE_FILL_JEMALLOC_NS);
		if (slabs_of(in, i) > most) {
			most = slabs_of(in, i);
			slabs->worst = i;
		}
	}
	/* A class with less than 5 % of the worst is left alone. */
	find_ranges(in, most / 20, slabs);
}

static void
slabs_figures(const struct tune_input *in, const struct slabs *slabs,
    struct tune_finding *finding)
{
	const struct statsfile_bin_info *info =
	    &in->file->bins[slabs->worst];
	const struct statsfile_bin *bin = &in->merged.bins[slabs->worst];
	const struct statsfile_lock *lock = statsfile_lock(
	    &in->merged.mutexes, "extents_dirty");
	unsigned i = (unsigned)slabs->worst;

	tune_figure(finding, in->file->is_strata ? "new slabs" :
	    "fills and flushes", per_second(in, slabs->n), TUNE_PER_SECOND,
	    in->file->is_strata ? "stats.arenas.merged.bins[].nslabs" :
	    "stats.arenas.merged.bins[].{nfills,nflushes}");
	tune_figure(finding, "most at size", (double)info->size, "bytes",
	    "arenas.bin[%u].size", i);
	tune_figure(finding, "its regions a slab", (double)info->nregs,
	    "count", "arenas.bin[%u].nregs", i);
	tune_figure(finding, "its slabs now", (double)bin->curslabs, "count",
	    "stats.arenas.merged.bins[%u].curslabs", i);
	if (lock != NULL)
		tune_figure(finding, "extents_dirty taken",
		    per_second(in, (double)lock->num_ops), TUNE_PER_SECOND,
		    "stats.arenas.merged.mutexes.extents_dirty.num_ops");
}

static bool
judge_slabs(const struct tune_input *in, struct tune_finding *finding)
{
	struct slabs slabs;
	struct unit a;

	find_slabs(in, &slabs);
	if (!tune_worth(in, slabs.ns, finding))
		return false;
	finding->title = xstrdup(in->file->is_strata ?
	    "slabs of few regions come and go" :
	    "sizes with few regions a slab are filled and flushed often");
	finding->confidence = in->file->is_strata ? TUNE_SURE : TUNE_LIKELY;
	slabs_figures(in, &slabs, finding);
	tune_setting_ranges(in, finding, "slab_sizes", &slabs.ranges);
	finding->effect = xasprintf("fewer slabs to make and to free: about "
	    "%s of one processor less", unit_percent(&a, finding->gain_cpu));
	finding->price_bytes = (slabs.new_bytes - slabs.old_bytes) *
	    at_least_one(in->automatic);
	finding->price = xasprintf("at least %s more: an arena has one slab "
	    "of each size that is not full", unit_bytes(&a,
	    finding->price_bytes));
	return true;
}

/* --- slots ---------------------------------------------------------------- */

/* What the slots are by default; Strata's are an upper bound. */
struct slots {
	double max, lg_mul;
};

static struct slots
slots_best(const struct tune_input *in)
{
	/* jemalloc's default is 200 and 1; ten times as many is still small */
	return in->file->is_strata ? (struct slots){ 2048, 8 } :
	    (struct slots){ 2000, 4 };
}

/* Blocks the arena gives and takes at a time, when the cache asks. */
static double
batch_of(double requests, double fills)
{
	return fills == 0 ? 0 : requests / fills;
}

static void
slots_figures(const struct tune_input *in, double transfers,
    struct tune_finding *finding)
{
	tune_figure(finding, "fills and flushes", per_second(in, transfers),
	    TUNE_PER_SECOND,
	    "stats.arenas.merged.bins[].{nfills,nflushes}");
	tune_figure(finding, "requests for each fill", batch_of(
	    (double)in->merged.small.nrequests,
	    (double)in->merged.small.nfills), "count",
	    "stats.arenas.merged.small.{nrequests,nfills}");
	tune_figure(finding, "slots at most", tune_option(in,
	    "tcache_nslots_small_max", 0), "count",
	    "opt.tcache_nslots_small_max");
}

/* At most: each thread's slots of the sizes in use, full. */
static double
slots_price(const struct tune_input *in, double slots)
{
	double bytes = 0, threads = at_least_one(in->threads);

	for (size_t i = 0; i < nbins_of(in); i++)
		if (in->merged.bins[i].nfills > 0)
			bytes += slots * (double)in->file->bins[i].size;
	/* Strata's caches have a budget, tcache.c. */
	if (in->file->is_strata && bytes > 384 * 1024.0)
		return threads * 384 * 1024 + (8 << 20);
	return threads * bytes;
}

static bool
cache_is_off(const struct tune_input *in)
{
	const char *tcache = statsfile_option(in->file, "tcache");

	return tcache != NULL && strcmp(tcache, "false") == 0;
}

static void
slots_settings(const struct tune_input *in, struct tune_finding *finding)
{
	struct slots best = slots_best(in);

	if (cache_is_off(in)) {
		tune_setting(finding, "tcache", "true");
		return;
	}
	if (tune_option(in, "tcache_nslots_small_max", best.max) < best.max)
		tune_setting(finding, "tcache_nslots_small_max", "%.0f",
		    best.max);
	if (tune_option(in, "lg_tcache_nslots_mul", best.lg_mul) <
	    best.lg_mul)
		tune_setting(finding, "lg_tcache_nslots_mul", "%.0f",
		    best.lg_mul);
}

static double
transfers_of(const struct tune_input *in)
{
	double n = 0;

	for (size_t i = 0; i < nbins_of(in); i++)
		if (in->file->is_strata || in->file->bins[i].nregs > 8)
			n += (double)(in->merged.bins[i].nfills +
			    in->merged.bins[i].nflushes);
	return n;
}

static bool
judge_slots(const struct tune_input *in, struct tune_finding *finding)
{
	double transfers = transfers_of(in);
	struct unit a;

	if (!tune_worth(in, transfers * (in->file->is_strata ? TUNE_FILL_NS :
	    TUNE_FILL_JEMALLOC_NS), finding))
		return false;
	slots_settings(in, finding);
	if (finding->nsettings == 0)	/* it is not the slots */
		return false;
	finding->title = xstrdup(cache_is_off(in) ?
	    "each small block comes from the arena: threads have no cache" :
	    "the threads' caches are filled and flushed often");
	finding->confidence = TUNE_LIKELY;
	slots_figures(in, transfers, finding);
	finding->effect = xasprintf("fewer fills and flushes: up to %s of "
	    "one processor less", unit_percent(&a, finding->gain_cpu));
	finding->price_bytes = slots_price(in, slots_best(in).max);
	finding->price = xasprintf("at most %s more in caches",
	    unit_bytes(&a, finding->price_bytes));
	return true;
}

/* --- large blocks --------------------------------------------------------- */

enum { TCACHE_MAX_MAX = 8 << 20 };	/* of both */

struct larges {
	double n;			/* past the cache */
	double max;			/* tcache_max that has 90 % of them */
	double bytes;			/* of one block of each such size */
	bool guessed;
};

/* Calls of a class: jemalloc's JSON does not say. */
static double
calls_of(const struct tune_input *in, size_t i)
{
	uint64_t size = in->file->lextents[i];

	return size <= in->file->tcache_max || size > TCACHE_MAX_MAX ? 0 :
	    (double)in->merged.lextents[i].nmalloc;
}

static void
find_larges(const struct tune_input *in, struct larges *larges)
{
	size_t n = in->merged.nlextents < in->file->nlextents ?
	    in->merged.nlextents : in->file->nlextents;
	double all = 0, seen = 0;

	memset(larges, 0, sizeof *larges);
	for (size_t i = 0; i < n; i++)
		all += calls_of(in, i);
	for (size_t i = 0; i < n && seen < 0.9 * all; i++) {
		double calls = calls_of(in, i);

		if (calls == 0)
			continue;
		seen += calls;
		larges->max = (double)in->file->lextents[i];
		larges->bytes += larges->max;
	}
	larges->n = seen;
	if (in->file->is_strata)
		return;
	larges->guessed = true;
	larges->n = (double)in->merged.large.nmalloc;
	larges->max = (double)in->file->tcache_max * 32;
	if (larges->max > TCACHE_MAX_MAX)
		larges->max = TCACHE_MAX_MAX;
	larges->bytes = larges->max * 2;
}

/* What the lock's users wait, as far as it is these blocks' doing. */
static double
large_waiting_ns(const struct tune_input *in, const struct larges *larges)
{
	const struct statsfile_lock *lock = statsfile_lock(
	    &in->merged.mutexes, "extents_dirty");
	double part;

	if (lock == NULL || lock->num_ops == 0)
		return 0;
	part = larges->n * 2 / (double)lock->num_ops;
	return tune_lock_ns(lock) * (part > 1 ? 1 : part);
}

static void
large_figures(const struct tune_input *in, const struct larges *larges,
    struct tune_finding *finding)
{
	const struct statsfile_lock *lock = statsfile_lock(
	    &in->merged.mutexes, "extents_dirty");

	tune_figure(finding, "large blocks from the arena",
	    per_second(in, larges->n), TUNE_PER_SECOND, "%s",
	    larges->guessed ? "stats.arenas.merged.large.nmalloc" :
	    "stats.arenas.merged.lextents[].nmalloc");
	tune_figure(finding, "cached up to", (double)in->file->tcache_max,
	    "bytes", "arenas.tcache_max");
	if (!larges->guessed)
		tune_figure(finding, "90% of them up to", larges->max,
		    "bytes", "arenas.lextent[].size");
	if (lock == NULL || in->file->locks_unknown)
		return;
	tune_figure(finding, "extents_dirty taken", (double)lock->num_ops,
	    "count", "stats.arenas.merged.mutexes.extents_dirty.num_ops");
	tune_figure(finding, "by spinning", (double)lock->num_spin_acq,
	    "count", "stats.arenas.merged.mutexes.extents_dirty."
	    "num_spin_acq");
	tune_figure(finding, "by sleeping", (double)lock->num_wait, "count",
	    "stats.arenas.merged.mutexes.extents_dirty.num_wait");
}

static bool
large_is_worth(const struct tune_input *in, const struct larges *larges,
    struct tune_finding *finding)
{
	double ns = larges->n * (in->file->is_strata ? TUNE_LARGE_NS :
	    TUNE_LARGE_JEMALLOC_NS) + large_waiting_ns(in, larges);

	return !cache_is_off(in) && tune_worth(in, ns, finding) &&
	    larges->max > (double)in->file->tcache_max;
}

static bool
judge_large(const struct tune_input *in, struct tune_finding *finding)
{
	struct larges larges;
	struct unit a;
	double slots;

	find_larges(in, &larges);
	if (!large_is_worth(in, &larges, finding))
		return false;
	finding->title = xstrdup("blocks too large for the cache come and go");
	finding->confidence = larges.guessed ? TUNE_UNSURE : TUNE_SURE;
	large_figures(in, &larges, finding);
	tune_setting_tcache_max(in, finding, larges.max);
	finding->effect = xasprintf("the cache serves them: about %s of one "
	    "processor less, and fewer waits for extents_dirty",
	    unit_percent(&a, finding->gain_cpu));
	/* Strata keeps two of a size beyond its budget. */
	slots = in->file->is_strata ? 2 : tune_option(in,
	    "tcache_nslots_large", 20);
	finding->price_bytes = slots * larges.bytes *
	    at_least_one(in->threads);
	finding->price = xasprintf("at most %s more in caches: %.0f blocks a "
	    "size and thread", unit_bytes(&a, finding->price_bytes), slots);
	return true;
}

double
tune_spared_ops(const struct tune_input *in)
{
	struct tune_finding ignored = { 0 };
	struct larges larges;
	struct slabs slabs;
	double ops = 0;

	find_slabs(in, &slabs);
	find_larges(in, &larges);
	/* Each is taken out of the cache and put back. */
	if (in->file->is_strata && tune_worth(in, slabs.ns, &ignored))
		ops += 2 * slabs.n;
	if (large_is_worth(in, &larges, &ignored))
		ops += 2 * larges.n;
	return ops;
}

const struct tune_rule tune_cache_rules[] = {
	{ "slab-sizes", "merged.bins[].{nslabs,curslabs,nfills}, "
	    "arenas.bin[].nregs", "sizes of at most 64 regions a slab get "
	    "four or more new slabs for each they have", judge_slabs },
	{ "tcache-slots", "merged.bins[].{nfills,nflushes}",
	    "caches are filled and flushed, and an option limits their "
	    "slots, or there are none", judge_slots },
	{ "tcache-max", "merged.lextents[].nmalloc, arenas.tcache_max, "
	    "merged.mutexes.extents_dirty", "blocks above tcache_max and up "
	    "to 8 MiB come and go", judge_large },
	{ 0 }
};
