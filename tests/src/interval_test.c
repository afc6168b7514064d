/*
 * interval_test.c - stats_interval: statistics each so many bytes, whichever
 * threads allocate them.
 */
#include "core.h"

#include <pthread.h>
#include <stdatomic.h>

#include "names.h"

enum { INTERVAL = 100000, NTHREADS = 4 };

static _Atomic unsigned nprinted;

static void
count_beginnings(void *opaque, const char *text)
{
	(void)opaque;
	while ((text = strstr(text, "___ Begin")) != NULL) {
		nprinted++;
		text++;
	}
}

/* Allocates and frees size bytes, times times. */
static void
allocate(size_t size, size_t times)
{
	for (size_t i = 0; i < times; i++)
		free(malloc(size));
}

static void
test_small_blocks(void **state)
{
	unsigned before = nprinted;

	(void)state;
	allocate(100, 100 * INTERVAL / malloc_usable_size(malloc(100)));
	assert_in_range(nprinted - before, 99, 101);
}

static void
test_block_of_several_intervals_prints_once(void **state)
{
	unsigned before = nprinted;

	(void)state;
	allocate((size_t)50 * INTERVAL, 3);
	assert_int_equal(nprinted - before, 3);
	/* and leaves nothing to be made up for */
	allocate(100, 10 * INTERVAL / 112);
	assert_in_range(nprinted - before, 3 + 9, 3 + 11);
}

static void *
run_thread(void *arg)
{
	allocate(1000, 25 * INTERVAL / 1024);
	return arg;
}

static void
test_threads_count_together(void **state)
{
	pthread_t threads[NTHREADS];
	unsigned before = nprinted;

	(void)state;
	for (size_t i = 0; i < NTHREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread,
		    NULL), 0);
	for (size_t i = 0; i < NTHREADS; i++)
		pthread_join(threads[i], NULL);
	/* each may leave a little uncounted at its end */
	assert_in_range(nprinted - before, 25 * NTHREADS - 3,
	    25 * NTHREADS + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small_blocks),
		cmocka_unit_test(test_block_of_several_intervals_prints_once),
		cmocka_unit_test(test_threads_count_together),
	};

	/* before the first allocation, as MALLOC_CONF would */
	opt.stats_interval = INTERVAL;
	strcpy(opt.stats_interval_opts, "gmdablxeh");
	malloc_message = count_beginnings;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
