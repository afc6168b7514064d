/*
 * ctl.c - `strata ctl PID VERB`: asks a running process for a dump, switches
 * its sampling, shows its state (ask.h).
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask.h"
#include "cli.h"
#include "commands.h"
#include "fields.h"
#include "units.h"

enum { FILES_MAX = 2 };		/* of one dump */

static const struct {
	const char *name;
	enum ctlpage_verb verb;
} verbs[] = {
	{ "dump", CTL_DUMP }, { "on", CTL_ON }, { "off", CTL_OFF },
	{ "leaks", CTL_LEAKS }, { "stats", CTL_STATS },
	{ "rotate", CTL_ROTATE }, { "status", CTL_STATUS },
};

/* One run of the command. */
struct request {
	const struct cli_args *args;
	const char *verb_name;
	enum ctlpage_verb verb;
	double timeout_s;
	struct ask ask;
	char files[FILES_MAX][ASK_PATH];
	int nfiles;
};

/* --- files --------------------------------------------------------------- */

/* Of a dump in two formats the page names the .pb. */
static void
files_collect(struct request *request)
{
	const struct ctlpage_ack *ack = &request->ask.ack;
	char path[CTLPAGE_PATH + 8];
	size_t len;

	if (ack->file[0] == '\0')
		return;
	snprintf(path, sizeof path, "%s", ack->file);
	ask_file(&request->ask, path, request->files[request->nfiles++]);
	len = strlen(path);
	if (ack->formats != (CTLPAGE_PB | CTLPAGE_HEAP) ||
	    len < 3 || strcmp(path + len - 3, ".pb") != 0)
		return;
	strcpy(path + len - 3, ".heap");
	ask_file(&request->ask, path, request->files[request->nfiles++]);
}

/* --- output -------------------------------------------------------------- */

static const char *
signal_text(const struct ctlpage *page, char *out, size_t size)
{
	struct signal_name name;

	target_signal_name(&name, page->signal);
	if ((page->flags & CTLPAGE_TAKEN) != 0)
		snprintf(out, size, "%s is the program's own", name.text);
	else if ((page->flags & CTLPAGE_OURS) == 0)
		snprintf(out, size, "none");
	else
		snprintf(out, size, "%s (%d)", name.text, page->signal);
	return out;
}

static void
line(const char *name, const char *text)
{
	printf("%-12s%s\n", name, text);
}

static void
time_text(uint64_t ns, char *out, size_t size)
{
	time_t seconds = (time_t)(ns / 1000000000);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(out, size, "?");
}

static void
status_text(const struct request *request)
{
	const struct ctlpage *page = &request->ask.page;
	struct unit rate = { 0 }, dropped = { 0 }, kept = { 0 };
	char text[CTLPAGE_PATH + 64];

	snprintf(text, sizeof text, "%d", (int)request->ask.target.pid);
	line("process", text);
	line("strata", page->strata_version);
	line("sampling", page->flags & CTLPAGE_ACTIVE ? "on" : "off");
	snprintf(text, sizeof text, "one in %" PRIu64 " bytes (%s)",
	    page->rate, unit_bytes(&rate, (double)page->rate));
	line("period", text);
	line("signal", signal_text(page, text, sizeof text));
	snprintf(text, sizeof text, "%" PRIu64 " live, %" PRIu64
	    " dropped (%s)", page->samples_live, page->dropped_samples,
	    unit_bytes(&dropped, (double)page->dropped_bytes));
	line("samples", text);
	line("profiler", unit_bytes(&kept, (double)page->profiler_bytes));
	snprintf(text, sizeof text, "%" PRIu64 " written, %" PRIu64 " failed",
	    page->dumps, page->dump_errors);
	line("dumps", text);
	snprintf(text, sizeof text, "%" PRIu64 " seen, %" PRIu64 " served",
	    page->requests, page->done);
	line("requests", text);
	line("prefix", page->prefix[0] != '\0' ? page->prefix : "none");
	line("last file", page->last_file[0] != '\0' ? page->last_file :
	    "none");
	if (page->last_error[0] != '\0')
		line("last error", page->last_error);
	time_text(page->updated_ns, text, sizeof text);
	line("as of", text);
}

static json_t *
status_json(const struct request *request)
{
	const struct ctlpage *page = &request->ask.page;
	char text[64];

	return json_pack("{s:s s:o s:b s:I s:i s:b s:b s:s s:I s:I s:I s:I "
	    "s:I s:I s:I s:I s:o s:o s:o s:I s:I}", "verb", "status",
	    "strata_version", field_text(page->strata_version),
	    "active", (page->flags & CTLPAGE_ACTIVE) != 0,
	    "period", (json_int_t)page->rate, "signal", page->signal,
	    "signal_ours", (page->flags & CTLPAGE_OURS) != 0,
	    "signal_taken", (page->flags & CTLPAGE_TAKEN) != 0,
	    "signal_text", signal_text(page, text, sizeof text),
	    "samples_live", (json_int_t)page->samples_live,
	    "dropped_samples", (json_int_t)page->dropped_samples,
	    "dropped_bytes", (json_int_t)page->dropped_bytes,
	    "profiler_bytes", (json_int_t)page->profiler_bytes,
	    "dumps", (json_int_t)page->dumps,
	    "dump_errors", (json_int_t)page->dump_errors,
	    "requests", (json_int_t)page->requests,
	    "done", (json_int_t)page->done,
	    "prefix", field_text(page->prefix),
	    "last_file", field_text(page->last_file),
	    "last_error", field_text(page->last_error),
	    "start_time_ns", (json_int_t)page->start_ns,
	    "updated_time_ns", (json_int_t)page->updated_ns);
}

