/*
 * samplelog.c - the log of the samples that were freed (samplelog.h).
 *
 *   free --> entries, oldest first --stop--> writing --> file --> recycled
 *
 * Locks: one (RANK_PROF_HISTORY); stack.c's and profmem's inside. What is
 *   being written is nobody else's and is read without it.
 * Memory: profmem's, 64 bytes a sample; without memory a sample is dropped
 *   and counted, which the file says. Tables for writing are scratch.h's.
 * Fork: what the child has of its parent's log it drops; an automatic log
 *   goes on in it under its own name, one with a name of its own ends.
 */
#include "samplelog.h"

#include <errno.h>

#include "dump.h"
#include "fmt.h"
#include "lock.h"
#include "os.h"
#include "profmem.h"
#include "sampler.h"
#include "scratch.h"
#include "util.h"

struct entry {
	struct entry *next;
	struct stack *stack, *free_stack;	/* held */
	uint64_t usable;			/* bytes */
	uint64_t birth_ns, death_ns;
	uint32_t thread, free_thread;
};

static struct lock lock = LOCK_INITIALIZER(RANK_PROF_HISTORY, "prof_log");
/* lock: */
static bool on;
static struct entry *first, **last;
static struct entry *writing;		/* entries whose file is on its way */
static bool busy;			/* from stop until that is written */
static uint64_t dropped;
static uint64_t start_ns;
static char path[DUMP_PATH_MAX];	/* "": the automatic one */
static uint32_t sequence;		/* of automatic names */

static const struct prof_host *host;

/* --- collecting ----------------------------------------------------------- */

static void
start_locked(void)
{
	on = true;
	first = NULL;
	last = &first;
	dropped = 0;
	start_ns = os_now_ns();
}

void
samplelog_boot(bool start, const struct prof_host *prof_host)
{
	host = prof_host;
	if (start)
		start_locked();
	history_flag(HISTORY_LOG, start);
}

int
samplelog_start(const char *filename)
{
	char name[DUMP_PATH_MAX] = "";
	int error = 0;

	if (filename != NULL)
		error = dump_path(filename, name, sizeof name);
	if (error != 0)
		return error;
	lock_acquire(&lock);
	if (on) {
		error = EBUSY;
	} else {
		start_locked();
		__builtin_memcpy(path, name, sizeof path);
		history_flag(HISTORY_LOG, true);
	}
	lock_release(&lock);
	return error;
}

static struct entry *
entry_new_locked(void)
{
	struct entry *entry = NULL;

	if (on)
		entry = profmem_alloc(sizeof *entry, PROFMEM_HISTORY);
	if (on && entry == NULL)
		dropped++;
	return entry;
}

void
samplelog_end(const struct history_death *death)
{
	struct entry *entry;

	lock_acquire(&lock);
	entry = entry_new_locked();
	if (entry != NULL) {
		*entry = (struct entry){
			.stack = death->stack,
			.free_stack = death->free_stack,
			.usable = death->usable,
			.birth_ns = death->birth_ns,
			.death_ns = death->death_ns,
			.thread = death->thread,
			.free_thread = death->free_thread,
		};
		stack_hold(entry->stack);
		stack_hold(entry->free_stack);
		*last = entry;
		last = &entry->next;
	}
	lock_release(&lock);
}

/* Recycles a list, a few entries under one lock hold. */
static void
drop(struct entry **list)
{
	enum { BATCH = 256 };
	bool more = true;

	while (more) {
		lock_acquire(&lock);
		for (int n = 0; n < BATCH && *list != NULL; n++) {
			struct entry *entry = *list;

			*list = entry->next;
			stack_put(entry->stack);
			stack_put(entry->free_stack);
			profmem_free(entry, sizeof *entry);
		}
		more = *list != NULL;
		lock_release(&lock);
	}
}

/* --- indices: what the file says once and refers to by number ------------- */

struct slot {
	uint64_t key;
	uint32_t index;
	bool used;
};

