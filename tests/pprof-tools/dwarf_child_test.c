/*
 * dwarf_child_test.c - what is told, and what is kept, when the process that
 * reads debug information does not end well.
 *
 * The reader here is this file's, not dwarf_lines.c: it ends as it is told.
 */
#include "command.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "dwarf_lines.h"
#include "model.h"
#include "symbolize.h"
#include "xalloc.h"

#define DIR "dwarf_child_test.dir"
#define BUILD_ID "0123456789abcdef"

static enum { FINDS, FINDS_NOTHING, LOOPS, CRASHES, KILLED, GIVES_UP } reader;

size_t
dwarf_lines(const char *path, struct symbol *symbols, size_t n,
    struct strpool *pool)
{
	switch (reader) {
	case FINDS:
		break;
	case FINDS_NOTHING:
		return 0;
	case LOOPS:
		for (;;)
			continue;
	case CRASHES:
		abort();
	case KILLED:
		raise(SIGKILL);
		break;
	case GIVES_UP:
		exit(3);		/* as xmalloc does */
	}
	for (size_t i = 0; i < n; i++) {
		symbols[i].nlines = 1;
		symbols[i].lines = xcalloc(1, sizeof *symbols[i].lines);
		symbols[i].lines[0] = (struct symbol_line){ "found", "found",
		    "found.c", 1, 1 };
	}
	return n;
}

static int
setup(void **state)
{
	return system("rm -rf " DIR " && mkdir " DIR " && cd " DIR " && "
	    "echo 'int main(void) { return 0; }' >a.c && "
	    "gcc -g -Wl,--build-id=0x" BUILD_ID " -o a a.c");
}

static int
teardown(void **state)
{
	return system("rm -rf " DIR);
}

static int
forget(void **state)
{
	return system("rm -rf " DIR "/cache");
}

/* One address, never mind where: its module is symbolized. */
static struct symbolize_module
run(char **err)
{
	struct symbolize_options options = { .cache_dir = DIR "/cache" };
	struct model *model = model_new();
	struct symbolize_report report;
	struct symbolize_module module;
	char *path = realpath(DIR "/a", NULL);
	FILE *file = tmpfile();
	int saved;

	model_add_type(model, "space", "bytes");
	model_add_mapping(model, &(struct model_mapping){ .limit = 0x4000,
	    .file = path, .build_id = BUILD_ID });
	model_add_location(model, &(struct model_location){
	    .address = 0x1010 });
	free(path);
	assert_non_null(file);
	saved = redirect(STDERR_FILENO, file);
	symbolize_model(model, &options, &report);
	restore(STDERR_FILENO, saved);
	*err = file_text(file);
	fclose(file);
	assert_int_equal(report.n, 1);
	module = report.modules[0];
	symbolize_report_free(&report);
	model_free(model);
	return module;
}

static void
assert_run(int how, enum symbolize_state state, bool cached,
    const char *complaint)
{
	struct symbolize_module module;
	char *err;

	reader = how;
	module = run(&err);
	if (*complaint == '\0' ? *err != '\0' :
	    strstr(err, complaint) == NULL)
		fail_msg("not \"%s\" but \"%s\"", complaint, err);
	assert_int_equal(module.state, state);
	assert_int_equal(module.cached, cached);
	free(err);
}

/* A failure is told, and the next run tries again. */
static void
assert_fails(int how, const char *complaint)
{
	assert_run(how, SYMBOLIZE_SYMBOLS, false, complaint);
	assert_run(FINDS, SYMBOLIZE_LINES, false, "");
	assert_run(how, SYMBOLIZE_LINES, true, "");
}

static void
test_what_was_found_is_kept(void **state)
{
	assert_run(FINDS, SYMBOLIZE_LINES, false, "");
	assert_run(FINDS, SYMBOLIZE_LINES, true, "");
}

static void
test_that_nothing_was_found_is_kept(void **state)
{
	assert_run(FINDS_NOTHING, SYMBOLIZE_SYMBOLS, false, "");
	assert_run(FINDS, SYMBOLIZE_SYMBOLS, true, "");
}

static bool
limited_below(rlim_t seconds)
{
	struct rlimit own;

	return getrlimit(RLIMIT_CPU, &own) == 0 && own.rlim_cur < seconds;
}

static void
test_a_reader_that_takes_too_long(void **state)
{
	if (limited_below(4))
		skip();
	assert_fails(LOOPS, DIR "/a: reading its debug information took more "
	    "than 2 s of processor time; its symbol table is used\n");
}

/*
 * Soft and hard alike, as ulimit -t sets it: the kernel would send SIGKILL.
 * In a child, whose own processor time begins at 0.
 */
static void
test_a_limit_of_the_command_s_own(void **state)
{
	struct rlimit limit = { 2, 2 };
	int status = -1;
	pid_t pid;

	if (limited_below(2))
		skip();
	pid = fork();
	if (pid == 0) {
		assert_int_equal(setrlimit(RLIMIT_CPU, &limit), 0);
		assert_fails(LOOPS, DIR "/a: reading its debug information "
		    "took more than 1 s of processor time");
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void
test_a_reader_that_is_killed(void **state)
{
	assert_fails(KILLED, "its debug information was killed, perhaps for "
	    "lack of memory; its symbol table is used\n");
}

static void
test_a_reader_that_crashes(void **state)
{
	assert_fails(CRASHES, "its debug information is damaged; its symbol "
	    "table is used\n");
}

static void
test_a_reader_without_memory(void **state)
{
	assert_fails(GIVES_UP, "its debug information could not be read; its "
	    "symbol table is used\n");
}

/* With room for one more file, but not for a pipe's two ends. */
static void
test_no_reader_can_be_started(void **state)
{
	struct rlimit before, few;
	int next = dup(STDIN_FILENO);

	assert_true(next >= 0);
	close(next);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = (rlim_t)next + 3;	/* two are run's */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	assert_run(FINDS, SYMBOLIZE_SYMBOLS, false, "its debug information "
	    "could not be read: Too many open files; its symbol table is "
	    "used\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_run(FINDS, SYMBOLIZE_LINES, false, "");
}

#define TEST(name) cmocka_unit_test_setup(name, forget)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_was_found_is_kept),
		TEST(test_that_nothing_was_found_is_kept),
		TEST(test_a_reader_that_takes_too_long),
		TEST(test_a_limit_of_the_command_s_own),
		TEST(test_a_reader_that_is_killed),
		TEST(test_a_reader_that_crashes),
		TEST(test_a_reader_without_memory),
		TEST(test_no_reader_can_be_started),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
