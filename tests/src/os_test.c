/*
 * os_test.c - the raw system calls, where they promise more than the kernel.
 */
#include "core.h"

#include <fcntl.h>
#include <unistd.h>

/*
 * A program that runs without standard streams does not write into our
 * files, nor does it take them for its own.
 */
static void
test_open_leaves_the_standard_streams_free(void **state)
{
	int kept = fcntl(STDIN_FILENO, F_DUPFD, 10);
	int fd;

	close(STDIN_FILENO);
	fd = os_open("/dev/null", O_RDONLY, 0);
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
	os_close(fd);
	if (kept >= 0) {
		dup2(kept, STDIN_FILENO);
		close(kept);
	}
}

static void
test_open_tells_why_not(void **state)
{
	assert_int_equal(os_open("/nonexistent/file", O_RDONLY, 0), -ENOENT);
}

/* An emulator may say 0 and leave the bytes: then they go another way. */
static void
test_purging_zeroes_without_the_kernels_help(void **state)
{
	size_t size = 3 * os_page_system;
	char *bytes = os_map(NULL, size);

	assert_non_null(bytes);
	memset(bytes, 1, size);
	os_purge_simulate(true);
	assert_int_equal(os_purge(bytes, size), 0);
	assert_int_equal(bytes[0], 1);		/* as told */
	assert_false(os_purge_probe());
	assert_int_equal(os_purge(bytes + os_page_system, os_page_system), 0);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[os_page_system], 0);
	assert_int_equal(bytes[2 * os_page_system - 1], 0);
	assert_int_equal(bytes[2 * os_page_system], 1);
	os_purge_simulate(false);
	assert_true(os_purge_probe());
	assert_int_equal(os_purge(bytes, size), 0);
	assert_int_equal(bytes[0], 0);
	os_unmap(bytes, size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open_leaves_the_standard_streams_free),
		cmocka_unit_test(test_open_tells_why_not),
		cmocka_unit_test(
		    test_purging_zeroes_without_the_kernels_help),
	};

	os_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
