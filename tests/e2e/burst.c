/*
 * burst.c - sends a signal many times as fast as it can and prints the time,
 * in nanoseconds since 1970, just before the last one.
 *
 *     burst PID SIGNAL TIMES
 */
#include <signal.h>

#include "e2e.h"

int
main(int argc, char **argv)
{
	struct timespec now;

	if (argc != 4)
		die("usage: burst PID SIGNAL TIMES");
	for (int i = 0; i < atoi(argv[3]); i++) {
		clock_gettime(CLOCK_REALTIME, &now);
		if (kill(atoi(argv[1]), atoi(argv[2])) != 0)
			die("kill: %s", strerror(errno));
	}
	printf("%lld%09ld\n", (long long)now.tv_sec, now.tv_nsec);
	return 0;
}
