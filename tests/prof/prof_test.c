/*
 * prof_test.c - the face: start, samples and their ends, drops, seeds, what
 * a fork child has.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "prof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cut.h"
#include "estimate.h"
#include "fake_host.h"
#include "gate.h"
#include "generation.h"
#include "live.h"
#include "os.h"
#include "unwind.h"
#include "util.h"
#include "worker.h"

static int
setup(void **state)
{
	static struct prof_options options = { .prof = true, .active = true,
	    .thread_active_init = true, .lg_sample = 10, .bt_max = 64,
	    .max_memory = 8 << 20, .lg_interval = -1, .seed = 42,
	    .format = PROF_FORMAT_PPROF };

	fake_totals.live = 12345;
	os_init();
	assert_int_equal(prof_boot(&options, &fake_host), 0);
	assert_true(prof_enabled());
	prof_thread_init(&fake_thread);
	/* nothing is sampled before the start */
	assert_true(prof_thread_gap(&fake_thread) == UINT64_MAX);
	assert_int_equal(prof_start(), 0);
	assert_int_equal(prof_start(), 0);
	assert_true(prof_thread_gap(&fake_thread) != UINT64_MAX);
	assert_int_equal(fake_thread.guard, 0);
	return 0;
}

static __attribute__((noinline)) void *
begin(uintptr_t address, size_t requested)
{
	struct prof_alloc alloc = { .ptr = (void *)address, .usable = 112,
	    .requested = requested, .sizeclass = 7 };

	return prof_sample_begin(&fake_thread, &alloc);
}

static void
test_a_sample_has_its_stack(void **state)
{
	uint64_t live = prof_samples_live();
	uintptr_t frames[64];
	void *record;
	size_t n;

	errno = 77;
	record = begin(0x1000, 100);
	assert_int_equal(errno, 77);
	assert_non_null(record);
	assert_int_equal(prof_samples_live(), live + 1);
	n = prof_sample_stack((void *)0x1000, frames, ARRAY_LEN(frames));
	assert_true(n > 4);
	assert_int_equal(prof_sample_stack((void *)0x1000, frames, 2), 2);
	assert_int_equal(prof_sample_stack((void *)0x2000, frames, 2), 0);
	prof_sample_end(&fake_thread, (void *)0x1000, record);
	assert_int_equal(errno, 77);
	assert_int_equal(prof_samples_live(), live);
	assert_int_equal(fake_thread.guard, 0);
	assert_int_equal(fake_thread.unwinding, 0);
}

static void
test_the_end_needs_neither_thread_nor_record(void **state)
{
	uint64_t live = prof_samples_live();

	assert_non_null(begin(0x1000, 100));
	prof_sample_end(NULL, (void *)0x1000, NULL);
	assert_int_equal(prof_samples_live(), live);
	/* one that was never begun */
	prof_sample_end(NULL, (void *)0x5000, NULL);
	assert_int_equal(prof_samples_live(), live);
}

static void
test_what_is_live_before_is_reported(void **state)
{
	struct cut cut;

	assert_int_equal(cut_begin(&cut), 0);
	assert_int_equal(cut.before_profiling, 12345);
	assert_int_equal(cut.rate, 1024);
	cut_end(&cut);
}

static void
test_while_a_fork_is_under_way_samples_are_dropped(void **state)
{
	uint64_t samples = prof_dropped_samples();
	uint64_t bytes = prof_dropped_bytes(), weight;

	gate_fork_prepare(&fake_thread);
	assert_null(begin(0x1000, 100));
	gate_fork_parent();
	assert_int_equal(prof_dropped_samples(), samples + 1);
	weight = (uint64_t)(estimate_bytes(estimate_probability(112, 1024),
	    112) + 0.5);
	assert_int_equal(prof_dropped_bytes(), bytes + weight);
	assert_non_null(begin(0x1000, 100));
	prof_sample_end(&fake_thread, (void *)0x1000, NULL);
}

static void
test_inside_the_guard_nothing_is_sampled(void **state)
{
	fake_host_guard_enter();
	assert_null(begin(0x1000, 100));
	fake_host_guard_leave();
}

