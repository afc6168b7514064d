/*
 * diff.c - `strata diff OLD NEW`: what changed, and what is only noise.
 *
 *        old       new      delta        +-  sign  change  function
 *   40.1 MiB  96.3 MiB  +56.2 MiB  3.10 MiB  ***    +140%  session_new
 *
 * Absolute figures only: nothing is scaled to make two totals equal.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "commands.h"
#include "compare.h"
#include "fields.h"
#include "grid.h"
#include "header.h"
#include "term.h"
#include "units.h"
#include "view.h"
#include "xalloc.h"

enum { DIFF_SITES = 20 };		/* a terminal's page */

struct diff_view {
	const struct cli_args *args;
	const struct view *old, *new;
	const struct comparison *diff;
	const char *unit;
	uint32_t n;			/* rows shown */
	FILE *out;
};

static const char *const state_names[] = {
	[COMPARE_BOTH] = "both", [COMPARE_NEW] = "new", [COMPARE_GONE] = "gone",
};

static const char *const errors_names[] = {
	[COMPARE_INDEPENDENT] = "independent", [COMPARE_SHARED] = "shared",
	[COMPARE_UPPER_BOUND] = "upper bound",
	[COMPARE_DISJOINT] = "disjoint",
};

/* Two-sided: less than 5 %, 1 % and 0.1 % by chance alone. */
static const char *
mark(const struct compare_row *row)
{
	double z = fabs(compare_significance(row));

	return z >= 3.291 ? "***" : z >= 2.576 ? "**" : z >= 1.960 ? "*" : "";
}

/* --- text --------------------------------------------------------------- */

static const char *
change_text(const struct compare_row *row, struct unit *unit)
{
	if (row->state != COMPARE_BOTH)
		return state_names[row->state];
	if (row->old_value == 0)
		return "";
	snprintf(unit->text, sizeof unit->text, "%+.0f%%",
	    100 * row->delta.value / row->old_value);
	return unit->text;
}

static void
add_row(const struct diff_view *v, struct grid *grid,
    const struct compare_row *row, const char *name)
{
	bool certain = *mark(row) != '\0';
	enum grid_style style = !certain ? GRID_PLAIN :
	    row->delta.value > 0 ? GRID_RED : GRID_GREEN;
	struct unit unit;

	grid_add(grid, GRID_PLAIN, unit_value(&unit, row->old_value,
	    v->unit));
	grid_add(grid, GRID_PLAIN, unit_value(&unit, row->new_value,
	    v->unit));
	grid_add(grid, style, unit_delta(&unit, row->delta.value, v->unit));
	grid_add(grid, GRID_DIM, unit_value(&unit,
	    estimate_error(&row->delta), v->unit));
	grid_add(grid, style, mark(row));
	grid_add(grid, GRID_PLAIN, change_text(row, &unit));
	grid_add(grid, GRID_BOLD, name);
}

static void
print_grid(const struct diff_view *v, bool color)
{
	static const char *const titles[] = { "old", "new", "delta", "+-",
	    "", "change" };
	const char *by = cli_value(v->args, "by");
	struct grid *grid = grid_new("rrrrlrl");

	for (size_t i = 0; i < sizeof titles / sizeof *titles; i++)
		grid_add(grid, GRID_BOLD, titles[i]);
	grid_add(grid, GRID_BOLD, by == NULL ? "function" : by);
	add_row(v, grid, &v->diff->total, "(total)");
	for (uint32_t i = 0; i < v->n; i++) {
		const struct compare_row *row = &v->diff->rows[i];
		struct unit unit;

		add_row(v, grid, row, view_site_text(v->args, row->name,
		    &unit));
	}
	grid_print(grid, v->out, color, term_width(v->out, 0));
	grid_free(grid);
}

static void
print_errors(const struct diff_view *v)
{
	static const char *const texts[] = {
		[COMPARE_INDEPENDENT] =
		    "errors of independent runs: old and new add up",
		[COMPARE_SHARED] =
		    "errors within one process: what both dumps hold cancels",
		[COMPARE_UPPER_BOUND] = "errors are upper bounds: the dumps "
		    "are too far apart to know what they share",
		[COMPARE_DISJOINT] = "errors of two generations, which share "
		    "no sample: old and new add up",
	};

	fprintf(v->out, "%s\n* ** *** by chance in less than 5%%, 1%%, 0.1%% "
	    "of cases\n", texts[v->diff->errors]);
}

