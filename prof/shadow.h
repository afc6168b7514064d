/*
 * shadow.h - the walk over a thread's stack that was made last, kept so that
 * of the next one only what is new needs rules.
 *
 *   frames  |     free     | ours | innermost ... outermost |
 *           0              first  outside                   end
 *
 * A step of a walk is a function of the registers before it, of the rule for
 * the pc, and of the one or two words of the stack that the rule names. So a
 * walk that comes to the registers of the one before (pc and sp; the frame
 * pointer where a rule asks for it) takes its next step too, as long as those
 * words say the same: they are compared where they lie. Whatever became of
 * the stack meanwhile (a signal, longjmp, another stack), either all inputs
 * of a step are equal or the step is made anew.
 *
 * Owned by one thread, used under its guard. Memory: profmem's.
 */
#ifndef STRATA_SHADOW_H
#define STRATA_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "group.h"

/* How a frame's registers came from those of the frame inside it. */
enum {
	SHADOW_STEP = 1,	/* by the two words below; else not known */
	SHADOW_BY_FP = 2,	/* the CFA is counted from the frame pointer */
	SHADOW_FP_SAVED = 4,	/* one of the words is the frame pointer */
};

struct shadow_frame {
	uintptr_t sp;			/* = the CFA of the frame inside */
	uintptr_t by_fp;		/* SHADOW_BY_FP: what it was counted from */
	uint64_t hash;			/* of this frame and all outside it */
	int16_t pc_at, fp_at;		/* the words, bytes from sp */
	uint16_t how;
};

/* The rule for a return address, if it is a usual one; how = 0: it is not. */
struct shadow_rule {
	uintptr_t pc;
	int32_t cfa;			/* bytes from sp or the frame pointer */
	int16_t pc_at, fp_at;		/* bytes from the CFA */
	int16_t lowest;			/* of the two */
	uint16_t how;
};
enum { SHADOW_RULES = 64 };		/* 1.5 KiB: stay in the first cache */

struct shadow {
	struct group_recent groups[GROUP_RECENT];	/* prof.c's */
	struct shadow_rule rules[SHADOW_RULES];	/* of epoch; by hash of pc */
	size_t size;			/* frames there is room for */
	size_t first;			/* = size: nothing is kept */
	size_t outside;			/* the first frame that is not ours */
	uint32_t epoch;			/* modules.h; rules are of it */
	uintptr_t low, high;		/* all words lie in between */
	bool ended;			/* by a rule: there is nothing outside */
	struct shadow_frame *frames, *fresh;
	uintptr_t *pcs, *fresh_pcs;	/* pc | STACK_SIGNAL; contiguous */
};

/* For stacks of max frames, or NULL without memory. */
struct shadow *shadow_new(size_t max);
void shadow_free(struct shadow *shadow);

/* Nothing is kept. */
static inline void
shadow_clear(struct shadow *shadow)
{
	shadow->first = shadow->size;
}

static inline struct shadow_rule *
shadow_rule_of(struct shadow *shadow, uintptr_t pc)
{
	return &shadow->rules[(pc ^ pc >> 6) % SHADOW_RULES];
}

/* Nothing is kept, and no rule: modules have come or gone. */
void shadow_forget(struct shadow *shadow);

/*
 * How far the kept walk still holds from frame `at` on, whose pc and sp are
 * those of the new walk, with the frame pointer *fp: the last frame for which
 * that is so, and *fp is the one there. All words lie where reading is safe.
 */
size_t shadow_verify(const struct shadow *shadow, size_t at, uintptr_t *fp);

/*
 * Keeps the n frames of fresh, of which `own` are ours, in front of the kept
 * ones from `join` on (join = size: in place of all). False: there is no room,
 * and nothing is kept.
 */
bool shadow_keep(struct shadow *shadow, size_t n, size_t own, size_t join);

#endif
