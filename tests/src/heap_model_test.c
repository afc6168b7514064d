/*
 * heap_model_test.c - everything that allocates, frees and resizes, at random,
 * against a reference heap (refheap.h): no overlap, alignment, contents,
 * usable sizes, zeroes, whose memory; and after every round the walkers and
 * exact sums.
 *
 *   test -> a process of its own per set of options, MALLOC_CONF in its
 *           environment -> generations of threads -> rounds -> steps
 *
 *   round:  each player makes, resizes, frees, passes blocks; binds itself to
 *           arenas, switches its cache, purges, sets decay times; enters,
 *           leaves and rotates pools
 *           all flush; barrier: nothing is cached, nobody runs
 *           the first walks the metadata, compares every arena's allocated
 *           bytes with the reference's, resets or destroys an arena, destroys
 *           a pool and makes another
 *
 * Meanwhile the process forks, and the children walk the metadata as the fork
 * found it. With faults the kernel refuses at random what players ask for.
 *
 * SEED repeats a run (with several threads: its requests, not their order);
 * MODEL_SCALE multiplies the steps. Proof: each of these is caught by a run or
 * two: a region handed out twice, slabs a byte off, zeroes not written, a
 * wrong cache domain, a block flushed to the wrong bin, counts not kept; of
 * pools a cache not bound to the current arena, lost at a leave, a rotation or
 * the thread's end, an outer scope's that is parked, an arena never dropped.
 */
#define _GNU_SOURCE
#include "core.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "boot.h"
#include "heap_player.h"
#include "thread.h"

enum {
	NLETTERS = 64,			/* blocks on their way to anybody */
	PLAYERS_MAX = 128,
	ROUNDS = 6,			/* of a generation of threads */
	NFORKS = 2,			/* in a generation */
	NLAST = 200,			/* steps after the last round */
};

/* ThreadSanitizer takes its time. */
#ifdef __SANITIZE_THREAD__
enum { SLOWNESS = 4 };
#else
enum { SLOWNESS = 1 };
#endif

static struct player players[PLAYERS_MAX];
static _Atomic(struct ref_block *) letters[NLETTERS];
static pthread_barrier_t barrier;
static unsigned nplayers;

/* --- passing -------------------------------------------------------------- */

/* The block goes into a letter box; whoever finds it has it. */
static void
pass_block(struct player *player, struct ref_block *block)
{
	struct ref_block *letter = malloc(sizeof *letter), *other;

	if (letter == NULL)
		ref_die("no memory for a letter");
	*letter = *block;
	block->ptr = NULL;
	/* Release, acquire: what the other reads of the block is written. */
	other = atomic_exchange_explicit(&letters[below(player, NLETTERS)],
	    letter, memory_order_acq_rel);
	if (other == NULL)
		return;
	*block = *other;
	free(other);
}

/* --- everything else ------------------------------------------------------ */

static unsigned
draw_arena(struct player *player)
{
	if (chance(player, 2))
		return (unsigned)below(player, arenas_nauto);
	return shared_arenas[below(player, NSHARED)];
}

static void
bind(struct player *player)
{
	unsigned arena = draw_arena(player);

	/* The processor's number decides among the automatic ones. */
	if (opt.percpu_arena != PERCPU_DISABLED && arena < arenas_nauto)
		return;
	ctl("thread.arena", NULL, NULL, &arena, sizeof arena);
	player->bound = arena < arenas_nauto ? NO_ARENA : arena;
}

static void
set_decay(struct player *player)
{
	static const ssize_t times[] = { -1, 0, 0, 1, 10, 10000 };
	ssize_t ms = times[below(player, ARRAY_LEN(times))];
	const char *leaf = chance(player, 2) ? "dirty_decay_ms" :
	    "muzzy_decay_ms";
	unsigned arena = draw_arena(player);

	if (chance(player, 10))
		ctl("arenas.dirty_decay_ms", NULL, NULL, &ms, sizeof ms);
	if (arena_get(arena, true) == NULL)
		ref_die("no arena %u", arena);
	ctl_arena(arena, leaf, &ms, sizeof ms);
}

static void
renew_cache(struct player *player)
{
	unsigned *cache = &player->caches[below(player, NCACHES)];

	ctl("tcache.flush", NULL, NULL, cache, sizeof *cache);
	if (chance(player, 2))
		return;
	ctl("tcache.destroy", NULL, NULL, cache, sizeof *cache);
	*cache = new_number("tcache.create");
}

