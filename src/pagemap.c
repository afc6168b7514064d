/*
 * pagemap.c - the table from pages to extents; see pagemap.h.
 *
 * Locks: one (RANK_PAGEMAP) for making leaves.
 * Memory: the root is 2 MiB of zero pages of which few are touched; a leaf
 *   is 2 MiB a GiB of address space, touched by the page as well.
 */
#include "pagemap.h"

#include <errno.h>

#include "base.h"
#include "lock.h"

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
