/*
 * dump_test.c - both formats from a made-up cut, their names, and what goes
 * wrong on the way to the disk.
 */
#define _GNU_SOURCE
#include "dump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dump_pprof.h"
#include "fake_cut.h"
#include "lifetime.h"
#include "wire.h"

static char folder[] = "/tmp/dump_test.XXXXXX";

/* --- a profile, decoded -------------------------------------------------- */

enum { ROWS = 20000, STRINGS = 20000, VALUES = 9, LABELS = 8, PLACES = 20000 };

enum { ALLOC_OBJECTS, ALLOC_SPACE, INUSE_OBJECTS, INUSE_SPACE, REQUESTED,
    PINNED, FREED_OBJECTS, FREED_SPACE, SAMPLES };

struct label {
	uint64_t key, str, num, unit;
};

struct row {
	uint64_t ids[64];
	size_t nids;
	int64_t values[VALUES];
	struct label labels[LABELS];
	size_t nlabels;
};

struct place {
	uint64_t id, mapping, address, function;
};

static struct {
	struct row rows[ROWS];
	size_t nrows;
	char *strings[STRINGS];
	size_t nstrings;
	uint64_t types[VALUES][2];
	size_t ntypes;
	struct place places[PLACES];
	size_t nplaces;
	struct { uint64_t id, start, limit, offset, file, build; } maps[16];
	size_t nmaps;
	uint64_t comments[64];
	size_t ncomments;
	uint64_t period, default_type, period_type[2], function_name;
} p;

static void
decode_pairs(struct wire w, uint64_t *out, size_t max)
{
	struct wire_field f;

	while (wire_next(&w, &f)) {
		assert_in_range(f.number, 1, max);
		out[f.number - 1] = f.value;
	}
	assert_false(w.bad);
}

static void
decode_sample(struct wire w)
{
	struct row *row = &p.rows[p.nrows++];
	struct wire_field f;
	size_t n = 0;

	assert_in_range(p.nrows, 1, ROWS);
	memset(row, 0, sizeof *row);
	while (wire_next(&w, &f)) {
		assert_true(f.is_bytes);
		if (f.number == 3) {
			assert_in_range(row->nlabels, 0, LABELS - 1);
			decode_pairs(f.bytes,
			    (uint64_t *)&row->labels[row->nlabels++], 4);
			continue;
		}
		while (f.bytes.at < f.bytes.end) {
			uint64_t v = wire_varint(&f.bytes);

			if (f.number == 1)
				row->ids[row->nids++] = v;
			else
				row->values[n++] = (int64_t)v;
		}
	}
	assert_false(w.bad);
	assert_int_equal(n, VALUES);
}

static void
decode_place(struct wire w)
{
	struct place *place = &p.places[p.nplaces++];
	struct wire_field f, line;

	memset(place, 0, sizeof *place);
	while (wire_next(&w, &f)) {
		if (f.number == 1)
			place->id = f.value;
		if (f.number == 2)
			place->mapping = f.value;
		if (f.number == 3)
			place->address = f.value;
		if (f.number == 4 && wire_next(&f.bytes, &line))
			place->function = line.value;
	}
}

static void
decode_field(const struct wire_field *f)
{
	uint64_t function[5] = { 0 };

	switch (f->number) {
	case 1: decode_pairs(f->bytes, p.types[p.ntypes++], 2); break;
	case 2: decode_sample(f->bytes); break;
	case 3:
		decode_pairs(f->bytes, (uint64_t *)&p.maps[p.nmaps++], 6);
		break;
	case 4: decode_place(f->bytes); break;
	case 5:
		decode_pairs(f->bytes, function, 5);
		p.function_name = function[1];
		break;
	case 6:
		p.strings[p.nstrings++] = strndup((const char *)f->bytes.at,
		    (size_t)f->value);
		break;
	case 11: decode_pairs(f->bytes, p.period_type, 2); break;
	case 12: p.period = f->value; break;
	case 13: p.comments[p.ncomments++] = f->value; break;
	case 14: p.default_type = f->value; break;
	default: assert_int_equal(f->number, 9);
	}
}

static char *
slurp(const char *path, size_t *size)
{
	FILE *file = fopen(path, "r");
	char *text = malloc(64 << 20);

	assert_non_null(file);
	*size = fread(text, 1, (64 << 20) - 1, file);
	text[*size] = '\0';
	fclose(file);
	return text;
}

static void
decode(const char *path)
{
	size_t size;
	unsigned char *bytes = (unsigned char *)slurp(path, &size);
	struct wire w = { bytes, bytes + size, false };
	struct wire_field f;

	for (size_t i = 0; i < p.nstrings; i++)
		free(p.strings[i]);
	memset(&p, 0, sizeof p);
	while (wire_next(&w, &f))
		decode_field(&f);
	assert_false(w.bad);
	free(bytes);
}

static const char *
text(uint64_t i)
{
	assert_in_range(i, 0, p.nstrings - 1);
	return p.strings[i];
}

static const struct label *
label(const struct row *row, const char *key)
{
	for (size_t i = 0; i < row->nlabels; i++) {
		if (strcmp(text(row->labels[i].key), key) == 0)
			return &row->labels[i];
	}
	return NULL;
}

