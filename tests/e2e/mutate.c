/*
 * mutate.c - damages a file in as many ways as asked for.
 *
 *     mutate FILE PREFIX COUNT
 *
 * Writes PREFIX.1 ... PREFIX.COUNT, each FILE with, by turns: one bit flipped,
 * a byte replaced by 0xff or 0, a run overwritten, cut off, a run dropped, a
 * run doubled, several bits flipped. The same every time.
 */
#include "e2e.h"

enum { FILE_MAX = 1 << 20 };

static unsigned char original[FILE_MAX], changed[2 * FILE_MAX];
static uint64_t seed = 1;

static size_t
below(size_t n)
{
	return (size_t)(next_random(&seed) % n);
}

/* Damages the n bytes in changed; returns how many there are then. */
static size_t
mutate(size_t n, int way)
{
	size_t at = below(n), run = 1 + below(n - at < 40 ? n - at : 40);

	switch (way % 8) {
	case 0:
		changed[at] ^= (unsigned char)(1 << below(8));
		return n;
	case 1:
		changed[at] = 0xff;
		return n;
	case 2:
		changed[at] = 0;
		return n;
	case 3:
		for (size_t i = 0; i < run; i++)
			changed[at + i] = (unsigned char)below(256);
		return n;
	case 4:
		return at;
	case 5:
		memmove(changed + at, changed + at + run, n - at - run);
		return n - run;
	case 6:
		memmove(changed + at + run, changed + at, n - at);
		return n + run;
	default:
		for (int i = 0; i < 10; i++)
			changed[below(n)] ^= (unsigned char)(1 << below(8));
		return n;
	}
}

static void
write_file(const char *prefix, int number, size_t n)
{
	char name[1000];
	FILE *f;

	snprintf(name, sizeof name, "%s.%d", prefix, number);
	if ((f = fopen(name, "wb")) == NULL || fwrite(changed, 1, n, f) != n ||
	    fclose(f) != 0)
		die("%s: %s", name, strerror(errno));
}

int
main(int argc, char **argv)
{
	size_t n;
	FILE *f;

	if (argc != 4 || (f = fopen(argv[1], "rb")) == NULL)
		die("usage: mutate FILE PREFIX COUNT");
	n = fread(original, 1, sizeof original, f);
	fclose(f);
	if (n == 0 || n == sizeof original)
		die("%s is empty or too long", argv[1]);
	for (int i = 1; i <= atoi(argv[3]); i++) {
		memcpy(changed, original, n);
		write_file(argv[2], i, mutate(n, i));
	}
	return 0;
}
