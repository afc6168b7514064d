/*
 * site_estimate.c - how large, and how certain.
 */
#include "site_estimate.h"

#include <math.h>
#include <string.h>

double
site_probability(double bytes, double rate)
{
	if (rate <= 1)
		return 1;
	return -expm1(bytes * log1p(-1 / rate));
}

double
estimate_error(const struct estimate *estimate)
{
	return estimate->unknown ? NAN : sqrt(estimate->variance);
}

void
estimate_add(struct estimate *to, const struct estimate *from)
{
	to->value += from->value;
	to->variance += from->variance;
	to->unknown = to->unknown || from->unknown;
}

int
estimate_compare(const struct estimate *a, const struct estimate *b)
{
	double x = fabs(a->value), y = fabs(b->value);

	return (x < y) - (x > y);
}

double
site_row_value(const struct model_row *row, uint32_t type)
{
	return type == MODEL_NONE ? 0 : (double)row->values[type];
}

/* Bytes of one object of the row by its label, else by its own values. */
static double
row_object_bytes(const struct model *model, const struct model_row *row)
{
	static const char *const spaces[] = { "alloc_space", "inuse_space",
	    "space" };

	if (row->labels->bytes >= 0)
		return (double)row->labels->bytes;
	for (size_t i = 0; i < sizeof spaces / sizeof *spaces; i++) {
		uint32_t space = model_find_type(model, spaces[i]);
		double objects = site_row_value(row,
		    model_objects_type(model, space));

		if (objects > 0)
			return site_row_value(row, space) / objects;
	}
	return -1;
}

static bool
ends_in(const char *string, const char *end)
{
	size_t n = strlen(string), m = strlen(end);

	return n >= m && strcmp(string + n - m, end) == 0;
}

struct estimate
site_row_estimate(const struct model *model, const struct model_row *row,
    uint32_t type)
{
	struct estimate out = { .value = site_row_value(row, type) };
	double bytes, p, spread;
	const char *name;

	if (type == MODEL_NONE || out.value == 0)
		return out;
	name = model->types[type].type;
	if (strcmp(name, "samples") == 0)
		return out;		/* a count of what was seen */
	bytes = row_object_bytes(model, row);
	if (bytes < 0 && model->exact.version != NULL)
		return out;		/* "(thread caches)": was counted */
	out.unknown = true;
	if (row->labels->rate < 0 || bytes < 0)
		return out;
	p = site_probability(bytes, (double)row->labels->rate);
	if (p <= 0)
		return out;
	spread = fabs(out.value) * (1 - p) / p;
	if (ends_in(name, "space")) {
		double objects = site_row_value(row,
		    model_objects_type(model, type));

		spread *= objects > 0 ? fabs(out.value) / objects : bytes;
	} else if (!ends_in(name, "objects")) {
		return out;
	}
	out.variance = spread;
	out.unknown = false;
	return out;
}
