/*
 * bitmap.h - bits in arrays of 64-bit words.
 */
#ifndef STRATA_BITMAP_H
#define STRATA_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITMAP_WORD_BITS = 64 };

static inline size_t
bitmap_nwords(size_t nbits)
{
	return (nbits + 63) / 64;
}

static inline bool
bitmap_get(const uint64_t *words, size_t bit)
{
	return (words[bit / 64] >> (bit % 64) & 1) != 0;
}

static inline void
bitmap_set(uint64_t *words, size_t bit)
{
	words[bit / 64] |= (uint64_t)1 << (bit % 64);
}

static inline void
bitmap_clear(uint64_t *words, size_t bit)
{
	words[bit / 64] &= ~((uint64_t)1 << (bit % 64));
}

/* Sets the first nbits and clears what follows in the last word. */
static inline void
bitmap_fill(uint64_t *words, size_t nbits)
{
	size_t n = bitmap_nwords(nbits);

	for (size_t i = 0; i < n; i++)
		words[i] = UINT64_MAX;
	if (nbits % 64 != 0)
		words[n - 1] = UINT64_MAX >> (64 - nbits % 64);
}

/* The first set bit at or after from, or nbits. */
static inline size_t
bitmap_next(const uint64_t *words, size_t nbits, size_t from)
{
	size_t i = from / 64;
	uint64_t word;

	if (from >= nbits)
		return nbits;
	word = words[i] & (UINT64_MAX << (from % 64));
	while (word == 0) {
		if (++i >= bitmap_nwords(nbits))
			return nbits;
		word = words[i];
	}
	from = i * 64 + (size_t)__builtin_ctzll(word);
	return from < nbits ? from : nbits;
}

static inline size_t
bitmap_count(const uint64_t *words, size_t nbits)
{
	size_t sum = 0;

	for (size_t i = 0; i < bitmap_nwords(nbits); i++)
		sum += (size_t)__builtin_popcountll(words[i]);
	return sum;
}

#endif
