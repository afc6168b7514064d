/*
 * fork_unwind.c - forks again and again while another thread unwinds call
 * sites that no cache knows; each child allocates, which samples.
 *
 *     fork_unwind FORKS sites|loader[=PLUGIN...] [dump]
 *
 * sites: the other thread walks 4096 functions, and a fresh thread takes over
 * at each pass (an unwinder's per-thread cache is cold again). loader: it also
 * opens and closes PLUGINs, so that forks meet the loader's lock taken.
 * dump: every 16th child dumps a profile by mallctl.
 *
 * A child that does not end is killed and reported. (An alarm of its own would
 * not do: libunwind blocks every signal while it waits for its mutex.) Proof:
 * under a malloc that calls unw_backtrace without the gate around fork,
 * one run of 1,000 forks in two ends with "child N of 1000 hung", the child
 * in pthread_mutex_lock below _ULx86_64_step.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "e2e.h"
#include "many_sites.h"

enum { CHILD_MS = 15000, KEPT = 64 };

static atomic_bool stop;
static atomic_ulong walked;
static char **plugins;
static int nplugins;

static void *
walk_sites(void *arg)
{
	void *kept[KEPT] = { NULL };

	for (int i = 0; i < NSITES && !atomic_load(&stop); i++) {
		free(kept[i % KEPT]);
		kept[i % KEPT] = many_sites[i]((size_t)i % 200);
		atomic_fetch_add(&walked, 1);
	}
	for (int i = 0; i < KEPT; i++)
		free(kept[i]);
	return NULL;
}

static void
open_and_close(void)
{
	for (int i = 0; i < nplugins; i++) {
		void *plugin = dlopen(plugins[i], RTLD_NOW | RTLD_LOCAL);

		if (plugin == NULL)
			die("dlopen: %s", dlerror());
		dlclose(plugin);
	}
}

static void *
keep_unwinding(void *arg)
{
	while (!atomic_load(&stop)) {
		pthread_t walker;

		if (pthread_create(&walker, NULL, walk_sites, NULL) != 0)
			die("pthread_create");
		while (nplugins > 0 && !atomic_load(&stop) &&
		    pthread_tryjoin_np(walker, NULL) != 0)
			open_and_close();
		if (nplugins == 0)
			pthread_join(walker, NULL);
	}
	return NULL;
}

/* The call site by which the suite finds a child's sample in its profile. */
NOINLINE static void *
child_allocates(size_t size)
{
	void *p = malloc(size);

	USE(p);
	return p;
}

_Noreturn static void
child_main(bool dump)
{
	void *blocks[32];

	for (size_t i = 0; i < 32; i++) {
		if ((blocks[i] = child_allocates(i * 37 + 1)) == NULL)
			_exit(2);
		memset(blocks[i], 1, i * 37 + 1);
	}
	for (size_t i = 0; i < 16; i++)
		free(blocks[i]);
	free(many_sites[7](10));
	if (dump && dump_profile(NULL) != 0)
		_exit(3);
	_exit(0);
}

/* False: the child had to be killed. */
static bool
wait_child(pid_t pid, int *status)
{
	struct pollfd ended = { .fd = pidfd_open(pid, 0), .events = POLLIN };
	bool in_time;

	if (ended.fd < 0)
		die("pidfd_open: %s", strerror(errno));
	in_time = poll(&ended, 1, CHILD_MS) == 1;
	close(ended.fd);
	if (!in_time)
		kill(pid, SIGKILL);
	if (waitpid(pid, status, 0) != pid)
		die("waitpid: %s", strerror(errno));
	return in_time;
}

int
main(int argc, char **argv)
{
	int nforks, status;
	bool dump = argc > 3 && strcmp(argv[argc - 1], "dump") == 0;
	pthread_t thread;

	if (argc < 3 || (nforks = atoi(argv[1])) <= 0)
		die("usage: fork_unwind FORKS sites|loader PLUGIN... [dump]");
	if (strcmp(argv[2], "loader") == 0) {
		plugins = argv + 3;
		nplugins = argc - 3 - dump;
	}
	if (pthread_create(&thread, NULL, keep_unwinding, NULL) != 0)
		die("pthread_create");
	for (int i = 0; i < nforks; i++) {
		unsigned long before = atomic_load(&walked);
		pid_t pid;

		/* The walker must have moved: each fork meets it anew. */
		while (atomic_load(&walked) == before)
			sched_yield();
		if ((pid = fork()) == 0)
			child_main(dump && i % 16 == 0);
		if (pid < 0)
			die("fork %d: %s", i, strerror(errno));
		if (!wait_child(pid, &status))
			die("child %d of %d hung", i, nforks);
		if (status != 0)
			die("child %d: wait status 0x%x", i, status);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("forks: %d, sites walked: %lu\n", nforks, atomic_load(&walked));
	return 0;
}
