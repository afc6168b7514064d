/*
 * pages_map.h - address space from the system.
 *
 * Ordinary arenas map in a window of their own, so that the addresses a
 * program gets do not depend on what else is mapped meanwhile, for instance by
 * the profiler. Each mapping tells the kernel what opt.thp says.
 */
#ifndef STRATA_PAGES_MAP_H
#define STRATA_PAGES_MAP_H

#include <stdbool.h>
#include <stddef.h>

enum { PAGES_MAP_ALIGN = 2 << 20 };	/* a huge page; of large mappings */

/*
 * size bytes at a multiple of align, writable, zeroed; or NULL. Both are
 * multiples of os_page, align a power of two. own_window: not where the kernel
 * likes.
 */
char *pages_map(bool own_window, size_t size, size_t align);

/* At exactly addr, or NULL. */
char *pages_map_at(char *addr, size_t size);

#endif
