/*
 * reload-load.c - drives reload-server: traffic, sessions and reloads.
 *
 * Requests go out in batches over a few connections, then SIGHUP is sent, and
 * traffic goes on until the server answers that the new configuration is in
 * place. Meanwhile sessions join, as many as hold --stray-percent of the
 * configuration's rules. Behind each reload --pause lets the server rest, with
 * little traffic, as it does for most of its life. Ends non-zero if a request was refused or the server
 * went away.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 64,
	BATCH = 32,			/* sent before replies are read */
	SESSION_RULES = 4,		/* rules that one session holds */
	RELOAD_SECONDS = 60,		/* longest wait for one reload */
};

struct options {
	unsigned port, pid, connections, reloads, requests, percent;
	unsigned first_session, pause_ms;
};

struct conn {
	int fd;
	size_t bytes;			/* received, not yet consumed */
	char in[1 << 16];
};

static struct options options = {
	.connections = 4, .requests = 20000, .percent = 2,
};
static struct conn conns[CONNECTIONS_MAX];
static uint64_t next_session;
static unsigned long nrequests;

static void
die(const char *what)
{
	fprintf(stderr, "reload-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
conn_open(struct conn *conn)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)options.port) };
	struct timeval patience = { .tv_sec = RELOAD_SECONDS };

	conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&address,
	    sizeof address) != 0)
		die("connecting to the server");
	setsockopt(conn->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof patience);
}

static void
conn_send(struct conn *conn, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = send(conn->fd, text, bytes, MSG_NOSIGNAL);

		if (n < 0)
			die("sending to the server");
		text += n;
		bytes -= (size_t)n;
	}
}

/* The next line, without its newline; valid until the next call. */
static char *
conn_line(struct conn *conn)
{
	static char line[sizeof conn->in];
	char *newline;
	size_t length;

	while ((newline = memchr(conn->in, '\n', conn->bytes)) == NULL) {
		ssize_t n = recv(conn->fd, conn->in + conn->bytes,
		    sizeof conn->in - conn->bytes, 0);

		if (n <= 0)
			die("reading from the server");
		conn->bytes += (size_t)n;
	}
	length = (size_t)(newline - conn->in);
	memcpy(line, conn->in, length);
	line[length] = '\0';
	conn->bytes -= length + 1;
	memmove(conn->in, newline + 1, conn->bytes);
	return line;
}

static void
reply_check(const char *reply)
{
	if (strncmp(reply, "ERROR", 5) == 0) {
		fprintf(stderr, "reload-load: the server says: %s\n", reply);
		exit(1);
	}
}

/* What STAT says of one of its figures. */
static unsigned long
server_figure(const char *name)
{
	char pattern[32], *found;

	conn_send(&conns[0], "STAT\n", 5);
	nrequests++;
	snprintf(pattern, sizeof pattern, " %s=", name);
	found = strstr(conn_line(&conns[0]), pattern);
	if (found == NULL)
		die("no such figure in STAT");
	return strtoul(found + strlen(pattern), NULL, 10);
}

/* One batch of look-ups on each connection, then all their replies. */
static void
traffic_batch(void)
{
	char text[BATCH * 32];
	size_t bytes = 0;

	for (unsigned i = 0; i < BATCH; i++)
		bytes += (size_t)snprintf(text + bytes, sizeof text - bytes,
		    "GET %ld\n", random());
	for (unsigned c = 0; c < options.connections; c++)
		conn_send(&conns[c], text, bytes);
	for (unsigned c = 0; c < options.connections; c++)
		for (unsigned i = 0; i < BATCH; i++)
			reply_check(conn_line(&conns[c]));
	nrequests += BATCH * options.connections;
}

static void
session_join(void)
{
	char text[128];
	int bytes = snprintf(text, sizeof text,
	    "JOIN %ju %d\nNOTE %ju joined by the load driver\n",
	    (uintmax_t)next_session, SESSION_RULES, (uintmax_t)next_session);

	next_session++;
	conn_send(&conns[0], text, (size_t)bytes);
	reply_check(conn_line(&conns[0]));
	reply_check(conn_line(&conns[0]));
	nrequests += 2;
}

static void
traffic(unsigned long requests)
{
	unsigned long end = nrequests + requests;

	while (nrequests < end)
		traffic_batch();
}

static void
server_rest(void)
{
	double end = seconds() + options.pause_ms / 1e3;

	while (seconds() < end) {
		traffic_batch();
		usleep(10000);
	}
}

static void
server_reload(void)
{
	unsigned long before = server_figure("reload");
	unsigned long left = server_figure("routes") * options.percent / 100 /
	    SESSION_RULES;
	double give_up = seconds() + RELOAD_SECONDS;

	if (kill((pid_t)options.pid, SIGHUP) != 0)
		die("signalling the server");
	while (server_figure("reload") == before) {
		if (left > 0) {
			session_join();
			left--;
		}
		traffic_batch();
		if (seconds() > give_up) {
			errno = ETIMEDOUT;
			die("waiting for the reload");
		}
	}
	while (left-- > 0)		/* the reload was too quick */
		session_join();
}

static void
usage(void)
{
	fprintf(stderr,
	    "Usage: reload-load --port N [--pid N --reloads N]\n"
	    "    [--requests N] [--connections N] [--stray-percent N]\n"
	    "    [--first-session N] [--pause MS]\n"
	    "Sends --requests before each reload and after the last one.\n");
	exit(2);
}

static unsigned
number_of(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max) {
		fprintf(stderr, "reload-load: '%s' is not a number from %u "
		    "to %u\n", text, min, max);
		usage();
	}
	return (unsigned)n;
}

static void
options_parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "pid", required_argument, NULL, 'i' },
		{ "connections", required_argument, NULL, 'c' },
		{ "reloads", required_argument, NULL, 'r' },
		{ "requests", required_argument, NULL, 'q' },
		{ "stray-percent", required_argument, NULL, 's' },
		{ "first-session", required_argument, NULL, 'f' },
		{ "pause", required_argument, NULL, 'w' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p': options.port = number_of(optarg, 1, 65535); break;
		case 'i': options.pid = number_of(optarg, 2, 1u << 22); break;
		case 'c': options.connections = number_of(optarg, 1,
		    CONNECTIONS_MAX); break;
		case 'r': options.reloads = number_of(optarg, 0, 1000); break;
		case 'q': options.requests = number_of(optarg, 0, 1u << 30);
			break;
		case 's': options.percent = number_of(optarg, 0, 100); break;
		case 'f': options.first_session = number_of(optarg, 0,
		    1u << 31); break;
		case 'w': options.pause_ms = number_of(optarg, 0, 60000);
			break;
		default: usage();
		}
	}
	if (optind != argc || options.port == 0 ||
	    (options.reloads > 0 && options.pid == 0))
		usage();
}

int
main(int argc, char **argv)
{
	double start = seconds();

	options_parse(argc, argv);
	next_session = options.first_session;
	for (unsigned i = 0; i < options.connections; i++)
		conn_open(&conns[i]);
	for (unsigned i = 0; i < options.reloads; i++) {
		traffic(options.requests);
		server_reload();
		server_rest();
	}
	traffic(options.requests);
	printf("%u reloads, %lu requests in %.1f s, none refused\n",
	    options.reloads, nrequests, seconds() - start);
	return 0;
}
