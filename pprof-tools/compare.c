/*
 * compare.c - two profiles compared site by site.
 *
 * Sites are the same if they have the same name; one that has no symbol is
 * the same only at the same offset of the same build, so that after a rebuild
 * nothing is matched by an address that has come to mean something else.
 */
#include "compare.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "table.h"
#include "xalloc.h"

/* The label `since` tells dumps apart as far back as this. */
enum { SINCE_DUMPS = 16 };

struct differ {
	struct comparison *diff;
	const struct model *old, *new;
	const char *type;
	bool cum, disjoint;
	char **keys;			/* of each row */
	size_t capacity, keys_capacity;
	struct table table;		/* key -> row */
};

/* --- keys --------------------------------------------------------------- */

/* What makes a site the same in another profile. */
static char *
key_of(const struct model *model, const struct site *site)
{
	const struct model_mapping *mapping;

	if (site->address == 0)
		return xstrdup(site->name);
	if (site->mapping == MODEL_NONE)
		return xasprintf("%" PRIx64 " %s", site->address,
		    site->function);
	mapping = &model->mappings[site->mapping];
	return xasprintf("%" PRIx64 " %s %s", site->address,
	    *mapping->build_id != '\0' ? mapping->build_id : mapping->file,
	    site->function);
}

static bool
key_equal(const void *context, uint32_t index, const void *key)
{
	const struct differ *d = context;

	return strcmp(d->keys[index], key) == 0;
}

static struct compare_row *
row_of(struct differ *d, const struct model *model, const struct site *site)
{
	struct comparison *diff = d->diff;
	char *key = key_of(model, site);
	uint64_t hash = table_hash(key, strlen(key), 0);
	uint32_t found = table_find(&d->table, hash, key_equal, d, key);

	if (found != TABLE_NONE) {
		free(key);
		return &diff->rows[found];
	}
	diff->rows = xgrow(diff->rows, diff->n, &d->capacity,
	    sizeof *diff->rows);
	d->keys = xgrow(d->keys, diff->n, &d->keys_capacity,
	    sizeof *d->keys);
	d->keys[diff->n] = key;
	table_insert(&d->table, hash, diff->n);
	diff->rows[diff->n] = (struct compare_row){ .name = site->name };
	return &diff->rows[diff->n++];
}

/* --- what the two have in common ---------------------------------------- */

/* By their sequences in it they are two dumps, or the one by its time. */
static bool
same_process(const struct model *old, const struct model *new)
{
	const struct model_exact *a = &old->exact, *b = &new->exact;

	return old->nfiles == 1 && new->nfiles == 1 && a->pid > 0 &&
	    a->pid == b->pid && a->start_time_unix > 0 &&
	    a->start_time_unix == b->start_time_unix && a->sequence >= 0 &&
	    b->sequence >= 0 && (a->sequence != b->sequence ||
	    old->time_ns == new->time_ns);
}

static bool
starts_with(const char *string, const char *word)
{
	return strncmp(string, word, strlen(word)) == 0;
}

/* Born before that dump, and so in it. */
static bool
born_before(const void *context, const struct model_row *row)
{
	int64_t dump = *(const int64_t *)context;

	return row->labels->since >= 0 && row->labels->since < dump;
}

static const struct estimate *
measure(const struct differ *d, const struct site *site)
{
	return d->cum ? &site->cum : &site->flat;
}

/* Adds the variance of the rows that keep() picks, site by site. */
static void
share_rows(struct differ *d, const struct model *model,
    bool (*keep)(const void *, const struct model_row *),
    const void *context)
{
	struct sites *sites = sites_build_some(model, d->diff->old_sites->by,
	    model_find_type(model, d->type), keep, context);

	for (uint32_t i = 0; i < sites->n; i++) {
		const struct site *site = &sites->items[i];

		row_of(d, model, site)->shared = measure(d, site)->variance;
	}
	d->diff->total.shared = sites->total.variance;
	sites_free(sites);
}

static void
find_shared(struct differ *d)
{
	bool old_first = d->old->exact.sequence < d->new->exact.sequence;
	const struct model *earlier = old_first ? d->old : d->new;
	const struct model *later = old_first ? d->new : d->old;
	int64_t apart = later->exact.sequence - earlier->exact.sequence;

	if (!same_process(d->old, d->new))
		return;
	if (apart == 0 || starts_with(d->type, "alloc_") ||
	    starts_with(d->type, "freed_") ||
	    strcmp(d->type, "requested_space") == 0) {
		d->diff->errors = COMPARE_SHARED;
		share_rows(d, earlier, NULL, NULL);
	} else if (starts_with(d->type, "inuse_")) {
		d->diff->errors = apart < SINCE_DUMPS ? COMPARE_SHARED :
		    COMPARE_UPPER_BOUND;
		share_rows(d, later, born_before, &earlier->exact.sequence);
	}
}