static void
print_exact(const struct diff_view *v)
{
	int64_t old = v->old->model->exact.live;
	int64_t new = v->new->model->exact.live;
	struct unit a, b, c;

	if (old < 0 || new < 0 || v->new->filtered)
		return;			/* they are of the whole process */
	fprintf(v->out, "exact live bytes: %s, now %s: %s\n",
	    unit_bytes(&a, (double)old), unit_bytes(&b, (double)new),
	    unit_delta(&c, (double)(new - old), "bytes"));
}

static void
print_text(const struct diff_view *v)
{
	bool color = term_color(v->out);

	header_print(&v->old->header, v->out, color, "old ");
	header_print(&v->new->header, v->out, color, "new ");
	fprintf(v->out, "\n%s, %" PRIu32 " of %" PRIu32 " sites\n",
	    view_type(v->new)->type, v->n, v->diff->n);
	print_exact(v);
	print_errors(v);
	fputc('\n', v->out);
	print_grid(v, color);
}

/* --- CSV and JSON ------------------------------------------------------- */

static void
print_csv(const struct diff_view *v)
{
	fputs("site,old,new,delta,delta_error,significance,state,"
	    "old_objects,new_objects\n", v->out);
	for (uint32_t i = 0; i < v->n; i++) {
		const struct compare_row *row = &v->diff->rows[i];

		cli_csv_text(v->out, row->name);
		fprintf(v->out, ",%.0f,%.0f", row->old_value, row->new_value);
		field_csv_estimate(v->out, &row->delta);
		fprintf(v->out, ",%s,%s,%.0f,%.0f\n", mark(row),
		    state_names[row->state], row->old_objects,
		    row->new_objects);
	}
}

static json_t *
row_json(const struct compare_row *row)
{
	json_t *object = json_object();
	double z = compare_significance(row);

	field_set_text(object, "site", row->name);
	json_object_set_new(object, "old", json_real(row->old_value));
	json_object_set_new(object, "new", json_real(row->new_value));
	field_set_estimate(object, "delta", "delta_error", &row->delta);
	json_object_set_new(object, "errors_away", isfinite(z) ?
	    json_real(z) : json_null());
	json_object_set_new(object, "significance", json_string(mark(row)));
	json_object_set_new(object, "state",
	    json_string(state_names[row->state]));
	json_object_set_new(object, "old_objects",
	    json_real(row->old_objects));
	json_object_set_new(object, "new_objects",
	    json_real(row->new_objects));
	return object;
}

static void
print_json(const struct diff_view *v)
{
	const struct model_type *type = view_type(v->new);
	json_t *root = json_object(), *list = json_array();

	json_object_set_new(root, "old_header", header_json(&v->old->header));
	json_object_set_new(root, "new_header", header_json(&v->new->header));
	field_set_text(root, "sample_type", type->type);
	field_set_text(root, "unit", type->unit);
	json_object_set_new(root, "errors",
	    json_string(errors_names[v->diff->errors]));
	json_object_set_new(root, "total", row_json(&v->diff->total));
	for (uint32_t i = 0; i < v->n; i++)
		json_array_append_new(list, row_json(&v->diff->rows[i]));
	json_object_set_new(root, "sites", list);
	field_print(root, JSON_INDENT(2) | JSON_REAL_PRECISION(15), v->out);
}

/* --- the command -------------------------------------------------------- */

static const struct cli_option options[] = {
	{ 'b', "by", "WHAT", "compare by function, line, file, address, "
	    "module, arena, size, generation, thread, age or lifetime "
	    "[function]" },
	{ 'n', "nodes", "N", "show at most N sites, 0 all [20]" },
	{ 'c', "cum", NULL, "compare cum, not flat" },
	{ 0 }
};

static int
print(struct diff_view *v)
{
	const char *format = cli_format(v->args);
	int status = cli_output(v->args, &v->out);

	if (status != EXIT_FINE)
		return status;
	if (strcmp(format, "json") == 0)
		print_json(v);
	else if (strcmp(format, "csv") == 0)
		print_csv(v);
	else
		print_text(v);
	return cli_output_close(v->args, v->out);
}

/*
 * "--generation 6 7 FILE...": the 7 arrives as an operand. A range there is
 * no file's name either, but one that check_generations refuses.
 */
