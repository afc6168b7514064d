/*
 * read_heap_test.c - heap_v2 and legacy text: scaling, addresses, damage.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mutate.h"
#include "read.h"
#include "sites.h"
#include "write_heap.h"

enum { MUTATIONS = 20000 };		/* of each seed text; 1 s */

static const char jemalloc_text[] =
    "heap_v2/524288\n"
    "  t*: 3: 1049600 [0: 0]\n"
    "  t0: 3: 1049600 [0: 0] main thread\n"
    "@ 0x401136 0x40115b 0x7f0000000010\n"
    "  t*: 2: 1024 [0: 0]\n"
    "  t0: 1: 512 [0: 0]\n"
    "  t3: 1: 512 [0: 0]\n"
    "@ 0x401136 0x401200\n"
    "  t*: 1: 1048576 [0: 0]\n"
    "  t0: 1: 1048576 [0: 0]\n"
    "\n"
    "MAPPED_LIBRARIES:\n"
    "00400000-00401000 r--p 00000000 08:01 131 /usr/bin/a program\n"
    "00401000-00402000 r-xp 00001000 08:01 131 /usr/bin/a program\n"
    "7f0000000000-7f0000001000 r-xp 00000000 00:00 0 \n";

static const char strata_text[] =
    "heap_v2/1\n"
    "  t*: 100: 6400 [150: 9600]\n"
    "# strata_version: 0.1.0\n"
    "# period: 4096\n"
    "# live_bytes: 6500\n"
    "@ 0x401136 0x40115b\n"
    "  t*: 100: 6400 [150: 9600]\n"
    "\n"
    "MAPPED_LIBRARIES:\n"
    "00401000-00402000 r-xp 00001000 08:01 131 /usr/bin/x\n";

static const char legacy_text[] =
    "heap profile:      3:  1049600 [     4:  1050112] @ heap_v2/524288\n"
    "     2:     1024 [     3:     1536] @ 0x00401136 0x0040115b\n"
    "     1:  1048576 [     1:  1048576] @ 0x00401136\n"
    "# a remark\n"
    "\n"
    "MAPPED_LIBRARIES:\n"
    "00401000-00402000 r-xp 00001000 08:01 131 /usr/bin/x\n";

static struct model *
read_ok(const char *text)
{
	struct model_error error;
	struct model *model;

	if (read_buffer("x", text, strlen(text), &model, &error) != 0)
		fail_msg("offset %llu: %s", (unsigned long long)error.offset,
		    error.reason);
	return model;
}

static void
assert_refused(const char *text, size_t length, uint64_t offset,
    const char *reason)
{
	struct model_error error;
	struct model *model;

	assert_int_equal(read_buffer("x", text, length, &model, &error),
	    EINVAL);
	if (strstr(error.reason, reason) == NULL || error.offset != offset)
		fail_msg("offset %llu, %s", (unsigned long long)error.offset,
		    error.reason);
}

/* jeprof: count and bytes of a stack times 1/(1 - exp(-(bytes/count)/R)). */
static void
test_each_stack_is_scaled(void **state)
{
	struct model *model = read_ok(jemalloc_text);
	double small = 1 / (1 - exp(-512 / 524288.0));
	double large = 1 / (1 - exp(-1048576 / 524288.0));

	assert_string_equal(model->format, "heap_v2");
	assert_int_equal(model->nrows, 2);
	assert_int_equal(model->ntypes, 2);	/* nothing accumulated */
	assert_true(fabs((double)model->rows[0].values[0] - 2 * small) <= 1);
	assert_true(fabs((double)model->rows[0].values[1] - 1024 * small) <=
	    1);
	assert_true(fabs((double)model_total(model, 1) - 1024 * small -
	    1048576 * large) <= 1);
	assert_int_equal(model->rows[0].labels->rate, 524288);
	model_free(model);
}

static void
test_addresses_are_the_calls(void **state)
{
	struct model *model = read_ok(jemalloc_text);
	const struct model_stack *stack = model->stacks[0];

	assert_int_equal(stack->depth, 3);
	assert_true(model->locations[stack->locations[0]].address ==
	    0x401136);
	assert_true(model->locations[stack->locations[1]].address ==
	    0x40115a);
	assert_true(model->locations[stack->locations[2]].address ==
	    0x7f000000000f);
	model_free(model);
	model = read_ok(legacy_text);
	stack = model->stacks[0];
	assert_true(model->locations[stack->locations[0]].address ==
	    0x401135);
	model_free(model);
}

static void
test_mappings_are_the_executable_ones(void **state)
{
	struct model *model = read_ok(jemalloc_text);
	uint32_t location = model->stacks[0]->locations[0];

	assert_int_equal(model->nmappings, 2);
	assert_string_equal(model->mappings[0].file, "/usr/bin/a program");
	assert_string_equal(model->mappings[1].file, "");
	assert_int_equal(model->locations[location].mapping, 0);
	assert_true(model_location_offset(model, location) == 0x1136);
	model_free(model);
}

