/*
 * ctl_test.c - mallctl: names, MIBs, sizes, results, and what the controls
 * do; then the order of the statistics.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "mallctl.h"
#include "os.h"
#include "names.h"

enum { NTYPES = CTL_FXP + 1 };

static uint64_t
get(const char *name, size_t size)
{
	uint64_t value = 0;
	size_t len = size;

	assert_int_equal(mallctl(name, &value, &len, NULL, 0), 0);
	assert_int_equal(len, size);
	return value;
}

static void
refresh(void)
{
	uint64_t epoch = 1;

	assert_int_equal(mallctl("epoch", NULL, NULL, &epoch, sizeof epoch),
	    0);
}

static void
test_unknown_names(void **state)
{
	static const char *const names[] = {
		"", "nonsense", "arenas.nonsense", "arenas", "arenas.",
		".arenas", "arenas..page", "arenas.page.more", "version.x",
		"arena.x.purge", "arena.999999.purge", "arena.-1.purge",
		"arenas.bin.36.size", "opt.nonsense", "stats.arenas.0",
		"arena.18446744073709551616.purge",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (mallctl(names[i], NULL, NULL, NULL, 0) != ENOENT)
			fail_msg("\"%s\" was found", names[i]);
}

static void
test_short_and_long_buffers(void **state)
{
	uint64_t wide = 0;
	uint32_t narrow = 0;
	size_t len = sizeof narrow;

	assert_int_equal(mallctl("arenas.page", &narrow, &len, NULL, 0),
	    EINVAL);
	assert_int_equal(len, sizeof narrow);	/* what was copied */
	assert_int_equal(narrow, os_page);
	len = sizeof wide;
	assert_int_equal(mallctl("arenas.nbins", &wide, &len, NULL, 0),
	    EINVAL);
	assert_int_equal(len, sizeof(unsigned));
	assert_int_equal(wide, SC_NSMALL);
}

static void
test_permissions(void **state)
{
	size_t size = 0, len = sizeof size;
	const char *text = "x";

	assert_int_equal(mallctl("arenas.page", NULL, NULL, &size,
	    sizeof size), EPERM);
	assert_int_equal(mallctl("prof.reset", &size, &len, NULL, 0), EPERM);
	assert_int_equal(mallctl("prof.prefix", &text, &len, NULL, 0),
	    EPERM);
	assert_int_equal(mallctl("arena.0.purge", &size, &len, NULL, 0),
	    EPERM);
	assert_int_equal(mallctl("arena.0.purge", NULL, NULL, &size,
	    sizeof size), EPERM);
	assert_int_equal(mallctl("opt.zero", NULL, NULL, &size, 1), EPERM);
}

static void
test_wrong_size_of_a_new_value(void **state)
{
	uint64_t value = 0;
	ssize_t before = (ssize_t)get("arenas.dirty_decay_ms", sizeof before);

	assert_int_equal(mallctl("arenas.dirty_decay_ms", NULL, NULL, &value,
	    4), EINVAL);
	assert_int_equal(mallctl("epoch", NULL, NULL, &value, 4), EINVAL);
	assert_int_equal(get("arenas.dirty_decay_ms", sizeof before), before);
}

static void
test_old_and_new_value_in_one_call(void **state)
{
	ssize_t old = 0, new = 1234, first;
	size_t len = sizeof old;

	first = (ssize_t)get("arenas.dirty_decay_ms", sizeof first);
	assert_int_equal(mallctl("arenas.dirty_decay_ms", &old, &len, &new,
	    sizeof new), 0);
	assert_int_equal(old, first);
	assert_int_equal(get("arenas.dirty_decay_ms", sizeof new), 1234);
	assert_int_equal(get("opt.dirty_decay_ms", sizeof new), first);
	assert_int_equal(mallctl("arenas.dirty_decay_ms", NULL, NULL, &first,
	    sizeof first), 0);
	new = -2;
	assert_int_equal(mallctl("arenas.dirty_decay_ms", NULL, NULL, &new,
	    sizeof new), EFAULT);
}

static void
test_mib_is_the_name(void **state)
{
	size_t mib[8], miblen = 8, size, len = sizeof size;

	assert_int_equal(mallctlnametomib("arenas.bin.0.size", mib, &miblen),
	    0);
	assert_int_equal(miblen, 4);
	for (size_t i = 0; i < SC_NSMALL; i++) {
		mib[2] = i;
		assert_int_equal(mallctlbymib(mib, miblen, &size, &len, NULL,
		    0), 0);
		assert_int_equal(size, sc_size((unsigned)i));
	}
	mib[2] = SC_NSMALL;
	assert_int_equal(mallctlbymib(mib, miblen, &size, &len, NULL, 0),
	    ENOENT);
}

