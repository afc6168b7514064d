/*
 * compat_alloc.c - what malloc, its relatives and the *allocx functions give:
 * size classes, alignment, contents, limits, errno.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>

#include "compat.h"

#define GIB	((size_t)1 << 30)

/* Hides a size from the compiler's own checks. */
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

/* --- size classes ---------------------------------------------------------- */

static void
check_classes(void)
{
	unsigned nbins = ctl_unsigned("arenas.nbins");
	unsigned nlextents = ctl_unsigned("arenas.nlextents");
	char line[64];

	say("nbins", "%u", nbins);
	say("nlextents", "%u", nlextents);
	say("nhbins", "%u", ctl_unsigned("arenas.nhbins"));
	say("quantum", "%zu", ctl_size("arenas.quantum"));
	say("page", "%zu", ctl_size("arenas.page"));
	say("tcache_max", "%zu", ctl_size("arenas.tcache_max"));
	for (unsigned i = 0; i < nbins; i++) {
		snprintf(line, sizeof line, "bin %u size", i);
		say(line, "%zu", ctl_size(NAME("arenas.bin.%u.size", i)));
		snprintf(line, sizeof line, "bin %u nregs", i);
		say(line, "%u", ctl_unsigned(NAME("arenas.bin.%u.nregs", i)));
		snprintf(line, sizeof line, "bin %u slab", i);
		say(line, "%zu", ctl_size(NAME("arenas.bin.%u.slab_size", i)));
		snprintf(line, sizeof line, "bin %u shards", i);
		say(line, "%u",
		    ctl_unsigned(NAME("arenas.bin.%u.nshards", i)));
	}
	for (unsigned i = 0; i < nlextents; i++) {
		snprintf(line, sizeof line, "lextent %u size", i);
		say(line, "%zu", ctl_size(NAME("arenas.lextent.%u.size", i)));
	}
}

/* Each size at which nallocx changes: all of the table, from outside. */
static void
check_nallocx(void)
{
	size_t last = 0;
	char line[64];

	for (size_t n = 1; n <= 1 << 20; n++) {
		size_t usable = nallocx(n, 0);

		if (usable == last)
			continue;
		snprintf(line, sizeof line, "nallocx from %zu", n);
		say(line, "%zu", usable);
		last = usable;
	}
	for (unsigned lg = 20; lg < 64; lg++)
		for (int off = -1; off <= 1; off++) {
			size_t n = ((size_t)1 << lg) + (size_t)off;

			snprintf(line, sizeof line, "nallocx of 2^%u%+d", lg,
			    off);
			say(line, "%zu", nallocx(n, 0));
		}
	say("nallocx of the most", "%zu",
	    nallocx(ctl_size("arenas.lextent.195.size"), 0));
	say("nallocx of more than the most", "%zu",
	    nallocx(ctl_size("arenas.lextent.195.size") + 1, 0));
	say("nallocx of SIZE_MAX", "%zu", nallocx(SIZE_MAX, 0));
}

static void
check_alignments(void)
{
	static const size_t sizes[] = { 1, 8, 9, 17, 100, 129, 1000, 4095,
	    4096, 4097, 14336, 14337, 20000, 65536, 100000, 1 << 20 };
	char line[64];

	for (unsigned lg = 0; lg <= 30; lg++)
		for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
			int flags = MALLOCX_LG_ALIGN(lg);
			size_t said = nallocx(sizes[i], flags);
			void *p = mallocx(sizes[i], flags);

			snprintf(line, sizeof line, "%zu at 2^%u", sizes[i],
			    lg);
			say(line, "nallocx %zu %s%s", said,
			    p == NULL ? "NULL" :
			    aligned(p, (size_t)1 << lg) ? "aligned" :
			    "NOT ALIGNED", p != NULL &&
			    sallocx(p, 0) == said ? "" : " OTHER SIZE");
			if (p != NULL)
				dallocx(p, flags);
		}
	say("MALLOCX_ALIGN is MALLOCX_LG_ALIGN", "%d %d %d",
	    MALLOCX_ALIGN(1), MALLOCX_ALIGN(4096), MALLOCX_ALIGN(8 * GIB));
	say("nallocx at 2^62", "%zu", nallocx(1, MALLOCX_LG_ALIGN(62)));
	say("nallocx at 2^63", "%zu", nallocx(1, MALLOCX_LG_ALIGN(63)));
	say("mallocx at 2^62", "%p", mallocx(1, MALLOCX_LG_ALIGN(62)));
}

/* --- the *allocx functions ------------------------------------------------- */

static void
check_sallocx(void)
{
	unsigned wrong = 0;

	for (size_t n = 1; n < 70000; n += n < 4100 ? 1 : 511) {
		void *p = mallocx(n, 0);

		if (p == NULL || sallocx(p, 0) != nallocx(n, 0) ||
		    malloc_usable_size(p) != nallocx(n, 0))
			wrong++;
		sdallocx(p, n, 0);
		p = mallocx(n, MALLOCX_TCACHE_NONE);
		if (p == NULL || sallocx(p, 0) != nallocx(n, 0))
			wrong++;
		sdallocx(p, nallocx(n, 0), MALLOCX_TCACHE_NONE);
	}
	say("sallocx is not nallocx for", "%u sizes", wrong);
}

