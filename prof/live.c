/*
 * live.c - the sampled objects that are allocated right now (live.h).
 *
 *   shard[hash of address] -> table[address] -> struct live -> struct group
 *                          -> list, youngest first:
 *
 *       new | new | in the cut | dead | in the cut | ...
 *                  ^ first, noted when the cut was opened
 *
 * Invariants (live_check): a record is on its shard's list iff it is in the
 *   table or in limbo; while a cut is open, the records from `first` on stay
 *   on the list, and their `next` as it is: the walker needs no lock.
 * Locks: one per shard (RANK_PROF_LIVE), all of them in index order for the
 *   moment of a cut; group.c's and profmem's inside. host->slab is asked
 *   under a shard's lock, while the region is allocated for certain.
 * Memory: profmem's, recycled; a few ended records wait in each shard.
 */
#include "live.h"

#include "classes.h"
#include "lock.h"
#include "os.h"
#include "profmem.h"
#include "util.h"

static struct shard {
	struct lock lock;
	/* lock: */
	struct hash table;
	struct list records;
	struct list *first;		/* of the open cut; the head: none */
	struct live *limbo;		/* chained by node.next */
	struct live *spare;		/* ended records, likewise */
	unsigned nspare;
	/* lock to write; exact while all shard locks are held: */
	uint64_t nlive, nfreed;		/* not of forgotten records */
} __attribute__((aligned(CACHELINE))) shards[LIVE_SHARDS];

/* all shard locks to write, any one to read: */
static uint32_t cuts;			/* opened so far */
static uint32_t forgotten;		/* records with since < it are */
static uint32_t open_number;		/* 0: no cut is open */
static uint32_t open_forgotten;		/* `forgotten` at the cut's moment */

/*
 * Records that a shard keeps for the next: 96 KiB in all. A record that ends
 * is mostly in the processor's cache, and the lock is held anyhow.
 */
enum { SPARE_MAX = 16 };

static const struct prof_host *host;

void
live_boot(const struct prof_host *prof_host)
{
	host = prof_host;
	for (unsigned i = 0; i < LIVE_SHARDS; i++) {
		lock_init(&shards[i].lock, RANK_PROF_LIVE, "prof_live");
		hash_init(&shards[i].table, &profmem_tables);
		list_init(&shards[i].records);
		shards[i].limbo = shards[i].spare = NULL;
		shards[i].nspare = 0;
		shards[i].nlive = shards[i].nfreed = 0;
	}
}

static void
lock_all(void)
{
	for (unsigned i = 0; i < LIVE_SHARDS; i++)
		lock_acquire(&shards[i].lock);
}

static void
release_first(unsigned n)
{
	while (n-- > 0)
		lock_release(&shards[n].lock);
}

static void
release_all(void)
{
	release_first(LIVE_SHARDS);
}

/*
 * The same for a cut: the holder of one lock may have lost its processor, and
 * those who want the others must not wait for that. A tenth of a millisecond
 * of trying; after that some do.
 */
static void
lock_all_at_once(void)
{
	enum { TRIES = 50 };

	for (int i = 0; i < TRIES; i++) {
		unsigned n = 0;

		while (n < LIVE_SHARDS && lock_try(&shards[n].lock))
			n++;
		if (n == LIVE_SHARDS)
			return;
		release_first(n);
		/* until it is free, whoever has it */
		lock_acquire(&shards[n].lock);
		lock_release(&shards[n].lock);
	}
	lock_all();
}

static uint64_t
hash_of(const void *ptr)
{
	return hash_u64((uint64_t)(uintptr_t)ptr);
}

static struct shard *
shard_of(uint64_t hash)
{
	_Static_assert(LIVE_SHARDS == 64, "the top six bits choose");
	return &shards[hash >> 58];
}

static bool
equal(const struct hash_node *node, const void *ptr)
{
	return container_of(node, struct live, node)->ptr == ptr;
}

