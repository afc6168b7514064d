/*
 * deepbind.c - dlopen with RTLD_DEEPBIND; see deepbind.h.
 *
 *   dlopen --flag not set--> jump to the loader's dlopen, which sees our
 *      |                     caller's return address and so its search path
 *      '--RTLD_DEEPBIND----> deepbind_open: note the modules, open,
 *                            redirect the slots of those that are new
 *
 * Locks: the loader's own, inside dl_iterate_phdr; none of ours.
 * Memory: the list of modules is a stack array; with more modules than fit
 *   nothing is redirected.
 */
#define _GNU_SOURCE
#include "deepbind.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>

#include "elfslot.h"
#include "util.h"
#include "names.h"

#if !defined(UNIT_TEST) && !defined(CONFIG_PREFIX_ST)

enum { MODULES_MAX = 1024 };

/* The loader's dlopen. Named by the assembly below. */
__attribute__((visibility("hidden"))) void *(*deepbind_next)(const char *,
    int);
__attribute__((visibility("hidden"))) void deepbind_boot_once(void);
__attribute__((visibility("hidden"))) void *deepbind_open(const char *path,
    int mode);

static const struct elfslot family[] = {
	{ "malloc", (void *)malloc },
	{ "calloc", (void *)calloc },
	{ "realloc", (void *)realloc },
	{ "free", (void *)free },
	{ "reallocarray", (void *)reallocarray },
	{ "aligned_alloc", (void *)aligned_alloc },
	{ "posix_memalign", (void *)posix_memalign },
	{ "memalign", (void *)memalign },
	{ "valloc", (void *)valloc },
	{ "pvalloc", (void *)pvalloc },
	{ "cfree", (void *)cfree },
	{ "malloc_usable_size", (void *)malloc_usable_size },
};

struct known {
	size_t count;
	bool overflow;
	ElfW(Addr) base[MODULES_MAX];
};

static int
note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct known *known = arg;

	(void)size;
	if (known->count == MODULES_MAX) {
		known->overflow = true;
		return 1;
	}
	known->base[known->count++] = info->dlpi_addr;
	return 0;
}

static bool
is_known(const struct known *known, ElfW(Addr) base)
{
	for (size_t i = 0; i < known->count; i++)
		if (known->base[i] == base)
			return true;
	return false;
}

static int
redirect_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	if (!is_known(arg, info->dlpi_addr))
		(void)elfslot_fill(info, family, ARRAY_LEN(family));
	return 0;
}

void *
deepbind_open(const char *path, int mode)
{
	struct known known = { .count = 0 };
	void *handle;
	int saved_errno;

	if (path == NULL || strchr(path, '/') == NULL)
		return deepbind_next(path, mode);
	(void)dl_iterate_phdr(note_module, &known);
	handle = deepbind_next(path, mode);
	saved_errno = errno;
	if (handle != NULL && !known.overflow)
		(void)dl_iterate_phdr(redirect_module, &known);
	errno = saved_errno;
	return handle;
}

void
deepbind_boot_once(void)
{
	if (deepbind_next == NULL)
		deepbind_next = (void *(*)(const char *, int))
		    dlsym(RTLD_NEXT, "dlopen");
}

void
deepbind_boot(void)
{
	deepbind_boot_once();
}

/*
 * In assembly, because the call must leave no frame: the loader finds its
 * caller, whose search path it uses, by the return address.
 */
_Static_assert(RTLD_DEEPBIND == 8, "the bit tested below");
#if defined(__x86_64__)
__asm__(
    "	.text\n"
    "	.globl	dlopen\n"
    "	.type	dlopen, @function\n"
    "dlopen:\n"
    "	.cfi_startproc\n"
    "	cmpq	$0, deepbind_next(%rip)\n"
    "	jne	1f\n"
    "	pushq	%rdi\n"
    "	.cfi_adjust_cfa_offset 8\n"
    "	pushq	%rsi\n"
    "	.cfi_adjust_cfa_offset 8\n"
    "	subq	$8, %rsp\n"
    "	.cfi_adjust_cfa_offset 8\n"
    "	call	deepbind_boot_once\n"
    "	addq	$8, %rsp\n"
    "	.cfi_adjust_cfa_offset -8\n"
    "	popq	%rsi\n"
    "	.cfi_adjust_cfa_offset -8\n"
    "	popq	%rdi\n"
    "	.cfi_adjust_cfa_offset -8\n"
    "1:	testl	$8, %esi\n"
    "	jnz	deepbind_open\n"
    "	jmp	*deepbind_next(%rip)\n"
    "	.cfi_endproc\n"
    "	.size	dlopen, . - dlopen\n");
#else
__asm__(
    "	.text\n"
    "	.globl	dlopen\n"
    "	.type	dlopen, @function\n"
    "dlopen:\n"
    "	.cfi_startproc\n"
    "	adrp	x16, deepbind_next\n"
    "	ldr	x16, [x16, :lo12:deepbind_next]\n"
    "	cbnz	x16, 1f\n"
    "	stp	x29, x30, [sp, -32]!\n"
    "	.cfi_def_cfa_offset 32\n"
    "	.cfi_offset 29, -32\n"
    "	.cfi_offset 30, -24\n"
    "	stp	x0, x1, [sp, 16]\n"
    "	bl	deepbind_boot_once\n"
    "	ldp	x0, x1, [sp, 16]\n"
    "	ldp	x29, x30, [sp], 32\n"
    "	.cfi_restore 29\n"
    "	.cfi_restore 30\n"
    "	.cfi_def_cfa_offset 0\n"
    "	adrp	x16, deepbind_next\n"
    "	ldr	x16, [x16, :lo12:deepbind_next]\n"
    "1:	tbnz	w1, 3, deepbind_open\n"
    "	br	x16\n"
    "	.cfi_endproc\n"
    "	.size	dlopen, . - dlopen\n");
#endif

#else	/* renamed builds do not replace the program's functions */

void
deepbind_boot(void)
{
}

#endif
