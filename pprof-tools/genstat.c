/*
 * genstat.c - sums rows by site and generation, and tells strays apart.
 */
#include "genstat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lifestat.h"
#include "xalloc.h"

/* --- cells --------------------------------------------------------------- */

static int
compare_cells(const void *a, const void *b)
{
	const struct gen_cell *x = a, *y = b;

	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	if (x->generation != y->generation)
		return x->generation < y->generation ? -1 : 1;
	return x->current - y->current;
}

static int64_t
label_generation(const char *label)
{
	const char *digits = label == NULL ? NULL :
	    strpbrk(label, "0123456789");

	return digits == NULL ? 0 : strtoll(digits, NULL, 10);
}

/* --- current generations of pools ---------------------------------------- */

enum { POOLS_MAX = 128 };		/* a profile names no more */

struct pool_now {
	int64_t arena, generation;
};

/* Of the comment "pools: 9:14 10:4"; how many. What is damaged ends it. */
static size_t
read_pools(const char *text, struct pool_now *out)
{
	size_t n = 0;
	char *end;

	while (text != NULL && n < POOLS_MAX) {
		out[n].arena = strtoll(text, &end, 10);
		if (end == text || *end != ':')
			break;
		text = end + 1;
		out[n].generation = strtoll(text, &end, 10);
		if (end == text || (*end != ' ' && *end != '\0'))
			break;
		n++;
		text = *end == ' ' ? end + 1 : NULL;
	}
	return n;
}

static bool
is_current(const struct pool_now *pools, size_t n,
    const struct model_labels *labels)
{
	int64_t arena = model_label_number(labels->arena);
	int64_t generation = label_generation(labels->generation);

	for (size_t i = 0; i < n; i++)
		if (pools[i].arena == arena &&
		    pools[i].generation == generation)
			return true;
	return false;
}

/* One cell a row; folded rows, of freed blocks, are their site's. */
static void
cells_of_rows(struct gen_dump *dump, uint32_t inuse, uint32_t alloc)
{
	const struct model *model = dump->model;
	uint32_t objects = model_objects_type(model, inuse);
	struct pool_now pools[POOLS_MAX];
	size_t npools = read_pools(model->exact.pools, pools);

	dump->cells = xcalloc((size_t)model->nrows + 1, sizeof *dump->cells);
	for (uint32_t i = 0; i < model->nrows; i++) {
		const struct model_row *row = &model->rows[i];
		int64_t g = label_generation(row->labels->generation);

		if (model_label_is_folded(row->labels->generation)) {
			dump->folded = g > dump->folded ? g : dump->folded;
			if (dump->base->row_site[i] != MODEL_NONE)
				dump->sites[dump->base->row_site[i]].allocated
				    += site_row_value(row, alloc);
			continue;
		}
		if (dump->base->row_site[i] == MODEL_NONE)
			continue;
		dump->cells[dump->ncells++] = (struct gen_cell){
			.site = dump->base->row_site[i],
			.generation = g,
			.current = is_current(pools, npools, row->labels),
			.bytes = site_row_estimate(model, row, inuse),
			.objects = site_row_estimate(model, row, objects),
			.allocated = site_row_value(row, alloc),
		};
	}
}

static void
merge_cells(struct gen_dump *dump)
{
	uint32_t n = 0;

	qsort(dump->cells, dump->ncells, sizeof *dump->cells, compare_cells);
	for (uint32_t i = 0; i < dump->ncells; i++) {
		struct gen_cell *cell = &dump->cells[i];

		if (n == 0 || compare_cells(&dump->cells[n - 1], cell) != 0) {
			dump->cells[n++] = *cell;
			continue;
		}
		estimate_add(&dump->cells[n - 1].bytes, &cell->bytes);
		estimate_add(&dump->cells[n - 1].objects, &cell->objects);
		dump->cells[n - 1].allocated += cell->allocated;
	}
	dump->ncells = n;
}

/*
 * What is folded is retired, so what a site allocated in all retired ones is
 * known; of one generation's it is not, and nothing if the filter left it out.
 */
static void
forget_folded(struct gen_dump *dump)
{
	int64_t left_out = dump->model->generations_left_out;
	bool unknown = dump->model->arenas_left_out ||
	    dump->folded > gen_retired(dump);
	bool incomplete = unknown || left_out > 0;

	for (uint32_t i = 0; i < dump->ncells; i++)
		if (unknown || dump->cells[i].generation <= dump->folded ||
		    dump->cells[i].generation <= left_out)
			dump->cells[i].allocated = NAN;
	for (uint32_t i = 0; incomplete && i < dump->nsites; i++)
		dump->sites[i].allocated = dump->sites[i].half_life = NAN;
}

