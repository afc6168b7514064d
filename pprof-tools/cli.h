/*
 * cli.h - the command line of `strata`: one table per subcommand, from which
 * parsing, --help, "did you mean" and the test of the man page are made.
 *
 * A subcommand is one file that defines a `const struct cli_command cmd_x`:
 *
 *   static const struct cli_option options[] = {
 *       { 'n', "nodes", "N", "show at most N sites" },
 *       { 0 }
 *   };
 *   static int run(const struct cli_args *args) {
 *       long nodes = 20;
 *       int status = cli_number(args, "nodes", 1, LONG_MAX, &nodes);
 *       ...
 *   }
 *   const struct cli_command cmd_top = {
 *       .name = "top", .operands = "FILE...", .min_operands = 1,
 *       .summary = "call sites by live bytes",
 *       .options = options, .groups = CLI_VIEW, .formats = "text json csv",
 *       .run = run,
 *   };
 *
 * and has its line in commands.c. Options are looked up by their long name:
 * asking for a name that is in none of the command's tables is a programming
 * error (assert). Of an option given twice the last one counts.
 */
#ifndef STRATA_CLI_H
#define STRATA_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cli_output.h"
#include "model.h"			/* exit statuses EXIT_FINE ... */

struct cli_option {
	char letter;			/* 0: none */
	const char *name;		/* long name, no dashes; NULL ends */
	const char *arg;		/* its argument's name; NULL: none */
	const char *help;		/* no capital, no full stop */
};

/* Option tables that several subcommands share; or-ed into .groups. */
enum {
	CLI_FILTER = 1,			/* focus ignore hide show show-from
					   arena generation size thread age */
	CLI_SAMPLE = 2,			/* sample-type */
	CLI_FORMAT = 4,			/* format; values in .formats */
	CLI_OUTPUT = 8,			/* output */
	CLI_SYMBOLS = 16,		/* binary-path debug-dir root
					   no-symbols no-cache */
	CLI_COLOR = 32,			/* color no-color */
	CLI_VIEW = 63,			/* all of them */
};

struct cli_args;

struct cli_command {
	const char *name;
	const char *operands;		/* for the usage line: "FILE..." */
	const char *summary;		/* one line, no full stop */
	const char *about;		/* paragraphs for --help, or NULL */
	const struct cli_option *options; /* its own, or NULL */
	const char *formats;		/* "text json": the first is the
					   default; needs CLI_FORMAT */
	unsigned groups;		/* CLI_FILTER | ... */
	int min_operands, max_operands;	/* max 0: any number */
	bool stop_at_operand;		/* `run`: the rest is not ours */
	int (*run)(const struct cli_args *args); /* returns an exit status */
};

struct cli_given {
	const struct cli_option *option;
	const char *value;		/* NULL if it takes none */
};

struct cli_args {
	const struct cli_command *command;
	struct cli_given *given;	/* in the order given */
	size_t ngiven;
	char **operands;		/* NULL-terminated */
	size_t noperands;
};

/*
 * Parses what follows the subcommand's name (argv[0] is that name). Returns
 * EXIT_FINE and fills out (cli_free), or EXIT_USAGE after printing why.
 * --help is not a special case here: cli_flag(args, "help").
 */
int cli_parse(const struct cli_command *command, int argc, char **argv,
    struct cli_args *out);
void cli_free(struct cli_args *args);

/* Was it given? */
bool cli_flag(const struct cli_args *args, const char *name);

/* Its last value, or NULL. */
const char *cli_value(const struct cli_args *args, const char *name);

/* All its values in order: call with *i = 0, until it returns NULL. */
const char *cli_next_value(const struct cli_args *args, const char *name,
    size_t *i);

/*
 * Numeric values: *out keeps what it is (the default) if the option was not
 * given. Return EXIT_FINE, or EXIT_USAGE after a message.
 */
int cli_number(const struct cli_args *args, const char *name, long min,
    long max, long *out);
int cli_real(const struct cli_args *args, const char *name, double min,
    double max, double *out);
/* "64k", "1.5MiB", "3 GB": bytes. "10s", "5 min", "200us": nanoseconds. */
int cli_bytes(const struct cli_args *args, const char *name, double *out);
int cli_duration(const struct cli_args *args, const char *name, double *out);
/* The same in seconds, from min to CLI_SECONDS_MAX: what is waited for. */
#define CLI_SECONDS_MAX	1e6
int cli_seconds(const struct cli_args *args, const char *name, double min,
    double *out);

/* "strata top: ..." on stderr; with a newline. */
void cli_error(const struct cli_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same and "Try 'strata top --help'."; returns EXIT_USAGE. */
int cli_usage_error(const struct cli_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The manual of one subcommand, as `strata X --help`. */
void cli_help(const struct cli_command *command, FILE *out);

/*
 * Every option of a command, own and shared, in the order of its help:
 * call with *i = 0 until NULL. Tests compare this with the man page.
 */
const struct cli_option *cli_option_next(const struct cli_command *command,
    size_t *i);

/* The closest of names to word, or NULL if none is close. */
const char *cli_nearest(const char *word, const char *const *names,
    size_t count);

#endif
