/*
 * group.c - samples that are alike, and what became of them (group.h).
 *
 *   shard[top bits of hash] -> table  -> struct group -> cells
 *                           -> living -> groups of live records alone
 *                           -> ended  -> those with a freed sample, or with
 *                                        nothing
 *
 * Dumps, folds and clears have to do with ended groups only; of a heap that
 * grows most are not. While a cut is open groups come to the end of `ended`
 * and none goes, so that a walker may stand on any of them.
 *
 * The shard is chosen by stack, R and size alone: the groups of a stack and
 * size in all generations and arenas share it, so that to fold some into one
 * is a matter of one lock, and of moving what there is: it needs no memory.
 *
 * Invariants (group_check): a group is on one list iff it is in the table, by
 *   the hash of its key; one on `living` has live records and no freed sample;
 *   no live record is of a folded generation.
 * Locks: one per shard (RANK_PROF_GROUP); taken inside a live shard's lock;
 *   stack.c's and profmem's inside.
 */
#include "group.h"

#include "lifetime.h"
#include "lock.h"
#include "profmem.h"
#include "util.h"

enum { LG_SHARDS = 4, SHARDS = 1 << LG_SHARDS, SHARD_SHIFT = 64 - LG_SHARDS };

static struct shard {
	struct lock lock;
	/* lock: */
	struct hash table;
	struct list living, ended;
	size_t nended;
	uint64_t version;		/* raised when a group is freed */
} __attribute__((aligned(CACHELINE))) shards[SHARDS];

static uint64_t ngroups;		/* atomic */

void
group_boot(void)
{
	for (unsigned i = 0; i < SHARDS; i++) {
		lock_init(&shards[i].lock, RANK_PROF_GROUP, "prof_group");
		hash_init(&shards[i].table, &profmem_tables);
		list_init(&shards[i].living);
		list_init(&shards[i].ended);
		shards[i].nended = 0;
	}
	ngroups = 0;
}

static uint64_t
hash_of(const struct group_key *key)
{
	uint64_t lasting[] = { (uint64_t)(uintptr_t)key->stack, key->rate,
	    key->usable, key->sizeclass };
	uint64_t shard = hash_words(lasting, ARRAY_LEN(lasting), 0);
	uint64_t passing = (uint64_t)key->arena << 32 | key->generation;

	return hash_u64(shard ^ passing) >> LG_SHARDS |
	    shard >> SHARD_SHIFT << SHARD_SHIFT;
}

static struct shard *
shard_of(uint64_t hash)
{
	return &shards[hash >> SHARD_SHIFT];
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
	list_push_back(&shard->living, &group->list);
	stack_hold(key->stack);
	__atomic_add_fetch(&ngroups, 1, __ATOMIC_RELAXED);
	return group;
}

static struct group *
find_locked(const struct shard *shard, const struct group_key *key,
    uint64_t hash)
{
	struct hash_node *node = hash_find(&shard->table, hash, equal, key);

	return node == NULL ? NULL : container_of(node, struct group, node);
}

struct group *
group_get(const struct group_key *key)
{
	uint64_t hash = hash_of(key);
	struct shard *shard = shard_of(hash);
	struct group *group;

	lock_acquire(&shard->lock);
	group = find_locked(shard, key, hash);
	if (group == NULL)
		group = make_locked(shard, key, hash);
	if (group != NULL)
		group->live++;
	lock_release(&shard->lock);
	return group;
}

static void
to_ended_locked(struct shard *shard, struct group *group)
{
	list_remove(&group->list);
	list_push_back(&shard->ended, &group->list);
	group->ended = true;
	shard->nended++;
}

static void
from_ended_locked(struct shard *shard, struct group *group)
{
	list_remove(&group->list);
	group->ended = false;
	shard->nended--;
}

/* Of equal keys and stacks equal; others differ mostly. */
static uint64_t
mark_of(const struct group_key *key, const struct stack_frames *frames)
{
	return hash_u64(frames->hash ^ key->usable << 20 ^
	    (uint64_t)key->arena << 48 ^ key->generation);
}

static bool
is_for_locked(const struct group *group, const struct group_key *key,
    const struct stack_frames *frames, uint32_t epoch)
{
	const struct group_key *own = &group->key;

	return own->rate == key->rate && own->usable == key->usable &&
	    own->arena == key->arena && own->sizeclass == key->sizeclass &&
	    own->generation == key->generation &&
	    own->stack->epoch == epoch &&
	    own->stack->depth == frames->depth &&
	    __builtin_memcmp(own->stack->frames, frames->frames,
	    frames->depth * sizeof *frames->frames) == 0;
}

