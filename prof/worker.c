/*
 * worker.c - see worker.h.
 *
 *   mapping:  | guard | stack ... top | thread-local blocks | tp ... |
 *
 * worker.state is the ownership of that mapping: who turns IDLE to RUNNING
 * may clone a task on it. The task gives it back as its last store, then
 * looks once more whether it was woken (worker_leave):
 *
 *   waker:  wakes++;      if state == IDLE and it can take it: clone
 *   task:   state = IDLE; if wakes changed and it can take it: start again
 *
 * Both are sequentially consistent, so that one of them sees the other. After
 * the store the stack may be another task's; what follows uses registers.
 */
#define _GNU_SOURCE
#include "worker.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "ids.h"
#include "os.h"
#include "util.h"

enum {
	STACK_BYTES = 256 * 1024,	/* a dump needs about 6 KiB of it */
	TLS_ABOVE = 16 * 1024,		/* struct pthread, were there one */
	TLS_BELOW = 64 * 1024,		/* at least, for errno and the like */
};

/* ThreadSanitizer knows the threads that pthread_create made, and no task. */
#ifdef __SANITIZE_THREAD__
enum { CAN_SPAWN = 0 };
#else
enum { CAN_SPAWN = 1 };
#endif

enum { IDLE, RUNNING };

static struct {
	/* constant after worker_start: */
	struct worker_options options;
	char *stack_top;
	char *tp;			/* thread pointer of the task */
	/* atomic: */
	_Atomic uint32_t state;		/* IDLE, RUNNING */
	_Atomic uint32_t wakes;
	_Atomic uint32_t serving;	/* 1: in serve */
} worker;

/*
 * A thread-local word of known content. Where it is in the image of the
 * thread-local data and where it is in this thread, together, say where the
 * block of ours begins in every thread.
 */
static const uint64_t tls_marker_value = UINT64_C(0xa5c35f1e9b04d776);
static __thread volatile uint64_t tls_marker = UINT64_C(0xa5c35f1e9b04d776);

/* --- entering and leaving ------------------------------------------------ */

long worker_clone(unsigned long flags, void *stack_top, void *tp,
    void (*entry)(void));
_Noreturn void worker_leave(_Atomic uint32_t *state, _Atomic uint32_t *wakes,
    uint32_t seen, void *stack_top, void (*entry)(void));
static void worker_main(void);

/*
 * worker_clone: the parent gets clone's result; the child calls entry, which
 * does not return, on the new stack.
 * worker_leave: *state = IDLE; if *wakes is still `seen`, or the state cannot
 * be had again, exit(0) of this task; else entry on a fresh stack.
 */
