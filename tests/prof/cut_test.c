/*
 * cut_test.c - records, groups, stacks and the cut: nothing is lost, nothing
 * counted twice, while threads allocate, free, reset and dump.
 */
#include "cut.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "generation.h"
#include "lifetime.h"
#include "os.h"
#include "profmem.h"
#include "sampler.h"
#include "util.h"

static struct prof_options options = { .prof = true, .active = true,
    .lg_sample = 19, .max_memory = 256 << 20 };

static int
setup(void **state)
{
	memset(&fake_slab, 0, sizeof fake_slab);
	os_init();
	profmem_boot(options.max_memory, &fake_host);
	stack_boot();
	group_boot();
	live_boot(&fake_host);
	cut_boot(&fake_host);
	sampler_boot(&options, &fake_host);
	cut_reset();
	return 0;
}

/* Takes the key's reference on its stack; NULL if there is no memory. */
static struct live *
record_of(const struct group_key *key, struct live birth)
{
	struct live *record = NULL;

	birth.group = group_get(key);
	if (birth.group != NULL)
		record = live_insert(&birth);
	if (record == NULL && birth.group != NULL)
		group_put(birth.group);
	stack_put(key->stack);
	return record;
}

/* A record of `requested` bytes at address n, made at stack s. */
static struct live *
enter(uintptr_t n, uintptr_t s, uint64_t usable, uint64_t requested)
{
	uintptr_t frames[3] = { s, s + 1, s + 2 };
	struct group_key key = { .stack = stack_get(frames, 3, 0),
	    .rate = 1 << 19, .usable = usable, .generation = 1 };
	struct live birth = { .ptr = (void *)n, .requested = requested,
	    .birth_ns = os_now_ns(), .thread = 7 };

	return record_of(&key, birth);
}

static void
leave(uintptr_t n)
{
	assert_true(live_remove((void *)n, NULL, os_now_ns(), NULL));
}

struct tally {
	uint64_t live, live_requested, freed, freed_requested;
	double pinned;
};

static struct tally
read_cut(struct cut *cut)
{
	struct cut_live live[CUT_BATCH];
	struct cut_freed freed[CUT_BATCH];
	struct tally t = { 0 };
	size_t n;

	while ((n = cut_live(cut, live, CUT_BATCH)) > 0)
		for (size_t i = 0; i < n; i++) {
			t.live++;
			t.live_requested += live[i].requested;
			t.pinned += live[i].pinned;
			assert_true(live[i].since < cut->number);
			assert_int_equal(live[i].thread, 7);
		}
	while ((n = cut_freed(cut, freed, CUT_BATCH)) > 0)
		for (size_t i = 0; i < n; i++) {
			t.freed += freed[i].samples;
			t.freed_requested += freed[i].requested;
			assert_true(freed[i].samples > 0);
			assert_true(freed[i].bucket < LIFETIME_BUCKETS);
		}
	assert_int_equal(t.live, cut->samples_live);
	assert_int_equal(t.freed, cut->samples_freed);
	return t;
}

static struct tally
take_cut(void)
{
	struct cut cut;
	struct tally t;

	assert_int_equal(cut_begin(&cut), 0);
	t = read_cut(&cut);
	cut_end(&cut);
	live_check();
	group_check();
	return t;
}

static void
test_equal_stacks_are_one(void **state)
{
	uintptr_t a[] = { 1, 2, 3 }, b[] = { 1, 2, 4 };
	struct stack *s = stack_get(a, 3, 0), *t = stack_get(a, 3, 0);
	struct stack *other = stack_get(b, 3, 0), *epoch = stack_get(a, 3, 1);
	struct stack *shorter = stack_get(a, 2, 0);

	assert_ptr_equal(s, t);
	assert_int_equal(s->refs, 2);
	assert_ptr_not_equal(s, other);
	assert_ptr_not_equal(s, epoch);
	assert_ptr_not_equal(s, shorter);
	assert_int_equal(stack_count(), 4);
	stack_put(s);
	stack_put(t);
	stack_put(other);
	stack_put(epoch);
	stack_put(shorter);
	assert_int_equal(stack_count(), 0);
	assert_ptr_equal(stack_get(a, 0, 0), &stack_other);
}

