/* load_threads.c - loads of several threads. */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "load.h"

/*
 * LINE_LIVE blocks pass down a line of threads, each of which replaces
 * LINE_STEPS: some thousand threads a run, each of which lives for a
 * millisecond.
 */
enum { LINE_LIVE = 1000, LINE_STEPS = 20000, SHARED_LIVE = 1000, LOT = 64,
	LOTS = 16, HANDED = 1000, CROWD_LIVE = 400 };

static void
must(int error)
{
	if (error != 0)
		abort();
}

/* One line of larson: of its threads only one is alive at a time. */
struct line {
	char *blocks[LINE_LIVE];
	uint64_t random;
	size_t left;		/* operations */
	pthread_mutex_t lock;	/* over done */
	pthread_cond_t ended;
	int done;
};

static void
line_end(struct line *line)
{
	for (size_t i = 0; i < LINE_LIVE; i++)
		free(line->blocks[i]);
	pthread_mutex_lock(&line->lock);
	line->done = 1;
	pthread_cond_signal(&line->ended);
	pthread_mutex_unlock(&line->lock);
}

static void line_start(struct line *line);

static void *
line_run(void *argument)
{
	struct line *line = argument;

	for (size_t i = 0; i < LINE_STEPS && line->left > 0; i++) {
		uint64_t r = random_next(&line->random);
		char **slot = &line->blocks[r % LINE_LIVE];

		free(*slot);
		*slot = touched(malloc(16 + (r >> 40) % 1009));
		line->left--;
	}
	if (line->left > 0)
		line_start(line);
	else
		line_end(line);
	return NULL;
}

static void
line_start(struct line *line)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, line_run, line));
	must(pthread_detach(thread));
}

void
larson(const size_t *n)
{
	struct line *lines = calloc(n[0], sizeof *lines);

	for (size_t i = 0; i < n[0]; i++) {
		lines[i].random = 77 + i;
		lines[i].left = n[1] / n[0];
		pthread_mutex_init(&lines[i].lock, NULL);
		pthread_cond_init(&lines[i].ended, NULL);
		line_start(&lines[i]);
	}
	for (size_t i = 0; i < n[0]; i++) {
		pthread_mutex_lock(&lines[i].lock);
		while (!lines[i].done)
			pthread_cond_wait(&lines[i].ended, &lines[i].lock);
		pthread_mutex_unlock(&lines[i].lock);
	}
	free(lines);
}

struct worker {
	pthread_t thread;
	uint64_t random;
	size_t count;
};

static void
workers_run(void *(*run)(void *), const size_t *n)
{
	struct worker *workers = calloc(n[0], sizeof *workers);

	for (size_t i = 0; i < n[0]; i++) {
		workers[i].random = 77 + i;
		workers[i].count = n[1] / n[0];
		must(pthread_create(&workers[i].thread, NULL, run,
		    &workers[i]));
	}
	for (size_t i = 0; i < n[0]; i++)
		pthread_join(workers[i].thread, NULL);
	free(workers);
}

static _Atomic(char *) shared[SHARED_LIVE];

static void *
sharing_run(void *argument)
{
	struct worker *self = argument;

	for (size_t i = 0; i < self->count; i++) {
		uint64_t r = random_next(&self->random);
		char *block = touched(malloc(16 + (r >> 40) % 500));

		free(atomic_exchange(&shared[r % SHARED_LIVE], block));
	}
	return NULL;
}

void
sharing(const size_t *n)
{
	workers_run(sharing_run, n);
	for (size_t i = 0; i < SHARED_LIVE; i++)
		free(shared[i]);
}

/* All are there from the first block to the last, however few the cores. */
static pthread_barrier_t crowd_all;

static void *
crowd_run(void *argument)
{
	struct worker *self = argument;
	char *blocks[CROWD_LIVE] = { NULL };

	pthread_barrier_wait(&crowd_all);
	for (size_t i = 0; i < self->count; i++) {
		uint64_t r = random_next(&self->random);
		char **slot = &blocks[r % CROWD_LIVE];

		free(*slot);
		*slot = touched(malloc(random_size(r, r % 64 == 0 ? 11 : 6)));
	}
	pthread_barrier_wait(&crowd_all);
	for (size_t i = 0; i < CROWD_LIVE; i++)
		free(blocks[i]);
	return NULL;
}

void
crowd(const size_t *n)
{
	must(pthread_barrier_init(&crowd_all, NULL, (unsigned)n[0]));
	workers_run(crowd_run, n);
	must(pthread_barrier_destroy(&crowd_all));
}

/*
 * Lots go round: the producer fills one and hands it over, the consumer frees
 * what is in it and hands it back. Who has nothing to do sleeps, so that
 * waiting is not counted as work.
 */
static struct {
	sem_t filled, empty;
	char *blocks[LOTS][LOT];
	size_t count;
} ring;

static void *
consumer_run(void *argument)
{
	(void)argument;
	for (size_t i = 0; i < ring.count; i++) {
		if (i % LOT == 0)
			sem_wait(&ring.filled);
		free(ring.blocks[i / LOT % LOTS][i % LOT]);
		if (i % LOT == LOT - 1)
			sem_post(&ring.empty);
	}
	return NULL;
}

void
prodcons(const size_t *n)
{
	pthread_t consumer;

	ring.count = (n[1] + LOT - 1) / LOT * LOT;
	must(sem_init(&ring.filled, 0, 0));
	must(sem_init(&ring.empty, 0, LOTS));
	must(pthread_create(&consumer, NULL, consumer_run, NULL));
	for (size_t i = 0; i < ring.count; i++) {
		if (i % LOT == 0)
			sem_wait(&ring.empty);
		ring.blocks[i / LOT % LOTS][i % LOT] = touched(malloc(n[0]));
		if (i % LOT == LOT - 1)
			sem_post(&ring.filled);
	}
	pthread_join(consumer, NULL);
}

struct estate {
	char *blocks[HANDED];
	uint64_t random;
};

/* Frees what the thread before it has left and leaves as much. */
static void *
heir_run(void *argument)
{
	struct estate *estate = argument;

	for (size_t i = 0; i < HANDED; i++) {
		uint64_t r = random_next(&estate->random);

		free(estate->blocks[i]);
		estate->blocks[i] = touched(malloc(random_size(r, 7)));
	}
	return NULL;
}

void
handover(const size_t *n)
{
	static struct estate estate;
	pthread_t heir;

	estate.random = 11;
	for (size_t done = 0; done < n[0]; done += HANDED) {
		must(pthread_create(&heir, NULL, heir_run, &estate));
		pthread_join(heir, NULL);
	}
	for (size_t i = 0; i < HANDED; i++)
		free(estate.blocks[i]);
}
