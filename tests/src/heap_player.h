/*
 * heap_player.h - a player of heap_model_test: makes, resizes and frees blocks
 * by every public function, with every flag, and compares what it gets with
 * what it asked for.
 *
 * Locks: none; a player is one thread's.
 */
#ifndef TESTS_SRC_HEAP_PLAYER_H
#define TESTS_SRC_HEAP_PLAYER_H

#include "core.h"

#include "heap_pools.h"
#include "names.h"
#include "refheap.h"

enum {
	NBLOCKS = 2000,			/* of a player */
	NSHARED = 4,			/* manual arenas, for all players */
	NCACHES = 2,			/* explicit caches of a player */
	LG_ALIGN_MAX = 16,		/* of the common ones */
	NO_ARENA = UINT32_MAX,
};

struct player {
	uint64_t random;
	unsigned steps;			/* of each round */
	bool leader;
	bool cached;			/* thread.tcache.enabled */
	unsigned bound;			/* manual arena, or NO_ARENA */
	unsigned caches[NCACHES];
	struct scopes scopes;
	struct ref_block blocks[NBLOCKS];
};

/* A way to make or to resize a block: flags for the *allocx functions. */
struct way {
	size_t size, align;
	bool zero;
	unsigned pool;			/* whose it must be, else ... */
	unsigned arena;			/* whose, or ... */
	bool or_automatic;		/* of any automatic arena */
	int flags;
};

static unsigned shared_arenas[NSHARED];	/* changed while nobody runs */
static bool in_zeroes, in_junk;
/* One in so many of the kernel's answers is ENOMEM; 0: none. */
static unsigned faults;
static _Atomic unsigned long nfailed;	/* requests */
/* This thread is at a call that may fail; and a sequence for its luck. */
static __thread bool may_fail, all_fail;
static __thread uint64_t luck;

static uint64_t
draw(struct player *player)
{
	return ref_mix(player->random += 0x9e3779b97f4a7c15u);
}

static size_t
below(struct player *player, size_t n)
{
	return (size_t)(draw(player) % n);
}

static bool
chance(struct player *player, unsigned one_in)
{
	return draw(player) % one_in == 0;
}

static void
ctl(const char *name, void *old, size_t *oldlen, void *new, size_t newlen)
{
	int error = mallctl(name, old, oldlen, new, newlen);

	if (error != 0)
		ref_die("mallctl %s: %s", name, strerror(error));
}

static void
ctl_arena(unsigned arena, const char *leaf, void *new, size_t newlen)
{
	char name[64];

	snprintf(name, sizeof name, "arena.%u.%s", arena, leaf);
	ctl(name, NULL, NULL, new, newlen);
}

static unsigned
new_number(const char *name)
{
	unsigned number;
	size_t len = sizeof number;

	ctl(name, &number, &len, NULL, 0);
	return number;
}

static int
fail_at_times(enum os_memory_call call)
{
	if (!may_fail)
		return 0;
	return all_fail || ref_mix(luck += 0x9e3779b97f4a7c15u) % faults == 0
	    ? -ENOMEM : 0;
}

/* Around one call of the allocator. */
static void
begin_faults(struct player *player)
{
	luck = draw(player);
	all_fail = chance(player, 2);
	errno = 0;
	may_fail = faults > 0;
}

/* True if the call has failed as it may: NULL and ENOMEM. */
static bool
end_faults(const void *ptr)
{
	bool might = may_fail;

	may_fail = false;
	if (ptr != NULL)
		return false;
	if (!might || errno != ENOMEM)
		ref_die("no memory, errno %d", errno);
	atomic_fetch_add(&nfailed, 1);
	return true;
}

/* --- what is asked for ---------------------------------------------------- */

/* Mostly small, some medium, a few beyond every cache; odd ones among them. */
static size_t
draw_size(struct player *player)
{
	unsigned lg = (unsigned)below(player, 1000), edge;

	/* A fresh page costs as much as ten steps: large ones are rare. */
	lg = lg < 900 ? lg % 10 : lg < 995 ? 10 + lg % 7 :
	    lg < 999 ? 17 + lg % 4 : 21 + lg % 3;
	if (chance(player, 40))
		return below(player, 3);
	if (chance(player, 10)) {	/* a class's size, or one off it */
		edge = (unsigned)below(player, chance(player, 20) ? 60 : 40);
		return sc_sizes[edge] + below(player, 3) - 1;
	}
	return ((size_t)1 << lg) + below(player, (size_t)1 << lg);
}

static size_t
draw_align(struct player *player)
{
	unsigned lg = (unsigned)below(player, chance(player, 4) ?
	    LG_ALIGN_MAX + 1 : 8);

	if (chance(player, 200))
		lg = 17 + (unsigned)below(player, 8);
	if (chance(player, 20000))
		lg = 30;
	return (size_t)1 << lg;
}

