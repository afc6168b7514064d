/*
 * paired.c - runs one command under several allocators, interleaved, and
 * prints the ratio of each to the first.
 *
 *   paired [-n ROUNDS] [-m cpu|wall|rss|faults] [-o FILE [-l LABEL]]
 *       -v NAME=PRELOAD[=MALLOC_CONF]... -- COMMAND...
 *
 *   round 1:  A B C     each round runs every variant once, beginning with
 *   round 2:  B C A     another one, so that a drift of the machine (heat,
 *   round 3:  C A B     neighbours) meets all of them alike
 *
 * The ratio is taken within a round; the median over the rounds and its
 * two-sided 95 % confidence limits (order statistics, no assumption about the
 * distribution) are printed, one line a variant:
 *
 *   NAME  median  low  high  seconds-or-MiB
 *
 * cpu is user + system time of the command and its children, wall the elapsed
 * time, rss the largest resident set of any one of its processes, faults the
 * page faults of all that needed no disk. -o adds all four of each run to FILE,
 * CSV: label,round,name,wall s,cpu s,rss MiB,faults.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

enum { VARIANTS_MAX = 16, ROUNDS_MAX = 1000 };
enum { WALL, CPU, RSS, FAULTS, MEASURES };

static const char *const measure_names[MEASURES] = { "wall", "cpu", "rss",
	"faults" };

struct run {
	double figures[MEASURES];
};

struct variant {
	const char *name, *preload, *conf;	/* "" = none */
	struct run runs[ROUNDS_MAX];
};

static struct variant variants[VARIANTS_MAX];
static unsigned nvariants, nrounds = 5, measure = CPU;
static const char *raw_file, *label = "";

static void
die(const char *what)
{
	fprintf(stderr, "paired: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
usage(void)
{
	fprintf(stderr, "Usage: paired [-n ROUNDS] [-m cpu|wall|rss|faults] "
	    "[-o FILE [-l LABEL]] -v NAME=PRELOAD[=CONF]... "
	    "-- COMMAND...\n");
	exit(2);
}

static double
seconds_of(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void
set_or_unset(const char *name, const char *value)
{
	if (value[0] == '\0')
		unsetenv(name);
	else
		setenv(name, value, 1);
}

static void
child_run(const struct variant *variant, char **command)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 0);
	dup2(null, 1);
	set_or_unset("MALLOC_CONF", variant->conf);
	set_or_unset("LD_PRELOAD", variant->preload);
	execvp(command[0], command);
	_exit(127);
}

static struct run
run_once(const struct variant *variant, char **command)
{
	double start = now_ms();
	struct rusage usage_;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		child_run(variant, command);
	if (pid < 0 || wait4(pid, &status, 0, &usage_) < 0)
		die("starting the command");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		fprintf(stderr, "paired: %s failed under %s (status %#x)\n",
		    command[0], variant->name, (unsigned)status);
		exit(1);
	}
	return (struct run){ {
		[WALL] = (now_ms() - start) / 1000,
		[CPU] = seconds_of(usage_.ru_utime) +
		    seconds_of(usage_.ru_stime),
		[RSS] = (double)usage_.ru_maxrss / 1024,
		[FAULTS] = (double)usage_.ru_minflt,
	} };
}

/*
 * Rank of the lower confidence limit: the largest k (from 0) so that fewer
 * than k + 1 of n fair coins fall heads with probability at most 2.5 %.
 */
static unsigned
lower_rank(unsigned n)
{
	double p = pow(0.5, n), sum = p;
	unsigned k = 0;

	while (sum <= 0.025 && k < n / 2) {
		k++;
		p *= (double)(n - k + 1) / k;
		sum += p;
	}
	return k == 0 ? 0 : k - 1;
}

static void
report(const struct variant *variant)
{
	double ratios[ROUNDS_MAX], figures[ROUNDS_MAX];
	unsigned k = lower_rank(nrounds);
	double middle;

	for (unsigned r = 0; r < nrounds; r++) {
		double base = variants[0].runs[r].figures[measure];

		figures[r] = variant->runs[r].figures[measure];
		ratios[r] = base > 0 ? figures[r] / base : 1;
	}
	middle = median(ratios, nrounds);
	printf("%-12s %7.3f %7.3f %7.3f %9.3f\n", variant->name, middle,
	    ratios[k], ratios[nrounds - 1 - k], median(figures, nrounds));
}

static void
raw_write(void)
{
	FILE *f = fopen(raw_file, "a");

	if (f == NULL)
		die(raw_file);
	for (unsigned r = 0; r < nrounds; r++) {
		for (unsigned i = 0; i < nvariants; i++) {
			const double *x = variants[i].runs[r].figures;

			fprintf(f, "%s,%u,%s,%.6f,%.6f,%.3f,%.0f\n", label,
			    r + 1, variants[i].name, x[WALL], x[CPU], x[RSS],
			    x[FAULTS]);
		}
	}
	if (fclose(f) != 0)
		die(raw_file);
}

static unsigned
measure_named(const char *name)
{
	for (unsigned m = 0; m < MEASURES; m++) {
		if (strcmp(name, measure_names[m]) == 0)
			return m;
	}
	usage();
	return MEASURES;
}

static void
variant_add(char *text)
{
	struct variant *variant = &variants[nvariants];

	if (nvariants++ == VARIANTS_MAX)
		usage();
	variant->name = strsep(&text, "=");
	variant->preload = text == NULL ? "" : strsep(&text, "=");
	variant->conf = text == NULL ? "" : text;
}

int
main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+n:m:o:l:v:")) != -1) {
		switch (c) {
		case 'n': nrounds = (unsigned)atoi(optarg); break;
		case 'm': measure = measure_named(optarg); break;
		case 'o': raw_file = optarg; break;
		case 'l': label = optarg; break;
		case 'v': variant_add(optarg); break;
		default: usage();
		}
	}
	if (optind == argc || nvariants == 0 || nrounds == 0 ||
	    nrounds > ROUNDS_MAX)
		usage();
	for (unsigned r = 0; r < nrounds; r++) {
		for (unsigned i = 0; i < nvariants; i++) {
			struct variant *v = &variants[(r + i) % nvariants];

			v->runs[r] = run_once(v, argv + optind);
		}
	}
	for (unsigned i = 0; i < nvariants; i++)
		report(&variants[i]);
	if (raw_file != NULL)
		raw_write();
	return 0;
}
