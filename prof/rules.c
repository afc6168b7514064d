/*
 * rules.c - the rules of .eh_frame that walks have asked for (rules.h).
 *
 * Rules are strewn over all of the cache that is in use: it begins small,
 * since each page of it that a rule falls into is resident from then on, and
 * is doubled when as many rules were pushed out as it has sets. One more bit
 * of the hash counts then: half of the rules stand where they are looked for.
 *
 * Locks: none.
 */
#include "rules.h"

#include "modules.h"
#include "util.h"

enum { SETS_FIRST = 256 };		/* 16 KiB; 1024 rules: a small program's */

struct rules_entry rules_cache[RULES_SETS * RULES_WAYS]
    __attribute__((aligned(CACHELINE)));
uint32_t rules_mask = SETS_FIRST - 1;
static uint32_t cache_lost;		/* atomic; may miss some */

static uint64_t
pack(const struct cfi_rule *rule)
{
	return (uint64_t)rule->kind | (uint64_t)rule->fp_save << 4 |
	    (uint64_t)rule->ra_save << 6 |
	    (uint64_t)((uint32_t)rule->cfa & 0xffffff) << 8 |
	    (uint64_t)(uint16_t)rule->fp << 32 |
	    (uint64_t)(uint16_t)rule->ra << 48;
}

struct cfi_rule
rules_unpack(uint64_t word)
{
	return (struct cfi_rule){
		.kind = word & 15,
		.fp_save = word >> 4 & 3,
		.ra_save = word >> 6 & 3,
		.cfa = (int32_t)((uint32_t)(word >> 8) << 8) >> 8,
		.fp = (int16_t)(word >> 32),
		.ra = (int16_t)(word >> 48),
	};
}

static void
store(struct rules_entry *entry, uint64_t check, uint64_t word)
{
	__atomic_store_n(&entry->check, check, __ATOMIC_RELAXED);
	__atomic_store_n(&entry->rule, word, __ATOMIC_RELAXED);
}

static void
note_lost(void)
{
	uint32_t mask = __atomic_load_n(&rules_mask, __ATOMIC_RELAXED);
	uint32_t lost = __atomic_load_n(&cache_lost, __ATOMIC_RELAXED) + 1;

	if (lost > mask && mask < RULES_SETS - 1) {
		__atomic_compare_exchange_n(&rules_mask, &mask, 2 * mask + 1,
		    false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
		lost = 0;
	}
	__atomic_store_n(&cache_lost, lost, __ATOMIC_RELAXED);
}

/* The newest stands first, the oldest goes. */
static void
keep_rule(uint64_t key, uint64_t word)
{
	struct rules_entry *set = rules_set(key);

	if (__atomic_load_n(&set[RULES_WAYS - 1].rule, __ATOMIC_RELAXED) != 0)
		note_lost();
	for (int i = RULES_WAYS - 1; i > 0; i--)
		store(&set[i], __atomic_load_n(&set[i - 1].check,
		    __ATOMIC_RELAXED), __atomic_load_n(&set[i - 1].rule,
		    __ATOMIC_RELAXED));
	store(&set[0], key ^ word, word);
}

struct cfi_rule
rules_find(uintptr_t pc, uint32_t epoch)
{
	uint64_t key = rules_key(pc, epoch), word = rules_cached(key);
	struct cfi_rule rule;

	if (word != 0)
		return rules_unpack(word);
	if (!modules_known(pc))
		return (struct cfi_rule){ .kind = CFI_UNKNOWN };
	cfi_find(pc, &rule);
	if (rule.kind == CFI_UNKNOWN)	/* memory and registers decide */
		return rule;
	keep_rule(key, pack(&rule));
	return rule;
}
