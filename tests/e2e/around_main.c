/*
 * around_main.c - allocates wherever a program may: before main, in a thread
 * started before main, in handlers at exit, in destructors after them, in key
 * destructors of the main thread, and frees there what came from elsewhere.
 *
 *     around_main exit|return|quick|thread
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "e2e.h"

static void *early[64], *late[64];
static pthread_key_t key;

static void
fill(void **slots, size_t factor)
{
	for (size_t i = 0; i < 64; i++) {
		if (slots[i] != NULL && *(char *)slots[i] != (char)i)
			_exit(10);
		free(slots[i]);
		if ((slots[i] = malloc(1 + i * factor)) == NULL)
			_exit(11);
		*(char *)slots[i] = (char)i;
	}
}

static void *
early_thread(void *arg)
{
	fill(early, 900);
	return NULL;
}

__attribute__((constructor(101))) static void
before_main(void)
{
	pthread_t thread;

	fill(early, 10);
	if (pthread_create(&thread, NULL, early_thread, NULL) != 0)
		_exit(12);
	pthread_join(thread, NULL);
}

static void
key_destructor(void *value)
{
	free(value);
	fill(late, 50);
}

static void
at_exit(void)
{
	fill(early, 3);
	fill(late, 2000);
}

__attribute__((destructor(101))) static void
after_main(void)
{
	static const char done[] = "ok\n";

	fill(late, 5);
	for (int i = 0; i < 64; i++) {
		free(early[i]);
		free(late[i]);
	}
	if (write(1, done, 3) != 3)
		_exit(13);
}

static void
at_quick_exit_handler(void)
{
	fill(late, 100);
	after_main();
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "return";

	if (pthread_key_create(&key, key_destructor) != 0 ||
	    pthread_setspecific(key, malloc(1234)) != 0 ||
	    atexit(at_exit) != 0 || at_quick_exit(at_quick_exit_handler) != 0)
		die("setting up failed");
	fill(late, 7);
	if (strcmp(how, "quick") == 0)
		quick_exit(0);
	if (strcmp(how, "thread") == 0)
		pthread_exit(NULL);	/* the last thread: exit(0) follows */
	if (strcmp(how, "exit") == 0)
		exit(0);
	return 0;
}
