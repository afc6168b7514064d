/*
 * os.h - the one place that talks to the kernel.
 *
 * Every call is a raw system call: it works before main, in a signal handler,
 * in a fork or vfork child and in a task that raw clone made (no errno, no
 * cancellation point, no libc lock). Failures come back as -errno, or as NULL
 * where memory is asked for.
 */
#ifndef STRATA_OS_H
#define STRATA_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/*
 * The unit of extents, slabs and purging, in bytes: the system's page, or
 * the larger one that a debug option simulates. Constant after os_init.
 */
extern size_t os_page;
extern size_t os_page_system;	/* the true one */

/* The system hands out more memory than it has (not so: overcommit off). */
extern bool os_overcommits;

/* Reads the figures above; may be called again, by one thread. */
void os_init(void);

/* Simulates a page of size bytes (a power of two >= the true one). */
void os_page_simulate(size_t size);

static inline long
os_syscall6(long n, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
	long ret;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall" : "=a"(ret)
	    : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	    : "rcx", "r11", "memory");
	return ret;
#elif defined(__aarch64__)
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0" : "+r"(x0)
	    : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	    : "memory");
	return x0;
#else
#error "only x86-64 and aarch64 are supported"
#endif
}

/* The usual case: missing arguments are zero. */
#define os_syscall0(n)		os_syscall6(n, 0, 0, 0, 0, 0, 0)
#define os_syscall1(n, a)	os_syscall6(n, (long)(a), 0, 0, 0, 0, 0)
#define os_syscall2(n, a, b)	\
	os_syscall6(n, (long)(a), (long)(b), 0, 0, 0, 0)
#define os_syscall3(n, a, b, c)	\
	os_syscall6(n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define os_syscall4(n, a, b, c, d)	\
	os_syscall6(n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

/* --- memory: addresses and sizes are multiples of os_page_system --------- */

#ifdef UNIT_TEST
/*
 * Asked before each call that gets memory, gives it back or changes it: 0, or
 * the -errno with which that call ends. NULL: nothing fails. Any thread's.
 */
enum os_memory_call { OS_MAP, OS_RESERVE, OS_UNMAP, OS_PURGE, OS_PURGE_LAZY,
    OS_POPULATE, OS_PROTECT, OS_BREAK };
extern int (*os_fault)(enum os_memory_call call);
#endif

/* Private, zeroed, readable and writable; near hint if that is free. */
void *os_map(void *hint, size_t size);
/* Address space only (PROT_NONE); at exactly addr or not at all. */
int os_reserve_at(void *addr, size_t size);
int os_unmap(void *addr, size_t size);
/* The bytes read as zero afterwards and cost no memory. */
int os_purge(void *addr, size_t size);
/* Of the bytes from there to before there, the whole pages; errors are lost. */
void os_purge_within(char *from, char *to);
/*
 * Tries whether the kernel's MADV_DONTNEED zeroes, as Linux's does and an
 * emulator's may not. If it does not: false, and os_purge maps anew from here
 * on. Once, at start.
 */
bool os_purge_probe(void);
/* For tests: a kernel whose MADV_DONTNEED does nothing and says 0. */
void os_purge_simulate(bool idle);
/* The kernel may take the pages, or leave the bytes as they are. */
int os_purge_lazy(void *addr, size_t size);
/* Huge pages for the range, or none, whatever the system's default is. */
int os_advise_huge(void *addr, size_t size, bool huge);
/* Faults the pages in, to be written; not before Linux 5.14. */
int os_populate(void *addr, size_t size);
/* When the system uses huge pages; read anew at each call. */
enum os_thp { OS_THP_ALWAYS, OS_THP_MADVISE, OS_THP_NEVER, OS_THP_NONE };
enum os_thp os_thp_mode(void);
int os_protect(void *addr, size_t size, bool writable);
/*
 * Moves the end of the data segment; where it was, or NULL. Libc's sbrk does
 * it and not the system call: libc keeps the end in a variable of its own, and
 * its next call would cut off what we took. Keeps errno.
 */
void *os_move_break(intptr_t bytes);
/* Shows up in /proc/PID/maps where the kernel can (5.17); never fails. */
void os_name_mapping(void *addr, size_t size, const char *name);
/* Address-space randomisation is off for this process. */
bool os_aslr_off(void);

/* --- files --------------------------------------------------------------- */

/*
 * flags as open(2); O_CLOEXEC is added. A descriptor, never one of the three
 * standard ones, or -errno.
 */
int os_open(const char *path, int flags, unsigned mode);
int os_close(int fd);
long os_read(int fd, void *buf, size_t size);
long os_write(int fd, const void *buf, size_t size);
/* Repeats after EINTR and short writes. 0 or -errno. */
int os_write_all(int fd, const void *buf, size_t size);
int os_rename(const char *from, const char *to);
int os_unlink(const char *path);
/* The path without trailing NUL counted, or -errno. */
long os_readlink(const char *path, char *buf, size_t size);
/* Absolute, NUL-terminated. 0 or -errno. */
int os_getcwd(char *buf, size_t size);

/* --- time, identity, chance ---------------------------------------------- */

uint64_t os_now_ns(void);	/* monotonic */
uint64_t os_now_coarse_ns(void);	/* the same, 1 to 10 ms late; cheap */
uint64_t os_time_ns(void);	/* since 1970 */
int os_pid(void);
int os_tid(void);
unsigned os_ncpus(void);	/* that this process may use; >= 1 */
/* The one we run on, or -errno; without a system call where libc can. */
int os_cpu(void);
void os_yield(void);
void os_sleep_ns(uint64_t ns);
/* Fills buf; falls back on clock and address bits, so it cannot fail. */
void os_random(void *buf, size_t size);

/* --- futex: private to the process --------------------------------------- */

/* Sleeps while *word == value; returns at wake-ups and at random. */
void os_futex_wait(const void *word, uint32_t value, uint64_t timeout_ns);
void os_futex_wake(const void *word, int count);
enum { OS_NO_TIMEOUT = 0 };

static inline void
os_cpu_relax(void)
{
#if defined(__x86_64__)
	__asm__ volatile("pause");
#else
	__asm__ volatile("yield");
#endif
}

#endif
