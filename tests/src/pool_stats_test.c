/*
 * pool_stats_test.c - pool.<i>.stats.*: against what the program counts
 * itself, of one moment, and printed.
 */
#include "core.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "names.h"
#include "os.h"
#include "pool_blocks.h"

#include <strata/strata.h>

enum { N = 400, SIZE = 5120 };		/* a size class */

static unsigned pool;

static void
refresh(void)
{
	uint64_t epoch = 1;

	assert_int_equal(mallctl("epoch", NULL, NULL, &epoch, sizeof epoch),
	    0);
}

static int
read_of(unsigned of, const char *name, uint64_t *out, size_t size)
{
	char full[128];
	size_t len = size;

	*out = 0;
	snprintf(full, sizeof full, "pool.%u.stats.%s", of, name);
	return mallctl(full, out, &len, NULL, 0);
}

static uint64_t
get(const char *name, size_t size)
{
	uint64_t value;
	int error = read_of(pool, name, &value, size);

	if (error != 0)
		fail_msg("%s: %s", name, strerror(error));
	return value;
}

/* A figure of the arena at a place of the pool's. */
static uint64_t
get_at(unsigned at, const char *name, size_t size)
{
	char full[64];

	snprintf(full, sizeof full, "arenas.%u.%s", at, name);
	return get(full, size);
}

static void
flush(void)
{
	(void)mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);
}

static void
fill(void **blocks)
{
	assert_int_equal(strata_pool_enter(pool), 0);
	blocks_make(blocks, N, SIZE);
	assert_int_equal(strata_pool_leave(pool), 0);
}

static int
setup(void **state)
{
	return strata_pool_create(0, &pool);
}

static int
teardown(void **state)
{
	flush();
	return strata_pool_destroy(pool);
}

static void
test_a_new_pool_is_empty(void **state)
{
	refresh();
	assert_int_equal(get("generation", 8), strata_generation());
	assert_int_equal(get("generations_live", 4), 1);
	assert_int_equal(get("generations_retired", 4), 0);
	assert_int_equal(get("rotations", 8), 0);
	assert_int_equal(get("allocated", 8), 0);
	assert_int_equal(get("survivors", 8), 0);
	assert_int_equal(get("narenas", 4), 1);
	assert_int_equal(get_at(0, "current", 1), true);
}

static void
test_survivors_are_the_programs_count(void **state)
{
	enum { KEPT = 7 };
	uint64_t first, second;
	void *blocks[N], *more[N];

	refresh();
	first = get("generation", 8);
	fill(blocks);
	second = begin_generation(pool);
	fill(more);
	blocks_free(blocks + KEPT, N - KEPT);
	flush();
	blocks_free(more + N / 2, N - N / 2);
	flush();
	refresh();
	assert_int_equal(get("generation", 8), second);
	assert_int_equal(get("rotations", 8), 1);
	assert_int_equal(get("generations_live", 4), 2);
	assert_int_equal(get("generations_retired", 4), 1);
	/* the parked cache has no more than was freed */
	assert_int_equal(get("survivors", 8), KEPT * SIZE);
	assert_in_range(get("allocated", 8), (KEPT + N / 2) * SIZE,
	    (KEPT + N) * SIZE);
	assert_int_equal(get("narenas", 4), 2);
	assert_int_equal(get_at(0, "current", 1), false);
	assert_int_equal(get_at(0, "generation", 4), first);
	assert_int_equal(get_at(0, "allocated", 8), KEPT * SIZE);
	assert_in_range(get_at(0, "active", 8), KEPT * SIZE, N * SIZE / 2);
	/* and what is too little yet to be given back */
	assert_in_range(get_at(0, "resident", 8), get_at(0, "active", 8),
	    N * SIZE);
	assert_int_equal(get_at(1, "generation", 4), second);
	assert_int_equal(get_at(1, "current", 1), true);
	for (unsigned i = 0; i < KEPT; i++)
		free(blocks[i]);
	for (unsigned i = 0; i < N / 2; i++)
		free(more[i]);
}

static void
test_a_release_is_counted(void **state)
{
	void *blocks[N];

	fill(blocks);
	begin_generation(pool);
	blocks_free(blocks + 1, N - 1);
	flush();
	refresh();
	/* Its empty slabs, when the program rests; its last block at once. */
	for (unsigned i = 0; i < 10000 && get("released", 8) == 0; i++) {
		os_sleep_ns(1000000);
		refresh();
	}
	assert_true(get("released", 8) > 0);
	assert_int_equal(get("releases", 8), 0);
	free(blocks[0]);
	flush();
	refresh();
	assert_int_equal(get("releases", 8), 1);
	assert_true(get("released", 8) >= (uint64_t)N * SIZE);
	assert_int_equal(get_at(0, "releases", 8), 1);
	assert_int_equal(get_at(0, "released", 8), get("released", 8));
	assert_int_equal(get("generations_live", 4), 1);
	assert_int_equal(get("survivors", 8), 0);
	assert_int_equal(get("resident", 8), get_at(1, "resident", 8));
}