struct numbering {
	struct scratch *scratch;
	struct slot *slots;		/* at most half full */
	size_t size;			/* a power of two, or 0 */
	uint64_t *keys;			/* by index; as many as size / 2 */
	uint32_t count;
	bool failed;			/* no memory */
};

static struct slot *
slot_of(const struct numbering *numbering, uint64_t key)
{
	size_t mask = numbering->size - 1;
	size_t i = (size_t)hash_u64(key) & mask;

	while (numbering->slots[i].used && numbering->slots[i].key != key)
		i = (i + 1) & mask;
	return &numbering->slots[i];
}

static void
numbering_grow(struct numbering *numbering)
{
	struct numbering bigger = *numbering;

	bigger.size = numbering->size == 0 ? 1024 : 2 * numbering->size;
	bigger.slots = scratch_alloc(bigger.scratch,
	    bigger.size * sizeof *bigger.slots);
	bigger.keys = scratch_alloc(bigger.scratch,
	    bigger.size / 2 * sizeof *bigger.keys);
	if (bigger.slots == NULL || bigger.keys == NULL) {
		numbering->failed = true;
		return;
	}
	for (uint32_t i = 0; i < bigger.count; i++) {
		bigger.keys[i] = numbering->keys[i];
		*slot_of(&bigger, bigger.keys[i]) =
		    (struct slot){ bigger.keys[i], i, true };
	}
	*numbering = bigger;
}

static uint32_t
number_of(struct numbering *numbering, uint64_t key)
{
	struct slot *slot;

	if (numbering->count == numbering->size / 2 && !numbering->failed)
		numbering_grow(numbering);
	if (numbering->failed)
		return 0;
	slot = slot_of(numbering, key);
	if (!slot->used) {
		*slot = (struct slot){ key, numbering->count, true };
		numbering->keys[numbering->count++] = key;
	}
	return slot->index;
}

static uint32_t
number_of_stack(struct numbering *numbering, const struct stack *stack)
{
	return number_of(numbering, (uint64_t)(uintptr_t)stack);
}

/* --- the file ------------------------------------------------------------- */

/* What of the log is written. */
struct document {
	const struct entry *entries;
	uint64_t dropped, start_ns, stop_ns;
};

static void
put_number(struct sink *sink, const char *key, uint64_t number)
{
	sink_string(sink, key);
	sink_decimal(sink, number);
}

static void
put_info(struct sink *sink, const struct document *document)
{
	put_number(sink, "{\"info\":{\"duration\":",
	    document->stop_ns - document->start_ns);
	sink_string(sink, ",\"version\":");
	history_put_string(sink, host->version);
	put_number(sink, ",\"lg_sample_rate\":", sampler_lg_rate());
	sink_string(sink, ",\"prof_time_resolution\":");
	history_put_string(sink, history_high_resolution() ? "high" :
	    "default");
	put_number(sink, ",\"pid\":", (uint64_t)os_pid());
	put_number(sink, ",\"dropped\":", document->dropped);
	sink_string(sink, "},\"threads\":[");
}

static void
put_threads(struct sink *sink, const struct numbering *threads)
{
	char name[HISTORY_NAME_MAX];

	for (uint32_t i = 0; i < threads->count; i++) {
		history_name_of((uint32_t)threads->keys[i], name);
		put_number(sink, i > 0 ? ",{\"thr_uid\":" : "{\"thr_uid\":",
		    threads->keys[i]);
		sink_string(sink, ",\"thr_name\":");
		history_put_string(sink, name);
		sink_char(sink, '}');
	}
	sink_string(sink, "],\"stack_traces\":[");
}

static void
put_stacks(struct sink *sink, const struct numbering *stacks)
{
	for (uint32_t i = 0; i < stacks->count; i++) {
		if (i > 0)
			sink_char(sink, ',');
		history_put_trace(sink,
		    (const struct stack *)(uintptr_t)stacks->keys[i]);
	}
	sink_string(sink, "],\"allocations\":[");
}