static void
test_short_of_memory_samples_are_dropped(void **state)
{
	uint64_t dropped = prof_dropped_samples();
	uintptr_t n = 0;
	struct cut cut;

	while (prof_dropped_samples() == dropped)
		begin(++n << 12, 100);
	assert_true(n > 10000);
	assert_true(prof_memory() <= 8 << 20);
	assert_int_equal(cut_begin(&cut), 0);
	assert_int_equal(cut.samples_live, n - 1);
	assert_int_equal(cut.dropped_samples, dropped + 1);
	cut_end(&cut);
	for (uintptr_t i = 1; i < n; i++)
		prof_sample_end(&fake_thread, (void *)(i << 12), NULL);
	assert_non_null(begin(0x1000, 100));
	prof_sample_end(&fake_thread, (void *)0x1000, NULL);
	assert_int_equal(prof_samples_live(), 0);
}

static void
test_seeds_repeat(void **state)
{
	uint64_t first[100], again;

	prof_thread_seed(&fake_thread, 7);
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		first[i] = prof_thread_gap(&fake_thread);
	prof_thread_seed(&fake_thread, 7);
	for (size_t i = 0; i < ARRAY_LEN(first); i++)
		assert_int_equal(prof_thread_gap(&fake_thread), first[i]);
	prof_thread_seed(&fake_thread, 8);
	again = prof_thread_gap(&fake_thread);
	assert_true(again != first[0] ||
	    prof_thread_gap(&fake_thread) != first[1]);
}

static void *
first_gap(void *arg)
{
	prof_thread_init(&fake_thread);
	*(uint64_t *)arg = fake_thread.prng;
	return NULL;
}

static void
test_threads_have_streams_of_their_own(void **state)
{
	uint64_t prng[2];
	pthread_t thread;

	for (int i = 0; i < 2; i++) {
		pthread_create(&thread, NULL, first_gap, &prng[i]);
		pthread_join(thread, NULL);
	}
	assert_true(prng[0] != prng[1]);
	assert_true(prng[0] != fake_thread.prng);
}

static void
test_switches(void **state)
{
	unsigned redraws = fake_redraws;

	assert_int_equal(prof_active_set(false), 0);
	assert_int_equal(fake_redraws, redraws + 1);
	assert_true(prof_thread_gap(&fake_thread) == UINT64_MAX);
	assert_int_equal(prof_active_set(true), 0);
	fake_thread.active = false;
	assert_true(prof_thread_gap(&fake_thread) == UINT64_MAX);
	fake_thread.active = true;
	assert_int_equal(prof_reset(0), 0);
	assert_int_equal(prof_thread_gap(&fake_thread), 1);
	assert_int_equal(fake_thread.rate, 1);
	assert_int_equal(prof_lg_sample_get(), 0);
	assert_int_equal(prof_reset(64), EINVAL);
	assert_int_equal(prof_reset(10), 0);
}

static uint64_t
unsampled(void)
{
	struct cut cut;

	assert_int_equal(cut_begin(&cut), 0);
	cut_end(&cut);
	return cut.unsampled;
}

static void
test_what_is_allocated_while_off_is_reported(void **state)
{
	fake_totals.thread_allocated = 1000;
	assert_int_equal(unsampled(), 0);
	prof_active_set(false);
	fake_totals.thread_allocated = 1700;
	assert_int_equal(unsampled(), 700);
	prof_active_set(true);
	fake_totals.thread_allocated = 2000;
	assert_int_equal(unsampled(), 700);
	prof_active_set(false);
	fake_totals.thread_allocated = 2050;
	assert_int_equal(unsampled(), 750);
	prof_active_set(true);
	assert_int_equal(unsampled(), 750);
}

static void
test_names(void **state)
{
	assert_int_equal(prof_thread_name_set(&fake_thread, "a name"), 0);
	assert_string_equal(fake_thread.name, "a name");
	assert_int_equal(prof_thread_name_set(&fake_thread, "\n"), EFAULT);
	assert_int_equal(prof_thread_name_set(&fake_thread, NULL), EFAULT);
	assert_int_equal(prof_thread_name_set(&fake_thread, "a\tb"), 0);
	assert_int_equal(prof_thread_name_set(&fake_thread, "a name that is "
	    "longer than there is room for it"), 0);
	assert_int_equal(strlen(fake_thread.name), 31);
}

