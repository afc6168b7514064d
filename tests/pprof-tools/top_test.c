/*
 * top_test.c - `strata top`, `diff`, `merge` and `convert` as commands: what
 * they print, and how they refuse bad input.
 */
#include "command.h"

#include <fcntl.h>
#include <pty.h>
#include <stdint.h>

#include "commands.h"
#include "fixture.h"
#include "read.h"

static const char server[] = "server.pb", later[] = "later.pb";

/* The same process some dumps on: a leak grew, a generation is gone. */
static void
write_later(void)
{
	static const char *const comments[] = { "strata_version: 0.1.0",
	    "pid: 4711", "start_time_unix: 1781999000", "sequence: 9",
	    "live_bytes: 2100000" };
	static const struct fixture_row rows[] = {
		{ "main;serve;cache_put~cache_insert;entry_new", 256, 81,
		    .live = true, .age_ns = 2000000000 },
		{ "main;serve;session_new", 1024, 240, .live = true,
		    .age_ns = 64000000 },
		{ "main;reload;config_parse;node_new", 2048, 140,
		    .live = true, .age_ns = 1 },
	};
	struct fixture f;

	fixture_init(&f, 4096);
	for (size_t i = 0; i < sizeof comments / sizeof *comments; i++)
		fixture_comment(&f, comments[i]);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		fixture_row(&f, &rows[i]);
	fixture_write(&f, later);
}

static int
setup(void **state)
{
	fixture_server(server);
	write_later();
	return 0;
}

static int
teardown(void **state)
{
	unlink(server);
	unlink(later);
	return 0;
}

static void
test_top(void **state)
{
	golden_run(&cmd_top, "", server);
	golden_run(&cmd_top, "--by=arena", server);
	golden_run(&cmd_top, "--by=size --nodes=3", server);
	golden_run(&cmd_top, "--by=generation --format=csv", server);
	golden_run(&cmd_top, "--by=line --cum --format=csv", server);
	golden_run(&cmd_top, "--sample-type=alloc_objects --format=json "
	    "--focus=session", server);
}

static void
test_diff(void **state)
{
	golden_run(&cmd_diff, "", "server.pb later.pb");
	golden_run(&cmd_diff, "--cum --nodes=4 --format=csv",
	    "server.pb later.pb");
	golden_run(&cmd_diff, "--by=size --format=json",
	    "server.pb later.pb");
}

static void
test_convert(void **state)
{
	golden_run(&cmd_convert, "--format=folded", server);
	golden_run(&cmd_convert, "--format=heap", server);
	golden_run(&cmd_convert, "--format=csv", server);
	golden_run(&cmd_convert, "--format=json --focus=session", server);
}

static int64_t
total_of(const char *path, const char *type)
{
	struct model_error error;
	struct model *model;
	int64_t total;

	if (read_profile(path, &model, &error) != 0)
		fail_msg("%s: %s", path, error.reason);
	total = model_total(model, model_find_type(model, type));
	model_free(model);
	return total;
}

static void
test_merge_and_convert_write_files_that_add_up(void **state)
{
	struct output output = command_run(&cmd_merge,
	    "-o merged.pb.gz server.pb later.pb server.pb");

	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
	assert_true(total_of("merged.pb.gz", "inuse_space") ==
	    2 * total_of(server, "inuse_space") +
	    total_of(later, "inuse_space"));
	output = command_run(&cmd_convert,
	    "--format=pb -o merged.pb.gz server.pb");
	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
	assert_true(total_of("merged.pb.gz", "alloc_objects") ==
	    total_of(server, "alloc_objects"));
	unlink("merged.pb.gz");
}

/* What is alive in one dump is alive in the next as well. */
static void
test_dumps_of_one_process_are_added_with_a_word(void **state)
{
	static const char word[] = "strata: 3 of the profiles are of one "
	    "process (pid 4711): what it holds is added 3 times\n";
	struct output output;
	struct fixture f;

	fixture_init(&f, 4096);
	fixture_comment(&f, "pid: 4711");
	fixture_comment(&f, "start_time_unix: 1781999001");
	fixture_row(&f, &(struct fixture_row){ .path = "main;f",
	    .bytes = 64, .samples = 3, .live = true });
	fixture_write(&f, "other.pb");
	output = command_run(&cmd_top, "server.pb other.pb later.pb "
	    "server.pb");
	assert_int_equal(output.status, EXIT_FINE);
	assert_string_equal(output.err, word);
	output_free(&output);
	output = command_run(&cmd_top, "server.pb other.pb");
	assert_string_equal(output.err, "");
	output_free(&output);
	unlink("other.pb");
}

