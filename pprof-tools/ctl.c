/*
 * ctl.c - `strata ctl PID VERB`: asks a running process for a dump, switches
 * its sampling, shows its state.
 *
 *   read the page -> may we? -> signal with a request id -> wait for the ack
 *                                 ^                |
 *                                 +-- now and then, until the time-out
 *
 * The process serves a request once, however often it is repeated, and its
 * page says what came of it (prof/ctlpage.h, target.h).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "commands.h"
#include "fields.h"
#include "target.h"
#include "units.h"

enum {
	/* Until an unanswered request is repeated: doubles, up to a second. */
	REPEAT_FIRST_MS = 20, REPEAT_LAST_MS = 1000,
	POLL_MS = 2,		/* between looks at the page */
	FILES_MAX = 2,		/* of one dump */
};

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
	uint32_t id;
	double timeout_s;
	struct target target;
	struct ctlpage page;		/* as last read */
	struct ctlpage_ack ack;		/* the answer */
	char files[FILES_MAX][CTLPAGE_PATH + 32];
	int nfiles;
};

/* --- asking -------------------------------------------------------------- */

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t
new_id(void)
{
	uint32_t id = 0;

	while (id == 0) {
		if (getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id)
			id = (uint32_t)getpid() ^ (uint32_t)now_ms() << 12;
	}
	return id;
}

static bool
answered(struct request *request)
{
	for (size_t i = 0; i < CTLPAGE_ACKS; i++) {
		if (request->page.acks[i].id != request->id)
			continue;
		request->ack = request->page.acks[i];
		return true;
	}
	return false;
}

static int
no_answer(struct request *request)
{
	const char *deaf = target_deaf(&request->target,
	    request->page.signal);

	if (request->page.current == request->id)
		cli_error(request->args, "process %d is still at work on "
		    "it after %g s", (int)request->target.pid,
		    request->timeout_s);
	else
		cli_error(request->args, "process %d %s: no answer in %g s",
		    (int)request->target.pid,
		    deaf != NULL ? deaf : "is silent",
		    request->timeout_s);
	return EXIT_INPUT;
}

/* Sends and waits; the answer is in request->ack. */
static int
ask(struct request *request)
{
	struct target *target = &request->target;
	uint64_t end = now_ms() + (uint64_t)(request->timeout_s * 1000);
	uint64_t value = CTL_SI_VALUE(request->verb, request->id), repeat = 0;
	uint64_t pause = REPEAT_FIRST_MS;
	int status = EXIT_FINE;

	while (status == EXIT_FINE && !answered(request)) {
		uint64_t now = now_ms();

		if (repeat != 0 && now >= end)
			return no_answer(request);
		if (now >= repeat && request->page.current != request->id) {
			status = target_signal(target, value);
			repeat = now + pause;
			if (pause < REPEAT_LAST_MS)
				pause *= 2;
		}
		if (status == EXIT_FINE && target_wait(target, POLL_MS)) {
			cli_error(request->args, "process %d ended before it "
			    "answered", (int)target->pid);
			return EXIT_INPUT;
		}
		if (status == EXIT_FINE)
			status = target_read(target, &request->page);
	}
	if (status != EXIT_FINE)
		cli_error(request->args, "%s", target->why);
	return status;
}

/* --- files --------------------------------------------------------------- */

/*
 * The path by which we reach a file of the process: its own, if that is the
 * same file here, else through its root.
 */
static void
file_reached(const struct request *request, const char *path, char *out,
    size_t size)
{
	struct stat here, there;

	snprintf(out, size, "/proc/%d/root%s", (int)request->target.pid,
	    path);
	if (stat(path, &here) == 0 && (stat(out, &there) != 0 ||
	    (here.st_dev == there.st_dev && here.st_ino == there.st_ino)))
		snprintf(out, size, "%s", path);
}

/* Of a dump in two formats the page names the .pb. */
static void
files_collect(struct request *request)
{
	char path[CTLPAGE_PATH + 8];
	size_t len;

	if (request->ack.file[0] == '\0')
		return;
	snprintf(path, sizeof path, "%s", request->ack.file);
	file_reached(request, path, request->files[request->nfiles++],
	    sizeof request->files[0]);
	len = strlen(path);
	if (request->ack.formats != (CTLPAGE_PB | CTLPAGE_HEAP) ||
	    len < 3 || strcmp(path + len - 3, ".pb") != 0)
		return;
	strcpy(path + len - 3, ".heap");
	file_reached(request, path, request->files[request->nfiles++],
	    sizeof request->files[0]);
}

