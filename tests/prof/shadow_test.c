/*
 * shadow_test.c - a walk that joins the one before finds what a whole walk
 * finds, whatever became of the stack meanwhile.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "shadow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include "fake_host.h"
#include "gate.h"
#include "loader.h"
#include "os.h"
#include "profmem.h"
#include "stack.h"
#include "unwind.h"
#include "util.h"

enum { MAX = 200 };

static size_t most = MAX;		/* frames to ask for */
static size_t looks, depth;		/* of the last look */
static uint64_t seed;

static int
setup(void **state)
{
	os_init();
	profmem_boot(256 << 20, &fake_host);
	loader_boot(&fake_host);
	seed = (uint64_t)time(NULL);
	print_message("seed %llu\n", (unsigned long long)seed);
	fake_host_guard_enter();
	assert_int_equal(unwind_start(PROF_UNWIND_DWARF), 0);
	fake_host_guard_leave();
	fake_thread.shadow = shadow_new(MAX);
	assert_non_null(fake_thread.shadow);
	return 0;
}

static int
teardown(void **state)
{
	shadow_free(fake_thread.shadow);
	return 0;
}

/* Both from one place: [0] is inside the collector, [1] here. */
static __attribute__((noinline)) void
look(void)
{
	uintptr_t whole[MAX];
	struct stack_frames again;

	assert_true(gate_enter(&fake_thread));
	depth = unwind_collect(&fake_thread, whole, most);
	unwind_collect_again(&fake_thread, fake_thread.shadow, most, &again);
	gate_leave(&fake_thread);
	assert_int_equal(again.depth, depth);
	for (size_t i = 2; i < depth; i++)
		assert_int_equal(again.frames[i], whole[i]);
	assert_int_equal(again.hash, stack_hash(again.frames, again.depth));
	looks++;
}

static uint64_t
pick(uint64_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % n;
}

/* --- trees of calls ------------------------------------------------------- */

static int wander(unsigned left);

/* Alike in shape, so that one may stand where the other stood. */
static __attribute__((noinline)) int
plain_a(unsigned left)
{
	return wander(left) + 1;
}

static __attribute__((noinline)) int
plain_b(unsigned left)
{
	return wander(left) + 2;
}

static __attribute__((noinline)) int
two_places(unsigned left)
{
	if (pick(2) == 0)
		return wander(left) + 1;
	return wander(left) + 3;
}

static __attribute__((noinline)) int
unknown_size(unsigned left)
{
	volatile char *room = __builtin_alloca(pick(200) + 1);

	room[0] = 1;
	return wander(left) + room[0];
}

static __attribute__((noinline)) int
aligned(unsigned left)
{
	volatile char room[128] __attribute__((aligned(128)));

	room[0] = 1;
	return wander(left) + room[0];
}

static int
compare_wanders(const void *a, const void *b)
{
	wander(*(const unsigned *)a);
	return 0;
}

static __attribute__((noinline)) int
through_libc(unsigned left)
{
	unsigned two[] = { left, left };

	qsort(two, 2, sizeof *two, compare_wanders);
	return 1;
}

/* Calls on at random, returns at random, and looks in between. */
static __attribute__((noinline)) int
wander(unsigned left)
{
	static int (*const ways[])(unsigned) = { plain_a, plain_b, two_places,
	    unknown_size, aligned, through_libc };
	int sum = 0;

	for (uint64_t n = pick(3); left > 0 && n-- > 0;) {
		sum += ways[pick(ARRAY_LEN(ways))](left - 1);
		look();
	}
	if (left == 0)
		look();
	return sum;
}

static void
test_random_trees_of_calls(void **state)
{
	looks = 0;
	while (looks < 20000)
		wander(12);
}

static void
test_random_trees_cut_short(void **state)
{
	for (most = 1; most < 24; most++) {
		looks = 0;
		while (looks < 200)
			wander(10);
	}
	most = MAX;
}

#include "descend.h"

static void
test_the_unchanged_part_is_not_walked(void **state)
{
	struct shadow *shadow = fake_thread.shadow;

	no_tail_call = descend;
	descend(100);
	for (size_t i = 0; i < shadow->size; i++)
		shadow->fresh_pcs[i] = 42;
	descend(101);
	assert_true(depth > 100);
	/* the frames of this function, of cmocka and below it are as before */
	assert_int_not_equal(shadow->fresh_pcs[100], 42);
	assert_int_equal(shadow->fresh_pcs[108], 42);
	for (size_t i = 0; i < shadow->size; i++)
		shadow->fresh_pcs[i] = 42;
	descend(101);
	assert_int_not_equal(shadow->fresh_pcs[0], 42);
	assert_int_equal(shadow->fresh_pcs[108], 42);
}

