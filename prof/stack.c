/*
 * stack.c - interned call stacks (stack.h).
 *
 *   shard[top bits of hash] -> table[hash] -> struct stack, refs >= 1
 *
 * Locks: one per shard (RANK_PROF_STACK); profmem's inside.
 * Memory: a stack without references goes back to profmem at once.
 */
#include "stack.h"

#include "lock.h"
#include "profmem.h"
#include "util.h"

enum { SHARDS = 16 };

static struct shard {
	struct lock lock;
	/* lock: */
	struct hash table;
} __attribute__((aligned(CACHELINE))) shards[SHARDS];

struct stack stack_other = { .refs = 1 };

/* atomic: */
static uint64_t nstacks, nothers;

struct key {
	const uintptr_t *frames;
	size_t depth;
	uint32_t epoch;
};

void
stack_boot(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		lock_init(&shards[i].lock, RANK_PROF_STACK, "prof_stack");
		hash_init(&shards[i].table, &profmem_tables);
	}
	nstacks = 0;
}

static size_t
stack_size(size_t depth)
{
	return sizeof(struct stack) + depth * sizeof(uintptr_t);
}

static struct shard *
shard_of(uint64_t hash)
{
	return &shards[hash >> 60];
}

static bool
equal(const struct hash_node *node, const void *opaque)
{
	const struct stack *stack = container_of(node, struct stack, node);
	const struct key *key = opaque;

	return stack->depth == key->depth && stack->epoch == key->epoch &&
	    __builtin_memcmp(stack->frames, key->frames,
	    key->depth * sizeof *key->frames) == 0;
}

static struct stack *
make_locked(struct shard *shard, const struct key *key, uint64_t hash)
{
	struct stack *stack = profmem_alloc(stack_size(key->depth),
	    PROFMEM_STACKS);

	if (stack == NULL)
		return NULL;
	stack->epoch = key->epoch;
	stack->depth = (uint32_t)key->depth;
	__builtin_memcpy(stack->frames, key->frames,
	    key->depth * sizeof *key->frames);
	if (hash_insert(&shard->table, &stack->node, hash) != 0) {
		profmem_free(stack, stack_size(key->depth));
		return NULL;
	}
	__atomic_add_fetch(&nstacks, 1, __ATOMIC_RELAXED);
	return stack;
}

uint64_t
stack_hash(const uintptr_t *frames, size_t depth)
{
	uint64_t hash = 0;

	while (depth-- > 0)
		hash = stack_hash_add(hash, frames[depth]);
	return hash;
}

struct stack *
stack_get(const uintptr_t *frames, size_t depth, uint32_t epoch)
{
	struct stack_frames of = { frames, depth, stack_hash(frames, depth) };

	return stack_get_hashed(&of, epoch);
}

struct stack *
stack_get_hashed(const struct stack_frames *frames, uint32_t epoch)
{
	struct key key = { frames->frames, frames->depth, epoch };
	struct shard *shard;
	struct hash_node *node;
	struct stack *stack;
	uint64_t hash;

	assert(key.depth <= STACK_DEPTH_MAX);
	assert(frames->hash == stack_hash(frames->frames, frames->depth));
	_Static_assert(sizeof(uintptr_t) == 8, "frames are hashed as words");
	if (key.depth == 0)
		return &stack_other;
	hash = hash_u64(frames->hash ^ epoch);
	shard = shard_of(hash);
	lock_acquire(&shard->lock);
	node = hash_find(&shard->table, hash, equal, &key);
	stack = node != NULL ? container_of(node, struct stack, node) :
	    make_locked(shard, &key, hash);
	if (stack != NULL)
		stack->refs++;
	lock_release(&shard->lock);
	if (stack == NULL) {
		__atomic_add_fetch(&nothers, 1, __ATOMIC_RELAXED);
		return &stack_other;
	}
	return stack;
}

void
stack_hold(struct stack *stack)
{
	struct shard *shard = shard_of(stack->node.hash);

	if (stack == &stack_other)
		return;
	lock_acquire(&shard->lock);
	stack->refs++;
	lock_release(&shard->lock);
}

void
stack_put(struct stack *stack)
{
	struct shard *shard = shard_of(stack->node.hash);
	bool last;

	if (stack == &stack_other)
		return;
	lock_acquire(&shard->lock);
	assert(stack->refs > 0);
	last = --stack->refs == 0;
	if (last)
		hash_remove(&shard->table, &stack->node);
	lock_release(&shard->lock);
	if (last) {
		__atomic_sub_fetch(&nstacks, 1, __ATOMIC_RELAXED);
		profmem_free(stack, stack_size(stack->depth));
	}
}

uint64_t
stack_count(void)
{
	return __atomic_load_n(&nstacks, __ATOMIC_RELAXED);
}

uint64_t
stack_others(void)
{
	return __atomic_load_n(&nothers, __ATOMIC_RELAXED);
}

void
stack_each_lock(lock_visit *visit, void *arg)
{
	for (unsigned i = 0; i < SHARDS; i++)
		visit(&shards[i].lock, arg);
}

void
stack_fork_prepare(void)
{
	for (unsigned i = 0; i < SHARDS; i++)
		lock_acquire(&shards[i].lock);
}

void
stack_fork_parent(void)
{
	for (unsigned i = SHARDS; i-- > 0;)
		lock_release(&shards[i].lock);
}

void
stack_fork_child(void)
{
	for (unsigned i = SHARDS; i-- > 0;)
		lock_reinit_child(&shards[i].lock);
}
