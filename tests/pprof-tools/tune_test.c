/*
 * tune_test.c - `strata tune`: each rule speaks above its threshold and is
 * silent below, the advice joins to one line, and what is printed.
 */
#include "command.h"

#include <errno.h>
#include <math.h>

#include "commands.h"
#include "tune.h"

enum { NBINS = 5, NLARGE = 3, NARENAS = 4 };

/* Ten seconds of a process with 16 threads, and nothing wrong. */
struct world {
	struct statsfile file;
	struct statsfile_option options[12];
	struct statsfile_bin_info infos[NBINS];
	struct statsfile_bin bins[NBINS];
	uint64_t sizes[NLARGE];
	struct statsfile_lextent lextents[NLARGE];
	struct statsfile_mutex mutexes[3];
	struct statsfile_arena arenas[NARENAS];
	struct statsfile_mutex arena_mutexes[NARENAS];
};

#define SECONDS		10.0
#define LEAST_NS	(SECONDS * 1e9 * TUNE_LEAST_CPU)

static void
set_option(struct world *w, const char *name, const char *value)
{
	size_t i = 0;

	while (i < w->file.noptions && strcmp(w->options[i].name, name) != 0)
		i++;
	assert_true(i < sizeof w->options / sizeof w->options[0]);
	w->options[i].name = (char *)name;
	w->options[i].value = (char *)value;
	if (i == w->file.noptions)
		w->file.noptions++;
}

static void
set_tables(struct world *w)
{
	static const struct statsfile_bin_info infos[NBINS] = {
		{ 64, 64, 4096, 1 }, { 512, 8, 4096, 1 },
		{ 1024, 4, 4096, 1 }, { 2048, 2, 4096, 1 },
		{ 4096, 1, 4096, 1 },
	};
	static const uint64_t sizes[NLARGE] = { 256 << 10, 512 << 10,
	    16 << 20 };

	memcpy(w->infos, infos, sizeof infos);
	memcpy(w->sizes, sizes, sizeof sizes);
	strcpy(w->mutexes[0].name, "extents_dirty");
	strcpy(w->mutexes[1].name, "extents_muzzy");
	strcpy(w->mutexes[2].name, "extents_retained");
	for (unsigned i = 0; i < NARENAS; i++) {
		strcpy(w->arena_mutexes[i].name, "extents_dirty");
		w->arenas[i].index = i;
		w->arenas[i].nthreads = 4;
		w->arenas[i].mutexes.items = &w->arena_mutexes[i];
		w->arenas[i].mutexes.n = 1;
	}
}

static void
world_init(struct world *w)
{
	struct statsfile *f = &w->file;

	memset(w, 0, sizeof *w);
	set_tables(w);
	f->source = "test";
	f->version = "0.1.0";
	f->is_strata = f->has_general = f->has_merged = true;
	f->has_mutexes = f->has_bins = f->has_lextents = true;
	f->options = w->options;
	set_option(w, "narenas", "16");
	set_option(w, "tcache_nslots_small_max", "2048");
	set_option(w, "lg_tcache_nslots_mul", "8");
	f->narenas = 16;
	f->page = 4096;
	f->tcache_max = 256 << 10;
	f->dirty_decay_ms = 10000;
	f->bins = w->infos;
	f->nbins = f->merged.nbins = NBINS;
	f->merged.bins = w->bins;
	f->lextents = w->sizes;
	f->nlextents = f->merged.nlextents = NLARGE;
	f->merged.lextents = w->lextents;
	f->merged.mutexes.items = w->mutexes;
	f->merged.mutexes.n = 3;
	f->merged.nthreads = 16;
	f->uptime_ns = (uint64_t)(SECONDS * 1e9);
	f->allocated = f->active = f->resident = 256 << 20;
	f->mapped = 512 << 20;
}

static struct tune_report *
judge(const struct statsfile *file, const struct statsfile *before)
{
	struct tune_report *report;
	struct tune_input in;
	const char *why;

	assert_int_equal(tune_input_init(&in, file, before, &why), 0);
	report = tune_judge(&in);
	tune_input_fini(&in);
	return report;
}

static const struct tune_finding *
find(const struct tune_report *report, const char *rule)
{
	for (size_t i = 0; i < report->n; i++)
		if (strcmp(report->findings[i].rule, rule) == 0)
			return &report->findings[i];
	return NULL;
}

static const char *
value_of(const struct tune_finding *finding, const char *option)
{
	for (size_t i = 0; i < finding->nsettings; i++)
		if (strcmp(finding->settings[i].option, option) == 0)
			return finding->settings[i].value;
	return NULL;
}