static void
put_entry(struct sink *sink, const struct entry *entry,
    struct numbering *threads, struct numbering *stacks, uint64_t offset)
{
	put_number(sink, "{\"alloc_thread\":",
	    number_of(threads, entry->thread));
	put_number(sink, ",\"free_thread\":",
	    number_of(threads, entry->free_thread));
	put_number(sink, ",\"alloc_trace\":",
	    number_of_stack(stacks, entry->stack));
	put_number(sink, ",\"free_trace\":",
	    number_of_stack(stacks, entry->free_stack));
	put_number(sink, ",\"alloc_timestamp\":", entry->birth_ns + offset);
	put_number(sink, ",\"free_timestamp\":", entry->death_ns + offset);
	put_number(sink, ",\"usize\":", entry->usable);
	sink_char(sink, '}');
}

static int
put_document(struct sink *sink, struct scratch *scratch, const void *arg)
{
	const struct document *document = arg;
	struct numbering threads = { .scratch = scratch };
	struct numbering stacks = { .scratch = scratch };
	uint64_t offset = history_clock_offset();
	const struct entry *entry;

	for (entry = document->entries; entry != NULL; entry = entry->next) {
		number_of(&threads, entry->thread);
		number_of(&threads, entry->free_thread);
		number_of_stack(&stacks, entry->stack);
		number_of_stack(&stacks, entry->free_stack);
	}
	if (threads.failed || stacks.failed)
		return ENOMEM;
	put_info(sink, document);
	put_threads(sink, &threads);
	put_stacks(sink, &stacks);
	for (entry = document->entries; entry != NULL; entry = entry->next) {
		if (entry != document->entries)
			sink_char(sink, ',');
		put_entry(sink, entry, &threads, &stacks, offset);
	}
	sink_string(sink, "]}\n");
	return 0;
}

/* The end of collecting; what there is goes to `writing`. */
static int
stop_locked(struct document *document, char *name)
{
	if (!on)
		return ENOENT;
	if (busy)
		return EBUSY;
	on = false;
	history_flag(HISTORY_LOG, false);
	busy = true;
	writing = first;
	first = NULL;
	*document = (struct document){ .entries = writing,
	    .dropped = dropped, .start_ns = start_ns,
	    .stop_ns = os_now_ns() };
	__builtin_memcpy(name, path, sizeof path);
	return 0;
}

int
samplelog_stop(void)
{
	char name[DUMP_PATH_MAX], suffix[32];
	struct document document;
	int error;

	lock_acquire(&lock);
	error = stop_locked(&document, name);
	fmt_buf(suffix, sizeof suffix, ".%u.json", sequence);
	if (error == 0 && name[0] == '\0')
		sequence++;
	lock_release(&lock);
	if (error != 0)
		return error;
	error = dump_document(name, suffix, put_document, &document);
	drop(&writing);
	lock_acquire(&lock);
	busy = false;
	lock_release(&lock);
	return error;
}

int
samplelog_exit(void)
{
	int error = samplelog_stop();

	return error == ENOENT ? 0 : error;
}

/* --- fork ----------------------------------------------------------------- */

void
samplelog_each_lock(lock_visit *visit, void *arg)
{
	visit(&lock, arg);
}

void
samplelog_fork_prepare(void)
{
	lock_acquire(&lock);
}

void
samplelog_fork_parent(void)
{
	lock_release(&lock);
}

void
samplelog_fork_child(void)
{
	lock_reinit_child(&lock);
}

void
samplelog_fork_child_end(void)
{
	struct entry *inherited;

	lock_acquire(&lock);
	inherited = first;
	busy = false;
	sequence = 0;
	if (on)
		start_locked();
	if (path[0] != '\0') {
		on = false;
		history_flag(HISTORY_LOG, false);
	}
	lock_release(&lock);
	drop(&inherited);
	drop(&writing);
}
