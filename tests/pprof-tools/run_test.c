/*
 * run_test.c - the environment that `strata run` sets, and what it refuses.
 */
#include "command.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "run.h"

static void
test_the_library_comes_first(void **state)
{
	char *preload = run_preload("/l/libstrata.so.1", NULL);

	assert_string_equal(preload, "/l/libstrata.so.1");
	free(preload);
	preload = run_preload("/l/libstrata.so.1", "/a.so:/b.so");
	assert_string_equal(preload, "/l/libstrata.so.1:/a.so:/b.so");
	free(preload);
	preload = run_preload("/l/libstrata.so.1",
	    "/a.so /l/libstrata.so.1:/l/libstrata.so.12");
	assert_string_equal(preload,
	    "/l/libstrata.so.1:/a.so:/l/libstrata.so.12");
	free(preload);
}

static void
test_conf_is_joined_without_empty_parts(void **state)
{
	static const char *const parts[] = { "prof:true", NULL, "", "a:b,c:d",
	    "e:f" };
	char *joined = run_join_conf(parts, 5);

	assert_string_equal(joined, "prof:true,a:b,c:d,e:f");
	free(joined);
	joined = run_join_conf(parts + 1, 2);
	assert_string_equal(joined, "");
	free(joined);
}

/* What stands in for libstrata.so.1: never loaded. */
static const char strata_stub[] = "char strata_version, malloc;";
static const char prefixed_stub[] = "char strata_version, st_malloc;";
static const char other_stub[] = "char malloc, mallocx;";

static void
make_library(const char *source)
{
	FILE *cc = popen("cc -fno-builtin -shared -fPIC -o run_lib.so -xc -",
	    "w");

	assert_non_null(cc);
	fputs(source, cc);
	assert_int_equal(pclose(cc), 0);
}

/* What --dry-run prints, with a stub as the library. */
static struct output
dry_run(const char *line)
{
	char full[512];
	struct output output;

	unsetenv("LD_PRELOAD");
	unsetenv("STRATA_NO_CHILDREN");
	snprintf(full, sizeof full, "-n --library run_lib.so %s", line);
	output = command_run(&cmd_run, full);
	unsetenv("LD_PRELOAD");
	unsetenv("MALLOC_CONF");
	unsetenv("STRATA_NO_CHILDREN");
	return output;
}

static void
assert_conf(const char *line, const char *conf)
{
	struct output output = dry_run(line);
	char expected[512];

	snprintf(expected, sizeof expected, "MALLOC_CONF=%s ", conf);
	if (strstr(output.out, expected) == NULL)
		fail_msg("%s: '%s' is not in '%s' %s", line, expected,
		    output.out, output.err);
	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
}

static void
test_options_become_pairs(void **state)
{
	unsetenv("MALLOC_CONF");
	assert_conf("sh", "prof:true");
	assert_conf("-l 12 sh", "prof:true,lg_prof_sample:12");
	assert_conf("--prefix=/tmp/x sh", "prof:true,prof_prefix:/tmp/x");
	assert_conf("-i 5min sh", "prof:true,prof_interval_ms:300000");
	assert_conf("--interval-bytes 1MiB sh",
	    "prof:true,lg_prof_interval:20");
	assert_conf("--interval-bytes 1000000 sh",
	    "prof:true,lg_prof_interval:20");
	assert_conf("--final --format both sh",
	    "prof:true,prof_final:true,prof_format:both");
	assert_conf("--leak-error sh",
	    "prof:true,prof_leak_error:true,prof_leak:true");
	assert_conf("--signal none sh", "prof:true,prof_signal:none");
	assert_conf("--no-prof sh", "prof:true,prof:false");
	assert_conf("-c a:b -c narenas:1,c:d sh",
	    "prof:true,a:b,narenas:1,c:d");
}

static void
test_the_users_conf_stays_and_options_win(void **state)
{
	setenv("MALLOC_CONF", "narenas:2,lg_prof_sample:10", 1);
	assert_conf("-l 12 sh",
	    "prof:true,narenas:2,lg_prof_sample:10,lg_prof_sample:12");
}

static void
test_what_is_there_stays_preloaded(void **state)
{
	struct output output;

	setenv("LD_PRELOAD", "", 1);
	output = dry_run("--no-children sh -c true");
	assert_non_null(strstr(output.out,
	    "STRATA_NO_CHILDREN=1 sh -c true\n"));
	output_free(&output);
	output = dry_run("sh");
	assert_null(strstr(output.out, "STRATA_NO_CHILDREN"));
	output_free(&output);
}

