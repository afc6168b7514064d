/*
 * mutate.h - damaged variants of a file, for the tests of readers.
 *
 * mutate() copies some bytes and damages the copy: bits flipped, bytes
 * replaced by telling ones, cut off, doubled or taken from elsewhere. The
 * same seed gives the same damage.
 */
#ifndef STRATA_TESTS_MUTATE_H
#define STRATA_TESTS_MUTATE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline uint64_t
mutate_random(uint64_t *seed)
{
	uint64_t x = *seed += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static inline size_t
mutate_below(uint64_t *seed, size_t n)
{
	return n == 0 ? 0 : (size_t)(mutate_random(seed) % n);
}

/* One change to *n bytes of a buffer of room bytes. */
static inline void
mutate_once(unsigned char *bytes, size_t *n, size_t room, uint64_t *seed)
{
	static const unsigned char telling[] = { 0, 1, 0x7f, 0x80, 0xff, 9,
	    10, ' ', '0', '-', ':', '@' };
	size_t at = mutate_below(seed, *n), length;

	switch (*n == 0 ? 9 : mutate_below(seed, 6)) {
	case 0:
		bytes[at] ^= (unsigned char)(1 << mutate_below(seed, 8));
		break;
	case 1:
		bytes[at] = telling[mutate_below(seed, sizeof telling)];
		break;
	case 2:
		*n = at;
		break;
	case 3:				/* a part again, further on */
		length = mutate_below(seed, *n - at) + 1;
		if (*n + length > room)
			break;
		memmove(bytes + at + length, bytes + at, *n - at);
		*n += length;
		break;
	case 4:				/* a part is missing */
		length = mutate_below(seed, *n - at) + 1;
		memmove(bytes + at, bytes + at + length, *n - at - length);
		*n -= length;
		break;
	case 5:				/* a part from elsewhere */
		length = mutate_below(seed, *n - at) + 1;
		memmove(bytes + at, bytes + mutate_below(seed, *n - length +
		    1), length);
		break;
	}
}

/* The caller frees the result; *length is that of the damaged copy. */
static inline unsigned char *
mutate(const void *bytes, size_t n, uint64_t seed, size_t *length)
{
	size_t room = 2 * n;
	unsigned char *copy = malloc(room + 1);
	size_t changes = 1 + mutate_below(&seed, 4);

	memcpy(copy, bytes, n);
	for (size_t i = 0; i < changes; i++)
		mutate_once(copy, &n, room, &seed);
	*length = n;
	return copy;
}

#endif
