/*
 * ids.h - the identity of a task that the C library does not know.
 *
 * setuid and its like change one task; the C library tells all threads that
 * it made. A task of a raw clone that outlives the call would keep what the
 * program has given up, so it looks before it works.
 */
#ifndef STRATA_IDS_H
#define STRATA_IDS_H

/*
 * Takes on the user, group and supplementary ids of the process's first
 * thread, for this task alone. Raw system calls only.
 */
void ids_follow(void);

#endif
