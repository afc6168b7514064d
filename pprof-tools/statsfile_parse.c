/*
 * statsfile_parse.c - one JSON object of statistics to a struct statsfile.
 *
 * Each struct has a table of its keys. A key that is not there leaves its
 * member 0; one that is there must be what the table says. Unknown keys are
 * passed over: other releases have more.
 */
#include "statsfile_parse.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xalloc.h"

enum {
	/* jemalloc has 4096 arenas, 232 classes of pages, 13 locks. */
	MAX_ARENA = 65535, MAX_CLASSES = 4096, MAX_MUTEXES = 64,
	MAX_OPTIONS = 4096,
};

enum kind { COUNT, MILLISECONDS };

struct field {
	const char *key;
	size_t offset;
	enum kind kind;
};

#define FIELD(type, member) { #member, offsetof(struct type, member), COUNT }
#define FIELD_AS(type, key, member) { key, offsetof(struct type, member), \
	COUNT }
#define FIELD_MS(type, key, member) { key, offsetof(struct type, member), \
	MILLISECONDS }

/* Where we are, for messages: "stats.arenas.0.bins[3]". */
struct parse {
	char path[160];
	char *why;
	size_t size;
};

static int
fail(struct parse *parse, const char *key, const char *what)
{
	snprintf(parse->why, parse->size, "%s%s%s: %s", parse->path,
	    *parse->path != '\0' && *key != '\0' ? "." : "", key, what);
	return EINVAL;
}

/* Appends to the path; returns where to cut it off again. */
static size_t
enter(struct parse *parse, const char *key)
{
	size_t len = strlen(parse->path);

	snprintf(parse->path + len, sizeof parse->path - len, "%s%s",
	    len > 0 ? "." : "", key);
	return len;
}

static size_t
enter_item(struct parse *parse, const char *key, size_t i)
{
	size_t len = enter(parse, key), n = strlen(parse->path);

	snprintf(parse->path + n, sizeof parse->path - n, "[%zu]", i);
	return len;
}

static void
leave(struct parse *parse, size_t len)
{
	parse->path[len] = '\0';
}

/* --- numbers ------------------------------------------------------------- */

/*
 * A count beyond INT64_MAX is a real number here (statsfile.c); counters that
 * were read while others wrote may be a little below 0, as 2^64 - 1.
 */
static int
take_count(const json_t *value, uint64_t *out)
{
	double real;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = (uint64_t)json_integer_value(value);
		return 0;
	}
	if (!json_is_real(value))
		return EINVAL;
	real = json_real_value(value);
	if (!(real >= 0) || real != (double)(uint64_t)(real < 0x1p64 ? real :
	    0))
		return real == 0x1p64 ? *out = UINT64_MAX, 0 : EINVAL;
	*out = (uint64_t)real;
	return 0;
}

static int
take_signed(const json_t *value, int64_t *out)
{
	double real;

	if (json_is_integer(value)) {
		*out = json_integer_value(value);
		return 0;
	}
	if (!json_is_real(value))
		return EINVAL;
	real = json_real_value(value);
	if (!(real >= -0x1p53 && real <= 0x1p53))
		return EINVAL;
	*out = (int64_t)real;
	return 0;
}

static int
fill(struct parse *parse, const json_t *object, const struct field *fields,
    void *out)
{
	if (!json_is_object(object))
		return fail(parse, "", "is not an object");
	for (; fields->key != NULL; fields++) {
		const json_t *value = json_object_get(object, fields->key);
		void *to = (char *)out + fields->offset;

		if (value == NULL)
			continue;
		if (fields->kind == COUNT && take_count(value, to) != 0)
			return fail(parse, fields->key, "is not a count");
		if (fields->kind == MILLISECONDS &&
		    take_signed(value, to) != 0)
			return fail(parse, fields->key, "is not a time");
	}
	return 0;
}

/* --- locks --------------------------------------------------------------- */

