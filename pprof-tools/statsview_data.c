/*
 * statsview_data.c - statistics as JSON and as CSV: every figure exact, of
 * every point of a series, under the same names. One that the file does not
 * have is null in JSON, empty in CSV.
 */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "fields.h"
#include "statsview.h"

/*
 * What a file must be to have a figure (statsfile.h). NEWER: Strata's, or one
 * of a jemalloc that writes it, which is not 0 then.
 */
enum need { NOTHING, STRATA, NEWER, LOCKS, LOCK_WAITS };

/* A struct's counts by name. */
struct column {
	const char *name;
	size_t offset;
	enum need need;
};

#define OF_IF(need, type, member) { #member, offsetof(struct type, member), \
	need }
#define AS_IF(need, name, type, member) { name, \
	offsetof(struct type, member), need }
#define OF(type, member) OF_IF(NOTHING, type, member)
#define AS(name, type, member) AS_IF(NOTHING, name, type, member)

static const struct column total_columns[] = {
	OF_IF(STRATA, statsfile, pid), OF_IF(STRATA, statsfile, time_unix_ns),
	OF(statsfile, uptime_ns), OF(statsfile, allocated),
	OF(statsfile, active), OF(statsfile, resident),
	OF(statsfile, mapped), OF(statsfile, retained),
	OF(statsfile, metadata), OF_IF(NEWER, statsfile, metadata_edata),
	OF_IF(NEWER, statsfile, metadata_rtree), OF(statsfile, metadata_thp),
	AS("tcache", statsfile, merged.tcache_bytes),
	AS("pdirty", statsfile, merged.dirty.npages),
	AS("pmuzzy", statsfile, merged.muzzy.npages),
	OF(statsfile, page), AS("nthreads", statsfile, merged.nthreads),
	AS("narenas", statsfile, narenas), OF(statsfile, zero_reallocs),
	OF(statsfile, background_threads), OF(statsfile, background_runs),
	{ NULL, 0, NOTHING }
};

static const struct column arena_columns[] = {
	OF(statsfile_arena, nthreads), OF(statsfile_arena, uptime_ns),
	AS("small_allocated", statsfile_arena, small.allocated),
	AS("small_nmalloc", statsfile_arena, small.nmalloc),
	AS("small_ndalloc", statsfile_arena, small.ndalloc),
	AS("small_nrequests", statsfile_arena, small.nrequests),
	AS("small_nfills", statsfile_arena, small.nfills),
	AS("small_nflushes", statsfile_arena, small.nflushes),
	AS("large_allocated", statsfile_arena, large.allocated),
	AS("large_nmalloc", statsfile_arena, large.nmalloc),
	AS("large_ndalloc", statsfile_arena, large.ndalloc),
	AS("large_nrequests", statsfile_arena, large.nrequests),
	OF(statsfile_arena, pactive),
	AS("pdirty", statsfile_arena, dirty.npages),
	AS("pmuzzy", statsfile_arena, muzzy.npages),
	AS("dirty_npurge", statsfile_arena, dirty.npurge),
	AS("dirty_nmadvise", statsfile_arena, dirty.nmadvise),
	AS("dirty_purged", statsfile_arena, dirty.purged),
	AS("muzzy_npurge", statsfile_arena, muzzy.npurge),
	AS("muzzy_nmadvise", statsfile_arena, muzzy.nmadvise),
	AS("muzzy_purged", statsfile_arena, muzzy.purged),
	OF(statsfile_arena, mapped), OF(statsfile_arena, retained),
	OF(statsfile_arena, base), OF(statsfile_arena, internal),
	OF(statsfile_arena, tcache_bytes), OF(statsfile_arena, resident),
	{ NULL, 0, NOTHING }
};

