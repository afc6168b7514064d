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

/* As dwarf_lines (dwarf_lines.h); says on stderr if the child died. */
size_t dwarf_child_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool);

#endif
