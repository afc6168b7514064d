/*
 * conf_test.c - MALLOC_CONF's grammar, values, bounds and messages.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "conf.h"
#include "env.h"
#include "narenas.h"
#include "options.h"
#include "os.h"
#include "names.h"

static char said[8192];			/* all messages since the last parse */
static struct alloc_options first_opt;
static struct prof_options first_prof;

static void
note(void *opaque, const char *text)
{
	size_t used = strlen(said);

	assert_true(used + strlen(text) < sizeof said);
	strcpy(said + used, text);
}

/* Parses text with defaults restored; said holds what it cost. */
static void
parse(const char *text)
{
	opt = first_opt;
	conf_prof = first_prof;
	said[0] = '\0';
	conf_parse(CONF_ENV, text);
}

static void
expect(const char *text, const char *message)
{
	parse(text);
	if (strcmp(said, message) != 0)
		fail_msg("%s: said \"%s\", not \"%s\"", text, said, message);
}

static void
test_numbers_have_three_bases(void **state)
{
	expect("dirty_decay_ms:100,muzzy_decay_ms:0x10,narenas:010", "");
	assert_int_equal(opt.dirty_decay_ms, 100);
	assert_int_equal(opt.muzzy_decay_ms, 16);
	assert_int_equal(opt.narenas, 8);
	expect("dirty_decay_ms:-1,narenas:default", "");
	assert_int_equal(opt.dirty_decay_ms, -1);
	assert_int_equal(opt.narenas, 0);
}

static void
test_later_pair_wins(void **state)
{
	expect("junk:true,junk:alloc,zero:true,zero:false", "");
	assert_true(opt.junk_alloc);
	assert_false(opt.junk_free);
	assert_false(opt.zero);
}

static void
test_unknown_pair(void **state)
{
	expect("nonsense:1,zero:true",
	    "<strata>: Invalid conf pair: nonsense:1\n");
	assert_true(opt.zero);		/* the rest is read all the same */
}

static void
test_bad_values(void **state)
{
	expect("zero:maybe", "<strata>: Invalid conf value: zero:maybe\n");
	expect("zero:", "<strata>: Invalid conf value: zero:\n");
	expect("dirty_decay_ms:1x",
	    "<strata>: Invalid conf value: dirty_decay_ms:1x\n");
	expect("narenas:99999999999999999999",
	    "<strata>: Invalid conf value: narenas:99999999999999999999\n");
	expect("zero_realloc:maybe",
	    "<strata>: Invalid conf value: zero_realloc:maybe\n");
	assert_int_equal(opt.zero_realloc, first_opt.zero_realloc);
	/* also of options that have no effect */
	expect("dss:tertiary",
	    "<strata>: Invalid conf value: dss:tertiary\n");
	expect("bin_shards:1-64:65", "<strata>: Invalid settings for "
	    "bin_shards: bin_shards:1-64:65\n");
	expect("bin_shards:1-64:4|65-128:0", "<strata>: Invalid settings for "
	    "bin_shards: bin_shards:1-64:4|65-128:0\n");
	assert_int_equal(opt.bin_shards.count, 0);
	expect("bin_shards:1-2-3", "<strata>: Invalid settings for "
	    "bin_shards: bin_shards:1-2-3\n");
}

/* What the options say of arenas, settled. */
static void
settle(const char *text)
{
	parse(text);
	narenas_boot();
}

static void
test_arenas_are_counted_as_jemalloc_counts(void **state)
{
	unsigned ncpus = os_ncpus();

	settle("narenas:default,narenas_ratio:2.75");
	assert_int_equal(opt.narenas, ncpus == 1 ? 1 : (11 * ncpus + 2) / 4);
	settle("narenas:default,narenas_ratio:0.001");
	assert_int_equal(opt.narenas, 1);
	settle("narenas:4094");
	assert_string_equal(said, "");
	assert_int_equal(opt.narenas, 4094);
	settle("narenas:4095");
	assert_string_equal(said,
	    "<strata>: Reducing narenas to limit (4094)\n");
	assert_int_equal(opt.narenas, 4094);
	settle("narenas:4094,oversize_threshold:1048576");
	assert_string_equal(said,
	    "<strata>: Reducing narenas to limit (4093)\n");
	assert_int_equal(opt.narenas, 4093);
}