static void
test_part_of_a_mib(void **state)
{
	size_t mib[8], miblen = 8, size, len = sizeof size;

	assert_int_equal(mallctlnametomib("arenas.bin", mib, &miblen), 0);
	assert_int_equal(miblen, 2);
	assert_int_equal(mallctlbymib(mib, miblen, &size, &len, NULL, 0),
	    ENOENT);
	miblen = 2;
	assert_int_equal(mallctlnametomib("arenas.bin.0.size", mib, &miblen),
	    0);
	assert_int_equal(miblen, 2);
	assert_int_equal(mallctlbymib(mib, 100, &size, &len, NULL, 0),
	    ENOENT);
}

/* Every leaf of every option answers with its type. */
static void
test_options_have_leaves(void **state)
{
	const char *text;
	size_t len = sizeof text;

	assert_int_equal(get("opt.lg_prof_sample", sizeof(size_t)), 19);
	assert_int_equal((ssize_t)get("opt.lg_prof_interval",
	    sizeof(ssize_t)), -1);
	assert_int_equal(get("opt.tcache", sizeof(bool)), true);
	assert_int_equal(mallctl("opt.dss", &text, &len, NULL, 0), 0);
	assert_string_equal(text, "secondary");
	assert_int_equal(mallctl("opt.prof_format", &text, &len, NULL, 0),
	    0);
	assert_string_equal(text, "pprof");
	assert_int_equal(mallctl("opt.junk", &text, &len, NULL, 0), 0);
	assert_int_equal(get("opt.narenas", sizeof(unsigned)), arenas_nauto);
	assert_int_equal(get("opt.hpa_min_purge_interval_ms",
	    sizeof(uint64_t)), 5000);
	assert_int_equal(mallctl("opt.slab_sizes", NULL, NULL, NULL, 0),
	    ENOENT);
}

/* Writes an arena's dss; what it was, or NULL with the error in *error. */
static const char *
set_dss(const char *name, const char *dss, int *error)
{
	const char *old = NULL;
	size_t len = sizeof old;

	*error = mallctl(name, &old, &len, &dss, sizeof dss);
	return old;
}

static void
test_dss_by_arena(void **state)
{
	unsigned index = (unsigned)get("arenas.create", sizeof(unsigned));
	char name[64];
	int error;

	snprintf(name, sizeof name, "arena.%u.dss", index);
	assert_string_equal(set_dss(name, "primary", &error), "secondary");
	assert_string_equal(set_dss(name, "disabled", &error), "primary");
	assert_null(set_dss(name, "tertiary", &error));
	assert_int_equal(error, EINVAL);
	assert_string_equal(set_dss("arena.0.dss", "secondary", &error),
	    "secondary");
	refresh();
	snprintf(name, sizeof name, "stats.arenas.%u.dss", index);
	assert_string_equal((const char *)get(name, sizeof(char *)),
	    "disabled");
	/* All arenas, and those to come. */
	assert_string_equal(set_dss("arena.4096.dss", "disabled", &error),
	    "secondary");
	assert_string_equal(set_dss("arena.0.dss", "secondary", &error),
	    "disabled");
	index = (unsigned)get("arenas.create", sizeof(unsigned));
	snprintf(name, sizeof name, "arena.%u.dss", index);
	assert_string_equal(set_dss(name, "disabled", &error), "disabled");
	(void)set_dss("arena.4096.dss", "secondary", &error);
	assert_int_equal(error, 0);
}

struct walked {
	size_t count, by_type[NTYPES];
};

/* The profiler's controls, which a build without it does not have. */
static bool
is_off(const char *name, int error)
{
	return !CONFIG_PROF && error == ENOENT &&
	    strstr(name, "prof") != NULL &&
	    strcmp(name, "prof.generation") != 0;
}

/* Reads each readable leaf without indices; it must not fail. */
static void
read_leaf(void *arg, const char *name, const struct ctl_node *node)
{
	struct walked *walked = arg;
	union ctl_value value;
	enum ctl_type type;
	int error;

	walked->count++;
	walked->by_type[node->type]++;
	assert_non_null(name);
	assert_true(node->read != NULL || node->write != NULL ||
	    node->handler != NULL);
	if (strchr(name, '<') != NULL || node->read == NULL ||
	    node->handler != NULL)
		return;
	error = ctl_get(name, &type, &value);
	if (is_off(name, error))
		return;
	if (error != 0)
		fail_msg("cannot read %s", name);
	if (node->types == NULL)
		assert_int_equal(type, node->type);
	assert_true(ctl_type_size(type) > 0);
}

