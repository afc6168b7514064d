/*
 * top.c - `strata top`: the sites that hold the most, flat and cumulative.
 *
 *   flat       +-   flat%   sum%       cum   cum%   objects  function
 *   412 MiB  4.6 MiB  79.2%  79.2%  415 MiB  79.8%   105000  session_new
 *
 * flat is what the site allocated itself, cum includes what it called; +- is
 * the standard error of flat. Percentages are of all rows that passed the
 * filter; sum% is the running sum of flat%.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "fields.h"
#include "grid.h"
#include "header.h"
#include "sites.h"
#include "term.h"
#include "units.h"
#include "view.h"

enum { TOP_SITES = 20 };		/* a terminal's page */

struct top {
	const struct cli_args *args;
	const struct view *view;
	const struct sites *sites;
	const char *unit;		/* of the sample type */
	uint32_t n;			/* sites shown */
	FILE *out;
};

static double
fraction(double part, double whole)
{
	return whole == 0 ? 0 : part / whole;
}

/* --- text --------------------------------------------------------------- */

static void
add_titles(const struct top *top, struct grid *grid)
{
	static const char *const titles[] = { "flat", "+-", "flat%", "sum%",
	    "cum", "cum%" };

	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		grid_add(grid, GRID_BOLD, titles[i]);
	if (top->sites->objects_type != MODEL_NONE)
		grid_add(grid, GRID_BOLD, "objects");
	grid_add(grid, GRID_BOLD, cli_value(top->args, "by") == NULL ?
	    "function" : cli_value(top->args, "by"));
}

static void
add_site(const struct top *top, struct grid *grid, const struct site *site,
    double sum)
{
	double total = top->sites->total.value;
	struct unit unit;

	grid_add(grid, GRID_PLAIN, unit_value(&unit, site->flat.value,
	    top->unit));
	grid_add(grid, GRID_DIM, unit_value(&unit,
	    estimate_error(&site->flat), top->unit));
	grid_add(grid, GRID_PLAIN, unit_percent(&unit,
	    fraction(site->flat.value, total)));
	grid_add(grid, GRID_PLAIN, unit_percent(&unit, fraction(sum, total)));
	grid_add(grid, GRID_PLAIN, unit_value(&unit, site->cum.value,
	    top->unit));
	grid_add(grid, GRID_PLAIN, unit_percent(&unit,
	    fraction(site->cum.value, total)));
	if (top->sites->objects_type != MODEL_NONE)
		grid_add(grid, GRID_PLAIN, unit_count(&unit,
		    site->flat_objects.value));
	grid_add(grid, GRID_BOLD, view_site_text(top->args,
	    site->name, &unit));
}

/* Of the total; NAN if it is not known. */
static double
total_error(const struct top *top)
{
	const struct estimate *total = &top->sites->total;

	return strcmp(top->unit, "bytes") == 0 ?
	    header_sum_error(top->view->model, total) : estimate_error(total);
}

static void
print_summary(const struct top *top, double shown)
{
	const struct sites *sites = top->sites;
	const struct model_type *type = view_type(top->view);
	double error = total_error(top);
	struct unit a, b, c;

	fprintf(top->out, "%s: %s", type->type, unit_value(&a,
	    sites->total.value, top->unit));
	if (!isnan(error))
		fprintf(top->out, " +- %s", unit_value(&b, error, top->unit));
	if (sites->objects_type != MODEL_NONE)
		fprintf(top->out, " in %s objects", unit_count(&c,
		    sites->total_objects.value));
	fprintf(top->out, ", of %" PRIu32 " sites %" PRIu32 " shown (%s)\n\n",
	    sites->n, top->n, unit_percent(&a, fraction(shown,
	    sites->total.value)));
}

static void
print_text(const struct top *top)
{
	bool color = term_color(top->out);
	struct grid *grid = grid_new(top->sites->objects_type != MODEL_NONE ?
	    "rrrrrrrl" : "rrrrrrl");
	double sum = 0;

	header_print(&top->view->header, top->out, color, "");
	add_titles(top, grid);
	for (uint32_t i = 0; i < top->n; i++) {
		sum += top->sites->items[i].flat.value;
		add_site(top, grid, &top->sites->items[i], sum);
	}
	fputc('\n', top->out);
	print_summary(top, sum);
	grid_print(grid, top->out, color, term_width(top->out, 0));
	grid_free(grid);
}

/* --- CSV ---------------------------------------------------------------- */

