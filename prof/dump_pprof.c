/*
 * dump_pprof.c - see dump_pprof.h.
 */
#include "dump_pprof.h"

#include <errno.h>
#include <string.h>

#include "fmt.h"
#include "hash.h"
#include "lifetime.h"
#include "modules.h"
#include "proto.h"
#include "util.h"

/* Field numbers of profile.proto. */
enum {
	PROFILE_SAMPLE_TYPE = 1, PROFILE_SAMPLE = 2, PROFILE_MAPPING = 3,
	PROFILE_LOCATION = 4, PROFILE_FUNCTION = 5, PROFILE_STRING = 6,
	PROFILE_TIME = 9, PROFILE_PERIOD_TYPE = 11, PROFILE_PERIOD = 12,
	PROFILE_COMMENT = 13, PROFILE_DEFAULT_TYPE = 14,
	VALUE_TYPE = 1, VALUE_UNIT = 2,
	SAMPLE_LOCATION = 1, SAMPLE_VALUE = 2, SAMPLE_LABEL = 3,
	LABEL_KEY = 1, LABEL_STR = 2, LABEL_NUM = 3, LABEL_UNIT = 4,
	MAPPING_ID = 1, MAPPING_START = 2, MAPPING_LIMIT = 3,
	MAPPING_OFFSET = 4, MAPPING_FILE = 5, MAPPING_BUILD_ID = 6,
	LOCATION_ID = 1, LOCATION_MAPPING = 2, LOCATION_ADDRESS = 3,
	LOCATION_LINE = 4, LINE_FUNCTION = 1,
	FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_SYSTEM_NAME = 3,
};

/* The values of a sample, in the order of the format. */
enum {
	V_ALLOC_OBJECTS, V_ALLOC_SPACE, V_INUSE_OBJECTS, V_INUSE_SPACE,
	V_REQUESTED, V_PINNED, V_FREED_OBJECTS, V_FREED_SPACE, V_SAMPLES,
	VALUES
};

static const struct {
	const char *type, *unit;
} value_types[VALUES] = {
	[V_ALLOC_OBJECTS] = { "alloc_objects", "count" },
	[V_ALLOC_SPACE] = { "alloc_space", "bytes" },
	[V_INUSE_OBJECTS] = { "inuse_objects", "count" },
	[V_INUSE_SPACE] = { "inuse_space", "bytes" },
	[V_REQUESTED] = { "requested_space", "bytes" },
	[V_PINNED] = { "pinned_space", "bytes" },
	[V_FREED_OBJECTS] = { "freed_objects", "count" },
	[V_FREED_SPACE] = { "freed_space", "bytes" },
	[V_SAMPLES] = { "samples", "count" },
};

enum {
	TABLE_FIRST = 256,		/* slots of a hash table; doubles */
	ROWS_AHEAD = 4,			/* each takes longer than a miss */
	LG_LABELS = 9,			/* sizes times ages of a program */
	LABELS_BYTES = 152,		/* seven labels take up to 140 */
};

struct string {
	const char *text;
	uint64_t hash;
};

/* A place in the program, or, with a function, a name of our own. */
struct place {
	uintptr_t address;
	uint32_t epoch;
	uint32_t mapping;		/* id, or 0 */
	uint64_t function;		/* id, or 0 */
};

struct segment {
	const struct module *module;
	struct module_segment at;
	uint32_t id;			/* 0: not used yet */
};

/*
 * What the labels of a row are made of, and their bytes: rows are many, and
 * few sets of labels differ.
 */
struct labels {
	uint64_t of[4];
	size_t used;			/* bytes; 0: free */
	unsigned char bytes[LABELS_BYTES];
};

/* A hash table of numbers 1.. into an array; 0 is a free slot. */
struct numbers {
	uint32_t *slots;
	size_t size, used;
};

