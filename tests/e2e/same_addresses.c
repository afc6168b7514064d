/*
 * same_addresses.c - a deterministic mix of every way to allocate; prints the
 * address of each block, so that two runs can be compared line by line.
 *
 *     same_addresses THREADS STEPS
 *
 * Threads take turns, one operation each, so that the order is always the
 * same. The caller turns address randomization off. What it prints goes
 * through a static buffer: the program's own output allocates nothing.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include "e2e.h"

enum { MAX_THREADS = 8, SLOTS = 512 };

struct player {
	pthread_t thread;
	sem_t turn;
	uint64_t random;
	void *blocks[SLOTS];
	size_t sizes[SLOTS];
};

static struct player players[MAX_THREADS];
static int nplayers, steps;
static char out[1 << 16];
static size_t out_used;

static void
flush_out(void)
{
	if (write(1, out, out_used) != (ssize_t)out_used)
		_exit(1);
	out_used = 0;
}

static void
print_block(char how, size_t size, const void *p)
{
	if (out_used > sizeof out - 100)
		flush_out();
	out_used += (size_t)snprintf(out + out_used, 100, "%c %zu %p\n", how,
	    size, p);
}

/* Mostly small, sometimes pages, now and then megabytes. */
static size_t
random_size(uint64_t *random)
{
	uint64_t r = next_random(random);

	switch (r % 64) {
	case 0:
		return 1 + (r >> 8) % (3u << 20);
	case 1: case 2: case 3:
		return 1 + (r >> 8) % 200000;
	case 4: case 5: case 6: case 7: case 8: case 9:
		return 1 + (r >> 8) % 20000;
	default:
		return 1 + (r >> 8) % 600;
	}
}

static void *
allocate(uint64_t how, size_t size, char *letter)
{
	void *p = NULL;

	switch (how % 16) {
	case 0:
		*letter = 'c';
		return calloc(3, size / 3 + 1);
	case 1:
		*letter = 'm';
		if (posix_memalign(&p, (size_t)16 << (how >> 8) % 9, size) != 0)
			die("posix_memalign");
		return p;
	case 2:
		*letter = 'a';
		return aligned_alloc(64, (size + 63) / 64 * 64);
	default:
		*letter = 'n';
		return malloc(size);
	}
}

static void
step(struct player *player)
{
	uint64_t r = next_random(&player->random);
	size_t slot = r % SLOTS, size = random_size(&player->random);
	char letter = 'r';

	if (player->blocks[slot] == NULL) {
		player->blocks[slot] = allocate(r >> 16, size, &letter);
	} else if ((r >> 40) % 4 == 0) {
		player->blocks[slot] = realloc(player->blocks[slot], size);
	} else {
		free(player->blocks[slot]);
		player->blocks[slot] = NULL;
		return;
	}
	if (player->blocks[slot] == NULL)
		die("out of memory");
	*(char *)player->blocks[slot] = 1;
	player->sizes[slot] = size;
	print_block(letter, size, player->blocks[slot]);
}

static void *
play(void *arg)
{
	struct player *player = arg;
	struct player *next = &players[(player - players + 1) % nplayers];

	for (int i = 0; i < steps; i++) {
		while (sem_wait(&player->turn) != 0)
			;
		step(player);
		sem_post(&next->turn);
	}
	return NULL;
}

int
main(int argc, char **argv)
{
	nplayers = argc > 1 ? atoi(argv[1]) : 1;
	steps = argc > 2 ? atoi(argv[2]) : 20000;
	if (nplayers < 1 || nplayers > MAX_THREADS)
		die("usage: same_addresses THREADS STEPS");
	for (int i = 0; i < nplayers; i++) {
		players[i].random = (uint64_t)i + 1;
		sem_init(&players[i].turn, 0, 0);
	}
	if (nplayers == 1) {
		sem_post(&players[0].turn);
		play(&players[0]);
	}
	for (int i = 0; nplayers > 1 && i < nplayers; i++)
		if (pthread_create(&players[i].thread, NULL, play,
		    &players[i]) != 0)
			die("pthread_create");
	/* The first turn is given when all exist. */
	if (nplayers > 1)
		sem_post(&players[0].turn);
	for (int i = 0; nplayers > 1 && i < nplayers; i++)
		pthread_join(players[i].thread, NULL);
	flush_out();
	return 0;
}
