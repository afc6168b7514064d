/*
 * classes_test.c - sums by size class: live and ever, never negative.
 */
#include "classes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>

#include "util.h"

static void
test_off_there_are_none(void **state)
{
	struct prof_class sums;

	classes_boot(false);
	classes_begin(3, 100);
	assert_int_equal(classes_get(3, false, &sums), ENOENT);
	classes_boot(true);
	assert_int_equal(classes_get(3, true, &sums), 0);
	assert_int_equal(sums.count, 0);
	assert_int_equal(classes_get(4096, true, &sums), ENOENT);
}

static void
test_live_and_ever(void **state)
{
	struct prof_class sums;

	classes_begin(5, 100);
	classes_begin(5, 30);
	classes_begin(6, 1);
	classes_end(5, 100);
	assert_int_equal(classes_get(5, false, &sums), 0);
	assert_int_equal(sums.req_sum, 30);
	assert_int_equal(sums.count, 1);
	assert_int_equal(classes_get(5, true, &sums), 0);
	assert_int_equal(sums.req_sum, 130);
	assert_int_equal(sums.count, 2);
}

static volatile bool stop;

static void *
come_and_go(void *arg)
{
	while (!stop) {
		classes_begin(7, 10);
		classes_end(7, 10);
	}
	return NULL;
}

static void
test_a_reader_sees_no_negative_figure(void **state)
{
	pthread_t threads[3];
	struct prof_class sums;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, come_and_go, NULL);
	for (int i = 0; i < 200000; i++) {
		assert_int_equal(classes_get(7, false, &sums), 0);
		/* what begins between the two reads counts as live */
		assert_true((int64_t)sums.count >= 0);
		assert_true((int64_t)sums.req_sum >= 0);
	}
	stop = true;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(classes_get(7, false, &sums), 0);
	assert_int_equal(sums.count, 0);
	assert_int_equal(sums.req_sum, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_there_are_none),
		cmocka_unit_test(test_live_and_ever),
		cmocka_unit_test(test_a_reader_sees_no_negative_figure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