static void
test_figures_are_checked(void **state)
{
	static const char *const lines[] = { "-l x sh", "-l 99 sh",
	    "-i 10us sh", "-i soon sh", "--interval-bytes many sh",
	    "--interval-bytes 0 sh",
	    "--prefix a,b sh", "--format text sh", "" };

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		struct output output = dry_run(lines[i]);

		assert_int_equal(output.status, EXIT_USAGE);
		output_free(&output);
	}
}

static void
assert_signal(const char *name)
{
	char line[64], conf[64];

	snprintf(line, sizeof line, "--signal %s sh", name);
	snprintf(conf, sizeof conf, "prof:true,prof_signal:%s", name);
	assert_conf(line, conf);
}

/* Its names are those of the library's own list. */
static void
test_signals_are_those_that_the_library_takes(void **state)
{
	static const char *const good[] = { "0", "10", "SIGUSR1", "RTMIN+3",
	    "SIGRTMIN+0", "64" };
	static const char *const bad[] = { "FOO", "99", "9", "19", "32", "-1",
	    "KILL", "RTMIN+99", "RTMIN+", "SIG", "10x" };
	char line[64], path[1024], *source, *name, *end;

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_signal(good[i]);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct output output;

		snprintf(line, sizeof line, "--signal %s sh", bad[i]);
		output = dry_run(line);
		if (output.status != EXIT_USAGE)
			fail_msg("--signal %s is taken", bad[i]);
		output_free(&output);
	}
	source_path(path, sizeof path, "src/conf.c");
	source = file_read(path);
	name = strstr(source, "conf_signals[] = {");
	assert_non_null(name);
	*strstr(name, "};") = '\0';
	for (; (name = strchr(name, '"')) != NULL; name = end + 1) {
		end = strchr(++name, '"');
		*end = '\0';
		assert_signal(name);
	}
	free(source);
}

static void
test_options_of_the_profiler_need_one(void **state)
{
	static const char *const options[] = { "-l 12", "-p x", "-i 5s",
	    "--interval-bytes 1M", "--final", "--leak", "--leak-error",
	    "--signal USR1", "-f both" };

	for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
		struct output output;
		char line[64];

		snprintf(line, sizeof line, "--no-prof %s sh", options[i]);
		output = dry_run(line);
		if (output.status != EXIT_USAGE)
			fail_msg("%s is taken", line);
		assert_non_null(strstr(output.err, "--no-prof"));
		output_free(&output);
	}
}

/* An empty shell variable is no "true". */
static void
test_an_empty_value_is_refused(void **state)
{
	static const char *const names[] = { "--prefix", "--signal" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		char line[32];
		struct output output;

		snprintf(line, sizeof line, "%s= sh", names[i]);
		output = dry_run(line);
		assert_int_equal(output.status, EXIT_USAGE);
		assert_non_null(strstr(output.err, names[i]));
		output_free(&output);
	}
}

static void
test_a_missing_library_is_named(void **state)
{
	struct output output = command_run(&cmd_run,
	    "--library /nowhere/libstrata.so.1 sh");

	assert_int_equal(output.status, EXIT_INPUT);
	assert_non_null(strstr(output.err, "/nowhere/libstrata.so.1"));
	output_free(&output);
}

static void
assert_library_refused(const char *library, const char *why)
{
	char line[64];
	struct output output;

	snprintf(line, sizeof line, "-n --library %s sh", library);
	output = command_run(&cmd_run, line);
	assert_int_equal(output.status, EXIT_INPUT);
	assert_string_equal(output.out, "");
	if (strstr(output.err, library) == NULL ||
	    strstr(output.err, why) == NULL)
		fail_msg("'%s' is not in '%s'", why, output.err);
	output_free(&output);
}

static void
patch(const char *path, off_t at, uint16_t value)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, &value, sizeof value, at), sizeof value);
	close(fd);
}

/* The loader would say a word and start the program without it. */
static void
test_what_is_not_stratas_library_is_refused(void **state)
{
	assert_library_refused("/etc/passwd", "no shared library");
	make_library(other_stub);
	assert_library_refused("run_lib.so", "not Strata's");
	make_library(strata_stub);
	patch("run_lib.so", offsetof(Elf64_Ehdr, e_machine), EM_S390);
	assert_library_refused("run_lib.so", "of this machine");
	make_library(prefixed_stub);
	assert_library_refused("run_lib.so", "--with-prefix=st_");
	make_library(strata_stub);
}

/* --- what kind of program it is -------------------------------------------*/

