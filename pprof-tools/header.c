/*
 * header.c - the facts about a profile, from its comments and its sum.
 */
#include "header.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fields.h"
#include "grid.h"
#include "term.h"
#include "units.h"
#include "xalloc.h"

/* Rows of several files, or from before R was changed, have their own. */
static void
find_periods(struct header *header)
{
	const struct model *model = header->model;

	header->period_min = header->period_max = model->period > 0 ?
	    model->period : 0;
	for (uint32_t i = 0; i < model->nrows; i++) {
		int64_t rate = model->rows[i].labels->rate;

		if (rate <= 0 || model->period <= 0)
			continue;
		if (rate < header->period_min)
			header->period_min = rate;
		if (rate > header->period_max)
			header->period_max = rate;
	}
}

struct header
header_of(const struct model *model)
{
	struct header header = { .model = model };
	uint32_t type = model_find_type(model, "inuse_space");

	find_periods(&header);
	header.has_live = type != MODEL_NONE;
	for (uint32_t i = 0; header.has_live && i < model->nrows; i++) {
		struct estimate row;

		row = site_row_estimate(model, &model->rows[i], type);
		estimate_add(&header.live, &row);
	}
	return header;
}

double
header_sum_error(const struct model *model, const struct estimate *sum)
{
	double unseen = model->period > 1 ? (double)model->period : 0;

	if (sum->unknown || (sum->value == 0 && model->period < 1))
		return NAN;
	return hypot(sqrt(sum->variance), unseen);
}

size_t
header_parts(const struct model_exact *exact,
    struct header_part parts[HEADER_PARTS])
{
	const struct {
		const char *name;
		bool known;
		int64_t bytes;
	} all[] = {
		{ "live", exact->live >= 0, exact->live },
		{ "caches", exact->tcache >= 0, exact->tcache },
		{ "fragmentation", exact->active >= 0 && exact->allocated >= 0,
		    exact->active - exact->allocated },
		{ "dirty", exact->dirty >= 0, exact->dirty },
		{ "metadata", exact->metadata >= 0, exact->metadata },
	};
	const size_t nall = sizeof all / sizeof all[0];
	double other = (double)exact->rss;
	size_t n = 0, known = 0;

	if (exact->rss < 0)
		return 0;
	for (size_t i = 0; i < nall; i++) {
		if (!all[i].known)
			continue;
		parts[n].name = all[i].name;
		parts[n++].bytes = (double)all[i].bytes;
		known++;
		other -= (double)all[i].bytes;
	}
	if (exact->profiler >= 0) {	/* not in every format's comments */
		parts[n].name = "profiler";
		parts[n++].bytes = (double)exact->profiler;
		other -= (double)exact->profiler;
	}
	if (known == nall) {
		parts[n].name = "other";
		parts[n++].bytes = other;
	}
	return n;
}

/* Begins a line: "program   ". */
static void
label(FILE *out, bool color, const char *prefix, const char *name)
{
	fprintf(out, "%s%s%-8s%s  ", prefix, grid_style_on(GRID_BOLD, color),
	    name, grid_style_off(GRID_BOLD, color));
}

/* A command line may be thousands of characters long. */
static void
print_cut(const char *text, FILE *out)
{
	enum { MAX = 100 };		/* a wide terminal's line, with a pid */
	size_t n = MAX;

	if (strlen(text) <= MAX) {
		fputs(text, out);
		return;
	}
	while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;			/* whole characters */
	fprintf(out, "%.*s...", (int)n, text);
}

static void
print_program(const struct model *model, FILE *out, bool color,
    const char *prefix)
{
	const struct model_exact *exact = &model->exact;
	const char *between = " (";

	if (exact->command == NULL && exact->pid < 0)
		return;
	label(out, color, prefix, "program");
	print_cut(exact->command == NULL ? "" : exact->command, out);
	if (exact->pid >= 0) {
		fprintf(out, "%spid %lld", between, (long long)exact->pid);
		between = ", ";
	}
	if (exact->version != NULL) {
		fprintf(out, "%sstrata ", between);
		print_cut(exact->version, out);
		between = ", ";
	}
	fprintf(out, "%s\n", strcmp(between, ", ") == 0 ? ")" : "");
}