static const struct column bin_columns[] = {
	OF(statsfile_bin, nmalloc), OF(statsfile_bin, ndalloc),
	OF(statsfile_bin, curregs), OF(statsfile_bin, nrequests),
	OF(statsfile_bin, nfills), OF(statsfile_bin, nflushes),
	OF_IF(STRATA, statsfile_bin, nslabs), OF(statsfile_bin, nreslabs),
	OF(statsfile_bin, curslabs), OF(statsfile_bin, nonfull_slabs),
	AS_IF(LOCKS, "lock_num_ops", statsfile_bin, lock.num_ops),
	AS_IF(LOCK_WAITS, "lock_num_wait", statsfile_bin, lock.num_wait),
	AS_IF(LOCK_WAITS, "lock_total_wait_time_ns", statsfile_bin,
	    lock.total_wait_time_ns),
	{ NULL, 0, NOTHING }
};

static const struct column bin_info_columns[] = {
	OF(statsfile_bin_info, size), OF(statsfile_bin_info, nregs),
	OF(statsfile_bin_info, slab_size), OF(statsfile_bin_info, nshards),
	{ NULL, 0, NOTHING }
};

static const struct column large_columns[] = {
	OF(statsfile_lextent, curlextents),
	OF_IF(STRATA, statsfile_lextent, nmalloc),
	OF_IF(STRATA, statsfile_lextent, ndalloc),
	OF_IF(STRATA, statsfile_lextent, nrequests),
	{ NULL, 0, NOTHING }
};

static const struct column lock_columns[] = {
	OF_IF(LOCKS, statsfile_lock, num_ops),
	OF_IF(LOCK_WAITS, statsfile_lock, num_wait),
	OF_IF(LOCK_WAITS, statsfile_lock, num_spin_acq),
	OF_IF(LOCK_WAITS, statsfile_lock, num_owner_switch),
	OF_IF(LOCK_WAITS, statsfile_lock, total_wait_time_ns),
	OF_IF(LOCK_WAITS, statsfile_lock, max_wait_time_ns),
	OF_IF(LOCK_WAITS, statsfile_lock, max_num_thds),
	{ NULL, 0, NOTHING }
};

/* Of a pool and of each of its arenas. */
static const struct column pool_columns[] = {
	OF(statsfile_pool, generation), OF(statsfile_pool, allocated),
	OF(statsfile_pool, active), OF(statsfile_pool, resident),
	OF(statsfile_pool, releases), OF(statsfile_pool, released),
	{ NULL, 0, NOTHING }
};

static const struct column pool_arena_columns[] = {
	OF(statsfile_pool_arena, generation),
	OF(statsfile_pool_arena, allocated),
	OF(statsfile_pool_arena, active), OF(statsfile_pool_arena, resident),
	OF(statsfile_pool_arena, releases),
	OF(statsfile_pool_arena, released),
	{ NULL, 0, NOTHING }
};

/* Of a pool alone. */
static const struct column pool_own_columns[] = {
	OF(statsfile_pool, rotations), OF(statsfile_pool, rotation_age_ns),
	OF(statsfile_pool, generations_live),
	OF(statsfile_pool, generations_retired),
	OF(statsfile_pool, narenas), OF(statsfile_pool, narenas_max),
	{ NULL, 0, NOTHING }
};

static uint64_t
value_of(const struct column *column, const void *of)
{
	return *(const uint64_t *)((const char *)of + column->offset);
}

/* of: what the column is one of; NULL: nothing of it is known. */
static bool
is_known(const struct statsfile *file, const struct column *column,
    const void *of)
{
	if (of == NULL)
		return false;
	switch (column->need) {
	case STRATA:
		return file->is_strata;
	case NEWER:
		return file->is_strata || value_of(column, of) != 0;
	case LOCKS:
		return file->has_mutexes;
	case LOCK_WAITS:
		return statsview_has_waits(file);
	default:
		return true;
	}
}

/* What is allocated in a retired arena has outlived its generation. */
static uint64_t
survivors_of(const struct statsfile_pool *pool,
    const struct statsfile_pool_arena *arena)
{
	return arena->generation == pool->generation ? 0 : arena->allocated;
}

/* --- JSON ---------------------------------------------------------------- */

/* JSON's integers end at 2^63 here. */
static json_t *
number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

/* of NULL: nothing of it is known. */
static void
set_columns(json_t *object, const struct statsfile *file,
    const struct column *columns, const void *of)
{
	for (; columns->name != NULL; columns++)
		json_object_set_new(object, columns->name,
		    is_known(file, columns, of) ?
		    number(value_of(columns, of)) : json_null());
}