static struct live *
find_locked(struct shard *shard, const void *ptr, uint64_t hash)
{
	struct hash_node *node = hash_find(&shard->table, hash, equal, ptr);

	return node == NULL ? NULL : container_of(node, struct live, node);
}

/* One writer at a time: the readers without the lock are relaxed too. */
static void
count_locked(uint64_t *counter, uint64_t more)
{
	__atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/* Chains of records that are in no table, by node.next. */
static void
chain_push(struct live **chain, struct live *record)
{
	record->node.next = *chain == NULL ? NULL : &(*chain)->node;
	*chain = record;
}

/* The chain is not empty. */
static struct live *
chain_pop(struct live **chain)
{
	struct live *record = *chain;
	struct hash_node *next = record->node.next;

	*chain = next == NULL ? NULL : container_of(next, struct live, node);
	return record;
}

static struct live *
take_record_locked(struct shard *shard)
{
	if (shard->spare == NULL)
		return profmem_alloc(sizeof *shard->spare, PROFMEM_RECORDS);
	shard->nspare--;
	return chain_pop(&shard->spare);
}

static void
give_record_locked(struct shard *shard, struct live *record)
{
	if (shard->nspare == SPARE_MAX) {
		profmem_free(record, sizeof *record);
		return;
	}
	chain_push(&shard->spare, record);
	shard->nspare++;
}

/* The record's sample goes to the totals, or nowhere if it is forgotten. */
static void
account_death_locked(struct shard *shard, struct live *record,
    uint64_t now_ns)
{
	uint64_t life = now_ns > record->birth_ns ?
	    now_ns - record->birth_ns : 0;

	if (record->since < forgotten) {
		group_put(record->group);
		return;
	}
	group_add_freed(record->group, life, record->requested,
	    open_number != 0 ? CELL_LATE : CELL_MAIN);
	count_locked(&shard->nlive, -1ull);
	count_locked(&shard->nfreed, 1);
}

/* Bytes that ptr's region keeps from the system; 0 for a large block. */
static double
pinned_locked(const void *ptr)
{
	struct prof_slab slab;

	if (!host->slab(ptr, &slab) || slab.nregs_used == 0)
		return 0;
	return (double)slab.free_bytes / slab.nregs_used;
}

static void
end_locked(struct shard *shard, struct live *record, uint64_t now_ns)
{
	classes_end(record->group->key.sizeclass, record->requested);
	account_death_locked(shard, record, now_ns);
	hash_remove(&shard->table, &record->node);
	if (open_number == 0 || record->since >= open_number) {
		list_remove(&record->list);
		give_record_locked(shard, record);
		return;
	}
	record->pinned = pinned_locked(record->ptr);
	/* a walker without the lock looks at the other bits */
	__atomic_store_n(&record->since, record->since | LIVE_DEAD,
	    __ATOMIC_RELAXED);
	chain_push(&shard->limbo, record);
}

/* Of a table that grows meanwhile another line is fetched: no harm done. */
RACY void
live_expect(const void *ptr)
{
	uint64_t hash = hash_of(ptr);
	const struct hash *table = &shard_of(hash)->table;

	if (table->nbuckets != 0)
		__builtin_prefetch(&table->buckets[hash &
		    (table->nbuckets - 1)], 1);
}

struct live *
live_insert(const struct live *birth)
{
	uint64_t hash = hash_of(birth->ptr);
	struct shard *shard = shard_of(hash);
	struct live *record, *stale;

	lock_acquire(&shard->lock);
	/* a block whose end nobody told us of has died by now */
	stale = find_locked(shard, birth->ptr, hash);
	if (stale != NULL)
		end_locked(shard, stale, birth->birth_ns);
	record = take_record_locked(shard);
	if (record != NULL) {
		*record = *birth;
		record->since = cuts;
	}
	if (record != NULL &&
	    hash_insert(&shard->table, &record->node, hash) != 0) {
		give_record_locked(shard, record);
		record = NULL;
	}
	if (record != NULL) {
		list_push_front(&shard->records, &record->list);
		classes_begin(record->group->key.sizeclass,
		    record->requested);
		count_locked(&shard->nlive, 1);
	}
	lock_release(&shard->lock);
	return record;
}

/* Before the record ends: then its group may lose its last sample. */
static __attribute__((noinline)) void
tell_end_locked(const struct live *record, struct live_end *out)
{
	const struct group_key *key = &record->group->key;

	*out = (struct live_end){ .stack = key->stack, .usable = key->usable,
	    .birth_ns = record->birth_ns, .thread = record->thread };
	stack_hold(out->stack);
}

bool
live_remove(const void *ptr, struct live *record, uint64_t now_ns,
    struct live_end *out)
{
	uint64_t hash = hash_of(ptr);
	struct shard *shard = shard_of(hash);

	lock_acquire(&shard->lock);
	if (record == NULL)
		record = find_locked(shard, ptr, hash);
	assert(record == NULL || record->ptr == ptr);
	if (record != NULL && out != NULL)
		tell_end_locked(record, out);
	if (record != NULL)
		end_locked(shard, record, now_ns);
	lock_release(&shard->lock);
	return record != NULL;
}

size_t
live_stack(const void *ptr, uintptr_t *frames, size_t max)
{
	uint64_t hash = hash_of(ptr);
	struct shard *shard = shard_of(hash);
	struct live *record;
	size_t n = 0;

	lock_acquire(&shard->lock);
	record = find_locked(shard, ptr, hash);
	if (record != NULL) {
		const struct stack *stack = record->group->key.stack;

		for (; n < max && n < stack->depth; n++)
			frames[n] = stack_raw(stack, n);
	}
	lock_release(&shard->lock);
	return n;
}

uint64_t
live_count(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LIVE_SHARDS; i++)
		sum += __atomic_load_n(&shards[i].nlive, __ATOMIC_RELAXED);
	return sum;
}

