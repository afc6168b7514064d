/*
 * leak.c - see leak.h.
 */
#include "leak.h"

#include "fmt.h"
#include "report.h"

static const char *
plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

size_t
leak_line(char *out, size_t size, uint64_t bytes, uint64_t objects,
    size_t contexts)
{
	return fmt_buf(out, size, "%sLeak approximation summary: "
	    "~%llu byte%s, ~%llu object%s, >= %zu context%s\n",
	    MESSAGE_PREFIX, (unsigned long long)bytes, plural(bytes),
	    (unsigned long long)objects, plural(objects), contexts,
	    plural(contexts));
}

bool
leak_summary(void)
{
	struct report report;
	char line[200];
	uint64_t dropped;
	bool leak;
	int error = report_open(&report);

	if (error != 0) {
		fmt_fd(2, "%sNo leak summary: error %d\n", MESSAGE_PREFIX,
		    error);
		return false;
	}
	leak = report.live_space != 0;
	if (leak) {
		leak_line(line, sizeof line, report.live_space,
		    report.live_objects, report.live_stacks);
		fmt_fd(2, "%s%sRun strata top on dump output for leak "
		    "detail\n", line, MESSAGE_PREFIX);
	}
	dropped = report.cut.dropped_samples;
	if (dropped != 0)
		fmt_fd(2, "%s%llu sample%s dropped for want of memory and "
		    "not counted\n", MESSAGE_PREFIX,
		    (unsigned long long)dropped, dropped == 1 ? "" : "s");
	report_close(&report);
	return leak;
}
