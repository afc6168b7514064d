/*
 * facts.c - see facts.h.
 */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>

#include "fmt.h"
#include "os.h"
#include "util.h"

/* Reads a small file of /proc; the text is NUL-terminated. */
static size_t
read_small(const char *path, char *out, size_t size)
{
	int fd = os_open(path, O_RDONLY, 0);
	size_t used = 0;
	long n = 1;

	while (fd >= 0 && used < size - 1 && n > 0) {
		n = os_read(fd, out + used, size - 1 - used);
		if (n > 0)
			used += (size_t)n;
	}
	if (fd >= 0)
		os_close(fd);
	out[used] = '\0';
	return used;
}

/* The arguments with spaces between; what would break a line is replaced. */
static void
read_command(char *out, size_t size)
{
	size_t n = read_small("/proc/self/cmdline", out, size);

	while (n > 0 && out[n - 1] == '\0')
		n--;
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)out[i] < ' ')
			out[i] = out[i] == '\0' ? ' ' : '?';
	}
}

/* The second figure of statm, in pages. */
static uint64_t
read_rss(void)
{
	char text[256];
	const char *at = text;
	uint64_t pages = 0;

	read_small("/proc/self/statm", text, sizeof text);
	while (*at >= '0' && *at <= '9')
		at++;
	for (at += *at == ' '; *at >= '0' && *at <= '9'; at++)
		pages = 10 * pages + (uint64_t)(*at - '0');
	return pages * os_page_system;
}

const char *
facts_trigger_name(enum prof_trigger trigger)
{
	switch (trigger) {
	case PROF_TRIGGER_FINAL: return "final";
	case PROF_TRIGGER_BYTES: return "bytes";
	case PROF_TRIGGER_TIME: return "time";
	case PROF_TRIGGER_MALLCTL: return "mallctl";
	case PROF_TRIGGER_GDUMP: return "gdump";
	case PROF_TRIGGER_SIGNAL: return "signal";
	}
	return "unknown";
}

/* What is too much for a small stack; NULL without memory. */
static char *
room(struct facts *facts, struct scratch *scratch, size_t size)
{
	char *text = scratch_alloc(scratch, size);

	if (text == NULL)
		facts->error = ENOMEM;
	return text;
}

static void
fact_string(struct facts *facts, struct scratch *scratch, const char *key,
    const char *value)
{
	size_t size = fmt_buf(NULL, 0, "%s: %s", key, value) + 1;
	char *text = scratch_alloc(scratch, size);

	if (text == NULL || facts->count == FACTS_MAX) {
		facts->error = ENOMEM;
		return;
	}
	fmt_buf(text, size, "%s: %s", key, value);
	facts->text[facts->count++] = text;
}

static void
fact_number(struct facts *facts, struct scratch *scratch, const char *key,
    uint64_t value)
{
	char digits[24];

	fmt_buf(digits, sizeof digits, "%llu", (unsigned long long)value);
	fact_string(facts, scratch, key, digits);
}

static void
collect_process(struct facts *facts, struct scratch *scratch,
    const char *version, uint64_t start_ns)
{
	enum { COMMAND_BYTES = 4096 };
	char *command = room(facts, scratch, COMMAND_BYTES);

	fact_string(facts, scratch, "strata_version", version);
	fact_number(facts, scratch, "pid", (uint64_t)os_pid());
	if (command != NULL) {
		read_command(command, COMMAND_BYTES);
		fact_string(facts, scratch, "command", command);
	}
	fact_number(facts, scratch, "start_time_unix",
	    start_ns / 1000000000);
}

static void
collect_totals(struct facts *facts, struct scratch *scratch,
    const struct prof_totals *totals)
{
	const struct {
		const char *key;
		uint64_t value;
	} table[] = {
		{ "live_bytes", totals->live },
		{ "allocated_bytes", totals->allocated },
		{ "active_bytes", totals->active },
		{ "resident_bytes", totals->resident },
		{ "mapped_bytes", totals->mapped },
		{ "retained_bytes", totals->retained },
		{ "metadata_bytes", totals->metadata },
		{ "tcache_bytes", totals->tcache_bytes },
		{ "dirty_bytes", totals->dirty },
		{ "muzzy_bytes", totals->muzzy },
		{ "thread_allocated_bytes", totals->thread_allocated },
		{ "thread_deallocated_bytes", totals->thread_deallocated },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		fact_number(facts, scratch, table[i].key, table[i].value);
	fact_number(facts, scratch, "rss_bytes", read_rss());
}

static void
collect_profiler(struct facts *facts, struct scratch *scratch,
    const struct cut *cut)
{
	const struct {
		const char *key;
		uint64_t value;
	} table[] = {
		{ "samples_live", cut->samples_live },
		{ "samples_freed", cut->samples_freed },
		{ "dropped_samples", cut->dropped_samples },
		{ "dropped_bytes", cut->dropped_bytes },
		{ "before_profiling_bytes", cut->before_profiling },
		{ "unsampled_bytes", cut->unsampled },
		{ "profiler_bytes", cut->profiler_bytes },
		{ "generation", cut->generation },
		{ "period", cut->rate },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		fact_number(facts, scratch, table[i].key, table[i].value);
}

/* "9:14 10:4": in arena 9 generation 14 is current; nothing without pools. */
static void
collect_pools(struct facts *facts, struct scratch *scratch,
    const struct cut *cut)
{
	size_t size = cut->npools * sizeof "4294967295:4294967295", used = 0;
	char *text = size == 0 ? NULL : room(facts, scratch, size);

	if (text == NULL)
		return;
	for (size_t i = 0; i < cut->npools; i++)
		used += fmt_buf(text + used, size - used, "%s%u:%u",
		    i == 0 ? "" : " ", cut->pools[i].arena,
		    cut->pools[i].generation);
	fact_string(facts, scratch, "pools", text);
}

void
facts_collect(struct facts *out, struct report *report,
    enum prof_trigger trigger, const char *version, uint64_t start_ns)
{
	struct scratch *scratch = &report->scratch;
	uint64_t age_ns = os_now_ns() - report->cut.time_ns;

	*out = (struct facts){
		.time_ns = os_time_ns() - age_ns,
		.rate = report->cut.rate,
		.tcache_pinned = report->cut.totals.tcache_pinned,
	};
	collect_process(out, scratch, version, start_ns);
	fact_number(out, scratch, "time_unix_ns", out->time_ns);
	fact_string(out, scratch, "trigger", facts_trigger_name(trigger));
	fact_number(out, scratch, "sequence", report->cut.number);
	collect_totals(out, scratch, &report->cut.totals);
	collect_profiler(out, scratch, &report->cut);
	collect_pools(out, scratch, &report->cut);
	fact_string(out, scratch, "weights", "unbiased");
}