static json_t *
bins_json(const struct statsfile *file, const struct statsfile_arena *arena)
{
	json_t *array = json_array();

	for (size_t i = 0; i < arena->nbins; i++) {
		json_t *bin = json_object();

		set_columns(bin, file, bin_info_columns, i < file->nbins ?
		    &file->bins[i] : NULL);
		set_columns(bin, file, bin_columns, &arena->bins[i]);
		json_array_append_new(array, bin);
	}
	return array;
}

static json_t *
large_json(const struct statsfile *file, const struct statsfile_arena *arena)
{
	json_t *array = json_array();

	for (size_t i = 0; i < arena->nlextents; i++) {
		json_t *large = json_object();

		json_object_set_new(large, "size",
		    number(statsview_large_size(file, i)));
		set_columns(large, file, large_columns, &arena->lextents[i]);
		json_array_append_new(array, large);
	}
	return array;
}

static json_t *
mutexes_json(const struct statsfile *file,
    const struct statsfile_mutexes *mutexes)
{
	json_t *object = json_object();

	for (size_t i = 0; i < mutexes->n; i++) {
		json_t *lock = json_object();

		set_columns(lock, file, lock_columns,
		    &mutexes->items[i].lock);
		json_object_set_new(object, mutexes->items[i].name, lock);
	}
	return object;
}

static json_t *
arena_json(const struct statsview *view, const struct statsfile *file,
    const struct statsfile_arena *arena)
{
	json_t *object = json_object();

	set_columns(object, file, arena_columns, arena);
	json_object_set_new(object, "dirty_decay_ms",
	    json_integer(arena->dirty.decay_ms));
	json_object_set_new(object, "muzzy_decay_ms",
	    json_integer(arena->muzzy.decay_ms));
	if (cli_flag(view->args, "bins"))
		json_object_set_new(object, "bins", bins_json(file, arena));
	if (cli_flag(view->args, "large"))
		json_object_set_new(object, "large", large_json(file, arena));
	if (cli_flag(view->args, "mutexes"))
		json_object_set_new(object, "mutexes",
		    mutexes_json(file, &arena->mutexes));
	return object;
}

static json_t *
arenas_json(const struct statsview *view, const struct statsfile *file)
{
	json_t *arenas = json_object();
	char name[24];

	if (file->has_merged)
		json_object_set_new(arenas, "merged",
		    arena_json(view, file, &file->merged));
	if (file->has_destroyed)
		json_object_set_new(arenas, "destroyed",
		    arena_json(view, file, &file->destroyed));
	for (size_t i = 0; i < file->n; i++) {
		snprintf(name, sizeof name, "%u", file->arenas[i].index);
		json_object_set_new(arenas, name,
		    arena_json(view, file, &file->arenas[i]));
	}
	return arenas;
}

static json_t *
pool_json(const struct statsfile *file, const struct statsfile_pool *pool)
{
	json_t *object = json_object(), *arenas = json_array();

	set_columns(object, file, pool_columns, pool);
	json_object_set_new(object, "survivors", number(pool->survivors));
	set_columns(object, file, pool_own_columns, pool);
	for (size_t i = 0; i < pool->narenas_read; i++) {
		const struct statsfile_pool_arena *of = &pool->arenas[i];
		json_t *arena = json_object();

		json_object_set_new(arena, "index", number(of->index));
		set_columns(arena, file, pool_arena_columns, of);
		json_object_set_new(arena, "survivors",
		    number(survivors_of(pool, of)));
		json_array_append_new(arenas, arena);
	}
	json_object_set_new(object, "arenas", arenas);
	return object;
}

static json_t *
pools_json(const struct statsfile *file)
{
	json_t *pools = json_object();
	char name[24];

	for (size_t i = 0; i < file->npools; i++) {
		snprintf(name, sizeof name, "%u", file->pools[i].number);
		json_object_set_new(pools, name,
		    pool_json(file, &file->pools[i]));
	}
	return pools;
}

