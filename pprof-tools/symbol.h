/*
 * symbol.h - what the symbolizer's parts hand to each other: an address of a
 * module and the source lines it belongs to.
 *
 * Strings are a strpool's; lines are malloc'ed, one block for each symbol.
 */
#ifndef STRATA_SYMBOL_H
#define STRATA_SYMBOL_H

#include <stdint.h>

struct symbol_line {
	const char *name;		/* as in the source, or "" */
	const char *linkage;		/* as linked (mangled), or "" */
	const char *file;		/* "" unknown */
	int64_t line, start_line;	/* 0 unknown */
};

struct symbol {
	uint64_t vaddr;			/* as in the file's program headers */
	uint32_t nlines;		/* 0: nothing is known */
	struct symbol_line *lines;	/* innermost inlined frame first */
};

#endif
