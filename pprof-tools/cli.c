/*
 * cli.c - parses a subcommand's options by its tables and prints its help.
 */
#include "cli.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "term.h"
#include "units.h"

static const struct cli_option filter_options[] = {
	{ 0, "focus", "REGEX", "keep stacks with a frame that matches" },
	{ 0, "ignore", "REGEX", "drop stacks with a frame that matches" },
	{ 0, "hide", "REGEX", "leave matching frames out of the stacks" },
	{ 0, "show", "REGEX", "keep only matching frames in the stacks" },
	{ 0, "show-from", "REGEX",
	    "drop the frames above the outermost one that matches" },
	{ 0, "arena", "RANGE", "only these arenas: 3, 0-3 or 1,4" },
	{ 0, "generation", "RANGE", "only samples born in these generations" },
	{ 0, "size", "RANGE", "only these usable sizes: 64, 16-1k or 1M-" },
	{ 0, "thread", "REGEX", "only samples of threads that match, "
	    "in profiles of producers that tell them (libstrata does not)" },
	{ 0, "age", "RANGE", "only live objects of this age, by the lower edge "
	    "of its bucket (four a doubling): 10s- or 1m-1h" },
	{ 0, NULL, NULL, NULL }
};
static const struct cli_option sample_options[] = {
	{ 's', "sample-type", "TYPE",
	    "inuse_space (default), inuse_objects, alloc_space and others" },
	{ 0, NULL, NULL, NULL }
};
static const struct cli_option format_options[] = {
	{ 'f', "format", "FORMAT", "what to write" },
	{ 0, NULL, NULL, NULL }
};
static const struct cli_option output_options[] = {
	{ 'o', "output", "FILE", "write to FILE; its suffix names the format" },
	{ 0, NULL, NULL, NULL }
};
static const struct cli_option symbol_options[] = {
	{ 0, "binary-path", "DIR",
	    "also look here for programs and libraries, by name" },
	{ 0, "debug-dir", "DIR",
	    "look for separate debug files here [/usr/lib/debug]" },
	{ 0, "root", "DIR", "the profiled machine's files are below DIR" },
	{ 0, "no-symbols", NULL, "show addresses, read no binaries" },
	{ 0, "no-cache", NULL, "keep no symbols in the cache folder" },
	{ 0, NULL, NULL, NULL }
};
static const struct cli_option color_options[] = {
	{ 0, "color", NULL, "colour even where it is no terminal" },
	{ 0, "no-color", NULL, "no colour (as NO_COLOR in the environment)" },
	{ 0, NULL, NULL, NULL }
};
static const struct cli_option help_options[] = {
	{ 'h', "help", NULL, "show this text" },
	{ 0, NULL, NULL, NULL }
};

static const struct {
	unsigned group;			/* 0: every command */
	const char *title;
	const struct cli_option *options;
} groups[] = {
	{ CLI_SAMPLE, NULL, sample_options },
	{ CLI_FORMAT, NULL, format_options },
	{ CLI_OUTPUT, NULL, output_options },
	{ 0, NULL, help_options },
	{ CLI_FILTER, "Filters", filter_options },
	{ CLI_SYMBOLS, "Symbols", symbol_options },
	{ CLI_COLOR, "Terminal", color_options },
};
enum { NGROUPS = sizeof groups / sizeof groups[0] };

/* The tables of a command: 0 its own, 1.. the groups; NULL: has it not. */
static const struct cli_option *
table_of(const struct cli_command *command, size_t n)
{
	if (n == 0)
		return command->options;
	if (groups[n - 1].group == 0 ||
	    (command->groups & groups[n - 1].group) != 0)
		return groups[n - 1].options;
	return NULL;
}

const struct cli_option *
cli_option_next(const struct cli_command *command, size_t *i)
{
	size_t left = (*i)++;

	for (size_t n = 0; n <= NGROUPS; n++) {
		const struct cli_option *option = table_of(command, n);

		for (; option != NULL && option->name != NULL; option++) {
			if (left-- == 0)
				return option;
		}
	}
	return NULL;
}

static const struct cli_option *
option_find(const struct cli_command *command, const char *name, size_t len)
{
	const struct cli_option *option;

	for (size_t i = 0; (option = cli_option_next(command, &i)) != NULL;) {
		if (strlen(option->name) == len &&
		    memcmp(option->name, name, len) == 0)
			return option;
	}
	return NULL;
}

