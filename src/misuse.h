/*
 * misuse.h - finds and reports double frees, invalid frees and wrong sizes.
 *
 * With check_invalid_free, check_double_free or check_sized_free (in debug
 * builds always) every free takes the slow path and comes here first. A
 * report is one line, then abort().
 */
#ifndef STRATA_MISUSE_H
#define STRATA_MISUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

#define MISUSE_UNSIZED SIZE_MAX		/* the size of an unsized free */

/* True if frees must be checked: layer 4 then keeps them off the fast path. */
static inline bool
misuse_wanted(void)
{
	return opt.check_invalid_free | opt.check_double_free |
	    opt.check_sized_free;
}

/*
 * Before ptr (not NULL) is freed: returns if it is a block in use whose size
 * class is that of size with align (0: none); size MISUSE_UNSIZED: any.
 * No lock is held. Does not return if a check fails.
 */
void misuse_check_free(const void *ptr, size_t size, size_t align);

/* Before ptr is resized or its usable size is told. */
void misuse_check_use(const void *ptr);

/* Reports that cost nothing to notice elsewhere. */
_Noreturn void misuse_invalid_free(const void *ptr);
_Noreturn void misuse_double_free(const void *ptr);
_Noreturn void misuse_sized_free(const void *ptr, size_t given);

#endif