static void
test_cpus_need_their_arenas(void **state)
{
	unsigned ncpus = os_ncpus(), half = (ncpus + 1) / 2;

	settle("percpu_arena:percpu,narenas:1");
	assert_string_equal(said, "");
	assert_int_equal(opt.narenas, ncpus);
	assert_int_equal(opt.percpu_arena, PERCPU_CPU);
	settle("percpu_arena:percpu,narenas:3000");
	assert_int_equal(opt.narenas, 3000);
	settle("percpu_arena:phycpu,narenas:1");
	assert_int_equal(opt.narenas, half);
	assert_int_equal(arena_cpus.half >= half, 1);
	if (ncpus % 2 == 0)
		assert_string_equal(said, "");
	else
		assert_non_null(strstr(said, "odd number"));
	settle("percpu_arena:disabled,narenas:1");
	assert_int_equal(opt.narenas, 1);
	assert_int_equal(arena_cpus.count, 0);
}

static void
test_oversize_threshold_is_a_large_size(void **state)
{
	settle("oversize_threshold:16384");
	assert_int_equal(opt.oversize_threshold, 16384);
	settle("oversize_threshold:16383");
	assert_int_equal(opt.oversize_threshold, 0);
	settle("oversize_threshold:8070450532247928832");
	assert_int_equal(opt.oversize_threshold, (size_t)7 << 60);
	expect("oversize_threshold:8070450532247928833",
	    "<strata>: Out-of-range conf value: "
	    "oversize_threshold:8070450532247928833\n");
}

static void
test_bounds(void **state)
{
	expect("dirty_decay_ms:-2",
	    "<strata>: Out-of-range conf value: dirty_decay_ms:-2\n");
	expect("narenas:0", "<strata>: Out-of-range conf value: narenas:0\n");
	/* this is cut down to the nearest, without a word */
	expect("tcache_max:999999999999", "");
	assert_int_equal(opt.tcache_max, 8 << 20);
}

static void
test_bounds_of_the_profiler(void **state)
{
	if (!CONFIG_PROF)
		skip();
	expect("lg_prof_interval:64",
	    "<strata>: Out-of-range conf value: lg_prof_interval:64\n");
	assert_int_equal(conf_prof.lg_interval, -1);
	expect("lg_prof_sample:200", "");	/* cut down, too */
	assert_int_equal(conf_prof.lg_sample, 63);
	/* as nanoseconds it would be a multiple of 2^64 */
	expect("prof_interval_ms:288230376151711744", "<strata>: Out-of-range "
	    "conf value: prof_interval_ms:288230376151711744\n");
	assert_int_equal(conf_prof.interval_ms, 0);
	expect("prof_interval_ms:9223372036854", "");
	assert_true(conf_prof.interval_ms == 9223372036854);
}

/* As misspelt ones; what a library built without it does. */
static void
test_without_the_profiler_its_options_are_unknown(void **state)
{
	if (CONFIG_PROF)
		skip();
	expect("prof:true,zero:true,lg_prof_sample:0",
	    "<strata>: Invalid conf pair: prof:true\n"
	    "<strata>: Invalid conf pair: lg_prof_sample:0\n");
	assert_true(opt.zero);
	assert_false(conf_prof.prof);
}

/* jemalloc reads numbers as strtoumax does. */
static void
test_numbers_have_signs_and_blanks(void **state)
{
	expect("dirty_decay_ms:+7,narenas: 3", "");
	assert_int_equal(opt.dirty_decay_ms, 7);
	assert_int_equal(opt.narenas, 3);
	expect("dirty_decay_ms:18446744073709551615", "");
	assert_int_equal(opt.dirty_decay_ms, -1);
	expect("tcache_gc_incr_bytes:-3", "");
	assert_true(opt.tcache_gc_incr_bytes == SIZE_MAX - 2);
	expect("narenas:-0", "<strata>: Out-of-range conf value: narenas:-0\n");
	expect("narenas:00", "<strata>: Out-of-range conf value: narenas:00\n");
	expect("narenas:-,narenas:0x,narenas:1 ",
	    "<strata>: Invalid conf value: narenas:-\n"
	    "<strata>: Invalid conf value: narenas:0x\n"
	    "<strata>: Invalid conf value: narenas:1 \n");
}

