/*
 * units_test.c - figures as text and back, and tables of them.
 */
#include "command.h"

#include <errno.h>
#include <locale.h>
#include <math.h>

#include "grid.h"
#include "units.h"

static void
test_bytes_have_three_figures(void **state)
{
	static const struct {
		double bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" }, { 1, "1 B" }, { 1023, "1023 B" },
		{ 1024, "1.00 KiB" }, { 1536, "1.50 KiB" },
		{ 10.0 * 1024, "10.0 KiB" }, { 99.94 * 1024, "99.9 KiB" },
		{ 99.96 * 1024, "100 KiB" }, { 1023.4 * 1024, "1023 KiB" },
		{ 1023.6 * 1024, "1.00 MiB" }, { 1572864, "1.50 MiB" },
		{ 5e12, "4.55 TiB" }, { -2048, "-2.00 KiB" }, { -0.1, "0 B" },
		{ 9.2e18, "7.98 EiB" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct unit unit;

		assert_string_equal(unit_bytes(&unit, cases[i].bytes),
		    cases[i].text);
	}
}

static void
test_durations_have_the_unit_a_person_uses(void **state)
{
	static const struct {
		double ns;
		const char *text;
	} cases[] = {
		{ 0, "0 ns" }, { 999, "999 ns" }, { 1000, "1.00 us" },
		{ 999.9, "1.00 us" }, { 12300, "12.3 us" },
		{ 999.9e3, "1.00 ms" }, { 1.5e6, "1.50 ms" },
		{ 59.9e9, "59.9 s" }, { 59.96e9, "1 min" },
		{ 60e9, "1 min" }, { 75e9, "1 min 15 s" },
		{ 3599.9e9, "1 h" },
		{ 3580e9, "59 min 40 s" }, { 12000e9, "3 h 20 min" },
		{ 86400e9, "1 d" }, { 90000e9, "1 d 1 h" },
		{ 86399.9e9, "1 d" }, { 366 * 86400e9, "1 y 1 d" },
		{ -1.5e6, "-1.50 ms" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct unit unit;

		assert_string_equal(unit_duration(&unit, cases[i].ns),
		    cases[i].text);
	}
}

static void
test_odd_figures_do_not_break(void **state)
{
	struct unit unit;

	assert_string_equal(unit_bytes(&unit, NAN), "?");
	assert_string_equal(unit_duration(&unit, INFINITY), "inf");
	assert_string_equal(unit_count(&unit, -0.2), "0");
	assert_string_equal(unit_count(&unit, 1234567), "1234567");
	assert_string_equal(unit_percent(&unit, 0.1234), "12.3%");
	assert_string_equal(unit_percent(&unit, 0.01234), "1.23%");
	assert_string_equal(unit_percent(&unit, 1), "100.0%");
	assert_string_equal(unit_percent(&unit, NAN), "?");
}

static void
test_deltas_carry_a_sign(void **state)
{
	struct unit unit;

	assert_string_equal(unit_delta(&unit, 1024, "bytes"), "+1.00 KiB");
	assert_string_equal(unit_delta(&unit, -1024, "bytes"), "-1.00 KiB");
	assert_string_equal(unit_delta(&unit, 0, "bytes"), "0 B");
	assert_string_equal(unit_delta(&unit, 7, "count"), "+7");
}

static void
test_sizes_are_read_in_powers_of_1024(void **state)
{
	double x = -1;

	assert_int_equal(unit_parse_bytes("512", &x), 0);
	assert_true(x == 512);
	assert_int_equal(unit_parse_bytes("64k", &x), 0);
	assert_true(x == 65536);
	assert_int_equal(unit_parse_bytes("1.5 MiB", &x), 0);
	assert_true(x == 1572864);
	assert_int_equal(unit_parse_bytes("2GB", &x), 0);
	assert_true(x == 2147483648.0);
	assert_int_equal(unit_parse_bytes("3b", &x), 0);
	assert_true(x == 3);
	assert_int_equal(unit_parse_bytes("", &x), EINVAL);
	assert_int_equal(unit_parse_bytes("k", &x), EINVAL);
	assert_int_equal(unit_parse_bytes("-1", &x), EINVAL);
	assert_int_equal(unit_parse_bytes("12q", &x), EINVAL);
	assert_int_equal(unit_parse_bytes("12kx", &x), EINVAL);
	assert_true(x == 3);			/* untouched by failures */
}

static void
test_times_are_read_with_their_unit(void **state)
{
	double x = -1;

	assert_int_equal(unit_parse_duration("10", &x), 0);
	assert_true(x == 10e9);
	assert_int_equal(unit_parse_duration("200us", &x), 0);
	assert_true(x == 200e3);
	assert_int_equal(unit_parse_duration("5 min", &x), 0);
	assert_true(x == 300e9);
	assert_int_equal(unit_parse_duration("5m", &x), 0);
	assert_true(x == 300e9);
	assert_int_equal(unit_parse_duration("1.5h", &x), 0);
	assert_true(x == 5400e9);
	assert_int_equal(unit_parse_duration("10 parsecs", &x), EINVAL);
	assert_int_equal(unit_parse_duration("soon", &x), EINVAL);
}

/* What a grid prints, as a string. */
static char *
grid_text(struct grid *grid, bool color, size_t width)
{
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	grid_print(grid, file, color, width);
	text = file_text(file);
	fclose(file);
	return text;
}

static void
test_columns_are_aligned_by_what_is_seen(void **state)
{
	struct grid *grid = grid_new("rll");
	char *text;

	setlocale(LC_ALL, "C.UTF-8");
	grid_add(grid, GRID_BOLD, "n");
	grid_add(grid, GRID_BOLD, "bar");
	grid_add(grid, GRID_BOLD, "name");
	grid_add(grid, GRID_PLAIN, "100");
	grid_add(grid, GRID_GREEN, "\u2588\u2588");
	grid_add(grid, GRID_PLAIN, "f");
	grid_add(grid, GRID_PLAIN, "7");
	grid_add(grid, GRID_PLAIN, "\u65e5");	/* two columns wide */
	grid_add(grid, GRID_PLAIN, "");
	text = grid_text(grid, false, 0);
	assert_string_equal(text,
	    "  n  bar  name\n"
	    "100  \u2588\u2588   f\n"
	    "  7  \u65e5\n");
	free(text);
	grid_free(grid);
}

static void
test_the_last_column_is_cut_at_the_terminal(void **state)
{
	struct grid *grid = grid_new("rl");
	char *text;

	setlocale(LC_ALL, "C.UTF-8");
	grid_add(grid, GRID_PLAIN, "1");
	grid_add(grid, GRID_PLAIN, "n\u00e4me_that_is_long");
	text = grid_text(grid, false, 12);
	assert_string_equal(text, "1  n\u00e4me_tha~\n");
	free(text);
	grid_free(grid);
}

static void
test_colour_only_on_request(void **state)
{
	struct grid *grid = grid_new("l");
	char *text;

	grid_add(grid, GRID_RED, "x");
	text = grid_text(grid, true, 0);
	assert_string_equal(text, "\033[31mx\033[0m\n");
	free(text);
	text = grid_text(grid, false, 0);
	assert_string_equal(text, "x\n");
	free(text);
	grid_free(grid);
}

static void
test_bytes_that_are_no_utf8_count_one_column(void **state)
{
	setlocale(LC_ALL, "C.UTF-8");
	assert_int_equal(text_width("a\xff" "b"), 3);
	assert_int_equal(text_width(""), 0);
	assert_int_equal(text_width("\u00e9t\u00e9"), 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_have_three_figures),
		cmocka_unit_test(test_durations_have_the_unit_a_person_uses),
		cmocka_unit_test(test_odd_figures_do_not_break),
		cmocka_unit_test(test_deltas_carry_a_sign),
		cmocka_unit_test(test_sizes_are_read_in_powers_of_1024),
		cmocka_unit_test(test_times_are_read_with_their_unit),
		cmocka_unit_test(test_columns_are_aligned_by_what_is_seen),
		cmocka_unit_test(test_the_last_column_is_cut_at_the_terminal),
		cmocka_unit_test(test_colour_only_on_request),
		cmocka_unit_test(test_bytes_that_are_no_utf8_count_one_column),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
