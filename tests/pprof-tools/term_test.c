/*
 * term_test.c - colour, width and progress only where there is a terminal.
 */
#include "command.h"

#include <fcntl.h>
#include <locale.h>
#include <pty.h>
#include <sys/ioctl.h>

#include "term.h"

/* A terminal of 123 columns; its other end is *master. */
static FILE *
terminal(int *master)
{
	struct winsize size = { .ws_row = 24, .ws_col = 123 };
	int slave;

	assert_int_equal(openpty(master, &slave, NULL, NULL, &size), 0);
	return fdopen(slave, "r+");
}

static void
test_colour_follows_terminal_and_environment(void **state)
{
	FILE *file = tmpfile(), *tty;
	int master;

	tty = terminal(&master);
	assert_non_null(tty);
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_true(term_color(tty));
	assert_false(term_color(file));
	setenv("NO_COLOR", "", 1);		/* empty counts as unset */
	assert_true(term_color(tty));
	setenv("NO_COLOR", "1", 1);
	assert_false(term_color(tty));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	assert_false(term_color(tty));
	unsetenv("TERM");
	assert_false(term_color(tty));
	fclose(tty);
	fclose(file);
	close(master);
}

static void
test_options_overrule(void **state)
{
	FILE *file = tmpfile();

	setenv("NO_COLOR", "1", 1);
	term_color_set(TERM_COLOR_ALWAYS);
	assert_true(term_color(file));
	term_color_set(TERM_COLOR_NEVER);
	assert_false(term_color(file));
	term_color_set(TERM_COLOR_AUTO);
	assert_false(term_color(file));
	unsetenv("NO_COLOR");
	fclose(file);
}

static void
test_width_is_the_terminals_or_the_fallback(void **state)
{
	FILE *file = tmpfile(), *tty;
	int master;

	tty = terminal(&master);
	assert_int_equal(term_width(tty, 7), 123);
	assert_int_equal(term_width(file, 7), 7);
	fclose(tty);
	fclose(file);
	close(master);
}

static void
test_unicode_follows_the_locale(void **state)
{
	setlocale(LC_ALL, "C");
	assert_false(term_unicode());
	setlocale(LC_ALL, "C.UTF-8");
	assert_true(term_unicode());
}

/* What two steps of progress leave on a terminal of that kind. */
static void
progress_on(const char *term, char *text, size_t size)
{
	FILE *tty;
	int master, saved;
	size_t used = 0;
	ssize_t n;

	setenv("TERM", term, 1);
	tty = terminal(&master);
	saved = redirect(2, tty);
	term_progress("module", 0, 2);
	term_progress("module", 1, 2);
	term_progress("module", 2, 2);
	restore(2, saved);
	fclose(tty);
	/* What was written may come in pieces; after the last one, EIO. */
	while ((n = read(master, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = '\0';
	close(master);
}

static void
test_progress_on_a_terminal_removes_itself(void **state)
{
	char text[256];

	progress_on("xterm", text, sizeof text);
	assert_string_equal(text, "\r\033[Kmodule 1 of 2"
	    "\r\033[Kmodule 2 of 2\r\033[K");
}

/* As an editor's: it would show the sequences that remove a line. */
static void
test_progress_on_a_dumb_terminal_is_silent(void **state)
{
	char text[256];

	progress_on("dumb", text, sizeof text);
	assert_string_equal(text, "");
}

static void
test_progress_elsewhere_is_silent(void **state)
{
	FILE *file = tmpfile();
	int saved = redirect(2, file);
	char *text;

	term_progress("module", 0, 2);
	term_progress("module", 2, 2);
	restore(2, saved);
	text = file_text(file);
	assert_string_equal(text, "");
	free(text);
	fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_colour_follows_terminal_and_environment),
		cmocka_unit_test(test_options_overrule),
		cmocka_unit_test(test_width_is_the_terminals_or_the_fallback),
		cmocka_unit_test(test_unicode_follows_the_locale),
		cmocka_unit_test(test_progress_on_a_terminal_removes_itself),
		cmocka_unit_test(test_progress_on_a_dumb_terminal_is_silent),
		cmocka_unit_test(test_progress_elsewhere_is_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