static const struct cli_option *
letter_find(const struct cli_command *command, char letter)
{
	const struct cli_option *option;

	for (size_t i = 0; (option = cli_option_next(command, &i)) != NULL;) {
		if (option->letter == letter)
			return option;
	}
	return NULL;
}

/*
 * Edit distance: insertions, deletions, replacements and swaps of
 * neighbours; words longer than the table are never close.
 */
static size_t
distance(const char *a, const char *b)
{
	enum { MAX = 32 };
	size_t la = strlen(a), lb = strlen(b);
	unsigned char d[MAX + 1][MAX + 1];

	if (la > MAX || lb > MAX)
		return MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = (unsigned char)i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = (unsigned char)j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = (unsigned char)best;
		}
	}
	return d[la][lb];
}

const char *
cli_nearest(const char *word, const char *const *names, size_t count)
{
	const char *nearest = NULL;
	size_t best = (strlen(word) + 2) / 3;	/* one typo in three letters */

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(word, names[i]);

		if (d < best || (d == best && nearest == NULL)) {
			nearest = names[i];
			best = d;
		}
	}
	return nearest;
}

static const char *
nearest_option(const struct cli_command *command, const char *word)
{
	const char *names[64];
	const struct cli_option *option;
	size_t count = 0;

	for (size_t i = 0; (option = cli_option_next(command, &i)) != NULL;) {
		if (count < sizeof names / sizeof names[0])
			names[count++] = option->name;
	}
	return cli_nearest(word, names, count);
}

static void
verror(const struct cli_args *args, const char *format, va_list ap)
{
	fflush(stdout);
	fprintf(stderr, "strata %s: ", args->command->name);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
}

void
cli_error(const struct cli_args *args, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	verror(args, format, ap);
	va_end(ap);
}

int
cli_usage_error(const struct cli_args *args, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	verror(args, format, ap);
	va_end(ap);
	fprintf(stderr, "Try 'strata %s --help'.\n", args->command->name);
	return EXIT_USAGE;
}

static int
give(struct cli_args *args, const struct cli_option *option,
    const char *value)
{
	if (strcmp(option->name, "format") == 0 &&
	    !cli_word_in(args->command->formats, value))
		return cli_usage_error(args,
		    "unknown format '%s' (there is: %s)", value,
		    args->command->formats);
	args->given[args->ngiven].option = option;
	args->given[args->ngiven++].value = value;
	return EXIT_FINE;
}

/* "--name", "--name=value" or "--name value"; *i is the argument's index. */
static int
parse_long(struct cli_args *args, int argc, char **argv, int *i)
{
	const char *name = argv[*i] + 2;
	size_t len = strcspn(name, "=");
	const char *value = name[len] == '=' ? name + len + 1 : NULL;
	const struct cli_option *option;

	option = option_find(args->command, name, len);
	if (option == NULL) {
		char word[64];
		const char *nearest;

		snprintf(word, sizeof word, "%.*s", (int)len, name);
		nearest = nearest_option(args->command, word);
		if (nearest != NULL)
			return cli_usage_error(args, "unknown option '--%s'; "
			    "did you mean '--%s'?", word, nearest);
		return cli_usage_error(args, "unknown option '--%s'", word);
	}
	if (option->arg == NULL && value != NULL)
		return cli_usage_error(args, "option '--%s' takes no value",
		    option->name);
	if (option->arg != NULL && value == NULL) {
		if (*i + 1 >= argc)
			return cli_usage_error(args,
			    "option '--%s' needs a value (%s)", option->name,
			    option->arg);
		value = argv[++*i];
	}
	return give(args, option, value);
}

/* "-x", "-xvalue", "-x value" or several flags in one word. */
static int
parse_short(struct cli_args *args, int argc, char **argv, int *i)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const struct cli_option *option;
		int status;

		option = letter_find(args->command, *p);
		if (option == NULL)
			return cli_usage_error(args, "unknown option '-%c'",
			    *p);
		if (option->arg == NULL) {
			status = give(args, option, NULL);
			if (status != EXIT_FINE)
				return status;
			continue;
		}
		if (p[1] != '\0')
			return give(args, option, p + 1);
		if (*i + 1 >= argc)
			return cli_usage_error(args,
			    "option '-%c' needs a value (%s)", *p,
			    option->arg);
		return give(args, option, argv[++*i]);
	}
	return EXIT_FINE;
}

