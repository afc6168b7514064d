/*
 * genstat.h - what of each generation is still alive, by site.
 *
 *   generation   1   2   3 ... 96  97  98 | 99 100
 *   site         cells[]: bytes alive     | previous and current one
 *                ^------- retired -------^
 *
 * A stray is a block alive whose generation is retired: older than the
 * current and the previous one. Start-up (generation 1) is retired too, but
 * a site that has strays of one generation only did something once. Pools take
 * their numbers from the one count, so that of a pool's current generation may
 * be old; what was born in it is no stray.
 *
 * Growth: were the strays of a site freed after some generations, the older
 * half of the retired ones would hold none. The mean of what each of them
 * holds, over the scatter between them, is a Student's t: it knows the
 * sampling error as well as the program's own, and a single outlier, however
 * large, gives t = 1.
 */
#ifndef STRATA_GENSTAT_H
#define STRATA_GENSTAT_H

#include <stdbool.h>
#include <stdint.h>

#include "model.h"
#include "sites.h"

enum {
	GEN_RELOADS_MIN = 8,		/* a half has 4: t of 3 degrees */
};

/* False alarms of all sites together, in the growth test. */
#define GEN_FALSE_ALARM 0.001

enum gen_kind {
	GEN_NONE,			/* nothing outlives its generation */
	GEN_ONCE,			/* strays of one generation */
	GEN_STRAY,			/* of several, the older ones freed */
	GEN_KEPT,			/* of old and new ones alike */
};

struct gen_cell {
	uint32_t site;			/* index into sites */
	int64_t generation;		/* 0: the row says none */
	bool current;			/* of a pool's current one */
	struct estimate bytes, objects;	/* alive */
	double allocated;		/* bytes; NAN: folded with others' */
};

struct gen_site {
	const char *name;		/* of base */
	struct estimate bytes, objects;	/* alive, of all generations */
	struct estimate stray, stray_objects;	/* of retired ones */
	double allocated;		/* bytes in retired ones, ever; NAN */
	double half_life;		/* ns; INFINITY, or NAN */
	int64_t oldest, newest;		/* with strays; 0 none */
	uint32_t retired_in;		/* number of them with strays */
	enum gen_kind kind;
	double growth, growth_error;	/* bytes a reload; NAN unknown */
	double chance;			/* of that growth by chance */
	uint32_t index;			/* private: before they were sorted */
};

struct gen_dump {
	const struct model *model;
	struct gen_site *sites;		/* what to move first comes first */
	uint32_t nsites;
	struct gen_cell *cells;		/* by site, then by generation */
	uint32_t ncells;
	int64_t current;		/* generation; 0 unknown */
	int64_t folded;			/* freed totals up to it are one */
	struct sites *base;		/* private */
};

/*
 * The model must outlive the result. reloads: of how many generations growth
 * is estimated, 0 for all retired ones but the first. NULL: it lacks the
 * sample types of libstrata.
 */
struct gen_dump *gen_build(const struct model *model, enum sites_by by,
    uint32_t reloads);
void gen_free(struct gen_dump *dump);

/* The last generation that is retired; below 1 if none is. */
int64_t gen_retired(const struct gen_dump *dump);

/* Generations in the growth test's window; 0 if there are too few. */
uint32_t gen_window(const struct gen_dump *dump, uint32_t reloads);

/*
 * The samples that a steady leak must have in the window's older half to be
 * found in 95 % of cases, among so many sites.
 */
double gen_samples_needed(uint32_t window, uint32_t nsites);

/* Do a site's strays grow, not by chance? */
bool gen_grows(const struct gen_dump *dump, const struct gen_site *site);

/*
 * The change of a site's strays from an earlier dump of the process, with
 * its error: what both hold cancels.
 */
struct estimate gen_change(const struct gen_dump *earlier,
    const struct gen_dump *later, const struct gen_site *site);

/* The cells of a site: first one and number. */
const struct gen_cell *gen_cells(const struct gen_dump *dump,
    const struct gen_site *site, uint32_t *n);

/* Bytes alive of one generation, all sites. */
struct estimate gen_alive(const struct gen_dump *dump, int64_t generation);

/* One-sided: the chance of a Student's t this large. */
double gen_chance(double t, double degrees);

#endif
