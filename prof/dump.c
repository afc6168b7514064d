/*
 * dump.c - see dump.h.
 */
#include "dump.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "dump_heap.h"
#include "dump_pprof.h"
#include "facts.h"
#include "fmt.h"
#include "lock.h"
#include "os.h"
#include "report.h"
#include "sink.h"
#include "util.h"

enum {
	SINK_BYTES = 64 * 1024,		/* one write each */
	DUMP_KEPT_MAX = 4096,		/* the most that dump_max can bound */
	FILE_MODE = 0600,
};

/* An automatic dump that prof_dump_max may remove later. */
struct kept {
	uint32_t sequence;
	uint32_t number;
	unsigned char trigger;
	unsigned char formats;
};

static struct {
	/* constant after boot: */
	const struct prof_host *host;
	enum prof_format format;
	unsigned dump_max;
	bool pid_namespace;
	/* lock: */
	struct lock lock;
	char prefix[PROF_PREFIX_MAX];	/* absolute, or "" */
	char last_error[256];
	/* atomic: */
	_Atomic uint32_t busy;		/* 0 free, 1 taken, 2 and waited for */
	_Atomic uint64_t done, errors;
	_Atomic uint64_t start_ns;	/* CLOCK_REALTIME */
	/* the dump under way (busy): */
	uint32_t sequence;		/* next number of an automatic file */
	uint32_t numbers[128];		/* next number by trigger's letter */
	int told;			/* errno of the last line on stderr */
	struct kept *kept;		/* ring of dump_max, or NULL */
	uint32_t nkept, kept_at;
	struct report report;
	/* not on the stack, which may be any thread's: */
	struct dump_result result;	/* where nobody wants it */
	char stem[DUMP_PATH_MAX - 64], path[DUMP_PATH_MAX];
	char temporary[DUMP_TEMPORARY_MAX];
	/* atomic, for the fork child: */
	_Atomic int fd;			/* open for writing, or -1 */
} dumper = { .lock = LOCK_INITIALIZER(RANK_PROF_DUMP, "prof_dump"),
    .fd = -1 };

/* --- one dump at a time -------------------------------------------------- */

static bool
busy_try(void)
{
	uint32_t free = 0;

	/* acquire: pairs with busy_release's exchange. */
	return atomic_compare_exchange_strong_explicit(&dumper.busy, &free, 1,
	    memory_order_acquire, memory_order_relaxed);
}

static void
busy_acquire(void)
{
	if (busy_try())
		return;
	while (atomic_exchange_explicit(&dumper.busy, 2,
	    memory_order_acquire) != 0)
		os_futex_wait(&dumper.busy, 2, OS_NO_TIMEOUT);
}

static void
busy_release(void)
{
	if (atomic_exchange_explicit(&dumper.busy, 0,
	    memory_order_release) == 2)
		os_futex_wake(&dumper.busy, INT32_MAX);
}

bool
dump_acquire(unsigned timeout_ms)
{
	uint64_t end = os_now_ns() + (uint64_t)timeout_ms * 1000000;

	while (!busy_try()) {
		uint32_t busy = 1;
		uint64_t now = os_now_ns();

		if (now >= end)
			return false;
		if (atomic_compare_exchange_strong(&dumper.busy, &busy, 2) ||
		    busy == 2)
			os_futex_wait(&dumper.busy, 2, end - now);
	}
	return true;
}

void
dump_release(void)
{
	busy_release();
}

bool
dump_wait(unsigned timeout_ms)
{
	if (!dump_acquire(timeout_ms))
		return false;
	dump_release();
	return true;
}

/* --- options ------------------------------------------------------------- */

/* A relative prefix is meant from the folder the process has now. */
static int
prefix_absolute(const char *prefix, char *out, size_t size)
{
	char cwd[PROF_PREFIX_MAX];
	size_t len;

	if (prefix[0] == '/' || prefix[0] == '\0')
		len = fmt_buf(out, size, "%s", prefix);
	else if (os_getcwd(cwd, sizeof cwd) == 0)
		len = fmt_buf(out, size, "%s/%s",
		    strcmp(cwd, "/") == 0 ? "" : cwd, prefix);
	else
		len = fmt_buf(out, size, "%s", prefix);
	return len < size ? 0 : ENAMETOOLONG;
}

