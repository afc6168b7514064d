/*
 * modules.c - our own list of what is loaded where (modules.h).
 *
 *   /proc/self/maps line            what it may be
 *   r--p offset 0 of a file         a module's first segment: a candidate
 *   r-xp of the same file           confirms it, if the program headers put
 *                                   executable code just there
 *   r-xp of no file                 [vdso], or a compiler's code: no module
 *
 * (A file that is only mapped to be read has no executable line.)
 *
 * Entries are appended, never moved or freed: readers take no lock. A module
 * that is gone from the maps keeps its entry, and its address range is
 * reserved at once, so that the addresses in old stacks never name another;
 * where that fails the epoch is raised, which is part of a stack's key.
 *
 * Locks: one refresher at a time, by a flag: the others go on with the old
 *   list. RANK_PROF_MODULES only while the list changes. None is held across
 *   system calls.
 * Fork: a child takes over list and reservations; a refresh that its parent
 *   had begun is forgotten.
 */
#include "modules.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "hash.h"
#include "lock.h"
#include "maps.h"
#include "os.h"
#include "profmem.h"
#include "sections.h"
#include "util.h"

enum {
	ANON_MAX = 256,			/* executable ranges of no file */
	PENDING_MAX = 1024,		/* new modules of one refresh */
	RESERVE_MAX = 16384,		/* ranges; a process has 65530 maps */
};
/* Address space kept from reuse: 4 GiB, for the sake of ulimit -v. */
static const uint64_t reserve_bytes_max = 4ull << 30;
/*
 * ns from a look at the maps that was in vain to the next one; doubled each
 * time. A pc of a new module is never in vain, so none of those has to wait.
 */
static const uint64_t miss_interval_min = 1000000,
    miss_interval_max = 5000000000;

struct range {
	uintptr_t start, end;
};

static struct lock lock =
    LOCK_INITIALIZER(RANK_PROF_MODULES, "prof_modules");
/* lock to write; atomic to read, a count published with release: */
static struct module *list[MODULES_MAX];
static uint32_t nlist;
static struct range anon[ANON_MAX];
static uint32_t nanon;
/* atomic: */
static uint32_t refreshing;		/* 1: somebody is at it */
static uint32_t epoch;
static uint64_t nreserved, reserved_bytes, reserve_failures;
static uint64_t miss_last, miss_interval;
/* the refresher's: */
static uint32_t seen[MODULES_MAX / 32];	/* bit: still mapped */

/* --- reading what may not be there --------------------------------------- */

static bool
read_by_proc_mem(uintptr_t address, void *to, size_t size)
{
	int fd = os_open("/proc/self/mem", O_RDONLY, 0);
	long got;

	if (fd < 0)
		return false;
	got = os_syscall4(SYS_pread64, fd, to, size, address);
	os_close(fd);
	return got == (long)size;
}

bool
modules_read(uintptr_t address, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)address, size };
	long got = os_syscall6(SYS_process_vm_readv, os_pid(), (long)&local,
	    1, (long)&remote, 1, 0);

	if (got == -ENOSYS || got == -EPERM)	/* a seccomp filter */
		return read_by_proc_mem(address, to, size);
	return got == (long)size;
}

/* --- the list ------------------------------------------------------------- */

size_t
modules_count(void)
{
	/* pairs with the release in append_locked */
	return __atomic_load_n(&nlist, __ATOMIC_ACQUIRE);
}

const struct module *
modules_at(size_t i)
{
	return list[i];
}

static bool
is_gone(const struct module *module)
{
	return __atomic_load_n(&module->gone, __ATOMIC_RELAXED);
}

const struct module *
modules_at_pc(uintptr_t pc)
{
	static uint32_t last;		/* atomic: a guess */
	uint32_t n = (uint32_t)modules_count();
	uint32_t guess = __atomic_load_n(&last, __ATOMIC_RELAXED);

	if (guess < n && pc - list[guess]->start <
	    list[guess]->end - list[guess]->start && !is_gone(list[guess]))
		return list[guess];
	for (uint32_t i = 0; i < n; i++) {
		if (pc < list[i]->start || pc >= list[i]->end ||
		    is_gone(list[i]))
			continue;
		__atomic_store_n(&last, i, __ATOMIC_RELAXED);
		return list[i];
	}
	return NULL;
}

