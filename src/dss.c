/*
 * dss.c - memory from the end of the data segment; see dss.h.
 *
 *   | others' | rounding | gap: whole pages | the request |   <- the break
 *             piece.begin                               piece.end
 */
#include "dss.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include "os.h"

/* How often others may move the break meanwhile: by chance, not on purpose. */
enum { DSS_TRIES = 8 };

static struct lock dss_lock = LOCK_INITIALIZER(RANK_DSS, "dss");
/* dss_lock for writing; atomic. All our pieces lie between the two. */
static _Atomic uintptr_t dss_first, dss_end;

/* What sbrk has given us without a foreign byte in between. */
struct dss_piece {
	uintptr_t begin, end;
};

static uintptr_t
place(const struct dss_piece *piece, size_t align)
{
	return align_up(align_up(piece->begin, os_page), align);
}

/* A piece that is given up, or the front of one: the larger gap is kept. */
static void
leave_gap(struct dss_gap *gap, uintptr_t begin, uintptr_t end)
{
	begin = align_up(begin, os_page);
	end = align_down(end, os_page);
	if (end > begin && end - begin > gap->size)
		*gap = (struct dss_gap){ (char *)begin, end - begin };
}

/*
 * Makes the piece long enough, or begins a new one where the break is now. 0
 * or ENOMEM.
 */
static int
extend_locked(struct dss_piece *piece, size_t size, size_t align,
    struct dss_gap *gap)
{
	uintptr_t now = (uintptr_t)os_move_break(0), end, got;

	if (now == 0)
		return ENOMEM;
	if (now != piece->end) {
		leave_gap(gap, piece->begin, piece->end);
		*piece = (struct dss_piece){ now, now };
	}
	end = place(piece, align) + size;
	if (end < size || end - now > INTPTR_MAX)
		return ENOMEM;
	got = (uintptr_t)os_move_break((intptr_t)(end - now));
	if (got == 0)
		return ENOMEM;
	if (got != now) {		/* somebody was faster */
		leave_gap(gap, piece->begin, piece->end);
		piece->begin = got;
	}
	piece->end = got + (end - now);
	return 0;
}

static char *
alloc_locked(size_t size, size_t align, struct dss_gap *gap)
{
	struct dss_piece piece = { 0, 0 };

	for (unsigned i = 0; i < DSS_TRIES; i++) {
		uintptr_t addr;

		if (extend_locked(&piece, size, align, gap) != 0)
			break;
		addr = place(&piece, align);
		if (addr + size > piece.end)
			continue;
		leave_gap(gap, piece.begin, addr);
		return (char *)addr;
	}
	leave_gap(gap, piece.begin, piece.end);
	return NULL;
}

static void
note_locked(const char *begin, size_t size)
{
	uintptr_t first = atomic_load_explicit(&dss_first,
	    memory_order_relaxed);
	uintptr_t end = atomic_load_explicit(&dss_end, memory_order_relaxed);
	uintptr_t addr = (uintptr_t)begin;

	if (size == 0)
		return;
	if (first == 0 || addr < first)
		atomic_store_explicit(&dss_first, addr,
		    memory_order_relaxed);
	if (addr + size > end)
		atomic_store_explicit(&dss_end, addr + size,
		    memory_order_relaxed);
}

char *
dss_alloc(size_t size, size_t align, struct dss_gap *gap)
{
	char *addr;

	*gap = (struct dss_gap){ NULL, 0 };
	lock_acquire(&dss_lock);
	addr = alloc_locked(size, align, gap);
	note_locked(gap->addr, gap->size);
	note_locked(addr, addr == NULL ? 0 : size);
	lock_release(&dss_lock);
	return addr;
}

/* Relaxed: who holds such an address was handed it after the stores. */
bool
dss_contains(const void *addr)
{
	uintptr_t at = (uintptr_t)addr;

	return at < atomic_load_explicit(&dss_end, memory_order_relaxed) &&
	    at >= atomic_load_explicit(&dss_first, memory_order_relaxed);
}

void
dss_each_lock(enum lock_rank rank, void (*op)(struct lock *lock))
{
	if (rank == RANK_DSS)
		op(&dss_lock);
}