int
dump_path(const char *filename, char *out, size_t size)
{
	return prefix_absolute(filename, out, size);
}

void
dump_boot(const struct prof_options *options, const struct prof_host *host)
{
	dumper.host = host;
	dumper.format = options->format;
	dumper.pid_namespace = options->pid_namespace;
	dumper.dump_max = options->dump_max < DUMP_KEPT_MAX ?
	    options->dump_max : DUMP_KEPT_MAX;
	atomic_store(&dumper.start_ns, os_time_ns());
	dump_heap_boot(options);
	if (prefix_absolute(options->prefix, dumper.prefix,
	    sizeof dumper.prefix) != 0) {
		fmt_fd(2, "%sprof_prefix with its folder is longer than %d "
		    "bytes: it is not used\n", MESSAGE_PREFIX,
		    PROF_PREFIX_MAX - 1);
		dumper.prefix[0] = '\0';
	}
}

int
dump_prefix_set(const char *prefix)
{
	char absolute[PROF_PREFIX_MAX];
	int error = prefix_absolute(prefix, absolute, sizeof absolute);

	if (error != 0)
		return error;
	lock_acquire(&dumper.lock);
	memcpy(dumper.prefix, absolute, sizeof absolute);
	lock_release(&dumper.lock);
	return 0;
}

void
dump_prefix_get(char *out, size_t size)
{
	lock_acquire(&dumper.lock);
	fmt_buf(out, size, "%s", dumper.prefix);
	lock_release(&dumper.lock);
}

uint64_t
dump_done(void)
{
	return atomic_load_explicit(&dumper.done, memory_order_relaxed);
}

uint64_t
dump_errors(void)
{
	return atomic_load_explicit(&dumper.errors, memory_order_relaxed);
}

void
dump_last_error(char *out, size_t size)
{
	lock_acquire(&dumper.lock);
	fmt_buf(out, size, "%s", dumper.last_error);
	lock_release(&dumper.lock);
}

/* --- names --------------------------------------------------------------- */

/* "<prefix>[.<pid namespace>].<pid>"; EINVAL without a prefix. */
static int
name_stem(char *out, size_t size)
{
	char prefix[PROF_PREFIX_MAX], ns[64] = "", *digits = ns;
	long n;

	dump_prefix_get(prefix, sizeof prefix);
	if (prefix[0] == '\0')
		return EINVAL;
	if (dumper.pid_namespace) {		/* "pid:[4026531836]" */
		n = os_readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
		ns[n > 0 ? n : 0] = '\0';
		while (*digits != '\0' && (*digits < '0' || *digits > '9'))
			digits++;
		digits[strspn(digits, "0123456789")] = '\0';
	}
	fmt_buf(out, size, "%s%s%s.%d", prefix, *digits ? "." : "", digits,
	    os_pid());
	return 0;
}

/* There is one final dump, so that it bears no number. */
static void
name_rest(char *out, size_t size, const char *stem, const struct kept *id,
    const char *suffix)
{
	char number[16] = "";

	if (id->trigger != PROF_TRIGGER_FINAL)
		fmt_buf(number, sizeof number, "%u", id->number);
	fmt_buf(out, size, "%s.%u.%c%s%s", stem, id->sequence, id->trigger,
	    number, suffix);
}

static struct kept
name_next(enum prof_trigger trigger)
{
	return (struct kept){ .sequence = dumper.sequence++,
	    .number = dumper.numbers[trigger & 127]++,
	    .trigger = (unsigned char)trigger };
}

int
dump_name(char *out, size_t size, enum prof_trigger trigger,
    const char *suffix)
{
	char stem[DUMP_PATH_MAX - 64];
	struct kept id;
	int error = name_stem(stem, sizeof stem);

	if (error != 0)
		return error;
	busy_acquire();
	id = name_next(trigger);
	busy_release();
	name_rest(out, size, stem, &id, suffix);
	return 0;
}

static const char *
suffix_of(unsigned format)
{
	return format == PROF_FORMAT_HEAP_V2 ? ".heap" : ".pb";
}

/* --- prof_dump_max ------------------------------------------------------- */

