/*
 * elf_file.c - an ELF file: build id, segments, symbols, debug link.
 *
 * Memory: the file is mapped; names point into the mapping. The sorted symbol
 *   table is made at the first question.
 */
#include "elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "xalloc.h"

struct function {
	uint64_t start, size;
	bool sized;			/* else it ends at the next function or,
					   by size, with its section */
	const char *name;
	unsigned char rank;		/* of equals the greatest is shown */
};

struct elf_file {
	const unsigned char *bytes;
	uint64_t size;
	Elf64_Ehdr header;
	struct function *functions;	/* sorted by start, rank descending */
	size_t nfunctions, functions_capacity;
	bool functions_made;
	char build_id[130];
};

enum { ENCLOSING_STEPS = 32 };		/* how far back a larger function that
					   contains smaller ones is sought */

/* --- bytes and headers -------------------------------------------------- */

/* n bytes at an offset, or NULL if the file does not have them. */
static const void *
at(const struct elf_file *elf, uint64_t offset, uint64_t n)
{
	if (offset > elf->size || n > elf->size - offset)
		return NULL;
	return elf->bytes + offset;
}

static bool
segment(const struct elf_file *elf, unsigned i, Elf64_Phdr *out)
{
	const void *from;

	if (i >= elf->header.e_phnum ||
	    elf->header.e_phentsize != sizeof *out)
		return false;
	from = at(elf, elf->header.e_phoff + i * sizeof *out, sizeof *out);
	if (from == NULL)
		return false;
	memcpy(out, from, sizeof *out);
	return true;
}

static bool
section(const struct elf_file *elf, unsigned i, Elf64_Shdr *out)
{
	const void *from;

	if (i >= elf->header.e_shnum ||
	    elf->header.e_shentsize != sizeof *out)
		return false;
	from = at(elf, elf->header.e_shoff + i * sizeof *out, sizeof *out);
	if (from == NULL)
		return false;
	memcpy(out, from, sizeof *out);
	return true;
}

/* A NUL-terminated string of a string table section, or NULL. */
static const char *
name_in(const struct elf_file *elf, const Elf64_Shdr *table, uint64_t offset)
{
	const char *name;

	if (table->sh_type == SHT_NOBITS || offset >= table->sh_size)
		return NULL;
	name = at(elf, table->sh_offset + offset, table->sh_size - offset);
	if (name == NULL ||
	    memchr(name, '\0', table->sh_size - offset) == NULL)
		return NULL;
	return name;
}

static bool
section_named(const struct elf_file *elf, const char *want, Elf64_Shdr *out)
{
	Elf64_Shdr names;

	if (!section(elf, elf->header.e_shstrndx, &names))
		return false;
	for (unsigned i = 0; section(elf, i, out); i++) {
		const char *name = name_in(elf, &names, out->sh_name);

		if (name != NULL && strcmp(name, want) == 0)
			return true;
	}
	return false;
}

/* --- build id ----------------------------------------------------------- */

static bool
take_note(struct elf_file *elf, const Elf64_Nhdr *note,
    const unsigned char *name, const unsigned char *data)
{
	if (note->n_type != NT_GNU_BUILD_ID || note->n_namesz != 4 ||
	    memcmp(name, "GNU", 4) != 0 ||
	    note->n_descsz > (sizeof elf->build_id - 1) / 2)
		return false;
	for (uint32_t i = 0; i < note->n_descsz; i++)
		snprintf(elf->build_id + 2 * i, 3, "%02x", data[i]);
	return true;
}

/* Notes are aligned to 4 bytes, or 8 in segments that say so. */
static bool
find_build_id(struct elf_file *elf, const Elf64_Phdr *notes)
{
	uint64_t align = notes->p_align == 8 ? 8 : 4;
	uint64_t offset = notes->p_offset, end;

	if (at(elf, offset, notes->p_filesz) == NULL)
		return false;
	end = offset + notes->p_filesz;
	while (end - offset >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		uint64_t name, data, next;

		memcpy(&note, elf->bytes + offset, sizeof note);
		name = offset + sizeof note;
		data = (name + note.n_namesz + align - 1) & ~(align - 1);
		next = (data + note.n_descsz + align - 1) & ~(align - 1);
		if (data + note.n_descsz > end)
			return false;
		if (take_note(elf, &note, elf->bytes + name,
		    elf->bytes + data))
			return true;
		if (next >= end)
			return false;
		offset = next;
	}
	return false;
}

static void
load_build_id(struct elf_file *elf)
{
	Elf64_Phdr header;

	for (unsigned i = 0; segment(elf, i, &header); i++)
		if (header.p_type == PT_NOTE && find_build_id(elf, &header))
			return;
}

