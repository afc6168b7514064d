/*
 * pool_soak.c - ROTATIONS quick rotations of some pools, while threads enter,
 * leave, nest, allocate in every way, hand blocks on, free late, begin and end
 * inside scopes; while pools are destroyed and created, and children forked
 * from inside and outside of scopes.
 *
 * Each block carries its number and a pattern of it: one handed out twice is
 * found when it is freed. At the end every block is freed and every pool
 * destroyed: an arena that is still there then has a lost block. What the
 * process needs is read after a tenth of the rotations and at the end, and
 * what the profiler needs not before SETTLED of them, and in the middle of the
 * rest.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"

#pragma weak strata_pool_create
#pragma weak strata_pool_rotate
#pragma weak strata_pool_enter
#pragma weak strata_pool_leave
#pragma weak strata_pool_destroy

enum {
	WORKERS = 4,
	POOLS = 3,
	SLOTS = 512,
	OPS = 64,			/* of a thread that comes and goes */
	FORK_EVERY = 40,		/* rotations */
	DESTROY_EVERY = 25,
	SETTLED = 300,			/* old generations are folded by then */
};

struct block {
	uint64_t id;
	size_t size;
	unsigned char bytes[];
};

/* What the process has that must not grow. */
struct footprint {
	size_t metadata, profiler, dropped;
	unsigned narenas, vmas;
};

static _Atomic(struct block *) slots[SLOTS];
static _Atomic unsigned pools[POOLS];
static _Atomic uint64_t next_id, entered;
static _Atomic bool stop;

static unsigned
pick(uint64_t *seed, unsigned n)
{
	return (unsigned)(next_random(seed) % n);
}

static void
release(struct block *block)
{
	if (block == NULL)
		return;
	for (size_t i = 0; i < block->size; i++)
		if (block->bytes[i] != (unsigned char)(block->id + i))
			die("block %llu of %zu bytes at %p: byte %zu",
			    (unsigned long long)block->id, block->size,
			    (void *)block, i);
	block->id = ~block->id;
	free(block);
}

static void
fill(struct block *block, size_t size)
{
	block->id = atomic_fetch_add(&next_id, 1);
	block->size = size;
	for (size_t i = 0; i < size; i++)
		block->bytes[i] = (unsigned char)(block->id + i);
}

static size_t
size_of(uint64_t *seed)
{
	if (pick(seed, 200) == 0)
		return 20000 + pick(seed, 300000);
	return pick(seed, 16) == 0 ? pick(seed, 4096) : pick(seed, 300);
}

static struct block *
obtain(uint64_t *seed, size_t bytes)
{
	unsigned pool = pools[pick(seed, POOLS)];
	void *ptr = NULL;

	switch (pick(seed, 6)) {
	case 0:
		return calloc(1, bytes);
	case 1:
		return posix_memalign(&ptr, 256, bytes) == 0 ? ptr : NULL;
	case 2:
		return mallocx(bytes, MALLOCX_POOL(pool));
	case 3:
		ptr = malloc(24);
		return realloc(ptr, bytes);
	default:
		return malloc(bytes);
	}
}

static void
exchange(uint64_t *seed)
{
	size_t size = size_of(seed);
	struct block *block = obtain(seed, sizeof *block + size);

	/* A pool may just have been destroyed. */
	if (block == NULL)
		return;
	fill(block, size);
	release(atomic_exchange(&slots[pick(seed, SLOTS)], block));
}

static void
scope(uint64_t *seed, unsigned depth)
{
	unsigned pool = pools[pick(seed, POOLS)];
	int error = strata_pool_enter(pool);

	if (error == ENOENT)
		return;
	if (error != 0)
		die("enter %u: %s", pool, strerror(error));
	atomic_fetch_add(&entered, 1);
	for (unsigned n = pick(seed, 40); n > 0; n--)
		exchange(seed);
	if (depth < 3 && pick(seed, 2) == 0)
		scope(seed, depth + 1);
	exchange(seed);
	error = strata_pool_leave(pool);
	if (error != 0)
		die("leave %u: %s", pool, strerror(error));
}