static void
test_fractions(void **state)
{
	expect("narenas_ratio:65535.5", "");
	assert_int_equal(opt.narenas_ratio, 0xffff8000);
	expect("narenas_ratio:.25", "");
	assert_int_equal(opt.narenas_ratio, 0x4000);
	expect("narenas_ratio:65536", "<strata>: Invalid conf value: "
	    "narenas_ratio:65536\n");
	expect("narenas_ratio:5.", "<strata>: Invalid conf value: "
	    "narenas_ratio:5.\n");
}

/* The bounds that jemalloc has, on both sides. */
static void
test_bounds_of_caches_and_decay(void **state)
{
	expect("tcache_nslots_small_max:2049,tcache_nslots_large:0,"
	    "lg_tcache_flush_small_div:17,lg_tcache_flush_large_div:0", "");
	assert_int_equal(opt.tcache_nslots_small_max, 2048);
	assert_int_equal(opt.tcache_nslots_large, 1);
	assert_int_equal(opt.lg_tcache_flush_small_div, 16);
	assert_int_equal(opt.lg_tcache_flush_large_div, 1);
	expect("dirty_decay_ms:18446744072000", "");
	assert_true(opt.dirty_decay_ms == 18446744072000);
	expect("muzzy_decay_ms:18446744072001", "<strata>: Out-of-range conf "
	    "value: muzzy_decay_ms:18446744072001\n");
}

static void
test_malformed_text(void **state)
{
	expect("zero", "<strata>: Conf string ends with key\n");
	expect("zero:true,", "<strata>: Conf string ends with comma\n");
	assert_true(opt.zero);
	expect("zero:true,,tcache:false",
	    "<strata>: Malformed conf string\n");
	assert_true(opt.zero);
	assert_true(opt.tcache);
	expect("ze ro:true", "<strata>: Malformed conf string\n");
	expect("", "");
}

static void
test_ranges(void **state)
{
	expect("slab_sizes:17-100:1|128-128:2", "");
	assert_int_equal(opt.slab_sizes.count, 2);
	assert_int_equal(opt.slab_sizes.range[0].lo, 17);
	assert_int_equal(opt.slab_sizes.range[0].hi, 100);
	assert_int_equal(opt.slab_sizes.range[1].value, 2);
	expect("slab_sizes:17-100:1|", "");
	assert_int_equal(opt.slab_sizes.count, 1);
	expect("slab_sizes:17-100", "<strata>: Invalid settings for "
	    "slab_sizes: slab_sizes:17-100\n");
	expect("slab_sizes:100-17:1", "<strata>: Invalid settings for "
	    "slab_sizes: slab_sizes:100-17:1\n");
	assert_int_equal(opt.slab_sizes.count, 0);
}

static void
test_signals(void **state)
{
	if (!CONFIG_PROF)
		skip();
	expect("prof_signal:SIGUSR1", "");
	assert_int_equal(conf_prof.signal, SIGUSR1);
	expect("prof_signal:HUP", "");
	assert_int_equal(conf_prof.signal, SIGHUP);
	expect("prof_signal:none", "");
	assert_int_equal(conf_prof.signal, 0);
	expect("prof_signal:RTMIN+2", "");
	assert_int_equal(conf_prof.signal, SIGRTMIN + 2);
	expect("prof_signal:9",
	    "<strata>: Out-of-range conf value: prof_signal:9\n");
	expect("prof_signal:BOGUS",
	    "<strata>: Invalid conf value: prof_signal:BOGUS\n");
}

static void
test_words_and_texts(void **state)
{
	expect("thp:never,stats_print_opts:gJgq", "");
	assert_string_equal(conf_word(conf_find("thp", 3)), "never");
	assert_string_equal(opt.stats_print_opts, "gJ");
}