struct group *
group_again(const struct group_recent *recent, const struct group_key *key,
    const struct stack_frames *frames, uint32_t epoch)
{
	uint64_t mark = mark_of(key, frames);
	const struct group_recent *entry = &recent[mark % GROUP_RECENT];
	struct group *group = entry->group;
	struct shard *shard;

	if (group == NULL || entry->mark != mark)
		return NULL;
	shard = &shards[entry->shard];
	lock_acquire(&shard->lock);
	/* what the entry points to may be looked at only if none was freed */
	if (entry->version != shard->version ||
	    !is_for_locked(group, key, frames, epoch))
		group = NULL;
	else
		group->live++;
	lock_release(&shard->lock);
	return group;
}

void
group_remember(struct group_recent *recent, struct group *group,
    const struct stack_frames *frames)
{
	uint64_t mark = mark_of(&group->key, frames);
	struct shard *shard = shard_of(group->node.hash);

	lock_acquire(&shard->lock);
	recent[mark % GROUP_RECENT] = (struct group_recent){ .mark = mark,
	    .version = shard->version, .group = group,
	    .shard = (uint32_t)(shard - shards) };
	lock_release(&shard->lock);
}

void
group_put(struct group *group)
{
	struct shard *shard = shard_of(group->node.hash);

	lock_acquire(&shard->lock);
	assert(group->live > 0);
	group->live--;
	if (group->live == 0 && !group->ended)
		to_ended_locked(shard, group);
	lock_release(&shard->lock);
}

static bool
cell_unused(const struct group_cell *cell)
{
	return (cell->samples[CELL_MAIN] | cell->samples[CELL_LATE]) == 0;
}

/* To the front of those behind the embedded cell. */
static void
cell_push_locked(struct group *group, struct group_cell *cell)
{
	cell->next = group->cells.next;
	group->cells.next = cell;
}

/*
 * Cells by the low bits of their bucket: a walk over many misses the
 * processor's cache at each. 256 bytes for a group that has more than WALK
 * cells, which are as much. It points to listed cells alone, or nowhere.
 */
enum { INDEX = 32, WALK = 4 };

static void
index_drop_locked(struct group *group)
{
	if (group->index != NULL)
		profmem_free(group->index, INDEX * sizeof *group->index);
	group->index = NULL;
}

/* The listed cell of a bucket, or NULL; then `walked` is their number. */
static struct group_cell *
listed_cell_locked(struct group *group, uint32_t bucket, unsigned *walked)
{
	struct group_cell *cell, **at = &group->cells.next;

	*walked = 0;
	if (group->index != NULL) {
		cell = group->index[bucket % INDEX];
		if (cell != NULL && cell->bucket == bucket)
			return cell;
	}
	while ((cell = *at) != NULL && cell->bucket != bucket) {
		at = &cell->next;
		++*walked;
	}
	if (cell == NULL)
		return NULL;
	/* the lifetimes of a group are alike: asked for last, found first */
	*at = cell->next;
	cell_push_locked(group, cell);
	return cell;
}

/* The cell of a bucket; a new one, or without memory the first one. */
static struct group_cell *
cell_of_locked(struct group *group, uint32_t bucket)
{
	struct group_cell *cell = &group->cells;
	unsigned walked;

	if (cell_unused(cell)) {
		/* another cell may have the bucket: then both stand for it */
		cell->bucket = bucket;
		return cell;
	}
	if (cell->bucket == bucket)
		return cell;
	cell = listed_cell_locked(group, bucket, &walked);
	if (cell == NULL) {
		cell = profmem_alloc(sizeof *cell, PROFMEM_TOTALS);
		if (cell == NULL)
			return &group->cells;
		cell->bucket = bucket;
		cell_push_locked(group, cell);
	}
	if (walked > WALK && group->index == NULL)
		group->index = profmem_alloc(INDEX * sizeof *group->index,
		    PROFMEM_HISTORY);
	if (group->index != NULL)
		group->index[bucket % INDEX] = cell;
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
	if (!group->ended)
		to_ended_locked(shard, group);
	lock_release(&shard->lock);
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
		index_drop_locked(group);
		profmem_free(cell, sizeof *cell);
	}
}

