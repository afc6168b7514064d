/*
 * cfi.h - how to get from one frame to its caller, read from a module's
 * .eh_frame, as far as three registers can say it.
 */
#ifndef STRATA_CFI_H
#define STRATA_CFI_H

#include <stdbool.h>
#include <stdint.h>

/*
 * CFA: the frame's canonical address, the stack pointer before the call.
 * Offsets are in bytes and fit 16 bits (24 for the CFA).
 */
enum cfi_kind {
	CFI_UNKNOWN,		/* no description: try frame pointers */
	CFI_HARD,		/* described, but beyond three registers */
	CFI_END,		/* the outermost frame */
	CFI_SIGNAL,		/* a signal's frame: registers lie at sp */
	CFI_CFA_SP,		/* CFA = sp + cfa */
	CFI_CFA_FP,		/* CFA = fp + cfa */
	CFI_CFA_FP_DEREF,	/* CFA = *(fp + cfa) */
};
enum cfi_save {
	CFI_SAME,		/* not saved: unchanged */
	CFI_AT_CFA,		/* at CFA + offset */
	CFI_AT_FP,		/* at fp + offset */
};

struct cfi_rule {
	uint8_t kind;
	uint8_t fp_save;	/* where the caller's frame pointer is */
	uint8_t ra_save;	/* CFI_SAME: in the link register */
	int32_t cfa;
	int16_t fp;
	int16_t ra;
};

/*
 * The rule in force at pc (inside the instruction, not behind it), which is
 * on the caller's stack. Whether its module is still the one on the list is
 * looked at first.
 */
void cfi_find(uintptr_t pc, struct cfi_rule *out);

#endif
