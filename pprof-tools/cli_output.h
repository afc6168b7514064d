/*
 * cli_output.h - --format and --output: where a view goes, and as what.
 */
#ifndef STRATA_CLI_OUTPUT_H
#define STRATA_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

struct cli_args;

/*
 * The format asked for: --format, else what the suffix of --output says if
 * it names one of the command's formats, else the first. Never NULL.
 * cli_parse has checked that --format is one of them.
 */
const char *cli_format(const struct cli_args *args);

/*
 * Where the view goes: --output's file, or stdout. cli_output_close flushes,
 * closes and reports a failed write (a full disk). All return a status; a
 * reader of the pipe that went away (head) is no error.
 */
int cli_output(const struct cli_args *args, FILE **out);
/* The same of what is no text: a terminal, which it could upset, is refused. */
int cli_output_binary(const struct cli_args *args, FILE **out);
int cli_output_close(const struct cli_args *args, FILE *file);

/*
 * Refuses an --output named like a format that the command has not: a picture
 * in x.jpg that is no JPEG would surprise; x.out is all right.
 */
int cli_check_suffix(const struct cli_args *args);

/* A CSV field, quoted as RFC 4180 has it: any text is one. NULL: empty. */
void cli_csv_text(FILE *out, const char *text);

/* Is word one of the words in list, which are divided by blanks? */
bool cli_word_in(const char *list, const char *word);

#endif