uint64_t
live_freed(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LIVE_SHARDS; i++)
		sum += __atomic_load_n(&shards[i].nfreed, __ATOMIC_RELAXED);
	return sum;
}

void
live_cut_open(struct live_moment *out)
{
	lock_all_at_once();
	assert(open_number == 0);
	open_number = ++cuts;
	open_forgotten = forgotten;
	out->number = open_number;
	out->time_ns = os_now_ns();
	out->live = live_count();
	out->freed = live_freed();
	for (unsigned i = 0; i < LIVE_SHARDS; i++)
		shards[i].first = shards[i].records.next;
	release_all();
}

uint32_t
live_since(const struct live *record)
{
	return __atomic_load_n(&record->since, __ATOMIC_RELAXED) & ~LIVE_DEAD;
}

/*
 * The next record of the cut in a shard, or NULL at its end. What is read here
 * is as it was when the cut was opened, under all locks.
 */
static const struct live *
walk_next(const struct shard *shard, struct list **at)
{
	if (*at != &shard->records)
		*at = *at == NULL ? shard->first : (*at)->next;
	return *at == &shard->records ? NULL :
	    list_entry(*at, struct live, list);
}

/* Records of one shard that a walk has found. */
struct found {
	const struct live *records[LIVE_STEP / LIVE_LANES];
	double pinned[LIVE_STEP / LIVE_LANES];
	unsigned n;
};

static void
read_pinned(struct shard *shard, struct found *found)
{
	lock_acquire(&shard->lock);
	for (unsigned i = 0; i < found->n; i++) {
		const struct live *record = found->records[i];

		found->pinned[i] = record->since & LIVE_DEAD ?
		    record->pinned : pinned_locked(record->ptr);
	}
	lock_release(&shard->lock);
	lock_give_way(&shard->lock);
}

/*
 * Each record says where the next one is, and to read it misses the cache:
 * those of different shards, found in turn, arrive together.
 */
