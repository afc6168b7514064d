/*
 * ask.c - see ask.h.
 */
#define _GNU_SOURCE
#include "ask.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "model.h"			/* exit statuses */

enum {
	/* Until an unanswered request is repeated: doubles, up to a second. */
	REPEAT_FIRST_MS = 20, REPEAT_LAST_MS = 1000,
	POLL_MS = 2,		/* between looks at the page */
};

static int __attribute__((format(printf, 2, 3)))
wrong(struct ask *ask, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(ask->why, sizeof ask->why, format, ap);
	va_end(ap);
	return EXIT_INPUT;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint32_t
new_id(void)
{
	uint32_t id = 0;

	while (id == 0) {
		if (getrandom(&id, sizeof id, GRND_NONBLOCK) != sizeof id)
			id = (uint32_t)getpid() ^ (uint32_t)now_ms() << 12;
	}
	return id;
}

int
ask_open(pid_t pid, struct ask *ask)
{
	int status = target_open(pid, &ask->target, &ask->page);

	ask->id = new_id();
	return status == EXIT_FINE ? status :
	    wrong(ask, "%s", ask->target.why);
}

void
ask_close(struct ask *ask)
{
	target_close(&ask->target);
}

/* --- the answer ---------------------------------------------------------- */

static bool
answered(struct ask *ask)
{
	for (size_t i = 0; i < CTLPAGE_ACKS; i++) {
		if (ask->page.acks[i].id != ask->id)
			continue;
		ask->ack = ask->page.acks[i];
		return true;
	}
	return false;
}

static int
no_answer(struct ask *ask, double timeout_s)
{
	const char *deaf = target_deaf(&ask->target, ask->page.signal);

	if (ask->page.current == ask->id)
		return wrong(ask, "process %d is still at work on it after "
		    "%g s", (int)ask->target.pid, timeout_s);
	return wrong(ask, "process %d %s: no answer in %g s",
	    (int)ask->target.pid, deaf != NULL ? deaf : "is silent",
	    timeout_s);
}

/* Sends and waits; the answer is in ask->ack. */
static int
exchange(struct ask *ask, enum ctlpage_verb verb, double timeout_s)
{
	struct target *target = &ask->target;
	uint64_t end = now_ms() + (uint64_t)(timeout_s * 1000);
	uint64_t value = CTL_SI_VALUE(verb, ask->id), repeat = 0;
	uint64_t pause = REPEAT_FIRST_MS;
	int status = EXIT_FINE;

	while (status == EXIT_FINE && !answered(ask)) {
		uint64_t now = now_ms();

		if (repeat != 0 && now >= end)
			return no_answer(ask, timeout_s);
		if (now >= repeat && ask->page.current != ask->id) {
			status = target_signal(target, value);
			repeat = now + pause;
			if (pause < REPEAT_LAST_MS)
				pause *= 2;
		}
		if (status == EXIT_FINE && target_wait(target, POLL_MS))
			return wrong(ask, "process %d ended before it "
			    "answered", (int)target->pid);
		if (status == EXIT_FINE)
			status = target_read(target, &ask->page);
	}
	return status == EXIT_FINE ? status : wrong(ask, "%s", target->why);
}

static int
not_offered(struct ask *ask, const char *name)
{
	return wrong(ask, "Strata %s of process %d does not offer '%s'",
	    ask->page.strata_version, (int)ask->target.pid, name);
}

/* What it answered is an error number; of a dump its page has more. */
static int
refused(struct ask *ask, enum ctlpage_verb verb, const char *name)
{
	const struct ctlpage *page = &ask->page;
	int pid = (int)ask->target.pid, error = ask->ack.error;
	bool writes = verb == CTL_DUMP || verb == CTL_STATS;

	if (error == ENOSYS)
		return not_offered(ask, name);
	if (writes && page->prefix[0] == '\0')
		return wrong(ask, "process %d has no prof_prefix to name the "
		    "file by", pid);
	if (verb == CTL_DUMP && page->last_error[0] != '\0')
		return wrong(ask, "process %d could not dump: %s", pid,
		    page->last_error);
	if (writes)
		return wrong(ask, "process %d could not write its %s to "
		    "%s.*: %s", pid, verb == CTL_DUMP ? "profile" :
		    "statistics", page->prefix, strerror(error));
	return wrong(ask, "process %d could not serve '%s': %s", pid, name,
	    strerror(error));
}

int
ask_verb(struct ask *ask, enum ctlpage_verb verb, const char *name,
    double timeout_s)
{
	int status;

	if ((ask->page.verbs >> verb & 1) == 0)
		return not_offered(ask, name);
	status = exchange(ask, verb, timeout_s);
	if (status != EXIT_FINE || ask->ack.error == 0)
		return status;
	return refused(ask, verb, name);
}

void
ask_file(const struct ask *ask, const char *path, char out[ASK_PATH])
{
	struct stat here, there;

	snprintf(out, ASK_PATH, "/proc/%d/root%s", (int)ask->target.pid,
	    path);
	if (stat(path, &here) == 0 && (stat(out, &there) != 0 ||
	    (here.st_dev == there.st_dev && here.st_ino == there.st_ino)))
		snprintf(out, ASK_PATH, "%s", path);
}
