/*
 * cli_test.c - options by tables, help, suggestions; the manual page lists
 * exactly the options there are.
 */
#define _GNU_SOURCE			/* memmem */
#include "command.h"

#include <ctype.h>
#include <limits.h>

#include "commands.h"

static const struct cli_option own[] = {
	{ 'n', "nodes", "N", "a number" },
	{ 'r', "real", "X", "a real number" },
	{ 0, "bytes", "SIZE", "a size" },
	{ 0, "time", "TIME", "a duration" },
	{ 'v', "verbose", NULL, "a flag" },
	{ 'q', "quick", NULL, "another flag" },
	{ 0, NULL, NULL, NULL }
};

static int
run_nothing(const struct cli_args *args)
{
	return EXIT_FINE;
}

static const struct cli_command view = {
	.name = "view", .operands = "FILE...", .min_operands = 1,
	.max_operands = 3, .summary = "a view", .options = own,
	.formats = "text json svg", .groups = CLI_VIEW, .run = run_nothing,
};
static const struct cli_command starter = {
	.name = "starter", .operands = "PROGRAM...", .min_operands = 1,
	.stop_at_operand = true, .summary = "a starter", .options = own,
	.run = run_nothing,
};

/* Words divided by blanks; the caller frees args by cli_free. */
static int
parse(const struct cli_command *command, const char *line,
    struct cli_args *args)
{
	static char words[512];
	static char *argv[64];
	char *rest = words, *word;
	FILE *err = tmpfile();
	int argc = 1, saved, status;

	snprintf(words, sizeof words, "%s", line);
	argv[0] = (char *)command->name;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (*word != '\0')
			argv[argc++] = word;
	}
	argv[argc] = NULL;
	saved = redirect(2, err);
	status = cli_parse(command, argc, argv, args);
	restore(2, saved);
	fclose(err);
	return status;
}

static void
test_options_in_every_spelling(void **state)
{
	static const char *const lines[] = {
		"--nodes=7 --verbose x", "--nodes 7 --verbose x",
		"-n7 -v x", "-n 7 -v x", "-vn7 x", "-vn 7 x", "x -vn 7",
		"-n 3 -v x --nodes=7",
	};

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct cli_args args;
		long n = 1;

		assert_int_equal(parse(&view, lines[i], &args), EXIT_FINE);
		assert_int_equal(cli_number(&args, "nodes", 0, 10, &n),
		    EXIT_FINE);
		assert_int_equal(n, 7);
		assert_true(cli_flag(&args, "verbose"));
		assert_false(cli_flag(&args, "quick"));
		assert_int_equal(args.noperands, 1);
		assert_string_equal(args.operands[0], "x");
		cli_free(&args);
	}
}

static void
test_two_dashes_end_the_options(void **state)
{
	struct cli_args args;

	assert_int_equal(parse(&view, "-v -- -n --nodes", &args), EXIT_FINE);
	assert_int_equal(args.noperands, 2);
	assert_string_equal(args.operands[1], "--nodes");
	assert_null(args.operands[2]);
	cli_free(&args);
	assert_int_equal(parse(&view, "-", &args), EXIT_FINE);
	assert_string_equal(args.operands[0], "-");
	cli_free(&args);
}

static void
test_a_program_keeps_its_own_options(void **state)
{
	struct cli_args args;

	assert_int_equal(parse(&starter, "-v prog -n --nodes -- -q", &args),
	    EXIT_FINE);
	assert_true(cli_flag(&args, "verbose"));
	assert_null(cli_value(&args, "nodes"));
	assert_false(cli_flag(&args, "quick"));
	assert_int_equal(args.noperands, 5);
	assert_string_equal(args.operands[3], "--");
	cli_free(&args);
}

static void
test_repeated_options_come_in_order(void **state)
{
	struct cli_args args;
	size_t i = 0;

	assert_int_equal(parse(&view, "--real 1 -r2 x --real=3", &args),
	    EXIT_FINE);
	assert_string_equal(cli_next_value(&args, "real", &i), "1");
	assert_string_equal(cli_next_value(&args, "real", &i), "2");
	assert_string_equal(cli_next_value(&args, "real", &i), "3");
	assert_null(cli_next_value(&args, "real", &i));
	assert_string_equal(cli_value(&args, "real"), "3");
	cli_free(&args);
}

static void
assert_refused(const struct cli_command *command, const char *line,
    const char *words)
{
	struct output output = command_run(command, line);

	assert_int_equal(output.status, EXIT_USAGE);
	if (strstr(output.err, words) == NULL)
		fail_msg("'%s' is not in: %s", words, output.err);
	assert_string_equal(output.out, "");
	output_free(&output);
}