/* What malloc does: the innermost scope's, else of the player's arena. */
static struct way
plain_way(const struct player *player)
{
	return (struct way){ .arena = player->bound,
	    .pool = scopes_innermost(&player->scopes) };
}

static struct way
draw_way(struct player *player)
{
	struct way way = plain_way(player);
	unsigned at = shared_arenas[below(player, NSHARED)];
	unsigned pool = model_pools[below(player, NPOOLS)];

	way.size = draw_size(player);
	way.size += way.size == 0;	/* undefined for mallocx */
	if (chance(player, 3)) {
		way.align = draw_align(player);
		way.flags |= MALLOCX_ALIGN(way.align);
	}
	if (chance(player, 3)) {
		way.zero = true;
		way.flags |= MALLOCX_ZERO;
	}
	switch (below(player, 6)) {
	case 0:
		way.flags |= MALLOCX_TCACHE_NONE;
		break;
	case 1:		/* its own are of automatic arenas */
		way.flags |= MALLOCX_TCACHE(player->caches[below(player,
		    NCACHES)]);
		way.or_automatic = true;
		break;
	case 2:
		way.flags |= MALLOCX_ARENA(at);
		if (chance(player, 2))
			way.flags |= MALLOCX_TCACHE_NONE;
		way.arena = at;
		way.pool = NO_POOL;
		return way;
	default:
		break;
	}
	if (chance(player, 4) && scopes_have_room(&player->scopes, pool)) {
		way.flags |= MALLOCX_POOL(pool);
		way.pool = pool;
	}
	return way;
}

/* --- what is got ---------------------------------------------------------- */

/*
 * A pool and a manual arena hand out their own, all others automatic ones'
 * memory, or the default pool's.
 */
static void
check_arena(const struct ref_block *block, const struct way *way)
{
	const struct arena *arena = arena_get(block->arena, false);
	bool automatic = arena_domain(arena) == 0 || pool_default_has(arena);

	if (automatic && (way->or_automatic || (way->pool == NO_POOL &&
	    way->arena == NO_ARENA)))
		return;
	if (way->pool != NO_POOL ? !pool_holds(way->pool, block->arena) :
	    block->arena != way->arena)
		ref_die("%p is of arena %u, not of pool %d, arena %d",
		    (void *)block->ptr, block->arena, (int)way->pool,
		    (int)way->arena);
}

/* block->ptr, requested and align are set; the rest is found out. */
static void
look_at(struct ref_block *block)
{
	size_t align = block->align;

	if (align < 16)
		align = block->requested < 16 ? 8 : 16;
	block->usable = malloc_usable_size(block->ptr);
	block->arena = extent_arena(pagemap_extent(pagemap_get(block->ptr)));
	if ((uintptr_t)block->ptr % align != 0)
		ref_die("%p is not aligned to %zu", (void *)block->ptr,
		    align);
	if (block->usable < block->requested ||
	    block->usable != sallocx(block->ptr, 0))
		ref_die("%p: %zu bytes usable, %zu asked for",
		    (void *)block->ptr, block->usable, block->requested);
	ref_occupy(block, true);
}

static void
check_new(struct ref_block *block, const struct way *way)
{
	look_at(block);
	check_arena(block, way);
	if (block->usable != nallocx(block->requested +
	    (block->requested == 0), block->align == 0 ? 0 :
	    MALLOCX_ALIGN(block->align)))
		ref_die("%zu bytes, aligned to %zu: %zu usable, not what "
		    "nallocx says", block->requested, block->align,
		    block->usable);
	if (way->zero || in_zeroes)
		ref_check_fill(block->ptr, 0, in_zeroes ? block->usable :
		    block->requested, 0);
	else if (in_junk)
		ref_check_fill(block->ptr, 0, block->usable, 0xa5);
}

/* --- making --------------------------------------------------------------- */

static void *
make_by_libc(struct player *player, struct ref_block *block, bool *zero)
{
	size_t n = block->requested, count = 1 + below(player, 8);
	void *ptr = NULL;

	switch (below(player, 8)) {
	case 0:
		*zero = true;
		block->requested = n / count * count;
		return calloc(count, n / count);
	case 1:
		return realloc(NULL, n);
	case 2:
		block->requested = n / count * count;
		return reallocarray(NULL, n / count, count);
	case 3:
		*zero = true;
		return __libc_calloc(n, 1);
	case 4:
		return __libc_malloc(n);
	case 5:
		block->align = draw_align(player);
		block->align = block->align < 8 ? 8 : block->align;
		errno = posix_memalign(&ptr, block->align, n);
		return ptr;
	default:
		return malloc(n);
	}
}