static void
test_generations_are_in_the_samples(void **state)
{
	uint64_t now = generation_current();
	struct live *record;

	assert_int_equal(generation_advance(), now + 1);
	record = begin(0x1000, 1);
	assert_int_equal(record->group->key.generation, now + 1);
	prof_sample_end(&fake_thread, (void *)0x1000, record);
}

/* ThreadSanitizer knows no worker: the same is done here. */
static bool
wait_for_fold(void)
{
#ifdef __SANITIZE_THREAD__
	cut_fold_generations();
	return true;
#else
	return worker_wait(10000);
#endif
}

static void
test_new_generations_fold_old_ones(void **state)
{
	enum { TURNS = 1000 };
	uint64_t dropped = prof_dropped_samples();

	for (unsigned turn = 0; turn < TURNS; turn++) {
		generation_advance();
		prof_generation_begun();
		assert_true(wait_for_fold());
		for (uintptr_t i = 1; i <= 100; i++) {
			struct prof_alloc alloc = { .ptr = (void *)0x1000,
			    .usable = 16 * i, .requested = 1 };

			prof_sample_begin(&fake_thread, &alloc);
			prof_sample_end(&fake_thread, alloc.ptr, NULL);
		}
	}
	/* there is no room for as many groups as there have been */
	assert_true(group_count() < 100 * TURNS / 4);
	assert_int_equal(prof_dropped_samples(), dropped);
}

/* --- fork ----------------------------------------------------------------- */

static atomic_bool stop;

static void *
sample_all_the_time(void *arg)
{
	uintptr_t first = (uintptr_t)arg;

	prof_thread_init(&fake_thread);
	prof_thread_gap(&fake_thread);
	while (!stop)
		for (uintptr_t i = 0; i < 50; i++) {
			begin(first + i * 16, 100);
			prof_sample_end(&fake_thread,
			    (void *)(first + i * 16), NULL);
		}
	return NULL;
}

/* What a child does: samples at once, looks at the cut, has its own chance. */
static int
child(uint64_t parents_prng, uint64_t live)
{
	struct cut cut;

	prof_fork_child();
	if (begin(0x1000, 100) == NULL)
		return 1;
	live_check();
	if (cut_begin(&cut) != 0)
		return 2;
	if (cut.samples_live < live + 1)
		return 3;
	cut_end(&cut);
	return fake_thread.prng == parents_prng ? 4 : 7;
}

static void
test_children_go_on(void **state)
{
	pthread_t threads[2];
	struct cut cut;

	stop = false;
	prof_thread_gap(&fake_thread);
	begin(0x2000, 100);
	for (uintptr_t i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, sample_all_the_time,
		    (void *)((i + 1) << 20));
	for (int i = 0; i < 100; i++) {
		int status;
		pid_t pid;

		/* also while a cut is open: the child drops it */
		if (i % 2 != 0)
			assert_int_equal(cut_begin(&cut), 0);
		prof_fork_prepare();
		pid = fork();
		if (pid == 0)
			_exit(child(fake_thread.prng, 1));
		prof_fork_parent();
		if (i % 2 != 0)
			cut_end(&cut);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 7);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	live_check();
	prof_sample_end(&fake_thread, (void *)0x2000, NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_sample_has_its_stack),
		cmocka_unit_test(test_the_end_needs_neither_thread_nor_record),
		cmocka_unit_test(test_what_is_live_before_is_reported),
		cmocka_unit_test(
		    test_while_a_fork_is_under_way_samples_are_dropped),
		cmocka_unit_test(test_inside_the_guard_nothing_is_sampled),
		cmocka_unit_test(test_short_of_memory_samples_are_dropped),
		cmocka_unit_test(test_seeds_repeat),
		cmocka_unit_test(test_threads_have_streams_of_their_own),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_what_is_allocated_while_off_is_reported),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_generations_are_in_the_samples),
		cmocka_unit_test(test_new_generations_fold_old_ones),
		cmocka_unit_test(test_children_go_on),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
