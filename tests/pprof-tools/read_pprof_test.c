/*
 * read_pprof_test.c - profile.proto: what is read, what is refused, and that
 * what is written is read again.
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

#include "calltree.h"
#include "fixture.h"
#include "mutate.h"
#include "read.h"
#include "sites.h"
#include "write_pprof.h"

enum { MUTATIONS = 4000 };		/* of each seed file; 1 s */

static const char path[] = "read_pprof_test.pb";

static char *
server_bytes(size_t *length)
{
	struct model_error error;
	char *bytes;

	fixture_server(path);
	assert_int_equal(read_file(path, &bytes, length, &error), 0);
	unlink(path);
	return bytes;
}

static struct model *
read_ok(const void *bytes, size_t length)
{
	struct model_error error;
	struct model *model;

	if (read_buffer("x", bytes, length, &model, &error) != 0)
		fail_msg("offset %llu: %s", (unsigned long long)error.offset,
		    error.reason);
	return model;
}

static void
assert_refused(const void *bytes, size_t length, const char *reason)
{
	struct model_error error;
	struct model *model;

	assert_int_equal(read_buffer("x", bytes, length, &model, &error),
	    EINVAL);
	assert_string_equal(error.file, "x");
	if (strstr(error.reason, reason) == NULL)
		fail_msg("not \"%s\" but \"%s\"", reason, error.reason);
	assert_true(error.offset <= length);
}

static void
test_native_profile(void **state)
{
	size_t length;
	char *bytes = server_bytes(&length);
	struct model *model = read_ok(bytes, length);
	const struct model_row *row = &model->rows[0];

	assert_string_equal(model->format, "pprof");
	assert_int_equal(model->ntypes, 9);
	assert_int_equal(model->nrows, 8);
	assert_string_equal(model->types[model->default_type].type,
	    "inuse_space");
	assert_int_equal(model->period, 4096);
	assert_true(model->exact.live == 1850000);
	assert_string_equal(model->exact.command, "server --port 80");
	assert_int_equal(row->labels->bytes, 256);
	assert_int_equal(row->labels->rate, 4096);
	assert_string_equal(row->labels->arena, "arena 0");
	assert_string_equal(row->labels->age, "bucket");
	assert_null(row->labels->lifetime);
	assert_true(row->labels->age_ns == 2000000000);
	assert_true(row->labels->lifetime_ns == -1);
	/* Native, live and without the label: born before the first dump. */
	assert_true(row->labels->since == 0);
	assert_true(model->rows[1].labels->since == -1);
	model_free(model);
	free(bytes);
}

static void
test_stacks_and_inlined_frames(void **state)
{
	size_t length;
	char *bytes = server_bytes(&length);
	struct model *model = read_ok(bytes, length);
	const struct model_stack *stack =
	    model->stacks[model->rows[0].stack];
	const struct model_location *place =
	    &model->locations[stack->locations[1]];

	assert_int_equal(stack->depth, 4);
	assert_int_equal(place->nlines, 2);
	assert_string_equal(place->lines[0].function, "cache_put");
	assert_string_equal(place->lines[1].function, "cache_insert");
	assert_string_equal(place->lines[0].file, "server.c");
	assert_string_equal(model->locations[stack->locations[0]].lines[0]
	    .function, "entry_new");
	assert_string_equal(model->mappings[place->mapping].file,
	    "/usr/bin/server");
	model_free(model);
	free(bytes);
}

/* Writes a model to memory. */
static char *
written(const struct model *model, bool gzip, size_t *length)
{
	char *bytes;
	FILE *out = open_memstream(&bytes, length);

	assert_int_equal(write_pprof(model, out, gzip), 0);
	assert_int_equal(fclose(out), 0);
	return bytes;
}

static void
test_written_profile_is_the_same(void **state)
{
	size_t length, again, third;
	char *bytes = server_bytes(&length), *second, *last;
	struct model *model = read_ok(bytes, length), *copy;

	second = written(model, false, &again);
	copy = read_ok(second, again);
	assert_int_equal(copy->nrows, model->nrows);
	assert_int_equal(copy->nlocations, model->nlocations);
	for (uint32_t t = 0; t < model->ntypes; t++)
		assert_int_equal(model_total(copy, t),
		    model_total(model, t));
	assert_true(copy->exact.rss == model->exact.rss);
	assert_true(copy->rows[2].labels->age_ns == 64000000);
	last = written(copy, false, &third);
	assert_int_equal(third, again);
	assert_memory_equal(last, second, again);
	model_free(model);
	model_free(copy);
	free(bytes);
	free(second);
	free(last);
}

static void
test_written_gzip_is_read(void **state)
{
	size_t length, again;
	char *bytes = server_bytes(&length), *second;
	struct model *model = read_ok(bytes, length), *copy;

	second = written(model, true, &again);
	assert_true((unsigned char)second[0] == 0x1f);
	copy = read_ok(second, again);
	assert_int_equal(model_total(copy, 3), model_total(model, 3));
	model_free(model);
	model_free(copy);
	free(bytes);
	free(second);
}

/* --- hand-made messages ------------------------------------------------- */

/* A profile of one type; the caller adds samples and the like. */
static void
start(struct fixture *f)
{
	memset(f, 0, sizeof *f);
	fixture_string(f, "");
	fixture_type(f, 1, "space", "bytes");
}

static char *
finish(struct fixture *f, size_t *length)
{
	struct model_error error;
	char *bytes;

	fixture_write(f, path);
	assert_int_equal(read_file(path, &bytes, length, &error), 0);
	unlink(path);
	return bytes;
}

