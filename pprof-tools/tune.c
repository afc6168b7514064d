/*
 * tune.c - `strata tune`: what the statistics say about the settings.
 *
 *   one file, or process          since its start
 *   two, of one process           the time between them
 *   two, of two runs              the second, beside the first
 *
 * Exit status: 0 nothing to change, 1 findings.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ask.h"
#include "cli.h"
#include "commands.h"
#include "fields.h"
#include "tune.h"

static const struct cli_option options[] = {
	{ 'i', "interval", "TIME", "ask a process twice, so long apart, and "
	    "judge the time between" },
	{ 'r', "runs", NULL, "the two files are of two runs, even if they "
	    "could be of one" },
	{ 't', "timeout", "TIME", "wait so long for a process [30s]" },
	{ 0, "rules", NULL, "list the rules and end" },
	{ 0 }
};

struct tune {
	const struct cli_args *args;
	struct statsfile_series series;
	double timeout_s, interval_s;	/* interval_s 0: asked once */
	struct tune_input now, then;	/* then: if there are two */
	bool two, interval;		/* interval: of one process */
	struct tune_report *report, *old;
	FILE *out;
};

/* --- input ---------------------------------------------------------------- */

static int
load(struct tune *tune, const char *operand)
{
	return statsfile_load(operand, tune->timeout_s, &tune->series);
}

static void
pause_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	while (nanosleep(&t, &t) != 0 && errno == EINTR)
		;
}

static int
begin_input(struct tune *tune, struct tune_input *in,
    const struct statsfile *file, const struct statsfile *before)
{
	const char *why;

	if (tune_input_init(in, file, before, &why) == 0)
		return EXIT_FINE;
	cli_error(tune->args, "%s: %s", file->source, why);
	return EXIT_INPUT;
}

/* Of a file with a series the last counts. */
static int
make_inputs(struct tune *tune, size_t last_of_first)
{
	const struct statsfile *file = tune->series.items[tune->series.n - 1];
	const struct statsfile *before = NULL;
	int status;

	tune->two = tune->series.n > last_of_first + 1;
	if (tune->two) {
		before = tune->series.items[last_of_first];
		tune->interval = !cli_flag(tune->args, "runs") &&
		    tune_same_process(before, file);
		status = begin_input(tune, &tune->then, before, NULL);
		if (status != EXIT_FINE)
			return status;
	}
	status = begin_input(tune, &tune->now, file,
	    tune->interval ? before : NULL);
	if (status != EXIT_FINE && tune->two)
		tune_input_fini(&tune->then);
	return status;
}

/* --- output --------------------------------------------------------------- */

static bool
has_rule(const struct tune_report *report, const char *rule)
{
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->findings[i].rule, rule) == 0)
			return true;
	return false;
}

/* What was found in the first and is not in the second. */
static void
print_gone(const struct tune *tune)
{
	bool any = false;

	for (size_t i = 0; i < tune->old->n; i++) {
		const struct tune_finding *finding = &tune->old->findings[i];

		if (has_rule(tune->report, finding->rule))
			continue;
		fprintf(tune->out, "gone: %s  [%s]\n", finding->title,
		    finding->rule);
		any = true;
	}
	if (any)
		fputc('\n', tune->out);
}

static void
print_text(const struct tune *tune)
{
	if (tune->two) {
		fprintf(tune->out, "%s\n", tune->interval ?
		    "one process: then is since its start, now since then" :
		    "two runs, each since its start");
		tune_changes_text(&tune->then, &tune->now, tune->out);
		print_gone(tune);
	}
	tune_print_text(tune->report, &tune->now, tune->out);
}

static void
print_json(const struct tune *tune)
{
	json_t *root = tune_report_json(tune->report), *gone = json_array();

	field_set_text(root, "source", tune->now.file->source);
	field_set_text(root, "allocator", tune->now.file->is_strata ?
	    "strata" : "jemalloc");
	field_set_text(root, "version", tune->now.file->version);
	json_object_set_new(root, "seconds", json_real(tune->now.seconds));
	if (tune->two) {
		field_set_text(root, "compared", tune->interval ?
		    "interval" : "runs");
		json_object_set_new(root, "changes",
		    tune_changes_json(&tune->then, &tune->now));
		for (size_t i = 0; i < tune->old->n; i++) {
			const char *rule = tune->old->findings[i].rule;

			if (!has_rule(tune->report, rule))
				json_array_append_new(gone,
				    json_string(rule));
		}
		json_object_set(root, "gone", gone);
	}
	json_decref(gone);
	field_print(root, JSON_INDENT(2) | JSON_REAL_PRECISION(12),
	    tune->out);
}

