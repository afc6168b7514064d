/*
 * history.c - what becomes of single samples (history.h): the switch, the
 * names of threads, what the writers share.
 *
 *   names[uid] -> struct name, the NAMES_MAX threads that were seen last
 *
 * Locks: names_lock (RANK_PROF_HISTORY), and one each in recent.c,
 *   samplelog.c and freed.c, never together but for a fork, which takes them
 *   in this order. Inside them only stack.c's and profmem's.
 */
#include "history.h"

#include <sys/prctl.h>

#include "freed.h"
#include "list.h"
#include "lock.h"
#include "os.h"
#include "profmem.h"
#include "recent.h"
#include "samplelog.h"
#include "util.h"

/* 1.5 MiB; a program has fewer threads, or they are gone before the dump. */
enum { NAMES_MAX = 16384 };

struct name {
	struct hash_node node;
	struct list list;
	uint32_t uid;
	char text[HISTORY_NAME_MAX];
};

uint32_t history_flags;

static struct lock names_lock =
    LOCK_INITIALIZER(RANK_PROF_HISTORY, "prof_names");
/* names_lock: */
static struct hash names;
static struct list names_order;		/* oldest first */

/* constant after boot: */
static bool system_names, high_resolution;

void
history_boot(const struct prof_options *options, const struct prof_host *host)
{
	system_names = options->sys_thread_name;
	high_resolution = options->time_resolution == PROF_TIME_HIGH;
	hash_init(&names, &profmem_tables);
	list_init(&names_order);
	recent_boot(options->recent_alloc_max);
	freed_boot(options->free_stacks);
	samplelog_boot(options->log, host);
}

int
history_exit(void)
{
	return samplelog_exit();
}

void
history_flag(uint32_t flag, bool on)
{
	if (on)
		__atomic_fetch_or(&history_flags, flag, __ATOMIC_RELAXED);
	else
		__atomic_fetch_and(&history_flags, ~flag, __ATOMIC_RELAXED);
}

/* --- threads -------------------------------------------------------------- */

bool
history_system_names(void)
{
	return system_names;
}

void
history_thread_name(struct prof_thread *thread)
{
	_Static_assert(sizeof thread->name >= 16, "what the kernel writes");
	if (system_names)
		(void)os_syscall2(SYS_prctl, PR_GET_NAME, thread->name);
}

static bool
name_equal(const struct hash_node *node, const void *uid)
{
	return container_of(node, struct name, node)->uid ==
	    *(const uint32_t *)uid;
}

static struct name *
name_find_locked(uint32_t uid)
{
	struct hash_node *node = hash_find(&names, hash_u64(uid), name_equal,
	    &uid);

	return node == NULL ? NULL : container_of(node, struct name, node);
}

/* A new one, or the oldest; NULL without memory. */
static struct name *
name_new_locked(void)
{
	struct name *name = NULL;

	if (names.count < NAMES_MAX)
		name = profmem_alloc(sizeof *name, PROFMEM_HISTORY);
	if (name != NULL || list_empty(&names_order))
		return name;
	name = list_first(&names_order, struct name, list);
	list_remove(&name->list);
	hash_remove(&names, &name->node);
	return name;
}

static struct name *
name_get_locked(uint32_t uid)
{
	struct name *name = name_find_locked(uid);

	if (name != NULL)
		return name;
	name = name_new_locked();
	if (name == NULL)
		return NULL;
	name->uid = uid;
	if (hash_insert(&names, &name->node, hash_u64(uid)) != 0) {
		profmem_free(name, sizeof *name);
		return NULL;
	}
	list_push_back(&names_order, &name->list);
	return name;
}

void
history_name_note(struct prof_thread *thread)
{
	struct name *name;

	if (thread == NULL)
		return;
	history_thread_name(thread);
	lock_acquire(&names_lock);
	/* one without a name needs no place */
	name = thread->name[0] == '\0' ?
	    name_find_locked((uint32_t)thread->uid) :
	    name_get_locked((uint32_t)thread->uid);
	if (name != NULL)
		__builtin_memcpy(name->text, thread->name, sizeof name->text);
	lock_release(&names_lock);
}

void
history_name_of(uint32_t uid, char out[HISTORY_NAME_MAX])
{
	struct name *name;

	out[0] = '\0';
	lock_acquire(&names_lock);
	name = name_find_locked(uid);
	if (name != NULL)
		__builtin_memcpy(out, name->text, HISTORY_NAME_MAX);
	lock_release(&names_lock);
}

/* --- samples -------------------------------------------------------------- */

void
history_begin(struct prof_thread *thread, const struct history_birth *birth)
{
	uint32_t flags = __atomic_load_n(&history_flags, __ATOMIC_RELAXED);

	history_name_note(thread);
	if (flags & HISTORY_RECENT)
		recent_begin(birth);
	if (flags & HISTORY_FREED)
		freed_begin(birth->ptr);
}

void
history_end(struct prof_thread *thread, const struct history_death *death)
{
	uint32_t flags = __atomic_load_n(&history_flags, __ATOMIC_RELAXED);

	history_name_note(thread);
	if (flags & HISTORY_RECENT)
		recent_end(death);
	if (flags & HISTORY_LOG)
		samplelog_end(death);
	if (flags & HISTORY_FREED)
		freed_end(death);
}

/* --- writing -------------------------------------------------------------- */

bool
history_high_resolution(void)
{
	return high_resolution;
}

/* As of now: the distances stay right whatever was done to the wall clock. */
uint64_t
history_clock_offset(void)
{
	return high_resolution ? os_time_ns() - os_now_ns() : 0;
}

/* Names are ASCII, but for the system's, which may be any bytes. */
void
history_put_string(struct sink *sink, const char *string)
{
	sink_char(sink, '"');
	for (; *string != '\0'; string++) {
		unsigned char c = (unsigned char)*string;

		if (c == '\t')
			sink_string(sink, "\\t");
		else if (c < ' ' || c > '~')
			sink_char(sink, '?');
		else {
			if (c == '"' || c == '\\')
				sink_char(sink, '\\');
			sink_char(sink, (char)c);
		}
	}
	sink_char(sink, '"');
}

void
history_put_trace(struct sink *sink, const struct stack *stack)
{
	sink_char(sink, '[');
	for (size_t i = 0; i < stack->depth; i++) {
		sink_string(sink, i > 0 ? ",\"" : "\"");
		sink_hex(sink, stack_raw(stack, i));
		sink_char(sink, '"');
	}
	sink_char(sink, ']');
}

/* --- fork ----------------------------------------------------------------- */

void
history_each_lock(lock_visit *visit, void *arg)
{
	visit(&names_lock, arg);
}

void
history_fork_prepare(void)
{
	lock_acquire(&names_lock);
	recent_fork_prepare();
	samplelog_fork_prepare();
	freed_fork_prepare();
}

void
history_fork_parent(void)
{
	freed_fork_parent();
	samplelog_fork_parent();
	recent_fork_parent();
	lock_release(&names_lock);
}

void
history_fork_child(void)
{
	freed_fork_child();
	samplelog_fork_child();
	recent_fork_child();
	lock_reinit_child(&names_lock);
}

void
history_fork_child_end(void)
{
	samplelog_fork_child_end();
}