static void
kept_remove(const struct kept *old)
{
	char *path = dumper.path;

	if (name_stem(dumper.stem, sizeof dumper.stem) != 0)
		return;
	for (unsigned format = 1; format <= PROF_FORMAT_HEAP_V2; format *= 2) {
		if ((old->formats & format) == 0)
			continue;
		name_rest(path, sizeof dumper.path, dumper.stem, old,
		    suffix_of(format));
		os_unlink(path);
	}
}

/* The oldest gives way. Without memory for the ring nothing is removed. */
static void
kept_add(const struct kept *id)
{
	if (dumper.dump_max == 0)
		return;
	if (dumper.kept == NULL)
		dumper.kept = os_map(NULL, align_up(DUMP_KEPT_MAX *
		    sizeof *dumper.kept, os_page_system));
	if (dumper.kept == NULL)
		return;
	if (dumper.nkept == dumper.dump_max)
		kept_remove(&dumper.kept[dumper.kept_at]);
	else
		dumper.nkept++;
	dumper.kept[dumper.kept_at] = *id;
	dumper.kept_at = (dumper.kept_at + 1) % dumper.dump_max;
}

/* --- writing ------------------------------------------------------------- */

/*
 * A new file and never an old one's or a link's: what a dead process of the
 * same number left behind is removed first.
 */
int
dump_file_open(const char *path, char *temporary, size_t size)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
	int fd;

	fmt_buf(temporary, size, "%s.%d.tmp", path, os_pid());
	fd = os_open(temporary, flags, FILE_MODE);
	if (fd == -EEXIST) {
		os_unlink(temporary);
		fd = os_open(temporary, flags, FILE_MODE);
	}
	return fd;
}

int
dump_file_close(const char *path, const char *temporary, int error)
{
	if (error == 0)
		error = -os_rename(temporary, path);
	if (error != 0)
		os_unlink(temporary);
	return error;
}

/* The number is forgotten before the close: a fork child must not close a
   descriptor that the program has opened since. */
static int
descriptor_close(void)
{
	int fd = atomic_exchange(&dumper.fd, -1);

	return -os_close(fd);
}

/* A pipe or a device, which must be written to and not replaced. */
static bool
is_special(const char *path)
{
	struct stat st;

	return os_syscall4(SYS_newfstatat, AT_FDCWD, path, &st, 0) == 0 &&
	    !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode);
}

/* What a file is filled with. */
struct content {
	dump_put *put;
	const void *arg;
};

static int
put_native(struct sink *sink, struct scratch *scratch, const void *facts)
{
	dump_pprof(sink, &dumper.report, facts);
	return 0;
}

static int
put_heap(struct sink *sink, struct scratch *scratch, const void *facts)
{
	dump_heap(sink, &dumper.report, facts);
	return 0;
}

/* Writes and closes. */
static int
write_open(int fd, const struct content *content)
{
	struct scratch *scratch = &dumper.report.scratch;
	char *buf = scratch_alloc(scratch, SINK_BYTES);
	struct sink sink;
	int error = ENOMEM, closed;

	atomic_store(&dumper.fd, fd);
	if (buf != NULL) {
		sink_init(&sink, fd, buf, SINK_BYTES);
		error = content->put(&sink, scratch, content->arg);
		if (error == 0)
			error = sink_flush(&sink);
	}
	closed = descriptor_close();
	return error != 0 ? error : closed;
}

static int
write_file(const char *path, const struct content *content)
{
	int fd;

	if (is_special(path)) {
		fd = os_open(path, O_WRONLY | O_NOCTTY, 0);
		return fd < 0 ? -fd : write_open(fd, content);
	}
	fd = dump_file_open(path, dumper.temporary, sizeof dumper.temporary);
	if (fd < 0)
		return -fd;
	return dump_file_close(path, dumper.temporary, write_open(fd, content));
}

/* Both formats, from one cut. The name says which, for an automatic one. */
static int
write_all(struct kept *id, const char *filename, enum prof_trigger trigger,
    struct dump_result *result)
{
	char *path = dumper.path;
	struct facts facts;
	int error = 0;