static void
test_wrong_use_is_explained(void **state)
{
	assert_refused(&view, "", "missing operand; usage: strata view");
	assert_refused(&view, "a b c d", "unexpected operand 'd'");
	assert_refused(&view, "--nodse 3 x", "did you mean '--nodes'?");
	assert_refused(&view, "--verbsoe x", "did you mean '--verbose'?");
	assert_refused(&view, "--xylophone x",
	    "unknown option '--xylophone'\n");
	assert_refused(&view, "-z x", "unknown option '-z'");
	assert_refused(&view, "--nodes", "needs a value (N)");
	assert_refused(&view, "x -n", "needs a value (N)");
	assert_refused(&view, "--verbose=3 x", "takes no value");
	assert_refused(&view, "--format png x",
	    "unknown format 'png' (there is: text json svg)");
	assert_refused(&view, "--format tex x", "unknown format");
	assert_refused(&view, "-o a.jpg x",
	    "--output: '.jpg' is of no format (there is: text json svg)");
	assert_refused(&view, "x --nope", "Try 'strata view --help'.");
}

static void
test_figures_out_of_range_are_refused(void **state)
{
	FILE *err = tmpfile();
	struct cli_args args;
	int saved = redirect(2, err);
	double x = 5;
	long n = 5;

	assert_int_equal(parse(&view, "-n 11 -r 1.5x --bytes 3q --time 2 x",
	    &args), EXIT_FINE);
	assert_int_equal(cli_number(&args, "nodes", 0, 10, &n), EXIT_USAGE);
	assert_int_equal(cli_real(&args, "real", 0, 10, &x), EXIT_USAGE);
	assert_int_equal(cli_bytes(&args, "bytes", &x), EXIT_USAGE);
	assert_true(n == 5 && x == 5);
	assert_int_equal(cli_duration(&args, "time", &x), EXIT_FINE);
	assert_true(x == 2e9);
	x = 5;
	assert_int_equal(cli_seconds(&args, "time", 2.1, &x), EXIT_USAGE);
	assert_true(x == 5);
	assert_int_equal(cli_seconds(&args, "time", 0, &x), EXIT_FINE);
	assert_true(x == 2);
	cli_free(&args);
	assert_int_equal(parse(&view, "--time 12d x", &args), EXIT_FINE);
	assert_int_equal(cli_seconds(&args, "time", 0, &x), EXIT_USAGE);
	cli_free(&args);
	assert_int_equal(parse(&view, "-n 99999999999999999999 -r nan x",
	    &args), EXIT_FINE);
	assert_int_equal(cli_number(&args, "nodes", 0, LONG_MAX, &n),
	    EXIT_USAGE);
	assert_int_equal(cli_real(&args, "real", 0, 10, &x), EXIT_USAGE);
	cli_free(&args);
	restore(2, saved);
	fclose(err);
}

