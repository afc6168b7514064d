/*
 * reload-server.c - a routing service whose configuration is rebuilt on
 * SIGHUP while it serves: the program whose memory the demo explains.
 *
 *   main thread      SIGHUP: builds a new configuration, swaps it in, frees
 *                    the old one, closes the sessions that have expired
 *   worker threads   epoll; one line of text in, one line out
 *
 *   config --> routes[] --> route --> key, rules     rules count their holders;
 *   session --> rules it plays by ---------^         the last one frees them
 *
 * A session holds a few rules of the configuration it joined and outlives it
 * by some reloads, so a freed configuration leaves strays behind, here and
 * there in the pages it used. --rotate N is the cure: see arena-ring.h.
 *
 * Protocol, lines of text:   GET n   JOIN id nrules   NOTE id text
 *                            LEAVE id   STAT   BYE
 *
 * Locks: config_lock (read: a worker serving; write: the swap alone), then
 * sessions_lock. Memory: every block passes counted() or uncounted(), so the
 * program knows its live bytes exactly and prints them beside its RSS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "arena-ring.h"
#include "reload-config.h"

enum {
	WORKERS_MAX = 64,
	LINE_MAX_BYTES = 4096,		/* a request line */
	OUT_MAX_BYTES = 1 << 18,	/* replies a client has not read */
	SESSION_BUCKETS = 1 << 12,
	SESSIONS_MAX = 1 << 17,
	SESSION_RULES_MAX = 256,
	NOTES_MAX = 16,			/* of one session */
	MIB = 1 << 20,
};

struct options {
	unsigned port;			/* 0: the kernel chooses */
	unsigned workers;
	unsigned config_mib;		/* the smallest configuration */
	unsigned session_reloads;	/* a session's life */
	unsigned rotate;		/* arenas to rotate, 0 = none */
	unsigned seconds;		/* the server ends by itself */
};

struct note {
	struct note *next;
	size_t bytes;
	char text[];
};

struct session {
	struct session *next;
	uint64_t id;
	unsigned joined;		/* number of the configuration */
	unsigned nrules, nnotes;
	struct note *notes;
	struct rules *rules[];
};

struct conn {
	int fd;
	bool closing;
	struct conn *next, **link;	/* the worker's list */
	size_t in_bytes, out_bytes, out_capacity;
	char *out;
	char in[LINE_MAX_BYTES];
};

struct worker {
	pthread_t thread;
	int epoll;
	uint64_t random;
	struct conn *conns;
};

static struct options options = {
	.workers = 2, .config_mib = 96, .session_reloads = 8, .seconds = 300,
};
static int listener, stopper;

/* Writers first: a steady stream of requests must not put a swap off. */
static pthread_rwlock_t config_lock =
    PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static struct config *config;		/* config_lock */

static pthread_mutex_t sessions_lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions[SESSION_BUCKETS];	/* sessions_lock */
static atomic_uint nsessions;		/* written under sessions_lock */

static atomic_ulong nrequests;
static atomic_uint nreloads;		/* finished ones */

/* --- small helpers ------------------------------------------------------- */

