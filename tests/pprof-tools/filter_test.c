/*
 * filter_test.c - which rows and frames pass.
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

#include "filter.h"
#include "fixture.h"
#include "read.h"
#include "sites.h"
#include "trim.h"

static struct model *
load(void)
{
	struct model_error error;
	struct model *model;

	fixture_server("filter_test.pb");
	if (read_profile("filter_test.pb", &model, &error) != 0)
		fail_msg("%s", error.reason);
	unlink("filter_test.pb");
	return model;
}

static struct model *
filtered(const struct filter *filter)
{
	struct model_error error = { "", 0, "" };
	struct model *model = load();

	if (filter_apply(model, filter, &error) != 0)
		fail_msg("%s", error.reason);
	return model;
}

static void
assert_rows(const struct filter *filter, uint32_t rows)
{
	struct model *model = filtered(filter);

	if (model->nrows != rows)
		fail_msg("%u rows, not %u", model->nrows, rows);
	model_free(model);
}

static void
collect(void *context, const struct site_frame *frame)
{
	char *out = context;

	strcat(out, frame->line == NULL ? "?" : frame->line->function);
	strcat(out, frame->inlined ? "~" : ";");
}

/* The stack of the first row, innermost first. */
static void
assert_stack(const struct filter *filter, const char *stack)
{
	struct model *model = filtered(filter);
	char found[256] = "";

	assert_true(model->nrows > 0);
	sites_walk(model, model->rows[0].stack, collect, found);
	assert_string_equal(found, stack);
	model_free(model);
}

static void
test_nothing_asked_nothing_done(void **state)
{
	assert_rows(&(struct filter){ 0 }, 8);
	assert_stack(&(struct filter){ 0 },
	    "entry_new;cache_put~cache_insert;serve;main;");
}

static void
test_focus_and_ignore(void **state)
{
	assert_rows(&(struct filter){ .focus = "session" }, 3);
	assert_rows(&(struct filter){ .focus = "^cache_(put|get)$" }, 2);
	assert_rows(&(struct filter){ .ignore = "session|cache" }, 3);
	assert_rows(&(struct filter){ .focus = "main",
	    .ignore = "main" }, 0);
	assert_rows(&(struct filter){ .focus = "server\\.c" }, 8);
	assert_rows(&(struct filter){ .focus = "/usr/bin/server" }, 8);
	assert_rows(&(struct filter){ .focus = "SESSION" }, 0);
}

static void
test_hide_and_show_drop_frames(void **state)
{
	assert_stack(&(struct filter){ .hide = "serve$|cache_put" },
	    "entry_new;cache_insert;main;");
	assert_stack(&(struct filter){ .show = "cache" },
	    "cache_put~cache_insert;");
	/* Two generations of one size class each become one stack. */
	assert_rows(&(struct filter){ .show = "config" }, 2);
	assert_rows(&(struct filter){ .show = "nothing like it" }, 0);
}

static void
test_show_from_drops_the_callers(void **state)
{
	assert_stack(&(struct filter){ .show_from = "cache_put" },
	    "entry_new;cache_put;");
	assert_stack(&(struct filter){ .show_from = "cache_insert" },
	    "entry_new;cache_put~cache_insert;");
	/* The outermost of several: config_parse calls itself. */
	assert_stack(&(struct filter){ .show_from = "config_parse" },
	    "node_new;config_parse;config_parse;");
	assert_rows(&(struct filter){ .show_from = "config_parse" }, 2);
}

static void
test_totals_are_those_of_the_rows(void **state)
{
	struct model *all = load();
	struct model *hidden = filtered(&(struct filter){ .hide =
	    "^serve$" });
	uint32_t type = all->default_type;

	assert_int_equal(model_total(hidden, type), model_total(all, type));
	assert_true(hidden->exact.live == all->exact.live);
	assert_string_equal(hidden->exact.command, all->exact.command);
	assert_int_equal(hidden->default_type, type);
	model_free(all);
	model_free(hidden);
}

