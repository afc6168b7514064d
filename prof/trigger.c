/*
 * trigger.c - see trigger.h.
 *
 * What is asked for waits in two places until the worker takes it:
 *
 *   trigger.asked     bits: one dump for each kind of trigger. Asking twice
 *                     before the worker looks is asking once: pending signals
 *                     merge, and the dump begins after the last of them.
 *   trigger.requests  the numbered requests of `strata ctl`; a slot holds
 *                     verb and id, 0 is free. A full table drops the request,
 *                     and ctl repeats it.
 */
#include "trigger.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "ctlpub.h"
#include "cut.h"
#include "dump.h"
#include "fmt.h"
#include "generation.h"
#include "leak.h"
#include "os.h"
#include "sigwatch.h"
#include "util.h"
#include "worker.h"

enum {
	ASK_SIGNAL = 1, ASK_BYTES = 2, ASK_TIME = 4, ASK_GDUMP = 8,
	ASK_REFRESH = 16,		/* only the ctl page */
	ASK_FOLD = 32,			/* old generations */
	REQUESTS = CTLPAGE_ACKS,	/* each gets its ack in one pass */
	ROTATIONS = 8 * CTLPAGE_ACKS,	/* remembered longer than acks are */
	CHECK_NS = 100 * 1000000,	/* between looks at the disposition */
	EXIT_WAIT_MS = 10000,		/* for a dump under way at exit */
};

static struct {
	/* constant after boot: */
	const struct prof_host *host;
	bool final, leak, leak_error;
	int lg_interval;
	uint64_t interval_ms;
	int want_signal;		/* number, 0 none, -1 default */
	/* constant after start: */
	int signal;			/* the handler's, 0 none */
	bool started;
	bool taken_before;		/* the default was somebody else's */
	/* atomic: */
	_Atomic int pid;		/* that the state belongs to */
	_Atomic uint32_t asked;
	_Atomic uint64_t requests[REQUESTS];
	_Atomic uint64_t seen;		/* signals */
	_Atomic uint64_t done;		/* of them, served */
	_Atomic uint32_t early;		/* signals in a child not yet ready */
	_Atomic uint64_t bytes;		/* allocated, for lg_interval */
	_Atomic uint64_t checked_ns;	/* when trigger_check last looked */
	_Atomic bool ours;		/* the handler is still installed */
	_Atomic bool gdump;
	_Atomic uint64_t start_ns;
} trigger;

/*
 * The last rotations. A repeat can come when its ack is off the page, or
 * twice in one pass; it is told the same number again. Whoever serves owns it.
 */
static struct {
	uint32_t id, generation;
} rotations[ROTATIONS];
static size_t nrotations;		/* next is nrotations % ROTATIONS */

/* --- the signal ---------------------------------------------------------- */

static void
ask(unsigned bit)
{
	atomic_fetch_or(&trigger.asked, bit);
	worker_wake();
}

/* A repeat of what is waiting already is the same request. */
static void
request_queue(uint64_t value)
{
	for (size_t i = 0; i < REQUESTS; i++) {
		if (atomic_load(&trigger.requests[i]) == value)
			return;
	}
	for (size_t i = 0; i < REQUESTS; i++) {
		uint64_t free = 0;

		if (atomic_compare_exchange_strong(&trigger.requests[i],
		    &free, value))
			return;
	}
}

/*
 * Not ours to serve: a fork child before trigger_fork_child (it looks at
 * early then), or a vfork child, whose memory is its parent's.
 */
static bool
foreign_process(void)
{
	if (os_pid() == atomic_load(&trigger.pid))
		return false;
	atomic_fetch_add(&trigger.early, 1);
	return true;
}

