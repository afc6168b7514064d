/*
 * view.c - loads profiles as the common options say.
 */
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "read.h"
#include "symbolize.h"
#include "trim.h"
#include "xalloc.h"

/* All values of a repeatable option; the caller frees the array. */
static const char **
all_values(const struct cli_args *args, const char *name, size_t *n)
{
	const char **values = NULL;
	const char *value;
	size_t capacity = 0;

	*n = 0;
	for (size_t i = 0; (value = cli_next_value(args, name, &i)) != NULL;) {
		values = xgrow(values, *n, &capacity, sizeof *values);
		values[(*n)++] = value;
	}
	return values;
}

static void
symbolize(const struct cli_args *args, struct model *model)
{
	struct symbolize_options options = { 0 };
	struct symbolize_report report;
	const char **debug_dirs, **search;

	debug_dirs = all_values(args, "debug-dir", &options.ndebug_dirs);
	search = all_values(args, "binary-path", &options.nsearch);
	options.debug_dirs = debug_dirs;
	options.search = search;
	options.root = cli_value(args, "root");
	if (cli_flag(args, "no-cache"))
		options.cache_dir = "";
	symbolize_model(model, &options, &report);
	symbolize_complain(&report);
	symbolize_report_free(&report);
	free(debug_dirs);
	free(search);
}

static void
say_no_label(enum sites_by by, const char *option)
{
	fprintf(stderr, "strata: no %s labels in the profile, which --%s goes "
	    "by (%s)\n", sites_by_name(by), option, by == SITES_THREAD ?
	    "libstrata writes none" :
	    "they are in the native profiles of libstrata");
}

static bool
any_has_label(const struct model *model, enum sites_by by)
{
	for (uint32_t i = 0; i < model->nrows; i++)
		if (site_has_label(model->rows[i].labels, by))
			return true;
	return false;
}

/* A filter by what no row has lets nothing through. */
static void
miss_filters_labels(const struct cli_args *args, const struct model *model)
{
	static const enum sites_by labels[] = { SITES_ARENA, SITES_SIZE,
	    SITES_GENERATION, SITES_THREAD, SITES_AGE };

	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		const char *option = sites_by_name(labels[i]);

		if (cli_flag(args, option) && model->nrows > 0 &&
		    !any_has_label(model, labels[i]))
			say_no_label(labels[i], option);
	}
}

bool
view_miss_label(const struct model *model, uint32_t type, int by)
{
	bool any = false;

	for (uint32_t i = 0; i < model->nrows; i++) {
		if (type != MODEL_NONE && model->rows[i].values[type] == 0)
			continue;
		if (site_has_label(model->rows[i].labels, (enum sites_by)by))
			return false;
		any = true;
	}
	if (!any || by < 0 || !sites_by_label((enum sites_by)by))
		return false;
	if (!any_has_label(model, (enum sites_by)by))
		say_no_label((enum sites_by)by, "by");
	else if (by == SITES_LIFETIME)
		fputs("strata: live objects have no lifetime yet; -s "
		    "freed_space shows those that are freed\n", stderr);
	else if (by == SITES_AGE)
		fputs("strata: freed objects have no age; -s inuse_space "
		    "shows those that are alive\n", stderr);
	return true;
}

static int
apply_filter(const struct cli_args *args, struct view *view)
{
	struct model *model = view->model;
	struct filter filter = {
		.focus = cli_value(args, "focus"),
		.ignore = cli_value(args, "ignore"),
		.hide = cli_value(args, "hide"),
		.show = cli_value(args, "show"),
		.show_from = cli_value(args, "show-from"),
		.arena = cli_value(args, "arena"),
		.generation = cli_value(args, "generation"),
		.size = cli_value(args, "size"),
		.thread = cli_value(args, "thread"),
		.age = cli_value(args, "age"),
	};
	struct model_error error = { "", 0, "" };

	view->filtered = !filter_is_empty(&filter);
	miss_filters_labels(args, model);
	if (filter_apply(model, &filter, &error) != 0)
		return cli_usage_error(args, "%s", error.reason);
	if (model->arenas_left_out)
		fputs("strata: --arena leaves out what old generations have "
		    "freed, which is known as a sum of all arenas\n", stderr);
	if (model->generations_left_out > 0)
		fprintf(stderr, "strata: --generation leaves out what "
		    "generations up to %" PRId64 " have freed, which is known "
		    "as one sum\n", model->generations_left_out);
	return EXIT_FINE;
}

static int
find_type(const struct cli_args *args, struct view *view)
{
	const char *name = cli_value(args, "sample-type");
	const struct model *model = view->model;
	char there[256] = "";

	view->type = name == NULL ? model->default_type :
	    model_find_type(model, name);
	if (view->type < model->ntypes)
		return EXIT_FINE;
	for (uint32_t i = 0; i < model->ntypes; i++) {
		size_t len = strlen(there);

		snprintf(there + len, sizeof there - len, " %s",
		    model->types[i].type);
	}
	return cli_usage_error(args,
	    "the profile has no sample type '%s' (it has:%s)",
	    name == NULL ? "" : name, there);
}

int
view_load_files(const struct cli_args *args, char *const paths[], size_t n,
    struct view *out)
{
	unsigned groups = args->command->groups;
	struct model_error error = { "", 0, "" };
	struct view view = { .model = NULL };
	int status = EXIT_FINE;

	if (read_profiles(paths, n, &view.model, &error) != 0)
		return read_complain(&error);
	if (view.model->repeated > 0)
		fprintf(stderr, "strata: %" PRIu32 " of the profiles are of "
		    "one process (pid %" PRId64 "): what it holds is added %"
		    PRIu32 " times\n", view.model->repeated,
		    view.model->repeated_pid, view.model->repeated);
	view.header = header_of(view.model);
	if ((groups & CLI_SYMBOLS) != 0 && !cli_flag(args, "no-symbols"))
		symbolize(args, view.model);
	trim_allocator(view.model);
	if ((groups & CLI_FILTER) != 0)
		status = apply_filter(args, &view);
	view.type = view.model->default_type;
	if (status == EXIT_FINE && (groups & CLI_SAMPLE) != 0)
		status = find_type(args, &view);
	if (status != EXIT_FINE) {
		view_free(&view);
		return status;
	}
	*out = view;
	return EXIT_FINE;
}

int
view_load(const struct cli_args *args, struct view *out)
{
	return view_load_files(args, args->operands, args->noperands, out);
}

void
view_free(struct view *view)
{
	model_free(view->model);
	view->model = NULL;
}

const struct model_type *
view_type(const struct view *view)
{
	return &view->model->types[view->type];
}

int
view_by(const struct cli_args *args, enum sites_by last, int *by)
{
	const char *name = cli_value(args, "by");
	int given = name == NULL ? *by : sites_by_parse(name);
	char there[128] = "";

	if (name == NULL || (given >= 0 && given <= (int)last)) {
		*by = given;
		return EXIT_FINE;
	}
	for (int i = 0; i <= (int)last; i++) {
		size_t len = strlen(there);

		snprintf(there + len, sizeof there - len, " %s",
		    sites_by_name((enum sites_by)i));
	}
	return cli_usage_error(args, "--by: unknown '%s' (there is:%s)", name,
	    there);
}

const char *
view_site_text(const struct cli_args *args, const char *name,
    struct unit *unit)
{
	const char *by = cli_value(args, "by");

	if (by == NULL || strcmp(by, "size") != 0 || *name == '(')
		return name;
	return unit_bytes(unit, strtod(name, NULL));
}