static double
milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* Resident bytes by the kernel's account; read without allocating. */
static size_t
resident_bytes(void)
{
	char text[256];
	unsigned long size, resident = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	sscanf(text, "%lu %lu", &size, &resident);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* --- the configuration in force ----------------------------------------- */

static struct config *
config_swap(struct config *new)
{
	struct config *old;

	pthread_rwlock_wrlock(&config_lock);
	old = config;
	config = new;
	pthread_rwlock_unlock(&config_lock);
	return old;		/* no worker reads it any more */
}

/* --- sessions ------------------------------------------------------------ */

static size_t
session_bytes(const struct session *session)
{
	return sizeof *session + session->nrules * sizeof *session->rules;
}

static struct session **
session_find_locked(uint64_t id)
{
	struct session **link = &sessions[id % SESSION_BUCKETS];

	while (*link != NULL && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

/* Requires config_lock for reading: the rules must not go meanwhile. */
static struct session *
session_new(uint64_t id, unsigned nrules, uint64_t *random)
{
	size_t bytes = sizeof(struct session) +
	    nrules * sizeof(struct rules *);
	struct session *session = counted(calloc(1, bytes), bytes);
	size_t start;

	session->id = id;
	session->joined = config->number;
	session->nrules = nrules;
	/* Neighbours: a session plays in one part of the configuration. */
	start = random_next(random) % config->nroutes;
	for (unsigned i = 0; i < nrules; i++) {
		size_t index = (start + i) % config->nroutes;

		session->rules[i] = rules_hold(config->routes[index]->rules);
	}
	return session;
}

static void
session_free(struct session *session)
{
	struct note *note;

	while ((note = session->notes) != NULL) {
		session->notes = note->next;
		free(uncounted(note, note->bytes));
	}
	for (unsigned i = 0; i < session->nrules; i++)
		rules_put(session->rules[i]);
	free(uncounted(session, session_bytes(session)));
}

static bool
session_join(uint64_t id, unsigned nrules, uint64_t *random)
{
	struct session *session = session_new(id, nrules, random), **link;
	bool joined;

	pthread_mutex_lock(&sessions_lock);
	link = session_find_locked(id);
	joined = *link == NULL && nsessions < SESSIONS_MAX;
	if (joined) {
		*link = session;
		nsessions++;
	}
	pthread_mutex_unlock(&sessions_lock);
	if (!joined)
		session_free(session);
	return joined;
}

static bool
session_leave(uint64_t id)
{
	struct session **link, *session;

	pthread_mutex_lock(&sessions_lock);
	link = session_find_locked(id);
	session = *link;
	if (session != NULL) {
		*link = session->next;
		nsessions--;
	}
	pthread_mutex_unlock(&sessions_lock);
	if (session != NULL)
		session_free(session);
	return session != NULL;
}

static bool
session_note(uint64_t id, const char *text)
{
	size_t bytes = sizeof(struct note) + strlen(text) + 1;
	struct note *note = counted(malloc(bytes), bytes);
	struct session *session;
	bool kept;

	note->bytes = bytes;
	strcpy(note->text, text);
	pthread_mutex_lock(&sessions_lock);
	session = *session_find_locked(id);
	kept = session != NULL && session->nnotes < NOTES_MAX;
	if (kept) {
		note->next = session->notes;
		session->notes = note;
		session->nnotes++;
	}
	pthread_mutex_unlock(&sessions_lock);
	if (!kept)
		free(uncounted(note, bytes));
	return kept;
}

/* Closes the sessions that joined before configuration number first. */
static void
sessions_expire(unsigned first)
{
	struct session *expired = NULL, *session;

	pthread_mutex_lock(&sessions_lock);
	for (unsigned i = 0; i < SESSION_BUCKETS; i++) {
		struct session **link = &sessions[i];

		while ((session = *link) != NULL) {
			if (session->joined >= first) {
				link = &session->next;
				continue;
			}
			*link = session->next;
			session->next = expired;
			expired = session;
			nsessions--;
		}
	}
	pthread_mutex_unlock(&sessions_lock);
	while ((session = expired) != NULL) {
		expired = session->next;
		session_free(session);
	}
}

/* --- requests ------------------------------------------------------------ */

static char *
reply_get(const char *arguments)
{
	size_t index = strtoull(arguments, NULL, 10) % config->nroutes;
	struct route *route = config->routes[index];
	size_t bytes = route->key_bytes + 64;
	char *reply = counted(malloc(bytes), bytes);

	snprintf(reply, bytes, "ROUTE %s %u bytes of rules, kind %u",
	    route->key, route->rules->bytes, route->rules->program[0]);
	uncounted(reply, bytes);	/* the caller frees it at once */
	return reply;
}

static char *
reply_stat(void)
{
	char *reply = NULL;

	if (asprintf(&reply, "STAT reload=%u routes=%zu sessions=%u "
	    "requests=%lu live=%zu rss=%zu", nreloads, config->nroutes,
	    nsessions, atomic_load(&nrequests), atomic_load(&live_bytes),
	    resident_bytes()) < 0)
		die("out of memory");
	return reply;
}

static char *
reply_text(const char *text)
{
	char *reply = strdup(text);

	if (reply == NULL)
		die("out of memory");
	return reply;
}

/* Requires config_lock for reading. */
static char *
request_serve(struct worker *worker, struct conn *conn, char *line)
{
	unsigned long long id;
	unsigned n;
	int text;

	atomic_fetch_add_explicit(&nrequests, 1, memory_order_relaxed);
	if (strncmp(line, "GET ", 4) == 0)
		return reply_get(line + 4);
	if (strcmp(line, "STAT") == 0)
		return reply_stat();
	if (sscanf(line, "JOIN %llu %u", &id, &n) == 2)
		return reply_text(n <= SESSION_RULES_MAX &&
		    session_join(id, n, &worker->random) ?
		    "JOINED" : "ERROR cannot join");
	text = 0;
	if (sscanf(line, "NOTE %llu %n", &id, &text) == 1 && text > 0)
		return reply_text(session_note(id, line + text) ?
		    "NOTED" : "ERROR cannot note");
	if (sscanf(line, "LEAVE %llu", &id) == 1)
		return reply_text(session_leave(id) ?
		    "LEFT" : "ERROR no such session");
	conn->closing = strcmp(line, "BYE") == 0;
	return reply_text(conn->closing ? "BYE" : "ERROR unknown request");
}

static void
reply_append(struct conn *conn, const char *reply)
{
	size_t bytes = strlen(reply), needed = conn->out_bytes + bytes + 1;

	if (needed > conn->out_capacity) {
		uncounted(conn->out, conn->out_capacity);
		conn->out_capacity = needed * 2;
		conn->out = counted(realloc(conn->out, conn->out_capacity),
		    conn->out_capacity);
	}
	memcpy(conn->out + conn->out_bytes, reply, bytes);
	conn->out[conn->out_bytes + bytes] = '\n';
	conn->out_bytes = needed;
}

/* Serves the whole lines that have arrived; keeps the rest. */
static void
requests_serve(struct worker *worker, struct conn *conn)
{
	char *line = conn->in, *end = conn->in + conn->in_bytes, *newline;

	pthread_rwlock_rdlock(&config_lock);
	while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		char *reply;

		*newline = '\0';
		reply = request_serve(worker, conn, line);
		reply_append(conn, reply);
		free(reply);
		line = newline + 1;
	}
	pthread_rwlock_unlock(&config_lock);
	conn->in_bytes = (size_t)(end - line);
	memmove(conn->in, line, conn->in_bytes);
}

/* --- connections --------------------------------------------------------- */

static void
conn_accept(struct worker *worker)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *conn;

	if (fd < 0)
		return;		/* another worker was faster */
	conn = counted(calloc(1, sizeof *conn), sizeof *conn);
	conn->fd = fd;
	conn->link = &worker->conns;
	conn->next = worker->conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	worker->conns = conn;
	event.data.ptr = conn;
	if (epoll_ctl(worker->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
		die("epoll_ctl");
}

static void
conn_close(struct conn *conn)
{
	*conn->link = conn->next;
	if (conn->next != NULL)
		conn->next->link = conn->link;
	close(conn->fd);
	free(uncounted(conn->out, conn->out_capacity));
	free(uncounted(conn, sizeof *conn));
}

/* True while the connection is worth keeping. */
static bool
conn_read(struct worker *worker, struct conn *conn)
{
	ssize_t n = recv(conn->fd, conn->in + conn->in_bytes,
	    sizeof conn->in - conn->in_bytes, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->in_bytes += (size_t)n;
	requests_serve(worker, conn);
	return n > 0 && conn->in_bytes < sizeof conn->in;
}

static bool
conn_write(struct conn *conn)
{
	ssize_t n = send(conn->fd, conn->out, conn->out_bytes, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->out_bytes -= (size_t)n;
	memmove(conn->out, conn->out + n, conn->out_bytes);
	return conn->out_bytes > 0 || !conn->closing;
}

static void
conn_event(struct worker *worker, struct conn *conn, uint32_t events)
{
	struct epoll_event event = { .data.ptr = conn };
	bool keep = (events & EPOLLERR) == 0;

	if (keep && (events & (EPOLLIN | EPOLLHUP)) != 0)
		keep = conn_read(worker, conn);
	if (conn->out_bytes > 0)
		keep = conn_write(conn) && keep;
	if (!keep) {
		conn_close(conn);
		return;
	}
	/* A client that does not read its replies is not read from. */
	event.events = conn->out_bytes < OUT_MAX_BYTES && !conn->closing ?
	    EPOLLIN : 0;
	event.events |= conn->out_bytes > 0 ? EPOLLOUT : 0;
	if (epoll_ctl(worker->epoll, EPOLL_CTL_MOD, conn->fd, &event) != 0)
		die("epoll_ctl");
}

static void *
worker_run(void *argument)
{
	struct worker *worker = argument;
	struct epoll_event events[64];

	for (;;) {
		int n = epoll_wait(worker->epoll, events, 64, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &stopper)
				return NULL;
			if (events[i].data.ptr == &listener)
				conn_accept(worker);
			else
				conn_event(worker, events[i].data.ptr,
				    events[i].events);
		}
	}
}

static void
worker_start(struct worker *worker, unsigned index)
{
	struct epoll_event accepting = {
		.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = &listener };
	struct epoll_event stopping = {
		.events = EPOLLIN, .data.ptr = &stopper };

	worker->random = 1000 + index;
	worker->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (worker->epoll < 0 ||
	    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, listener, &accepting) ||
	    epoll_ctl(worker->epoll, EPOLL_CTL_ADD, stopper, &stopping))
		die("epoll");
	errno = pthread_create(&worker->thread, NULL, worker_run, worker);
	if (errno != 0)
		die("pthread_create");
}

static void
worker_stop(struct worker *worker)
{
	pthread_join(worker->thread, NULL);
	while (worker->conns != NULL)
		conn_close(worker->conns);
	close(worker->epoll);
}

/* --- reloads, start and end ---------------------------------------------- */

static void
report(unsigned reload, double build_ms)
{
	double live = (double)atomic_load(&live_bytes) / MIB;
	double rss = (double)resident_bytes() / MIB;

	printf("%6u %10.1f %10.1f %10.2f %10.0f %10u\n", reload, live, rss,
	    rss / live, build_ms, nsessions);
	fflush(stdout);
}

static void
reload(void)
{
	unsigned number = config == NULL ? 1 : config->number + 1;
	double start = milliseconds(), built;
	struct config *new, *old;

	arena_ring_enter(number);
	new = config_build(number, (size_t)options.config_mib * MIB);
	arena_ring_leave();
	built = milliseconds();
	old = config_swap(new);
	if (old != NULL)
		config_free(old);
	if (number > options.session_reloads)
		sessions_expire(number - options.session_reloads);
	arena_ring_purge(number);
	report(number - 1, built - start);
	atomic_store(&nreloads, number - 1);
}

static void
listen_local(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	    .sin_port = htons((uint16_t)options.port) };
	socklen_t size = sizeof address;
	int on = 1;

	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 ||
	    listen(listener, 128) != 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &size) != 0)
		die("listening on 127.0.0.1");
	stopper = eventfd(0, EFD_CLOEXEC);
	printf("listening on 127.0.0.1:%u, pid %d\n",
	    ntohs(address.sin_port), (int)getpid());
	printf("%6s %10s %10s %10s %10s %10s\n", "reload", "live MiB",
	    "RSS MiB", "RSS/live", "build ms", "sessions");
}

