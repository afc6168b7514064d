/*
 * pages_map.h - address space from the system.
 *
 * Ordinary arenas map in a window of their own, so that the addresses a
 * program gets do not depend on what else is mapped meanwhile, for instance by
 * the profiler. It moves on and never back: what is to be unmapped again, by
 * retain:false or by hooks, is mapped where the kernel likes, and so is what
 * the window has no room for. What the kernel refuses does not move it. Memory
 * from sbrk comes before or after that, as the arena's dss says. Each mapping
 * tells the kernel what opt.thp says.
 */
#ifndef STRATA_PAGES_MAP_H
#define STRATA_PAGES_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "dss.h"
#include "options.h"

enum { PAGES_MAP_ALIGN = 2 << 20 };	/* a huge page; of large mappings */

struct pages_source {
	bool own_window;		/* not where the kernel likes */
	enum option_dss dss;
};

/*
 * size bytes at a multiple of align, writable, zeroed; or NULL. Both are
 * multiples of os_page, align a power of two. *gap is the caller's too, even
 * with NULL.
 */
char *pages_map(const struct pages_source *source, size_t size, size_t align,
    struct dss_gap *gap);

/*
 * At exactly addr if the window's next mapping begins there, so that none of
 * another thread's is expected there; else NULL.
 */
char *pages_map_next(const struct pages_source *source, char *addr,
    size_t size);

/*
 * The window is not used any more: addresses were unmapped that it would not
 * give again.
 */
void pages_map_leave_window(void);

/* At exactly addr, or NULL. */
char *pages_map_at(char *addr, size_t size);

#endif