struct writer {
	struct sink *sink;
	struct scratch *scratch;
	const struct facts *facts;
	struct proto message, inner, line;
	struct string *strings;		/* index as in the string table */
	size_t nstrings, strings_size;
	struct numbers string_numbers;
	struct place *places;		/* id - 1 */
	size_t nplaces, places_size;
	struct numbers place_numbers;
	struct segment *segments;
	size_t nsegments;
	uint32_t nmappings;		/* ids given out */
	uint64_t functions[4];		/* id - 1: string numbers */
	size_t nfunctions;
	struct labels *labels;		/* by hash; the last one stays */
	/* the stack of the rows being written: */
	const struct stack *stack;
	uint64_t *ids;
	size_t nids, ids_size;
	int error;			/* ENOMEM sticks */
};

/* --- growing arrays and tables ------------------------------------------- */

/* Room for one more element; the array doubles. */
static void *
grow(struct writer *w, void *array, size_t count, size_t *size, size_t element)
{
	size_t want = *size == 0 ? TABLE_FIRST : 2 * *size;
	void *bigger;

	if (count < *size)
		return array;
	bigger = scratch_alloc(w->scratch, want * element);
	if (bigger == NULL) {
		w->error = ENOMEM;
		return NULL;
	}
	if (count != 0)
		memcpy(bigger, array, count * element);
	*size = want;
	return bigger;
}

/* At most half full; hash_of gives the hash of number n for the move. */
static int
numbers_reserve(struct writer *w, struct numbers *t,
    uint64_t (*hash_of)(const struct writer *w, uint32_t n))
{
	struct numbers new = { .size = t->size == 0 ? TABLE_FIRST :
	    2 * t->size, .used = t->used };

	if (2 * t->used < t->size)
		return 0;
	new.slots = scratch_alloc(w->scratch, new.size * sizeof *new.slots);
	if (new.slots == NULL)
		return w->error = ENOMEM;
	for (size_t i = 0; i < t->size; i++) {
		size_t at;

		if (t->slots[i] == 0)
			continue;
		at = hash_of(w, t->slots[i]) & (new.size - 1);
		while (new.slots[at] != 0)
			at = (at + 1) & (new.size - 1);
		new.slots[at] = t->slots[i];
	}
	*t = new;
	return 0;
}

/* --- strings ------------------------------------------------------------- */

static uint64_t
text_hash(const char *text)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);	/* FNV-1a */

	for (; *text != '\0'; text++)
		h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return h ^ h >> 32;
}

static uint64_t
string_hash_of(const struct writer *w, uint32_t n)
{
	return w->strings[n].hash;
}

/* The index in the string table; "" is 0. keep: text stays where it is. */
static uint64_t
string_number(struct writer *w, const char *text, bool keep)
{
	uint64_t hash = text_hash(text);
	struct numbers *t = &w->string_numbers;
	struct string *strings;
	size_t at;

	if (text[0] == '\0' ||
	    numbers_reserve(w, t, string_hash_of) != 0)
		return 0;
	for (at = hash & (t->size - 1); t->slots[at] != 0;
	    at = (at + 1) & (t->size - 1)) {
		const struct string *known = &w->strings[t->slots[at]];

		if (known->hash == hash && strcmp(known->text, text) == 0)
			return t->slots[at];
	}
	strings = grow(w, w->strings, w->nstrings, &w->strings_size,
	    sizeof *strings);
	if (!keep)
		text = scratch_string(w->scratch, text);
	if (strings == NULL || text == NULL) {
		w->error = ENOMEM;
		return 0;
	}
	w->strings = strings;
	strings[w->nstrings] = (struct string){ text, hash };
	t->slots[at] = (uint32_t)w->nstrings;
	t->used++;
	return w->nstrings++;
}

static uint64_t
constant(struct writer *w, const char *text)
{
	return string_number(w, text, true);
}

/* --- mappings and locations ---------------------------------------------- */

static void
segments_of(struct writer *w, const struct module *module)
{
	struct module_segment at[MODULE_PHDRS_MAX];
	size_t n = modules_segments(module, at, MODULE_PHDRS_MAX);

	for (size_t i = 0; i < n; i++)
		w->segments[w->nsegments++] = (struct segment){
			.module = module, .at = at[i],
			/* The program's own come first, used or not. */
			.id = module->is_main ? ++w->nmappings : 0,
		};
}