static void
test_strata_text_is_not_scaled_but_has_its_error(void **state)
{
	struct model *model = read_ok(strata_text);
	struct sites *sites = sites_build(model, SITES_FUNCTION,
	    model_find_type(model, "inuse_space"));

	assert_int_equal(model->ntypes, 4);
	assert_int_equal(model->rows[0].values[0], 100);
	assert_int_equal(model->rows[0].values[3], 9600);
	assert_string_equal(model->exact.version, "0.1.0");
	assert_int_equal(model->period, 4096);
	assert_true(model->exact.live == 6500);
	/* 100 objects of 64 bytes at p = 1/64.5: about 1.55 samples. */
	assert_true(fabs(estimate_error(&sites->total) / 6400 - 0.797) <
	    0.01);
	sites_free(sites);
	model_free(model);
}

static void
test_legacy_headers(void **state)
{
	static const struct { const char *how; double rate; } headers[] = {
		{ "heapprofile", 1 }, { "heap_v2/1000", 1000 },
		{ "heapz_v2/1000", 1000 }, { "heap/1000", 500 },
	};

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		char text[200];
		struct model *model;

		snprintf(text, sizeof text, "heap profile: 1: 10 [1: 10] @ "
		    "%s\n 1: 10 [1: 10] @ 0x401136\n", headers[i].how);
		model = read_ok(text);
		assert_true(fabs((double)model->rows[0].values[1] -
		    (headers[i].rate <= 1 ? 10 :
		    10 / (1 - exp(-10 / headers[i].rate)))) <= 1);
		model_free(model);
	}
}

static void
test_damage_is_named(void **state)
{
	static const struct {
		const char *text;
		uint64_t offset;
		const char *reason;
	} cases[] = {
		{ "heap_v2/x\n", 0, "no sampling rate" },
		{ "heap_v2/0\n", 0, "no sampling rate" },
		{ "heap_v2/1", 0, "within the first line" },
		{ "heap_v2/1\n  t*: 1: 2 [0: 0]\n", 28,
		    "before MAPPED_LIBRARIES" },
		{ "heap_v2/1\n  t*: 1: 2 [0: 0\n", 10, "four counts" },
		{ "heap_v2/1\n  t*: 1: 2 [0: 0]", 10, "cut off" },
		{ "heap_v2/1\n  x*: 1: 2 [0: 0]\n", 10, "no known kind" },
		{ "heap_v2/1\n  tx: 1: 2 [0: 0]\n", 10,
		    "no thread number" },
		{ "heap_v2/1\n@ 0x12 zz\n", 10, "else than addresses" },
		{ "heap_v2/1\n  t*: 99999999999999999999: 2 [0: 0]\n", 10,
		    "four counts" },
		{ "heap_v2/1\nMAPPED_LIBRARIES:\nnonsense here\n", 28,
		    "is not one" },
		{ "heap_v2/1\nMAPPED_LIBRARIES:\n00400000-00401000 r-x", 28,
		    "cut off" },
		{ "heap profile: 1: 2 [3: 4]\n", 0, "no '@'" },
		{ "heap profile: 1: 2 [3: 4] @ stack/1\n", 0,
		    "no known way" },
		{ "heap profile: 1: 2 [3: 4] @ heap/8\n1: 2 [3: 4] 0x1\n",
		    35, "no stack" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_refused(cases[i].text, strlen(cases[i].text),
		    cases[i].offset, cases[i].reason);
	assert_refused("heap_v2/1\n\0", 11, 10, "NUL");
}

static void
test_written_text_is_the_same(void **state)
{
	struct model *model = read_ok(strata_text), *again;
	size_t length;
	char *text;
	FILE *out = open_memstream(&text, &length);

	assert_int_equal(write_heap(model, out), 0);
	fclose(out);
	again = read_ok(text);
	assert_int_equal(again->nrows, 1);
	for (uint32_t t = 0; t < 4; t++)
		assert_int_equal(again->rows[0].values[t],
		    model->rows[0].values[t]);
	assert_true(again->locations[1].address ==
	    model->locations[1].address);
	assert_int_equal(again->period, 4096);
	model_free(model);
	model_free(again);
	free(text);
}

static void
mutate_text(const char *text)
{
	size_t read = 0;

	for (uint64_t seed = 0; seed < MUTATIONS; seed++) {
		size_t n;
		unsigned char *damaged = mutate(text, strlen(text), seed, &n);
		struct model_error error;
		struct model *model;

		if (read_buffer("x", damaged, n, &model, &error) == 0) {
			struct sites *sites = sites_build(model, SITES_LINE,
			    model->default_type);

			read++;
			sites_free(sites);
			model_free(model);
		} else {
			assert_true(error.offset <= n);
			assert_true(*error.reason != '\0');
		}
		free(damaged);
	}
	print_message("%zu of %d mutations (seeds from 0) were readable\n",
	    read, MUTATIONS);
	assert_in_range(read, 1, MUTATIONS - 1);
}

static void
test_mutations_never_crash(void **state)
{
	mutate_text(jemalloc_text);
	mutate_text(strata_text);
	mutate_text(legacy_text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_stack_is_scaled),
		cmocka_unit_test(test_addresses_are_the_calls),
		cmocka_unit_test(test_mappings_are_the_executable_ones),
		cmocka_unit_test(
		    test_strata_text_is_not_scaled_but_has_its_error),
		cmocka_unit_test(test_legacy_headers),
		cmocka_unit_test(test_damage_is_named),
		cmocka_unit_test(test_written_text_is_the_same),
		cmocka_unit_test(test_mutations_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
