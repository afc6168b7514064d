/*
 * tune_rules.c - runs the rules, and joins what they advise to one line of
 * MALLOC_CONF.
 *
 * Where two findings ask for different values of one option the more severe
 * one has it. The line repeats what the environment said already, so that it
 * can take its place.
 */
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tune.h"
#include "units.h"
#include "xalloc.h"

/* --- for the rules -------------------------------------------------------- */

void
tune_figure(struct tune_finding *finding, const char *name, double value,
    const char *unit, const char *path, ...)
{
	struct tune_figure *figure;
	char text[160];
	va_list args;

	if (finding->nfigures == TUNE_FIGURES)
		return;
	figure = &finding->figures[finding->nfigures++];
	va_start(args, path);
	vsnprintf(text, sizeof text, path, args);
	va_end(args);
	*figure = (struct tune_figure){ name, xstrdup(text), value, unit };
}

void
tune_setting(struct tune_finding *finding, const char *option,
    const char *format, ...)
{
	char text[512];
	va_list args;

	if (finding->nsettings == TUNE_SETTINGS)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	finding->settings[finding->nsettings++] =
	    (struct tune_setting){ option, xstrdup(text) };
}

void
tune_range_add(struct tune_ranges *ranges, uint64_t lo, uint64_t hi,
    unsigned value)
{
	size_t length = strlen(ranges->text);

	snprintf(ranges->text + length, sizeof ranges->text - length,
	    "%s%" PRIu64 "-%" PRIu64 ":%u", length == 0 ? "" : "|", lo, hi,
	    value);
}

void
tune_setting_ranges(const struct tune_input *in,
    struct tune_finding *finding, const char *option,
    const struct tune_ranges *ranges)
{
	struct tune_pairs pairs;
	const char *given;

	tune_pairs_read(in->file, false, &pairs);
	given = tune_pairs_find(&pairs, option);
	tune_setting(finding, option, "%s%s%s", given == NULL ? "" : given,
	    given == NULL ? "" : "|", ranges->text);
	tune_pairs_free(&pairs);
}

/* jemalloc up to 5.2 has, and shows, the logarithm alone. */
void
tune_setting_tcache_max(const struct tune_input *in,
    struct tune_finding *finding, double bytes)
{
	if (statsfile_option(in->file, "tcache_max") == NULL &&
	    statsfile_option(in->file, "lg_tcache_max") != NULL)
		tune_setting(finding, "lg_tcache_max", "%.0f",
		    ceil(log2(bytes)));
	else
		tune_setting(finding, "tcache_max", "%.0f", bytes);
}

double
tune_option(const struct tune_input *in, const char *name, double fallback)
{
	const char *text = statsfile_option(in->file, name);
	char *end;
	double value;

	if (text == NULL)
		return fallback;
	value = strtod(text, &end);
	return end == text || *end != '\0' || !isfinite(value) ? fallback :
	    value;
}

static enum tune_severity
severity_of(double share, double medium, double high)
{
	return share >= high ? TUNE_HIGH : share >= medium ? TUNE_MEDIUM :
	    TUNE_LOW;
}

double
tune_gain(const struct tune_input *in, double ns)
{
	return in->seconds > 0 ? fmin(ns / (in->seconds * 1e9),
	    in->processors) : 0;
}

bool
tune_worth(const struct tune_input *in, double ns,
    struct tune_finding *finding)
{
	double share = tune_gain(in, ns);

	if (share < TUNE_LEAST_CPU || ns < TUNE_LEAST_NS)
		return false;
	finding->gain_cpu = share;
	/* 3 % is what tuning a service brings on the average. */
	finding->severity = severity_of(share, 0.03, 0.1);
	return true;
}

bool
tune_worth_bytes(double bytes, double whole, struct tune_finding *finding)
{
	if (bytes < TUNE_LEAST_BYTES || bytes < TUNE_LEAST_SHARE * whole)
		return false;
	finding->gain_bytes = bytes;
	finding->severity = severity_of(bytes / whole, 0.5, 0.75);
	return true;
}

double
tune_lock_ns(const struct statsfile_lock *lock)
{
	return (double)lock->num_spin_acq * TUNE_SPIN_NS +
	    (double)lock->num_wait * TUNE_WAIT_NS;
}

/* --- all of them ---------------------------------------------------------- */

static const struct tune_rule *const tables[] = {
	tune_lock_rules, tune_cache_rules, tune_memory_rules, tune_conf_rules,
};