const char *
elf_build_id(const struct elf_file *elf)
{
	return elf->build_id;
}

/* --- opening ------------------------------------------------------------ */

static int
check_header(struct elf_file *elf)
{
	const void *header = at(elf, 0, sizeof elf->header);

	if (header == NULL)
		return EINVAL;
	memcpy(&elf->header, header, sizeof elf->header);
	if (memcmp(elf->header.e_ident, ELFMAG, SELFMAG) != 0 ||
	    elf->header.e_ident[EI_CLASS] != ELFCLASS64 ||
	    elf->header.e_ident[EI_DATA] != ELFDATA2LSB)
		return EINVAL;
	return 0;
}

int
elf_open(const char *path, struct elf_file **out)
{
	struct elf_file *elf = xcalloc(1, sizeof *elf);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	int error = 0;

	if (fd < 0 || fstat(fd, &status) != 0)
		error = errno;
	else if (!S_ISREG(status.st_mode) || status.st_size == 0)
		error = EINVAL;
	if (error == 0) {
		elf->size = (uint64_t)status.st_size;
		elf->bytes = mmap(NULL, elf->size, PROT_READ, MAP_PRIVATE, fd,
		    0);
		if (elf->bytes == MAP_FAILED) {
			elf->bytes = NULL;
			error = errno;
		}
	}
	if (fd >= 0)
		close(fd);
	if (error == 0)
		error = check_header(elf);
	if (error != 0) {
		elf_close(elf);
		return error;
	}
	load_build_id(elf);
	*out = elf;
	return 0;
}

void
elf_close(struct elf_file *elf)
{
	if (elf == NULL)
		return;
	if (elf->bytes != NULL)
		munmap((void *)elf->bytes, elf->size);
	free(elf->functions);
	free(elf);
}

/* --- addresses ---------------------------------------------------------- */

bool
elf_vaddr(const struct elf_file *elf, uint64_t offset, uint64_t *vaddr)
{
	bool found = false;
	Elf64_Phdr header;

	for (unsigned i = 0; segment(elf, i, &header); i++) {
		/* What shares a page with a segment is mapped with it. */
		uint64_t first = header.p_offset & ~(uint64_t)4095;

		if (header.p_type != PT_LOAD || offset < first ||
		    offset - header.p_offset >= header.p_memsz)
			continue;
		if (found && !(header.p_flags & PF_X))
			continue;
		*vaddr = offset - header.p_offset + header.p_vaddr;
		found = true;
		if (header.p_flags & PF_X)
			return true;
	}
	return found;
}

bool
elf_code_vaddr(const struct elf_file *elf, uint64_t distance, uint64_t *vaddr)
{
	Elf64_Phdr header;

	for (unsigned i = 0; segment(elf, i, &header); i++) {
		if (header.p_type != PT_LOAD || !(header.p_flags & PF_X))
			continue;
		*vaddr = (header.p_vaddr & ~(uint64_t)4095) + distance;
		return true;
	}
	return false;
}

bool
elf_has_dwarf(const struct elf_file *elf)
{
	Elf64_Shdr header;

	return (section_named(elf, ".debug_info", &header) ||
	    section_named(elf, ".zdebug_info", &header)) &&
	    header.sh_type != SHT_NOBITS && header.sh_size > 0;
}

const char *
elf_debuglink(const struct elf_file *elf, uint32_t *crc)
{
	const char *name;
	Elf64_Shdr header;
	uint64_t after;

	if (!section_named(elf, ".gnu_debuglink", &header))
		return NULL;
	name = name_in(elf, &header, 0);
	if (name == NULL || strchr(name, '/') != NULL)
		return NULL;
	after = (strlen(name) + 1 + 3) & ~(uint64_t)3;
	if (after + 4 > header.sh_size)
		return NULL;
	memcpy(crc, elf->bytes + header.sh_offset + after, 4);
	return name;
}

uint32_t
elf_crc(const struct elf_file *elf)
{
	uint64_t done = 0;
	uLong crc = crc32(0, NULL, 0);

	while (done < elf->size) {
		uint64_t step = elf->size - done;

		if (step > 1 << 30)
			step = 1 << 30;
		crc = crc32(crc, elf->bytes + done, (uInt)step);
		done += step;
	}
	return (uint32_t)crc;
}

/* --- symbols ------------------------------------------------------------ */

static bool
is_function(const Elf64_Sym *symbol, const char *name)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	if (symbol->st_shndx == SHN_UNDEF || symbol->st_shndx == SHN_ABS ||
	    name == NULL || *name == '\0' || *name == '$')
		return false;		/* "$x": marks of the assembler */
	return type == STT_FUNC || type == STT_GNU_IFUNC ||
	    (type == STT_NOTYPE && symbol->st_size > 0);
}