static void
test_signal_frames_are_looked_up_as_they_are(void **state)
{
	uintptr_t frames[] = { 0x1000, 0x2000 | STACK_SIGNAL };
	struct stack *s = stack_get(frames, 2, 0);

	assert_int_equal(stack_lookup(s, 0), 0xfff);
	assert_int_equal(stack_lookup(s, 1), 0x2000);
	assert_int_equal(stack_raw(s, 1), 0x2000);
	stack_put(s);
}

static void
test_a_freed_sample_moves_to_the_totals(void **state)
{
	struct tally t;

	for (uintptr_t i = 1; i <= 1000; i++)
		assert_non_null(enter(i * 16, i % 7, 112, 100));
	for (uintptr_t i = 1; i <= 300; i++)
		leave(i * 16);
	t = take_cut();
	assert_int_equal(t.live, 700);
	assert_int_equal(t.live_requested, 70000);
	assert_int_equal(t.freed, 300);
	assert_int_equal(t.freed_requested, 30000);
	assert_false(live_remove((void *)16, NULL, 0, NULL));
	cut_reset();
	for (uintptr_t i = 301; i <= 1000; i++)
		leave(i * 16);
}

static void
test_deaths_during_a_cut_come_later(void **state)
{
	struct cut cut;
	struct tally t;

	for (uintptr_t i = 1; i <= 1000; i++)
		enter(i * 16, i % 7, 112, 100);
	for (uintptr_t i = 1; i <= 100; i++)
		leave(i * 16);
	assert_int_equal(cut_begin(&cut), 0);
	assert_int_equal(cut_begin(&(struct cut){ 0 }), EBUSY);
	for (uintptr_t i = 101; i <= 600; i++)
		leave(i * 16);
	/* born and dead while it is open: not in it at all */
	for (uintptr_t i = 2001; i <= 2400; i++) {
		enter(i * 16, i % 5, 112, 100);
		leave(i * 16);
	}
	/* an address that is used again has two records */
	enter(101 * 16, 3, 112, 100);
	t = read_cut(&cut);
	assert_int_equal(t.live, 900);
	assert_int_equal(t.freed, 100);
	cut_end(&cut);
	live_check();
	group_check();
	t = take_cut();
	assert_int_equal(t.live, 401);
	assert_int_equal(t.freed, 1000);
	leave(101 * 16);
	for (uintptr_t i = 601; i <= 1000; i++)
		leave(i * 16);
	t = take_cut();
	assert_int_equal(t.live, 0);
	assert_int_equal(t.freed, 1401);
}

/* The one that the walk stands on among them. */
static void
test_a_walk_goes_on_among_the_dead(void **state)
{
	struct cut_live rows[CUT_BATCH];
	struct cut cut;
	struct tally t;
	size_t n;

	fake_slab = (struct prof_slab){ .nregs_used = 4, .nregs = 16,
	    .free_bytes = 3000 };
	for (uintptr_t i = 1; i <= 1000; i++)
		enter(i * 16, i % 7, 112, i);
	assert_int_equal(cut_begin(&cut), 0);
	n = cut_live(&cut, rows, CUT_BATCH);
	assert_in_range(n, 1, 999);
	for (uintptr_t i = 1; i <= 1000; i++)
		leave(i * 16);
	/* what their regions pin now is not asked for */
	memset(&fake_slab, 0, sizeof fake_slab);
	for (uintptr_t i = 1; i <= 1000; i += 2)
		enter(i * 16, i % 7, 112, 100000);
	cut.samples_live -= n;
	t = read_cut(&cut);
	assert_true(t.pinned == 750.0 * (double)(1000 - n));
	for (size_t i = 0; i < n; i++)
		t.live_requested += rows[i].requested;
	assert_int_equal(t.live_requested, 1000 * 1001 / 2);
	cut_end(&cut);
	live_check();
	assert_int_equal(take_cut().live, 500);
	for (uintptr_t i = 1; i <= 1000; i += 2)
		leave(i * 16);
}

