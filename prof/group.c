/*
 * group.c - samples that are alike, and what became of them (group.h).
 *
 *   shard[top bits of hash] -> table -> struct group -> cells
 *                           -> list  -> all groups, oldest first
 *
 * Invariants: a group is listed iff it is in the table; one with no live
 *   record and no freed sample stays until the next fold or clear, so that a
 *   walker may stand on it.
 * Locks: one per shard (RANK_PROF_GROUP); taken inside a live shard's lock;
 *   stack.c's and profmem's inside.
 */
#include "group.h"

#include "lifetime.h"
#include "lock.h"
#include "profmem.h"
#include "util.h"

enum { SHARDS = 16 };

static struct shard {
	struct lock lock;
	/* lock: */
	struct hash table;
	struct list groups;
} __attribute__((aligned(CACHELINE))) shards[SHARDS];

static uint64_t ngroups;		/* atomic */

void
group_boot(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		lock_init(&shards[i].lock, RANK_PROF_GROUP, "prof_group");
		hash_init(&shards[i].table, &profmem_base);
		list_init(&shards[i].groups);
	}
	ngroups = 0;
}

static uint64_t
hash_of(const struct group_key *key)
{
	uint64_t words[] = { (uint64_t)(uintptr_t)key->stack, key->rate,
	    key->usable, (uint64_t)key->arena << 32 | key->sizeclass,
	    key->generation };

	return hash_words(words, ARRAY_LEN(words), 0);
}

static struct shard *
shard_of(uint64_t hash)
{
	return &shards[hash >> 60];
}

static bool
equal(const struct hash_node *node, const void *opaque)
{
	const struct group_key *a =
	    &container_of(node, struct group, node)->key, *b = opaque;

	return a->stack == b->stack && a->rate == b->rate &&
	    a->usable == b->usable && a->arena == b->arena &&
	    a->sizeclass == b->sizeclass && a->generation == b->generation;
}

static struct group *
make_locked(struct shard *shard, const struct group_key *key, uint64_t hash)
{
	struct group *group = profmem_alloc(sizeof *group, PROFMEM_TOTALS);

	if (group == NULL)
		return NULL;
	group->key = *key;
	if (hash_insert(&shard->table, &group->node, hash) != 0) {
		profmem_free(group, sizeof *group);
		return NULL;
	}
	list_push_back(&shard->groups, &group->list);
	stack_hold(key->stack);
	__atomic_add_fetch(&ngroups, 1, __ATOMIC_RELAXED);
	return group;
}

static struct group *
find_or_make_locked(struct shard *shard, const struct group_key *key,
    uint64_t hash)
{
	struct hash_node *node = hash_find(&shard->table, hash, equal, key);

	return node != NULL ? container_of(node, struct group, node) :
	    make_locked(shard, key, hash);
}

struct group *
group_get(const struct group_key *key)
{
	uint64_t hash = hash_of(key);
	struct shard *shard = shard_of(hash);
	struct group *group;

	lock_acquire(&shard->lock);
	group = find_or_make_locked(shard, key, hash);
	if (group != NULL)
		group->live++;
	lock_release(&shard->lock);
	return group;
}

void
group_put(struct group *group)
{
	struct shard *shard = shard_of(group->node.hash);

	lock_acquire(&shard->lock);
	assert(group->live > 0);
	group->live--;
	lock_release(&shard->lock);
}

static bool
cell_unused(const struct group_cell *cell)
{
	return (cell->samples[CELL_MAIN] | cell->samples[CELL_LATE]) == 0;
}

/* The cell of a bucket; a new one, or without memory the first one. */
static struct group_cell *
cell_of_locked(struct group *group, uint32_t bucket)
{
	struct group_cell *cell = &group->cells;

	if (cell_unused(cell)) {
		/* another cell may have the bucket: then both stand for it */
		cell->bucket = bucket;
		return cell;
	}
	for (; cell != NULL; cell = cell->next)
		if (cell->bucket == bucket)
			return cell;
	cell = profmem_alloc(sizeof *cell, PROFMEM_TOTALS);
	if (cell == NULL)
		return &group->cells;
	cell->bucket = bucket;
	cell->next = group->cells.next;
	group->cells.next = cell;
	return cell;
}

