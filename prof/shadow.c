/*
 * shadow.c - the walk over a thread's stack that was made last (shadow.h).
 *
 * Kept frames end where the room ends, so that a walk that joins the kept one
 * lays its few new frames in front of it and moves none. The hash of a stack
 * is built from its outermost frame inwards for the same reason.
 *
 * Locks: none. Signals: a handler that leaves in the middle of shadow_keep
 *   finds that nothing is kept.
 */
#include "shadow.h"

#include "profmem.h"
#include "stack.h"
#include "unwind.h"
#include "util.h"

/* For our own frames, some ten; with max = 128 the whole has 16 KiB. */
enum { OWN_ROOM = 16 };

static size_t
bytes_of(size_t size)
{
	return sizeof(struct shadow) + 2 * size *
	    (sizeof(struct shadow_frame) + sizeof(uintptr_t));
}

struct shadow *
shadow_new(size_t max)
{
	size_t size = max + OWN_ROOM;
	struct shadow *shadow = profmem_alloc(bytes_of(size), PROFMEM_STACKS);

	if (shadow == NULL)
		return NULL;
	shadow->size = size;
	shadow->frames = (struct shadow_frame *)(shadow + 1);
	shadow->fresh = shadow->frames + size;
	shadow->pcs = (uintptr_t *)(shadow->fresh + size);
	shadow->fresh_pcs = shadow->pcs + size;
	shadow_clear(shadow);
	return shadow;
}

void
shadow_free(struct shadow *shadow)
{
	profmem_free(shadow, bytes_of(shadow->size));
}

void
shadow_forget(struct shadow *shadow)
{
	shadow_clear(shadow);
	__builtin_memset(shadow->rules, 0, sizeof shadow->rules);
}

size_t
shadow_verify(const struct shadow *shadow, size_t at, uintptr_t *fp)
{
	const struct shadow_frame *frame = &shadow->frames[at];
	const uintptr_t *pc = &shadow->pcs[at];
	const uintptr_t *end = &shadow->pcs[shadow->size - 1];
	uintptr_t now = *fp;

	for (; pc < end; pc++, frame++) {
		unsigned how = frame[1].how;
		const char *words = (const char *)frame[1].sp;

		/* before the word: only if it is the same are the words there */
		if (!(how & SHADOW_STEP) ||
		    ((how & SHADOW_BY_FP) && now != frame[1].by_fp) ||
		    unwind_strip(*(const uintptr_t *)(words +
		    frame[1].pc_at)) != pc[1])
			break;
		if (how & SHADOW_FP_SAVED)
			now = *(const uintptr_t *)(words + frame[1].fp_at);
	}
	*fp = now;
	return (size_t)(pc - shadow->pcs);
}

static void
hash_frames(struct shadow *shadow, size_t below)
{
	uint64_t hash = below == shadow->size ? 0 :
	    shadow->frames[below].hash;

	for (size_t i = below; i-- > shadow->outside;) {
		hash = stack_hash_add(hash, shadow->pcs[i]);
		shadow->frames[i].hash = hash;
	}
}

bool
shadow_keep(struct shadow *shadow, size_t n, size_t own, size_t join)
{
	size_t first = join - n;

	shadow_clear(shadow);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (n > join)
		return false;
	__builtin_memcpy(shadow->frames + first, shadow->fresh,
	    n * sizeof *shadow->fresh);
	__builtin_memcpy(shadow->pcs + first, shadow->fresh_pcs,
	    n * sizeof *shadow->fresh_pcs);
	/* only ours are fresh: the first of the others is a kept one still */
	if (own < n || join == shadow->size)
		shadow->outside = first + own;
	hash_frames(shadow, join);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	shadow->first = first;
	return true;
}
