/*
 * static_bind.h - what a static executable cannot look up at run time.
 *
 * libstrata.so opens libunwind and finds the loader's functions by name.
 * libstrata.a has static_bind.c in it, which refers to them directly.
 */
#ifndef STRATA_STATIC_BIND_H
#define STRATA_STATIC_BIND_H

/* libunwind's functions, as unwind.c casts them; NULL in the shared library. */
struct static_bind {
	void *getcontext, *init_local, *step, *get_reg, *is_signal_frame;
	void *iterate_phdr;		/* libc's dl_iterate_phdr */
	void *sigaction;		/* libc's */
};

extern const struct static_bind static_bind_table __attribute__((weak));

/* Never NULL: in the shared library a table of NULLs. */
static inline const struct static_bind *
static_bind(void)
{
	static const struct static_bind none;

	return &static_bind_table != 0 ? &static_bind_table : &none;
}

#endif
