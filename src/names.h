/*
 * names.h - every public name, and where a build gives it a prefix.
 *
 * With --with-prefix=st_ (CONFIG_PREFIX_ST) and in unit tests, which must not
 * replace the malloc of the process they run in, malloc is called st_malloc,
 * and so on. A file that defines or calls a public function includes this
 * header, after all system headers, and writes the plain name. strata_* and
 * the tests' own st_* spelling stay as they are. The header that is installed
 * is renamed by prefix.sed.
 *
 * Layer 0: it includes no other header of ours but the public one.
 */
#ifndef STRATA_NAMES_H
#define STRATA_NAMES_H

#include <dlfcn.h>
#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

#include "config.h"

#if defined(CONFIG_PREFIX_ST) || defined(UNIT_TEST)
/* libc's family */
#define malloc			st_malloc
#define calloc			st_calloc
#define realloc			st_realloc
#define free			st_free
#define reallocarray		st_reallocarray
#define aligned_alloc		st_aligned_alloc
#define posix_memalign		st_posix_memalign
#define memalign		st_memalign
#define valloc			st_valloc
#define pvalloc			st_pvalloc
#define cfree			st_cfree
#define free_sized		st_free_sized
#define free_aligned_sized	st_free_aligned_sized
#define malloc_usable_size	st_malloc_usable_size
#define __libc_malloc		st___libc_malloc
#define __libc_calloc		st___libc_calloc
#define __libc_realloc		st___libc_realloc
#define __libc_free		st___libc_free
#define __libc_memalign		st___libc_memalign
#define __libc_valloc		st___libc_valloc
#define __libc_pvalloc		st___libc_pvalloc
#define __posix_memalign	st___posix_memalign
/* jemalloc's family */
#define mallocx			st_mallocx
#define rallocx			st_rallocx
#define xallocx			st_xallocx
#define sallocx			st_sallocx
#define dallocx			st_dallocx
#define sdallocx		st_sdallocx
#define nallocx			st_nallocx
#define mallctl			st_mallctl
#define mallctlnametomib	st_mallctlnametomib
#define mallctlbymib		st_mallctlbymib
#define malloc_stats_print	st_malloc_stats_print
#define malloc_message		st_malloc_message
#define malloc_conf		st_malloc_conf
#define malloc_conf_2_conf_harder st_malloc_conf_2_conf_harder
/* the C++ operators, by their Itanium ABI names */
#define _Znwm			st__Znwm
#define _Znam			st__Znam
#define _ZnwmRKSt9nothrow_t	st__ZnwmRKSt9nothrow_t
#define _ZnamRKSt9nothrow_t	st__ZnamRKSt9nothrow_t
#define _ZnwmSt11align_val_t	st__ZnwmSt11align_val_t
#define _ZnamSt11align_val_t	st__ZnamSt11align_val_t
#define _ZnwmSt11align_val_tRKSt9nothrow_t \
				st__ZnwmSt11align_val_tRKSt9nothrow_t
#define _ZnamSt11align_val_tRKSt9nothrow_t \
				st__ZnamSt11align_val_tRKSt9nothrow_t
#define _ZdlPv			st__ZdlPv
#define _ZdaPv			st__ZdaPv
#define _ZdlPvRKSt9nothrow_t	st__ZdlPvRKSt9nothrow_t
#define _ZdaPvRKSt9nothrow_t	st__ZdaPvRKSt9nothrow_t
#define _ZdlPvm			st__ZdlPvm
#define _ZdaPvm			st__ZdaPvm
#define _ZdlPvSt11align_val_t	st__ZdlPvSt11align_val_t
#define _ZdaPvSt11align_val_t	st__ZdaPvSt11align_val_t
#define _ZdlPvSt11align_val_tRKSt9nothrow_t \
				st__ZdlPvSt11align_val_tRKSt9nothrow_t
#define _ZdaPvSt11align_val_tRKSt9nothrow_t \
				st__ZdaPvSt11align_val_tRKSt9nothrow_t
#define _ZdlPvmSt11align_val_t	st__ZdlPvmSt11align_val_t
#define _ZdaPvmSt11align_val_t	st__ZdaPvmSt11align_val_t
/* the loader's two functions that the profiler wraps (prof/modules.c) */
#define dl_iterate_phdr		st_dl_iterate_phdr
#define dlclose			st_dlclose
#endif

#include <strata/strata.h>

#define EXPORT			__attribute__((visibility("default")))

/*
 * Weak: a static program has no loader, and must not be given one (the
 * linker warns of it). Callers compare with NULL first.
 */
#pragma weak dlopen
#pragma weak dlsym

/*
 * The libc family again: <stdlib.h> declares only part of it, and none of it
 * under the prefix.
 */
struct dl_phdr_info;
int dl_iterate_phdr(int (*visit)(struct dl_phdr_info *info, size_t size,
    void *arg), void *arg);
int dlclose(void *handle);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void *realloc(void *ptr, size_t size);
void free(void *ptr);
void *reallocarray(void *ptr, size_t count, size_t size);
void *aligned_alloc(size_t align, size_t size);
int posix_memalign(void **out, size_t align, size_t size);
void *memalign(size_t align, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);
void cfree(void *ptr);
void free_sized(void *ptr, size_t size);
void free_aligned_sized(void *ptr, size_t align, size_t size);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void __libc_free(void *ptr);
void *__libc_memalign(size_t align, size_t size);
void *__libc_valloc(size_t size);
void *__libc_pvalloc(size_t size);
int __posix_memalign(void **out, size_t align, size_t size);

#endif
