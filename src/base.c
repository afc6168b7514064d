/*
 * base.c - metadata memory; see base.h.
 *
 * Chunks start at 64 KiB, so that a small program pays little address space
 * under ulimit -v, and double up to 2 MiB. A request that does not fit the
 * current chunk abandons the rest of it, unless the request is larger than
 * half a chunk: that gets a mapping of its own. Huge pages: see base_thp_set.
 *
 *   chunk:  | small pieces -> at |    no pages yet    | end <- whole pages |
 *
 * Cut from one end only, pieces of a few bytes between those of whole pages
 * would have a page each.
 */
#include "base.h"

#include "os.h"
#include "util.h"

enum {
	CHUNK_MIN = 64 << 10,
	CHUNK_MAX = 2 << 20,
	HUGE = 2 << 20,			/* a huge page; CHUNK_MAX is one */
};

struct base base_meta = {
	.lock = LOCK_INITIALIZER(RANK_BASE, "base"),
	.chunk_size = CHUNK_MIN,
	.name = "strata: metadata",
};

void
base_init(struct base *base, const char *name)
{
	*base = (struct base){ .name = name, .chunk_size = CHUNK_MIN };
	lock_init(&base->lock, RANK_BASE, "base");
}

/* Whole huge pages; NULL if they cannot be had. */
static char *
map_huge_locked(struct base *base, size_t size)
{
	char *all = os_map(NULL, size + HUGE), *chunk;
	size_t lead;

	if (all == NULL)
		return NULL;
	chunk = (char *)align_up((uintptr_t)all, HUGE);
	lead = (size_t)(chunk - all);
	if (lead > 0)
		os_unmap(all, lead);
	os_unmap(chunk + size, HUGE - lead);
	if (os_advise_huge(chunk, size, true) == 0)
		base->nhuge += size / HUGE;
	return chunk;
}

static char *
map_locked(struct base *base, size_t size, bool huge)
{
	char *chunk = huge && size % HUGE == 0 ?
	    map_huge_locked(base, size) : NULL;

	if (chunk == NULL)
		chunk = os_map(NULL, size);
	if (chunk == NULL)
		return NULL;
	os_name_mapping(chunk, size, base->name);
	base->mapped += size;
	return chunk;
}

/* A mapping for one large piece; alignment beyond a page costs space. */
static void *
alloc_own_mapping_locked(struct base *base, size_t size, size_t align)
{
	bool huge = base->thp == BASE_THP_ALWAYS && align <= HUGE;
	size_t total = align_up(size, huge ? HUGE : os_page_system);
	char *chunk;

	if (align > os_page_system && !huge)
		total += align;
	chunk = map_locked(base, total, huge);
	if (chunk == NULL)
		return NULL;
	base->allocated += size;
	return (char *)align_up((uintptr_t)chunk, align);
}

static int
grow_locked(struct base *base)
{
	size_t size = align_up(base->chunk_size, os_page_system);
	char *chunk = map_locked(base, size,
	    base->thp != BASE_THP_DISABLED);

	if (chunk == NULL)
		return -1;
	base->at = chunk;
	base->end = chunk + size;
	if (base->chunk_size < CHUNK_MAX)
		base->chunk_size *= 2;
	return 0;
}

/* From the front of the chunk, or, whole pages, from its end; NULL: no room. */
static char *
cut_locked(struct base *base, size_t size, size_t align)
{
	uintptr_t at = (uintptr_t)base->at, end = (uintptr_t)base->end, p;

	if (align >= os_page_system) {
		p = (end - size) & ~(align - 1);
		if (size > end - at || p < at)
			return NULL;
		base->allocated += end - p;
		base->end = (char *)p;
	} else {
		p = align_up(at, align);
		if (p > end || size > end - p)
			return NULL;
		base->allocated += p + size - at;
		base->at = (char *)(p + size);
	}
	return (char *)p;
}

static void *
alloc_locked(struct base *base, size_t size, size_t align)
{
	char *p = cut_locked(base, size, align);

	if (p != NULL)
		return p;
	if (size + align > base->chunk_size / 2)
		return alloc_own_mapping_locked(base, size, align);
	return grow_locked(base) == 0 ? cut_locked(base, size, align) : NULL;
}

void *
base_alloc(struct base *base, size_t size, size_t align)
{
	void *p;

	assert(is_pow2(align));
	if (size > PTRDIFF_MAX - align)
		return NULL;
	lock_acquire(&base->lock);
	p = alloc_locked(base, size, align);
	lock_release(&base->lock);
	return p;
}

void
base_count(struct base *base, ptrdiff_t bytes)
{
	lock_acquire(&base->lock);
	base->allocated += (size_t)bytes;
	lock_release(&base->lock);
}

void
base_stats(struct base *base, struct base_stats *out)
{
	lock_acquire(&base->lock);
	out->allocated = base->allocated;
	out->mapped = base->mapped;
	out->nhuge = base->nhuge;
	lock_release(&base->lock);
}

void
base_thp_set(struct base *base, enum base_thp thp)
{
	lock_acquire(&base->lock);
	base->thp = thp;
	if (thp == BASE_THP_ALWAYS)
		base->chunk_size = CHUNK_MAX;
	lock_release(&base->lock);
}

void
base_pool_init(struct base_pool *pool, struct base *base, size_t size,
    size_t align)
{
	assert(size >= sizeof(void *));
	*pool = (struct base_pool){ .base = base, .size = size,
	    .align = align };
	lock_init(&pool->lock, RANK_POOL, "pool");
}

void *
base_pool_get(struct base_pool *pool)
{
	void *piece;

	lock_acquire(&pool->lock);
	piece = pool->free;
	if (piece != NULL) {
		pool->free = *(void **)piece;
		pool->nfree--;
	} else {
		piece = base_alloc(pool->base, pool->size, pool->align);
	}
	if (piece != NULL)
		pool->nused++;
	lock_release(&pool->lock);
	return piece;
}

void
base_pool_put(struct base_pool *pool, void *piece)
{
	lock_acquire(&pool->lock);
	*(void **)piece = pool->free;
	pool->free = piece;
	pool->nfree++;
	pool->nused--;
	lock_release(&pool->lock);
}

void
base_prefork(struct base *base)
{
	lock_acquire(&base->lock);
}

void
base_postfork_parent(struct base *base)
{
	lock_release(&base->lock);
}

void
base_postfork_child(struct base *base)
{
	lock_reinit_child(&base->lock);
}

void
base_pool_prefork(struct base_pool *pool)
{
	lock_acquire(&pool->lock);
}

void
base_pool_postfork_parent(struct base_pool *pool)
{
	lock_release(&pool->lock);
}

void
base_pool_postfork_child(struct base_pool *pool)
{
	lock_reinit_child(&pool->lock);
}