static const char *
label_text(const struct row *row, const char *key)
{
	const struct label *l = label(row, key);

	return l == NULL ? "(none)" : text(l->str);
}

static const char *
comment(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < p.ncomments; i++) {
		const char *c = text(p.comments[i]);

		if (strncmp(c, key, len) == 0 && strncmp(c + len, ": ", 2) == 0)
			return c + len + 2;
	}
	return "(none)";
}

/* --- the program that is dumped ------------------------------------------ */

static void
boot(struct prof_options *options)
{
	dump_boot(options, &fake_host);
}

static void
boot_prefix(const char *name, enum prof_format format)
{
	char prefix[PROF_PREFIX_MAX];
	struct prof_options options;

	snprintf(prefix, sizeof prefix, "%s/%s", folder, name);
	options = fake_options(prefix);
	options.format = format;
	boot(&options);
}

static int
setup(void **state)
{
	os_init();
	return mkdtemp(folder) == NULL || chdir(folder) != 0;
}

static int
teardown(void **state)
{
	char command[128];

	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static int
fresh(void **state)
{
	fake_clear();
	fake_cut.rate = 524288;
	dump_fork_child();		/* counters and numbers from 0 */
	return 0;
}

static double
weight(double usable, double rate)
{
	return 1 / -expm1(usable * log1p(-1 / rate));
}

static int
matches(const char *pattern)
{
	glob_t found;
	int n;

	glob(pattern, 0, NULL, &found);
	n = (int)found.gl_pathc;
	globfree(&found);
	return n;
}

static const uintptr_t frames_a[] = { 0x401101, 0x401205, 0x420010 };
static const uintptr_t frames_b[] = { 0x7f0000000100, 0x401205 };

/* --- native format ------------------------------------------------------- */

static void
dump_native(const char *name)
{
	struct dump_result result;

	boot_prefix(name, PROF_FORMAT_PPROF);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_MALLCTL, &result), 0);
	assert_int_equal(result.formats, PROF_FORMAT_PPROF);
	decode(result.file);
}

static void
test_types_and_header(void **state)
{
	static const char *const types[VALUES][2] = {
		{ "alloc_objects", "count" }, { "alloc_space", "bytes" },
		{ "inuse_objects", "count" }, { "inuse_space", "bytes" },
		{ "requested_space", "bytes" }, { "pinned_space", "bytes" },
		{ "freed_objects", "count" }, { "freed_space", "bytes" },
		{ "samples", "count" },
	};

	dump_native("types");
	assert_int_equal(p.ntypes, VALUES);
	for (size_t i = 0; i < VALUES; i++) {
		assert_string_equal(text(p.types[i][0]), types[i][0]);
		assert_string_equal(text(p.types[i][1]), types[i][1]);
	}
	assert_string_equal(text(0), "");
	assert_string_equal(text(p.default_type), "inuse_space");
	assert_string_equal(text(p.period_type[0]), "space");
	assert_string_equal(text(p.period_type[1]), "bytes");
	assert_int_equal(p.period, 524288);
	assert_int_equal(p.nrows, 0);
}

static void
test_weights_of_mixed_sizes(void **state)
{
	struct stack *stack = fake_stack(3, frames_a);
	double live = 0, live_bytes = 0;

	/* One 16-byte and one 1-MiB sample of one stack. */
	fake_add_live(fake_group(stack, 16, 524288), 9, 0, 0, 0);
	fake_add_live(fake_group(stack, 1 << 20, 524288), 1000000, 0, 0, 0);
	live = weight(16, 524288) + weight(1 << 20, 524288);
	live_bytes = 16 * weight(16, 524288) +
	    (1 << 20) * weight(1 << 20, 524288);
	dump_native("mixed");
	assert_int_equal(p.nrows, 2);
	assert_true(fabs((double)(p.rows[0].values[INUSE_OBJECTS] +
	    p.rows[1].values[INUSE_OBJECTS]) - live) <= 1);
	assert_true(fabs((double)(p.rows[0].values[INUSE_SPACE] +
	    p.rows[1].values[INUSE_SPACE]) - live_bytes) <= 1);
	assert_int_equal(p.rows[0].values[SAMPLES], 1);
	assert_true(fabs((double)(p.rows[0].values[REQUESTED] +
	    p.rows[1].values[REQUESTED]) - 9 * weight(16, 524288) -
	    1000000 * weight(1 << 20, 524288)) <= 1);
}

