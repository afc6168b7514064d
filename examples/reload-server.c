/*
 * reload-server.c - a routing service whose configuration is rebuilt on
 * SIGHUP while it serves: the program whose memory the demo explains.
 *
 *   epoll loop --> requests, a line of text each, and their replies
 *             \--> SIGHUP: the next configuration, a slice at a time; when
 *                  it is whole it replaces the old one, which is freed
 *
 *   config  --> routes[] --> route --> key, rules
 *   session --> its own copies of the rules it plays by, and its notes
 *   audit   --> records of what was built, written while it is (--audit)
 *
 * Sessions outlive reloads, and those that join while a configuration is
 * built put their copies between its blocks: when it is freed they stay
 * behind, here and there in the pages it used. The cure is to build each
 * configuration in an arena of its own: --pool N has Strata do it
 * (reload-pool.h), --rotate N works on jemalloc too (arena-ring.h). Audit
 * records are written inside of that scope and outlive it all the same:
 * the strays that `strata generations` finds; --audit-outside mends them.
 *
 * Protocol, lines of text:   GET n   JOIN id nrules   NOTE id text
 *                            LEAVE id   STAT   BYE
 *
 * One thread. Memory: every block passes counted() or uncounted(), so the
 * program knows its live bytes exactly and prints them beside its RSS.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "arena-ring.h"
#include "reload-config.h"
#include "reload-pool.h"

enum {
	LINE_MAX_BYTES = 4096,		/* a request line */
	OUT_MAX_BYTES = 1 << 18,	/* replies a client has not read */
	SESSION_BUCKETS = 1 << 12,
	SESSIONS_MAX = 1 << 17,
	SESSION_RULES_MAX = 256,
	SLICE_ROUTES = 100,		/* built between two polls */
	NOTES_MAX = 16,			/* of one session */
	REPORT_MS = 750,		/* after a reload; what it frees is gone */
	MIB = 1 << 20,
};