static const struct field lock_fields[] = {
	FIELD(statsfile_lock, num_ops), FIELD(statsfile_lock, num_wait),
	FIELD(statsfile_lock, num_spin_acq),
	FIELD(statsfile_lock, num_owner_switch),
	FIELD_AS(statsfile_lock, "total_wait_time", total_wait_time_ns),
	FIELD_AS(statsfile_lock, "max_wait_time", max_wait_time_ns),
	FIELD(statsfile_lock, max_num_thds),
	{ NULL, 0, COUNT }
};

static int
parse_mutexes(struct parse *parse, const json_t *parent,
    struct statsfile_mutexes *out, bool *has)
{
	json_t *object = json_object_get(parent, "mutexes"), *value;
	size_t top = enter(parse, "mutexes"), capacity = 0;
	const char *key;

	if (object != NULL && !json_is_object(object))
		return fail(parse, "", "is not an object");
	json_object_foreach(object, key, value) {
		struct statsfile_mutex mutex = { .name = "" };
		size_t len = enter(parse, key);

		if (strlen(key) >= sizeof mutex.name || out->n >= MAX_MUTEXES)
			return fail(parse, "", "is no lock");
		strcpy(mutex.name, key);
		if (fill(parse, value, lock_fields, &mutex.lock) != 0)
			return EINVAL;
		out->items = xgrow(out->items, out->n, &capacity,
		    sizeof *out->items);
		out->items[out->n++] = mutex;
		*has = true;
		leave(parse, len);
	}
	leave(parse, top);
	return 0;
}

/* --- tables -------------------------------------------------------------- */

/* An array of objects: one struct each, and in bins a lock. */
struct table_kind {
	const char *key;
	const struct field *fields;
	size_t size;			/* of a struct */
	size_t lock;			/* offset of its lock, or 0 */
};

static const struct field bin_fields[] = {
	FIELD(statsfile_bin, nmalloc), FIELD(statsfile_bin, ndalloc),
	FIELD(statsfile_bin, curregs), FIELD(statsfile_bin, nrequests),
	FIELD(statsfile_bin, nfills), FIELD(statsfile_bin, nflushes),
	FIELD(statsfile_bin, nslabs), FIELD(statsfile_bin, nreslabs),
	FIELD(statsfile_bin, curslabs), FIELD(statsfile_bin, nonfull_slabs),
	{ NULL, 0, COUNT }
};

static const struct field lextent_fields[] = {
	FIELD(statsfile_lextent, nmalloc), FIELD(statsfile_lextent, ndalloc),
	FIELD(statsfile_lextent, nrequests),
	FIELD(statsfile_lextent, curlextents),
	{ NULL, 0, COUNT }
};

static const struct field extent_fields[] = {
	FIELD(statsfile_extent, ndirty), FIELD(statsfile_extent, nmuzzy),
	FIELD(statsfile_extent, nretained),
	FIELD(statsfile_extent, dirty_bytes),
	FIELD(statsfile_extent, muzzy_bytes),
	FIELD(statsfile_extent, retained_bytes),
	{ NULL, 0, COUNT }
};

static const struct field bin_info_fields[] = {
	FIELD(statsfile_bin_info, size), FIELD(statsfile_bin_info, nregs),
	FIELD(statsfile_bin_info, slab_size),
	FIELD(statsfile_bin_info, nshards),
	{ NULL, 0, COUNT }
};

static const struct field size_fields[] = {
	{ "size", 0, COUNT }, { NULL, 0, COUNT }
};

static const struct table_kind bins_kind = { "bins", bin_fields,
	sizeof(struct statsfile_bin), offsetof(struct statsfile_bin, lock) };
static const struct table_kind lextents_kind = { "lextents", lextent_fields,
	sizeof(struct statsfile_lextent), 0 };
static const struct table_kind extents_kind = { "extents", extent_fields,
	sizeof(struct statsfile_extent), 0 };
static const struct table_kind bin_info_kind = { "bin", bin_info_fields,
	sizeof(struct statsfile_bin_info), 0 };
static const struct table_kind size_kind = { "lextent", size_fields,
	sizeof(uint64_t), 0 };

