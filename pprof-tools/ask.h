/*
 * ask.h - one question to a process that runs under Strata, and its answer.
 *
 *   read the page -> may we? -> signal with a request id -> wait for the ack
 *                                 ^                |
 *                                 +-- now and then, until the time-out
 *
 * The process serves a request once, however often it is repeated, and its
 * page says what came of it (prof/ctlpage.h, target.h).
 */
#ifndef STRATA_ASK_H
#define STRATA_ASK_H

#include "target.h"

/* How long every command waits for an answer, unless told otherwise. */
enum { ASK_TIMEOUT_S = 30 };

/* A path of the process, as it is reached from here. */
enum { ASK_PATH = CTLPAGE_PATH + 32 };

struct ask {
	uint32_t id;			/* of this request */
	struct target target;
	struct ctlpage page;		/* as last read */
	struct ctlpage_ack ack;		/* the answer */
	char why[CTLPAGE_PATH + 256];	/* what is wrong, one line */
};

/*
 * Finds the process and reads its page. EXIT_FINE, or EXIT_INPUT and why;
 * ask_close in either case.
 */
int ask_open(pid_t pid, struct ask *ask);
void ask_close(struct ask *ask);

/*
 * Has it serve the verb; name is the verb's, for messages. EXIT_FINE and the
 * answer is in ask->ack, or EXIT_INPUT and why.
 */
int ask_verb(struct ask *ask, enum ctlpage_verb verb, const char *name,
    double timeout_s);

/*
 * The path by which we reach a file of the process: its own, if that is the
 * same file here, else through its root.
 */
void ask_file(const struct ask *ask, const char *path, char out[ASK_PATH]);

#endif