/* Rows of 0.4 above an integer each: without a carry the sum is 40 % off. */
static void
test_each_stack_sums_to_the_truth(void **state)
{
	enum { N = 300 };
	struct stack *stack = fake_stack(3, frames_a);
	const uint64_t usable = 3968;	/* of R = 4096: weight 1.6 */
	double objects = 0, space = 0;
	int64_t sums[VALUES] = { 0 };

	for (int i = 0; i < N; i++) {
		struct group *group = fake_group(stack, usable, 4096);

		group->key.arena = (uint32_t)i;
		fake_add_live(group, 3900, 0, 0, 0.3);
		fake_add_freed(group, 7, 1, 3900);
		objects += weight((double)usable, 4096);
	}
	space = objects * (double)usable;
	dump_native("sums");
	assert_int_equal(p.nrows, 2 * N);
	for (size_t i = 0; i < p.nrows; i++) {
		const int64_t *v = p.rows[i].values;

		for (size_t k = 0; k < VALUES; k++) {
			assert_true(v[k] >= 0);
			sums[k] += v[k];
		}
		assert_int_equal(v[ALLOC_OBJECTS],
		    v[INUSE_OBJECTS] + v[FREED_OBJECTS]);
		assert_int_equal(v[ALLOC_SPACE],
		    v[INUSE_SPACE] + v[FREED_SPACE]);
		assert_true(v[ALLOC_OBJECTS] >= 1);
	}
	assert_true(fabs((double)sums[INUSE_OBJECTS] - objects) <= 1);
	assert_true(fabs((double)sums[FREED_OBJECTS] - objects) <= 1);
	assert_true(fabs((double)sums[INUSE_SPACE] - space) <= 1);
	assert_true(fabs((double)sums[FREED_SPACE] - space) <= 1);
	assert_true(fabs((double)sums[PINNED] - 0.3 * objects) <= 1);
	assert_int_equal(sums[SAMPLES], 2 * N);
}

static void
test_labels(void **state)
{
	struct group *group = fake_group(fake_stack(3, frames_a), 64, 4096);

	group->key.arena = 3;
	group->key.generation = 7;
	fake_add_live(group, 60, 5000000000, 2, 0);	/* 5 s */
	fake_add_freed(group, LIFETIME_UNDER, 4, 240);
	dump_native("labels");
	assert_int_equal(p.nrows, 2);
	assert_int_equal(label(&p.rows[0], "bytes")->num, 64);
	assert_string_equal(text(label(&p.rows[0], "bytes")->unit), "bytes");
	assert_int_equal(label(&p.rows[0], "rate")->num, 4096);
	assert_int_equal(label(&p.rows[0], "since")->num, 2);
	assert_string_equal(label_text(&p.rows[0], "arena"), "arena 3");
	assert_string_equal(label_text(&p.rows[0], "generation"),
	    "generation 7");
	assert_string_equal(label_text(&p.rows[0], "age"), "4.98s..5.93s");
	assert_null(label(&p.rows[0], "lifetime"));
	assert_string_equal(label_text(&p.rows[1], "lifetime"), "<1us");
	assert_null(label(&p.rows[1], "age"));
	assert_null(label(&p.rows[1], "since"));
	assert_int_equal(p.rows[1].values[SAMPLES], 4);
}

static void
test_rate_label_only_where_it_differs(void **state)
{
	struct stack *stack = fake_stack(3, frames_a);
	struct group *folded = fake_group(stack, 64, 524288);

	folded->key.generation = 4 | GENERATION_FOLD;
	folded->key.arena = GROUP_NO_ARENA;
	fake_add_live(folded, 64, 0, 0, 0);
	dump_native("rate");
	assert_null(label(&p.rows[0], "rate"));
	assert_null(label(&p.rows[0], "since"));
	assert_string_equal(label_text(&p.rows[0], "generation"),
	    "generation <= 4");
	assert_null(label(&p.rows[0], "arena"));
}

/* The row's labels say what its place tells of how it was made. */
static void
check_mixed_labels(const struct row *row, int n)
{
	char arena[32], generation[32];

	snprintf(arena, sizeof arena, "arena %d", n % 3);
	snprintf(generation, sizeof generation, "generation %d", n % 5 + 1);
	assert_int_equal(label(row, "bytes")->num, 16 * (n % 7 + 1));
	assert_string_equal(label_text(row, "arena"), arena);
	assert_string_equal(label_text(row, "generation"), generation);
	if (n % 11 == 0)
		assert_null(label(row, "rate"));
	else
		assert_int_equal(label(row, "rate")->num, 524288 - n % 11);
	if (n % 2 != 0) {
		assert_null(label(row, "since"));
		assert_string_equal(label_text(row, "age"), "(none)");
		assert_int_equal(label(row, "lifetime_ns")->num,
		    lifetime_lower((unsigned)n % 13 + 1));
		return;
	}
	assert_string_equal(label_text(row, "lifetime"), "(none)");
	assert_int_equal(label(row, "age_ns")->num,
	    lifetime_lower(lifetime_bucket(1000000)));
	if (n % 17 == 0)
		assert_null(label(row, "since"));
	else
		assert_int_equal(label(row, "since")->num, n % 17);
}

/* Far more sets of labels than are kept encoded, each met several times. */
static void
test_rows_of_many_labels_keep_their_own(void **state)
{
	enum { N = 9000 };

	for (int n = 0; n < N; n++) {
		struct group *group = fake_group(fake_stack(3, frames_a),
		    16 * (n % 7 + 1), 524288 - n % 11);

		group->key.arena = n % 3;
		group->key.generation = n % 5 + 1;
		if (n % 2 != 0)
			fake_add_freed(group, (unsigned)n % 13 + 1, 1, 1);
		else
			fake_add_live(group, 1, 1000000, n % 17, 0);
	}
	dump_native("mixed");
	assert_int_equal(p.nrows, N);
	for (int n = 0; n < N; n++)
		check_mixed_labels(&p.rows[n], n);
}

