/*
 * deepbind.h - plugins opened with RTLD_DEEPBIND use our malloc too.
 *
 * Such a module looks its symbols up in itself and its dependencies first, so
 * its malloc and free are libc's, whatever is preloaded. What it allocates
 * and the program frees is foreign.c's business; what the program allocates
 * and the module frees would reach libc's free, which aborts. So, after a
 * dlopen with that flag, the slots of the newly loaded modules that name a
 * function of the malloc family are pointed at ours. Every other symbol stays
 * bound as the module wished.
 *
 * Blocks that a module's constructors allocated are libc's and stay so.
 * Limit: a name without a slash is opened as if we were not there, because
 * the loader would look it up along our path instead of the caller's.
 */
#ifndef STRATA_DEEPBIND_H
#define STRATA_DEEPBIND_H

/* Finds the loader's dlopen. From the constructor, outside every lock. */
void deepbind_boot(void);

#endif
