/*
 * model_test.c - interning, rows, exact figures, merging.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

/* A model with one module at a base and two types. */
static struct model *
new_model(uint64_t base, const char *build_id)
{
	struct model *model = model_new();

	model->nfiles = 1;
	model_add_type(model, "inuse_objects", "count");
	model_add_type(model, "inuse_space", "bytes");
	model->default_type = 1;
	model_add_mapping(model, &(struct model_mapping){ .start = base,
	    .limit = base + 0x1000, .offset = 0x1000, .file = "/bin/x",
	    .build_id = build_id });
	return model;
}

/* A row whose stack is the offsets given, innermost first, ended by 0. */
static uint32_t
add_row(struct model *model, const uint64_t *offsets, int64_t bytes,
    int64_t value)
{
	struct model_labels labels = model_labels_none();
	int64_t values[2] = { 1, value };
	uint32_t stack[8], depth = 0;

	for (; offsets[depth] != 0; depth++)
		stack[depth] = model_add_location(model,
		    &(struct model_location){
			.address = model->mappings[0].start + offsets[depth],
		    });
	labels.bytes = bytes;
	return model_add_row(model, model_add_stack(model, stack, depth),
	    &labels, values);
}

static void
test_equal_strings_are_one(void **state)
{
	struct model *model = model_new();
	const char *a = model_string(model, "function");

	assert_ptr_equal(a, model_string_n(model, "functions", 8));
	assert_ptr_not_equal(a, model_string(model, "functions"));
	assert_string_equal(model_string_n(model, "a\0b", 3), "a");
	model_free(model);
}

static void
test_equal_rows_are_added(void **state)
{
	struct model *model = new_model(0x400000, "aa");
	uint64_t stack[] = { 0x10, 0x20, 0 }, other[] = { 0x20, 0x10, 0 };
	uint32_t first = add_row(model, stack, 64, 100);

	assert_int_equal(add_row(model, stack, 64, 11), first);
	assert_int_not_equal(add_row(model, stack, 128, 7), first);
	assert_int_not_equal(add_row(model, other, 64, 5), first);
	assert_int_equal(model->nrows, 3);
	assert_int_equal(model->nstacks, 2);
	assert_int_equal(model->nlocations, 2);
	assert_int_equal(model->rows[first].values[1], 111);
	assert_int_equal(model_total(model, 1), 123);
	model_free(model);
}

static void
test_other_labels_tell_rows_apart(void **state)
{
	struct model *model = new_model(0x400000, "aa");
	struct model_label extra = { "tenant", "blue", 0, "" };
	struct model_labels labels = model_labels_none();
	int64_t values[2] = { 1, 1 };
	uint32_t stack = model_add_stack(model, NULL, 0), row;

	labels.other = &extra;
	labels.nother = 1;
	row = model_add_row(model, stack, &labels, values);
	assert_int_equal(model_add_row(model, stack, &labels, values), row);
	extra.string = "green";
	assert_int_not_equal(model_add_row(model, stack, &labels, values),
	    row);
	assert_string_equal(model->rows[row].labels->other[0].string, "blue");
	model_free(model);
}

static void
test_equal_labels_are_the_same_pointer(void **state)
{
	struct model *model = new_model(0x400000, "aa");
	struct model_labels labels = model_labels_none();
	char text[2][8] = { "arena 3", "arena 3" };	/* not the model's */
	int64_t values[2] = { 1, 1 };
	uint32_t a = 7, stack = model_add_stack(model, NULL, 0), rows[3];

	labels.arena = text[0];
	rows[0] = model_add_row(model, stack, &labels, values);
	labels.arena = text[1];
	rows[1] = model_add_row(model, model_add_stack(model, &a, 1), &labels,
	    values);
	labels.arena = model->rows[0].labels->arena;
	labels.bytes = 8;
	rows[2] = model_add_row(model, stack, &labels, values);
	assert_int_equal(model->nrows, 3);
	assert_ptr_equal(model->rows[rows[0]].labels,
	    model->rows[rows[1]].labels);
	assert_ptr_not_equal(model->rows[rows[0]].labels,
	    model->rows[rows[2]].labels);
	assert_ptr_equal(model->rows[rows[0]].labels->arena,
	    model->rows[rows[2]].labels->arena);
	model_free(model);
}

static void
test_sums_stop_at_the_ends(void **state)
{
	assert_true(model_add_saturating(INT64_MAX, 1) == INT64_MAX);
	assert_true(model_add_saturating(INT64_MIN, -1) == INT64_MIN);
	assert_true(model_add_saturating(-2, 5) == 3);
}

static void
collect(void *context, const char *comment)
{
	char *all = context;

	strcat(all, comment);
	strcat(all, "|");
}

static void
test_comments_become_figures(void **state)
{
	struct model *model = model_new();
	char all[256] = "";

	assert_true(model->exact.live == -1);
	assert_null(model->exact.version);
	model_add_comment(model, "strata_version: 0.1.0");
	model_add_comment(model, "live_bytes: 123");
	model_add_comment(model, "weights: unbiased");
	model_add_comment(model, "live_bytes: 12x");
	model_add_comment(model, "no colon");
	model_add_comment(model, "no colon");
	assert_true(model->exact.live == 123);
	assert_string_equal(model->exact.version, "0.1.0");
	assert_int_equal(model->ncomments, 3);
	model_each_exact(model, collect, all);
	assert_string_equal(all, "strata_version: 0.1.0|live_bytes: 123|");
	model_free(model);
}

