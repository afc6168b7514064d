/*
 * units.c - figures to text and back.
 */
#include "units.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Three significant figures of x, 0 <= x < 1024: "1.50", "12.3", "999". */
static void
three(char *text, size_t size, double x)
{
	snprintf(text, size, "%.*f", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x);
}

/* Writes sign and magnitude; true if x was not finite and is written. */
static bool
not_finite(struct unit *unit, double x)
{
	if (isfinite(x))
		return false;
	snprintf(unit->text, sizeof unit->text, "%s",
	    isnan(x) ? "?" : x < 0 ? "-inf" : "inf");
	return true;
}

const char *
unit_bytes(struct unit *unit, double bytes)
{
	static const char *const names[] = { "B", "KiB", "MiB", "GiB", "TiB",
	    "PiB", "EiB" };
	const char *sign = bytes < 0 ? "-" : "";
	double x = fabs(bytes);
	size_t i = 0;
	char figure[24];

	if (not_finite(unit, bytes))
		return unit->text;
	/* 1023.5 KiB and more would be shown as 1024 KiB. */
	for (; i < 6 && x >= (i == 0 ? 1024 : 1023.5); i++)
		x /= 1024;
	if (i == 0)
		snprintf(figure, sizeof figure, "%.0f", x);
	else if (x > 99999)
		snprintf(figure, sizeof figure, "%.3g", x);
	else
		three(figure, sizeof figure, x);
	snprintf(unit->text, sizeof unit->text, "%s%s %s",
	    strcmp(figure, "0") == 0 ? "" : sign, figure, names[i]);
	return unit->text;
}

const char *
unit_count(struct unit *unit, double count)
{
	if (not_finite(unit, count))
		return unit->text;
	snprintf(unit->text, sizeof unit->text,
	    fabs(count) < 1e15 ? "%.0f" : "%.4g", count);
	if (strcmp(unit->text, "-0") == 0)
		strcpy(unit->text, "0");
	return unit->text;
}

static const struct {
	const char *name;
	double ns;
} times[] = {
	{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 },
	{ "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 },
	{ "y", 365.25 * 86400e9 },
};
enum { SECOND = 3, NTIMES = sizeof times / sizeof times[0] };

/* From a minute on: "3 h 20 min", two neighbouring units, the lower whole. */
static void
long_duration(struct unit *unit, const char *sign, double ns)
{
	size_t i = NTIMES - 1;
	double high, low;

	/* What rounds up to the larger unit is shown in it: 3599.9 s = 1 h. */
	while (i > SECOND + 1 && ns + times[i - 2].ns / 2 < times[i].ns)
		i--;
	low = floor(ns / times[i - 1].ns + 0.5);
	high = floor(low * times[i - 1].ns / times[i].ns);
	low -= floor(high * times[i].ns / times[i - 1].ns + 0.5);
	if (low > 0)
		snprintf(unit->text, sizeof unit->text, "%s%.0f %s %.0f %s",
		    sign, high, times[i].name, low, times[i - 1].name);
	else
		snprintf(unit->text, sizeof unit->text, "%s%.0f %s", sign,
		    high, times[i].name);
}

const char *
unit_duration(struct unit *unit, double nanoseconds)
{
	const char *sign = nanoseconds < 0 ? "-" : "";
	double ns = fabs(nanoseconds);
	char figure[24];
	size_t i = 0;

	if (not_finite(unit, nanoseconds))
		return unit->text;
	if (ns >= 59.95e9) {
		long_duration(unit, sign, ns);
		return unit->text;
	}
	while (i < SECOND && ns >= times[i + 1].ns * 0.9995)
		i++;
	if (i == 0)
		snprintf(figure, sizeof figure, "%.0f", ns);
	else
		three(figure, sizeof figure, ns / times[i].ns);
	snprintf(unit->text, sizeof unit->text, "%s%s %s",
	    strcmp(figure, "0") == 0 ? "" : sign, figure, times[i].name);
	return unit->text;
}

const char *
unit_percent(struct unit *unit, double fraction)
{
	double x = 100 * fraction;

	if (not_finite(unit, x))
		return unit->text;
	snprintf(unit->text, sizeof unit->text, "%.*f%%",
	    fabs(x) < 9.995 ? 2 : 1, x);
	return unit->text;
}

const char *
unit_value(struct unit *unit, double value, const char *name)
{
	if (strcmp(name, "bytes") == 0)
		return unit_bytes(unit, value);
	if (strcmp(name, "nanoseconds") == 0)
		return unit_duration(unit, value);
	return unit_count(unit, value);
}

const char *
unit_delta(struct unit *unit, double value, const char *name)
{
	struct unit plain;

	unit_value(&plain, value, name);
	snprintf(unit->text, sizeof unit->text, "%s%.38s",
	    value > 0 && strtod(plain.text, NULL) != 0 ? "+" : "",
	    plain.text);
	return unit->text;
}

/* Reads a number >= 0; *rest is the unit behind it, blanks skipped. */
static int
parse_number(const char *text, double *out, const char **rest)
{
	char *end;
	double x;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return EINVAL;
	x = strtod(text, &end);
	if (end == text || !isfinite(x))
		return EINVAL;
	while (*end == ' ')
		end++;
	*out = x;
	*rest = end;
	return 0;
}

int
unit_parse_bytes(const char *text, double *out)
{
	static const char letters[] = "kmgtpe";
	const char *rest, *letter;
	double x;

	if (parse_number(text, &x, &rest) != 0)
		return EINVAL;
	letter = *rest == '\0' ? NULL :
	    strchr(letters, tolower((unsigned char)*rest));
	if (letter != NULL && *letter != '\0') {
		x *= pow(1024, (double)(letter - letters + 1));
		rest++;
		if (*rest == 'i')
			rest++;
	}
	if (strcasecmp(rest, "b") != 0 && *rest != '\0')
		return EINVAL;
	*out = x;
	return 0;
}

int
unit_parse_duration(const char *text, double *out_nanoseconds)
{
	const char *rest;
	double x;

	if (parse_number(text, &x, &rest) != 0)
		return EINVAL;
	if (*rest == '\0') {
		*out_nanoseconds = x * 1e9;
		return 0;
	}
	for (size_t i = 0; i < NTIMES; i++) {
		if (strcmp(rest, times[i].name) == 0 ||
		    (i == SECOND + 1 && strcmp(rest, "m") == 0)) {
			*out_nanoseconds = x * times[i].ns;
			return 0;
		}
	}
	return EINVAL;
}
