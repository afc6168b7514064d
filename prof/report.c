/*
 * report.c - see report.h.
 */
#include "report.h"

#include <errno.h>
#include <string.h>

#include "estimate.h"
#include "lifetime.h"
#include "util.h"

enum {
	TABLE_FIRST = 1024,
	/*
	 * Rows from one that is read to one that is asked for: what is far
	 * from the processor arrives meanwhile, some 100 ns later.
	 */
	AHEAD = 8,
};

/* The lines of cache that size bytes from at lie in will be read soon. */
static inline void
will_read(const void *at, size_t size)
{
	const char *line = at, *end = line + size;

	for (; line < end; line += CACHELINE)
		__builtin_prefetch(line);
	__builtin_prefetch(end - 1);
}

/* --- rows ---------------------------------------------------------------- */

static int
rows_reserve(struct report *report)
{
	size_t size = report->rows_size == 0 ? TABLE_FIRST :
	    2 * report->rows_size;
	struct report_row **rows;

	if (report->nrows < report->rows_size)
		return 0;
	rows = scratch_alloc(&report->scratch, size * sizeof *rows);
	if (rows == NULL)
		return ENOMEM;
	if (report->nrows != 0)
		memcpy(rows, report->rows, report->nrows * sizeof *rows);
	report->rows = rows;
	report->rows_size = size;
	return 0;
}

static struct report_row *
row_new(struct report *report, const struct group *group, uint32_t bucket)
{
	struct report_row *row;

	if (rows_reserve(report) != 0)
		return NULL;
	row = scratch_alloc(&report->scratch, sizeof *row);
	if (row == NULL)
		return NULL;
	row->group = group;
	row->key = group->key;
	row->bucket = bucket;
	report->rows[report->nrows++] = row;
	return row;
}

/* --- live rows by key ---------------------------------------------------- */

struct live_key {
	const struct group *group;
	uint32_t bucket, since;
};

static struct live_key
live_key(const struct cut_live *live)
{
	return (struct live_key){ live->group, lifetime_bucket(live->age_ns),
		live->since };
}

static uint32_t
live_hash(const struct live_key *key)
{
	uint64_t h = key->group->node.hash ^ (uint64_t)key->bucket << 32 ^
	    key->since;

	h *= UINT64_C(0x9e3779b97f4a7c15);	/* 2^64 / golden ratio */
	return (uint32_t)(h >> 32);
}

/* The slot of the row with this key, or a free one. */
static struct report_slot *
table_slot(const struct report *report, const struct live_key *key,
    uint32_t hash)
{
	size_t mask = report->table_size - 1;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct report_slot *slot = &report->table[i];
		const struct report_row *row;

		if (slot->row == 0)
			return slot;
		if (slot->hash != hash)
			continue;
		row = report->rows[slot->row - 1];
		if (row->group == key->group && row->bucket == key->bucket &&
		    row->since == key->since)
			return slot;
	}
}

/* Keeps the table at most half full. */
static int
table_reserve(struct report *report)
{
	struct report_slot *old = report->table, *table;
	size_t old_size = report->table_size;
	size_t size = old_size == 0 ? TABLE_FIRST : 2 * old_size;

	if (2 * report->nrows < old_size)
		return 0;
	table = size > (size_t)UINT32_MAX + 1 ? NULL :
	    scratch_alloc(&report->scratch, size * sizeof *table);
	if (table == NULL)
		return ENOMEM;
	for (size_t i = 0; i < old_size; i++) {
		size_t at = old[i].hash & (size - 1);

		if (old[i].row == 0)
			continue;
		while (table[at].row != 0)
			at = (at + 1) & (size - 1);
		table[at] = old[i];
	}
	report->table = table;
	report->table_size = size;
	return 0;
}

static int
add_live(struct report *report, const struct cut_live *live)
{
	struct live_key key = live_key(live);
	uint32_t hash = live_hash(&key);
	struct report_slot *slot;
	struct report_row *row;

	if (table_reserve(report) != 0)
		return ENOMEM;
	slot = table_slot(report, &key, hash);
	if (slot->row == 0) {
		row = row_new(report, key.group, key.bucket);
		if (row == NULL)
			return ENOMEM;
		row->since = key.since;
		*slot = (struct report_slot){ hash, (uint32_t)report->nrows };
	} else
		row = report->rows[slot->row - 1];
	row->samples++;
	row->requested_raw += live->requested;
	row->pinned_raw += live->pinned;
	return 0;
}

static int
add_freed(struct report *report, const struct cut_freed *freed)
{
	struct report_row *row = row_new(report, freed->group, freed->bucket);

	if (row == NULL)
		return ENOMEM;
	row->freed = true;
	row->samples = freed->samples;
	row->requested_raw = freed->requested;
	return 0;
}

/* --- order --------------------------------------------------------------- */

