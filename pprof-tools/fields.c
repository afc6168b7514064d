/*
 * fields.c - CSV fields and JSON members as all views write them.
 */
#include "fields.h"

#include <math.h>
#include <stdlib.h>

#include "xalloc.h"

void
field_csv_estimate(FILE *out, const struct estimate *estimate)
{
	fprintf(out, ",%.0f,", estimate->value);
	if (!estimate->unknown)
		fprintf(out, "%.0f", estimate_error(estimate));
}

json_t *
field_text(const char *text)
{
	json_t *string = json_string(text);
	char *plain;

	if (string != NULL)
		return string;
	plain = xstrdup(text);
	for (char *p = plain; *p != '\0'; p++) {
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	}
	string = json_string(plain);
	free(plain);
	return string;
}

void
field_set_text(json_t *object, const char *key, const char *text)
{
	if (text != NULL)
		json_object_set_new(object, key, field_text(text));
}

void
field_set_number(json_t *object, const char *key, int64_t number)
{
	if (number >= 0)
		json_object_set_new(object, key, json_integer(number));
}

void
field_set_error(json_t *object, const char *key, double error)
{
	json_object_set_new(object, key, isnan(error) ? json_null() :
	    json_real(error));
}

void
field_set_estimate(json_t *object, const char *key, const char *error_key,
    const struct estimate *estimate)
{
	json_object_set_new(object, key, json_real(estimate->value));
	field_set_error(object, error_key, estimate_error(estimate));
}

void
field_print(json_t *root, size_t flags, FILE *out)
{
	json_dumpf(root, out, flags);
	fputc('\n', out);
	json_decref(root);
}