static bool
is_zero(const char *bytes, size_t n)
{
	return n == 0 || (*bytes == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

static int
parse_item(struct parse *parse, const json_t *object,
    const struct table_kind *kind, char *out)
{
	const json_t *lock = json_object_get(object, "mutex");
	int status = fill(parse, object, kind->fields, out);
	size_t len;

	if (status != 0 || kind->lock == 0 || lock == NULL)
		return status;
	len = enter(parse, "mutex");
	status = fill(parse, lock, lock_fields, out + kind->lock);
	leave(parse, len);
	return status;
}

/* *rows is the caller's to free, also after a failure. */
static int
parse_table(struct parse *parse, const json_t *parent,
    const struct table_kind *kind, void *rows, size_t *n)
{
	const json_t *array = json_object_get(parent, kind->key);
	size_t count = json_array_size(array);
	char *items;

	if (array == NULL)
		return 0;
	if (!json_is_array(array) || count > MAX_CLASSES)
		return fail(parse, kind->key, "is not a table");
	items = xcalloc(count, kind->size);
	*(void **)rows = items;
	for (size_t i = 0; i < count; i++) {
		char *item = items + i * kind->size;
		size_t len = enter_item(parse, kind->key, i);

		if (parse_item(parse, json_array_get(array, i), kind,
		    item) != 0)
			return EINVAL;
		if (!is_zero(item, kind->size))
			*n = i + 1;
		leave(parse, len);
	}
	return 0;
}

/* --- an arena ------------------------------------------------------------ */

#define ARENA(member) FIELD(statsfile_arena, member)
#define DECAY(key, member) FIELD_AS(statsfile_arena, key, member)

static const struct field arena_fields[] = {
	ARENA(nthreads), ARENA(uptime_ns), ARENA(pactive),
	FIELD_MS(statsfile_arena, "dirty_decay_ms", dirty.decay_ms),
	FIELD_MS(statsfile_arena, "muzzy_decay_ms", muzzy.decay_ms),
	DECAY("pdirty", dirty.npages), DECAY("pmuzzy", muzzy.npages),
	DECAY("dirty_npurge", dirty.npurge),
	DECAY("dirty_nmadvise", dirty.nmadvise),
	DECAY("dirty_purged", dirty.purged),
	DECAY("muzzy_npurge", muzzy.npurge),
	DECAY("muzzy_nmadvise", muzzy.nmadvise),
	DECAY("muzzy_purged", muzzy.purged),
	ARENA(mapped), ARENA(retained), ARENA(base), ARENA(internal),
	ARENA(metadata_thp), ARENA(tcache_bytes),
	ARENA(tcache_stashed_bytes), ARENA(resident), ARENA(abandoned_vm),
	ARENA(extent_avail),
	{ NULL, 0, COUNT }
};

static const struct field kind_fields[] = {
	FIELD(statsfile_kind, allocated), FIELD(statsfile_kind, nmalloc),
	FIELD(statsfile_kind, ndalloc), FIELD(statsfile_kind, nrequests),
	FIELD(statsfile_kind, nfills), FIELD(statsfile_kind, nflushes),
	{ NULL, 0, COUNT }
};

/* A member that is an object, if it is there. */
static int
fill_member(struct parse *parse, const json_t *parent, const char *key,
    const struct field *fields, void *out)
{
	const json_t *object = json_object_get(parent, key);
	size_t len;
	int status;

	if (object == NULL)
		return 0;
	len = enter(parse, key);
	status = fill(parse, object, fields, out);
	leave(parse, len);
	return status;
}

static int
parse_arena_tables(struct parse *parse, const json_t *object,
    struct statsfile *file, struct statsfile_arena *arena)
{
	int status = parse_mutexes(parse, object, &arena->mutexes,
	    &file->has_mutexes);

	if (status == 0)
		status = parse_table(parse, object, &bins_kind, &arena->bins,
		    &arena->nbins);
	if (status == 0)
		status = parse_table(parse, object, &lextents_kind,
		    &arena->lextents, &arena->nlextents);
	if (status == 0)
		status = parse_table(parse, object, &extents_kind,
		    &arena->extents, &arena->nextents);
	file->has_bins |= arena->bins != NULL;
	file->has_lextents |= arena->lextents != NULL;
	file->has_extents |= arena->extents != NULL;
	if (status == 0 && file->has_general && arena->nbins > file->nbins)
		return fail(parse, "bins", "has more classes than there are");
	if (status == 0 && file->has_general &&
	    arena->nlextents > file->nlextents)
		return fail(parse, "lextents",
		    "has more classes than there are");
	return status;
}

static int
parse_arena(struct parse *parse, const json_t *object,
    struct statsfile *file, struct statsfile_arena *arena)
{
	const char *dss = json_string_value(json_object_get(object, "dss"));
	int status = fill(parse, object, arena_fields, arena);

	if (dss != NULL)
		snprintf(arena->dss, sizeof arena->dss, "%s", dss);
	if (status == 0)
		status = fill_member(parse, object, "small", kind_fields,
		    &arena->small);
	if (status == 0)
		status = fill_member(parse, object, "large", kind_fields,
		    &arena->large);
	if (status == 0)
		status = parse_arena_tables(parse, object, file, arena);
	if (arena->uptime_ns > file->uptime_ns)
		file->uptime_ns = arena->uptime_ns;
	return status;
}

/* The number that all of key is, or -1. */
static long
index_of(const char *key)
{
	char *end;
	long index = strtol(key, &end, 10);

	return *key < '0' || *key > '9' || *end != '\0' ||
	    index > MAX_ARENA ? -1 : index;
}

static int
by_index(const void *a, const void *b)
{
	const struct statsfile_arena *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

static int
parse_one_arena(struct parse *parse, const char *key, const json_t *object,
    struct statsfile *file)
{
	long index = index_of(key);

	if (strcmp(key, "merged") == 0) {
		file->has_merged = true;
		return parse_arena(parse, object, file, &file->merged);
	}
	if (strcmp(key, "destroyed") == 0) {
		file->has_destroyed = true;
		return parse_arena(parse, object, file, &file->destroyed);
	}
	if (index < 0)
		return fail(parse, "", "is no arena");
	file->arenas[file->n].index = (unsigned)index;
	return parse_arena(parse, object, file, &file->arenas[file->n++]);
}

static int
parse_arenas(struct parse *parse, const json_t *top, struct statsfile *file)
{
	json_t *object = json_object_get(top, "stats.arenas"), *value;
	size_t at = enter(parse, "stats.arenas");
	const char *key;

	if (object != NULL && !json_is_object(object))
		return fail(parse, "", "is not an object");
	file->arenas = xcalloc(json_object_size(object),
	    sizeof *file->arenas);
	json_object_foreach(object, key, value) {
		size_t len = enter(parse, key);

		if (parse_one_arena(parse, key, value, file) != 0)
			return EINVAL;
		leave(parse, len);
	}
	leave(parse, at);
	qsort(file->arenas, file->n, sizeof *file->arenas, by_index);
	return 0;
}

/* --- general ------------------------------------------------------------- */

static char *
option_text(const json_t *value)
{
	if (json_is_string(value))
		return xstrdup(json_string_value(value));
	if (json_is_boolean(value))
		return xstrdup(json_is_true(value) ? "true" : "false");
	if (json_is_integer(value))
		return xasprintf("%lld",
		    (long long)json_integer_value(value));
	if (json_is_real(value))
		return xasprintf("%.17g", json_real_value(value));
	return xstrdup("");
}

static int
parse_options(struct parse *parse, const json_t *top, struct statsfile *file)
{
	json_t *object = json_object_get(top, "opt"), *value;
	size_t capacity = 0;
	const char *key;

	if (json_object_size(object) > MAX_OPTIONS)
		return fail(parse, "opt", "has too many options");
	json_object_foreach(object, key, value) {
		file->options = xgrow(file->options, file->noptions,
		    &capacity, sizeof *file->options);
		file->options[file->noptions++] = (struct statsfile_option){
		    xstrdup(key), option_text(value) };
	}
	return 0;
}

static int
parse_general(struct parse *parse, const json_t *top, struct statsfile *file)
{
	static const struct field fields[] = {
		FIELD(statsfile, narenas), FIELD(statsfile, page),
		FIELD(statsfile, quantum), FIELD(statsfile, tcache_max),
		FIELD_MS(statsfile, "dirty_decay_ms", dirty_decay_ms),
		FIELD_MS(statsfile, "muzzy_decay_ms", muzzy_decay_ms),
		{ NULL, 0, COUNT }
	};
	const json_t *arenas = json_object_get(top, "arenas");
	int status = parse_options(parse, top, file);
	size_t len;

	if (status != 0 || arenas == NULL)
		return status;
	file->has_general = true;
	len = enter(parse, "arenas");
	status = fill(parse, arenas, fields, file);
	if (status == 0)
		status = parse_table(parse, arenas, &bin_info_kind,
		    &file->bins, &file->nbins);
	if (status == 0)
		status = parse_table(parse, arenas, &size_kind,
		    &file->lextents, &file->nlextents);
	leave(parse, len);
	return status;
}

static int
parse_stats(struct parse *parse, const json_t *top, struct statsfile *file)
{
	static const struct field fields[] = {
		FIELD(statsfile, allocated), FIELD(statsfile, active),
		FIELD(statsfile, resident), FIELD(statsfile, mapped),
		FIELD(statsfile, retained), FIELD(statsfile, metadata),
		FIELD(statsfile, metadata_edata),
		FIELD(statsfile, metadata_rtree),
		FIELD(statsfile, metadata_thp),
		FIELD(statsfile, zero_reallocs),
		{ NULL, 0, COUNT }
	};
	static const struct field background[] = {
		FIELD_AS(statsfile, "num_threads", background_threads),
		FIELD_AS(statsfile, "num_runs", background_runs),
		FIELD_AS(statsfile, "run_interval", background_interval_ns),
		{ NULL, 0, COUNT }
	};
	const json_t *stats = json_object_get(top, "stats");
	size_t len = enter(parse, "stats");
	int status = stats == NULL ? fail(parse, "", "is missing") :
	    fill(parse, stats, fields, file);

	if (status == 0)
		status = fill_member(parse, stats, "background_thread",
		    background, file);
	if (status == 0)
		status = parse_mutexes(parse, stats, &file->mutexes,
		    &file->has_mutexes);
	leave(parse, len);
	return status;
}

static const struct field pool_fields[] = {
	FIELD(statsfile_pool, generation),
	FIELD(statsfile_pool, generations_live),
	FIELD(statsfile_pool, generations_retired),
	FIELD(statsfile_pool, rotations),
	FIELD(statsfile_pool, rotation_age_ns),
	FIELD(statsfile_pool, narenas), FIELD(statsfile_pool, narenas_max),
	FIELD(statsfile_pool, allocated), FIELD(statsfile_pool, active),
	FIELD(statsfile_pool, resident), FIELD(statsfile_pool, survivors),
	FIELD(statsfile_pool, releases), FIELD(statsfile_pool, released),
	{ NULL, 0, COUNT }
};

static const struct field pool_arena_fields[] = {
	FIELD(statsfile_pool_arena, index),
	FIELD(statsfile_pool_arena, generation),
	FIELD(statsfile_pool_arena, allocated),
	FIELD(statsfile_pool_arena, active),
	FIELD(statsfile_pool_arena, resident),
	FIELD(statsfile_pool_arena, releases),
	FIELD(statsfile_pool_arena, released),
	{ NULL, 0, COUNT }
};

static const struct table_kind pool_arenas_kind = { "arenas",
	pool_arena_fields, sizeof(struct statsfile_pool_arena), 0 };

static int
parse_pool(struct parse *parse, const json_t *object,
    struct statsfile_pool *pool)
{
	int status = fill(parse, object, pool_fields, pool);

	return status != 0 ? status : parse_table(parse, object,
	    &pool_arenas_kind, &pool->arenas, &pool->narenas_read);
}

static int
parse_pools(struct parse *parse, const json_t *strata,
    struct statsfile *file)
{
	json_t *object = json_object_get(strata, "pools"), *value;
	size_t top = enter(parse, "pools");
	const char *key;

	if (object != NULL && !json_is_object(object))
		return fail(parse, "", "is not an object");
	file->pools = xcalloc(json_object_size(object), sizeof *file->pools);
	json_object_foreach(object, key, value) {
		size_t len = enter(parse, key);

		if (index_of(key) < 0)
			return fail(parse, "", "is no pool");
		file->pools[file->npools].number = (unsigned)index_of(key);
		if (parse_pool(parse, value,
		    &file->pools[file->npools++]) != 0)
			return EINVAL;
		leave(parse, len);
	}
	leave(parse, top);
	return 0;
}

static int
parse_strata(struct parse *parse, const json_t *root, struct statsfile *file)
{
	static const struct field fields[] = {
		FIELD(statsfile, live), FIELD(statsfile, tcache_bytes),
		FIELD(statsfile, foreign_handed),
		FIELD(statsfile, foreign_leaked), FIELD(statsfile, pid),
		FIELD(statsfile, ncpus), FIELD(statsfile, time_unix_ns),
		{ NULL, 0, COUNT }
	};
	static const struct field prof[] = {
		FIELD_AS(statsfile, "generation", prof.generation),
		FIELD_AS(statsfile, "samples", prof.samples),
		FIELD_AS(statsfile, "dropped_samples", prof.dropped_samples),
		FIELD_AS(statsfile, "dropped_bytes", prof.dropped_bytes),
		FIELD_AS(statsfile, "memory", prof.memory),
		FIELD_AS(statsfile, "dumps", prof.dumps),
		FIELD_AS(statsfile, "dump_errors", prof.dump_errors),
		{ NULL, 0, COUNT }
	};
	const json_t *strata = json_object_get(root, "strata");
	size_t len;
	int status;

	if (strata == NULL)
		return 0;
	file->is_strata = true;
	len = enter(parse, "strata");
	status = fill(parse, strata, fields, file);
	if (status == 0)
		status = fill_member(parse, strata, "prof", prof, file);
	if (status == 0)
		status = parse_pools(parse, strata, file);
	leave(parse, len);
	return status;
}

/* --- all of it ----------------------------------------------------------- */

static int
parse_top(struct parse *parse, const json_t *root, struct statsfile *file)
{
	const json_t *top = json_object_get(root, "jemalloc");
	const char *version = json_string_value(json_object_get(top,
	    "version"));
	int status;

	if (!json_is_object(top))
		return fail(parse, "jemalloc", "is missing");
	file->version = xstrdup(version == NULL ? "" : version);
	status = parse_general(parse, top, file);
	if (status == 0)
		status = parse_stats(parse, top, file);
	if (status == 0)
		status = parse_arenas(parse, top, file);
	if (status == 0)
		status = parse_strata(parse, root, file);
	return status;
}

int
statsfile_parse(const json_t *root, struct statsfile **out, char *why,
    size_t size)
{
	struct statsfile *file = xcalloc(1, sizeof *file);
	struct parse parse = { .why = why, .size = size };

	if (parse_top(&parse, root, file) != 0) {
		statsfile_free(file);
		return EINVAL;
	}
	*out = file;
	return 0;
}

static void
arena_free(struct statsfile_arena *arena)
{
	free(arena->mutexes.items);
	free(arena->bins);
	free(arena->lextents);
	free(arena->extents);
}

void
statsfile_free(struct statsfile *file)
{
	for (size_t i = 0; i < file->noptions; i++) {
		free(file->options[i].name);
		free(file->options[i].value);
	}
	for (size_t i = 0; i < file->n; i++)
		arena_free(&file->arenas[i]);
	arena_free(&file->merged);
	arena_free(&file->destroyed);
	for (size_t i = 0; i < file->npools; i++)
		free(file->pools[i].arenas);
	free(file->pools);
	free(file->options);
	free(file->arenas);
	free(file->mutexes.items);
	free(file->bins);
	free(file->lextents);
	free(file->source);
	free(file->version);
	free(file);
}
