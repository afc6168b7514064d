/*
 * fields.h - CSV fields and JSON members as all views write them: what is
 * not known is an empty field, null, or not there.
 */
#ifndef STRATA_FIELDS_H
#define STRATA_FIELDS_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#include "site_estimate.h"

/* ",value,error" */
void field_csv_estimate(FILE *out, const struct estimate *estimate);

/* A JSON string of bytes that may be no UTF-8: those become '?'. */
json_t *field_text(const char *text);

/* Left out if text is NULL, or the number negative. */
void field_set_text(json_t *object, const char *key, const char *text);
void field_set_number(json_t *object, const char *key, int64_t number);

/* null if the error is NAN. */
void field_set_error(json_t *object, const char *key, double error);
void field_set_estimate(json_t *object, const char *key,
    const char *error_key, const struct estimate *estimate);

/* Prints and drops root; flags are json_dumpf's. */
void field_print(json_t *root, size_t flags, FILE *out);

#endif
