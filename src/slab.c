/*
 * slab.c - regions of a slab, and which of them are sampled.
 */
#include "slab.h"

#include <errno.h>
#include <string.h>

#include "bitmap.h"
#include "os.h"

enum { NSAMPLE_LOCKS = 64 };	/* many more than threads sampling at once */

static struct lock sample_locks[NSAMPLE_LOCKS];
/* Bitmaps that do not fit the extent, by class. */
static struct base_pool pools[SC_NSMALL];

void
slab_boot(void)
{
	for (unsigned i = 0; i < NSAMPLE_LOCKS; i++)
		lock_init(&sample_locks[i], RANK_SAMPLE, "sample");
	for (unsigned i = 0; i < SC_NSMALL; i++)
		base_pool_init(&pools[i], &base_meta,
		    bitmap_nwords(sc_slabs[i].nregs) * sizeof(uint64_t),
		    sizeof(uint64_t));
}

int
slab_init(struct extent *extent, unsigned sizeclass)
{
	unsigned nregs = sc_slabs[sizeclass].nregs;

	extent->words = extent->inline_words;
	if (bitmap_nwords(nregs) > EXTENT_INLINE_WORDS) {
		extent->words = base_pool_get(&pools[sizeclass]);
		if (extent->words == NULL)
			return ENOMEM;
	}
	bitmap_fill(extent->words, nregs);
	extent->sizeclass = (uint8_t)sizeclass;
	extent->slab = true;
	extent->trimmed = 0;
	atomic_store_explicit(&extent->nfree, nregs, memory_order_relaxed);
	atomic_store_explicit(&extent->samples, NULL, memory_order_relaxed);
	return 0;
}

void
slab_fini(struct extent *extent)
{
	_Atomic uint64_t *samples = atomic_load_explicit(&extent->samples,
	    memory_order_relaxed);

	if (samples != NULL)
		base_pool_put(&pools[extent->sizeclass], (void *)samples);
	atomic_store_explicit(&extent->samples, NULL, memory_order_relaxed);
	if (extent->words != extent->inline_words)
		base_pool_put(&pools[extent->sizeclass], extent->words);
	extent->words = NULL;
	extent->slab = false;
}

unsigned
slab_take(struct extent *extent, void **end, unsigned n)
{
	size_t size = sc_slabs[extent->sizeclass].size;
	uint64_t *words = extent->words;
	unsigned free = slab_nfree(extent);
	char *base = extent->addr;
	unsigned want = n < free ? n : free, left = want;

	while (left > 0) {
		uint64_t word = *words;

		for (; word != 0 && left > 0; left--) {
			unsigned bit = (unsigned)__builtin_ctzll(word);

			word &= word - 1;
			*--end = base + bit * size;
		}
		__atomic_store_n(words++, word, __ATOMIC_RELAXED);
		base += 64 * size;
	}
	atomic_store_explicit(&extent->nfree, free - want,
	    memory_order_relaxed);
	return want;
}

bool
slab_trim(struct extent *extent)
{
	const struct sc_slab *geometry = &sc_slabs[extent->sizeclass];
	size_t nregs = geometry->nregs, size = geometry->size, from, to = 0;

	if (extent->trimmed == (uint16_t)slab_nfree(extent))
		return false;
	extent->trimmed = (uint16_t)slab_nfree(extent);
	for (;;) {
		from = bitmap_next(extent->words, nregs, to);
		if (from == nregs)
			return true;
		for (to = from; to < nregs && bitmap_get(extent->words, to); )
			to++;
		os_purge_within(extent->addr + from * size, to == nregs ?
		    extent_end(extent) : extent->addr + to * size);
	}
}

static struct lock *
sample_lock(const struct extent *extent)
{
	return &sample_locks[((uintptr_t)extent / EXTENT_ALIGN) %
	    NSAMPLE_LOCKS];
}

