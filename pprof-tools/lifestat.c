/*
 * lifestat.c - sums rows by lifetime and age.
 */
#include "lifestat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"
#include "xalloc.h"

enum { PER_DOUBLING = 4 };

/* --- buckets --------------------------------------------------------------*/

double
life_lower(uint32_t bucket)
{
	return bucket == 0 ? 0 : 1000 * exp2((bucket - 1.0) / PER_DOUBLING);
}

double
life_upper(uint32_t bucket)
{
	return bucket + 1 >= LIFE_BUCKETS ? INFINITY : life_lower(bucket + 1);
}

uint32_t
life_bucket_of(double nanoseconds)
{
	double edge;

	if (nanoseconds < 1000)
		return 0;
	/* Profiles name edges in whole ns, rounded up: far less than this. */
	edge = floor(PER_DOUBLING * log2(nanoseconds / 1000) + 1e-9);
	return edge + 1 >= LIFE_BUCKETS - 1 ? LIFE_BUCKETS - 1 :
	    (uint32_t)edge + 1;
}

double
life_value(const struct life_sum *sum, enum life_measure measure)
{
	return measure == LIFE_BYTES ? sum->bytes :
	    measure == LIFE_OBJECTS ? sum->objects : sum->samples;
}

/* --- sums -----------------------------------------------------------------*/

struct types {
	uint32_t freed_objects, freed_space, inuse_objects, inuse_space;
	uint32_t alloc_space, samples;
};

static struct types
find_types(const struct model *model)
{
	return (struct types){
		.freed_objects = model_find_type(model, "freed_objects"),
		.freed_space = model_find_type(model, "freed_space"),
		.inuse_objects = model_find_type(model, "inuse_objects"),
		.inuse_space = model_find_type(model, "inuse_space"),
		.alloc_space = model_find_type(model, "alloc_space"),
		.samples = model_find_type(model, "samples"),
	};
}

static double
value_of(const struct model_row *row, uint32_t type)
{
	return type == MODEL_NONE ? 0 : (double)row->values[type];
}

static void
sum_add(struct life_sum *sum, double objects, double bytes, double samples)
{
	sum->objects += objects;
	sum->bytes += bytes;
	sum->samples += samples;
}

static void
add_row(struct life_group *group, const struct types *types,
    const struct model_row *row)
{
	bool freed = row->labels->lifetime_ns >= 0;
	uint32_t n = life_bucket_of((double)(freed ?
	    row->labels->lifetime_ns : row->labels->age_ns));
	struct life_bucket *bucket = &group->buckets[n];
	double samples = value_of(row, types->samples);

	if (freed) {
		double objects = value_of(row, types->freed_objects);
		double bytes = value_of(row, types->freed_space);

		sum_add(&bucket->freed, objects, bytes, samples);
		sum_add(&group->freed, objects, bytes, samples);
	} else {
		double objects = value_of(row, types->inuse_objects);
		double bytes = value_of(row, types->inuse_space);

		sum_add(&bucket->live, objects, bytes, samples);
		sum_add(&group->live, objects, bytes, samples);
	}
}

/* Has it a lifetime or an age? */
static bool
is_timed(const struct model_row *row)
{
	return row->labels->lifetime_ns >= 0 || row->labels->age_ns >= 0;
}

static int
by_bytes(const void *left, const void *right)
{
	const struct life_group *a = left, *b = right;
	double x = a->freed.bytes + a->live.bytes;
	double y = b->freed.bytes + b->live.bytes;

	if (x != y)
		return x < y ? 1 : -1;
	return strcmp(a->name, b->name);
}

static void
group_name(struct life_group *group, const char *name, enum sites_by by)
{
	struct unit unit;

	group->name = xstrdup(name);
	group->label = by == SITES_SIZE && *name != '(' ?
	    xstrdup(unit_bytes(&unit, strtod(name, NULL))) : xstrdup(name);
}

static void
group_clear(struct life_group *group)
{
	free(group->name);
	free(group->label);
}

/* Drops the groups that no row went to. */
static void
drop_empty(struct life *life)
{
	uint32_t out = 0;

	for (uint32_t i = 0; i < life->n; i++) {
		struct life_group *group = &life->groups[i];

		if (group->freed.objects == 0 && group->live.objects == 0) {
			group_clear(group);
			continue;
		}
		if (out != i)
			life->groups[out] = *group;
		out++;
	}
	life->n = out;
}