static unsigned char
rank_of(const Elf64_Sym *symbol)
{
	static const unsigned char ranks[] = {
		[STB_LOCAL] = 1, [STB_GLOBAL] = 3, [STB_WEAK] = 2,
	};
	unsigned binding = ELF64_ST_BIND(symbol->st_info);
	unsigned char rank = binding < sizeof ranks ? ranks[binding] : 0;

	return rank + (symbol->st_size > 0 ? 4 : 0);
}

/* What is left of a symbol's section after its start. */
static uint64_t
rest_of_section(const struct elf_file *elf, const Elf64_Sym *symbol)
{
	Elf64_Shdr header;
	uint64_t into;

	if (!section(elf, symbol->st_shndx, &header))
		return 0;
	into = symbol->st_value - header.sh_addr;
	return into < header.sh_size ? header.sh_size - into : 0;
}

static void
add_symbols(struct elf_file *elf, const Elf64_Shdr *table)
{
	const unsigned char *bytes;
	Elf64_Shdr names;

	if (table->sh_entsize != sizeof(Elf64_Sym) ||
	    !section(elf, table->sh_link, &names))
		return;
	bytes = at(elf, table->sh_offset, table->sh_size);
	for (uint64_t i = 0; bytes != NULL &&
	    i < table->sh_size / sizeof(Elf64_Sym); i++) {
		const char *name;
		Elf64_Sym symbol;

		memcpy(&symbol, bytes + i * sizeof symbol, sizeof symbol);
		name = name_in(elf, &names, symbol.st_name);
		if (!is_function(&symbol, name))
			continue;
		elf->functions = xgrow(elf->functions, elf->nfunctions,
		    &elf->functions_capacity, sizeof *elf->functions);
		elf->functions[elf->nfunctions++] = (struct function){
			symbol.st_value, symbol.st_size > 0 ?
			symbol.st_size : rest_of_section(elf, &symbol),
			symbol.st_size > 0, name, rank_of(&symbol),
		};
	}
}

static int
compare_functions(const void *a, const void *b)
{
	const struct function *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	return strcmp(x->name, y->name);
}

static void
make_functions(struct elf_file *elf)
{
	Elf64_Shdr header;

	if (elf->functions_made)
		return;
	elf->functions_made = true;
	for (unsigned i = 0; section(elf, i, &header); i++)
		if (header.sh_type == SHT_SYMTAB ||
		    header.sh_type == SHT_DYNSYM)
			add_symbols(elf, &header);
	if (elf->nfunctions > 0)
		qsort(elf->functions, elf->nfunctions,
		    sizeof *elf->functions, compare_functions);
}

bool
elf_has_symbols(struct elf_file *elf)
{
	make_functions(elf);
	return elf->nfunctions > 0;
}

bool
elf_is_library(const struct elf_file *elf)
{
	return elf->header.e_type == ET_DYN &&
	    elf->header.e_machine == ELF_MACHINE;
}

static bool
table_defines(const struct elf_file *elf, const Elf64_Shdr *table,
    const char *want)
{
	const unsigned char *bytes = at(elf, table->sh_offset, table->sh_size);
	Elf64_Shdr names;

	if (bytes == NULL || !section(elf, table->sh_link, &names))
		return false;
	for (uint64_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
		const char *name;
		Elf64_Sym symbol;

		memcpy(&symbol, bytes + i * sizeof symbol, sizeof symbol);
		name = name_in(elf, &names, symbol.st_name);
		if (symbol.st_shndx != SHN_UNDEF && name != NULL &&
		    strcmp(name, want) == 0)
			return true;
	}
	return false;
}

bool
elf_exports(const struct elf_file *elf, const char *name)
{
	Elf64_Shdr header;

	for (unsigned i = 0; section(elf, i, &header); i++)
		if (header.sh_type == SHT_DYNSYM &&
		    table_defines(elf, &header, name))
			return true;
	return false;
}

/* How many functions start at or before an address. */
static size_t
functions_upto(const struct elf_file *elf, uint64_t vaddr)
{
	size_t low = 0, high = elf->nfunctions;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (elf->functions[middle].start <= vaddr)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *
elf_symbol(struct elf_file *elf, uint64_t vaddr)
{
	const struct function *best = NULL;
	size_t n, steps;

	make_functions(elf);
	n = functions_upto(elf, vaddr);
	steps = n < ENCLOSING_STEPS ? n : ENCLOSING_STEPS;
	for (size_t i = n; i-- > n - steps;) {
		const struct function *f = &elf->functions[i];

		if (best != NULL && f->start != best->start)
			break;
		if (vaddr - f->start < f->size && (f->sized || i + 1 == n))
			best = f;
	}
	return best == NULL ? NULL : best->name;
}
