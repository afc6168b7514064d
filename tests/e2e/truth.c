/*
 * truth.c - the ensemble: a program of known allocations is estimated many
 * times; the mean of the estimates must be the truth.
 *
 *     truth LG_SAMPLE ROUNDS FILE [SCALE]
 *
 * Each round resets the profiler, seeds it, allocates, dumps into FILE, reads
 * it back by a reader of its own and sums by site. For each site and measure
 *
 *     |mean - truth| <= 4 sqrt(V / rounds) + 1/2        (integers are written)
 *     |S2 - V|       <= 4 standard errors of S2         (few rounding errors)
 *
 * where V is the exact variance: sum over objects of (1-p)/p for counts, of
 * u^2 (1-p)/p for bytes, with p = 1 - (1 - 1/R)^u; S2 the sample variance.
 * SCALE multiplies what was read: with 1.03 the program must fail, which the
 * suite tests too.
 *
 * One site mixes 16-byte and 1-MiB requests in one stack; weighting that
 * stack's totals instead of its samples is wrong there by orders of magnitude.
 */
#define _GNU_SOURCE
#include <math.h>

#include "e2e.h"
#include "small_reader.h"

enum { MAX_BLOCKS = 20000, TRUTH_SITES = 8 };
/* The first four sample types are held against the truth. */
enum { TRUTH_MEASURES = 4 };

/*
 * The functions whose call sites are known lie in one section, in any order;
 * the address of a frame tells the site.
 */
#define TRUTH_SITE							\
	__attribute__((noinline, noclone, section("truth_sites")))

/* Sums by site and measure. */
struct truth_sums {
	double sum[TRUTH_SITES][TRUTH_MEASURES];
};

/* One live or freed block that a site has made. */
struct block {
	void *p;
	int site;
};

static struct block blocks[MAX_BLOCKS];
static int nblocks;
static struct truth_sums exact, variance, got;
static double rate;

/* The sites; each touches its block, so that none is a tail call. */
TRUTH_SITE static void *
site_tiny(size_t size)
{
	void *p = malloc(size);

	USE(p);
	return p;
}

TRUTH_SITE static void *
site_small(size_t size)
{
	void *p = malloc(size);

	USE(p);
	return p;
}

TRUTH_SITE static void *
site_mixed(size_t size)
{
	void *p = malloc(size);

	USE(p);
	return p;
}

TRUTH_SITE static void *
site_calloc(size_t size)
{
	void *p = calloc(size / 8, 8);

	USE(p);
	return p;
}

TRUTH_SITE static void *
site_aligned(size_t size)
{
	void *p = NULL;

	if (posix_memalign(&p, 64, size) != 0)
		p = NULL;
	USE(p);
	return p;
}

TRUTH_SITE static void *
site_large(size_t size)
{
	void *p = malloc(size);

	USE(p);
	return p;
}

TRUTH_SITE static void *
site_grows(void *old, size_t size)
{
	void *p = realloc(old, size);

	USE(p);
	return p;
}

TRUTH_SITE static void *
site_brief(size_t size)
{
	void *p = malloc(size);

	USE(p);
	return p;
}

static const struct {
	const char *name;
	const void *function;
} sites[TRUTH_SITES] = {
	{ "tiny", (const void *)site_tiny },
	{ "small", (const void *)site_small },
	{ "mixed", (const void *)site_mixed },
	{ "calloc", (const void *)site_calloc },
	{ "aligned", (const void *)site_aligned },
	{ "large", (const void *)site_large },
	{ "grows", (const void *)site_grows },
	{ "brief", (const void *)site_brief },
};
enum { TINY, SMALL, MIXED, CALLOC, ALIGNED, LARGE, GROWS, BRIEF };

extern const char __start_truth_sites[], __stop_truth_sites[];

static int
site_of(uintptr_t address)
{
	int best = -1;

	if (address < (uintptr_t)__start_truth_sites ||
	    address >= (uintptr_t)__stop_truth_sites)
		return -1;
	for (int i = 0; i < TRUTH_SITES; i++)
		if ((uintptr_t)sites[i].function <= address && (best < 0 ||
		    sites[i].function > sites[best].function))
			best = i;
	return best;
}

/* The innermost frame that lies in a site counts the row for it. */
static void
add_row(const uint64_t *addresses, size_t n, const int64_t *values)
{
	int site = -1;

	for (size_t i = 0; i < n && site < 0; i++)
		site = site_of(addresses[i]);
	for (int m = 0; site >= 0 && m < TRUTH_MEASURES; m++)
		got.sum[site][m] += (double)values[m];
}

/* Adds one object of usable size u to the truth; sign -1 takes it out. */
static void
count(int site, double u, int sign, int first)
{
	double p = -expm1(u * log1p(-1 / rate));
	double v = rate > 1 ? (1 - p) / p : 0;

	for (int m = first; m < TRUTH_MEASURES; m++) {
		double unit = m == ALLOC_SPACE || m == INUSE_SPACE ? u : 1;

		exact.sum[site][m] += sign * unit;
		variance.sum[site][m] += sign * unit * unit * v;
	}
}

static void
born(int site, void *p)
{
	if (p == NULL || nblocks == MAX_BLOCKS)
		die("out of memory or of slots");
	count(site, (double)malloc_usable_size(p), 1, ALLOC_OBJECTS);
	blocks[nblocks++] = (struct block){ p, site };
}