static json_t *
point_json(const struct statsview *view, const struct statsfile *file)
{
	json_t *object = json_object();

	json_object_set_new(object, "source", field_text(file->source));
	json_object_set_new(object, "writer",
	    json_string(statsview_writer(file)));
	json_object_set_new(object, "version", field_text(file->version));
	set_columns(object, file, total_columns, file);
	if (file->is_strata)
		json_object_set_new(object, "live", number(file->live));
	json_object_set_new(object, "locks_unknown",
	    json_boolean(file->locks_unknown));
	if (cli_flag(view->args, "mutexes"))
		json_object_set_new(object, "mutexes",
		    mutexes_json(file, &file->mutexes));
	json_object_set_new(object, "arenas", arenas_json(view, file));
	if (file->is_strata)
		json_object_set_new(object, "pools", pools_json(file));
	return object;
}

static void
set_rate(json_t *object, const char *key, double rate)
{
	json_object_set_new(object, key, isnan(rate) ? json_null() :
	    json_real(rate));
}

/* A second, of the arena that was asked for. */
static json_t *
rates_json(const struct statsview *view)
{
	struct statsfile_kind a = statsview_kinds(view->before);
	struct statsfile_kind b = statsview_kinds(view->now);
	json_t *object = json_object();

	set_rate(object, "nrequests", statsview_rate(view, a.nrequests,
	    b.nrequests));
	set_rate(object, "nmalloc", statsview_rate(view, a.nmalloc,
	    b.nmalloc));
	set_rate(object, "ndalloc", statsview_rate(view, a.ndalloc,
	    b.ndalloc));
	set_rate(object, "nfills", statsview_rate(view, a.nfills, b.nfills));
	set_rate(object, "nflushes", statsview_rate(view, a.nflushes,
	    b.nflushes));
	set_rate(object, "dirty_purged", statsview_rate(view,
	    view->before->dirty.purged, view->now->dirty.purged));
	set_rate(object, "muzzy_purged", statsview_rate(view,
	    view->before->muzzy.purged, view->now->muzzy.purged));
	return object;
}

void
statsview_json(const struct statsview *view)
{
	json_t *root = json_object(), *points = json_array();

	json_object_set_new(root, "statistics", points);
	for (size_t i = 0; i < view->series->n; i++)
		json_array_append_new(points, point_json(view,
		    view->series->items[i]));
	if (statsview_is_series(view)) {
		set_rate(root, "seconds", view->seconds);
		json_object_set_new(root, "per_second", rates_json(view));
	}
	field_print(root, JSON_INDENT(2), view->out);
}

/* --- CSV ----------------------------------------------------------------- */

static void
csv_titles(FILE *out, const struct column *columns)
{
	for (; columns->name != NULL; columns++)
		fprintf(out, ",%s", columns->name);
}

/* of NULL: nothing of it is known. */
static void
csv_values(FILE *out, const struct statsfile *file,
    const struct column *columns, const void *of)
{
	for (; columns->name != NULL; columns++) {
		fputc(',', out);
		if (is_known(file, columns, of))
			fprintf(out, "%" PRIu64, value_of(columns, of));
	}
}

static void
csv_totals(const struct statsview *view)
{
	fputs("source", view->out);
	csv_titles(view->out, total_columns);
	fputs("\n", view->out);
	for (size_t i = 0; i < view->series->n; i++) {
		const struct statsfile *file = view->series->items[i];

		cli_csv_text(view->out, file->source);
		csv_values(view->out, file, total_columns, file);
		fputs("\n", view->out);
	}
}

static void
csv_arena(const struct statsview *view, const char *name,
    const struct statsfile_arena *arena)
{
	fputs(name, view->out);
	csv_values(view->out, view->last, arena_columns, arena);
	fputs("\n", view->out);
}

static void
csv_arenas(const struct statsview *view)
{
	const struct statsfile *file = view->last;
	char name[24];

	fputs("arena", view->out);
	csv_titles(view->out, arena_columns);
	fputs("\n", view->out);
	for (size_t i = 0; i < file->n; i++) {
		snprintf(name, sizeof name, "%u", file->arenas[i].index);
		csv_arena(view, name, &file->arenas[i]);
	}
	if (file->has_destroyed)
		csv_arena(view, "destroyed", &file->destroyed);
	if (file->has_merged)
		csv_arena(view, "merged", &file->merged);
}