static void
test_every_leaf_answers(void **state)
{
	struct walked walked = { 0 };

	ctl_walk(read_leaf, &walked);
	assert_true(walked.count > 250);
	assert_true(walked.by_type[CTL_ACTION] >= 7);
	assert_int_equal(walked.by_type[CTL_BRANCH], 0);
}

static void
test_manual_arena(void **state)
{
	unsigned index, lookup, old;
	size_t len = sizeof index;
	char command[64], buffer[64], *out = buffer, *name = "config 7";
	void *block;

	assert_int_equal(mallctl("arenas.create", &index, &len, NULL, 0), 0);
	assert_true(index >= arenas_nauto);
	snprintf(command, sizeof command, "arena.%u.name", index);
	assert_int_equal(mallctl(command, NULL, NULL, &name, sizeof name),
	    0);
	len = sizeof out;
	assert_int_equal(mallctl(command, &out, &len, NULL, 0), 0);
	assert_string_equal(buffer, "config 7");

	/* the way in which a server binds a thread to its new arena */
	len = sizeof old;
	assert_int_equal(mallctl("thread.arena", &old, &len, &index,
	    sizeof index), 0);
	block = malloc(100);
	len = sizeof lookup;
	assert_int_equal(mallctl("arenas.lookup", &lookup, &len, &block,
	    sizeof block), 0);
	assert_int_equal(lookup, index);
	assert_int_equal(mallctl("thread.arena", NULL, NULL, &old,
	    sizeof old), 0);
	free(block);
	assert_int_equal(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0),
	    0);
	snprintf(command, sizeof command, "arena.%u.destroy", index);
	assert_int_equal(mallctl(command, NULL, NULL, NULL, 0), 0);
	assert_int_equal(mallctl("arena.0.destroy", NULL, NULL, NULL, 0),
	    EFAULT);
}

static void
test_create_needs_room_for_the_index(void **state)
{
	unsigned before = (unsigned)get("arenas.narenas", sizeof before);
	size_t len = 1;
	char byte;

	assert_int_equal(mallctl("arenas.create", NULL, NULL, NULL, 0),
	    EINVAL);
	assert_int_equal(mallctl("arenas.create", &byte, &len, NULL, 0),
	    EINVAL);
	assert_int_equal(get("arenas.narenas", sizeof before), before);
}

static void
test_lookup_of_what_is_not_ours(void **state)
{
	unsigned index;
	size_t len = sizeof index;
	void *ptr = &index;

	assert_int_equal(mallctl("arenas.lookup", &index, &len, &ptr,
	    sizeof ptr), EINVAL);
}

static void
test_thread_counters(void **state)
{
	uint64_t *allocatedp, *deallocatedp, allocated, deallocated;
	void *block;

	allocatedp = (uint64_t *)get("thread.allocatedp", sizeof allocatedp);
	deallocatedp = (uint64_t *)get("thread.deallocatedp",
	    sizeof deallocatedp);
	allocated = *allocatedp;
	deallocated = *deallocatedp;
	block = malloc(1000);
	assert_int_equal(*allocatedp - allocated, 1024);
	assert_int_equal(get("thread.allocated", 8), *allocatedp);
	free(block);
	assert_int_equal(*deallocatedp - deallocated, 1024);
	assert_int_equal(get("thread.deallocated", 8), *deallocatedp);
}

static void
test_tcache_switch(void **state)
{
	bool off = false, on = true;

	assert_int_equal(get("thread.tcache.enabled", 1), true);
	assert_int_equal(mallctl("thread.tcache.enabled", NULL, NULL, &off,
	    1), 0);
	free(malloc(64));
	assert_int_equal(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0),
	    EFAULT);
	assert_int_equal(mallctl("thread.tcache.enabled", NULL, NULL, &on,
	    1), 0);
	assert_int_equal(mallctl("thread.idle", NULL, NULL, NULL, 0), 0);
}

static void
test_explicit_cache(void **state)
{
	unsigned index, bad = 12345;
	size_t len = sizeof index;
	void *block;

	assert_int_equal(mallctl("tcache.create", &index, &len, NULL, 0), 0);
	block = mallocx(64, MALLOCX_TCACHE(index));
	assert_non_null(block);
	dallocx(block, MALLOCX_TCACHE(index));
	assert_int_equal(mallctl("tcache.flush", NULL, NULL, &index,
	    sizeof index), 0);
	assert_int_equal(mallctl("tcache.destroy", NULL, NULL, &index,
	    sizeof index), 0);
	assert_int_equal(mallctl("tcache.flush", NULL, NULL, &bad,
	    sizeof bad), EFAULT);
	assert_int_equal(mallctl("tcache.flush", NULL, NULL, NULL, 0),
	    EINVAL);
}