static void
something_else(struct player *player)
{
	unsigned what = (unsigned)below(player, 12);

	if (what >= 4 && what < 6)
		begin_faults(player);
	switch (what) {
	case 0:
		player->cached = !player->cached;
		ctl("thread.tcache.enabled", NULL, NULL, &player->cached,
		    sizeof player->cached);
		break;
	case 1:
		thread_tcache_flush(thread_get());
		break;
	case 2:
		ctl("thread.idle", NULL, NULL, NULL, 0);
		break;
	case 3:
		renew_cache(player);
		break;
	case 4:
		arena_purge(draw_arena(player));
		break;
	case 5:
		ctl_arena(MALLCTL_ARENAS_ALL, chance(player, 3) ? "purge" :
		    "decay", NULL, 0);
		break;
	case 6:
	case 7:
		set_decay(player);
		break;
	case 8:
		ctl("epoch", NULL, NULL, &(uint64_t){ 1 }, sizeof(uint64_t));
		break;
	default:
		bind(player);
	}
	may_fail = false;
}

/* In scopes about half of the time, and some of them deep. */
static void
go_elsewhere(struct player *player)
{
	struct scopes *scopes = &player->scopes;
	unsigned pool = model_pools[below(player, NPOOLS)];
	bool inside;

	switch (below(player, 20)) {
	case 0:
		begin_faults(player);
		if (!scopes_rotate(scopes, pool, may_fail))
			atomic_fetch_add(&nfailed, 1);
		break;
	case 1:
		(void)strata_generation_advance();
		break;
	case 2:			/* perhaps not the innermost */
		scopes_leave(scopes, pool);
		break;
	case 3: case 4: case 5: case 6: case 7: case 8: case 9: case 10:
		begin_faults(player);
		inside = scopes_enter(scopes, pool);
		may_fail = false;
		if (inside && nplayers == 1)
			scopes_check_current(scopes);
		return;
	default:
		if (scopes->depth > 0)
			scopes_leave(scopes, scopes_innermost(scopes));
	}
	may_fail = false;
}

static unsigned long
scale(void)
{
	const char *text = getenv("MODEL_SCALE");

	return text == NULL ? 1 : strtoul(text, NULL, 10);
}

/* --- rounds --------------------------------------------------------------- */

static void
step(struct player *player)
{
	struct ref_block *block = &player->blocks[below(player, NBLOCKS)];

	if (chance(player, 400))
		something_else(player);
	else if (chance(player, 100))
		go_elsewhere(player);
	else if (block->ptr == NULL)
		make_block(player, block);
	else if (chance(player, 4))
		chance(player, 3) ? resize_in_place(player, block) :
		    resize_by_move(player, block);
	else if (chance(player, 6))
		pass_block(player, block);
	else
		drop_block(player, block);
}

/* What the reference says of each arena; small: few indices are in use. */
static uint64_t expected[ARENA_MAX];

static void
expect(const struct ref_block *block)
{
	ref_check(block, block->ptr, block->usable);
	expected[block->arena] += block->usable;
}

/* A letter is a block too, and holds one. */
static void
expect_letter(struct ref_block *letter)
{
	expect(letter);
	expected[extent_arena(pagemap_extent(pagemap_get(letter)))] +=
	    malloc_usable_size(letter);
}

/* All address space is in use or cached, and used as the blocks say. */
static void
check_space(struct arena *arena, const struct arena_stats *stats)
{
	struct pages *pages = &arena->pages;
	size_t space = pages_active(pages), used = 0;
	bool exact;

	for (unsigned i = 0; i < EXTENT_NCACHES; i++)
		space += ecache_bytes(&pages->caches[i]);
	for (unsigned i = 0; i < SC_NSMALL; i++)
		used += stats->bins[i].curslabs * sc_slabs[i].slab_size;
	for (unsigned i = 0; i < ARENA_NLARGE; i++)
		used += stats->large[i].curlextents *
		    align_up(sc_sizes[SC_NSMALL + i], os_page);
	exact = used == 0 || (faults == 0 && !opt.cache_oblivious);

	/*
	 * An extent that could not be cut for want of memory is larger than
	 * asked for, and one with room for an offset is.
	 */
	if (space != pages->address_space || (exact ?
	    used != pages_active(pages) : used > pages_active(pages)))
		ref_die("arena %u: %zu bytes active, %zu in use, %zu of %zu "
		    "known", arena->index, pages_active(pages), used, space,
		    pages->address_space);
}

