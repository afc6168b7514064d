/*
 * tune_conf_rules.c - rules about what MALLOC_CONF says, and the profiler.
 *
 * Which options there are the statistics tell themselves: "opt" has each with
 * the value in force. One that is not there is misspelt; one whose value is
 * another than was asked for has no effect, or was out of bounds.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "tune.h"
#include "units.h"
#include "xalloc.h"

/* --- the pairs ------------------------------------------------------------ */

static void
add_pair(struct tune_pairs *pairs, const char *text, size_t length)
{
	const char *colon = memchr(text, ':', length);
	struct tune_pair *pair;

	if (colon == NULL)
		return;
	pairs->items = xgrow(pairs->items, pairs->n, &pairs->capacity,
	    sizeof *pairs->items);
	pair = &pairs->items[pairs->n++];
	pair->name = xstrndup(text, (size_t)(colon - text));
	pair->value = xstrndup(colon + 1, length -
	    (size_t)(colon + 1 - text));
}

static void
add_source(struct tune_pairs *pairs, const char *text)
{
	while (text != NULL && *text != '\0') {
		size_t length = strcspn(text, ",");

		add_pair(pairs, text, length);
		text += length + (text[length] == ',');
	}
}

void
tune_pairs_read(const struct statsfile *file, bool environment_only,
    struct tune_pairs *out)
{
	memset(out, 0, sizeof *out);
	if (!environment_only) {
		add_source(out, statsfile_option(file, "global_var"));
		add_source(out, statsfile_option(file, "symlink"));
	}
	add_source(out, statsfile_option(file, "env_var"));
}

void
tune_pairs_free(struct tune_pairs *pairs)
{
	for (size_t i = 0; i < pairs->n; i++) {
		free(pairs->items[i].name);
		free(pairs->items[i].value);
	}
	free(pairs->items);
}

const char *
tune_pairs_find(const struct tune_pairs *pairs, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < pairs->n; i++)
		if (strcmp(pairs->items[i].name, name) == 0)
			value = pairs->items[i].value;
	return value;
}

/* Options that take lists of ranges: "opt" has none of them. */
static const char *const lists[] = {
	"slab_sizes", "bin_shards", "tcache_ncached_max",
};

bool
tune_option_known(const struct statsfile *file, const char *name)
{
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		if (strcmp(lists[i], name) == 0)
			return true;
	return statsfile_option(file, name) != NULL;
}

/* --- misspelt ------------------------------------------------------------- */

static const char *
nearest(const struct statsfile *file, const char *word)
{
	const char **names = xcalloc(file->noptions + 1, sizeof *names);
	const char *found;

	for (size_t i = 0; i < file->noptions; i++)
		names[i] = file->options[i].name;
	found = cli_nearest(word, names, file->noptions);
	free(names);
	return found;
}

static void
append(char **list, char *more)
{
	char *longer = *list == NULL ? xstrdup(more) :
	    xasprintf("%s; %s", *list, more);

	free(*list);
	free(more);
	*list = longer;
}