static void
test_since_counts_the_cuts_before_birth(void **state)
{
	struct cut_live rows[CUT_BATCH];
	struct cut first, last;

	enter(16, 1, 112, 1);
	assert_int_equal(cut_begin(&first), 0);
	cut_end(&first);
	enter(32, 1, 112, 2);
	for (int i = 0; i < 3; i++)
		take_cut();
	assert_int_equal(cut_begin(&last), 0);
	for (size_t n; (n = cut_live(&last, rows, CUT_BATCH)) > 0;)
		for (size_t i = 0; i < n; i++)
			assert_true((rows[i].since < first.number) ==
			    (rows[i].requested == 1));
	cut_end(&last);
	assert_int_equal(last.number, first.number + 4);
	for (int i = 0; i < 20; i++)
		take_cut();
	/* older than the last 16 cuts: one value for all */
	assert_int_equal(cut_begin(&last), 0);
	for (size_t n; (n = cut_live(&last, rows, CUT_BATCH)) > 0;)
		for (size_t i = 0; i < n; i++)
			assert_int_equal(rows[i].since,
			    last.number - CUT_SINCE_KEPT);
	cut_end(&last);
	leave(16);
	leave(32);
}

static void
test_reset_forgets(void **state)
{
	struct cut cut;
	struct tally t;

	for (uintptr_t i = 1; i <= 100; i++)
		enter(i * 16, 1, 112, 100);
	for (uintptr_t i = 1; i <= 10; i++)
		leave(i * 16);
	assert_int_equal(cut_begin(&cut), 0);
	cut_reset();
	leave(11 * 16);
	enter(200 * 16, 1, 112, 5);
	leave(200 * 16);
	/* the cut is of before */
	t = read_cut(&cut);
	assert_int_equal(t.live, 90);
	assert_int_equal(t.freed, 10);
	cut_end(&cut);
	t = take_cut();
	assert_int_equal(t.live, 0);
	assert_int_equal(t.freed, 1);
	assert_int_equal(t.freed_requested, 5);
	for (uintptr_t i = 12; i <= 100; i++)
		leave(i * 16);
	t = take_cut();
	assert_int_equal(t.freed, 1);
	cut_reset();
	take_cut();
	assert_int_equal(group_count(), 0);
	assert_int_equal(stack_count(), 0);
}

static bool
count_group(const struct group *group, void *count)
{
	++*(size_t *)count;
	return true;
}

static size_t
groups_walked(void)
{
	struct group_cursor cursor = { 0 };
	size_t count = 0;

	while (group_walk(&cursor, count_group, &count))
		continue;
	return count;
}

static void
test_groups_that_lost_nothing_are_passed_over(void **state)
{
	for (uintptr_t i = 1; i <= 200; i++)
		enter(i * 16, i % 100 * 10, 112, 100);
	assert_int_equal(group_count(), 100);
	assert_int_equal(groups_walked(), 0);
	for (uintptr_t i = 1; i <= 7; i++)
		leave(i * 16);
	for (uintptr_t i = 101; i <= 103; i++)
		leave(i * 16);
	group_check();
	assert_int_equal(groups_walked(), 7);
	take_cut();
	assert_int_equal(groups_walked(), 7);
	/* three have no record any more, and four have one, at a reset */
	cut_reset();
	take_cut();
	assert_int_equal(groups_walked(), 0);
	assert_int_equal(group_count(), 97);
	/* records that are forgotten leave no trace; a new one does */
	enter(1 * 16, 50, 112, 100);
	leave(1 * 16);
	leave(8 * 16);
	leave(108 * 16);
	group_check();
	assert_int_equal(groups_walked(), 2);
	assert_int_equal(take_cut().freed, 1);
	assert_int_equal(groups_walked(), 1);
	assert_int_equal(group_count(), 96);
	for (uintptr_t i = 9; i <= 200; i++)
		live_remove((void *)(i * 16), NULL, 0, NULL);
}