/* --- thresholds ----------------------------------------------------------- */

/* Sets the figures of one rule to level times its threshold. */
typedef void set_level(struct world *w, double level);

static uint64_t
count(double level, double ns)
{
	return (uint64_t)(level * LEAST_NS / ns);
}

static void
one_arena(struct world *w)
{
	set_option(w, "narenas", "1");
}

static void
hot_bin(struct world *w, double level)
{
	one_arena(w);
	w->bins[0].lock.num_spin_acq = count(level, TUNE_SPIN_NS) + 1;
}

static void
spinning(struct world *w, double level)
{
	one_arena(w);
	w->mutexes[0].lock.num_spin_acq = count(level, TUNE_SPIN_NS);
}

static void
sleeping(struct world *w, double level)
{
	one_arena(w);
	w->mutexes[0].lock.num_wait = count(level, TUNE_WAIT_NS);
}

/* Few waits, but long ones. */
static void
waiting(struct world *w, double level)
{
	one_arena(w);
	w->mutexes[0].lock.num_wait = TUNE_LEAST_WAITS;
	w->mutexes[0].lock.total_wait_time_ns = (uint64_t)(level *
	    TUNE_LEAST_WAITING * SECONDS * 1e9 * 16);
}

static void
crowded(struct world *w, double level)
{
	set_option(w, "narenas", "4");
	w->mutexes[0].lock.num_spin_acq = 1000000;
	w->arena_mutexes[2].lock.num_spin_acq = (uint64_t)(level * 600000);
	w->file.arenas = w->arenas;
	w->file.n = NARENAS;
}

static void
muzzy(struct world *w, double level)
{
	w->mutexes[1].lock.num_spin_acq = count(level, TUNE_SPIN_NS);
	w->file.merged.dirty.purged = 1;
}

static void
retained(struct world *w, double level)
{
	w->mutexes[2].lock.num_spin_acq = count(level, TUNE_SPIN_NS);
	w->file.merged.dirty.purged = 1;
}

/* An eighth of the cost of the 512-byte class's slabs stays. */
static void
slabs(struct world *w, double level)
{
	w->bins[1].nslabs = count(level, TUNE_SLAB_NS * 15.0 / 16) + 1;
}

static void
slots(struct world *w, double level)
{
	set_option(w, "tcache_nslots_small_max", "20");
	w->bins[0].nfills = count(level, TUNE_FILL_NS) / 2;
	w->bins[0].nflushes = count(level, TUNE_FILL_NS) / 2;
}

static void
large(struct world *w, double level)
{
	w->lextents[1].nmalloc = count(level, TUNE_LARGE_NS) + 1;
}

/* The cost is there; the turnover is what counts. */
static void
purge_turnover(struct world *w, double level)
{
	w->file.merged.dirty.purged = (uint64_t)(level * 2 * (512 << 20) /
	    4096);
}

static void
purge_cost(struct world *w, double level)
{
	w->file.mapped = 1 << 20;
	w->file.merged.dirty.purged = count(level, TUNE_PAGE_NS) + 1;
}

static void
never_purged(struct world *w, double level)
{
	w->file.dirty_decay_ms = -1;
	w->file.merged.dirty.npages = (uint64_t)(level * (64 << 20) / 4096);
}

static void
cached(struct world *w, double level)
{
	w->file.merged.tcache_bytes = (uint64_t)(level * (64 << 20));
}

/* Slabs with one region of 64. */
static void
thin(struct world *w, double level)
{
	double slabs_n = level * (64 << 20) / (4096 - 64);

	w->bins[0].curslabs = w->bins[0].curregs = (uint64_t)slabs_n + 1;
}

/* 64 bytes, one sample in 2^9: 11.75 % of them. */
static void
sampling(struct world *w, double level)
{
	set_option(w, "prof", "true");
	set_option(w, "prof_active", "true");
	set_option(w, "lg_prof_sample", "9");
	w->bins[0].nrequests = (uint64_t)((double)count(level,
	    TUNE_SAMPLE_NS) / -expm1(-64 / 512.0)) + 1;
}

static void
dropped(struct world *w, double level)
{
	set_option(w, "prof_max_memory", "1048576");
	w->file.prof.memory = 1048576;
	w->file.prof.samples = 100000;
	w->file.prof.dropped_samples = (uint64_t)(level * 100);
}