/* "f" -> "at exit"; a word the list does not know is shown as it is. */
static const char *
trigger_text(const char *trigger)
{
	static const struct {
		const char *name, *text;
	} triggers[] = {
		{ "f", "at exit" }, { "final", "at exit" },
		{ "i", "by bytes" }, { "bytes", "by bytes" },
		{ "t", "by time" }, { "time", "by time" },
		{ "m", "by the program" }, { "mallctl", "by the program" },
		{ "u", "at a new peak" }, { "gdump", "at a new peak" },
		{ "s", "by signal" }, { "signal", "by signal" },
	};

	for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
		if (strcmp(trigger, triggers[i].name) == 0)
			return triggers[i].text;
	}
	return trigger;
}

/* ", 3 h 20 min after start"; the profile has whole seconds. */
static void
print_running_time(int64_t seconds, FILE *out)
{
	struct unit unit;

	if (seconds == 0)
		fputs(", in its first second", out);
	else if (seconds < 60)
		fprintf(out, ", %d s after start", (int)seconds);
	else
		fprintf(out, ", %s after start", unit_duration(&unit,
		    1e9 * (double)seconds));
}

static void
print_time(int64_t ns, FILE *out)
{
	time_t seconds = (time_t)(ns / 1000000000);
	char text[64];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	fputs(text, out);
}

/* "12:00:05 UTC, 4 s after start", or the first and the last of several. */
static void
print_times(const struct model *model, FILE *out)
{
	const struct model_exact *exact = &model->exact;
	int64_t seconds = model->time_ns / 1000000000;
	bool several = model->nfiles > 1;

	print_time(model->time_ns, out);
	if (several && exact->time_unix_ns / 1000000000 > seconds) {
		fputs(" to ", out);
		print_time(exact->time_unix_ns, out);
	}
	fputs(" UTC", out);
	if (!several && exact->start_time_unix > 0 &&
	    seconds >= exact->start_time_unix)
		print_running_time(seconds - exact->start_time_unix, out);
}

static void
print_taken(const struct model *model, FILE *out, bool color,
    const char *prefix)
{
	const struct model_exact *exact = &model->exact;

	if (model->time_ns <= 0 && model->nfiles < 2)
		return;
	label(out, color, prefix, "taken");
	if (model->time_ns > 0)
		print_times(model, out);
	else
		fputs("at unknown times", out);
	if (exact->trigger != NULL) {
		fputs(", ", out);
		print_cut(trigger_text(exact->trigger), out);
	}
	if (model->nfiles > 1)
		fprintf(out, " (%u files merged)", model->nfiles);
	fputc('\n', out);
}

/* "every allocation", "every 512 KiB", "every 4.00 KiB to every 512 KiB" */
static void
print_period(const struct header *header, FILE *out)
{
	struct unit unit;

	fprintf(out, "every %s", header->period_min == 1 ? "allocation" :
	    unit_bytes(&unit, (double)header->period_min));
	if (header->period_max == header->period_min)
		return;
	fprintf(out, " to every %s", unit_bytes(&unit,
	    (double)header->period_max));
}

static void
print_sampling(const struct header *header, FILE *out, bool color,
    const char *prefix)
{
	const struct model_exact *exact = &header->model->exact;
	struct unit unit;
	const char *between = "";

	if (header->period_max <= 0 && exact->samples_live < 0)
		return;
	label(out, color, prefix, "sampling");
	if (header->period_max > 0) {
		print_period(header, out);
		between = "; ";
	}
	if (exact->samples_live >= 0) {
		fprintf(out, "%s%lld live samples", between,
		    (long long)exact->samples_live);
		between = ", ";
	}
	if (exact->samples_freed >= 0) {
		fprintf(out, "%s%lld freed", between,
		    (long long)exact->samples_freed);
		between = ", ";
	}
	if (exact->dropped_samples >= 0)
		fprintf(out, "%s%lld dropped", between,
		    (long long)exact->dropped_samples);
	if (exact->dropped > 0)
		fprintf(out, " (%s)", unit_bytes(&unit,
		    (double)exact->dropped));
	fputc('\n', out);
}

/* ", 415 MiB exact (0.6 errors low)" */
static void
print_exact(double estimate, double error, double exact, FILE *out)
{
	struct unit unit;
	double off = estimate - exact;

	fprintf(out, ", %s exact", unit_bytes(&unit, exact));
	if (isnan(error))
		return;
	if (error > 0)
		fprintf(out, " (%.1f standard errors %s)", fabs(off) / error,
		    off < 0 ? "low" : "high");
	else if (off != 0)
		fprintf(out, " (%s)", unit_delta(&unit, off, "bytes"));
}