static void
test_figures_are_the_snapshots(void **state)
{
	uint64_t before, age;
	void *blocks[N];

	refresh();
	before = get("generation", 8);
	age = get("rotation_age_ns", 8);
	fill(blocks);
	begin_generation(pool);
	assert_int_equal(get("allocated", 8), 0);
	assert_int_equal(get("generation", 8), before);
	assert_int_equal(get("rotation_age_ns", 8), age);
	refresh();
	assert_true(get("allocated", 8) >= (uint64_t)N * SIZE);
	assert_int_equal(get("generation", 8), strata_generation());
	blocks_free(blocks, N);
}

/* Between the rotation's ends by the program's clock. */
static void
test_the_age_is_that_of_the_generation(void **state)
{
	uint64_t from = os_now_ns(), rotated, asked, age;

	begin_generation(pool);
	rotated = os_now_ns();
	while (os_now_ns() < rotated + 2000000)
		;
	asked = os_now_ns();
	refresh();
	age = get("rotation_age_ns", 8);
	assert_in_range(age, asked - rotated, os_now_ns() - from);
}

static void
test_what_is_not_there(void **state)
{
	uint64_t value;
	unsigned other;

	refresh();
	assert_int_equal(read_of(pool, "arenas.0.index", &value, 4), 0);
	assert_int_equal(read_of(pool, "arenas.1.index", &value, 4), ENOENT);
	assert_int_equal(read_of(pool, "arenas.64.index", &value, 4),
	    ENOENT);
	assert_int_equal(read_of(255, "generation", &value, 8), ENOENT);
	assert_int_equal(strata_pool_create(0, &other), 0);
	assert_int_equal(read_of(other, "generation", &value, 8), ENOENT);
	refresh();
	assert_int_equal(read_of(other, "generation", &value, 8), 0);
	assert_int_equal(strata_pool_destroy(other), 0);
	assert_int_equal(read_of(other, "generation", &value, 8), ENOENT);
	refresh();
	assert_int_equal(read_of(other, "generation", &value, 8), ENOENT);
}

/* The sums are those of the parts, whatever other threads do. */
static void *
churn(void *arg)
{
	atomic_bool *stop = arg;
	void *blocks[N];

	while (!atomic_load(stop)) {
		fill(blocks);
		begin_generation(pool);
		blocks_free(blocks, N);
	}
	flush();
	return NULL;
}

static void
check_sums(void)
{
	static const char *const names[] = { "allocated", "active",
		"resident", "releases", "released" };
	unsigned n = (unsigned)get("narenas", 4), ncurrent = 0;
	uint64_t survivors = 0;

	for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < n; i++)
			sum += get_at(i, names[k], 8);
		assert_int_equal(get(names[k], 8), sum);
	}
	for (unsigned i = 0; i < n; i++) {
		bool current = get_at(i, "current", 1);

		ncurrent += current;
		survivors += current ? 0 : get_at(i, "allocated", 8);
		assert_true(get_at(i, "allocated", 8) <=
		    get_at(i, "active", 8));
		assert_true(get_at(i, "active", 8) <=
		    get_at(i, "resident", 8));
		if (current)
			assert_int_equal(get_at(i, "generation", 4),
			    get("generation", 8));
	}
	assert_int_equal(ncurrent, 1);
	assert_int_equal(get("survivors", 8), survivors);
}

static void
test_one_reading_is_consistent(void **state)
{
	atomic_bool stop = false;
	pthread_t threads[2];

	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn,
		    &stop), 0);
	for (unsigned i = 0; i < 300; i++) {
		refresh();
		check_sums();
	}
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
}

struct text {
	char all[400000];
	size_t len;
};

static void
append(void *opaque, const char *piece)
{
	struct text *text = opaque;
	size_t n = strlen(piece);

	assert_true(text->len + n < sizeof text->all);
	memcpy(text->all + text->len, piece, n + 1);
	text->len += n;
}

static void
assert_prints(const char *opts, const char *line)
{
	static struct text text;

	text.len = 0;
	text.all[0] = '\0';
	malloc_stats_print(append, &text, opts);
	if (strstr(text.all, line) == NULL)
		fail_msg("'%s' is not in\n%s", line, text.all);
}

static void
test_text_names_the_survivors(void **state)
{
	uint64_t first = strata_generation();
	void *blocks[N];
	char line[160];

	fill(blocks);
	begin_generation(pool);
	blocks_free(blocks + 3, N - 3);
	flush();
	refresh();
	snprintf(line, sizeof line, "\nretired arena %" PRIu64
	    " (generation %" PRIu64 "): %u bytes alive in %" PRIu64
	    " of pages", get_at(0, "index", 4), first, 3 * SIZE,
	    get_at(0, "active", 8));
	assert_prints("gmdblxe", line);
	snprintf(line, sizeof line, "\npools[%u]: generation %" PRIu64 ", ",
	    pool, strata_generation());
	assert_prints("gmdablxe", line);
	for (unsigned i = 0; i < 3; i++)
		free(blocks[i]);
}

#define WITH_POOL(test) \
	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_POOL(test_a_new_pool_is_empty),
		WITH_POOL(test_survivors_are_the_programs_count),
		WITH_POOL(test_a_release_is_counted),
		WITH_POOL(test_figures_are_the_snapshots),
		WITH_POOL(test_the_age_is_that_of_the_generation),
		WITH_POOL(test_what_is_not_there),
		WITH_POOL(test_one_reading_is_consistent),
		WITH_POOL(test_text_names_the_survivors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
