/*
 * os.c - raw system calls; see os.h.
 */
#define _GNU_SOURCE
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

enum { PAGE_FALLBACK = 4096, PERSONALITY_NO_RANDOMIZE = 0x0040000 };

size_t os_page = PAGE_FALLBACK;
size_t os_page_system = PAGE_FALLBACK;
bool os_overcommits = true;

static bool
read_overcommits(void)
{
	char mode = '0';
	int fd = os_open("/proc/sys/vm/overcommit_memory", O_RDONLY, 0);

	if (fd < 0)
		return true;
	(void)os_read(fd, &mode, 1);
	os_close(fd);
	return mode != '2';
}

void
os_init(void)
{
	size_t page = getauxval(AT_PAGESZ);

	os_page_system = page != 0 ? page : PAGE_FALLBACK;
	if (os_page < os_page_system)
		os_page = os_page_system;
	os_overcommits = read_overcommits();
}

void
os_page_simulate(size_t size)
{
	if (is_pow2(size) && size >= os_page_system)
		os_page = size;
}

/* What a test wants of a call; nothing in a library that is not one. */
#ifdef UNIT_TEST
int (*os_fault)(enum os_memory_call call);
#define FAULT(call) (os_fault == NULL ? 0 : os_fault(call))
#else
#define FAULT(call) 0
#endif