static int
check_operands(const struct cli_args *args)
{
	const struct cli_command *command = args->command;

	if (cli_flag(args, "help"))
		return EXIT_FINE;
	if (args->noperands < (size_t)command->min_operands)
		return cli_usage_error(args, "missing operand; usage: "
		    "strata %s [OPTION...] %s", command->name,
		    command->operands);
	if (command->max_operands > 0 &&
	    args->noperands > (size_t)command->max_operands)
		return cli_usage_error(args, "unexpected operand '%s'",
		    args->operands[command->max_operands]);
	return EXIT_FINE;
}

static void
apply_color(const struct cli_args *args)
{
	for (size_t i = 0; i < args->ngiven; i++) {
		const char *name = args->given[i].option->name;

		if (strcmp(name, "color") == 0)
			term_color_set(TERM_COLOR_ALWAYS);
		else if (strcmp(name, "no-color") == 0)
			term_color_set(TERM_COLOR_NEVER);
	}
}

static int
parse_all(struct cli_args *args, int argc, char **argv)
{
	bool only_operands = false;
	int status = EXIT_FINE;

	for (int i = 1; i < argc && status == EXIT_FINE; i++) {
		const char *arg = argv[i];

		if (only_operands || arg[0] != '-' || arg[1] == '\0') {
			args->operands[args->noperands++] = argv[i];
			only_operands |= args->command->stop_at_operand;
		} else if (strcmp(arg, "--") == 0) {
			only_operands = true;
		} else if (arg[1] == '-') {
			status = parse_long(args, argc, argv, &i);
		} else {
			status = parse_short(args, argc, argv, &i);
		}
	}
	return status;
}

int
cli_parse(const struct cli_command *command, int argc, char **argv,
    struct cli_args *out)
{
	struct cli_args args = { .command = command };
	size_t letters = 0;
	int status;

	for (int i = 0; i < argc; i++)
		letters += strlen(argv[i]) + 1;	/* bounds "-abc" too */
	args.given = calloc(letters + 1, sizeof *args.given);
	args.operands = calloc((size_t)argc + 1, sizeof *args.operands);
	if (args.given == NULL || args.operands == NULL) {
		cli_error(&args, "out of memory");
		status = EXIT_INPUT;
	} else {
		status = parse_all(&args, argc, argv);
	}
	if (status == EXIT_FINE)
		status = check_operands(&args);
	if (status == EXIT_FINE)
		status = cli_check_suffix(&args);
	if (status != EXIT_FINE) {
		cli_free(&args);
		return status;
	}
	apply_color(&args);
	*out = args;
	return EXIT_FINE;
}

void
cli_free(struct cli_args *args)
{
	free(args->given);
	free(args->operands);
	args->given = NULL;
	args->operands = NULL;
}

const char *
cli_next_value(const struct cli_args *args, const char *name, size_t *i)
{
	while (*i < args->ngiven) {
		const struct cli_given *given = &args->given[(*i)++];

		if (strcmp(given->option->name, name) == 0)
			return given->value == NULL ? "" : given->value;
	}
	return NULL;
}

static const char *
last_given(const struct cli_args *args, const char *name)
{
	const char *value, *last = NULL;

	assert(option_find(args->command, name, strlen(name)) != NULL);
	for (size_t i = 0; (value = cli_next_value(args, name, &i)) != NULL;)
		last = value;
	return last;
}

bool
cli_flag(const struct cli_args *args, const char *name)
{
	return last_given(args, name) != NULL;
}

const char *
cli_value(const struct cli_args *args, const char *name)
{
	return last_given(args, name);
}

int
cli_number(const struct cli_args *args, const char *name, long min, long max,
    long *out)
{
	const char *text = cli_value(args, name);
	char *end;
	long n;

	if (text == NULL)
		return EXIT_FINE;
	errno = 0;
	n = strtol(text, &end, 10);
	if (end == text || *end != '\0')
		return cli_usage_error(args, "--%s: '%s' is not a number",
		    name, text);
	if (errno != 0 || n < min || n > max)
		return cli_usage_error(args,
		    "--%s: %s is not between %ld and %ld", name, text, min,
		    max);
	*out = n;
	return EXIT_FINE;
}

