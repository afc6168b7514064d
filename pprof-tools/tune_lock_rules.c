/*
 * tune_lock_rules.c - rules about locks that threads wait for.
 *
 *   thread --> cache --> bin lock --> extents_dirty, _muzzy, _retained
 *                        (arena, size)              (arena)
 *
 * Many threads an arena: more arenas, or if they meet at a few sizes only, more
 * bins of these. Few threads an arena, and yet one arena that they wait for:
 * whoever works most there takes one of its own. Waiting for runs of pages
 * that are not dirty any more: let them stay longer.
 */
#include <math.h>
#include <string.h>

#include "tune.h"
#include "units.h"
#include "xalloc.h"

/* Locks taken together. */
struct waiting {
	double ops, waits, spins, wait_ns;
	double cpu_ns;			/* what that cost */
};

static void
add_lock(struct waiting *sum, const struct statsfile_lock *lock)
{
	sum->ops += (double)lock->num_ops;
	sum->waits += (double)lock->num_wait;
	sum->spins += (double)lock->num_spin_acq;
	sum->wait_ns += (double)lock->total_wait_time_ns;
	sum->cpu_ns += tune_lock_ns(lock);
}

static void
add_named(struct waiting *sum, const struct statsfile_arena *arena,
    const char *name)
{
	const struct statsfile_lock *lock = statsfile_lock(&arena->mutexes,
	    name);

	if (lock != NULL)
		add_lock(sum, lock);
}

/* The same for a part of a lock's operations. */
static void
take_away(struct waiting *sum, const struct statsfile_arena *arena,
    const char *name, double ops)
{
	const struct statsfile_lock *lock = statsfile_lock(&arena->mutexes,
	    name);
	double part;

	if (lock == NULL || lock->num_ops == 0)
		return;
	part = fmin(1, ops / (double)lock->num_ops);
	sum->waits -= part * (double)lock->num_wait;
	sum->spins -= part * (double)lock->num_spin_acq;
	sum->wait_ns -= part * (double)lock->total_wait_time_ns;
	sum->cpu_ns -= part * tune_lock_ns(lock);
}

/* What more arenas would spread. */
static struct waiting
waiting_of(const struct statsfile_arena *arena)
{
	struct waiting sum = { 0 };

	for (size_t i = 0; i < arena->nbins; i++)
		add_lock(&sum, &arena->bins[i].lock);
	add_named(&sum, arena, "extents_dirty");
	add_named(&sum, arena, "extents_muzzy");
	add_named(&sum, arena, "extents_retained");
	return sum;
}

/* Of the time of all threads. */
static double
share_waited(const struct tune_input *in, const struct waiting *sum)
{
	double threads = in->threads > 1 ? in->threads : 2;

	return in->seconds > 0 ? sum->wait_ns / (in->seconds * 1e9 *
	    threads) : 0;
}

static bool
worth(const struct tune_input *in, const struct waiting *sum,
    struct tune_finding *finding)
{
	double share = share_waited(in, sum);

	if (tune_worth(in, sum->cpu_ns, finding))
		return true;
	if (sum->waits < TUNE_LEAST_WAITS || share < TUNE_LEAST_WAITING)
		return false;
	finding->severity = share >= 0.1 ? TUNE_MEDIUM : TUNE_LOW;
	finding->gain_cpu = tune_gain(in, sum->cpu_ns);
	return true;
}

static void
figures(const struct tune_input *in, const struct waiting *sum,
    const char *path, struct tune_finding *finding)
{
	tune_figure(finding, "taken", sum->ops, "count", "%s.num_ops", path);
	tune_figure(finding, "by spinning", sum->spins, "count",
	    "%s.num_spin_acq", path);
	tune_figure(finding, "by sleeping", sum->waits, "count",
	    "%s.num_wait", path);
	tune_figure(finding, "asleep in all", sum->wait_ns, "nanoseconds",
	    "%s.total_wait_time", path);
	tune_figure(finding, "of the threads' time", share_waited(in, sum),
	    TUNE_FRACTION, "%s.total_wait_time", path);
}

static void
effect(struct tune_finding *finding, const char *what)
{
	struct unit unit;

	finding->effect = xasprintf("%s: up to %s of one processor less, and "
	    "the time asleep", what, unit_percent(&unit, finding->gain_cpu));
}

/* --- threads an arena ----------------------------------------------------- */

enum {
	/* Two threads an arena seldom meet: what the field notes went for. */
	THREADS_AN_ARENA = 2,
	ARENAS_MAX = 4000,		/* jemalloc has 4094, Strata 4095 */
};

