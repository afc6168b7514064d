/*
 * main.c - the `strata` command: finds the subcommand and runs it.
 *
 * Signals: SIGPIPE keeps its default action, so that a view piped into head
 *   ends quietly; where it is ignored, cli_output_close takes EPIPE as that.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include <strata/strata.h>

#include "cli.h"
#include "commands.h"

static void
print_help(FILE *out)
{
	fputs("Usage: strata COMMAND [OPTION...] [OPERAND...]\n"
	    "       strata help COMMAND\n"
	    "       strata --version\n\n"
	    "Heap profiles of running programs: take them, read them.\n\n"
	    "Commands:\n", out);
	for (size_t i = 0; commands[i] != NULL; i++)
		fprintf(out, "  %-11s %s\n", commands[i]->name,
		    commands[i]->summary);
	fputs("\nstrata COMMAND --help tells a command's options; strata(1) "
	    "is the manual.\n", out);
}

static int
unknown_command(const char *name)
{
	const char *names[32] = { "help" };
	const char *nearest;
	size_t count = 1;

	for (size_t i = 0; commands[i] != NULL && count < 32; i++)
		names[count++] = commands[i]->name;
	nearest = cli_nearest(name, names, count);
	fprintf(stderr, "strata: unknown command '%s'", name);
	if (nearest != NULL)
		fprintf(stderr, "; did you mean '%s'?", nearest);
	fputs("\nTry 'strata --help'.\n", stderr);
	return EXIT_USAGE;
}

static int
finish_stdout(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_FINE;
	perror("strata: standard output");
	return EXIT_INPUT;
}

static int
help(const char *name)
{
	const struct cli_command *command;

	if (name == NULL) {
		print_help(stdout);
		return finish_stdout();
	}
	command = command_find(name);
	if (command == NULL)
		return unknown_command(name);
	cli_help(command, stdout);
	return finish_stdout();
}

static int
run_command(const struct cli_command *command, int argc, char **argv)
{
	struct cli_args args;
	int status;

	status = cli_parse(command, argc, argv, &args);
	if (status != EXIT_FINE)
		return status;
	if (cli_flag(&args, "help"))
		status = help(command->name);
	else
		status = command->run(&args);
	cli_free(&args);
	return status;
}

int
main(int argc, char **argv)
{
	const struct cli_command *command;
	const char *name = argc > 1 ? argv[1] : NULL;

	setlocale(LC_CTYPE, "");
	if (name == NULL) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
		puts("strata " STRATA_VERSION);
		return finish_stdout();
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return help(NULL);
	if (strcmp(name, "help") == 0)
		return help(argc > 2 ? argv[2] : NULL);
	command = command_find(name);
	if (command == NULL)
		return unknown_command(name);
	return run_command(command, argc - 1, argv + 1);
}
