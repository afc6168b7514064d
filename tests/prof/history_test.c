/*
 * history_test.c - the newest samples, the log of the freed ones, freed
 * addresses: bounds, order, memory, what is written, threads, fork.
 */
#define _GNU_SOURCE
#include "history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dump.h"
#include "fake_host.h"
#include "freed.h"
#include "os.h"
#include "profmem.h"
#include "recent.h"
#include "samplelog.h"
#include "util.h"

static char folder[] = "/tmp/history_test.XXXXXX";
static const uintptr_t frames_a[] = { 0x401101, 0x401205, 0x420010 };
static const uintptr_t frames_b[] = { 0x402101, 0x401205 };
static char text[64 << 20];		/* what was told */
static size_t text_len;

static void
boot(int64_t recent, bool free_stacks, size_t memory)
{
	struct prof_options options = { .recent_alloc_max = recent,
	    .free_stacks = free_stacks, .bt_max = 64 };

	snprintf(options.prefix, sizeof options.prefix, "%s/h", folder);
	history_flags = 0;
	profmem_boot(memory, &fake_host);
	stack_boot();
	dump_boot(&options, &fake_host);
	history_boot(&options, &fake_host);
	fake_thread.uid = 7;
	strcpy(fake_thread.name, "tester");
}

static int
setup(void **state)
{
	os_init();
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static void
begin(uintptr_t address, uint64_t requested)
{
	struct stack *stack = stack_get(frames_a, 3, 0);
	struct history_birth birth = { .ptr = (void *)address,
	    .stack = stack, .requested = requested,
	    .usable = requested + 16, .birth_ns = 1000 + requested,
	    .thread = (uint32_t)fake_thread.uid };

	history_begin(&fake_thread, &birth);
	stack_put(stack);
}

static void
end(uintptr_t address, uint64_t usable)
{
	struct stack *stack = stack_get(frames_a, 3, 0);
	struct stack *free_stack = stack_get(frames_b, 2, 0);
	struct history_death death = { .ptr = (void *)address,
	    .stack = stack, .free_stack = free_stack, .usable = usable,
	    .birth_ns = 1000, .death_ns = 5000,
	    .thread = (uint32_t)fake_thread.uid, .free_thread = 8 };

	history_end(&fake_thread, &death);
	stack_put(stack);
	stack_put(free_stack);
}

static void
collect(void *opaque, const char *piece)
{
	size_t len = strlen(piece);

	assert_in_range(text_len + len, 0, sizeof text - 1);
	memcpy(text + text_len, piece, len + 1);
	text_len += len;
}

static const char *
told(void)
{
	text_len = 0;
	text[0] = '\0';
	assert_int_equal(recent_dump(1024, collect, NULL), 0);
	return text;
}

static size_t
count(const char *in, const char *what)
{
	size_t n = 0;

	for (; (in = strstr(in, what)) != NULL; in++)
		n++;
	return n;
}

static const char *
slurp(const char *path)
{
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text_len = fread(text, 1, sizeof text - 1, file);
	text[text_len] = '\0';
	fclose(file);
	return text;
}

/* --- the newest samples --------------------------------------------------- */

static void
test_off_nothing_is_kept(void **state)
{
	boot(0, false, 8 << 20);
	assert_false(history_on());
	begin(0x1000, 10);
	assert_string_equal(told(), "{\"sample_interval\":1024,"
	    "\"recent_alloc_max\":0,\"recent_alloc\":[]}");
	assert_int_equal(stack_count(), 0);
}

static void
test_the_newest_are_told(void **state)
{
	boot(2, false, 8 << 20);
	assert_true(history_on());
	begin(0x1000, 10);
	begin(0x2000, 20);
	begin(0x3000, 30);
	end(0x2000, 36);
	assert_string_equal(told(), "{\"sample_interval\":1024,"
	    "\"recent_alloc_max\":2,\"recent_alloc\":["
	    "{\"size\":20,\"usize\":36,\"released\":true,"
	    "\"alloc_thread_uid\":7,\"alloc_thread_name\":\"tester\","
	    "\"alloc_time\":1020,"
	    "\"alloc_trace\":[\"0x401101\",\"0x401205\",\"0x420010\"],"
	    "\"dalloc_thread_uid\":8,\"dalloc_time\":5000,"
	    "\"dalloc_trace\":[\"0x402101\",\"0x401205\"]},"
	    "{\"size\":30,\"usize\":46,\"released\":false,"
	    "\"alloc_thread_uid\":7,\"alloc_thread_name\":\"tester\","
	    "\"alloc_time\":1030,"
	    "\"alloc_trace\":[\"0x401101\",\"0x401205\",\"0x420010\"]}]}");
	/* one that has been forgotten, one that never was */
	end(0x1000, 26);
	end(0x9000, 26);
	assert_int_equal(count(told(), "\"released\":true"), 1);
	recent_max_set(0);
	assert_int_equal(stack_count(), 0);
}

static void
test_an_address_comes_again(void **state)
{
	boot(-1, false, 8 << 20);
	begin(0x1000, 10);
	end(0x1000, 26);
	begin(0x1000, 11);
	begin(0x1000, 12);		/* the end of the one before is unknown */
	end(0x1000, 28);
	assert_int_equal(count(told(), "\"released\":true"), 3);
	assert_int_equal(count(text, "\"dalloc_trace\":[]"), 1);
	assert_non_null(strstr(text, "\"recent_alloc_max\":-1"));
	recent_max_set(0);
	assert_int_equal(stack_count(), 0);
}

/* Half of the bound, and then the oldest give way. */
static void
test_without_a_bound_memory_is_one(void **state)
{
	uintptr_t n;

	boot(-1, false, 1 << 20);
	for (n = 1; n <= 20000; n++)
		begin(n * 16, n);
	assert_in_range(profmem_used(), 1 << 18, (1 << 19) + (1 << 17));
	told();
	assert_in_range(count(text, "\"size\":"), 1000, 10000);
	assert_null(strstr(text, "{\"size\":1,"));
	assert_non_null(strstr(text, "{\"size\":20000,"));
	recent_max_set(0);
}

static void
turn_off(void *opaque, const char *piece)
{
	++*(int *)opaque;
	recent_max_set(0);
	begin(0x5000, 1);
}

static void
test_the_callback_holds_no_lock(void **state)
{
	int calls = 0;

	boot(1000, false, 8 << 20);
	for (uintptr_t n = 1; n <= 1000; n++)
		begin(n * 16, n);
	assert_int_equal(recent_dump(1, turn_off, &calls), 0);
	assert_true(calls > 3);		/* 150 KiB in pieces of 16 */
	assert_int_equal(stack_count(), 0);
}

static volatile bool stop;

static void *
come_and_go(void *arg)
{
	uintptr_t first = (uintptr_t)arg;

	fake_thread.uid = first >> 20;
	for (uintptr_t n = 0; !stop; n = (n + 1) % 3000) {
		begin(first + n * 16, n + 1);
		if (n % 3 != 0)
			end(first + n * 16, n);
	}
	return NULL;
}

/* Sizes of each thread rise by one, round and round: none is left out. */
static void
test_dumps_while_samples_come(void **state)
{
	pthread_t threads[2];

	boot(2000, true, 8 << 20);
	stop = false;
	for (uintptr_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, come_and_go,
		    (void *)((i + 1) << 20));
	for (int i = 0; i < 60; i++) {
		unsigned long last[3] = { 0 };
		const char *at = told();

		while ((at = strstr(at, "{\"size\":")) != NULL) {
			unsigned long size = strtoul(at + 8, NULL, 10), uid;

			at = strstr(at, "\"alloc_thread_uid\":");
			uid = strtoul(at + 19, NULL, 10);
			assert_in_range(uid, 1, 2);
			if (last[uid] != 0)
				assert_int_equal(size, last[uid] % 3000 + 1);
			last[uid] = size;
		}
		recent_max_set(i % 2 != 0 ? 2000 : 700);
	}
	stop = true;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	recent_max_set(0);
}

/* --- freed addresses ------------------------------------------------------ */

static void
test_where_a_block_was_freed(void **state)
{
	struct prof_freed freed;

	boot(0, true, 8 << 20);
	assert_false(freed_stacks((void *)0x1000, &freed));
	begin(0x1000, 10);
	assert_false(freed_stacks((void *)0x1000, &freed));
	end(0x1000, 26);
	assert_true(freed_stacks((void *)0x1000, &freed));
	assert_int_equal(freed.nallocated, 3);
	assert_int_equal(freed.allocated[2], 0x420010);
	assert_int_equal(freed.nfreed, 2);
	assert_int_equal(freed.freed[0], 0x402101);
	/* sampled anew, it is in use */
	begin(0x1000, 10);
	assert_false(freed_stacks((void *)0x1000, &freed));
	assert_int_equal(stack_count(), 0);
}

/* --- the log -------------------------------------------------------------- */

static void
test_the_log(void **state)
{
	const char *said;

	boot(0, false, 8 << 20);
	assert_int_equal(samplelog_stop(), ENOENT);
	end(0x1000, 5);
	assert_int_equal(samplelog_start("log"), 0);
	assert_int_equal(samplelog_start(NULL), EBUSY);
	assert_true(history_on());
	end(0x1000, 32);
	end(0x1000, 48);
	assert_int_equal(chdir("/"), 0);	/* the name is of the start */
	assert_int_equal(samplelog_stop(), 0);
	assert_int_equal(chdir(folder), 0);
	assert_false(history_on());
	assert_int_equal(samplelog_stop(), ENOENT);
	said = slurp("log");
	assert_ptr_equal(strstr(said, "{\"info\":{\"duration\":"), said);
	assert_non_null(strstr(said, "\"version\":\"0.0.0\","
	    "\"lg_sample_rate\":19,\"prof_time_resolution\":\"default\","));
	assert_non_null(strstr(said, ",\"dropped\":0},"
	    "\"threads\":[{\"thr_uid\":7,\"thr_name\":\"tester\"},"
	    "{\"thr_uid\":8,\"thr_name\":\"\"}],"
	    "\"stack_traces\":[[\"0x401101\",\"0x401205\",\"0x420010\"],"
	    "[\"0x402101\",\"0x401205\"]],"
	    "\"allocations\":[{\"alloc_thread\":0,\"free_thread\":1,"
	    "\"alloc_trace\":0,\"free_trace\":1,\"alloc_timestamp\":1000,"
	    "\"free_timestamp\":5000,\"usize\":32},{"));
	assert_non_null(strstr(said, "\"usize\":48}]}\n"));
	assert_int_equal(stack_count(), 0);
	snprintf(text, sizeof text, "log.%d.tmp", getpid());
	assert_int_not_equal(access(text, F_OK), 0);
}

/* More stacks than the tables begin with; each has its own number. */
static void
test_a_log_of_many_stacks(void **state)
{
	uintptr_t frames[2] = { 0, 0x1234 };
	char want[96];

	boot(0, false, 8 << 20);
	assert_int_equal(samplelog_start("many"), 0);
	for (uintptr_t i = 1; i <= 3000; i++) {
		struct history_death death = { .free_stack = &stack_other,
		    .thread = (uint32_t)i, .usable = i };

		frames[0] = i << 4;
		death.stack = stack_get(frames, 2, 0);
		history_end(NULL, &death);
		stack_put(death.stack);
	}
	assert_int_equal(samplelog_stop(), 0);
	slurp("many");
	assert_int_equal(count(text, "\"thr_uid\""), 3001);
	assert_int_equal(count(text, "\",\"0x1234\"]"), 3000);
	/* the empty trace and the thread 0 came second */
	snprintf(want, sizeof want, "{\"alloc_thread\":2999,"
	    "\"free_thread\":1,\"alloc_trace\":2999,\"free_trace\":1,");
	assert_non_null(strstr(text, want));
	assert_int_equal(count(text, "[],"), 1);
}

static void
test_a_log_without_memory_counts(void **state)
{
	size_t logged, dropped;
	const char *at;

	boot(0, false, 1 << 20);
	assert_int_equal(samplelog_start(NULL), 0);
	for (uintptr_t n = 1; n <= 20000; n++)
		end(n * 16, n);
	assert_int_equal(samplelog_stop(), 0);
	snprintf(text, sizeof text, "h.%d.0.json", getpid());
	slurp(strdup(text));
	at = strstr(text, "\"dropped\":");
	assert_non_null(at);
	dropped = strtoul(at + 10, NULL, 10);
	logged = count(text, "\"usize\":");
	assert_in_range(dropped, 1000, 19000);
	assert_int_equal(logged + dropped, 20000);
}

static void
test_a_failure_leaves_it_startable(void **state)
{
	boot(0, false, 8 << 20);
	assert_int_equal(samplelog_start("/nowhere/at/all"), 0);
	end(0x1000, 32);
	assert_int_equal(samplelog_stop(), ENOENT);
	assert_int_equal(stack_count(), 0);
	assert_int_equal(samplelog_start("again"), 0);
	assert_int_equal(samplelog_stop(), 0);
	assert_non_null(strstr(slurp("again"), "\"allocations\":[]}\n"));
}

static void
test_names_are_json(void **state)
{
	boot(0, false, 8 << 20);
	strcpy(fake_thread.name, "\"\\\t\n\xff~");
	assert_int_equal(samplelog_start("names"), 0);
	end(0x1000, 32);
	assert_int_equal(samplelog_stop(), 0);
	assert_non_null(strstr(slurp("names"),
	    "\"thr_name\":\"\\\"\\\\\\t?" "?~\"}"));
}

/* A thousand more than are kept: the first are forgotten, the last known. */
static void
test_names_are_bounded(void **state)
{
	char name[HISTORY_NAME_MAX];

	boot(1, false, 8 << 20);
	for (fake_thread.uid = 1; fake_thread.uid <= 17384;
	    fake_thread.uid++)
		begin(0x1000, 10);
	history_name_of(1000, name);
	assert_string_equal(name, "");
	history_name_of(1001, name);
	assert_string_equal(name, "tester");
	history_name_of(17384, name);
	assert_string_equal(name, "tester");
	/* one that loses its name */
	fake_thread.name[0] = '\0';
	fake_thread.uid = 17384;
	begin(0x1000, 10);
	history_name_of(17384, name);
	assert_string_equal(name, "");
	recent_max_set(0);
}

/* --- fork ----------------------------------------------------------------- */

static int
child(const char *name)
{
	history_fork_child();
	history_fork_child_end();
	end(0x3000, 77);
	if (samplelog_exit() != 0)
		return 1;
	if (name != NULL)
		return strstr(slurp(name), "\"usize\":32}") == NULL ? 2 : 7;
	snprintf(text, sizeof text, "h.%d.0.json", getpid());
	slurp(strdup(text));
	if (count(text, "\"usize\":") != 1)
		return 3;
	return strstr(text, "\"usize\":77}") == NULL ? 4 : 7;
}

static void
fork_child(const char *name)
{
	int status;
	pid_t pid;

	history_fork_prepare();
	pid = fork();
	if (pid == 0)
		_exit(child(name));
	history_fork_parent();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void
test_a_child_logs_its_own(void **state)
{
	boot(0, false, 8 << 20);
	assert_int_equal(samplelog_start(NULL), 0);
	end(0x1000, 32);
	fork_child(NULL);
	assert_int_equal(samplelog_stop(), 0);
}

/* The parent's file bears a name: a child does not write it too. */
static void
test_a_child_leaves_a_named_log_alone(void **state)
{
	boot(0, false, 8 << 20);
	assert_int_equal(samplelog_start("named"), 0);
	end(0x1000, 32);
	assert_int_equal(samplelog_stop(), 0);
	assert_int_equal(samplelog_start("named"), 0);
	end(0x1000, 48);
	fork_child("named");		/* still the first one's */
	assert_int_equal(samplelog_stop(), 0);
	assert_non_null(strstr(slurp("named"), "\"usize\":48}"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_nothing_is_kept),
		cmocka_unit_test(test_the_newest_are_told),
		cmocka_unit_test(test_an_address_comes_again),
		cmocka_unit_test(test_without_a_bound_memory_is_one),
		cmocka_unit_test(test_the_callback_holds_no_lock),
		cmocka_unit_test(test_dumps_while_samples_come),
		cmocka_unit_test(test_where_a_block_was_freed),
		cmocka_unit_test(test_the_log),
		cmocka_unit_test(test_a_log_of_many_stacks),
		cmocka_unit_test(test_a_log_without_memory_counts),
		cmocka_unit_test(test_a_failure_leaves_it_startable),
		cmocka_unit_test(test_names_are_json),
		cmocka_unit_test(test_names_are_bounded),
		cmocka_unit_test(test_a_child_logs_its_own),
		cmocka_unit_test(test_a_child_leaves_a_named_log_alone),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