static void
print_csv(const struct top *top)
{
	double total = top->sites->total.value, sum = 0;

	fprintf(top->out, "site,flat,flat_error,cum,cum_error,objects,"
	    "objects_error,flat_percent,sum_percent,cum_percent,file,line\n");
	for (uint32_t i = 0; i < top->n; i++) {
		const struct site *site = &top->sites->items[i];

		sum += site->flat.value;
		cli_csv_text(top->out, site->name);
		field_csv_estimate(top->out, &site->flat);
		field_csv_estimate(top->out, &site->cum);
		field_csv_estimate(top->out, &site->flat_objects);
		fprintf(top->out, ",%.4f,%.4f,%.4f,",
		    100 * fraction(site->flat.value, total),
		    100 * fraction(sum, total),
		    100 * fraction(site->cum.value, total));
		cli_csv_text(top->out, site->file);
		fprintf(top->out, ",%" PRId64 "\n", site->line);
	}
}

/* --- JSON --------------------------------------------------------------- */

static json_t *
site_json(const struct top *top, const struct site *site)
{
	json_t *object = json_object();

	field_set_text(object, "site", site->name);
	field_set_estimate(object, "flat", "flat_error", &site->flat);
	field_set_estimate(object, "cum", "cum_error", &site->cum);
	if (top->sites->objects_type != MODEL_NONE) {
		field_set_estimate(object, "objects", "objects_error",
		    &site->flat_objects);
		field_set_estimate(object, "cum_objects", "cum_objects_error",
		    &site->cum_objects);
	}
	if (*site->function != '\0')
		field_set_text(object, "function", site->function);
	if (*site->file != '\0')
		field_set_text(object, "file", site->file);
	if (site->line != 0)
		json_object_set_new(object, "line",
		    json_integer(site->line));
	return object;
}

static void
print_json(const struct top *top)
{
	const struct model_type *type = view_type(top->view);
	json_t *root = json_object(), *list = json_array();

	json_object_set_new(root, "header", header_json(&top->view->header));
	field_set_text(root, "sample_type", type->type);
	field_set_text(root, "unit", type->unit);
	json_object_set_new(root, "total", json_real(top->sites->total.value));
	field_set_error(root, "total_error", total_error(top));
	if (top->sites->objects_type != MODEL_NONE)
		field_set_estimate(root, "total_objects", "total_objects_error",
		    &top->sites->total_objects);
	json_object_set_new(root, "sites_in_all",
	    json_integer(top->sites->n));
	for (uint32_t i = 0; i < top->n; i++)
		json_array_append_new(list, site_json(top,
		    &top->sites->items[i]));
	json_object_set_new(root, "sites", list);
	field_print(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15), top->out);
}

/* --- the command -------------------------------------------------------- */

static const struct cli_option options[] = {
	{ 'b', "by", "WHAT", "sum by function, line, file, address, module, "
	    "arena, size, generation, thread, age or lifetime [function]" },
	{ 'n', "nodes", "N", "show at most N sites, 0 all [20]" },
	{ 'c', "cum", NULL, "sort by cum, not by flat" },
	{ 0 }
};

static int
print(struct top *top)
{
	const char *format = cli_format(top->args);
	int status = cli_output(top->args, &top->out);

	if (status != EXIT_FINE)
		return status;
	if (strcmp(format, "json") == 0)
		print_json(top);
	else if (strcmp(format, "csv") == 0)
		print_csv(top);
	else
		print_text(top);
	return cli_output_close(top->args, top->out);
}

static int
run(const struct cli_args *args)
{
	int by = SITES_FUNCTION;
	long nodes = TOP_SITES;
	struct sites *sites;
	struct view view;
	struct top top;
	int status = cli_number(args, "nodes", 0, UINT32_MAX, &nodes);

	if (status == EXIT_FINE)
		status = view_by(args, SITES_LIFETIME, &by);
	if (status == EXIT_FINE)
		status = view_load(args, &view);
	if (status != EXIT_FINE)
		return status;
	view_miss_label(view.model, view.type, by);
	sites = sites_build(view.model, by, view.type);
	if (cli_flag(args, "cum"))
		sites_sort(sites, SITES_BY_CUM);
	top = (struct top){ args, &view, sites, view_type(&view)->unit,
	    nodes == 0 || nodes > sites->n ? sites->n : (uint32_t)nodes,
	    NULL };
	status = print(&top);
	sites_free(sites);
	view_free(&view);
	return status;
}

const struct cli_command cmd_top = {
	.name = "top",
	.operands = "FILE...",
	.summary = "list the sites that hold the most memory",
	.about = "Reads heap profiles, several of them merged, and lists "
	    "their sites: flat is what a site allocated itself, cum includes "
	    "what it called. Every figure has its standard error.",
	.options = options,
	.formats = "text json csv",
	.groups = CLI_VIEW,
	.min_operands = 1,
	.run = run,
};