static void
test_the_format_comes_from_option_suffix_or_first(void **state)
{
	static const struct {
		const char *line, *format;
	} cases[] = {
		{ "x", "text" }, { "-f json x", "json" },
		{ "-o a.svg x", "svg" }, { "-o a.b.json x", "json" },
		{ "-o a.svg -f json x", "json" }, { "-o a.xyz x", "text" },
		{ "-o dir.svg/a x", "text" }, { "-o - x", "text" },
		{ "-o a.txt x", "text" }, { "-o a. x", "text" },
		{ "-f svg -o a.jpg x", "svg" }, { "-o .svg x", "svg" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct cli_args args;

		assert_int_equal(parse(&view, cases[i].line, &args),
		    EXIT_FINE);
		assert_string_equal(cli_format(&args), cases[i].format);
		cli_free(&args);
	}
}

static void
test_output_that_cannot_be_written_is_reported(void **state)
{
	FILE *err = tmpfile(), *out;
	struct cli_args args;
	int saved = redirect(2, err);
	char *said;

	assert_int_equal(parse(&view, "-o /nowhere/x.svg x", &args),
	    EXIT_FINE);
	assert_int_equal(cli_output(&args, &out), EXIT_INPUT);
	cli_free(&args);
	assert_int_equal(parse(&view, "-o /dev/full x", &args), EXIT_FINE);
	assert_int_equal(cli_output(&args, &out), EXIT_FINE);
	fputs("something\n", out);
	assert_int_equal(cli_output_close(&args, out), EXIT_INPUT);
	cli_free(&args);
	restore(2, saved);
	said = file_text(err);
	assert_non_null(strstr(said, "/nowhere/x.svg: No such file"));
	assert_non_null(strstr(said, "/dev/full: No space left on device"));
	free(said);
	fclose(err);
}

static void
test_the_nearest_word(void **state)
{
	static const char *const names[] = { "run", "top", "lifetimes",
	    "merge" };

	assert_string_equal(cli_nearest("lifetime", names, 4), "lifetimes");
	assert_string_equal(cli_nearest("liftimes", names, 4), "lifetimes");
	assert_string_equal(cli_nearest("rnu", names, 4), "run");
	assert_string_equal(cli_nearest("mreg", names, 4), "merge");
	assert_null(cli_nearest("fur", names, 4));	/* a third is run's */
	assert_null(cli_nearest("graphviz", names, 4));
	assert_null(cli_nearest("", names, 4));
	assert_null(cli_nearest("a-word-that-is-longer-than-any-name-here",
	    names, 4));
}

/* --- the real tables ------------------------------------------------------*/

static void
test_tables_are_consistent(void **state)
{
	assert_non_null(commands[0]);
	for (size_t c = 0; commands[c] != NULL; c++) {
		const struct cli_command *command = commands[c];
		const struct cli_option *a, *b;

		assert_ptr_equal(command_find(command->name), command);
		assert_non_null(command->run);
		assert_true(command->summary[strlen(command->summary) - 1] !=
		    '.');
		assert_true((command->groups & CLI_FORMAT) == 0 ||
		    command->formats != NULL);
		for (size_t i = 0;
		    (a = cli_option_next(command, &i)) != NULL;) {
			size_t k = i;

			assert_true(a->help[strlen(a->help) - 1] != '.');
			while ((b = cli_option_next(command, &k)) != NULL) {
				assert_string_not_equal(a->name, b->name);
				assert_true(a->letter == 0 ||
				    a->letter != b->letter);
			}
		}
	}
}

static char *
help_of(const struct cli_command *command)
{
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	cli_help(command, file);
	text = file_text(file);
	fclose(file);
	return text;
}

static void
test_help_lists_every_option_within_80_columns(void **state)
{
	for (size_t c = 0; commands[c] != NULL; c++) {
		const struct cli_option *option;
		char *help = help_of(commands[c]), word[64], *line, *rest;

		for (size_t i = 0; (option = cli_option_next(commands[c],
		    &i)) != NULL;) {
			snprintf(word, sizeof word, "--%s%s", option->name,
			    option->arg == NULL ? "" : " ");
			assert_non_null(strstr(help, word));
		}
		for (rest = help; (line = strsep(&rest, "\n")) != NULL;)
			assert_true(strlen(line) < 80);
		free(help);
	}
}

/* --- the manual page ------------------------------------------------------*/

/* The page without its escapes: "\-\-by" becomes "--by". */
static char *
manual(void)
{
	char path[1024], *text, *to;

	source_path(path, sizeof path, "docs/man/strata.1");
	text = to = file_read(path);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\\' && p[1] == '-')
			continue;
		*to++ = *p;
	}
	*to = '\0';
	return text;
}

/* What stands between a ".SS title" (or .SH) and the next one. */
static char *
section(const char *page, const char *title)
{
	char heading[128];
	const char *from, *to;

	snprintf(heading, sizeof heading, "\n.SS %s\n", title);
	from = strstr(page, heading);
	if (from == NULL)
		fail_msg("the manual page has no section '%s'", title);
	from += strlen(heading) - 1;	/* at the line's end */
	to = strstr(from, "\n.S");
	return strndup(from, to == NULL ? strlen(from) : (size_t)(to - from));
}

/* Is the option the subject of a .TP there? */
static bool
describes(const char *text, const struct cli_option *option)
{
	char word[64];

	snprintf(word, sizeof word, "--%s", option->name);
	for (const char *p = text; (p = strstr(p, "\n.TP\n")) != NULL;) {
		size_t length;
		const char *at;

		p += strlen("\n.TP\n");
		length = strcspn(p, "\n");
		at = memmem(p, length, word, strlen(word));
		if (at != NULL && !isalnum((unsigned char)at[strlen(word)]) &&
		    at[strlen(word)] != '-')
			return true;
	}
	return false;
}

static const struct {
	unsigned group;
	const char *title;
} shared[] = {
	{ CLI_FILTER, "Filters" }, { CLI_SYMBOLS, "Symbols" },
	{ CLI_SAMPLE | CLI_FORMAT | CLI_OUTPUT | CLI_COLOR, "Output" },
};

