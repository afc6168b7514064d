/*
 * fake_prof.h - the figures and switches of prof.h that the triggers ask for,
 * made up; and the process's own ctl page, found as a reader finds it.
 */
#ifndef STRATA_TESTS_FAKE_PROF_H
#define STRATA_TESTS_FAKE_PROF_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctlpage.h"
#include "prof.h"

static _Atomic bool fake_active = true;
/* Runs once while the page's state is being gathered; or NULL. */
static void (*fake_meanwhile)(void);

unsigned
prof_lg_sample_get(void)
{
	return 19;
}

bool
prof_active_get(void)
{
	void (*meanwhile)(void) = fake_meanwhile;

	fake_meanwhile = NULL;
	if (meanwhile != NULL)
		meanwhile();
	return fake_active;
}

int
prof_active_set(bool active)
{
	fake_active = active;
	return 0;
}

uint64_t
prof_samples_live(void)
{
	return 11;
}

uint64_t
prof_dropped_samples(void)
{
	return 12;
}

uint64_t
prof_dropped_bytes(void)
{
	return 13;
}

uint64_t
prof_memory(void)
{
	return 14;
}

/* NULL if /proc/self/maps names no page; *count: how many it names. */
static inline const struct ctlpage *
fake_page(int *count)
{
	const struct ctlpage *page = NULL;
	char line[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	uint64_t start;

	*count = 0;
	while (fgets(line, sizeof line, maps) != NULL) {
		if (strstr(line, "/memfd:strata-ctl:1 ") == NULL ||
		    sscanf(line, "%" SCNx64, &start) != 1)
			continue;
		page = (const struct ctlpage *)(uintptr_t)start;
		++*count;
	}
	fclose(maps);
	return page;
}

#endif
