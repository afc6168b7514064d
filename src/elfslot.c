/*
 * elfslot.c - points a loaded module's references to functions elsewhere; see
 * elfslot.h.
 */
#define _GNU_SOURCE
#include "elfslot.h"

#include <elf.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "os.h"
#include "util.h"

#if defined(__x86_64__)
enum { SLOT_JUMP = R_X86_64_JUMP_SLOT, SLOT_DATA = R_X86_64_GLOB_DAT,
    SLOT_WORD = R_X86_64_64 };
#else
enum { SLOT_JUMP = R_AARCH64_JUMP_SLOT, SLOT_DATA = R_AARCH64_GLOB_DAT,
    SLOT_WORD = R_AARCH64_ABS64 };
#endif

/* What of a module's dynamic section the redirection reads. */
struct dynamic {
	const ElfW(Sym) *symbols;
	const char *strings;
	const ElfW(Rela) *rela, *jump;
	size_t rela_size, jump_size;
};

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

/* The slot may lie in pages that relocation has left read-only. */
static bool
write_slot(void **slot, void *value, bool read_only)
{
	char *page = (char *)align_down((uintptr_t)slot, os_page_system);

	if (*slot == value)
		return true;
	if (read_only && os_protect(page, os_page_system, true) != 0)
		return false;
	__atomic_store_n(slot, value, __ATOMIC_RELAXED);
	if (read_only)
		(void)os_syscall3(SYS_mprotect, page, os_page_system,
		    PROT_READ);
	return true;
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

static void *
wanted(const struct elfslot *slots, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, slots[i].name) == 0)
			return slots[i].ours;
	return NULL;
}

struct table {
	const ElfW(Rela) *rela;
	size_t size;
};

static size_t
fill_table(const struct dl_phdr_info *module, const struct dynamic *dynamic,
    struct table table, const struct elfslot *slots, size_t n)
{
	size_t filled = 0;

	for (size_t i = 0; i < table.size / sizeof *table.rela; i++) {
		const ElfW(Rela) *rela = &table.rela[i];
		unsigned type = ELF64_R_TYPE(rela->r_info);
		const ElfW(Sym) *symbol =
		    &dynamic->symbols[ELF64_R_SYM(rela->r_info)];
		ElfW(Addr) address = module->dlpi_addr + rela->r_offset;
		void *ours;

		if ((type != SLOT_JUMP && type != SLOT_DATA &&
		    type != SLOT_WORD) || symbol->st_shndx != SHN_UNDEF ||
		    (type == SLOT_WORD && rela->r_addend != 0))
			continue;
		ours = wanted(slots, n, dynamic->strings + symbol->st_name);
		if (ours != NULL)
			filled += write_slot((void **)address, ours,
			    is_read_only(module, address));
	}
	return filled;
}

size_t
elfslot_fill(const struct dl_phdr_info *module, const struct elfslot *slots,
    size_t n)
{
	struct dynamic dynamic;
	size_t filled = 0;

	read_dynamic(module, &dynamic);
	if (dynamic.symbols == NULL || dynamic.strings == NULL)
		return 0;
	if (dynamic.rela != NULL)
		filled += fill_table(module, &dynamic, (struct table){
		    dynamic.rela, dynamic.rela_size }, slots, n);
	if (dynamic.jump != NULL)
		filled += fill_table(module, &dynamic, (struct table){
		    dynamic.jump, dynamic.jump_size }, slots, n);
	return filled;
}
