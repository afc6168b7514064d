/*
 * tune.h - what the allocator's statistics say about its settings.
 *
 *   statistics --> struct tune_input --> the rules --> struct tune_report
 *   (one or two)   counters of a          (tune_rules.c)    findings, worst
 *                  stretch of time                          first; one line
 *                                                           of MALLOC_CONF
 *
 * A finding says what is wrong, the figures it rests on, what to change, what
 * that should bring and what it costs in memory. What it brings is reckoned
 * from counts and from what one event of the kind costs (TUNE_..._NS below),
 * measured with bench/tune.sh; a rule that finds less than TUNE_LEAST_CPU
 * keeps silent. So a program that runs well gets no advice, and a short one
 * none for what its start costs.
 *
 * Memory: xalloc.h; tune_report_free. The input borrows the statistics.
 */
#ifndef STRATA_TUNE_H
#define STRATA_TUNE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "statsfile.h"

/*
 * What one event costs, in nanoseconds of processor time: the difference of
 * two runs of a mode of tests/e2e/contend.c, one of them tuned, over the
 * difference of their counts; medians of five on two cores of 2020. What they
 * are for is whether a figure is worth a word, and in which order.
 */
enum {
	/* large, narenas 1 and 16: 140 ms for 50,000 to 600,000. */
	TUNE_SPIN_NS = 700,
	/* Two system calls and two switches of a thread. */
	TUNE_WAIT_NS = 10000,
	/* middle, slab_sizes: 69 ms for 650,000. */
	TUNE_SLAB_NS = 110,
	/* bins, nslots 20 and 2048: 44 ms for 1.79 million. */
	TUNE_FILL_NS = 25,
	/* middle, slab_sizes, on jemalloc 5.3.0: 142 ms for 1.83 million. */
	TUNE_FILL_JEMALLOC_NS = 75,
	/* large, tcache_max: 11 ms for 160,000; jemalloc 269 - 14 ns. */
	TUNE_LARGE_NS = 70,
	TUNE_LARGE_JEMALLOC_NS = 250,
	/* purge: 272 ms for 150,500 pages given back and faulted in again. */
	TUNE_PAGE_NS = 1800,
	/* bench/profcost.sh: a sample's birth and death. */
	TUNE_SAMPLE_NS = 2000,
};

/*
 * Share of one processor below which nothing is said: tuning brought the
 * services whose experience this follows 3 % each.
 */
#define TUNE_LEAST_CPU		0.01
/* And in all: a program this short is not worth a setting. */
#define TUNE_LEAST_NS		10e6
/* Share of its threads' time that a lock makes them wait. */
#define TUNE_LEAST_WAITING	0.02
/* Waits below this are a holder that lost its processor, now and then. */
enum { TUNE_LEAST_WAITS = 30 };
/* Memory: less is not worth a setting either, in bytes and of the whole. */
#define TUNE_LEAST_BYTES	(32.0 * (1 << 20))
#define TUNE_LEAST_SHARE	0.25

struct tune_input {
	const struct statsfile *file;	/* sizes, options, what is held now */
	const struct statsfile *before;	/* or NULL: since the start */
	double seconds;			/* the stretch; 0 unknown */
	/* Counters are of the stretch; what is held is as in file. */
	struct statsfile_arena merged;
	struct statsfile_arena *arenas;
	size_t narenas;
	double dropped_samples;		/* by the profiler */
	/* worked out: */
	double threads;			/* that have an arena; 0 unknown */
	double automatic;		/* arenas that threads are dealt to */
	double processors;		/* infinite if unknown */
};

enum tune_severity { TUNE_LOW, TUNE_MEDIUM, TUNE_HIGH };
enum tune_confidence { TUNE_UNSURE, TUNE_LIKELY, TUNE_SURE };

enum { TUNE_FIGURES = 10, TUNE_SETTINGS = 2 };

struct tune_figure {
	const char *name;		/* as a person says it */
	char *path;			/* the key it was read from */
	double value;
	const char *unit;		/* units.h's names, or those below */
};

#define TUNE_PER_SECOND	"per second"
#define TUNE_FRACTION	"fraction"	/* shown as a percentage */

struct tune_setting {
	const char *option;
	char *value;
};

struct tune_finding {
	const char *rule;		/* its id */
	enum tune_severity severity;
	enum tune_confidence confidence;
	char *title;
	struct tune_figure figures[TUNE_FIGURES];
	size_t nfigures;
	struct tune_setting settings[TUNE_SETTINGS];
	size_t nsettings;
	char *change;			/* in words, or NULL: the settings */
	const char *code;		/* C, or NULL */
	char *effect;
	char *price;
	double gain_cpu;		/* of one processor, at most; 0: none */
	double gain_bytes;		/* 0: none */
	double price_bytes;		/* at most; 0: none */
};