struct options {
	unsigned port;			/* 0: the kernel chooses */
	unsigned config_mib;		/* the smallest configuration */
	unsigned session_reloads;	/* a session's life */
	unsigned rotate;		/* arenas to rotate, 0 = none */
	unsigned pool;			/* arenas of a pool, 0 = none */
	unsigned audit_percent;		/* of the routes */
	bool audit_outside;		/* of the scope */
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

struct audit {
	struct audit *next;
	unsigned number;		/* of the configuration */
	size_t bytes;
	char record[];
};

struct conn {
	int fd;
	bool closing;
	struct conn *next, **link;	/* the list of all */
	size_t in_bytes, out_bytes, out_capacity;
	char *out;
	char in[LINE_MAX_BYTES];
};

static struct options options = {
	.config_mib = 96, .session_reloads = 8, .seconds = 300,
};
static int poller, listener, signals;	/* file descriptors */
static bool stopping, pooled;

static struct config *config;		/* in force */
static struct config *building;		/* the next one, or NULL */
static double build_ms;			/* spent on it so far */
static unsigned nreloads;		/* finished ones */
static double report_due;		/* milliseconds(); 0: nothing is due */

static struct session *sessions[SESSION_BUCKETS];
static unsigned nsessions;
static struct audit *audits, **audits_end = &audits;	/* oldest first */
static size_t audit_bytes;
static struct conn *conns;
static unsigned long nrequests;

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

/* --- sessions ------------------------------------------------------------ */

static size_t
session_bytes(const struct session *session)
{
	return sizeof *session + session->nrules * sizeof *session->rules;
}

static struct session **
session_find(uint64_t id)
{
	struct session **link = &sessions[id % SESSION_BUCKETS];

	while (*link != NULL && (*link)->id != id)
		link = &(*link)->next;
	return link;
}

static bool
session_join(uint64_t id, unsigned nrules)
{
	static uint64_t random = 1000;
	size_t bytes = sizeof(struct session) +
	    nrules * sizeof(struct rules *);
	struct session **link = session_find(id), *session;

	if (*link != NULL || nsessions == SESSIONS_MAX)
		return false;
	session = counted(calloc(1, bytes), bytes);
	session->id = id;
	session->joined = config->number;
	session->nrules = nrules;
	for (unsigned i = 0; i < nrules; i++) {
		size_t index = random_next(&random) % config->nroutes;

		session->rules[i] = rules_copy(config->routes[index]->rules);
	}
	*link = session;
	nsessions++;
	return true;
}

/* Takes the session that link points to out of its bucket and frees it. */
static void
session_close(struct session **link)
{
	struct session *session = *link;
	struct note *note;

	*link = session->next;
	nsessions--;
	while ((note = session->notes) != NULL) {
		session->notes = note->next;
		free(uncounted(note, note->bytes));
	}
	for (unsigned i = 0; i < session->nrules; i++)
		rules_free(session->rules[i]);
	free(uncounted(session, session_bytes(session)));
}

static bool
session_leave(uint64_t id)
{
	struct session **link = session_find(id);

	if (*link == NULL)
		return false;
	session_close(link);
	return true;
}

static bool
session_note(uint64_t id, const char *text)
{
	size_t bytes = sizeof(struct note) + strlen(text) + 1;
	struct session *session = *session_find(id);
	struct note *note;

	if (session == NULL || session->nnotes == NOTES_MAX)
		return false;
	note = counted(malloc(bytes), bytes);
	note->bytes = bytes;
	strcpy(note->text, text);
	note->next = session->notes;
	session->notes = note;
	session->nnotes++;
	return true;
}

/* Closes the sessions that joined before configuration number first. */
static void
sessions_expire(unsigned first)
{
	for (unsigned i = 0; i < SESSION_BUCKETS; i++) {
		struct session **link = &sessions[i];

		while (*link != NULL) {
			if ((*link)->joined < first)
				session_close(link);
			else
				link = &(*link)->next;
		}
	}
}

/* --- audit ---------------------------------------------------------------- */

static void
audit_record(const struct route *route, unsigned number)
{
	size_t bytes = sizeof(struct audit) + route->rules->bytes;
	struct audit *audit = counted(malloc(bytes), bytes);

	audit->next = NULL;
	audit->number = number;
	audit->bytes = bytes;
	audit_bytes += bytes;
	memcpy(audit->record, route->rules, route->rules->bytes);
	*audits_end = audit;
	audits_end = &audit->next;
}

/* Of the routes from index first on. */
static void
audit_build(const struct config *built, size_t first)
{
	for (size_t i = first; i < built->nroutes; i++)
		if (i * options.audit_percent % 100 < options.audit_percent)
			audit_record(built->routes[i], built->number);
}

/* Drops the records of before configuration number first. */
static void
audit_expire(unsigned first)
{
	while (audits != NULL && audits->number < first) {
		struct audit *audit = audits;

		audits = audit->next;
		audit_bytes -= audit->bytes;
		free(uncounted(audit, audit->bytes));
	}
	if (audits == NULL)
		audits_end = &audits;
}

/* usable, as malloc rounds up: a profile counts what the records take. */
static void
audit_print(void)
{
	size_t usable = 0;

	for (struct audit *a = audits; a != NULL; a = a->next)
		usable += malloc_usable_size(a);
	if (audits != NULL)
		printf("audit: %zu bytes, %zu usable\n", audit_bytes, usable);
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
	    nsessions, nrequests, live_bytes, resident_bytes()) < 0)
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