static void
check_zero(void)
{
	static const size_t sizes[] = { 1, 8, 100, 4096, 14336, 20000, 32768,
	    40000, 1 << 20, 9 << 20 };
	bool zero = true, kept = true;

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (int turn = 0; turn < 3; turn++) {
			size_t n = sizes[i];
			unsigned char *p = mallocx(n, MALLOCX_ZERO);
			size_t usable = sallocx(p, 0);

			zero &= all(p, usable, 0);
			memset(p, 0xee, usable);
			p = rallocx(p, usable * 3, MALLOCX_ZERO);
			kept &= all(p, usable, 0xee);
			zero &= all(p + usable, sallocx(p, 0) - usable, 0);
			memset(p, 0xee, sallocx(p, 0));
			p = rallocx(p, n, MALLOCX_ALIGN(8192));
			kept &= all(p, n, 0xee) && aligned(p, 8192);
			memset(p, 0xee, sallocx(p, 0));
			dallocx(p, 0);
			p = calloc(n, 1);
			zero &= all(p, n, 0);
			memset(p, 0xee, n);
			free(p);
		}
	say_if("MALLOCX_ZERO and calloc give zeros", zero);
	say_if("rallocx keeps the contents", kept);
}

static void
check_xallocx(void)
{
	static const struct {
		size_t from, size, extra;
	} calls[] = {
		{ 100, 100, 0 }, { 100, 112, 0 }, { 100, 113, 0 },
		{ 100, 96, 0 }, { 100, 1, 0 }, { 100, 1, 111 },
		{ 100, 97, 1000 }, { 100, 200, SIZE_MAX - 200 },
		{ 100, 1, SIZE_MAX - 1 }, { 14336, 14336, 1 },
		{ 14336, 20000, 0 }, { 16384, 14336, 0 }, { 16384, 100, 0 },
		{ 16384, 100, 16284 }, { 65536, 65536, 0 },
		{ 65536, 16384, 0 }, { 65536, 16385, 0 }, { 65536, 20480, 1 },
		{ 65536, 1, 0 }, { 1 << 20, 1 << 19, 0 },
		{ 1 << 20, 100000, 100000 }, { 1 << 20, 16384, 1 << 19 },
		{ 4 << 20, 1 << 20, 0 }, { 65536, SIZE_MAX, 0 },
		{ 65536, (size_t)1 << 62, (size_t)1 << 62 },
	};
	char line[100];

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		void *p = mallocx(calls[i].from, 0);

		snprintf(line, sizeof line, "xallocx of %zu to %zu + %zu",
		    calls[i].from, calls[i].size, calls[i].extra);
		say(line, "%zu", xallocx(p, calls[i].size, calls[i].extra, 0));
		dallocx(p, 0);
	}
}

/* Growth in place depends on the neighbour; what it says has to be true. */
static void
check_xallocx_growth(void)
{
	bool right = true, kept = true, zero = true;

	for (size_t n = 16384; n <= 1 << 20; n *= 2) {
		unsigned char *p = mallocx(n, MALLOCX_ZERO);
		size_t before = sallocx(p, 0), after;

		memset(p, 0xee, before);
		after = xallocx(p, n * 2, n, MALLOCX_ZERO);
		right &= after == sallocx(p, 0) && after >= before;
		kept &= all(p, before, 0xee);
		zero &= all(p + before, after - before, 0);
		dallocx(p, 0);
	}
	say_if("xallocx tells the truth of what grew", right);
	say_if("xallocx keeps the contents", kept);
	say_if("xallocx makes what grew zero if asked to", zero);
}

/* --- what the C library promises ------------------------------------------- */

static void
say_block(const char *name, void *p, int error)
{
	say(name, "%s %s", p == NULL ? "NULL" : "block",
	    p == NULL ? error_name(error) : "");
	free(p);
}

#define SAY_BLOCK(name, call) do {					\
	void *block;							\
									\
	errno = 0;							\
	block = call;							\
	say_block(name, block, errno);					\
} while (0)

static void
check_limits(void)
{
	static const size_t sizes[] = { 0, 1, (size_t)1 << 40,
	    (size_t)1 << 47, (size_t)1 << 48, (size_t)1 << 62,
	    0x7000000000000000, 0x7000000000000001, PTRDIFF_MAX,
	    (size_t)PTRDIFF_MAX + 1, SIZE_MAX - 4096, SIZE_MAX };
	char line[64];

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = opaque(sizes[i]);

		snprintf(line, sizeof line, "malloc(%#zx)", n);
		SAY_BLOCK(line, malloc(n));
		snprintf(line, sizeof line, "calloc(1, %#zx)", n);
		if (n <= 1 || n > (size_t)1 << 40)
			SAY_BLOCK(line, calloc(1, n));
		snprintf(line, sizeof line, "realloc(NULL, %#zx)", n);
		SAY_BLOCK(line, realloc(NULL, n));
		snprintf(line, sizeof line, "aligned_alloc(64, %#zx)", n);
		SAY_BLOCK(line, aligned_alloc(64, n));
		if (n == 0)
			continue;
		snprintf(line, sizeof line, "mallocx(%#zx)", n);
		SAY_BLOCK(line, mallocx(n, 0));
	}
	SAY_BLOCK("calloc(0, 0)", calloc(opaque(0), 0));
	SAY_BLOCK("calloc(5, 0)", calloc(opaque(5), 0));
	SAY_BLOCK("calloc that overflows",
	    calloc(opaque((size_t)1 << 33), (size_t)1 << 33));
	SAY_BLOCK("calloc that wraps to 8",
	    calloc(opaque(((size_t)1 << 63) + 4), 2));
}