#if defined(__x86_64__)
__asm__(
"	.text\n"
"	.p2align 4\n"
"	.hidden worker_clone\n"
"	.globl worker_clone\n"
"	.type worker_clone, @function\n"
"worker_clone:\n"
"	.cfi_startproc\n"
"	mov %rdx, %r8\n"		/* tls */
"	mov %rcx, %r9\n"		/* entry: survives the call */
"	xor %edx, %edx\n"
"	xor %r10d, %r10d\n"
"	mov $56, %eax\n"		/* clone */
"	syscall\n"
"	test %rax, %rax\n"
"	jz 1f\n"
"	ret\n"
"1:	.cfi_undefined rip\n"
"	xor %ebp, %ebp\n"
"	call *%r9\n"
"	hlt\n"
"	.cfi_endproc\n"
"	.size worker_clone, .-worker_clone\n"
"	.p2align 4\n"
"	.hidden worker_leave\n"
"	.globl worker_leave\n"
"	.type worker_leave, @function\n"
"worker_leave:\n"
"	.cfi_startproc\n"
"	.cfi_undefined rip\n"
"	xor %eax, %eax\n"
"	xchg %eax, (%rdi)\n"		/* IDLE; a full barrier */
"	cmp %edx, (%rsi)\n"
"	je 2f\n"
"	xor %eax, %eax\n"
"	mov $1, %r9d\n"
"	lock cmpxchg %r9d, (%rdi)\n"
"	jne 2f\n"
"	mov %rcx, %rsp\n"
"	xor %ebp, %ebp\n"
"	call *%r8\n"
"	hlt\n"
"2:	xor %edi, %edi\n"
"	mov $60, %eax\n"		/* exit */
"	syscall\n"
"	hlt\n"
"	.cfi_endproc\n"
"	.size worker_leave, .-worker_leave\n"
);
#elif defined(__aarch64__)
__asm__(
"	.text\n"
"	.p2align 4\n"
"	.hidden worker_clone\n"
"	.globl worker_clone\n"
"	.type worker_clone, %function\n"
"worker_clone:\n"
"	.cfi_startproc\n"
"	mov x9, x3\n"			/* entry */
"	mov x3, x2\n"			/* tls */
"	mov x2, #0\n"
"	mov x4, #0\n"
"	mov x8, #220\n"			/* clone */
"	svc #0\n"
"	cbz x0, 1f\n"
"	ret\n"
"1:	.cfi_undefined x30\n"
"	mov x29, #0\n"
"	mov x30, #0\n"
"	blr x9\n"
"	brk #1\n"
"	.cfi_endproc\n"
"	.size worker_clone, .-worker_clone\n"
"	.p2align 4\n"
"	.hidden worker_leave\n"
"	.globl worker_leave\n"
"	.type worker_leave, %function\n"
"worker_leave:\n"
"	.cfi_startproc\n"
"	.cfi_undefined x30\n"
"	stlr wzr, [x0]\n"		/* IDLE */
"	dmb ish\n"
"	ldar w9, [x1]\n"
"	cmp w9, w2\n"
"	b.eq 2f\n"
"	mov w10, #1\n"
"1:	ldaxr w9, [x0]\n"
"	cbnz w9, 2f\n"
"	stlxr w11, w10, [x0]\n"
"	cbnz w11, 1b\n"
"	mov sp, x3\n"
"	mov x29, #0\n"
"	mov x30, #0\n"
"	blr x4\n"
"	brk #1\n"
"2:	clrex\n"
"	mov x0, #0\n"
"	mov x8, #93\n"			/* exit */
"	svc #0\n"
"	brk #1\n"
"	.cfi_endproc\n"
"	.size worker_leave, .-worker_leave\n"
);
#endif

/* --- the task ------------------------------------------------------------ */

static void
serve_once(void)
{
	atomic_store(&worker.serving, 1);
	worker.options.serve();
	atomic_store(&worker.serving, 0);
	os_futex_wake(&worker.serving, INT32_MAX);
}

/* Serves and ticks for ever. */
static void
stay(void)
{
	uint64_t interval = worker.options.interval_ms * 1000000;
	uint64_t next = os_now_ns() + interval;

	for (;;) {
		uint32_t seen = atomic_load(&worker.wakes);
		uint64_t now;

		ids_follow();
		serve_once();
		now = os_now_ns();
		if (now >= next) {
			worker.options.tick();
			/* Ticks that were missed are not made up for. */
			next += (now - next) / interval * interval + interval;
			continue;
		}
		if (atomic_load(&worker.wakes) == seen)
			os_futex_wait(&worker.wakes, seen, next - now);
	}
}

static void
worker_main(void)
{
	uint32_t seen;

	if (worker.options.interval_ms != 0)
		stay();
	do {
		seen = atomic_load(&worker.wakes);
		serve_once();
	} while (atomic_load(&worker.wakes) != seen);
	worker_leave(&worker.state, &worker.wakes, seen, worker.stack_top,
	    worker_main);
}

static bool
take(void)
{
	uint32_t idle = IDLE;

	return atomic_compare_exchange_strong(&worker.state, &idle, RUNNING);
}

/* The state is ours. All signals are blocked across: the task inherits it. */
static int
spawn(void)
{
	const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES |
	    CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS;
	uint64_t all = UINT64_MAX, mask = 0;
	long task;

	os_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &all, &mask,
	    sizeof mask);
	task = worker_clone(flags, worker.stack_top, worker.tp, worker_main);
	if (task < 0)
		atomic_store(&worker.state, IDLE);
	os_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL,
	    sizeof mask);
	return task < 0 ? (int)-task : 0;
}

int
worker_wake(void)
{
	atomic_fetch_add(&worker.wakes, 1);
	if (!CAN_SPAWN || worker.stack_top == NULL)
		return ENOTSUP;
	if (take())
		return spawn();
	if (worker.options.interval_ms != 0)
		os_futex_wake(&worker.wakes, 1);
	return 0;
}

bool
worker_running(void)
{
	return atomic_load(&worker.state) == RUNNING;
}

