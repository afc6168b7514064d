/*
 * lifestat.h - how long objects live: histograms of a profile's rows.
 *
 *   freed rows --by lifetime--> buckets[].freed     these have died
 *   live rows  --by age-------> buckets[].live      these are at least as old
 *
 * The two are never added up as if a live object had died: a live row says
 * only that its objects outlived their age. life_survival uses them as just
 * that (Kaplan and Meier's estimate): of the objects that reach an age, the
 * share that dies in the next bucket; those whose age ends in the bucket
 * count half as having been at risk in it.
 *
 * Buckets are those of the profiles: below 1 us, 4 a doubling, above 2^46 us.
 */
#ifndef STRATA_LIFESTAT_H
#define STRATA_LIFESTAT_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "sites.h"

enum { LIFE_BUCKETS = 186 };

struct life_sum {
	double objects, bytes;		/* estimates */
	double samples;			/* what they rest on */
};

struct life_bucket {
	struct life_sum freed, live;
};

struct life_group {
	char *name;			/* as it is in files */
	char *label;			/* as a person reads it: "64 B" */
	struct life_bucket buckets[LIFE_BUCKETS];
	struct life_sum freed, live;	/* sums over the buckets */
};

struct life {
	struct life_group *groups;	/* see life_build for their order */
	uint32_t n;
};

enum life_measure { LIFE_BYTES, LIFE_OBJECTS, LIFE_SAMPLES };

/*
 * by: any way of sites.h, or -1 for one group, "all". Groups come by bytes,
 * freed and live, largest first; those of sizes, arenas, generations and
 * threads by name. Rows without lifetime or age are left out; no group: the
 * profile has none.
 */
struct life *life_build(const struct model *model, int by);
void life_free(struct life *life);

double life_value(const struct life_sum *sum, enum life_measure measure);

/* Edges of a bucket in ns; the last one's upper edge is INFINITY. */
double life_lower(uint32_t bucket);
double life_upper(uint32_t bucket);

/* The bucket of a lower edge or any time within a bucket. */
uint32_t life_bucket_of(double nanoseconds);

/*
 * The time by which the share q of the freed objects had died, or below
 * which the share q of the live ones' ages lie; NAN if there are none.
 */
double life_quantile(const struct life_group *group, bool live, double q,
    enum life_measure measure);

/* The share of objects that outlives each bucket's upper edge. */
void life_survival(const struct life_group *group,
    enum life_measure measure, double out[LIFE_BUCKETS]);

/*
 * The time by which the share q of all objects has died, live ones taken as
 * survivors up to their age; INFINITY if fewer died, NAN without objects.
 */
double life_survival_quantile(const struct life_group *group, double q,
    enum life_measure measure);

/* First and last bucket with anything in it, over n groups. */
bool life_range(const struct life_group *groups, uint32_t n, uint32_t *first,
    uint32_t *last);

#endif