static int
print(struct tune *tune)
{
	int status = cli_output(tune->args, &tune->out);

	if (status != EXIT_FINE)
		return status;
	if (strcmp(cli_format(tune->args), "json") == 0)
		print_json(tune);
	else
		print_text(tune);
	return cli_output_close(tune->args, tune->out);
}

/* --- the command ---------------------------------------------------------- */

static int
judge(struct tune *tune)
{
	int status;

	tune->report = tune_judge(&tune->now);
	if (tune->two)
		tune->old = tune_judge(&tune->then);
	if (tune->report->note != NULL)
		cli_error(tune->args, "%s", tune->report->note);
	status = print(tune);
	if (status == EXIT_FINE && tune->report->n > 0)
		status = EXIT_FINDINGS;
	tune_report_free(tune->report);
	if (tune->two)
		tune_report_free(tune->old);
	return status;
}

static int
work(struct tune *tune)
{
	char **operand = tune->args->operands;
	size_t last;
	int status = load(tune, *operand);

	if (status != EXIT_FINE)
		return status;
	last = tune->series.n - 1;
	if (tune->interval_s > 0)
		pause_for(tune->interval_s);
	if (tune->interval_s > 0 || operand[1] != NULL)
		status = load(tune, operand[tune->interval_s > 0 ? 0 : 1]);
	if (status == EXIT_FINE)
		status = make_inputs(tune, last);
	if (status != EXIT_FINE)
		return status;
	status = judge(tune);
	tune_input_fini(&tune->now);
	if (tune->two)
		tune_input_fini(&tune->then);
	return status;
}

/* Only a process can be asked twice; two files need no interval. */
static int
check_use(const struct cli_args *args)
{
	const char *operand = args->operands[0];

	if (operand == NULL)
		return cli_usage_error(args, "which statistics?");
	if (!cli_flag(args, "interval"))
		return EXIT_FINE;
	if (args->operands[1] != NULL ||
	    operand[strspn(operand, "0123456789")] != '\0')
		return cli_usage_error(args, "--interval is for one process");
	return EXIT_FINE;
}

static int
list_rules(struct tune *tune)
{
	int status = cli_output(tune->args, &tune->out);

	if (status != EXIT_FINE)
		return status;
	tune_print_rules(tune->out);
	return cli_output_close(tune->args, tune->out);
}

static int
run(const struct cli_args *args)
{
	struct tune tune = { .args = args, .timeout_s = ASK_TIMEOUT_S };
	int status = cli_seconds(args, "timeout", 0, &tune.timeout_s);

	if (status == EXIT_FINE)
		status = cli_seconds(args, "interval", 0.001,
		    &tune.interval_s);
	if (status != EXIT_FINE)
		return status;
	if (cli_flag(args, "rules"))
		return list_rules(&tune);
	status = check_use(args);
	if (status == EXIT_FINE)
		status = work(&tune);
	statsfile_series_free(&tune.series);
	return status;
}

const struct cli_command cmd_tune = {
	.name = "tune",
	.operands = "STATS|PID [STATS|PID]",
	.summary = "read an allocator's statistics and say what to change",
	.about = "Reads the statistics that malloc_stats_print writes as JSON "
	    "(the letter J), or asks a process for them, and names what is "
	    "wrong with the settings: the figures it rests on, the change to "
	    "MALLOC_CONF or to the program, what that should bring and what "
	    "it costs in memory. Says nothing if nothing is. Of two, or of a "
	    "process asked twice, shows what changed in any case, and judges "
	    "the time between them if they are of one process.",
	.options = options,
	.formats = "text json",
	.groups = CLI_FORMAT | CLI_OUTPUT | CLI_COLOR,
	.min_operands = 0,
	.max_operands = 2,
	.run = run,
};