static void
check_heap(void)
{
	static struct arena_stats stats;
	struct thread_totals totals;
	uint64_t sum = 0;

	for (unsigned i = 0; i < arenas_count(); i++) {
		struct arena *arena = arena_get(i, false);

		sum += expected[i];
		if (arena == NULL)
			continue;
		arena_check(arena);
		arena_stats_read(arena, &stats);
		/* they move them, now too */
		if (!opt.background_thread && opt.pool_rest_ms < 0)
			check_space(arena, &stats);
		if (stats.small_allocated + stats.large_allocated !=
		    expected[i])
			ref_die("arena %u: %zu + %zu bytes allocated, not "
			    "%llu", i, stats.small_allocated,
			    stats.large_allocated,
			    (unsigned long long)expected[i]);
	}
	arena_check(arena_internal());
	pools_check(expected);
	thread_totals(&totals);
	if (totals.allocated - totals.deallocated != sum)
		ref_die("%llu bytes live, not %llu", (unsigned long long)
		    (totals.allocated - totals.deallocated),
		    (unsigned long long)sum);
}

static void
forget(struct ref_block *block, unsigned arena)
{
	if (block->ptr == NULL || block->arena != arena)
		return;
	ref_occupy(block, false);
	block->ptr = NULL;
}

/* Nobody runs, nothing is cached: what the reference knows is all. */
static void
reset_arena(struct player *player)
{
	unsigned *arena = &shared_arenas[below(player, NSHARED)];
	bool bound = false, destroy = chance(player, 2);
	char name[64];
	int error;

	for (unsigned i = 0; i < nplayers; i++)
		bound |= players[i].bound == *arena;
	snprintf(name, sizeof name, "arena.%u.%s", *arena, destroy ?
	    "destroy" : "reset");
	error = mallctl(name, NULL, NULL, NULL, 0);
	if (error != (destroy && bound ? EFAULT : 0))
		ref_die("%s: %s", name, strerror(error));
	if (error != 0)
		return;
	for (unsigned i = 0; i < nplayers; i++)
		for (unsigned k = 0; k < NBLOCKS; k++)
			forget(&players[i].blocks[k], *arena);
	if (destroy)
		*arena = new_number("arenas.create");
}

static void
renew_pool(struct player *player)
{
	unsigned which = (unsigned)below(player, NPOOLS);
	bool inside = false;

	for (unsigned i = 0; i < nplayers; i++)
		for (unsigned k = 0; k < players[i].scopes.depth; k++)
			inside |= players[i].scopes.pools[k] ==
			    model_pools[which];
	pools_renew(which, inside, 2 + (unsigned)below(player, 5));
}

static void
drop_letters(struct player *player)
{
	for (unsigned i = 0; i < NLETTERS; i++) {
		struct ref_block *letter = atomic_exchange(&letters[i], NULL);

		if (letter == NULL)
			continue;
		drop_block(player, letter);
		free(letter);
	}
}

static void
lead(struct player *player)
{
	memset(expected, 0, sizeof expected);
	for (unsigned i = 0; i < nplayers; i++)
		for (unsigned k = 0; k < NBLOCKS; k++)
			if (players[i].blocks[k].ptr != NULL)
				expect(&players[i].blocks[k]);
	for (unsigned i = 0; i < NLETTERS; i++)
		if (letters[i] != NULL)
			expect_letter(letters[i]);
	check_heap();
	/* Letters would have to be forgotten as well: they are read first. */
	drop_letters(player);
	thread_tcache_flush(thread_get());
	for (unsigned i = 0; i < NCACHES; i++)
		(void)tcaches_flush(player->caches[i]);
	if (chance(player, 2))
		reset_arena(player);
	if (chance(player, 2))
		renew_pool(player);
}

static void
flush(struct player *player)
{
	struct thread *thread = thread_get();

	tcache_check(&thread->own_cache);
	if (thread->pool.depth > 0 && player->cached)
		tcache_check(thread->cache);
	thread_tcache_flush(thread);
	for (unsigned i = 0; i < NCACHES; i++) {
		tcache_check(tcaches_get(player->caches[i]));
		tcaches_flush(player->caches[i]);
	}
}

