/*
 * recent.c - the newest samples (recent.h).
 *
 *   order, oldest first:  freed | in use | freed | in use      at most max
 *   in_use[ptr] ---------------->------------------->
 *
 * Invariants: a record is in the table iff its block is in use, as far as we
 *   were told; numbers rise along the list.
 * Locks: one (RANK_PROF_HISTORY); stack.c's and profmem's inside. A dump
 *   copies a few hundred records at a time under it and writes without.
 * Memory: profmem's. Without memory for a new record the oldest gives way.
 * Fork: the child has the parent's records.
 */
#include "recent.h"

#include <errno.h>

#include "lock.h"
#include "profmem.h"
#include "scratch.h"
#include "util.h"

struct record {
	struct list list;
	struct hash_node node;
	uint64_t number;		/* 1, 2, ... in order of birth */
	struct history_birth birth;	/* holds its stack */
	struct history_death death;	/* holds its free_stack, unless NULL */
};

/* A dump on its way: where it goes on. */
struct walk {
	struct list list;
	struct list *next;		/* record, or the head of order */
};

static struct lock lock = LOCK_INITIALIZER(RANK_PROF_HISTORY, "prof_recent");
/* lock: */
static struct list order;
static struct hash in_use;
static struct list walks;
static uint64_t count, births;
static int64_t max;			/* -1: no bound */

void
recent_boot(int64_t first_max)
{
	list_init(&order);
	list_init(&walks);
	hash_init(&in_use, &profmem_tables);
	count = 0;
	recent_max_set(first_max);
}

static uint64_t
hash_of(const void *ptr)
{
	return hash_u64((uint64_t)(uintptr_t)ptr);
}

static bool
equal(const struct hash_node *node, const void *ptr)
{
	return container_of(node, struct record, node)->birth.ptr == ptr;
}

/* Takes it out of the table; NULL if there is none. */
static struct record *
take_in_use_locked(const void *ptr)
{
	struct hash_node *node = hash_find(&in_use, hash_of(ptr), equal, ptr);

	if (node == NULL)
		return NULL;
	hash_remove(&in_use, node);
	return container_of(node, struct record, node);
}

static bool
is_freed(const struct record *record)
{
	return record->death.free_stack != NULL;
}

static void
forget_oldest_locked(void)
{
	struct record *record = list_first(&order, struct record, list);
	struct list *node;

	list_for_each(node, &walks) {
		struct walk *walk = list_entry(node, struct walk, list);

		if (walk->next == &record->list)
			walk->next = record->list.next;
	}
	list_remove(&record->list);
	if (is_freed(record))
		stack_put(record->death.free_stack);
	else
		hash_remove(&in_use, &record->node);
	stack_put(record->birth.stack);
	profmem_free(record, sizeof *record);
	count--;
}

static void
trim_locked(uint64_t left)
{
	while (max >= 0 && count > left)
		forget_oldest_locked();
}

static struct record *
record_new_locked(void)
{
	struct record *record = profmem_alloc(sizeof *record,
	    PROFMEM_HISTORY);

	if (record == NULL && count > 0) {
		forget_oldest_locked();
		record = profmem_alloc(sizeof *record, PROFMEM_HISTORY);
	}
	return record;
}

static void
begin_locked(const struct history_birth *birth)
{
	struct record *record = take_in_use_locked(birth->ptr);

	/* a block whose end nobody told us of */
	if (record != NULL) {
		record->death = (struct history_death){
			.free_stack = &stack_other,
			.death_ns = birth->birth_ns,
		};
	}
	if (max == 0)
		return;
	trim_locked((uint64_t)max - 1);
	record = record_new_locked();
	if (record == NULL)
		return;
	if (hash_insert(&in_use, &record->node, hash_of(birth->ptr)) != 0) {
		profmem_free(record, sizeof *record);
		return;
	}
	record->birth = *birth;
	record->number = ++births;
	record->death.free_stack = NULL;
	stack_hold(birth->stack);
	list_push_back(&order, &record->list);
	count++;
}

void
recent_begin(const struct history_birth *birth)
{
	lock_acquire(&lock);
	begin_locked(birth);
	lock_release(&lock);
}

void
recent_end(const struct history_death *death)
{
	struct record *record;

	lock_acquire(&lock);
	record = take_in_use_locked(death->ptr);
	if (record != NULL) {
		record->death = *death;
		stack_hold(death->free_stack);
	}
	lock_release(&lock);
}

int64_t
recent_max_get(void)
{
	int64_t value;

	lock_acquire(&lock);
	value = max;
	lock_release(&lock);
	return value;
}

void
recent_max_set(int64_t new_max)
{
	lock_acquire(&lock);
	max = new_max;
	trim_locked((uint64_t)new_max);
	history_flag(HISTORY_RECENT, new_max != 0);
	lock_release(&lock);
}

/* --- the dump ------------------------------------------------------------- */

struct copy {
	struct copy *next;
	struct record record;		/* its stacks are held */
};

struct copies {
	struct scratch scratch;
	struct copy *first, **last;
};