static void
step(uint64_t *seed)
{
	bool off = false, on = true;

	switch (pick(seed, 400)) {
	case 0:
		mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
		break;
	case 1:
		mallctl("thread.tcache.enabled", NULL, NULL, &off, sizeof off);
		scope(seed, 0);
		mallctl("thread.tcache.enabled", NULL, NULL, &on, sizeof on);
		break;
	default:
		scope(seed, 0);
		exchange(seed);
		release(atomic_exchange(&slots[pick(seed, SLOTS)], NULL));
	}
}

static void *
worker(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	while (!stop)
		step(&seed);
	return NULL;
}

/* Ends inside, if it can be in. */
static void *
passer(void *arg)
{
	uint64_t seed = (uintptr_t)arg;

	for (int i = 0; i < OPS; i++)
		step(&seed);
	(void)strata_pool_enter(pools[pick(&seed, POOLS)]);
	exchange(&seed);
	return NULL;
}

static void *
pass_by(void *arg)
{
	pthread_t thread;

	for (uintptr_t n = 0; !stop; n++) {
		if (pthread_create(&thread, NULL, passer, (void *)n) != 0)
			die("no thread");
		pthread_join(thread, NULL);
	}
	return arg;
}

/* It owns a copy of every block, but who was between two has some. */
static void
child(uint64_t *seed)
{
	alarm(60);
	for (int i = 0; i < 20; i++) {
		uint64_t generation;
		int error = strata_pool_rotate(pools[pick(seed, POOLS)],
		    &generation);

		if (error != 0 && error != ENOENT)
			die("rotate in a child: %s", strerror(error));
		step(seed);
	}
	for (int i = 0; i < SLOTS; i++)
		release(atomic_exchange(&slots[i], NULL));
	_Exit(0);
}

static void
fork_one(uint64_t *seed)
{
	unsigned pool = pools[pick(seed, POOLS)];
	bool inside = pick(seed, 2) == 0 && strata_pool_enter(pool) == 0;
	pid_t pid = fork();
	int status;

	if (pid == 0)
		child(seed);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		die("a child ended with status %x", pid < 0 ? -1 : status);
	if (inside && strata_pool_leave(pool) != 0)
		die("leave after fork");
}

/* Somebody is inside most of the time: tried some times. */
static unsigned
renew(unsigned which)
{
	unsigned pool = pools[which], fresh;

	for (int i = 0; i < 200; i++) {
		int error = strata_pool_destroy(pool);

		if (error == 0) {
			error = strata_pool_create(2 + which * 3, &fresh);
			if (error != 0)
				die("create: %s", strerror(error));
			pools[which] = fresh;
			return 1;
		}
		if (error != EAGAIN)
			die("destroy %u: %s", pool, strerror(error));
		sched_yield();
	}
	return 0;
}

static size_t
size_ctl(const char *name)
{
	size_t value = 0, length = sizeof value;
	uint64_t epoch = 1;

	mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
	return mallctl(name, &value, &length, NULL, 0) == 0 ? value : 0;
}

/* Manual ones: threads open the automatic ones, of lower indices. */
static unsigned
arenas(void)
{
	unsigned n = 0, automatic = 0, found = 0;
	size_t length = sizeof n;
	char name[64];

	mallctl("arenas.narenas", &n, &length, NULL, 0);
	mallctl("opt.narenas", &automatic, &length, NULL, 0);
	for (unsigned i = automatic; i < n; i++) {
		bool there = false;

		length = sizeof there;
		snprintf(name, sizeof name, "arena.%u.initialized", i);
		mallctl(name, &there, &length, NULL, 0);
		found += there;
	}
	return found;
}

/* Who is still there, and how it is held. */
static void
describe_arenas(void)
{
	char name[64];

	for (unsigned i = 0; i < 64; i++) {
		static const char *const of[] = { "small.allocated",
			"large.allocated", "pactive", "tcache_bytes" };
		size_t figures[4];

		for (int k = 0; k < 4; k++) {
			snprintf(name, sizeof name, "stats.arenas.%u.%s", i,
			    of[k]);
			figures[k] = size_ctl(name);
		}
		if (figures[2] > 0)
			printf("arena %u: small %zu, large %zu bytes, "
			    "%zu pages active, %zu bytes cached\n", i,
			    figures[0], figures[1], figures[2], figures[3]);
	}
	fflush(stdout);
}