/* A sum in a file is what the sum of the files is. */
static void
test_a_merged_file_says_so(void **state)
{
	struct output files, merged;

	merged = command_run(&cmd_merge, "-o merged.pb server.pb later.pb");
	assert_int_equal(merged.status, EXIT_FINE);
	output_free(&merged);
	files = command_run(&cmd_top, "server.pb later.pb");
	merged = command_run(&cmd_top, "merged.pb");
	assert_non_null(strstr(files.out, "(2 files merged)"));
	assert_string_equal(merged.out, files.out);
	assert_string_equal(merged.err, files.err);
	output_free(&files);
	output_free(&merged);
	merged = command_run(&cmd_diff, "merged.pb later.pb");
	assert_non_null(strstr(merged.out, "errors of independent runs"));
	output_free(&merged);
	/* As text as well, and of what was merged before. */
	merged = command_run(&cmd_convert,
	    "-f heap -o merged.heap merged.pb later.pb");
	output_free(&merged);
	merged = command_run(&cmd_generations, "merged.heap");
	assert_non_null(strstr(merged.err, "the sum of 3 profiles"));
	output_free(&merged);
	unlink("merged.pb");
	unlink("merged.heap");
}

static void
assert_status(const struct cli_command *command, const char *line, int status,
    const char *message)
{
	struct output output = command_run(command, line);

	assert_int_equal(output.status, status);
	if (strstr(output.err, message) == NULL)
		fail_msg("not \"%s\" but \"%s\"", message, output.err);
	output_free(&output);
}

/* `strata top "$file"`, and the variable is empty. */
static void
test_a_file_without_a_name_is_seen(void **state)
{
	char *paths[] = { "", NULL };
	struct model_error error;
	FILE *err = tmpfile();
	struct model *model;
	int saved = redirect(2, err);
	char *said;

	assert_int_not_equal(read_profiles(paths, 1, &model, &error), 0);
	read_complain(&error);
	restore(2, saved);
	said = file_text(err);
	assert_string_equal(said, "strata: '': cannot be opened: No such "
	    "file or directory\n");
	free(said);
	fclose(err);
}

static void
test_bad_input(void **state)
{
	const struct cli_command *const all[] = { &cmd_top, &cmd_merge,
	    &cmd_convert };

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_status(all[i], "/dev/null", EXIT_INPUT,
		    "strata: /dev/null: offset 0: empty file");
		assert_status(all[i], "absent.pb", EXIT_INPUT,
		    "strata: absent.pb: cannot be opened");
		assert_status(all[i], "", EXIT_USAGE, "");
	}
	assert_status(&cmd_diff, "server.pb /dev/null", EXIT_INPUT,
	    "/dev/null: offset 0: empty file");
	assert_status(&cmd_top, "--focus=( server.pb", EXIT_USAGE,
	    "--focus: \"(\"");
	assert_status(&cmd_top, "--sample-type=cpu server.pb", EXIT_USAGE,
	    "no sample type 'cpu'");
}

static const char jemalloc[] =
    "heap_v2/524288\n"
    "  t*: 2: 2000000 [0: 0]\n"
    "@ 0x1000 0x2000\n"
    "  t*: 2: 2000000 [0: 0]\n\n"
    "MAPPED_LIBRARIES:\n";

/* An empty table is no answer to who holds what. */
static void
test_labels_that_are_not_there_are_missed(void **state)
{
	FILE *file = fopen("jemalloc.heap", "w");

	assert_non_null(file);
	fputs(jemalloc, file);
	assert_int_equal(fclose(file), 0);
	assert_status(&cmd_top, "--thread . server.pb", EXIT_FINE,
	    "strata: no thread labels in the profile, which --thread goes "
	    "by (libstrata writes none)\n");
	assert_status(&cmd_top, "--by thread server.pb", EXIT_FINE,
	    "no thread labels in the profile, which --by goes by");
	assert_status(&cmd_lifetimes, "--by thread server.pb", EXIT_FINE,
	    "no thread labels in the profile, which --by goes by");
	assert_status(&cmd_diff, "--by thread server.pb later.pb", EXIT_FINE,
	    "no thread labels in the profile, which --by goes by");
	assert_status(&cmd_top, "--generation 1 jemalloc.heap", EXIT_FINE,
	    "strata: no generation labels in the profile, which --generation "
	    "goes by (they are in the native profiles of libstrata)\n");
	assert_status(&cmd_top, "--arena 0 jemalloc.heap", EXIT_FINE,
	    "no arena labels");
	assert_status(&cmd_top, "--size 100-200 jemalloc.heap", EXIT_FINE,
	    "no size labels");
	assert_status(&cmd_top, "--age 1s- jemalloc.heap", EXIT_FINE,
	    "no age labels");
	assert_status(&cmd_top, "--by lifetime server.pb", EXIT_FINE,
	    "strata: live objects have no lifetime yet; -s freed_space shows "
	    "those that are freed\n");
	assert_status(&cmd_top, "--by age -s freed_space server.pb",
	    EXIT_FINE, "strata: freed objects have no age; -s inuse_space "
	    "shows those that are alive\n");
	unlink("jemalloc.heap");
}