/* A line of a pool, arena "all", and one of each of its arenas. */
static void
csv_pool(const struct statsview *view, const struct statsfile_pool *pool)
{
	const struct statsfile *file = view->last;
	FILE *out = view->out;

	fprintf(out, "%u,all", pool->number);
	csv_values(out, file, pool_columns, pool);
	fprintf(out, ",%" PRIu64, pool->survivors);
	csv_values(out, file, pool_own_columns, pool);
	fputs("\n", out);
	for (size_t i = 0; i < pool->narenas_read; i++) {
		const struct statsfile_pool_arena *arena = &pool->arenas[i];

		fprintf(out, "%u,%" PRIu64, pool->number, arena->index);
		csv_values(out, file, pool_arena_columns, arena);
		fprintf(out, ",%" PRIu64, survivors_of(pool, arena));
		csv_values(out, file, pool_own_columns, NULL);
		fputs("\n", out);
	}
}

static void
csv_pools(const struct statsview *view)
{
	fputs("pool,arena", view->out);
	csv_titles(view->out, pool_columns);
	fputs(",survivors", view->out);
	csv_titles(view->out, pool_own_columns);
	fputs("\n", view->out);
	for (size_t i = 0; i < view->last->npools; i++)
		csv_pool(view, &view->last->pools[i]);
}

static void
csv_bins(const struct statsview *view)
{
	const struct statsfile *file = view->last;

	fputs("class", view->out);
	csv_titles(view->out, bin_info_columns);
	csv_titles(view->out, bin_columns);
	fputs("\n", view->out);
	for (size_t i = 0; i < view->now->nbins; i++) {
		fprintf(view->out, "%zu", i);
		csv_values(view->out, file, bin_info_columns, i < file->nbins ?
		    &file->bins[i] : NULL);
		csv_values(view->out, file, bin_columns, &view->now->bins[i]);
		fputs("\n", view->out);
	}
}

static void
csv_large(const struct statsview *view)
{
	fputs("size", view->out);
	csv_titles(view->out, large_columns);
	fputs("\n", view->out);
	for (size_t i = 0; i < view->now->nlextents; i++) {
		fprintf(view->out, "%" PRIu64,
		    statsview_large_size(view->last, i));
		csv_values(view->out, view->last, large_columns,
		    &view->now->lextents[i]);
		fputs("\n", view->out);
	}
}

static void
csv_locks(const struct statsview *view, const char *of,
    const struct statsfile_mutexes *mutexes)
{
	for (size_t i = 0; i < mutexes->n; i++) {
		cli_csv_text(view->out, mutexes->items[i].name);
		fprintf(view->out, ",%s", of);
		csv_values(view->out, view->last, lock_columns,
		    &mutexes->items[i].lock);
		fputs("\n", view->out);
	}
}

static void
csv_mutexes(const struct statsview *view)
{
	fputs("mutex,of", view->out);
	csv_titles(view->out, lock_columns);
	fputs("\n", view->out);
	csv_locks(view, "process", &view->last->mutexes);
	csv_locks(view, view->arena != NULL ? view->arena : "merged",
	    &view->now->mutexes);
}

int
statsview_csv(const struct statsview *view)
{
	static const struct {
		const char *flag;
		void (*table)(const struct statsview *view);
	} tables[] = {
		{ "arenas", csv_arenas }, { "pools", csv_pools },
		{ "bins", csv_bins }, { "large", csv_large },
		{ "mutexes", csv_mutexes },
	};
	void (*table)(const struct statsview *view) = csv_totals;
	int asked = 0;

	for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
		if (!cli_flag(view->args, tables[i].flag))
			continue;
		table = tables[i].table;
		asked++;
	}
	if (asked > 1)
		return cli_usage_error(view->args, "csv is one table: one of "
		    "--arenas, --pools, --bins, --large and --mutexes");
	table(view);
	return EXIT_FINE;
}
