/*
 * smaps.h - what /proc/self/smaps says of an address.
 */
#ifndef TESTS_SRC_SMAPS_H
#define TESTS_SRC_SMAPS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Does the mapping around addr have this VmFlag ("hg", "nh")? */
static inline bool
smaps_flag(const void *addr, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned long begin, end;
	bool inside = false, found = false;
	char line[512], word[8];

	if (file == NULL)
		return false;
	snprintf(word, sizeof word, " %s ", flag);
	while (fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = begin <= (uintptr_t)addr &&
			    (uintptr_t)addr < end;
		if (inside && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, word) != NULL;
	}
	fclose(file);
	return found;
}

#endif
