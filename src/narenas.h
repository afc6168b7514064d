/*
 * narenas.h - how many automatic arenas there are, from the options and the
 * CPUs.
 */
#ifndef STRATA_NARENAS_H
#define STRATA_NARENAS_H

#include <stdbool.h>

/*
 * Settles opt.narenas, opt.percpu_arena with arena_cpus, and
 * opt.oversize_threshold; tells of what cannot be had, in jemalloc's words.
 * After conf_boot, before the first arena.
 */
void narenas_boot(void);

/* How many CPUs a list of sysfs names ("0-3,8"); 0 for what is none. */
unsigned narenas_cpu_list_count(const char *list);

/* Whether the first two are neighbours: what a core's hyper-threads are. */
bool narenas_cpu_list_neighbours(const char *list);

#endif
