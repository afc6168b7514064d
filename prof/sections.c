/*
 * sections.c - reads an ELF file's table of sections (sections.h).
 *
 * Needed for static programs only: gcc -static gives no --eh-frame-hdr to
 * the linker, so no program header says where .eh_frame is.
 */
#include "sections.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>

#include "os.h"
#include "util.h"

enum { NAME_MAX_SIZE = 32 };

static bool
read_at(int fd, void *to, size_t size, uint64_t offset)
{
	return os_syscall4(SYS_pread64, fd, to, size, offset) == (long)size;
}

static bool
is_named(int fd, const ElfW(Shdr) *names, const ElfW(Shdr) *section,
    const char *name)
{
	char buf[NAME_MAX_SIZE];
	size_t size = __builtin_strlen(name) + 1;

	return size <= sizeof buf && section->sh_name < names->sh_size &&
	    read_at(fd, buf, size, names->sh_offset + section->sh_name) &&
	    __builtin_memcmp(buf, name, size) == 0;
}

static bool
find(int fd, const char *name, ElfW(Shdr) *out)
{
	ElfW(Shdr) names;
	ElfW(Ehdr) eh;

	if (!read_at(fd, &eh, sizeof eh, 0) ||
	    __builtin_memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    eh.e_shentsize != sizeof names || eh.e_shstrndx >= eh.e_shnum ||
	    !read_at(fd, &names, sizeof names,
	    eh.e_shoff + eh.e_shstrndx * sizeof names))
		return false;
	for (unsigned i = 0; i < eh.e_shnum; i++) {
		if (!read_at(fd, out, sizeof *out,
		    eh.e_shoff + i * sizeof *out))
			return false;
		if ((out->sh_flags & SHF_ALLOC) &&
		    is_named(fd, &names, out, name))
			return true;
	}
	return false;
}

bool
sections_find(const char *path, const char *name, uintptr_t base,
    uintptr_t *address, size_t *size)
{
	int fd = os_open(path, O_RDONLY, 0);
	ElfW(Shdr) section;
	bool found;

	if (fd < 0)
		return false;
	found = find(fd, name, &section);
	os_close(fd);
	if (!found)
		return false;
	*address = base + section.sh_addr;
	*size = section.sh_size;
	return true;
}
