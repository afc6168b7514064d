/*
 * cli_output.c - where a view goes, and in what format.
 */
#include "cli_output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

bool
cli_word_in(const char *list, const char *word)
{
	size_t len = strlen(word);

	while (list != NULL && *list != '\0') {
		size_t n = strcspn(list, " ");

		if (n == len && memcmp(list, word, len) == 0)
			return true;
		list += n;
		list += strspn(list, " ");
	}
	return false;
}

/* The suffix of --output without its dot, or NULL. */
static const char *
output_suffix(const struct cli_args *args)
{
	const char *path, *dot;

	if ((args->command->groups & CLI_OUTPUT) == 0)
		return NULL;
	path = cli_value(args, "output");
	dot = path == NULL ? NULL : strrchr(path, '.');
	if (dot == NULL || strchr(dot, '/') != NULL || dot[1] == '\0')
		return NULL;
	return strcmp(dot, ".txt") == 0 ? "text" : dot + 1;
}

int
cli_check_suffix(const struct cli_args *args)
{
	static const char others[] = "csv dot eps folded gif html jpeg jpg "
	    "json pdf png ps svg text webp";
	const char *suffix;

	if ((args->command->groups & CLI_FORMAT) == 0 ||
	    cli_flag(args, "format"))
		return EXIT_FINE;
	suffix = output_suffix(args);
	if (suffix == NULL || !cli_word_in(others, suffix) ||
	    cli_word_in(args->command->formats, suffix))
		return EXIT_FINE;
	/* As it was typed: ".txt", not "text". */
	return cli_usage_error(args, "--output: '%s' is of no format (there "
	    "is: %s); if the name is meant, give --format too",
	    strrchr(cli_value(args, "output"), '.'),
	    args->command->formats);
}

/* The word of the list that word equals, as a string that stays. */
static const char *
format_named(const char *list, const char *word)
{
	static char first[32];
	size_t n = strcspn(list, " ");

	if (word != NULL && cli_word_in(list, word))
		return word;
	if (n >= sizeof first)
		n = sizeof first - 1;
	memcpy(first, list, n);
	first[n] = '\0';
	return first;
}

const char *
cli_format(const struct cli_args *args)
{
	const char *given = cli_value(args, "format");

	return given != NULL ? given :
	    format_named(args->command->formats, output_suffix(args));
}

int
cli_output(const struct cli_args *args, FILE **out)
{
	const char *path = cli_value(args, "output");

	if (path == NULL || strcmp(path, "-") == 0) {
		*out = stdout;
		return EXIT_FINE;
	}
	*out = fopen(path, "we");
	if (*out == NULL) {
		cli_error(args, "%s: %s", path, strerror(errno));
		return EXIT_INPUT;
	}
	return EXIT_FINE;
}

int
cli_output_binary(const struct cli_args *args, FILE **out)
{
	int status = cli_output(args, out);

	if (status != EXIT_FINE || *out != stdout ||
	    isatty(STDOUT_FILENO) != 1)
		return status;
	return cli_usage_error(args, "standard output is a terminal, and what "
	    "would be written is binary; name a file with --output");
}

/*
 * The reason why writing failed: stdio keeps only that it did, so one more
 * byte is tried. The file is lost anyway.
 */
static int
write_error(FILE *file)
{
	clearerr(file);
	errno = 0;
	if (fputc('\n', file) == EOF || fflush(file) != 0)
		return errno;
	return EIO;
}

int
cli_output_close(const struct cli_args *args, FILE *file)
{
	const char *path = file == stdout ? "standard output" :
	    cli_value(args, "output");
	int error = 0;

	if (ferror(file))
		error = write_error(file);
	else if (fflush(file) != 0)
		error = errno;
	if (file != stdout && fclose(file) != 0 && error == 0)
		error = errno;
	if (file == stdout)
		clearerr(file);		/* reported here, not by main again */
	if (error == 0 || error == EPIPE)
		return EXIT_FINE;
	cli_error(args, "%s: %s", path, strerror(error));
	return EXIT_INPUT;
}


void
cli_csv_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; text != NULL && *text != '\0'; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}