/* After trim_cells_locked. */
static bool
group_has_freed(const struct group *group)
{
	return group->cells.next != NULL || !cell_unused(&group->cells);
}

/* An ended group goes where it belongs: it may have no freed sample now. */
static void
settle_locked(struct shard *shard, struct group *group)
{
	trim_cells_locked(group);
	if (group_has_freed(group))
		return;
	from_ended_locked(shard, group);
	if (group->live > 0) {
		list_push_back(&shard->living, &group->list);
		return;
	}
	hash_remove(&shard->table, &group->node);
	stack_put(group->key.stack);
	shard->version++;
	profmem_free(group, sizeof *group);
	__atomic_sub_fetch(&ngroups, 1, __ATOMIC_RELAXED);
}

/* --- changing all ended groups -------------------------------------------- */

/* What is to be done to a group; it may take it, and no other, off the list. */
typedef void group_change(struct shard *shard, struct group *group,
    const struct group_fold *how);

/*
 * Changes the next BATCH groups under one lock hold; false at the end. What is
 * done goes to the end of the list, so that the place is found again whatever
 * happens between two holds.
 */
static bool
change_some(struct group_fold *at, group_change *change)
{
	enum { BATCH = 16 };		/* some 2 us; 50 where cells go */
	struct shard *shard = &shards[at->shard];

	if (at->shard == SHARDS)
		return false;
	lock_acquire(&shard->lock);
	/* between two holds others may have been freed */
	if (at->left == 0 || at->left > shard->nended)
		at->left = shard->nended;
	for (int n = 0; n < BATCH && at->left > 0; n++, at->left--) {
		struct group *group = list_first(&shard->ended, struct group,
		    list);

		list_remove(&group->list);
		list_push_back(&shard->ended, &group->list);
		change(shard, group, at);
	}
	if (at->left == 0)
		at->shard++;
	lock_release(&shard->lock);
	return true;
}

static void
change_all(group_change *change)
{
	struct group_fold at = { 0 };

	for (unsigned shard = 0; change_some(&at, change); shard = at.shard)
		lock_give_way(&shards[shard].lock);
}

static void
add_late(struct shard *shard, struct group *group,
    const struct group_fold *how)
{
	struct group_cell *cell;

	for (cell = &group->cells; cell != NULL; cell = cell->next) {
		cell->samples[CELL_MAIN] += cell->samples[CELL_LATE];
		cell->requested[CELL_MAIN] += cell->requested[CELL_LATE];
		cell->samples[CELL_LATE] = cell->requested[CELL_LATE] = 0;
	}
	settle_locked(shard, group);
}

static void
clear_half(struct group *group, unsigned half)
{
	struct group_cell *cell;

	for (cell = &group->cells; cell != NULL; cell = cell->next)
		cell->samples[half] = cell->requested[half] = 0;
}

static void
clear_main(struct shard *shard, struct group *group,
    const struct group_fold *how)
{
	clear_half(group, CELL_MAIN);
	settle_locked(shard, group);
}

void
group_fold_late(void)
{
	change_all(add_late);
}

void
group_clear_main(void)
{
	change_all(clear_main);
}

void
group_clear_late(void)
{
	struct list *node;

	/* a walker may stand in the list: its order is left alone */
	for (struct shard *shard = shards; shard < shards + SHARDS; shard++) {
		lock_acquire(&shard->lock);
		list_for_each(node, &shard->ended)
			clear_half(list_entry(node, struct group, list),
			    CELL_LATE);
		lock_release(&shard->lock);
	}
}

/* --- old generations ------------------------------------------------------ */

static void
add_cell(struct group_cell *to, const struct group_cell *cell)
{
	for (unsigned half = 0; half < ARRAY_LEN(to->samples); half++) {
		to->samples[half] += cell->samples[half];
		to->requested[half] += cell->requested[half];
	}
}

static struct group_cell *
find_cell(struct group *group, uint32_t bucket)
{
	struct group_cell *cell = &group->cells;

	while (cell != NULL && (cell->bucket != bucket || cell_unused(cell)))
		cell = cell->next;
	return cell;
}

/* A cell whose bucket is missing moves as it is. */
static void
give_cell_locked(struct group *to, struct group_cell *cell)
{
	struct group_cell *same = find_cell(to, cell->bucket);

	if (same != NULL) {
		add_cell(same, cell);
		profmem_free(cell, sizeof *cell);
	} else {
		cell_push_locked(to, cell);
	}
}

