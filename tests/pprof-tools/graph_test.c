/*
 * graph_test.c - which nodes and edges are drawn, and how.
 */
#include "command.h"

#include <locale.h>
#include <math.h>

#include "commands.h"
#include "fixture.h"
#include "read.h"
#include "subgraph.h"
#include "xalloc.h"

static const struct subgraph_options everything = { .by = SITES_FUNCTION };

static struct model *
load(struct fixture *f)
{
	struct model_error error;
	struct model *model;

	fixture_write(f, "graph_test.pb");
	if (read_profile("graph_test.pb", &model, &error) != 0)
		fail_msg("%s", error.reason);
	unlink("graph_test.pb");
	return model;
}

static void
add(struct fixture *f, const char *path, int64_t bytes)
{
	fixture_row(f, &(struct fixture_row){ .path = path, .bytes = bytes,
	    .samples = 1, .live = true });
}

static const struct subgraph_node *
node_named(const struct subgraph *graph, const char *name)
{
	for (uint32_t i = 0; i < graph->nnodes; i++) {
		if (strcmp(graph->nodes[i].site->name, name) == 0)
			return &graph->nodes[i];
	}
	return NULL;
}

static const struct subgraph_edge *
edge_named(const struct subgraph *graph, const char *from, const char *to)
{
	for (uint32_t i = 0; i < graph->nedges; i++) {
		const struct subgraph_edge *e = &graph->edges[i];

		if (strcmp(graph->nodes[e->from].site->name, from) == 0 &&
		    strcmp(graph->nodes[e->to].site->name, to) == 0)
			return e;
	}
	return NULL;
}

static struct subgraph *
build(const struct model *model, const struct subgraph_options *options)
{
	return subgraph_build(model, model_find_type(model, "inuse_space"),
	    options);
}

static void
test_edges_carry_what_passed_through_them(void **state)
{
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	add(&f, "main;a;c", 100);
	add(&f, "main;b;c", 30);
	add(&f, "main;b", 7);
	model = load(&f);
	graph = build(model, &everything);
	assert_int_equal(graph->nnodes, 4);
	assert_int_equal(graph->nedges, 4);
	assert_true(graph->total == 137 && graph->shown == 137);
	assert_true(edge_named(graph, "main", "a")->weight == 100);
	assert_true(edge_named(graph, "main", "b")->weight == 37);
	assert_true(edge_named(graph, "b", "c")->weight == 30);
	assert_true(node_named(graph, "c")->site->flat.value == 130);
	assert_string_equal(graph->nodes[0].site->name, "main");
	subgraph_free(graph);
	model_free(model);
}

static void
test_recursion_counts_once(void **state)
{
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	add(&f, "main;f;f;g;f;g", 64);
	model = load(&f);
	graph = build(model, &everything);
	assert_int_equal(graph->nnodes, 3);
	assert_true(node_named(graph, "f")->site->cum.value == 64);
	assert_true(edge_named(graph, "f", "f")->weight == 64);
	assert_true(edge_named(graph, "f", "g")->weight == 64);
	assert_true(edge_named(graph, "g", "f")->weight == 64);
	subgraph_free(graph);
	model_free(model);
}

static void
test_small_nodes_go_and_leave_residual_edges(void **state)
{
	static const struct subgraph_options cut = { .by = SITES_FUNCTION,
	    .node_fraction = 0.2 };
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	for (int i = 0; i < 10; i++) {
		char path[64];

		snprintf(path, sizeof path, "main;handler%d;leaf", i);
		add(&f, path, 100);
	}
	model = load(&f);
	graph = build(model, &cut);
	assert_int_equal(graph->nnodes, 2);
	assert_int_equal(graph->dropped_nodes, 10);
	assert_int_equal(graph->nedges, 1);
	assert_true(graph->edges[0].residual);
	assert_true(graph->edges[0].weight == 1000);
	subgraph_free(graph);
	model_free(model);
}

static void
test_residual_edges_that_say_nothing_new_go(void **state)
{
	static const struct subgraph_options cut = { .by = SITES_FUNCTION,
	    .node_fraction = 0.2 };
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	add(&f, "main;a;leaf", 900);
	add(&f, "main;small;leaf", 100);
	model = load(&f);
	graph = build(model, &cut);
	assert_int_equal(graph->nnodes, 3);
	assert_non_null(edge_named(graph, "main", "a"));
	assert_non_null(edge_named(graph, "a", "leaf"));
	assert_null(edge_named(graph, "main", "leaf"));
	subgraph_free(graph);
	model_free(model);
}