static void *
make_aligned(struct player *player, struct ref_block *block)
{
	size_t n = block->requested;

	block->align = draw_align(player);
	switch (below(player, 5)) {
	case 0:
		return aligned_alloc(block->align, n);
	case 1:
		return memalign(block->align, n);
	case 2:
		return __libc_memalign(block->align, n);
	case 3:
		block->align = os_page;
		return valloc(n);
	default:
		block->align = os_page;
		block->requested = align_up(n, os_page);
		return pvalloc(n);
	}
}

void *_Znwm(size_t size);
void *_Znam(size_t size);
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow);
void *_ZnwmSt11align_val_t(size_t size, size_t align);
void *_ZnamSt11align_val_t(size_t size, size_t align);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t size, size_t align,
    const void *nothrow);
void _ZdlPv(void *ptr);
void _ZdaPv(void *ptr);
void _ZdlPvRKSt9nothrow_t(void *ptr, const void *nothrow);
void _ZdaPvRKSt9nothrow_t(void *ptr, const void *nothrow);
void _ZdlPvm(void *ptr, size_t size);
void _ZdaPvm(void *ptr, size_t size);
void _ZdlPvSt11align_val_t(void *ptr, size_t align);
void _ZdaPvSt11align_val_t(void *ptr, size_t align);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    const void *nothrow);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *ptr, size_t align,
    const void *nothrow);
void _ZdlPvmSt11align_val_t(void *ptr, size_t size, size_t align);
void _ZdaPvmSt11align_val_t(void *ptr, size_t size, size_t align);

static void *
make_by_new(struct player *player, struct ref_block *block)
{
	size_t n = block->requested;

	/* Without a C++ runtime only nothrow ones can fail and return. */
	switch (faults > 0 ? 2 + below(player, 2) : below(player, 8)) {
	case 0:
		return _Znwm(n);
	case 1:
		return _Znam(n);
	case 2:
		return _ZnwmRKSt9nothrow_t(n, "");
	case 3:
		return _ZnamRKSt9nothrow_t(n, "");
	default:
		break;
	}
	block->align = draw_align(player);
	switch (below(player, 4)) {
	case 0:
		return _ZnwmSt11align_val_t(n, block->align);
	case 1:
		return _ZnamSt11align_val_t(n, block->align);
	case 2:
		return _ZnwmSt11align_val_tRKSt9nothrow_t(n, block->align,
		    "");
	default:
		return _ZnamSt11align_val_tRKSt9nothrow_t(n, block->align,
		    "");
	}
}

static void
make_block(struct player *player, struct ref_block *block)
{
	struct way way = plain_way(player);

	*block = (struct ref_block){ .requested = draw_size(player) };
	begin_faults(player);
	switch (below(player, 8)) {
	case 0:
		block->ptr = make_aligned(player, block);
		break;
	case 1:
		block->ptr = make_by_new(player, block);
		break;
	case 2:
	case 3:
		way = draw_way(player);
		block->requested = way.size;
		block->align = way.align;
		block->ptr = mallocx(way.size, way.flags);
		break;
	default:
		block->ptr = make_by_libc(player, block, &way.zero);
		break;
	}
	if (end_faults(block->ptr))
		return;
	check_new(block, &way);
	ref_write(block, draw(player));
}

/* --- freeing -------------------------------------------------------------- */

/* Where the caller says a block may go back to. */
static int
draw_home(struct player *player)
{
	switch (below(player, 4)) {
	case 0:
		return MALLOCX_TCACHE_NONE;
	case 1:
		return MALLOCX_TCACHE(player->caches[below(player, NCACHES)]);
	default:
		return 0;
	}
}

/* A size between what was asked for and what was got; both are true. */
static size_t
draw_true_size(struct player *player, const struct ref_block *block)
{
	return block->requested + below(player, block->usable -
	    block->requested + 1);
}

static void
free_sized_somehow(struct player *player, void *ptr, size_t size,
    size_t align)
{
	if (align != 0) {
		switch (below(player, 4)) {
		case 0:
			free_aligned_sized(ptr, align, size);
			return;
		case 1:
			_ZdlPvmSt11align_val_t(ptr, size, align);
			return;
		case 2:
			_ZdaPvmSt11align_val_t(ptr, size, align);
			return;
		default:
			sdallocx(ptr, size, MALLOCX_ALIGN(align) |
			    draw_home(player));
			return;
		}
	}
	switch (below(player, 4)) {
	case 0:
		free_sized(ptr, size);
		break;
	case 1:
		_ZdlPvm(ptr, size);
		break;
	case 2:
		_ZdaPvm(ptr, size);
		break;
	default:
		sdallocx(ptr, size, draw_home(player));
	}
}