static const struct {
	const char *rule;
	set_level *set;
	const char *option, *value;	/* advised just above the threshold */
} levels[] = {
	{ "hot-bins", hot_bin, "bin_shards", "64-64:16" },
	{ "arenas", spinning, "narenas", "8" },
	{ "arenas", sleeping, "narenas", "8" },
	{ "arenas", waiting, "narenas", "8" },
	{ "own-arena", crowded, NULL, NULL },
	{ "extents-muzzy", muzzy, "dirty_decay_ms", "30000" },
	{ "extents-retained", retained, "muzzy_decay_ms", "10000" },
	{ "slab-sizes", slabs, "slab_sizes", "512-512:16" },
	{ "tcache-slots", slots, "tcache_nslots_small_max", "2048" },
	{ "tcache-max", large, "tcache_max", "524288" },
	{ "purge", purge_turnover, "dirty_decay_ms", "40000" },
	{ "purge", purge_cost, "dirty_decay_ms", "40000" },
	{ "never-purged", never_purged, "dirty_decay_ms", "10000" },
	{ "cached", cached, "tcache_max", "32768" },
	{ "utilisation", thin, NULL, NULL },
	{ "sampling", sampling, "lg_prof_sample", "11" },
	{ "dropped", dropped, "prof_max_memory", "4194304" },
};

static void
test_each_rule_speaks_above_its_threshold_only(void **state)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		const struct tune_finding *finding;
		struct tune_report *report;
		struct world w;

		world_init(&w);
		levels[i].set(&w, 0.98);
		report = judge(&w.file, NULL);
		if (find(report, levels[i].rule) != NULL)
			fail_msg("row %zu: %s speaks below its threshold", i,
			    levels[i].rule);
		tune_report_free(report);
		world_init(&w);
		levels[i].set(&w, 1.02);
		report = judge(&w.file, NULL);
		finding = find(report, levels[i].rule);
		if (finding == NULL)
			fail_msg("row %zu: %s is silent above its threshold",
			    i, levels[i].rule);
		if (levels[i].option != NULL)
			assert_string_equal(value_of(finding,
			    levels[i].option), levels[i].value);
		assert_non_null(finding->title);
		assert_non_null(finding->effect);
		assert_non_null(finding->price);
		assert_true(finding->nfigures > 0);
		assert_true(finding->nsettings > 0 ||
		    finding->change != NULL);
		tune_report_free(report);
	}
}

static void
test_every_rule_has_a_row_here(void **state)
{
	static const char *const elsewhere[] = { "idle", "misspelt",
	    "without-effect" };
	const struct tune_rule *rule;

	for (size_t i = 0; (rule = tune_rule_next(&i)) != NULL;) {
		bool there = false;

		for (size_t k = 0; k < sizeof levels / sizeof *levels; k++)
			there |= strcmp(levels[k].rule, rule->id) == 0;
		for (size_t k = 0; k < 3; k++)
			there |= strcmp(elsewhere[k], rule->id) == 0;
		if (!there)
			fail_msg("%s has no test", rule->id);
	}
}

static void
test_nothing_wrong_no_finding(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	report = judge(&w.file, NULL);
	assert_int_equal(report->n, 0);
	assert_string_equal(report->conf, "");
	assert_null(report->note);
	tune_report_free(report);
}

/* By what one costs these events took 31.8 s, in ten. */
static void
test_no_more_processors_are_spared_than_there_are(void **state)
{
	const struct tune_finding *finding;
	struct tune_report *report;
	struct world w;

	for (unsigned ncpus = 0; ncpus <= 4; ncpus += 2) {
		world_init(&w);
		purge_cost(&w, 318);
		w.file.ncpus = ncpus;		/* 0: the file does not say */
		report = judge(&w.file, NULL);
		finding = find(report, "purge");
		assert_non_null(strstr(finding->effect, ncpus == 2 ?
		    "200.0% of one processor" : "318.0% of one processor"));
		assert_true(finding->gain_cpu <= (ncpus == 2 ? 2.0 : 3.2));
		assert_int_equal(finding->confidence, ncpus == 2 ?
		    TUNE_UNSURE : TUNE_SURE);
		tune_report_free(report);
		world_init(&w);
		sleeping(&w, 318);
		w.file.ncpus = ncpus;
		report = judge(&w.file, NULL);
		finding = find(report, "arenas");
		assert_true(finding->gain_cpu <= (ncpus == 2 ? 2.0 : 3.2));
		tune_report_free(report);
	}
}