static void
dies(int i)
{
	struct block *block = &blocks[i];

	count(block->site, (double)malloc_usable_size(block->p), -1,
	    INUSE_OBJECTS);
	free(block->p);
	*block = blocks[--nblocks];
}

/* A block that realloc moves to another class ends there and begins anew. */
static void
grow(size_t from, size_t to)
{
	void *p = site_brief(from);

	count(BRIEF, (double)malloc_usable_size(p), 1, ALLOC_OBJECTS);
	count(BRIEF, (double)malloc_usable_size(p), -1, INUSE_OBJECTS);
	born(GROWS, site_grows(p, to));
}

static void
allocate(void)
{
	nblocks = 0;
	memset(&exact, 0, sizeof exact);
	memset(&variance, 0, sizeof variance);
	for (int i = 0; i < 1500; i++) {
		born(TINY, site_tiny(16));
		born(SMALL, site_small((size_t)100 + (size_t)i % 3 * 100));
		born(MIXED, site_mixed(16));
		if (i % 150 == 0)
			born(MIXED, site_mixed(1 << 20));
		if (i % 5 == 0)
			born(CALLOC, site_calloc(1000));
		if (i % 7 == 0)
			born(ALIGNED, site_aligned(200));
		if (i % 30 == 0)
			born(LARGE, site_large((size_t)20000 << i / 30 % 4));
		if (i % 10 == 0)
			grow(40, 5000);
		born(BRIEF, site_brief(72));
		dies(nblocks - 1);
		if (i % 2 == 1)
			dies(i);
	}
}

static void
release(void)
{
	while (nblocks > 0)
		free(blocks[--nblocks].p);
}

static void
control(const char *name, void *value, size_t size)
{
	int error = mallctl(name, NULL, NULL, value, size);

	if (error != 0)
		die("mallctl %s: %s", name, strerror(error));
}

/* Power sums of the estimates' deviations from the truth. */
static struct truth_sums power1, power2, power4;

static void
one_round(size_t lg, uint64_t seed, const char *file, double scale)
{
	control("prof.reset", &lg, sizeof lg);
	control("thread.prof.seed", &seed, sizeof seed);
	allocate();
	if (dump_profile(file) != 0)
		die("prof.dump failed");
	memset(&got, 0, sizeof got);
	if (!read_profile(file, add_row))
		die("there is no %s", file);
	/* Every other round ends while what it sampled is still alive. */
	if (seed % 2 == 0)
		control("prof.reset", &lg, sizeof lg);
	release();
	for (int s = 0; s < TRUTH_SITES; s++)
		for (int m = 0; m < TRUTH_MEASURES; m++) {
			double d = got.sum[s][m] * scale - exact.sum[s][m];

			power1.sum[s][m] += d;
			power2.sum[s][m] += d * d;
			power4.sum[s][m] += d * d * d * d;
		}
}

/* Prints one line; false if the estimate is off. */
static bool
check(int s, int m, int n)
{
	static const char *const names[] = { "alloc objects", "alloc bytes",
	    "inuse objects", "inuse bytes" };
	double v = variance.sum[s][m], mean = power1.sum[s][m] / n;
	double s2 = power2.sum[s][m] / n;
	double error = sqrt(v / n);
	double s2_error = sqrt(fabs(power4.sum[s][m] / n - s2 * s2) / n);
	double rounding = m == ALLOC_SPACE || m == INUSE_SPACE ? 1 : 0.5;
	bool mean_ok = fabs(mean) <= 4 * error + rounding;
	/* Rare samples: S2's own error is not known well enough to judge. */
	bool judge = v > 100 && v / (exact.sum[s][m] * exact.sum[s][m]) < 0.5;
	bool s2_ok = !judge || fabs(s2 - v) <= 4 * s2_error + 0.02 * v;

	printf("%s %-8s %-13s truth %12.0f mean %+11.2f = %+5.2f standard "
	    "errors, variance %.3f of expected\n",
	    mean_ok && s2_ok ? "ok:" : "OFF", sites[s].name, names[m],
	    exact.sum[s][m], mean, error > 0 ? mean / error : 0.0,
	    v > 0 ? s2 / v : 1.0);
	return mean_ok && s2_ok;
}

int
main(int argc, char **argv)
{
	size_t lg;
	int rounds, off = 0;
	double scale;

	if (argc < 4)
		die("usage: truth LG_SAMPLE ROUNDS FILE [SCALE]");
	lg = (size_t)atoi(argv[1]);
	rounds = atoi(argv[2]);
	scale = argc > 4 ? atof(argv[4]) : 1;
	rate = ldexp(1, (int)lg);
	for (int i = 0; i < rounds; i++)
		one_round(lg, 1000000 * lg + (uint64_t)i + 1, argv[3], scale);
	for (int s = 0; s < TRUTH_SITES; s++)
		for (int m = 0; m < TRUTH_MEASURES; m++)
			off += !check(s, m, rounds);
	printf("R = 2^%zu, %d rounds: %d of %d estimates off\n", lg, rounds,
	    off, TRUTH_SITES * TRUTH_MEASURES);
	return off > 0;
}