static void
test_words_and_texts_of_the_profiler(void **state)
{
	if (!CONFIG_PROF)
		skip();
	expect("prof_format:both,prof_unwind:fp,prof_prefix:/a/b", "");
	assert_int_equal(conf_prof.format, PROF_FORMAT_BOTH);
	assert_int_equal(conf_prof.unwind, PROF_UNWIND_FP);
	assert_string_equal(conf_prof.prefix, "/a/b");
}

static void
test_leaks_alone_write_nothing_in_between(void **state)
{
	if (!CONFIG_PROF)
		skip();
	expect("prof_leak:true,prof_interval_ms:100,lg_prof_interval:20,"
	    "prof_gdump:true", "");
	conf_imply();
	assert_true(conf_prof.prof && conf_prof.leak);
	assert_false(conf_prof.gdump);
	assert_int_equal(conf_prof.lg_interval, -1);
	assert_int_equal(conf_prof.interval_ms, 0);
	expect("prof:true,prof_leak:true,prof_interval_ms:100", "");
	conf_imply();
	assert_int_equal(conf_prof.interval_ms, 100);
}

static void
test_checks_are_set_together(void **state)
{
	expect("safety_checks:true,check_sized_free:false", "");
	assert_true(opt.check_invalid_free);
	assert_true(opt.check_double_free);
	assert_false(opt.check_sized_free);
}

static void
test_confirm_tells_what_has_no_effect(void **state)
{
	expect("zero:true,confirm_conf:true,hpa:true,tcache:false",
	    "<strata>: -- Set conf value: confirm_conf:true\n"
	    "<strata>: -- Set conf value: hpa:true (no effect)\n"
	    "<strata>: -- Set conf value: tcache:false\n");
}

static void
test_the_default_pool_has_at_most_64_arenas(void **state)
{
	settle("default_pool:64");
	assert_int_equal(opt.default_pool, 64);
	settle("default_pool:0");
	assert_int_equal(opt.default_pool, 0);
	expect("default_pool:65",
	    "<strata>: Out-of-range conf value: default_pool:65\n");
	expect("default_pool:true",
	    "<strata>: Invalid conf value: default_pool:true\n");
}