static void
build_one(struct life *life, const struct model *model,
    const struct types *types)
{
	life->n = 1;
	life->groups = xcalloc(1, sizeof *life->groups);
	life->groups[0].name = xstrdup("all");
	life->groups[0].label = xstrdup("all");
	for (uint32_t i = 0; i < model->nrows; i++) {
		if (is_timed(&model->rows[i]))
			add_row(&life->groups[0], types, &model->rows[i]);
	}
}

static void
build_groups(struct life *life, const struct model *model,
    const struct types *types, enum sites_by by)
{
	struct sites *sites = sites_build(model, by, types->alloc_space);

	if (by >= SITES_ARENA)
		sites_sort(sites, SITES_BY_NAME);
	life->n = sites->n;
	life->groups = xcalloc(sites->n + 1, sizeof *life->groups);
	for (uint32_t i = 0; i < sites->n; i++)
		group_name(&life->groups[i], sites->items[i].name, by);
	for (uint32_t i = 0; i < model->nrows; i++) {
		const struct model_row *row = &model->rows[i];

		if (is_timed(row) && sites->row_site[i] != MODEL_NONE)
			add_row(&life->groups[sites->row_site[i]], types,
			    row);
	}
	if (by < SITES_ARENA && life->n > 0)
		qsort(life->groups, life->n, sizeof *life->groups, by_bytes);
	sites_free(sites);
}

struct life *
life_build(const struct model *model, int by)
{
	struct life *life = xcalloc(1, sizeof *life);
	struct types types = find_types(model);

	if (by < 0)
		build_one(life, model, &types);
	else if (types.alloc_space != MODEL_NONE)
		build_groups(life, model, &types, (enum sites_by)by);
	drop_empty(life);
	return life;
}

void
life_free(struct life *life)
{
	for (uint32_t i = 0; i < life->n; i++)
		group_clear(&life->groups[i]);
	free(life->groups);
	free(life);
}

bool
life_range(const struct life_group *groups, uint32_t n, uint32_t *first,
    uint32_t *last)
{
	bool any = false;

	for (uint32_t g = 0; g < n; g++) {
		for (uint32_t i = 0; i < LIFE_BUCKETS; i++) {
			const struct life_bucket *b = &groups[g].buckets[i];

			if (b->freed.objects == 0 && b->live.objects == 0)
				continue;
			if (!any || i < *first)
				*first = i;
			if (!any || i > *last)
				*last = i;
			any = true;
		}
	}
	return any;
}

/* --- quantiles ------------------------------------------------------------*/

/* The time a share of the way through a bucket, on the log scale. */
static double
within(uint32_t bucket, double share)
{
	double lower = life_lower(bucket), upper = life_upper(bucket);

	if (isinf(upper))
		return lower;
	if (bucket == 0)
		return upper * share;	/* its log has no lower end */
	return lower * pow(upper / lower, share);
}

double
life_quantile(const struct life_group *group, bool live, double q,
    enum life_measure measure)
{
	double total = life_value(live ? &group->live : &group->freed,
	    measure);
	double sum = 0;

	if (total <= 0)
		return NAN;
	for (uint32_t i = 0; i < LIFE_BUCKETS; i++) {
		const struct life_bucket *bucket = &group->buckets[i];
		double value = life_value(live ? &bucket->live :
		    &bucket->freed, measure);

		if (value > 0 && sum + value >= q * total)
			return within(i, (q * total - sum) / value);
		sum += value;
	}
	return life_lower(LIFE_BUCKETS - 1);
}

void
life_survival(const struct life_group *group, enum life_measure measure,
    double out[LIFE_BUCKETS])
{
	double at_risk = life_value(&group->freed, measure) +
	    life_value(&group->live, measure);
	double survival = 1;

	for (uint32_t i = 0; i < LIFE_BUCKETS; i++) {
		const struct life_bucket *bucket = &group->buckets[i];
		double died = life_value(&bucket->freed, measure);
		double censored = life_value(&bucket->live, measure);
		double exposed = at_risk - censored / 2;

		if (died > 0 && exposed > 0)
			survival *= died >= exposed ? 0 : 1 - died / exposed;
		at_risk -= died + censored;
		out[i] = survival;
	}
}

double
life_survival_quantile(const struct life_group *group, double q,
    enum life_measure measure)
{
	double survival[LIFE_BUCKETS], before = 1;

	if (life_value(&group->freed, measure) +
	    life_value(&group->live, measure) <= 0)
		return NAN;
	life_survival(group, measure, survival);
	for (uint32_t i = 0; i < LIFE_BUCKETS; i++) {
		if (survival[i] <= 1 - q + 1e-12 && survival[i] < before)
			return within(i, (before - (1 - q)) /
			    (before - survival[i]));
		before = survival[i];
	}
	return INFINITY;
}