/* Samples alike in all but age and since share a row where they can. */
static void
test_live_samples_are_aggregated(void **state)
{
	struct group *group = fake_group(fake_stack(3, frames_a), 64, 524288);

	for (int i = 0; i < 10000; i++)
		fake_add_live(group, 60, 1000000, (uint32_t)(i % 2), 0);
	dump_native("aggregate");
	assert_int_equal(p.nrows, 2);
	assert_int_equal(p.rows[0].values[SAMPLES], 5000);
}

static void
test_many_rows_keep_their_keys(void **state)
{
	enum { N = 5000 };
	int64_t samples = 0;

	for (int i = 0; i < N; i++) {
		uintptr_t frames[] = { 0x401000 + (uintptr_t)i * 4, 0x420010 };
		struct group *group = fake_group(fake_stack(2, frames), 64,
		    524288);

		fake_add_live(group, 60, 1000, 0, 0);
		fake_add_live(group, 60, 1000, 0, 0);
	}
	dump_native("many");
	assert_int_equal(p.nrows, N);
	for (size_t i = 0; i < p.nrows; i++) {
		assert_int_equal(p.rows[i].values[SAMPLES], 2);
		samples += p.rows[i].values[SAMPLES];
	}
	assert_int_equal(samples, 2 * N);
	assert_int_equal(p.nplaces, N + 1);
}

static void
test_addresses_and_mappings(void **state)
{
	uintptr_t signal[] = { 0x401300 | STACK_SIGNAL, 0x401205 };

	fake_add_live(fake_group(fake_stack(3, frames_a), 64, 1), 64, 0, 0, 0);
	fake_add_live(fake_group(fake_stack(2, frames_b), 64, 1), 64, 0, 0, 0);
	fake_add_live(fake_group(fake_stack(2, signal), 64, 1), 64, 0, 0, 0);
	dump_native("addresses");
	/* Return addresses less one; what a signal interrupted as it is. */
	assert_int_equal(p.places[p.rows[0].ids[0] - 1].address, 0x401100);
	assert_int_equal(p.places[p.rows[0].ids[1] - 1].address, 0x401204);
	assert_int_equal(p.rows[1].ids[1], p.rows[0].ids[1]);
	assert_int_equal(p.places[p.rows[2].ids[0] - 1].address, 0x401300);
	for (size_t i = 0; i < p.nplaces; i++)
		assert_int_equal(p.places[i].id, i + 1);
	/* The program's segments, the gone library in use, the other. */
	assert_int_equal(p.nmaps, 4);
	for (size_t i = 0; i < p.nmaps; i++)
		assert_int_equal(p.maps[i].id, i + 1);
	assert_string_equal(text(p.maps[0].file), "/bin/program");
	assert_string_equal(text(p.maps[0].build), "abcd01");
	assert_int_equal(p.maps[1].offset, 0x20000);
	assert_string_equal(text(p.maps[2].file), "/lib/gone.so");
	assert_string_equal(text(p.maps[3].file), "/lib/unused.so");
	assert_int_equal(p.places[p.rows[0].ids[2] - 1].mapping, 2);
	assert_int_equal(p.places[p.rows[1].ids[0] - 1].mapping, 3);
}

static void
test_unused_gone_modules_are_left_out(void **state)
{
	dump_native("gone");
	assert_int_equal(p.nmaps, 3);
	assert_string_equal(text(p.maps[2].file), "/lib/unused.so");
}

static void
test_other_stacks_and_thread_caches(void **state)
{
	fake_add_live(fake_group(fake_stack(0, NULL), 64, 1), 64, 0, 0, 0);
	fake_cut.totals.tcache_pinned = 12345;
	dump_native("others");
	fake_cut.totals.tcache_pinned = 0;
	assert_int_equal(p.nrows, 2);
	assert_int_equal(p.rows[0].nids, 1);
	assert_int_equal(p.places[p.rows[0].ids[0] - 1].function, 1);
	assert_int_equal(p.rows[1].values[PINNED], 12345);
	assert_int_equal(p.rows[1].values[ALLOC_SPACE], 0);
	assert_int_equal(p.places[p.rows[1].ids[0] - 1].function, 2);
	assert_string_equal(text(p.function_name), "(thread caches)");
}

static void
test_comments(void **state)
{
	static const char *const keys[] = { "strata_version", "pid",
	    "command", "start_time_unix", "time_unix_ns", "trigger",
	    "sequence", "live_bytes", "allocated_bytes", "active_bytes",
	    "resident_bytes", "mapped_bytes", "retained_bytes",
	    "metadata_bytes", "tcache_bytes", "dirty_bytes", "muzzy_bytes",
	    "rss_bytes", "thread_allocated_bytes",
	    "thread_deallocated_bytes", "samples_live", "samples_freed",
	    "dropped_samples", "dropped_bytes", "before_profiling_bytes",
	    "unsampled_bytes", "profiler_bytes", "generation", "period" };
	char pid[16];

	fake_cut.totals.live = 987654321;
	dump_native("comments");
	assert_string_equal(comment("pools"), "(none)");
	fake_cut.pools[0] = (struct prof_pool){ 9, 14 };
	fake_cut.pools[1] = (struct prof_pool){ 10, 4294967295 };
	fake_cut.npools = 2;
	dump_native("comments");
	assert_string_equal(comment("pools"), "9:14 10:4294967295");
	fake_cut.npools = 0;
	snprintf(pid, sizeof pid, "%d", getpid());
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		assert_string_not_equal(comment(keys[i]), "(none)");
	assert_string_equal(comment("pid"), pid);
	assert_string_equal(comment("strata_version"), "0.1.0-test");
	assert_string_equal(comment("trigger"), "mallctl");
	assert_string_equal(comment("live_bytes"), "987654321");
	assert_true(atoll(comment("rss_bytes")) > 100000);
	assert_non_null(strstr(comment("command"),
	    program_invocation_short_name));
}