/* Exact figures are the whole process's, not those of what a filter left. */
static void
test_diff_of_a_part_has_no_exact_figures(void **state)
{
	struct output output;

	output = command_run(&cmd_diff, "server.pb later.pb");
	assert_non_null(strstr(output.out, "\nexact live bytes:"));
	output_free(&output);
	output = command_run(&cmd_diff, "--focus session server.pb later.pb");
	assert_int_equal(output.status, EXIT_FINE);
	assert_null(strstr(output.out, "\nexact live bytes:"));
	output_free(&output);
}

static void
test_a_wrong_way_to_sum_is_told_the_right_ones(void **state)
{
	static const char all[] = "--by: unknown 'colour' (there is: function "
	    "line file address module arena size generation thread age "
	    "lifetime)\n";
	static const char frames[] = "--by: unknown 'arena' (there is: "
	    "function line file address module)\n";

	assert_status(&cmd_top, "--by=colour server.pb", EXIT_USAGE, all);
	assert_status(&cmd_diff, "--by=colour server.pb later.pb",
	    EXIT_USAGE, all);
	assert_status(&cmd_graph, "--by=arena server.pb", EXIT_USAGE, frames);
	assert_status(&cmd_flame, "--by=arena server.pb", EXIT_USAGE, frames);
	assert_status(&cmd_generations, "--by=arena server.pb", EXIT_USAGE,
	    frames);
	assert_status(&cmd_lifetimes, "--by=age server.pb", EXIT_USAGE,
	    "--by: unknown 'age' (there is: function line file address "
	    "module arena size generation thread)\n");
}

static void
test_output_that_cannot_be_written(void **state)
{
	assert_status(&cmd_merge, "-o /dev/full server.pb", EXIT_INPUT,
	    "/dev/full");
	assert_status(&cmd_convert, "-o /nowhere/x.pb server.pb", EXIT_INPUT,
	    "/nowhere/x.pb");
}

/* The status of a command whose standard output is a terminal. */
static int
status_on_terminal(const struct cli_command *command, char *line)
{
	char *argv[16] = { (char *)command->name };
	struct cli_args args;
	int argc = 1, master, slave, saved, saved_err, status;
	FILE *tty, *err = tmpfile();
	char *text;

	while ((argv[argc] = strsep(&line, " ")) != NULL)
		argc++;
	assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
	tty = fdopen(slave, "r+");
	saved = redirect(1, tty);
	saved_err = redirect(2, err);
	status = cli_parse(command, argc, argv, &args);
	if (status == EXIT_FINE) {
		status = command->run(&args);
		cli_free(&args);
	}
	restore(1, saved);
	restore(2, saved_err);
	text = file_text(err);
	assert_true(status != EXIT_USAGE || strstr(text, "is binary; name a "
	    "file with --output") != NULL);
	free(text);
	fclose(err);
	fclose(tty);
	close(master);
	return status;
}

static void
test_nothing_binary_goes_to_a_terminal(void **state)
{
	const struct {
		const struct cli_command *command;
		const char *line;
		int status;
	} cases[] = {
		{ &cmd_merge, "server.pb later.pb", EXIT_USAGE },
		{ &cmd_convert, "server.pb", EXIT_USAGE },
		{ &cmd_convert, "-f folded server.pb", EXIT_FINE },
		{ &cmd_convert, "-o merged.pb server.pb", EXIT_FINE },
		{ &cmd_graph, "-f png server.pb", EXIT_USAGE },
		{ &cmd_graph, "-f pdf server.pb", EXIT_USAGE },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *line = strdup(cases[i].line);

		assert_int_equal(status_on_terminal(cases[i].command, line),
		    cases[i].status);
		free(line);
	}
	unlink("merged.pb");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_convert),
		cmocka_unit_test(
		    test_merge_and_convert_write_files_that_add_up),
		cmocka_unit_test(
		    test_dumps_of_one_process_are_added_with_a_word),
		cmocka_unit_test(test_a_merged_file_says_so),
		cmocka_unit_test(test_a_file_without_a_name_is_seen),
		cmocka_unit_test(test_bad_input),
		cmocka_unit_test(test_labels_that_are_not_there_are_missed),
		cmocka_unit_test(test_diff_of_a_part_has_no_exact_figures),
		cmocka_unit_test(
		    test_a_wrong_way_to_sum_is_told_the_right_ones),
		cmocka_unit_test(test_output_that_cannot_be_written),
		cmocka_unit_test(test_nothing_binary_goes_to_a_terminal),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