const struct tune_rule *
tune_rule_next(size_t *i)
{
	size_t n = *i;

	for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
		for (size_t k = 0; tables[t][k].id != NULL; k++)
			if (n-- == 0) {
				++*i;
				return &tables[t][k];
			}
	return NULL;
}

static int
more_severe(const void *a, const void *b)
{
	const struct tune_finding *x = a, *y = b;

	if (x->severity != y->severity)
		return x->severity > y->severity ? -1 : 1;
	return x->gain_cpu > y->gain_cpu ? -1 : x->gain_cpu < y->gain_cpu;
}

/* --- the line ------------------------------------------------------------- */

static const struct tune_setting *
setting_of(const struct tune_report *report, const char *option)
{
	for (size_t i = 0; i < report->n; i++) {
		const struct tune_finding *finding = &report->findings[i];

		for (size_t k = 0; k < finding->nsettings; k++)
			if (strcmp(finding->settings[k].option, option) == 0)
				return &finding->settings[k];
	}
	return NULL;
}

static void
conf_append(char **conf, const char *name, const char *value)
{
	char *longer = xasprintf("%s%s%s:%s", *conf,
	    **conf == '\0' ? "" : ",", name, value);

	free(*conf);
	*conf = longer;
}

/* What was given stays, unless it is advised anew or is not in force. */
static void
conf_keep(const struct tune_report *report, const struct statsfile *file,
    char **conf)
{
	struct tune_pairs pairs;

	tune_pairs_read(file, true, &pairs);
	for (size_t i = 0; i < pairs.n; i++)
		if (setting_of(report, pairs.items[i].name) == NULL &&
		    tune_pair_in_force(file, &pairs, i))
			conf_append(conf, pairs.items[i].name,
			    pairs.items[i].value);
	tune_pairs_free(&pairs);
}

static char *
conf_line(const struct tune_report *report, const struct statsfile *file)
{
	char *conf = xstrdup("");
	size_t settings = 0;

	for (size_t i = 0; i < report->n; i++)
		settings += report->findings[i].nsettings;
	if (settings == 0)
		return conf;
	conf_keep(report, file, &conf);
	for (size_t i = 0; i < report->n; i++) {
		const struct tune_finding *finding = &report->findings[i];

		for (size_t k = 0; k < finding->nsettings; k++) {
			const struct tune_setting *s = &finding->settings[k];

			if (setting_of(report, s->option) == s)
				conf_append(&conf, s->option, s->value);
		}
	}
	return conf;
}

static const char *
note_of(const struct statsfile *file)
{
	if (file->locks_unknown)
		return "this jemalloc writes wrong counters of locks (all up "
		    "to 5.3.0 do): locks are not judged";
	if (!file->has_mutexes)
		return "no counters of locks (letter x): they are not judged";
	if (!file->has_bins || !file->has_lextents)
		return "no figures by size (letters b and l): caches and "
		    "slabs are not judged";
	return NULL;
}

struct tune_report *
tune_judge(const struct tune_input *in)
{
	struct tune_report *report = xcalloc(1, sizeof *report);
	const struct tune_rule *rule;

	for (size_t i = 0; (rule = tune_rule_next(&i)) != NULL;) {
		struct tune_finding finding = { .rule = rule->id };

		if (!rule->judge(in, &finding))
			continue;
		/* Its events cost less here than tune.h has it. */
		if (finding.gain_cpu >= in->processors)
			finding.confidence = TUNE_UNSURE;
		report->findings = xgrow(report->findings, report->n,
		    &report->capacity, sizeof *report->findings);
		report->findings[report->n++] = finding;
	}
	if (report->n > 0)
		qsort(report->findings, report->n, sizeof *report->findings,
		    more_severe);
	report->conf = conf_line(report, in->file);
	report->note = note_of(in->file);
	return report;
}

static void
finding_free(struct tune_finding *finding)
{
	for (size_t i = 0; i < finding->nfigures; i++)
		free(finding->figures[i].path);
	for (size_t i = 0; i < finding->nsettings; i++)
		free(finding->settings[i].value);
	free(finding->title);
	free(finding->change);
	free(finding->effect);
	free(finding->price);
}

void
tune_report_free(struct tune_report *report)
{
	for (size_t i = 0; i < report->n; i++)
		finding_free(&report->findings[i]);
	free(report->findings);
	free(report->conf);
	free(report);
}