static void
check_cached_bytes(void)
{
	refresh();
	assert_int_equal(get("stats.live", 8) +
	    get("stats.tcache_bytes", 8), get("stats.allocated", 8));
}

static void
test_all_that_is_cached_is_counted(void **state)
{
	enum { N = 20 };
	unsigned cache, arena;
	size_t len = sizeof cache, before;
	void *blocks[N];

	assert_int_equal(mallctl("tcache.create", &cache, &len, NULL, 0), 0);
	check_cached_bytes();
	before = get("stats.arenas.4096.tcache_bytes", 8);
	for (int i = 0; i < N; i++)
		blocks[i] = mallocx(4096, MALLOCX_TCACHE(cache));
	for (int i = 0; i < N; i++)
		dallocx(blocks[i], MALLOCX_TCACHE(cache));
	check_cached_bytes();
	assert_true(get("stats.arenas.4096.tcache_bytes", 8) >=
	    before + N * 4096);
	assert_true(get("stats.arenas.0.tcache_bytes", 8) >= N * 4096);
	assert_int_equal(mallctl("tcache.destroy", NULL, NULL, &cache,
	    sizeof cache), 0);
	check_cached_bytes();
	/* what waits to go back to an arena that is not the cache's */
	assert_int_equal(mallctl("arenas.create", &arena, &len, NULL, 0), 0);
	for (int i = 0; i < N; i++)
		blocks[i] = mallocx(1000, MALLOCX_ARENA(arena) |
		    MALLOCX_TCACHE_NONE);
	for (int i = 0; i < N; i++)
		free(blocks[i]);
	check_cached_bytes();
	assert_int_equal(mallctl("thread.tcache.flush", NULL, NULL, NULL, 0),
	    0);
}

/* The value that is asked for has another size. */
static void
test_nothing_is_written_where_nothing_can_be_read(void **state)
{
	ssize_t was = (ssize_t)get("arenas.dirty_decay_ms", 8), new = 777;
	unsigned short half;
	size_t len = sizeof half;

	assert_int_equal(mallctl("arenas.dirty_decay_ms", &half, &len, &new,
	    sizeof new), EINVAL);
	assert_int_equal(get("arenas.dirty_decay_ms", 8), was);
}

static void
test_no_thread_takes_the_internal_arena(void **state)
{
	unsigned internal = ARENA_INTERNAL;

	assert_int_equal(mallctl("thread.arena", NULL, NULL, &internal,
	    sizeof internal), EFAULT);
}

static void
test_epoch_counts_refreshes(void **state)
{
	uint64_t before, after, one = 1;
	size_t len = sizeof after;

	before = get("epoch", sizeof before);
	assert_int_equal(mallctl("epoch", &after, &len, &one, sizeof one),
	    0);
	assert_int_equal(after, before + 1);
}

/* Nothing changes between two epochs, whatever happens meanwhile. */
static void
test_statistics_are_a_snapshot(void **state)
{
	size_t before, after;
	void *block;

	refresh();
	before = get("stats.allocated", sizeof before);
	block = malloc(1 << 20);
	assert_int_equal(get("stats.allocated", sizeof after), before);
	refresh();
	after = get("stats.allocated", sizeof after);
	assert_true(after >= before + (1 << 20));
	free(block);
}

static void
test_statistics_nest(void **state)
{
	size_t allocated, active, resident, mapped;
	void *blocks[200];

	for (size_t i = 0; i < 200; i++)
		blocks[i] = malloc(i * 700 + 1);
	refresh();
	allocated = get("stats.allocated", 8);
	active = get("stats.active", 8);
	resident = get("stats.resident", 8);
	mapped = get("stats.mapped", 8);
	assert_true(allocated > 0);
	assert_true(allocated <= active);
	assert_true(active <= resident);
	assert_true(resident <= mapped);
	assert_int_equal(get("stats.live", 8) +
	    get("stats.tcache_bytes", 8), allocated);
	for (size_t i = 0; i < 200; i++)
		free(blocks[i]);
}

static void
test_merged_is_the_sum_of_the_bins(void **state)
{
	size_t sum = 0;
	char name[64];

	refresh();
	for (unsigned i = 0; i < SC_NSMALL; i++) {
		snprintf(name, sizeof name, "stats.arenas.%u.bins.%u.curregs",
		    MALLCTL_ARENAS_ALL, i);
		sum += get(name, 8) * sc_size(i);
	}
	snprintf(name, sizeof name, "stats.arenas.%u.small.allocated",
	    MALLCTL_ARENAS_ALL);
	assert_int_equal(get(name, 8), sum);
}

