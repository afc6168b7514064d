/*
 * make_profile.c - writes the profile that the tests of the views use.
 */
#define _GNU_SOURCE			/* strsep */
#include "../pprof-tools/fixture.h"

int
main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	fixture_server(argv[1]);
	return 0;
}
