/*
 * command.h - runs a subcommand inside a test, and compares what it prints
 * with a golden file.
 *
 * A golden file is named by the flags that made it: "lifetimes,--by=size"
 * is what `strata lifetimes --by=size FILE` prints. With GOLDEN_WRITE in the
 * environment the files are written instead of compared.
 */
#ifndef STRATA_TESTS_COMMAND_H
#define STRATA_TESTS_COMMAND_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

struct output {
	char *out, *err;		/* what it wrote; free by output_free */
	int status;
};

/* The whole of a file as a string. */
static inline char *
file_text(FILE *file)
{
	char *text;
	long size;

	assert_int_equal(fseek(file, 0, SEEK_END), 0);
	size = ftell(file);
	assert_true(size >= 0);
	rewind(file);
	text = calloc(1, (size_t)size + 1);
	assert_non_null(text);
	assert_int_equal(fread(text, 1, (size_t)size, file), size);
	return text;
}

static inline char *
file_read(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text;

	if (file == NULL)
		fail_msg("cannot open %s", path);
	text = file_text(file);
	fclose(file);
	return text;
}

static inline int
redirect(int fd, FILE *to)
{
	int saved;

	fflush(NULL);
	saved = dup(fd);
	assert_true(saved >= 0);
	assert_true(dup2(fileno(to), fd) >= 0);
	return saved;
}

static inline void
restore(int fd, int saved)
{
	fflush(NULL);
	assert_true(dup2(saved, fd) >= 0);
	close(saved);
}

/* Runs it as main would; line: words divided by blanks, without its name. */
static inline struct output
command_run(const struct cli_command *command, const char *line)
{
	char *words = strdup(line), *rest = words, *word, *argv[64];
	FILE *out = tmpfile(), *err = tmpfile();
	struct output output;
	struct cli_args args;
	int argc = 1, saved_out, saved_err;

	argv[0] = (char *)command->name;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (*word != '\0')
			argv[argc++] = word;
	}
	argv[argc] = NULL;
	assert_non_null(out);
	assert_non_null(err);
	saved_out = redirect(1, out);
	saved_err = redirect(2, err);
	output.status = cli_parse(command, argc, argv, &args);
	if (output.status == EXIT_FINE) {
		output.status = command->run(&args);
		cli_free(&args);
	}
	restore(1, saved_out);
	restore(2, saved_err);
	output.out = file_text(out);
	output.err = file_text(err);
	fclose(out);
	fclose(err);
	free(words);
	return output;
}

static inline void
output_free(struct output *output)
{
	free(output->out);
	free(output->err);
}

static inline void
source_path(char *path, size_t size, const char *name)
{
	const char *srcdir = getenv("SRCDIR");

	snprintf(path, size, "%s/%s", srcdir == NULL ? "." : srcdir, name);
}

static inline void
golden_compare(const char *name, const char *text)
{
	char file[320], path[1024], *golden;
	FILE *to;

	snprintf(file, sizeof file, "tests/pprof-tools/golden/%s", name);
	source_path(path, sizeof path, file);
	if (getenv("GOLDEN_WRITE") != NULL) {
		to = fopen(path, "w");
		assert_non_null(to);
		fputs(text, to);
		fclose(to);
		return;
	}
	golden = file_read(path);
	if (strcmp(golden, text) != 0)
		fail_msg("output differs from %s:\n%s", path, text);
	free(golden);
}

/* Runs "flags FILE" and compares with golden/<command>[,<flags>]. */
static inline void
golden_run(const struct cli_command *command, const char *flags,
    const char *file)
{
	char name[256], line[1024];
	struct output output;

	snprintf(name, sizeof name, "%s%s%s", command->name,
	    *flags == '\0' ? "" : ",", flags);
	for (char *p = name; *p != '\0'; p++) {
		if (*p == ' ')
			*p = ',';
	}
	snprintf(line, sizeof line, "%s %s", flags, file);
	output = command_run(command, line);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, EXIT_FINE);
	golden_compare(name, output.out);
	output_free(&output);
}

/* xmllint finds the text well-formed. */
static inline void
assert_well_formed(const char *text)
{
	char path[] = "/tmp/strata-xml-XXXXXX", command[128];
	int fd = mkstemp(path);
	FILE *file;

	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof command, "xmllint --noout %s", path);
	if (system(command) != 0)
		fail_msg("not well-formed: %.2000s", text);
	unlink(path);
}

#endif