static void
test_pinned_bytes_of_living_and_dying(void **state)
{
	struct cut cut;
	struct tally t;

	fake_slab = (struct prof_slab){ .nregs_used = 4, .nregs = 16,
	    .free_bytes = 3000 };
	enter(16, 1, 112, 100);
	enter(32, 1, 112, 100);
	assert_int_equal(cut_begin(&cut), 0);
	leave(16);
	t = read_cut(&cut);
	cut_end(&cut);
	assert_true(t.pinned == 1500);
	leave(32);
}

static void
test_lifetimes_go_to_their_bucket(void **state)
{
	struct cut_freed rows[CUT_BATCH];
	uint64_t ns[] = { 0, 999, 1000, 1000000, 5000000000, UINT64_MAX / 2 };
	struct cut cut;
	size_t n;

	for (uintptr_t i = 0; i < ARRAY_LEN(ns); i++) {
		struct live *record = enter((i + 1) * 16, 1, 112, i + 1);

		live_remove(record->ptr, record, record->birth_ns + ns[i],
		    NULL);
	}
	assert_int_equal(cut_begin(&cut), 0);
	n = cut_freed(&cut, rows, CUT_BATCH);
	assert_int_equal(n, 5);			/* 0 and 999: both under */
	for (size_t i = 0; i < n; i++) {
		uint64_t low = lifetime_lower(rows[i].bucket);
		uint64_t high = lifetime_upper(rows[i].bucket);

		if (rows[i].samples == 2) {
			assert_int_equal(rows[i].bucket, LIFETIME_UNDER);
			assert_int_equal(rows[i].requested, 3);
			continue;
		}
		assert_int_equal(rows[i].samples, 1);
		assert_true(low <= ns[rows[i].requested - 1]);
		assert_true(ns[rows[i].requested - 1] < high);
	}
	cut_end(&cut);
}

static void
test_bucket_edges(void **state)
{
	assert_int_equal(lifetime_bucket(0), LIFETIME_UNDER);
	assert_int_equal(lifetime_lower(1), 1000);
	assert_int_equal(lifetime_lower(5), 2000);
	assert_int_equal(lifetime_upper(LIFETIME_EDGES - 1), 1000ull << 46);
	assert_int_equal(lifetime_bucket(1000ull << 46), LIFETIME_OVER);
	assert_int_equal(lifetime_bucket(UINT64_MAX), LIFETIME_OVER);
	for (unsigned b = 0; b < LIFETIME_BUCKETS; b++) {
		uint64_t low = lifetime_lower(b), high = lifetime_upper(b);

		assert_true(low < high);
		assert_int_equal(lifetime_bucket(low), b);
		assert_int_equal(lifetime_bucket(high - 1), b);
		if (b + 1 < LIFETIME_BUCKETS)
			assert_int_equal(lifetime_lower(b + 1), high);
	}
}

