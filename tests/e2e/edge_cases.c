/*
 * edge_cases.c - the public functions at the edges of what they promise. Each
 * line names what it checks; the program ends at the first that is wrong.
 */
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
#include <wchar.h>

#include "e2e.h"

#pragma weak rallocx
#pragma weak xallocx
#pragma weak sallocx
#pragma weak nallocx
#pragma weak strata_pool_create
#pragma weak strata_pool_rotate

#define MUST(condition)							\
	((condition) ? (void)0 : die("line %d: %s", __LINE__, #condition))

/* Hides a size or a pointer from the compiler's own checks. */
static size_t
opaque(size_t n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

static bool
aligned(const void *p, size_t alignment)
{
	return ((uintptr_t)p & (alignment - 1)) == 0;
}

static bool
all(const unsigned char *p, size_t n, unsigned char value)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != value)
			return false;
	return true;
}

static void
test_zero_sizes(void)
{
	void *a = malloc(opaque(0)), *b = malloc(opaque(0));

	MUST(a != NULL && b != NULL && a != b);
	a = realloc(a, 10);
	MUST(a != NULL);
	free(a);
	free(b);
	MUST((a = calloc(0, 5)) != NULL);
	free(a);
	MUST((a = calloc(5, 0)) != NULL);
	free(a);
	free(NULL);
	MUST(malloc_usable_size(NULL) == 0);
	a = realloc(NULL, 100);
	MUST(a != NULL && malloc_usable_size(a) >= 100);
	free(a);
	MUST(posix_memalign(&a, 64, 0) == 0);
	free(a);
}

static void
test_too_much(void)
{
	static const size_t too_much[] = { SIZE_MAX, SIZE_MAX - 4096,
	    (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX, SIZE_MAX / 2 + 5000 };
	void *p = malloc(50), *q = p;

	for (size_t i = 0; i < sizeof too_much / sizeof too_much[0]; i++) {
		size_t n = opaque(too_much[i]);

		errno = 0;
		MUST(malloc(n) == NULL && errno == ENOMEM);
		errno = 0;
		MUST(realloc(p, n) == NULL && errno == ENOMEM);
		errno = 0;
		MUST(calloc(n, 1) == NULL && errno == ENOMEM);
		errno = 0;
		MUST(aligned_alloc(64, n) == NULL && errno != 0);
		errno = 0;
		MUST(memalign(4096, n) == NULL && errno == ENOMEM);
		MUST(posix_memalign(&q, 4096, n) == ENOMEM && q == p);
	}
	errno = 0;
	MUST(calloc(opaque(SIZE_MAX / 2), 3) == NULL && errno == ENOMEM);
	errno = 0;
	MUST(reallocarray(p, opaque(SIZE_MAX / 8), 16) == NULL &&
	    errno == ENOMEM);
	MUST((p = reallocarray(p, 30, 20)) != NULL);
	errno = 0;
	MUST(pvalloc(opaque(SIZE_MAX - 10)) == NULL && errno == ENOMEM);
	free(p);
}

static void
test_alignment(void)
{
	void *p = NULL;

	for (size_t size = 1; size < 100000; size = size * 3 / 2 + 1) {
		p = malloc(size);
		MUST(aligned(p, size < 16 ? 8 : 16));
		free(p);
		for (size_t a = 8; a <= (size_t)1 << 22; a *= 2) {
			MUST(posix_memalign(&p, a, size) == 0);
			MUST(aligned(p, a));
			memset(p, 1, size);
			MUST(malloc_usable_size(p) >= size);
			p = realloc(p, size * 2);
			MUST(all(p, size, 1));
			free(p);
			p = aligned_alloc(a, size);
			MUST(p != NULL && aligned(p, a));
			free(p);
		}
	}
	p = memalign(1 << 20, 100);
	MUST(p != NULL && aligned(p, 1 << 20));
	free(p);
	p = valloc(10);
	MUST(p != NULL && aligned(p, (size_t)sysconf(_SC_PAGESIZE)));
	free(p);
	p = pvalloc(10);
	MUST(p != NULL && aligned(p, (size_t)sysconf(_SC_PAGESIZE)));
	MUST(malloc_usable_size(p) >= (size_t)sysconf(_SC_PAGESIZE));
	free(p);
	p = (void *)1;
	MUST(posix_memalign(&p, opaque(3), 10) == EINVAL && p == (void *)1);
	MUST(posix_memalign(&p, opaque(4), 10) == EINVAL && p == (void *)1);
	MUST(posix_memalign(&p, opaque(0), 10) == EINVAL && p == (void *)1);
	MUST(posix_memalign(&p, opaque(96), 10) == EINVAL && p == (void *)1);
}

/* Fresh or used before: calloc's memory is zero, all that is usable. */
static void
test_zeroing(void)
{
	for (size_t size = 1; size < 20000000; size = size * 5 / 3 + 1) {
		unsigned char *p = malloc(size);

		MUST(p != NULL);
		memset(p, 0xff, malloc_usable_size(p));
		free(p);
		p = calloc(1, size);
		MUST(p != NULL && all(p, malloc_usable_size(p), 0));
		memset(p, 0xff, size);
		p = realloc(p, size / 2 + 1);
		MUST(all(p, size / 2 + 1, 0xff));
		free(p);
	}
}

/* Growing and shrinking keep what is common, through all size classes. */
static void
test_realloc(void)
{
	unsigned char *p = NULL;
	size_t old = 0;
	uint64_t random = 1;

	for (int i = 0; i < 3000; i++) {
		uint64_t r = next_random(&random);
		size_t size = 1 + (r >> 8) % ((size_t)16 << r % 20);

		p = realloc(p, size);
		MUST(p != NULL);
		MUST(all(p, old < size ? old : size, (unsigned char)i));
		memset(p, (i + 1) & 0xff, size);
		old = size;
	}
	for (size_t size = 16; size < ((size_t)8 << 20); size += size / 2) {
		p = realloc(p, size);
		MUST(p != NULL && malloc_usable_size(p) >= size);
	}
	free(p);
}

static void
test_errno(void)
{
	static const size_t sizes[] = { 1, 100, 5000, 100000, 10000000 };

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		void *p = malloc(sizes[i]);

		errno = 1234;
		free(p);
		MUST(errno == 1234);
		p = malloc(sizes[i]);
		p = realloc(p, sizes[i] + sizes[i] / 2);
		MUST(p != NULL && errno == 1234);
		free(p);
		MUST(errno == 1234);
	}
}

/* Blocks that the C library allocates on the program's behalf. */
static void
test_libc(void)
{
	char *line = NULL, *text = NULL, *memory = NULL;
	size_t capacity = 0, length = 0;
	wchar_t *wide = wcsdup(L"wide");
	FILE *f = fopen("/proc/self/maps", "r");

	MUST(f != NULL && wide != NULL);
	while (getline(&line, &capacity, f) > 0)
		MUST(malloc_usable_size(line) >= strlen(line));
	fclose(f);
	free(line);
	MUST(asprintf(&text, "%s %d", "text", 5) == 6);
	text = realloc(text, 1000);
	free(text);
	text = getcwd(NULL, 0);
	MUST(text != NULL);
	free(text);
	text = realpath("/proc/self/exe", NULL);
	MUST(text != NULL);
	free(text);
	f = open_memstream(&memory, &length);
	for (int i = 0; i < 10000; i++)
		fprintf(f, "%d\n", i);
	fclose(f);
	MUST(length == 48890);
	free(memory);
	free(wide);
}

/* What the program does not have from malloc is not taken for its own. */
static void
test_foreign(void)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char local[100];

	if (strata_version == NULL)
		return;
	MUST(page != MAP_FAILED);
	MUST(malloc_usable_size(page + 64) == 0);
	__asm__ volatile("" : : "r"(local) : "memory");
	MUST(malloc_usable_size((void *)opaque((size_t)local)) == 0);
	MUST(malloc_usable_size((void *)opaque(4096)) == 0);
	MUST(malloc_usable_size((void *)opaque(0x7ffffffff000)) == 0);
	MUST(malloc_usable_size((void *)opaque(0xffff800000000000)) == 0);
	munmap(page, 8192);
}