/* Every option is in its command's section, or in a shared one. */
static void
test_the_manual_has_every_option(void **state)
{
	char *page = manual(), *common[3];

	for (size_t i = 0; i < 3; i++)
		common[i] = section(page, shared[i].title);
	for (size_t c = 0; commands[c] != NULL; c++) {
		const struct cli_option *option;
		char title[64], *text;

		snprintf(title, sizeof title, "strata %s", commands[c]->name);
		text = section(page, title);
		for (size_t i = 0; (option = cli_option_next(commands[c],
		    &i)) != NULL;) {
			bool there = describes(text, option);

			for (size_t k = 0; k < 3; k++)
				there |= describes(common[k], option);
			if (!there)
				fail_msg("%s: --%s is not in the manual",
				    title, option->name);
		}
		free(text);
	}
	for (size_t i = 0; i < 3; i++)
		free(common[i]);
	free(page);
}

static bool
has_option(const struct cli_command *command, const char *name, size_t length)
{
	const struct cli_option *option;

	for (size_t i = 0; (option = cli_option_next(command, &i)) != NULL;) {
		if (strlen(option->name) == length &&
		    memcmp(option->name, name, length) == 0)
			return true;
	}
	return false;
}

/* Every "--x" that begins an entry of a command's section is an option. */
static void
test_the_manual_has_no_other_option(void **state)
{
	char *page = manual();

	for (size_t c = 0; commands[c] != NULL; c++) {
		char title[64], *text;

		snprintf(title, sizeof title, "strata %s", commands[c]->name);
		text = section(page, title);
		for (char *p = text; (p = strstr(p, "\n.TP\n")) != NULL;) {
			size_t length;
			char *at;

			p += strlen("\n.TP\n");
			at = memmem(p, strcspn(p, "\n"), "--", 2);
			if (at == NULL)
				continue;
			length = strspn(at + 2,
			    "abcdefghijklmnopqrstuvwxyz-0123456789");
			if (!has_option(commands[c], at + 2, length))
				fail_msg("%s: the manual has '%.*s', which "
				    "there is not", title, (int)length + 2,
				    at);
		}
		free(text);
	}
	free(page);
}

static void
test_the_manual_names_formats_and_no_other_command(void **state)
{
	char *page = manual();

	for (const char *p = page; (p = strstr(p, "\n.SS strata ")) != NULL;) {
		char name[32];

		p += strlen("\n.SS strata ");
		assert_int_equal(sscanf(p, "%31s", name), 1);
		if (command_find(name) == NULL)
			fail_msg("the manual has a command '%s'", name);
	}
	for (size_t c = 0; commands[c] != NULL; c++) {
		char title[64], *text, *formats, *rest, *word;

		if (commands[c]->formats == NULL)
			continue;
		snprintf(title, sizeof title, "strata %s", commands[c]->name);
		text = section(page, title);
		rest = formats = strdup(commands[c]->formats);
		while ((word = strsep(&rest, " ")) != NULL) {
			if (strstr(text, word) == NULL)
				fail_msg("%s: format %s is not in the "
				    "manual", title, word);
		}
		free(formats);
		free(text);
	}
	free(page);
}

static void
test_any_text_is_one_csv_field(void **state)
{
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	cli_csv_text(file, "a,\"b\"\n");
	cli_csv_text(file, NULL);
	text = file_text(file);
	assert_string_equal(text, "\"a,\"\"b\"\"\n\"\"\"");
	free(text);
	fclose(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_in_every_spelling),
		cmocka_unit_test(test_two_dashes_end_the_options),
		cmocka_unit_test(test_a_program_keeps_its_own_options),
		cmocka_unit_test(test_repeated_options_come_in_order),
		cmocka_unit_test(test_wrong_use_is_explained),
		cmocka_unit_test(
		    test_the_format_comes_from_option_suffix_or_first),
		cmocka_unit_test(test_the_nearest_word),
		cmocka_unit_test(test_tables_are_consistent),
		cmocka_unit_test(
		    test_help_lists_every_option_within_80_columns),
		cmocka_unit_test(test_the_manual_has_every_option),
		cmocka_unit_test(test_the_manual_has_no_other_option),
		cmocka_unit_test(
		    test_the_manual_names_formats_and_no_other_command),
		cmocka_unit_test(
		    test_output_that_cannot_be_written_is_reported),
		cmocka_unit_test(test_figures_out_of_range_are_refused),
		cmocka_unit_test(test_any_text_is_one_csv_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