static void
test_old_generations_fold(void **state)
{
	uintptr_t frames[] = { 1, 2 };
	struct stack *stack = stack_get(frames, 2, 0);
	struct cut_freed rows[CUT_BATCH];
	struct cut cut;
	uint64_t samples = 0, folded = 0;
	size_t n;

	for (uint32_t g = 1; g <= 40; g++) {
		struct group_key key = { .stack = stack, .rate = 1,
		    .usable = 16, .generation = g };
		struct live birth = { .ptr = (void *)16,
		    .group = group_get(&key), .requested = 1 };

		live_insert(&birth);
		leave(16);
	}
	stack_put(stack);
	while (generation_current() < 40)
		generation_advance();
	cut_fold_generations();
	assert_int_equal(cut_begin(&cut), 0);
	while ((n = cut_freed(&cut, rows, CUT_BATCH)) > 0)
		for (size_t i = 0; i < n; i++) {
			samples += rows[i].samples;
			if (rows[i].group->key.generation & GENERATION_FOLD) {
				assert_int_equal(rows[i].group->key.generation
				    & ~GENERATION_FOLD, 23);
				folded += rows[i].samples;
			}
		}
	cut_end(&cut);
	assert_int_equal(samples, 40);
	assert_int_equal(folded, 23);
	assert_int_equal(group_count(), 18);
	cut_fold_generations();
	assert_int_equal(group_count(), 18);
}

static void
fold_below(uint32_t generation, bool arenas)
{
	struct group_fold fold = { .below = generation, .arenas = arenas };

	while (group_fold_generations(&fold))
		continue;
}

/* A record at n of one of four stacks, born in a generation and an arena. */
static struct live *
enter_in(uintptr_t n, uint32_t generation, uint32_t arena, uint64_t usable)
{
	uintptr_t frames[] = { n % 4 + 1 };
	struct group_key key = { .stack = stack_get(frames, 1, 0), .rate = 1,
	    .usable = usable, .generation = generation, .arena = arena };
	struct live birth = { .ptr = (void *)(n * 16), .requested = n % 100,
	    .thread = 7 };

	return record_of(&key, birth);
}

/* What was freed, by what is left of a key when generations are folded. */
struct freed_by {
	uint64_t samples[4][3][LIFETIME_BUCKETS];
	uint64_t requested[4][3][LIFETIME_BUCKETS];
};

static void
read_freed_by(struct freed_by *by)
{
	struct cut_freed rows[CUT_BATCH];
	struct cut cut;
	size_t n;

	memset(by, 0, sizeof *by);
	assert_int_equal(cut_begin(&cut), 0);
	while ((n = cut_freed(&cut, rows, CUT_BATCH)) > 0)
		for (size_t i = 0; i < n; i++) {
			const struct group_key *key = &rows[i].group->key;
			size_t s = key->stack->frames[0] - 1;
			size_t u = key->usable / 16 - 1;

			by->samples[s][u][rows[i].bucket] += rows[i].samples;
			by->requested[s][u][rows[i].bucket] +=
			    rows[i].requested;
		}
	cut_end(&cut);
}

static void
test_folding_keeps_every_sum(void **state)
{
	static struct freed_by before, after;
	uint64_t seed = os_now_ns(), x = seed;

	printf("seed %llu\n", (unsigned long long)seed);
	for (uintptr_t n = 1; n <= 20000; n++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		assert_non_null(enter_in(n, 1 + (x >> 60) * 3,
		    (x >> 40) % 5, 16 * (1 + (x >> 50) % 3)));
		if ((x >> 33) % 10 > 0)
			live_remove((void *)(n * 16), NULL,
			    1ull << (x >> 48) % 40, NULL);
	}
	read_freed_by(&before);
	for (uint32_t below = 7; below <= 47; below += 8) {
		fold_below(below, below > 30);
		read_freed_by(&after);
		assert_memory_equal(&before, &after, sizeof before);
		live_check();
		group_check();
	}
	for (uintptr_t n = 1; n <= 20000; n++)
		live_remove((void *)(n * 16), NULL, 0, NULL);
	fold_below(48, false);
	/* 4 stacks, 3 sizes, 5 arenas and what was of them all before */
	assert_int_equal(group_count(), 6 * 12);
	fold_below(48, true);
	assert_int_equal(group_count(), 12);
}

