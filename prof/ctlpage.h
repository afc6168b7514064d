/*
 * ctlpage.h - the format that a process under Strata publishes of itself, and
 * the signal protocol by which `strata ctl` speaks to it.
 *
 * The process keeps one shared mapping of a memfd, which /proc/PID/maps shows
 * as "/memfd:strata-ctl:1 (deleted)"; the number is CTLPAGE_VERSION. It begins
 * with a struct ctlpage. A fork child maps a page of its own; until it has,
 * the page's pid is the parent's, and nobody may signal the child.
 *
 *   ctl                                  process
 *   reads the page: signal ours? ----->  (nothing happens)
 *   sigqueue(signal, magic|verb|id) -->  handler puts it in a queue; the
 *                                        worker does it, then fills an ack
 *   polls for an ack with its id  <----  seq += 2
 *
 * Reading: copy the page, and again while seq is odd or differs between the
 * two copies (a seqlock). `requests` is written outside of it.
 * Everything is in the process's byte order; strings end with a NUL unless
 * the page is damaged, which a reader must expect.
 */
#ifndef STRATA_CTLPAGE_H
#define STRATA_CTLPAGE_H

#include <stdint.h>

#define CTLPAGE_NAME		"strata-ctl:1"
#define CTLPAGE_MAGIC		UINT64_C(0x4c54434154525453) /* "STRTACTL" */

enum {
	CTLPAGE_VERSION = 1,
	CTLPAGE_BYTES = 16384,		/* of the mapping; a page of any size */
	CTLPAGE_ACKS = 8,		/* the last requests, a ring */
	CTLPAGE_PATH = 1280,		/* prefix, namespace, pid, numbers */
	CTLPAGE_LINE = 256,
};

/* What a request asks for. */
enum ctlpage_verb {
	CTL_DUMP = 1,
	CTL_ON = 2,			/* sampling on; prof.active */
	CTL_OFF = 3,
	CTL_LEAKS = 4,
	CTL_STATS = 5,
	CTL_ROTATE = 6,
	CTL_STATUS = 7,			/* brings the page up to date */
	CTL_VERBS = 8,
};

/*
 * The value that goes with the signal (sigqueue; si_code SI_QUEUE):
 *   63..40 CTL_SI_MAGIC   39..32 verb   31..0 the request's id, not 0
 * Without SI_QUEUE or the magic the signal asks for a dump and has no id.
 */
#define CTL_SI_MAGIC		UINT64_C(0x53c71d)
#define CTL_SI_VALUE(verb, id) \
	(CTL_SI_MAGIC << 40 | (uint64_t)(verb) << 32 | (uint32_t)(id))
#define CTL_SI_VERB(value)	((unsigned)((value) >> 32 & 0xff))
#define CTL_SI_ID(value)	((uint32_t)(value))
#define CTL_SI_IS_OURS(value)	((value) >> 40 == CTL_SI_MAGIC)

/* Bits of ctlpage.flags. */
enum {
	CTLPAGE_OURS = 1,		/* the signal's handler is Strata's */
	CTLPAGE_TAKEN = 2,		/* the program has it, or had it */
	CTLPAGE_ACTIVE = 4,		/* sampling now */
};

/* Bits of a dump's formats: the file's suffix. */
enum { CTLPAGE_PB = 1, CTLPAGE_HEAP = 2 };

/* A request that has been served. */
struct ctlpage_ack {
	uint32_t id;			/* 0: no request yet */
	uint32_t verb;
	int32_t error;			/* 0, or an errno: why it failed */
	uint32_t formats;		/* of a dump: CTLPAGE_PB or _HEAP;
					   of a rotate: the new generation */
	char file[CTLPAGE_PATH];	/* what it wrote; "" if nothing. Of a
					   dump in two formats the .pb */
};

struct ctlpage {
	/* constant: */
	uint64_t magic;			/* CTLPAGE_MAGIC */
	uint32_t version;		/* CTLPAGE_VERSION */
	uint32_t bytes;			/* sizeof(struct ctlpage) */
	/* atomic: */
	uint64_t requests;		/* signals seen by the handler */
	uint32_t seq;			/* odd while what follows changes */
	/* under seq: */
	int32_t pid;			/* in the process's own pid namespace */
	int32_t signal;			/* 0: none */
	uint32_t flags;
	uint32_t verbs;			/* offered: bit 1 << verb */
	uint32_t current;		/* id being served now, or 0 */
	uint64_t rate;			/* R in bytes */
	uint64_t samples_live;
	uint64_t dropped_samples;
	uint64_t dropped_bytes;		/* weighted */
	uint64_t profiler_bytes;	/* what the profiler keeps */
	uint64_t dumps;			/* files written */
	uint64_t dump_errors;
	uint64_t done;			/* requests served */
	uint64_t start_ns;		/* CLOCK_REALTIME of the start */
	uint64_t updated_ns;		/* ... of the last change */
	uint32_t acked;			/* acks written; next is acked % ACKS */
	char strata_version[28];
	char prefix[CTLPAGE_PATH];	/* absolute; "" = no automatic dumps */
	char last_file[CTLPAGE_PATH];
	char last_error[CTLPAGE_LINE];	/* one line, or "" */
	struct ctlpage_ack acks[CTLPAGE_ACKS];
};

_Static_assert(sizeof(struct ctlpage) <= CTLPAGE_BYTES, "fits its mapping");

#endif