/* At most BATCH records; false at the end, or at the first one too new. */
static bool
copy_some_locked(struct copies *copies, struct walk *walk, uint64_t newest,
    int *error)
{
	enum { BATCH = 256 };

	for (int n = 0; n < BATCH && walk->next != &order; n++) {
		struct record *record = list_entry(walk->next, struct record,
		    list);
		struct copy *copy;

		if (record->number > newest)
			return false;
		copy = scratch_alloc(&copies->scratch, sizeof *copy);
		if (copy == NULL) {
			*error = ENOMEM;
			return false;
		}
		copy->record = *record;
		stack_hold(record->birth.stack);
		if (is_freed(record))
			stack_hold(record->death.free_stack);
		*copies->last = copy;
		copies->last = &copy->next;
		walk->next = record->list.next;
	}
	return walk->next != &order;
}

static int
copy_all(struct copies *copies)
{
	struct walk walk;
	uint64_t newest;
	bool more = true;
	int error = 0;

	lock_acquire(&lock);
	newest = births;
	walk.next = order.next;
	list_push_back(&walks, &walk.list);
	while (more) {
		more = copy_some_locked(copies, &walk, newest, &error);
		lock_release(&lock);
		lock_acquire(&lock);
	}
	list_remove(&walk.list);
	lock_release(&lock);
	return error;
}

static void
release_copies(struct copies *copies)
{
	for (struct copy *copy = copies->first; copy != NULL;
	    copy = copy->next) {
		stack_put(copy->record.birth.stack);
		if (is_freed(&copy->record))
			stack_put(copy->record.death.free_stack);
	}
	scratch_release(&copies->scratch);
}

static void
put_number(struct sink *sink, const char *key, uint64_t number)
{
	sink_string(sink, key);
	sink_decimal(sink, number);
}

/* ,"<which>_thread_uid":... ,"<which>_thread_name":... */
static void
put_thread(struct sink *sink, const char *which, uint32_t uid)
{
	char name[HISTORY_NAME_MAX];

	sink_string(sink, ",\"");
	sink_string(sink, which);
	put_number(sink, "_thread_uid\":", uid);
	history_name_of(uid, name);
	if (name[0] == '\0')
		return;
	sink_string(sink, ",\"");
	sink_string(sink, which);
	sink_string(sink, "_thread_name\":");
	history_put_string(sink, name);
}

static void
put_record(struct sink *sink, const struct record *record, uint64_t offset)
{
	put_number(sink, "{\"size\":", record->birth.requested);
	put_number(sink, ",\"usize\":", record->birth.usable);
	sink_string(sink, ",\"released\":");
	sink_string(sink, is_freed(record) ? "true" : "false");
	put_thread(sink, "alloc", record->birth.thread);
	put_number(sink, ",\"alloc_time\":",
	    record->birth.birth_ns + offset);
	sink_string(sink, ",\"alloc_trace\":");
	history_put_trace(sink, record->birth.stack);
	if (is_freed(record)) {
		put_thread(sink, "dalloc", record->death.free_thread);
		put_number(sink, ",\"dalloc_time\":",
		    record->death.death_ns + offset);
		sink_string(sink, ",\"dalloc_trace\":");
		history_put_trace(sink, record->death.free_stack);
	}
	sink_char(sink, '}');
}

static void
put_all(struct sink *sink, uint64_t rate, int64_t bound,
    const struct copy *copies)
{
	uint64_t offset = history_clock_offset();

	put_number(sink, "{\"sample_interval\":", rate);
	sink_string(sink, ",\"recent_alloc_max\":");
	if (bound < 0)
		sink_string(sink, "-1");
	else
		sink_decimal(sink, (uint64_t)bound);
	sink_string(sink, ",\"recent_alloc\":[");
	for (const struct copy *copy = copies; copy != NULL;
	    copy = copy->next) {
		if (copy != copies)
			sink_char(sink, ',');
		put_record(sink, &copy->record, offset);
	}
	sink_string(sink, "]}");
}

int
recent_dump(uint64_t rate, prof_write *write, void *opaque)
{
	enum { BUFFER = 16384 };	/* bytes of text a call, at most */
	struct copies copies = { .last = &copies.first };
	char *buffer = scratch_alloc(&copies.scratch, BUFFER);
	struct sink sink;
	int error = buffer == NULL ? ENOMEM : copy_all(&copies);

	if (error == 0) {
		sink_init_call(&sink, write, opaque, buffer, BUFFER);
		put_all(&sink, rate, recent_max_get(), copies.first);
		error = sink_flush(&sink);
	}
	release_copies(&copies);
	return error;
}

void
recent_each_lock(lock_visit *visit, void *arg)
{
	visit(&lock, arg);
}

void
recent_fork_prepare(void)
{
	lock_acquire(&lock);
}

void
recent_fork_parent(void)
{
	lock_release(&lock);
}

/* Dumps of threads that the child has not are over. */
void
recent_fork_child(void)
{
	list_init(&walks);
	lock_reinit_child(&lock);
}