/* --- rows --------------------------------------------------------------- */

static void
take_sites(struct differ *d, const struct model *model,
    const struct sites *sites, bool is_new)
{
	for (uint32_t i = 0; i < sites->n; i++) {
		const struct site *site = &sites->items[i];
		struct compare_row *row = row_of(d, model, site);
		const struct estimate *objects = d->cum ?
		    &site->cum_objects : &site->flat_objects;

		*(is_new ? &row->new : &row->old) = site;
		*(is_new ? &row->new_value : &row->old_value) =
		    measure(d, site)->value;
		*(is_new ? &row->new_objects : &row->old_objects) =
		    objects->value;
	}
}

static void
finish_row(struct compare_row *row, const struct estimate *old,
    const struct estimate *new)
{
	double variance = old->variance + new->variance - 2 * row->shared;

	row->delta.value = new->value - old->value;
	row->delta.variance = variance > 0 ? variance : 0;
	row->delta.unknown = old->unknown || new->unknown;
	row->old_value = old->value;
	row->new_value = new->value;
	row->state = old->value == 0 && new->value != 0 ? COMPARE_NEW :
	    old->value != 0 && new->value == 0 ? COMPARE_GONE : COMPARE_BOTH;
}

static void
finish_rows(struct differ *d)
{
	static const struct estimate none;
	struct comparison *diff = d->diff;

	for (uint32_t i = 0; i < diff->n; i++) {
		struct compare_row *row = &diff->rows[i];

		finish_row(row, row->old == NULL ? &none :
		    measure(d, row->old), row->new == NULL ? &none :
		    measure(d, row->new));
	}
	diff->total.name = "total";
	diff->total.old_objects = diff->old_sites->total_objects.value;
	diff->total.new_objects = diff->new_sites->total_objects.value;
	finish_row(&diff->total, &diff->old_sites->total,
	    &diff->new_sites->total);
}

/* Sites that only call others have nothing to compare. */
static void
drop_empty_rows(struct comparison *diff)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < diff->n; i++)
		if (diff->rows[i].old_value != 0 ||
		    diff->rows[i].new_value != 0)
			diff->rows[n++] = diff->rows[i];
	diff->n = n;
}

static int
compare_rows(const void *a, const void *b)
{
	const struct compare_row *x = a, *y = b;
	double u = fabs(x->delta.value), v = fabs(y->delta.value);

	if (u != v)
		return u < v ? 1 : -1;
	u = x->old_value + x->new_value;
	v = y->old_value + y->new_value;
	if (u != v)
		return u < v ? 1 : -1;
	return strcmp(x->name, y->name);
}

static struct comparison *
build(struct differ d, enum sites_by by)
{
	const struct model *old = d.old, *new = d.new;
	uint32_t old_type = model_find_type(old, d.type);
	uint32_t new_type = model_find_type(new, d.type);

	if (old_type == MODEL_NONE || new_type == MODEL_NONE)
		return NULL;
	d.diff = xcalloc(1, sizeof *d.diff);
	d.diff->old_sites = sites_build(old, by, old_type);
	d.diff->new_sites = sites_build(new, by, new_type);
	take_sites(&d, old, d.diff->old_sites, false);
	take_sites(&d, new, d.diff->new_sites, true);
	if (d.disjoint)
		d.diff->errors = COMPARE_DISJOINT;
	else
		find_shared(&d);
	finish_rows(&d);
	for (uint32_t i = 0; i < d.diff->n; i++)
		free(d.keys[i]);
	free(d.keys);
	table_free(&d.table);
	drop_empty_rows(d.diff);
	if (d.diff->n > 0)
		qsort(d.diff->rows, d.diff->n, sizeof *d.diff->rows,
		    compare_rows);
	return d.diff;
}

struct comparison *
compare_build(const struct model *old, const struct model *new,
    enum sites_by by, const char *type, bool cum)
{
	return build((struct differ){ .old = old, .new = new, .type = type,
	    .cum = cum }, by);
}

struct comparison *
compare_build_disjoint(const struct model *old, const struct model *new,
    enum sites_by by, const char *type, bool cum)
{
	return build((struct differ){ .old = old, .new = new, .type = type,
	    .cum = cum, .disjoint = true }, by);
}

void
compare_free(struct comparison *diff)
{
	if (diff == NULL)
		return;
	sites_free(diff->old_sites);
	sites_free(diff->new_sites);
	free(diff->rows);
	free(diff);
}

double
compare_significance(const struct compare_row *row)
{
	double error = estimate_error(&row->delta);

	if (row->delta.value == 0 || row->delta.unknown)
		return 0;
	return error == 0 ? copysign(HUGE_VAL, row->delta.value) :
	    row->delta.value / error;
}