static void
segments_collect(struct writer *w)
{
	struct module_segment at[MODULE_PHDRS_MAX];
	size_t modules = modules_count(), total = 0;

	for (size_t i = 0; i < modules; i++)
		total += modules_segments(modules_at(i), at,
		    MODULE_PHDRS_MAX);
	w->segments = scratch_alloc(w->scratch,
	    (total + 1) * sizeof *w->segments);
	if (w->segments == NULL) {
		w->error = ENOMEM;
		return;
	}
	for (size_t i = 0; i < modules; i++)
		segments_of(w, modules_at(i));
}

static uint32_t
mapping_of(struct writer *w, uintptr_t address, uint32_t epoch)
{
	const struct module *module = modules_find(address, epoch);

	if (module == NULL)
		return 0;
	for (size_t i = 0; i < w->nsegments; i++) {
		struct segment *segment = &w->segments[i];

		if (segment->module != module ||
		    address < segment->at.start || address >= segment->at.end)
			continue;
		if (segment->id == 0)
			segment->id = ++w->nmappings;
		return segment->id;
	}
	return 0;
}

static uint64_t
place_hash(uintptr_t address, uint32_t epoch)
{
	uint64_t h = (address ^ (uint64_t)epoch << 48) *
	    UINT64_C(0x9e3779b97f4a7c15);

	return h ^ h >> 29;
}

static uint64_t
place_hash_of(const struct writer *w, uint32_t n)
{
	return place_hash(w->places[n - 1].address, w->places[n - 1].epoch);
}

static uint64_t
place_add(struct writer *w, const struct place *place)
{
	struct place *places = grow(w, w->places, w->nplaces,
	    &w->places_size, sizeof *places);

	if (places == NULL)
		return 0;
	w->places = places;
	places[w->nplaces++] = *place;
	return w->nplaces;
}

/* The id of a location. */
static uint64_t
place_number(struct writer *w, uintptr_t address, uint32_t epoch)
{
	struct numbers *t = &w->place_numbers;
	struct place place = { .address = address, .epoch = epoch };
	uint64_t id;
	size_t at;

	if (numbers_reserve(w, t, place_hash_of) != 0)
		return 0;
	for (at = place_hash(address, epoch) & (t->size - 1);
	    t->slots[at] != 0; at = (at + 1) & (t->size - 1)) {
		const struct place *known = &w->places[t->slots[at] - 1];

		if (known->address == address && known->epoch == epoch &&
		    known->function == 0)
			return t->slots[at];
	}
	place.mapping = mapping_of(w, address, epoch);
	id = place_add(w, &place);
	t->slots[at] = (uint32_t)id;
	t->used += id != 0;
	return id;
}

/* The id of a location that is a name and no place: "(thread caches)". */
static uint64_t
place_named(struct writer *w, const char *name)
{
	uint64_t text = constant(w, name);
	struct place place = { 0 };

	for (size_t i = 0; i < w->nplaces; i++) {
		uint64_t function = w->places[i].function;

		if (function != 0 && w->functions[function - 1] == text)
			return i + 1;
	}
	if (w->nfunctions == ARRAY_LEN(w->functions))
		return 0;
	w->functions[w->nfunctions++] = text;
	place.function = w->nfunctions;
	return place_add(w, &place);
}

/* The location ids of a stack, kept for all its rows. */
static void
stack_ids(struct writer *w, const struct stack *stack)
{
	if (w->stack == stack)
		return;
	w->stack = stack;
	w->nids = 0;
	if (stack->depth > w->ids_size) {
		w->ids = scratch_alloc(w->scratch,
		    STACK_DEPTH_MAX * sizeof *w->ids);
		w->ids_size = w->ids == NULL ? 0 : STACK_DEPTH_MAX;
	}
	if (stack->depth > w->ids_size) {
		w->error = ENOMEM;
		return;
	}
	for (size_t i = 0; i < stack->depth; i++)
		w->ids[w->nids++] = place_number(w, stack_lookup(stack, i),
		    stack->epoch);
}

/* --- labels -------------------------------------------------------------- */

