/*
 * prof_options.c - does with the profiler what its argument names, and
 * prints what the controls answer. Runs under Strata and under jemalloc,
 * whose answers are the same where the suite compares them.
 */
#define _GNU_SOURCE
#include "e2e.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* --- prof_recent_alloc_max, prof_log -------------------------------------- */

/* Each allocates at a place of its own; the newest samples are told. */
static NOINLINE void *
site_a(size_t size)
{
	void *ptr = malloc(size);

	USE(ptr);
	return ptr;
}

static NOINLINE void *
site_b(size_t size)
{
	void *ptr = calloc(1, size);

	USE(ptr);
	return ptr;
}

static NOINLINE void
site_free(void *ptr)
{
	USE(ptr);
	free(ptr);
	USE(NULL);			/* no tail call: a frame of its own */
}

static void
put(void *opaque, const char *text)
{
	size_t size = strlen(text);

	if (write(*(int *)opaque, text, size) != (ssize_t)size)
		die("no output");
}

static void
dump_recent(void)
{
	int out = 1;
	struct {
		void (*write)(void *opaque, const char *text);
		void *opaque;
	} packet = { put, &out };

	must_succeed("alloc_dump", mallctl("experimental.prof_recent."
	    "alloc_dump", NULL, NULL, &packet, sizeof packet));
	put(&out, "\n");
}

static void
max_recent(ssize_t max)
{
	must_succeed("alloc_max", mallctl("experimental.prof_recent."
	    "alloc_max", NULL, NULL, &max, sizeof max));
}

/* No stdio: what it allocates would be among the newest. */
static void
do_recent(void)
{
	const char *name = "the main one";
	void *a, *b, *c;

	must_succeed("name", mallctl("thread.prof.name", NULL, NULL, &name,
	    sizeof name));
	a = site_a(100);
	b = site_b(70000);
	c = site_a(3000);
	site_free(b);
	dump_recent();
	max_recent(2);			/* forgets a */
	dump_recent();
	USE(site_b(9));			/* forgets b */
	site_free(c);
	site_free(a);
	dump_recent();
	max_recent(0);
	USE(site_b(9));
	dump_recent();
	max_recent(-1);
	USE(site_a(11));
	dump_recent();
}

static void *
allocate(void *arg)
{
	pthread_setname_np(pthread_self(), "a worker");
	*(void **)arg = site_a(5000);
	return NULL;
}

static void
log_work(void)
{
	pthread_t thread;
	void *theirs, *b = site_b(70000);

	pthread_create(&thread, NULL, allocate, &theirs);
	pthread_join(thread, NULL);
	site_free(theirs);
	site_free(b);
	site_free(site_a(3000));
}

static void
log_start(const char *name)
{
	must_succeed("prof.log_start", mallctl("prof.log_start", NULL, NULL,
	    &name, sizeof name));
}

/* The files are "first" and "second"; the block before them is in neither. */
static void
do_log(void)
{
	void *early = site_a(5000);

	site_free(site_b(70000));
	log_start("first");
	log_work();
	must_succeed("stop", mallctl("prof.log_stop", NULL, NULL, NULL, 0));
	site_free(site_b(70000));
	log_start("second");
	site_free(early);
	must_succeed("stop", mallctl("prof.log_stop", NULL, NULL, NULL, 0));
}

/* With prof_log:true: the file is written at exit, by a child too. */
static void
do_log_exit(void)
{
	pid_t pid;

	log_work();
	pid = fork();
	if (pid == 0) {
		site_free(site_a(3000));
		exit(0);
	}
	waitpid(pid, NULL, 0);
	printf("%d %d\n", (int)getpid(), (int)pid);
}

static void
do_log_results(void)
{
	const char *nowhere = "/nowhere/at/all.json";
	size_t size = 0;

	print_result("prof.log_stop", NULL, 0, NULL, 0);
	print_result("prof.log_start", &size, sizeof size, NULL, 0);
	print_result("prof.log_start", NULL, 0, &nowhere, sizeof nowhere);
	print_result("prof.log_start", NULL, 0, NULL, 0);
	print_result("prof.log_stop", NULL, 0, NULL, 0);
	print_result("experimental.prof_recent.alloc_dump", NULL, 0, &size,
	    sizeof size);
	size = (size_t)-2;
	print_result("experimental.prof_recent.alloc_max", NULL, 0, &size,
	    sizeof size);
}

/* Strata's only: a log that could not be written may be followed by another. */
static void
do_log_again(void)
{
	log_start("/nowhere/at/all.json");
	print_result("prof.log_stop", NULL, 0, NULL, 0);
	log_start("again");
	site_free(site_a(3000));
	print_result("prof.log_stop", NULL, 0, NULL, 0);
}

/* --- thread.prof.name, prof_sys_thread_name ------------------------------- */

static void
print_name(void)
{
	const char *name = NULL;
	size_t len = sizeof name;
	int error = mallctl("thread.prof.name", &name, &len, NULL, 0);

	printf("%s \"%s\"\n", strerror(error), error == 0 ? name : "");
}

static void
do_names(void)
{
	static const char *const names[] = { "given", "a\tb", "a\nb", NULL };

	pthread_setname_np(pthread_self(), "system's");
	USE(malloc(100));
	print_name();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		printf("%s: ", strerror(mallctl("thread.prof.name", NULL,
		    NULL, (void *)&names[i], sizeof names[i])));
		print_name();
	}
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
		{ "recent", do_recent },
		{ "log", do_log },
		{ "log_exit", do_log_exit },
		{ "log_results", do_log_results },
		{ "log_again", do_log_again },
		{ "names", do_names },
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