void
group_add_freed(struct group *group, uint64_t lifetime_ns,
    uint64_t requested, unsigned half)
{
	struct shard *shard = shard_of(group->node.hash);
	struct group_cell *cell;

	lock_acquire(&shard->lock);
	assert(group->live > 0);
	group->live--;
	cell = cell_of_locked(group, lifetime_bucket(lifetime_ns));
	cell->samples[half]++;
	cell->requested[half] += requested;
	lock_release(&shard->lock);
}

static void
fold_cell(struct group_cell *cell)
{
	cell->samples[CELL_MAIN] += cell->samples[CELL_LATE];
	cell->requested[CELL_MAIN] += cell->requested[CELL_LATE];
	cell->samples[CELL_LATE] = cell->requested[CELL_LATE] = 0;
}

static void
clear_main_cell(struct group_cell *cell)
{
	cell->samples[CELL_MAIN] = cell->requested[CELL_MAIN] = 0;
}

static void
clear_late_cell(struct group_cell *cell)
{
	cell->samples[CELL_LATE] = cell->requested[CELL_LATE] = 0;
}

/* Gives back the cells that count nothing, all but the first. */
static void
trim_cells_locked(struct group *group)
{
	struct group_cell **at = &group->cells.next, *cell;

	while ((cell = *at) != NULL) {
		if (!cell_unused(cell)) {
			at = &cell->next;
			continue;
		}
		*at = cell->next;
		profmem_free(cell, sizeof *cell);
	}
}

static void
free_if_empty_locked(struct shard *shard, struct group *group)
{
	trim_cells_locked(group);
	if (group->live > 0 || group->cells.next != NULL ||
	    !cell_unused(&group->cells))
		return;
	hash_remove(&shard->table, &group->node);
	list_remove(&group->list);
	stack_put(group->key.stack);
	profmem_free(group, sizeof *group);
	__atomic_sub_fetch(&ngroups, 1, __ATOMIC_RELAXED);
}

static void
change_cells(struct group *group, void (*change)(struct group_cell *cell))
{
	struct group_cell *cell;

	for (cell = &group->cells; cell != NULL; cell = cell->next)
		change(cell);
}

/*
 * Changes all cells of all groups and frees the empty groups, BATCH of them
 * under one lock hold. What is done goes to the end of the list, so that the
 * place is found again whatever happens between two holds.
 */
static void
change_and_free_all(void (*change)(struct group_cell *cell))
{
	enum { BATCH = 128 };

	for (struct shard *shard = shards; shard < shards + SHARDS; shard++) {
		size_t left;

		lock_acquire(&shard->lock);
		left = shard->table.count;
		for (size_t n = 1; n <= left; n++) {
			struct group *group = list_first(&shard->groups,
			    struct group, list);

			list_remove(&group->list);
			list_push_back(&shard->groups, &group->list);
			change_cells(group, change);
			free_if_empty_locked(shard, group);
			if (n % BATCH == 0) {
				lock_release(&shard->lock);
				lock_acquire(&shard->lock);
			}
		}
		lock_release(&shard->lock);
	}
}

void
group_fold_all(void)
{
	change_and_free_all(fold_cell);
}

void
group_clear_main(void)
{
	change_and_free_all(clear_main_cell);
}

void
group_clear_late(void)
{
	struct list *node;

	/* a walker may stand in the list: its order is left alone */
	for (struct shard *shard = shards; shard < shards + SHARDS; shard++) {
		lock_acquire(&shard->lock);
		list_for_each(node, &shard->groups)
			change_cells(list_entry(node, struct group, list),
			    clear_late_cell);
		lock_release(&shard->lock);
	}
}