static void
label_string(struct writer *w, const char *key, const char *value)
{
	proto_reset(&w->inner);
	proto_uint(&w->inner, LABEL_KEY, constant(w, key));
	proto_uint(&w->inner, LABEL_STR, string_number(w, value, false));
	proto_message(&w->message, SAMPLE_LABEL, &w->inner);
}

/* Readers take a number 0 for an absent label, so it is left out. */
static void
label_number(struct writer *w, const char *key, uint64_t n, const char *unit)
{
	if (n == 0)
		return;
	proto_reset(&w->inner);
	proto_uint(&w->inner, LABEL_KEY, constant(w, key));
	proto_uint(&w->inner, LABEL_NUM, n);
	if (unit != NULL)
		proto_uint(&w->inner, LABEL_UNIT, constant(w, unit));
	proto_message(&w->message, SAMPLE_LABEL, &w->inner);
}

/* Three significant figures: "1.19ms", "26.9s", "538us". */
static size_t
duration_text(char *out, size_t size, uint64_t ns)
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = {
		{ UINT64_C(31557600000000000), "y" },	/* 365.25 days */
		{ UINT64_C(86400000000000), "d" },
		{ UINT64_C(3600000000000), "h" },
		{ UINT64_C(60000000000), "min" },
		{ UINT64_C(1000000000), "s" },
		{ UINT64_C(1000000), "ms" },
		{ UINT64_C(1000), "us" },
	};
	size_t i = 0;
	uint64_t whole, hundredths;

	while (i < ARRAY_LEN(units) - 1 && ns < units[i].ns)
		i++;
	whole = ns / units[i].ns;
	hundredths = ns % units[i].ns / (units[i].ns / 100);
	if (whole >= 100 || hundredths == 0)
		return fmt_buf(out, size, "%llu%s",
		    (unsigned long long)whole, units[i].name);
	if (whole >= 10)
		return fmt_buf(out, size, "%llu.%llu%s",
		    (unsigned long long)whole,
		    (unsigned long long)hundredths / 10, units[i].name);
	return fmt_buf(out, size, "%llu.%02llu%s", (unsigned long long)whole,
	    (unsigned long long)hundredths, units[i].name);
}

size_t
dump_pprof_bucket(char *out, size_t size, unsigned bucket)
{
	char lower[32], upper[32];

	duration_text(lower, sizeof lower, lifetime_lower(bucket));
	if (bucket == LIFETIME_OVER)
		return fmt_buf(out, size, ">=%s", lower);
	duration_text(upper, sizeof upper, lifetime_upper(bucket));
	if (bucket == LIFETIME_UNDER)
		return fmt_buf(out, size, "<%s", upper);
	return fmt_buf(out, size, "%s..%s", lower, upper);
}

static void
label_generation(struct writer *w, uint32_t generation)
{
	char text[48];

	fmt_buf(text, sizeof text,
	    generation & GENERATION_FOLD ? "generation <= %u" :
	    "generation %u", generation & ~GENERATION_FOLD);
	label_string(w, "generation", text);
}

static void
labels_encode(struct writer *w, const struct report_row *row)
{
	const struct group_key *key = &row->key;
	char text[80];

	label_number(w, "bytes", key->usable, "bytes");
	if (key->rate != w->facts->rate)
		label_number(w, "rate", key->rate, "bytes");
	if (!row->freed)
		label_number(w, "since", row->since, NULL);
	if (key->arena != GROUP_NO_ARENA) {
		fmt_buf(text, sizeof text, "arena %u", key->arena);
		label_string(w, "arena", text);
	}
	label_generation(w, key->generation);
	dump_pprof_bucket(text, sizeof text, row->bucket);
	label_string(w, row->freed ? "lifetime" : "age", text);
	label_number(w, row->freed ? "lifetime_ns" : "age_ns",
	    lifetime_lower(row->bucket), "nanoseconds");
}

