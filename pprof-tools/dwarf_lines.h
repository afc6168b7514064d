/*
 * dwarf_lines.h - addresses to functions, files, lines and inlined frames, by
 * the DWARF information of a file (versions 2 to 5, by libdwarf).
 */
#ifndef STRATA_DWARF_LINES_H
#define STRATA_DWARF_LINES_H

#include <stddef.h>

#include "strpool.h"
#include "symbol.h"

/*
 * Fills in the lines of those symbols (sorted by vaddr, without lines) that
 * the file covers; a line's name is "" where only file and line are known.
 * Returns how many it filled; 0 if the file cannot be read.
 */
size_t dwarf_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool);

#endif