/* The group behind the cursor's, or NULL at the end of the shard. */
static struct group *
walk_next_locked(struct shard *shard, struct group_cursor *cursor)
{
	struct list *next = cursor->at != NULL ? cursor->at->next :
	    shard->groups.next;

	if (next == &shard->groups)
		return NULL;
	cursor->at = next;
	return list_entry(next, struct group, list);
}

bool
group_walk(struct group_cursor *cursor, size_t max,
    void (*visit)(const struct group *group, void *arg), void *arg)
{
	struct shard *shard;
	struct group *group;

	if (cursor->shard >= SHARDS)
		return false;
	shard = &shards[cursor->shard];
	lock_acquire(&shard->lock);
	while (max-- > 0) {
		group = walk_next_locked(shard, cursor);
		if (group == NULL) {
			cursor->shard++;
			cursor->at = NULL;
			break;
		}
		visit(group, arg);
	}
	lock_release(&shard->lock);
	return true;
}

/* Takes what the cell counts; the cell is left empty. */
static struct group_cell
take_cell(struct group *group, struct group_cell *cell)
{
	struct shard *shard = shard_of(group->node.hash);
	struct group_cell taken;

	lock_acquire(&shard->lock);
	taken = *cell;
	clear_main_cell(cell);
	lock_release(&shard->lock);
	return taken;
}

static void
give_cell(struct group *group, const struct group_cell *taken)
{
	struct shard *shard = shard_of(group->node.hash);
	struct group_cell *cell;

	if (taken->samples[CELL_MAIN] == 0)
		return;
	lock_acquire(&shard->lock);
	cell = cell_of_locked(group, taken->bucket);
	cell->samples[CELL_MAIN] += taken->samples[CELL_MAIN];
	cell->requested[CELL_MAIN] += taken->requested[CELL_MAIN];
	lock_release(&shard->lock);
}

/* Moves the freed totals of group into those of its folded key. */
static bool
fold_group(struct group *group, uint32_t folded)
{
	struct group_key key = group->key;
	struct group_cell *cell = &group->cells, taken;
	struct group *to;

	key.generation = folded;
	to = group_get(&key);
	if (to == NULL)
		return false;
	for (; cell != NULL; cell = taken.next) {
		taken = take_cell(group, cell);
		give_cell(to, &taken);
	}
	group_put(to);
	return true;
}

static struct group *
next_group(struct shard *shard, struct list *node)
{
	struct list *next;

	lock_acquire(&shard->lock);
	next = node->next;
	lock_release(&shard->lock);
	return next == &shard->groups ? NULL :
	    list_entry(next, struct group, list);
}

uint64_t
group_fold_generations(uint32_t below)
{
	uint32_t folded = (below - 1) | GENERATION_FOLD;
	uint64_t before = group_count();

	for (struct shard *shard = shards; shard < shards + SHARDS; shard++) {
		struct group *group = next_group(shard, &shard->groups);

		for (; group != NULL; group = next_group(shard, &group->list))
			if ((group->key.generation & ~GENERATION_FOLD) <
			    below && group->key.generation != folded &&
			    !fold_group(group, folded))
				break;
	}
	group_fold_all();
	return before > group_count() ? before - group_count() : 0;
}

uint64_t
group_count(void)
{
	return __atomic_load_n(&ngroups, __ATOMIC_RELAXED);
}

void
group_each_lock(lock_visit *visit, void *arg)
{
	for (unsigned i = 0; i < SHARDS; i++)
		visit(&shards[i].lock, arg);
}

void
group_fork_prepare(void)
{
	for (unsigned i = 0; i < SHARDS; i++)
		lock_acquire(&shards[i].lock);
}

void
group_fork_parent(void)
{
	for (unsigned i = SHARDS; i-- > 0;)
		lock_release(&shards[i].lock);
}

void
group_fork_child(void)
{
	for (unsigned i = SHARDS; i-- > 0;)
		lock_reinit_child(&shards[i].lock);
}
