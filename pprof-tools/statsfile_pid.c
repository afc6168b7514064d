/*
 * statsfile_pid.c - statistics of a running process: asks for them, reads
 * the file that it writes, removes it.
 *
 * The process says where the file is, and root may ask anybody's: so only a
 * regular file with the name of a statistics file, of the user that the
 * process runs as, is read and removed, by a descriptor of its folder.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ask.h"
#include "read.h"
#include "statsfile.h"

static const char suffix[] = ".stats.json";

/* The user as whom the process makes files. */
static int
file_user(pid_t pid, uid_t *out)
{
	char path[64], line[256];
	unsigned user;
	FILE *file;
	int status = ESRCH;

	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		if (sscanf(line, "Uid: %*u %*u %*u %u", &user) == 1) {
			*out = (uid_t)user;
			status = 0;
		}
	}
	if (file != NULL)
		fclose(file);
	return status;
}

static bool
is_ours(int fd, uid_t user)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
	    stat.st_uid == user;
}

/* Opens folder and file; *name is the file's in the folder. */
static int
open_both(char *path, int *folder, int *fd, char **name)
{
	char *slash = strrchr(path, '/');

	if (slash == NULL)
		return EINVAL;
	*name = slash + 1;
	*slash = '\0';
	*folder = open(slash == path ? "/" : path,
	    O_PATH | O_DIRECTORY | O_CLOEXEC);
	*slash = '/';
	if (*folder < 0)
		return errno;
	*fd = openat(*folder, *name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (*fd >= 0)
		return 0;
	close(*folder);
	return errno;
}

static int
read_and_remove(const struct ask *ask, char *path,
    struct statsfile_series *series, struct model_error *error)
{
	size_t len = strlen(path), end = sizeof suffix - 1;
	int folder = -1, fd = -1, status = EINVAL;
	uid_t user = 0;
	char again[64], *name;

	if (len > end && strcmp(path + len - end, suffix) == 0)
		status = open_both(path, &folder, &fd, &name);
	if (status != 0) {
		model_error_set(error, path, MODEL_NOWHERE,
		    "cannot be opened: %s", strerror(status));
		return status;
	}
	snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
	if (file_user(ask->target.pid, &user) != 0 || !is_ours(fd, user)) {
		model_error_set(error, path, MODEL_NOWHERE, "is not a file "
		    "of process %d's user", (int)ask->target.pid);
		status = EPERM;
	} else {
		status = statsfile_read(again, series, error);
		unlinkat(folder, name, 0);
	}
	close(fd);
	close(folder);
	return status;
}

int
statsfile_from_pid(int pid, double timeout_s,
    struct statsfile_series *series, struct model_error *error)
{
	struct ask ask = { .id = 0 };
	size_t before = series->n;
	char path[ASK_PATH];
	int status = ask_open(pid, &ask);

	if (status == EXIT_FINE)
		status = ask_verb(&ask, CTL_STATS, "stats", timeout_s);
	if (status != EXIT_FINE) {
		model_error_set(error, "", 0, "%s", ask.why);
		status = ESRCH;
	} else {
		ask_file(&ask, ask.ack.file, path);
		status = read_and_remove(&ask, path, series, error);
	}
	ask_close(&ask);
	for (size_t i = before; i < series->n; i++) {
		struct statsfile *file = series->items[i];

		free(file->source);
		if (asprintf(&file->source, "pid %d", pid) < 0)
			file->source = NULL;
		/* In a container it has another number for itself. */
		file->pid = (uint64_t)pid;
	}
	return status;
}

int
statsfile_load(const char *operand, double timeout_s,
    struct statsfile_series *series)
{
	struct model_error error = { "", 0, "" };
	char *end;
	long pid = strtol(operand, &end, 10);
	bool is_pid = *operand >= '1' && *operand <= '9' && *end == '\0' &&
	    pid <= INT32_MAX;
	int status = is_pid ?
	    statsfile_from_pid((int)pid, timeout_s, series, &error) :
	    statsfile_read(operand, series, &error);

	if (status == 0)
		return EXIT_FINE;
	if (error.file[0] != '\0')
		return read_complain(&error);
	fprintf(stderr, "strata: %s\n", error.reason);
	return EXIT_INPUT;
}