static void
delete_somehow(struct player *player, void *ptr, size_t align)
{
	switch (below(player, 8)) {
	case 0:
		_ZdlPv(ptr);
		break;
	case 1:
		_ZdaPv(ptr);
		break;
	case 2:
		_ZdlPvRKSt9nothrow_t(ptr, "");
		break;
	case 3:
		_ZdaPvRKSt9nothrow_t(ptr, "");
		break;
	case 4:
		_ZdlPvSt11align_val_t(ptr, align);
		break;
	case 5:
		_ZdaPvSt11align_val_t(ptr, align);
		break;
	case 6:
		_ZdlPvSt11align_val_tRKSt9nothrow_t(ptr, align, "");
		break;
	default:
		_ZdaPvSt11align_val_tRKSt9nothrow_t(ptr, align, "");
	}
}

/* The bits go first: from the call on the memory may be another's. */
static void
drop_block(struct player *player, struct ref_block *block)
{
	void *ptr = block->ptr;
	int saved;

	ref_check(block, block->ptr, block->usable);
	ref_occupy(block, false);
	block->ptr = NULL;
	begin_faults(player);
	errno = saved = (int)below(player, 1000);
	switch (below(player, 8)) {
	case 0:
		free_sized_somehow(player, ptr, draw_true_size(player, block),
		    block->align);
		break;
	case 1:
		dallocx(ptr, draw_home(player));
		break;
	case 2:
		delete_somehow(player, ptr, block->align);
		break;
	case 3:
		cfree(ptr);
		break;
	case 4:
		if (realloc(ptr, 0) != NULL)
			ref_die("realloc(p, 0) is not NULL");
		break;
	case 5:
		__libc_free(ptr);
		break;
	default:
		free(ptr);
	}
	may_fail = false;
	if (errno != saved)
		ref_die("a free has set errno to %d", errno);
}

/* --- resizing ------------------------------------------------------------- */

/* New bytes are zero where that was asked for, junk where it is an option. */
static void
check_grown(const struct ref_block *block, size_t from, bool zero)
{
	if (from >= block->usable)
		return;
	if (in_zeroes)
		ref_check_fill(block->ptr, from, block->usable, 0);
	else if (zero && from < block->requested)
		ref_check_fill(block->ptr, from, block->requested, 0);
	else if (in_junk && !zero)
		ref_check_fill(block->ptr, from, block->usable, 0xa5);
}

static void
resize_in_place(struct player *player, struct ref_block *block)
{
	struct ref_block old = *block;
	bool zero = chance(player, 2);
	size_t min = 1 + draw_size(player), extra = chance(player, 2) ? 0 :
	    draw_size(player), got;

	if (chance(player, 2))		/* near to what it has */
		min = block->usable + below(player, block->usable + 1) -
		    block->usable / 2;
	min += min == 0;
	ref_occupy(&old, false);
	begin_faults(player);
	got = xallocx(block->ptr, min, extra, (zero ? MALLOCX_ZERO : 0) |
	    (block->align == 0 ? 0 : MALLOCX_ALIGN(block->align)));
	may_fail = false;
	block->requested = got;
	look_at(block);
	if (got != block->usable)
		ref_die("xallocx says %zu, it is %zu", got, block->usable);
	if (got > old.usable && got > nallocx(min + extra, 0))
		ref_die("xallocx went beyond what was asked for");
	ref_check(&old, block->ptr, got);
	check_grown(block, old.usable, zero);
	ref_write(block, draw(player));
}

static void *
resize_by_libc(struct player *player, struct ref_block *block, size_t size)
{
	if (chance(player, 4))
		return reallocarray(block->ptr, size, 1);
	if (chance(player, 4))
		return __libc_realloc(block->ptr, size);
	return realloc(block->ptr, size);
}

static void
resize_by_move(struct player *player, struct ref_block *block)
{
	struct ref_block old = *block;
	struct way way = draw_way(player);

	if (chance(player, 2))
		way.size = block->usable / 2 + 1 + below(player,
		    block->usable + 1);
	/* Freed if it moves: another may have it before we hear of it. */
	ref_occupy(&old, false);
	block->requested = way.size;
	begin_faults(player);
	if (chance(player, 2)) {
		block->align = way.align;
		block->ptr = rallocx(block->ptr, way.size, way.flags);
	} else {
		size_t size = way.size;

		way = plain_way(player);
		way.size = size;
		block->align = 0;
		block->ptr = resize_by_libc(player, block, size);
	}
	if (end_faults(block->ptr)) {
		ref_check(&old, old.ptr, old.usable);
		*block = old;		/* as it was */
		ref_occupy(block, true);
		return;
	}
	look_at(block);
	if (block->ptr != old.ptr)
		check_arena(block, &way);
	ref_check(&old, block->ptr, way.size);
	check_grown(block, old.usable, way.zero);
	ref_write(block, draw(player));
}

#endif