static void
test_mutex_counters_differ(void **state)
{
	uint64_t ops, waits;

	refresh();
	ops = get("stats.arenas.0.mutexes.extents_dirty.num_ops", 8);
	waits = get("stats.arenas.0.mutexes.extents_dirty.num_wait", 8);
	assert_true(ops > waits);
	assert_int_equal(get("stats.arenas.0.bins.4.mutex.max_num_thds", 4),
	    0);
}

/* "arena.<narenas>.purge": what redis calls after a FLUSHALL. */
static void
test_number_of_arenas_means_all(void **state)
{
	char name[64];
	void *block = malloc((size_t)8 << 20);

	memset(block, 1, (size_t)8 << 20);
	free(block);
	snprintf(name, sizeof name, "arena.%u.purge",
	    (unsigned)get("arenas.narenas", 4));
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), 0);
	refresh();
	snprintf(name, sizeof name, "stats.arenas.%u.pdirty",
	    MALLCTL_ARENAS_ALL);
	assert_int_equal(get(name, 8), 0);
	snprintf(name, sizeof name, "arena.%u.purge",
	    (unsigned)get("arenas.narenas", 4) + 1);
	assert_int_equal(mallctl(name, NULL, NULL, NULL, 0), ENOENT);
}

static void
test_decay_of_one_arena(void **state)
{
	ssize_t ms = 77;

	assert_int_equal(mallctl("arena.0.dirty_decay_ms", NULL, NULL, &ms,
	    sizeof ms), 0);
	assert_int_equal(get("arena.0.dirty_decay_ms", sizeof ms), 77);
	assert_int_equal(mallctl("arena.4096.dirty_decay_ms", NULL, NULL, &ms,
	    sizeof ms), EFAULT);
	assert_int_equal(mallctl("arena.4096.purge", NULL, NULL, NULL, 0),
	    0);
	refresh();
	assert_int_equal(get("stats.arenas.4096.pdirty", 8), 0);
	assert_int_equal(mallctl("arena.4096.decay", NULL, NULL, NULL, 0),
	    0);
}

static void
test_background_threads(void **state)
{
	bool on = true, off = false;
	size_t max = 2;

	assert_int_equal(get("background_thread", 1), false);
	assert_int_equal(mallctl("max_background_threads", NULL, NULL, &max,
	    sizeof max), 0);
	assert_int_equal(mallctl("background_thread", NULL, NULL, &on, 1),
	    0);
	assert_int_equal(get("background_thread", 1), true);
	refresh();
	assert_true(get("stats.background_thread.num_threads", 8) >= 1);
	assert_int_equal(mallctl("background_thread", NULL, NULL, &off, 1),
	    0);
	refresh();
	assert_int_equal(get("stats.background_thread.num_threads", 8), 0);
	max = 0;
	assert_int_equal(mallctl("max_background_threads", NULL, NULL, &max,
	    sizeof max), EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_short_and_long_buffers),
		cmocka_unit_test(test_permissions),
		cmocka_unit_test(test_wrong_size_of_a_new_value),
		cmocka_unit_test(test_old_and_new_value_in_one_call),
		cmocka_unit_test(test_mib_is_the_name),
		cmocka_unit_test(test_part_of_a_mib),
		cmocka_unit_test(test_options_have_leaves),
		cmocka_unit_test(test_dss_by_arena),
		cmocka_unit_test(test_every_leaf_answers),
		cmocka_unit_test(test_manual_arena),
		cmocka_unit_test(test_create_needs_room_for_the_index),
		cmocka_unit_test(test_lookup_of_what_is_not_ours),
		cmocka_unit_test(test_thread_counters),
		cmocka_unit_test(test_tcache_switch),
		cmocka_unit_test(test_explicit_cache),
		cmocka_unit_test(test_all_that_is_cached_is_counted),
		cmocka_unit_test(
		    test_nothing_is_written_where_nothing_can_be_read),
		cmocka_unit_test(test_no_thread_takes_the_internal_arena),
		cmocka_unit_test(test_epoch_counts_refreshes),
		cmocka_unit_test(test_statistics_are_a_snapshot),
		cmocka_unit_test(test_statistics_nest),
		cmocka_unit_test(test_merged_is_the_sum_of_the_bins),
		cmocka_unit_test(test_mutex_counters_differ),
		cmocka_unit_test(test_number_of_arenas_means_all),
		cmocka_unit_test(test_decay_of_one_arena),
		cmocka_unit_test(test_background_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
