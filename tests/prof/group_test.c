/*
 * group_test.c - groups that a thread asked for a short while ago, and the
 * lifetimes of a group.
 */
#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "fake_host.h"
#include "lifetime.h"
#include "os.h"
#include "profmem.h"
#include "stack.h"

static struct group_recent recent[GROUP_RECENT];
static uintptr_t frames_a[] = { 0x1000, 0x2000, 0x3000 };
static uintptr_t frames_b[] = { 0x1000, 0x2004, 0x3000 };

static int
setup(void **state)
{
	os_init();
	profmem_boot(64 << 20, &fake_host);
	stack_boot();
	group_boot();
	memset(recent, 0, sizeof recent);
	return 0;
}

static struct group_key
some_key(void)
{
	return (struct group_key){ .rate = 1, .usable = 64, .arena = 2,
	    .sizeclass = 4, .generation = 1 };
}

static struct stack_frames
frames_of(const uintptr_t *frames)
{
	return (struct stack_frames){ frames, 3, stack_hash(frames, 3) };
}

/* The group of the frames, remembered; with a live record. */
static struct group *
make(const uintptr_t *frames)
{
	struct stack_frames of = frames_of(frames);
	struct group_key key = some_key();
	struct group *group;

	key.stack = stack_get(frames, 3, 0);
	group = group_get(&key);
	assert_non_null(group);
	group_remember(recent, group, &of);
	stack_put(key.stack);
	return group;
}

static void
test_what_was_asked_for_is_found_again(void **state)
{
	struct stack_frames a = frames_of(frames_a);
	struct group_key key = some_key();
	struct group *group = make(frames_a);

	assert_ptr_equal(group_again(recent, &key, &a, 0), group);
	assert_int_equal(group->live, 2);
}

static void
test_what_differs_is_not_found(void **state)
{
	struct stack_frames a = frames_of(frames_a), b = frames_of(frames_b);
	struct group_key key = some_key(), other;
	struct group *group = make(frames_a);

	/* the same hash, and so the same place, but other frames */
	b.hash = a.hash;
	assert_null(group_again(recent, &key, &b, 0));
	a.depth = 2;
	assert_null(group_again(recent, &key, &a, 0));
	a.depth = 3;
	assert_null(group_again(recent, &key, &a, 1));
	other = key, other.sizeclass++;
	assert_null(group_again(recent, &other, &a, 0));
	other = key, other.rate++;
	assert_null(group_again(recent, &other, &a, 0));
	other = key, other.generation++;
	assert_null(group_again(recent, &other, &a, 0));
	other = key, other.arena++;
	assert_null(group_again(recent, &other, &a, 0));
	other = key, other.usable++;
	assert_null(group_again(recent, &other, &a, 0));
	assert_int_equal(group->live, 1);
}

/* Its memory is that of another group by then, of the same key. */
static void
test_a_freed_group_is_not_found(void **state)
{
	struct stack_frames a = frames_of(frames_a);
	struct group_key key = some_key();
	struct group_recent kept[GROUP_RECENT];
	struct group *group = make(frames_a);

	memcpy(kept, recent, sizeof kept);
	group_add_freed(group, 5000, 60, CELL_MAIN);
	group_clear_main();
	assert_int_equal(group_count(), 0);
	assert_null(group_again(kept, &key, &a, 0));
	assert_ptr_equal(make(frames_a), group);
	assert_null(group_again(kept, &key, &a, 0));
	assert_ptr_equal(group_again(recent, &key, &a, 0), group);
}

/* --- lifetimes ------------------------------------------------------------ */

enum { ROUNDS = 3 };

static void
die(struct group *group, unsigned bucket)
{
	struct group_key key = group->key;

	assert_ptr_equal(group_get(&key), group);
	group_add_freed(group, lifetime_lower(bucket), 10, CELL_MAIN);
}

static void
assert_each_lifetime(const struct group *group, uint64_t samples)
{
	uint64_t seen[LIFETIME_BUCKETS] = { 0 };

	for (const struct group_cell *cell = &group->cells; cell != NULL;
	    cell = cell->next)
		seen[cell->bucket] += cell->samples[CELL_MAIN];
	for (unsigned bucket = 0; bucket < LIFETIME_BUCKETS; bucket++)
		assert_int_equal(seen[bucket], samples);
}

/* In an order of its own each time: 7 has no factor with their number. */
static void
every_lifetime(struct group *group)
{
	for (unsigned n = 0; n < LIFETIME_BUCKETS; n++)
		die(group, n * 7 % LIFETIME_BUCKETS);
	group_check();
}

static void
test_a_group_of_every_lifetime(void **state)
{
	struct group *group = make(frames_a);

	for (unsigned round = 1; round <= ROUNDS; round++) {
		every_lifetime(group);
		assert_each_lifetime(group, round);
	}
}

static void
test_and_again_after_a_reset(void **state)
{
	struct group *group = make(frames_a);

	every_lifetime(group);
	group_clear_main();
	group_check();
	for (unsigned bucket = 0; bucket < 20; bucket++)
		die(group, bucket);
	group_clear_main();
	group_check();
	every_lifetime(group);
	assert_each_lifetime(group, 1);
	group_put(group);
	group_clear_main();
	assert_int_equal(group_count(), 0);
}

#define T(f) cmocka_unit_test_setup(f, setup)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_what_was_asked_for_is_found_again),
		T(test_what_differs_is_not_found),
		T(test_a_freed_group_is_not_found),
		T(test_a_group_of_every_lifetime),
		T(test_and_again_after_a_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
