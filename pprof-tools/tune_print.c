/*
 * tune_print.c - the findings as text and as JSON.
 *
 *   1. high: 17 threads share 1 arena, and wait for each other  [arenas]
 *        threads                   17  stats.arenas.merged.nthreads
 *        ...
 *      change      narenas:16
 *      effect      ...
 *      price       at most 12.0 MiB more ...
 *      confidence  sure
 *
 * Nothing found: nothing printed.
 */
#include <math.h>
#include <string.h>

#include "fields.h"
#include "grid.h"
#include "term.h"
#include "tune.h"
#include "units.h"

static const char *const severities[] = { "low", "medium", "high" };
static const char *const confidences[] = { "unsure", "likely", "sure" };
static const enum grid_style severity_styles[] = {
	GRID_PLAIN, GRID_YELLOW, GRID_RED
};

/* --- text ----------------------------------------------------------------- */

static const char *
figure_text(const struct tune_figure *figure, struct unit *out)
{
	struct unit number;

	if (strcmp(figure->unit, TUNE_FRACTION) == 0)
		return unit_percent(out, figure->value);
	if (strcmp(figure->unit, "bytes") == 0 ||
	    strcmp(figure->unit, "nanoseconds") == 0)
		return unit_value(out, figure->value, figure->unit);
	/* Rates and ratios have three figures, counts have all. */
	if (figure->value < 100 && figure->value != floor(figure->value))
		snprintf(number.text, sizeof number.text, "%.3g",
		    figure->value);
	else
		unit_count(&number, round(figure->value));
	snprintf(out->text, sizeof out->text, "%.30s%s", number.text,
	    strcmp(figure->unit, TUNE_PER_SECOND) == 0 ? "/s" : "");
	return out->text;
}

static void
print_figures(const struct tune_finding *finding, bool color, FILE *out)
{
	struct grid *grid = grid_new("lrl");

	for (size_t i = 0; i < finding->nfigures; i++) {
		const struct tune_figure *figure = &finding->figures[i];
		struct unit unit;

		grid_addf(grid, GRID_PLAIN, "     %s", figure->name);
		grid_add(grid, GRID_BOLD, figure_text(figure, &unit));
		grid_add(grid, GRID_DIM, figure->path);
	}
	grid_print(grid, out, color, term_width(out, 0));
	grid_free(grid);
}

static void
print_line(const char *name, const char *text, FILE *out)
{
	if (text != NULL)
		fprintf(out, "   %-12s%s\n", name, text);
}

static void
print_code(const char *code, FILE *out)
{
	fputc('\n', out);
	for (const char *line = code; *line != '\0';) {
		size_t length = strcspn(line, "\n");

		fprintf(out, "%s%.*s\n", length > 0 ? "\t" : "", (int)length,
		    line);
		line += length + (line[length] == '\n');
	}
	fputc('\n', out);
}

static void
print_finding(const struct tune_finding *finding, size_t number, bool color,
    FILE *out)
{
	enum grid_style style = severity_styles[finding->severity];

	fprintf(out, "%zu. %s%s%s: %s  [%s]\n", number,
	    grid_style_on(style, color), severities[finding->severity],
	    grid_style_off(style, color), finding->title, finding->rule);
	print_figures(finding, color, out);
	for (size_t i = 0; i < finding->nsettings; i++)
		fprintf(out, "   %-12s%s:%s\n", i == 0 ? "change" : "",
		    finding->settings[i].option, finding->settings[i].value);
	print_line("change", finding->change, out);
	if (finding->code != NULL)
		print_code(finding->code, out);
	print_line("effect", finding->effect, out);
	print_line("price", finding->price, out);
	print_line("confidence", confidences[finding->confidence], out);
	fputc('\n', out);
}

void
tune_print_text(const struct tune_report *report,
    const struct tune_input *in, FILE *out)
{
	bool color = term_color(out);
	struct unit unit;

	if (report->n > 0)
		fprintf(out, "%s: %zu finding%s in %s (%s %s)\n\n",
		    in->file->source, report->n, report->n == 1 ? "" : "s",
		    unit_duration(&unit, in->seconds * 1e9),
		    in->file->is_strata ? "Strata" : "jemalloc",
		    in->file->version);
	for (size_t i = 0; i < report->n; i++)
		print_finding(&report->findings[i], i + 1, color, out);
	if (*report->conf == '\0')
		return;
	/* jemalloc does not tell what its environment says already. */
	if (!in->file->is_strata)
		fputs("add to MALLOC_CONF: ", out);
	fprintf(out, in->file->is_strata ? "%sMALLOC_CONF='%s'%s\n" :
	    "%s%s%s\n", grid_style_on(GRID_BOLD, color), report->conf,
	    grid_style_off(GRID_BOLD, color));
}

void
tune_print_rules(FILE *out)
{
	const struct tune_rule *rule;

	for (size_t i = 0; (rule = tune_rule_next(&i)) != NULL;)
		fprintf(out, "%-18s%s\n%18sreads %s\n", rule->id, rule->when,
		    "", rule->reads);
}

/* --- JSON ----------------------------------------------------------------- */

static json_t *
figures_json(const struct tune_finding *finding)
{
	json_t *list = json_array();

	for (size_t i = 0; i < finding->nfigures; i++) {
		const struct tune_figure *figure = &finding->figures[i];
		json_t *object = json_object();

		field_set_text(object, "name", figure->name);
		field_set_text(object, "path", figure->path);
		json_object_set_new(object, "value",
		    json_real(figure->value));
		field_set_text(object, "unit", figure->unit);
		json_array_append_new(list, object);
	}
	return list;
}

static void
set_real(json_t *object, const char *key, double value)
{
	if (value != 0)
		json_object_set_new(object, key, json_real(value));
}

static json_t *
finding_json(const struct tune_finding *finding)
{
	json_t *object = json_object(), *settings = json_object();

	for (size_t i = 0; i < finding->nsettings; i++)
		field_set_text(settings, finding->settings[i].option,
		    finding->settings[i].value);
	field_set_text(object, "rule", finding->rule);
	field_set_text(object, "severity", severities[finding->severity]);
	field_set_text(object, "confidence",
	    confidences[finding->confidence]);
	field_set_text(object, "title", finding->title);
	json_object_set_new(object, "figures", figures_json(finding));
	json_object_set_new(object, "settings", settings);
	field_set_text(object, "change", finding->change);
	field_set_text(object, "code", finding->code);
	field_set_text(object, "effect", finding->effect);
	field_set_text(object, "price", finding->price);
	set_real(object, "gain_processors", finding->gain_cpu);
	set_real(object, "gain_bytes", finding->gain_bytes);
	set_real(object, "price_bytes", finding->price_bytes);
	return object;
}

json_t *
tune_report_json(const struct tune_report *report)
{
	json_t *root = json_object(), *list = json_array();

	for (size_t i = 0; i < report->n; i++)
		json_array_append_new(list,
		    finding_json(&report->findings[i]));
	json_object_set_new(root, "findings", list);
	field_set_text(root, "malloc_conf", report->conf);
	field_set_text(root, "note", report->note);
	return root;
}