static __attribute__((noinline, noclone)) int
room_and_look(size_t room)
{
	volatile char *lowest = __builtin_alloca(room);

	lowest[0] = 1;
	look();
	return lowest[0];
}

static __attribute__((noinline, noclone)) int
room_and_call(size_t above, size_t below, bool other)
{
	volatile char *lowest = __builtin_alloca(above);

	lowest[0] = 1;
	if (other)
		return room_and_look(below) + lowest[0];
	return room_and_look(below) + 2 * lowest[0];
}

/* The innermost frame has its sp again, and the old words lie about. */
static void
test_a_frame_that_begins_elsewhere(void **state)
{
	room_and_call(16, 1040, false);
	room_and_call(1040, 16, true);
	room_and_call(16, 1040, true);
	room_and_call(1040, 16, false);
}

/* --- other ways to leave a stack ------------------------------------------ */

static jmp_buf back;

static __attribute__((noinline)) int
descend_and_leave(int n)
{
	if (n == 0) {
		look();
		longjmp(back, 1);
	}
	return no_tail_call(n - 1) + 1;
}

static void
test_after_longjmp(void **state)
{
	for (volatile int n = 0; n < 100; n++) {
		no_tail_call = n % 3 == 0 ? descend : descend_and_leave;
		if (setjmp(back) == 0)
			no_tail_call(n * 7 % 50);
		look();
	}
}

static ucontext_t contexts[3];

static void
coroutine(int self)
{
	for (;;) {
		no_tail_call = descend;
		descend((int)pick(40));
		swapcontext(&contexts[self], &contexts[0]);
	}
}

static void
start(int i, void *stack, size_t size)
{
	getcontext(&contexts[i]);
	contexts[i].uc_stack = (stack_t){ .ss_sp = stack, .ss_size = size };
	makecontext(&contexts[i], (void (*)(void))coroutine, 1, i);
}

/* Two stacks side by side, of which one goes away and comes anew. */
static void
test_coroutines(void **state)
{
	const size_t size = 64 << 10;
	char *stacks = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(stacks, MAP_FAILED);
	start(1, stacks, size);
	start(2, stacks + size, size);
	for (int n = 0; n < 200; n++) {
		swapcontext(&contexts[0], &contexts[1 + pick(2)]);
		look();
		if (n % 20 != 19)
			continue;
		assert_int_equal(munmap(stacks + size, size), 0);
		swapcontext(&contexts[0], &contexts[1]);
		look();
		assert_ptr_equal(mmap(stacks + size, size,
		    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS |
		    MAP_FIXED_NOREPLACE, -1, 0), stacks + size);
		start(2, stacks + size, size);
	}
	munmap(stacks, 2 * size);
	look();
}

/* Another frame pointer: the words may be gone with a stack that was freed. */
static void
test_words_of_another_frame_are_not_read(void **state)
{
	struct shadow *shadow = shadow_new(8);
	uintptr_t fp = 2;

	assert_non_null(shadow);
	shadow->fresh_pcs[0] = shadow->fresh_pcs[1] = 1;
	shadow->fresh[1] = (struct shadow_frame){ .sp = 4096, .by_fp = 1,
	    .pc_at = -8, .fp_at = -8, .how = SHADOW_STEP | SHADOW_BY_FP };
	assert_true(shadow_keep(shadow, 2, 0, shadow->size));
	assert_int_equal(shadow_verify(shadow, shadow->first, &fp),
	    shadow->first);
	assert_int_equal(fp, 2);
	shadow_free(shadow);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_trees_of_calls),
		cmocka_unit_test(test_random_trees_cut_short),
		cmocka_unit_test(test_the_unchanged_part_is_not_walked),
		cmocka_unit_test(test_a_frame_that_begins_elsewhere),
		cmocka_unit_test(test_after_longjmp),
		cmocka_unit_test(test_coroutines),
		cmocka_unit_test(test_words_of_another_frame_are_not_read),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