/* Serves until SIGTERM, SIGINT or the time is up; SIGHUP reloads. */
static void
main_loop(const sigset_t *signals)
{
	double end = milliseconds() + options.seconds * 1e3, left;

	while ((left = end - milliseconds()) > 0) {
		struct timespec timeout = { .tv_sec = (time_t)(left / 1e3),
		    .tv_nsec = (long)(left * 1e6) % 1000000000 };
		int signal = sigtimedwait(signals, NULL, &timeout);

		if (signal == SIGHUP)
			reload();
		else if (signal > 0)
			return;
	}
}

static void
usage(void)
{
	fprintf(stderr,
	    "Usage: reload-server [--port N] [--workers N] [--config-mib N]\n"
	    "    [--session-reloads N] [--rotate ARENAS] [--seconds N]\n"
	    "A routing service on 127.0.0.1; SIGHUP rebuilds its "
	    "configuration.\n");
	exit(2);
}

static unsigned
number_of(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max)
		usage();
	return (unsigned)n;
}

static void
options_parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "workers", required_argument, NULL, 'w' },
		{ "config-mib", required_argument, NULL, 'c' },
		{ "session-reloads", required_argument, NULL, 's' },
		{ "rotate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p': options.port = number_of(optarg, 0, 65535); break;
		case 'w': options.workers = number_of(optarg, 1, WORKERS_MAX);
			break;
		case 'c': options.config_mib = number_of(optarg, 12, 65536);
			break;
		case 's': options.session_reloads = number_of(optarg, 1, 1000);
			break;
		case 'r': options.rotate = number_of(optarg, 0, ARENAS_MAX);
			break;
		case 't': options.seconds = number_of(optarg, 1, 86400);
			break;
		default: usage();
		}
	}
	if (optind != argc)
		usage();
}

int
main(int argc, char **argv)
{
	static struct worker workers[WORKERS_MAX];
	sigset_t signals;

	options_parse(argc, argv);
	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	listen_local();
	if (options.rotate > 0 && !arena_ring_create(options.rotate))
		printf("no rotation: this malloc has no arenas\n");
	reload();
	for (unsigned i = 0; i < options.workers; i++)
		worker_start(&workers[i], i);
	main_loop(&signals);
	eventfd_write(stopper, 1);
	for (unsigned i = 0; i < options.workers; i++)
		worker_stop(&workers[i]);
	sessions_expire(UINT32_MAX);
	config_free(config);
	printf("done: %lu requests, %zu bytes live\n",
	    atomic_load(&nrequests), atomic_load(&live_bytes));
	return 0;
}
