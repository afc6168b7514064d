/*
 * elf_file.h - an ELF file: build id, segments, symbols, debug link.
 *
 * 64-bit little-endian files only. Nothing in the file is trusted: every
 * offset is checked against its size.
 */
#ifndef STRATA_ELF_FILE_H
#define STRATA_ELF_FILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

/* The processor that this program runs on. */
#ifdef __x86_64__
enum { ELF_MACHINE = EM_X86_64 };
#else
enum { ELF_MACHINE = EM_AARCH64 };
#endif

struct elf_file;

/*
 * Opens and maps a file. 0 and *out, or an errno value: EINVAL if it is no
 * 64-bit little-endian ELF file.
 */
int elf_open(const char *path, struct elf_file **out);
void elf_close(struct elf_file *elf);

/* Lower-case hex; "" if it has none. */
const char *elf_build_id(const struct elf_file *elf);

bool elf_has_dwarf(const struct elf_file *elf);
bool elf_has_symbols(struct elf_file *elf);

/* Is it a shared object of this machine? */
bool elf_is_library(const struct elf_file *elf);

/* Does it define a symbol of that name for programs that load it? */
bool elf_exports(const struct elf_file *elf, const char *name);

/* True if that file offset lies in a segment; *vaddr is where. */
bool elf_vaddr(const struct elf_file *elf, uint64_t offset, uint64_t *vaddr);

/*
 * The same by the distance from the start of the executable mapping: for a
 * separate debug file, whose offsets are not those of the file it describes.
 */
bool elf_code_vaddr(const struct elf_file *elf, uint64_t distance,
    uint64_t *vaddr);

/*
 * The function that covers an address, or NULL. Never a neighbour: a symbol
 * with a size covers no more than that.
 */
const char *elf_symbol(struct elf_file *elf, uint64_t vaddr);

/* The name in .gnu_debuglink, or NULL. */
const char *elf_debuglink(const struct elf_file *elf, uint32_t *crc);

/* The checksum that .gnu_debuglink holds of this file. */
uint32_t elf_crc(const struct elf_file *elf);

#endif