	facts_collect(&facts, &dumper.report, trigger, dumper.host->version,
	    atomic_load(&dumper.start_ns));
	for (unsigned format = 1; format <= PROF_FORMAT_HEAP_V2; format *= 2) {
		struct content content = { format == PROF_FORMAT_HEAP_V2 ?
		    put_heap : put_native, &facts };

		if ((dumper.format & format) == 0)
			continue;
		if (filename == NULL)
			name_rest(path, sizeof dumper.path, dumper.stem, id,
			    suffix_of(format));
		else
			fmt_buf(path, sizeof dumper.path, "%s%s", filename,
			    result->formats != 0 ? ".heap" : "");
		error = write_file(path, &content);
		if (error != 0)
			break;
		if (result->formats == 0)
			memcpy(result->file, path, sizeof dumper.path);
		result->formats |= format;
	}
	id->formats = (unsigned char)result->formats;
	return error;
}

/* --- failure ------------------------------------------------------------- */

static const char *
error_text(int error)
{
	static const struct {
		int error;
		const char *text;
	} texts[] = {
		{ ENOSPC, "no space left on device" },
		{ EDQUOT, "disk quota exceeded" },
		{ EFBIG, "file too large" },
		{ ENOENT, "no such file or directory" },
		{ ENOTDIR, "not a directory" },
		{ EISDIR, "is a directory" },
		{ EACCES, "permission denied" },
		{ EPERM, "operation not permitted" },
		{ EROFS, "read-only file system" },
		{ EMFILE, "too many open files" },
		{ ENFILE, "too many open files in system" },
		{ ENAMETOOLONG, "file name too long" },
		{ ENOMEM, "cannot allocate memory" },
		{ EIO, "input/output error" },
		{ EPIPE, "broken pipe" },
		{ EINVAL, "no prof_prefix" },
		{ EBUSY, "another dump is being taken" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (texts[i].error == error)
			return texts[i].text;
	}
	return "failed";
}

static bool
nobody_asked(enum prof_trigger trigger)
{
	return trigger != PROF_TRIGGER_MALLCTL &&
	    trigger != PROF_TRIGGER_SIGNAL;
}

/* Of a long name the end, so that the reason has room behind it. */
static const char *
name_end(const char *name, const char **before)
{
	enum { SHOWN = 120 };		/* bytes */
	size_t len = strlen(name);

	*before = len > SHOWN ? " ..." : len > 0 ? " " : "";
	return len > SHOWN ? name + len - SHOWN : name;
}

/*
 * One line on stderr. Dumps that come by themselves say the same thing once
 * until one succeeds: an interval on a full disk must not flood a log.
 */
static void
tell(int error, const char *name, enum prof_trigger trigger)
{
	bool automatic = nobody_asked(trigger) &&
	    trigger != PROF_TRIGGER_FINAL;
	bool again = dumper.told == error;
	char line[sizeof dumper.last_error];
	const char *before;

	name = name_end(name, &before);
	fmt_buf(line, sizeof line, "Error writing heap profile%s%s: %s (%d)",
	    before, name, error_text(error), error);
	lock_acquire(&dumper.lock);
	memcpy(dumper.last_error, line, sizeof line);
	lock_release(&dumper.lock);
	atomic_fetch_add(&dumper.errors, 1);
	dumper.told = error;
	if (!automatic || !again)
		fmt_fd(2, "%s%s\n", MESSAGE_PREFIX, line);
}

/* --- signals ------------------------------------------------------------- */

/*
 * Writing may bring the thread that writes a signal that kills: SIGXFSZ
 * beyond RLIMIT_FSIZE, SIGPIPE where nobody reads. They are blocked for the
 * dump, and taken off again if they are new.
 */
struct signals {
	uint64_t mask;			/* as it was */
	uint64_t fresh;			/* those not pending before */
};

static const uint64_t write_signals = UINT64_C(1) << (SIGXFSZ - 1) |
    UINT64_C(1) << (SIGPIPE - 1);

static void
signals_block(struct signals *signals)
{
	uint64_t pending = 0;

	os_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, &write_signals,
	    &signals->mask, sizeof signals->mask);
	os_syscall2(SYS_rt_sigpending, &pending, sizeof pending);
	signals->fresh = write_signals & ~pending;
}