/* The same rates for a hundredth of a second are not worth a setting. */
static void
test_a_short_program_gets_no_advice(void **state)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		struct tune_report *report;
		struct world w;

		if (levels[i].set != spinning && levels[i].set != slabs &&
		    levels[i].set != slots && levels[i].set != large)
			continue;
		world_init(&w);
		levels[i].set(&w, 0.05);
		w.file.uptime_ns /= 1000;
		report = judge(&w.file, NULL);
		assert_null(find(report, levels[i].rule));
		tune_report_free(report);
	}
}

/* --- what a rule leaves to others ----------------------------------------- */

static void
test_few_threads_an_arena_need_no_more_arenas(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	spinning(&w, 5);
	set_option(&w, "narenas", "11");	/* 16 threads: 1.45 each */
	report = judge(&w.file, NULL);
	assert_null(find(report, "arenas"));
	tune_report_free(report);
}

/* 256 threads on 32 arenas: two each, as the field notes have it. */
static void
test_two_threads_an_arena_are_aimed_at(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	spinning(&w, 5);
	set_option(&w, "narenas", "32");
	w.file.merged.nthreads = 256;
	report = judge(&w.file, NULL);
	assert_string_equal(value_of(find(report, "arenas"), "narenas"),
	    "128");
	tune_report_free(report);
}

/* At exit no thread is left: as many as waited at one time, and one. */
static void
test_threads_that_left_are_guessed(void **state)
{
	struct tune_report *report;
	const struct tune_finding *finding;
	struct world w;

	world_init(&w);
	spinning(&w, 5);
	w.file.merged.nthreads = 0;
	w.mutexes[0].lock.max_num_thds = 7;
	report = judge(&w.file, NULL);
	finding = find(report, "arenas");
	assert_non_null(finding);
	assert_string_equal(value_of(finding, "narenas"), "4");
	assert_non_null(strstr(finding->title, "at least 8 threads"));
	assert_string_equal(finding->figures[0].name, "threads now");
	assert_true(finding->figures[0].value == 0);
	assert_string_equal(finding->figures[1].name,
	    "waited for one lock at a time");
	assert_true(finding->figures[1].value == 7);
	tune_report_free(report);
}

/* At five sizes, or not at bins alone, or if there are the shards already. */
static void
test_shards_are_for_a_few_sizes(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	hot_bin(&w, 1.2);
	for (size_t i = 1; i < NBINS; i++)
		w.bins[i].lock = w.bins[0].lock;
	report = judge(&w.file, NULL);
	assert_null(find(report, "hot-bins"));
	assert_non_null(find(report, "arenas"));
	tune_report_free(report);
	world_init(&w);
	hot_bin(&w, 3);
	w.mutexes[2].lock.num_spin_acq = w.bins[0].lock.num_spin_acq / 2;
	report = judge(&w.file, NULL);
	assert_null(find(report, "hot-bins"));
	assert_non_null(find(report, "arenas"));
	tune_report_free(report);
	world_init(&w);
	hot_bin(&w, 3);
	w.infos[0].nshards = 16;
	report = judge(&w.file, NULL);
	assert_null(find(report, "hot-bins"));
	assert_non_null(find(report, "arenas"));
	tune_report_free(report);
}

static void
test_arenas_of_processors_are_given_up_for_more(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	spinning(&w, 5);
	set_option(&w, "percpu_arena", "percpu");
	report = judge(&w.file, NULL);
	assert_string_equal(report->conf, "narenas:8,percpu_arena:disabled");
	tune_report_free(report);
}

static void
test_waits_that_large_blocks_cause_ask_for_no_arenas(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	one_arena(&w);
	w.lextents[1].nmalloc = 1000000;
	w.mutexes[0].lock.num_ops = 2000000;
	w.mutexes[0].lock.num_spin_acq = 500000;
	report = judge(&w.file, NULL);
	assert_non_null(find(report, "tcache-max"));
	assert_null(find(report, "arenas"));
	w.mutexes[0].lock.num_ops = 20000000;	/* others' mostly */
	tune_report_free(report);
	report = judge(&w.file, NULL);
	assert_non_null(find(report, "tcache-max"));
	assert_non_null(find(report, "arenas"));
	tune_report_free(report);
}

static void
test_a_growing_heap_is_no_churn_of_slabs(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	slabs(&w, 5);
	w.bins[1].curslabs = w.bins[1].nslabs / 2;
	report = judge(&w.file, NULL);
	assert_null(find(report, "slab-sizes"));
	tune_report_free(report);
}

