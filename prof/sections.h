/*
 * sections.h - where a section of an ELF file lies in memory.
 */
#ifndef STRATA_SECTIONS_H
#define STRATA_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Looks up a section that is loaded, by its name, in the file's own table.
 * base is what the loader added to its addresses. False: there is none.
 */
bool sections_find(const char *path, const char *name, uintptr_t base,
    uintptr_t *address, size_t *size);

#endif
