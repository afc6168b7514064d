/*
 * ids.c - see ids.h.
 */
#include "ids.h"

#include <fcntl.h>
#include <string.h>

#include "fmt.h"
#include "os.h"
#include "util.h"

enum { GROUPS_MAX = 256 };

struct ids {
	uint32_t uid[3], gid[3];	/* real, effective, saved */
	uint32_t groups[GROUPS_MAX];
	size_t ngroups;
	bool whole;			/* all were read */
};

/* Numbers after "key:" in a status file; returns how many there are. */
static size_t
status_numbers(const char *status, const char *key, uint32_t *out, size_t max)
{
	const char *at = strstr(status, key);
	size_t n = 0;

	if (at == NULL)
		return 0;
	for (at += strlen(key); *at != '\n' && *at != '\0'; n++) {
		uint32_t number = 0;

		while (*at == ' ' || *at == '\t')
			at++;
		if (*at < '0' || *at > '9')
			break;
		while (*at >= '0' && *at <= '9')
			number = 10 * number + (uint32_t)(*at++ - '0');
		if (n < max)
			out[n] = number;
	}
	return n;
}

static void
ids_of_first(struct ids *ids)
{
	char path[64], text[4096];
	size_t used = 0;
	long n = 1;
	int fd;

	ids->whole = false;
	fmt_buf(path, sizeof path, "/proc/self/task/%d/status", os_pid());
	fd = os_open(path, O_RDONLY, 0);
	if (fd < 0)
		return;
	while (used < sizeof text - 1 && n > 0) {
		n = os_read(fd, text + used, sizeof text - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	os_close(fd);
	text[used] = '\0';
	ids->ngroups = status_numbers(text, "\nGroups:", ids->groups,
	    GROUPS_MAX);
	ids->whole = status_numbers(text, "\nUid:", ids->uid, 3) >= 3 &&
	    status_numbers(text, "\nGid:", ids->gid, 3) >= 3;
}

static void
ids_of_self(struct ids *ids)
{
	os_syscall3(SYS_getresuid, &ids->uid[0], &ids->uid[1], &ids->uid[2]);
	os_syscall3(SYS_getresgid, &ids->gid[0], &ids->gid[1], &ids->gid[2]);
}

void
ids_follow(void)
{
	struct ids first, self;

	ids_of_first(&first);
	ids_of_self(&self);
	if (!first.whole ||
	    (memcmp(first.uid, self.uid, sizeof self.uid) == 0 &&
	    memcmp(first.gid, self.gid, sizeof self.gid) == 0))
		return;
	/* The user last: with it goes the right to change the others. */
	if (first.ngroups <= GROUPS_MAX)
		os_syscall2(SYS_setgroups, first.ngroups, first.groups);
	os_syscall3(SYS_setresgid, first.gid[0], first.gid[1], first.gid[2]);
	os_syscall3(SYS_setresuid, first.uid[0], first.uid[1], first.uid[2]);
}