static void
test_the_living_keep_their_generation(void **state)
{
	struct cut_live live[CUT_BATCH];
	struct cut_freed freed[CUT_BATCH];
	struct cut cut;

	enter_in(4, 3, 5, 16);
	enter_in(8, 3, 5, 16);
	enter_in(12, 4, 6, 16);
	leave(8 * 16);
	leave(12 * 16);
	fold_below(10, true);
	assert_int_equal(group_count(), 2);
	assert_int_equal(cut_begin(&cut), 0);
	assert_int_equal(cut_live(&cut, live, CUT_BATCH), 1);
	assert_int_equal(live[0].group->key.generation, 3);
	assert_int_equal(live[0].group->key.arena, 5);
	assert_int_equal(cut_freed(&cut, freed, CUT_BATCH), 1);
	assert_int_equal(freed[0].group->key.generation, 9 | GENERATION_FOLD);
	assert_int_equal(freed[0].group->key.arena, GROUP_NO_ARENA);
	assert_int_equal(freed[0].samples, 2);
	cut_end(&cut);
	/* its end goes to its group, and from there to the folded one */
	leave(4 * 16);
	assert_int_equal(group_count(), 2);
	fold_below(10, true);
	assert_int_equal(group_count(), 1);
}

/* 100 samples, the first of which lives for 50 generations. */
static void
live_through_a_generation(uint32_t turn, uint32_t narenas)
{
	uint32_t generation = generation_advance();
	uintptr_t n = turn % 50 + 1;

	if (turn >= 50)
		leave(n * 16);
	assert_non_null(enter_in(n, generation, turn % narenas, 16));
	for (n = 100; n < 199; n++) {
		assert_non_null(enter_in(n, generation, turn % narenas,
		    n * 16));
		live_remove((void *)(n * 16), NULL, UINT64_MAX, NULL);
	}
}

static void
test_memory_does_not_grow_with_generations(void **state)
{
	enum { TURNS = 10000 };
	unsigned folds = 0;
	uint64_t used = 0, failures = profmem_failures();
	struct tally t;

	profmem_boot(16 << 20, &fake_host);
	stack_boot();
	group_boot();
	live_boot(&fake_host);
	cut_reset();
	for (uint32_t turn = 0; turn < TURNS; turn++) {
		live_through_a_generation(turn, 7);
		if (cut_fold_due()) {
			cut_fold_generations();
			assert_false(cut_fold_due());
			folds++;
		}
		if (turn == TURNS / 10)
			used = profmem_used();
	}
	assert_int_equal(profmem_used(), used);
	/* a quarter, and tables that were outgrown meanwhile */
	assert_true(used < 5 << 20);
	/* 100 groups a generation, of 1 MiB at least in one go */
	assert_in_range(folds, 1, TURNS / 50);
	assert_int_equal(profmem_failures(), failures);
	t = take_cut();
	assert_int_equal(t.live, 50);
	assert_int_equal(t.freed, 100 * TURNS - 50);
	for (uintptr_t n = 1; n <= 50; n++)
		leave(n * 16);
}

static void
test_no_fold_while_a_cut_is_open(void **state)
{
	uint64_t groups;
	struct cut cut;

	for (uint32_t turn = 0; turn < 40; turn++)
		live_through_a_generation(turn, 7);
	groups = group_count();
	assert_int_equal(cut_begin(&cut), 0);
	cut_fold_generations();
	assert_int_equal(group_count(), groups);
	read_cut(&cut);
	cut_end(&cut);
	cut_fold_generations();
	assert_true(group_count() < groups);
	for (uintptr_t n = 1; n <= 40; n++)
		leave(n * 16);
}

static size_t
freed_rows_of_arenas(void)
{
	struct cut_freed rows[CUT_BATCH];
	struct cut cut;
	size_t n, found = 0;

	assert_int_equal(cut_begin(&cut), 0);
	while ((n = cut_freed(&cut, rows, CUT_BATCH)) > 0)
		for (size_t i = 0; i < n; i++)
			found += rows[i].group->key.arena != GROUP_NO_ARENA;
	cut_end(&cut);
	return found;
}