/* Every option that jemalloc has; those of the profiler where it is. */
static void
test_all_jemalloc_options_are_known(void **state)
{
	static const char *const names[] = {
		"abort", "abort_conf", "confirm_conf", "cache_oblivious",
		"trust_madvise", "metadata_thp", "retain", "dss", "narenas",
		"narenas_ratio", "bin_shards", "slab_sizes", "percpu_arena",
		"oversize_threshold", "mutex_max_spin", "background_thread",
		"max_background_threads", "dirty_decay_ms",
		"muzzy_decay_ms", "lg_extent_max_active_fit",
		"process_madvise_max_batch", "thp", "huge_arena_pac_thp",
		"tcache", "tcache_max", "lg_tcache_max",
		"tcache_ncached_max", "tcache_nslots_small_min",
		"tcache_nslots_small_max", "tcache_nslots_large",
		"lg_tcache_nslots_mul", "tcache_gc_incr_bytes",
		"tcache_gc_delay_bytes", "lg_tcache_flush_small_div",
		"lg_tcache_flush_large_div", "experimental_tcache_gc",
		"calloc_madvise_threshold", "debug_double_free_max_scan",
		"disable_large_size_classes", "junk", "zero",
		"zero_realloc", "utrace", "xmalloc",
		"experimental_infallible_new", "stats_print",
		"stats_print_opts", "stats_interval", "stats_interval_opts",
		"log", "lg_san_uaf_align", "san_guard_small",
		"san_guard_large", "hpa", "hpa_slab_max_alloc",
		"hpa_hugification_threshold",
		"hpa_hugification_threshold_ratio", "hpa_hugify_delay_ms",
		"hpa_hugify_sync", "hpa_hugify_style", "hpa_dirty_mult",
		"hpa_purge_threshold", "hpa_purge_threshold_ratio",
		"hpa_min_purge_interval_ms", "hpa_min_purge_delay_ms",
		"hpa_sec_nshards", "hpa_sec_max_alloc", "hpa_sec_max_bytes",
		"hpa_sec_bytes_after_flush", "hpa_sec_batch_fill_extra",
		"experimental_hpa_max_purge_nhp",
		"experimental_hpa_start_huge_if_thp_always",
		"experimental_hpa_enforce_hugify",
	};
	static const char *const of_prof[] = { "prof", "prof_prefix",
		"prof_active", "prof_thread_active_init", "lg_prof_sample",
		"prof_accum", "prof_bt_max", "lg_prof_interval",
		"prof_gdump", "prof_final", "prof_leak", "prof_leak_error",
		"prof_pid_namespace", "prof_log", "prof_recent_alloc_max",
		"prof_stats", "prof_sys_thread_name",
		"prof_time_resolution", "prof_unbias",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (conf_find(names[i], strlen(names[i])) == NULL)
			fail_msg("option %s is unknown", names[i]);
	for (size_t i = 0; i < sizeof of_prof / sizeof *of_prof; i++)
		if ((conf_find(of_prof[i], strlen(of_prof[i])) != NULL) !=
		    CONFIG_PROF)
			fail_msg("option %s", of_prof[i]);
}

/* Each row accepts its own default; no name comes twice. */
static void
test_table_is_sound(void **state)
{
	const struct conf_option *o, *p;

	for (o = conf_options; o->name != NULL; o++) {
		char pair[128];

		for (p = o + 1; p->name != NULL; p++)
			assert_string_not_equal(o->name, p->name);
		if (o->where != NULL || o->type == CONF_RANGES)
			continue;
		snprintf(pair, sizeof pair, "%s:%s", o->name, o->fixed);
		expect(pair, "");
	}
}

static void
test_text_is_kept(void **state)
{
	parse("zero:true");
	assert_string_equal(conf_text(CONF_ENV), "zero:true");
	assert_string_equal(conf_text(CONF_SYMBOL), "");
}

static void
test_children_lose_the_library(void **state)
{
	char a[] = "A=1", gone[] = "STRATA_NO_CHILDREN=1";
	char list[] = "LD_PRELOAD=/x/a.so:/y/libstrata.so.1 /z/b.so";
	char only[] = "LD_PRELOAD=/y/libstrata.so.1", b[] = "B=2";
	char *several[] = { a, gone, list, b, NULL };
	char *one[] = { gone, only, b, NULL };
	char *none[] = { only, b, NULL };

	env_leave_children_in(several);
	assert_string_equal(several[0], "A=1");
	assert_string_equal(several[1], "LD_PRELOAD=/x/a.so:/z/b.so");
	assert_string_equal(several[2], "B=2");
	assert_null(several[3]);
	env_leave_children_in(none);	/* it was not asked for */
	assert_string_equal(none[0], "LD_PRELOAD=/y/libstrata.so.1");
	env_leave_children_in(one);
	assert_string_equal(one[0], "B=2");
	assert_null(one[1]);
}

static int
setup(void **state)
{
	first_opt = opt;
	first_prof = conf_prof;
	malloc_message = note;
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers_have_three_bases),
		cmocka_unit_test(test_later_pair_wins),
		cmocka_unit_test(test_unknown_pair),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_arenas_are_counted_as_jemalloc_counts),
		cmocka_unit_test(test_cpus_need_their_arenas),
		cmocka_unit_test(test_oversize_threshold_is_a_large_size),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bounds_of_the_profiler),
		cmocka_unit_test(
		    test_without_the_profiler_its_options_are_unknown),
		cmocka_unit_test(test_numbers_have_signs_and_blanks),
		cmocka_unit_test(test_fractions),
		cmocka_unit_test(test_bounds_of_caches_and_decay),
		cmocka_unit_test(test_malformed_text),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_words_and_texts),
		cmocka_unit_test(test_words_and_texts_of_the_profiler),
		cmocka_unit_test(test_leaks_alone_write_nothing_in_between),
		cmocka_unit_test(test_checks_are_set_together),
		cmocka_unit_test(test_confirm_tells_what_has_no_effect),
		cmocka_unit_test(test_the_default_pool_has_at_most_64_arenas),
		cmocka_unit_test(test_all_jemalloc_options_are_known),
		cmocka_unit_test(test_table_is_sound),
		cmocka_unit_test(test_text_is_kept),
		cmocka_unit_test(test_children_lose_the_library),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