const struct module *
modules_find(uintptr_t pc, uint32_t at_epoch)
{
	size_t n = modules_count();

	for (size_t i = 0; i < n; i++) {
		const struct module *module = list[i];

		if (pc >= module->start && pc < module->end &&
		    module->epoch <= at_epoch && (!is_gone(module) ||
		    at_epoch <= __atomic_load_n(&module->gone_epoch,
		    __ATOMIC_RELAXED)))
			return module;
	}
	return NULL;
}

size_t
modules_segments(const struct module *module, struct module_segment *out,
    size_t max)
{
	size_t n = 0;

	for (unsigned i = 0; i < module->phnum && n < max; i++) {
		const ElfW(Phdr) *ph = &module->phdrs[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		out[n++] = (struct module_segment){
			.start = align_down(module->base + ph->p_vaddr,
			    os_page_system),
			.end = align_up(module->base + ph->p_vaddr +
			    ph->p_memsz, os_page_system),
			.offset = align_down(ph->p_offset, os_page_system),
		};
	}
	return n;
}

uint32_t
modules_epoch(void)
{
	return __atomic_load_n(&epoch, __ATOMIC_RELAXED);
}

uint64_t
modules_reserved_bytes(void)
{
	return __atomic_load_n(&reserved_bytes, __ATOMIC_RELAXED);
}

uint64_t
modules_reserve_failures(void)
{
	return __atomic_load_n(&reserve_failures, __ATOMIC_RELAXED);
}

/* --- one module's headers ------------------------------------------------- */

static void
read_build_id(struct module *module, const ElfW(Phdr) *ph)
{
	char buf[1024];
	size_t size = ph->p_filesz < sizeof buf ? ph->p_filesz : sizeof buf;
	size_t at = 0;

	if (!modules_read(module->base + ph->p_vaddr, buf, size))
		return;
	while (at + sizeof(ElfW(Nhdr)) <= size) {
		ElfW(Nhdr) note;
		size_t name, desc;

		__builtin_memcpy(&note, buf + at, sizeof note);
		name = at + sizeof note;
		desc = name + align_up(note.n_namesz, 4);
		at = desc + align_up(note.n_descsz, 4);
		if (at > size || at < desc || desc < name)
			return;
		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 ||
		    __builtin_memcmp(buf + name, "GNU", 4) != 0 ||
		    note.n_descsz > MODULE_BUILD_ID_MAX)
			continue;
		__builtin_memcpy(module->build_id, buf + desc, note.n_descsz);
		module->build_id_len = (uint8_t)note.n_descsz;
		return;
	}
}

/* start, end and base from the PT_LOADs; false: they do not fit the line. */
static bool
place(struct module *module, const ElfW(Phdr) *phdrs, uintptr_t start,
    const struct maps_line *code, bool fixed)
{
	uintptr_t low = UINTPTR_MAX, high = 0;
	bool fits = false;

	for (unsigned i = 0; i < module->phnum; i++) {
		const ElfW(Phdr) *ph = &phdrs[i];

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_vaddr < low)
			low = ph->p_vaddr;
		if (ph->p_vaddr + ph->p_memsz > high)
			high = ph->p_vaddr + ph->p_memsz;
	}
	if (low >= high)
		return false;
	module->base = fixed ? 0 : start - align_down(low, os_page_system);
	for (unsigned i = 0; i < module->phnum; i++) {
		const ElfW(Phdr) *ph = &phdrs[i];

		if (ph->p_type == PT_LOAD && (ph->p_flags & PF_X) &&
		    module->base + ph->p_vaddr < code->end &&
		    module->base + ph->p_vaddr + ph->p_memsz > code->start)
			fits = true;
	}
	module->start = align_down(module->base + low, os_page_system);
	module->end = align_up(module->base + high, os_page_system);
	return fits && module->start <= start && start < module->end;
}

