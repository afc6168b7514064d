/*
 * elfslot.h - points a loaded module's references to functions elsewhere.
 *
 * A module calls another's function through a slot that the loader filled in.
 * Writing the slot changes what this one module calls, and nothing else.
 *
 * Locks: none; the module must stay loaded meanwhile.
 */
#ifndef STRATA_ELFSLOT_H
#define STRATA_ELFSLOT_H

#include <link.h>
#include <stddef.h>

struct elfslot {
	const char *name;		/* of the function referred to */
	void *ours;			/* what the slot is to hold */
};

/*
 * Fills every slot of the module that refers to one of n names; symbols that
 * the module defines itself are its own business. Returns how many slots hold
 * what they should; slots whose pages cannot be written stay as they are.
 */
size_t elfslot_fill(const struct dl_phdr_info *module,
    const struct elfslot *slots, size_t n);

#endif
