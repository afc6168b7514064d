/*
 * pagemap.c - the table from pages to extents; see pagemap.h.
 *
 * Locks: one (RANK_PAGEMAP) for making leaves.
 * Memory: the root is 2 MiB of zero pages of which few are touched; a leaf
 *   is 2 MiB a GiB of address space, touched by the page as well. What is
 *   cleared gives whole pages of a leaf back; the leaf stays.
 */
#include "pagemap.h"

#include <errno.h>

#include "base.h"
#include "lock.h"
#include "os.h"

_Atomic(_Atomic uint64_t *) pagemap_root[PM_ROOT];

static struct lock grow_lock = LOCK_INITIALIZER(RANK_PAGEMAP, "pagemap");
static _Atomic size_t nleaves;

static size_t
root_index(uintptr_t address)
{
	return (address >> (PM_LG_GRANULE + PM_LG_LEAF)) & (PM_ROOT - 1);
}

static int
make_leaf(size_t index)
{
	_Atomic uint64_t *leaf;
	int error = 0;

	lock_acquire(&grow_lock);
	leaf = atomic_load_explicit(&pagemap_root[index],
	    memory_order_relaxed);
	if (leaf == NULL) {
		leaf = base_alloc(&base_meta, sizeof(pagemap_leaf),
		    PM_GRANULE);
		/* Release: pairs with the address dependency of readers. */
		if (leaf != NULL) {
			atomic_store_explicit(&pagemap_root[index], leaf,
			    memory_order_release);
			atomic_fetch_add(&nleaves, 1);
		} else {
			error = ENOMEM;
		}
	}
	lock_release(&grow_lock);
	return error;
}

int
pagemap_reserve(const void *address, size_t size)
{
	size_t first = root_index((uintptr_t)address);
	size_t last = root_index((uintptr_t)address + size - 1);

	for (size_t i = first; i <= last; i++) {
		if (atomic_load_explicit(&pagemap_root[i],
		    memory_order_relaxed) == NULL && make_leaf(i) != 0)
			return ENOMEM;
	}
	return 0;
}

static _Atomic uint64_t *
slot_of(uintptr_t address)
{
	_Atomic uint64_t *leaf = atomic_load_explicit(
	    &pagemap_root[root_index(address)], memory_order_relaxed);

	assert(leaf != NULL);
	return &leaf[(address >> PM_LG_GRANULE) & (PM_LEAF - 1)];
}

void
pagemap_set(const void *address, uint64_t entry)
{
	/* Release: who finds the extent by the entry sees it filled in. */
	atomic_store_explicit(slot_of((uintptr_t)address), entry,
	    memory_order_release);
}

void
pagemap_set_range(const void *address, size_t size, uint64_t entry)
{
	uintptr_t at = (uintptr_t)address;

	for (uintptr_t end = at + size; at < end; at += PM_GRANULE)
		atomic_store_explicit(slot_of(at), entry,
		    memory_order_release);
}

static void
zero(_Atomic uint64_t *slot, _Atomic uint64_t *end)
{
	for (; slot < end; slot++)
		atomic_store_explicit(slot, 0, memory_order_release);
}

/*
 * Slots of one leaf. A reader meanwhile sees the old entry or 0, as the kernel
 * swaps pages and not bytes. It may refuse, what is locked for instance.
 */
static void
clear(_Atomic uint64_t *slot, size_t n)
{
	_Atomic uint64_t *end = slot + n;
	uintptr_t from = align_up((uintptr_t)slot, os_page_system);
	uintptr_t to = align_down((uintptr_t)end, os_page_system);

	if (from >= to || os_purge((void *)from, to - from) != 0) {
		zero(slot, end);
		return;
	}
	zero(slot, (_Atomic uint64_t *)from);
	zero((_Atomic uint64_t *)to, end);
}

void
pagemap_clear(const void *address, size_t size)
{
	uintptr_t at = (uintptr_t)address;
	size_t left = size >> PM_LG_GRANULE;

	while (left > 0) {
		size_t n = PM_LEAF - ((at >> PM_LG_GRANULE) & (PM_LEAF - 1));

		if (n > left)
			n = left;
		clear(slot_of(at), n);
		at += n << PM_LG_GRANULE;
		left -= n;
	}
}

size_t
pagemap_bytes(void)
{
	return atomic_load(&nleaves) * sizeof(pagemap_leaf);
}

void
pagemap_each_lock(void (*op)(struct lock *lock))
{
	op(&grow_lock);
}