static void
test_labels(void **state)
{
	assert_rows(&(struct filter){ .arena = "1" }, 3);
	assert_rows(&(struct filter){ .arena = "0,2-9" }, 5);
	assert_rows(&(struct filter){ .generation = "2" }, 1);
	assert_rows(&(struct filter){ .generation = "2-" }, 2);
	assert_rows(&(struct filter){ .generation = "-99" }, 2);
	assert_rows(&(struct filter){ .size = "1k" }, 2);
	assert_rows(&(struct filter){ .size = "65-512" }, 4);
	assert_rows(&(struct filter){ .size = "1KiB-,64" }, 4);
	assert_rows(&(struct filter){ .age = "1s-" }, 3);
	assert_rows(&(struct filter){ .age = "-1s" }, 2);
	assert_rows(&(struct filter){ .thread = "." }, 0);
}

/* Freed blocks of generations 1 to 84 are one sum, of 85 and 86 their own. */
static void
assert_freed(const char *generation, const int64_t *expected,
    int64_t left_out)
{
	struct model_error error = { "", 0, "" };
	struct model *model;
	struct fixture f;
	uint32_t i = 0;

	fixture_init(&f, 4096);
	fixture_row(&f, &(struct fixture_row){ .path = "main;a", .bytes = 16,
	    .samples = 5, .generation = "generation <= 84" });
	fixture_row(&f, &(struct fixture_row){ .path = "main;a", .bytes = 32,
	    .samples = 5, .generation = "generation 85" });
	fixture_row(&f, &(struct fixture_row){ .path = "main;a", .bytes = 64,
	    .samples = 5, .generation = "generation 86" });
	fixture_write(&f, "filter_test.pb");
	if (read_profile("filter_test.pb", &model, &error) != 0 ||
	    filter_apply(model, &(struct filter){ .generation = generation },
	    &error) != 0)
		fail_msg("%s", error.reason);
	unlink("filter_test.pb");
	for (; i < model->nrows && expected[i] != 0; i++)
		assert_int_equal(model->rows[i].labels->bytes, expected[i]);
	if (i != model->nrows || expected[i] != 0)
		fail_msg("--generation %s: %u rows", generation, model->nrows);
	assert_int_equal(model->generations_left_out, left_out);
	model_free(model);
}

static void
test_a_sum_of_generations_is_of_none_of_them(void **state)
{
	assert_freed("84", (const int64_t[]){ 0 }, 84);
	assert_freed("3", (const int64_t[]){ 0 }, 84);
	assert_freed("80-85", (const int64_t[]){ 32, 0 }, 84);
	assert_freed("1-83,85", (const int64_t[]){ 32, 0 }, 84);
	/* Nothing of it was asked for. */
	assert_freed("85-", (const int64_t[]){ 32, 64, 0 }, 0);
	assert_freed("0", (const int64_t[]){ 0 }, 0);
	/* All of it: the first generation is 1. */
	assert_freed("1-84", (const int64_t[]){ 16, 0 }, 0);
	assert_freed("-85", (const int64_t[]){ 16, 32, 0 }, 0);
	assert_freed("50-84,1-20,15-49", (const int64_t[]){ 16, 0 }, 0);
	assert_freed("0-", (const int64_t[]){ 16, 32, 64, 0 }, 0);
}

/* What another filter leaves out is not missed. */
static void
test_a_sum_that_nobody_asked_for_is_not_missed(void **state)
{
	static const struct {
		struct filter filter;
		int64_t generations;
		bool arenas;
	} cases[] = {
		{ { .generation = "83" }, 84, false },
		{ { .generation = "83", .focus = "^a$" }, 84, false },
		{ { .generation = "83", .focus = "^b$" }, 0, false },
		{ { .generation = "83", .ignore = "^a$" }, 0, false },
		{ { .generation = "83", .size = "32" }, 0, false },
		{ { .arena = "1" }, 0, true },
		{ { .arena = "1", .focus = "^b$" }, 0, false },
		{ { .arena = "1", .generation = "83" }, 84, true },
		{ { .arena = "1", .generation = "85-" }, 0, false },
	};
	struct model_error error;
	struct fixture f;

	fixture_init(&f, 4096);
	fixture_row(&f, &(struct fixture_row){ .path = "main;a", .bytes = 16,
	    .samples = 5, .generation = "generation <= 84" });
	fixture_row(&f, &(struct fixture_row){ .path = "main;b", .bytes = 32,
	    .samples = 5, .generation = "generation 83",
	    .arena = "arena 1" });
	fixture_write(&f, "filter_test.pb");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct model *model;

		assert_int_equal(read_profile("filter_test.pb", &model,
		    &error), 0);
		assert_int_equal(filter_apply(model, &cases[i].filter,
		    &error), 0);
		if (model->generations_left_out != cases[i].generations ||
		    model->arenas_left_out != cases[i].arenas)
			fail_msg("case %zu", i);
		model_free(model);
	}
	unlink("filter_test.pb");
}