static void
test_ranges_join_neighbours_and_follow_what_was_given(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	set_option(&w, "env_var", "slab_sizes:17-100:2");
	for (size_t i = 1; i < NBINS; i++)
		w.bins[i].nslabs = 1000000;
	w.bins[2].curslabs = 900000;	/* grows: not 1024 */
	report = judge(&w.file, NULL);
	assert_string_equal(value_of(find(report, "slab-sizes"),
	    "slab_sizes"), "17-100:2|512-512:16|2048-4096:16");
	w.bins[2].curslabs = w.bins[2].nslabs = 0;	/* unused */
	tune_report_free(report);
	report = judge(&w.file, NULL);
	assert_string_equal(value_of(find(report, "slab-sizes"),
	    "slab_sizes"), "17-100:2|512-4096:16");
	tune_report_free(report);
}

/* With all the slots there are it is not their number. */
static void
test_full_slots_are_not_advised(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	slots(&w, 5);
	set_option(&w, "tcache_nslots_small_max", "2048");
	report = judge(&w.file, NULL);
	assert_null(find(report, "tcache-slots"));
	set_option(&w, "tcache", "false");
	tune_report_free(report);
	report = judge(&w.file, NULL);
	assert_string_equal(value_of(find(report, "tcache-slots"), "tcache"),
	    "true");
	tune_report_free(report);
}

static void
test_a_block_above_8_mib_is_no_reason_for_tcache_max(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	w.lextents[2].nmalloc = 10000000;
	report = judge(&w.file, NULL);
	assert_null(find(report, "tcache-max"));
	tune_report_free(report);
}

/* --- MALLOC_CONF ---------------------------------------------------------- */

static void
test_the_line_keeps_what_was_given(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	set_option(&w, "env_var", "junk:free,narenas:1,nosuch:1,"
	    "muzzy_decay_ms:-7");
	set_option(&w, "junk", "free");
	set_option(&w, "muzzy_decay_ms", "0");
	spinning(&w, 5);
	report = judge(&w.file, NULL);
	assert_string_equal(report->conf, "junk:free,narenas:8");
	tune_report_free(report);
}

/* tcache_max is to rise for the blocks, and to fall for the memory. */
static void
test_the_more_severe_finding_has_the_option(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	large(&w, 4);				/* medium: 4 % */
	cached(&w, 3.5);			/* high: 7/8 */
	report = judge(&w.file, NULL);
	assert_int_equal(report->n, 2);
	assert_string_equal(report->findings[0].rule, "cached");
	assert_string_equal(report->conf, "tcache_max:32768");
	tune_report_free(report);
}

static void
test_misspelt_options_are_named(void **state)
{
	const struct tune_finding *finding;
	struct tune_report *report;
	struct world w;

	world_init(&w);
	set_option(&w, "env_var", "narena:4,slab_sizes:1-8:2,zzzzzzzz:1");
	report = judge(&w.file, NULL);
	finding = find(report, "misspelt");
	assert_non_null(finding);
	assert_string_equal(finding->change, "narena: is narenas meant?; "
	    "drop zzzzzzzz");
	assert_null(find(report, "without-effect"));
	assert_string_equal(report->conf, "");
	tune_report_free(report);
}

static void
test_only_a_near_spelling_is_suggested(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	set_option(&w, "env_var", "foo:bar");
	set_option(&w, "log", "");
	report = judge(&w.file, NULL);
	assert_string_equal(find(report, "misspelt")->change, "drop foo");
	tune_report_free(report);
}

static void
test_values_that_are_not_in_force_are_named(void **state)
{
	const struct tune_finding *finding;
	struct tune_report *report;
	struct world w;

	world_init(&w);
	set_option(&w, "global_var", "narenas:4");
	set_option(&w, "env_var", "narenas:0x10,dss:primary");
	set_option(&w, "dss", "disabled");
	report = judge(&w.file, NULL);
	finding = find(report, "without-effect");
	assert_non_null(finding);
	assert_string_equal(finding->change,
	    "dss:primary was asked for, disabled is in force");
	tune_report_free(report);
}

static void
test_an_option_that_was_empty_is_shown(void **state)
{
	struct tune_input then, now;
	struct world old, new;
	FILE *out = tmpfile();
	const char *why;
	char *text;

	world_init(&old);
	world_init(&new);
	set_option(&old, "stats_interval_opts", "");
	set_option(&new, "stats_interval_opts", "J");
	tune_input_init(&then, &old.file, NULL, &why);
	tune_input_init(&now, &new.file, NULL, &why);
	assert_non_null(out);
	tune_changes_text(&then, &now, out);
	text = file_text(out);
	assert_non_null(strstr(text, "opt.stats_interval_opts: \"\", now J\n"));
	free(text);
	fclose(out);
	tune_input_fini(&then);
	tune_input_fini(&now);
}