/* Uses neither errno nor anything of the thread it interrupts. */
static void
on_signal(int number, siginfo_t *info, void *context)
{
	uint64_t value = 0;

	if (foreign_process())
		return;
	atomic_fetch_add(&trigger.seen, 1);
	ctlpub_request();
	if (info->si_code == SI_QUEUE)
		value = (uint64_t)(uintptr_t)info->si_value.sival_ptr;
	if (CTL_SI_IS_OURS(value)) {
		request_queue(value);
		worker_wake();
	} else {
		ask(ASK_SIGNAL);
	}
}

/* What the kernel takes for a struct sigaction. */
struct kernel_sigaction {
	void (*handler)(int);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

static bool
handler_is_ours(int number)
{
	struct kernel_sigaction action = { 0 };

	os_syscall4(SYS_rt_sigaction, number, NULL, &action,
	    sizeof action.mask);
	return (uintptr_t)action.handler == (uintptr_t)on_signal;
}

static int
handler_install(int number)
{
	struct sigaction action = { .sa_sigaction = on_signal,
	    .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	sigfillset(&action.sa_mask);
	return sigaction(number, &action, NULL) == 0 ? 0 : errno;
}

/*
 * By default only where nobody has touched it, not even to ignore it; a
 * signal that the options name is taken whatever it was.
 */
static int
handler_start(void)
{
	int number = trigger.want_signal, error;
	struct sigaction old;

	if (number == 0)
		return 0;
	if (number < 0) {
		number = SIGUSR2;
		if (sigaction(number, NULL, &old) != 0 ||
		    (old.sa_flags & SA_SIGINFO) != 0 ||
		    old.sa_handler != SIG_DFL) {
			trigger.taken_before = true;
			return 0;
		}
	}
	error = handler_install(number);
	if (error != 0) {
		fmt_fd(2, "%sInvalid conf value: prof_signal:%d\n",
		    MESSAGE_PREFIX, number);
		return error;
	}
	trigger.signal = number;
	atomic_store(&trigger.ours, true);
	return 0;
}

/*
 * The page says it at once; the rest of it can wait. Another thread may change
 * the disposition, or say what it was, meanwhile: whoever has said something
 * looks again, so that what is said last is so.
 */
static void
ours_tell(void)
{
	bool ours;

	do {
		ours = handler_is_ours(trigger.signal);
		atomic_store(&trigger.ours, ours);
		ctlpub_ours(ours);
	} while (handler_is_ours(trigger.signal) != ours);
}

/*
 * The program has set a disposition; not in a fork child that has no page yet
 * or a vfork child, whose dispositions are not its parent's.
 */
static void
disposition_changed(int number)
{
	if (number == trigger.signal && number != 0 &&
	    os_pid() == atomic_load(&trigger.pid))
		ours_tell();
}

void
trigger_check(void)
{
	uint64_t last = atomic_load_explicit(&trigger.checked_ns,
	    memory_order_relaxed), now;

	if (!atomic_load_explicit(&trigger.ours, memory_order_relaxed))
		return;
	now = os_now_ns();
	if (now - last < CHECK_NS ||
	    !atomic_compare_exchange_strong(&trigger.checked_ns, &last, now))
		return;
	if (!handler_is_ours(trigger.signal))
		ours_tell();
}

/* --- serving ------------------------------------------------------------- */

static void
page_write(uint32_t current)
{
	char prefix[PROF_PREFIX_MAX], error[CTLPAGE_LINE];
	struct ctlpub_state state = {
		.signal = trigger.signal,
		.current = current,
		.verbs = 1u << CTL_DUMP | 1u << CTL_ON | 1u << CTL_OFF |
		    1u << CTL_STATUS | 1u << CTL_ROTATE,
		.rate = prof_lg_sample_get() < 64 ?
		    UINT64_C(1) << prof_lg_sample_get() : 0,
		.samples_live = prof_samples_live(),
		.dropped_samples = prof_dropped_samples(),
		.dropped_bytes = prof_dropped_bytes(),
		.profiler_bytes = prof_memory(),
		.dumps = dump_done(),
		.dump_errors = dump_errors(),
		.done = atomic_load(&trigger.done),
		.start_ns = atomic_load(&trigger.start_ns),
		.version = trigger.host->version,
		.prefix = prefix,
		.last_error = error,
	};

	if (trigger.signal != 0 && handler_is_ours(trigger.signal))
		state.flags |= CTLPAGE_OURS;
	else if (trigger.signal != 0 || trigger.taken_before)
		state.flags |= CTLPAGE_TAKEN;
	if (prof_active_get())
		state.flags |= CTLPAGE_ACTIVE;
	if (trigger.host->stats != NULL)
		state.verbs |= 1u << CTL_STATS;
	dump_prefix_get(prefix, sizeof prefix);
	dump_last_error(error, sizeof error);
	ctlpub_write(&state);
	if (trigger.signal != 0)
		ours_tell();		/* the program may have it since */
}

static int
dump_and_publish(enum prof_trigger kind, struct dump_result *result)
{
	int error = dump_now(NULL, kind, result);

	ctlpub_file(result->file);
	return error;
}

static int
stats_write(struct dump_result *result)
{
	char temporary[DUMP_TEMPORARY_MAX];
	int fd, closed, error;

	error = dump_name(result->file, sizeof result->file,
	    PROF_TRIGGER_SIGNAL, ".stats.json");
	if (error != 0)
		return error;
	fd = dump_file_open(result->file, temporary, sizeof temporary);
	if (fd >= 0) {
		error = trigger.host->stats(fd);
		closed = -os_close(fd);
		error = dump_file_close(result->file, temporary,
		    error != 0 ? error : closed);
	} else {
		error = -fd;
	}
	if (error != 0)
		result->file[0] = '\0';
	return error;
}

/* Once for each id. */
static uint32_t
rotate(uint32_t id)
{
	size_t next = nrotations % ROTATIONS;

	for (size_t i = 0; i < ROTATIONS; i++) {
		if (rotations[i].id == id)
			return rotations[i].generation;
	}
	rotations[next].id = id;
	rotations[next].generation = trigger.host->advance != NULL ?
	    trigger.host->advance() : generation_advance();
	nrotations++;
	return rotations[next].generation;
}

/* dumped: what a dump taken in this pass wrote, for all who wait for one. */
static int
request_do(unsigned verb, uint32_t id, struct dump_result *result)
{
	switch (verb) {
	case CTL_ON:
		return prof_active_set(true);
	case CTL_OFF:
		return prof_active_set(false);
	case CTL_STATUS:
		return 0;
	case CTL_ROTATE:
		result->formats = rotate(id);
		return 0;
	case CTL_STATS:
		return trigger.host->stats != NULL ? stats_write(result) :
		    ENOSYS;
	default:
		return ENOSYS;
	}
}

/* One dump answers all requests that came before it, and plain signals. */
static void
serve_dumps(const uint64_t *requests, bool plain)
{
	struct dump_result result;
	uint32_t first = 0;
	int error;

	for (size_t i = REQUESTS; i-- > 0; ) {
		if (CTL_SI_VERB(requests[i]) == CTL_DUMP)
			first = CTL_SI_ID(requests[i]);
	}
	if (!plain && first == 0)
		return;
	page_write(first);
	error = dump_and_publish(PROF_TRIGGER_SIGNAL, &result);
	for (size_t i = 0; i < REQUESTS; i++) {
		if (CTL_SI_VERB(requests[i]) == CTL_DUMP)
			ctlpub_ack(CTL_SI_ID(requests[i]), CTL_DUMP, error,
			    result.formats, result.file);
	}
}

static void
serve_others(const uint64_t *requests)
{
	struct dump_result result;

	for (size_t i = 0; i < REQUESTS; i++) {
		unsigned verb = CTL_SI_VERB(requests[i]);
		uint32_t id = CTL_SI_ID(requests[i]);
		int error;

		if (id == 0 || verb == CTL_DUMP)
			continue;
		result.file[0] = '\0';
		result.formats = 0;
		error = request_do(verb, id, &result);
		page_write(0);		/* the figures before the ack */
		ctlpub_ack(id, verb, error, result.formats, result.file);
	}
}

static void
serve_automatic(uint32_t asked)
{
	static const struct {
		unsigned bit;
		enum prof_trigger kind;
	} kinds[] = {
		{ ASK_BYTES, PROF_TRIGGER_BYTES },
		{ ASK_TIME, PROF_TRIGGER_TIME },
		{ ASK_GDUMP, PROF_TRIGGER_GDUMP },
	};
	struct dump_result result;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (asked & kinds[i].bit)
			dump_and_publish(kinds[i].kind, &result);
	}
}

/*
 * All that is asked for now. What comes meanwhile wakes the worker again. A
 * request that was served before is a repeat whose answer is on the page.
 */
static void
serve(void)
{
	uint64_t requests[REQUESTS], seen = atomic_load(&trigger.seen);
	uint32_t asked = atomic_exchange(&trigger.asked, 0);

	for (size_t i = 0; i < REQUESTS; i++) {
		requests[i] = atomic_exchange(&trigger.requests[i], 0);
		if (CTL_SI_ID(requests[i]) == 0 ||
		    ctlpub_acked(CTL_SI_ID(requests[i])))
			requests[i] = 0;
	}
	if (asked & ASK_FOLD)
		cut_fold_generations();
	serve_dumps(requests, asked & ASK_SIGNAL);
	serve_others(requests);
	serve_automatic(asked);
	atomic_store(&trigger.done, seen);
	page_write(0);
}

static bool
waiting(void)
{
	if (atomic_load(&trigger.asked) != 0)
		return true;
	for (size_t i = 0; i < REQUESTS; i++) {
		if (atomic_load(&trigger.requests[i]) != 0)
			return true;
	}
	return false;
}

/* Where no task can be made the next event of a thread does its work. */
static void
wake_or_serve(void)
{
	if (worker_wake() == 0)
		return;
	trigger.host->guard_enter();
	worker_serve_here();
	trigger.host->guard_leave();
}

static void
tick(void)
{
	atomic_fetch_or(&trigger.asked, ASK_TIME);
	serve();
}

/* --- start, events, exit ------------------------------------------------- */

void
trigger_boot(const struct prof_options *options, const struct prof_host *host)
{
	trigger.host = host;
	trigger.final = options->final;
	trigger.leak = options->leak;
	trigger.leak_error = options->leak_error;
	trigger.lg_interval = options->lg_interval;
	trigger.interval_ms = options->interval_ms;
	trigger.want_signal = options->signal;
	atomic_store(&trigger.gdump, options->gdump);
	atomic_store(&trigger.start_ns, os_time_ns());
}

int
trigger_start(void)
{
	const struct worker_options options = {
		.serve = serve, .tick = tick,
		.interval_ms = trigger.interval_ms,
	};
	int error;

	if (trigger.started)
		return 0;
	trigger.started = true;
	atomic_store(&trigger.pid, os_pid());
	ctlpub_start();		/* without it only ctl does not find us */
	handler_start();
	sigwatch_set(disposition_changed);
	page_write(0);
	error = worker_start(&options);
	if (error != 0)
		fmt_fd(2, "%sNo memory for the profiler's worker: %d\n",
		    MESSAGE_PREFIX, error);
	return error;
}

void
trigger_event(uint64_t bytes_allocated)
{
	uint64_t before;

	if (!trigger.started)
		return;
	trigger_check();
	if (trigger.lg_interval >= 0 && bytes_allocated != 0) {
		before = atomic_fetch_add(&trigger.bytes, bytes_allocated);
		if (before >> trigger.lg_interval !=
		    (before + bytes_allocated) >> trigger.lg_interval) {
			atomic_fetch_or(&trigger.asked, ASK_BYTES);
			wake_or_serve();
			return;
		}
	}
	/* What no task could be had for; the task that stays, in a child. */
	if (!worker_running() && (trigger.interval_ms != 0 || waiting()))
		wake_or_serve();
}

void
trigger_gdump(void)
{
	if (!trigger.started || !atomic_load(&trigger.gdump))
		return;
	atomic_fetch_or(&trigger.asked, ASK_GDUMP);
	wake_or_serve();
}

/* Without a task it waits for a thread's next event. */
void
trigger_fold(void)
{
	if (trigger.started)
		ask(ASK_FOLD);
}

bool
trigger_gdump_get(void)
{
	return atomic_load(&trigger.gdump);
}

void
trigger_gdump_set(bool on)
{
	atomic_store(&trigger.gdump, on);
}

uint64_t
trigger_interval_get(void)
{
	return trigger.lg_interval < 0 ? 0 :
	    UINT64_C(1) << trigger.lg_interval;
}

void
trigger_changed(void)
{
	if (!trigger.started)
		return;
	atomic_fetch_or(&trigger.asked, ASK_REFRESH);
	worker_serve_here();
}

/* What was asked for before the exit is done, if that is soon enough. */
static void
drain(void)
{
	uint64_t end = os_now_ns() + EXIT_WAIT_MS * UINT64_C(1000000);

	while (!worker_wait(EXIT_WAIT_MS) || waiting()) {
		if (os_now_ns() >= end)
			return;
		if (!worker_serve_here())	/* a task that stays */
			os_sleep_ns(1000000);
	}
}

static void
tell_left_out(const char *what)
{
	fmt_fd(2, "%sNo %s: another dump has not ended for %d s\n",
	    MESSAGE_PREFIX, what, EXIT_WAIT_MS / 1000);
}

static bool
leak_at_exit(void)
{
	bool leak;

	if (!dump_acquire(EXIT_WAIT_MS)) {
		tell_left_out("leak summary");
		return false;
	}
	leak = leak_summary();
	dump_release();
	return leak;
}

bool
trigger_exit(void)
{
	bool leak = false;

	if (trigger.started)
		drain();
	if (trigger.final) {
		if (dump_wait(EXIT_WAIT_MS))
			dump_now(NULL, PROF_TRIGGER_FINAL, NULL);
		else
			tell_left_out("final heap profile");
	}
	if (trigger.leak || trigger.leak_error)
		leak = leak_at_exit();
	if (!leak || !trigger.leak_error)
		return false;
	fmt_fd(2, "%sExiting with error code because memory leaks were "
	    "detected\n", MESSAGE_PREFIX);
	return true;
}

/* --- fork ---------------------------------------------------------------- */

void
trigger_fork_prepare(void)
{
	atomic_store(&trigger.early, 0);
	dump_fork_prepare();
}

void
trigger_fork_parent(void)
{
	dump_fork_parent();
}

/*
 * The parent's requests are the parent's. Signals that the child has had
 * since the fork are its own: they are all taken for one request to dump.
 */
void
trigger_fork_child(void)
{
	dump_fork_child();
	if (!trigger.started)
		return;
	worker_fork_child();
	ctlpub_fork_child();
	atomic_store(&trigger.asked, 0);
	for (size_t i = 0; i < REQUESTS; i++)
		atomic_store(&trigger.requests[i], 0);
	atomic_store(&trigger.seen, 0);
	atomic_store(&trigger.done, 0);
	atomic_store(&trigger.bytes, 0);
	atomic_store(&trigger.start_ns, os_time_ns());
	page_write(0);
	atomic_store(&trigger.pid, os_pid());
	if (atomic_exchange(&trigger.early, 0) != 0) {
		atomic_store(&trigger.seen, 1);
		ask(ASK_SIGNAL);
	}
}