static const char *
copy_path(const char *path, size_t length)
{
	static const char deleted[] = " (deleted)";
	size_t tail = sizeof deleted - 1;
	char *copy;

	if (length > tail && __builtin_memcmp(path + length - tail, deleted,
	    tail) == 0)
		length -= tail;
	copy = base_alloc(&profmem_base, length + 1, 1);
	if (copy == NULL)
		return "";
	__builtin_memcpy(copy, path, length);
	return copy;
}

/* Reads the ELF file at start; false: there is none, or it is elsewhere. */
static bool
read_headers(struct module *module, ElfW(Phdr) *phdrs, uintptr_t start,
    const struct maps_line *code)
{
	ElfW(Ehdr) eh;

	if (!modules_read(start, &eh, sizeof eh) ||
	    __builtin_memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 ||
	    (eh.e_type != ET_DYN && eh.e_type != ET_EXEC) ||
	    eh.e_phentsize != sizeof *phdrs || eh.e_phnum == 0 ||
	    eh.e_phnum > MODULE_PHDRS_MAX ||
	    !modules_read(start + eh.e_phoff, phdrs,
	    eh.e_phnum * sizeof *phdrs))
		return false;
	module->phnum = eh.e_phnum;
	module->header = start;
	return place(module, phdrs, start, code, eh.e_type == ET_EXEC);
}

/* What tells one file from another where it is mapped. */
static uint64_t
identity(const struct module *module, const ElfW(Phdr) *phdrs)
{
	uint64_t words[MODULE_BUILD_ID_MAX / 8];
	size_t n = module->phnum * sizeof *phdrs / 8;

	_Static_assert(sizeof *phdrs % 8 == 0, "program headers are words");
	__builtin_memcpy(words, module->build_id, sizeof words);
	return hash_words((const uint64_t *)phdrs, n,
	    hash_words(words, ARRAY_LEN(words), module->phnum));
}

static bool
has_eh_frame_header(const struct module *module, const ElfW(Phdr) *phdrs)
{
	for (unsigned i = 0; i < module->phnum; i++)
		if (phdrs[i].p_type == PT_GNU_EH_FRAME)
			return true;
	return false;
}

static struct module *
make_module(const struct module *found, const ElfW(Phdr) *phdrs,
    const struct maps_line *line)
{
	struct module *module = base_alloc(&profmem_base, sizeof *module, 16);
	ElfW(Phdr) *copy = base_alloc(&profmem_base,
	    found->phnum * sizeof *phdrs, 16);
	uintptr_t main_phdr = getauxval(AT_PHDR);

	if (module == NULL || copy == NULL)
		return NULL;
	*module = *found;
	__builtin_memcpy(copy, phdrs, found->phnum * sizeof *phdrs);
	module->phdrs = copy;
	module->path = copy_path(line->path, line->path_length);
	module->is_main = main_phdr >= module->start &&
	    main_phdr < module->end;
	module->is_vdso = line->inode == 0;
	for (unsigned i = 0; i < module->phnum; i++)
		if (copy[i].p_type == PT_NOTE && module->build_id_len == 0)
			read_build_id(module, &copy[i]);
	module->identity = identity(module, copy);
	if (module->is_main && !has_eh_frame_header(module, copy))
		sections_find("/proc/self/exe", ".eh_frame", module->base,
		    &module->eh_frame, &module->eh_frame_size);
	return module;
}

/* --- refreshing ----------------------------------------------------------- */

/* The parts of the first line of a file that may be a module. */
struct candidate {
	uintptr_t start;
	uint64_t dev, inode;
};

struct refresh {
	struct candidate candidate;
	struct module *found[PENDING_MAX];	/* not listed yet */
	uint32_t nfound;
	struct range anon[ANON_MAX];
	uint32_t nanon;
};