static void
test_arenas_fold_where_generations_are_not_enough(void **state)
{
	uint32_t turn;

	for (turn = 0; turn < 60; turn++)
		live_through_a_generation(turn, 7);
	cut_fold_generations();
	/* 99 sites: sums by arena, and the generations that are left */
	assert_in_range(freed_rows_of_arenas(), 99 * (7 + 16), 100 * (7 + 17));
	profmem_boot(4 << 20, &fake_host);
	stack_boot();
	group_boot();
	live_boot(&fake_host);
	for (turn = 0; turn < 1000; turn++) {
		live_through_a_generation(turn, 1000);
		if (cut_fold_due())
			cut_fold_generations();
	}
	cut_fold_generations();
	assert_in_range(freed_rows_of_arenas(), 99 * 16, 100 * 17);
	for (uintptr_t n = 1; n <= 50; n++)
		leave(n * 16);
}

static void
test_folding_needs_no_memory(void **state)
{
	uint64_t used;
	uint32_t n = 0;

	profmem_boot(1 << 20, &fake_host);
	stack_boot();
	group_boot();
	live_boot(&fake_host);
	while (enter_in(4, n + 1, n, 16) != NULL) {
		live_remove((void *)(4 * 16), NULL, 0, NULL);
		n++;
	}
	assert_true(n > 1000);
	used = profmem_used();
	fold_below(n + 1, true);
	assert_int_equal(group_count(), 1);
	assert_int_equal(profmem_used(), used);
	assert_int_equal(take_cut().freed, n);
	/* what that gave back is had again */
	for (uint32_t i = 1; i < n / 2; i++) {
		assert_non_null(enter_in(4, n + i, 0, 16));
		live_remove((void *)(4 * 16), NULL, 0, NULL);
	}
	assert_int_equal(profmem_used(), used);
}

static void
test_the_bound_is_kept(void **state)
{
	uint64_t limit = 1 << 20, others;
	uintptr_t n = 0;
	struct tally t;

	profmem_boot(limit, &fake_host);
	stack_boot();
	group_boot();
	live_boot(&fake_host);
	others = stack_others();
	while (enter((n + 1) * 16, n * 10, 112, 100) != NULL)
		n++;
	assert_true(n > 1000);
	assert_true(profmem_used() <= limit);
	assert_true(stack_others() > others);
	assert_true(profmem_failures() > 0);
	t = take_cut();
	assert_int_equal(t.live, n);
	/* what is given back is used again */
	for (uintptr_t i = 0; i < n / 2; i++)
		leave((i + 1) * 16);
	assert_non_null(enter(16, 1, 112, 100));
	t = take_cut();
	assert_int_equal(t.live, n - n / 2 + 1);
	assert_int_equal(t.freed, n / 2);
}

/* --- a holder without a processor ----------------------------------------- */

static struct lock *live_locks[LIVE_SHARDS];
static size_t nlive_locks;

static void
note_lock(struct lock *lock, void *arg)
{
	live_locks[nlive_locks++] = lock;
}

static void *
begin_cut(void *arg)
{
	assert_int_equal(cut_begin(arg), 0);
	return NULL;
}

static void
test_a_cut_waits_for_one_shard_with_no_other_held(void **state)
{
	struct lock *stuck;
	pthread_t thread;
	struct cut cut;

	enter(16, 1, 112, 100);
	nlive_locks = 0;
	live_each_lock(note_lock, NULL);
	assert_int_equal(nlive_locks, LIVE_SHARDS);
	stuck = live_locks[LIVE_SHARDS / 2];
	lock_acquire(stuck);
	pthread_create(&thread, NULL, begin_cut, &cut);
	while (atomic_load(&stuck->state) != 2)	/* it sleeps */
		os_yield();
	for (size_t i = 0; i < nlive_locks; i++) {
		if (live_locks[i] == stuck)
			continue;
		assert_true(lock_try(live_locks[i]));
		lock_release(live_locks[i]);
	}
	lock_release(stuck);
	pthread_join(thread, NULL);
	assert_int_equal(read_cut(&cut).live, 1);
	cut_end(&cut);
	leave(16);
}