static void
print_live(const struct header *header, FILE *out, bool color,
    const char *prefix)
{
	const struct model_exact *exact = &header->model->exact;
	double error = header_sum_error(header->model, &header->live);
	double before = 0;
	struct unit unit;

	if (!header->has_live)
		return;
	if (exact->before_profiling > 0)
		before = (double)exact->before_profiling;
	label(out, color, prefix, "live");
	fputs(unit_bytes(&unit, header->live.value), out);
	if (!isnan(error))
		fprintf(out, " %s %s", term_unicode() ? "\u00b1" : "+-",
		    unit_bytes(&unit, error));
	fputs(" estimated", out);
	if (before > 0)
		fprintf(out, " + %s from before profiling",
		    unit_bytes(&unit, before));
	/* How much of it is alive nobody knows: no error to judge by. */
	if (exact->dropped > 0) {
		fprintf(out, " + up to %s dropped", unit_bytes(&unit,
		    (double)exact->dropped));
		error = NAN;
	}
	if (exact->unsampled > 0) {
		fprintf(out, " + up to %s while sampling was off",
		    unit_bytes(&unit, (double)exact->unsampled));
		error = NAN;
	}
	if (exact->live >= 0)
		print_exact(header->live.value + before, error,
		    (double)exact->live, out);
	fputc('\n', out);
}

static void
print_rss(const struct model *model, FILE *out, bool color,
    const char *prefix)
{
	struct header_part parts[HEADER_PARTS];
	size_t n = header_parts(&model->exact, parts);
	struct unit unit;

	if (n == 0)
		return;
	label(out, color, prefix, "RSS");
	fputs(unit_bytes(&unit, (double)model->exact.rss), out);
	for (size_t i = 0; i < n; i++)
		fprintf(out, " %s %s %s", i == 0 ? "=" :
		    parts[i].bytes < 0 ? "-" : "+",
		    parts[i].bytes < 0 ? "untouched" : parts[i].name,
		    unit_bytes(&unit, fabs(parts[i].bytes)));
	fputc('\n', out);
}

void
header_print(const struct header *header, FILE *out, bool color,
    const char *prefix)
{
	print_program(header->model, out, color, prefix);
	print_taken(header->model, out, color, prefix);
	print_sampling(header, out, color, prefix);
	print_live(header, out, color, prefix);
	print_rss(header->model, out, color, prefix);
}

char *
header_text(const struct header *header)
{
	char *text = NULL;
	size_t length;
	FILE *memory = open_memstream(&text, &length);

	if (memory == NULL)
		return xstrdup("");
	header_print(header, memory, false, "");
	fclose(memory);
	return text;
}

json_t *
header_json(const struct header *header)
{
	const struct model *model = header->model;
	const struct model_exact *exact = &model->exact;
	struct header_part parts[HEADER_PARTS];
	size_t n = header_parts(exact, parts);
	double error = header_sum_error(model, &header->live);
	json_t *object = json_object(), *rss;

	field_set_text(object, "program", exact->command);
	field_set_number(object, "pid", exact->pid);
	field_set_text(object, "strata_version", exact->version);
	if (model->time_ns > 0)
		field_set_number(object, "time_unix_ns", model->time_ns);
	if (model->nfiles > 1) {
		field_set_number(object, "files", model->nfiles);
		field_set_number(object, "last_time_unix_ns",
		    exact->time_unix_ns);
	}
	field_set_text(object, "trigger", exact->trigger);
	if (model->period > 0)
		field_set_number(object, "period", model->period);
	if (header->period_min < header->period_max) {
		field_set_number(object, "period_min", header->period_min);
		field_set_number(object, "period_max", header->period_max);
	}
	field_set_number(object, "samples_live", exact->samples_live);
	field_set_number(object, "samples_freed", exact->samples_freed);
	field_set_number(object, "samples_dropped", exact->dropped_samples);
	field_set_number(object, "bytes_dropped", exact->dropped);
	field_set_number(object, "before_profiling", exact->before_profiling);
	field_set_number(object, "bytes_unsampled", exact->unsampled);
	if (header->has_live)
		json_object_set_new(object, "live_estimate",
		    json_real(header->live.value));
	if (header->has_live && !isnan(error))
		json_object_set_new(object, "live_error", json_real(error));
	field_set_number(object, "live_exact", exact->live);
	if (n > 0) {
		rss = json_object();
		field_set_number(rss, "total", exact->rss);
		for (size_t i = 0; i < n; i++)
			json_object_set_new(rss, parts[i].name,
			    json_integer((json_int_t)parts[i].bytes));
		json_object_set_new(object, "rss", rss);
	}
	return object;
}
