/*
 * facts.h - what a dump says about the process beside its rows: one string
 * "key: value" each. They become the native format's comments and lines that
 * begin with '#' in the text format. docs/FORMATS.md lists the keys.
 */
#ifndef STRATA_FACTS_H
#define STRATA_FACTS_H

#include <stddef.h>
#include <stdint.h>

#include "prof.h"
#include "report.h"

enum { FACTS_MAX = 40 };

struct facts {
	const char *text[FACTS_MAX];
	size_t count;
	uint64_t time_ns;		/* CLOCK_REALTIME of the cut, nearly */
	uint64_t rate;
	uint64_t tcache_pinned;
	int error;			/* ENOMEM: not all are there */
};

/* start_ns: CLOCK_REALTIME of the process's start. Strings in the scratch. */
void facts_collect(struct facts *out, struct report *report,
    enum prof_trigger trigger, const char *version, uint64_t start_ns);

/* "final", "bytes", "time", "mallctl", "gdump" or "signal". */
const char *facts_trigger_name(enum prof_trigger trigger);

#endif