/* Bytes that an arena keeps beyond its blocks: a slab of each size. */
static double
kept_an_arena(const struct tune_input *in)
{
	const struct statsfile *file = in->file;
	const struct statsfile_arena *now = &file->merged;
	double bytes = (double)now->base /
	    (in->automatic > 0 ? in->automatic : 1);

	for (size_t i = 0; i < now->nbins && i < file->nbins; i++)
		if (now->bins[i].curslabs > 0)
			bytes += (double)file->bins[i].slab_size;
	return bytes;
}

static double
arenas_wanted(const struct tune_input *in, double threads)
{
	double n = 1;

	while (n * THREADS_AN_ARENA < threads)
		n *= 2;
	if (n <= in->automatic)
		n = in->automatic * 2;
	return n > ARENAS_MAX ? ARENAS_MAX : n;
}

/* The most threads that waited for one lock at a time. */
static double
most_waiting(const struct tune_input *in)
{
	const struct statsfile_arena *now = &in->file->merged;
	double most = 0;

	for (size_t i = 0; i < now->nbins; i++)
		most = fmax(most, (double)now->bins[i].lock.max_num_thds);
	for (size_t i = 0; i < now->mutexes.n; i++)
		if (strncmp(now->mutexes.items[i].name, "extents_", 8) == 0)
			most = fmax(most, (double)
			    now->mutexes.items[i].lock.max_num_thds);
	return most;
}

/* Threads that have left are not counted: those that waited, and the holder. */
static double
threads_known(const struct tune_input *in, bool *guessed)
{
	*guessed = in->threads <= 1;
	return *guessed ? (most_waiting(in) + 1) * in->automatic :
	    in->threads;
}

/* Most of the waiting is at one of many arenas. */
static const struct statsfile_arena *
crowded(const struct tune_input *in)
{
	double all = waiting_of(&in->merged).cpu_ns;

	if (in->automatic < 4)
		return NULL;
	for (size_t i = 0; i < in->narenas; i++)
		if (in->arenas[i].nthreads >= 2 &&
		    waiting_of(&in->arenas[i]).cpu_ns >= 0.6 * all)
			return &in->arenas[i];
	return NULL;
}

/* What other rules' advice does not mend. */
static struct waiting
waiting_left(const struct tune_input *in)
{
	struct waiting sum = waiting_of(&in->merged);

	take_away(&sum, &in->merged, "extents_dirty", tune_spared_ops(in));
	return sum;
}

/* Do threads wait, and are there too many an arena? */
static bool
too_many(const struct tune_input *in, const struct waiting *sum,
    struct tune_finding *finding)
{
	bool guessed;

	return worth(in, sum, finding) && crowded(in) == NULL &&
	    threads_known(in, &guessed) > in->automatic * 1.5;
}

static void
threads_figures(const struct tune_input *in, struct tune_finding *finding)
{
	bool guessed;

	threads_known(in, &guessed);
	tune_figure(finding, guessed ? "threads now" : "threads",
	    in->threads, "count", "stats.arenas.merged.nthreads");
	if (guessed)
		tune_figure(finding, "waited for one lock at a time",
		    most_waiting(in), "count", "stats.arenas.merged."
		    "{bins[].mutex,mutexes.extents_*}.max_num_thds");
	tune_figure(finding, "arenas", in->automatic, "count",
	    "opt.narenas");
}

/* --- a few sizes ---------------------------------------------------------- */

enum {
	HOT_BINS = 4,			/* more: arenas are simpler */
	SHARDS_MAX = 64,		/* of both allocators */
};

struct hot_bins {
	struct waiting sum;
	size_t n, worst;
	double slab_bytes;		/* of one slab of each */
	unsigned shards;
	struct tune_ranges ranges;
};

static unsigned
shards_wanted(const struct tune_input *in)
{
	bool guessed;
	double threads = threads_known(in, &guessed) / in->automatic;
	unsigned n = 2;

	while (n < threads && n < SHARDS_MAX)
		n *= 2;
	return n;
}

static void
add_hot_bin(const struct tune_input *in, size_t i, struct hot_bins *hot)
{
	const struct statsfile_bin *bins = in->merged.bins;
	uint64_t size = in->file->bins[i].size;

	if (hot->n++ == 0 || tune_lock_ns(&bins[i].lock) >
	    tune_lock_ns(&bins[hot->worst].lock))
		hot->worst = i;
	hot->slab_bytes += (double)in->file->bins[i].slab_size;
	tune_range_add(&hot->ranges, size, size, hot->shards);
}