/* The first one last: what the others freed may be its place. */
static void
move_cells_locked(struct group *to, struct group *from)
{
	struct group_cell *cell;

	index_drop_locked(from);
	while ((cell = from->cells.next) != NULL) {
		from->cells.next = cell->next;
		give_cell_locked(to, cell);
	}
	if (!cell_unused(&from->cells))
		add_cell(cell_of_locked(to, from->cells.bucket),
		    &from->cells);
	from->cells = (struct group_cell){ .bucket = 0 };
}

/* The group becomes that of key, which there is none of. */
static void
rename_locked(struct shard *shard, struct group *group,
    const struct group_key *key, uint64_t hash)
{
	hash_remove(&shard->table, &group->node);
	group->key = *key;
	/* a table that has had nodes has buckets: no memory is asked for */
	must(hash_insert(&shard->table, &group->node, hash) == 0);
}

/* A group that still has live records stays, and only its totals go. */
static void
fold_generation(struct shard *shard, struct group *group,
    const struct group_fold *how)
{
	struct group_key key = group->key;
	struct group *to;
	uint64_t hash;

	trim_cells_locked(group);
	if ((key.generation & ~GENERATION_FOLD) >= how->below)
		return;
	key.generation = (how->below - 1) | GENERATION_FOLD;
	if (how->arenas)
		key.arena = GROUP_NO_ARENA;
	hash = hash_of(&key);
	to = find_locked(shard, &key, hash);
	if (to == group)
		return;
	if (to == NULL && group->live == 0) {
		rename_locked(shard, group, &key, hash);
		return;
	}
	if (to == NULL && group_has_freed(group)) {
		to = make_locked(shard, &key, hash);
		if (to != NULL)
			to_ended_locked(shard, to);
	}
	if (to != NULL)
		move_cells_locked(to, group);
	settle_locked(shard, group);
}

bool
group_fold_generations(struct group_fold *fold)
{
	return change_some(fold, fold_generation);
}

/* --- the walk ------------------------------------------------------------- */

bool
group_walk(struct group_cursor *cursor, group_visit *visit, void *arg)
{
	enum { BATCH = 16 };		/* some 2 us: who spins outlasts it */
	struct shard *shard;
	struct list *next;
	bool more = true;

	if (cursor->shard >= SHARDS)
		return false;
	shard = &shards[cursor->shard];
	lock_acquire(&shard->lock);
	for (int n = 0; n < BATCH && more; n++) {
		next = cursor->at != NULL ? cursor->at->next :
		    shard->ended.next;
		if (next == &shard->ended) {
			cursor->shard++;
			cursor->at = NULL;
			break;
		}
		cursor->at = next;
		more = visit(list_entry(next, struct group, list), arg);
	}
	lock_release(&shard->lock);
	lock_give_way(&shard->lock);
	return more;
}

uint64_t
group_count(void)
{
	return __atomic_load_n(&ngroups, __ATOMIC_RELAXED);
}

static void
check_index(const struct group *group)
{
	for (unsigned i = 0; group->index != NULL && i < INDEX; i++) {
		const struct group_cell *at = group->cells.next;

		if (group->index[i] == NULL)
			continue;
		must(group->index[i]->bucket % INDEX == i);
		while (at != NULL && at != group->index[i])
			at = at->next;
		must(at != NULL);
	}
}

static void
check_locked(struct shard *shard, const struct group *group)
{
	uint64_t hash = hash_of(&group->key);

	must(group->node.hash == hash);
	must(shard_of(hash) == shard);
	must(find_locked(shard, &group->key, hash) == group);
	must(!(group->key.generation & GENERATION_FOLD) || group->live == 0);
	must(group->ended || (group->live > 0 && !group_has_freed(group)));
	check_index(group);
}

void
group_check(void)
{
	for (struct shard *shard = shards; shard < shards + SHARDS; shard++) {
		struct list *node;
		size_t living = 0, ended = 0;

		lock_acquire(&shard->lock);
		list_for_each(node, &shard->living) {
			check_locked(shard, list_entry(node, struct group,
			    list));
			living += !list_entry(node, struct group, list)->ended;
		}
		list_for_each(node, &shard->ended) {
			check_locked(shard, list_entry(node, struct group,
			    list));
			ended += list_entry(node, struct group, list)->ended;
		}
		must(ended == shard->nended);
		must(living + ended == shard->table.count);
		lock_release(&shard->lock);
	}
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
