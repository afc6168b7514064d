/*
 * lifetimes_data.c - lifetimes and ages for other programs: CSV and JSON.
 *
 * Times are nanoseconds, and edges of buckets; what is not known or has no
 * upper end is null, or an empty field.
 */
#include <math.h>
#include <stdlib.h>

#include <jansson.h>

#include "cli.h"
#include "fields.h"
#include "lifetimes.h"

static void
csv_line(const struct life_group *group, const char *state, uint32_t i,
    const struct life_sum *sum, FILE *out)
{
	if (sum->objects == 0)
		return;
	cli_csv_text(out, group->name);
	fprintf(out, ",%s,%.0f,", state, ceil(life_lower(i)));
	if (!isinf(life_upper(i)))
		fprintf(out, "%.0f", ceil(life_upper(i)));
	fprintf(out, ",%.0f,%.0f,%.0f\n", sum->objects, sum->bytes,
	    sum->samples);
}

void
lifetimes_csv(const struct life *life, uint32_t n, FILE *out)
{
	fputs("group,state,from_ns,to_ns,objects,bytes,samples\n", out);
	for (uint32_t g = 0; g < n; g++) {
		const struct life_group *group = &life->groups[g];

		for (uint32_t i = 0; i < LIFE_BUCKETS; i++)
			csv_line(group, "freed", i, &group->buckets[i].freed,
			    out);
		for (uint32_t i = 0; i < LIFE_BUCKETS; i++)
			csv_line(group, "live", i, &group->buckets[i].live,
			    out);
	}
}

static json_t *
json_sum(const struct life_sum *sum)
{
	return json_pack("{s:f,s:f,s:f}", "objects", sum->objects, "bytes",
	    sum->bytes, "samples", sum->samples);
}

/* null where it is not known or beyond what was seen */
static json_t *
json_time(double nanoseconds)
{
	return isfinite(nanoseconds) ? json_real(nanoseconds) : json_null();
}

static json_t *
json_quantiles(const struct life_group *group, int which,
    enum life_measure measure)
{
	static const double shares[] = { 0.1, 0.25, 0.5, 0.75, 0.9, 0.99 };
	json_t *object = json_object();
	char key[16];

	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		snprintf(key, sizeof key, "%g", shares[i]);
		json_object_set_new(object, key, json_time(which < 0 ?
		    life_survival_quantile(group, shares[i], measure) :
		    life_quantile(group, which != 0, shares[i], measure)));
	}
	return object;
}

static json_t *
json_buckets(const struct life_group *group)
{
	json_t *buckets = json_array();

	for (uint32_t i = 0; i < LIFE_BUCKETS; i++) {
		const struct life_bucket *b = &group->buckets[i];

		if (b->freed.objects == 0 && b->live.objects == 0)
			continue;
		json_array_append_new(buckets, json_pack(
		    "{s:f,s:o,s:o,s:o}", "from_ns", life_lower(i), "to_ns",
		    json_time(life_upper(i)), "freed", json_sum(&b->freed),
		    "live", json_sum(&b->live)));
	}
	return buckets;
}

static json_t *
json_group(const struct life_group *group, enum life_measure measure)
{
	json_t *object = json_object();

	field_set_text(object, "name", group->name);
	json_object_set_new(object, "freed", json_sum(&group->freed));
	json_object_set_new(object, "live", json_sum(&group->live));
	json_object_set_new(object, "lifetime_quantiles_ns",
	    json_quantiles(group, 0, measure));
	json_object_set_new(object, "age_quantiles_ns",
	    json_quantiles(group, 1, measure));
	json_object_set_new(object, "survival_quantiles_ns",
	    json_quantiles(group, -1, measure));
	json_object_set_new(object, "buckets", json_buckets(group));
	return object;
}

void
lifetimes_json(const struct header *header, const struct life *life,
    uint32_t n, enum life_measure measure, FILE *out)
{
	json_t *root = json_object(), *groups = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(groups,
		    json_group(&life->groups[i], measure));
	json_object_set_new(root, "header", header_json(header));
	json_object_set_new(root, "quantiles_by",
	    json_string(measure == LIFE_BYTES ? "bytes" :
	    measure == LIFE_OBJECTS ? "objects" : "samples"));
	json_object_set_new(root, "groups", groups);
	field_print(root, JSON_INDENT(1), out);
}
