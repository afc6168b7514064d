/*
 * dwarf_child.h - the DWARF reader in a process of its own.
 *
 * Debug information is as foreign as any input, and the library that reads it
 * aborts on some that is damaged. The child may die, or take too long, without
 * harm: the caller then has the symbol table.
 */
#ifndef STRATA_DWARF_CHILD_H
#define STRATA_DWARF_CHILD_H

#include <stddef.h>

#include "strpool.h"
#include "symbol.h"

/*
 * As dwarf_lines (dwarf_lines.h). 0 also if it found nothing; an errno value,
 * and a line on stderr, if the child could not start or did not end well: what
 * there is to find is unknown then.
 */
int dwarf_child_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool);

#endif