static struct footprint
read_footprint(const char *when)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	struct footprint now = { 0 };
	char line[512];

	while (maps != NULL && fgets(line, sizeof line, maps) != NULL)
		now.vmas++;
	if (maps != NULL)
		fclose(maps);
	now.metadata = size_ctl("stats.metadata");
	now.profiler = size_ctl("prof.memory");
	now.dropped = size_ctl("prof.dropped_samples");
	now.narenas = arenas();
	printf("%s: metadata %zu bytes, profiler %zu bytes, "
	    "%zu samples dropped, %u arenas, %u mappings\n", when,
	    now.metadata, now.profiler, now.dropped, now.narenas, now.vmas);
	return now;
}

static void
finish_pools(unsigned before)
{
	unsigned after;

	for (int i = 0; i < SLOTS; i++)
		release(atomic_exchange(&slots[i], NULL));
	mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
	for (int i = 0; i < POOLS; i++) {
		int error = strata_pool_destroy(pools[i]);

		if (error != 0)
			die("destroy at the end: %s", strerror(error));
	}
	after = arenas();
	if (after == before)
		return;
	describe_arenas();
	die("%u arenas, %u before the pools", after, before);
}

/*
 * A generation adds some 60 KB to what the profiler has, all those after the
 * settled one several times the limit or a third of it; what it keeps of a
 * site goes on growing a little as rare sizes and lifetimes are seen. What is
 * kept too long makes both halves of the rest longer. What grows once does
 * not: all this is the most that there ever was, and on a busy machine the
 * worker may once come to fold later than before. The list of modules is had
 * beyond the limit.
 */
static void
check_profiler(const struct footprint *settled, const struct footprint *middle,
    const struct footprint *late)
{
	size_t limit = size_ctl("opt.prof_max_memory");

	if (late->profiler == 0)
		return;
	if (late->profiler > limit + (64 << 10))
		die("the profiler took more than %zu bytes", limit);
	if (middle->profiler > settled->profiler + limit / 16 &&
	    late->profiler > middle->profiler + limit / 16)
		die("the profiler's memory grew: %zu, %zu, %zu bytes",
		    settled->profiler, middle->profiler, late->profiler);
}

/*
 * Threads' caches, arenas and structs are made in the first hundreds of
 * rotations, 4 MB of them; one lost in each rotation is 20 KB or more. Without
 * retain mappings come and go.
 */
static void
check_growth(const struct footprint *early, const struct footprint *late)
{
	if (late->metadata > early->metadata + (6 << 20))
		die("metadata grew");
	if (late->vmas > early->vmas + 256)
		die("mappings grew");
}

int
main(int argc, char **argv)
{
	unsigned rotations = argc > 1 ? (unsigned)atoi(argv[1]) : 400;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	unsigned before, renewed = 0;
	unsigned settles;
	struct footprint early = { 0 }, settled = { 0 }, middle = { 0 }, late;
	pthread_t threads[WORKERS + 1];

	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	settles = rotations / 10 > SETTLED ? rotations / 10 : SETTLED;
	free(malloc(1));
	before = arenas();
	for (unsigned i = 0; i < POOLS; i++) {
		unsigned pool;

		if (strata_pool_create(2 + i * 3, &pool) != 0)
			die("create");
		pools[i] = pool;
	}
	for (uintptr_t i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, worker,
		    (void *)(uintptr_t)(seed * 100 + i));
	pthread_create(&threads[WORKERS], NULL, pass_by, NULL);
	for (unsigned i = 1; i <= rotations; i++) {
		if (strata_pool_rotate(pools[pick(&seed, POOLS)], NULL) != 0)
			die("rotate");
		step(&seed);
		if (i % FORK_EVERY == 0)
			fork_one(&seed);
		if (i % DESTROY_EVERY == 0)
			renewed += renew(pick(&seed, POOLS));
		if (i == rotations / 10)
			early = read_footprint("after a tenth");
		if (i == settles)
			settled = read_footprint("settled");
		if (i == settles + (rotations - settles) / 2)
			middle = read_footprint("in the middle");
	}
	late = read_footprint("at the end");
	stop = true;
	for (unsigned i = 0; i <= WORKERS; i++)
		pthread_join(threads[i], NULL);
	finish_pools(before);
	printf("%llu scopes, %llu blocks, %u pools renewed\n",
	    (unsigned long long)entered, (unsigned long long)next_id, renewed);
	check_growth(&early, &late);
	check_profiler(&settled, &middle, &late);
	printf("ok\n");
	return 0;
}