/* Reads its headers and build id again. */
static bool
is_unchanged(const struct module *module)
{
	struct module now = { .base = module->base };
	ElfW(Phdr) phdrs[MODULE_PHDRS_MAX];
	ElfW(Ehdr) eh;

	if (!modules_read(module->header, &eh, sizeof eh) ||
	    eh.e_phnum != module->phnum || !modules_read(module->header +
	    eh.e_phoff, phdrs, eh.e_phnum * sizeof *phdrs))
		return false;
	now.phnum = eh.e_phnum;
	for (unsigned i = 0; i < now.phnum; i++)
		if (phdrs[i].p_type == PT_NOTE && now.build_id_len == 0)
			read_build_id(&now, &phdrs[i]);
	return identity(&now, phdrs) == module->identity;
}

bool
modules_verify(const uintptr_t *frames, size_t depth)
{
	const struct module *last = NULL;

	for (size_t i = 0; i < depth; i++) {
		const struct module *module = modules_at_pc(frames[i]);

		if (module == NULL || module == last)
			continue;
		if (!is_unchanged(module)) {
			modules_refresh();
			return false;
		}
		last = module;
	}
	return true;
}

/* The entry of a module that was there before, found by its start. */
static bool
mark_known(uintptr_t start, const struct maps_line *line)
{
	for (uint32_t i = 0; i < nlist; i++) {
		if (list[i]->header != start || is_gone(list[i]) ||
		    line->end > list[i]->end)
			continue;
		if (!is_unchanged(list[i]))
			continue;
		seen[i / 32] |= 1u << i % 32;
		return true;
	}
	return false;
}

/* Another segment of one found just now? */
static bool
mark_found(const struct refresh *refresh, uintptr_t start)
{
	return refresh->nfound > 0 &&
	    refresh->found[refresh->nfound - 1]->header == start;
}

/* A module is for ever: none is made that will not be listed. */
static bool
has_room(const struct refresh *refresh)
{
	return refresh->nfound < PENDING_MAX &&
	    nlist + refresh->nfound < MODULES_MAX;
}

static void
take_code_line(struct refresh *refresh, const struct maps_line *line)
{
	struct candidate *candidate = &refresh->candidate;
	ElfW(Phdr) phdrs[MODULE_PHDRS_MAX];
	struct module found = { .start = 0 }, *module;

	if (line->inode != 0 && (candidate->inode != line->inode ||
	    candidate->dev != line->dev))
		return;
	if (line->inode == 0)
		candidate->start = line->start;
	if (mark_known(candidate->start, line) ||
	    mark_found(refresh, candidate->start))
		return;
	if (has_room(refresh) &&
	    read_headers(&found, phdrs, candidate->start, line) &&
	    (module = make_module(&found, phdrs, line)) != NULL) {
		refresh->found[refresh->nfound++] = module;
	} else if (line->inode == 0 && refresh->nanon < ANON_MAX) {
		refresh->anon[refresh->nanon++] =
		    (struct range){ line->start, line->end };
	}
}

static void
take_line(const struct maps_line *line, void *opaque)
{
	struct refresh *refresh = opaque;

	if (line->offset == 0 && line->readable && line->inode != 0)
		refresh->candidate = (struct candidate){ line->start,
		    line->dev, line->inode };
	if (line->executable)
		take_code_line(refresh, line);
}

/* Keeps the addresses of a module that is gone from being used again. */
static bool
reserve(const struct module *module)
{
	size_t size = module->end - module->start;

	if (nreserved >= RESERVE_MAX || reserved_bytes + size >
	    reserve_bytes_max || os_reserve_at((void *)module->start, size) !=
	    0) {
		__atomic_add_fetch(&reserve_failures, 1, __ATOMIC_RELAXED);
		return false;
	}
	__atomic_add_fetch(&nreserved, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&reserved_bytes, size, __ATOMIC_RELAXED);
	return true;
}

static void
retire(struct module *module)
{
	bool kept = reserve(module);

	lock_acquire(&lock);
	module->gone_epoch = kept ? UINT32_MAX : epoch;
	__atomic_store_n(&module->gone, true, __ATOMIC_RELAXED);
	if (!kept)
		__atomic_store_n(&epoch, epoch + 1, __ATOMIC_RELAXED);
	lock_release(&lock);
}