static void
check_failed_realloc(void)
{
	char *p = malloc(100);
	/* to the compiler another pointer: it stays good when realloc fails */
	void *same = (void *)opaque((size_t)p), *q;

	memset(p, 'x', 100);
	errno = 0;
	q = realloc(same, opaque(PTRDIFF_MAX));
	say("realloc too large", "%s %s", q == NULL ? "NULL" : "block",
	    error_name(errno));
	q = rallocx((void *)opaque((size_t)p), opaque(PTRDIFF_MAX), 0);
	say_if("rallocx too large is NULL", q == NULL);
	say_if("the block is what it was", all((unsigned char *)p, 100, 'x'));
	free(p);
}

static void
check_aligned_errors(void)
{
	static const size_t alignments[] = { 0, 1, 2, 3, 4, 8, 16, 24, 4096,
	    5000, GIB, (size_t)1 << 62, (size_t)1 << 63, SIZE_MAX };
	char line[64];

	for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
		size_t a = opaque(alignments[i]);
		void *p = &line;
		int error;

		snprintf(line, sizeof line, "aligned_alloc(%#zx, 100)", a);
		SAY_BLOCK(line, aligned_alloc(a, 100));
		snprintf(line, sizeof line, "posix_memalign(%#zx, 100)", a);
		errno = 77;
		error = posix_memalign(&p, a, 100);
		say(line, "%s errno %d %s", error_name(error), errno,
		    error == 0 ? aligned(p, a) ? "aligned" : "NOT ALIGNED" :
		    p == &line ? "pointer untouched" : "POINTER CHANGED");
		if (error == 0)
			free(p);
		snprintf(line, sizeof line, "posix_memalign(%#zx, 0)", a);
		error = posix_memalign(&p, a, 0);
		say(line, "%s", error_name(error));
		if (error == 0)
			free(p);
	}
	SAY_BLOCK("memalign(64, 100)", memalign(64, 100));
	SAY_BLOCK("valloc(100)", valloc(100));
}

static void
check_errno_and_null(void)
{
	static const size_t sizes[] = { 8, 1000, 20000, 1 << 20, 9 << 20 };
	void *volatile null = NULL;
	bool kept = true;

	errno = 77;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		void *p = malloc(sizes[i]);

		USE(p);
		p = realloc(p, sizes[i] * 2);
		USE(p);
		free(p);
		p = mallocx(sizes[i], MALLOCX_ALIGN(8192));
		kept &= errno == 77;
		dallocx(p, 0);
		p = mallocx(sizes[i], 0);
		sdallocx(p, sizes[i], 0);
		kept &= errno == 77;
	}
	free(null);
	say_if("what succeeds leaves errno alone", kept && errno == 77);
	say("malloc_usable_size(NULL)", "%zu", malloc_usable_size(null));
}

/* By which names programs may know what they have. */
static void
check_symbols(void)
{
	static const char *const names[] = { "malloc", "calloc", "realloc",
	    "free", "aligned_alloc", "posix_memalign", "memalign", "valloc",
	    "pvalloc", "malloc_usable_size", "mallocx", "rallocx", "xallocx",
	    "sallocx", "dallocx", "sdallocx", "nallocx", "mallctl",
	    "mallctlnametomib", "mallctlbymib", "malloc_stats_print",
	    "malloc_message", "malloc_conf", "free_sized",
	    "free_aligned_sized", "_Znwm", "_ZnamSt11align_val_tRKSt9nothrow_t",
	    "_ZdlPvmSt11align_val_t" };
	Dl_info mine, other;
	void *library = NULL;
	char line[64];

	if (dladdr((void *)mallctl, &mine) != 0)
		library = dlopen(mine.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
	if (library == NULL)
		die("the library itself is not found");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		void *at = dlsym(library, names[i]);
		bool has = at != NULL && dladdr(at, &other) != 0 &&
		    strcmp(mine.dli_fname, other.dli_fname) == 0;

		snprintf(line, sizeof line, "has %s", names[i]);
		say(line, "%s", has ? "yes" : "no");
	}
}

int
main(void)
{
	compat_begin();
	check_classes();
	check_nallocx();
	check_alignments();
	check_sallocx();
	check_zero();
	check_xallocx();
	check_xallocx_growth();
	check_limits();
	check_failed_realloc();
	check_aligned_errors();
	check_errno_and_null();
	check_symbols();
	return 0;
}
