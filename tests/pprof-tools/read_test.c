/*
 * read_test.c - formats are told apart, gzip is taken off, files are merged,
 * and what is no profile is named with file, offset and reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "fixture.h"
#include "mutate.h"
#include "read.h"

static const char path[] = "read_test.pb", other[] = "read_test.heap";

static void
put_file(const char *name, const void *bytes, size_t n)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

/* The same bytes gzipped, appended to a file. */
static void
gzip_to(const char *name, const char *mode, const void *bytes, size_t n)
{
	gzFile file = gzopen(name, mode);

	assert_non_null(file);
	assert_int_equal(gzwrite(file, bytes, (unsigned)n), n);
	assert_int_equal(gzclose(file), Z_OK);
}

static void
assert_refused(const char *name, int status, const char *reason)
{
	struct model_error error;
	struct model *model;

	assert_int_equal(read_profile(name, &model, &error), status);
	assert_string_equal(error.file, name);
	if (strstr(error.reason, reason) == NULL)
		fail_msg("not \"%s\" but \"%s\"", reason, error.reason);
}

static char *
server_bytes(size_t *length)
{
	struct model_error error;
	char *bytes;

	fixture_server(path);
	assert_int_equal(read_file(path, &bytes, length, &error), 0);
	return bytes;
}

static void
test_gzip_in_one_and_in_several_members(void **state)
{
	struct model_error error;
	struct model *model;
	size_t length;
	char *bytes = server_bytes(&length);

	gzip_to(path, "w9", bytes, length);
	assert_int_equal(read_profile(path, &model, &error), 0);
	assert_int_equal(model->nrows, 8);
	model_free(model);
	gzip_to(path, "w9", bytes, 100);
	gzip_to(path, "a9", bytes + 100, length - 100);
	assert_int_equal(read_profile(path, &model, &error), 0);
	assert_int_equal(model->nrows, 8);
	model_free(model);
	unlink(path);
	free(bytes);
}

static void
test_damaged_gzip(void **state)
{
	struct model_error error;
	size_t length, packed;
	char *bytes = server_bytes(&length), *gz;
	FILE *file;

	gzip_to(path, "w9", bytes, length);
	file = fopen(path, "r");
	gz = malloc(length + 1000);
	packed = fread(gz, 1, length + 1000, file);
	fclose(file);
	put_file(path, gz, packed / 2);
	assert_refused(path, EINVAL, "end early");
	gz[packed / 2] ^= 0x55;
	put_file(path, gz, packed);
	assert_refused(path, EINVAL, "gzip");
	put_file(path, gz, 2);
	assert_refused(path, EINVAL, "gzip");
	assert_int_not_equal(read_file(path, &bytes, &length, &error), 0);
	unlink(path);
	free(gz);
	free(bytes);
}

static void
test_what_is_no_profile(void **state)
{
	struct model_error error;
	struct model *model;

	put_file(path, "", 0);
	assert_refused(path, EINVAL, "empty file");
	put_file(path, "hello, world\n", 13);
	assert_refused(path, EINVAL, "not a profile");
	put_file(path, "\x7f" "ELF\2\1\1\0\0\0\0\0", 12);
	assert_refused(path, EINVAL, "not a profile");
	gzip_to(path, "w9", "", 0);
	assert_refused(path, EINVAL, "empty file");
	unlink(path);
	assert_refused(path, ENOENT, "cannot be opened: No such file");
	assert_refused("/", EISDIR, "cannot be read: Is a directory");
	assert_int_not_equal(read_profile("/dev/null", &model, &error), 0);
	assert_string_equal(error.reason, "empty file");
}

static void
test_several_files_are_merged(void **state)
{
	static const char text[] = "heap_v2/1\n  t*: 1: 64 [0: 0]\n"
	    "@ 0x401136\n  t*: 1: 64 [0: 0]\n\nMAPPED_LIBRARIES:\n";
	char *const three[] = { (char *)path, (char *)path, (char *)other };
	char *const bad[] = { (char *)other, "/dev/null", (char *)path };
	struct model_error error;
	struct model *one, *all;

	fixture_server(path);
	put_file(other, text, sizeof text - 1);
	assert_int_equal(read_profiles(three, 1, &one, &error), 0);
	assert_int_equal(read_profiles(three, 3, &all, &error), 0);
	assert_int_equal(all->nfiles, 3);
	assert_int_equal(all->nrows, one->nrows + 1);
	assert_int_equal(model_total(all, model_find_type(all,
	    "inuse_space")), 2 * model_total(one, model_find_type(one,
	    "inuse_space")) + 64);
	model_free(one);
	model_free(all);
	assert_int_equal(read_profiles(bad, 3, &all, &error), EINVAL);
	assert_string_equal(error.file, "/dev/null");
	unlink(path);
	unlink(other);
}

static void
test_mutated_gzip_never_crashes(void **state)
{
	static const char text[] = "heap_v2/1\n  t*: 1: 64 [0: 0]\n"
	    "@ 0x401136\n  t*: 1: 64 [0: 0]\n\nMAPPED_LIBRARIES:\n";
	char gz[1000];
	size_t packed;
	FILE *file;

	gzip_to(path, "w9", text, sizeof text - 1);
	file = fopen(path, "r");
	packed = fread(gz, 1, sizeof gz, file);
	fclose(file);
	unlink(path);
	for (uint64_t seed = 0; seed < 5000; seed++) {
		size_t n;
		unsigned char *damaged = mutate(gz, packed, seed, &n);
		struct model_error error;
		struct model *model;

		if (read_buffer("x", damaged, n, &model, &error) == 0)
			model_free(model);
		else
			assert_true(*error.reason != '\0');
		free(damaged);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip_in_one_and_in_several_members),
		cmocka_unit_test(test_damaged_gzip),
		cmocka_unit_test(test_what_is_no_profile),
		cmocka_unit_test(test_several_files_are_merged),
		cmocka_unit_test(test_mutated_gzip_never_crashes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
