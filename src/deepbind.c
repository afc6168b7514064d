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
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "os.h"
#include "util.h"
#include "names.h"

#if !defined(UNIT_TEST) && !defined(CONFIG_PREFIX_ST)

enum { MODULES_MAX = 1024 };

#if defined(__x86_64__)
enum { SLOT_JUMP = R_X86_64_JUMP_SLOT, SLOT_DATA = R_X86_64_GLOB_DAT,
    SLOT_WORD = R_X86_64_64 };
#else
enum { SLOT_JUMP = R_AARCH64_JUMP_SLOT, SLOT_DATA = R_AARCH64_GLOB_DAT,
    SLOT_WORD = R_AARCH64_ABS64 };
#endif

/* The loader's dlopen. Named by the assembly below. */
__attribute__((visibility("hidden"))) void *(*deepbind_next)(const char *,
    int);
__attribute__((visibility("hidden"))) void deepbind_boot_once(void);
__attribute__((visibility("hidden"))) void *deepbind_open(const char *path,
    int mode);

struct redirect {
	const char *name;
	void *ours;
};

static const struct redirect family[] = {
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

/* What of a module's dynamic section the redirection reads. */
struct dynamic {
	const ElfW(Sym) *symbols;
	const char *strings;
	const ElfW(Rela) *rela, *jump;
	size_t rela_size, jump_size;
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

/* glibc has relocated the pointers of the dynamic section in place. */
static void
read_dynamic(const struct dl_phdr_info *info, struct dynamic *out)
{
	const ElfW(Dyn) *at = NULL;

	*out = (struct dynamic){ 0 };
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_DYNAMIC)
			at = (const void *)(info->dlpi_addr +
			    info->dlpi_phdr[i].p_vaddr);
	for (; at != NULL && at->d_tag != DT_NULL; at++) {
		const void *ptr = (const void *)at->d_un.d_ptr;

		switch (at->d_tag) {
		case DT_SYMTAB: out->symbols = ptr; break;
		case DT_STRTAB: out->strings = ptr; break;
		case DT_RELA: out->rela = ptr; break;
		case DT_RELASZ: out->rela_size = at->d_un.d_val; break;
		case DT_JMPREL: out->jump = ptr; break;
		case DT_PLTRELSZ: out->jump_size = at->d_un.d_val; break;
		}
	}
}

static void *
ours_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(family); i++)
		if (strcmp(name, family[i].name) == 0)
			return family[i].ours;
	return NULL;
}

/* The slot may lie in pages that relocation has left read-only. */
static void
write_slot(void **slot, void *value, bool read_only)
{
	char *page = (char *)align_down((uintptr_t)slot, os_page_system);

	if (*slot == value)
		return;
	if (read_only && os_protect(page, os_page_system, true) != 0)
		return;
	__atomic_store_n(slot, value, __ATOMIC_RELAXED);
	if (read_only)
		(void)os_syscall3(SYS_mprotect, page, os_page_system,
		    PROT_READ);
}

static bool
is_read_only(const struct dl_phdr_info *info, ElfW(Addr) address)
{
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
		ElfW(Addr) start = info->dlpi_addr + ph->p_vaddr;

		if (ph->p_type == PT_GNU_RELRO && address >=
		    align_down(start, os_page_system) &&
		    address < start + ph->p_memsz)
			return true;
	}
	return false;
}

/* Slots of symbols that the module defines itself are its own business. */
static void
redirect_slots(const struct dl_phdr_info *info, const struct dynamic *dynamic,
    const ElfW(Rela) *rela, size_t size)
{
	for (size_t i = 0; i < size / sizeof *rela; i++) {
		unsigned type = ELF64_R_TYPE(rela[i].r_info);
		const ElfW(Sym) *symbol = &dynamic->symbols[
		    ELF64_R_SYM(rela[i].r_info)];
		ElfW(Addr) address = info->dlpi_addr + rela[i].r_offset;
		void *ours;

		if ((type != SLOT_JUMP && type != SLOT_DATA &&
		    type != SLOT_WORD) || symbol->st_shndx != SHN_UNDEF ||
		    (type == SLOT_WORD && rela[i].r_addend != 0))
			continue;
		ours = ours_by_name(dynamic->strings + symbol->st_name);
		if (ours != NULL)
			write_slot((void **)address, ours,
			    is_read_only(info, address));
	}
}

static int
redirect_module(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct dynamic dynamic;

	(void)size;
	if (is_known(arg, info->dlpi_addr))
		return 0;
	read_dynamic(info, &dynamic);
	if (dynamic.symbols == NULL || dynamic.strings == NULL)
		return 0;
	if (dynamic.rela != NULL)
		redirect_slots(info, &dynamic, dynamic.rela,
		    dynamic.rela_size);
	if (dynamic.jump != NULL)
		redirect_slots(info, &dynamic, dynamic.jump,
		    dynamic.jump_size);
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
