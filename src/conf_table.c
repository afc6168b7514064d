/*
 * conf_table.c - every option of MALLOC_CONF.
 *
 * First those that Strata honours, then those of jemalloc for whose mechanism
 * it has another one or none: they are accepted, so that an existing
 * MALLOC_CONF runs unchanged, and confirm_conf says so. strata.conf(5)
 * documents each; a test compares the two lists.
 */
#include <limits.h>
#include <stdint.h>

#include "bin.h"
#include "conf.h"
#include "decay.h"
#include "options.h"
#include "pool.h"
#include "util.h"

#define LIMITS(min, max)	(uint64_t)(min), (uint64_t)(max)
#define ANY			LIMITS(0, UINT64_MAX)
#define ANY_SIGNED		LIMITS(-1, INT64_MAX)

/* jemalloc cuts the slots of a cache's bin down to this without a word. */
enum { NSLOTS_MAX = 2048 };

/* The prof options; prof_boot copies them. */
struct prof_options conf_prof = {
	.active = true,
	.thread_active_init = true,
	.unbias = true,
	.lg_sample = 19,
	.bt_max = 128,
	.lg_interval = -1,
	.signal = -1,
	.max_memory = SIZE_MAX,
	.format = PROF_FORMAT_PPROF,
	.unwind = PROF_UNWIND_LIBUNWIND,
	.prefix = "strata",
};

const char *const conf_words_dss[] = {
	"disabled", "primary", "secondary", NULL
};
static const char *const words_thp[] = { "default", "always", "never", NULL };
static const char *const words_metadata_thp[] = {
	"disabled", "auto", "always", NULL
};
static const char *const words_percpu[] = {
	"disabled", "percpu", "phycpu", NULL
};
static const char *const words_zero_realloc[] = {
	"alloc", "free", "abort", NULL
};
static const char *const words_junk[] = {
	"false", "alloc", "free", "true", NULL
};
static const char *const words_format[] = {
	"pprof", "heap_v2", "both", NULL
};
static const char *const words_unwind[] = {
	"libunwind", "dwarf", "fp", "unw_step", NULL
};
static const char *const words_hugify[] = {
	"auto", "none", "eager", "lazy", NULL
};
static const char *const words_resolution[] = { "default", "high", NULL };

#define BOOL(name, where) \
	{ name, CONF_BOOL, where, 0, 1, false, NULL, NULL }
#define NUMBER(name, type, where, limits, clip) \
	{ name, type, where, limits, clip, NULL, NULL }
#define WORD(name, where, words, first) \
	{ name, CONF_WORD, where, first, 0, false, words, NULL }
#define TEXT(name, type, where, size) \
	{ name, type, where, 0, size, false, NULL, NULL }
#define SPECIAL(name, type, where) \
	{ name, type, where, ANY, false, NULL, NULL }
#define RANGES(name, where, limits) \
	{ name, CONF_RANGES, where, limits, false, NULL, NULL }
/* Accepted only: a type to check the value against, and what opt.* says. */
#define IDLE(name, type, fixed) \
	{ name, type, NULL, ANY, false, NULL, fixed }
#define IDLE_SIGNED(name, type, fixed) \
	{ name, type, NULL, ANY_SIGNED, false, NULL, fixed }
#define IDLE_WORD(name, words, fixed) \
	{ name, CONF_WORD, NULL, ANY, false, words, fixed }

