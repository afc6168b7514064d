/*
 * ctlpub_test.c - the published page: found, whole, and each process's own.
 */
#define _GNU_SOURCE
#include "ctlpub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_prof.h"
#include "os.h"

static const struct ctlpage *page;

static int
setup(void **state)
{
	int count;

	os_init();
	if (ctlpub_start() != 0)
		return 1;
	page = fake_page(&count);
	return page == NULL || count != 1;
}

static struct ctlpub_state
state_of(uint64_t n)
{
	return (struct ctlpub_state){ .signal = 12, .flags = CTLPAGE_OURS,
	    .rate = n, .samples_live = n, .dumps = n, .version = "1.2.3",
	    .prefix = "/a/prefix", .last_error = "" };
}

static void
test_page_says_what_it_is(void **state)
{
	assert_true(page->magic == CTLPAGE_MAGIC);
	assert_memory_equal(&page->magic, "STRTACTL", 8);
	assert_int_equal(page->version, CTLPAGE_VERSION);
	assert_int_equal(page->bytes, sizeof(struct ctlpage));
	assert_int_equal(page->pid, getpid());
	assert_int_equal(page->seq & 1, 0);
}

/* As docs/FORMATS.md has them: readers of other makes rely on these. */
static void
test_offsets_stay(void **state)
{
	assert_int_equal(offsetof(struct ctlpage, requests), 16);
	assert_int_equal(offsetof(struct ctlpage, seq), 24);
	assert_int_equal(offsetof(struct ctlpage, flags), 36);
	assert_int_equal(offsetof(struct ctlpage, rate), 48);
	assert_int_equal(offsetof(struct ctlpage, done), 104);
	assert_int_equal(offsetof(struct ctlpage, acked), 128);
	assert_int_equal(offsetof(struct ctlpage, prefix), 160);
	assert_int_equal(offsetof(struct ctlpage, last_file), 1440);
	assert_int_equal(offsetof(struct ctlpage, last_error), 2720);
	assert_int_equal(offsetof(struct ctlpage, acks), 2976);
	assert_int_equal(sizeof(struct ctlpage_ack), 1296);
}

static void
test_state_is_published(void **state)
{
	struct ctlpub_state now = state_of(42);

	ctlpub_write(&now);
	assert_int_equal(page->signal, 12);
	assert_int_equal(page->flags, CTLPAGE_OURS);
	assert_int_equal(page->rate, 42);
	assert_string_equal(page->strata_version, "1.2.3");
	assert_string_equal(page->prefix, "/a/prefix");
	ctlpub_ours(false);
	assert_int_equal(page->flags, CTLPAGE_TAKEN);
	/* What was so before that is not said again. */
	now.flags |= CTLPAGE_ACTIVE;
	ctlpub_write(&now);
	assert_int_equal(page->flags, CTLPAGE_TAKEN | CTLPAGE_ACTIVE);
	ctlpub_ours(true);
	assert_int_equal(page->flags, CTLPAGE_OURS | CTLPAGE_ACTIVE);
}

static void
test_acks_are_a_ring(void **state)
{
	const uint32_t last = CTLPAGE_ACKS + 2;

	for (uint32_t id = 1; id <= last; id++) {
		ctlpub_ack(id, CTL_DUMP, 0, CTLPAGE_PB, "/a/file");
		assert_true(ctlpub_acked(id));
	}
	assert_false(ctlpub_acked(2));
	assert_true(ctlpub_acked(3));
	assert_int_equal(page->acked, last);
	assert_int_equal(page->acks[(last - 1) % CTLPAGE_ACKS].id, last);
	assert_string_equal(page->acks[0].file, "/a/file");
}

static void
test_long_names_are_cut(void **state)
{
	char name[2 * CTLPAGE_PATH];

	memset(name, 'x', sizeof name);
	name[sizeof name - 1] = '\0';
	ctlpub_file(name);
	assert_int_equal(strlen(page->last_file), CTLPAGE_PATH - 1);
}

static _Atomic bool stop;

/* With pauses of many lengths: a reader is to be torn often, not always. */
static void *
write_on(void *arg)
{
	for (uint64_t n = 1; !stop; n++) {
		struct ctlpub_state now = state_of(n);

		ctlpub_write(&now);
		for (uint64_t i = n * 2654435761u % 4096; i > 0; i--)
			__asm__ volatile("");
	}
	return NULL;
}

/* A copy between two equal even numbers is of one moment. */
static void
test_copies_are_whole(void **state)
{
	struct ctlpage copy;
	pthread_t writer;
	struct ctlpub_state first = state_of(0);
	int whole = 0, torn = 0;
	uint64_t last = 0;

	/* The reader may be there before the writer. */
	ctlpub_write(&first);
	pthread_create(&writer, NULL, write_on, NULL);
	while (whole < 20000 || torn < 1000) {
		uint32_t seq = __atomic_load_n(&page->seq, __ATOMIC_ACQUIRE);

		memcpy(&copy, page, sizeof copy);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if ((seq & 1) != 0 ||
		    seq != __atomic_load_n(&page->seq, __ATOMIC_RELAXED)) {
			torn++;
			continue;
		}
		whole++;
		assert_true(copy.rate == copy.samples_live &&
		    copy.rate == copy.dumps);
		assert_true(copy.rate >= last);
		last = copy.rate;
	}
	stop = true;
	pthread_join(writer, NULL);
}

static void
test_fork_child_gets_its_own_page(void **state)
{
	struct ctlpub_state now = state_of(1);
	int status = -1, count;
	pid_t pid;

	ctlpub_write(&now);
	ctlpub_ack(77, CTL_DUMP, 0, 0, "");
	pid = fork();
	if (pid == 0) {
		struct ctlpub_state mine = state_of(2);

		if (page->pid != getppid())
			_exit(1);
		ctlpub_fork_child();
		page = fake_page(&count);
		if (page == NULL || count != 1 || page->pid != getpid())
			_exit(2);
		if (page->acked != 0 || page->rate != 0 || ctlpub_acked(77))
			_exit(3);
		ctlpub_write(&mine);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(page->pid, getpid());
	assert_int_equal(page->rate, 1);
	assert_true(ctlpub_acked(77));
}

/* Without descriptors the page is there, and nobody finds it. */
static void
test_no_descriptors(void **state)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit old;
		struct ctlpub_state now = state_of(3);
		int count;

		getrlimit(RLIMIT_NOFILE, &old);
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 0, old.rlim_max });
		ctlpub_fork_child();
		setrlimit(RLIMIT_NOFILE, &old);
		ctlpub_write(&now);
		_exit(fake_page(&count) == NULL && count == 0 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(page->pid, getpid());
	assert_int_equal(page->rate, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page_says_what_it_is),
		cmocka_unit_test(test_offsets_stay),
		cmocka_unit_test(test_state_is_published),
		cmocka_unit_test(test_acks_are_a_ring),
		cmocka_unit_test(test_long_names_are_cut),
		cmocka_unit_test(test_copies_are_whole),
		cmocka_unit_test(test_fork_child_gets_its_own_page),
		cmocka_unit_test(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