static void
test_bucket_texts(void **state)
{
	char out[64];

	dump_pprof_bucket(out, sizeof out, LIFETIME_UNDER);
	assert_string_equal(out, "<1us");
	dump_pprof_bucket(out, sizeof out, 1);
	assert_string_equal(out, "1us..1.19us");
	dump_pprof_bucket(out, sizeof out, lifetime_bucket(70000000000));
	assert_string_equal(out, "1.11min..1.33min");
	dump_pprof_bucket(out, sizeof out, LIFETIME_OVER);
	assert_string_equal(out, ">=2.22y");
}

/* --- heap_v2 ------------------------------------------------------------- */

static void
test_heap_v2(void **state)
{
	struct stack *stack = fake_stack(3, frames_a);
	struct dump_result result;
	size_t size;
	char *said;

	fake_add_live(fake_group(stack, 64, 1), 60, 0, 0, 0);
	fake_add_live(fake_group(stack, 4096, 1), 4000, 0, 0, 0);
	fake_add_freed(fake_group(stack, 64, 1), 9, 10, 600);
	fake_add_live(fake_group(fake_stack(0, NULL), 64, 1), 60, 0, 0, 0);
	boot_prefix("heap", PROF_FORMAT_HEAP_V2);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_FINAL, &result), 0);
	assert_int_equal(result.formats, PROF_FORMAT_HEAP_V2);
	said = slurp(result.file, &size);
	assert_ptr_equal(strstr(said, "heap_v2/1\n"
	    "  t*: 3: 4224 [13: 4864]\n# strata_version: "), said);
	assert_non_null(strstr(said, "\n@ 0x401100 0x401205 0x420010\n"
	    "  t*: 2: 4160 [12: 4800]\n"));
	assert_non_null(strstr(said, "\n@ 0x1\n  t*: 1: 64 [1: 64]\n"));
	assert_non_null(strstr(said, "\n\nMAPPED_LIBRARIES:\n"));
	assert_non_null(strstr(said, "[stack]"));
	free(said);
}

static char *
dump_text(const char *name, bool accum, bool unbias)
{
	struct prof_options options;
	struct dump_result result;
	size_t size;

	options = fake_options(name);
	options.format = PROF_FORMAT_HEAP_V2;
	options.accum = accum;
	options.unbias = unbias;
	boot(&options);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_MALLCTL, &result), 0);
	return slurp(result.file, &size);
}

static void
test_heap_v2_without_accum_is_of_live_blocks(void **state)
{
	char *said;

	fake_add_live(fake_group(fake_stack(3, frames_a), 64, 1), 60, 0, 0,
	    0);
	fake_add_freed(fake_group(fake_stack(2, frames_b), 64, 1), 9, 10,
	    600);
	said = dump_text("live", false, true);
	assert_ptr_equal(strstr(said, "heap_v2/1\n  t*: 1: 64 [0: 0]\n"),
	    said);
	assert_non_null(strstr(said, "\n@ 0x401100 0x401205 0x420010\n"
	    "  t*: 1: 64 [0: 0]\n"));
	assert_null(strstr(said, "@ 0x7f0000"));
	free(said);
}

static void
test_heap_v2_of_the_samples_alone(void **state)
{
	struct stack *stack = fake_stack(3, frames_a);
	char *said;

	fake_add_live(fake_group(stack, 64, 524288), 60, 0, 0, 0);
	fake_add_live(fake_group(stack, 64, 524288), 60, 0, 0, 0);
	fake_add_freed(fake_group(stack, 4096, 524288), 9, 5, 5);
	/* one sample at 4 KiB is as many as 2^-7 at 512 KiB */
	fake_add_freed(fake_group(fake_stack(2, frames_b), 16, 4096), 9,
	    128 * 3, 5);
	said = dump_text("raw", true, false);
	assert_ptr_equal(strstr(said, "heap_v2/524288\n"
	    "  t*: 2: 128 [10: 20656]\n"), said);
	assert_non_null(strstr(said, "\n@ 0x401100 0x401205 0x420010\n"
	    "  t*: 2: 128 [7: 20608]\n"));
	assert_non_null(strstr(said, "  t*: 0: 0 [3: 48]\n"));
	assert_non_null(strstr(said, "\n# weights: raw\n"));
	free(said);
}

/* --- what is said ------------------------------------------------------- */

static int saved_stderr = -1;