static char *
request_serve(struct conn *conn, char *line)
{
	unsigned long long id;
	unsigned n;
	int text = 0;

	nrequests++;
	if (strncmp(line, "GET ", 4) == 0)
		return reply_get(line + 4);
	if (strcmp(line, "STAT") == 0)
		return reply_stat();
	if (sscanf(line, "JOIN %llu %u", &id, &n) == 2)
		return reply_text(n <= SESSION_RULES_MAX &&
		    session_join(id, n) ?
		    "JOINED" : "ERROR cannot join");
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
requests_serve(struct conn *conn)
{
	char *line = conn->in, *end = conn->in + conn->in_bytes, *newline;

	while ((newline = memchr(line, '\n', (size_t)(end - line))) != NULL) {
		char *reply;

		*newline = '\0';
		reply = request_serve(conn, line);
		reply_append(conn, reply);
		free(reply);
		line = newline + 1;
	}
	conn->in_bytes = (size_t)(end - line);
	memmove(conn->in, line, conn->in_bytes);
}

/* --- connections --------------------------------------------------------- */

static void
conn_accept(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct conn *conn;

	if (fd < 0)
		return;			/* the client has gone again */
	conn = counted(calloc(1, sizeof *conn), sizeof *conn);
	conn->fd = fd;
	conn->link = &conns;
	conn->next = conns;
	if (conn->next != NULL)
		conn->next->link = &conn->next;
	conns = conn;
	event.data.ptr = conn;
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) != 0)
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
conn_read(struct conn *conn)
{
	ssize_t n = recv(conn->fd, conn->in + conn->in_bytes,
	    sizeof conn->in - conn->in_bytes, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	conn->in_bytes += (size_t)n;
	requests_serve(conn);
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
conn_event(struct conn *conn, uint32_t events)
{
	struct epoll_event event = { .data.ptr = conn };
	bool keep = (events & EPOLLERR) == 0;

	if (keep && (events & (EPOLLIN | EPOLLHUP)) != 0)
		keep = conn_read(conn);
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
	if (epoll_ctl(poller, EPOLL_CTL_MOD, conn->fd, &event) != 0)
		die("epoll_ctl");
}

/* --- reloads, start and end ---------------------------------------------- */

/* A line on the last reload, unless there is one already. */
static void
report(void)
{
	double live = (double)live_bytes / MIB;
	double rss = (double)resident_bytes() / MIB;

	if (report_due == 0)
		return;
	report_due = 0;
	printf("%6u %10.1f %10.1f %10.2f %10.0f %10u\n", nreloads, live, rss,
	    rss / live, build_ms, nsessions);
	fflush(stdout);
}

/* Found when the program runs; NULL under a malloc that has none. */
extern int mallctl(const char *, void *, size_t *, void *, size_t)
    __attribute__((weak));

/* From here on profiles call what is allocated the next generation. */
static void
generation_begin(void)
{
	uint64_t any = 0;

	if (mallctl != NULL)
		mallctl("prof.generation", NULL, NULL, &any, sizeof any);
}

/* A rotation begins a generation; a pool's first one is there already. */
static void
scope_begin(void)
{
	if (pooled && config == NULL)
		return;
	if (!reload_pool_rotate())
		generation_begin();
}

/* From here on malloc is for configuration number. */
static void
scope_enter(unsigned number)
{
	arena_ring_enter(number);
	reload_pool_enter();
}

static void
scope_leave(void)
{
	reload_pool_leave();
	arena_ring_leave();
}

static void
reload_begin(void)
{
	unsigned number = config == NULL ? 1 : config->number + 1;
	double start = milliseconds();

	if (building != NULL)
		return;			/* one at a time */
	report();
	scope_begin();
	scope_enter(number);
	building = config_begin(number, (size_t)options.config_mib * MIB);
	scope_leave();
	build_ms = milliseconds() - start;
}

static void
reload_finish(void)
{
	struct config *old = config;
	unsigned number = building->number;

	config = building;
	building = NULL;
	if (old != NULL)
		config_free(old);
	if (number > options.session_reloads) {
		sessions_expire(number - options.session_reloads);
		audit_expire(number - options.session_reloads);
	}
	arena_ring_purge(number);
	nreloads = number - 1;
	report_due = milliseconds() + (old == NULL ? 0 : REPORT_MS);
}

/* Builds the next part of the next configuration, in its own arena. */
static void
reload_slice(void)
{
	size_t first = building->nroutes;
	double start = milliseconds();
	bool whole;

	scope_enter(building->number);
	whole = config_build(building, SLICE_ROUTES);
	if (!options.audit_outside)
		audit_build(building, first);
	scope_leave();
	if (options.audit_outside)
		audit_build(building, first);
	build_ms += milliseconds() - start;
	if (whole)
		reload_finish();
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
	printf("listening on 127.0.0.1:%u, pid %d\n",
	    ntohs(address.sin_port), (int)getpid());
	printf("%6s %10s %10s %10s %10s %10s\n", "reload", "live MiB",
	    "RSS MiB", "RSS/live", "build ms", "sessions");
}

/* SIGHUP reloads; SIGTERM and SIGINT end the server. */
static void
signal_take(void)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGHUP)
		reload_begin();
	else
		stopping = true;
}

