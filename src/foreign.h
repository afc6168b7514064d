/*
 * foreign.h - addresses that are not Strata's.
 *
 * They come from modules opened with RTLD_DEEPBIND, which call glibc's malloc,
 * from ld.so before it finds ours, and from everything that ran before
 * libstrata was opened late. The pagemap's entry for them is 0.
 *
 * A foreign address is handed to glibc if what stands before it looks like a
 * chunk of glibc's; it is read by a system call that cannot fault. Otherwise
 * it is left alone, counted, and the first one costs a line on stderr.
 */
#ifndef STRATA_FOREIGN_H
#define STRATA_FOREIGN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Finds glibc's functions. Called once from the library's constructor,
 * outside every lock: the loader allocates meanwhile. Until then foreign
 * addresses are left alone.
 */
void foreign_boot(void);

/* free(ptr) of an address whose entry is empty. errno is kept. */
void foreign_free(void *ptr);

/*
 * realloc(ptr, size) of such an address, size > 0: the contents move into a
 * block of ours. NULL with errno = ENOMEM if there is no memory or the
 * block's size cannot be known.
 */
void *foreign_realloc(void *ptr, size_t size);

/* How many were handed to glibc, and how many were left alone. */
uint64_t foreign_handed(void);
uint64_t foreign_leaked(void);

#endif