/* Is nearly all waiting at the bins of a few sizes that could have more? */
static bool
find_hot_bins(const struct tune_input *in, struct hot_bins *hot)
{
	double all = waiting_left(in).cpu_ns;

	memset(hot, 0, sizeof *hot);
	hot->shards = shards_wanted(in);
	for (size_t i = 0; i < in->merged.nbins && i < in->file->nbins; i++) {
		const struct statsfile_lock *lock = &in->merged.bins[i].lock;

		if (tune_lock_ns(lock) < 0.05 * all || all == 0)
			continue;
		if (in->file->bins[i].nshards >= hot->shards)
			return false;
		add_lock(&hot->sum, lock);
		add_hot_bin(in, i, hot);
	}
	return hot->n > 0 && hot->n <= HOT_BINS &&
	    hot->sum.cpu_ns >= 0.8 * all;
}

static bool
judge_hot_bins(const struct tune_input *in, struct tune_finding *finding)
{
	struct hot_bins hot;
	struct unit a;
	char path[96];

	if (!find_hot_bins(in, &hot) || !too_many(in, &hot.sum, finding))
		return false;
	finding->title = xasprintf("threads wait for the bins of %zu size%s",
	    hot.n, hot.n == 1 ? "" : "s");
	finding->confidence = TUNE_SURE;
	threads_figures(in, finding);
	tune_figure(finding, "most at size",
	    (double)in->file->bins[hot.worst].size, "bytes",
	    "arenas.bin[%zu].size", hot.worst);
	snprintf(path, sizeof path, hot.n == 1 ?
	    "stats.arenas.merged.bins[%zu].mutex" :
	    "stats.arenas.merged.bins[].mutex", hot.worst);
	figures(in, &hot.sum, path, finding);
	tune_setting_ranges(in, finding, "bin_shards", &hot.ranges);
	effect(finding, "each of these sizes has more locks");
	finding->price_bytes = hot.slab_bytes * (hot.shards - 1) *
	    in->automatic;
	finding->price = xasprintf("about %s more: each bin has a slab of its "
	    "own that is not full", unit_bytes(&a, finding->price_bytes));
	return true;
}

/* --- more arenas ---------------------------------------------------------- */

static bool
judge_arenas(const struct tune_input *in, struct tune_finding *finding)
{
	struct waiting sum = waiting_left(in);
	const char *percpu = statsfile_option(in->file, "percpu_arena");
	struct hot_bins hot;
	struct unit a, b;
	bool guessed;
	double threads = threads_known(in, &guessed), wanted;

	if (!too_many(in, &sum, finding) || find_hot_bins(in, &hot))
		return false;
	wanted = arenas_wanted(in, threads);
	finding->title = xasprintf("%s%s threads share %s arena%s, and wait "
	    "for each other", guessed ? "at least " : "",
	    unit_count(&a, threads), unit_count(&b, in->automatic),
	    in->automatic == 1 ? "" : "s");
	finding->confidence = guessed ? TUNE_LIKELY : TUNE_SURE;
	threads_figures(in, finding);
	figures(in, &sum, "stats.arenas.merged.{bins[].mutex,"
	    "mutexes.extents_*}", finding);
	tune_setting(finding, "narenas", "%.0f", wanted);
	/* Else there are as many as processors, whatever narenas says. */
	if (percpu != NULL && strcmp(percpu, "disabled") != 0)
		tune_setting(finding, "percpu_arena", "disabled");
	effect(finding, "threads wait less for bins and extents");
	/* Unused pages of one arena serve no other: as many again. */
	finding->price_bytes = (wanted - in->automatic) * kept_an_arena(in) +
	    (double)statsfile_pages(in->file,
	    in->file->merged.dirty.npages);
	finding->price = xasprintf("about %s more: each arena has slabs and "
	    "unused pages of its own", unit_bytes(&a, finding->price_bytes));
	return true;
}

/* --- an arena of one's own ------------------------------------------------ */

static const char own_arena[] =
	"unsigned arena, old;\n"
	"size_t size = sizeof arena;\n"
	"\n"
	"if (mallctl(\"arenas.create\", &arena, &size, NULL, 0) == 0)\n"
	"\tmallctl(\"thread.arena\", &old, &size, &arena, sizeof arena);\n";