static void
labels(struct writer *w, const struct report_row *row)
{
	const struct group_key *key = &row->key;
	uint64_t of[] = { key->usable, key->rate,
	    (uint64_t)key->arena << 32 | key->generation,
	    (uint64_t)row->since << 32 | row->bucket << 1 | row->freed };
	struct labels *known = &w->labels[hash_words(of, ARRAY_LEN(of), 0) >>
	    (64 - LG_LABELS)];
	size_t start = w->message.used, used;

	if (known->used != 0 && memcmp(known->of, of, sizeof of) == 0) {
		proto_fields(&w->message, known->bytes, known->used);
		return;
	}
	labels_encode(w, row);
	used = w->message.used - start;
	if (w->error != 0 || w->message.error != 0 ||
	    used > sizeof known->bytes)
		return;
	memcpy(known->of, of, sizeof of);
	memcpy(known->bytes, w->message.bytes + start, used);
	known->used = used;
}

/* --- rows ---------------------------------------------------------------- */

static void
emit_row(struct writer *w, const struct report_row *row)
{
	const struct stack *stack = row->key.stack;
	uint64_t values[VALUES] = { 0 }, other;

	values[V_ALLOC_OBJECTS] = row->objects;
	values[V_ALLOC_SPACE] = row->space;
	values[row->freed ? V_FREED_OBJECTS : V_INUSE_OBJECTS] = row->objects;
	values[row->freed ? V_FREED_SPACE : V_INUSE_SPACE] = row->space;
	values[V_REQUESTED] = row->requested;
	values[V_PINNED] = row->pinned;
	values[V_SAMPLES] = row->samples;
	proto_reset(&w->message);
	if (stack->depth == 0) {
		other = place_named(w, "(other stacks)");
		proto_packed(&w->message, SAMPLE_LOCATION, &other, 1);
	} else {
		stack_ids(w, stack);
		proto_packed(&w->message, SAMPLE_LOCATION, w->ids, w->nids);
	}
	proto_packed(&w->message, SAMPLE_VALUE, values, VALUES);
	labels(w, row);
	proto_emit(&w->message, w->sink, PROFILE_SAMPLE);
}

/* What cached regions keep from the system; no samples stand for it. */
static void
emit_thread_caches(struct writer *w)
{
	uint64_t values[VALUES] = { 0 }, id;

	values[V_PINNED] = w->facts->tcache_pinned;
	if (values[V_PINNED] == 0)
		return;
	id = place_named(w, "(thread caches)");
	proto_reset(&w->message);
	proto_packed(&w->message, SAMPLE_LOCATION, &id, 1);
	proto_packed(&w->message, SAMPLE_VALUE, values, VALUES);
	proto_emit(&w->message, w->sink, PROFILE_SAMPLE);
}

/* --- the rest of the profile --------------------------------------------- */

static void
emit_value_type(struct writer *w, unsigned field, const char *type,
    const char *unit)
{
	proto_reset(&w->message);
	proto_uint(&w->message, VALUE_TYPE, constant(w, type));
	proto_uint(&w->message, VALUE_UNIT, constant(w, unit));
	proto_emit(&w->message, w->sink, field);
}

static void
emit_mapping(struct writer *w, const struct segment *segment)
{
	const struct module *module = segment->module;
	char hex[2 * MODULE_BUILD_ID_MAX + 1] = "";

	for (size_t i = 0; i < module->build_id_len; i++)
		fmt_buf(hex + 2 * i, 3, "%02x", module->build_id[i]);
	proto_reset(&w->message);
	proto_uint(&w->message, MAPPING_ID, segment->id);
	proto_uint(&w->message, MAPPING_START, segment->at.start);
	proto_uint(&w->message, MAPPING_LIMIT, segment->at.end);
	proto_uint(&w->message, MAPPING_OFFSET, segment->at.offset);
	proto_uint(&w->message, MAPPING_FILE,
	    string_number(w, module->path, true));
	proto_uint(&w->message, MAPPING_BUILD_ID,
	    string_number(w, hex, false));
	proto_emit(&w->message, w->sink, PROFILE_MAPPING);
}

