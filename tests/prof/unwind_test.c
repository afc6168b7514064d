/*
 * unwind_test.c - our walk against libunwind's, deep stacks, frames that a
 * signal interrupted, frame pointers, and the gate that fork closes.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "unwind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cfi.h"
#include "fake_host.h"
#include "gate.h"
#include "loader.h"
#include "modules.h"
#include "os.h"
#include "profmem.h"
#include "shadow.h"
#include "stack.h"
#include "unwind_lib.h"
#include "util.h"

enum { MAX = 600 };
static uintptr_t ours[MAX], theirs[MAX];
static size_t nours, ntheirs;

/* How many descriptors are open. */
static int
count_descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int descriptors_before;

static int
setup(void **state)
{
	const char *reason;
	os_init();
	profmem_boot(256 << 20, &fake_host);
	loader_boot(&fake_host);
	descriptors_before = count_descriptors();
	fake_host_guard_enter();
	assert_int_equal(unwind_start(PROF_UNWIND_DWARF), 0);
	assert_int_equal(count_descriptors(), descriptors_before);
	/* what the tests compare with */
	assert_int_equal(unwind_lib_open(&reason), 0);
	fake_host_guard_leave();
	return 0;
}

/* As ours, by what the last walk of this thread left. */
static void
compare_again(const struct stack_frames *again)
{
	assert_int_equal(again->depth, nours);
	for (size_t i = 2; i < nours; i++)
		assert_int_equal(again->frames[i], ours[i]);
}

/* All walks from one place; they differ in their innermost frames only. */
static __attribute__((noinline)) void
look(void)
{
	struct stack_frames again;

	fake_host_guard_enter();
	assert_true(gate_enter(&fake_thread));
	nours = unwind_collect(&fake_thread, ours, MAX);
	if (fake_thread.shadow == NULL)
		fake_thread.shadow = shadow_new(MAX);
	if (!unwind_uses_libunwind()) {
		unwind_collect_again(&fake_thread, fake_thread.shadow, MAX,
		    &again);
		compare_again(&again);
	}
	ntheirs = unwind_lib_collect(theirs, MAX);
	gate_leave(&fake_thread);
	fake_host_guard_leave();
}

static void
compare(void)
{
	/* [0] is inside the collector, [1] in look */
	assert_true(nours > 3);
	assert_int_equal(nours, ntheirs);
	for (size_t i = 2; i < nours; i++)
		assert_int_equal(ours[i], theirs[i]);
}

#include "descend.h"

static void
test_as_libunwind_at_many_depths(void **state)
{
	size_t before = 0;

	no_tail_call = descend;
	for (int depth = 0; depth <= 400; depth += 40) {
		assert_int_equal(descend(depth), depth);
		compare();
		if (depth > 0)
			assert_int_equal(nours, before + 40);
		before = nours;
	}
}

/* A frame whose size the compiler does not know. */
static __attribute__((noinline)) int
descend_alloca(int n)
{
	volatile char *room = __builtin_alloca((size_t)n * 8 + 16);

	room[0] = 1;
	if (n == 0) {
		look();
		return room[0];
	}
	return no_tail_call(n - 1) + room[0];
}

static __attribute__((noinline)) int
descend_aligned(int n)
{
	volatile char room[128] __attribute__((aligned(128)));

	room[0] = 1;
	if (n == 0) {
		look();
		return room[0];
	}
	return no_tail_call(n - 1) + room[0];
}

static void
test_frames_of_unusual_shape(void **state)
{
	no_tail_call = descend_alloca;
	descend_alloca(20);
	compare();
	no_tail_call = descend_aligned;
	descend_aligned(20);
	compare();
}

static int
order(const void *a, const void *b)
{
	if (nours == 0)
		look();
	return memcmp(a, b, 1);
}

static void
test_through_libc(void **state)
{
	char text[] = "some text";

	nours = 0;
	qsort(text, strlen(text), 1, order);
	compare();
}

static void *
thread_looks(void *arg)
{
	descend(50);
	return NULL;
}

static void
test_in_a_thread(void **state)
{
	pthread_t thread;

	no_tail_call = descend;
	pthread_create(&thread, NULL, thread_looks, NULL);
	pthread_join(thread, NULL);
	compare();
}

static void
test_no_more_than_asked_for(void **state)
{
	uintptr_t frames[8];

	for (size_t max = 1; max < 8; max++) {
		frames[max] = 42;
		assert_true(gate_enter(&fake_thread));
		assert_int_equal(unwind_collect(&fake_thread, frames, max),
		    max);
		gate_leave(&fake_thread);
		assert_int_equal(frames[max], 42);
	}
}

