/*
 * generations_data.c - generations for other programs: CSV and JSON.
 *
 * Times are nanoseconds; what is not known is null, or an empty field.
 */
#include <inttypes.h>
#include <math.h>

#include <jansson.h>

#include "cli.h"
#include "fields.h"
#include "generations.h"

static const struct gen_dump *
last_dump(const struct gen_series *series)
{
	return series->dumps[series->n - 1];
}

static json_t *
json_known(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

static void
csv_cell(const struct gen_series *series, const struct gen_site *site,
    const struct gen_cell *cell, FILE *out)
{
	uint32_t first = 0, last = 0;

	if (!generations_seen(series, site->name, cell->generation, &first,
	    &last))
		return;
	fprintf(out, "%" PRId64 ",", cell->generation);
	cli_csv_text(out, site->name);
	field_csv_estimate(out, &cell->bytes);
	field_csv_estimate(out, &cell->objects);
	if (isnan(cell->allocated))
		fputs(",,", out);
	else
		fprintf(out, ",%.0f,", cell->allocated);
	if (isfinite(site->half_life))
		fprintf(out, "%.0f", site->half_life);
	fprintf(out, ",%s,%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "\n",
	    generations_kind(site->kind), series->dumps[first]->current,
	    series->dumps[first]->model->time_ns,
	    series->dumps[last]->current,
	    series->dumps[last]->model->time_ns);
}

void
generations_csv(const struct gen_series *series, uint32_t n, FILE *out)
{
	const struct gen_dump *dump = last_dump(series);

	fputs("generation,site,bytes,bytes_error,objects,objects_error,"
	    "allocated,half_life_ns,kind,first_seen_generation,"
	    "first_seen_ns,last_seen_generation,last_seen_ns\n", out);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t ncells;
		const struct gen_cell *cells = gen_cells(dump,
		    &dump->sites[i], &ncells);

		for (uint32_t k = 0; k < ncells; k++)
			csv_cell(series, &dump->sites[i], &cells[k], out);
	}
}

static json_t *
cell_json(const struct gen_series *series, const struct gen_site *site,
    const struct gen_cell *cell)
{
	json_t *object = json_object();
	uint32_t first, last;

	field_set_number(object, "generation", cell->generation);
	field_set_estimate(object, "bytes", "bytes_error", &cell->bytes);
	field_set_estimate(object, "objects", "objects_error",
	    &cell->objects);
	json_object_set_new(object, "allocated",
	    json_known(cell->allocated));
	if (!generations_seen(series, site->name, cell->generation, &first,
	    &last))
		return object;
	field_set_number(object, "first_seen_generation",
	    series->dumps[first]->current);
	field_set_number(object, "first_seen_ns",
	    series->dumps[first]->model->time_ns);
	field_set_number(object, "last_seen_generation",
	    series->dumps[last]->current);
	field_set_number(object, "last_seen_ns",
	    series->dumps[last]->model->time_ns);
	return object;
}

static json_t *
site_json(const struct gen_series *series, const struct gen_site *site)
{
	json_t *object = json_object(), *list = json_array();
	uint32_t n;
	const struct gen_cell *cells = gen_cells(last_dump(series), site,
	    &n);

	field_set_text(object, "site", site->name);
	field_set_text(object, "kind", generations_kind(site->kind));
	field_set_estimate(object, "bytes", "bytes_error", &site->bytes);
	field_set_estimate(object, "stray_bytes", "stray_bytes_error",
	    &site->stray);
	field_set_estimate(object, "stray_objects", "stray_objects_error",
	    &site->stray_objects);
	json_object_set_new(object, "retired_allocated",
	    json_known(site->allocated));
	json_object_set_new(object, "half_life_ns",
	    json_known(site->half_life));
	field_set_number(object, "retired_in", site->retired_in);
	field_set_number(object, "oldest", site->oldest);
	field_set_number(object, "newest", site->newest);
	json_object_set_new(object, "growth_per_reload",
	    json_known(site->growth));
	json_object_set_new(object, "growth_error",
	    json_known(site->growth_error));
	json_object_set_new(object, "growth_by_chance",
	    json_known(site->chance));
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, cell_json(series, site,
		    &cells[i]));
	json_object_set_new(object, "generations", list);
	return object;
}

void
generations_json(const struct gen_series *series, uint32_t n, FILE *out)
{
	const struct gen_dump *dump = last_dump(series);
	json_t *root = json_object(), *list = json_array();

	json_object_set_new(root, "header",
	    header_json(&series->views[series->n - 1].header));
	field_set_number(root, "generation", dump->current);
	field_set_number(root, "last_retired", gen_retired(dump));
	field_set_number(root, "folded_up_to", dump->folded);
	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, site_json(series,
		    &dump->sites[i]));
	json_object_set_new(root, "sites", list);
	field_print(root, JSON_INDENT(1), out);
}