static int
ensure_samples_locked(struct extent *extent)
{
	size_t n = bitmap_nwords(sc_slabs[extent->sizeclass].nregs);
	_Atomic uint64_t *samples;

	if (atomic_load_explicit(&extent->samples, memory_order_relaxed) !=
	    NULL)
		return 0;
	samples = base_pool_get(&pools[extent->sizeclass]);
	if (samples == NULL)
		return ENOMEM;
	for (size_t i = 0; i < n; i++)
		atomic_store_explicit(&samples[i], 0, memory_order_relaxed);
	/* Release: pairs with the acquire in slab_sample_test. */
	atomic_store_explicit(&extent->samples, samples,
	    memory_order_release);
	return 0;
}

int
slab_sample_reserve(struct extent *extent)
{
	int error;

	/* It stays as long as a region is in use: slab_fini. */
	if (atomic_load_explicit(&extent->samples, memory_order_relaxed) !=
	    NULL)
		return 0;
	lock_acquire(sample_lock(extent));
	error = ensure_samples_locked(extent);
	lock_release(sample_lock(extent));
	return error;
}

void
slab_sample_set(struct extent *extent, const void *ptr)
{
	unsigned index = slab_index(extent, ptr);
	uint64_t entry;

	lock_acquire(sample_lock(extent));
	atomic_fetch_or_explicit(&extent->samples[index / 64],
	    (uint64_t)1 << (index % 64), memory_order_relaxed);
	entry = pagemap_get(extent->addr);
	if ((entry & PM_SAMPLED) == 0)
		pagemap_set_range(extent->addr, extent->size,
		    entry | PM_SAMPLED);
	lock_release(sample_lock(extent));
}

bool
slab_sample_test(const struct extent *extent, const void *ptr)
{
	unsigned index = slab_index(extent, ptr);
	/* Acquire: pairs with the release in ensure_samples_locked. */
	_Atomic uint64_t *samples = atomic_load_explicit(&extent->samples,
	    memory_order_acquire);

	return samples != NULL && (atomic_load_explicit(&samples[index / 64],
	    memory_order_relaxed) >> (index % 64) & 1) != 0;
}

void
slab_sample_clear(struct extent *extent, const void *ptr)
{
	size_t n = bitmap_nwords(sc_slabs[extent->sizeclass].nregs);
	unsigned index = slab_index(extent, ptr);
	uint64_t any = 0;

	lock_acquire(sample_lock(extent));
	atomic_fetch_and_explicit(&extent->samples[index / 64],
	    ~((uint64_t)1 << (index % 64)), memory_order_relaxed);
	for (size_t i = 0; i < n; i++)
		any |= atomic_load_explicit(&extent->samples[i],
		    memory_order_relaxed);
	if (any == 0)
		pagemap_set_range(extent->addr, extent->size,
		    pagemap_get(extent->addr) & ~(uint64_t)PM_SAMPLED);
	lock_release(sample_lock(extent));
}

void
slab_check(const struct extent *extent)
{
	const struct sc_slab *geometry = &sc_slabs[extent->sizeclass];

	must(extent->slab);
	must(extent->size >= geometry->slab_size);
	must(bitmap_count(extent->words, geometry->nregs) ==
	    slab_nfree(extent));
	must(slab_nfree(extent) <= geometry->nregs);
	for (size_t at = 0; at < extent->size; at += PM_GRANULE) {
		uint64_t entry = pagemap_get(extent->addr + at);

		must(pagemap_extent(entry) == extent);
		must(pagemap_sizeclass(entry) == extent->sizeclass);
		must(pagemap_is_active(entry));
	}
}

void
slab_each_lock(enum lock_rank rank, void (*op)(struct lock *lock))
{
	if (rank == RANK_SAMPLE)
		for (unsigned i = 0; i < NSAMPLE_LOCKS; i++)
			op(&sample_locks[i]);
	if (rank == RANK_POOL)
		for (unsigned i = 0; i < SC_NSMALL; i++)
			op(&pools[i].lock);
}