static void
find_current(struct gen_dump *dump)
{
	dump->current = dump->model->exact.generation;
	for (uint32_t i = 0; dump->model->exact.generation < 0 &&
	    i < dump->ncells; i++)
		if (dump->cells[i].generation > dump->current)
			dump->current = dump->cells[i].generation;
	if (dump->current < 0)
		dump->current = 0;
	if (dump->current > INT32_MAX)	/* damaged: views count up to it */
		dump->current = INT32_MAX;
}

int64_t
gen_retired(const struct gen_dump *dump)
{
	return dump->current - 2;
}

const struct gen_cell *
gen_cells(const struct gen_dump *dump, const struct gen_site *site,
    uint32_t *n)
{
	uint32_t index = (uint32_t)(site - dump->sites), low = 0;
	uint32_t high = dump->ncells;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (dump->cells[mid].site < index)
			low = mid + 1;
		else
			high = mid;
	}
	for (*n = 0; low + *n < dump->ncells &&
	    dump->cells[low + *n].site == index;)
		++*n;
	return &dump->cells[low];
}

struct estimate
gen_alive(const struct gen_dump *dump, int64_t generation)
{
	struct estimate sum = { 0 };

	for (uint32_t i = 0; i < dump->ncells; i++)
		if (dump->cells[i].generation == generation)
			estimate_add(&sum, &dump->cells[i].bytes);
	return sum;
}

/* --- growth -------------------------------------------------------------- */

double
gen_chance(double t, double degrees)
{
	double z;

	if (!(t > 0))
		return isnan(t) ? 1 : 0.5;
	if (isinf(t))
		return 0;
	/* Wallace's normal deviate of t: within 2 % for 3 degrees on. */
	z = sqrt(degrees * log1p(t * t / degrees)) * (8 * degrees + 1) /
	    (8 * degrees + 3);
	return erfc(z / M_SQRT2) / 2;
}

double
gen_samples_needed(uint32_t window, uint32_t nsites)
{
	double degrees = window / 2 - 1, low = 0, high = 1e6, t;

	for (int i = 0; i < 60; i++) {
		double mid = (low + high) / 2;

		if (gen_chance(mid, degrees) * nsites < GEN_FALSE_ALARM)
			high = mid;
		else
			low = mid;
	}
	/*
	 * S samples give a t of about sqrt(S); 1.645 is 95 % one-sided, of
	 * the sum's own spread and of that of the scatter it is divided by.
	 */
	t = high * (1 + 1.645 / sqrt(2 * degrees)) + 1.645;
	return t * t;
}

uint32_t
gen_window(const struct gen_dump *dump, uint32_t reloads)
{
	int64_t retired = gen_retired(dump) - 1;	/* not start-up */

	if (retired < GEN_RELOADS_MIN)
		return 0;
	if (reloads > 0 && reloads < retired)
		retired = reloads;
	return retired > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)retired;
}

/*
 * Mean and error of the bytes alive of each generation first..last. Few
 * samples may scatter less than they can tell: the error is at least theirs.
 */
static double
mean_alive(const struct gen_cell *cells, uint32_t n, int64_t first,
    int64_t last, double *error)
{
	double count = (double)(last - first + 1), sum = 0, squares = 0;
	double sampling = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (cells[i].generation < first ||
		    cells[i].generation > last || cells[i].current)
			continue;
		sum += cells[i].bytes.value;
		squares += cells[i].bytes.value * cells[i].bytes.value;
		sampling += cells[i].bytes.variance;
	}
	squares -= sum * sum / count;
	*error = squares > 0 ? sqrt(squares / (count - 1) / count) : 0;
	*error = fmax(*error, sqrt(sampling) / count);
	return sum / count;
}

static void
find_growth(const struct gen_dump *dump, struct gen_site *site,
    uint32_t window)
{
	uint32_t n, half = window / 2;
	const struct gen_cell *cells = gen_cells(dump, site, &n);
	int64_t first = gen_retired(dump) - window + 1;
	double late, late_error;

	site->growth = site->growth_error = NAN;
	site->chance = 1;
	if (window == 0)
		return;
	site->growth = mean_alive(cells, n, first, first + half - 1,
	    &site->growth_error);
	site->chance = site->growth <= 0 ? 1 :
	    gen_chance(site->growth / site->growth_error, half - 1);
	late = mean_alive(cells, n, first + half, gen_retired(dump),
	    &late_error);
	/* Less than half as much of old ones: most are freed in time. */
	if (site->kind == GEN_STRAY && site->chance < 0.01 &&
	    late / 2 - site->growth <=
	    2 * hypot(late_error / 2, site->growth_error))
		site->kind = GEN_KEPT;
}

bool
gen_grows(const struct gen_dump *dump, const struct gen_site *site)
{
	return site->growth > 0 && site->chance * dump->nsites <
	    GEN_FALSE_ALARM;
}

static const struct gen_site *
same_site(const struct gen_dump *dump, const char *name)
{
	for (uint32_t i = 0; i < dump->nsites; i++)
		if (strcmp(dump->sites[i].name, name) == 0)
			return &dump->sites[i];
	return NULL;
}