static void
stderr_to_file(void)
{
	int fd = open("stderr", O_RDWR | O_CREAT | O_TRUNC, 0600);

	saved_stderr = dup(2);
	dup2(fd, 2);
	close(fd);
}

/* What was said meanwhile; static. */
static const char *
stderr_back(void)
{
	static char said[4096];
	ssize_t n = pread(2, said, sizeof said - 1, 0);

	said[n > 0 ? n : 0] = '\0';
	dup2(saved_stderr, 2);
	close(saved_stderr);
	return said;
}

/* --- names and files ----------------------------------------------------- */

static void
test_names_and_modes(void **state)
{
	char path[PATH_MAX];
	struct stat st;

	boot_prefix("names", PROF_FORMAT_BOTH);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), 0);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_MALLCTL, NULL), 0);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), 0);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_FINAL, NULL), 0);
	for (int i = 0; i < 8; i++) {
		static const char *const ids[] = { "0.s0", "1.m0", "2.s1",
		    "3.f" };

		snprintf(path, sizeof path, "%s/names.%d.%s.%s", folder,
		    getpid(), ids[i / 2], i % 2 ? "pb" : "heap");
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 0600);
	}
	assert_int_equal(matches("names.*"), 8);
	assert_int_equal(dump_done(), 4);
	assert_int_equal(dump_errors(), 0);
}

static void
test_relative_prefix_is_meant_from_the_start(void **state)
{
	struct prof_options options = fake_options("relative");
	char prefix[PROF_PREFIX_MAX], want[PROF_PREFIX_MAX];

	boot(&options);
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_MALLCTL, NULL), 0);
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(matches("relative.*.m0.pb"), 1);
	dump_prefix_get(prefix, sizeof prefix);
	snprintf(want, sizeof want, "%s/relative", folder);
	assert_string_equal(prefix, want);
}

static void
test_pid_namespace_in_the_name(void **state)
{
	struct prof_options options = fake_options("space");
	char ns[64], want[128];
	ssize_t n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);

	assert_true(n > 5);
	ns[n - 1] = '\0';		/* pid:[4026531836] */
	options.pid_namespace = true;
	boot(&options);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_MALLCTL, NULL), 0);
	snprintf(want, sizeof want, "space.%s.%d.0.m0.pb", ns + 5, getpid());
	assert_int_equal(matches(want), 1);
}

static void
test_empty_prefix_means_no_automatic_dumps(void **state)
{
	struct prof_options options = fake_options("");

	boot(&options);
	stderr_to_file();
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_FINAL, NULL), EINVAL);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_TIME, NULL), EINVAL);
	assert_int_equal(dump_errors(), 0);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), EINVAL);
	assert_string_equal(stderr_back(), "<strata>: Error writing heap "
	    "profile: no prof_prefix (22)\n");
	assert_int_equal(dump_now("named", PROF_TRIGGER_MALLCTL, NULL), 0);
	assert_int_equal(matches("named"), 1);
}

static void
test_a_name_that_is_too_long_is_told_with_its_reason(void **state)
{
	struct prof_options options = fake_options("");
	const char *below = "a-folder-of-some-length";
	char name[2000];
	const char *said;

	memset(name, 'n', sizeof name);
	name[300] = '\0';		/* more than a file system takes */
	boot_prefix("long", PROF_FORMAT_PPROF);
	stderr_to_file();
	assert_int_equal(dump_now(name, PROF_TRIGGER_MALLCTL, NULL),
	    ENAMETOOLONG);
	said = stderr_back();
	assert_non_null(strstr(said, "Error writing heap profile ...nnn"));
	assert_non_null(strstr(said, "n: file name too long (36)\n"));

	name[300] = 'n';
	name[sizeof name - 1] = '\0';	/* more than dump.c has room for */
	stderr_to_file();
	assert_int_equal(dump_now(name, PROF_TRIGGER_MALLCTL, NULL),
	    ENAMETOOLONG);
	assert_non_null(strstr(stderr_back(),
	    "n: file name too long (36)\n"));

	assert_int_equal(mkdir(below, 0700), 0);
	assert_int_equal(chdir(below), 0);
	memset(options.prefix, 'p', sizeof options.prefix - 1);
	stderr_to_file();
	boot(&options);
	assert_string_equal(stderr_back(), "<strata>: prof_prefix with its "
	    "folder is longer than 1023 bytes: it is not used\n");
	assert_int_equal(chdir(".."), 0);
}

static void
test_dump_max_removes_the_oldest(void **state)
{
	struct prof_options options = fake_options("kept");

	options.dump_max = 3;
	options.format = PROF_FORMAT_BOTH;
	boot(&options);
	for (int i = 0; i < 10; i++)
		assert_int_equal(dump_now(NULL, PROF_TRIGGER_TIME, NULL), 0);
	assert_int_equal(matches("kept.*"), 6);
	assert_int_equal(matches("kept.*.[789].t[789].pb"), 3);
}

