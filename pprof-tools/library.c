/*
 * library.c - see library.h.
 */
#include "library.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf_file.h"

static const char *const library_dirs[] = {
	"../lib", "../lib64",
#ifdef __x86_64__
	"../lib/x86_64-linux-gnu",
#else
	"../lib/aarch64-linux-gnu",
#endif
	".",
};

/* Beside this program, in the build tree or where it was installed to. */
static bool
find_beside(char *path)
{
	char self[PATH_MAX], file[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < sizeof library_dirs / sizeof *library_dirs;
	    i++) {
		snprintf(file, sizeof file, "%s/%s/libstrata.so.1", self,
		    library_dirs[i]);
		if (realpath(file, path) != NULL)
			return true;
	}
	return realpath(STRATA_LIBDIR "/libstrata.so.1", path) != NULL;
}

/*
 * Why preloading it would do nothing, or NULL. The loader only warns of what it
 * cannot load and starts the program without it.
 */
static const char *
obstacle(const char *path)
{
	struct elf_file *elf;
	const char *why = NULL;
	int error = elf_open(path, &elf);

	if (error == EACCES)
		return "may not be read";
	if (error != 0)
		return "is no shared library";
	if (!elf_is_library(elf))
		why = "is no shared library of this machine";
	else if (!elf_exports(elf, "strata_version"))
		why = "is not Strata's library: it has no strata_version";
	else if (!elf_exports(elf, "malloc"))
		why = "has st_malloc instead of malloc (--with-prefix=st_), so "
		    "that preloading it replaces nothing";
	elf_close(elf);
	return why;
}

int
library_find(const struct cli_args *args, char *path)
{
	const char *given = cli_value(args, "library"), *why;

	if (given == NULL)
		given = getenv("STRATA_LIBRARY");
	if (given != NULL && *given == '\0')
		given = NULL;
	if (given != NULL && realpath(given, path) == NULL) {
		cli_error(args, "%s: %s", given, strerror(errno));
		return EXIT_INPUT;
	}
	if (given == NULL && !find_beside(path)) {
		cli_error(args, "libstrata.so.1 is not beside this program; "
		    "name it by --library or STRATA_LIBRARY");
		return EXIT_INPUT;
	}
	if (strpbrk(path, ": ") != NULL) {
		cli_error(args, "%s: the loader cannot preload from a path "
		    "with a blank or a colon", path);
		return EXIT_INPUT;
	}
	why = obstacle(path);
	if (why == NULL)
		return EXIT_FINE;
	cli_error(args, "%s %s", path, why);
	return EXIT_INPUT;
}
