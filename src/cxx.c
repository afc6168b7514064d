/*
 * cxx.c - the C++ operators new and delete, from C.
 *
 * They are exported by the names that the Itanium ABI gives them, so that
 * the library needs no C++ runtime. What they need of one - the new-handler,
 * and to throw std::bad_alloc - is referenced weakly; where a C program opens
 * a C++ plugin the references are NULL, and the runtime is looked for by
 * name, when memory has run out and not before.
 *
 *   new           malloc; on failure handler, again; no handler: bad_alloc
 *   new(nothrow)  malloc; on failure the runtime's own, which calls new and
 *                 catches what it or the handler throws
 *   delete        free; the sized ones also tell the size
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>

#include "fast.h"
#include "message.h"
#include "options.h"
#include "util.h"
#include "names.h"

typedef void cxx_handler(void);
typedef void *cxx_nothrow_new(size_t size, const void *nothrow);
typedef void *cxx_nothrow_new_aligned(size_t size, size_t align,
    const void *nothrow);

/* The C++ runtime's, where there is one. */
extern cxx_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
extern void *__cxa_allocate_exception(size_t size) __attribute__((weak));
extern _Noreturn void __cxa_throw(void *object, void *type,
    void (*destroy)(void *)) __attribute__((weak));
extern char _ZTISt9bad_alloc[] __attribute__((weak));	/* its type */
extern void *_ZTVSt9bad_alloc[] __attribute__((weak));	/* its vtable */
extern void _ZNSt9bad_allocD1Ev(void *) __attribute__((weak));

struct cxx_runtime {
	cxx_handler *(*get_new_handler)(void);
	void *(*allocate_exception)(size_t size);
	void (*throw_exception)(void *object, void *type,
	    void (*destroy)(void *));
	void *bad_alloc_type;
	void **bad_alloc_vtable;
	void (*bad_alloc_destroy)(void *object);
};

static void *
cxx_open(void)
{
	static const char *const names[] = {
		"libstdc++.so.6", "libc++abi.so.1", "libc++.so.1"
	};

	for (size_t i = 0; dlopen != NULL && i < ARRAY_LEN(names); i++) {
		void *found = dlopen(names[i], RTLD_LAZY | RTLD_NOLOAD);

		if (found != NULL)
			return found;
	}
	return NULL;
}

/*
 * Memory is short: nothing of it is kept. The handle is: the program holds
 * the runtime open anyway.
 */
static void
cxx_runtime_find(struct cxx_runtime *out)
{
	void *handle;

	*out = (struct cxx_runtime){ _ZSt15get_new_handlerv,
	    __cxa_allocate_exception, __cxa_throw, _ZTISt9bad_alloc,
	    _ZTVSt9bad_alloc, _ZNSt9bad_allocD1Ev };
	if (out->throw_exception != NULL)
		return;
	handle = cxx_open();
	if (handle == NULL)
		return;
	out->get_new_handler = (cxx_handler *(*)(void))dlsym(handle,
	    "_ZSt15get_new_handlerv");
	out->allocate_exception = (void *(*)(size_t))dlsym(handle,
	    "__cxa_allocate_exception");
	out->throw_exception = (void (*)(void *, void *, void (*)(void *)))
	    dlsym(handle, "__cxa_throw");
	out->bad_alloc_type = dlsym(handle, "_ZTISt9bad_alloc");
	out->bad_alloc_vtable = dlsym(handle, "_ZTVSt9bad_alloc");
	out->bad_alloc_destroy = (void (*)(void *))dlsym(handle,
	    "_ZNSt9bad_allocD1Ev");
}

/* An object of std::bad_alloc is its vtable pointer and nothing else. */
static _Noreturn void
cxx_throw_bad_alloc(const struct cxx_runtime *runtime)
{
	void **object;

	if (runtime->throw_exception != NULL &&
	    runtime->allocate_exception != NULL &&
	    runtime->bad_alloc_type != NULL &&
	    runtime->bad_alloc_vtable != NULL) {
		object = runtime->allocate_exception(sizeof *object);
		*object = runtime->bad_alloc_vtable + 2;
		runtime->throw_exception(object, runtime->bad_alloc_type,
		    runtime->bad_alloc_destroy);
	}
	message("operator new is out of memory, and there is no C++ runtime "
	    "to throw std::bad_alloc");
	abort();
}

static void *
cxx_try(size_t size, size_t align)
{
	return align == 0 ? malloc(size) : aligned_alloc(align, size);
}

/* Until there is memory, or no handler, or the handler throws. */
static __attribute__((noinline, cold)) void *
cxx_new_slow(size_t size, size_t align)
{
	struct cxx_runtime runtime;
	void *ptr = NULL;

	if (opt.experimental_infallible_new) {
		message("Allocation of size %zu failed. "
		    "opt.experimental_infallible_new is true. Aborting.",
		    size);
		abort();
	}
	cxx_runtime_find(&runtime);
	while (ptr == NULL) {
		cxx_handler *handler = runtime.get_new_handler == NULL ?
		    NULL : runtime.get_new_handler();

		if (handler == NULL)
			cxx_throw_bad_alloc(&runtime);
		handler();
		ptr = cxx_try(size, align);
	}
	return ptr;
}