struct estimate
gen_change(const struct gen_dump *earlier, const struct gen_dump *later,
    const struct gen_site *site)
{
	const struct gen_site *before = same_site(earlier, site->name);
	struct estimate change = site->stray;
	uint32_t n;
	const struct gen_cell *cells = gen_cells(later, site, &n);

	if (before == NULL)
		return change;
	change.value -= before->stray.value;
	change.variance += before->stray.variance;
	change.unknown = change.unknown || before->stray.unknown;
	/* A generation's births end with it: these are in both dumps. */
	for (uint32_t i = 0; i < n; i++)
		if (cells[i].generation > 0 && !cells[i].current &&
		    cells[i].generation <= gen_retired(earlier))
			change.variance -= 2 * cells[i].bytes.variance;
	change.variance = change.variance > 0 ? change.variance : 0;
	return change;
}

/* --- sites --------------------------------------------------------------- */

static void
add_cell(const struct gen_dump *dump, const struct gen_cell *cell)
{
	struct gen_site *site = &dump->sites[cell->site];

	estimate_add(&site->bytes, &cell->bytes);
	estimate_add(&site->objects, &cell->objects);
	if (cell->generation < 1 || cell->generation > gen_retired(dump) ||
	    cell->current)
		return;
	site->allocated += cell->allocated;
	if (cell->bytes.value <= 0)
		return;
	estimate_add(&site->stray, &cell->bytes);
	estimate_add(&site->stray_objects, &cell->objects);
	site->retired_in++;
	site->newest = cell->generation;
	if (site->oldest == 0)
		site->oldest = cell->generation;
}

static void
find_half_lives(struct gen_dump *dump, enum sites_by by)
{
	struct life *life = life_build(dump->model, (int)by);

	for (uint32_t i = 0; i < dump->nsites; i++) {
		struct gen_site *site = &dump->sites[i];

		site->half_life = NAN;
		for (uint32_t k = 0; k < life->n; k++)
			if (strcmp(life->groups[k].name, site->name) == 0)
				site->half_life = life_survival_quantile(
				    &life->groups[k], 0.5, LIFE_BYTES);
	}
	life_free(life);
}

/* What to move out of the pool, or the leak, comes first. */
static int
compare_sites(const void *a, const void *b)
{
	const struct gen_site *x = a, *y = b;
	int order;

	if (x->kind != y->kind)
		return x->kind > y->kind ? -1 : 1;
	order = estimate_compare(&x->stray, &y->stray);
	if (order == 0)
		order = estimate_compare(&x->bytes, &y->bytes);
	return order != 0 ? order : strcmp(x->name, y->name);
}

/* Cells follow their sites' new places. */
static void
sort_sites(struct gen_dump *dump)
{
	uint32_t *moved = xcalloc((size_t)dump->nsites + 1, sizeof *moved);

	qsort(dump->sites, dump->nsites, sizeof *dump->sites, compare_sites);
	for (uint32_t i = 0; i < dump->nsites; i++)
		moved[dump->sites[i].index] = i;
	for (uint32_t i = 0; i < dump->ncells; i++)
		dump->cells[i].site = moved[dump->cells[i].site];
	qsort(dump->cells, dump->ncells, sizeof *dump->cells, compare_cells);
	free(moved);
}

struct gen_dump *
gen_build(const struct model *model, enum sites_by by, uint32_t reloads)
{
	uint32_t inuse = model_find_type(model, "inuse_space");
	uint32_t alloc = model_find_type(model, "alloc_space");
	struct gen_dump *dump;

	if (inuse == MODEL_NONE || alloc == MODEL_NONE)
		return NULL;
	dump = xcalloc(1, sizeof *dump);
	dump->model = model;
	dump->base = sites_build(model, by, alloc);
	dump->nsites = dump->base->n;
	dump->sites = xcalloc((size_t)dump->nsites + 1, sizeof *dump->sites);
	for (uint32_t i = 0; i < dump->nsites; i++)
		dump->sites[i] = (struct gen_site){
			.name = dump->base->items[i].name, .index = i };
	cells_of_rows(dump, inuse, alloc);
	merge_cells(dump);
	find_current(dump);
	for (uint32_t i = 0; i < dump->ncells; i++)
		add_cell(dump, &dump->cells[i]);
	for (uint32_t i = 0; i < dump->nsites; i++) {
		struct gen_site *site = &dump->sites[i];

		site->kind = site->retired_in == 0 ? GEN_NONE :
		    site->retired_in == 1 ? GEN_ONCE : GEN_STRAY;
		find_growth(dump, site, gen_window(dump, reloads));
	}
	find_half_lives(dump, by);
	forget_folded(dump);
	sort_sites(dump);
	return dump;
}

void
gen_free(struct gen_dump *dump)
{
	if (dump == NULL)
		return;
	sites_free(dump->base);
	free(dump->sites);
	free(dump->cells);
	free(dump);
}