static void
finish_refused(struct fixture *f, const char *reason)
{
	size_t length;
	char *bytes = finish(f, &length);

	assert_refused(bytes, length, reason);
	free(bytes);
}

static void
test_negative_and_unpacked_numbers(void **state)
{
	struct fixture_bytes sample = { 0 };
	struct model *model;
	struct fixture f;
	size_t length;
	char *bytes;

	start(&f);
	fixture_number(&sample, 2, (uint64_t)-5);
	fixture_message(&f.out, 2, &sample);
	bytes = finish(&f, &length);
	model = read_ok(bytes, length);
	assert_true(model->rows[0].values[0] == -5);
	assert_int_equal(model->stacks[model->rows[0].stack]->depth, 0);
	model_free(model);
	free(bytes);
}

static void
test_foreign_labels_are_kept(void **state)
{
	struct fixture_bytes sample = { 0 };
	struct model *model;
	struct fixture f;
	size_t length;
	char *bytes;

	start(&f);
	fixture_number(&sample, 2, 1);
	fixture_label(&f, &sample, "tenant", "blue", 0);
	fixture_label(&f, &sample, "request", NULL, 17);
	fixture_message(&f.out, 2, &sample);
	bytes = finish(&f, &length);
	model = read_ok(bytes, length);
	assert_int_equal(model->rows[0].labels->nother, 2);
	assert_string_equal(model->rows[0].labels->other[0].string, "blue");
	assert_true(model->rows[0].labels->other[1].number == 17);
	/* No period: the rate is not known, nor is any error. */
	assert_true(model->rows[0].labels->rate == -1);
	model_free(model);
	free(bytes);
}

static void
test_damaged_references(void **state)
{
	struct fixture_bytes part = { 0 };
	struct fixture f;

	start(&f);
	fixture_number(&part, 1, 7);
	fixture_number(&part, 2, 1);
	fixture_message(&f.out, 2, &part);
	finish_refused(&f, "names a location that is not there");

	start(&f);
	fixture_number(&part, 2, 1);
	fixture_number(&part, 2, 1);
	fixture_message(&f.out, 2, &part);
	finish_refused(&f, "not one value for each sample type");

	start(&f);
	fixture_number(&part, 1, 1);
	fixture_number(&part, 2, 9);
	fixture_message(&f.out, 4, &part);
	finish_refused(&f, "names a mapping that is not there");

	start(&f);
	fixture_number(&part, 3, 9);
	fixture_message(&f.out, 4, &part);
	finish_refused(&f, "an id is zero");

	start(&f);
	for (int i = 0; i < 2; i++) {
		fixture_number(&part, 1, 3);
		fixture_message(&f.out, 5, &part);
	}
	finish_refused(&f, "an id stands for two items");

	start(&f);
	fixture_number(&f.out, 13, 99);
	finish_refused(&f, "a string number is not in the table");

	start(&f);
	fixture_type(&f, 1, "space", "bytes");
	finish_refused(&f, "a sample type stands there twice");
}

static void
test_damaged_wire_format(void **state)
{
	assert_refused("\x0a\x7f\x01", 3, "reaches past the end");
	assert_refused("\x0a\x04\x08\x80\x80\x80", 6, "cut off");
	assert_refused("\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
	    12, "more than 64 bits");
	assert_refused("\x48\x01\x03", 3, "impossible number");
	assert_refused("\x48\x01\x0b", 3, "unknown kind");
	assert_refused("\x48\x01", 2, "no sample type");
}

static void
test_every_cut_is_noticed_or_whole(void **state)
{
	size_t length;
	char *bytes = server_bytes(&length);

	/* The string table stands last: no shorter file has all of it. */
	for (size_t n = 1; n < length; n++) {
		struct model_error error;
		struct model *model;

		assert_int_equal(read_buffer("x", bytes, n, &model, &error),
		    EINVAL);
		assert_true(error.offset <= n);
		assert_true(*error.reason != '\0');
	}
	free(bytes);
}

/* Whatever was read can be summed and written. */
static void
use(const struct model *model)
{
	struct calltree *tree = calltree_build(model, SITES_LINE,
	    model->default_type);
	size_t length;
	char *bytes = written(model, false, &length);

	assert_true(tree->nnodes >= 1);
	calltree_free(tree);
	free(bytes);
}

static void
test_mutations_never_crash(void **state)
{
	size_t length, read = 0;
	char *bytes = server_bytes(&length);

	for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
		size_t n;
		unsigned char *damaged = mutate(bytes, length, seed, &n);
		struct model_error error;
		struct model *model;

		if (read_buffer("x", damaged, n, &model, &error) == 0) {
			read++;
			use(model);
			model_free(model);
		} else {
			assert_true(*error.reason != '\0');
		}
		free(damaged);
	}
	print_message("%zu of %d mutations (seeds from 0) were readable\n",
	    read, MUTATIONS);
	assert_in_range(read, 1, MUTATIONS - 1);
	free(bytes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_native_profile),
		cmocka_unit_test(test_stacks_and_inlined_frames),
		cmocka_unit_test(test_written_profile_is_the_same),
		cmocka_unit_test(test_written_gzip_is_read),
		cmocka_unit_test(test_negative_and_unpacked_numbers),
		cmocka_unit_test(test_foreign_labels_are_kept),
		cmocka_unit_test(test_damaged_references),
		cmocka_unit_test(test_damaged_wire_format),
		cmocka_unit_test(test_every_cut_is_noticed_or_whole),
		cmocka_unit_test(test_mutations_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
