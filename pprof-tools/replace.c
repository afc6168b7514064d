/*
 * replace.c - a temporary file in the same folder, then rename().
 */
#include "replace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "xalloc.h"

/* What a new file would get; umask can only be read by setting it. */
static mode_t
default_mode(void)
{
	mode_t mask = umask(022);

	umask(mask);
	return 0666 & ~mask;
}

static int
open_temporary(struct replace *replace, mode_t mode)
{
	int fd, error;

	replace->temporary = xasprintf("%s.XXXXXX", replace->path);
	fd = mkstemp(replace->temporary);
	if (fd < 0)
		return errno;
	if (fchmod(fd, mode) == 0 &&
	    (replace->file = fdopen(fd, "w")) != NULL)
		return 0;
	error = errno;
	close(fd);
	unlink(replace->temporary);
	return error;
}

int
replace_open(const char *path, struct replace *out)
{
	struct replace replace = { .path = realpath(path, NULL) };
	struct stat stat_now;
	int error = 0;

	if (replace.path == NULL)	/* not there yet */
		replace.path = xstrdup(path);
	if (stat(replace.path, &stat_now) != 0) {
		error = open_temporary(&replace, default_mode());
	} else if (S_ISREG(stat_now.st_mode)) {
		error = open_temporary(&replace, stat_now.st_mode & 07777);
	} else {
		replace.file = fopen(replace.path, "we");
		error = replace.file == NULL ? errno : 0;
	}
	if (error != 0) {
		free(replace.temporary);
		free(replace.path);
		return error;
	}
	*out = replace;
	return 0;
}

/* A crash of the machine must not leave an empty file behind the name. */
static int
flush(FILE *file)
{
	if (fflush(file) != 0)
		return errno;
	return fsync(fileno(file)) == 0 || errno == EINVAL ||
	    errno == EROFS ? 0 : errno;
}

int
replace_close(struct replace *replace, bool keep)
{
	int error = ferror(replace->file) ? EIO : 0;

	if (error == 0)
		error = flush(replace->file);
	if (fclose(replace->file) != 0 && error == 0)
		error = errno;
	if (error == 0 && keep && replace->temporary != NULL &&
	    rename(replace->temporary, replace->path) != 0)
		error = errno;
	if (replace->temporary != NULL && (error != 0 || !keep))
		unlink(replace->temporary);
	free(replace->temporary);
	free(replace->path);
	return error;
}