/* --- output -------------------------------------------------------------- */

static const char *
signal_text(const struct ctlpage *page, char *out, size_t size)
{
	const char *name = page->signal > 0 ? sigabbrev_np(page->signal) :
	    NULL;

	if ((page->flags & CTLPAGE_TAKEN) != 0)
		snprintf(out, size, "SIG%s is the program's own",
		    name != NULL ? name : "USR2");
	else if ((page->flags & CTLPAGE_OURS) == 0)
		snprintf(out, size, "none");
	else
		snprintf(out, size, "SIG%s (%d)", name != NULL ? name : "?",
		    page->signal);
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

	if (localtime_r(&seconds, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		snprintf(out, size, "?");
}

static void
status_text(const struct request *request)
{
	const struct ctlpage *page = &request->page;
	struct unit rate = { 0 }, dropped = { 0 }, kept = { 0 };
	char text[CTLPAGE_PATH + 64];

	snprintf(text, sizeof text, "%d", (int)request->target.pid);
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
	const struct ctlpage *page = &request->page;
	char text[64];

	return json_pack("{s:s s:s* s:b s:I s:i s:b s:b s:s s:I s:I s:I s:I "
	    "s:I s:I s:I s:I s:s* s:s* s:s* s:I s:I}",
	    "verb", "status", "strata_version", page->strata_version,
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
	    "done", (json_int_t)page->done, "prefix", page->prefix,
	    "last_file", page->last_file, "last_error", page->last_error,
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
	    json_integer(request->target.pid));
	for (int i = 0; i < request->nfiles; i++)
		json_array_append_new(files, json_string(request->files[i]));
	if (request->verb == CTL_DUMP || request->verb == CTL_STATS)
		json_object_set(object, "files", files);
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
not_done(const struct request *request)
{
	if (request->ack.error == ENOSYS)
		cli_error(request->args, "Strata %s of process %d does not "
		    "offer '%s'", request->page.strata_version,
		    (int)request->target.pid, request->verb_name);
	else
		cli_error(request->args, "process %d could not %s: %s",
		    (int)request->target.pid, request->verb_name,
		    request->verb == CTL_DUMP &&
		    request->page.last_error[0] != '\0' ?
		    request->page.last_error : strerror(request->ack.error));
	return EXIT_INPUT;
}

static int
serve(struct request *request)
{
	int status;

	if ((request->page.verbs >> request->verb & 1) == 0) {
		request->ack.error = ENOSYS;
		return not_done(request);
	}
	/* A state that cannot be brought up to date is shown as it is. */
	if (request->verb == CTL_STATUS &&
	    (request->page.flags & CTLPAGE_OURS) == 0)
		return print_answer(request);
	status = ask(request);
	if (status != EXIT_FINE)
		return status;
	if (request->ack.error != 0)
		return not_done(request);
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
	    "off, stats and status", verb);
}

static int
run(const struct cli_args *args)
{
	struct request request = { .args = args, .timeout_s = 30,
	    .id = new_id() };
	pid_t pid = 0;
	int status = cli_real(args, "timeout", 0, 1e6, &request.timeout_s);

	if (status == EXIT_FINE)
		status = parse_operands(&request, &pid);
	if (status != EXIT_FINE)
		return status;
	status = target_open(pid, &request.target, &request.page);
	if (status != EXIT_FINE)
		cli_error(args, "%s", request.target.why);
	else
		status = serve(&request);
	target_close(&request.target);
	return status;
}

static const struct cli_option options[] = {
	{ 't', "timeout", "S", "give up after S seconds [30]" },
	{ 0 }
};

const struct cli_command cmd_ctl = {
	.name = "ctl",
	.operands = "PID dump|on|off|stats|status",
	.summary = "ask a running program for a profile, or for its state",
	.about =
	    "  dump    writes a profile and prints the file's name, as it is\n"
	    "          reached from here\n"
	    "  on off  switches sampling; what was sampled stays\n"
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