int
cli_real(const struct cli_args *args, const char *name, double min,
    double max, double *out)
{
	const char *text = cli_value(args, name);
	char *end;
	double x;

	if (text == NULL)
		return EXIT_FINE;
	x = strtod(text, &end);
	if (end == text || *end != '\0')
		return cli_usage_error(args, "--%s: '%s' is not a number",
		    name, text);
	if (!(x >= min && x <= max))
		return cli_usage_error(args,
		    "--%s: %s is not between %g and %g", name, text, min,
		    max);
	*out = x;
	return EXIT_FINE;
}

int
cli_bytes(const struct cli_args *args, const char *name, double *out)
{
	const char *text = cli_value(args, name);

	if (text == NULL || unit_parse_bytes(text, out) == 0)
		return EXIT_FINE;
	return cli_usage_error(args, "--%s: '%s' is not a size (as 64k)",
	    name, text);
}

int
cli_duration(const struct cli_args *args, const char *name, double *out)
{
	const char *text = cli_value(args, name);

	if (text == NULL || unit_parse_duration(text, out) == 0)
		return EXIT_FINE;
	return cli_usage_error(args, "--%s: '%s' is not a time (as 10s)",
	    name, text);
}

int
cli_seconds(const struct cli_args *args, const char *name, double min,
    double *out)
{
	double ns = *out * 1e9;
	int status = cli_duration(args, name, &ns);

	if (status != EXIT_FINE || !cli_flag(args, name))
		return status;
	if (ns < min * 1e9 || ns > CLI_SECONDS_MAX * 1e9)
		return cli_usage_error(args, "--%s: '%s' is not between %g "
		    "and %.0f seconds", name, cli_value(args, name), min,
		    CLI_SECONDS_MAX);
	*out = ns / 1e9;
	return EXIT_FINE;
}

enum { HELP_COLUMN = 30, HELP_WIDTH = 79 };

/* One line of text from a column on, broken between words. */
static void
print_wrapped(const char *text, size_t length, int column, FILE *out)
{
	size_t room = (size_t)(HELP_WIDTH - column);

	while (length > room) {
		size_t n = room;

		while (n > 0 && text[n] != ' ')
			n--;
		if (n == 0)
			break;
		fprintf(out, "%.*s\n%*s", (int)n, text, column, "");
		text += n + 1;
		length -= n + 1;
	}
	fprintf(out, "%.*s\n", (int)length, text);
}

/* Paragraphs, whose own line ends stay. */
static void
print_about(const char *text, FILE *out)
{
	fputc('\n', out);
	for (;;) {
		size_t length = strcspn(text, "\n");

		print_wrapped(text, length, 0, out);
		if (text[length] == '\0')
			break;
		text += length + 1;
	}
}

/* "-f, --format FORMAT" and its help text. */
static void
print_option(const struct cli_option *option, FILE *out)
{
	char left[80];
	int n;

	n = snprintf(left, sizeof left, "  %c%c%c --%s%s%s",
	    option->letter != 0 ? '-' : ' ',
	    option->letter != 0 ? option->letter : ' ',
	    option->letter != 0 ? ',' : ' ', option->name,
	    option->arg != NULL ? " " : "",
	    option->arg != NULL ? option->arg : "");
	if (n <= HELP_COLUMN - 2)
		fprintf(out, "%-*s", HELP_COLUMN, left);
	else
		fprintf(out, "%s\n%*s", left, HELP_COLUMN, "");
	print_wrapped(option->help, strlen(option->help), HELP_COLUMN, out);
}

static void
print_options(const char *title, const struct cli_option *options,
    const struct cli_command *command, FILE *out)
{
	if (title != NULL)
		fprintf(out, "\n%s:\n", title);
	for (; options->name != NULL; options++) {
		print_option(options, out);
		if (options == format_options)
			fprintf(out, "%*s(%s)\n", HELP_COLUMN, "",
			    command->formats);
	}
}

void
cli_help(const struct cli_command *command, FILE *out)
{
	fprintf(out, "Usage: strata %s [OPTION...] %s\n\n%c%s.\n",
	    command->name, command->operands,
	    command->summary[0] >= 'a' && command->summary[0] <= 'z' ?
	    command->summary[0] - 'a' + 'A' : command->summary[0],
	    command->summary + 1);
	if (command->about != NULL)
		print_about(command->about, out);
	fputs("\nOptions:\n", out);
	for (size_t n = 0; n <= NGROUPS; n++) {
		const struct cli_option *options = table_of(command, n);

		if (options != NULL)
			print_options(n == 0 ? NULL : groups[n - 1].title,
			    options, command, out);
	}
}