void *
os_map(void *hint, size_t size)
{
	long ret = FAULT(OS_MAP);

	if (ret == 0)
		ret = os_syscall6(SYS_mmap, (long)hint, (long)size,
		    PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return ret < 0 && ret > -4096 ? NULL : (void *)ret;
}

int
os_reserve_at(void *addr, size_t size)
{
	long ret = FAULT(OS_RESERVE);

	if (ret == 0)
		ret = os_syscall6(SYS_mmap, (long)addr, (long)size, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
		    MAP_FIXED_NOREPLACE, -1, 0);
	if (ret < 0 && ret > -4096)
		return (int)ret;
	if (ret != (long)addr) {	/* a kernel before 4.17 */
		os_unmap((void *)ret, size);
		return -EEXIST;
	}
	return 0;
}

/* What is done to a mapping that there is. */
static int
change(int fault, long number, void *addr, size_t size, long how)
{
	return fault != 0 ? fault : (int)os_syscall3(number, addr, size, how);
}

int
os_unmap(void *addr, size_t size)
{
	return change(FAULT(OS_UNMAP), SYS_munmap, addr, size, 0);
}

/* What MADV_DONTNEED is worth here: set at start, before threads. */
static bool dontneed_idle;		/* for tests: do as if it did nothing */
static bool purge_maps;			/* do without */

static int
dontneed(void *addr, size_t size)
{
	if (dontneed_idle)
		return 0;
	return change(FAULT(OS_PURGE), SYS_madvise, addr, size,
	    MADV_DONTNEED);
}

int
os_purge(void *addr, size_t size)
{
	long ret;

	if (likely(!purge_maps))
		return dontneed(addr, size);
	ret = FAULT(OS_PURGE);
	if (ret != 0)
		return (int)ret;
	/* In place of the old pages, in one step: no one else gets them. */
	ret = os_syscall6(SYS_mmap, (long)addr, (long)size,
	    PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
	return ret == (long)addr ? 0 : (int)ret;
}

void
os_purge_within(char *from, char *to)
{
	from = (char *)align_up((uintptr_t)from, os_page_system);
	to = (char *)align_down((uintptr_t)to, os_page_system);
	if (from < to)
		(void)os_purge(from, (size_t)(to - from));
}

bool
os_purge_probe(void)
{
	volatile char *page = os_map(NULL, os_page_system);

	purge_maps = false;
	if (page == NULL)
		return true;		/* no reason to think ill of it */
	page[0] = 1;
	purge_maps = dontneed((void *)page, os_page_system) == 0 &&
	    page[0] != 0;
	os_unmap((void *)page, os_page_system);
	return !purge_maps;
}

void
os_purge_simulate(bool idle)
{
	dontneed_idle = idle;
}

int
os_purge_lazy(void *addr, size_t size)
{
	return change(FAULT(OS_PURGE_LAZY), SYS_madvise, addr, size,
	    MADV_FREE);
}

int
os_populate(void *addr, size_t size)
{
	enum { POPULATE_WRITE = 23 };	/* older headers have no MADV_ of it */

	return change(FAULT(OS_POPULATE), SYS_madvise, addr, size,
	    POPULATE_WRITE);
}

int
os_advise_huge(void *addr, size_t size, bool huge)
{
	return (int)os_syscall3(SYS_madvise, addr, size,
	    huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

/* The file names all modes, the one that holds in brackets. */
enum os_thp
os_thp_mode(void)
{
	char text[64];
	int fd = os_open("/sys/kernel/mm/transparent_hugepage/enabled",
	    O_RDONLY, 0);
	long n = fd < 0 ? -1 : os_read(fd, text, sizeof text);

	if (fd >= 0)
		os_close(fd);
	for (long i = 0; i + 1 < n; i++) {
		if (text[i] != '[')
			continue;
		return text[i + 1] == 'a' ? OS_THP_ALWAYS :
		    text[i + 1] == 'm' ? OS_THP_MADVISE : OS_THP_NEVER;
	}
	return OS_THP_NONE;
}

int
os_protect(void *addr, size_t size, bool writable)
{
	return change(FAULT(OS_PROTECT), SYS_mprotect, addr, size,
	    writable ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void *
os_move_break(intptr_t bytes)
{
	int error = errno;
	void *before = FAULT(OS_BREAK) != 0 ? (void *)-1 : sbrk(bytes);

	errno = error;
	return before == (void *)-1 ? NULL : before;
}

void
os_name_mapping(void *addr, size_t size, const char *name)
{
	(void)os_syscall6(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
	    (long)addr, (long)size, (long)name, 0);
}

bool
os_aslr_off(void)
{
	long persona = os_syscall1(SYS_personality, 0xffffffff);

	return persona >= 0 && (persona & PERSONALITY_NO_RANDOMIZE) != 0;
}

/*
 * In a program that closed its standard streams the lowest free number is one
 * of them: what the program prints would land in our file.
 */
int
os_open(const char *path, int flags, unsigned mode)
{
	int fd = (int)os_syscall4(SYS_openat, AT_FDCWD, path,
	    flags | O_CLOEXEC, mode);
	int high;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	high = (int)os_syscall3(SYS_fcntl, fd, F_DUPFD_CLOEXEC,
	    STDERR_FILENO + 1);
	os_close(fd);
	return high;
}

int
os_close(int fd)
{
	return (int)os_syscall1(SYS_close, fd);
}

long
os_read(int fd, void *buf, size_t size)
{
	return os_syscall3(SYS_read, fd, buf, size);
}

long
os_write(int fd, const void *buf, size_t size)
{
	return os_syscall3(SYS_write, fd, buf, size);
}

int
os_write_all(int fd, const void *buf, size_t size)
{
	const char *p = buf;

	while (size > 0) {
		long n = os_write(fd, p, size);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -EIO : (int)n;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int
os_rename(const char *from, const char *to)
{
	return (int)os_syscall4(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int
os_unlink(const char *path)
{
	return (int)os_syscall3(SYS_unlinkat, AT_FDCWD, path, 0);
}

long
os_readlink(const char *path, char *buf, size_t size)
{
	return os_syscall4(SYS_readlinkat, AT_FDCWD, path, buf, size);
}

int
os_getcwd(char *buf, size_t size)
{
	long ret = os_syscall2(SYS_getcwd, buf, size);

	return ret < 0 ? (int)ret : 0;
}

static uint64_t
clock_ns(clockid_t clock)
{
	struct timespec ts = { 0, 0 };

	/* libc's goes through the vdso and touches errno only if it fails. */
	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t
os_now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t
os_now_coarse_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC_COARSE);
}

uint64_t
os_time_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

int
os_pid(void)
{
	return (int)os_syscall0(SYS_getpid);
}

int
os_tid(void)
{
	return (int)os_syscall0(SYS_gettid);
}

unsigned
os_ncpus(void)
{
	/* The kernel's own mask, of at most 8192, must fit. */
	unsigned long mask[8192 / 8 / sizeof(unsigned long)] = { 0 };
	long bytes = os_syscall3(SYS_sched_getaffinity, 0, sizeof mask, mask);
	unsigned n = 0;

	if (bytes <= 0)
		return 1;
	for (size_t i = 0; i < (size_t)bytes / sizeof mask[0]; i++)
		n += (unsigned)__builtin_popcountl(mask[i]);
	return n == 0 ? 1 : n;
}

int
os_cpu(void)
{
	/* libc's reads what the kernel keeps in the thread's rseq area. */
	int cpu = sched_getcpu();
	unsigned number = 0;
	long ret;

	if (likely(cpu >= 0))
		return cpu;
	ret = os_syscall3(SYS_getcpu, &number, 0, 0);
	return ret < 0 ? (int)ret : (int)number;
}

void
os_yield(void)
{
	(void)os_syscall0(SYS_sched_yield);
}

void
os_sleep_ns(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / 1000000000u),
		.tv_nsec = (long)(ns % 1000000000u),
	};

	(void)os_syscall2(SYS_nanosleep, &ts, 0);
}

void
os_random(void *buf, size_t size)
{
	enum { GRND_NO_WAIT = 1 };
	unsigned char *p = buf;
	long n = os_syscall3(SYS_getrandom, buf, size, GRND_NO_WAIT);
	uint64_t x = os_now_ns() ^ (uint64_t)(uintptr_t)buf ^
	    (uint64_t)os_tid() << 40;

	for (size_t i = n > 0 ? (size_t)n : 0; i < size; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		p[i] = (unsigned char)(x >> 56);
	}
}

void
os_futex_wait(const void *word, uint32_t value, uint64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long)(timeout_ns % 1000000000u),
	};

	(void)os_syscall4(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
	    timeout_ns == OS_NO_TIMEOUT ? NULL : &ts);
}

void
os_futex_wake(const void *word, int count)
{
	(void)os_syscall3(SYS_futex, word, FUTEX_WAKE_PRIVATE, count);
}
