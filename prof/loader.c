/*
 * loader.c - dl_iterate_phdr and dlclose, as the program sees them.
 *
 * dl_iterate_phdr: while the calling thread's guard is set (it unwinds, or
 * writes a dump) the answer comes from our own list of modules, so that the
 * loader's lock, which a thread may hold for as long as it likes inside a
 * callback, delays neither samples nor dumps. Anybody else gets the real one.
 *
 * dlclose: the real one, and then the list is read anew while profiling is
 * on: what is gone has its addresses reserved (modules.c). Until that is done
 * another thread's dlopen may have taken them; loader_closing tells samplers.
 *
 * Locks: none. Memory: none; dlsym may call malloc.
 * Fork: threads that were inside dlclose are not in the child, and no longer
 *   counted there.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE		/* struct dl_phdr_info, RTLD_NEXT */
#endif
#include "loader.h"

#include <dlfcn.h>
#include <link.h>

#include "modules.h"
#include "static_bind.h"
#include "util.h"

#include "names.h"

typedef int iterate_function(int (*)(struct dl_phdr_info *, size_t, void *),
    void *);
typedef int close_function(void *);

/* atomic: set once each; NULL: not looked up yet */
static iterate_function *real_iterate;
static close_function *real_close;
static bool watching;
static uint32_t closing;		/* threads inside our dlclose */
/* constant after boot: */
static const struct prof_host *host;

void
loader_boot(const struct prof_host *prof_host)
{
	host = prof_host;
}

static void *
next_symbol(const char *name, void *linked)
{
	if (linked != NULL || dlsym == NULL)
		return linked;
	return dlsym(RTLD_NEXT, name);
}

static iterate_function *
find_iterate(void)
{
	iterate_function *f = __atomic_load_n(&real_iterate,
	    __ATOMIC_RELAXED);

	if (f == NULL) {
		f = (iterate_function *)next_symbol("dl_iterate_phdr",
		    static_bind()->iterate_phdr);
		__atomic_store_n(&real_iterate, f, __ATOMIC_RELAXED);
	}
	return f;
}

static close_function *
find_close(void)
{
	close_function *f = __atomic_load_n(&real_close, __ATOMIC_RELAXED);

	if (f == NULL) {
		f = (close_function *)next_symbol("dlclose", NULL);
		__atomic_store_n(&real_close, f, __ATOMIC_RELAXED);
	}
	return f;
}

void
loader_start(void)
{
	find_iterate();
	if (static_bind()->iterate_phdr == NULL)
		find_close();
}

bool
loader_closing(void)
{
	return __atomic_load_n(&closing, __ATOMIC_ACQUIRE) > 0;
}

void
loader_watch(void)
{
	__atomic_store_n(&watching, true, __ATOMIC_RELAXED);
}

static int
iterate_own(int (*visit)(struct dl_phdr_info *, size_t, void *), void *arg)
{
	size_t n = modules_count(), gone = 0;
	int result = 0;

	for (size_t i = 0; i < n; i++)
		gone += __atomic_load_n(&modules_at(i)->gone,
		    __ATOMIC_RELAXED);
	for (size_t i = 0; i < n && result == 0; i++) {
		const struct module *module = modules_at(i);
		struct dl_phdr_info info = {
			.dlpi_addr = module->base,
			.dlpi_name = module->is_main ? "" : module->path,
			.dlpi_phdr = module->phdrs,
			.dlpi_phnum = module->phnum,
			.dlpi_adds = n,
			.dlpi_subs = gone,
		};

		if (!__atomic_load_n(&module->gone, __ATOMIC_RELAXED))
			result = visit(&info, sizeof info, arg);
	}
	return result;
}

EXPORT int
dl_iterate_phdr(int (*visit)(struct dl_phdr_info *info, size_t size,
    void *arg), void *arg)
{
	struct prof_thread *self = host == NULL ? NULL : host->thread_self();
	iterate_function *real;

	if (self != NULL && self->guard > 0 && modules_count() > 0)
		return iterate_own(visit, arg);
	real = find_iterate();
	return real == NULL ? 0 : real(visit, arg);
}

/*
 * Guarded: a signal's handler that allocates here must not be sampled, for it
 * might wait for the very list that it has interrupted.
 */
static void
refresh(void)
{
	bool guarded = host->guard_enter() != NULL;

	modules_refresh();
	if (guarded)
		host->guard_leave();
}

/* In a child of a thread that had no part the count has begun anew. */
static void
closing_end(void)
{
	uint32_t n = __atomic_load_n(&closing, __ATOMIC_RELAXED);

	while (n > 0 && !__atomic_compare_exchange_n(&closing, &n, n - 1,
	    true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		continue;
}

/*
 * The thread, if it has a part, counts as well: what it closes goes on in a
 * child that it forks meanwhile.
 */
static int
close_counted(close_function *real, void *handle)
{
	struct prof_thread *self = host->thread_self();
	int result;

	/* pairs with the acquire in loader_closing */
	__atomic_add_fetch(&closing, 1, __ATOMIC_SEQ_CST);
	if (self != NULL)
		self->closing++;
	result = real(handle);
	refresh();
	if (self != NULL)
		self->closing--;
	closing_end();
	return result;
}

EXPORT int
dlclose(void *handle)
{
	close_function *real = find_close();

	if (real == NULL)
		return -1;
	if (!__atomic_load_n(&watching, __ATOMIC_RELAXED))
		return real(handle);
	/* first what came since the last look, else it is not missed */
	refresh();
	return close_counted(real, handle);
}

/*
 * A thread without a part does not know how often it is inside; then the
 * count stays, and samples are verified that need not be.
 */
void
loader_fork_child(const struct prof_thread *self)
{
	if (self != NULL)
		__atomic_store_n(&closing, self->closing, __ATOMIC_RELAXED);
}
