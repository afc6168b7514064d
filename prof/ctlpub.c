/*
 * ctlpub.c - see ctlpub.h.
 */
#define _GNU_SOURCE
#include "ctlpub.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "fmt.h"
#include "os.h"
#include "util.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U		/* Linux 6.3 */
#endif

enum { WHOSE = CTLPAGE_OURS | CTLPAGE_TAKEN };	/* the signal */

static struct ctlpage *page;		/* NULL before ctlpub_start */

/* --- the mapping --------------------------------------------------------- */

static size_t
page_bytes(void)
{
	return align_up(CTLPAGE_BYTES, os_page_system);
}

static int
memfd(void)
{
	long fd = os_syscall2(SYS_memfd_create, CTLPAGE_NAME,
	    MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	if (fd == -EINVAL)
		fd = os_syscall2(SYS_memfd_create, CTLPAGE_NAME, MFD_CLOEXEC);
	return (int)fd;
}

/* A new page at addr, in place of what is there, or anywhere. */
static void *
page_map(void *addr, int *error)
{
	int fixed = addr != NULL ? MAP_FIXED : 0, fd = memfd();
	long at = fd;

	if (fd >= 0) {
		at = os_syscall2(SYS_ftruncate, fd, page_bytes());
		if (at == 0)
			at = os_syscall6(SYS_mmap, (long)addr,
			    (long)page_bytes(), PROT_READ | PROT_WRITE,
			    MAP_SHARED | fixed, fd, 0);
		os_close(fd);
	}
	*error = at < 0 && at > -4096 ? (int)-at : 0;
	if (*error == 0)
		return (void *)at;
	at = os_syscall6(SYS_mmap, (long)addr, (long)page_bytes(),
	    PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | fixed,
	    -1, 0);
	return at < 0 && at > -4096 ? NULL : (void *)at;
}

/* --- the seqlock --------------------------------------------------------- */

/*
 * Readers are other processes that copy the page: an odd seq, or one that
 * changed meanwhile, tells them to copy again.
 */
static void
change_begin(void)
{
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELAXED);
	atomic_thread_fence(memory_order_seq_cst);
}

static void
change_end(void)
{
	page->updated_ns = os_time_ns();
	__atomic_store_n(&page->seq, page->seq + 1, __ATOMIC_RELEASE);
}

static void
page_init(void)
{
	page->version = CTLPAGE_VERSION;
	page->bytes = sizeof *page;
	page->pid = os_pid();
	page->updated_ns = os_time_ns();
	__atomic_store_n(&page->magic, CTLPAGE_MAGIC, __ATOMIC_RELEASE);
}

int
ctlpub_start(void)
{
	int error = 0;

	if (page != NULL)
		return 0;
	page = page_map(NULL, &error);
	if (page == NULL)
		return ENOMEM;
	page_init();
	return error;
}

/* --- whose the signal is: any thread may say ------------------------------ */

/* At no moment both bits are clear: it is one or the other. */
void
ctlpub_ours(bool ours)
{
	uint32_t flags, set = ours ? CTLPAGE_OURS : CTLPAGE_TAKEN;

	if (page == NULL)
		return;
	flags = __atomic_load_n(&page->flags, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&page->flags, &flags,
	    (flags & ~WHOSE) | set, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		continue;
}

/* What somebody has said of the signal stays: it may be newer. */
static void
flags_write(uint32_t flags)
{
	uint32_t old = __atomic_load_n(&page->flags, __ATOMIC_RELAXED), new;

	do {
		new = (old & WHOSE) == 0 ? flags :
		    (flags & ~WHOSE) | (old & WHOSE);
	} while (!__atomic_compare_exchange_n(&page->flags, &old, new, true,
	    __ATOMIC_RELAXED, __ATOMIC_RELAXED));
}

/* --- what the worker writes ---------------------------------------------- */

void
ctlpub_write(const struct ctlpub_state *state)
{
	if (page == NULL)
		return;
	change_begin();
	page->pid = os_pid();
	page->signal = state->signal;
	flags_write(state->flags);
	page->verbs = state->verbs;
	page->current = state->current;
	page->rate = state->rate;
	page->samples_live = state->samples_live;
	page->dropped_samples = state->dropped_samples;
	page->dropped_bytes = state->dropped_bytes;
	page->profiler_bytes = state->profiler_bytes;
	page->dumps = state->dumps;
	page->dump_errors = state->dump_errors;
	page->done = state->done;
	page->start_ns = state->start_ns;
	fmt_buf(page->strata_version, sizeof page->strata_version, "%s",
	    state->version);
	fmt_buf(page->prefix, sizeof page->prefix, "%s", state->prefix);
	fmt_buf(page->last_error, sizeof page->last_error, "%s",
	    state->last_error);
	change_end();
}

void
ctlpub_ack(uint32_t id, unsigned verb, int error, unsigned formats,
    const char *file)
{
	struct ctlpage_ack *ack;

	if (page == NULL)
		return;
	change_begin();
	ack = &page->acks[page->acked % CTLPAGE_ACKS];
	ack->id = id;
	ack->verb = verb;
	ack->error = error;
	ack->formats = formats;
	fmt_buf(ack->file, sizeof ack->file, "%s", file);
	page->acked++;
	change_end();
}

void
ctlpub_file(const char *file)
{
	if (page == NULL || file[0] == '\0')
		return;
	change_begin();
	fmt_buf(page->last_file, sizeof page->last_file, "%s", file);
	change_end();
}

bool
ctlpub_acked(uint32_t id)
{
	for (size_t i = 0; page != NULL && i < CTLPAGE_ACKS; i++) {
		if (page->acks[i].id == id)
			return true;
	}
	return false;
}

/* --- any thread ---------------------------------------------------------- */

void
ctlpub_request(void)
{
	if (page != NULL)
		__atomic_fetch_add(&page->requests, 1, __ATOMIC_RELAXED);
}

void
ctlpub_fork_child(void)
{
	struct ctlpage *own;
	int error;

	if (page == NULL)
		return;
	own = page_map(page, &error);
	page = NULL;		/* else it is the parent's */
	if (own == NULL)
		return;
	page = own;
	page_init();
}
