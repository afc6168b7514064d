/*
 * header.h - the block that every view prints first: what was measured, when,
 * how exactly, and where the process's memory is.
 *
 *   program   /usr/bin/redis-server *:6379 (pid 4711), strata 0.1.0
 *   taken     2026-07-01 12:00:05, after 3 h 20 min, by signal (dump 4)
 *   sampling  every 512 KiB on average; 8123 live samples, 0 dropped
 *   live      412 MiB +- 4.6 MiB estimated, 415 MiB exact (-0.6 errors)
 *   RSS       520 MiB = live 415 + caches 3 + fragmentation 61 + ...
 *
 * What the profile does not say is left out, never guessed.
 */
#ifndef STRATA_HEADER_H
#define STRATA_HEADER_H

#endif
