/*
 * modules.h - our own list of what is loaded where, had without the loader.
 *
 * Taken from /proc/self/maps and the modules' own headers, by raw system
 * calls and reads that cannot fault, so neither a sample nor a dump waits for
 * the loader's lock. A module stays on the list when it is unloaded: stacks
 * still point into it, and the address range is kept from reuse. What the
 * program sees of it (dl_iterate_phdr, dlclose) is in loader.h.
 */
#ifndef STRATA_MODULES_H
#define STRATA_MODULES_H

#include <elf.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lock.h"

enum { MODULE_PHDRS_MAX = 32, MODULE_BUILD_ID_MAX = 32, MODULES_MAX = 16384 };

struct module {
	/* constant once listed: */
	uintptr_t start, end;		/* all PT_LOADs, whole pages */
	uintptr_t base;			/* what is added to p_vaddr */
	uintptr_t header;		/* where the ELF header lies */
	const char *path;		/* "" if there is none; "[vdso]" */
	uint8_t build_id[MODULE_BUILD_ID_MAX];
	uint8_t build_id_len;		/* 0: none */
	uint16_t phnum;
	uint32_t epoch;			/* when it was first seen */
	uint64_t identity;		/* hash of headers and build id */
	bool is_main, is_vdso;
	const ElfW(Phdr) *phdrs;	/* phnum copies */
	/* .eh_frame of a program linked without its header; else 0 */
	uintptr_t eh_frame;
	size_t eh_frame_size;
	/* atomic: */
	bool gone;			/* unloaded; never unset */
	uint32_t gone_epoch;		/* last whose stacks may name it */
};

/* An executable segment, as a mapping of a profile. */
struct module_segment {
	uintptr_t start, end;
	uint64_t offset;		/* in the file */
};

/*
 * Reads the list anew; waits for its turn if another thread is doing so. 0
 * or an errno. No lock held; allocates only from profmem_base.
 */
int modules_refresh(void);

/* Grows only; entries are never moved or freed. */
size_t modules_count(void);
const struct module *modules_at(size_t i);
/* Executable segments of a module; returns how many. */
size_t modules_segments(const struct module *module,
    struct module_segment *out, size_t max);
/* The module that held pc in that epoch, or NULL. */
const struct module *modules_find(uintptr_t pc, uint32_t epoch);

/*
 * True if pc lies in a known module, or in code known to belong to none
 * (just-in-time compiled). If not, the list is read anew first, unless that
 * was done a moment ago. As modules_refresh.
 */
bool modules_known(uintptr_t pc);
bool modules_listed(uintptr_t pc);	/* without looking anew */

/* The module of today that holds pc, or NULL. */
const struct module *modules_at_pc(uintptr_t pc);

/*
 * While a module may be going away (loader_closing): are those that hold the
 * frames still the ones on the list? If not, the list is read anew.
 */
bool modules_verify(const uintptr_t *frames, size_t depth);

/* Copies memory that may not be there. False: it is not. */
bool modules_read(uintptr_t address, void *to, size_t size);

uint32_t modules_epoch(void);		/* raised when a range was not kept */
uint64_t modules_reserved_bytes(void);
uint64_t modules_reserve_failures(void);

void modules_each_lock(lock_visit *visit, void *arg);
void modules_fork_prepare(void);
void modules_fork_parent(void);
void modules_fork_child(void);

#endif