/* --- jemalloc ------------------------------------------------------------- */

static void
test_wrong_locks_of_jemalloc_are_said(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	w.file.is_strata = false;
	w.file.locks_unknown = true;
	report = judge(&w.file, NULL);
	assert_int_equal(report->n, 0);
	assert_non_null(strstr(report->note, "5.3.0"));
	tune_report_free(report);
}

static void
test_the_oversize_arena_of_jemalloc(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	purge_turnover(&w, 2);
	w.file.is_strata = false;
	w.file.arenas = w.arenas;
	w.file.n = NARENAS;
	w.arenas[3].nthreads = 0;
	w.arenas[3].dirty.purged = w.file.merged.dirty.purged;
	set_option(&w, "oversize_threshold", "8388608");
	report = judge(&w.file, NULL);
	assert_string_equal(report->conf, "oversize_threshold:0");
	tune_report_free(report);
}

/* Up to 5.2 it had only the logarithm; since 5.3.0 "opt" has tcache_max. */
static void
test_an_older_jemalloc_has_lg_tcache_max(void **state)
{
	struct tune_report *report;
	struct world w;

	world_init(&w);
	w.file.is_strata = false;
	set_option(&w, "lg_tcache_max", "18");
	cached(&w, 2);
	report = judge(&w.file, NULL);
	assert_string_equal(report->conf, "lg_tcache_max:15");
	tune_report_free(report);
	world_init(&w);
	w.file.is_strata = false;
	set_option(&w, "lg_tcache_max", "15");
	w.file.tcache_max = 40 << 10;
	w.file.merged.large.nmalloc = 100000000;
	report = judge(&w.file, NULL);
	assert_string_equal(value_of(find(report, "tcache-max"),
	    "lg_tcache_max"), "21");
	tune_report_free(report);
	set_option(&w, "tcache_max", "40960");
	report = judge(&w.file, NULL);
	assert_string_equal(value_of(find(report, "tcache-max"),
	    "tcache_max"), "1310720");
	tune_report_free(report);
}

/* --- two of one process --------------------------------------------------- */

static void
test_the_time_between_two_is_judged(void **state)
{
	struct tune_report *report;
	struct world then, now;

	world_init(&then);
	world_init(&now);
	now.file.uptime_ns *= 2;
	slabs(&then, 5);
	slabs(&now, 5);
	report = judge(&now.file, NULL);
	assert_non_null(find(report, "slab-sizes"));
	tune_report_free(report);
	report = judge(&now.file, &then.file);	/* all before then */
	assert_int_equal(report->n, 0);
	tune_report_free(report);
	slabs(&now, 6.5);			/* 1.5 of the threshold */
	report = judge(&now.file, &then.file);
	assert_non_null(find(report, "slab-sizes"));
	tune_report_free(report);
}

static void
test_an_idle_process_wants_a_background_thread(void **state)
{
	struct tune_report *report;
	struct world then, now;

	world_init(&then);
	world_init(&now);
	then.file.merged.dirty.npages = (200 << 20) / 4096;
	now.file.merged.dirty.npages = (100 << 20) / 4096;
	now.file.uptime_ns = then.file.uptime_ns + 14000000000;
	report = judge(&now.file, &then.file);	/* not yet due */
	assert_int_equal(report->n, 0);
	tune_report_free(report);
	now.file.uptime_ns += 2000000000;
	report = judge(&now.file, &then.file);
	assert_string_equal(report->conf, "background_thread:true");
	tune_report_free(report);
	now.file.merged.dirty.purged = 1;	/* it is at work */
	report = judge(&now.file, &then.file);
	assert_int_equal(report->n, 0);
	tune_report_free(report);
	now.file.merged.dirty.purged = 0;
	now.file.background_threads = 1;
	report = judge(&now.file, &then.file);
	assert_int_equal(report->n, 0);
	tune_report_free(report);
}

static void
test_another_process_is_told_apart(void **state)
{
	struct world then, now;

	world_init(&then);
	world_init(&now);
	now.file.uptime_ns++;
	assert_true(tune_same_process(&then.file, &now.file));
	assert_false(tune_same_process(&now.file, &then.file));
	then.file.merged.small.nrequests = 1;
	assert_false(tune_same_process(&then.file, &now.file));
	now.file.merged.small.nrequests = 1;
	now.file.pid = 7;
	assert_false(tune_same_process(&then.file, &now.file));
}

