/*
 * rss_parts.c - a heap of about 300 MiB in all its states, and whether the
 * statistics explain what the system says the process has.
 *
 *   Rss = stats.resident + what is not the allocator's - what is untouched
 *
 * Not the allocator's: mappings of files, of modules' data, and named ones
 * ([stack], [vdso]). Threads run on stacks of this program's .bss, so that all
 * other anonymous memory is the allocator's. Untouched: whole pages behind
 * what was asked for, within the size class, which this program never writes;
 * resident counts them until they are purged, as nobody but the program can
 * know of them. Prints the parts; exits with 1 if they are more than 3 % away
 * from the whole.
 */
#define _GNU_SOURCE
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "e2e.h"

enum {
	NTHREADS = 8, NBLOCKS = 60000, STACK_BYTES = 256 << 10,
	THREAD_BYTES = 48 << 20,	/* that each allocates */
	TOLERANCE = 3,			/* percent */
};

static char stacks[NTHREADS][STACK_BYTES] __attribute__((aligned(65536)));
static void *blocks[NTHREADS][NBLOCKS];
static pthread_barrier_t barrier;
static uint32_t tails[NTHREADS][NBLOCKS];	/* of blocks, untouched */
static _Atomic size_t untouched;
static bool purges;			/* freed pages go at once */

/* xorshift: the same heap at every run */
static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Mostly small, some of pages, a few of hundreds of KiB. */
static size_t
size_of_block(uint64_t *state)
{
	uint64_t r = next(state) % 1000;

	if (r < 900)
		return 16 + next(state) % 1000;
	if (r < 998)
		return 1024 + next(state) % 30000;
	return 100000 + next(state) % 900000;
}

/* Written as far as the program asked, as programs do. */
static void *
make_block(size_t size, uint32_t *tail)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	char *ptr = malloc(size);
	uintptr_t end = (uintptr_t)ptr + malloc_usable_size(ptr);
	uintptr_t written = ((uintptr_t)ptr + size + page - 1) & -page;

	memset(ptr, 0xc5, size);
	end = (end + page - 1) & -page;
	*tail = size >= 16384 ? (uint32_t)(end - written) : 0;
	untouched += *tail;
	return ptr;
}

/*
 * Fills up, then frees a random half, in each thread the blocks of its
 * neighbour: slabs with holes, dirty pages, full caches.
 */
static void *
work(void *arg)
{
	size_t self = (size_t)arg, sum = 0, n = 0;
	size_t other = (self + 1) % NTHREADS;
	uint64_t state = 0x9e3779b97f4a7c15u * (self + 1);

	while (sum < THREAD_BYTES && n < NBLOCKS) {
		size_t size = size_of_block(&state);

		blocks[self][n] = make_block(size, &tails[self][n]);
		n++;
		sum += size;
	}
	pthread_barrier_wait(&barrier);
	for (n = 0; n < NBLOCKS; n++)
		if (next(&state) % 2 == 0) {
			free(blocks[other][n]);
			blocks[other][n] = NULL;
			untouched -= purges ? tails[other][n] : 0;
		}
	pthread_barrier_wait(&barrier);	/* all is in place: main measures */
	pthread_barrier_wait(&barrier);
	return NULL;
}

static void
start(pthread_t *threads)
{
	pthread_attr_t attr;

	pthread_barrier_init(&barrier, NULL, NTHREADS + 1);
	for (size_t i = 0; i < NTHREADS; i++) {
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, stacks[i], STACK_BYTES);
		if (pthread_create(&threads[i], &attr, work, (void *)i) != 0)
			die("no thread");
	}
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
}

/* --- what the system says ------------------------------------------------- */

struct range {
	uintptr_t begin, end;
	bool is_module;
};

static int
overlaps(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct range *range = arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + header->p_vaddr;

		if (header->p_type == PT_LOAD && begin < range->end &&
		    begin + header->p_memsz > range->begin)
			range->is_module = true;
	}
	return range->is_module;
}

/* KiB of the mappings that are not the allocator's, and of all. */
static void
read_smaps(size_t *foreign, size_t *all)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512], name[256];
	struct range range = { 0, 0, false };
	bool is_foreign = false;
	size_t kib;

	*foreign = *all = 0;
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s", &range.begin,
		    &range.end) == 2 && strchr(line, ':') != NULL &&
		    line[0] >= '0' && line[0] <= 'f') {
			name[0] = '\0';
			sscanf(line, "%*s %*s %*s %*s %*s %255s", name);
			range.is_module = false;
			dl_iterate_phdr(overlaps, &range);
			is_foreign = range.is_module || name[0] == '/' ||
			    (name[0] == '[' &&
			    strncmp(name, "[anon:", 6) != 0);
		} else if (sscanf(line, "Rss: %zu", &kib) == 1) {
			*all += kib;
			*foreign += is_foreign ? kib : 0;
		}
	}
	if (file != NULL)
		fclose(file);
}

static size_t
figure(const char *name)
{
	size_t value = 0, len = sizeof value;

	if (mallctl(name, &value, &len, NULL, 0) != 0)
		die("no %s", name);
	return value;
}

/* rss_parts [purges]: with it, under a configuration that does. */
int
main(int argc, char **argv)
{
	pthread_t threads[NTHREADS];
	size_t foreign, all, resident, explained, off;
	uint64_t epoch = 1;

	(void)argv;
	purges = argc > 1;
	start(threads);
	mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
	read_smaps(&foreign, &all);
	resident = figure("stats.resident") / 1024;
	explained = resident + foreign - untouched / 1024;
	off = explained > all ? explained - all : all - explained;
	printf("rss %zu KiB = resident %zu + foreign %zu - untouched %zu "
	    "%+zd\n", all, resident, foreign, untouched / 1024,
	    (ssize_t)(all - explained));
	printf("live %zu allocated %zu active %zu dirty %zu muzzy %zu "
	    "metadata %zu rtree %zu KiB\n",
	    figure("stats.live") / 1024, figure("stats.allocated") / 1024,
	    figure("stats.active") / 1024,
	    figure("stats.arenas.4096.pdirty") * 4,
	    figure("stats.arenas.4096.pmuzzy") * 4,
	    figure("stats.metadata") / 1024,
	    figure("stats.metadata_rtree") / 1024);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	return off * 100 > all * TOLERANCE;
}