static const char *
second_generation(const struct cli_args *args)
{
	const char *first = args->operands[0];

	return cli_value(args, "generation") != NULL &&
	    strpbrk(first, "0123456789") != NULL &&
	    first[strspn(first, "0123456789-,")] == '\0' ? first : NULL;
}

/* Of ranges nobody could say whether they share samples. */
static int
check_generations(const struct cli_args *args)
{
	const char *both[] = { cli_value(args, "generation"),
	    second_generation(args) };

	if (both[1] == NULL)
		return EXIT_FINE;
	for (size_t i = 0; i < 2; i++)
		if (both[i][strspn(both[i], "0123456789")] != '\0')
			return cli_usage_error(args, "--generation: two "
			    "generations are compared by their numbers, and "
			    "'%s' is none", both[i]);
	return EXIT_FINE;
}

/* Two generations share no sample; one in two dumps does. */
static bool
is_disjoint(const struct cli_args *args)
{
	const char *second = second_generation(args);

	return second != NULL && strtoull(second, NULL, 10) !=
	    strtoull(cli_value(args, "generation"), NULL, 10);
}

/* Loads one file as if --generation were another one. */
static int
load_generation(const struct cli_args *args, char *path,
    const char *generation, struct view *out)
{
	struct cli_args other = *args;
	int status;

	if (generation == NULL)
		return view_load_files(args, &path, 1, out);
	other.given = xcalloc(args->ngiven, sizeof *other.given);
	for (size_t i = 0; i < args->ngiven; i++) {
		other.given[i] = args->given[i];
		if (strcmp(args->given[i].option->name, "generation") == 0)
			other.given[i].value = generation;
	}
	status = view_load_files(&other, &path, 1, out);
	free(other.given);
	return status;
}

/* Both profiles are loaded. */
static int
compare(const struct cli_args *args, const struct view *old,
    const struct view *new, enum sites_by by, long nodes)
{
	struct comparison *diff = (is_disjoint(args) ?
	    compare_build_disjoint : compare_build)(old->model, new->model,
	    by, view_type(new)->type, cli_flag(args, "cum"));
	struct diff_view v = { args, old, new, diff, view_type(new)->unit, 0,
	    NULL };
	int status;

	if (diff == NULL)
		return cli_usage_error(args, "the old profile has no sample "
		    "type '%s'", view_type(new)->type);
	v.n = nodes == 0 || nodes > diff->n ? diff->n : (uint32_t)nodes;
	status = print(&v);
	compare_free(diff);
	return status;
}

static int
run(const struct cli_args *args)
{
	int by = SITES_FUNCTION;
	long nodes = DIFF_SITES;
	struct view old, new;
	const char *second = second_generation(args);
	int status = cli_number(args, "nodes", 0, UINT32_MAX, &nodes);

	if (status == EXIT_FINE)
		status = view_by(args, SITES_LIFETIME, &by);
	if (status == EXIT_FINE)
		status = check_generations(args);
	if (status != EXIT_FINE)
		return status;
	if (second == NULL && args->noperands > 2)
		return cli_usage_error(args, "unexpected operand '%s'",
		    args->operands[2]);
	status = view_load_files(args, &args->operands[second != NULL], 1,
	    &old);
	if (status != EXIT_FINE)
		return status;
	status = load_generation(args, args->operands[args->noperands - 1],
	    second, &new);
	if (status == EXIT_FINE) {
		if (!view_miss_label(old.model, old.type, by))
			view_miss_label(new.model, new.type, by);
		status = compare(args, &old, &new, by, nodes);
		view_free(&new);
	}
	view_free(&old);
	return status;
}

const struct cli_command cmd_diff = {
	.name = "diff",
	.operands = "OLD NEW | --generation I J OLD [NEW]",
	.summary = "tell what changed between two profiles from noise",
	.about = "Compares two profiles site by site: of one process, of two "
	    "runs, or of two builds. Every difference has its standard "
	    "error; what two dumps of one process share cancels out of it.\n"
	    "With --generation I J: what generation I holds in OLD against "
	    "generation J in NEW, or in OLD too.",
	.options = options,
	.formats = "text json csv",
	.groups = CLI_VIEW,
	.min_operands = 2,
	.max_operands = 3,
	.run = run,
};
