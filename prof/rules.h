/*
 * rules.h - the rules of .eh_frame that walks have asked for (unwind.c).
 *
 *   key: pc and epoch --hash--> set of RULES_WAYS entries: check, packed rule
 *
 * Shared by all threads. A stale rule is not possible: modules.c keeps vacated
 * addresses from reuse, and the epoch, which is raised where it cannot, is
 * part of the key.
 *
 * Locks: none; an entry of two words is whole or not found.
 */
#ifndef STRATA_RULES_H
#define STRATA_RULES_H

#include <stdint.h>

#include "cfi.h"
#include "util.h"

enum {
	RULES_WAYS = 4,			/* a cache line */
	RULES_SETS = 8192,		/* 512 KiB; a large program's code */
};

/* An entry is whole iff check ^ rule is the key: writers may interleave. */
struct rules_entry {
	uint64_t check, rule;		/* atomic; relaxed */
};

/* rules.c's; here only so that a look needs no call. */
extern struct rules_entry rules_cache[RULES_SETS * RULES_WAYS];
/* atomic; relaxed: whoever sees the old one looks in vain, or finds a rule */
extern uint32_t rules_mask;

static inline uint64_t
rules_key(uintptr_t pc, uint32_t epoch)
{
	return pc ^ (uint64_t)epoch << 48;
}

static inline struct rules_entry *
rules_set(uint64_t key)
{
	uint64_t hash = (key * 0x9e3779b97f4a7c15ull) >> 51;

	_Static_assert(RULES_SETS == 1 << (64 - 51), "the top bits choose");
	return &rules_cache[(hash & __atomic_load_n(&rules_mask,
	    __ATOMIC_RELAXED)) * RULES_WAYS];
}

/* The packed rule if it is in the cache, or 0. */
static inline uint64_t
rules_cached(uint64_t key)
{
	const struct rules_entry *set = rules_set(key);

	for (int i = 0; i < RULES_WAYS; i++) {
		uint64_t check = __atomic_load_n(&set[i].check,
		    __ATOMIC_RELAXED);
		uint64_t word = __atomic_load_n(&set[i].rule,
		    __ATOMIC_RELAXED);

		if ((check ^ word) == key)
			return word;
	}
	return 0;
}

/* Of a packed rule. */
struct cfi_rule rules_unpack(uint64_t word);

/*
 * The rule for pc, read from the module's .eh_frame unless the cache has it.
 * No lock held: the list of modules may be read anew.
 */
struct cfi_rule rules_find(uintptr_t pc, uint32_t epoch);

#endif
