/*
 * prof_options.c - does with the profiler what its argument names, and
 * prints what the controls answer. Runs under Strata and under jemalloc,
 * whose answers are the same where the suite compares them.
 */
#include "e2e.h"

struct sums {
	uint64_t requested, count;
};

static void
must_succeed(const char *name, int error)
{
	if (error != 0)
		die("%s: %s", name, strerror(error));
}

static void
give_back(void *volatile ptr)
{
	USE(ptr);
	free(ptr);
}

/* --- prof_stats ----------------------------------------------------------- */

/* The class of size among "arenas.bin" or "arenas.lextent". */
static unsigned
class_of(const char *kind, size_t size)
{
	for (unsigned i = 0; ; i++) {
		size_t class_size, len = sizeof class_size;
		char name[64];

		snprintf(name, sizeof name, "arenas.%s.%u.size", kind, i);
		must_succeed(name, mallctl(name, &class_size, &len, NULL, 0));
		if (class_size >= size)
			return i;
	}
}

static struct sums
sums_of(const char *kind, size_t size, const char *which)
{
	struct sums sums;
	size_t len = sizeof sums;
	char name[64];

	snprintf(name, sizeof name, "prof.stats.%ss.%u.%s", kind,
	    class_of(kind, size), which);
	must_succeed(name, mallctl(name, &sums, &len, NULL, 0));
	return sums;
}

static void
print_change(const char *kind, size_t size, const char *which,
    struct sums before)
{
	struct sums now = sums_of(kind, size, which);

	printf("%s %s: %lld bytes, %lld samples\n", kind, which,
	    (long long)(now.requested - before.requested),
	    (long long)(now.count - before.count));
}

/* Ten blocks of size, of which four are freed and one grows to another. */
static void
use_class(const char *kind, size_t size)
{
	struct sums live = sums_of(kind, size, "live");
	struct sums accum = sums_of(kind, size, "accum");
	void *blocks[10];

	for (size_t i = 0; i < 10; i++)
		blocks[i] = malloc(size - i);
	for (size_t i = 0; i < 4; i++)
		give_back(blocks[i]);
	blocks[4] = realloc(blocks[4], 4 * size);
	print_change(kind, size, "live", live);
	print_change(kind, size, "accum", accum);
}

static void
print_result(const char *name, void *old, size_t oldlen, void *new,
    size_t newlen)
{
	size_t len = oldlen;
	int error = mallctl(name, old, old != NULL ? &len : NULL, new, newlen);

	printf("%s%s%s: %s\n", name, old != NULL ? " read" : "",
	    new != NULL ? " written" : "", strerror(error));
}

static void
do_classes(void)
{
	struct sums sums;

	use_class("bin", 6000);
	use_class("lextent", 200000);
	print_result("prof.stats.bins.3.accum", &sums, 8, NULL, 0);
	print_result("prof.stats.bins.3.live", NULL, 0, &sums, sizeof sums);
	print_result("prof.stats.bins.9999.live", &sums, sizeof sums, NULL, 0);
}

/* Without prof_stats. */
static void
do_no_classes(void)
{
	struct sums sums;

	print_result("prof.stats.bins.3.accum", &sums, sizeof sums, NULL, 0);
	print_result("prof.stats.lextents.3.live", &sums, sizeof sums, NULL,
	    0);
	print_result("prof.stats.bins.3.live", NULL, 0, &sums, sizeof sums);
}

/* --- prof_unbias, prof_accum ---------------------------------------------- */

/* 4 KiB blocks: 64 MiB of them stay, 16 MiB are freed. The dump is "blocks". */
static void
do_blocks(void)
{
	enum { COUNT = 16384 };
	static void *blocks[COUNT];

	for (size_t i = 0; i < COUNT; i++)
		blocks[i] = malloc(4096);
	for (size_t i = 0; i < COUNT / 4; i++)
		give_back(malloc(4096));
	must_succeed("prof.dump", dump_profile("blocks"));
	USE(blocks);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*function)(void);
	} all[] = {
		{ "classes", do_classes },
		{ "no_classes", do_no_classes },
		{ "blocks", do_blocks },
	};

	if (mallctl == NULL)
		die("no mallctl here");
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (argc > 1 && strcmp(argv[1], all[i].name) == 0) {
			all[i].function();
			return 0;
		}
	die("no such thing to do");
}
