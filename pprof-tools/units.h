/*
 * units.h - figures as a person reads them.
 *
 *   1572864 bytes  "1.50 MiB"      0.0000123 s  "12.3 us"
 *   999 bytes      "999 B"         12000 s      "3 h 20 min"
 *   1234567        "1234567"       0.123        "12.3%"
 *
 * Three significant figures, never more than nine characters for bytes.
 * The formatting functions write into a struct unit and return its text, so
 * that a call can stand among printf's arguments:
 *   printf("%s", unit_bytes(&(struct unit){ 0 }, n));
 */
#ifndef STRATA_UNITS_H
#define STRATA_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unit {
	char text[40];
};

/* Negative figures keep their sign; not-a-number is "?". */
const char *unit_bytes(struct unit *unit, double bytes);
const char *unit_count(struct unit *unit, double count);
const char *unit_duration(struct unit *unit, double nanoseconds);
const char *unit_percent(struct unit *unit, double fraction);
/* By pprof's unit names: "bytes", "count", "nanoseconds"; else a number. */
const char *unit_value(struct unit *unit, double value, const char *name);
/* As unit_value with a sign also when positive: "+1.50 MiB", "0 B". */
const char *unit_delta(struct unit *unit, double value, const char *name);

/*
 * "64k", "1.5 MiB", "3GB" (powers of 1024); "10s", "5 min", "200us".
 * A plain number is bytes, or seconds. Return 0 or EINVAL.
 */
int unit_parse_bytes(const char *text, double *out);
int unit_parse_duration(const char *text, double *out_nanoseconds);

#endif