static unsigned
walk(struct live_cursor *cursor, struct found found[LIVE_LANES])
{
	struct shard *first = &shards[cursor->shard];
	unsigned n = 0;

	for (unsigned i = 0; i < LIVE_LANES; i++)
		found[i].n = 0;
	for (unsigned step = 0; step < LIVE_STEP; step++) {
		unsigned i = step % LIVE_LANES;
		const struct live *record = walk_next(&first[i],
		    &cursor->at[i]);

		if (record != NULL)
			found[i].records[found[i].n++] = record;
	}
	for (unsigned i = 0; i < LIVE_LANES; i++) {
		if (found[i].n != 0)
			read_pinned(&first[i], &found[i]);
		n += found[i].n;
	}
	return n;
}

bool
live_cut_walk(struct live_cursor *cursor, live_visit *visit, void *arg)
{
	struct found found[LIVE_LANES];

	if (cursor->shard >= LIVE_SHARDS || open_number == 0)
		return false;
	if (walk(cursor, found) == 0)
		*cursor = (struct live_cursor){
			.shard = cursor->shard + LIVE_LANES };
	for (const struct found *f = found; f < found + LIVE_LANES; f++) {
		for (unsigned i = 0; i < f->n; i++) {
			if (live_since(f->records[i]) >= open_forgotten)
				visit(f->records[i], f->pinned[i], arg);
		}
	}
	return true;
}

/* A fork child may lose those that are off the list: they are 32. */
static void
sweep(struct shard *shard)
{
	struct live *records[LIVE_STEP];
	unsigned n = LIVE_STEP;

	while (n == LIVE_STEP) {
		lock_acquire(&shard->lock);
		for (n = 0; n < LIVE_STEP && shard->limbo != NULL; n++) {
			records[n] = chain_pop(&shard->limbo);
			list_remove(&records[n]->list);
		}
		lock_release(&shard->lock);
		for (unsigned i = 0; i < n; i++)
			profmem_free(records[i], sizeof *records[i]);
		lock_give_way(&shard->lock);
	}
}

void
live_cut_close(void)
{
	lock_all_at_once();
	open_number = 0;
	release_all();
	for (unsigned i = 0; i < LIVE_SHARDS; i++)
		sweep(&shards[i]);
}

void
live_reset(void (*at_reset)(void))
{
	lock_all();
	forgotten = ++cuts;
	for (unsigned i = 0; i < LIVE_SHARDS; i++) {
		__atomic_store_n(&shards[i].nlive, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&shards[i].nfreed, 0, __ATOMIC_RELAXED);
	}
	at_reset();
	release_all();
}

/* A group's counts may be changing: only that there is one is looked at. */
RACY void
live_check(void)
{
	struct list *node;
	uint64_t n = 0;

	lock_all();
	for (unsigned i = 0; i < LIVE_SHARDS; i++) {
		size_t listed = 0, dead = 0;

		list_for_each(node, &shards[i].records) {
			struct live *record =
			    list_entry(node, struct live, list);

			if (record->since & LIVE_DEAD) {
				dead++;
				continue;
			}
			listed++;
			must(record->since <= cuts);
			must(record->group->live > 0);
			must(find_locked(&shards[i], record->ptr,
			    hash_of(record->ptr)) == record);
			n += record->since >= forgotten;
		}
		must(listed == shards[i].table.count);
		for (struct live *r = shards[i].limbo; r != NULL; dead--)
			r = r->node.next == NULL ? NULL :
			    container_of(r->node.next, struct live, node);
		must(dead == 0);
	}
	must(n == live_count());
	release_all();
}

void
live_each_lock(lock_visit *visit, void *arg)
{
	for (unsigned i = 0; i < LIVE_SHARDS; i++)
		visit(&shards[i].lock, arg);
}

void
live_fork_prepare(void)
{
	lock_all();
}

void
live_fork_parent(void)
{
	release_all();
}

void
live_fork_child(void)
{
	for (unsigned i = LIVE_SHARDS; i-- > 0;)
		lock_reinit_child(&shards[i].lock);
}