static void
test_mallocx(void)
{
	unsigned char *p;
	size_t usable;

	if (mallocx == NULL)
		return;
	for (size_t size = 1; size < 3000000; size = size * 7 / 4 + 1) {
		p = mallocx(size, MALLOCX_ZERO | MALLOCX_ALIGN(256));
		MUST(p != NULL && aligned(p, 256) && all(p, size, 0));
		usable = sallocx(p, 0);
		MUST(usable >= size && usable == malloc_usable_size(p));
		MUST(nallocx(size, MALLOCX_ALIGN(256)) == usable);
		memset(p, 7, usable);
		MUST(xallocx(p, usable, 0, 0) == usable);
		p = rallocx(p, size * 3, MALLOCX_ZERO);
		MUST(p != NULL && all(p, size, 7));
		MUST(all(p + usable, size * 3 > usable ? size * 3 - usable : 0,
		    0));
		usable = xallocx(p, size, 0, 0);
		MUST(usable == sallocx(p, 0) && usable >= size);
		sdallocx(p, usable, 0);
		p = mallocx(size, MALLOCX_TCACHE_NONE | MALLOCX_ARENA(0));
		MUST(p != NULL);
		dallocx(p, MALLOCX_TCACHE_NONE);
	}
	MUST(nallocx(opaque(SIZE_MAX), 0) == 0);
	MUST(mallocx(opaque((size_t)PTRDIFF_MAX + 1), 0) == NULL);
}

static void *
pause_for_good(void *arg)
{
	while (pause() < 0)
		continue;
	return arg;
}

/* A rotation makes a thread, for which libc allocates. */
static void *
rotate_first(void *pool)
{
	uint64_t bytes = 0;
	size_t size = sizeof bytes;
	void *p;

	MUST(strata_pool_rotate(*(unsigned *)pool, NULL) == 0);
	p = malloc(opaque(1 << 20));
	MUST(p != NULL);
	MUST(mallctl("thread.allocated", &bytes, &size, NULL, 0) == 0);
	MUST(bytes >= 1 << 20);
	free(p);
	return NULL;
}

/* The stacks that libc has kept for reuse are taken first. */
static void
test_a_thread_that_begins_with_a_rotation(void)
{
	pthread_t thread;
	unsigned pool;

	if (strata_pool_create == NULL)
		return;
	MUST(strata_pool_create(0, &pool) == 0);
	for (int i = 0; i < 8; i++)
		MUST(pthread_create(&thread, NULL, pause_for_good, NULL) == 0);
	MUST(pthread_create(&thread, NULL, rotate_first, &pool) == 0);
	MUST(pthread_join(thread, NULL) == 0);
}

int
main(void)
{
	test_zero_sizes();
	test_too_much();
	test_alignment();
	test_zeroing();
	test_realloc();
	test_errno();
	test_libc();
	test_foreign();
	test_mallocx();
	test_a_thread_that_begins_with_a_rotation();
	printf("ok\n");
	return 0;
}
