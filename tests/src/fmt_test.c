/*
 * fmt_test.c - formatted output, held against libc's.
 */
#include "core.h"

#include <limits.h>
#include <unistd.h>

#include "fmt.h"

/* Both format the same arguments to the same text and length. */
#define SAME(...)							\
	do {								\
		char ours[200], libc[200];				\
		size_t n = fmt_buf(ours, sizeof ours, __VA_ARGS__);	\
									\
		assert_int_equal(n, snprintf(libc, sizeof libc,		\
		    __VA_ARGS__));					\
		assert_string_equal(ours, libc);			\
	} while (0)

static void
test_integers(void **state)
{
	SAME("%d %d %i %u", 0, -1, INT_MIN, UINT_MAX);
	SAME("%ld %lu %lld %llu", LONG_MIN, ULONG_MAX, LLONG_MAX,
	    ULLONG_MAX);
	SAME("%zu %zd %zx %jd", SIZE_MAX, (ssize_t)-5, (size_t)0xbeef,
	    (intmax_t)-7);
	SAME("%x %lx", 0xdeadbeefu, 0x123456789abcdef0ul);
}

static void
test_widths_and_padding(void **state)
{
	SAME("[%5d] [%-5d] [%05d] [%5d]", 42, 42, 42, 1234567);
	SAME("[%05d] [%08x] [%-8x] [%3u]", -42, 0xabu, 0xabu, 7u);
	SAME("[%*d] [%20llu] [%-20zu]", 9, 42, 1ull, (size_t)2);
}

static void
test_strings_and_characters(void **state)
{
	SAME("[%s] [%10s] [%-10s] [%.2s] [%.*s]", "abc", "abc", "abc",
	    "abc", 1, "abc");
	SAME("%c%c%%%c", 'a', 'b', 'z');
	SAME("%p", (void *)0x7f0012345678);
	SAME("plain");
	SAME("%s", "");
}

static void
test_buffer_is_cut_and_measured(void **state)
{
	char buf[5] = "xxxx";

	assert_int_equal(fmt_buf(buf, sizeof buf, "%s", "123456789"), 9);
	assert_string_equal(buf, "1234");
	assert_int_equal(fmt_buf(NULL, 0, "%d", 12345), 5);
	assert_int_equal(fmt_buf(buf, 1, "%d", 12345), 5);
	assert_string_equal(buf, "");
}

static void
test_descriptor_gets_one_line(void **state)
{
	char buf[100] = "";
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fmt_fd(fds[1], "%s %d\n", "line", 7), 0);
	assert_int_equal(read(fds[0], buf, sizeof buf), 7);
	assert_string_equal(buf, "line 7\n");
	close(fds[0]);
	close(fds[1]);
	assert_true(fmt_fd(-1, "x") < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_widths_and_padding),
		cmocka_unit_test(test_strings_and_characters),
		cmocka_unit_test(test_buffer_is_cut_and_measured),
		cmocka_unit_test(test_descriptor_gets_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