const struct conf_option conf_options[] = {
	/* errors and checks */
	BOOL("abort", &opt.abort),
	BOOL("abort_conf", &opt.abort_conf),
	BOOL("confirm_conf", &opt.confirm_conf),
	BOOL("xmalloc", &opt.xmalloc),
	BOOL("experimental_infallible_new", &opt.experimental_infallible_new),
	BOOL("check_invalid_free", &opt.check_invalid_free),
	BOOL("check_double_free", &opt.check_double_free),
	BOOL("check_sized_free", &opt.check_sized_free),
	SPECIAL("safety_checks", CONF_CHECKS, &opt),
	NUMBER("debug_double_free_max_scan", CONF_UNSIGNED,
	    &opt.debug_double_free_max_scan, LIMITS(0, UINT_MAX), false),

	/* arenas */
	NUMBER("narenas", CONF_NARENAS, &opt.narenas, LIMITS(1, UINT_MAX),
	    true),	/* cut down with a word, by narenas_boot */
	NUMBER("narenas_ratio", CONF_FXP, &opt.narenas_ratio, ANY, false),
	BOOL("cache_oblivious", &opt.cache_oblivious),
	WORD("percpu_arena", &opt.percpu_arena, words_percpu,
	    PERCPU_DISABLED),
	NUMBER("default_pool", CONF_UNSIGNED, &opt.default_pool,
	    LIMITS(0, POOL_ARENAS_MAX), false),
	NUMBER("pool_rest_ms", CONF_SSIZE, &opt.pool_rest_ms,
	    LIMITS(-1, DECAY_MS_MAX), false),
	NUMBER("oversize_threshold", CONF_SIZE, &opt.oversize_threshold,
	    LIMITS(0, SC_LARGE_MAX), false),
	RANGES("bin_shards", &opt.bin_shards, LIMITS(1, BIN_SHARDS_MAX)),
	RANGES("slab_sizes", &opt.slab_sizes, ANY),

	/* memory from the system */
	BOOL("trust_madvise", &opt.trust_madvise),
	BOOL("retain", &opt.retain),
	WORD("dss", &opt.dss, conf_words_dss, DSS_DISABLED),
	WORD("thp", &opt.thp, words_thp, THP_DEFAULT),
	WORD("metadata_thp", &opt.metadata_thp, words_metadata_thp,
	    BASE_THP_DISABLED),
	NUMBER("dirty_decay_ms", CONF_SSIZE, &opt.dirty_decay_ms,
	    LIMITS(-1, DECAY_MS_MAX), false),
	NUMBER("muzzy_decay_ms", CONF_SSIZE, &opt.muzzy_decay_ms,
	    LIMITS(-1, DECAY_MS_MAX), false),
	NUMBER("lg_extent_max_active_fit", CONF_SIZE,
	    &opt.lg_extent_max_active_fit, LIMITS(0, 64), false),
	BOOL("background_thread", &opt.background_thread),
	NUMBER("max_background_threads", CONF_SIZE,
	    &opt.max_background_threads, LIMITS(1, 4096), true),
	NUMBER("debug_page_size", CONF_SIZE, &opt.debug_page_size,
	    LIMITS(0, 64 << 10), false),

	/* locks */
	NUMBER("mutex_max_spin", CONF_I64, &opt.mutex_max_spin,
	    LIMITS(-1, INT64_MAX), false),

	/* thread caches */
	BOOL("tcache", &opt.tcache),
	NUMBER("tcache_max", CONF_SIZE, &opt.tcache_max,
	    LIMITS(0, 8 << 20), true),
	NUMBER("lg_tcache_max", CONF_LG_SIZE, &opt.tcache_max,
	    LIMITS(0, 23), true),
	NUMBER("tcache_nslots_small_min", CONF_UNSIGNED,
	    &opt.tcache_nslots_small_min, LIMITS(1, NSLOTS_MAX), true),
	NUMBER("tcache_nslots_small_max", CONF_UNSIGNED,
	    &opt.tcache_nslots_small_max, LIMITS(1, NSLOTS_MAX), true),
	NUMBER("tcache_nslots_large", CONF_UNSIGNED,
	    &opt.tcache_nslots_large, LIMITS(1, NSLOTS_MAX), true),
	NUMBER("lg_tcache_nslots_mul", CONF_SSIZE,
	    &opt.lg_tcache_nslots_mul, LIMITS(-16, 16), false),
	RANGES("tcache_ncached_max", &opt.tcache_ncached_max, ANY),
	NUMBER("tcache_gc_incr_bytes", CONF_SIZE, &opt.tcache_gc_incr_bytes,
	    LIMITS(1024, UINT64_MAX), true),
	NUMBER("lg_tcache_flush_small_div", CONF_UNSIGNED,
	    &opt.lg_tcache_flush_small_div, LIMITS(1, 16), true),
	NUMBER("lg_tcache_flush_large_div", CONF_UNSIGNED,
	    &opt.lg_tcache_flush_large_div, LIMITS(1, 16), true),

	/* contents */
	{ "junk", CONF_JUNK, &opt, 0, 0, false, words_junk, NULL },
	BOOL("zero", &opt.zero),
	WORD("zero_realloc", &opt.zero_realloc, words_zero_realloc, 0),

	/* statistics */
	BOOL("stats_print", &opt.stats_print),
	TEXT("stats_print_opts", CONF_LETTERS, opt.stats_print_opts,
	    OPTION_LETTERS_MAX),
	NUMBER("stats_interval", CONF_I64, &opt.stats_interval,
	    LIMITS(-1, INT64_MAX), false),
	TEXT("stats_interval_opts", CONF_LETTERS, opt.stats_interval_opts,
	    OPTION_LETTERS_MAX),

	/* the profiler: jemalloc's names */
	BOOL("prof", &conf_prof.prof),
	TEXT("prof_prefix", CONF_STRING, conf_prof.prefix, PROF_PREFIX_MAX),
	BOOL("prof_active", &conf_prof.active),
	BOOL("prof_thread_active_init", &conf_prof.thread_active_init),
	NUMBER("lg_prof_sample", CONF_LG_UNSIGNED, &conf_prof.lg_sample,
	    LIMITS(0, 63), true),
	BOOL("prof_accum", &conf_prof.accum),
	BOOL("prof_unbias", &conf_prof.unbias),
	NUMBER("prof_bt_max", CONF_UNSIGNED, &conf_prof.bt_max,
	    LIMITS(1, 1024), true),
	NUMBER("lg_prof_interval", CONF_INT, &conf_prof.lg_interval,
	    LIMITS(-1, 63), false),
	BOOL("prof_gdump", &conf_prof.gdump),
	BOOL("prof_final", &conf_prof.final),
	BOOL("prof_leak", &conf_prof.leak),
	BOOL("prof_leak_error", &conf_prof.leak_error),
	BOOL("prof_pid_namespace", &conf_prof.pid_namespace),
	BOOL("prof_stats", &conf_prof.stats),
	BOOL("prof_log", &conf_prof.log),
	NUMBER("prof_recent_alloc_max", CONF_SSIZE,
	    &conf_prof.recent_alloc_max, LIMITS(-1, INT64_MAX), false),
	BOOL("prof_sys_thread_name", &conf_prof.sys_thread_name),
	WORD("prof_time_resolution", &conf_prof.time_resolution,
	    words_resolution, PROF_TIME_DEFAULT),

	/* the profiler: Strata's own */
	SPECIAL("prof_signal", CONF_SIGNAL, &conf_prof.signal),
	NUMBER("prof_interval_ms", CONF_U64, &conf_prof.interval_ms,
	    LIMITS(0, PROF_INTERVAL_MS_MAX), false),
	WORD("prof_format", &conf_prof.format, words_format,
	    PROF_FORMAT_PPROF),
	WORD("prof_unwind", &conf_prof.unwind, words_unwind,
	    PROF_UNWIND_LIBUNWIND),
	NUMBER("prof_max_memory", CONF_SIZE, &conf_prof.max_memory,
	    LIMITS(1 << 20, UINT64_MAX), true),
	NUMBER("prof_dump_max", CONF_UNSIGNED, &conf_prof.dump_max,
	    LIMITS(0, UINT_MAX), false),
	BOOL("prof_free_stacks", &conf_prof.free_stacks),
	NUMBER("prof_seed", CONF_U64, &conf_prof.seed, ANY, false),

	/* accepted without effect */
	IDLE("process_madvise_max_batch", CONF_SIZE, "0"),
	IDLE("calloc_madvise_threshold", CONF_SIZE, "8388608"),
	IDLE("tcache_gc_delay_bytes", CONF_SIZE, "0"),
	IDLE("disable_large_size_classes", CONF_BOOL, "false"),
	IDLE("huge_arena_pac_thp", CONF_BOOL, "false"),
	IDLE("experimental_tcache_gc", CONF_BOOL, "false"),
	IDLE("utrace", CONF_BOOL, "false"),
	IDLE("log", CONF_STRING, ""),
	IDLE_SIGNED("lg_san_uaf_align", CONF_SSIZE, "-1"),
	IDLE("san_guard_small", CONF_SIZE, "0"),
	IDLE("san_guard_large", CONF_SIZE, "0"),
	IDLE("hpa", CONF_BOOL, "false"),
	IDLE("hpa_slab_max_alloc", CONF_SIZE, "65536"),
	IDLE("hpa_hugification_threshold", CONF_SIZE, "1992294"),
	IDLE("hpa_hugification_threshold_ratio", CONF_FXP, "0.95"),
	IDLE("hpa_hugify_delay_ms", CONF_U64, "10000"),
	IDLE("hpa_hugify_sync", CONF_BOOL, "false"),
	IDLE_WORD("hpa_hugify_style", words_hugify, "lazy"),
	IDLE_SIGNED("hpa_dirty_mult", CONF_FXP, "0.25"),
	IDLE("hpa_purge_threshold", CONF_SIZE, "4096"),
	IDLE("hpa_purge_threshold_ratio", CONF_FXP, "0.0"),
	IDLE("hpa_min_purge_interval_ms", CONF_U64, "5000"),
	IDLE("hpa_min_purge_delay_ms", CONF_U64, "0"),
	IDLE("hpa_sec_nshards", CONF_SIZE, "2"),
	IDLE("hpa_sec_max_alloc", CONF_SIZE, "32768"),
	IDLE("hpa_sec_max_bytes", CONF_SIZE, "262144"),
	IDLE("hpa_sec_bytes_after_flush", CONF_SIZE, "0"),
	IDLE("hpa_sec_batch_fill_extra", CONF_SIZE, "0"),
	IDLE_SIGNED("experimental_hpa_max_purge_nhp", CONF_SSIZE, "-1"),
	IDLE("experimental_hpa_start_huge_if_thp_always", CONF_BOOL, "true"),
	IDLE("experimental_hpa_enforce_hugify", CONF_BOOL, "false"),
	{ 0 }
};