static int
compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Of two rows whose stacks have one hash. */
static int
row_compare(const struct report_row *a, const struct report_row *b)
{
	const struct group_key *ka = &a->key, *kb = &b->key;
	int order = compare((uintptr_t)ka->stack, (uintptr_t)kb->stack);

	if (order == 0)
		order = compare(a->freed, b->freed);
	if (order == 0)
		order = compare(ka->usable, kb->usable);
	if (order == 0)
		order = compare(ka->arena, kb->arena);
	if (order == 0)
		order = compare(ka->generation, kb->generation);
	if (order == 0)
		order = compare(ka->rate, kb->rate);
	if (order == 0)
		order = compare(a->bucket, b->bucket);
	if (order == 0)
		order = compare(a->since, b->since);
	return order;
}

/*
 * Rows are sorted by the hashes of their stacks, so that the order repeats from
 * run to run, and then those of each hash by the rest. The hash stands beside
 * the row: rows and stacks are lines of cache that are scattered, and the
 * first, longer part reads none of them.
 */
struct sorted {
	uint64_t hash;			/* of the stack */
	struct report_row *row;
};

typedef bool is_after(const struct sorted *a, const struct sorted *b);

static bool
is_after_by_hash(const struct sorted *a, const struct sorted *b)
{
	return a->hash > b->hash;
}

static bool
is_after_by_row(const struct sorted *a, const struct sorted *b)
{
	return row_compare(a->row, b->row) > 0;
}

/* from[at, middle) and from[middle, end), each sorted, to to[at, end). */
static inline void
merge(struct sorted *to, const struct sorted *from, const size_t bounds[3],
    is_after *after)
{
	size_t a = bounds[0], b = bounds[1];

	for (size_t i = bounds[0]; i < bounds[2]; i++) {
		if (b == bounds[2] ||
		    (a < bounds[1] && !after(&from[a], &from[b])))
			to[i] = from[a++];
		else
			to[i] = from[b++];
	}
}

/* From one array to another and back; returns the one with the result. */
static inline struct sorted *
merge_sort(struct sorted *from, struct sorted *to, size_t n, is_after *after)
{
	for (size_t run = 1; run < n; run *= 2) {
		struct sorted *swap = from;

		for (size_t at = 0; at < n; at += 2 * run) {
			size_t middle = at + run < n ? at + run : n;
			size_t end = middle + run < n ? middle + run : n;

			merge(to, from, (size_t[]){ at, middle, end }, after);
		}
		from = to;
		to = swap;
	}
	return from;
}

/* Of n rows, by hash, the one after those that have i's. */
static size_t
hash_end(const struct sorted *sorted, size_t i, size_t n)
{
	uint64_t hash = sorted[i].hash;

	while (i < n && sorted[i].hash == hash) {
		if (i + 2 * AHEAD < n)
			will_read(sorted[i + 2 * AHEAD].row,
			    sizeof(struct report_row));
		i++;
	}
	return i;
}

/* No recursion, and no malloc behind a qsort. */
static int
rows_sort(struct report *report)
{
	size_t n = report->nrows, end;
	struct sorted *both = scratch_alloc(&report->scratch,
	    2 * n * sizeof *both), *sorted, *other;

	if (both == NULL)
		return ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (i + AHEAD < n)
			will_read(report->rows[i + AHEAD]->key.stack,
			    sizeof(struct hash_node));
		both[i] = (struct sorted){
			report->rows[i]->key.stack->node.hash,
			report->rows[i] };
	}
	sorted = merge_sort(both, both + n, n, is_after_by_hash);
	other = sorted == both ? both + n : both;
	for (size_t at = 0; at < n; at = end) {
		struct sorted *of_hash;

		end = hash_end(sorted, at, n);
		of_hash = merge_sort(sorted + at, other + at, end - at,
		    is_after_by_row);
		for (size_t i = at; i < end; i++)
			report->rows[i] = of_hash[i - at].row;
	}
	return 0;
}

/* --- copies -------------------------------------------------------------- */

static struct stack *
stack_copy(struct report *report, const struct stack *stack)
{
	size_t size = sizeof *stack + stack->depth * sizeof stack->frames[0];
	struct stack *copy = scratch_alloc(&report->scratch, size);

	if (copy != NULL)
		memcpy(copy, stack, size);
	return copy;
}

/* Of the sorted ones from i: they lie where they were made, all over. */
static void
rows_will_read(const struct report *report, size_t i)
{
	if (i + 2 * AHEAD < report->nrows)
		will_read(report->rows[i + 2 * AHEAD],
		    sizeof(struct report_row));
}

static void
stack_will_read(const struct report *report, size_t i)
{
	enum { FRAMES = 10 };		/* of a stack of middling depth */

	if (i + AHEAD < report->nrows)
		will_read(report->rows[i + AHEAD]->key.stack,
		    sizeof(struct stack) + FRAMES * sizeof(uintptr_t));
}

