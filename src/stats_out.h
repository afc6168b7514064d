/*
 * stats_out.h - what the two forms of statistics are written with.
 *
 * Text collects in a buffer and goes to the caller's function in pieces that
 * end with NUL. JSON is compact; the functions keep track of commas, and a
 * key is NULL inside an array.
 */
#ifndef STRATA_STATS_OUT_H
#define STRATA_STATS_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mallctl.h"
#include "fmt.h"

enum { STATS_BUFFER = 4096 };

/* Sections; the letters of malloc_stats_print switch them off. */
struct stats_sections {
	bool json;
	bool general, merged, destroyed, arenas, bins, large, mutexes,
	    extents, hpa;
};

struct stats_out {
	void (*write)(void *opaque, const char *text);
	void *opaque;
	struct stats_sections sections;
	size_t used;
	bool comma;			/* JSON: a value stands before */
	char buffer[STATS_BUFFER];
};

void stats_flush(struct stats_out *out);
void stats_printf(struct stats_out *out, const char *format, ...)
    FMT_CHECK(2, 3);

void json_open(struct stats_out *out, const char *key, char bracket);
void json_close(struct stats_out *out, char bracket);
void json_u64(struct stats_out *out, const char *key, uint64_t value);
void json_i64(struct stats_out *out, const char *key, int64_t value);
void json_bool(struct stats_out *out, const char *key, bool value);
void json_string(struct stats_out *out, const char *key, const char *value);
void json_value(struct stats_out *out, const char *key, enum ctl_type type,
    const union ctl_value *value);

/* A control's value as 64 bits, sign-extended if signed; 0 if it has none. */
uint64_t stats_get(const char *format, ...) FMT_CHECK(1, 2);
/* Of a string control; "" if it has none. */
const char *stats_get_text(const char *format, ...) FMT_CHECK(1, 2);

/* The seven counters, by name and in jemalloc's order; NULL ends. */
extern const char *const stats_counters[];

/* stats_json.c and stats_text.c */
void stats_print_json(struct stats_out *out);
void stats_print_text(struct stats_out *out);

#endif