static void
signals_restore(const struct signals *signals)
{
	static const struct { long s, ns; } now = { 0, 0 };

	while (os_syscall4(SYS_rt_sigtimedwait, &signals->fresh, NULL, &now,
	    sizeof signals->fresh) > 0)
		continue;
	os_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, &signals->mask, NULL,
	    sizeof signals->mask);
}

/* --- a dump -------------------------------------------------------------- */

static int
dump_busy(const char *filename, enum prof_trigger trigger,
    struct dump_result *result)
{
	struct kept id = { 0 };
	int error = 0;

	dumper.stem[0] = '\0';
	if (filename != NULL && strlen(filename) >= DUMP_PATH_MAX - 8)
		error = ENAMETOOLONG;
	if (filename == NULL) {
		error = name_stem(dumper.stem, sizeof dumper.stem);
		if (error != 0 && nobody_asked(trigger))
			return error;	/* prof_prefix:"" asks for that */
		id = name_next(trigger);
	}
	if (error == 0)
		error = report_open(&dumper.report);
	if (error == 0) {
		error = write_all(&id, filename, trigger, result);
		report_close(&dumper.report);
	}
	if (error != 0) {
		tell(error, filename != NULL ? filename : dumper.stem,
		    trigger);
		return error;
	}
	dumper.told = 0;
	atomic_fetch_add(&dumper.done, 1);
	if (filename == NULL)
		kept_add(&id);
	return 0;
}

static void
result_clear(struct dump_result *result)
{
	result->formats = 0;
	result->file[0] = '\0';
}

int
dump_now(const char *filename, enum prof_trigger trigger,
    struct dump_result *result)
{
	struct signals signals;
	int error;

	if (result != NULL)
		result_clear(result);
	busy_acquire();
	if (result == NULL) {
		result = &dumper.result;
		result_clear(result);
	}
	signals_block(&signals);
	error = dump_busy(filename, trigger, result);
	signals_restore(&signals);
	busy_release();
	return error;
}

/* The same care for a file that is no profile. */
static int
document_busy(const char *filename, const char *suffix,
    const struct content *content)
{
	char *path = dumper.path;
	int error = 0;

	path[0] = '\0';
	if (filename[0] != '\0')
		fmt_buf(path, sizeof dumper.path, "%s", filename);
	else
		error = name_stem(path, sizeof dumper.path - 64);
	if (error == 0 && filename[0] == '\0')
		fmt_buf(path + strlen(path), 64, "%s", suffix);
	if (error == 0)
		error = write_file(path, content);
	scratch_release(&dumper.report.scratch);
	if (error != 0)
		fmt_fd(2, "%sError writing profile log%s%s: %s (%d)\n",
		    MESSAGE_PREFIX, path[0] != '\0' ? " " : "", path,
		    error_text(error), error);
	return error;
}

int
dump_document(const char *filename, const char *suffix, dump_put *put,
    const void *arg)
{
	struct content content = { put, arg };
	struct signals signals;
	int error;

	busy_acquire();
	signals_block(&signals);
	error = document_busy(filename, suffix, &content);
	signals_restore(&signals);
	busy_release();
	return error;
}

/* For the prefix and the last error, not for a dump. */
void
dump_each_lock(lock_visit *visit, void *arg)
{
	visit(&dumper.lock, arg);
}

void
dump_fork_prepare(void)
{
	lock_acquire(&dumper.lock);
}

void
dump_fork_parent(void)
{
	lock_release(&dumper.lock);
}

void
dump_fork_child(void)
{
	int fd = atomic_exchange(&dumper.fd, -1);

	if (fd >= 0)
		os_close(fd);
	if (atomic_load(&dumper.busy) != 0)
		scratch_release(&dumper.report.scratch);
	lock_reinit_child(&dumper.lock);
	atomic_store(&dumper.busy, 0);
	atomic_store(&dumper.done, 0);
	atomic_store(&dumper.errors, 0);
	atomic_store(&dumper.start_ns, os_time_ns());
	dumper.sequence = 0;
	memset(dumper.numbers, 0, sizeof dumper.numbers);
	dumper.nkept = dumper.kept_at = 0;
	dumper.told = 0;
	dumper.last_error[0] = '\0';
}
