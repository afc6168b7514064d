/*
 * stack.h - interned call stacks: equal ones are one object.
 *
 * A frame is the raw program counter (a return address, except in the
 * innermost frame of code that a signal interrupted), with STACK_SIGNAL set
 * where a signal interrupted it. The module epoch is part of the key: stacks
 * of two epochs are never equal, since an address may have changed its owner.
 */
#ifndef STRATA_STACK_H
#define STRATA_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "lock.h"

#define STACK_SIGNAL	((uintptr_t)1 << 63)
enum { STACK_DEPTH_MAX = 1024 };

struct stack {
	struct hash_node node;
	/* constant: */
	uint32_t epoch;			/* module epoch */
	uint32_t depth;			/* 0: the one "(other stacks)" */
	/* stack.c's lock: */
	uint64_t refs;
	uintptr_t frames[];		/* innermost first */
};

/* The stack that stands for all that found no room; never freed. */
extern struct stack stack_other;

/* The frame's program counter as the machine has it. */
static inline uintptr_t
stack_raw(const struct stack *stack, size_t i)
{
	return stack->frames[i] & ~STACK_SIGNAL;
}

/*
 * The address to look the frame up by: inside the calling instruction. This
 * is what the native format holds for every frame.
 */
static inline uintptr_t
stack_lookup(const struct stack *stack, size_t i)
{
	return stack_raw(stack, i) - !(stack->frames[i] & STACK_SIGNAL);
}

/* A walk's result: hash is stack_hash of the frames. */
struct stack_frames {
	const uintptr_t *frames;	/* innermost first */
	size_t depth;
	uint64_t hash;
};

/*
 * The hash of a frame and of all outside it, from the hash of the latter (0:
 * none): so it can be had of a stack whose outer frames are known.
 */
static inline uint64_t
stack_hash_add(uint64_t hash, uintptr_t frame)
{
	return hash_u64(hash ^ frame) + 0x9e3779b97f4a7c15u;
}
uint64_t stack_hash(const uintptr_t *frames, size_t depth);

/*
 * The one stack of these frames and epoch, with a reference for the caller.
 * Without room: stack_other (counted). Never NULL. No locks held.
 */
struct stack *stack_get_hashed(const struct stack_frames *frames,
    uint32_t epoch);
struct stack *stack_get(const uintptr_t *frames, size_t depth,
    uint32_t epoch);
void stack_hold(struct stack *stack);	/* one more reference */
void stack_put(struct stack *stack);

uint64_t stack_count(void);		/* distinct stacks kept */
uint64_t stack_others(void);		/* times stack_other was the answer */

void stack_boot(void);
void stack_each_lock(lock_visit *visit, void *arg);
void stack_fork_prepare(void);
void stack_fork_parent(void);
void stack_fork_child(void);

#endif