static bool
judge_own_arena(const struct tune_input *in, struct tune_finding *finding)
{
	const struct statsfile_arena *arena = crowded(in);
	struct waiting sum;
	struct unit a, b;
	char path[96];

	if (arena == NULL)
		return false;
	sum = waiting_of(arena);
	if (!worth(in, &sum, finding))
		return false;
	finding->title = xasprintf("%s threads wait for arena %u, one of %s",
	    unit_count(&a, (double)arena->nthreads), arena->index,
	    unit_count(&b, in->automatic));
	finding->confidence = TUNE_LIKELY;
	tune_figure(finding, "its threads", (double)arena->nthreads, "count",
	    "stats.arenas.%u.nthreads", arena->index);
	tune_figure(finding, "of all waiting", sum.cpu_ns /
	    waiting_of(&in->merged).cpu_ns, TUNE_FRACTION,
	    "stats.arenas.%u.{bins[].mutex,mutexes.extents_*}", arena->index);
	snprintf(path, sizeof path, "stats.arenas.%u.{bins[].mutex,"
	    "mutexes.extents_*}", arena->index);
	figures(in, &sum, path, finding);
	finding->change = xstrdup("the threads there that allocate most take "
	    "an arena of their own when they start");
	finding->code = own_arena;
	effect(finding, "they no longer meet the others");
	finding->price_bytes = kept_an_arena(in);
	finding->price = xasprintf("about %s more for each such thread",
	    unit_bytes(&a, finding->price_bytes));
	return true;
}

/* --- runs of pages -------------------------------------------------------- */

enum { DECAY_DEFAULT_MS = 10000, DECAY_FACTOR = 3 };

static double
longer(double ms)
{
	return ms < DECAY_DEFAULT_MS ? DECAY_DEFAULT_MS : ms * DECAY_FACTOR;
}

/* Runs are looked for in lock's cache because decay ms was over too soon. */
static bool
judge_extents(const struct tune_input *in, const char *lock,
    const char *option, double ms, struct tune_finding *finding)
{
	struct waiting sum = { 0 };
	char path[96];
	struct unit a;

	add_named(&sum, &in->merged, lock);
	if (ms < 0 || in->merged.dirty.purged == 0 ||
	    !worth(in, &sum, finding))
		return false;
	finding->title = xasprintf("threads wait for each other at %s", lock);
	finding->confidence = TUNE_UNSURE;
	snprintf(path, sizeof path, "stats.arenas.merged.mutexes.%s", lock);
	figures(in, &sum, path, finding);
	tune_figure(finding, "pages purged", (double)in->merged.dirty.purged,
	    "count", "stats.arenas.merged.dirty_purged");
	tune_figure(finding, option, ms, "count", "arenas.%s", option);
	tune_setting(finding, option, "%.0f", longer(ms));
	effect(finding, "runs are found one cache earlier");
	finding->price_bytes = (double)in->file->retained;
	finding->price = xasprintf("at most %s more: what was given back "
	    "stays until then", unit_bytes(&a, finding->price_bytes));
	return true;
}

static bool
judge_muzzy(const struct tune_input *in, struct tune_finding *finding)
{
	return judge_extents(in, "extents_muzzy", "dirty_decay_ms",
	    (double)in->file->dirty_decay_ms, finding);
}

static bool
judge_retained(const struct tune_input *in, struct tune_finding *finding)
{
	return judge_extents(in, "extents_retained", "muzzy_decay_ms",
	    (double)in->file->muzzy_decay_ms, finding);
}

const struct tune_rule tune_lock_rules[] = {
	{ "hot-bins", "merged.nthreads, merged.bins[].mutex, "
	    "arenas.bin[].nshards", "as arenas, and 80% of the waiting is at "
	    "the bins of at most four sizes", judge_hot_bins },
	{ "arenas", "merged.nthreads, merged.bins[].mutex, "
	    "merged.mutexes.extents_*", "threads wait for locks, and there "
	    "are more than 1.5 of them an arena", judge_arenas },
	{ "own-arena", "<i>.nthreads, <i>.bins[].mutex, <i>.mutexes",
	    "threads wait for locks, 60% or more of it at one of four or "
	    "more arenas", judge_own_arena },
	{ "extents-muzzy", "merged.mutexes.extents_muzzy, "
	    "merged.dirty_purged", "threads wait for that lock, and pages are "
	    "purged", judge_muzzy },
	{ "extents-retained", "merged.mutexes.extents_retained, "
	    "merged.dirty_purged", "threads wait for that lock, and pages are "
	    "purged", judge_retained },
	{ 0 }
};