static void *
play(void *arg)
{
	struct player *player = arg;

	player->cached = opt.tcache;
	player->bound = NO_ARENA;
	/* Who was here before it ended inside, perhaps. */
	player->scopes = (struct scopes){ 0 };
	for (unsigned i = 0; i < NCACHES; i++)
		player->caches[i] = new_number("tcache.create");
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < player->steps; i++)
			step(player);
		flush(player);
		pthread_barrier_wait(&barrier);
		if (player->leader)
			lead(player);
		pthread_barrier_wait(&barrier);
	}
	/* So that the thread ends with something in its caches. */
	for (unsigned i = 0; i < NLAST; i++)
		step(player);
	for (unsigned i = 0; i < NCACHES; i++)
		ctl("tcache.destroy", NULL, NULL, &player->caches[i],
		    sizeof player->caches[i]);
	return NULL;
}

/*
 * All sizes, in no pool and in each that the leader has not just destroyed.
 * With ThreadSanitizer a child cannot have a thread, as the rest's is.
 */
static void
use_pools(void)
{
	for (unsigned i = 0; i <= NPOOLS; i++) {
		bool inside = i < NPOOLS &&
		    strata_pool_enter(model_pools[i]) == 0;

		if (inside && (SLOWNESS == 1 || opt.pool_rest_ms < 0) &&
		    strata_pool_rotate(model_pools[i], NULL) != 0)
			ref_die("a child cannot rotate a pool");
		for (size_t size = 1; size < 3 << 20; size += size / 2 + 1)
			free(memset(malloc(size), 1, size));
		if (inside && strata_pool_leave(model_pools[i]) != 0)
			ref_die("a child cannot leave a pool");
	}
}

/*
 * A child of a moment when the players are anywhere in the allocator: what
 * they had in hand is lost, the metadata must be whole, the heap usable.
 */
static void
fork_one(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		for (unsigned i = 0; i < arenas_count(); i++)
			if (arena_get(i, false) != NULL)
				arena_check(arena_get(i, false));
		use_pools();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status != 0)
		ref_die("a fork child ended with status 0x%x", status);
}

static void
play_generation(void)
{
	pthread_t threads[PLAYERS_MAX];

	for (unsigned i = 0; i < nplayers; i++)
		if (pthread_create(&threads[i], NULL, play, &players[i]) != 0)
			ref_die("pthread_create");
	for (unsigned i = 0; i < NFORKS * scale(); i++)
		fork_one();
	for (unsigned i = 0; i < nplayers; i++)
		pthread_join(threads[i], NULL);
}

static void
end_of_game(void)
{
	for (unsigned i = 0; i < nplayers; i++)
		for (unsigned k = 0; k < NBLOCKS; k++)
			if (players[i].blocks[k].ptr != NULL)
				drop_block(&players[i],
				    &players[i].blocks[k]);
	drop_letters(&players[0]);
	thread_tcache_flush(thread_get());
	memset(expected, 0, sizeof expected);
	check_heap();
	pools_end(shared_arenas, NSHARED);
}

/* In the process with the options: steps of all threads together. */
static int
play_all(unsigned threads, unsigned long steps)
{
	unsigned long per_round = steps / threads / ROUNDS + 1;

	/* Many short rounds tell more than a long one. */
	if (per_round > 2000)
		per_round = 2000;
	if (faults > 0)
		os_fault = fail_at_times;
	if (boot() != 0)
		ref_die("boot failed");
	in_zeroes = opt.zero;
	in_junk = opt.junk_alloc && !opt.zero;
	nplayers = threads;
	pthread_barrier_init(&barrier, NULL, threads);
	for (unsigned i = 0; i < NSHARED; i++)
		shared_arenas[i] = new_number("arenas.create");
	for (unsigned i = 0; i < NPOOLS; i++)
		model_pools[i] = pools_new(2 + i);
	for (unsigned i = 0; i < threads; i++) {
		players[i].random = core_random();
		players[i].steps = (unsigned)per_round;
		players[i].leader = i == 0;
	}
	for (unsigned long done = 0; done < steps;
	    done += threads * per_round * ROUNDS)
		play_generation();
	end_of_game();
	if (faults > 0)
		printf("%lu requests failed\n", nfailed);
	return faults > 0 && nfailed == 0;
}