static void
write_program(const char *path, const char *text, size_t size, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fwrite(text, 1, size, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void
assert_inspected(const char *name, enum run_obstacle obstacle)
{
	char path[PATH_MAX];

	assert_int_equal(run_inspect(name, path), obstacle);
}

static void
test_ordinary_programs_can_be_preloaded(void **state)
{
	assert_inspected("sh", RUN_LOADABLE);
	assert_inspected("/bin/sh", RUN_LOADABLE);
	assert_inspected("no-such-program-here", RUN_NOT_FOUND);
	assert_inspected("./no-such-program", RUN_NOT_FOUND);
	assert_inspected("/tmp", RUN_NOT_EXECUTABLE);
	assert_inspected("/etc/passwd", RUN_NOT_EXECUTABLE);
}

static void
test_scripts_are_followed_to_their_interpreter(void **state)
{
	static const char good[] = "#!/usr/bin/env -S sh -e\n";
	static const char missing[] = "#! /nowhere/interpreter -x\n";
	char path[PATH_MAX];

	write_program("run_test.sh", good, sizeof good - 1, 0755);
	assert_int_equal(run_inspect("./run_test.sh", path), RUN_LOADABLE);
	assert_non_null(strstr(path, "/sh"));
	write_program("run_test.sh", missing, sizeof missing - 1, 0755);
	assert_int_equal(run_inspect("./run_test.sh", path), RUN_NOT_FOUND);
	assert_string_equal(path, "/nowhere/interpreter");
	unlink("run_test.sh");
}

/* Compiles a program with the options; false if this machine cannot. */
static bool
compiled(const char *options)
{
	char command[256];
	FILE *file = fopen("run_prog.c", "w");

	assert_non_null(file);
	fputs("int main(void) { return 7; }\n", file);
	fclose(file);
	snprintf(command, sizeof command,
	    "cc %s -o run_prog run_prog.c 2>run_prog.log", options);
	return system(command) == 0;
}

static void
test_static_programs_are_refused_clearly(void **state)
{
	struct output output;

	assert_true(compiled("-static"));
	assert_inspected("./run_prog", RUN_STATIC);
	output = command_run(&cmd_run, "--library run_lib.so ./run_prog");
	assert_int_equal(output.status, EXIT_INPUT);
	assert_non_null(strstr(output.err, "statically linked"));
	assert_non_null(strstr(output.err, "libstrata.a"));
	assert_non_null(strstr(output.err, "MALLOC_CONF=prof:true"));
	output_free(&output);
}

static void
test_setuid_programs_are_refused_clearly(void **state)
{
	assert_true(compiled(""));
	assert_inspected("./run_prog", RUN_LOADABLE);
	if (geteuid() != 0 || chown("run_prog", 65534, 65534) != 0)
		skip();			/* only root can make one */
	assert_int_equal(chmod("run_prog", 04755), 0);
	assert_inspected("./run_prog", RUN_SETUID);
	assert_int_equal(chmod("run_prog", 0755), 0);
	assert_inspected("./run_prog", RUN_LOADABLE);
}

static void
test_a_broken_program_does_not_break_the_look(void **state)
{
	char program[64] = "\177ELF\002\001\001";

	write_program("run_prog", program, 4, 0755);
	assert_inspected("./run_prog", RUN_NOT_EXECUTABLE);
	write_program("run_prog", program, 64, 0755);
	assert_inspected("./run_prog", RUN_OTHER_LOADER);
	program[4] = 1;				/* 32 bit */
	write_program("run_prog", program, 64, 0755);
	assert_inspected("./run_prog", RUN_OTHER_LOADER);
}

static int
setup(void **state)
{
	make_library(strata_stub);
	return 0;
}

static int
teardown(void **state)
{
	unlink("run_lib.so");
	unlink("run_prog");
	unlink("run_prog.c");
	unlink("run_prog.log");
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_library_comes_first),
		cmocka_unit_test(test_conf_is_joined_without_empty_parts),
		cmocka_unit_test(test_options_become_pairs),
		cmocka_unit_test(test_the_users_conf_stays_and_options_win),
		cmocka_unit_test(test_what_is_there_stays_preloaded),
		cmocka_unit_test(test_figures_are_checked),
		cmocka_unit_test(
		    test_signals_are_those_that_the_library_takes),
		cmocka_unit_test(test_options_of_the_profiler_need_one),
		cmocka_unit_test(test_an_empty_value_is_refused),
		cmocka_unit_test(test_a_missing_library_is_named),
		cmocka_unit_test(test_what_is_not_stratas_library_is_refused),
		cmocka_unit_test(test_ordinary_programs_can_be_preloaded),
		cmocka_unit_test(
		    test_scripts_are_followed_to_their_interpreter),
		cmocka_unit_test(test_static_programs_are_refused_clearly),
		cmocka_unit_test(test_setuid_programs_are_refused_clearly),
		cmocka_unit_test(
		    test_a_broken_program_does_not_break_the_look),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