static void
test_branching_points_stay_before_plain_chains(void **state)
{
	static const struct subgraph_options few = { .by = SITES_FUNCTION,
	    .max_nodes = 4 };
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	add(&f, "main;c1;c2;c3;c4;split;left", 500);
	add(&f, "main;c1;c2;c3;c4;split;right", 500);
	model = load(&f);
	graph = build(model, &few);
	assert_int_equal(graph->nnodes, 4);
	assert_non_null(node_named(graph, "main"));
	assert_non_null(node_named(graph, "split"));
	assert_non_null(node_named(graph, "left"));
	assert_non_null(node_named(graph, "right"));
	assert_true(edge_named(graph, "main", "split")->residual);
	assert_true(edge_named(graph, "main", "split")->weight == 1000);
	subgraph_free(graph);
	model_free(model);
}

static void
test_small_edges_go(void **state)
{
	static const struct subgraph_options cut = { .by = SITES_FUNCTION,
	    .edge_fraction = 0.05 };
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	add(&f, "main;a;leaf", 970);
	add(&f, "main;leaf", 30);
	model = load(&f);
	graph = build(model, &cut);
	assert_null(edge_named(graph, "main", "leaf"));
	assert_int_equal(graph->dropped_edges, 1);
	subgraph_free(graph);
	model_free(model);
}

static void
test_sizes_of_a_node_largest_first(void **state)
{
	struct fixture f;
	struct subgraph *graph;
	const struct subgraph_node *node;
	struct model *model;
	double sum = 0;

	fixture_init(&f, 1);
	for (int i = 1; i <= 8; i++)
		add(&f, "main;f", 100 * i);
	add(&f, "main;g;f", 800);
	model = load(&f);
	graph = build(model, &everything);
	node = node_named(graph, "f");
	assert_int_equal(node->ntags, SUBGRAPH_TAGS);
	assert_int_equal(node->tags[0].bytes, 800);
	assert_true(node->tags[0].value == 1600);
	assert_int_equal(node->tags[1].bytes, 700);
	assert_int_equal(node->tags[SUBGRAPH_TAGS - 1].bytes, -1);
	for (uint32_t i = 0; i < node->ntags; i++)
		sum += node->tags[i].value;
	assert_true(sum == node->site->flat.value);
	subgraph_free(graph);
	model_free(model);
}

static void
test_inlined_calls_are_marked(void **state)
{
	struct fixture f;
	struct subgraph *graph;
	struct model *model;

	fixture_init(&f, 1);
	add(&f, "main;inner~outer;leaf", 10);
	model = load(&f);
	graph = build(model, &everything);
	assert_true(edge_named(graph, "outer", "inner")->inlined);
	assert_false(edge_named(graph, "main", "outer")->inlined);
	subgraph_free(graph);
	model_free(model);
}

/* --- the command ----------------------------------------------------------*/

static void
test_dot_is_as_before(void **state)
{
	setlocale(LC_ALL, "C.UTF-8");
	golden_run(&cmd_graph, "--format=dot", "graph_test.pb");
	golden_run(&cmd_graph, "--format=dot --sample-type=alloc_objects "
	    "--nodes=4 --no-sizes", "graph_test.pb");
	golden_run(&cmd_graph, "--format=dot --focus=cache --by=line",
	    "graph_test.pb");
}

/* A profile taken earlier: no reload yet, and more sessions. */
static void
write_base(const char *path)
{
	struct fixture f;

	fixture_init(&f, 4096);
	fixture_row(&f, &(struct fixture_row){
	    .path = "main;serve;cache_put~cache_insert;entry_new",
	    .bytes = 256, .samples = 80, .live = true, .age_ns = 1000000 });
	fixture_row(&f, &(struct fixture_row){
	    .path = "main;serve;session_new", .bytes = 1024, .samples = 300,
	    .live = true });
	fixture_write(&f, path);
}

static void
test_a_base_is_subtracted(void **state)
{
	struct output output;

	setlocale(LC_ALL, "C.UTF-8");
	write_base("graph_base.pb");
	golden_run(&cmd_graph, "--format=dot --base=graph_base.pb",
	    "graph_test.pb");
	output = command_run(&cmd_graph,
	    "--format dot --base graph_test.pb graph_test.pb");
	assert_int_equal(output.status, EXIT_FINE);
	assert_non_null(strstr(output.out, "change from 1.80 MiB to 1.80"));
	assert_null(strstr(output.out, "N1"));	/* nothing changed */
	output_free(&output);
	output = command_run(&cmd_graph, "--base nowhere.pb graph_test.pb");
	assert_int_equal(output.status, EXIT_INPUT);
	assert_non_null(strstr(output.err, "nowhere.pb"));
	output_free(&output);
	unlink("graph_base.pb");
}