/* Sorted rows of one stack share one copy of it. */
static int
rows_detach(struct report *report)
{
	const struct stack *stack = NULL;
	struct stack *copy = NULL;

	for (size_t i = 0; i < report->nrows; i++) {
		struct report_row *row = report->rows[i];

		rows_will_read(report, i);
		stack_will_read(report, i);
		if (row->key.stack != stack) {
			stack = row->key.stack;
			copy = stack_copy(report, stack);
			if (copy == NULL)
				return ENOMEM;
		}
		row->key.stack = copy;
		row->group = NULL;
	}
	return 0;
}

/* --- weights ------------------------------------------------------------- */

struct carry {
	double sum;			/* exact so far */
	uint64_t said;			/* in rows so far */
};

/* profile.proto's values are int64. */
static uint64_t
to_integer(double x)
{
	return x < 9223372036854775807.0 ? (uint64_t)(x + 0.5) : INT64_MAX;
}

static uint64_t
carry_add(struct carry *carry, double weighted)
{
	uint64_t before = carry->said;

	carry->sum += weighted;
	carry->said = to_integer(carry->sum);
	return carry->said - before;
}

struct carries {
	struct carry objects, space, requested, pinned;
};

static void
row_weigh(struct report_row *row, struct carries *carries)
{
	const struct group_key *key = &row->key;
	double weight = 1 / estimate_probability(key->usable, key->rate);
	double objects = (double)row->samples * weight;

	row->objects = carry_add(&carries->objects, objects);
	row->space = carry_add(&carries->space,
	    objects * (double)key->usable);
	row->requested = carry_add(&carries->requested,
	    (double)row->requested_raw * weight);
	row->pinned = carry_add(&carries->pinned, row->pinned_raw * weight);
}

static void
rows_weigh(struct report *report)
{
	struct carries carries[2];	/* live, freed: of one stack */
	const struct stack *stack = NULL, *live = NULL;

	for (size_t i = 0; i < report->nrows; i++) {
		struct report_row *row = report->rows[i];

		rows_will_read(report, i);
		if (row->key.stack != stack) {
			stack = row->key.stack;
			memset(carries, 0, sizeof carries);
		}
		row_weigh(row, &carries[row->freed]);
		if (row->freed) {
			report->freed_objects += row->objects;
			report->freed_space += row->space;
			continue;
		}
		report->live_objects += row->objects;
		report->live_space += row->space;
		report->live_stacks += stack != live;
		live = stack;
	}
}

/* --- reading the cut ----------------------------------------------------- */

enum { BATCH = 256 };

/* 10 KiB: a dump may have to do with the stack of any thread. */
union batch {
	struct cut_live live[BATCH];
	struct cut_freed freed[BATCH];
};

_Static_assert((int)BATCH >= (int)CUT_BATCH &&
    (int)BATCH >= (int)LIFETIME_BUCKETS, "what cut.h asks for");

/* The groups first, then the slots that they hash to. */
static void
live_will_read(const struct report *report, const struct cut_live *rows,
    size_t n)
{
	size_t mask = report->table_size - 1;

	for (size_t i = 0; i < n; i++)
		will_read(rows[i].group, sizeof *rows[i].group);
	for (size_t i = 0; i < n && report->table_size != 0; i++) {
		struct live_key key = live_key(&rows[i]);

		__builtin_prefetch(&report->table[live_hash(&key) & mask]);
	}
}

static int
read_live(struct report *report, struct cut_live *rows)
{
	size_t n;

	while ((n = cut_live(&report->cut, rows, BATCH)) != 0) {
		live_will_read(report, rows, n);
		for (size_t i = 0; i < n; i++) {
			if (add_live(report, &rows[i]) != 0)
				return ENOMEM;
		}
	}
	return 0;
}

static int
read_freed(struct report *report, struct cut_freed *rows)
{
	size_t n;

	while ((n = cut_freed(&report->cut, rows, BATCH)) != 0) {
		for (size_t i = 0; i < n; i++) {
			if (add_freed(report, &rows[i]) != 0)
				return ENOMEM;
		}
	}
	return 0;
}

static int
read_rows(struct report *report)
{
	union batch *batch = scratch_alloc(&report->scratch, sizeof *batch);
	int error;

	if (batch == NULL)
		return ENOMEM;
	error = read_live(report, batch->live);
	return error != 0 ? error : read_freed(report, batch->freed);
}

int
report_open(struct report *report)
{
	int error;

	memset(report, 0, sizeof *report);
	error = cut_begin(&report->cut);
	if (error != 0)
		return error;
	error = read_rows(report);
	if (error == 0)
		error = rows_sort(report);
	if (error == 0)
		error = rows_detach(report);
	cut_end(&report->cut);
	if (error == 0)
		rows_weigh(report);
	else
		report_close(report);
	return error;
}

void
report_close(struct report *report)
{
	scratch_release(&report->scratch);
}
