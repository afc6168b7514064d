/*
 * sites_test.c - flat and cumulative sums, errors, call graph and tree.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "callgraph.h"
#include "calltree.h"
#include "fixture.h"
#include "read.h"
#include "sites.h"

static struct model *
load(struct fixture *f)
{
	struct model_error error;
	struct model *model;

	fixture_write(f, "sites_test.pb");
	if (read_profile("sites_test.pb", &model, &error) != 0)
		fail_msg("%s", error.reason);
	unlink("sites_test.pb");
	return model;
}

static void
add(struct fixture *f, const char *path, int64_t bytes, int64_t samples)
{
	fixture_row(f, &(struct fixture_row){ .path = path, .bytes = bytes,
	    .samples = samples, .live = true, .arena = "arena 1" });
}

/* R = 1: every value is exact. */
static struct model *
exact_model(void)
{
	struct fixture f;

	fixture_init(&f, 1);
	add(&f, "main;a;b", 10, 1);
	add(&f, "main;a;b;b", 100, 1);
	add(&f, "main;c~a", 1000, 1);
	add(&f, "main", 10000, 1);
	return load(&f);
}

static const struct site *
find(const struct sites *sites, const char *name)
{
	for (uint32_t i = 0; i < sites->n; i++)
		if (strcmp(sites->items[i].name, name) == 0)
			return &sites->items[i];
	fail_msg("no site %s", name);
	return NULL;
}

static uint32_t
inuse_space(const struct model *model)
{
	return model_find_type(model, "inuse_space");
}

static void
assert_site(const struct sites *sites, const char *name, double flat,
    double cum)
{
	const struct site *site = find(sites, name);

	if (site->flat.value != flat || site->cum.value != cum)
		fail_msg("%s: flat %g, cum %g", name, site->flat.value,
		    site->cum.value);
}

static void
test_flat_and_cum(void **state)
{
	struct model *model = exact_model();
	struct sites *sites = sites_build(model, SITES_FUNCTION,
	    inuse_space(model));

	assert_int_equal(sites->n, 4);
	assert_site(sites, "main", 10000, 11110);
	assert_site(sites, "a", 0, 1110);
	assert_site(sites, "b", 110, 110);	/* recursion counts once */
	assert_site(sites, "c", 1000, 1000);
	assert_true(sites->total.value == 11110);
	assert_true(sites->total_objects.value == 4);
	assert_true(estimate_error(&sites->total) == 0);
	assert_string_equal(sites->items[0].name, "main");
	sites_sort(sites, SITES_BY_NAME);
	assert_string_equal(sites->items[0].name, "a");
	sites_free(sites);
	model_free(model);
}

static void
test_rows_know_their_site_after_sorting(void **state)
{
	struct model *model = exact_model();
	struct sites *sites = sites_build(model, SITES_FUNCTION,
	    inuse_space(model));

	for (int order = SITES_BY_FLAT; order <= SITES_BY_NAME; order++) {
		sites_sort(sites, order);
		for (uint32_t i = 0; i < model->nrows; i++) {
			const struct site *site =
			    &sites->items[sites->row_site[i]];

			assert_non_null(strchr("b c m", site->name[0]));
		}
		assert_string_equal(sites->items[sites->row_site[3]].name,
		    "main");
	}
	sites_free(sites);
	model_free(model);
}

static void
test_by_label(void **state)
{
	struct model *model = exact_model();
	struct sites *by_size = sites_build(model, SITES_SIZE,
	    inuse_space(model));
	struct sites *by_arena = sites_build(model, SITES_ARENA,
	    inuse_space(model));
	struct sites *by_generation = sites_build(model, SITES_GENERATION,
	    inuse_space(model));

	assert_int_equal(by_size->n, 4);
	assert_site(by_size, "1000", 1000, 1000);
	assert_int_equal(by_arena->n, 1);
	assert_site(by_arena, "arena 1", 11110, 11110);
	assert_site(by_generation, "(none)", 11110, 11110);
	sites_free(by_size);
	sites_free(by_arena);
	sites_free(by_generation);
	model_free(model);
}

static bool
is_small(const void *context, const struct model_row *row)
{
	return row->labels->bytes <= *(const int64_t *)context;
}

static void
test_some_rows_only(void **state)
{
	struct model *model = exact_model();
	int64_t limit = 100;
	struct sites *sites = sites_build_some(model, SITES_FUNCTION,
	    inuse_space(model), is_small, &limit);

	assert_site(sites, "main", 0, 110);
	assert_site(sites, "b", 110, 110);
	sites_free(sites);
	model_free(model);
}

/* The definition: 1/p objects a sample, variance (1 - p)/p^2 each. */
static void
test_error_is_that_of_the_samples(void **state)
{
	struct fixture f;
	struct model *model;
	struct sites *sites;
	double p = -expm1(64 * log1p(-1.0 / 4096)), n = 10000;
	double objects = n * (1 - p) / (p * p);

	fixture_init(&f, 4096);
	add(&f, "main;a", 64, 10000);
	model = load(&f);
	sites = sites_build(model, SITES_FUNCTION, inuse_space(model));
	assert_true(fabs(find(sites, "a")->flat.variance /
	    (objects * 64 * 64) - 1) < 1e-6);
	assert_true(fabs(find(sites, "a")->flat_objects.variance / objects -
	    1) < 1e-6);
	assert_true(fabs(estimate_error(&sites->total) -
	    64 * sqrt(objects)) < 1);
	sites_free(sites);
	sites = sites_build(model, SITES_FUNCTION,
	    model_find_type(model, "samples"));
	assert_true(estimate_error(&sites->total) == 0);
	sites_free(sites);
	model_free(model);
}