/* --- one process per set of options --------------------------------------- */

struct game {
	const char *conf;
	unsigned threads;
	unsigned long steps;
	unsigned faults;
};

/* Without the checks of misuse, which a unit build has on: they take the
 * fast paths away. */
#define FAST "safety_checks:false,pool_rest_ms:-1"

static const struct game games[] = {
	{ FAST, 1, 400000, 0 },
	{ FAST, 128, 300000, 0 },
	{ FAST, 3, 500000, 0 },
	{ "safety_checks:true,pool_rest_ms:-1", 2, 150000, 0 },
	{ FAST ",narenas:1,dirty_decay_ms:0", 3, 200000, 0 },
	{ FAST ",tcache:false", 3, 200000, 0 },
	{ FAST ",retain:false,dirty_decay_ms:1", 2, 150000, 0 },
	{ FAST ",muzzy_decay_ms:-1,dirty_decay_ms:5", 2, 150000, 0 },
	{ FAST ",debug_page_size:16384", 2, 200000, 0 },
	{ FAST ",debug_page_size:65536", 2, 200000, 0 },
	{ FAST ",debug_page_size:65536,retain:false,tcache:false", 1, 100000, 0 },
	{ FAST ",bin_shards:1-14336:4", 3, 150000, 0 },
	{ FAST ",oversize_threshold:131072,narenas:2", 2, 100000, 0 },
	{ FAST ",cache_oblivious:true", 2, 150000, 0 },
	{ FAST ",percpu_arena:percpu", 3, 150000, 0 },
	{ FAST ",zero:true", 2, 150000, 0 },
	{ "junk:true,pool_rest_ms:-1", 2, 150000, 0 },
	{ FAST ",slab_sizes:1-4096:17|4097-14336:33", 2, 200000, 0 },
	{ FAST ",tcache_max:8388608,tcache_nslots_small_min:2,"
	    "tcache_nslots_small_max:4", 2, 150000, 0 },
	{ FAST ",background_thread:true,dirty_decay_ms:1", 3, 150000, 0 },
	{ FAST ",default_pool:3", 3, 100000, 0 },
	{ FAST ",default_pool:4,pool_rest_ms:1", 3, 100000, 0 },
	{ FAST ",default_pool:2,prof:true,lg_prof_sample:6,prof_prefix:",
	    2, 50000, 0 },
	{ FAST ",dirty_decay_ms:0,narenas:1", 2, 150000, 2 },
	{ FAST ",tcache:false,muzzy_decay_ms:1,dirty_decay_ms:1,retain:false",
	    2, 150000, 2 },
	{ FAST ",prof:true,lg_prof_sample:4,prof_prefix:", 2, 50000, 2 },
	{ FAST ",prof:true,lg_prof_sample:6,prof_prefix:", 2, 100000, 0 },
	{ FAST ",prof:true,lg_prof_sample:0,prof_prefix:", 2, 40000, 0 },
};

static void
play_in_child(const struct game *game)
{
	char seed[32], threads[16], steps[32], one_in[16];
	int status;
	pid_t pid;

	snprintf(seed, sizeof seed, "0x%llx",
	    (unsigned long long)core_random());
	snprintf(threads, sizeof threads, "%u", game->threads);
	snprintf(steps, sizeof steps, "%lu", game->steps * scale() /
	    SLOWNESS);
	snprintf(one_in, sizeof one_in, "%u", game->faults);
	printf("MALLOC_CONF=%s SEED=%s heap_model_test %s %s %s\n",
	    game->conf, seed, threads, steps, one_in);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setenv("SEED", seed, 1);
		setenv("MALLOC_CONF", game->conf, 1);
		execl("/proc/self/exe", "heap_model_test", threads, steps,
		    one_in, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
test_model(void **state)
{
	play_in_child(*state);
}

int
main(int argc, char **argv)
{
	struct CMUnitTest tests[ARRAY_LEN(games)];

	core_seed();
	if (argc == 4) {
		faults = (unsigned)atoi(argv[3]);
		return play_all((unsigned)atoi(argv[1]),
		    strtoul(argv[2], NULL, 10));
	}
	for (size_t i = 0; i < ARRAY_LEN(games); i++)
		tests[i] = (struct CMUnitTest){ games[i].conf, test_model,
		    NULL, NULL, (void *)&games[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