/*
 * A C function cannot catch. The runtime's operator new(nothrow) calls the
 * throwing one, which is ours, and catches. Without it: no handler, no memory.
 */
static __attribute__((noinline, cold)) void *
cxx_nothrow_slow(size_t size, size_t align, const void *nothrow)
{
	struct cxx_runtime runtime;
	void *next = NULL;

	cxx_runtime_find(&runtime);
	if (runtime.get_new_handler == NULL ||
	    runtime.get_new_handler() == NULL)
		return NULL;
	if (dlsym != NULL)
		next = dlsym(RTLD_NEXT, align == 0 ? "_ZnwmRKSt9nothrow_t" :
		    "_ZnwmSt11align_val_tRKSt9nothrow_t");
	if (next == NULL)
		return NULL;
	if (align == 0)
		return ((cxx_nothrow_new *)next)(size, nothrow);
	return ((cxx_nothrow_new_aligned *)next)(size, align, nothrow);
}

static inline void *
cxx_malloc(size_t size)
{
	void *ptr;

	return likely(fast_malloc(size, &ptr)) ? ptr : malloc(size);
}

static inline void
cxx_delete(void *ptr)
{
	if (unlikely(!fast_free(ptr)))
		free(ptr);
}

/* The size only matters where it is checked: then fast_free fails. */
static inline void
cxx_delete_sized(void *ptr, size_t size)
{
	if (unlikely(!fast_free(ptr)))
		free_sized(ptr, size);
}

static inline void *
cxx_new(size_t size)
{
	void *ptr = cxx_malloc(size);

	return likely(ptr != NULL) ? ptr : cxx_new_slow(size, 0);
}

static inline void *
cxx_new_aligned(size_t size, size_t align)
{
	void *ptr = aligned_alloc(align, size);

	return likely(ptr != NULL) ? ptr : cxx_new_slow(size, align);
}

static inline void *
cxx_new_nothrow(size_t size, const void *nothrow)
{
	void *ptr = cxx_malloc(size);

	return likely(ptr != NULL) ? ptr : cxx_nothrow_slow(size, 0, nothrow);
}

static inline void *
cxx_new_aligned_nothrow(size_t size, size_t align, const void *nothrow)
{
	void *ptr = aligned_alloc(align, size);

	return likely(ptr != NULL) ? ptr :
	    cxx_nothrow_slow(size, align, nothrow);
}

/* --- the operators: n new, d delete; w one, a an array -------------------- */

EXPORT void *_Znwm(size_t size);
EXPORT void *_Znam(size_t size);
EXPORT void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
EXPORT void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t align);
EXPORT void *_ZnamSt11align_val_t(size_t size, size_t align);
EXPORT void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow);
EXPORT void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow);
EXPORT void _ZdlPv(void *ptr);
EXPORT void _ZdaPv(void *ptr);
EXPORT void _ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow);
EXPORT void _ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow);
EXPORT void _ZdlPvm(void *ptr, size_t size);
EXPORT void _ZdaPvm(void *ptr, size_t size);
EXPORT void _ZdlPvSt11align_val_t(void *ptr, size_t align);
EXPORT void _ZdaPvSt11align_val_t(void *ptr, size_t align);
EXPORT void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    const void *nothrow);
EXPORT void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    const void *nothrow);
EXPORT void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align);
EXPORT void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align);

void *
_Znwm(size_t size)
{
	return cxx_new(size);
}

void *
_Znam(size_t size)
{
	return cxx_new(size);
}

void *
_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow)
{
	return cxx_new_nothrow(size, nothrow);
}

void *
_ZnamRKSt9nothrow_t(size_t size, const void *nothrow)
{
	return cxx_new_nothrow(size, nothrow);
}

void *
_ZnwmSt11align_val_t(size_t size, size_t align)
{
	return cxx_new_aligned(size, align);
}

void *
_ZnamSt11align_val_t(size_t size, size_t align)
{
	return cxx_new_aligned(size, align);
}

void *
_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow)
{
	return cxx_new_aligned_nothrow(size, align, nothrow);
}

void *
_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow)
{
	return cxx_new_aligned_nothrow(size, align, nothrow);
}

void
_ZdlPv(void *ptr)
{
	cxx_delete(ptr);
}

void
_ZdaPv(void *ptr)
{
	cxx_delete(ptr);
}

void
_ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
	cxx_delete(ptr);
}

void
_ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow)
{
	cxx_delete(ptr);
}

void
_ZdlPvm(void *ptr, size_t size)
{
	cxx_delete_sized(ptr, size);
}

void
_ZdaPvm(void *ptr, size_t size)
{
	cxx_delete_sized(ptr, size);
}

void
_ZdlPvSt11align_val_t(void *ptr, size_t align)
{
	cxx_delete(ptr);
}

void
_ZdaPvSt11align_val_t(void *ptr, size_t align)
{
	cxx_delete(ptr);
}

void
_ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    const void *nothrow)
{
	cxx_delete(ptr);
}

void
_ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    const void *nothrow)
{
	cxx_delete(ptr);
}

void
_ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
	free_aligned_sized(ptr, align, size);
}

void
_ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align)
{
	free_aligned_sized(ptr, align, size);
}
