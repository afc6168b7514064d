/* load_single.c - loads of one thread and small or middling blocks. */
#include "load.h"

/*
 * WHEEL is longer than the longest lifetime; that, in allocations, keeps some
 * ten MiB alive: LIVES_LOG doublings, evenly by logarithm, so that most die
 * young and most of what is live is old.
 */
enum { MIXED_LIVE = 1000, WHEEL = 1 << 16, LIVES_LOG = 16 };

void
pairs(const size_t *n)
{
	for (size_t i = 0; i < n[1]; i++)
		free(touched(malloc(n[0])));
}

void
batch(const size_t *n)
{
	char **blocks = calloc(n[1], sizeof *blocks);

	for (size_t done = 0; done < n[2]; done += n[1]) {
		for (size_t i = 0; i < n[1]; i++)
			blocks[i] = touched(malloc(n[0]));
		for (size_t i = 0; i < n[1]; i++)
			free(blocks[i]);
	}
	free(blocks);
}

void
fifo(const size_t *n)
{
	char **blocks = calloc(n[1], sizeof *blocks);

	for (size_t i = 0; i < n[2]; i++) {
		free(blocks[i % n[1]]);
		blocks[i % n[1]] = touched(malloc(n[0]));
	}
	for (size_t i = 0; i < n[1]; i++)
		free(blocks[i]);
	free(blocks);
}

void
mixed(const size_t *n)
{
	char *blocks[MIXED_LIVE] = { NULL };
	uint64_t random = 1;

	for (size_t i = 0; i < n[0]; i++) {
		uint64_t r = random_next(&random);

		free(blocks[r % MIXED_LIVE]);
		blocks[r % MIXED_LIVE] =
		    touched(malloc(random_size(r, 11)));
	}
	for (size_t i = 0; i < MIXED_LIVE; i++)
		free(blocks[i]);
}

struct mortal {
	struct mortal *next;	/* dies at the same moment */
};

static void
mortals_free(struct mortal **list)
{
	while (*list != NULL) {
		struct mortal *dead = *list;

		*list = dead->next;
		free(dead);
	}
}

/* Three of four are below 256 bytes, as in programs; the rest to 32 KiB. */
void
lifetimes(const size_t *n)
{
	static struct mortal *wheel[WHEEL];
	uint64_t random = 3;

	for (size_t i = 0; i < n[0]; i++) {
		uint64_t r = random_next(&random);
		uint64_t s = random_next(&random);
		size_t life = (size_t)1 << s % LIVES_LOG;
		struct mortal **slot;
		struct mortal *mortal =
		    malloc(random_size(r, (s >> 8) % 4 == 0 ? 11 : 4));

		if (mortal == NULL)
			abort();
		life += (s >> 16) % life;
		slot = &wheel[(i + life) % WHEEL];
		mortal->next = *slot;
		*slot = mortal;
		mortals_free(&wheel[i % WHEEL]);
	}
	for (size_t i = 0; i < WHEEL; i++)
		mortals_free(&wheel[i]);
}
