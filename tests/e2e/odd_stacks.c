/*
 * odd_stacks.c - allocates on stacks that are not a plain thread's: as small
 * as threads may have, coroutines' on memory of their own, a signal handler's
 * alternate one, and very deep ones.
 *
 * What the profiler puts on the caller's stack must fit where malloc alone
 * does; unwinding must end where a coroutine began. Proof: with the frames of
 * prof_bt_max:1024 on the stack a thread of the smallest size ended in SIGSEGV.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "e2e.h"

enum { ROUNDS = 200, SMALL_STACK = 16384, DEEP = 20000 };

static ucontext_t back, coroutine;

/* Each way to allocate and free, once. */
NOINLINE static void
allocate_a_little(void)
{
	for (size_t size = 1; size < 100000; size = size * 3 + 1) {
		char *p = malloc(size), *q = calloc(1, size);

		if (p == NULL || q == NULL)
			die("malloc failed");
		p[size - 1] = 1;
		p = realloc(p, size * 2);
		if (p == NULL || p[size - 1] != 1)
			die("realloc failed");
		free(p);
		free(q);
	}
}

static void *
on_small_stack(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		allocate_a_little();
	return NULL;
}

static void
test_small_threads(void)
{
	pthread_attr_t attr;
	pthread_t threads[4];
	long size = sysconf(_SC_THREAD_STACK_MIN);

	pthread_attr_init(&attr);
	if (pthread_attr_setstacksize(&attr, (size_t)size) != 0)
		die("pthread_attr_setstacksize");
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], &attr, on_small_stack,
		    NULL) != 0)
			die("pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	pthread_attr_destroy(&attr);
}

static void
coroutine_main(void)
{
	for (;;) {
		allocate_a_little();
		swapcontext(&coroutine, &back);
	}
}

/* On its own mapping, with a page below it that must not be touched. */
static char *
new_stack(void)
{
	char *memory = mmap(NULL, SMALL_STACK + 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_NONE) != 0)
		die("mmap: %s", strerror(errno));
	return memory + 4096;
}

static void
test_coroutine(void)
{
	char *stack = new_stack();

	for (int i = 0; i < ROUNDS; i++) {
		getcontext(&coroutine);
		coroutine.uc_stack.ss_sp = stack;
		coroutine.uc_stack.ss_size = SMALL_STACK;
		coroutine.uc_link = NULL;
		makecontext(&coroutine, coroutine_main, 0);
		swapcontext(&back, &coroutine);
		swapcontext(&back, &coroutine);
	}
	munmap(stack - 4096, SMALL_STACK + 4096);
}

/* Safe here: raised where the program is not inside malloc. */
static void
on_signal(int number)
{
	allocate_a_little();
}

static void
test_alternate_stack(void)
{
	stack_t alternate = { .ss_sp = new_stack(), .ss_size = SMALL_STACK };
	struct sigaction action = { .sa_handler = on_signal,
	    .sa_flags = SA_ONSTACK };

	if (sigaltstack(&alternate, NULL) != 0 ||
	    sigaction(SIGUSR1, &action, NULL) != 0)
		die("sigaltstack");
	for (int i = 0; i < ROUNDS; i++)
		raise(SIGUSR1);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
}

NOINLINE static int
recurse(int depth)
{
	int below = depth > 0 ? recurse(depth - 1) : 0;

	if (depth % 500 == 0)
		allocate_a_little();
	__asm__ volatile("" : "+r"(below));
	return below + 1;
}

int
main(void)
{
	test_small_threads();
	test_coroutine();
	test_alternate_stack();
	if (recurse(DEEP) != DEEP + 1)
		die("recursion");
	printf("ok\n");
	return 0;
}
