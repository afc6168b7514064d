/*
 * maps.c - reads /proc/self/maps (maps.h).
 *
 *   55d0c0a00000-55d0c0a02000 r-xp 00002000 fd:01 1234   /usr/bin/true
 *   start        end          perm offset   dev   inode  path
 */
#include "maps.h"

#include <errno.h>
#include <fcntl.h>

#include "os.h"
#include "util.h"

/* Reads digits of base 10 or 16 up to the first other character. */
static const char *
number(const char *p, unsigned base, uint64_t *out)
{
	uint64_t n = 0;

	for (;; p++) {
		unsigned digit = *p >= '0' && *p <= '9' ? (unsigned)*p - '0' :
		    *p >= 'a' && *p <= 'f' ? (unsigned)*p - 'a' + 10 : 99;

		if (digit >= base)
			break;
		n = n * base + digit;
	}
	*out = n;
	return p;
}

bool
maps_parse(const char *text, struct maps_line *out)
{
	uint64_t start, end, major, minor;
	const char *p = number(text, 16, &start);

	if (p == text || *p != '-')
		return false;
	p = number(p + 1, 16, &end);
	if (*p != ' ' || p[1] == '\0' || p[2] == '\0' || p[3] == '\0' ||
	    p[4] == '\0' || p[5] != ' ')
		return false;
	out->start = start;
	out->end = end;
	out->readable = p[1] == 'r';
	out->executable = p[3] == 'x';
	p = number(p + 6, 16, &out->offset);
	if (*p != ' ')
		return false;
	p = number(p + 1, 16, &major);
	if (*p != ':')
		return false;
	p = number(p + 1, 16, &minor);
	if (*p != ' ')
		return false;
	p = number(p + 1, 10, &out->inode);
	while (*p == ' ')
		p++;
	out->dev = major << 32 | minor;
	out->path = p;
	out->path_length = __builtin_strlen(p);
	return true;
}

/* Hands on the whole lines in buf[0..n); returns how many bytes they were. */
static size_t
whole_lines(char *buf, size_t n, void (*visit)(const struct maps_line *,
    void *), void *arg)
{
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		struct maps_line line;

		if (buf[i] != '\n')
			continue;
		buf[i] = '\0';
		if (maps_parse(buf + done, &line))
			visit(&line, arg);
		done = i + 1;
	}
	return done;
}

int
maps_read(char *buf, size_t size,
    void (*visit)(const struct maps_line *line, void *arg), void *arg)
{
	int fd = os_open("/proc/self/maps", O_RDONLY, 0);
	size_t n = 0;
	long got;

	if (fd < 0)
		return -fd;
	while ((got = os_read(fd, buf + n, size - 1 - n)) > 0) {
		size_t done;

		n += (size_t)got;
		done = whole_lines(buf, n, visit, arg);
		if (done == 0 && n == size - 1) {	/* too long: cut */
			buf[n - 1] = '\n';
			done = whole_lines(buf, n, visit, arg);
		}
		n -= done;
		__builtin_memmove(buf, buf + done, n);
	}
	os_close(fd);
	return got < 0 ? (int)-got : 0;
}