static void
print_json(const struct request *request)
{
	json_t *object = request->verb == CTL_STATUS ? status_json(request) :
	    json_pack("{s:s}", "verb", request->verb_name);
	json_t *files = json_array();

	json_object_set_new(object, "pid",
	    json_integer(request->ask.target.pid));
	for (int i = 0; i < request->nfiles; i++)
		json_array_append_new(files, field_text(request->files[i]));
	if (request->verb == CTL_DUMP || request->verb == CTL_STATS)
		json_object_set(object, "files", files);
	if (request->verb == CTL_ROTATE)
		json_object_set_new(object, "generation",
		    json_integer(request->ask.ack.formats));
	json_decref(files);
	field_print(object, JSON_INDENT(2), stdout);
}

static int
print_answer(const struct request *request)
{
	if (strcmp(cli_format(request->args), "json") == 0)
		print_json(request);
	else if (request->verb == CTL_STATUS)
		status_text(request);
	else if (request->verb == CTL_ROTATE)
		printf("%" PRIu32 "\n", request->ask.ack.formats);
	else if (request->verb == CTL_ON || request->verb == CTL_OFF)
		printf("sampling is %s\n", request->verb_name);
	for (int i = 0; i < request->nfiles &&
	    strcmp(cli_format(request->args), "json") != 0; i++)
		puts(request->files[i]);
	if (fflush(stdout) != 0) {
		cli_error(request->args, "write error: %s", strerror(errno));
		return EXIT_INPUT;
	}
	return EXIT_FINE;
}

/* --- the command --------------------------------------------------------- */

static int
serve(struct request *request)
{
	struct ask *ask = &request->ask;
	int status;

	/* A state that cannot be brought up to date is shown as it is. */
	if (request->verb == CTL_STATUS &&
	    (ask->page.flags & CTLPAGE_OURS) == 0)
		return print_answer(request);
	status = ask_verb(ask, request->verb, request->verb_name,
	    request->timeout_s);
	if (status != EXIT_FINE)
		return status;
	files_collect(request);
	return print_answer(request);
}

static int
parse_operands(struct request *request, pid_t *pid)
{
	const char *number = request->args->operands[0];
	const char *verb = request->args->operands[1];
	char *end;
	long value = strtol(number, &end, 10);

	if (end == number || *end != '\0' || value <= 0 || value > INT32_MAX)
		return cli_usage_error(request->args, "'%s' is not a process "
		    "number", number);
	*pid = (pid_t)value;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
		if (strcmp(verbs[i].name, verb) != 0)
			continue;
		request->verb = verbs[i].verb;
		request->verb_name = verb;
		return EXIT_FINE;
	}
	return cli_usage_error(request->args, "'%s' is none of dump, on, "
	    "off, rotate, stats and status", verb);
}

static int
run(const struct cli_args *args)
{
	struct request request = { .args = args, .timeout_s = ASK_TIMEOUT_S };
	pid_t pid = 0;
	int status = cli_seconds(args, "timeout", 0, &request.timeout_s);

	if (status == EXIT_FINE)
		status = parse_operands(&request, &pid);
	if (status != EXIT_FINE)
		return status;
	status = ask_open(pid, &request.ask);
	if (status == EXIT_FINE)
		status = serve(&request);
	if (request.ask.why[0] != '\0')
		cli_error(args, "%s", request.ask.why);
	ask_close(&request.ask);
	return status;
}

static const struct cli_option options[] = {
	{ 't', "timeout", "TIME", "wait so long for the process [30s]" },
	{ 0 }
};

const struct cli_command cmd_ctl = {
	.name = "ctl",
	.operands = "PID dump|on|off|rotate|stats|status",
	.summary = "ask a running program for a profile, or for its state",
	.about =
	    "  dump    writes a profile and prints the file's name, as it is\n"
	    "          reached from here\n"
	    "  on off  switches sampling; what was sampled stays\n"
	    "  rotate  begins the next generation and prints its number; what is\n"
	    "          allocated from then on carries it\n"
	    "  stats   writes the allocator's statistics (JSON), prints the\n"
	    "          file's name\n"
	    "  status  version, sampling, period, samples, drops, last file\n"
	    "\n"
	    "The program must run under Strata with prof:true. A process that\n"
	    "does not, or that uses the signal itself, is told apart and\n"
	    "never signalled.",
	.options = options,
	.groups = CLI_FORMAT,
	.formats = "text json",
	.min_operands = 2, .max_operands = 2,
	.run = run,
};