static void
test_pipe_is_written_to_and_not_replaced(void **state)
{
	char name[32], text_read[65536];
	int fds[2];
	struct stat st;

	assert_int_equal(pipe(fds), 0);
	boot_prefix("pipe", PROF_FORMAT_HEAP_V2);
	snprintf(name, sizeof name, "/dev/fd/%d", fds[1]);
	assert_int_equal(dump_now(name, PROF_TRIGGER_MALLCTL, NULL), 0);
	assert_true(read(fds[0], text_read, sizeof text_read) > 10);
	assert_memory_equal(text_read, "heap_v2/1\n", 10);
	close(fds[0]);			/* and nobody reads: no SIGPIPE */
	assert_int_equal(dump_now(name, PROF_TRIGGER_MALLCTL, NULL), EPIPE);
	close(fds[1]);
	assert_int_equal(dump_now("/dev/full", PROF_TRIGGER_MALLCTL, NULL),
	    ENOSPC);
	assert_int_equal(stat("/dev/full", &st), 0);
	assert_true(S_ISCHR(st.st_mode));
}

/* --- failures ------------------------------------------------------------ */

static int
lines(const char *said)
{
	int n = 0;

	for (; *said != '\0'; said++)
		n += *said == '\n';
	return n;
}

static void
test_missing_folder_gives_one_line(void **state)
{
	char error[256];
	const char *said;

	boot_prefix("missing/prefix", PROF_FORMAT_PPROF);
	stderr_to_file();
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), ENOENT);
	said = stderr_back();
	assert_int_equal(lines(said), 1);
	assert_ptr_equal(strstr(said, "<strata>: "), said);
	assert_non_null(strstr(said, "missing/prefix"));
	assert_non_null(strstr(said, "no such file or directory"));
	assert_int_equal(dump_errors(), 1);
	assert_int_equal(dump_done(), 0);
	dump_last_error(error, sizeof error);
	assert_non_null(strstr(error, "no such file or directory"));
	assert_int_equal(atomic_load(&fake_open), 0);
}

static void
test_interval_dumps_complain_once(void **state)
{
	boot_prefix("missing/prefix", PROF_FORMAT_PPROF);
	stderr_to_file();
	for (int i = 0; i < 5; i++)
		dump_now(NULL, PROF_TRIGGER_TIME, NULL);
	assert_int_equal(lines(stderr_back()), 1);
	assert_int_equal(dump_errors(), 5);
}

static void
test_file_size_limit_neither_kills_nor_leaves_a_file(void **state)
{
	struct rlimit old, small;
	sigset_t pending;
	const char *said;

	for (int i = 0; i < 5000; i++)
		fake_add_live(fake_group(fake_stack(3, frames_a), 64, 1), 64,
		    0, 0, 0);
	boot_prefix("limit", PROF_FORMAT_PPROF);
	getrlimit(RLIMIT_FSIZE, &old);
	small = old;
	small.rlim_cur = 8192;
	stderr_to_file();
	setrlimit(RLIMIT_FSIZE, &small);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	said = stderr_back();
	assert_int_equal(lines(said), 1);
	assert_non_null(strstr(said, "file too large"));
	assert_int_equal(matches("limit.*"), 0);
	sigpending(&pending);
	assert_false(sigismember(&pending, SIGXFSZ));
	/* The next one, with room, is whole. */
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), 0);
	assert_int_equal(matches("limit.*"), 1);
}

static void
test_cut_in_use_elsewhere(void **state)
{
	boot_prefix("busy", PROF_FORMAT_PPROF);
	atomic_store(&fake_open, 1);
	stderr_to_file();
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), EBUSY);
	assert_int_equal(lines(stderr_back()), 1);
	atomic_store(&fake_open, 0);
	assert_int_equal(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL), 0);
}

/* A pipe nobody reads for now: the cut does not wait for it. */
static void *
dump_to(void *name)
{
	return (void *)(intptr_t)dump_now(name, PROF_TRIGGER_MALLCTL, NULL);
}

static void
test_cut_is_closed_before_writing(void **state)
{
	char name[32], drain[65536];
	pthread_t thread;
	void *error;
	int fds[2], waiting = 0;

	for (int i = 0; i < FAKE_ROWS; i++) {
		uintptr_t frames[] = { 0x401000 + (uintptr_t)i };

		fake_add_live(fake_group(fake_stack(1, frames), 64, 1), 64,
		    0, 0, 0);
	}
	boot_prefix("slow", PROF_FORMAT_PPROF);
	assert_int_equal(pipe(fds), 0);
	snprintf(name, sizeof name, "/dev/fd/%d", fds[1]);
	pthread_create(&thread, NULL, dump_to, name);
	while (waiting < 65536)		/* what a pipe holds */
		ioctl(fds[0], FIONREAD, &waiting);
	assert_false(dump_wait(1));
	assert_int_equal(atomic_load(&fake_open), 0);
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	while (!dump_wait(1)) {
		while (read(fds[0], drain, sizeof drain) > 0)
			continue;
	}
	pthread_join(thread, &error);
	assert_null(error);
	close(fds[0]);
	close(fds[1]);
}

/* --- several at a time --------------------------------------------------- */

static void *
dump_ten(void *arg)
{
	for (int i = 0; i < 10; i++) {
		if (dump_now(NULL, PROF_TRIGGER_MALLCTL, NULL) != 0)
			return arg;
	}
	return NULL;
}