static void
test_svg_shows_every_function(void **state)
{
	static const char *const words[] = { "node_new", "config_parse",
	    "entry_new", "session_new", "std::string(&quot;a &amp; b&quot;)",
	    "(inline)", "256 B" };
	struct output output = command_run(&cmd_graph,
	    "--format svg graph_test.pb");

	assert_int_equal(output.status, EXIT_FINE);
	assert_well_formed(output.out);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strstr(output.out, words[i]) == NULL)
			fail_msg("no '%s' in the picture", words[i]);
	}
	output_free(&output);
}

static void
test_the_suffix_names_the_format(void **state)
{
	static const struct {
		const char *file, *begins;
	} cases[] = {
		{ "graph_test.png", "\x89PNG\r\n" },
		{ "graph_test.svg", "<?xml" },
		{ "graph_test.dot", "strict digraph" },
		{ "graph_test.pdf", "%PDF-" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char line[128], begin[16] = "";
		struct output output;
		FILE *file;

		snprintf(line, sizeof line, "graph_test.pb -o %s",
		    cases[i].file);
		output = command_run(&cmd_graph, line);
		assert_int_equal(output.status, EXIT_FINE);
		output_free(&output);
		file = fopen(cases[i].file, "r");
		assert_non_null(file);
		assert_true(fread(begin, 1, sizeof begin, file) > 6);
		fclose(file);
		unlink(cases[i].file);
		assert_memory_equal(begin, cases[i].begins,
		    strlen(cases[i].begins));
	}
}

static void
test_an_empty_profile_is_drawn(void **state)
{
	struct fixture f;
	struct output output;

	fixture_init(&f, 4096);
	fixture_write(&f, "graph_empty.pb");
	output = command_run(&cmd_graph, "graph_empty.pb");
	unlink("graph_empty.pb");
	assert_int_equal(output.status, EXIT_FINE);
	assert_well_formed(output.out);
	output_free(&output);
}

/* Facts that no library writes: in damaged files. */
static void
test_a_legend_of_endless_facts_is_cut(void **state)
{
	char *comment = xasprintf("strata_version: %020000d", 0);
	struct fixture f;
	struct output output;

	fixture_init(&f, 4096);
	fixture_comment(&f, "pid: 7");
	fixture_comment(&f, comment);
	fixture_write(&f, "graph_endless.pb");
	output = command_run(&cmd_graph, "--format=dot graph_endless.pb");
	unlink("graph_endless.pb");
	assert_int_equal(output.status, EXIT_FINE);
	assert_non_null(strstr(output.out, "in 0 nodes"));
	output_free(&output);
	free(comment);
}

static void
test_nonsense_is_refused(void **state)
{
	struct output output = command_run(&cmd_graph,
	    "--node-fraction 2 graph_test.pb");

	assert_int_equal(output.status, EXIT_USAGE);
	output_free(&output);
	output = command_run(&cmd_graph, "--by arena graph_test.pb");
	assert_int_equal(output.status, EXIT_USAGE);
	output_free(&output);
	output = command_run(&cmd_graph, "no-such-file.pb");
	assert_int_equal(output.status, EXIT_INPUT);
	assert_non_null(strstr(output.err, "no-such-file.pb"));
	output_free(&output);
}

static int
setup(void **state)
{
	fixture_server("graph_test.pb");
	return 0;
}

static int
teardown(void **state)
{
	return unlink("graph_test.pb");
}

int
main(void)
{
	const struct CMUnitTest cuts[] = {
		cmocka_unit_test(test_edges_carry_what_passed_through_them),
		cmocka_unit_test(test_recursion_counts_once),
		cmocka_unit_test(test_small_nodes_go_and_leave_residual_edges),
		cmocka_unit_test(test_residual_edges_that_say_nothing_new_go),
		cmocka_unit_test(
		    test_branching_points_stay_before_plain_chains),
		cmocka_unit_test(test_small_edges_go),
		cmocka_unit_test(test_sizes_of_a_node_largest_first),
		cmocka_unit_test(test_inlined_calls_are_marked),
	};
	const struct CMUnitTest pictures[] = {
		cmocka_unit_test(test_dot_is_as_before),
		cmocka_unit_test(test_a_base_is_subtracted),
		cmocka_unit_test(test_svg_shows_every_function),
		cmocka_unit_test(test_the_suffix_names_the_format),
		cmocka_unit_test(test_an_empty_profile_is_drawn),
		cmocka_unit_test(test_a_legend_of_endless_facts_is_cut),
		cmocka_unit_test(test_nonsense_is_refused),
	};
	int failed = cmocka_run_group_tests(cuts, NULL, NULL);

	return failed + cmocka_run_group_tests(pictures, setup, teardown);
}