static bool
judge_misspelt(const struct tune_input *in, struct tune_finding *finding)
{
	struct tune_pairs pairs;
	size_t n = 0;

	tune_pairs_read(in->file, false, &pairs);
	/* Without its sources nothing is known of what was asked for. */
	for (size_t i = 0; i < pairs.n; i++) {
		const char *name = pairs.items[i].name, *other;

		if (tune_option_known(in->file, name))
			continue;
		n++;
		other = nearest(in->file, name);
		append(&finding->change, other == NULL ?
		    xasprintf("drop %s", name) :
		    xasprintf("%s: is %s meant?", name, other));
	}
	tune_pairs_free(&pairs);
	if (n == 0)
		return false;
	finding->title = xasprintf("MALLOC_CONF names %zu option%s that "
	    "there %s not", n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
	finding->severity = TUNE_MEDIUM;
	finding->confidence = TUNE_SURE;
	tune_figure(finding, "not in \"opt\"", (double)n, "count",
	    "opt.env_var");
	finding->effect = xstrdup("what was meant takes effect");
	finding->price = xstrdup("that of the option meant");
	return true;
}

/* --- not in force --------------------------------------------------------- */

/* What "opt" shows of these is no repetition of what was asked for. */
static const char *const not_compared[] = {
	"lg_tcache_max", "tcache_max", "narenas_ratio", "prof_signal",
	"safety_checks", "junk", "stats_print_opts", "stats_interval_opts",
};

static bool
compared(const char *name)
{
	for (size_t i = 0; i < sizeof not_compared / sizeof *not_compared;
	    i++)
		if (strcmp(not_compared[i], name) == 0)
			return false;
	return strncmp(name, "hpa_", 4) != 0;
}

static bool
same_value(const char *asked, const char *force)
{
	char *end_a, *end_b;
	double a, b;

	if (strcmp(asked, force) == 0)
		return true;
	a = strtoull(asked, &end_a, 0);
	b = strtoull(force, &end_b, 0);
	return *asked != '\0' && *force != '\0' && *end_a == '\0' &&
	    *end_b == '\0' && a == b;
}

bool
tune_pair_in_force(const struct statsfile *file,
    const struct tune_pairs *pairs, size_t i)
{
	const struct tune_pair *pair = &pairs->items[i];
	const char *force = statsfile_option(file, pair->name);

	if (!tune_option_known(file, pair->name))
		return false;
	return force == NULL || !compared(pair->name) ||
	    tune_pairs_find(pairs, pair->name) != pair->value ||
	    (strcmp(pair->name, "narenas") == 0 &&
	    strcmp(pair->value, "default") == 0) ||
	    same_value(pair->value, force);
}

static bool
judge_without_effect(const struct tune_input *in,
    struct tune_finding *finding)
{
	struct tune_pairs pairs;
	size_t n = 0;

	tune_pairs_read(in->file, false, &pairs);
	for (size_t i = 0; i < pairs.n; i++) {
		const struct tune_pair *pair = &pairs.items[i];

		if (!tune_option_known(in->file, pair->name) ||
		    tune_pair_in_force(in->file, &pairs, i))
			continue;
		n++;
		append(&finding->change, xasprintf("%s:%s was asked for, %s "
		    "is in force", pair->name, pair->value,
		    statsfile_option(in->file, pair->name)));
	}
	tune_pairs_free(&pairs);
	if (n == 0)
		return false;
	finding->title = xasprintf("%zu option%s of MALLOC_CONF did not take "
	    "effect", n, n == 1 ? "" : "s");
	finding->severity = TUNE_LOW;
	finding->confidence = TUNE_SURE;
	tune_figure(finding, "other than in \"opt\"", (double)n, "count",
	    "opt.env_var");
	finding->effect = xstrdup("none: the value is out of bounds or the "
	    "option does nothing in this allocator (strata.conf(5))");
	finding->price = xstrdup("none");
	return true;
}

/* --- the profiler --------------------------------------------------------- */

static double
sampled(uint64_t requests, uint64_t made, double size, double rate)
{
	/* Sampled blocks go past the cache: they count as made only. */
	double n = (double)(requests > made ? requests : made);

	return n * -expm1(-size / rate);
}

/* How many there must have been: those that are dead count nowhere. */
static double
samples_expected(const struct tune_input *in, double rate)
{
	const struct statsfile_arena *arena = &in->merged;
	double n = 0;

	for (size_t i = 0; i < arena->nbins && i < in->file->nbins; i++)
		n += sampled(arena->bins[i].nrequests,
		    arena->bins[i].nmalloc, (double)in->file->bins[i].size,
		    rate);
	for (size_t i = 0; i < arena->nlextents && i < in->file->nlextents;
	    i++)
		n += sampled(arena->lextents[i].nrequests,
		    arena->lextents[i].nmalloc,
		    (double)in->file->lextents[i], rate);
	return n;
}

static bool
is_true(const struct tune_input *in, const char *name)
{
	const char *value = statsfile_option(in->file, name);

	return value != NULL && strcmp(value, "true") == 0;
}

static bool
judge_sampling(const struct tune_input *in, struct tune_finding *finding)
{
	/* Of a damaged file it may be anything. */
	double lg = fmax(0, fmin(63, tune_option(in, "lg_prof_sample", 19)));
	double samples = samples_expected(in, exp2(lg)), fewer = samples;
	double more = 0;
	struct unit a, b;

	if (!is_true(in, "prof") || !is_true(in, "prof_active") ||
	    !tune_worth(in, samples * TUNE_SAMPLE_NS, finding))
		return false;
	/* Down to half of what is worth a word. */
	while (fewer * TUNE_SAMPLE_NS > in->seconds * 1e9 * TUNE_LEAST_CPU / 2)
		fewer = samples_expected(in, exp2(lg + ++more));
	finding->title = xstrdup("the profiler samples more often than it "
	    "need");
	finding->confidence = TUNE_LIKELY;
	tune_figure(finding, "samples, reckoned", samples / in->seconds,
	    TUNE_PER_SECOND, "stats.arenas.merged.{bins,lextents}[]."
	    "{nrequests,nmalloc}");
	tune_figure(finding, "one in", exp2(lg), "bytes",
	    "opt.lg_prof_sample");
	tune_setting(finding, "lg_prof_sample", "%.0f", lg + more);
	finding->effect = xasprintf("samples fewer by the factor %.0f: about "
	    "%s of one processor less", samples / fewer, unit_percent(&a,
	    finding->gain_cpu * (1 - fewer / samples)));
	finding->price = xasprintf("none; a site of 10 MiB is known to %s "
	    "instead of %s", unit_percent(&a, sqrt(exp2(lg + more) /
	    (10 << 20))), unit_percent(&b, sqrt(exp2(lg) / (10 << 20))));
	return true;
}

static bool
judge_dropped(const struct tune_input *in, struct tune_finding *finding)
{
	double held = (double)in->file->prof.samples;
	double memory = tune_option(in, "prof_max_memory", 0);
	struct unit a;

	/* One in a thousand: less than what any site's error is. */
	if (in->dropped_samples < 1 || in->dropped_samples < held / 1000 ||
	    memory <= 0 || (double)in->file->prof.memory < 0.9 * memory)
		return false;
	finding->title = xstrdup("samples are dropped: the profiler may use "
	    "no more memory");
	finding->severity = TUNE_MEDIUM;
	finding->confidence = TUNE_SURE;
	tune_figure(finding, "dropped", in->dropped_samples, "count",
	    "strata.prof.dropped_samples");
	tune_figure(finding, "held", held, "count",
	    "strata.prof.samples");
	tune_figure(finding, "its memory", (double)in->file->prof.memory,
	    "bytes", "strata.prof.memory");
	tune_setting(finding, "prof_max_memory", "%.0f", memory * 4);
	finding->effect = xstrdup("profiles that miss nothing");
	finding->price_bytes = memory * 3;
	finding->price = xasprintf("at most %s more; lg_prof_sample raised by "
	    "2 costs none", unit_bytes(&a, finding->price_bytes));
	return true;
}

const struct tune_rule tune_conf_rules[] = {
	{ "misspelt", "opt", "MALLOC_CONF has a name that is not in \"opt\"",
	    judge_misspelt },
	{ "without-effect", "opt", "MALLOC_CONF asks for another value than "
	    "is in force", judge_without_effect },
	{ "sampling", "merged.bins[].{nrequests,nmalloc}, "
	    "opt.lg_prof_sample", "samples cost 1% of a processor",
	    judge_sampling },
	{ "dropped", "prof.{dropped_samples,memory}", "for 1000 samples that "
	    "are held one was dropped, and prof_max_memory is reached",
	    judge_dropped },
	{ 0 }
};