static void
test_error_is_unknown_without_a_rate(void **state)
{
	struct model *model = exact_model();
	struct model_labels unknown = *model->rows[0].labels;
	struct sites *sites;

	unknown.rate = -1;
	model->rows[0].labels = &unknown;
	sites = sites_build(model, SITES_FUNCTION, inuse_space(model));
	assert_true(isnan(estimate_error(&find(sites, "b")->flat)));
	assert_true(isnan(estimate_error(&sites->total)));
	assert_false(isnan(estimate_error(&find(sites, "c")->flat)));
	sites_free(sites);
	model_free(model);
}

static const struct site_edge *
edge(const struct callgraph *graph, const char *caller, const char *callee)
{
	for (uint32_t i = 0; i < graph->nedges; i++) {
		const struct site_edge *e = &graph->edges[i];
		const struct site *items = graph->sites->items;

		if (strcmp(items[e->caller].name, caller) == 0 &&
		    strcmp(items[e->callee].name, callee) == 0)
			return e;
	}
	return NULL;
}

static void
test_call_graph(void **state)
{
	struct model *model = exact_model();
	struct callgraph *graph = callgraph_build(model, SITES_FUNCTION,
	    inuse_space(model));

	assert_int_equal(graph->nedges, 3);
	assert_true(edge(graph, "main", "a")->weight.value == 1110);
	assert_true(edge(graph, "a", "b")->weight.value == 110);
	assert_true(edge(graph, "a", "c")->weight.value == 1000);
	assert_true(edge(graph, "a", "c")->inlined);
	assert_false(edge(graph, "a", "b")->inlined);
	assert_null(edge(graph, "b", "b"));
	assert_string_equal(graph->sites->items[graph->edges[0].caller].name,
	    "main");
	callgraph_free(graph);
	model_free(model);
}

static void
test_call_tree(void **state)
{
	struct model *model = exact_model();
	struct calltree *tree = calltree_build(model, SITES_FUNCTION,
	    inuse_space(model));
	const struct tree_node *nodes = tree->nodes;
	const struct tree_node *top, *a, *first, *second;

	assert_int_equal(tree->nnodes, 6);
	assert_true(nodes[0].total.value == 11110);
	top = &nodes[nodes[0].first_child];
	assert_string_equal(top->name, "main");
	assert_true(top->self.value == 10000);
	assert_int_equal(top->next_sibling, MODEL_NONE);
	a = &nodes[top->first_child];
	assert_string_equal(a->name, "a");
	first = &nodes[a->first_child];
	second = &nodes[first->next_sibling];
	assert_string_equal(first->name, "c");
	assert_string_equal(second->name, "b");
	assert_true(second->self.value == 10 && second->total.value == 110);
	assert_true(nodes[second->first_child].self.value == 100);
	assert_int_equal(second->next_sibling, MODEL_NONE);
	calltree_free(tree);
	model_free(model);
}

static void
test_frames_without_symbols_are_offsets(void **state)
{
	struct model *model = model_new();
	struct model_labels labels = model_labels_none();
	int64_t value = 5;
	struct model_location place = { .address = 0x7f0000001234 };
	uint32_t location, nowhere;
	struct sites *sites;

	model_add_type(model, "space", "bytes");
	model_add_mapping(model, &(struct model_mapping){ 0x7f0000001000,
	    0x7f0000002000, 0x3000, "/lib/libx.so.1", "ab", false });
	location = model_add_location(model, &place);
	place.mapping = MODEL_NONE;
	nowhere = model_add_location(model, &place);
	model_add_row(model, model_add_stack(model,
	    (uint32_t[]){ location, nowhere }, 2), &labels, &value);
	sites = sites_build(model, SITES_FUNCTION, 0);
	assert_site(sites, "libx.so.1+0x3234", 5, 5);
	assert_site(sites, "0x7f0000001234", 0, 5);
	sites_free(sites);
	model_free(model);
}

static void
test_probability(void **state)
{
	assert_true(site_probability(100, 1) == 1);
	assert_true(fabs(site_probability(1, 524288) * 524288 - 1) < 1e-9);
	assert_true(site_probability(1e9, 524288) == 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flat_and_cum),
		cmocka_unit_test(test_rows_know_their_site_after_sorting),
		cmocka_unit_test(test_by_label),
		cmocka_unit_test(test_some_rows_only),
		cmocka_unit_test(test_error_is_that_of_the_samples),
		cmocka_unit_test(test_error_is_unknown_without_a_rate),
		cmocka_unit_test(test_call_graph),
		cmocka_unit_test(test_call_tree),
		cmocka_unit_test(test_frames_without_symbols_are_offsets),
		cmocka_unit_test(test_probability),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
