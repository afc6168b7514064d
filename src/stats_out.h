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

struct stats_out {
	void (*write)(void *opaque, const char *text);
	void *opaque;
	uint32_t letters;		/* that the caller gave; see below */
	size_t used;
	bool comma;			/* JSON: a value stands before */
	char buffer[STATS_BUFFER];
};

/*
 * Whether letter ('a' to 'z') is not among the caller's: each leaves
 * something out. 0: always true. J, for JSON, is none of them.
 */
bool stats_shows(const struct stats_out *out, char letter);

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

/* A 16.16 fraction as text: "0.25". Returns out or a constant. */
enum { STATS_FRACTION_MAX = 16 };
const char *stats_fraction(uint32_t value, char out[STATS_FRACTION_MAX]);

/* A control's value as 64 bits, sign-extended if signed; 0 if it has none. */
uint64_t stats_get(const char *format, ...) FMT_CHECK(1, 2);
/* Of a string control; "" if it has none. */
const char *stats_get_text(const char *format, ...) FMT_CHECK(1, 2);

/* stats_json.c and stats_text.c */
void stats_print_json(struct stats_out *out);
void stats_print_text(struct stats_out *out);
/* stats_pools.c's part of it */
void stats_text_pools(struct stats_out *out);

#endif
