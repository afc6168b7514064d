/*
 * freed.c - where sampled blocks were freed (freed.h).
 *
 *   slots[hash of address]     the newest of that slot, with both stacks
 *
 * What has been overwritten, or allocated anew without being sampled, is not
 * told apart: a report says "last sampled there".
 *
 * Locks: one (RANK_PROF_HISTORY); stack.c's inside.
 * Memory: 96 KiB of the profiler's base at the first free, and references on
 *   at most twice as many stacks as there are slots.
 */
#include "freed.h"

#include "lock.h"
#include "profmem.h"
#include "util.h"

/* A double free mostly follows within a few thousand sampled ones. */
enum { LG_SLOTS = 12, SLOTS = 1 << LG_SLOTS };

struct slot {
	const void *ptr;		/* NULL: empty */
	struct stack *stack, *free_stack;
};

static struct lock lock = LOCK_INITIALIZER(RANK_PROF_HISTORY, "prof_freed");
/* lock: */
static struct slot *slots;

void
freed_boot(bool on)
{
	slots = NULL;
	history_flag(HISTORY_FREED, on);
}

/* NULL without memory. */
static struct slot *
slot_of_locked(const void *ptr)
{
	if (slots == NULL)
		slots = base_alloc(&profmem_base, SLOTS * sizeof *slots,
		    CACHELINE);
	if (slots == NULL)
		return NULL;
	return &slots[hash_u64((uint64_t)(uintptr_t)ptr) >> (64 - LG_SLOTS)];
}

static void
clear_locked(struct slot *slot)
{
	if (slot->ptr == NULL)
		return;
	stack_put(slot->stack);
	stack_put(slot->free_stack);
	slot->ptr = NULL;
}

void
freed_begin(const void *ptr)
{
	struct slot *slot;

	lock_acquire(&lock);
	slot = slot_of_locked(ptr);
	if (slot != NULL && slot->ptr == ptr)
		clear_locked(slot);
	lock_release(&lock);
}

void
freed_end(const struct history_death *death)
{
	struct slot *slot;

	stack_hold(death->stack);
	stack_hold(death->free_stack);
	lock_acquire(&lock);
	slot = slot_of_locked(death->ptr);
	if (slot != NULL) {
		clear_locked(slot);
		*slot = (struct slot){ death->ptr, death->stack,
		    death->free_stack };
	}
	lock_release(&lock);
	if (slot == NULL) {
		stack_put(death->stack);
		stack_put(death->free_stack);
	}
}

static size_t
copy(const struct stack *stack, uintptr_t *frames)
{
	size_t n = 0;

	for (; n < PROF_FREED_FRAMES && n < stack->depth; n++)
		frames[n] = stack_raw(stack, n);
	return n;
}

bool
freed_stacks(const void *ptr, struct prof_freed *out)
{
	struct slot *slot;
	bool found;

	lock_acquire(&lock);
	slot = slots == NULL ? NULL : slot_of_locked(ptr);
	found = slot != NULL && slot->ptr == ptr;
	if (found) {
		out->nallocated = copy(slot->stack, out->allocated);
		out->nfreed = copy(slot->free_stack, out->freed);
	}
	lock_release(&lock);
	return found;
}

void
freed_each_lock(lock_visit *visit, void *arg)
{
	visit(&lock, arg);
}

void
freed_fork_prepare(void)
{
	lock_acquire(&lock);
}

void
freed_fork_parent(void)
{
	lock_release(&lock);
}

void
freed_fork_child(void)
{
	lock_reinit_child(&lock);
}
