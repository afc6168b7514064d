/*
 * arena_cpu.c - which arena a CPU has, for percpu_arena.
 *
 *   percpu                 arena = cpu
 *   phycpu, halves         0 1 2 3 | 0 1 2 3    cpu and cpu + ncpus / 2 are one
 *                                               core's: most machines
 *   phycpu, neighbours     0 0 1 1 2 2 3 3      cpu 2i and 2i + 1 are: others,
 *                                               and many virtual ones
 *
 * Two threads of one CPU may still meet in its arena: one can be moved
 * between asking and using. So nothing but the choice depends on the CPU.
 */
#include "arena.h"

#include "os.h"

struct arena_cpus arena_cpus;

unsigned
arena_cpu_index(unsigned cpu)
{
	if (arena_cpus.half != 0) {
		if (arena_cpus.neighbours)
			cpu /= 2;
		else if (cpu >= arena_cpus.half)
			cpu -= arena_cpus.half;
	}
	return cpu % arena_cpus.count;
}

struct arena *
arena_here(void)
{
	int cpu = os_cpu();

	return cpu < 0 ? NULL : arena_get(arena_cpu_index((unsigned)cpu),
	    true);
}