static void
test_the_number_of_files_is_a_comment(void **state)
{
	struct model *model = model_new();
	char all[256] = "";

	model->nfiles = 1;
	model_each_exact(model, collect, all);
	assert_string_equal(all, "");
	model_add_comment(model, "merged_files: 0");
	model_add_comment(model, "merged_files: -3");
	model_add_comment(model, "merged_files: 99999999999");
	model_add_comment(model, "merged_files: 2x");
	assert_int_equal(model->nfiles, 1);
	assert_int_equal(model->ncomments, 4);
	model_add_comment(model, "merged_files: 3");
	assert_int_equal(model->nfiles, 3);
	model_each_exact(model, collect, all);
	assert_string_equal(all, "merged_files: 3|");
	model_free(model);
}

static void
test_merge_finds_the_same_code_elsewhere(void **state)
{
	struct model *a = new_model(0x400000, "aa");
	struct model *b = new_model(0x7f0000000000, "aa");
	uint64_t stack[] = { 0x10, 0x20, 0 }, fresh[] = { 0x30, 0 };
	struct model_error error;

	/* The locations of new_model have mapping 0 by their initializer. */
	add_row(a, stack, 64, 100);
	add_row(b, stack, 64, 20);
	add_row(b, fresh, 64, 3);
	assert_int_equal(model_merge(a, b, &error), 0);
	assert_int_equal(a->nrows, 2);
	assert_int_equal(a->nmappings, 1);
	assert_int_equal(model_total(a, 1), 123);
	assert_true(a->locations[2].address == 0x400030);
	assert_int_equal(a->nfiles, 2);
	model_free(a);
	model_free(b);
}

static void
test_merge_keeps_other_builds_apart(void **state)
{
	struct model *a = new_model(0x400000, "aa");
	struct model *b = new_model(0x400000, "bb");
	uint64_t stack[] = { 0x10, 0 };
	struct model_error error;

	add_row(a, stack, 64, 100);
	add_row(b, stack, 64, 20);
	assert_int_equal(model_merge(a, b, &error), 0);
	assert_int_equal(a->nmappings, 2);
	assert_int_equal(a->nrows, 2);
	model_free(a);
	model_free(b);
}

/* A figure that one version has and an older one has not is 0 in the latter. */
static void
test_merge_knows_older_versions(void **state)
{
	struct model *a = new_model(0x400000, "aa");
	struct model *b = new_model(0x400000, "aa");
	struct model_error error;

	model_add_comment(a, "strata_version: 0.1.0");
	model_add_comment(b, "strata_version: 0.2.0");
	model_add_comment(b, "unsampled_bytes: 5");
	assert_int_equal(model_merge(a, b, &error), 0);
	assert_true(a->exact.unsampled == 5);
	model_free(a);
	model_free(b);
}

static void
test_merge_adds_figures_and_types(void **state)
{
	struct model *a = new_model(0x400000, "aa");
	struct model *b = new_model(0x400000, "aa");
	struct model_error error;
	uint64_t stack[] = { 0x10, 0 };

	add_row(a, stack, 64, 100);
	model_add_type(b, "samples", "count");
	model_add_comment(a, "live_bytes: 100");
	model_add_comment(b, "live_bytes: 23");
	model_add_comment(a, "pid: 7");
	model_add_comment(b, "pid: 8");
	model_add_comment(b, "rss_bytes: 5");
	assert_int_equal(model_merge(a, b, &error), 0);
	/* Of the sum's RSS nothing is known: a has none. */
	assert_true(a->exact.live == 123 && a->exact.pid == -1 &&
	    a->exact.rss == -1);
	assert_int_equal(a->ntypes, 3);
	assert_int_equal(a->rows[0].values[2], 0);
	model_free(a);
	model_free(b);
}

static void
test_merge_refuses_other_kinds(void **state)
{
	struct model *a = new_model(0x400000, "aa"), *b = model_new();
	struct model_error error;

	model_add_type(b, "cpu", "nanoseconds");
	assert_int_equal(model_merge(a, b, &error), EINVAL);
	assert_non_null(strstr(error.reason, "no sample type in common"));
	assert_int_equal(a->ntypes, 2);
	model_free(a);
	model_free(b);
}

static void
test_label_numbers(void **state)
{
	assert_true(model_label_number("arena 3") == 3);
	assert_true(model_label_number("12") == 12);
	assert_true(model_label_number("internal") == -1);
	assert_true(model_label_number("generation 4 and 5") == -1);
	assert_true(model_label_number(NULL) == -1);
	assert_true(model_label_number("99999999999999999999") == -1);
}

static void
test_many_rows_are_found_again(void **state)
{
	struct model *model = new_model(0x400000, "aa");

	for (int round = 0; round < 2; round++)
		for (uint64_t i = 1; i <= 20000; i++)
			add_row(model, (uint64_t[]){ i, i / 7 + 1, 0 },
			    (int64_t)(i % 5), 1);
	assert_int_equal(model->nrows, 20000);
	assert_int_equal(model_total(model, 1), 40000);
	model_free(model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_strings_are_one),
		cmocka_unit_test(test_equal_rows_are_added),
		cmocka_unit_test(test_other_labels_tell_rows_apart),
		cmocka_unit_test(test_equal_labels_are_the_same_pointer),
		cmocka_unit_test(test_sums_stop_at_the_ends),
		cmocka_unit_test(test_comments_become_figures),
		cmocka_unit_test(test_the_number_of_files_is_a_comment),
		cmocka_unit_test(test_merge_finds_the_same_code_elsewhere),
		cmocka_unit_test(test_merge_keeps_other_builds_apart),
		cmocka_unit_test(test_merge_adds_figures_and_types),
		cmocka_unit_test(test_merge_knows_older_versions),
		cmocka_unit_test(test_merge_refuses_other_kinds),
		cmocka_unit_test(test_label_numbers),
		cmocka_unit_test(test_many_rows_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