static void
append(struct module *module)
{
	assert(nlist < MODULES_MAX);
	lock_acquire(&lock);
	module->epoch = epoch;
	list[nlist] = module;
	/* pairs with the acquire in modules_count */
	__atomic_store_n(&nlist, nlist + 1, __ATOMIC_RELEASE);
	lock_release(&lock);
}

/* The main program first, as dl_iterate_phdr has it. */
static void
append_all(struct refresh *refresh)
{
	for (uint32_t i = 0; i < refresh->nfound; i++)
		if (refresh->found[i]->is_main)
			append(refresh->found[i]);
	for (uint32_t i = 0; i < refresh->nfound; i++)
		if (!refresh->found[i]->is_main)
			append(refresh->found[i]);
}

/*
 * What is gone first: where its addresses are taken already the epoch goes
 * up, and what took them is listed from that epoch on.
 */
static void
finish(struct refresh *refresh)
{
	for (uint32_t i = 0; i < nlist; i++)
		if (!is_gone(list[i]) && !(seen[i / 32] >> i % 32 & 1))
			retire(list[i]);
	append_all(refresh);
	lock_acquire(&lock);
	__builtin_memcpy(anon, refresh->anon,
	    refresh->nanon * sizeof *anon);
	__atomic_store_n(&nanon, refresh->nanon, __ATOMIC_RELEASE);
	lock_release(&lock);
}

static bool
refresh_begin(void)
{
	uint32_t none = 0;

	/* pairs with the release in refresh_and_end */
	return __atomic_compare_exchange_n(&refreshing, &none, 1, false,
	    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static int
refresh_and_end(void)
{
	static struct refresh refresh;	/* the refresher's */
	static char buf[MAPS_LINE];
	int error;

	refresh.nanon = refresh.nfound = 0;
	refresh.candidate = (struct candidate){ .start = 0 };
	__builtin_memset(seen, 0, sizeof seen);
	error = maps_read(buf, sizeof buf, take_line, &refresh);
	if (error == 0)
		finish(&refresh);
	__atomic_store_n(&refreshing, 0, __ATOMIC_RELEASE);
	return error;
}

int
modules_refresh(void)
{
	while (!refresh_begin())
		os_yield();
	return refresh_and_end();
}

static bool
known(uintptr_t pc)
{
	uint32_t n;

	if (modules_at_pc(pc) != NULL)
		return true;
	n = __atomic_load_n(&nanon, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < n; i++)
		if (pc >= anon[i].start && pc < anon[i].end)
			return true;
	return false;
}

/* Whether a miss may read the maps now; in vain it waits longer each time. */
static bool
miss_allowed(void)
{
	uint64_t now = os_now_ns();
	uint64_t last = __atomic_load_n(&miss_last, __ATOMIC_RELAXED);

	return now - last >= __atomic_load_n(&miss_interval,
	    __ATOMIC_RELAXED) && __atomic_compare_exchange_n(&miss_last,
	    &last, now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

bool
modules_listed(uintptr_t pc)
{
	return known(pc);
}

bool
modules_known(uintptr_t pc)
{
	uint64_t interval = 0;

	if (known(pc))
		return true;
	if (!miss_allowed())
		return false;
	modules_refresh();
	if (!known(pc)) {
		interval = __atomic_load_n(&miss_interval, __ATOMIC_RELAXED);
		interval = interval == 0 ? miss_interval_min : interval * 2;
		if (interval > miss_interval_max)
			interval = miss_interval_max;
	}
	__atomic_store_n(&miss_interval, interval, __ATOMIC_RELAXED);
	return interval == 0;
}

/* --- fork ----------------------------------------------------------------- */

void
modules_each_lock(lock_visit *visit, void *arg)
{
	visit(&lock, arg);
}

void
modules_fork_prepare(void)
{
	lock_acquire(&lock);
}

void
modules_fork_parent(void)
{
	lock_release(&lock);
}

void
modules_fork_child(void)
{
	lock_reinit_child(&lock);
	__atomic_store_n(&refreshing, 0, __ATOMIC_RELAXED);
}