static void
test_too_little_to_judge(void **state)
{
	struct tune_input in;
	struct world w;
	const char *why;

	world_init(&w);
	w.file.has_merged = false;
	assert_int_equal(tune_input_init(&in, &w.file, NULL, &why), EINVAL);
	assert_non_null(why);
	world_init(&w);
	w.file.uptime_ns = 0;
	assert_int_equal(tune_input_init(&in, &w.file, NULL, &why), EINVAL);
	assert_non_null(why);
}

/* Whatever figures a damaged file has: an end, and no trap. */
static void
test_absurd_figures_come_to_an_end(void **state)
{
	static const char *const absurd[] = { "0", "-1e9", "1e308", "nan",
	    "", "x" };

	for (size_t i = 0; i < sizeof absurd / sizeof *absurd; i++) {
		struct world w;

		world_init(&w);
		for (size_t k = 0; k < sizeof levels / sizeof *levels; k++)
			levels[k].set(&w, 3);
		for (size_t k = 0; k < w.file.noptions; k++)
			if (strncmp(w.options[k].name, "prof", 4) != 0)
				w.options[k].value = (char *)absurd[i];
		memset(w.infos, i % 2 == 0 ? 0 : 0xff, sizeof w.infos);
		memset(w.bins, 0xff, sizeof w.bins);
		w.file.page = i % 3 == 0 ? 0 : UINT64_MAX;
		w.file.merged.nthreads = i % 2 == 0 ? 0 : UINT64_MAX;
		tune_report_free(judge(&w.file, NULL));
	}
}

/* --- the command ---------------------------------------------------------- */

static const char bad[] = "tune_bad.json", later[] = "tune_later.json";
static const char fine[] = "tune_fine.json";

struct sketch {
	unsigned seconds, narenas;
	unsigned long spins, nslabs, requests;
};

static void
write_stats(const char *path, const struct sketch *s)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, "{\"jemalloc\":{\"version\":\"0.1.0\","
	    "\"opt\":{\"env_var\":\"narenas:%u,zero:true\",\"zero\":true,"
	    "\"narenas\":%u},"
	    "\"arenas\":{\"narenas\":%u,\"dirty_decay_ms\":10000,"
	    "\"muzzy_decay_ms\":0,\"page\":4096,\"tcache_max\":262144,"
	    "\"nbins\":1,\"bin\":[{\"size\":1024,\"nregs\":4,"
	    "\"slab_size\":4096,\"nshards\":1}],\"nlextents\":1,"
	    "\"lextent\":[{\"size\":524288}]},", s->narenas, s->narenas,
	    s->narenas);
	fprintf(file, "\"stats\":{\"allocated\":2097152,\"active\":3145728,"
	    "\"resident\":4194304,\"mapped\":8388608,\"retained\":0},"
	    "\"stats.arenas\":{\"merged\":{\"nthreads\":32,"
	    "\"uptime_ns\":%u000000000,\"pdirty\":256,"
	    "\"small\":{\"nrequests\":%lu,\"nmalloc\":%lu},"
	    "\"mutexes\":{\"extents_dirty\":{\"num_ops\":%lu}},"
	    "\"bins\":[{\"nmalloc\":%lu,\"nslabs\":%lu,\"curslabs\":3,"
	    "\"curregs\":9,\"mutex\":{\"num_ops\":%lu,\"num_wait\":0,"
	    "\"num_spin_acq\":%lu,\"total_wait_time\":0}}],"
	    "\"lextents\":[{\"nmalloc\":2}]}}},"
	    "\"strata\":{\"version\":\"0.1.0\"}}\n", s->seconds, s->requests,
	    s->requests, 2 * s->nslabs, s->requests, s->nslabs,
	    s->requests / 10, s->spins);
	fclose(file);
}

static int
setup(void **state)
{
	write_stats(bad, &(struct sketch){ 10, 4, 900000, 12345678,
	    81234567 });
	write_stats(later, &(struct sketch){ 30, 4, 900001, 22345678,
	    181234567 });
	write_stats(fine, &(struct sketch){ 10, 4, 10, 1000, 81234567 });
	return 0;
}

static int
teardown(void **state)
{
	unlink(bad);
	unlink(later);
	unlink(fine);
	return 0;
}