/* --- churn ---------------------------------------------------------------- */

enum { WORKERS = 4, SLOTS = 2000, ROUNDS = 60000 };

struct worker {
	pthread_t thread;
	uintptr_t first;		/* address of its slot 0 */
	uint64_t seed;
	uint64_t born, dead;
	bool held[SLOTS];
};

static void *
churn(void *arg)
{
	struct worker *w = arg;
	uint64_t x = w->seed;

	for (int i = 0; i < ROUNDS; i++) {
		size_t slot;

		x = x * 6364136223846793005ull + 1442695040888963407ull;
		slot = (x >> 33) % SLOTS;
		if (w->held[slot]) {
			live_remove((void *)(w->first + slot * 16), NULL,
			    os_now_ns(), NULL);
			w->dead++;
		} else {
			enter(w->first + slot * 16, x >> 60, 112, 100);
			w->born++;
		}
		w->held[slot] = !w->held[slot];
	}
	return NULL;
}

static void
test_cuts_and_folds_under_churn_lose_nothing(void **state)
{
	static struct worker workers[WORKERS];
	uint64_t born = 0, dead = 0, last_total = 0;
	struct tally t;

	for (uintptr_t i = 0; i < WORKERS; i++) {
		workers[i].first = (i + 1) << 32;
		workers[i].seed = i;
		pthread_create(&workers[i].thread, NULL, churn, &workers[i]);
	}
	while (generation_current() <= CUT_GENERATIONS_KEPT + 1)
		generation_advance();
	for (int i = 0; i < 40; i++) {
		cut_fold_generations();
		t = take_cut();
		assert_int_equal(t.live_requested, t.live * 100);
		assert_int_equal(t.freed_requested, t.freed * 100);
		/* what was ever allocated only grows */
		assert_true(t.live + t.freed >= last_total);
		last_total = t.live + t.freed;
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		born += workers[i].born;
		dead += workers[i].dead;
	}
	t = take_cut();
	assert_int_equal(t.live, born - dead);
	assert_int_equal(t.freed, dead);
	for (int i = 0; i < WORKERS; i++)
		for (size_t s = 0; s < SLOTS; s++)
			if (workers[i].held[s])
				leave(workers[i].first + s * 16);
	t = take_cut();
	assert_int_equal(t.live, 0);
	assert_int_equal(t.freed, born);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
		T(test_equal_stacks_are_one),
		T(test_signal_frames_are_looked_up_as_they_are),
		T(test_a_freed_sample_moves_to_the_totals),
		T(test_deaths_during_a_cut_come_later),
		T(test_a_walk_goes_on_among_the_dead),
		T(test_since_counts_the_cuts_before_birth),
		T(test_reset_forgets),
		T(test_groups_that_lost_nothing_are_passed_over),
		T(test_pinned_bytes_of_living_and_dying),
		T(test_lifetimes_go_to_their_bucket),
		T(test_bucket_edges),
		T(test_old_generations_fold),
		T(test_folding_keeps_every_sum),
		T(test_the_living_keep_their_generation),
		T(test_arenas_fold_where_generations_are_not_enough),
		T(test_folding_needs_no_memory),
		T(test_memory_does_not_grow_with_generations),
		T(test_no_fold_while_a_cut_is_open),
		T(test_a_cut_waits_for_one_shard_with_no_other_held),
		T(test_cuts_and_folds_under_churn_lose_nothing),
		T(test_the_bound_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
