/*
 * target.c - see target.h.
 */
#define _GNU_SOURCE
#include "target.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "model.h"

#define MAP_PREFIX "/memfd:strata-ctl:"

enum {
	READ_TRIES = 2000,	/* of a page that changes meanwhile */
	/* A thread may block all signals for a moment: half a second of it. */
	BLOCKED_TRIES = 50, BLOCKED_WAIT_US = 10000,
};

static int __attribute__((format(printf, 2, 3)))
wrong(struct target *target, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(target->why, sizeof target->why, format, ap);
	va_end(ap);
	return EXIT_INPUT;
}

/* --- /proc --------------------------------------------------------------- */

static FILE *
proc_open(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	return fopen(path, "re");
}

/* The text behind "key:" in the status file. False: no such line. */
static bool
proc_status(pid_t pid, const char *key, char *out, size_t size)
{
	FILE *file = proc_open(pid, "status");
	size_t len = strlen(key);
	char line[4096];
	bool found = false;

	while (file != NULL && !found &&
	    fgets(line, sizeof line, file) != NULL) {
		if (strncmp(line, key, len) != 0 || line[len] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, size, "%s",
		    line + len + 1 + strspn(line + len + 1, " \t"));
		found = true;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

/* A bit of one of the signal masks, as "SigCgt". */
static bool
proc_signal(pid_t pid, const char *mask, int signal)
{
	char text[64];

	return signal > 0 && proc_status(pid, mask, text, sizeof text) &&
	    (strtoull(text, NULL, 16) >> (signal - 1) & 1) != 0;
}

/*
 * No thread would take the signal now. (A thread's number names its own
 * status file, as a process's does.)
 */
static bool
proc_all_block(pid_t pid, int signal)
{
	char path[64];
	struct dirent *entry;
	bool all = true;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	while (tasks != NULL && all && (entry = readdir(tasks)) != NULL) {
		if (entry->d_name[0] != '.')
			all = proc_signal(atoi(entry->d_name), "SigBlk",
			    signal);
	}
	if (tasks != NULL)
		closedir(tasks);
	return tasks != NULL && all;
}

/* True if we are the user that the process runs as. */
static bool
proc_same_user(pid_t pid)
{
	char text[64];

	return proc_status(pid, "Uid", text, sizeof text) &&
	    (uid_t)strtoul(text, NULL, 10) == getuid();
}

/* The number the process has for itself, in the innermost pid namespace. */
static int
proc_inner_pid(pid_t pid)
{
	char text[256], *last;

	if (!proc_status(pid, "NSpid", text, sizeof text))
		return (int)pid;
	last = strrchr(text, '\t');
	return atoi(last != NULL ? last + 1 : text);
}

static bool
is_page_line(const char *line, uint64_t *start, uint64_t *end)
{
	int at = 0;

	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %*s %*s %*s %n",
	    start, end, &at) == 2 && at > 0 &&
	    strncmp(line + at, MAP_PREFIX, strlen(MAP_PREFIX)) == 0;
}

/* Its memory map may not be read. */
static int
not_permitted(struct target *target, int error)
{
	int pid = (int)target->pid;

	if (geteuid() == 0)
		return wrong(target, "not even root may look into process %d "
		    "here: %s (it has capabilities that this root lacks, or a "
		    "security module forbids it)", pid, strerror(error));
	/* One that has changed its user, or has a file's capabilities. */
	if (proc_same_user(target->pid))
		return wrong(target, "only root may look into process %d",
		    pid);
	return wrong(target, "process %d belongs to another user", pid);
}

static int
no_profiler(struct target *target, bool has_library)
{
	return wrong(target, has_library ?
	    "process %d runs under Strata without a profiler (prof:true)" :
	    "process %d does not run under Strata", (int)target->pid);
}

static int
page_find(struct target *target)
{
	FILE *file = proc_open(target->pid, "maps");
	char line[8192];
	bool has_library = false, found = false;
	int error = errno;

	while (file != NULL && !found &&
	    fgets(line, sizeof line, file) != NULL) {
		found = is_page_line(line, &target->address, &target->end);
		has_library |= strstr(line, "/libstrata.so") != NULL;
	}
	if (file != NULL && ferror(file))
		error = errno;
	else if (file != NULL)
		error = 0;
	if (file != NULL)
		fclose(file);
	if (found)
		return EXIT_FINE;
	if (error == 0)
		return no_profiler(target, has_library);
	if (error != EACCES && error != EPERM)
		return wrong(target, "no process %d", (int)target->pid);
	return not_permitted(target, error);
}

/* --- the page ------------------------------------------------------------ */

static bool
copy_vm(const struct target *target, void *out, size_t size)
{
	struct iovec local = { out, size };
	struct iovec remote = { (void *)(uintptr_t)target->address, size };

	return process_vm_readv(target->pid, &local, 1, &remote, 1, 0) ==
	    (ssize_t)size;
}

static bool
copy_file(const char *path, void *out, size_t size, uint64_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool whole = fd >= 0 &&
	    pread(fd, out, size, (off_t)offset) == (ssize_t)size;

	if (fd >= 0)
		close(fd);
	return whole;
}

/* Three ways, with different demands on who we are. */
static bool
copy(const struct target *target, void *out, size_t size)
{
	char path[96];

	if (copy_vm(target, out, size))
		return true;
	snprintf(path, sizeof path, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64,
	    (int)target->pid, target->address, target->end);
	if (copy_file(path, out, size, 0))
		return true;
	snprintf(path, sizeof path, "/proc/%d/mem", (int)target->pid);
	return copy_file(path, out, size, target->address);
}

static void
terminate(char *string, size_t size)
{
	string[size - 1] = '\0';
}

/* A page may be damaged by the program that has it. */
static int
page_check(struct target *target, struct ctlpage *page)
{
	if (page->magic != CTLPAGE_MAGIC || page->bytes < sizeof *page)
		return wrong(target, "process %d: its ctl page is damaged",
		    (int)target->pid);
	if (page->version != CTLPAGE_VERSION)
		return wrong(target, "process %d speaks version %u of the "
		    "ctl page, this command version %d", (int)target->pid,
		    page->version, CTLPAGE_VERSION);
	if (page->pid != proc_inner_pid(target->pid))
		return wrong(target, "process %d shares the page of the "
		    "process that made it; it cannot be asked",
		    (int)target->pid);
	if (page->signal < 0 || page->signal > 64)
		page->signal = 0;
	terminate(page->strata_version, sizeof page->strata_version);
	terminate(page->prefix, sizeof page->prefix);
	terminate(page->last_file, sizeof page->last_file);
	terminate(page->last_error, sizeof page->last_error);
	for (size_t i = 0; i < CTLPAGE_ACKS; i++)
		terminate(page->acks[i].file, sizeof page->acks[i].file);
	return EXIT_FINE;
}

int
target_read(struct target *target, struct ctlpage *page)
{
	struct ctlpage again;

	for (int i = 0; i < READ_TRIES; i++) {
		if (!copy(target, page, sizeof *page) ||
		    !copy(target, &again, sizeof again))
			return wrong(target, "cannot read the memory of "
			    "process %d: %s%s", (int)target->pid,
			    strerror(errno), errno == EPERM ?
			    " (try as root; see kernel.yama.ptrace_scope)" :
			    "");
		if ((page->seq & 1) == 0 && page->seq == again.seq)
			return page_check(target, page);
		usleep(100);
	}
	return wrong(target, "process %d: its ctl page does not come to rest",
	    (int)target->pid);
}

/* --- the process --------------------------------------------------------- */

static int
process_check(struct target *target)
{
	char text[64];

	if (!proc_status(target->pid, "Tgid", text, sizeof text))
		return wrong(target, "no process %d", (int)target->pid);
	if (atoi(text) != target->pid)
		return wrong(target, "%d is a thread of process %s",
		    (int)target->pid, text);
	if (proc_status(target->pid, "State", text, sizeof text) &&
	    (text[0] == 'Z' || text[0] == 'X'))
		return wrong(target, "process %d has ended",
		    (int)target->pid);
	return EXIT_FINE;
}

int
target_open(pid_t pid, struct target *target, struct ctlpage *page)
{
	int status;

	*target = (struct target){ .pid = pid };
	target->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	status = process_check(target);
	if (status == EXIT_FINE)
		status = page_find(target);
	if (status == EXIT_FINE)
		status = target_read(target, page);
	return status;
}

void
target_close(struct target *target)
{
	if (target->pidfd >= 0)
		close(target->pidfd);
	target->pidfd = -1;
}

bool
target_wait(struct target *target, int ms)
{
	struct pollfd ended = { .fd = target->pidfd, .events = POLLIN };

	if (target->pidfd >= 0)
		return poll(&ended, 1, ms) == 1;
	usleep((useconds_t)ms * 1000);
	return process_check(target) != EXIT_FINE;
}

const char *
target_deaf(const struct target *target, int signal)
{
	char text[64];

	if (proc_status(target->pid, "State", text, sizeof text) &&
	    (text[0] == 'T' || text[0] == 't'))
		return "is stopped";
	if (proc_signal(target->pid, "SigBlk", signal))
		return "blocks the signal";
	return NULL;
}

const char *
target_signal_name(struct signal_name *name, int signal)
{
	const char *abbreviation = sigabbrev_np(signal == 0 ? SIGUSR2 :
	    signal);

	if (abbreviation != NULL)
		snprintf(name->text, sizeof name->text, "SIG%s",
		    abbreviation);
	else if (signal >= SIGRTMIN)
		snprintf(name->text, sizeof name->text, "SIGRTMIN+%d",
		    signal - SIGRTMIN);
	else
		snprintf(name->text, sizeof name->text, "signal %d", signal);
	return name->text;
}

/* Is it still the program whose page we read, and the signal still ours? */
static int
signal_check(struct target *target, struct ctlpage *page)
{
	uint64_t address = target->address;
	struct signal_name name;
	int status = page_find(target);

	if (status == EXIT_FINE && target->address != address)
		return no_profiler(target, true);
	if (status == EXIT_FINE)
		status = target_read(target, page);
	if (status != EXIT_FINE)
		return status;
	target_signal_name(&name, page->signal);
	if ((page->flags & CTLPAGE_TAKEN) != 0)
		return wrong(target, "process %d uses %s itself; start it "
		    "with prof_signal:<another signal>", (int)target->pid,
		    name.text);
	if ((page->flags & CTLPAGE_OURS) == 0)
		return wrong(target, "process %d listens to no signal "
		    "(prof_signal:none)", (int)target->pid);
	if (!proc_signal(target->pid, "SigCgt", page->signal))
		return wrong(target, "process %d no longer handles %s",
		    (int)target->pid, name.text);
	/* Who blocks it may mean to read it: by signalfd or sigwait. */
	for (int i = 0; proc_all_block(target->pid, page->signal); i++) {
		if (i == BLOCKED_TRIES)
			return wrong(target, "process %d blocks %s in all "
			    "its threads; start it with prof_signal:<another "
			    "signal>", (int)target->pid, name.text);
		usleep(BLOCKED_WAIT_US);
	}
	return EXIT_FINE;
}

int
target_signal(struct target *target, uint64_t value)
{
	struct ctlpage page;
	siginfo_t info;
	int status = signal_check(target, &page);
	long sent;

	if (status != EXIT_FINE)
		return status;
	memset(&info, 0, sizeof info);
	info.si_signo = page.signal;
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_uid = getuid();
	info.si_value.sival_ptr = (void *)(uintptr_t)value;
	if (target->pidfd >= 0)
		sent = syscall(SYS_pidfd_send_signal, target->pidfd,
		    page.signal, &info, 0);
	else
		sent = sigqueue(target->pid, page.signal, info.si_value);
	/* A full queue empties; the caller asks again. */
	if (sent == 0 || errno == EAGAIN)
		return EXIT_FINE;
	if (errno == EPERM)
		return wrong(target, "process %d belongs to another user",
		    (int)target->pid);
	return wrong(target, "cannot signal process %d: %s",
	    (int)target->pid, strerror(errno));
}
