/*
 * narenas.h - how many automatic arenas there are, from the options and the
 * CPUs.
 */
#ifndef STRATA_NARENAS_H
#define STRATA_NARENAS_H

/*
 * Settles opt.narenas and opt.oversize_threshold; tells of what cannot be
 * had, in jemalloc's words. After conf_boot, before the first arena.
 */
void narenas_boot(void);

#endif
