/*
 * conf.h - reads MALLOC_CONF and its sisters, once.
 *
 *   --with-malloc-conf < malloc_conf < /etc/malloc.conf -> ... < MALLOC_CONF
 *   < malloc_conf_2_conf_harder
 *
 * It fills opt (options.h) and conf_prof. A pair that cannot be used costs
 * one line on stderr, worded as jemalloc words it, and the program runs on;
 * unless abort_conf:true.
 */
#ifndef STRATA_CONF_H
#define STRATA_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "prof.h"

/* In the order in which they are read; a later one wins. */
enum conf_source {
	CONF_BUILD,		/* configure --with-malloc-conf */
	CONF_SYMBOL,		/* the program's variable malloc_conf */
	CONF_SYMLINK,		/* target of /etc/malloc.conf, malloc_conf */
	CONF_ENV,		/* MALLOC_CONF, unless AT_SECURE */
	CONF_HARDER,		/* the variable malloc_conf_2_conf_harder */
	CONF_NSOURCES
};

enum conf_type {
	CONF_BOOL,		/* bool */
	CONF_UNSIGNED,		/* unsigned */
	CONF_SIZE,		/* size_t */
	CONF_SSIZE,		/* ssize_t */
	CONF_U64,		/* uint64_t */
	CONF_I64,		/* int64_t */
	CONF_INT,		/* int; an ssize_t to mallctl */
	CONF_LG_UNSIGNED,	/* unsigned; a size_t to mallctl */
	CONF_LG_SIZE,		/* size_t that holds 1 << value */
	CONF_NARENAS,		/* unsigned, or the word default: 0 */
	CONF_FXP,		/* uint32_t, 16.16 fixed point */
	CONF_WORD,		/* an enum; words[i] stands for min + i */
	CONF_STRING,		/* char[max]; too long: cut */
	CONF_LETTERS,		/* char[max] of malloc_stats_print's letters */
	CONF_RANGES,		/* struct option_ranges */
	CONF_SIGNAL,		/* int: name, number, none, default */
	CONF_JUNK,		/* opt.junk_alloc and opt.junk_free */
	CONF_CHECKS,		/* the three opt.check_* */
};

/* One row of the table of options, for mallctl opt.*, stats and tests. */
struct conf_option {
	const char *name;
	enum conf_type type;
	void *where;		/* NULL: accepted, but nothing here reads it */
	uint64_t min, max;	/* int64_t for signed types; max: string size */
	bool clip;		/* out of bounds: the nearest, silently */
	const char *const *words;	/* CONF_WORD; ends with NULL */
	const char *fixed;	/* where == NULL: what opt.<name> says */
};

extern struct prof_options conf_prof;

/*
 * Reads all sources. Called once, before any other part of the allocator:
 * it allocates nothing, takes no lock, and works before libc is initialised.
 */
void conf_boot(void);

/* Parses one string as if it came from source; for tests and conf_boot. */
void conf_parse(enum conf_source source, const char *text);

/* What options mean for one another, in jemalloc's way; after the last one. */
void conf_imply(void);

/* The text that was read from source; "" if there was none. */
const char *conf_text(enum conf_source source);

/* What a source is called, in jemalloc's words. */
const char *conf_source_name(enum conf_source source);

/* The table (conf_table.c), ended by a row whose name is NULL. */
extern const struct conf_option conf_options[];
/* The words of dss, by enum option_dss; NULL at the end. */
extern const char *const conf_words_dss[];

/* NULL if there is none of that name. */
const struct conf_option *conf_find(const char *name, size_t len);

/* The word of a CONF_WORD or CONF_JUNK option's value. */
const char *conf_word(const struct conf_option *option);

/*
 * Reads text as a value of the option's type, with its bounds, into into
 * (NULL: the option's own place). 0, EINVAL not such a value, ERANGE out of
 * bounds; nothing is written then.
 */
int conf_value(const struct conf_option *option, const char *text,
    size_t len, void *into);

#endif