/* --- signals -------------------------------------------------------------- */

static void
handle(int sig)
{
	look();
}

static void
on_stack(void *stack)
{
	struct sigaction action = { .sa_handler = handle,
	    .sa_flags = stack != NULL ? SA_ONSTACK : 0 };
	stack_t alternate = { .ss_sp = stack, .ss_size = 256 << 10 };
	size_t signals = 0;

	if (stack != NULL)
		assert_int_equal(sigaltstack(&alternate, NULL), 0);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	compare();
	for (size_t i = 1; i < nours; i++)
		signals += (ours[i] & STACK_SIGNAL) != 0;
	assert_int_equal(signals, 1);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
}

static void
test_through_a_signal(void **state)
{
	on_stack(NULL);
}

static void
test_from_an_alternate_stack(void **state)
{
	void *stack = mmap(NULL, 256 << 10, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	on_stack(stack);
	munmap(stack, 256 << 10);
}

/* --- rules ---------------------------------------------------------------- */

static void
test_rules_of_every_function_of_libc(void **state)
{
	const struct module *libc = modules_at_pc((uintptr_t)qsort);
	size_t kinds[CFI_CFA_FP_DEREF + 1] = { 0 }, all = 0;
	struct module_segment code;
	struct cfi_rule rule;

	assert_non_null(libc);
	assert_int_equal(modules_segments(libc, &code, 1), 1);
	for (uintptr_t pc = code.start; pc < code.end; pc += 1021, all++) {
		cfi_find(pc, &rule);
		assert_true(rule.kind <= CFI_CFA_FP_DEREF);
		kinds[rule.kind]++;
	}
	print_message("of %zu: sp %zu, fp %zu, hard %zu, none %zu\n",
	    all, kinds[CFI_CFA_SP], kinds[CFI_CFA_FP], kinds[CFI_HARD],
	    kinds[CFI_UNKNOWN]);
	/* our own rules do all but a few */
	assert_true(kinds[CFI_CFA_SP] + kinds[CFI_CFA_FP] > all * 8 / 10);
	assert_true(kinds[CFI_HARD] < all / 50);
}

static void
test_no_rule_outside_of_modules(void **state)
{
	struct cfi_rule rule;

	cfi_find(4096, &rule);
	assert_int_equal(rule.kind, CFI_UNKNOWN);
	cfi_find((uintptr_t)&rule, &rule);
	assert_int_equal(rule.kind, CFI_UNKNOWN);
	cfi_find(UINTPTR_MAX, &rule);
	assert_int_equal(rule.kind, CFI_UNKNOWN);
}

/* A frame pointer that points anywhere must not be followed into a fault. */
static void
test_wild_frame_pointers(void **state)
{
	static const uintptr_t wild[] = { 0, 1, 4096, UINTPTR_MAX,
	    UINTPTR_MAX - 15, (uintptr_t)1 << 63, 0x7fffdeadbee0 };
	uintptr_t code = (uintptr_t)mmap(NULL, 4096, PROT_READ | PROT_WRITE |
	    PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* code without unwind information, with any frame pointer:
	 * push rbp; mov rdi, rbp; call rsi; pop rbp; ret */
#if defined(__x86_64__)
	static const uint8_t text[] = { 0x55, 0x48, 0x89, 0xfd, 0xff, 0xd6,
	    0x5d, 0xc3 };

	memcpy((void *)code, text, sizeof text);
	modules_refresh();
	for (size_t i = 0; i < ARRAY_LEN(wild); i++) {
		((void (*)(uintptr_t, void (*)(void)))code)(wild[i], look);
		assert_true(nours >= 3);
		assert_int_equal(ours[2], code + 6);
	}
#endif
	munmap((void *)code, 4096);
}

/* --- the gate ------------------------------------------------------------- */

static atomic_bool inside, go_on;

static void *
thread_unwinds(void *arg)
{
	fake_thread.uid = 5;		/* at another leaf than who forks */
	assert_true(gate_enter(&fake_thread));
	inside = true;
	while (!go_on)
		sched_yield();
	gate_leave(&fake_thread);
	return NULL;
}

static atomic_bool prepared;

static void *
thread_forks(void *arg)
{
	gate_fork_prepare(&fake_thread);
	prepared = true;
	gate_fork_parent();
	return NULL;
}

/* Ends once the gate is closed: entering fails then. */
static void
wait_for_closed_gate(void)
{
	while (gate_enter(&fake_thread)) {
		gate_leave(&fake_thread);
		sched_yield();
	}
}

static void
test_fork_waits_for_who_unwinds(void **state)
{
	pthread_t unwinder, forker;

	inside = go_on = prepared = false;
	pthread_create(&unwinder, NULL, thread_unwinds, NULL);
	while (!inside)
		sched_yield();
	pthread_create(&forker, NULL, thread_forks, NULL);
	wait_for_closed_gate();
	assert_false(prepared);
	go_on = true;
	pthread_join(forker, NULL);
	assert_true(prepared);
	pthread_join(unwinder, NULL);
	assert_true(gate_enter(&fake_thread));
	gate_leave(&fake_thread);
}

static void
test_fork_does_not_wait_for_itself(void **state)
{
	assert_true(gate_enter(&fake_thread));
	gate_fork_prepare(&fake_thread);	/* returns at once */
	gate_fork_parent();
	gate_leave(&fake_thread);
	assert_int_equal(fake_thread.unwinding, 0);
}

static void *
thread_dies_inside(void *arg)
{
	assert_true(gate_enter(&fake_thread));
	gate_thread_exit(&fake_thread);
	return NULL;
}

static void
test_a_thread_that_dies_inside_is_not_waited_for(void **state)
{
	uint64_t start = os_now_ns();
	pthread_t thread;

	pthread_create(&thread, NULL, thread_dies_inside, NULL);
	pthread_join(thread, NULL);
	gate_fork_prepare(&fake_thread);
	gate_fork_parent();
	assert_true(os_now_ns() - start < 900000000);
}

static void
test_a_child_may_unwind(void **state)
{
	int status;
	pid_t pid;

	gate_fork_prepare(&fake_thread);
	pid = fork();
	if (pid == 0) {
		gate_fork_child(&fake_thread);
		look();
		_exit(nours > 3 && fake_thread.unwinding == 0 ? 7 : 1);
	}
	gate_fork_parent();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void
test_libunwind_if_asked_for(void **state)
{
	assert_int_equal(unwind_start(PROF_UNWIND_UNW_STEP), 0);
	no_tail_call = descend;
	descend(30);
	/* through unwind_collect and collect_by_lib: two frames further in */
	assert_int_equal(nours, ntheirs + 2);
	for (size_t i = 2; i < ntheirs; i++)
		assert_int_equal(ours[i + 2], theirs[i]);
}

/* --- frame pointers: last, since the way of unwinding is chosen once ------ */

static __attribute__((noinline, optimize("no-omit-frame-pointer"))) int
descend_with_fp(int n)
{
	if (n == 0) {
		nours = unwind_collect(&fake_thread, ours, MAX);
		return 0;
	}
	return no_tail_call(n - 1) + 1;
}

static void
test_frame_pointers_stop_at_the_end_of_the_stack(void **state)
{
	const struct module *self = modules_at_pc((uintptr_t)setup);
	size_t inside_test = 0;

	assert_int_equal(unwind_start(PROF_UNWIND_FP), 0);
	no_tail_call = descend_with_fp;
	fake_thread.stack_low = fake_thread.stack_high = 0;
	descend_with_fp(30);
	assert_true(nours >= 30);
	for (size_t i = 0; i < nours; i++)
		inside_test += modules_at_pc(ours[i]) == self;
	assert_true(inside_test >= 30);
	/* the bounds of the stack were found */
	assert_true(fake_thread.stack_low < (uintptr_t)&inside_test);
	assert_true(fake_thread.stack_high > (uintptr_t)&inside_test);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_libunwind_at_many_depths),
		cmocka_unit_test(test_frames_of_unusual_shape),
		cmocka_unit_test(test_through_libc),
		cmocka_unit_test(test_in_a_thread),
		cmocka_unit_test(test_no_more_than_asked_for),
		cmocka_unit_test(test_through_a_signal),
		cmocka_unit_test(test_from_an_alternate_stack),
		cmocka_unit_test(test_rules_of_every_function_of_libc),
		cmocka_unit_test(test_no_rule_outside_of_modules),
		cmocka_unit_test(test_wild_frame_pointers),
		cmocka_unit_test(test_fork_waits_for_who_unwinds),
		cmocka_unit_test(test_fork_does_not_wait_for_itself),
		cmocka_unit_test(
		    test_a_thread_that_dies_inside_is_not_waited_for),
		cmocka_unit_test(test_a_child_may_unwind),
		cmocka_unit_test(test_libunwind_if_asked_for),
		cmocka_unit_test(
		    test_frame_pointers_stop_at_the_end_of_the_stack),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