bool
worker_serve_here(void)
{
	uint32_t seen;

	if (worker.options.serve == NULL)
		return false;
	atomic_fetch_add(&worker.wakes, 1);
	do {
		if (!take())
			return false;
		seen = atomic_load(&worker.wakes);
		atomic_store(&worker.serving, 1);
		worker.options.serve();
		atomic_store(&worker.serving, 0);
		atomic_store(&worker.state, IDLE);
	} while (atomic_load(&worker.wakes) != seen);
	return true;
}

bool
worker_wait(unsigned timeout_ms)
{
	uint64_t end = os_now_ns() + (uint64_t)timeout_ms * 1000000;

	for (;;) {
		uint64_t now = os_now_ns();

		if (atomic_load(&worker.state) == IDLE ||
		    (worker.options.interval_ms != 0 &&
		    atomic_load(&worker.serving) == 0))
			return true;
		if (now >= end)
			return false;
		/* Not on the state: its last store wakes nobody. */
		if (atomic_load(&worker.serving) != 0)
			os_futex_wait(&worker.serving, 1, end - now);
		else
			os_yield();
	}
}

/* --- memory set aside ---------------------------------------------------- */

/* Our module's own ELF header, wherever it is loaded. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));

struct tls_image {
	const char *image;		/* what a thread's block begins as */
	size_t file_size, memory_size;
	long offset;			/* of the block from its tp */
};

static char *
thread_pointer(void)
{
	return __builtin_thread_pointer();
}

/* The marker's place in the image and in this thread give the offset. */
static int
tls_find(struct tls_image *out)
{
	const ElfW(Ehdr) *header = (const void *)__ehdr_start;
	const ElfW(Phdr) *phdr = (const void *)(__ehdr_start +
	    header->e_phoff);
	ElfW(Addr) base = 0;
	const ElfW(Phdr) *tls = NULL;

	for (size_t i = 0; i < header->e_phnum; i++) {
		if (phdr[i].p_type == PT_LOAD && phdr[i].p_offset == 0)
			base = (ElfW(Addr))__ehdr_start -
			    phdr[i].p_vaddr;
		if (phdr[i].p_type == PT_TLS)
			tls = &phdr[i];
	}
	if (tls == NULL)
		return ENOEXEC;
	out->image = (const char *)(base + tls->p_vaddr);
	out->file_size = tls->p_filesz;
	out->memory_size = tls->p_memsz;
	for (size_t at = 0; at + 8 <= out->file_size; at += 8) {
		if (memcmp(out->image + at, &tls_marker_value, 8) == 0) {
			out->offset = (const char *)&tls_marker -
			    (long)at - thread_pointer();
			return 0;
		}
	}
	return ENOEXEC;
}

static struct tls_image image;

/* Brings the task's thread-local data into the state of a new thread. */
static void
tls_reset(void)
{
	char *block = worker.tp + image.offset;

	memcpy(block, image.image, image.file_size);
	memset(block + image.file_size, 0,
	    image.memory_size - image.file_size);
#if defined(__x86_64__)
	/* The thread pointer, twice, the canary and the pointer guard. */
	memcpy(worker.tp, thread_pointer(), 64);
	memset(worker.tp + 8, 0, 8);	/* no dtv */
	memcpy(worker.tp, &worker.tp, 8);
	memcpy(worker.tp + 16, &worker.tp, 8);
#endif
}

static int
memory_set_aside(void)
{
	size_t page = os_page_system, below, above, size;
	long end = image.offset + (long)image.memory_size;
	char *start;

	below = TLS_BELOW + (image.offset < 0 ? (size_t)-image.offset : 0);
	above = TLS_ABOVE + (end > 0 ? (size_t)end : 0);
	below = align_up(below, page);
	above = align_up(above, page);
	size = page + STACK_BYTES + below + above;
	start = os_map(NULL, size);
	if (start == NULL)
		return ENOMEM;
	os_syscall3(SYS_mprotect, start, page, 0);	/* PROT_NONE */
	worker.tp = start + page + STACK_BYTES + below;
	tls_reset();
	worker.stack_top = start + page + STACK_BYTES;
	return 0;
}

int
worker_start(const struct worker_options *options)
{
	int error;

	if (worker.stack_top != NULL)
		return 0;
	worker.options = *options;
	error = tls_find(&image);
	if (error == 0)
		error = memory_set_aside();
	if (error == 0 && options->interval_ms != 0)
		error = worker_wake();
	return error;
}

void
worker_fork_child(void)
{
	if (worker.stack_top == NULL)
		return;
	tls_reset();
	atomic_store(&worker.serving, 0);
	atomic_store(&worker.state, IDLE);
}