static void
signals_open(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void
poller_open(void)
{
	struct epoll_event accepting = {
		.events = EPOLLIN, .data.ptr = &listener };
	struct epoll_event signalled = {
		.events = EPOLLIN, .data.ptr = &signals };

	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0 ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &accepting) != 0 ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, signals, &signalled) != 0)
		die("epoll");
}

/* Serves until it is told to stop or the time is up. */
static void
serve(void)
{
	double end = milliseconds() + options.seconds * 1e3;
	struct epoll_event events[64];

	while (!stopping && milliseconds() < end) {
		int n = epoll_wait(poller, events, 64,
		    building != NULL ? 0 : 100);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == &signals)
				signal_take();
			else if (events[i].data.ptr == &listener)
				conn_accept();
			else
				conn_event(events[i].data.ptr,
				    events[i].events);
		}
		if (building != NULL)
			reload_slice();
		if (report_due != 0 && milliseconds() >= report_due)
			report();
	}
	report();
}

static void
usage(void)
{
	fprintf(stderr,
	    "Usage: reload-server [--port N] [--config-mib N]\n"
	    "    [--session-reloads N] [--rotate ARENAS | --pool ARENAS]\n"
	    "    [--audit PERCENT] [--audit-outside] [--seconds N]\n"
	    "A routing service on 127.0.0.1; SIGHUP rebuilds its "
	    "configuration.\n");
	exit(2);
}

static unsigned
number_of(const char *text, unsigned min, unsigned max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n < min || n > max) {
		fprintf(stderr, "reload-server: '%s' is not a number from %u "
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
		{ "config-mib", required_argument, NULL, 'c' },
		{ "session-reloads", required_argument, NULL, 's' },
		{ "rotate", required_argument, NULL, 'r' },
		{ "pool", required_argument, NULL, 'o' },
		{ "audit", required_argument, NULL, 'a' },
		{ "audit-outside", no_argument, NULL, 'A' },
		{ "seconds", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'p': options.port = number_of(optarg, 0, 65535); break;
		case 'c': options.config_mib = number_of(optarg, 12, 65536);
			break;
		case 's': options.session_reloads = number_of(optarg, 1, 1000);
			break;
		case 'r': options.rotate = number_of(optarg, 0, ARENAS_MAX);
			break;
		case 'o': options.pool = number_of(optarg, 0, POOL_ARENAS_MAX);
			break;
		case 'a': options.audit_percent = number_of(optarg, 0, 100);
			break;
		case 'A': options.audit_outside = true; break;
		case 't': options.seconds = number_of(optarg, 1, 86400);
			break;
		default: usage();
		}
	}
	if (optind != argc || (options.rotate > 0 && options.pool > 0))
		usage();
}

int
main(int argc, char **argv)
{
	options_parse(argc, argv);
	signals_open();
	listen_local();
	if (options.rotate > 0 && !arena_ring_create(options.rotate))
		printf("no rotation: this malloc has no arenas\n");
	if (options.pool > 0)
		pooled = reload_pool_create(options.pool);
	reload_begin();
	while (building != NULL)
		reload_slice();
	poller_open();
	serve();
	while (conns != NULL)
		conn_close(conns);
	audit_print();
	reload_pool_print();
	sessions_expire(UINT32_MAX);
	audit_expire(UINT32_MAX);
	if (building != NULL)
		config_free(building);
	config_free(config);
	printf("done: %lu requests, %zu bytes live\n", nrequests, live_bytes);
	return 0;
}
