/*
 * maps.h - reads /proc/self/maps line by line, without malloc or stdio.
 */
#ifndef STRATA_MAPS_H
#define STRATA_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct maps_line {
	uintptr_t start, end;
	bool readable, executable;
	uint64_t offset;		/* in the file */
	uint64_t dev;			/* major << 32 | minor */
	uint64_t inode;			/* 0: no file */
	const char *path;		/* NUL-terminated, perhaps "" */
	size_t path_length;
};

/*
 * Calls visit for each line, in the order of addresses. buf is the caller's;
 * of a line that is longer than it (MAPS_LINE is enough for any) the rest is
 * left out. 0 or an errno.
 */
enum { MAPS_LINE = 4096 + 128 };
int maps_read(char *buf, size_t size,
    void (*visit)(const struct maps_line *line, void *arg), void *arg);

/* Takes one line apart (tests call it); false: it is none. */
bool maps_parse(const char *text, struct maps_line *out);

#endif
