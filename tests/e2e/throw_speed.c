/*
 * throw_speed.c - a C program that dlopens a C++ plugin and prints how many
 * nanoseconds one throw through ten frames takes.
 *
 *     throw_speed PLUGIN TIMES
 */
#include <dlfcn.h>

#include "e2e.h"

int
main(int argc, char **argv)
{
	int (*throw_times)(int);
	void *plugin;
	int times;
	uint64_t start;

	if (argc != 3 || (times = atoi(argv[2])) <= 0)
		die("usage: throw_speed PLUGIN TIMES");
	if ((plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL)) == NULL)
		die("dlopen: %s", dlerror());
	throw_times = (int (*)(int))dlsym(plugin, "throw_times");
	if (throw_times == NULL)
		die("dlsym: %s", dlerror());
	throw_times(100);
	start = now_ns();
	if (throw_times(times) != times * 11)
		die("wrong number of destructors");
	printf("%llu\n", (unsigned long long)((now_ns() - start) /
	    (uint64_t)times));
	return 0;
}
