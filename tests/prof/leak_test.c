/*
 * leak_test.c - the summary at exit: its words, and its figures.
 */
#define _GNU_SOURCE
#include "leak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "fake_cut.h"

static int
setup(void **state)
{
	os_init();
	fake_clear();
	return 0;
}

/* What the summary says on stderr; static. */
static const char *
summary(bool *leak)
{
	static char said[1024];
	int fds[2], saved = dup(2);
	ssize_t n;

	assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
	dup2(fds[1], 2);
	*leak = leak_summary();
	dup2(saved, 2);
	n = read(fds[0], said, sizeof said - 1);
	said[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	close(fds[1]);
	close(saved);
	return said;
}

static void
test_wording_is_jemallocs(void **state)
{
	char line[200];

	leak_line(line, sizeof line, 4096, 3, 2);
	assert_string_equal(line, "<strata>: Leak approximation summary: "
	    "~4096 bytes, ~3 objects, >= 2 contexts\n");
	leak_line(line, sizeof line, 1, 1, 1);
	assert_string_equal(line, "<strata>: Leak approximation summary: "
	    "~1 byte, ~1 object, >= 1 context\n");
}

static void
test_nothing_live_is_no_leak(void **state)
{
	const uintptr_t frames[] = { 0x401001 };
	bool leak = true;

	fake_add_freed(fake_group(fake_stack(1, frames), 64, 1), 3, 5, 300);
	assert_string_equal(summary(&leak), "");
	assert_false(leak);
	assert_int_equal(atomic_load(&fake_open), 0);
}

static void
test_exact_at_rate_1(void **state)
{
	const uintptr_t frames[] = { 0x401001, 0x401100 };
	struct stack *a = fake_stack(1, frames), *b = fake_stack(2, frames);
	bool leak = false;

	for (int i = 0; i < 100; i++)
		fake_add_live(fake_group(a, 48, 1), 40, 0, 0, 0);
	fake_add_live(fake_group(b, 1 << 20, 1), 1000000, 0, 0, 0);
	fake_add_freed(fake_group(a, 48, 1), 3, 50, 2000);
	assert_ptr_equal(strstr(summary(&leak), "<strata>: Leak approximation "
	    "summary: ~1053376 bytes, ~101 objects, >= 2 contexts\n"),
	    summary(&leak));
	assert_true(leak);
}

/* One 16-byte sample at 512 KiB stands for 32,769 objects, not for one. */
static void
test_figures_are_unbiased(void **state)
{
	const uintptr_t frames[] = { 0x401001 };
	double weight = 1 / -expm1(16 * log1p(-1.0 / 524288));
	char want[128];
	bool leak;

	fake_add_live(fake_group(fake_stack(1, frames), 16, 524288), 16, 0,
	    0, 0);
	snprintf(want, sizeof want, "~%.0f bytes, ~%.0f objects, >= 1 "
	    "context\n", 16 * weight, weight);
	assert_non_null(strstr(summary(&leak), want));
}

static void
test_dropped_samples_are_told(void **state)
{
	bool leak = true;

	fake_cut.dropped_samples = 2;
	assert_string_equal(summary(&leak), "<strata>: 2 samples dropped for "
	    "want of memory and not counted\n");
	assert_false(leak);
	fake_cut.dropped_samples = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_wording_is_jemallocs, setup),
		cmocka_unit_test_setup(test_nothing_live_is_no_leak, setup),
		cmocka_unit_test_setup(test_exact_at_rate_1, setup),
		cmocka_unit_test_setup(test_figures_are_unbiased, setup),
		cmocka_unit_test_setup(test_dropped_samples_are_told, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