static void
assert_refused(const struct filter *filter, const char *reason)
{
	struct model_error error = { "", 0, "" };
	struct model *model = load();

	assert_int_equal(filter_apply(model, filter, &error), EINVAL);
	if (strstr(error.reason, reason) == NULL)
		fail_msg("not \"%s\" but \"%s\"", reason, error.reason);
	assert_int_equal(model->nrows, 8);
	model_free(model);
}

static void
test_malformed_filters_are_named(void **state)
{
	assert_refused(&(struct filter){ .focus = "a(b" }, "--focus: \"a(b\"");
	assert_refused(&(struct filter){ .show_from = "[" }, "--show-from");
	assert_refused(&(struct filter){ .arena = "x" }, "--arena: \"x\"");
	assert_refused(&(struct filter){ .arena = "3-1" }, "--arena: \"3-1\" "
	    "is not a list of ranges such as 3, 0-3 or 16-");
	assert_refused(&(struct filter){ .size = "1q" }, "--size: \"1q\" is "
	    "not a list of ranges such as 64, 16-1k or 1M-");
	assert_refused(&(struct filter){ .age = "10q-" }, "--age: \"10q-\" "
	    "is not a list of ranges such as 10s-, 1m-1h or -1m");
	assert_refused(&(struct filter){ .arena = "-" }, "--arena");
	assert_refused(&(struct filter){ .generation =
	    "99999999999999999999999" }, "--generation: \"9999");
	assert_refused(&(struct filter){ .size = "12 parsecs" }, "--size");
	assert_refused(&(struct filter){ .age = "1s,,2s" }, "--age");
	assert_refused(&(struct filter){ .generation =
	    "1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8" }, "--generation");
}

/* --- an allocator's own frames ------------------------------------------ */

static void
add_location(struct model *model, uint32_t mapping, const char *function,
    const char *inlined, uint32_t *out)
{
	struct model_line lines[2] = { { inlined, inlined, "", 0, 0 },
	    { function, function, "", 0, 0 } };
	struct model_location place = { .address = 0x1000 + model->nlocations,
	    .mapping = mapping, .nlines = inlined == NULL ? 1 : 2,
	    .lines = inlined == NULL ? lines + 1 : lines };

	if (function == NULL)
		place.nlines = 0;
	*out = model_add_location(model, &place);
}

/* jemalloc (nameless), malloc, an inlined malloc in f, main. */
static struct model *
foreign_model(const char *version)
{
	struct model *model = model_new();
	struct model_labels labels = model_labels_none();
	int64_t value = 1;
	uint32_t stack[4];

	if (version != NULL)
		model->exact.version = model_string(model, version);
	model_add_type(model, "space", "bytes");
	model->default_type = 0;
	model_add_mapping(model, &(struct model_mapping){ .limit = 1,
	    .file = "/usr/lib/libjemalloc.so.2", .build_id = "" });
	model_add_mapping(model, &(struct model_mapping){ .limit = 2,
	    .file = "/bin/x", .build_id = "" });
	add_location(model, 0, NULL, NULL, &stack[0]);
	add_location(model, 1, "malloc", NULL, &stack[1]);
	add_location(model, 1, "f", "malloc", &stack[2]);
	add_location(model, 1, "main", NULL, &stack[3]);
	model_add_row(model, model_add_stack(model, stack, 4), &labels,
	    &value);
	model_add_row(model, model_add_stack(model, stack, 2), &labels,
	    &value);
	return model;
}

static void
test_allocator_frames_are_trimmed(void **state)
{
	struct model *model = foreign_model(NULL);
	char found[64] = "";

	trim_allocator(model);
	sites_walk(model, model->rows[0].stack, collect, found);
	assert_string_equal(found, "f;main;");
	/* A stack of nothing else stays. */
	assert_int_equal(model->stacks[model->rows[1].stack]->depth, 2);
	model_free(model);
}