static void
test_dumps_follow_one_another(void **state)
{
	char failure[] = "failed";
	pthread_t threads[4];
	void *failed;

	boot_prefix("parallel", PROF_FORMAT_PPROF);
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, dump_ten, failure);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(matches("parallel.*.pb"), 40);
	assert_int_equal(matches("parallel.*.tmp"), 0);
}

static void *
dump_one(void *arg)
{
	return (void *)(intptr_t)dump_now(NULL, PROF_TRIGGER_MALLCTL, NULL);
}

/* Where no task can be had a dump is taken on the stack of any thread. */
enum { STACK_BYTES = 256 * 1024, STACK_MOST = 6 * 1024 };

struct painted {
	unsigned char *stack;
	size_t used;
};

static void *
dump_on(void *arg)
{
	struct painted *painted = arg;
	unsigned char *here = __builtin_frame_address(0);
	unsigned char *low = painted->stack;
	void *error;

	memset(low, 0xa5, (size_t)(here - low) - 1024);
	error = dump_one(NULL);
	while (*low == 0xa5)
		low++;
	painted->used = (size_t)(here - low);
	return error;
}

static void
test_a_dump_fits_a_small_stack(void **state)
{
	const uintptr_t frames[] = { 0x401001, 0x401100 };
	struct group *group = fake_group(fake_stack(2, frames), 64, 1);
	struct painted painted;
	pthread_attr_t attr;
	pthread_t thread;
	void *error;

	for (int i = 0; i < 1000; i++)
		fake_add_live(group, 64, (uint64_t)i << 20, 0, 0);
	fake_add_freed(group, 3, 5, 300);
	boot_prefix("small", PROF_FORMAT_BOTH);
	painted.stack = aligned_alloc(4096, STACK_BYTES);
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, painted.stack, STACK_BYTES);
	assert_int_equal(pthread_create(&thread, &attr, dump_on, &painted),
	    0);
	pthread_join(thread, &error);
	pthread_attr_destroy(&attr);
	free(painted.stack);
	assert_null(error);
	assert_in_range(painted.used, 1024, STACK_MOST);
}

static int
descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static void
child_of_a_dump(int before)
{
	alarm(60);
	dump_fork_child();
	atomic_store(&fake_open, 0);
	atomic_store(&fake_hold, 0);
	if (descriptors() != before)
		_exit(2);
	if (matches("forked.*.tmp") > 1)
		_exit(3);
	_exit(dump_now(NULL, PROF_TRIGGER_SIGNAL, NULL) == 0 ? 0 : 4);
}

/* The child goes on at once, and takes nothing of the parent's away. */
static void
test_fork_during_a_dump(void **state)
{
	int before = descriptors(), status = -1;
	pthread_t thread;
	void *error;
	pid_t pid;

	boot_prefix("forked", PROF_FORMAT_PPROF);
	atomic_store(&fake_hold, 1);
	pthread_create(&thread, NULL, dump_one, NULL);
	while (atomic_load(&fake_open) == 0)
		os_yield();
	assert_false(dump_wait(1));
	dump_fork_prepare();
	pid = fork();
	if (pid == 0)
		child_of_a_dump(before);
	dump_fork_parent();
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	atomic_store(&fake_hold, 0);
	pthread_join(thread, &error);
	assert_null(error);
	assert_int_equal(matches("forked.*.s0.pb"), 1);
	assert_int_equal(matches("forked.*.m0.pb"), 1);
	assert_int_equal(matches("forked.*"), 2);
	assert_true(dump_wait(1));
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fresh)
	const struct CMUnitTest tests[] = {
		TEST(test_types_and_header),
		TEST(test_weights_of_mixed_sizes),
		TEST(test_each_stack_sums_to_the_truth),
		TEST(test_labels),
		TEST(test_rate_label_only_where_it_differs),
		TEST(test_rows_of_many_labels_keep_their_own),
		TEST(test_live_samples_are_aggregated),
		TEST(test_many_rows_keep_their_keys),
		TEST(test_addresses_and_mappings),
		TEST(test_unused_gone_modules_are_left_out),
		TEST(test_other_stacks_and_thread_caches),
		TEST(test_comments),
		TEST(test_bucket_texts),
		TEST(test_heap_v2),
		TEST(test_heap_v2_without_accum_is_of_live_blocks),
		TEST(test_heap_v2_of_the_samples_alone),
		TEST(test_names_and_modes),
		TEST(test_relative_prefix_is_meant_from_the_start),
		TEST(test_pid_namespace_in_the_name),
		TEST(test_empty_prefix_means_no_automatic_dumps),
		TEST(test_a_name_that_is_too_long_is_told_with_its_reason),
		TEST(test_dump_max_removes_the_oldest),
		TEST(test_pipe_is_written_to_and_not_replaced),
		TEST(test_missing_folder_gives_one_line),
		TEST(test_interval_dumps_complain_once),
		TEST(test_file_size_limit_neither_kills_nor_leaves_a_file),
		TEST(test_cut_in_use_elsewhere),
		TEST(test_cut_is_closed_before_writing),
		TEST(test_dumps_follow_one_another),
		TEST(test_a_dump_fits_a_small_stack),
		TEST(test_fork_during_a_dump),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