static void
golden_tune(const char *flags, const char *files, const char *name,
    int status)
{
	struct output output;
	char line[256];

	snprintf(line, sizeof line, "%s %s", flags, files);
	output = command_run(&cmd_tune, line);
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, status);
	golden_compare(name, output.out);
	output_free(&output);
}

static void
test_golden(void **state)
{
	golden_tune("", bad, "tune", EXIT_FINDINGS);
	golden_tune("--format=json", bad, "tune,--format=json",
	    EXIT_FINDINGS);
	golden_tune("", "tune_bad.json tune_later.json", "tune,later",
	    EXIT_FINDINGS);
	golden_tune("--runs", "tune_bad.json tune_fine.json", "tune,--runs",
	    EXIT_FINE);
	golden_tune("--runs --format=json", "tune_bad.json tune_fine.json",
	    "tune,--runs,--format=json", EXIT_FINE);
	golden_tune("--rules", "", "tune,--rules", EXIT_FINE);
}

static void
test_silence_when_nothing_is_wrong(void **state)
{
	struct output output = command_run(&cmd_tune, fine);

	assert_string_equal(output.out, "");
	assert_string_equal(output.err, "");
	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
	output = command_run(&cmd_tune, "--format=json tune_fine.json");
	assert_non_null(strstr(output.out, "\"findings\": []"));
	assert_int_equal(output.status, EXIT_FINE);
	output_free(&output);
}

static void
assert_refused(const char *line, int status)
{
	struct output output = command_run(&cmd_tune, line);

	assert_int_equal(output.status, status);
	assert_string_equal(output.out, "");
	assert_true(strlen(output.err) > 0);
	output_free(&output);
}

static void
test_wrong_use_and_bad_input(void **state)
{
	assert_refused("", EXIT_USAGE);
	assert_refused("--interval=1s tune_bad.json", EXIT_USAGE);
	assert_refused("--interval=x 1", EXIT_USAGE);
	assert_refused("--interval=0 1", EXIT_USAGE);
	assert_refused("a b c", EXIT_USAGE);
	assert_refused("no_such_file.json", EXIT_INPUT);
	assert_refused("tune_bad.json no_such_file.json", EXIT_INPUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_each_rule_speaks_above_its_threshold_only),
		cmocka_unit_test(test_every_rule_has_a_row_here),
		cmocka_unit_test(test_nothing_wrong_no_finding),
		cmocka_unit_test(
		    test_no_more_processors_are_spared_than_there_are),
		cmocka_unit_test(test_a_short_program_gets_no_advice),
		cmocka_unit_test(
		    test_few_threads_an_arena_need_no_more_arenas),
		cmocka_unit_test(test_two_threads_an_arena_are_aimed_at),
		cmocka_unit_test(test_threads_that_left_are_guessed),
		cmocka_unit_test(test_shards_are_for_a_few_sizes),
		cmocka_unit_test(
		    test_arenas_of_processors_are_given_up_for_more),
		cmocka_unit_test(
		    test_waits_that_large_blocks_cause_ask_for_no_arenas),
		cmocka_unit_test(test_a_growing_heap_is_no_churn_of_slabs),
		cmocka_unit_test(
		    test_ranges_join_neighbours_and_follow_what_was_given),
		cmocka_unit_test(test_full_slots_are_not_advised),
		cmocka_unit_test(
		    test_a_block_above_8_mib_is_no_reason_for_tcache_max),
		cmocka_unit_test(test_the_line_keeps_what_was_given),
		cmocka_unit_test(
		    test_the_more_severe_finding_has_the_option),
		cmocka_unit_test(test_misspelt_options_are_named),
		cmocka_unit_test(test_only_a_near_spelling_is_suggested),
		cmocka_unit_test(test_an_option_that_was_empty_is_shown),
		cmocka_unit_test(
		    test_values_that_are_not_in_force_are_named),
		cmocka_unit_test(test_wrong_locks_of_jemalloc_are_said),
		cmocka_unit_test(test_the_oversize_arena_of_jemalloc),
		cmocka_unit_test(test_an_older_jemalloc_has_lg_tcache_max),
		cmocka_unit_test(test_the_time_between_two_is_judged),
		cmocka_unit_test(
		    test_an_idle_process_wants_a_background_thread),
		cmocka_unit_test(test_another_process_is_told_apart),
		cmocka_unit_test(test_too_little_to_judge),
		cmocka_unit_test(test_absurd_figures_come_to_an_end),
		cmocka_unit_test_setup_teardown(test_golden, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    test_silence_when_nothing_is_wrong, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_wrong_use_and_bad_input, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