/* A stack of inner, outer and main: how many frames are left of it? */
static uint32_t
depth_left(const char *inner, const char *outer)
{
	struct model *model = model_new();
	struct model_labels labels = model_labels_none();
	uint32_t stack[3], depth;
	int64_t value = 1;

	model_add_type(model, "space", "bytes");
	add_location(model, MODEL_NONE, inner, NULL, &stack[0]);
	add_location(model, MODEL_NONE, outer, NULL, &stack[1]);
	add_location(model, MODEL_NONE, "main", NULL, &stack[2]);
	model_add_row(model, model_add_stack(model, stack, 3), &labels,
	    &value);
	trim_allocator(model);
	depth = model->stacks[model->rows[0].stack]->depth;
	model_free(model);
	return depth;
}

static void
test_functions_named_like_an_allocators_stay(void **state)
{
	static const char *const own[] = { "tc_parse", "je_suis",
	    "tc_mallocs", "malloc_default_size" };
	static const char *const theirs[] = { "je_malloc", "je_mallocx",
	    "je_malloc_default", "je_xallocx", "tc_malloc", "tc_memalign",
	    "tc_new", "tc_newarray_nothrow", "tc_new_aligned_nothrow",
	    "tc_malloc_skip_new_handler", "je_malloc_default.cold",
	    "do_rallocx", "do_realloc_nonnull.constprop.0",
	    "je_prof_tctx_create", "fallback_impl<true>(unsigned long)",
	    "operator new(unsigned long)", "tcmalloc::malloc_oom" };

	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
		assert_int_equal(depth_left("je_malloc", own[i]), 2);
		assert_int_equal(depth_left("f", own[i]), 3);
	}
	for (size_t i = 0; i < sizeof theirs / sizeof theirs[0]; i++)
		assert_int_equal(depth_left("prof_sample", theirs[i]), 1);
}

static void
test_own_profiles_are_trimmed_already(void **state)
{
	struct model *model = foreign_model("0.1.0");
	const struct model_row *rows = model->rows;

	trim_allocator(model);
	assert_int_equal(model->stacks[model->rows[0].stack]->depth, 4);
	assert_ptr_equal(model->rows, rows);	/* not a copy */
	model_free(model);
}

/* Symbols may show the one function that both addresses lie in. */
static void
test_what_symbols_made_equal_is_one_stack(void **state)
{
	struct model *model = foreign_model("0.1.0");
	const struct model_location *f = &model->locations[
	    model->stacks[model->rows[0].stack]->locations[2]];
	struct model_location again = *f;
	struct model_labels labels = model_labels_none();
	uint32_t stack[1];
	int64_t value = 5;

	again.nlines = 0;
	stack[0] = model_add_location(model, &again);
	model_add_row(model, model_add_stack(model, stack, 1), &labels,
	    &value);
	f = &model->locations[
	    model->stacks[model->rows[0].stack]->locations[2]];
	model_set_lines(model, stack[0], f->lines, f->nlines);
	stack[0] = model_add_location(model, f);
	model_add_row(model, model_add_stack(model, stack, 1), &labels,
	    &value);
	assert_int_equal(model->nrows, 4);
	trim_allocator(model);
	assert_int_equal(model->nrows, 3);
	assert_int_equal(model->rows[2].values[0], 10);
	model_free(model);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_asked_nothing_done),
		cmocka_unit_test(test_focus_and_ignore),
		cmocka_unit_test(test_hide_and_show_drop_frames),
		cmocka_unit_test(test_show_from_drops_the_callers),
		cmocka_unit_test(test_totals_are_those_of_the_rows),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_a_sum_of_generations_is_of_none_of_them),
		cmocka_unit_test(
		    test_a_sum_that_nobody_asked_for_is_not_missed),
		cmocka_unit_test(test_malformed_filters_are_named),
		cmocka_unit_test(test_allocator_frames_are_trimmed),
		cmocka_unit_test(test_functions_named_like_an_allocators_stay),
		cmocka_unit_test(test_own_profiles_are_trimmed_already),
		cmocka_unit_test(test_what_symbols_made_equal_is_one_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
