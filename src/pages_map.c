/*
 * pages_map.c - address space from the system; see pages_map.h.
 */
#include "pages_map.h"

#include <stdatomic.h>
#include <stdint.h>

#include "options.h"
#include "os.h"
#include "pages.h"
#include "util.h"

/*
 * The window lies between where programs are loaded (at 5/6 of the space,
 * 0x55..., and below 2 GiB) and where the kernel maps from (0x7f...).
 */
#define WINDOW_BASE	((uintptr_t)0x100000000000)	/* 16 TiB */
#define WINDOW_SPREAD	((uintptr_t)0x0fffffe00000)	/* 16 TiB more */
/*
 * 80 TiB: 5 below where the lowest program is loaded. A hint above 2^47 would
 * let a kernel with five levels of page tables go beyond what the pagemap has.
 */
#define WINDOW_END	((uintptr_t)0x500000000000)

/* ThreadSanitizer has its tables there. */
#ifdef __SANITIZE_THREAD__
enum { WINDOW_IS_FREE = false };
#else
enum { WINDOW_IS_FREE = true };
#endif

static _Atomic uintptr_t window_next;	/* at most WINDOW_END */

/* Of arenas to come; -1 and MS_OPTION: as the option says. */
enum { MS_OPTION = DECAY_NEVER - 1 };
static _Atomic int new_dss = -1;
static _Atomic ssize_t new_ms[PAGES_NDECAYS] = { MS_OPTION, MS_OPTION };

ssize_t
pages_decay_ms_default(enum extent_state state)
{
	ssize_t ms = atomic_load_explicit(&new_ms[state],
	    memory_order_relaxed);

	if (ms != MS_OPTION)
		return ms;
	return state == EXTENT_DIRTY ? opt.dirty_decay_ms :
	    opt.muzzy_decay_ms;
}

void
pages_decay_ms_default_set(enum extent_state state, ssize_t ms)
{
	atomic_store_explicit(&new_ms[state], ms, memory_order_relaxed);
}

enum option_dss
pages_dss_default(void)
{
	int dss = atomic_load_explicit(&new_dss, memory_order_relaxed);

	return dss < 0 ? opt.dss : (enum option_dss)dss;
}

void
pages_dss_default_set(enum option_dss dss)
{
	atomic_store_explicit(&new_dss, (int)dss, memory_order_relaxed);
}

static uintptr_t
window_first(void)
{
	uint64_t random;

	if (os_aslr_off())
		return WINDOW_BASE;
	os_random(&random, sizeof random);
	return WINDOW_BASE + (random & WINDOW_SPREAD);
}

/* Part of the window, behind what was skipped for its alignment. */
struct window_part {
	uintptr_t skipped, begin, end;
};

static uintptr_t
window_now(void)
{
	uintptr_t next = atomic_load_explicit(&window_next,
	    memory_order_relaxed), first;

	if (next != 0)
		return next;
	first = window_first();
	return atomic_compare_exchange_strong(&window_next, &next, first) ?
	    first : next;
}

/* False: so much is not left. */
static bool
window_take(size_t size, size_t align, struct window_part *out)
{
	uintptr_t next = window_now(), begin;

	do {
		begin = align_up(next, align);
		if (begin > WINDOW_END || size > WINDOW_END - begin)
			return false;
	} while (!atomic_compare_exchange_weak_explicit(&window_next, &next,
	    begin + size, memory_order_relaxed, memory_order_relaxed));
	*out = (struct window_part){ next, begin, begin + size };
	return true;
}

/* The part that begins at addr, if that is next. */
static bool
window_take_at(const char *addr, size_t size, struct window_part *out)
{
	uintptr_t begin = (uintptr_t)addr, next = begin;

	if (begin > WINDOW_END || size > WINDOW_END - begin ||
	    !atomic_compare_exchange_strong_explicit(&window_next, &next,
	    begin + size, memory_order_relaxed, memory_order_relaxed))
		return false;
	*out = (struct window_part){ begin, begin, begin + size };
	return true;
}

/* Nothing was mapped there; lost if another thread was faster. */
static void
window_give_back(const struct window_part *part)
{
	uintptr_t end = part->end;

	(void)atomic_compare_exchange_strong_explicit(&window_next, &end,
	    part->skipped, memory_order_relaxed, memory_order_relaxed);
}

void
pages_map_leave_window(void)
{
	atomic_store_explicit(&window_next, WINDOW_END, memory_order_relaxed);
}

/* Where the kernel likes; the mapping is made larger and cut. */
static char *
map_aligned(size_t size, size_t align)
{
	size_t lead;
	char *addr;

	if (size + align < size)
		return NULL;
	addr = os_map(NULL, size + align);
	if (addr == NULL)
		return NULL;
	lead = align_up((uintptr_t)addr, align) - (uintptr_t)addr;
	if (lead > 0)
		os_unmap(addr, lead);
	if (align > lead)
		os_unmap(addr + lead + size, align - lead);
	return addr + lead;
}

static void
advise_huge(char *addr, size_t size)
{
	if (likely(opt.thp == THP_DEFAULT))
		return;
	(void)os_advise_huge(addr, size, opt.thp == THP_ALWAYS);
}

/* There if it can be, else where the kernel likes. */
static char *
map_in_window(size_t size, size_t align)
{
	struct window_part part;
	char *addr;

	if (!window_take(size, align, &part))
		return os_map(NULL, size);
	addr = os_map((void *)part.begin, size);
	if (addr == NULL)
		window_give_back(&part);
	return addr;
}

static char *
map(bool own_window, size_t size, size_t align)
{
	char *addr = own_window && WINDOW_IS_FREE ?
	    map_in_window(size, align) : os_map(NULL, size);

	if (addr == NULL || (uintptr_t)addr % align == 0)
		return addr;
	os_unmap(addr, size);
	return map_aligned(size, align);
}

char *
pages_map(const struct pages_source *source, size_t size, size_t align,
    struct dss_gap *gap)
{
	char *addr = NULL;

	/* Huge pages, unless the mapping is smaller than one. */
	if (align < PAGES_MAP_ALIGN && size >= PAGES_MAP_ALIGN)
		align = PAGES_MAP_ALIGN;
	*gap = (struct dss_gap){ NULL, 0 };
	if (source->dss == DSS_PRIMARY)
		addr = dss_alloc(size, align, gap);
	if (addr == NULL)
		addr = map(source->own_window, size, align);
	if (addr == NULL && source->dss == DSS_SECONDARY)
		addr = dss_alloc(size, align, gap);
	if (addr != NULL)
		advise_huge(addr, size);
	return addr;
}

/* What was mapped with a hint, if it was heeded. */
static char *
keep_at(char *at, char *addr, size_t size)
{
	if (addr == NULL)
		return NULL;
	if (addr != at) {
		os_unmap(addr, size);
		return NULL;
	}
	advise_huge(addr, size);
	return addr;
}

char *
pages_map_next(const struct pages_source *source, char *at, size_t size)
{
	struct window_part part;
	char *addr;

	if (!source->own_window || source->dss == DSS_PRIMARY ||
	    !window_take_at(at, size, &part))
		return NULL;
	addr = os_map(at, size);
	if (addr == NULL)
		window_give_back(&part);
	return keep_at(at, addr, size);
}

char *
pages_map_at(char *at, size_t size)
{
	return keep_at(at, os_map(at, size), size);
}