struct tune_report {
	struct tune_finding *findings;
	size_t n, capacity;
	char *conf;			/* MALLOC_CONF's text, "" none */
	const char *note;		/* what could not be judged, or NULL */
};

/* One rule: what it reads, and when it speaks. Its thresholds are above. */
struct tune_rule {
	const char *id;
	const char *reads;		/* key paths below stats.arenas */
	const char *when;
	/* Fills finding and returns true, or leaves it and returns false. */
	bool (*judge)(const struct tune_input *in,
	    struct tune_finding *finding);
};

/* The tables; an id of NULL ends each. */
extern const struct tune_rule tune_lock_rules[];
extern const struct tune_rule tune_cache_rules[];
extern const struct tune_rule tune_memory_rules[];
extern const struct tune_rule tune_conf_rules[];

/* Every rule in order: call with *i = 0 until NULL. */
const struct tune_rule *tune_rule_next(size_t *i);

/* May file be a later state of the process that before tells of? */
bool tune_same_process(const struct statsfile *before,
    const struct statsfile *file);

/*
 * The stretch from before (or NULL: the start) to file. Fails with EINVAL if
 * there is not enough in it to judge; *why is then a constant text.
 */
int tune_input_init(struct tune_input *in, const struct statsfile *file,
    const struct statsfile *before, const char **why);
void tune_input_fini(struct tune_input *in);

/* Runs all rules. */
struct tune_report *tune_judge(const struct tune_input *in);
void tune_report_free(struct tune_report *report);

void tune_print_text(const struct tune_report *report,
    const struct tune_input *in, FILE *out);
/* What each rule reads, and when it speaks. */
void tune_print_rules(FILE *out);
/* The report as a JSON object; the caller's. */
json_t *tune_report_json(const struct tune_report *report);

/* --- what changed between two --------------------------------------------- */

/*
 * Prints options that differ and the figures of both: then is a stretch that
 * ended before now's began, or another run.
 */
void tune_changes_text(const struct tune_input *then,
    const struct tune_input *now, FILE *out);
json_t *tune_changes_json(const struct tune_input *then,
    const struct tune_input *now);

/* --- for the rules -------------------------------------------------------- */

void tune_figure(struct tune_finding *finding, const char *name, double value,
    const char *unit, const char *path, ...)
    __attribute__((format(printf, 5, 6)));
void tune_setting(struct tune_finding *finding, const char *option,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "17-100:2|512-4096:16": what slab_sizes and bin_shards take. */
struct tune_ranges {
	char text[256];
};
void tune_range_add(struct tune_ranges *ranges, uint64_t lo, uint64_t hi,
    unsigned value);
/* The setting, after the ranges that were given: the last one counts. */
void tune_setting_ranges(const struct tune_input *in,
    struct tune_finding *finding, const char *option,
    const struct tune_ranges *ranges);

/* What a cache keeps, by the option that the allocator has for it. */
void tune_setting_tcache_max(const struct tune_input *in,
    struct tune_finding *finding, double bytes);

/* An option's number as it is in force, or fallback if it is not there. */
double tune_option(const struct tune_input *in, const char *name,
    double fallback);

/*
 * Are events that cost ns in all worth a word: TUNE_LEAST_CPU of the stretch
 * and TUNE_LEAST_NS? Sets the finding's gain and severity if so.
 */
bool tune_worth(const struct tune_input *in, double ns,
    struct tune_finding *finding);

/* The processors that sparing ns would free: no more than there are. */
double tune_gain(const struct tune_input *in, double ns);

/* The same of bytes that need not be held, out of whole. */
bool tune_worth_bytes(double bytes, double whole,
    struct tune_finding *finding);

/*
 * Operations on extents_dirty that the advice of the rules about caches would
 * spare: waiting that they cause is no reason for more arenas.
 */
double tune_spared_ops(const struct tune_input *in);

/* What getting a lock that another thread has costs, in processor time. */
double tune_lock_ns(const struct statsfile_lock *lock);

/* --- MALLOC_CONF ---------------------------------------------------------- */

struct tune_pair {
	char *name, *value;
};

/* What the process was told, in the order in which it read it. */
struct tune_pairs {
	struct tune_pair *items;
	size_t n, capacity;
};

/* Of all sources, or of the environment alone. */
void tune_pairs_read(const struct statsfile *file, bool environment_only,
    struct tune_pairs *out);
void tune_pairs_free(struct tune_pairs *pairs);
/* The last value, or NULL. */
const char *tune_pairs_find(const struct tune_pairs *pairs,
    const char *name);
/* Is it an option of the allocator that wrote the file? */
bool tune_option_known(const struct statsfile *file, const char *name);
/* Does pair i count, and is its value what the file says is in force? */
bool tune_pair_in_force(const struct statsfile *file,
    const struct tune_pairs *pairs, size_t i);

#endif