/* In the order of their ids; what is loaded counts as used. */
static void
emit_mappings(struct writer *w)
{
	struct segment **by_id;

	for (size_t i = 0; i < w->nsegments; i++) {
		struct segment *segment = &w->segments[i];

		if (segment->id == 0 && !segment->module->gone)
			segment->id = ++w->nmappings;
	}
	by_id = scratch_alloc(w->scratch,
	    (w->nmappings + 1) * sizeof(struct segment *));
	if (by_id == NULL) {
		w->error = ENOMEM;
		return;
	}
	for (size_t i = 0; i < w->nsegments; i++)
		by_id[w->segments[i].id] = &w->segments[i];
	for (uint32_t id = 1; id <= w->nmappings; id++)
		emit_mapping(w, by_id[id]);
}

static void
emit_locations(struct writer *w)
{
	for (size_t i = 0; i < w->nplaces; i++) {
		const struct place *place = &w->places[i];

		proto_reset(&w->message);
		proto_uint(&w->message, LOCATION_ID, i + 1);
		proto_uint(&w->message, LOCATION_MAPPING, place->mapping);
		proto_uint(&w->message, LOCATION_ADDRESS, place->address);
		if (place->function != 0) {
			proto_reset(&w->line);
			proto_uint(&w->line, LINE_FUNCTION, place->function);
			proto_message(&w->message, LOCATION_LINE, &w->line);
		}
		proto_emit(&w->message, w->sink, PROFILE_LOCATION);
	}
}

static void
emit_functions(struct writer *w)
{
	for (size_t i = 0; i < w->nfunctions; i++) {
		proto_reset(&w->message);
		proto_uint(&w->message, FUNCTION_ID, i + 1);
		proto_uint(&w->message, FUNCTION_NAME, w->functions[i]);
		proto_uint(&w->message, FUNCTION_SYSTEM_NAME,
		    w->functions[i]);
		proto_emit(&w->message, w->sink, PROFILE_FUNCTION);
	}
}

static void
emit_facts(struct writer *w)
{
	for (size_t i = 0; i < w->facts->count; i++)
		proto_emit_uint(w->sink, PROFILE_COMMENT,
		    constant(w, w->facts->text[i]));
	proto_emit_uint(w->sink, PROFILE_TIME, w->facts->time_ns);
	proto_emit_uint(w->sink, PROFILE_PERIOD, w->facts->rate);
	emit_value_type(w, PROFILE_PERIOD_TYPE, "space", "bytes");
	proto_emit_uint(w->sink, PROFILE_DEFAULT_TYPE,
	    constant(w, "inuse_space"));
}

static void
emit_strings(struct writer *w)
{
	for (size_t i = 0; i < w->nstrings; i++)
		proto_emit_string(w->sink, PROFILE_STRING,
		    w->strings[i].text);
}

void
dump_pprof(struct sink *sink, struct report *report,
    const struct facts *facts)
{
	struct writer w = { .sink = sink, .scratch = &report->scratch,
	    .facts = facts };

	proto_init(&w.message, w.scratch);
	proto_init(&w.inner, w.scratch);
	proto_init(&w.line, w.scratch);
	w.strings = grow(&w, NULL, 0, &w.strings_size, sizeof *w.strings);
	w.labels = scratch_alloc(w.scratch, sizeof *w.labels << LG_LABELS);
	if (w.labels == NULL)
		w.error = ENOMEM;
	if (w.strings != NULL)
		w.strings[w.nstrings++] = (struct string){ "", 0 };
	if (w.error == 0)
		segments_collect(&w);
	for (size_t i = 0; i < VALUES && w.error == 0; i++)
		emit_value_type(&w, PROFILE_SAMPLE_TYPE, value_types[i].type,
		    value_types[i].unit);
	for (size_t i = 0; i < report->nrows && w.error == 0; i++) {
		/* rows lie where they were made, two lines of cache each */
		if (i + ROWS_AHEAD < report->nrows) {
			const char *row =
			    (const char *)report->rows[i + ROWS_AHEAD];

			__builtin_prefetch(row);
			__builtin_prefetch(row + CACHELINE);
		}
		emit_row(&w, report->rows[i]);
	}
	if (w.error == 0) {
		emit_thread_caches(&w);
		emit_mappings(&w);
		emit_locations(&w);
		emit_functions(&w);
		emit_facts(&w);
		emit_strings(&w);
	}
	if (w.error != 0 && sink->error == 0)
		sink->error = w.error;
}
